package metrics

import (
	"math"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"retain/features"
	"retain/internal/resample"
)

// Draws is how often a bootstrap draws.
const Draws = 1000

// Bootstrap redraws customers, not rows: in draw k every row of a customer has the weight Poisson(1) that a hash of (seed, customer, k)
// gives. So models, cutoffs and segments that share customers share the draws, and their differences are paired. See Chamandy et al.
// (2012), Estimating uncertainty for massive data streams. Customers lie in 65,536 bags, which are what is drawn: the few that share one are
// drawn together, which widens nothing on average, and a draw of a million customers stays in the processor's cache. It is immutable.
type Bootstrap struct {
	Seed   uint64
	group  []int32  // the customer's number 0..groups-1 of each row
	groups int      // different customers
	bag    []uint16 // the bag's number 0..Bags()-1 of each row
	keys   []uint64 // of the draws of each bag
}

// NewBootstrap prepares the draws for rows of the given customers.
func NewBootstrap(seed uint64, customer []string) *Bootstrap {
	b := &Bootstrap{Seed: seed, group: make([]int32, len(customer)), bag: make([]uint16, len(customer))}
	type place struct {
		group int32
		bag   uint16
	}
	places := make(map[string]place)
	numbers := make(map[uint16]uint16)
	for i, c := range customer {
		at, ok := places[c]
		if !ok {
			bag := uint16(features.KeyedHash(seed, "bootstrap", c) >> 48)
			number, ok := numbers[bag]
			if !ok {
				number = uint16(len(b.keys))
				numbers[bag] = number
				b.keys = append(b.keys, resample.Mix(seed^resample.Mix(uint64(bag)+1)))
			}
			at = place{group: int32(len(places)), bag: number}
			places[c] = at
		}
		b.group[i], b.bag[i] = at.group, at.bag
	}
	b.groups = len(places)
	return b
}

// Bags is the number of bags that hold a customer, in [0, 65,536].
func (b *Bootstrap) Bags() int { return len(b.keys) }

// Draw fills w, Bags() long, with the weights of draw k ≥ 0.
func (b *Bootstrap) Draw(k int, w []uint8) {
	resample.Weights(w, b.keys, k)
}

// statistic gives some figures of a draw.
type statistic struct {
	size int                                       // figures it fills
	fill func(w []uint8, s *scratch, out []Figure) // w by bag
}

// values returns the figures of each of the draws, those of all statistics one after the other: values[figure][draw]. The workers share out the draws,
// so that every figure is the same on one thread and on many.
func (b *Bootstrap) values(statistics ...statistic) [][]Figure {
	size := 0
	for _, s := range statistics {
		size += s.size
	}
	out := make([][]Figure, size)
	for f := range out {
		out[f] = make([]Figure, Draws)
	}
	workers := runtime.GOMAXPROCS(0)
	var group errgroup.Group
	for worker := range workers {
		group.Go(func() error {
			w, one, own := make([]uint8, b.Bags()), make([]Figure, size), &scratch{coarse: true}
			for k := worker; k < Draws; k += workers {
				b.Draw(k, w)
				at := 0
				for _, s := range statistics {
					s.fill(w, own, one[at:at+s.size])
					at += s.size
				}
				for f, v := range one {
					out[f][k] = v
				}
			}
			return nil
		})
	}
	_ = group.Wait() // the workers return no error
	return out
}

// intervals are the percentile intervals of the figures of statistics over the draws in which each is defined; NaN if it is in none.
func (b *Bootstrap) intervals(statistics ...statistic) []Interval {
	values := b.values(statistics...)
	out := make([]Interval, len(values))
	for f, v := range values {
		v = slices.DeleteFunc(v, func(v Figure) bool { return math.IsNaN(float64(v)) })
		slices.Sort(v)
		out[f] = Interval{Figure(quantile(v, .025)), Figure(quantile(v, .975))}
	}
	return out
}

// Means are the intervals of the means of several values, each given per row.
func (b *Bootstrap) Means(x ...[]float64) []Interval {
	if len(x) == 0 {
		return nil
	}
	totals := make([][]float64, len(x))
	for j, v := range x {
		totals[j] = b.total(v)
	}
	rows := b.total(slices.Repeat([]float64{1}, len(b.bag)))
	return b.intervals(statistic{size: len(x), fill: func(w []uint8, _ *scratch, out []Figure) {
		n := weigh(w, rows)
		for j, t := range totals {
			out[j] = Figure(weigh(w, t) / n)
		}
	}})
}

// Mean is the interval of the mean of x, given per row.
func (b *Bootstrap) Mean(x []float64) Interval { return b.Means(x)[0] }

// Ratio is the interval of Σ above / Σ below, both given per row.
func (b *Bootstrap) Ratio(above, below []float64) Interval {
	a, c := b.total(above), b.total(below)
	return b.intervals(statistic{size: 1, fill: func(w []uint8, _ *scratch, out []Figure) {
		out[0] = Figure(weigh(w, a) / weigh(w, c))
	}})[0]
}

// weigh is Σ w·x.
func weigh(w []uint8, x []float64) float64 {
	s := 0.
	for g, v := range w {
		s += float64(v) * x[g]
	}
	return s
}

// total adds a value per row up to one per bag.
func (b *Bootstrap) total(x []float64) []float64 {
	out := make([]float64, b.Bags())
	for i, v := range x {
		out[b.bag[i]] += v
	}
	return out
}

// PairedError is the standard error of the mean of the row differences d, whose rows hang together within a customer:
// √(C/(C-1) · Σ_c (Σ_{i∈c} (d_i - d̄))²) / n with C customers (Liang & Zeger 1986). NaN with fewer than two customers.
func (b *Bootstrap) PairedError(d []float64) float64 {
	n, groups := float64(len(d)), float64(b.groups)
	if groups < 2 {
		return math.NaN()
	}
	mean := Sum(d) / n
	byCustomer := make([]float64, b.groups)
	for i, v := range d {
		byCustomer[b.group[i]] += v - mean
	}
	square := 0.
	for _, v := range byCustomer {
		square += v * v
	}
	return math.Sqrt(groups/(groups-1)*square) / n
}
