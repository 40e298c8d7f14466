package main

import (
	"context"
	"math"
	"math/rand/v2"
	"time"

	"retain/features"
	"retain/models/actions"
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
type learner struct{ m *menu }

func newLearner(m *menu) *learner { return &learner{m} }

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
	until := y.b.days[y.s.training+k] - matureDays
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
		t := lesson{logged: d, treated: d.chosen == action, e: min(max(pa/(pa+p0), .02), .98), stayed: 1}
		if left {
			t.stayed = 0
		}
		out = append(out, t)
	}
	return out
}

// riskBins part the customers by what the score says.
var riskBins = []float64{.03, .08, .20}

func riskBin(p float64) int {
	b := 0
	for b < len(riskBins) && p >= riskBins[b] {
		b++
	}
	return b
}

// estimates are the effects on the rows of x, each with its standard error.
func (l *learner) estimates(_ context.Context, y *play, k int, x *features.Matrix, _ *rand.Rand) (*actions.Learned, error) {
	n := len(l.m.engine.Catalogue.Actions)
	out := &actions.Learned{Actions: make([][]actions.Estimate, n), Events: make([]int, n)}
	margins := x.X[len(x.X)-2]
	for a := range n {
		if a == l.m.nothing {
			continue
		}
		bins := len(riskBins) + 1
		count, sum, square := make([]float64, bins), make([]float64, bins), make([]float64, bins)
		var events [2]int
		for _, t := range y.lessons(a, k) {
			b := riskBin(t.risk)
			treat := 0.
			if t.treated {
				treat = 1
			}
			psi := (treat - t.e) * (t.stayed - (1 - t.risk)) / (t.e * (1 - t.e))
			count[b], sum[b], square[b] = count[b]+1, sum[b]+psi, square[b]+psi*psi
			events[int(treat)] += 1 - int(t.stayed)
		}
		if min(events[0], events[1]) < 5 {
			continue
		}
		out.Events[a] = min(events[0], events[1])
		column := make([]actions.Estimate, len(margins))
		for r, m := range margins {
			b := riskBin(1 / (1 + math.Exp(-float64(m))))
			column[r] = actions.Estimate{SE: float32(math.NaN())}
			if count[b] >= 30 {
				mean := sum[b] / count[b]
				column[r] = actions.Estimate{Mean: float32(mean), SE: float32(math.Sqrt((square[b]/count[b] - mean*mean) / count[b]))}
			}
		}
		out.Actions[a] = column
	}
	return out, nil
}
