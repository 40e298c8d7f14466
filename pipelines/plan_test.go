package pipelines

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"testing"

	"retain/features"
	"retain/internal/interval"
	"retain/internal/warehouse/warehousetest"
	"retain/models/actions"
)

// TestPlanAndExperiment plans over a scored shop and compares with its decisions.
func TestPlanAndExperiment(t *testing.T) {
	w := warehousetest.Open(t)
	m := openShop(t, w, 200)
	cutoff := worldStart.AddDate(0, 0, 199)
	if _, err := Import(t.Context(), ImportOptions{Warehouse: w, Source: "customers", Path: "-", Stdin: bytes.NewReader([]byte(
		"customer_id,segment,ingested_at\nc001,small,2024-01-05\nc002,small,2024-01-05\nc003,large,2024-01-05\n"))}); err != nil {
		t.Fatal(err)
	}
	engine, err := actions.Parse([]byte(shopActions), nil)
	if err != nil {
		t.Fatal(err)
	}
	third := .3
	o := scoreShop(w, m, cutoff, cutoff)
	o.Decide = DecideOptions{Engine: engine, Holdout: &third}
	runID, made := decidedShop(t, w, o)
	scores, store := Scores{DB: w}, &features.Store{DB: w}

	run, plan, err := scores.Plan(t.Context(), store, PlanFilter{}, 3, map[string]int{"call": 1})
	if err != nil {
		t.Fatal(err)
	}
	if run.ID != runID || plan.Customers != len(made) || plan.Cost > 3+1e-9 || plan.Expected > plan.Bound+1e-6 || plan.Assigned == 0 || len(plan.Items) != plan.Assigned+plan.Duties {
		t.Errorf("%+v", plan)
	}
	calls, held := 0, 0
	for _, d := range made {
		if d.Holdout {
			held++
		}
	}
	for _, x := range plan.Items {
		d := made[x.CustomerID]
		k := slices.IndexFunc(d.Options, func(o actions.Option) bool { return o.Action == x.Action })
		lacked := slices.ContainsFunc(d.Suppressed, func(s actions.Suppressed) bool { return s.Action == x.Action && s.Reason != holdoutReason })
		if d.Holdout || k < 0 && !lacked {
			t.Errorf("%s gets %s: %+v", x.CustomerID, x.Action, d)
		}
		if k >= 0 && d.Options[k].Terms.Priority != x.Expected {
			t.Errorf("%s: %v, the decision says %v", x.CustomerID, x.Expected, d.Options[k].Terms.Priority)
		}
		if x.Action == "call" {
			calls++
		}
	}
	if calls > 1 || plan.HeldOut != held {
		t.Errorf("%d calls where one is possible, %d held out of %d", calls, plan.HeldOut, held)
	}
	if _, small, err := scores.Plan(t.Context(), store, PlanFilter{Segment: "small"}, math.Inf(1), nil); err != nil || small.Customers != 2 || small.Budget != nil {
		t.Errorf("a segment of two: %+v, %v", small, err)
	}
	if _, _, err := scores.Plan(t.Context(), store, PlanFilter{}, 1, map[string]int{"nix": 1}); !errors.Is(err, actions.ErrPlan) {
		t.Errorf("an unknown action: %v", err)
	}

	e, err := scores.PlanExperiment(t.Context(), ExperimentOptions{Store: store, Spec: m.Artifact.Churn, Action: "call", Share: .5})
	if err != nil {
		t.Fatal(err)
	}
	could := 0 // held out or not, and whether or not there was capacity left
	for _, d := range made {
		if possible(&d, "call") {
			could++
		}
	}
	p := float64(e.BaseRate)
	if e.Customers != could || could == 0 || e.Treated != min(5, int(math.Round(.5*float64(could)))) || e.Effect != .05 || e.EffectSource != "prior" || e.NewPerDay.Defined() || e.Days.Defined() ||
		float64(e.Detectable) != interval.Detectable(p, float64(e.Treated), float64(e.Control)) || float64(e.Needed) != interval.Needed(p, .05, .5) {
		t.Errorf("%d could get a call: %+v", could, e)
	}
	// After a second run it is known how many become eligible a day.
	o = scoreShop(w, m, cutoff.AddDate(0, 0, -10), cutoff)
	o.Decide = DecideOptions{Engine: engine, Holdout: &third}
	_, before := decidedShop(t, w, o)
	fresh := 0
	for id, d := range made {
		b := before[id]
		chance := func(d actions.Decision) bool { d.Suppressed = nil; return possible(&d, "call") }
		if chance(d) && !chance(b) {
			fresh++
		}
	}
	if e, err = scores.PlanExperiment(t.Context(), ExperimentOptions{Store: store, Spec: m.Artifact.Churn, Action: "call", Share: .5, Effect: .3}); err != nil || float64(e.NewPerDay) != float64(fresh)/10 || e.EffectSource != "asked" {
		t.Errorf("%d became eligible in 10 days: %+v, %v", fresh, e, err)
	}
	for _, action := range []string{"nix", "answer", "do_nothing"} {
		if _, err := scores.PlanExperiment(t.Context(), ExperimentOptions{Store: store, Spec: m.Artifact.Churn, Action: action, Share: .5}); !errors.Is(err, ErrExperiment) {
			t.Errorf("%s: %v", action, err)
		}
	}
}
