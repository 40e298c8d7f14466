package actions

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize/convex/lp"
	"pgregory.net/rapid"
)

// offersOf packs worth[i][a]; NaN = no offer.
func offersOf(worth [][]float64) Offers {
	o := Offers{At: []uint32{0}}
	for _, row := range worth {
		for a, v := range row {
			if !math.IsNaN(v) {
				o.Action, o.Worth = append(o.Action, uint8(a)), append(o.Worth, float32(v))
			}
		}
		o.At = append(o.At, uint32(len(o.Action)))
	}
	return o
}

// within tells what of an allocation breaks its limits or contradicts itself.
func within(o Offers, l Limits, a *Allocation) error {
	used := make([]int, len(l.Capacity))
	var worth, spent float64
	for i, k := range a.Chosen {
		if k < 0 {
			continue
		}
		if uint32(k) < o.At[i] || uint32(k) >= o.At[i+1] {
			return fmt.Errorf("customer %d has the offer of another", i)
		}
		used[o.Action[k]]++
		worth += float64(o.Worth[k])
		spent += l.Cost[o.Action[k]]
	}
	for action, n := range used {
		if l.Capacity[action] >= 0 && n > l.Capacity[action] {
			return fmt.Errorf("action %d: %d of %d", action, n, l.Capacity[action])
		}
	}
	switch {
	case spent > l.Budget*(1+1e-9)+1e-9:
		return fmt.Errorf("spent %v of %v", spent, l.Budget)
	case !slices.Equal(used, a.Used) || math.Abs(spent-a.Spent) > 1e-6*max(1, spent) || math.Abs(worth-a.Worth) > 1e-6*max(1, math.Abs(worth)):
		return fmt.Errorf("used %v, spent %v, worth %v; told %v, %v, %v", used, spent, worth, a.Used, a.Spent, a.Worth)
	case a.Bound < a.Worth*(1-1e-9):
		return fmt.Errorf("bound %v is below the worth %v", a.Bound, a.Worth)
	}
	return nil
}

// exhaustive is the worth of the best allocation, by trying all.
func exhaustive(o Offers, l Limits) float64 {
	left := l.remaining()
	var try func(i int) float64
	try = func(i int) float64 {
		if i == o.Customers() {
			return 0
		}
		most := try(i + 1)
		for k := o.At[i]; k < o.At[i+1]; k++ {
			a := int(o.Action[k])
			if !left.room(a) {
				continue
			}
			left.take(a)
			most = max(most, float64(o.Worth[k])+try(i+1))
			left.free(a)
		}
		return most
	}
	return try(0)
}

// relaxed is the optimum of the linear relaxation by the simplex method: the dual's minimum, by strong duality.
func relaxed(t interface{ Fatal(...any) }, o Offers, l Limits) float64 {
	var rows [][]float64
	var b []float64
	n := len(o.Action)
	row := func(of func(k int) float64, limit float64) {
		r := make([]float64, n)
		for k := range r {
			r[k] = of(k)
		}
		rows, b = append(rows, r), append(b, limit)
	}
	for i := range o.Customers() {
		row(func(k int) float64 { return float64(b2i(uint32(k) >= o.At[i] && uint32(k) < o.At[i+1])) }, 1)
	}
	for a, c := range l.Capacity {
		if c >= 0 {
			row(func(k int) float64 { return float64(b2i(int(o.Action[k]) == a)) }, float64(c))
		}
	}
	if !math.IsInf(l.Budget, 1) {
		row(func(k int) float64 { return l.Cost[o.Action[k]] }, l.Budget)
	}
	m := len(rows)
	a := mat.NewDense(m, n+m, nil)
	c := make([]float64, n+m)
	for r := range rows {
		for k, v := range rows[r] {
			a.Set(r, k, v)
		}
		a.Set(r, n+r, 1) // slack
	}
	for k := range n {
		c[k] = -float64(o.Worth[k])
	}
	basis := make([]int, m)
	for r := range basis {
		basis[r] = n + r
	}
	best, _, err := lp.Simplex(c, a, b, 1e-10, basis)
	if err != nil {
		t.Fatal(err)
	}
	return -best
}

