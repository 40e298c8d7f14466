package offpolicy

import (
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"retain/features"
)

func near(t *testing.T, what string, got, want, by float64) {
	t.Helper()
	if !(math.Abs(got-want) <= by) {
		t.Errorf("%s = %v, want %v ± %v", what, got, want, by)
	}
}

// Five choices by hand: w = q/p = 2, .5, 1, 0, 2.
func byHand() (*Log, Policy) {
	l := &Log{Actions: []string{"a", "b"}, Action: []int32{0, 1, 0, 1, 0}, Reward: []float64{1, 0, 3, 5, 2}, Propensity: []float64{.25, .5, .5, .5, .25}}
	return l, Policy{Chosen: []float64{.5, .25, .5, 0, .5}}
}

func TestByHand(t *testing.T) {
	l, p := byHand()
	e, err := Evaluate(t.Context(), l, p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "SNIPS", e.SNIPS.Value, (2*1+3+2*2)/5.5, 1e-12)
	near(t, "IPS", e.IPS.Value, 9./5, 1e-12)
	near(t, "logged", e.Logged.Value, 11./5, 1e-12)
	near(t, "gain", e.SNIPS.Gain.Value, 9/5.5-11./5, 1e-12)
	near(t, "ESS", e.ESS, 5.5*5.5/(4+.25+1+4), 1e-12)
	near(t, "mean weight", e.MeanWeight, 1.1, 1e-12)
	// Σ(w-1.1)² = .81+.36+.01+1.21+.81 = 3.2
	near(t, "allowed", e.Allowed, 3*math.Sqrt(3.2/4/5), 1e-12)
	near(t, "largest", e.Largest, 2, 0)
	near(t, "its share", e.LargestShare, 2/5.5, 1e-12)
	if !math.IsNaN(e.DoublyRobust.Value) || !math.IsNaN(e.DoublyRobust.Gain.High) {
		t.Errorf("doubly robust without the probabilities of all actions: %v, want undefined", e.DoublyRobust)
	}
}

// The doubly robust estimate against its formula written out: with one reward per action whatever the customer, μ̂ is the shrunk mean per action of the
// other folds, and without a reward that varies it is that reward.
func TestDoublyRobust(t *testing.T) {
	l, p := world{rand.New(rand.NewPCG(3, 3))}.log(400, 1)
	for i := range l.Reward {
		l.Reward[i] = 7
	}
	e, err := Evaluate(t.Context(), l, p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "doubly robust of a constant", e.DoublyRobust.Value, 7, 1e-9)
	near(t, "its se", e.DoublyRobust.SE, 0, 1e-9)

	l, p = world{rand.New(rand.NewPCG(3, 4))}.log(600, 1)
	o := Options{Folds: 3, Reward: LinearReward, Seed: 5}
	q, err := p.chosen(l)
	if err != nil {
		t.Fatal(err)
	}
	w := weights(l, q)
	got, err := robustTerms(t.Context(), l, p, w, o)
	if err != nil {
		t.Fatal(err)
	}
	parts := folds(l, o)
	for k, held := range parts {
		var train []int
		for j, part := range parts {
			if j != k {
				train = append(train, part...)
			}
		}
		m, err := learnReward(t.Context(), l, slices.Sorted(slices.Values(train)), rewardChoices{rewardScale(l.Reward), o, uint64(k)})
		if err != nil {
			t.Fatal(err)
		}
		all := make([]float64, len(l.Actions))
		for _, i := range held[:20] {
			p.Each(all, i)
			want := 0.
			for a := range all {
				x, err := m.encoding.Apply(l.X.Take([]int{i}))
				if err != nil {
					t.Fatal(err)
				}
				mu, err := m.expect(x, l.Actions, []int{0}, a)
				if err != nil {
					t.Fatal(err)
				}
				want += all[a] * mu[0]
				if int(l.Action[i]) == a {
					want += w[i] * (l.Reward[i] - mu[0])
				}
			}
			near(t, "term", got[i], want, 1e-9)
		}
	}
}

