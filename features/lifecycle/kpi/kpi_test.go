package kpi_test

import (
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/go-cmp/cmp"

	"retain/features"
	"retain/features/lifecycle/kpi"
	"retain/internal/warehouse"
)

const testCustomers = 40

var (
	testStages = []string{"awareness", "onboarding", "engagement", "loyalty"}
	testCosts  = map[string]float64{"discount": .5, "save_call": 15, "email": .1}
)

func contractual() features.ChurnSpec {
	return features.ChurnSpec{Setting: features.Contractual, GraceDays: 30, HorizonDays: 90}
}

// silent is the non-contractual setting over purchases.
func silent() features.ChurnSpec {
	return features.ChurnSpec{Setting: features.NonContractual, Activity: []string{features.Purchases}, ActiveDays: 60, HorizonDays: 90}
}

// byEvent takes what the world has plenty of for leaving and joining.
func byEvent(start bool) features.ChurnSpec {
	c := features.ChurnSpec{Setting: features.EventSetting, HorizonDays: 90, Event: &features.EventSpec{Source: features.Touchpoints, Match: map[string]string{"kind": "referral_sent"}}}
	if start {
		c.Event.Start = &features.EventMatch{Source: features.Touchpoints, Match: map[string]string{"kind": "cart"}}
	}
	return c
}

type stageSet = warehouse.StageSet

// putStages gives everyone a stage by a hash at the month starts, but one, and a second rule set that must not be read. Some stand in no stage of the order.
func putStages(t testing.TB, store *features.Store, ids []string, months []kpi.Month) ([]warehouse.StageSet, map[int64]map[string]string) {
	t.Helper()
	kept := map[int64]map[string]string{}
	var sets []warehouse.StageSet
	for i, m := range append(slices.Clone(months), kpi.Month{Start: months[len(months)-1].End}) {
		if i == 3 {
			continue // never worked out
		}
		set := warehouse.StageSet{RunID: fmt.Sprintf("%016x", i+1), Cutoff: m.Start, Rules: "a", Document: "{}", MadeAt: testEnd}
		other := set
		other.RunID, other.Rules = fmt.Sprintf("%016x", 100+i), "b"
		stages := map[string]string{}
		var c, d warehouse.StageColumns
		for _, id := range ids {
			h := fnv.New32a()
			fmt.Fprint(h, id, i/2)
			k := int(h.Sum32() % 7)
			if k == 6 {
				continue
			}
			stage := append(slices.Clone(testStages), "churned", "won_back")[k]
			stages[id] = stage
			for _, to := range []*warehouse.StageColumns{&c, &d} {
				to.Customer, to.Previous, to.Since = append(to.Customer, id), append(to.Previous, ""), append(to.Since, m.Start)
			}
			c.Stage, d.Stage = append(c.Stage, stage), append(d.Stage, "loyalty")
		}
		if err := store.DB.PutStages(t.Context(), set, c); err != nil {
			t.Fatal(err)
		}
		if err := store.DB.PutStages(t.Context(), other, d); err != nil {
			t.Fatal(err)
		}
		sets, kept[m.Start.UnixMilli()] = append(sets, set), stages
	}
	return sets, kept
}

// fixture is a warehouse and the plain rows that it holds.
type fixture struct {
	store  *features.Store
	rows   *records
	sets   []warehouse.StageSet
	stages map[int64]map[string]string
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	rows, world := newRecords(t, testCustomers)
	hand := edges()
	f := &fixture{store: newStore(t, world, hand), rows: rows}
	rows.add(hand)
	ids := map[string]bool{}
	for _, p := range rows.profiles {
		ids[p.id] = true
	}
	for _, k := range rows.touches {
		ids[k.id] = true
	}
	sorted := make([]string, 0, len(ids))
	for id := range ids {
		sorted = append(sorted, id)
	}
	slices.Sort(sorted)
	f.sets, f.stages = putStages(t, f.store, sorted, monthsFrom(testEnd.AddDate(0, -12, 0), 12))
	return f
}

func (f *fixture) options(churn features.ChurnSpec, by kpi.By) kpi.Options {
	return kpi.Options{Cutoff: testEnd, By: by, Churn: churn, Stages: testStages, Sets: f.sets, Costs: testCosts}
}

// differences are all figures that do not equal their plain count, at most a few.
func (f *fixture) differences(t testing.TB, o kpi.Options) (list []string, seen map[string]int) {
	t.Helper()
	// Small statements cost less on one thread; that many give the same is tested beside.
	ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"max_threads": 1}))
	report, err := kpi.Compute(ctx, f.store, o)
	if err != nil {
		t.Fatal(err)
	}
	return f.compare(report, o)
}

