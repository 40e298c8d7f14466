package training

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"retain/features"
	"retain/internal/warehouse"
	"retain/models"
)

// world is a panel of made-up customers: the chance to churn rises with log1p(days since the last purchase) and falls with the amount,
// and differs by plan. The same seed is the same world.
type world struct {
	customers  int
	cutoffs    []time.Time
	watermark  time.Time
	effect     float64 // weight of the amount; 0 = only recency matters
	intercept  float64
	only       *float64    // every label, if given
	calm       time.Time   // nobody churns at cutoffs before it
	unlabelled []time.Time // cutoffs at which no label is known
	leak       bool        // a column that is missing for those who stay
	seed       uint64
	known      []time.Time // knownBefore of every Labels call
}

func month(y int, m time.Month) time.Time { return time.Date(y, m, 1, 0, 0, 0, 0, time.UTC) }

func newWorld(customers, months int) *world {
	w := &world{customers: customers, effect: 1.2, intercept: -1, seed: 1}
	for k := range months {
		w.cutoffs = append(w.cutoffs, month(2025, time.Month(1+k)))
	}
	w.watermark = month(2025, time.Month(1+months+3)).AddDate(0, 0, -1)
	return w
}

func (w *world) Resolve(context.Context, []time.Time) error { return nil }
func (w *world) Catalogue() *features.Catalogue             { return features.DefaultCatalogue() }

func (w *world) Watermark(context.Context) (time.Time, error) { return w.watermark, nil }

func (w *world) Cutoffs(context.Context) ([]time.Time, error) {
	return knownAt(w.cutoffs, features.DefaultChurn(), w.watermark), nil
}

var plans = []string{"basic", "plus", "pro"}

// rows gives the vectors and labels of a cutoff.
func (w *world) rows(cutoff time.Time) (*features.Snapshot, []float64) {
	rng := rand.New(rand.NewPCG(w.seed, uint64(cutoff.Unix())))
	s := &features.Snapshot{Cutoff: cutoff, X: &features.Matrix{Schema: features.Schema{
		{Name: "purchase_recency_days"},
		{Name: "purchase_amount_mean_365d"},
		{Name: "noise"},
		{Name: "empty"},
		{Name: "customer_plan", Kind: features.Categorical, Levels: plans},
	}, X: make([][]float32, 5)}}
	if w.leak {
		s.X.Schema = append(s.X.Schema, features.Column{Name: "cancellation_reason_code"})
		s.X.X = append(s.X.X, nil)
	}
	nan := float32(math.NaN())
	var y []float64
	for i := range w.customers {
		days, amount, plan := float64(rng.IntN(300)), rng.NormFloat64(), rng.IntN(len(plans))
		margin := w.intercept + .6*(math.Log1p(days)-4) - w.effect*amount + .5*float64(plan)
		label := 0.
		if rng.Float64() < models.Sigmoid(margin) {
			label = 1
		}
		if cutoff.Before(w.calm) {
			label = 0
		}
		if w.only != nil {
			label = *w.only
		}
		missing := nan
		if label == 1 {
			missing = float32(rng.IntN(3))
		}
		if i%97 == 0 || slices.ContainsFunc(w.unlabelled, cutoff.Equal) {
			label = math.NaN()
		}
		y = append(y, label)
		s.Customer = append(s.Customer, fmt.Sprintf("c%05d", i))
		for j, v := range []float32{float32(days), float32(amount), float32(rng.NormFloat64()), nan, float32(plan), missing} {
			if j < len(s.X.X) {
				s.X.X[j] = append(s.X.X[j], v)
			}
		}
	}
	return s, y
}

func (w *world) Snapshot(_ context.Context, cutoff time.Time) (*features.Snapshot, error) {
	s, _ := w.rows(cutoff)
	return s, nil
}

func (w *world) Labels(_ context.Context, cutoff, knownBefore time.Time) ([]float64, error) {
	churn := features.DefaultChurn()
	if !knownBefore.IsZero() && churn.Matures(cutoff).After(knownBefore) {
		return nil, features.ErrLabelsUnknown
	}
	w.known = append(w.known, knownBefore)
	_, y := w.rows(cutoff)
	return y, nil
}

// memory is a Registry without a warehouse.
type memory struct {
	mu         sync.Mutex
	models     []warehouse.ModelRow
	promotions []warehouse.PromotionRow
	challenges []warehouse.AliasRow
}

func (r *memory) RegisterModel(_ context.Context, m warehouse.ModelRow) (uint32, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := slices.IndexFunc(r.models, func(o warehouse.ModelRow) bool { return o.Artifact == m.Artifact }); k >= 0 {
		return r.models[k].Version, nil
	}
	m.Version = uint32(len(r.models) + 1)
	r.models = append(r.models, m)
	return m.Version, nil
}

func (r *memory) ChampionModel(context.Context, string) (warehouse.ModelRow, error) {
	if len(r.promotions) == 0 {
		return warehouse.ModelRow{}, warehouse.ErrNoModel
	}
	last := r.promotions[len(r.promotions)-1]
	return r.models[last.Version-1], nil
}

func (r *memory) PromoteModel(_ context.Context, p warehouse.PromotionRow) error {
	r.promotions = append(r.promotions, p)
	return nil
}

func (r *memory) Challenge(_ context.Context, a warehouse.AliasRow) (bool, error) {
	r.challenges = append(r.challenges, a)
	return len(r.challenges) == 1, nil
}

func testOptions(t *testing.T) Options {
	t.Helper()
	return Options{Churn: features.DefaultChurn(), Seed: 1, Registry: &memory{}, Now: func() time.Time { return month(2026, 1) }}.filled()
}
