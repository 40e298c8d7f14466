package metrics

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// The metrics of a draw are those of the rows repeated as often as they weigh.
func TestDrawEqualsRepetition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "n")
		score, y, bag := make([]float64, n), make([]float64, n), make([]uint16, n)
		w := make([]uint8, rapid.IntRange(1, 12).Draw(t, "bags"))
		for g := range w {
			w[g] = uint8(rapid.IntRange(0, 3).Draw(t, "w"))
		}
		var rows, labels, weights []float64
		for i := range score {
			score[i] = float64(rapid.IntRange(0, 8).Draw(t, "score"))
			y[i] = float64(rapid.IntRange(0, 1).Draw(t, "y"))
			bag[i] = uint16(rapid.IntRange(0, len(w)-1).Draw(t, "bag"))
			weights = append(weights, float64(w[bag[i]]))
			for range w[bag[i]] {
				rows, labels = append(rows, score[i]), append(labels, y[i])
			}
		}
		shares := []int{0, 100, 330, 1000}
		var s scratch
		positives := Rank(score).lay(y, bag).measure(w, &s, shares)
		r := Rank(rows)
		auc := r.AUC(labels, nil)
		if math.IsNaN(auc) {
			if positives != 0 {
				t.Fatal("one class is measured")
			}
			return
		}
		same := func(what string, got, want float64) {
			if math.Abs(got-want) > 1e-12 || math.IsNaN(got) != math.IsNaN(want) {
				t.Fatalf("%s: %v, of the rows repeated %v", what, got, want)
			}
		}
		if int(positives) != Positives(labels) {
			t.Fatalf("%v positives", positives)
		}
		same("AUC", s.figures[ofAUC], auc)
		same("AUC by weights", s.figures[ofAUC], Rank(score).AUC(y, weights))
		same("average precision", s.figures[ofPrecision], r.AveragePrecision(labels, nil))
		for k, share := range shares {
			top := (share*len(rows) + 999) / 1000
			at := s.figures[ofShares+perShare*k:]
			same("recall", at[0], r.RecallAt(labels, top))
			same("precision", at[1], r.PrecisionAt(labels, top))
			same("lift", at[2], r.LiftAt(labels, top))
		}
		same("top-decile lift", s.figures[ofShares+perShare+2], r.TopDecileLift(labels))
		same("EMPC", DefaultProfitTerms().empc(rocHull(s.curve)), r.EMPC(labels, DefaultProfitTerms()))
	})
}

// season is held-out rows of several test cutoffs of the same customers, whose probabilities are true but for a factor on the log-odds.
func season(customers, cutoffs int, slope float64, seed uint64) []Held {
	rng := rand.New(rand.NewPCG(seed, 7))
	out := make([]Held, cutoffs)
	for c := range customers {
		lasting := rng.NormFloat64()
		for k := range out {
			z := -1.5 + lasting + .5*rng.NormFloat64()
			y := 0.
			if rng.Float64() < 1/(1+math.Exp(-z)) {
				y = 1
			}
			h := &out[k]
			h.Customer, h.Y = append(h.Customer, "c"+strconv.Itoa(c)), append(h.Y, y)
			h.Margin, h.P = append(h.Margin, z), append(h.P, 1/(1+math.Exp(-slope*z)))
		}
	}
	return out
}