// A good model of the reward makes the doubly robust estimate surer than the others, for rewards of any size too, and both families come near the truth.
func TestDoublyRobustIsSurer(t *testing.T) {
	truth := world{rand.New(rand.NewPCG(1, 1))}.truth()
	l, p := world{rand.New(rand.NewPCG(8, 1))}.log(6000, 1)
	for i := range l.Reward {
		l.Reward[i] = 100 + 20*l.Reward[i] // money
		l.Reward[i] += float64(5 * (i%3 - 1))
	}
	truth = 100 + 20*truth
	for _, family := range RewardModels {
		e, err := Evaluate(t.Context(), l, p, Options{Reward: family, Draws: 200})
		if err != nil {
			t.Fatal(err)
		}
		near(t, string(family), e.DoublyRobust.Value, truth, 3*e.DoublyRobust.SE)
		near(t, "SNIPS", e.SNIPS.Value, truth, 3*e.SNIPS.SE)
		if e.DoublyRobust.SE > .97*e.SNIPS.SE || e.SNIPS.SE > e.IPS.SE {
			t.Errorf("%s: standard errors %v doubly robust, %v SNIPS, %v IPS: want them rising", family, e.DoublyRobust.SE, e.SNIPS.SE, e.IPS.SE)
		}
	}
}

func TestSameOnAnyNumberOfThreads(t *testing.T) {
	l, p := world{rand.New(rand.NewPCG(2, 1))}.log(1000, 4)
	var first *Evaluation
	for _, threads := range []int{1, 5} {
		old := runtime.GOMAXPROCS(threads)
		e, err := Evaluate(t.Context(), l, p, Options{Seed: 9, Draws: 100, Reward: BoostReward})
		runtime.GOMAXPROCS(old)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = e
		} else if !reflect.DeepEqual(e, first) {
			t.Errorf("on %d threads %+v, on one %+v", threads, e, first)
		}
	}
	other, err := Evaluate(t.Context(), l, p, Options{Seed: 10, Draws: 100})
	if err != nil {
		t.Fatal(err)
	}
	if other.SNIPS.SE == first.SNIPS.SE {
		t.Error("another seed gives the same draws")
	}
}

// Rows of one customer hang together: redrawn as strangers they would seem surer than they are.
func TestCustomersAreRedrawnWhole(t *testing.T) {
	l, p := byHand()
	const times = 40
	many := &Log{Actions: l.Actions, Customer: []string{}}
	var chosen []float64
	for i := range l.Action {
		for range times {
			many.Action, many.Reward, many.Propensity = append(many.Action, l.Action[i]), append(many.Reward, l.Reward[i]), append(many.Propensity, l.Propensity[i])
			many.Customer, chosen = append(many.Customer, "c"+string(rune('a'+i))), append(chosen, p.Chosen[i])
		}
	}
	w := make([]float64, len(chosen))
	for i := range w {
		w[i] = chosen[i] / many.Propensity[i]
	}
	se := func(l *Log) float64 {
		b := newBags(l, w, nil, 1)
		return b.errors(nil, b.total(nil))[snips]
	}
	whole := se(many)
	many.Customer = nil
	near(t, "se of five customers / se of 200 strangers", whole/se(many), math.Sqrt(times), 1e-9)
}

