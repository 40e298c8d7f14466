package offpolicy

import (
	"math"
	"runtime"
	"slices"
	"sync"

	"retain/features"
)

// sums is what a bag of rows adds to the estimates.
type sums struct{ rows, w, wr, r, dr float64 }

// bags are the rows of a log, those of one customer in one bag, of which there are at most 65,536: the few customers that share one are drawn
// together, which widens nothing on average. keys are what the draws of a bag are hashed from.
type bags struct {
	of   []sums
	keys []uint64
}

// newBags sums the rows up by customer. dr is the doubly robust term of each row, nil where there is none.
func newBags(l *Log, w, dr []float64, seed uint64) *bags {
	b := &bags{}
	number := make(map[uint16]int)
	for i := range w {
		key := mix(seed ^ mix(uint64(i)+1))
		if l.Customer != nil {
			key = features.KeyedHash(seed, "policy bootstrap", l.Customer[i])
		}
		bag := uint16(key >> 48)
		k, ok := number[bag]
		if !ok {
			k = len(b.of)
			number[bag] = k
			b.of, b.keys = append(b.of, sums{}), append(b.keys, mix(seed^mix(uint64(bag)+1)))
		}
		s := &b.of[k]
		s.rows++
		s.w += w[i]
		s.wr += w[i] * l.Reward[i]
		s.r += l.Reward[i]
		if dr != nil {
			s.dr += dr[i]
		}
	}
	return b
}

// total is the sums with each bag counted so many times; nil counts each once.
func (b *bags) total(times []uint8) (t sums) {
	for k, s := range b.of {
		c := 1.
		if times != nil {
			c = float64(times[k])
		}
		t.rows += c * s.rows
		t.w += c * s.w
		t.wr += c * s.wr
		t.r += c * s.r
		t.dr += c * s.dr
	}
	return t
}

// The figures of a draw, and their places.
const (
	snips = iota
	doublyRobust
	ips
	logged
	figures
)

// figures of sums; NaN where one is undefined.
func (t sums) figures() [figures]float64 {
	return [figures]float64{snips: t.wr / t.w, doublyRobust: t.dr / t.rows, ips: t.wr / t.rows, logged: t.r / t.rows}
}

// draws are the figures of so many draws in which each bag counts Poisson(1) times (Chamandy et al. 2012, "Estimating uncertainty for massive data
// streams"). They are the same on one thread and on many.
func (b *bags) draws(n int) [][figures]float64 {
	out := make([][figures]float64, n)
	workers := min(runtime.GOMAXPROCS(0), max(n, 1))
	var group sync.WaitGroup
	for worker := range workers {
		group.Go(func() {
			times := make([]uint8, len(b.of))
			for k := worker; k < n; k += workers {
				step, shift := uint64(k/4+1)*0x9e3779b97f4a7c15, 16*(k%4) // a hash serves four draws
				for g, key := range b.keys {
					times[g] = poissonOf[uint16(mix(key+step)>>shift)]
				}
				out[k] = b.total(times).figures()
			}
		})
	}
	group.Wait()
	return out
}

// poissonOf maps 16 random bits to Poisson(1): P(k) is off by less than 2⁻¹⁶, and 8 is the most.
var poissonOf = func() (of [1 << 16]uint8) {
	u, term, reached := 0, math.Exp(-1), 0.
	for k := range 9 {
		reached += term
		term /= float64(k + 1)
		for ; u < len(of) && (float64(u)+.5)/float64(len(of)) < reached; u++ {
			of[u] = uint8(k)
		}
	}
	for ; u < len(of); u++ {
		of[u] = 8
	}
	return of
}()

// mix is the finaliser of SplitMix64 (Steele, Lea & Flood 2014).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Interval is a figure with its standard error and 95 % interval; all NaN where it is undefined.
type Interval struct{ Value, SE, Low, High float64 }

// interval is the standard deviation and the .025 and .975 quantiles of the draws in which the figure is defined, around its value.
func interval(value float64, draws []float64) Interval {
	draws = slices.DeleteFunc(draws, math.IsNaN)
	if math.IsNaN(value) || len(draws) < 2 {
		return Interval{math.NaN(), math.NaN(), math.NaN(), math.NaN()}
	}
	var mean, square float64
	for _, v := range draws {
		mean += v / float64(len(draws))
	}
	for _, v := range draws {
		square += (v - mean) * (v - mean)
	}
	slices.Sort(draws)
	return Interval{value, math.Sqrt(square / float64(len(draws)-1)), quantile(draws, .025), quantile(draws, .975)}
}

// quantile interpolates between the order statistics (type 7 of Hyndman & Fan 1996).
func quantile(sorted []float64, p float64) float64 {
	h := p * float64(len(sorted)-1)
	k := int(h)
	if k+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[k] + (h-float64(k))*(sorted[k+1]-sorted[k])
}
