package uplift

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"retain/simulation"
)

// topShare is the share of customers that an order is judged by.
const topShare = .2

// gain is by how much the mean of the true effects of those of greatest score is above that of all.
func gain(score, truth []float64) float64 {
	order := make([]int, len(score))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(score[b], score[a]) })
	all, top, k := 0., 0., int(topShare*float64(len(order)))
	for place, i := range order {
		all += truth[i]
		if place < k {
			top += truth[i]
		}
	}
	return top/float64(k) - all/float64(len(order))
}

// outOfFold are the estimates of the customers of each fifth by a model of the others.
func outOfFold(t testing.TB, trainer Trainer, r *Rows, seed uint64) *Estimates {
	t.Helper()
	n := r.Len()
	out := &Estimates{Effect: make([]float64, n), SE: make([]float64, n), Control: make([]float64, n)}
	const folds = 5
	for k := range folds {
		var train, held []int
		for i := range n {
			if i%folds == k {
				held = append(held, i)
			} else {
				train = append(train, i)
			}
		}
		m, err := trainer.Fit(t.Context(), r.Take(train), rand.New(rand.NewPCG(seed, uint64(k))))
		if err != nil {
			t.Fatal(err)
		}
		e, err := m.Estimate(r.X.Take(held))
		if err != nil {
			t.Fatal(err)
		}
		for k, i := range held {
			out.Effect[i], out.SE[i], out.Control[i] = e.Effect[k], e.SE[k], e.Control[k]
		}
	}
	return out
}

func even(int) float64 { return .5 }

// BenchmarkKnownWorld prints what share of the oracle's gain over a random order each learner reaches among the top fifth of 40,000 randomised customers,
// beside the ranking by risk, in 5 worlds. `make bench-uplift` runs it.
func BenchmarkKnownWorld(b *testing.B) {
	for b.Loop() {
		for a, name := range simulation.Actions() {
			if name == "thank_you" {
				continue
			}
			share := map[string]float64{}
			covered := map[string]float64{}
			const worlds = 5
			for seed := uint64(1); seed <= worlds; seed++ {
				x := newExperiment(b, 40_000, seed, simulation.MixedEffects)
				r := x.draw(a, even, seed)
				oracle := gain(x.effects[a], x.effects[a])
				for _, trainer := range Trainers {
					e := outOfFold(b, trainer, r, seed)
					share[trainer.Name()] += gain(e.Effect, x.effects[a]) / oracle / worlds
					risk := make([]float64, len(e.Control))
					for i, p := range e.Control {
						risk[i] = 1 - p
					}
					share["risk by "+string(trainer.Base)] += gain(risk, x.effects[a]) / oracle / worlds / 2
					for i, v := range e.Effect {
						if math.Abs(v-x.effects[a][i]) <= 1.96*e.SE[i] {
							covered[trainer.Name()] += 1 / float64(r.Len()) / worlds
						}
					}
				}
			}
			line := ""
			for _, trainer := range Trainers {
				line += fmt.Sprintf("  %s %.3f (covers %.2f)", trainer.Name(), share[trainer.Name()], covered[trainer.Name()])
			}
			b.Logf("%s: share of the oracle's gain%s; by risk: linear %.3f, boost %.3f", name, line, share["risk by linear"], share["risk by boost"])
		}
	}
}
