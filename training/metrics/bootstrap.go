package metrics

import (
	"math"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"retain/features"
)

const bootstrapDraws = 1000

// Bootstrap redraws customers, not rows: in draw k every row of a customer has the weight Poisson(1) that a hash of (seed, customer, k)
// gives. So models, cutoffs and segments that share customers share the draws, and their differences are paired. See Chamandy et al.
// (2012), Estimating uncertainty for massive data streams. It is immutable.
type Bootstrap struct {
	Seed  uint64
	Group []int32 // the customer's number 0..Groups()-1 of each row
	keys  []uint64
}

// NewBootstrap prepares the draws for rows of the given customers.
func NewBootstrap(seed uint64, customer []string) *Bootstrap {
	b := &Bootstrap{Seed: seed, Group: make([]int32, len(customer))}
	number := make(map[string]int32)
	for i, c := range customer {
		g, ok := number[c]
		if !ok {
			g = int32(len(b.keys))
			number[c] = g
			b.keys = append(b.keys, features.KeyedHash(seed, "bootstrap", c))
		}
		b.Group[i] = g
	}
	return b
}

// Groups is the number of different customers.
func (b *Bootstrap) Groups() int { return len(b.keys) }

// poissonSteps are P(Poisson(1) ≤ k) scaled to 2⁶⁴ for k = 0..11; beyond lies less than 1e-9.
var poissonSteps = func() (steps [12]uint64) {
	term, total := math.Exp(-1), 0.
	for k := range steps {
		total += term
		term /= float64(k + 1)
		steps[k] = uint64(math.Min(total, 1-0x1p-53) * 0x1p64)
	}
	return steps
}()

// Draw fills w, Groups() long, with the weights of draw k.
func (b *Bootstrap) Draw(k int, w []float64) {
	for g, key := range b.keys {
		u := mix(key + uint64(k+1)*0x9e3779b97f4a7c15)
		n := 0
		for n < len(poissonSteps) && u >= poissonSteps[n] {
			n++
		}
		w[g] = float64(n)
	}
}

// mix is the finaliser of SplitMix64 (Steele, Lea & Flood 2014).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Values returns the statistics of each of the 1,000 draws, one slice a statistic. They are given the weights of the customers and run
// concurrently.
func (b *Bootstrap) Values(statistics ...func(w []float64) float64) [][]float64 {
	out := make([][]float64, len(statistics))
	for s := range out {
		out[s] = make([]float64, bootstrapDraws)
	}
	workers := runtime.GOMAXPROCS(0)
	var group errgroup.Group
	for worker := range workers {
		group.Go(func() error {
			w := make([]float64, b.Groups())
			for k := worker; k < bootstrapDraws; k += workers {
				b.Draw(k, w)
				for s, statistic := range statistics {
					out[s][k] = statistic(w)
				}
			}
			return nil
		})
	}
	_ = group.Wait() // the workers return no error
	return out
}

// Intervals are the 95 % percentile intervals of statistics over the draws in which each is defined; NaN if it is in none.
func (b *Bootstrap) Intervals(statistics ...func(w []float64) float64) [][2]Figure {
	out := make([][2]Figure, len(statistics))
	for s, values := range b.Values(statistics...) {
		values = slices.DeleteFunc(values, math.IsNaN)
		slices.Sort(values)
		out[s] = [2]Figure{Figure(quantile(values, .025)), Figure(quantile(values, .975))}
	}
	return out
}

// ratio is the statistic Σ above / Σ below, both given per row.
func (b *Bootstrap) ratio(above, below []float64) func(w []float64) float64 {
	a, c := b.total(above), b.total(below)
	return func(w []float64) float64 {
		var x, y float64
		for g, v := range w {
			x += v * a[g]
			y += v * c[g]
		}
		return x / y
	}
}

// mean is the statistic of the mean of x, given per row.
func (b *Bootstrap) mean(x []float64) func(w []float64) float64 {
	return b.ratio(x, slices.Repeat([]float64{1}, len(x)))
}

// Mean is the interval of the mean of x, given per row.
func (b *Bootstrap) Mean(x []float64) [2]Figure { return b.Intervals(b.mean(x))[0] }

// total adds a value per row up to one per customer.
func (b *Bootstrap) total(x []float64) []float64 {
	out := make([]float64, b.Groups())
	for i, v := range x {
		out[b.Group[i]] += v
	}
	return out
}

// PairedError is the standard error of the mean of the row differences d, whose rows hang together within a customer:
// √(C/(C-1) · Σ_c (Σ_{i∈c} (d_i - d̄))²) / n with C customers (Liang & Zeger 1986). NaN with fewer than two customers.
func (b *Bootstrap) PairedError(d []float64) float64 {
	n, groups := float64(len(d)), float64(b.Groups())
	if groups < 2 {
		return math.NaN()
	}
	mean := Sum(d) / n
	centred := make([]float64, len(d))
	for i, v := range d {
		centred[i] = v - mean
	}
	square := 0.
	for _, v := range b.total(centred) {
		square += v * v
	}
	return math.Sqrt(groups/(groups-1)*square) / n
}
