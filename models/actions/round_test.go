package actions

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// manyActions is a catalogue of n actions beside nothing and a duty, every second one of them scarce.
func manyActions(t testing.TB, n, capacity int) *Catalogue {
	t.Helper()
	var text strings.Builder
	text.WriteString("version: 1\nactions:\n" + nothing + "  - {id: answer, title: A, channel: ticket, class: service, message: Hi, prior: {mean: 0.05, sd: 0.02}}\n")
	for k := range n {
		fmt.Fprintf(&text, "  - {id: a%d, title: A, channel: email, class: marketing, message: Hi, contact_cost: %v, prior: {mean: %v, sd: %v}", k, 1+k%7, .01+.002*float64(k), .01+.001*float64(k%5))
		if k%2 == 0 {
			fmt.Fprintf(&text, ", capacity: %d", capacity)
		}
		text.WriteString("}\n")
	}
	e, err := Parse([]byte(text.String()), nil)
	if err != nil {
		t.Fatal(err)
	}
	return e.Catalogue
}

// crowd is a round of n customers with log-normal values, a third of the actions possible for each, some with a duty waiting.
func crowd(c *Catalogue, n int, seed uint64) *Round {
	rng := rand.New(rand.NewPCG(seed, 3))
	r := &Round{Catalogue: c, RunID: fmt.Sprint("run ", seed), Cutoff: now, Share: .1, Explore: true,
		Customer: make([]string, n), Eligible: make([]uint64, n), Value: make([]float64, n), Pressure: make([]float64, n)}
	answer := c.Index("answer")
	for i := range n {
		r.Customer[i] = fmt.Sprintf("customer %d", i)
		r.Value[i] = math.Exp(6.5 + rng.NormFloat64())
		if rng.IntN(20) == 0 {
			r.Value[i] = math.NaN()
		}
		r.Pressure[i] = rng.Float64()
		for a := range c.Actions {
			if a == c.Index(DoNothing) || a == answer && rng.IntN(30) == 0 || a != answer && rng.IntN(3) == 0 {
				r.Eligible[i] |= 1 << a
			}
		}
	}
	return r
}

// sound tells what is wrong with the turns of a round.
func sound(r *Round, t *Turns) error {
	c := r.Catalogue
	used := make([]int, len(c.Actions))
	var spent float64
	p := make([]float64, len(c.Actions))
	limits := c.Limits(r.Budget)
	for i, id := range r.Customer {
		chosen := t.Chosen(i)
		used[chosen]++
		spent += limits.Cost[chosen]
		t.Propensities(p, i)
		var sum float64
		for a, x := range p {
			sum += x
			if x > 0 && t.Open(i)&(1<<a) == 0 {
				return fmt.Errorf("%s: %s is not open and has %v", id, c.Actions[a].ID, x)
			}
		}
		if math.Abs(sum-1) > 1e-9 {
			return fmt.Errorf("%s: propensities sum to %v", id, sum)
		}
		if p[chosen] == 0 || t.Open(i)&(1<<chosen) == 0 {
			return fmt.Errorf("%s: %s was chosen with %v", id, c.Actions[chosen].ID, p[chosen])
		}
		if HeldOut(id, r.Cutoff, r.Share) && c.Withheld(chosen) {
			return fmt.Errorf("%s: held out, and got %s", id, c.Actions[chosen].ID)
		}
	}
	for a, n := range used {
		if limits.Capacity[a] >= 0 && n > limits.Capacity[a] {
			return fmt.Errorf("%s: %d of %d", c.Actions[a].ID, n, limits.Capacity[a])
		}
		if n != t.Used[a] {
			return fmt.Errorf("%s: %d used, %d told", c.Actions[a].ID, n, t.Used[a])
		}
	}
	if spent > limits.Budget*(1+1e-9) {
		return fmt.Errorf("spent %v of %v", spent, limits.Budget)
	}
	return nil
}

