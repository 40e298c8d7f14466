package boost

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"

	"retain/features"
)

// stump is a random leaf: rows of one column with gradients and hessians, and its histogram.
type stump struct {
	scale
	trainer Trainer
	values  []float32
	gh      []sums
	column  binning
	hist    [groupedBins]sums
	count   [groupedBins]sums
	sum     sums
}

func randomStump(rng *rand.Rand, c features.Column, missing float64) *stump {
	n := 20 + rng.IntN(60)
	s := &stump{scale: newScale(n, 1), gh: make([]sums, n), values: make([]float32, n)}
	s.trainer = Trainer{MinRows: 1 + rng.IntN(5), MinHessian: rng.Float64(), L1: float64(rng.IntN(2)) * 0.3, L2: 0.5, Smoothing: 1e-12}.filled()
	for i := range n {
		if c.Kind == features.Categorical {
			s.values[i] = float32(rng.IntN(len(c.Levels)))
		} else {
			s.values[i] = float32(rng.IntN(12)) / 4
		}
		if rng.Float64() < missing {
			s.values[i] = float32(math.NaN())
		}
		s.gh[i] = s.quantise(rng.Float64()*2-1, rng.Float64()*0.25, rng.Uint64())
		s.sum += s.gh[i]
	}
	s.column = newBinning(&c, s.values, nil, maxBins, &sortRoom{})
	for i := range n {
		s.hist[s.column.bin(s.values[i])] += s.gh[i]
		s.count[s.column.bin(s.values[i])]++
	}
	return s
}

// best is the split that the search finds with the rows counted.
func (s *stump) best(way int8) split {
	q := newSearch(&s.trainer, &s.scale, s.sum, unbounded())
	return q.best(0, &s.column, &s.hist, &s.count, anyCut, way)
}

// gain of sending the rows for which left is true to the left.
func (s *stump) gain(left func(v float32) bool) float64 {
	all := firstRows(len(s.values))
	return plainGain(&s.trainer, &s.scale, s.gh, all, func(r int) bool { return left(s.values[r]) })
}

// plainGain is the gain of parting some rows in two, in plain floats, with no bins, histograms or subtraction; 0 if a side is too small.
func plainGain(t *Trainer, s *scale, gh []sums, rows []int, left func(row int) bool) float64 {
	var g, h [2]float64
	var n [2]int
	for _, r := range rows {
		k := 0
		if !left(r) {
			k = 1
		}
		g[k], h[k], n[k] = g[k]+s.grad(gh[r]), h[k]+s.hess(gh[r]), n[k]+1
	}
	if min(n[0], n[1]) < t.MinRows || min(h[0], h[1]) < t.MinHessian {
		return 0
	}
	score := func(g, h float64) float64 {
		a := math.Max(math.Abs(g)-t.L1, 0)
		return a * a / (h + t.L2)
	}
	return (score(g[0], h[0]) + score(g[1], h[1]) - score(g[0]+g[1], h[0]+h[1])) / 2
}

func firstRows(n int) []int {
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	return rows
}

// check compares a split with the best gain by brute force and its left side with what it claims.
func (s *stump) check(t *testing.T, got split, want float64) {
	t.Helper()
	if want <= s.trainer.MinGain {
		if got.gain > s.trainer.MinGain {
			t.Fatalf("a split of gain %v, by brute force there is none", got.gain)
		}
		return
	}
	if math.Abs(got.gain-want) > 1e-9 {
		t.Fatalf("gain %v, by brute force %v", got.gain, want)
	}
	var left sums
	for i, v := range s.values {
		if got.toLeft.has(int(s.column.bin(v))) {
			left += s.gh[i]
		}
	}
	if left != got.sum {
		t.Fatal("the bins on the left do not make the left sum")
	}
}