func (f *fixture) compare(report *kpi.Report, o kpi.Options) (list []string, seen map[string]int) {
	if o.Thresholds == (kpi.Thresholds{}) {
		o.Thresholds = kpi.Thresholds{ActivationFeatures: 3, LateHours: 24, NeglectDays: 90, EarlyDays: o.Churn.HorizonDays}
	}
	b := newBrute(f.rows, o)
	for _, stages := range f.stages { // a stage may be on record of somebody who is not known otherwise
		for id := range stages {
			if !slices.ContainsFunc(b.people, func(p *person) bool { return p.id == id }) {
				b.people = append(b.people, &person{id: id, created: none, stages: map[int64]string{}})
			}
		}
	}
	for _, p := range b.people {
		for start, stages := range f.stages {
			if stage, ok := stages[p.id]; ok {
				p.stages[start] = stage
			}
		}
	}
	seen = map[string]int{}
	for _, v := range report.KPIs {
		m := kpi.Month{Start: v.Month, End: v.Month.AddDate(0, 1, 0)}
		slice, sliced := v.Slice()
		want := b.count(v.Name, m, func(p *person) bool { return !sliced || b.slice(p, m) == slice })
		if v.Value != nil {
			seen[v.Name]++
		}
		if fault := differ(&v, want, b, m); fault != "" && len(list) < 5 {
			list = append(list, fmt.Sprintf("%s of %s, slice %q (%v): %s", v.Name, v.Month.Format("2006-01"), slice, sliced, fault))
		}
	}
	return list, seen
}

// differ tells how a figure differs from its plain count.
func differ(v *kpi.Value, want tally, b *brute, m kpi.Month) string {
	value, of, n := math.NaN(), want.x, float64(len(want.people))
	switch v.Name {
	case "lead_volume", "neglected_customers":
		value = float64(want.y)
	case "nps":
		value = 100 * float64(want.y-want.z) / float64(want.x)
	case "first_reply_median":
		if k := len(want.values); k > 0 {
			value = (want.values[(k-1)/2] + want.values[k/2]) / 2
		}
	case "gross_revenue_retention", "net_revenue_retention", "discount_share", "existing_budget_share", "onboarding_depth":
		value, of = float64(want.y)/float64(want.x), int64(n)
	default:
		value = float64(want.y) / float64(want.x)
	}
	if !b.told(v.Name, m) {
		value = math.NaN()
	}
	if v.Name == "stage_conversion" && (!b.staged(m.Start) || !b.staged(m.End)) || v.Stage != nil && !b.staged(m.Start) {
		value = math.NaN()
	}
	switch {
	case v.Value == nil && math.IsNaN(value):
		return ""
	case v.Value == nil:
		return fmt.Sprintf("undefined, want %v", value)
	case math.IsNaN(value) || math.Abs(*v.Value-value) > 1e-12*max(1, math.Abs(value)):
		return fmt.Sprintf("%v, want %v", *v.Value, value)
	case *v.Of != of:
		return fmt.Sprintf("counted over %d, want %d", *v.Of, of)
	}
	low, high := bounds(v, want)
	for _, c := range []struct {
		name string
		got  *float64
		want float64
	}{{"low", v.Low, low}, {"high", v.High, high}} {
		if c.got == nil != math.IsNaN(c.want) || c.got != nil && math.Abs(*c.got-c.want) > 1e-7 {
			return fmt.Sprintf("%s of the interval %v, want %v", c.name, deref(c.got), c.want)
		}
	}
	return ""
}

func deref(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}

// bounds is the 95 % interval by the textbook.
func bounds(v *kpi.Value, t tally) (low, high float64) {
	const z = 1.959963984540054
	n, x, y := float64(len(t.people)), float64(t.x), float64(t.y)
	switch v.Name {
	case "lead_volume", "neglected_customers", "first_reply_median":
		return math.NaN(), math.NaN()
	case "nps":
		p, d := (y+.75)/(x+3), (float64(t.z)+.75)/(x+3)
		half := z * math.Sqrt((p+d-(p-d)*(p-d))/(x+3))
		return 100 * max(-1, p-d-half), 100 * min(1, p-d+half)
	case "gross_revenue_retention", "net_revenue_retention", "discount_share", "existing_budget_share", "onboarding_depth":
		if n < 2 {
			return math.NaN(), math.NaN()
		}
		left := 0.
		for _, p := range t.people {
			residual := p[0] - y/x*p[1]
			left += residual * residual
		}
		half := z * math.Sqrt(n/(n-1)*left) / x
		low, high = max(0, y/x-half), y/x+half
		if v.Name != "net_revenue_retention" && v.Name != "onboarding_depth" {
			high = min(1, high)
		}
		return low, high
	}
	// The roots of (p̂ - p)² = z² p (1 - p)/n.
	p := y / x
	a, b, c := 1+z*z/x, -(2*p + z*z/x), p*p
	root := math.Sqrt(max(0, b*b-4*a*c))
	return max(0, (-b-root)/(2*a)), min(1, (-b+root)/(2*a))
}

