package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"retain/features"
	"retain/models/actions"
	"retain/models/uplift"
	"retain/simulation"
)

// decisionSchema is what an effect may depend on: what is seen of a customer, its risk and its contacts.
var decisionSchema = append(append(features.Schema{}, sightSchema...), features.Column{Name: "churn_margin"}, features.Column{Name: "contact_recency_days"})

// decisionMatrix is that for the scored customers of a run.
func (y *play) decisionMatrix(rows []int, at int, risk []float64, cutoff time.Time) *features.Matrix {
	m := y.b.matrix(rows, at)
	margin, recency := make([]float32, len(rows)), make([]float32, len(rows))
	for r, i := range rows {
		margin[r], recency[r] = float32(math.Log(risk[r]/(1-risk[r]))), float32(math.NaN())
		if h := y.history[i]; len(h) > 0 {
			recency[r] = float32(cutoff.Sub(h[len(h)-1].At).Hours() / 24)
		}
	}
	return &features.Matrix{Schema: decisionSchema, X: append(m.X, margin, recency)}
}

// rowOf is one row of a matrix.
func rowOf(m *features.Matrix, r int) []float32 {
	x := make([]float32, len(m.X))
	for j := range x {
		x[j] = m.X[j][r]
	}
	return x
}

// learner learns the effects of actions from a play's own log.
type learner struct {
	m         *menu
	subgroups []*actions.Subgroups // per action
	groups    [][]uplift.Group     // the same, as the learner wants them
}

func newLearner(m *menu) (*learner, error) {
	l := &learner{m: m}
	for _, a := range m.engine.Catalogue.Actions {
		s, err := actions.CompileSubgroups(a.Subgroups, m.engine.Features)
		if err != nil {
			return nil, fmt.Errorf("subgroups of %s: %w", a.ID, err)
		}
		var groups []uplift.Group
		for _, g := range a.Subgroups {
			groups = append(groups, uplift.Group(g))
		}
		l.subgroups, l.groups = append(l.subgroups, s), append(l.groups, groups)
	}
	return l, nil
}

// grouped is x with the columns of an action's subgroups.
func (l *learner) grouped(action int, x *features.Matrix, risk []float64) *features.Matrix {
	return uplift.WithGroups(x, l.groups[action], l.subgroups[action].Shares(x, risk))
}

// lesson is one decision that teaches the effect of an action.
type lesson struct {
	*logged
	treated bool
	e       float64 // P(action) / (P(action) + P(nothing))
	stayed  float64
}

// lessons are the decisions that teach the effect of an action at the k-th run: outcomes are known, one per customer and horizon, chosen without
// looking at what was drawn, and then those in which the action or nothing was drawn.
func (y *play) lessons(action, k int) []lesson {
	until := y.b.days[y.s.training+k] - label.HorizonDays
	free := map[int]int{} // customer → first day on which the next decision counts
	var out []lesson
	for l := range y.log {
		d := &y.log[l]
		day := y.b.days[y.s.training+d.k]
		if day > until || d.eligible&(1<<action) == 0 || day < free[d.i] {
			continue
		}
		free[d.i] = day + label.HorizonDays
		pa, p0 := d.propensity[action], d.propensity[y.m.nothing]
		if pa <= 0 || p0 <= 0 || d.chosen != action && d.chosen != y.m.nothing {
			continue
		}
		left, ok := y.fate[d.i].Left(day, label)
		if !ok {
			continue
		}
		t := lesson{logged: d, treated: d.chosen == action, e: pa / (pa + p0), stayed: 1}
		if left {
			t.stayed = 0
		}
		out = append(out, t)
	}
	return out
}

// stays are the probabilities of staying if nothing is done, from those of leaving, or the reverse.
func stays(risk []float64) []float64 {
	out := make([]float64, len(risk))
	for i, p := range risk {
		out[i] = 1 - p
	}
	return out
}

// estimates are the effects on the rows of x, whose churn probabilities are risk, each with its standard error: per action, beside the score of each decision.
func (l *learner) estimates(ctx context.Context, y *play, k int, x *features.Matrix, risk []float64, rng *rand.Rand) (*actions.Learned, error) {
	n := len(l.m.engine.Catalogue.Actions)
	out := &actions.Learned{Actions: make([][]actions.Estimate, n), Settled: make([]bool, n), Events: make([]int, n)}
	for a := range n {
		if a == l.m.nothing {
			continue
		}
		rows := rowsOf(y.lessons(a, k))
		rows.X, rows.Groups = l.grouped(a, rows.X, stays(rows.Baseline)), l.groups[a]
		model, err := uplift.Trainer{Method: uplift.Beside}.Fit(ctx, rows, rng)
		var few *uplift.TooFewError
		if errors.As(err, &few) || errors.Is(err, uplift.ErrNotRandomised) || errors.Is(err, uplift.ErrOneArm) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("learn the effect of %s: %w", l.m.engine.Catalogue.Actions[a].ID, err)
		}
		effects, err := model.Estimate(l.grouped(a, x, risk), stays(risk))
		if err != nil {
			return nil, err
		}
		prior := l.m.engine.Catalogue.Actions[a].Prior
		out.Settled[a] = effects.Settle(prior.Mean, prior.Spread())
		treated, control := rows.Events()
		out.Events[a] = min(treated, control)
		out.Actions[a] = make([]actions.Estimate, x.Rows())
		for r := range out.Actions[a] {
			out.Actions[a][r] = actions.Estimate{Mean: float32(effects.Effect[r]), SE: float32(effects.SE[r])}
		}
	}
	return out, nil
}

// rowsOf are lessons as the learners want them.
func rowsOf(lessons []lesson) *uplift.Rows {
	r := &uplift.Rows{X: &features.Matrix{Schema: decisionSchema, X: make([][]float32, len(decisionSchema))}}
	for _, t := range lessons {
		for j, v := range t.x {
			r.X.X[j] = append(r.X.X[j], v)
		}
		r.Y, r.Treated, r.Propensity = append(r.Y, t.stayed), append(r.Treated, t.treated), append(r.Propensity, t.e)
		r.Baseline, r.Customer = append(r.Baseline, 1-t.risk), append(r.Customer, simulation.ID(t.i))
	}
	return r
}
