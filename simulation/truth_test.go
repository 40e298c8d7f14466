package simulation

import (
	"math"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// cases are risks and outcomes of many customers at a cutoff.
type cases struct {
	risk, left []float64
	effects    [][]float64
}

// gather runs ask for the customers of a world on all processors and joins what it adds, in the order of the customers.
func gather(customers int, ask func(index int, c *Customer, into *cases)) *cases {
	parts := make([]cases, (customers+99)/100)
	var wait sync.WaitGroup
	next := make(chan int, len(parts))
	for i := range parts {
		next <- i
	}
	close(next)
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			c := new(Customer)
			for part := range next {
				for i := 100 * part; i < min(100*part+100, customers); i++ {
					ask(i, c, &parts[part])
				}
			}
		})
	}
	wait.Wait()
	all := new(cases)
	for _, p := range parts {
		all.risk, all.left, all.effects = append(all.risk, p.risk...), append(all.left, p.left...), append(all.effects, p.effects...)
	}
	return all
}

func (c *cases) add(risk float64, left bool) {
	c.risk = append(c.risk, risk)
	y := 0.
	if left {
		y = 1
	}
	c.left = append(c.left, y)
}

// away is how many standard errors the outcomes are from the risks.
func (c *cases) away(of []int) float64 {
	var sum, variance float64
	for _, i := range of {
		p := c.risk[i]
		sum += c.left[i] - p
		variance += p * (1 - p)
	}
	return sum / math.Sqrt(variance)
}

// If nothing is done after the cutoff, the risk is what becomes of the customers: on the whole, and among those of like risk. The outcomes come from
// the customers' lives, the risks from futures of their own.
func TestRiskAgreesWithOutcomes(t *testing.T) {
	const customers, days = 10_000, 480
	for _, c := range []struct {
		name string
		day  int
		l    Label
		seed uint64
	}{
		{"first day of a week", 336, Label{HorizonDays: 91}, 11},
		{"amid a week", 320, Label{HorizonDays: 91}, 12},
		{"a short horizon", 200, Label{HorizonDays: 30}, 13},
		{"a gap and a least tenure", 250, Label{GapDays: 14, HorizonDays: 60, MinTenureDays: 90}, 14},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := mustNew(t, Options{Customers: customers, Days: days, Seed: c.seed})
			w.options.Quiet, w.quiet = w.Time(c.day), c.day
			got := gather(customers, func(index int, one *Customer, into *cases) {
				w.Live(index, one)
				truth, ok := w.Truth(one, c.day, c.l)
				left, known := w.Left(one, c.day, c.l)
				if ok && known {
					into.add(truth.Risk, left)
				}
			})
			order := make([]int, len(got.risk))
			for i := range order {
				order[i] = i
			}
			if z := got.away(order); math.Abs(z) > 3 {
				t.Errorf("outcomes are %.1f standard errors from the mean risk", z)
			}
			slices.SortFunc(order, func(a, b int) int {
				if got.risk[a] < got.risk[b] {
					return -1
				}
				return 1
			})
			// The risk is a mean over futures with a noise of its own, which the ends of the order feel: allow it a little.
			const bins = 10
			for b := range bins {
				in := order[b*len(order)/bins : (b+1)*len(order)/bins]
				if z := got.away(in); math.Abs(z) > 3.5 {
					t.Errorf("bin %d, risk %.4f to %.4f: outcomes are %.1f standard errors away", b, got.risk[in[0]], got.risk[in[len(in)-1]], z)
				}
			}
		})
	}
}

// The effect of an action is what changes when it is taken for everyone at the cutoff.
func TestEffectsAgreeWithOutcomes(t *testing.T) {
	const customers, days, day = 8_000, 420, 40 * 7
	label := Label{HorizonDays: 91}
	for _, action := range []int{0, 1, 3} {
		t.Run(actions[action].Name, func(t *testing.T) {
			w := mustNew(t, Options{Customers: customers, Days: days, Seed: 21})
			w.options.Quiet, w.quiet = w.Time(day), day
			treated := *w
			treated.everyone = &contact{day: day, action: action}
			got := gather(customers, func(index int, one *Customer, into *cases) {
				w.Live(index, one)
				truth, ok := w.Truth(one, day, label)
				if !ok {
					return
				}
				before, _ := w.Left(one, day, label)
				effects := slices.Clone(truth.Effects)
				treated.Live(index, one)
				after, _ := treated.Left(one, day, label)
				change := 0.
				switch {
				case before && !after:
					change = 1
				case after && !before:
					change = -1
				}
				into.risk = append(into.risk, change)
				into.effects = append(into.effects, effects)
			})
			var sum, square, want float64
			for i, change := range got.risk {
				d := change - got.effects[i][action]
				sum, square, want = sum+d, square+d*d, want+got.effects[i][action]
			}
			n := float64(len(got.risk))
			if z := sum / math.Sqrt(square); math.Abs(z) > 3 {
				t.Errorf("the mean effect is %.5f, outcomes are %.1f standard errors away", want/n, z)
			}
		})
	}
}