func TestAllocateByHand(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		name   string
		worth  [][]float64
		limits Limits
		want   []int // action per customer; -1 = nothing
	}{
		{"no limits: everyone's best", [][]float64{{3, 5}, {4, 1}, {-1, -2}}, Limits{[]int{-1, -1}, []float64{1, 1}, inf}, []int{1, 0, -1}},
		{"one place goes to who gains most by it", [][]float64{{9, 8}, {7, 2}}, Limits{[]int{1, -1}, []float64{0, 0}, inf}, []int{1, 0}},
		{"no place at all", [][]float64{{9}, {7}}, Limits{[]int{0}, []float64{0}, inf}, []int{-1, -1}},
		{"no budget, and what costs nothing", [][]float64{{9, 2}, {7, nan}}, Limits{[]int{-1, -1}, []float64{5, 0}, 0}, []int{1, -1}},
		{"the budget buys the greatest worth, not the first", [][]float64{{2}, {9}, {3}}, Limits{[]int{-1}, []float64{10}, 20}, []int{-1, 0, 0}},
		{"density misleads: the dear one is worth all the money", [][]float64{{10, 1.5}}, Limits{[]int{-1, -1}, []float64{10, 1}, 10}, []int{0}},
		{"three equals for two places each", [][]float64{{10, 10}, {10, 10}, {10, 10}}, Limits{[]int{1, 1}, []float64{0, 0}, inf}, []int{0, 1, -1}},
		{"nobody", nil, Limits{[]int{1}, []float64{0}, 3}, []int{}},
		{"nothing is worth doing", [][]float64{{-1}, {0}}, Limits{[]int{1}, []float64{0}, 3}, []int{-1, -1}},
	} {
		o := offersOf(c.worth)
		a, err := Allocate(t.Context(), o, c.limits)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if err := within(o, c.limits, a); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		got := []int{}
		for _, k := range a.Chosen {
			if k < 0 {
				got = append(got, -1)
			} else {
				got = append(got, int(o.Action[k]))
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v (%+v)", c.name, got, c.want, a)
		}
	}
}

func TestAllocateRefuses(t *testing.T) {
	good := offersOf([][]float64{{1}})
	for name, c := range map[string]struct {
		o Offers
		l Limits
	}{
		"columns of two lengths":     {Offers{At: []uint32{0, 1}, Action: []uint8{0}}, Limits{[]int{1}, []float64{0}, 1}},
		"no customers' column":       {Offers{}, Limits{[]int{1}, []float64{0}, 1}},
		"an action twice":            {Offers{[]uint32{0, 2}, []uint8{0, 0}, []float32{1, 2}}, Limits{[]int{1}, []float64{0}, 1}},
		"an unknown action":          {Offers{[]uint32{0, 1}, []uint8{3}, []float32{1}}, Limits{[]int{1}, []float64{0}, 1}},
		"a worth that is no number":  {Offers{[]uint32{0, 1}, []uint8{0}, []float32{float32(math.NaN())}}, Limits{[]int{1}, []float64{0}, 1}},
		"a cost below 0":             {good, Limits{[]int{1}, []float64{-1}, 1}},
		"a budget that is no number": {good, Limits{[]int{1}, []float64{1}, math.NaN()}},
		"costs of other actions":     {good, Limits{[]int{1}, nil, 1}},
		"offers that run backwards":  {Offers{[]uint32{0, 2, 1}, []uint8{0}, []float32{1}}, Limits{[]int{1}, []float64{0}, 1}},
	} {
		if _, err := Allocate(t.Context(), c.o, c.l); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// The dual's minimum is the optimum of the linear relaxation, which bounds the best allocation, which bounds ours.
func TestAllocateAgainstExact(t *testing.T) {
	var ours, optimum float64
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		n, m := 1+rng.IntN(7), 1+rng.IntN(3)
		worth := make([][]float64, n)
		for i := range worth {
			worth[i] = make([]float64, m)
			for a := range worth[i] {
				worth[i][a] = 100*rng.Float64() - 20
				if rng.IntN(4) == 0 {
					worth[i][a] = math.NaN()
				}
			}
		}
		l := Limits{Budget: math.Inf(1)}
		for range m {
			l.Capacity, l.Cost = append(l.Capacity, rng.IntN(n+1)-1), append(l.Cost, 30*rng.Float64())
		}
		if rng.IntN(2) == 0 {
			l.Budget = 40 * float64(n) * rng.Float64() / 2
		}
		o := offersOf(worth)
		a, err := Allocate(t.Context(), o, l)
		if err != nil {
			t.Fatal(err)
		}
		if err := within(o, l, a); err != nil {
			t.Fatal(err)
		}
		whole, _, _ := newDual(&o, &l).take(make([]float64, len(newDual(&o, &l).x))) // if nothing were scarce
		if exact := relaxed(t, o, l); a.Bound < exact-1e-4 || a.Bound > exact+.001*whole+1e-4 {
			t.Fatalf("bound %v, the relaxation's optimum is %v", a.Bound, exact)
		}
		most := exhaustive(o, l)
		if a.Worth > most+1e-4 || most > a.Bound+1e-4 {
			t.Fatalf("worth %v, best %v, bound %v", a.Worth, most, a.Bound)
		}
		ours, optimum = ours+a.Worth, optimum+most
	})
	if ours < .97*optimum {
		t.Errorf("over all problems %.1f of %.1f", ours, optimum)
	}
	t.Logf("%.2f %% of the best", 100*ours/optimum)
}

