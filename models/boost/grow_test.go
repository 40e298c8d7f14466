package boost

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"

	"retain/features"
)

// wide is sample with more columns: enough words and rows that every way of sharing the work is taken.
func wide(n, more int, seed uint64) *features.Dataset {
	d := sample(n, seed)
	for k := range more {
		noise := sample(n, seed+uint64(k)+1000)
		for j := range noise.X.X {
			c := noise.X.Schema[j]
			c.Name = fmt.Sprintf("%s_%d", c.Name, k)
			d.X.Schema = append(d.X.Schema, c)
			d.X.X = append(d.X.X, noise.X.X[j])
		}
	}
	return d
}

func TestLargeFitsAreTheSameOnAnyNumberOfThreadsAndInAnyOrder(t *testing.T) {
	d := wide(30000, 9, 80)
	tr := Trainer{Trees: 4, Leaves: 24, RowShare: 0.8, ColumnShare: 0.9}
	want := onThreads(t, func() []byte { return mustEncode(t, mustFit(t, tr, d)) })
	if !bytes.Equal(mustEncode(t, mustFit(t, tr, shuffled(d))), want) {
		t.Fatal("other trees after shuffling the rows")
	}
}

// Without room to keep histograms the trees are the same.
func TestLeavesWithoutHistograms(t *testing.T) {
	d := sample(2000, 81)
	tr := Trainer{Leaves: 12, MinRows: 30}.filled()
	var want *grownTree
	for _, held := range []int{0, maxHistograms} { // histograms in use elsewhere
		b := newBooster(tr, d, 5)
		defer b.crew.dismiss()
		b.pool.inUse = held
		got := b.round(0)
		if want == nil {
			want = got
			continue
		}
		if !slices.EqualFunc(got.nodes, want.nodes, func(a, b grownNode) bool { return a.split == b.split && a.value == b.value && a.rows == b.rows }) {
			t.Fatal("another tree")
		}
	}
}

// naive judges the splits of a set of rows by plainGain.
type naive struct {
	*booster
	gh   []sums // of all rows
	rows []int
}

// best is the greatest gain over all columns, of which the last is categorical with six levels.
func (v naive) best() (best float64) {
	gain := func(left func(row int) bool) float64 { return plainGain(&v.Trainer, &v.scale, v.gh, v.rows, left) }
	for j, col := range v.x.X {
		if v.x.Schema[j].Kind == features.Categorical {
			for set := range 1 << 7 {
				best = max(best, gain(func(r int) bool {
					return col[r] == col[r] && set>>int(col[r])&1 == 1 || col[r] != col[r] && set>>6 == 1
				}))
			}
			continue
		}
		for _, at := range v.rows {
			for _, missingLeft := range []bool{false, true} {
				best = max(best, gain(func(r int) bool { return col[r] <= col[at] || col[r] != col[r] && missingLeft }))
			}
		}
	}
	return best
}