func TestPoolIntervals(t *testing.T) {
	terms := DefaultProfitTerms()
	held := season(1500, 3, 1, 2)
	o := Pooling{Seed: 3, Curves: true, Profit: &terms}
	both := PoolAll([]Entrant{{"one", held}, {"two", held}}, o)
	pooled := both[0].Pooled
	for _, c := range []struct {
		name  string
		at    Figure
		in    Interval
		width float64
	}{
		// Hanley & McNeil's standard error of the AUC of 4,500 rows, a fifth of them positive, is about .009.
		{"AUC", pooled.AUC, pooled.AUCInterval, .036},
		{"average precision", pooled.PRAUC, pooled.PRAUCInterval, .06},
		{"log loss", pooled.LogLoss, pooled.LogLossInterval, .035},
		{"Brier", pooled.Brier, pooled.BrierInterval, .012},
		{"lift", pooled.TopDecileLift, pooled.TopDecileLiftInterval, .45},
		{"observed/expected", pooled.Calibration.ObservedExpected, pooled.Calibration.OEInterval, .13},
		{"slope", pooled.Calibration.Slope, pooled.Calibration.SlopeInterval, .16},
		{"EMPC", pooled.Profit.EMPC, pooled.Profit.EMPCInterval, 2},
	} {
		if !(c.in[0] < c.at && c.at < c.in[1]) || math.Abs(float64(c.in[1]-c.in[0])/c.width-1) > .5 {
			t.Errorf("%s: %v in %v, whose width should be about %v", c.name, c.at, c.in, c.width)
		}
	}
	if !pooled.Calibration.Pass {
		t.Errorf("true probabilities do not pass: %+v", pooled.Calibration)
	}
	written := func(f ModelFigures) string {
		f.Name = ""
		blob, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		return string(blob)
	}
	if written(both[0]) != written(both[1]) {
		t.Error("the same rows under another name have other figures")
	}
	alone := Pool("one", held, 3)
	if alone.Pooled.AUCInterval != pooled.AUCInterval || alone.Pooled.Calibration != pooled.Calibration || alone.Pooled.AUC != pooled.AUC {
		t.Error("figures depend on what else is measured")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if single := PoolAll([]Entrant{{"one", held}}, o); written(single[0]) != written(both[0]) {
		t.Error("figures depend on the number of threads")
	}
}

// About 95 % of the intervals hold what is true, though the rows of a customer hang together: seasons whose cutoffs' labels agree within a customer.
func TestCoverage(t *testing.T) {
	const seasons = 200
	var oe, slope, auc, loss float64
	truth := Pool("", season(60_000, 1, 1, 1), 1).Pooled
	holds := func(v Figure, in Interval) float64 {
		if in[0] <= v && v <= in[1] {
			return 1. / seasons
		}
		return 0
	}
	for k := range seasons {
		held := season(400, 1, 1, uint64(1000+k))
		got := Pool("", slices.Repeat(held, 2), 7).Pooled // each row twice
		oe += holds(1, got.Calibration.OEInterval)
		slope += holds(1, got.Calibration.SlopeInterval)
		auc += holds(truth.AUC, got.AUCInterval)
		loss += holds(truth.LogLoss, got.LogLossInterval)
	}
	for name, share := range map[string]float64{"observed/expected": oe, "slope": slope, "AUC": auc, "log loss": loss} {
		if share < .90 || share > .985 {
			t.Errorf("%s: %.3f of the intervals hold the truth, want about .95", name, share)
		}
	}
}

func TestCoarseCurve(t *testing.T) {
	h := season(20_000, 1, 1, 3)[0]
	b := NewBootstrap(1, h.Customer)
	var fine scratch
	coarse := scratch{coarse: true}
	r := Rank(h.Margin).lay(h.Y, b.bag)
	w := make([]uint8, b.Bags())
	b.Draw(1, w)
	r.measure(w, &fine, nil)
	r.measure(w, &coarse, nil)
	terms := DefaultProfitTerms()
	want := terms.empc(rocHull(fine.curve))
	near(t, "EMPC", terms.empc(rocHull(coarse.curve)), want, 1e-3*want)
	near(t, "EMPC of the ranking", Rank(h.Margin).EMPC(h.Y, terms), want, .1*want)
}

func TestPoolGains(t *testing.T) {
	held := season(400, 2, 1, 9)
	held = append(held, Held{Customer: []string{"none"}, Y: []float64{0}, Margin: []float64{1}, P: []float64{.2}}) // one class: no figure
	g := Pool("x", held, 1)
	if g.Pooled.Gains != nil || g.Pooled.Bins != nil {
		t.Error("curves that were not asked for")
	}
	g = PoolAll([]Entrant{{"x", held}}, Pooling{Seed: 1, Curves: true})[0]
	points := g.Pooled.Gains
	if points[0].Recall != 0 || points[0].Rows != 0 || points[0].Lift.Defined() {
		t.Errorf("nobody contacted: %+v", points[0])
	}
	last := points[len(points)-1]
	if last.Share != 1 || last.Recall != 1 || last.Lift != 1 || last.Rows != 801 || last.RecallInterval != (Interval{1, 1}) {
		t.Errorf("everybody contacted: %+v", last)
	}
	tenth := points[slices.IndexFunc(points, func(p GainPoint) bool { return p.Share == .1 })]
	if tenth.Lift != g.Pooled.TopDecileLift || tenth.LiftInterval != g.Pooled.TopDecileLiftInterval || tenth.Rows != 81 {
		t.Errorf("%+v, the top-decile lift is %v in %v", tenth, g.Pooled.TopDecileLift, g.Pooled.TopDecileLiftInterval)
	}
	var found, positives float64
	for _, h := range held[:2] {
		found += Rank(h.Margin).TruePositives(h.Y, 40)
		positives += float64(Positives(h.Y))
	}
	near(t, "recall weighted by positives is that of all", float64(tenth.Recall), found/positives, 1e-12)
	for k := 1; k < len(points); k++ {
		if points[k].Recall < points[k-1].Recall {
			t.Errorf("recall falls from %v to %v", points[k-1], points[k])
		}
	}
	tenths := Tenths(points)
	near(t, "the first tenth", float64(tenths[0]), float64(tenth.Lift), .05) // 81 of 801 rows
	sum := 0.
	for _, v := range tenths {
		sum += float64(v)
	}
	near(t, "the tenths' mean lift is 1", sum/10, 1, .02)
	if Tenths(points[:5]) != nil {
		t.Error("tenths without their points")
	}
}

// BenchmarkPool measures one family on a million rows of four test cutoffs.
func BenchmarkPool(b *testing.B) {
	held := season(250_000, 4, 1, 1)
	terms := DefaultProfitTerms()
	for _, families := range []int{1, 4} {
		b.Run(fmt.Sprint(families), func(b *testing.B) {
			entrants := slices.Repeat([]Entrant{{"x", held}}, families)
			for b.Loop() {
				PoolAll(entrants, Pooling{Seed: 1, Curves: true, Profit: &terms})
			}
		})
	}
}