func TestThresholdsAgainstBruteForce(t *testing.T) {
	rng := source()
	for round := range 500 {
		s := randomStump(rng, features.Column{Name: "x"}, []float64{0, 0.3}[round%2])
		best := 0.0
		for _, cut := range append([]float32{math.MaxFloat32}, s.column.cuts...) {
			for _, missingLeft := range []bool{false, true} {
				best = max(best, s.gain(func(v float32) bool { return v <= cut || v != v && missingLeft }))
			}
		}
		s.check(t, s.best(0), best)
	}
}

// Without smoothing and L1 the order by G/H holds the best of all subsets.
func TestLevelsAgainstAllSubsets(t *testing.T) {
	rng := source()
	c := features.Column{Name: "plan", Kind: features.Categorical, Levels: []string{"a", "b", "c", "d", "e", "f"}}
	for round := range 200 {
		s := randomStump(rng, c, []float64{0, 0.2}[round%2])
		s.trainer.L1, s.trainer.L2, s.trainer.MinRows, s.trainer.MinHessian = 0, 1e-12, 1, 0
		best := 0.0
		for set := range 1 << 7 {
			best = max(best, s.gain(func(v float32) bool {
				if v != v {
					return set>>6 == 1
				}
				return set>>int(v)&1 == 1
			}))
		}
		s.check(t, s.best(0), best)
	}
}

func TestUnseenGoesWithTheHeavierSide(t *testing.T) {
	s := &stump{scale: newScale(100, 1), trainer: Trainer{MinRows: 1, Smoothing: 1e-9}.filled()}
	for _, c := range []struct {
		right int
		left  bool
	}{{10, true}, {90, false}} {
		for _, kind := range []features.Kind{features.Numeric, features.Categorical} {
			s.hist, s.sum = [groupedBins]sums{}, 0
			for i := range 100 {
				bin, grad := 1, -0.5
				if i < c.right {
					bin, grad = 3, 0.5
				}
				v := s.quantise(grad, 0.25, 0)
				s.hist[bin] += v
				s.sum += v
			}
			q := newSearch(&s.trainer, &s.scale, s.sum, unbounded())
			got := q.best(0, &binning{kind: kind, bins: 4, cuts: []float32{1, 2}}, &s.hist, nil, anyCut, 0)
			if got.toLeft.has(missingBin) != c.left {
				t.Errorf("kind %d, %d rows on the right: missing left is %v", kind, c.right, !c.left)
			}
			if kind == features.Categorical && got.toLeft.has(2) != c.left {
				t.Errorf("%d rows on the right: unseen level left is %v", c.right, !c.left)
			}
		}
	}
}

// The first split of a whole fit is the best one over all columns, in plain floats.
func TestRootAgainstBruteForce(t *testing.T) {
	d := sample(300, 30)
	tr := Trainer{Trees: 1, Leaves: 2, MinRows: 5, Smoothing: 1e-12}.filled()
	m := mustFit(t, tr, d)
	p := 1 / (1 + math.Exp(-m.base))
	v := naive{&booster{Trainer: tr, scale: newScale(300, 1), x: d.X}, nil, firstRows(300)}
	for _, y := range d.Y {
		v.gh = append(v.gh, v.quantise(p-y, p*(1-p), 1<<63|1<<31)) // to the nearest step
	}
	if got, want := float64(m.nodes[0].weight), v.best(); math.Abs(got-want) > 1e-5*want {
		t.Fatalf("gain of the root %v, by brute force %v", got, want)
	}
}

func TestBinSet(t *testing.T) {
	var s binSet
	n := 0
	for k := 0; k < groupedBins; k += 3 {
		s.put(k)
		n++
	}
	count := 0
	for _, w := range s {
		count += bits.OnesCount64(w)
	}
	if count != n || !s.has(255) || s.has(254) {
		t.Fatal("a bin set forgets")
	}
}

// anyCut leaves no cut out.
var anyCut = cutSpans{{1, groupedBins}, {1, groupedBins}}
