package actions

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"time"
)

// Round is what the decisions of one run depend on: its customers, in columns, and what they share.
type Round struct {
	Catalogue *Catalogue
	RunID     string // the seed of order and draws, too
	Cutoff    time.Time
	Share     float64 // of customers who are held out
	Explore   bool
	Budget    *float64 // for what is marketing or proactive, in the currency; nil = none

	Customer        []string
	Eligible        []uint64  // by rules and policy; bit = action
	Value, Pressure []float64 // as Terms has them
	Learned         *Learned  // nil = nothing learned
	Row             []int32   // of Learned, per customer; below 0 = none; nil = none for everyone
}

// Turns are everyone's decisions. A customer takes some 20 bytes, and 8 per action that was open to him.
type Turns struct {
	Scarcity
	round      *Round
	duties     uint64
	tolls      []float64
	nothing    int
	held       []bool // in the control group
	chosen     []uint8
	at         []uint32 // customer i has propensity[at[i]:at[i+1]], of his eligible actions in the order of bits
	propensity []float64
	epoch      []uint8   // of closed, at the customer's turn
	closed     []closing // what had no means left, as it went on; the first is what never had
	planned    []int8    // without exploration; nil else
}

// closing is the actions without a place left, and those that the rest of the budget does not pay for.
type closing struct{ full, poor uint64 }

// chunkSize customers have their turn at a time, on all threads, as if nothing ran out among them; where something does, those after
// it have their turn again.
const chunkSize = 4096

// Decide gives every customer a turn in the run's keyed order. The prices of capacity and budget come first, from the priorities of
// those who are not held out and have no duty waiting; with them each turn draws (Explore) or takes what the plan has. It depends on
// the round only, not on the number of threads. Errors: columns of different lengths; ctx is over.
func (r *Round) Decide(ctx context.Context) (*Turns, error) {
	n := len(r.Customer)
	if len(r.Eligible) != n || len(r.Value) != n || len(r.Pressure) != n || r.Row != nil && len(r.Row) != n {
		return nil, fmt.Errorf("decide: %d customers with %d masks, %d values, %d pressures and %d rows", n, len(r.Eligible), len(r.Value), len(r.Pressure), len(r.Row))
	}
	t := &Turns{round: r, duties: r.Catalogue.duties(), nothing: r.Catalogue.Index(DoNothing),
		held: make([]bool, n), chosen: make([]uint8, n), at: make([]uint32, n+1), epoch: make([]uint8, n)}
	if len(r.Catalogue.Actions) > MaxActions || t.nothing < 0 {
		return nil, fmt.Errorf("decide: a catalogue of %d actions; want at most %d, %s among them", len(r.Catalogue.Actions), MaxActions, DoNothing)
	}
	for i, mask := range r.Eligible {
		t.at[i+1] = t.at[i] + uint32(bits.OnesCount64(mask))
	}
	blocks(n, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			t.held[i] = HeldOut(r.Customer[i], r.Cutoff, r.Share)
		}
	})
	t.propensity = make([]float64, t.at[n])
	order := r.order()
	limits := r.Catalogue.Limits(r.Budget)
	if err := t.price(ctx, order, limits); err != nil {
		return nil, err
	}
	return t, t.turns(ctx, order, limits)
}

// order is the customers in the order of their keyed hashes.
func (r *Round) order() []uint32 {
	type place struct {
		key uint64
		i   uint32
	}
	places := make([]place, len(r.Customer))
	blocks(len(places), func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			places[i] = place{OrderKey(r.RunID, r.Customer[i]), uint32(i)}
		}
	})
	slices.SortFunc(places, func(a, b place) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.i, b.i)) })
	order := make([]uint32, len(places))
	for k, p := range places {
		order[k] = p.i
	}
	return order
}

