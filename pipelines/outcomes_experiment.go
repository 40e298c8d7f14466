package pipelines

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"retain/features"
	"retain/internal/interval"
	"retain/models"
	"retain/models/actions"
	"retain/training/metrics"
)

// ExperimentOptions says what is to be tried, on whom.
type ExperimentOptions struct {
	Store  *features.Store
	Spec   features.ChurnSpec // of the label
	Action string
	Filter PlanFilter
	Share  float64 // that gets the action, in (0, 1)
	Effect float64 // that is to be found; 0 means the prior of the catalogue
}

// Experiment is the JSON of `retain experiment plan`.
type Experiment struct {
	Action         string         `json:"action"`
	RunID          string         `json:"run_id"`
	Cutoff         time.Time      `json:"cutoff"`
	Customers      int            `json:"customers"`           // for whom the action is possible today, held out or not
	Treated        int            `json:"treated"`             // of them, by the share and, where it is less, the capacity of a day
	Control        int            `json:"control"`             // the rest of those by the share
	Share          float64        `json:"share"`               // that gets the action
	BaseRate       metrics.Figure `json:"base_rate"`           // mean churn probability of these customers
	Detectable     metrics.Figure `json:"detectable_effect"`   // with those of today: 2.8 √(p(1-p)(1/n₀+1/n₁)), 80 % power at two-sided 5 %
	Effect         float64        `json:"effect"`              // that is to be found
	EffectSource   string         `json:"effect_source"`       // asked, or prior
	Needed         metrics.Figure `json:"customers_needed"`    // to find it
	NewPerDay      metrics.Figure `json:"new_per_day"`         // customers for whom the action becomes possible; null with fewer than two runs
	CapacityPerDay *int           `json:"capacity_per_day"`    // null = no limit
	EnrolDays      metrics.Figure `json:"enrol_days"`          // until so many are in the experiment; null when they never are
	MatureDays     int            `json:"mature_days"`         // from the last of them until his label is known
	Days           metrics.Figure `json:"days"`                // both
	Formula        string         `json:"formula"`             // in words
	Unscored       int            `json:"without_probability"` // possible, but without a churn probability: left out
}

// ErrExperiment marks a wrong request for an experiment.
var ErrExperiment = errors.New("experiment")

// experimentFormula is what the figures come from.
const experimentFormula = "detectable = 2.8 √(p(1-p)(1/n₀+1/n₁)): found four times in five, at two-sided 5 %"

// PlanExperiment tells how small an effect of an action the customers of today would show, and how long it takes to find the effect that is
// believed or asked for: until enough are enrolled, by those for whom the action newly becomes possible and its capacity, and until their
// labels are known. Errors: what InForce says, ErrNoDecisions, ErrExperiment.
func (s Scores) PlanExperiment(ctx context.Context, o ExperimentOptions) (*Experiment, error) {
	run, err := s.InForce(ctx)
	if err != nil {
		return nil, err
	}
	shared, err := Decisions{DB: s.DB}.Shared(ctx, run.ID)
	if err != nil {
		return nil, err
	}
	at := shared.Catalogue.Index(o.Action)
	switch {
	case at < 0:
		return nil, fmt.Errorf("%w: the catalogue has no action %q", ErrExperiment, o.Action)
	case !shared.Catalogue.Withheld(at):
		return nil, fmt.Errorf("%w: %s answers the customer or is nothing at all; it is never withheld, so there is no one to compare with", ErrExperiment, o.Action)
	}
	action := &shared.Catalogue.Actions[at]
	e := &Experiment{Action: o.Action, Share: o.Share, Effect: o.Effect, EffectSource: "asked", MatureDays: o.Spec.MaturityDays(), CapacityPerDay: action.Capacity, Formula: experimentFormula}
	if e.Effect == 0 {
		e.Effect, e.EffectSource = action.Prior.Mean, "prior"
	}
	var sum float64
	run, err = s.filtered(ctx, o.Store, o.Filter, func(score *models.Score, made *actions.Decision) error {
		if !possible(made, o.Action) {
			return nil
		}
		if score.ChurnProbability == nil {
			e.Unscored++
			return nil
		}
		e.Customers++
		sum += *score.ChurnProbability
		return nil
	})
	if err != nil {
		return nil, err
	}
	e.RunID, e.Cutoff = run.ID, run.Cutoff
	nan := metrics.Figure(math.NaN())
	e.BaseRate, e.Detectable, e.Needed, e.NewPerDay, e.EnrolDays, e.Days = nan, nan, nan, nan, nan, nan
	if e.Customers == 0 {
		return e, nil
	}
	p := sum / float64(e.Customers)
	e.BaseRate = metrics.Figure(p)
	e.Treated = int(math.Round(o.Share * float64(e.Customers)))
	e.Control = e.Customers - e.Treated
	if action.Capacity != nil {
		e.Treated = min(e.Treated, *action.Capacity)
	}
	e.Detectable = metrics.Figure(interval.Detectable(p, float64(e.Treated), float64(e.Control)))
	needed := interval.Needed(p, e.Effect, o.Share)
	e.Needed = metrics.Figure(needed)
	fresh, known, err := s.newPerDay(ctx, o, run.Cutoff)
	if err != nil {
		return nil, err
	}
	if known {
		e.NewPerDay = metrics.Figure(fresh)
	}
	e.EnrolDays = metrics.Figure(enrolDays(enrolment{needed: needed, now: float64(e.Customers), fresh: fresh, known: known, share: o.Share, capacity: action.Capacity}))
	e.Days = e.EnrolDays + metrics.Figure(e.MatureDays)
	return e, nil
}

