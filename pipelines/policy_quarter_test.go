package pipelines

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"retain/features"
	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
	"retain/models/actions"
	"retain/models/offpolicy"
)

const quarterActions = `version: 1
actions:
  - {id: do_nothing, title: None, channel: none, class: service}
  - {id: call, title: Call, channel: phone, class: service, proactive: true, message: Call, contact_cost: 30, prior: {mean: 0.02, sd: 0.02}}
  - {id: mail, title: Mail, channel: email, class: marketing, message: Mail, contact_cost: 37, prior: {mean: 0.02, sd: 0.02}}
`

const (
	quarterShare = .2
	quarterRuns  = 15 // every second day
	quarterValue = 1000
)

// quarter is a programme that decides every second day of one quarter, with a control group that is drawn once. Every second customer may be called, most of
// whom leave, and a call keeps more than half of them for good; the others may be written a mail, which does nothing, and few of them leave. Both come once.
type quarter struct {
	db        *warehouse.Warehouse
	first     time.Time
	customers int
	old       [2]float64 // probability of call and of mail, not held out
}

func (q *quarter) id(i int) string                   { return fmt.Sprintf("c%05d", i) }
func (q *quarter) run(k int) string                  { return fmt.Sprintf("day %d", 2*k) }
func (q *quarter) cutoff(k int) time.Time            { return q.first.AddDate(0, 0, 2*k) }
func (q *quarter) held(i int) bool                   { return actions.HeldOut(q.id(i), q.first, quarterShare) }
func (q *quarter) drawn(i, k int) bool               { return actions.Draw(q.run(k), q.id(i)) >= 1-q.old[i%2] }
func (q *quarter) chance(name string, i int) float64 { return actions.Draw("quarter "+name, q.id(i)) }

// leaves is the day on which a customer leaves of whom nobody takes care; infinite = never.
func (q *quarter) leaves(i int) float64 {
	if q.chance("leaves", i) < [2]float64{.8, .2}[i%2] {
		return math.Floor(40*q.chance("day", i)) + .5
	}
	return math.Inf(1)
}

// left is the day on which he leaves if he is treated at run k; quarterRuns = he never is.
func (q *quarter) left(i, k int) float64 {
	day := q.leaves(i)
	if k < quarterRuns && float64(2*k) < day && i%2 == 0 && q.chance("kept", i) < .6 {
		return math.Inf(1)
	}
	return day
}

// next is the first run from k on that treats a customer who was not yet.
func (q *quarter) next(i, k int) int {
	for k < quarterRuns && (q.held(i) || !q.drawn(i, k)) {
		k++
	}
	return k
}

// probabilities are those of call and mail under a catalogue for who is not held out.
func (q *quarter) probabilities(t *testing.T, text string) (p [2]float64) {
	t.Helper()
	round := &actions.Round{Catalogue: programmeEngine(t, text).Catalogue, RunID: "x", Cutoff: q.first, Explore: true, Customer: []string{"a", "b"},
		Eligible: []uint64{1 | 2, 1 | 4}, Value: []float64{quarterValue, quarterValue}, Pressure: []float64{0, 0}}
	turns, err := round.Decide(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := make([]float64, 3)
	for i := range p {
		turns.Propensities(all, i)
		p[i] = all[i+1]
	}
	return p
}

func openQuarter(t *testing.T, customers int) *quarter {
	t.Helper()
	q := &quarter{db: warehousetest.Open(t), first: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), customers: customers}
	q.old = q.probabilities(t, quarterActions)
	document := string(programmeEngine(t, quarterActions).Catalogue.Document())
	for k := range quarterRuns {
		var there []int
		for i := range customers {
			if q.left(i, q.next(i, 0)) > float64(2*k) {
				there = append(there, i)
			}
		}
		row := func(at int) warehouse.DecisionRow {
			i := there[at]
			d := actions.Decision{CustomerID: q.id(i), Holdout: q.held(i), Chosen: actions.DoNothing, Value: quarterValue}
			p, action := q.old[i%2], []string{"call", "mail"}[i%2]
			switch first := q.next(i, 0); {
			case first < k:
				p = 0
			case d.Holdout:
				d.Withheld = []actions.Withheld{{Action: action, Propensity: (1 - quarterShare) * p}}
			default:
				d.Options = []actions.Option{{Action: action, Source: actions.SourcePrior, Propensity: (1 - quarterShare) * p}}
				if first == k {
					d.Chosen = action
				}
			}
			d.Options = append(d.Options, actions.Option{Action: actions.DoNothing, Source: actions.SourcePrior, Propensity: quarterShare + (1-quarterShare)*(1-p)})
			return decisionRow(q.run(k), &d)
		}
		run := warehouse.DecisionRun{RunID: q.run(k), Cutoff: q.cutoff(k), Policy: "v1", Document: document, Explore: true, Holdout: quarterShare, DecidedAt: q.cutoff(k)}
		if err := q.db.PutDecisions(t.Context(), run, len(there), row); err != nil {
			t.Fatal(err)
		}
	}
	log := bytes.NewBufferString("customer_id,at,kind\n")
	for i := range customers {
		fmt.Fprintf(log, "%s,2025-06-01,subscribed\n", q.id(i))
		if day := q.left(i, q.next(i, 0)); !math.IsInf(day, 1) {
			fmt.Fprintf(log, "%s,%s,cancelled\n", q.id(i), q.first.Add(time.Duration(day*24)*time.Hour).Format(time.RFC3339))
		}
	}
	for k := range 90 * 60 { // days on which nobody leaves are no outage
		fmt.Fprintf(log, "visitor%d,%s,visit\n", k%60, q.first.AddDate(0, 0, k/60).Format(time.DateOnly))
	}
	if _, err := Import(t.Context(), ImportOptions{Warehouse: q.db, Source: "touchpoints", Path: "-", Stdin: log}); err != nil {
		t.Fatal(err)
	}
	return q
}

