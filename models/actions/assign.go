package actions

import (
	"cmp"
	"math"
	"slices"
)

// assign turns the prices of a dual into an allocation within the limits.
func assign(d *dual) *Allocation {
	bound, _, _ := d.take(d.x)
	o := d.offers
	f := &filling{o: o, tolls: d.tolls(d.x), left: d.limits.remaining(), chosen: make([]int32, o.Customers())}
	f.first()
	for range fillRounds {
		if !f.better() {
			break
		}
	}
	a := &Allocation{Prices: d.prices(d.x), Chosen: f.chosen, Bound: bound, Used: make([]int, len(f.tolls))}
	for _, k := range f.chosen {
		if k >= 0 {
			a.Worth += float64(o.Worth[k])
			a.Used[o.Action[k]]++
		}
	}
	for action, n := range a.Used {
		a.Spent += float64(n) * d.limits.Cost[action]
	}
	a.Bound = max(a.Bound, a.Worth) // rounding, where nothing binds
	return a
}

// filling is an allocation in the making.
type filling struct {
	o      *Offers
	tolls  []float64
	left   *remaining
	chosen []int32
}

const (
	fillRounds = 50      // of improvement, at most
	fillMoves  = 1 << 17 // considered in a round, at most: the best ones
)

// turnOf is a customer's place in a queue.
type turnOf struct {
	key float64 // greatest first
	i   int32
}

func inTurn(a, b turnOf) int { return cmp.Or(cmp.Compare(b.key, a.key), cmp.Compare(a.i, b.i)) }

// first lets everyone take his best offer that there is room for, at the prices; who loses most by another comes first.
func (f *filling) first() {
	var queue []turnOf
	for i := range f.chosen {
		f.chosen[i] = -1
		top, second := 0.0, 0.0
		for k := f.o.At[i]; k < f.o.At[i+1]; k++ {
			if v := f.net(k); v > top {
				top, second = v, top
			} else if v > second {
				second = v
			}
		}
		if top > 0 {
			queue = append(queue, turnOf{top - second, int32(i)})
		}
	}
	slices.SortFunc(queue, inTurn)
	for _, turn := range queue {
		place, most := int32(-1), 0.0
		for k := f.o.At[turn.i]; k < f.o.At[turn.i+1]; k++ {
			if v := f.net(k); v > most && f.left.room(int(f.o.Action[k])) {
				place, most = int32(k), v
			}
		}
		if f.chosen[turn.i] = place; place >= 0 {
			f.left.take(int(f.o.Action[place]))
		}
	}
}

// net is what an offer is worth beyond its price.
func (f *filling) net(k uint32) float64 { return float64(f.o.Worth[k]) - f.tolls[f.o.Action[k]] }

// better hands out what is left: customers change to offers of more worth, the greatest gain at the prices first. It tells whether
// anyone did.
func (f *filling) better() (changed bool) {
	var moves []move
	floor := math.Inf(-1)
	for i, was := range f.chosen {
		worth, net := float32(0), 0.0
		if was >= 0 {
			worth, net = f.o.Worth[was], f.net(uint32(was))
		}
		for k := f.o.At[i]; k < f.o.At[i+1]; k++ {
			if gain := f.net(k) - net; f.o.Worth[k] > worth && gain >= floor && f.fits(was, k) {
				moves = append(moves, move{gain, int32(i), k})
			}
		}
		if len(moves) >= 2*fillMoves {
			slices.SortFunc(moves, inOrder)
			moves = moves[:fillMoves]
			floor = moves[fillMoves-1].gain
		}
	}
	slices.SortFunc(moves, inOrder)
	moved := map[int32]bool{}
	for _, m := range moves {
		was := f.chosen[m.i]
		if moved[m.i] || !f.fits(was, m.to) {
			continue
		}
		if was >= 0 {
			f.left.free(int(f.o.Action[was]))
		}
		f.left.take(int(f.o.Action[m.to]))
		f.chosen[m.i] = int32(m.to)
		moved[m.i], changed = true, true
	}
	return changed
}

// move is a change of customer i to an offer.
type move struct {
	gain float64
	i    int32
	to   uint32
}

func inOrder(a, b move) int {
	return cmp.Or(cmp.Compare(b.gain, a.gain), cmp.Compare(a.i, b.i), cmp.Compare(a.to, b.to))
}

// fits tells whether there is room for offer k once was (-1 = none) is given back.
func (f *filling) fits(was int32, k uint32) bool {
	a := int(f.o.Action[k])
	budget := f.left.budget
	if was >= 0 {
		budget += f.left.cost[f.o.Action[was]]
	}
	return f.left.left[a] > 0 && f.left.cost[a] <= budget
}