// By hand: a monthly customer with a constant hazard stays (1-h)^(days/7) days, and pays with probability 1-f at the end of each period.
func TestRiskByHand(t *testing.T) {
	const h = .01
	o := &outlook{paid: 1, failure: .005, arms: 1}
	o.segments = []segment{{0, 10, 4}, {1, 10, 3}, {1, 40, 4}, {2, 40, 7}}
	for range 3 {
		o.stay[0] = append(o.stay[0], logStay(h))
	}
	first := 1 - math.Pow(1-h, 7./7)
	second := 1 - math.Pow(1-h, 11./7)
	want := first + (1-first)*(1-.005)*second
	if got := o.leaves(0); math.Abs(got-want) > 1e-7 {
		t.Errorf("risk %.9f, want %.9f", got, want)
	}
	o.paid = .5 // the payment of a boundary at the cutoff itself works in one of two futures
	if got := o.leaves(0); math.Abs(got-want/2) > 1e-7 {
		t.Errorf("risk %.9f, want %.9f", got, want/2)
	}
	for _, h := range []float64{1e-6, .001, .0199, .02, .5, 3} {
		if got, want := logStay(h), math.Log1p(-math.Min(h, maxHazard))/7; math.Abs(got-want) > 1e-8 {
			t.Errorf("logStay(%v) = %v, want %v", h, got, want)
		}
	}
}

func TestWhoIsScored(t *testing.T) {
	p := path{start: 10, cancelled: never, end: never, optedOut: never}
	for _, c := range []struct {
		name string
		with func(*path)
		day  int
		min  int
		want bool
	}{
		{"there", func(*path) {}, 11, 0, true},
		{"begins at the cutoff", func(*path) {}, 10, 0, false},
		{"cancelled the day before", func(p *path) { p.cancelled = 29 }, 30, 0, false},
		{"cancels on the day of the cutoff", func(p *path) { p.cancelled = 30 }, 30, 0, true}, // after midnight
		{"paid until the cutoff", func(p *path) { p.end, p.failed = 30, true }, 30, 0, true},  // T ≤ ends_at
		{"paid until before", func(p *path) { p.end, p.failed = 29, true }, 30, 0, false},
		{"opted out", func(p *path) { p.optedOut = 29 }, 30, 0, false},
		{"too young", func(*path) {}, 39, 30, false},
		{"just old enough", func(*path) {}, 40, 30, true},
	} {
		q := p
		c.with(&q)
		if got := q.fate().Scored(c.day, Label{MinTenureDays: c.min}); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestWorldsOfEffects(t *testing.T) {
	const customers, day = 600, 300
	for _, effects := range []Effects{NoEffects, ProportionalEffects, MixedEffects} {
		w := mustNew(t, Options{Customers: customers, Days: 400, Seed: 5, Effects: effects})
		helped, harmed := make([]int, len(actions)), make([]int, len(actions))
		c := new(Customer)
		for i := range customers {
			w.Live(i, c)
			truth, ok := w.Truth(c, day, Label{HorizonDays: 91})
			for a := range truth.Effects {
				switch {
				case ok && truth.Effects[a] > 0:
					helped[a]++
				case ok && truth.Effects[a] < 0:
					harmed[a]++
				}
			}
			if ok && effects == ProportionalEffects && truth.Effects[0] != truth.Effects[1] {
				t.Fatalf("customer %d: two effects of the proportional world are %v and %v", i, truth.Effects[0], truth.Effects[1])
			}
		}
		for a := range actions {
			wantHelp := effects != NoEffects && a != idleAction
			wantHarm := effects == MixedEffects && (a == 0 || a == 1 || a == 3)
			if (helped[a] > 0) != wantHelp || (harmed[a] > 0) != wantHarm {
				t.Errorf("%s: %s helps %d and harms %d", effects, actions[a].Name, helped[a], harmed[a])
			}
		}
	}
}
