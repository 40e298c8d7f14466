package pipelines

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"retain/features"
	"retain/models/actions"
)

// decideReader reads what rules and policy need beside features, in the population's order, as known at its cutoff.
type decideReader struct {
	store  *features.Store
	p      *features.Population
	engine *actions.Engine
}

// decideFacts is that, by customer of the population: some 70 bytes each. Texts are held once.
type decideFacts struct {
	word    *lexicon
	zone    []uint32 // words
	consent []uint32 // words: the refused keys, a line each
	profile [4][]uint32
	open    []uint16 // tickets
	oldest  []float64
	channel []uint32 // word: of the oldest open ticket
	habit   []actions.Habit

	attributes []string // JSON; nil unless a rule reads them
}

// refused are the keys of consent that customer i has refused.
func (f *decideFacts) refused(i int) []string {
	if f.consent[i] == 0 {
		return nil
	}
	return strings.Split(f.word.text(f.consent[i]), "\n")
}

// describe fills in what the customer's own row says.
func (f *decideFacts) describe(i int, to *actions.Facts) error {
	for k, text := range []*string{&to.LeadSource, &to.Segment, &to.Region, &to.Plan} {
		*text = f.word.text(f.profile[k][i])
	}
	if f.attributes == nil || f.attributes[i] == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(f.attributes[i]), &to.Attributes); err != nil {
		return fmt.Errorf("read attributes: %w", err)
	}
	return nil
}

// customers reads the profiles, with everything else left empty.
func (r *decideReader) customers(ctx context.Context) (*decideFacts, error) {
	n := len(r.p.Customer)
	f := &decideFacts{word: newLexicon(), zone: make([]uint32, n), consent: make([]uint32, n), open: make([]uint16, n), oldest: make([]float64, n), channel: make([]uint32, n), habit: make([]actions.Habit, n)}
	for k := range f.profile {
		f.profile[k] = make([]uint32, n)
	}
	for i := range f.oldest {
		f.oldest[i] = math.NaN()
	}
	columns := []string{"timezone", "consent", "lead_source", "segment", "region", "plan"}
	attributes := "''"
	if r.engine.ReadsAttributes() {
		columns = append(columns, "attributes")
		attributes = "toJSONString(attributes)"
		f.attributes = make([]string, n)
	}
	from, err := r.store.Versions(ctx, features.Customers, columns, r.p.Cutoff)
	if err != nil {
		return nil, err
	}
	query := `SELECT customer_id, timezone, arrayStringConcat(arraySort(arrayMap(k -> lower(k), mapKeys(mapFilter((k, v) -> NOT v, consent)))), '\n') AS refused,
	lead_source, segment, region, plan, ` + attributes + ` AS attributes_json
FROM ` + from + `
ORDER BY customer_id`
	at := cursor{ids: r.p.Customer}
	for b, err := range r.store.DB.Blocks(ctx, query, nil) {
		if err != nil {
			return nil, fmt.Errorf("read customers: %w", err)
		}
		zones, refused, json := b.Strings("timezone"), b.Strings("refused"), b.Strings("attributes_json")
		profile := [4][]string{b.Strings("lead_source"), b.Strings("segment"), b.Strings("region"), b.Strings("plan")}
		for k, id := range b.Strings("customer_id") {
			i, ok := at.find(id)
			if !ok {
				continue
			}
			f.zone[i], f.consent[i] = f.word.code(zones[k]), f.word.code(refused[k])
			for j := range profile {
				f.profile[j][i] = f.word.code(profile[j][k])
			}
			if f.attributes != nil {
				f.attributes[i] = json[k]
			}
		}
	}
	return f, nil
}

// tickets adds who has how many open tickets: without a solution, opened in the policy's days. Where no ticket was ever solved, the
// source does not tell solutions, and nothing is open.
func (r *decideReader) tickets(ctx context.Context, f *decideFacts) error {
	from, err := r.store.Versions(ctx, features.Tickets, []string{"at", "ticket_id", "channel", "resolved_at"}, r.p.Cutoff)
	if err != nil {
		return err
	}
	since := r.p.Cutoff.AddDate(0, 0, -r.engine.Catalogue.Policy.OpenTicketDays)
	query := `SELECT customer_id, toUInt32(count()) AS open, min(at) AS first_at, argMin(lower(channel), (at, ticket_id)) AS first_channel
FROM ` + from + `
WHERE isNull(resolved_at) AND at >= ` + instantSQL(since) + `
	AND (SELECT count() FROM (SELECT 1 FROM ` + from + ` WHERE isNotNull(resolved_at) LIMIT 1)) > 0
GROUP BY customer_id
ORDER BY customer_id`
	at := cursor{ids: r.p.Customer}
	for b, err := range r.store.DB.Blocks(ctx, query, nil) {
		if err != nil {
			return fmt.Errorf("read open tickets: %w", err)
		}
		open, first, channel := b.Int64s("open"), b.Times("first_at"), b.Strings("first_channel")
		for k, id := range b.Strings("customer_id") {
			i, ok := at.find(id)
			if !ok {
				continue
			}
			f.open[i] = uint16(min(open[k], math.MaxUint16))
			f.oldest[i] = r.p.Cutoff.Sub(first[k]).Hours() / 24
			f.channel[i] = f.word.code(channel[k])
		}
	}
	return nil
}

// habitDays is how far back the use counts that tells when a customer is there.
const habitDays = 84

// habits adds when each customer is usually there, by his own use. An event at midnight UTC sharp is one whose time of day is not told.
func (r *decideReader) habits(ctx context.Context, f *decideFacts) error {
	from, err := r.store.Versions(ctx, features.Usage, []string{"at"}, r.p.Cutoff)
	if err != nil {
		return err
	}
	query := `SELECT customer_id, toUInt8((toDayOfWeek(at) - 1) * 24 + toHour(at)) AS slot, toUInt16(uniqExact(toDate(at))) AS days
FROM ` + from + `
WHERE at >= ` + instantSQL(r.p.Cutoff.AddDate(0, 0, -habitDays)) + ` AND at != toStartOfDay(at)
GROUP BY customer_id, slot
ORDER BY customer_id, slot`
	at := cursor{ids: r.p.Customer}
	policy := &r.engine.Catalogue.Policy
	var slots [168]uint16
	last := -1
	flush := func() {
		if last >= 0 {
			f.habit[last] = policy.HabitOf(&slots, f.word.text(f.zone[last]), r.p.Cutoff)
		}
		clear(slots[:])
	}
	for b, err := range r.store.DB.Blocks(ctx, query, nil) {
		if err != nil {
			return fmt.Errorf("read when customers are there: %w", err)
		}
		slot, days := b.Int64s("slot"), b.Int64s("days")
		for k, id := range b.Strings("customer_id") {
			i, ok := at.find(id)
			if !ok {
				continue
			}
			if i != last {
				flush()
				last = i
			}
			slots[slot[k]] = uint16(days[k])
		}
	}
	flush()
	return nil
}

// cursor finds ids that come in order in a sorted list.
type cursor struct {
	ids []string
	i   int
}

func (c *cursor) find(id string) (int, bool) {
	for c.i < len(c.ids) && c.ids[c.i] < id {
		c.i++
	}
	return c.i, c.i < len(c.ids) && c.ids[c.i] == id
}

// instantSQL is an instant as a literal.
func instantSQL(t time.Time) string {
	return "toDateTime64('" + t.UTC().Format("2006-01-02 15:04:05.000") + "', 3, 'UTC')"
}
