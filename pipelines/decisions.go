package pipelines

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"retain/internal/warehouse"
	"retain/models"
	"retain/models/actions"
)

// ErrNoDecisions says that a run has no next best actions, because an older program made it.
var ErrNoDecisions = warehouse.ErrNoDecisions

// Decisions reads the logged decisions of runs.
type Decisions struct{ DB *warehouse.Warehouse }

// Shared is what all decisions of a run share; ErrNoDecisions if it has none.
func (d Decisions) Shared(ctx context.Context, runID string) (*actions.Deciding, error) {
	row, err := d.DB.DecisionRun(ctx, runID)
	if err != nil {
		return nil, err
	}
	return decidingOf(row)
}

func decidingOf(row warehouse.DecisionRun) (*actions.Deciding, error) {
	catalogue, err := actions.Decode([]byte(row.Document))
	if err != nil {
		return nil, fmt.Errorf("decisions of run %s: %w", row.RunID, err)
	}
	d := &actions.Deciding{RunID: row.RunID, Cutoff: row.Cutoff, Policy: row.Policy, Explore: row.Explore, Share: row.Holdout, Catalogue: catalogue}
	if row.Account == "" {
		return d, nil
	}
	if err := json.Unmarshal([]byte(row.Account), &d.Account); err != nil {
		return nil, fmt.Errorf("decisions of run %s: what they come to: %w", row.RunID, err)
	}
	d.Budget, d.Effects = d.Account.Budget, d.Account.Effects
	return d, nil
}

// Of streams the decisions of a run in the order of customer_id.
func (d Decisions) Of(ctx context.Context, runID string) iter.Seq2[actions.Decision, error] {
	return func(yield func(actions.Decision, error) bool) {
		run, err := d.DB.DecisionRun(ctx, runID)
		if err != nil {
			yield(actions.Decision{}, err)
			return
		}
		for row, err := range d.DB.Decisions(ctx, run) {
			if !yield(decisionOf(row), err) {
				return
			}
		}
	}
}

// Answer is the next best action of a customer in the run in force; ok is false if the run does not know the customer.
func (s Scores) Answer(ctx context.Context, customer string) (answer actions.Answer, shared *actions.Deciding, score models.Score, ok bool, err error) {
	run, err := s.InForce(ctx)
	if err != nil {
		return answer, nil, score, false, err
	}
	stored, ok, err := s.DB.Score(ctx, run.ID, customer)
	if err != nil || !ok {
		return answer, nil, score, false, err
	}
	row, err := s.DB.DecisionRun(ctx, run.ID)
	if err != nil {
		return answer, nil, score, false, err
	}
	if shared, err = decidingOf(row); err != nil {
		return answer, nil, score, false, err
	}
	made, ok, err := s.DB.Decision(ctx, row, customer)
	if err != nil {
		return answer, nil, score, false, err
	}
	if !ok {
		return answer, nil, score, false, errors.New("the run scored the customer and made no decision: `retain score` again")
	}
	score = s.score(run, stored)
	decision := decisionOf(made)
	answer = shared.Answer(&decision, &score)
	answer.Outcomes, err = Outcomes{DB: s.DB}.Of(ctx, answer.DecisionID)
	return answer, shared, score, err == nil, err
}

// decisionRow is a decision as it is stored.
func decisionRow(runID string, d *actions.Decision) warehouse.DecisionRow {
	r := warehouse.DecisionRow{CustomerID: d.CustomerID, DecisionID: actions.DecisionID(runID, d.CustomerID), Holdout: d.Holdout, Chosen: d.Chosen, Value: d.Value, Pressure: d.Pressure}
	for _, o := range d.Options {
		r.Actions, r.Channels, r.UpliftSources = append(r.Actions, o.Action), append(r.Channels, o.Channel), append(r.UpliftSources, o.Source)
		r.Priorities, r.Uplifts, r.Levers = append(r.Priorities, o.Terms.Priority), append(r.Uplifts, o.Terms.Uplift), append(r.Levers, o.Terms.Lever)
		r.Fatigues, r.ContactCosts = append(r.Fatigues, o.Terms.Fatigue), append(r.ContactCosts, o.Terms.ContactCost)
		r.PAccepts, r.Incentives = append(r.PAccepts, o.Terms.PAccept), append(r.Incentives, o.Terms.Incentive)
		r.Propensities = append(r.Propensities, o.Propensity)
		r.Moments, r.Expiries = append(r.Moments, o.Moment), append(r.Expiries, o.Expires)
	}
	for _, w := range d.Withheld {
		r.Withheld, r.WithheldPropensities = append(r.Withheld, w.Action), append(r.WithheldPropensities, w.Propensity)
	}
	for _, s := range d.Suppressed {
		r.Suppressed, r.Reasons = append(r.Suppressed, s.Action), append(r.Reasons, s.Reason)
	}
	return r
}

// decisionOf is a stored decision.
func decisionOf(r warehouse.DecisionRow) actions.Decision {
	d := actions.Decision{CustomerID: r.CustomerID, Holdout: r.Holdout, Chosen: r.Chosen, Value: r.Value, Pressure: r.Pressure}
	for k, id := range r.Actions {
		d.Options = append(d.Options, actions.Option{Action: id, Channel: r.Channels[k], Source: r.UpliftSources[k], Propensity: r.Propensities[k],
			Moment: r.Moments[k], Expires: r.Expiries[k], Terms: actions.Terms{Uplift: r.Uplifts[k], Value: r.Value, Lever: r.Levers[k], Fatigue: r.Fatigues[k],
				ContactCost: r.ContactCosts[k], PAccept: r.PAccepts[k], Incentive: r.Incentives[k], Priority: r.Priorities[k]}})
	}
	for k, id := range r.Withheld {
		d.Withheld = append(d.Withheld, actions.Withheld{Action: id, Propensity: r.WithheldPropensities[k]})
	}
	for k, id := range r.Suppressed {
		d.Suppressed = append(d.Suppressed, actions.Suppressed{Action: id, Reason: r.Reasons[k]})
	}
	return d
}