// market is a run's worth of offers: values are log-normal, effects differ by customer and action, some actions are scarce.
func market(n int, seed uint64, learned bool) (Offers, Limits) {
	rng := rand.New(rand.NewPCG(seed, 2))
	const m = 20
	effect, l := make([]float64, m), Limits{Budget: 1.2 * float64(n)}
	for a := range m {
		effect[a] = .002 + .04*rng.Float64()
		capacity := -1
		if a%2 == 0 {
			capacity = max(1, int(float64(n)*.02*rng.Float64()))
		}
		l.Capacity, l.Cost = append(l.Capacity, capacity), append(l.Cost, 25*rng.Float64()*rng.Float64())
	}
	o := Offers{At: []uint32{0}}
	for range n {
		value := math.Exp(6.5 + rng.NormFloat64())
		for a := range m {
			if rng.IntN(3) > 0 {
				continue
			}
			e := effect[a]
			if learned {
				e += .02 * rng.NormFloat64()
			}
			o.Action, o.Worth = append(o.Action, uint8(a)), append(o.Worth, float32(e*value-l.Cost[a]))
		}
		o.At = append(o.At, uint32(len(o.Action)))
	}
	return o, l
}

// byDensity is the usual greedy: the offer of the greatest worth for its cost first.
func byDensity(o Offers, l Limits) (worth float64) {
	type item struct {
		density float64
		i       int
		k       uint32
	}
	var items []item
	for i := range o.Customers() {
		for k := o.At[i]; k < o.At[i+1]; k++ {
			if o.Worth[k] > 0 {
				items = append(items, item{float64(o.Worth[k]) / (l.Cost[o.Action[k]] + .01), i, k})
			}
		}
	}
	slices.SortFunc(items, func(a, b item) int { return cmp.Compare(b.density, a.density) })
	left, served := l.remaining(), make([]bool, o.Customers())
	for _, x := range items {
		if a := int(o.Action[x.k]); !served[x.i] && left.room(a) {
			left.take(a)
			served[x.i] = true
			worth += float64(o.Worth[x.k])
		}
	}
	return worth
}

func TestAllocateGap(t *testing.T) {
	for _, c := range []struct {
		n       int
		learned bool
		budget  float64 // of the market's
	}{{300, true, 1}, {3000, false, 1}, {3000, true, .1}, {50_000, false, .3}, {50_000, true, 1}, {50_000, true, math.Inf(1)}} {
		o, l := market(c.n, 5, c.learned)
		l.Budget *= c.budget
		a, err := Allocate(t.Context(), o, l)
		if err != nil {
			t.Fatal(err)
		}
		if err := within(o, l, a); err != nil {
			t.Error(err)
		}
		greedy := byDensity(o, l)
		t.Logf("%d customers, learned %v, budget × %v: worth %.0f, bound %.0f, gap %.3f %%; by density %.0f (%.1f %% less), ν %.3f",
			c.n, c.learned, c.budget, a.Worth, a.Bound, 100*a.Gap(), greedy, 100*(1-greedy/a.Worth), a.Budget)
		if a.Gap() > .02 {
			t.Errorf("%+v: gap %.4f", c, a.Gap())
		}
		if greedy > a.Worth {
			t.Errorf("%+v: by density %.0f, more than %.0f", c, greedy, a.Worth)
		}
	}
}

func TestAllocateOnAnyThreads(t *testing.T) {
	o, l := market(30_000, 9, true)
	var want *Allocation
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	for _, threads := range []int{1, 2, 7} {
		runtime.GOMAXPROCS(threads)
		got, err := Allocate(t.Context(), o, l)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = got
		}
		if d := gocmp.Diff(want, got); d != "" {
			t.Fatalf("%d threads:\n%s", threads, d)
		}
	}
}

func BenchmarkAllocate(b *testing.B) {
	o, l := market(1_000_000, 1, true)
	b.ReportAllocs()
	for b.Loop() {
		a, err := Allocate(b.Context(), o, l)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(100*a.Gap(), "%gap")
	}
}
