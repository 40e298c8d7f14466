package uplift

import (
	"math/rand/v2"
	"testing"

	"retain/simulation"
	"retain/training/metrics"
)

// qiniOutOfFold is the Qini of a learner with its interval, as `retain uplift evaluate` and `retain train uplift` make it: by models of four fifths of the
// customers, and of three fifths for the interval.
func qiniOutOfFold(t testing.TB, trainer Trainer, r *Rows, seed uint64) metrics.QiniFigures {
	t.Helper()
	fold := make([]int, r.Len())
	for i := range fold {
		fold[i] = i % fifths
	}
	h := NewHeldOut(fold)
	for _, s := range append(Singles(fifths), Pairs(fifths)...) {
		train, held := s.Rows(fold)
		if err := h.Fit(t.Context(), trainer, s, r.Take(train), r.Take(held), held, rand.New(rand.NewPCG(seed, uint64(s.Folds[0])))); err != nil {
			t.Fatal(err)
		}
	}
	var pairs []metrics.FoldPair
	for _, p := range h.Pairs {
		own := metrics.FoldPair{Folds: p.Folds, Rows: p.Rows}
		if p.Estimates != nil {
			own.Score = p.Estimates.Effect
		}
		pairs = append(pairs, own)
	}
	trial := metrics.Trial{Y: r.Y, Treated: r.Treated, Propensity: r.Propensity, Customer: r.Customer}
	return metrics.NewBootstrap(seed, r.Customer).CrossFitted(trial, []metrics.FoldOrder{{Fold: fold, Score: h.Estimates.Effect}}, pairs, nil)
}

// holdsNothing tells whether the 95 % interval of a learner's Qini holds 0.
func holdsNothing(t testing.TB, trainer Trainer, r *Rows, seed uint64) bool {
	t.Helper()
	f := qiniOutOfFold(t, trainer, r, seed)
	return f.Interval[0] <= 0 && f.Interval[1] >= 0
}

// BenchmarkNullWorld prints in how many of 20 worlds without any effect the interval of the Qini holds 0.
func BenchmarkNullWorld(b *testing.B) {
	const worlds = 20
	for b.Loop() {
		const subgroups = "beside with subgroups of "
		held := map[string]int{}
		catalogued := []string{"discount", "save_call", "email", "feature_education"}
		for seed := uint64(1); seed <= worlds; seed++ {
			x := newExperiment(b, 5000, seed, simulation.NoEffects)
			r := x.draw(0, even, seed)
			r.Baseline = champion(b, x, 5000, seed)
			for _, trainer := range judged() {
				if holdsNothing(b, trainer, r, seed) {
					held[trainer.Name()]++
				}
			}
			for _, action := range catalogued {
				if holdsNothing(b, Trainer{Method: Beside}, named(b, r, action, 1, false), seed) {
					held[subgroups+action]++
				}
			}
		}
		for _, trainer := range judged() {
			b.Logf("%s: the interval holds 0 in %d of %d worlds without effects", trainer.Name(), held[trainer.Name()], worlds)
		}
		for _, action := range catalogued {
			b.Logf("%s%s: in %d of %d", subgroups, action, held[subgroups+action], worlds)
		}
	}
}
