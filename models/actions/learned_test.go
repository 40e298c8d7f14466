package actions

import (
	"math"
	"testing"
)

func TestShrunk(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		name     string
		prior    Effect
		by       Estimate
		mean, sd float64 // by hand
	}{
		{"nothing learned", Effect{.035, .025}, nothingLearned, .035, .025},
		{"no sd in the catalogue", Effect{.05, 0}, nothingLearned, .05, .05},
		{"a prior near 0 is no certainty", Effect{.001, 0}, nothingLearned, .001, .02},
		// s₀ = .04, se = .02: (.1/.0004 + .04/.0016) / (1/.0004 + 1/.0016) = (250 + 25) / 3125
		{"half as uncertain as the prior", Effect{.04, .025}, Estimate{.1, .02}, .088, 1 / math.Sqrt(3125)},
		// s₀ = .02, though the catalogue explores with .002: (-.02/.0004 + .002/.0004) / (2/.0004) = -.009
		{"a narrow sd binds the draw, not the learning", Effect{.002, .002}, Estimate{-.02, .02}, -.009, .002},
		{"a wide sd lets the data speak", Effect{.01, .1}, Estimate{.05, .1}, .03, .1 / math.Sqrt2},
		{"a very uncertain estimate is none", Effect{.03, .015}, Estimate{.9, 1e6}, .03, .015},
		{"an SE of 0 is none", Effect{.03, .015}, Estimate{.9, 0}, .03, .015},
		{"an infinite SE is none", Effect{.03, .015}, Estimate{.9, float32(math.Inf(1))}, .03, .015},
		{"a mean that is missing is none", Effect{.03, .015}, Estimate{nan, .1}, .03, .015},
		{"a mean that is no difference of probabilities is none", Effect{.03, .015}, Estimate{1.5, .1}, .03, .015},
	} {
		mean, sd := c.prior.shrunk(c.by)
		if math.Abs(mean-c.mean) > 1e-6 || math.Abs(sd-c.sd) > 1e-6 {
			t.Errorf("%s: %v ± %v, want %v ± %v", c.name, mean, sd, c.mean, c.sd)
		}
	}
}

func TestLearned(t *testing.T) {
	var none *Learned
	if none.Of(1, 0).known() || none.Source(1, 0) != SourcePrior {
		t.Error("nothing is learned where there is nothing")
	}
	l := &Learned{Actions: [][]Estimate{nil, {{.05, .01}, nothingLearned}, {{.05, .01}, {.01, .01}}}, Events: []int{0, 100, 99}}
	for _, c := range []struct {
		action, row int
		known       bool
		source      string
	}{
		{0, 0, false, SourcePrior},
		{1, 0, true, SourceLearned},
		{1, 1, false, SourcePrior},  // nothing for this customer
		{1, -1, false, SourcePrior}, // not scored
		{2, 0, true, SourcePrior},   // 99 events: shrunk, and not yet called learned
		{3, 0, false, SourcePrior},  // the catalogue has grown since
	} {
		if got := l.Of(c.action, c.row).known(); got != c.known {
			t.Errorf("action %d, row %d: known %v", c.action, c.row, got)
		}
		if got := l.Source(c.action, c.row); got != c.source {
			t.Errorf("action %d, row %d: %s, want %s", c.action, c.row, got, c.source)
		}
	}
	c := shipped(t).Catalogue
	i := c.Index("save_call")
	if got := c.TermsOf(i, learnedOf(c, i, Estimate{.1, .02}), 0, 1000, 0); math.Abs(got.Uplift-.088) > 1e-6 || math.Abs(got.Priority-(88-15)) > 1e-3 {
		t.Errorf("%+v", got)
	}
}

// learnedOf is one estimate of an action, for row 0.
func learnedOf(c *Catalogue, action int, e Estimate) *Learned {
	l := &Learned{Actions: make([][]Estimate, len(c.Actions)), Settled: make([]bool, len(c.Actions))}
	l.Actions[action] = []Estimate{e}
	return l
}

// An estimate that holds the prior already is not shrunk again; the catalogue still bounds how widely is explored.
func TestSettledEstimatesAreTakenAsTheyAre(t *testing.T) {
	c := shipped(t).Catalogue
	i := c.Index("save_call")
	l := learnedOf(c, i, Estimate{-.1, .5})
	l.Settled[i] = true
	got := c.TermsOf(i, l, 0, 1000, 0)
	if math.Abs(got.Uplift+.1) > 1e-6 || math.Abs(got.SD-1000*c.Actions[i].Prior.deviation()) > 1e-9 {
		t.Errorf("%+v", got)
	}
	if none := c.TermsOf(i, l, -1, 1000, 0); none.Uplift != c.Actions[i].Prior.Mean {
		t.Errorf("nothing learned of the row: %+v", none)
	}
}