func TestRound(t *testing.T) {
	c := manyActions(t, 12, 90)
	for _, explore := range []bool{true, false} {
		for _, budget := range []*float64{nil, new(1500.), new(0.)} {
			r := crowd(c, 5000, 4)
			r.Explore, r.Budget = explore, budget
			turns, err := r.Decide(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := sound(r, turns); err != nil {
				t.Errorf("explore %v, budget %v: %v", explore, budget, err)
			}
			if turns.Gap() > .02 {
				t.Errorf("gap %.4f", turns.Gap())
			}
			if budget != nil && *budget == 0 && turns.Spent != 0 {
				t.Errorf("spent %v of nothing", turns.Spent)
			}
			var worth float64
			for i := range r.Customer {
				if terms, _ := turns.Terms(i, turns.Chosen(i)); turns.duties&(1<<turns.Chosen(i)) == 0 {
					if w := terms.Priority; math.IsNaN(r.Value[i]) {
						worth += w * turns.Rate
					} else {
						worth += w
					}
				}
			}
			if !explore && math.Abs(worth-turns.Planned) > 1e-4*turns.Planned {
				t.Errorf("budget %v: the turns are worth %.2f, the plan %.2f", budget, worth, turns.Planned)
			}
			t.Logf("explore %v: worth %.0f, plan %.0f, bound %.0f, spent %.0f, ν %.3f, μ %.2f", explore, worth, turns.Planned, turns.Bound, turns.Spent, turns.MoneyPrice, turns.Prices)
		}
	}
}

// A scarce place goes to who gains most by it, whoever has his turn first.
func TestPricesKeepPlacesForTheWorthy(t *testing.T) {
	e, err := Parse([]byte("version: 1\nactions:\n"+nothing+
		"  - {id: call, title: A, channel: phone, class: service, proactive: true, message: Hi, capacity: 50, contact_cost: 5, prior: {mean: 0.05, sd: 0.001}}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &Round{Catalogue: e.Catalogue, RunID: "r", Cutoff: now, Explore: true, Customer: make([]string, 1000), Eligible: make([]uint64, 1000), Value: make([]float64, 1000), Pressure: make([]float64, 1000)}
	for i := range 1000 {
		r.Customer[i], r.Eligible[i], r.Value[i] = fmt.Sprint(i), 3, float64(200+10*i)
	}
	turns, err := r.Decide(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// By hand: the 50 most worthy begin at 9700, so μ lies between what the 50th and the 51st gain: .05·9690-5 and .05·9700-5.
	if mu := turns.Prices[1]; mu < 479.4 || mu > 480.1 {
		t.Errorf("μ = %v", mu)
	}
	if turns.Used[1] < 40 {
		t.Errorf("%d calls of 50", turns.Used[1])
	}
	var poor int
	for i := range 900 {
		poor += turns.Chosen(i)
	}
	if poor > 18 { // the floor of 1 % gives 9 ± 3
		t.Errorf("%d calls to those worth less than the price", poor)
	}
}

func TestRoundOnAnyThreads(t *testing.T) {
	c := manyActions(t, 12, 60)
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	for _, explore := range []bool{true, false} {
		r := crowd(c, 20_000, 8)
		r.Explore, r.Budget = explore, new(20_000.)
		var want *Turns
		for _, threads := range []int{1, 2, 7} {
			runtime.GOMAXPROCS(threads)
			got, err := r.Decide(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = got
			}
			for name, pair := range map[string][2]any{"chosen": {want.chosen, got.chosen}, "epoch": {want.epoch, got.epoch}, "propensity": {want.propensity, got.propensity}, "scarcity": {want.Scarcity, got.Scarcity}} {
				if d := gocmp.Diff(pair[0], pair[1]); d != "" {
					t.Fatalf("%d threads, %s:\n%s", threads, name, d)
				}
			}
		}
	}
}

// Over many runs of the same customers, what is chosen comes with the logged probability: the mean of (chosen - propensity) is 0
// within its error, for each action, and so is its sum weighted by anything known before.
func TestLoggedPropensitiesAreFrequencies(t *testing.T) {
	c := manyActions(t, 6, 25)
	const runs, n = 60, 1500
	m := len(c.Actions)
	p := make([]float64, m)
	off, variance := make([]float64, m), make([]float64, m)
	byWeight := make([]float64, m)
	weighted := make([]float64, m)
	r := crowd(c, n, 1)
	r.Budget = new(2500.)
	for run := range runs {
		r.RunID = fmt.Sprint("seed ", run)
		turns, err := r.Decide(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			turns.Propensities(p, i)
			if HeldOut(r.Customer[i], r.Cutoff, r.Share) {
				continue // of those in the programme: P(a | not held out)
			}
			w := r.Pressure[i] - .5
			for a, x := range p {
				if a == turns.nothing {
					if x > 0 { // else a duty waits
						x = (x - r.Share) / (1 - r.Share)
					}
				} else if turns.duties&(1<<a) == 0 {
					x /= 1 - r.Share
				}
				d := float64(b2i(turns.Chosen(i) == a)) - x
				off[a] += d
				variance[a] += x * (1 - x)
				weighted[a] += w * d
				byWeight[a] += w * w * x * (1 - x)
			}
		}
	}
	for a := range off {
		for name, z := range map[string]float64{"share": off[a] / math.Sqrt(variance[a]+1e-12), "by pressure": weighted[a] / math.Sqrt(byWeight[a]+1e-12)} {
			if math.Abs(z) > 3.5 {
				t.Errorf("%s, %s: %.1f standard errors from the logged propensity", c.Actions[a].ID, name, z)
			}
		}
	}
}

func TestTurnsTellWhatWasShut(t *testing.T) {
	c := manyActions(t, 4, 3)
	r := crowd(c, 400, 2)
	r.Budget = new(30.)
	turns, err := r.Decide(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	for i := range r.Customer {
		for shut := r.Eligible[i] &^ turns.Open(i); shut != 0; shut &= shut - 1 {
			said[turns.Shut(i, bits.TrailingZeros64(shut))] = true
		}
	}
	if !said["capacity: 3 a day are spoken for"] || !said["budget: what is left of it does not pay for one more"] || len(said) != 2 {
		t.Errorf("%v", said)
	}
}

func TestRoundRefuses(t *testing.T) {
	r := crowd(manyActions(t, 2, 1), 10, 1)
	r.Value = r.Value[:9]
	if _, err := r.Decide(t.Context()); err == nil {
		t.Error("columns of two lengths")
	}
}

// 1 M customers × 20 actions: prices, propensities and draw.
func BenchmarkRound(b *testing.B) {
	c := manyActions(b, 18, 5000)
	r := crowd(c, 1_000_000, 1)
	r.Budget = new(1_000_000.)
	b.ReportAllocs()
	for b.Loop() {
		t, err := r.Decide(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(100*t.Gap(), "%gap")
	}
}

// The whole decision for 1 M customers with the shipped catalogue: rules, contact policy, prices, propensities and draw, in key
// ranges of 8192 customers as a run does it.
func BenchmarkDecision(b *testing.B) {
	const n, known = 1_000_000, 20_000
	e := shipped(b)
	m := len(e.Catalogue.Actions)
	rng := rand.New(rand.NewPCG(1, 1))
	columns := &FeatureColumns{X: make([][]float32, len(e.Features)), Levels: make([][]string, len(e.Features))}
	for _, place := range e.Used() {
		columns.X[place] = make([]float32, known)
		for i := range columns.X[place] {
			columns.X[place][i] = float32(rng.ExpFloat64())
			if rng.IntN(5) == 0 {
				columns.X[place][i] = float32(math.NaN())
			}
		}
	}
	place := e.Features
	for k := range place { // of the size of what they stand for
		if x := columns.X[k]; x != nil {
			for i := range x {
				if strings.HasSuffix(place[k].Name, "_days") {
					x[i] *= 100
				}
			}
		}
	}
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("customer %d", i)
	}
	b.ReportAllocs()
	for b.Loop() {
		r := &Round{Catalogue: e.Catalogue, RunID: "run", Cutoff: now, Share: .05, Explore: true, Budget: new(200_000.), Customer: ids,
			Eligible: make([]uint64, n), Value: make([]float64, n), Pressure: make([]float64, n)}
		blocks(n, func(block, lo, hi int) {
			rng := rand.New(rand.NewPCG(uint64(block), 5))
			reasons := make([]string, m)
			for i := lo; i < hi; i++ {
				p := rng.Float64()
				band := []string{"low", "low", "low", "low", "low", "low", "low", "medium", "medium", "high"}[int(10*p)]
				c := &Customer{Facts: Facts{Status: "scored", Probability: p / 3, Band: band, Percentile: 1 + int(99*p), Value: math.Exp(6 + rng.NormFloat64()),
					OldestTicketDays: math.NaN(), Stage: []string{"onboarding", "engagement", "retention", "loyalty"}[rng.IntN(4)], Features: columns, Row: i % known}}
				history := []Contact{{At: now.AddDate(0, 0, -rng.IntN(60)), Channel: "email", Class: Marketing}, {At: now.AddDate(0, 0, -rng.IntN(60)), Channel: "phone", Class: Service}}
				r.Eligible[i], r.Value[i] = e.Consider(reasons, c, history, now), c.Value
				r.Pressure[i] = e.Catalogue.Policy.Pressure(history, now)
			}
		})
		t, err := r.Decide(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		var options float64
		for _, mask := range r.Eligible {
			options += float64(bits.OnesCount64(mask))
		}
		b.ReportMetric(100*t.Gap(), "%gap")
		b.ReportMetric(options/n, "options/customer")
	}
}
