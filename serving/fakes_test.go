package serving_test

import (
	"context"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"retain/models"
	"retain/serving"
)

// cutoff is that of the fakes' first run; now stands five hours behind it.
var (
	cutoff = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	now    = cutoff.Add(5 * time.Hour)
)

// fakeRuns is a RunReader over what the test holds.
type fakeRuns struct {
	mu     sync.Mutex
	run    models.Run
	scores []models.Score
	err    error // of InForce
	cut    error // ends Scores after half of them
	reads  int   // of Scores
}

func (f *fakeRuns) InForce(context.Context) (models.Run, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil && f.run.ID == "" {
		return models.Run{}, serving.ErrNoRun
	}
	return f.run, f.err
}

func (f *fakeRuns) Scores(_ context.Context, runID string) iter.Seq2[models.Score, error] {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	scores, cut := f.scores, f.cut
	if runID != f.run.ID {
		cut = fmt.Errorf("run %s is gone", runID)
	}
	return func(yield func(models.Score, error) bool) {
		for k, score := range scores {
			if cut != nil && k >= len(scores)/2 {
				yield(models.Score{}, cut)
				return
			}
			if !yield(score, nil) {
				return
			}
		}
	}
}

// set puts a run in force.
func (f *fakeRuns) set(id string, at time.Time, scores []models.Score) {
	run := models.Run{ID: id, Cutoff: at, Model: models.ModelRef{Name: "churn", Version: 3}, HorizonDays: 90, Customers: len(scores), FinishedAt: at.Add(3 * time.Hour)}
	scores = slices.Clone(scores)
	for k := range scores {
		score := &scores[k]
		score.Cutoff, score.ScoredAt, score.Model, score.HorizonDays = at, run.FinishedAt, run.Model, run.HorizonDays
		if score.Status == models.StatusScored {
			run.Scored++
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.run, f.scores = run, scores
}

// fakeKeys is a KeyStore.
type fakeKeys struct {
	mu    sync.Mutex
	keys  []serving.Key
	err   error
	reads int
}

func (f *fakeKeys) Keys(context.Context) ([]serving.Key, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	return slices.Clone(f.keys), f.err
}

// add makes a key and returns its id and token.
func (f *fakeKeys) add(expires *time.Time, scopes ...string) (id, token string) {
	k, token, err := serving.NewKey(serving.KeySpec{Scopes: scopes, CreatedAt: cutoff.AddDate(-1, 0, 0), ExpiresAt: expires})
	if err != nil {
		panic(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys = append(f.keys, k)
	return k.ID, token
}

func (f *fakeKeys) revoke(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for k := range f.keys {
		if f.keys[k].ID == id {
			f.keys[k].RevokedAt = new(now)
		}
	}
}

// scored is a score with a probability, an expected value (negative: unknown) and a reason.
func scored(id string, probability, value float64) models.Score {
	band := "low"
	switch {
	case probability >= 0.6:
		band = "high"
	case probability >= 0.3:
		band = "medium"
	}
	margin := math.Log(probability / (1 - probability))
	score := models.Score{
		CustomerID: id, Status: models.StatusScored, ChurnProbability: &probability, Percentile: new(max(1, int(100*probability))),
		Band: &band, Margin: &margin,
		Reasons: []models.Reason{
			{Feature: "purchase_recency_days", Text: "last purchase 77 days ago", Value: new(77.0), Reference: new(21.0), Contribution: margin/2 + 0.7, Direction: "up", Actionable: true},
			{Feature: "other", Text: "everything else together", Contribution: margin/2 + 0.3, Direction: "up"},
		},
	}
	if value >= 0 {
		score.ExpectedValue, score.ExpectedLoss = &value, new(probability*value)
	}
	return score
}

// unscored is a customer without a score.
func unscored(id, status, code string) models.Score {
	score := models.Score{CustomerID: id, Status: status}
	if code != "" {
		score.StatusCode = &code
	}
	return score
}

// town is n plausible customers of a subscription shop, for the browser and the benchmarks.
func town(n int, seed uint64) []models.Score {
	rng := rand.New(rand.NewPCG(seed, 1))
	type kind struct {
		feature, text string // text with the value, or the change in per cent, put in
		reference     float64
		actionable    bool
		value         func(risk float64) float64
		says          func(value float64) float64 // nil: the value itself
		bad           float64                     // sign of the contribution of large values
	}
	change := func(reference float64) func(float64) float64 {
		return func(v float64) float64 { return 100 * math.Abs(v-reference) / reference }
	}
	kinds := []kind{
		{"usage_sessions_change_28d", "usage down %.0f %% against the month before", 1, true, func(r float64) float64 { return 1 - 0.9*r*rng.Float64() - 0.02 }, change(1), -1},
		{"purchase_recency_days", "last purchase %.0f days ago", 34, true, func(r float64) float64 { return math.Round(8 + 160*r*rng.Float64()) }, nil, 1},
		{"ticket_unresolved_count_90d", "%.0f tickets still open", 0, true, func(r float64) float64 { return math.Round(1 + 4*r*rng.Float64()) }, nil, 1},
		{"survey_nps_last", "last NPS answer was %.0f", 8, true, func(r float64) float64 { return math.Round(10 - 9*r*rng.Float64()) }, nil, -1},
		{"subscription_tenure_days", "customer for %.0f days", 412, false, func(r float64) float64 { return math.Round(60 + 1500*(1-r)*rng.Float64()) }, nil, -1},
		{"usage_features_count_28d", "uses %.0f features", 6, true, func(r float64) float64 { return math.Round(1 + 11*(1-r)*rng.Float64()) }, nil, -1},
		{"purchase_amount_sum_90d", "spent %.0f in three months", 118, false, func(r float64) float64 { return math.Round(20 + 400*(1-r)*rng.Float64()) }, nil, -1},
		{"usage_active_days_28d", "active on %.0f of 28 days", 11, true, func(r float64) float64 { return math.Round(1 + 24*(1-r)*rng.Float64()) }, nil, -1},
	}
	scores := make([]models.Score, 0, n)
	for k := range n {
		id := fmt.Sprintf("C-%06d", 100_000+k*7)
		if k%9 == 8 {
			scores = append(scores, unscored(id, models.StatusAlreadyChurned, ""))
			continue
		}
		risk := math.Pow(rng.Float64(), 1.7)
		score := scored(id, 0.02+0.93*risk, math.Round(100*math.Exp(5.2+0.9*rng.NormFloat64()))/100)
		left := *score.Margin + 1.2
		score.Reasons = nil
		for _, j := range rng.Perm(len(kinds))[:5] {
			kd := kinds[j]
			v := kd.value(risk)
			say := v
			if kd.says != nil {
				say = kd.says(v)
			}
			c := kd.bad * math.Copysign(0.15+1.1*rng.Float64(), v-kd.reference) * (0.4 + risk)
			left -= c
			direction := "up"
			if c < 0 {
				direction = "down"
			}
			score.Reasons = append(score.Reasons, models.Reason{Feature: kd.feature, Text: fmt.Sprintf(kd.text, say), Value: &v, Reference: &kd.reference, Contribution: c, Direction: direction, Actionable: kd.actionable})
		}
		slices.SortFunc(score.Reasons, func(a, b models.Reason) int {
			return int(math.Copysign(1, math.Abs(b.Contribution)-math.Abs(a.Contribution)))
		})
		direction := "up"
		if left < 0 {
			direction = "down"
		}
		score.Reasons = append(score.Reasons, models.Reason{Feature: "other", Text: "37 further features together", Contribution: left, Direction: direction})
		scores = append(scores, score)
	}
	return scores
}