// possible tells whether an action could be given but for chance and capacity.
func possible(made *actions.Decision, action string) bool {
	return slices.ContainsFunc(made.Options, func(x actions.Option) bool { return x.Action == action }) ||
		slices.ContainsFunc(made.Withheld, func(x actions.Withheld) bool { return x.Action == action }) ||
		slices.ContainsFunc(made.Suppressed, func(x actions.Suppressed) bool {
			return x.Action == action && (strings.HasPrefix(x.Reason, "capacity:") || strings.HasPrefix(x.Reason, "budget:"))
		})
}

// enrolment is what the length of an experiment depends on.
type enrolment struct {
	needed, now, fresh, share float64
	known                     bool // fresh is
	capacity                  *int // a day
}

// enrolDays is how many days it takes until enough customers are in and the treated among them had their turn; 0 when one day's customers are
// enough, NaN when they never are.
func enrolDays(x enrolment) float64 {
	if math.IsNaN(x.needed) {
		return math.NaN()
	}
	days := 0.0
	if x.needed > x.now {
		if !x.known || x.fresh <= 0 {
			return math.NaN()
		}
		days = math.Ceil((x.needed - x.now) / x.fresh)
	}
	if x.capacity != nil {
		if *x.capacity == 0 {
			return math.NaN()
		}
		days = max(days, math.Ceil(x.share*x.needed/float64(*x.capacity))-1)
	}
	return days
}

// lookBackDays is how far back the number of newly eligible customers a day is taken from.
const lookBackDays = 28

// newPerDay is for how many customers a day the action became possible in the last weeks; known is false with fewer than two runs. The
// filter's stage and band are not looked at: the log of earlier runs has neither.
func (s Scores) newPerDay(ctx context.Context, o ExperimentOptions, cutoff time.Time) (perDay float64, known bool, err error) {
	runs, err := s.DB.DecisionRuns(ctx)
	if err != nil {
		return 0, false, err
	}
	var names []string
	first := cutoff
	for _, run := range runs {
		if !run.Cutoff.After(cutoff) && run.Cutoff.After(cutoff.AddDate(0, 0, -lookBackDays-1)) {
			names = append(names, run.RunID)
			if run.Cutoff.Before(first) {
				first = run.Cutoff
			}
		}
	}
	days := cutoff.Sub(first).Hours() / 24
	if len(names) < 2 || days < 1 {
		return 0, false, nil
	}
	n, err := s.DB.NewlyPossible(ctx, names, [2]time.Time{first, cutoff}, o.Action)
	if err != nil || o.Filter.Segment == "" {
		return float64(len(n)) / days, true, err
	}
	in, err := SegmentCustomers(ctx, o.Store, o.Filter.Segment, cutoff)
	if err != nil {
		return 0, false, err
	}
	count := 0
	for _, id := range n {
		if in[id] {
			count++
		}
	}
	return float64(count) / days, true, nil
}
