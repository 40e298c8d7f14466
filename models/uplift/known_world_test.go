package uplift

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"retain/features"
	"retain/simulation"
	"retain/training/metrics"
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

// cover is what 95 % intervals hold: the share of customers whose true effect lies within, and of twentieths of the customers, by their estimates, whose mean
// true effect lies within the mean of the estimates ± 1.96 times the mean standard error. What a single customer hides from every record is in the one, not in
// the other.
type cover struct{ single, twentieths float64 }

func covers(e *Estimates, truth []float64) (c cover) {
	order := make([]int, len(truth))
	for i := range order {
		order[i] = i
		if math.Abs(e.Effect[i]-truth[i]) <= 1.96*e.SE[i] {
			c.single += 1 / float64(len(truth))
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(e.Effect[a], e.Effect[b]) })
	const parts = 20
	for p := range parts {
		off, se := 0., 0.
		for _, i := range order[p*len(order)/parts : (p+1)*len(order)/parts] {
			off += e.Effect[i] - truth[i]
			se += e.SE[i]
		}
		if math.Abs(off) <= 1.96*se {
			c.twentieths += 1. / parts
		}
	}
	return c
}

const fifths = 5

// inOrder are the scores of outOfFold as ranks within each fifth, the only ones that can stand in one order.
func inOrder(score []float64) []float64 {
	fold := make([]int, len(score))
	for i := range fold {
		fold[i] = i % fifths
	}
	return metrics.WithinFolds(score, fold)
}

// outOfFold are the estimates of the customers of each fifth by a model of the others.
func outOfFold(t testing.TB, trainer Trainer, r *Rows, seed uint64) *Estimates {
	t.Helper()
	n := r.Len()
	out := &Estimates{Effect: make([]float64, n), SE: make([]float64, n), Control: make([]float64, n)}
	for k := range fifths {
		var train, held []int
		for i := range n {
			if i%fifths == k {
				held = append(held, i)
			} else {
				train = append(train, i)
			}
		}
		m, err := trainer.Fit(t.Context(), r.Take(train), rand.New(rand.NewPCG(seed, uint64(k))))
		if err != nil {
			t.Fatal(err)
		}
		e, err := m.Estimate(r.X.Take(held), pick(r.Baseline, held))
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

// champion is the churn score of a company that has watched n other customers and left them alone: boosted trees. It gives P(stay) of each customer of x.
func champion(t testing.TB, x *experiment, n int, seed uint64) []float64 {
	t.Helper()
	past := newExperiment(t, n, seed+1_000_003, simulation.NoEffects)
	left := past.draw(0, even, seed)
	m, err := Boost.fit(t.Context(), &features.Dataset{X: left.X, Y: left.Y, Customer: left.Customer}, rand.New(rand.NewPCG(seed, 3)))
	if err != nil {
		t.Fatal(err)
	}
	stays := make([]float64, x.x.Rows())
	if err := m.Margin(stays, x.x); err != nil {
		t.Fatal(err)
	}
	for i, v := range stays {
		stays[i] = sigmoid(v)
	}
	return stays
}

// judged are the learners of the benchmarks. Those with trees take ten times as long: RETAIN_BENCH_TREES=1 has them, too.
func judged() (out []Trainer) {
	for _, t := range append(slices.Clone(Trainers), Trainer{Method: Beside}) {
		if t.Base != Boost || os.Getenv("RETAIN_BENCH_TREES") != "" {
			out = append(out, t)
		}
	}
	return out
}

// benchWorlds are the seeds of the worlds of the benchmarks: 1 to 5, or as RETAIN_BENCH_WORLDS says, as 107-120.
func benchWorlds(b *testing.B) (out []uint64) {
	b.Helper()
	first, last := uint64(1), uint64(5)
	if v := os.Getenv("RETAIN_BENCH_WORLDS"); v != "" {
		if _, err := fmt.Sscanf(v, "%d-%d", &first, &last); err != nil || last < first {
			b.Fatalf("RETAIN_BENCH_WORLDS=%s: wanted is as 107-120", v)
		}
	}
	for seed := first; seed <= last; seed++ {
		out = append(out, seed)
	}
	return out
}

// BenchmarkKnownWorld prints, per action, what share of the oracle's gain over a random order each learner reaches among the top fifth of 40,000 randomised
// customers, beside the ranking by the champion's risk, in the worlds of benchWorlds. `make bench-uplift` runs it.
func BenchmarkKnownWorld(b *testing.B) {
	worlds := benchWorlds(b)
	n := float64(len(worlds))
	share, covered := map[string]float64{}, map[string]cover{}
	for _, seed := range worlds {
		b.Run(fmt.Sprintf("world=%d", seed), func(b *testing.B) {
			for b.Loop() {
				recoverEffects(b, seed, func(key string, gain float64, held cover) {
					share[key] += gain / n
					covered[key] = cover{covered[key].single + held.single/n, covered[key].twentieths + held.twentieths/n}
				})
			}
		})
	}
	for _, key := range slices.Sorted(maps.Keys(share)) {
		line := fmt.Sprintf("mean of %d worlds: %-27s %.3f of the oracle's gain", len(worlds), key, share[key])
		if c := covered[key]; c.single > 0 {
			line += fmt.Sprintf("; 95 %% intervals hold %.2f of the true effects, %.2f of the means of twentieths", c.single, c.twentieths)
		}
		fmt.Println(line)
	}
}

// recoverEffects tells what each learner recovers of each action's effects in one world.
func recoverEffects(b *testing.B, seed uint64, tell func(key string, gain float64, held cover)) {
	x := newExperiment(b, 40_000, seed, simulation.MixedEffects)
	stays := champion(b, x, 20_000, seed)
	risk := make([]float64, len(stays))
	for i, p := range stays {
		risk[i] = 1 - p
	}
	for a, name := range simulation.Actions() {
		if name == "thank_you" {
			continue // it does nothing
		}
		truth := x.effects[a]
		r := x.draw(a, even, seed)
		r.Baseline = stays
		oracle := gain(truth, truth)
		own := gain(risk, truth) / oracle
		line := fmt.Sprintf("%s: oracle %.4f, champion %.3f", name, oracle, own)
		tell(name+" champion", own, cover{})
		for _, trainer := range judged() {
			e := outOfFold(b, trainer, r, seed)
			own := gain(inOrder(e.Effect), truth) / oracle
			line += fmt.Sprintf(", %s %.3f", trainer.Name(), own)
			tell(name+" "+trainer.Name(), own, covers(e, truth))
		}
		b.Log(line)
	}
}
