package features

import (
	"cmp"
	"math"
	"slices"
)

// The reference: every form computed again in Go, one customer and one row at a time, from the words of metrics.md alone.

// A refRow is one version of a row of a source. Numbers and texts that are absent are missing.
type refRow struct {
	source   string
	customer string
	event    int   // versions of one event share it
	at       int64 // ms; customers: created_at, absent when -1
	ingested int64
	imported int64
	mapped   bool
	hash     uint64 // row_hash
	text     map[string]string
	num      map[string]float64
}

// A refWorld is what a warehouse holds.
type refWorld struct {
	rows   []refRow
	static map[string][]string

	recorded   map[string]bool // of records
	recordedAt int64
}

// newest is the version of each row of a source that held at T.
func (w *refWorld) newest(source string, now int64) []refRow {
	type identity struct {
		customer string
		event    int
	}
	newest := map[identity]refRow{}
	for _, r := range w.rows {
		if r.source != source || r.ingested >= now {
			continue
		}
		id := identity{r.customer, r.event}
		old, ok := newest[id]
		if !ok || cmp.Or(cmp.Compare(r.ingested, old.ingested), cmp.Compare(r.imported, old.imported), cmp.Compare(r.at, old.at), cmp.Compare(r.hash, old.hash)) > 0 {
			newest[id] = r
		}
	}
	out := make([]refRow, 0, len(newest))
	for _, r := range newest {
		out = append(out, r)
	}
	return out
}

// known is the rows of a source as known at T, of all customers.
func (w *refWorld) known(source string, now int64) []refRow {
	var out []refRow
	for _, r := range w.newest(source, now) {
		if r.at < now {
			out = append(out, w.veil(r, now))
		}
	}
	slices.SortFunc(out, func(a, b refRow) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.hash%(1<<20), b.hash%(1<<20)))
	})
	return out
}

// veil hides what was written into a row after T, and adds the derived columns.
func (w *refWorld) veil(r refRow, now int64) refRow {
	text, num := map[string]string{}, map[string]float64{}
	for k, v := range r.text {
		text[k] = v
	}
	for k, v := range r.num {
		num[k] = v
	}
	flag := func(name string, b bool) { num[name] = map[bool]float64{true: 1}[b] }
	static := func(c string) bool { return slices.Contains(w.static[r.source], c) }
	switch r.source {
	case Usage, Purchases:
		day := ((r.at/dayMS)+3)%7 + 1 // 1970-01-01 was a Thursday, day 4
		flag("weekend", day >= 6)
		if d, ok := num["discount"]; ok {
			flag("discounted", d > 0)
		}
		if !r.mapped && !static("returned") {
			delete(num, "returned")
		}
	case Subscriptions:
		for _, c := range []string{"cancelled_at", "ended_at"} {
			if v, ok := num[c]; ok && v >= float64(now) {
				delete(num, c)
			}
		}
		if ends, ok := num["ends_at"]; !r.mapped && num["billing_days"] > 0 && !(ok && ends < float64(now)) {
			next := float64(r.at)
			for next <= float64(now) {
				next += num["billing_days"] * dayMS
			}
			num["ends_at"] = next
		}
		if mrr, ok := num["mrr"]; ok && num["list_mrr"] > 0 {
			num["discount"] = 1 - mrr/num["list_mrr"]
		}
		_, cancelled := num["cancelled_at"]
		flag("cancelled", cancelled)
		if ends, ok := num["ends_at"]; ok {
			num["ms_to_end"] = ends - float64(now)
		}
		if mrr, ok := num["mrr"]; ok {
			num["seat_price"] = mrr
			if num["seats"] > 0 {
				num["seat_price"] = mrr / num["seats"]
			}
		}
	case Surveys, Tickets, Contacts:
		w.veilService(&r, text, num, now)
	case Customers:
		for c := range text {
			if !r.mapped && !static(c) {
				delete(text, c)
			}
		}
	}
	r.text, r.num = text, num
	return r
}

// refEye looks at the world at one cutoff.
type refEye struct {
	world *refWorld
	now   int64
	rows  map[string][]refRow // by source, ordered by time
}

func (w *refWorld) eye(now int64) *refEye {
	e := &refEye{world: w, now: now, rows: map[string][]refRow{}}
	for _, s := range sources {
		e.rows[s.Name] = w.known(s.Name, now)
	}
	return e
}

