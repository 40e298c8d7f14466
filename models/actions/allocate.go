package actions

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
)

// Offers are what could be done for whom, in columns: those of customer i are [At[i], At[i+1]).
type Offers struct {
	At     []uint32  // one more than there are customers, from 0, never falling
	Action []uint8   // of the limits, at most MaxActions; one customer's are distinct
	Worth  []float32 // v_ia, what it is believed to be worth; finite. Doing nothing is worth 0 and is no offer
}

// Customers is their number.
func (o *Offers) Customers() int { return len(o.At) - 1 }

// Allocation is who gets what under limits, with the prices that led there and a proof of how good it is.
type Allocation struct {
	Prices
	Chosen []int32 // per customer: the place of his offer in Offers; -1 = nothing
	Worth  float64 // Σ of what was chosen
	Bound  float64 // U: no allocation within the limits is worth more
	Used   []int   // per action
	Spent  float64
}

// Gap is the share of the bound that may be missing, (Bound - Worth)/Bound; 0 where nothing is worth doing.
func (a *Allocation) Gap() float64 {
	if a.Bound <= 0 {
		return 0
	}
	return max(0, (a.Bound-a.Worth)/a.Bound)
}

// Allocate gives each customer at most one of his offers so that the sum of their worth is greatest under the limits, as far as
// prices can: μ_a of a place and ν of money minimise the Lagrangian dual
//
//	U(μ, ν) = Σ_i max(0, max_a (v_ia - μ_a - ν c_a)) + Σ_a μ_a C_a + ν B,  μ, ν ≥ 0,
//
// each customer takes the offer of the greatest v_ia - μ_a - ν c_a, those first who lose most by another, and what is left over goes
// where it gains most. It is feasible by construction, and U bounds every other allocation from above (Everett 1963; Fisher 1981).
// The same offers give the same allocation on any number of threads. Errors: offers or limits that are malformed; ctx is over.
func Allocate(ctx context.Context, o Offers, l Limits) (*Allocation, error) {
	if err := o.check(len(l.Capacity)); err != nil {
		return nil, err
	}
	if err := l.check(len(l.Capacity)); err != nil {
		return nil, err
	}
	d := newDual(&o, &l)
	if err := d.minimise(ctx); err != nil {
		return nil, err
	}
	return assign(d), nil
}

func (o *Offers) check(actions int) error {
	if actions > MaxActions {
		return fmt.Errorf("allocate: %d actions; at most %d", actions, MaxActions)
	}
	if len(o.At) == 0 || o.At[0] != 0 || int(o.At[len(o.At)-1]) != len(o.Action) || len(o.Action) != len(o.Worth) || len(o.Action) > math.MaxInt32 {
		return errors.New("allocate: the columns of the offers do not fit each other")
	}
	for i, at := range o.At[1:] {
		if at < o.At[i] || int(at) > len(o.Action) {
			return fmt.Errorf("allocate: the offers of customer %d end before they begin, or after the last", i)
		}
		var seen uint64
		for k := o.At[i]; k < at; k++ {
			a, v := o.Action[k], o.Worth[k]
			if int(a) >= actions || seen&(1<<a) != 0 || math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return fmt.Errorf("allocate: offer %d is of an unknown action, a second one of it or not finite", k)
			}
			seen |= 1 << a
		}
	}
	return nil
}

// blockSize customers are summed up together, and blocks in their order: sums do not depend on the number of threads.
const blockSize = 8192

// blocks calls do for every block of n customers, on all threads.
func blocks(n int, do func(block, lo, hi int)) {
	count := (n + blockSize - 1) / blockSize
	threads := min(runtime.GOMAXPROCS(0), count)
	var group sync.WaitGroup
	for t := range threads {
		group.Go(func() {
			for b := t; b < count; b += threads {
				do(b, b*blockSize, min((b+1)*blockSize, n))
			}
		})
	}
	group.Wait()
}