func TestRefusals(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	// log takes action a with probability p[a], and writes down written[a].
	log := func(n int, p, written []float64) *Log {
		l := &Log{Actions: []string{"nothing", "mail", "call"}}
		for range n {
			a, u := 0, rng.Float64()
			for a < 2 && u >= p[a] {
				u -= p[a]
				a++
			}
			l.Action, l.Propensity, l.Reward = append(l.Action, int32(a)), append(l.Propensity, written[a]), append(l.Reward, float64(a%2))
		}
		return l
	}
	always := func(q ...float64) Policy { return Policy{Each: func(dst []float64, _ int) { copy(dst, q) }} }
	even := []float64{1. / 3, 1. / 3, 1. / 3}
	rare := []float64{.989, .001, .01}
	none := []float64{.5, .5, 0}
	cases := []struct {
		name   string
		log    *Log
		policy Policy
		reason Reason
		words  []string
	}{
		{"an action that the log never takes", log(1000, none, none), always(.4, .3, .3), NoSupport, []string{"call", "1000 rows", "30 %", "explored"}},
		{"an action that a stratum never takes", func() *Log {
			l := log(1000, even, even)
			l.Strata, l.Stratum = []string{"position 1", "position 2"}, make([]int32, 1000)
			for i, a := range l.Action {
				l.Stratum[i] = int32(i % 2)
				if a == 2 {
					l.Stratum[i] = 0
				}
			}
			return l
		}(), always(.4, .3, .3), NoSupport, []string{"call"}},
		{"an action whose logged propensity is 0 for some", func() *Log {
			l := log(1000, even, even)
			l.Each = func(dst []float64, row int) {
				copy(dst, even)
				if row < 10 {
					dst[1] = 0
				}
			}
			return l
		}(), always(.4, .3, .3), NoSupport, []string{"mail (10 rows"}},
		{"a taken action with propensity 0", func() *Log { l := log(1000, even, even); l.Propensity[3] = 0; return l }(), Policy{Chosen: fill(1000, .3)}, NoSupport, []string{"1 rows"}},
		{"policies that differ too much", log(40_000, rare, rare), always(.01, .98, .01), FewRows, []string{"at least 5 % are needed", "exploration"}},
		{"propensities of another policy", log(5000, []float64{.2, .4, .4}, even), always(.8, .1, .1), WrongWeight, []string{"weights average", "1 ±", "propensity is that of the action taken"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e, err := Evaluate(t.Context(), c.log, c.policy, Options{Draws: 10})
			var refused *RefusedError
			if !errors.As(err, &refused) {
				t.Fatalf("err = %v, want a refusal", err)
			}
			if e == nil || e.Rows != c.log.Rows() {
				t.Error("the diagnostics are missing")
			}
			for _, r := range Refusals(err) {
				if r.Reason != c.reason {
					continue
				}
				for _, w := range c.words {
					if !strings.Contains(r.Message, w) {
						t.Errorf("%q does not say %q", r.Message, w)
					}
				}
				return
			}
			t.Errorf("refused for %v, want %s", refused.Refusals, c.reason)
		})
	}
	if _, err := Evaluate(t.Context(), log(1000, even, even), always(.4, .3, .3), Options{Draws: 10}); err != nil {
		t.Errorf("an honest log is refused: %v", err)
	}
}

func fill(n int, v float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = v
	}
	return out
}

func TestWrongArguments(t *testing.T) {
	for name, spoil := range map[string]func(*Log, *Policy){
		"at least 2":      func(l *Log, _ *Policy) { l.Action = l.Action[:1] },
		"rewards":         func(l *Log, _ *Policy) { l.Reward = l.Reward[:2] },
		"reward of row 2": func(l *Log, _ *Policy) { l.Reward[2] = math.NaN() },
		"propensity of row 1": func(l *Log, _ *Policy) {
			l.Propensity[1] = 1.5
		},
		"row 0 has action 4":       func(l *Log, _ *Policy) { l.Action[0] = 4 },
		"either as":                func(_ *Log, p *Policy) { p.Each = func([]float64, int) {} },
		"sum to 0.5":               func(_ *Log, p *Policy) { *p = Policy{Each: func(dst []float64, _ int) { dst[0], dst[1] = .5, 0 }} },
		"new policy's probability": func(_ *Log, p *Policy) { p.Chosen[0] = -.1 },
		"another number of rows":   func(l *Log, _ *Policy) { l.X = &features.Matrix{Schema: make(features.Schema, 1), X: [][]float32{{1}}} },
		"can be told apart":        func(l *Log, _ *Policy) { l.Actions = make([]string, MaxActions+1) },
	} {
		l, p := byHand()
		spoil(l, &p)
		if _, err := Evaluate(t.Context(), l, p, Options{}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("err = %v, want it to say %q", err, name)
		}
	}
}

func TestStanding(t *testing.T) {
	of := func(low, high float64) Estimate { return Estimate{Gain: Interval{(low + high) / 2, 1, low, high}} }
	for _, c := range []struct {
		snips, dr Estimate
		want      Standing
	}{
		{of(.1, .2), of(.05, .3), Better}, {of(.1, .2), of(-.05, .3), Unknown}, {of(-.3, -.2), of(-.3, -.1), Worse}, {of(.1, .2), Estimate{undefined, undefined}, Better},
	} {
		if got := (&Evaluation{SNIPS: c.snips, DoublyRobust: c.dr}).Standing(); got != c.want {
			t.Errorf("SNIPS %v, doubly robust %v: %s, want %s", c.snips.Gain, c.dr.Gain, got, c.want)
		}
	}
}

// BenchmarkEvaluate judges a million choices of four actions.
func BenchmarkEvaluate(b *testing.B) {
	l, p := world{rand.New(rand.NewPCG(2, 1))}.log(1_000_000, 2)
	for b.Loop() {
		if _, err := Evaluate(b.Context(), l, p, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
