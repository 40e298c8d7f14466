package training

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"retain/models"
	"retain/training/metrics"
)

// said is what a made-up family says of the same 4,000 rows: the true margin with noise, calibrated or not.
func said(noise, scale float64, seed uint64) *contender {
	truth := rand.New(rand.NewPCG(7, 7))
	rng := rand.New(rand.NewPCG(seed, 8))
	h := metrics.Held{Cutoff: month(2025, 1)}
	for i := range 4000 {
		m := truth.NormFloat64()
		y := 0.
		if truth.Float64() < models.Sigmoid(m) {
			y = 1
		}
		// With noise of variance v the calibrated margin shrinks by 1/(1+v).
		shown := (m + noise*rng.NormFloat64()) / (1 + noise*noise) * scale
		h.Customer = append(h.Customer, fmt.Sprint(i/2))
		h.Y = append(h.Y, y)
		h.Margin = append(h.Margin, shown)
		h.P = append(h.P, models.Sigmoid(shown))
	}
	return &contender{Held: []metrics.Held{h}}
}

func named(name string, c *contender) *contender {
	return &contender{Name: name, Held: c.Held}
}

func TestChoosePrefersTheSimpler(t *testing.T) {
	good, noisy, bad := said(0, 1, 1), said(.02, 1, 2), said(3, 1, 3)
	for _, c := range []struct {
		name  string
		field []*contender
		rarer int
		want  string
	}{
		{"linear within one error of boost", []*contender{named(familyRecency, bad), named(familyLinear, noisy), named(familyBoost, good)}, 1500, familyLinear},
		{"linear much worse", []*contender{named(familyRecency, bad), named(familyLinear, said(.8, 1, 4)), named(familyBoost, good)}, 1500, familyBoost},
		{"equal losses: the simplest", []*contender{named(familyRecency, good), named(familyLinear, good), named(familyBlend, good)}, 1500, familyRecency},
		{"boost needs 200", []*contender{named(familyRecency, bad), named(familyLinear, said(.8, 1, 4)), named(familyBoost, good)}, 199, familyLinear},
		{"all but the rule need 30", []*contender{named(familyRecency, bad), named(familyLinear, good), named(familyBoost, good)}, 29, familyRecency},
		{"the base rate stands in", []*contender{named(familyBaseRate, bad)}, 29, familyBaseRate},
		{"never the base rate else", []*contender{named(familyBaseRate, good), named(familyRecency, bad)}, 1500, familyRecency},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := choose(&tournament{Contenders: c.field}, c.rarer, 1)
			if err != nil {
				t.Fatal(err)
			}
			if got.Family.Name != c.want {
				t.Errorf("chose %s: %v", got.Family.Name, got.Verdict)
			}
		})
	}
	if _, err := choose(&tournament{}, 100, 1); err == nil {
		t.Error("nothing to choose from, and no error")
	}
}

func TestGate(t *testing.T) {
	good, old, rule := said(0, 1, 1), said(.5, 1, 2), said(2, 1, 3)
	b := metrics.NewBootstrap(1, good.Held[0].Customer)
	const young, aged = 10 * 24 * time.Hour, 40 * 24 * time.Hour
	base := challenge{Name: familyBoost, Challenger: good, Champion: old, Recency: rule, Age: young, MaxAge: 35 * 24 * time.Hour}
	half := segment{Name: "plan=pro"}
	for i := range 1000 {
		half.Rows = append(half.Rows, i)
	}
	// The challenger is better overall and far worse in the segment.
	torn := metrics.Held{Cutoff: good.Held[0].Cutoff, Customer: good.Held[0].Customer, Y: good.Held[0].Y, Margin: slices.Clone(good.Held[0].Margin), P: slices.Clone(good.Held[0].P)}
	for _, i := range half.Rows {
		torn.P[i] = .5
	}
	for _, c := range []struct {
		name   string
		change func(c *challenge)
		want   bool
		says   string
	}{
		{"better", func(*challenge) {}, true, "better at 95 %"},
		{"equal and young", func(c *challenge) { c.Challenger = old }, false, "not better at 95 %"},
		{"equal and old", func(c *challenge) { c.Challenger, c.Age = old, aged }, true, "40 days old"},
		{"another definition", func(c *challenge) { c.Challenger, c.Relabelled = old, true }, true, "another definition"},
		{"worse", func(c *challenge) { c.Challenger, c.Champion, c.Age = old, good, aged }, false, "may be worse"},
		{"not calibrated", func(c *challenge) { c.Challenger, c.Champion = said(0, 1.6, 1), said(1, 1, 5) }, false, "not calibrated"},
		{"does not beat the rule", func(c *challenge) { c.Recency = good }, false, "does not beat the recency rule"},
		{"worse in a segment", func(c *challenge) {
			c.Challenger, c.Champion, c.Segments = &contender{Held: []metrics.Held{torn}}, said(.7, 1, 6), []segment{half}
		}, false, "plan=pro"},
	} {
		t.Run(c.name, func(t *testing.T) {
			one := base
			c.change(&one)
			got := judge(one, b)
			text := strings.Join(got.Verdict, "\n")
			if got.Promote != c.want || !strings.Contains(text, c.says) {
				t.Errorf("promote %v:\n%s", got.Promote, text)
			}
		})
	}
}

// Segments pool the rows of the test cutoffs, each of which has its own codes for the levels.
func TestSegmentsOf(t *testing.T) {
	nan := float32(math.NaN())
	held := []metrics.Held{{Y: make([]float64, 3)}, {Y: make([]float64, 2)}}
	categories := [][]metrics.Category{
		{{Column: "plan", Levels: []string{"pro", "basic"}, Code: []float32{1, nan, 0}}},
		{{Column: "plan", Levels: []string{"basic"}, Code: []float32{0, nan}}},
	}
	got := fmt.Sprint(segmentsOf(held, categories))
	if want := "[{plan=basic [0 3]} {plan=pro [2]}]"; got != want {
		t.Errorf("%s instead of %s", got, want)
	}
}