// told tells whether the records reach far enough back for a figure of a month.
func (b *brute) told(name string, m kpi.Month) bool {
	days := func(source string, at time.Time, n int) bool {
		return b.first[source]/dayMs*dayMs <= at.AddDate(0, 0, -n).UnixMilli()
	}
	switch name {
	case "repeat_purchase_rate":
		return days("purchases", m.End, 365)
	case "early_churn_first", "early_churn_second":
		return days("purchases", m.End, b.o.Thresholds.EarlyDays)
	case "activation_rate", "onboarding_depth":
		return days("usage", m.End, 30)
	case "neglected_customers", "neglected_share":
		return days("contacts", m.End, b.o.Thresholds.NeglectDays)
	case "churn_rate", "retention_rate":
		return b.o.Churn.Setting != features.NonContractual || days("purchases", m.Start, b.o.Churn.ActiveDays)
	}
	return true
}

func (b *brute) staged(t time.Time) bool {
	return slices.ContainsFunc(b.o.Sets, func(s warehouse.StageSet) bool { return s.Cutoff.Equal(t) })
}

// Every figure, in every setting and by every breakdown, equals its plain count over the same rows; and a wrong definition would be seen.
func TestFigures(t *testing.T) {
	f := newFixture(t)
	for _, setting := range []struct {
		name  string
		churn features.ChurnSpec
		by    kpi.By
		names []string
	}{
		{"contractual", contractual(), kpi.ByStage, append([]string{"stage_conversion"}, ofEachKind...)},
		{"contractual", contractual(), kpi.BySegment, ofEachKind},
		{"contractual", contractual(), kpi.ByLeadSource, kpi.Names()},
		{"non-contractual", silent(), kpi.Everyone, kpi.Names()},
		{"event", byEvent(true), kpi.Everyone, ofPresence},
		{"event without joining", byEvent(false), kpi.Everyone, ofPresence},
	} {
		t.Run(setting.name+" by "+string(setting.by), func(t *testing.T) {
			o := f.options(setting.churn, setting.by)
			o.Names = setting.names
			list, seen := f.differences(t, o)
			for _, fault := range list {
				t.Error(fault)
			}
			for _, name := range setting.names {
				if seen[name] == 0 {
					t.Errorf("%s has no value at all: nothing was compared", name)
				}
			}
		})
	}
	t.Run("earlier and with other limits", func(t *testing.T) { f.earlier(t) })
	t.Run("breakdowns together", func(t *testing.T) { f.together(t) })
	t.Run("wrong definitions", func(t *testing.T) { f.mutations(t) })
}

// together counts by all breakdowns at once, which must give what each gives alone, and leaves no scratch table behind.
func (f *fixture) together(t *testing.T) {
	o := f.options(contractual(), kpi.Everyone)
	o.Names = append([]string{"stage_conversion", "activation_rate"}, ofEachKind...)
	breakdowns := append([]kpi.By{kpi.Everyone}, kpi.Breakdowns...)
	reports, err := kpi.ComputeEach(t.Context(), f.store, o, breakdowns)
	if err != nil {
		t.Fatal(err)
	}
	for k, by := range breakdowns {
		o.By = by
		alone, err := kpi.Compute(t.Context(), f.store, o)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(alone, reports[k]); d != "" {
			t.Errorf("by %q:\n%s", by, d)
		}
	}
	left := func() (n uint64) {
		if err := f.store.DB.Conn().QueryRow(t.Context(), "SELECT count() FROM system.tables WHERE database = currentDatabase() AND startsWith(name, 'retain_scratch_')").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := left(); n > 0 {
		t.Errorf("%d scratch tables are left", n)
	}
	restore, _ := kpi.Mutate("nps", "score >= 9", "nonsense >= 9")
	defer restore()
	if _, err := kpi.ComputeEach(t.Context(), f.store, o, breakdowns); err == nil || left() > 0 {
		t.Errorf("a statement that fails: %v, and %d scratch tables are left", err, left())
	}
	if _, err := kpi.ComputeEach(t.Context(), f.store, o, []kpi.By{kpi.ByStage, "weather"}); err == nil {
		t.Error("broken down by weather")
	}
}

// ofEachKind are figures of all kinds and sources: breakdowns differ in the slices alone.
var ofEachKind = []string{"lead_volume", "onboarding_depth", "churn_rate", "net_revenue_retention", "nps", "first_reply_median", "discount_share"}

// ofPresence are figures that ask who is there.
var ofPresence = []string{"active_rate", "churn_rate", "retention_rate", "single_channel_share", "referral_rate", "neglected_customers", "neglected_share"}