// turn is customer i's, with the actions of shut closed.
func (t *Turns) turn(i int, shut uint64) Turn {
	r := t.round
	row := -1
	if r.Row != nil {
		row = int(r.Row[i])
	}
	return Turn{Open: r.Eligible[i] &^ shut, Value: r.Value[i], Pressure: r.Pressure[i], Learned: r.Learned, Row: row, Tolls: t.tolls, Rate: t.Rate,
		Share: r.Share, Explore: r.Explore}
}

// turns hands out the actions.
func (t *Turns) turns(ctx context.Context, order []uint32, limits Limits) error {
	left := limits.remaining()
	t.closed = []closing{{left.full(), left.poor()}}
	for lo := 0; lo < len(order); {
		if err := ctx.Err(); err != nil {
			return err
		}
		chunk := order[lo:min(lo+chunkSize, len(order))]
		now := t.closed[len(t.closed)-1]
		spread(len(chunk), func(k int) { t.take(int(chunk[k]), now.full|now.poor) })
		for _, i := range chunk {
			lo++
			t.epoch[i] = uint8(len(t.closed) - 1)
			left.take(int(t.chosen[i]))
			if next := t.closing(left); next != now {
				t.closed = append(t.closed, next)
				break
			}
		}
	}
	t.count(limits)
	return nil
}

// closing is what has no means left. Without exploration the plan keeps its limits, and nobody closes what another has been given: only duties,
// which are not of the plan, run out.
func (t *Turns) closing(left *remaining) closing {
	c := closing{left.full(), left.poor()}
	if !t.round.Explore {
		c.full, c.poor = t.closed[0].full|c.full&t.duties, t.closed[0].poor
	}
	return c
}

// take is the turn of customer i.
func (t *Turns) take(i int, shut uint64) {
	var all [MaxActions]float64
	r, id := t.round, t.round.Customer[i]
	turn := t.turn(i, shut)
	turn.Held, turn.Draw = t.held[i], Draw(r.RunID, id)
	if t.planned != nil && !turn.Held {
		action := int(t.planned[i])
		turn.Planned = &action
	}
	t.chosen[i] = uint8(r.Catalogue.Choose(all[:], turn))
	k := t.at[i]
	for rest := r.Eligible[i]; rest != 0; rest &= rest - 1 {
		t.propensity[k] = all[bits.TrailingZeros64(rest)]
		k++
	}
}

// spread calls do for 0..n-1 on all threads, in small shares: turns take unequal time.
func spread(n int, do func(k int)) {
	const share = 64
	blocks((n+share-1)/share*blockSize, func(b, _, _ int) {
		for k := b * share; k < min((b+1)*share, n); k++ {
			do(k)
		}
	})
}

// Held tells whether customer i is in the control group.
func (t *Turns) Held(i int) bool { return t.held[i] }

// Chosen is the action of customer i.
func (t *Turns) Chosen(i int) int { return int(t.chosen[i]) }

// Open are the actions that customer i could have been given, as a mask.
func (t *Turns) Open(i int) uint64 {
	shut := t.closed[t.epoch[i]]
	return t.round.Eligible[i] &^ (shut.full | shut.poor)
}

// Propensities writes the probability with which the policy chooses each action of the catalogue for customer i; those that are not
// open have 0.
func (t *Turns) Propensities(dst []float64, i int) {
	clear(dst)
	k := t.at[i]
	for rest := t.round.Eligible[i]; rest != 0; rest &= rest - 1 {
		dst[bits.TrailingZeros64(rest)] = t.propensity[k]
		k++
	}
}

// Shut says why an eligible action was not open to customer i any more.
func (t *Turns) Shut(i, action int) string {
	if t.closed[t.epoch[i]].full&(1<<action) != 0 {
		return fmt.Sprintf("capacity: %d a day are spoken for", *t.round.Catalogue.Actions[action].Capacity)
	}
	return "budget: what is left of it does not pay for one more"
}

// Terms are those of an action for customer i, with the source of its uplift.
func (t *Turns) Terms(i, action int) (terms Terms, source string) {
	turn := t.turn(i, 0)
	terms, _ = t.round.Catalogue.terms(&turn, action)
	return terms, turn.Learned.Source(action, turn.Row)
}

