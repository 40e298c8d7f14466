package training

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"retain/features"
	"retain/internal/warehouse"
)

func TestSpared(t *testing.T) {
	share := func(h ...float64) (groups []guardGroup) {
		for _, v := range h {
			groups = append(groups, guardGroup{warehouse.TreatmentGroup{Holdout: v}, time.Time{}})
		}
		return groups
	}
	for _, c := range []struct {
		name    string
		groups  []guardGroup
		product []float64
		want    float64
	}{
		{"one decision", share(.2), []float64{.5}, .2 + .8*.5},
		{"ninety of them: the control group is drawn once a quarter", share(.05), []float64{math.Pow(.5, 90)}, .05},
		{"no control group", share(0), []float64{.5}, .5},
		{"nested shares: who lies between them is held out of the larger only", share(.05, .2), []float64{.5, .4}, .05 + .15*.5 + .8*.5*.4},
		{"two catalogues of one share", share(.1, .1), []float64{.5, .4}, .1 + .9*.2},
		{"certain treatment", share(.1), []float64{0}, .1},
	} {
		if got := spared(c.groups, c.product); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// What most get anyway is no treatment; what some get is, and no decision explains it.
func TestMarketingOfNobodysDeciding(t *testing.T) {
	of := func(contacts map[string]contacted) *Untreated {
		u := &Untreated{treated: map[string]bool{"d": true}, nothing: map[string]float64{"a": .5, "b": .5, "c": .5, "d": .5}}
		u.mark(contacts)
		return u
	}
	for _, c := range []struct {
		name        string
		contacts    map[string]contacted
		treated     []string
		unexplained []string
	}{
		{"one of four", map[string]contacted{"a": {}}, []string{"a", "d"}, []string{"a"}},
		{"two of four", map[string]contacted{"a": {}, "b": {}}, []string{"d"}, nil},
		{"two of four, and an action of decisions", map[string]contacted{"a": {}, "b": {}, "c": {ofDecision: true}}, []string{"c", "d"}, []string{"c"}},
		{"of a decision", map[string]contacted{"d": {ofDecision: true}}, []string{"d"}, nil},
	} {
		u := of(c.contacts)
		for _, id := range []string{"a", "b", "c", "d"} {
			if _, kept := u.Weight(id); kept == slices.Contains(c.treated, id) || u.Unexplained(id) != slices.Contains(c.unexplained, id) {
				t.Errorf("%s: %s kept %v, unexplained %v", c.name, id, kept, u.Unexplained(id))
			}
		}
	}
}

func TestUntreatedWeights(t *testing.T) {
	u := &Untreated{treated: map[string]bool{"t": true}, nothing: map[string]float64{"t": .5, "half": .5, "rare": .01}}
	for id, want := range map[string]float64{"half": 2, "rare": maxGuardWeight, "stranger": 1} {
		if w, ok := u.Weight(id); w != want || !ok {
			t.Errorf("%s: %v, %v, want %v", id, w, ok, want)
		}
	}
	if _, ok := u.Weight("t"); ok {
		t.Error("a treated customer is kept")
	}
	if w, ok := (*Untreated)(nil).Weight("t"); w != 1 || !ok {
		t.Errorf("without decisions: %v, %v, want 1", w, ok)
	}
}

// Only decisions that were carried out change what is learned: until then the rows are the same, bit for bit.
func TestGuardOnStore(t *testing.T) {
	w := shop(t, 60)
	ctx := t.Context()
	churn := features.DefaultChurn()
	churn.HorizonDays, churn.ActiveDays = 60, 180
	o := Options{Store: &features.Store{DB: w}, Churn: churn, Catalogue: features.DefaultCatalogue().Only([]string{"purchase_recency_days", "purchase_count_90d"})}.filled()
	cutoffs := []time.Time{month(2024, 5), month(2024, 8)}
	rows := func() (*features.Dataset, *Guarded) {
		t.Helper()
		p := newStorePanel(o)
		defer func() {
			if err := p.Close(ctx); err != nil {
				t.Error(err)
			}
		}()
		if err := p.Resolve(ctx, cutoffs); err != nil {
			t.Fatal(err)
		}
		d, err := stack(ctx, p, cutoffs, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		g, err := guarded(ctx, p, cutoffs, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		return d, g
	}
	before, g := rows()
	if before.Weight != nil || g != nil {
		t.Fatalf("without decisions: weights %v, %v", before.Weight, g)
	}
	ids := slices.Compact(slices.Sorted(slices.Values(before.Customer)))

	// Two runs inside the window of the second cutoff, and one on its end, which is outside.
	document := `{"version":1,"policy":{},"actions":[{"id":"do_nothing","title":"n","channel":"none","class":"service","lever":1,"prior":{"mean":0,"sd":0}},` +
		`{"id":"call","title":"c","channel":"phone","class":"service","proactive":true,"lever":1,"prior":{"mean":0,"sd":0}},` +
		`{"id":"answer","title":"a","channel":"ticket","class":"service","lever":1,"prior":{"mean":0,"sd":0}}]}`
	for k, at := range []time.Time{cutoffs[1], cutoffs[1].AddDate(0, 0, 20), cutoffs[1].AddDate(0, 0, 60)} {
		run := warehouse.DecisionRun{RunID: "run" + string(rune('a'+k)), Cutoff: at, Document: document, Explore: true, Holdout: .1, DecidedAt: at}
		err := w.PutDecisions(ctx, run, len(ids), func(i int) warehouse.DecisionRow {
			r := warehouse.DecisionRow{CustomerID: ids[i], DecisionID: run.RunID + ids[i], Chosen: "do_nothing", Value: math.NaN(), Actions: []string{"do_nothing", "call"}, Propensities: []float64{.55, .45}}
			switch i % 6 {
			case 0: // called at the second run
				if k == 1 {
					r.Chosen = "call"
				}
			case 1: // held out
				r.Holdout, r.Actions, r.Propensities, r.Withheld, r.WithheldPropensities = true, r.Actions[:1], r.Propensities[:1], []string{"call"}, []float64{.45}
			case 2: // has a duty waiting: that is no treatment
				r.Chosen, r.Actions, r.Propensities = "answer", []string{"do_nothing", "answer"}, []float64{0, 1}
			}
			for range r.Actions {
				r.Channels, r.UpliftSources, r.Priorities, r.Uplifts = append(r.Channels, ""), append(r.UpliftSources, "prior"), append(r.Priorities, 0), append(r.Uplifts, 0)
				r.Levers, r.Fatigues, r.ContactCosts, r.PAccepts = append(r.Levers, 1), append(r.Fatigues, 0), append(r.ContactCosts, 0), append(r.PAccepts, 0)
				r.Incentives, r.Moments, r.Expiries = append(r.Incentives, 0), append(r.Moments, time.Time{}), append(r.Expiries, time.Time{})
			}
			return r
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	idle, g := rows()
	if !reflect.DeepEqual(idle, before) || g != nil {
		t.Error("decisions that nobody carried out change the training rows")
	}

	contact := func(id string, at time.Time, class, action string) {
		t.Helper()
		err := w.Conn().Exec(ctx, `INSERT INTO contacts (customer_id, at, contact_id, class, action, ingested_at, imported_at, event_hash, row_hash)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, id, at, id+action, class, action, at, at, uint64(len(id)+at.Day()), uint64(1))
		if err != nil {
			t.Fatal(err)
		}
	}
	at := func(days int) time.Time { return cutoffs[1].AddDate(0, 0, days) }
	contact(ids[3], at(0), "service", "call")        // the first instant of the window
	contact(ids[4], at(30), "Marketing", "campaign") // of nobody's deciding
	contact(ids[5], at(60), "service", "call")       // the end is outside
	contact(ids[9], at(-1), "marketing", "campaign") // before
	contact(ids[10], at(5), "service", "answer")     // a duty
	after, g := rows()
	if g == nil || g.Cutoffs != 1 || g.Treated+g.Untreated != count(before, cutoffs[1]) || g.Treated == 0 || g.Strangers < 2 {
		t.Fatalf("guarded %+v", g)
	}
	if !strings.Contains(g.String(), "1 cutoff") {
		t.Errorf("told as %q", g.String())
	}
	none := 1 - .45/.9 // of each of the two runs, not held out
	weight := map[string]float64{}
	for i, id := range after.Customer {
		if after.Cutoff[i].Equal(cutoffs[0]) {
			if after.Weight[i] != 1 {
				t.Errorf("%s weighs %v at a cutoff that no decision follows", id, after.Weight[i])
			}
			continue
		}
		weight[id] = after.Weight[i]
	}
	for i, id := range ids {
		labelled := has(before, id, cutoffs[1])
		got, kept := weight[id]
		want := 1 / (.1 + .9*none*none)
		switch {
		case !labelled:
			continue
		case i%6 == 0 || i == 3 || i == 4:
			if kept {
				t.Errorf("%s was treated and is kept", id)
			}
			continue
		case i%6 == 2:
			want = 1
		}
		if !kept || math.Abs(got-want) > 1e-9 {
			t.Errorf("%s weighs %v (kept %v), want %v", id, got, kept, want)
		}
	}
}

func has(d *features.Dataset, id string, cutoff time.Time) bool {
	for i, c := range d.Customer {
		if c == id && d.Cutoff[i].Equal(cutoff) {
			return true
		}
	}
	return false
}

func count(d *features.Dataset, cutoff time.Time) (n int) {
	for _, t := range d.Cutoff {
		if t.Equal(cutoff) {
			n++
		}
	}
	return n
}