// judgedQuarter is what a new policy is worth in the decisions of some runs, and the log as it looks to whoever does not know who is held out.
type judgedQuarter struct {
	truth, stayed float64        // mean of staying, under the new policy and as it was
	log           *offpolicy.Log // with the share held out in the propensities, as they are logged
	chosen        []float64      // the new policy's probability of what was chosen, likewise
	given         [2][]float64   // those of the log and of the new policy with P(held out | what was decided before) in place of the share
}

// judge tells what new probabilities are worth in the decisions of some runs, whose customers are to stay for so many days.
func (q *quarter) judge(runs []int, now [2]float64, days int) *judgedQuarter {
	v := &judgedQuarter{log: &offpolicy.Log{Actions: []string{"nothing", "something"}}}
	for _, k := range runs {
		for i := range q.customers {
			stays := func(treated int) float64 {
				if q.left(i, treated) < float64(2*k+days) {
					return 0
				}
				return 1
			}
			first := q.next(i, 0)
			if q.left(i, first) <= float64(2*k) {
				continue
			}
			old, p, held := q.old[i%2], now[i%2], quarterShare
			if first < k { // nothing can be drawn any more, under either policy
				old, p = 0, 0
			}
			held /= held + (1-held)*math.Pow(1-old, float64(k))
			v.stayed += stays(first)
			if q.held(i) || first < k {
				v.truth += stays(first)
			} else { // the programme goes on for whom nothing is drawn
				v.truth += p*stays(k) + (1-p)*stays(q.next(i, k+1))
			}
			something := first == k
			of := func(p, held float64) float64 {
				if something {
					return (1 - held) * p
				}
				return held + (1-held)*(1-p)
			}
			action := int32(0)
			if something {
				action = 1
			}
			v.log.Customer, v.log.Reward, v.log.Action = append(v.log.Customer, q.id(i)), append(v.log.Reward, stays(first)), append(v.log.Action, action)
			v.log.Propensity, v.chosen = append(v.log.Propensity, of(old, quarterShare)), append(v.chosen, of(p, quarterShare))
			v.given[0], v.given[1] = append(v.given[0], of(old, held)), append(v.given[1], of(p, held))
		}
	}
	n := float64(v.log.Rows())
	v.truth, v.stayed = v.truth/n, v.stayed/n
	return v
}