// price finds the prices of the limits, and without exploration the plan.
func (t *Turns) price(ctx context.Context, order []uint32, limits Limits) error {
	r := t.round
	t.Scarcity = Scarcity{Rate: meanWorth(r.Value), Prices: make([]float64, len(limits.Capacity)), Used: make([]int, len(limits.Capacity))}
	waiting := t.waiting(order, limits)
	offers := t.offers(waiting)
	a, err := Allocate(ctx, offers, limits)
	if err != nil {
		return fmt.Errorf("decide: %w", err)
	}
	t.Prices, t.MoneyPrice, t.Planned, t.Bound = a.Capacity, a.Budget, a.Worth, a.Bound
	t.tolls = make([]float64, len(limits.Cost))
	for action := range t.tolls {
		t.tolls[action] = a.Of(&limits, action)
	}
	if r.Explore {
		return nil
	}
	t.planned = make([]int8, len(r.Customer))
	for i, k := range a.Chosen {
		t.planned[i] = int8(t.nothing)
		if k >= 0 {
			t.planned[i] = int8(offers.Action[k])
		}
	}
	return nil
}

// waiting finds who gets a duty, in their order, as long as there are places.
func (t *Turns) waiting(order []uint32, limits Limits) []bool {
	waiting := make([]bool, len(order))
	if t.duties == 0 {
		return waiting
	}
	left := limits.remaining()
	shut := left.full()
	for _, i := range order {
		if t.round.Eligible[i]&t.duties&^shut == 0 {
			continue
		}
		turn := t.turn(int(i), shut)
		duty := t.round.Catalogue.duty(&turn, t.duties)
		left.take(duty)
		shut = left.full()
		waiting[i] = true
	}
	return waiting
}

// offers are what the policy can give to whom, in money: those who are not held out and have no duty waiting. Where the worth of a
// customer is unknown, one saved counts as Rate. What is worth nothing is no offer.
func (t *Turns) offers(waiting []bool) Offers {
	r := t.round
	n := len(r.Customer)
	type part struct {
		count  []uint32
		action []uint8
		worth  []float32
	}
	parts := make([]part, (n+blockSize-1)/blockSize)
	blocks(n, func(b, lo, hi int) {
		p := part{count: make([]uint32, hi-lo)}
		for i := lo; i < hi; i++ {
			may := r.Eligible[i] &^ (t.duties | 1<<t.nothing)
			if may == 0 || waiting[i] || t.held[i] {
				continue
			}
			turn := t.turn(i, 0)
			for ; may != 0; may &= may - 1 {
				action := bits.TrailingZeros64(may)
				terms, _ := r.Catalogue.terms(&turn, action)
				worth := terms.Priority
				if math.IsNaN(turn.Value) {
					worth *= t.Rate
				}
				if worth > 0 && worth <= math.MaxFloat32 {
					p.count[i-lo]++
					p.action, p.worth = append(p.action, uint8(action)), append(p.worth, float32(worth))
				}
			}
		}
		parts[b] = p
	})
	o := Offers{At: make([]uint32, 1, n+1)}
	var total int
	for _, p := range parts {
		total += len(p.action)
	}
	o.Action, o.Worth = make([]uint8, 0, total), make([]float32, 0, total)
	for _, p := range parts {
		for _, count := range p.count {
			o.At = append(o.At, o.At[len(o.At)-1]+count)
		}
		o.Action, o.Worth = append(o.Action, p.action...), append(o.Worth, p.worth...)
	}
	return o
}

// meanWorth is the mean of the known values above 0; 1 where there is none, and then all is in customers.
func meanWorth(values []float64) float64 {
	var sum float64
	var n int
	for _, v := range values {
		if v > 0 && !math.IsInf(v, 1) {
			sum, n = sum+v, n+1
		}
	}
	if n == 0 {
		return 1
	}
	return sum / float64(n)
}
