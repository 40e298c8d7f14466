package training

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"retain/features"
	"retain/internal/warehouse"
	"retain/models/actions"
	"retain/models/uplift"
	"retain/training/metrics"
)

func TestHeldOutGivenTheQuarter(t *testing.T) {
	for _, c := range []struct {
		name    string
		shares  []float64
		nothing []float64
		treated float64
		h, want float64
	}{
		{"the first day", nil, nil, 0, .2, .2},
		{"left alone with probability 1/2", []float64{.2}, []float64{.5}, 0, .2, .2 / .6},
		{"left alone for certain", []float64{.2}, []float64{1}, 0, .2, .2},
		{"left alone, and only the control group is", []float64{.2}, []float64{0}, 0, .2, 1},
		{"treated", []float64{.2}, nil, .2, .2, 0},
		{"treated, and another run left nobody else alone", []float64{.2}, []float64{0}, .2, .2, 0},
		// u in [0, .05) is held out of both, in [.05, .2) of the larger one.
		{"a smaller share than before", []float64{.2}, []float64{.5}, 0, .05, .05 / .6},
		{"a larger share than before", []float64{.05}, []float64{.5}, 0, .2, (.05 + .15*.5) / (.05 + .95*.5)},
		{"treated where fewer were held out", []float64{.05}, nil, .05, .2, .15 / .95},
		{"two shares", []float64{.05, .2}, []float64{.5, .25}, 0, .2, (.05 + .15*.5) / (.05 + .15*.5 + .8*.125)},
		{"treated at the smaller, left alone at the larger", []float64{.05, .2}, []float64{1, .25}, .05, .2, .15 / (.15 + .8*.25)},
	} {
		g := controlGroup{shares: c.shares, nothing: map[string][]float64{}, treated: map[string]float64{}}
		if c.nothing != nil {
			g.nothing["c"] = c.nothing
		}
		if c.treated > 0 {
			g.treated["c"] = c.treated
		}
		if got := g.held("c", c.h); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// nights is a programme that decides every night: a call keeps nobody, is drawn for every second customer, who leaves in half of all cases, with probability
// .3 a night, for the others, one in ten of whom leaves, with .03, and comes once in a quarter. A fifth is held out.
type nights struct {
	*world
	runs     []warehouse.DecisionRun
	rows     map[string][]warehouse.DecisionRow // by run
	stranger map[string]bool                    // gets a letter instead of the call, who was to leave
}

const nightsCatalogue = `version: 1
actions:
  - {id: do_nothing, title: None, channel: none, class: service}
  - {id: call, title: Call, channel: phone, class: service, proactive: true, message: Hi, prior: {mean: 0.02, sd: 0.02}}
`

const nightsShare = .2

func openNights(t *testing.T, customers, count int) *nights {
	t.Helper()
	engine, err := actions.Parse([]byte(nightsCatalogue), nil)
	if err != nil {
		t.Fatal(err)
	}
	n := &nights{world: newWorld(customers, 1), rows: map[string][]warehouse.DecisionRow{}, stranger: map[string]bool{}}
	first := month(2025, 1)
	n.watermark = first.AddDate(1, 0, 0)
	called := make([]bool, customers)
	for k := range count {
		run := warehouse.DecisionRun{RunID: fmt.Sprint("night ", k), Cutoff: first.AddDate(0, 0, k), Document: string(engine.Catalogue.Document()), Explore: true, Holdout: nightsShare}
		n.runs = append(n.runs, run)
		for i := range customers {
			r := warehouse.DecisionRow{CustomerID: fmt.Sprintf("c%05d", i), Chosen: actions.DoNothing, Actions: []string{actions.DoNothing}}
			r.Holdout = actions.HeldOut(r.CustomerID, run.Cutoff, nightsShare)
			p := .03
			if r.Risk = .1; i%2 == 0 {
				p, r.Risk = .3, .5
			}
			if called[i] {
				r.Propensities = []float64{1}
				n.rows[run.RunID] = append(n.rows[run.RunID], r)
				continue
			}
			r.Propensities = []float64{nightsShare + (1-nightsShare)*(1-p)}
			if logged := (1 - nightsShare) * p; r.Holdout {
				r.Withheld, r.WithheldPropensities = []string{"call"}, []float64{logged}
			} else {
				r.Actions, r.Propensities = append(r.Actions, "call"), append(r.Propensities, logged)
				if actions.Draw(run.RunID, r.CustomerID) < p {
					r.Chosen, called[i] = "call", true
				}
			}
			n.rows[run.RunID] = append(n.rows[run.RunID], r)
		}
	}
	return n
}

// leaves tells who leaves, whatever is done.
func (n *nights) leaves(i int) bool {
	if i%2 == 0 {
		return i%4 == 0
	}
	return i%20 == 1
}

func (n *nights) DecisionRuns(context.Context) ([]warehouse.DecisionRun, error) { return n.runs, nil }
func (n *nights) RunsTold(context.Context) ([]string, error)                    { return nil, nil }

func (n *nights) TakenOtherwise(_ context.Context, run warehouse.DecisionRun, _ time.Time) ([]string, error) {
	var out []string
	for _, r := range n.rows[run.RunID] {
		if n.stranger[r.CustomerID] && r.Chosen == "call" {
			out = append(out, r.CustomerID)
		}
	}
	return out, nil
}

func (n *nights) Treatments(_ context.Context, g warehouse.TreatmentGroup) ([]warehouse.Treatment, error) {
	product, chosen := map[string]float64{}, map[string]bool{}
	for _, run := range g.Runs {
		for _, r := range n.rows[run] {
			if product[r.CustomerID] == 0 {
				product[r.CustomerID] = 1
			}
			product[r.CustomerID] *= (r.Propensities[0] - g.Holdout) / (1 - g.Holdout)
			chosen[r.CustomerID] = chosen[r.CustomerID] || r.Chosen == "call"
		}
	}
	var out []warehouse.Treatment
	for id, p := range product {
		out = append(out, warehouse.Treatment{CustomerID: id, Nothing: p, Chosen: chosen[id]})
	}
	return out, nil
}

func (n *nights) Decisions(_ context.Context, run warehouse.DecisionRun) iter.Seq2[warehouse.DecisionRow, error] {
	return func(yield func(warehouse.DecisionRow, error) bool) {
		for _, r := range n.rows[run.RunID] {
			r.Propensities, r.WithheldPropensities = slices.Clone(r.Propensities), slices.Clone(r.WithheldPropensities)
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (n *nights) Labels(context.Context, time.Time, time.Time) ([]float64, error) {
	y := make([]float64, n.customers)
	for i := range y {
		if n.leaves(i) {
			y[i] = 1
		}
	}
	return y, nil
}

// A run in the midst of a quarter is judged by what the nights before it tell of who is held out. Logged propensities alone tell of an effect that there is
// not: whoever is at risk and was not called yet is held out, mostly.
func TestNightlyDecisionsTeach(t *testing.T) {
	n := openNights(t, 20_000, 28)
	o := Options{Churn: features.DefaultChurn(), Seed: 1, Registry: &memory{}}.filled()
	runs := loggedRuns{all: n.runs}
	for _, night := range []int{6, 13, 20, 27} {
		runs.looked = append(runs.looked, n.runs[night])
	}
	book, err := readLessons(t.Context(), o, UpliftTraining{Log: n}, runs)
	if err != nil {
		t.Fatal(err)
	}
	logged, given := &uplift.Rows{}, &uplift.Rows{}
	var all []int
	var drawn, expected, spread [2]float64 // of those at low and at high risk
	for _, l := range book.lessons["call"] {
		id := book.customer[l.row]
		var i int
		if _, err := fmt.Sscanf(id, "c%05d", &i); err != nil {
			t.Fatal(err)
		}
		high, p := 0, (1-nightsShare)*.03
		if i%2 == 0 {
			high, p = 1, (1-nightsShare)*.3
		}
		y := 1.
		if n.leaves(i) {
			y = 0
		}
		all = append(all, len(all))
		for _, r := range []*uplift.Rows{logged, given} {
			r.Y, r.Treated, r.Customer = append(r.Y, y), append(r.Treated, l.treated), append(r.Customer, id)
		}
		logged.Propensity, given.Propensity = append(logged.Propensity, p), append(given.Propensity, l.e)
		if l.treated {
			drawn[high]++
		}
		expected[high] += l.e
		spread[high] += l.e * (1 - l.e)
	}
	for k := range drawn {
		if z := (drawn[k] - expected[k]) / math.Sqrt(spread[k]); math.Abs(z) > 3.5 {
			t.Errorf("%.0f of group %d were called and %.1f expected", drawn[k], k, expected[k])
		}
	}
	effect := func(r *uplift.Rows) UpliftEffect {
		return effectOf(metrics.Trial{Y: r.Y, Treated: r.Treated, Propensity: r.Propensity, Customer: r.Customer}, all)
	}
	if e := effect(given); !(e.Interval[0] <= 0 && e.Interval[1] >= 0) || propensityFault(given) != "" {
		t.Errorf("an effect of %.4f (%.4f to %.4f) where there is none; %s", float64(e.Uplift), float64(e.Interval[0]), float64(e.Interval[1]), propensityFault(given))
	}
	if e := effect(logged); e.Interval[0] <= 0 && e.Interval[1] >= 0 {
		t.Errorf("with logged propensities %.4f (%.4f to %.4f): the world does not tell the difference", float64(e.Uplift), float64(e.Interval[0]), float64(e.Interval[1]))
	}
}

// Of the nights of a quarter the first one is looked at, and then those of a week each, counted back from the newest.
func TestRunsThatAreLookedAt(t *testing.T) {
	n := openNights(t, 1, 120) // from 1 January: 31 + 28 + 31 nights, and 30 of April
	runs, err := readRuns(t.Context(), n, features.DefaultChurn(), n.watermark, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	var days []string
	for _, r := range runs.looked {
		days = append(days, r.Cutoff.Format("0102"))
	}
	const want = "0101 0114 0121 0128 0204 0211 0218 0225 0304 0311 0318 0325 0401 0409 0416 0423 0430"
	if got := strings.Join(days, " "); got != want || runs.skipped != 120-17 {
		t.Errorf("%s and %d not, want %s", got, runs.skipped, want)
	}
}

// Whoever was to be called and was at risk got something else: the effect is that of the draw, none. Without them, it would look as if calls kept customers.
func TestUpliftIsByIntention(t *testing.T) {
	n := openNights(t, 20_000, 1)
	perProtocol := map[bool]float64{}
	count := map[bool]float64{}
	for _, r := range n.rows["night 0"] {
		var i int
		if _, err := fmt.Sscanf(r.CustomerID, "c%05d", &i); err != nil {
			t.Fatal(err)
		}
		n.stranger[r.CustomerID] = n.leaves(i) && i%6 < 3
		if called := r.Chosen == "call"; i%2 == 0 && (!called || !n.stranger[r.CustomerID]) {
			count[called]++
			if !n.leaves(i) {
				perProtocol[called]++
			}
		}
	}
	if d := perProtocol[true]/count[true] - perProtocol[false]/count[false]; d < .08 {
		t.Fatalf("leaving them out makes a difference of %.3f only", d)
	}
	o := Options{Churn: features.DefaultChurn(), Seed: 1, Registry: &memory{}}.filled()
	report, err := trainUplift(t.Context(), n, o, UpliftTraining{Log: n}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	call := report.Actions[0]
	if call.Rows != 20_000 || call.HeldOut < 3700 || call.HeldOut > 4300 || call.OtherwiseTreated != report.Otherwise || report.Otherwise < 300 || call.OtherwiseControl != 0 {
		t.Errorf("%d rows, %d held out, %d of %d otherwise", call.Rows, call.HeldOut, call.OtherwiseTreated, report.Otherwise)
	}
	if e := call.Effect; !(e.Interval[0] <= 0 && e.Interval[1] >= 0) {
		t.Errorf("an effect of %.4f (%.4f to %.4f) where there is none", float64(e.Uplift), float64(e.Interval[0]), float64(e.Interval[1]))
	}
}

// Decisions of a cutoff long past were never carried out, unless an outcome says so.
func TestIdleRunsTeachNothing(t *testing.T) {
	late := &lateNights{nights: openNights(t, 50, 1)}
	late.runs[0].DecidedAt = late.runs[0].Cutoff.AddDate(0, 6, 0)
	read := func() (loggedRuns, error) {
		return readRuns(t.Context(), late, features.DefaultChurn(), late.watermark, time.Time{})
	}
	var data *DataError
	if r, err := read(); r.idle != 1 || !errors.As(err, &data) || !strings.Contains(err.Error(), "nobody can have acted") {
		t.Errorf("%d idle, %v", r.idle, err)
	}
	late.told = []string{"night 0"}
	if r, err := read(); r.idle != 0 || len(r.looked) != 1 || err != nil {
		t.Errorf("told: %d idle, %d looked at, %v", r.idle, len(r.looked), err)
	}
	late.told, late.runs[0].DecidedAt = nil, late.runs[0].Cutoff.AddDate(0, 0, 7)
	if r, err := read(); r.idle != 0 || len(r.looked) != 1 || err != nil {
		t.Errorf("in time: %d idle, %d looked at, %v", r.idle, len(r.looked), err)
	}
}

type lateNights struct {
	*nights
	told []string
}

func (l *lateNights) RunsTold(context.Context) ([]string, error) { return l.told, nil }

// Weights of rare actions are clipped, and their mean is then not 1: that is no fault of the log.
func TestRarePropensitiesAreNoFault(t *testing.T) {
	r := &uplift.Rows{}
	for i := range 20_000 {
		r.Propensity = append(r.Propensity, .005)
		r.Treated = append(r.Treated, actions.Draw("rare", fmt.Sprint(i)) < .005)
		r.Y = append(r.Y, 1)
	}
	if fault := propensityFault(r); fault != "" {
		t.Error(fault)
	}
	for i := range r.Propensity {
		r.Propensity[i] = .05
	}
	if propensityFault(r) == "" {
		t.Error("a tenth of what was logged was treated, and nothing is said")
	}
}