// The control group of a quarter is drawn once, and its runs are judged given who is in it. With the share held out in the ratios as logged, a policy that calls
// less and mails more looks worse than it is, and nothing refuses it. With the probability to be held out given what was decided before, it still does:
// whom nothing was drawn for is called soon after, and the control group is not.
func TestPolicyInMidQuarter(t *testing.T) {
	q := openQuarter(t, 8000)
	const days = 24
	text := strings.NewReplacer("contact_cost: 30", "contact_cost: 50", "contact_cost: 37", "contact_cost: 28").Replace(quarterActions)
	known := q.judge([]int{2, 14}, q.probabilities(t, text), days)
	truth := known.truth - known.stayed
	o := PolicyDecisionsOptions{DB: q.db, Engine: programmeEngine(t, text), Options: offpolicy.Options{Seed: 1, Draws: 300},
		Churn: features.ChurnSpec{Setting: features.EventSetting, HorizonDays: days, Event: &features.EventSpec{Source: "touchpoints", Match: map[string]string{"kind": "cancelled"},
			Start: &features.EventMatch{Source: "touchpoints", Match: map[string]string{"kind": "subscribed"}}}}}
	told, err := EvaluatePolicyDecisions(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if told.Rows != known.log.Rows() || len(told.Runs) != 2 || math.Abs(float64(told.Logged.Value)-known.stayed) > 1e-9 {
		t.Fatalf("%d rows of %+v, %.6f of whom stay; want %d and %.6f", told.Rows, told.Runs, float64(told.Logged.Value), known.log.Rows(), known.stayed)
	}
	t.Logf("the truth: a gain of %.4f", truth)
	for _, e := range told.Estimates[:2] {
		t.Logf("%s: %.4f ± %.4f, mean weight %.4f", e.Name, float64(e.Gain.Value), float64(e.Gain.SE), float64(told.Diagnostics.MeanWeight))
		if math.Abs(float64(e.Gain.Value)-truth) > 2.5*float64(e.Gain.SE) {
			t.Errorf("%s gains %.4f ± %.4f, the truth is %.4f", e.Name, float64(e.Gain.Value), float64(e.Gain.SE), truth)
		}
	}
	for k, name := range []string{"the share as logged", "given what was decided before"} {
		if k == 1 {
			known.log.Propensity, known.chosen = known.given[0], known.given[1]
		}
		e, err := offpolicy.Evaluate(t.Context(), known.log, offpolicy.Policy{Chosen: known.chosen}, o.Options)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.4f ± %.4f, mean weight %.4f", name, e.SNIPS.Gain.Value, e.SNIPS.Gain.SE, e.MeanWeight)
		if truth-e.SNIPS.Gain.Value < 3*e.SNIPS.Gain.SE {
			t.Errorf("%s: a gain of %.4f ± %.4f, the truth %.4f: the world does not tell the difference", name, e.SNIPS.Gain.Value, e.SNIPS.Gain.SE, truth)
		}
	}

	// The log tells nothing of what calls would do to the control group: a policy without one is judged with it.
	o.Holdout = new(0.)
	none, err := EvaluatePolicyDecisions(t.Context(), o)
	if err != nil || none.Estimates[0] != told.Estimates[0] || !strings.Contains(strings.Join(none.Notes, "\n"), "2 runs held out more") {
		t.Errorf("without a control group: %+v, %v", none, err)
	}
	// Twice as large, it takes the others' calls away.
	o.Holdout = new(2 * quarterShare)
	larger, err := EvaluatePolicyDecisions(t.Context(), o)
	if err != nil || !(larger.Cost.New < .8*told.Cost.New) || math.Abs(float64(larger.Diagnostics.MeanWeight)-1) > float64(larger.Diagnostics.MeanAllowed) {
		t.Errorf("with a larger control group: %+v, %v", larger, err)
	}
}

func TestProbabilitiesGivenTheControlGroup(t *testing.T) {
	for _, c := range []struct {
		name    string
		p       []float64 // of nothing first
		nothing int
		share   float64
		held    bool
		want    []float64
	}{
		{"held out", []float64{.6, .4}, 0, .2, true, []float64{1, 0}},
		{"not held out", []float64{.6, .4}, 0, .2, false, []float64{.5, .5}},
		{"not held out, and never left alone", []float64{.2, .8}, 0, .2, false, []float64{0, 1}},
		{"a duty for who is held out", []float64{0, 1}, 0, .2, true, []float64{0, 1}},
		{"a duty for another", []float64{0, 1}, 0, .2, false, []float64{0, 1}},
		{"no control group", []float64{.6, .4}, 0, 0, false, []float64{.6, .4}},
		{"doing nothing was no choice", []float64{.6, .4}, -1, .2, true, []float64{.6, .4}},
	} {
		givenGroup(c.p, c.nothing, c.share, c.held)
		for k, p := range c.p {
			if math.Abs(p-c.want[k]) > 1e-12 {
				t.Errorf("%s: %v, want %v", c.name, c.p, c.want)
			}
		}
	}
}