func (e *refEye) customers() []string {
	var ids []string
	for _, rows := range e.rows {
		for _, r := range rows {
			ids = append(ids, r.customer)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

var absent = math.NaN()

func (e *refEye) born(id string) int64 {
	for _, r := range e.rows[Customers] {
		if r.customer == id && r.at >= 0 {
			return r.at
		}
	}
	born := int64(math.MaxInt64)
	for _, s := range eventSources() {
		for _, r := range e.rows[s] {
			if r.customer == id {
				born = min(born, r.at)
			}
		}
	}
	return born
}

// existed tells whether the customer's life had begun at the instant.
func (e *refEye) existed(id string, at int64) bool {
	born := e.born(id)
	return born != math.MaxInt64 && born <= at
}

func (e *refEye) value(m Measure, id string) float64 {
	scale := m.Scale
	if scale == 0 {
		scale = 1
	}
	return scale * e.unscaled(m, id)
}

func (e *refEye) unscaled(m Measure, id string) float64 {
	born := e.born(id)
	tenure := absent
	if born != math.MaxInt64 {
		tenure = float64(e.now-born) / dayMS
	}
	switch m.Form {
	case Tenure:
		return tenure
	case Ratio:
		over := e.value(*m.Over, id)
		if over == 0 {
			return absent
		}
		return e.value(*m.Of, id) / over
	case Difference:
		return e.value(*m.Of, id) - e.value(*m.Over, id)
	case Change:
		before := *m.Of
		before.Offset += before.Window
		reach := before.Offset + before.Window
		if before.Current {
			reach = before.Offset
		}
		was := e.value(before, id)
		if was == 0 || !e.existed(id, e.now-int64(reach)*dayMS) {
			return absent
		}
		return math.Min(math.Max((e.value(*m.Of, id)-was)/was, -1), 10)
	}
	mine, total, ok := e.counted(m, id)
	if !ok {
		return absent
	}
	return e.overRows(m, id, mine, total)
}

// counted is the rows that a measure reads of a customer, and those where the columns of its conditions are known; not ok when
// nothing can be said.
func (e *refEye) counted(m Measure, id string) (mine, total []refRow, ok bool) {
	all := e.rows[m.Source]
	if len(all) == 0 || !e.recorded(m) {
		return nil, nil, false
	}
	from, until := int64(math.MinInt64), e.now-int64(m.Offset)*dayMS
	if m.Window > 0 {
		from = until - int64(m.Window)*dayMS
	}
	start := from
	if m.Current {
		from, start = math.MinInt64, until
	}
	if m.Source != Customers && start != math.MinInt64 && start < e.now && all[0].at > start && e.existed(id, start) {
		return nil, nil, false
	}
	born := e.born(id)
	if m.Life > 0 {
		firstDay := all[0].at - all[0].at%dayMS
		if !e.existed(id, e.now-int64(m.Life)*dayMS) || born < firstDay {
			return nil, nil, false
		}
	}
	for _, r := range all {
		if r.customer != id || r.at < from || r.at >= until {
			continue
		}
		if m.Current {
			end, ok := r.num["ended_at"]
			if !ok {
				end, ok = r.num["ends_at"]
			}
			if ok && end < float64(until) {
				continue
			}
		}
		met, known := true, true
		for c, values := range m.Where {
			kind, _ := columnKind(m.Source, c)
			if kind == text {
				known = known && r.text[c] != ""
				met = met && slices.Contains(values, r.text[c])
				continue
			}
			v, ok := r.num[c]
			known = known && ok
			met = met && ok && (v == 1) == (values[0] == "true")
		}
		if known {
			total = append(total, r)
		}
		if met {
			mine = append(mine, r)
		}
	}
	return mine, total, true
}

func (e *refEye) daysAgo(at int64) int { return int((e.now - 1 - at) / dayMS) }

func (e *refEye) overRows(m Measure, id string, rows, total []refRow) float64 {
	n := float64(len(rows))
	days := map[int]bool{}
	for _, r := range rows {
		days[e.daysAgo(r.at)] = true
	}
	order := sortedKeys(days)
	var gaps []float64
	for i := 1; i < len(order); i++ {
		gaps = append(gaps, float64(order[i]-order[i-1]))
	}
	bornDay := e.daysAgo(e.born(id))
	since := func(at int64) float64 { return float64(e.now-at) / dayMS }
	firstDay := map[string]int{} // of each value of the column, over all of history
	for _, r := range e.rows[m.Source] {
		if v := r.text[m.Column]; r.customer == id && v != "" {
			firstDay[v] = max(firstDay[v], e.daysAgo(r.at))
		}
	}
	switch m.Form {
	case Count:
		seen := map[string]bool{}
		for _, r := range rows {
			if v := r.text[m.Column]; m.Column != "" && v != "" {
				if seen[v] {
					n--
				}
				seen[v] = true
			}
		}
		return n
	case Sum:
		return sumOf(rows, m.Column)
	case Mean:
		v := valuesOf(rows, m.Column)
		if len(v) == 0 {
			return absent
		}
		return sumOf(rows, m.Column) / float64(len(v))
	case Max:
		if v := valuesOf(rows, m.Column); len(v) > 0 {
			return slices.Max(v)
		}
		return absent
	case Min:
		if v := valuesOf(rows, m.Column); len(v) > 0 {
			return slices.Min(v)
		}
		return absent
	case Distinct:
		seen := map[string]bool{}
		for _, r := range rows {
			inLife := m.Life == 0 || e.daysAgo(r.at) > bornDay-m.Life
			if v := r.text[m.Column]; v != "" && inLife {
				seen[v] = true
			}
		}
		return float64(len(seen))
	case ActiveDays:
		count := 0
		for d := range days {
			if m.Life == 0 || d > bornDay-m.Life {
				count++
			}
		}
		return float64(count)
	case DaysSinceLast:
		if n == 0 {
			return absent
		}
		return since(rows[len(rows)-1].at)
	case DaysSince1st:
		if n == 0 {
			return absent
		}
		return since(rows[0].at)
	case DaysSinceNew:
		newest := math.Inf(1)
		for _, d := range firstDay {
			newest = math.Min(newest, float64(d))
		}
		if math.IsInf(newest, 1) {
			return absent
		}
		return newest
	case NewValues:
		count := 0
		for _, d := range firstDay {
			if d < m.Window {
				count++
			}
		}
		return float64(count)
	case LongestGap:
		if n == 0 {
			return absent
		}
		longest := since(rows[len(rows)-1].at) - float64(m.Offset)
		for i := 1; i < len(rows); i++ {
			longest = math.Max(longest, float64(rows[i].at-rows[i-1].at)/dayMS)
		}
		return longest
	case IntervalMean:
		return meanOf(gaps, 1)
	case IntervalSD:
		return sdOf(gaps)
	case Overdue:
		return since(atOfLast(rows)) / meanOf(gaps, 2)
	case Last:
		for i := len(rows) - 1; i >= 0; i-- {
			if v, ok := rows[i].num[m.Column]; ok {
				return v
			}
		}
		return absent
	case Entropy:
		shares := map[string]float64{}
		count := 0.0
		for _, r := range rows {
			if v := r.text[m.Column]; v != "" {
				shares[v]++
				count++
			}
		}
		if count == 0 {
			return absent
		}
		h := 0.0
		for _, v := range sortedKeys(shares) {
			p := shares[v] / count
			h -= p * math.Log(p)
		}
		return h
	case LastChange:
		if v := valuesOf(rows, m.Column); len(v) > 1 {
			return v[len(v)-1] - v[len(v)-2]
		}
		return absent
	case Median:
		return medianOf(valuesOf(rows, m.Column))
	case Slope:
		return e.slope(m, rows)
	case DecayedSum:
		sum := 0.0
		for _, r := range rows {
			sum += math.Exp(-since(r.at) / m.Tau)
		}
		return sum
	case ScaledRate:
		tenure := float64(e.now-e.born(id)) / dayMS
		return n * 28 / math.Min(math.Max(tenure, 7), float64(m.Window))
	case RenewalChange, RenewalDiff, RenewalDecay, RenewalsUp, RenewalsDown, Returns, PaidFor:
		return e.periods(m, id, rows)
	case Share:
		if m.Column != "" {
			if s := sumOf(total, m.Column); s != 0 {
				return sumOf(rows, m.Column) / s
			}
			return absent
		}
		if len(total) == 0 {
			return absent
		}
		return n / float64(len(total))
	}
	panic(m.Form)
}

// slope is the least-squares slope of the totals of the window's parts over 0, 1, 2, …, by the textbook.
func (e *refEye) slope(m Measure, rows []refRow) float64 {
	totals := make([]float64, m.Buckets)
	for _, r := range rows {
		v := 1.0
		if m.Column != "" {
			v = r.num[m.Column]
		}
		totals[m.Buckets-1-(e.daysAgo(r.at)-m.Offset)/(m.Window/m.Buckets)] += v
	}
	var mx, my, sxy, sxx float64
	for i, v := range totals {
		mx += float64(i) / float64(len(totals))
		my += v / float64(len(totals))
	}
	for i, v := range totals {
		sxy += (float64(i) - mx) * (v - my)
		sxx += (float64(i) - mx) * (float64(i) - mx)
	}
	return sxy / sxx
}

// level is a categorical measure, "" = missing.
func (e *refEye) level(m Measure, id string) string {
	rows, _, _ := e.counted(m, id)
	level := ""
	for _, r := range rows {
		if v := r.text[m.Column+m.Key]; v != "" {
			level = v
		}
	}
	return level
}