// Every split of a tree is the best of its rows, the leaves are split in the order of their gains until there are enough, and each
// leaf has its best value: against brute force on the rows themselves.
func TestWholeTreesAgainstBruteForce(t *testing.T) {
	for seed := range uint64(6) {
		d := sample(150, 90+seed)
		tr := Trainer{Leaves: 6, MinRows: 1 + int(seed)*3, MinHessian: 0.5, L1: float64(seed%2) * 0.2, Smoothing: 1e-12}.filled()
		b := newBooster(tr, d, seed)
		defer b.crew.dismiss()
		grown := b.round(0)
		m := &Model{schema: d.X.Schema}
		m.append(grown)
		reach := map[int][]int{}
		for r := range d.Y {
			row := rowOf(d.X, r)
			for i := 0; ; {
				reach[i] = append(reach[i], r)
				n := &m.nodes[i]
				if n.leaf() {
					break
				}
				if i++; !m.goesLeft(n, row[n.column]) {
					i = int(n.right)
				}
			}
		}
		gh := make([]sums, d.Rows())
		for r := range gh {
			gh[r] = b.rows.gradient(r)
		}
		gain := make([]float64, len(m.nodes))
		for i := range m.nodes {
			n, v := &m.nodes[i], naive{b, gh, reach[i]}
			gain[i] = v.best()
			if !n.leaf() {
				if math.Abs(float64(n.weight)-gain[i]) > 1e-5*gain[i] {
					t.Errorf("seed %d: a split of gain %v, by brute force %v", seed, n.weight, gain[i])
				}
				continue
			}
			var g, h float64
			for _, r := range v.rows {
				g, h = g+b.grad(gh[r]), h+b.hess(gh[r])
			}
			if want := -tr.LearningRate * shrink(g, tr.L1) / (h + tr.L2); math.Abs(float64(n.cut)-want) > 1e-6 {
				t.Errorf("seed %d: a leaf is worth %v, want %v", seed, n.cut, want)
			}
			if int(n.weight) != len(v.rows) || len(v.rows) < tr.MinRows {
				t.Errorf("seed %d: a leaf of %d rows says %v, at least %d are wanted", seed, len(v.rows), n.weight, tr.MinRows)
			}
		}
		open := []int32{0}
		for len(open) < tr.Leaves {
			k := 0
			for i := range open {
				if gain[open[i]] > gain[open[k]] {
					k = i
				}
			}
			n := &m.nodes[open[k]]
			if n.leaf() {
				if gain[open[k]] > 1e-6 {
					t.Errorf("seed %d: a leaf of gain %v is not split, when there are %d", seed, gain[open[k]], len(open))
				}
				break
			}
			open = append(open, n.right)
			open[k]++
		}
	}
}

func TestAMillionIdenticalRows(t *testing.T) {
	n := 1_000_000
	x := &features.Matrix{Schema: features.Schema{{Name: "x"}, {Name: "y"}}, X: [][]float32{slices.Repeat([]float32{3}, n), slices.Repeat([]float32{-1}, n)}}
	d := &features.Dataset{X: x, Y: make([]float64, n)}
	for i := range d.Y {
		d.Y[i] = float64(i % 4 / 3)
	}
	m := mustFit(t, Trainer{}, d)
	if got, want := mustMargin(t, m, x.Take([]int{0}))[0], math.Log(1.0/3); math.Abs(got-want) > 1e-12 {
		t.Fatalf("margin %v, want the base rate's %v", got, want)
	}
}

// Columns that share a byte are told apart: their sums by bin are those of the rows.
func TestSharedSlots(t *testing.T) {
	d := wide(700, 7, 95)
	b := newBinned(d.X, nil, maxBins)
	shared := 0
	rng := source()
	gh := make([]sums, d.Rows())
	rows := make([]uint32, 0, d.Rows())
	for i := range gh {
		gh[i] = rng.Int64N(1 << 40)
		b.setGradient(uint32(i), gh[i])
		if rng.IntN(2) == 0 {
			rows = append(rows, uint32(i))
		}
	}
	words := make([]int, b.width)
	for w := range words {
		words[w] = w
	}
	h := make(histogram, b.width)
	b.fill(h, words, rows, sumGradients)
	for j := range d.X.X {
		p := &b.place[j]
		if p.slot < 0 {
			t.Fatalf("column %s has no slot", d.X.Schema[j].Name)
		}
		if p.slotColumns > 1 {
			shared++
		}
		var want, room [groupedBins]sums
		for _, r := range rows {
			want[b.columns[j].bin(d.X.X[j][r])] += gh[r]
		}
		if got := p.marginal(h.slot(p.slot), &room); *got != want {
			t.Errorf("column %s: other sums than its rows'", d.X.Schema[j].Name)
		}
	}
	if shared < 8 {
		t.Errorf("only %d columns share a byte", shared)
	}
}
