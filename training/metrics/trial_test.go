package metrics

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
)

func TestQiniByHand(t *testing.T) {
	trial := Trial{Y: []float64{1, 0, 0, 1}, Treated: []bool{true, false, true, false}}
	// Treated 1, left alone 0, treated 0, left alone 1: Q = 1 - 0, 1 - 0·1/1, 1 - 0·2/1, 1 - 1·2/2 = 1, 1, 1, 0. Q(n) = 0, so the mean is ¾.
	near(t, "best first", trial.Rank([]float64{4, 3, 2, 1}).Qini(), 750./4, 1e-9)
	// The other way round: -1·0/1, -1·1/1, -1·1/2, 1 - 1·2/2.
	near(t, "worst first", trial.Rank([]float64{1, 2, 3, 4}).Qini(), (0-1-.5+0)/4*250, 1e-9)
	// All equal: each row brings a quarter of all sums, and Q(j) = j/4 · Q(n).
	near(t, "no order", trial.Rank([]float64{1, 1, 1, 1}).Qini(), 0, 1e-9)
	near(t, "one arm", Trial{Y: []float64{1, 0}, Treated: []bool{true, true}}.Rank([]float64{1, 2}).Qini(), math.NaN(), 0)
	near(t, "nobody", Trial{}.Rank(nil).Qini(), math.NaN(), 0)
	_, at := trial.Rank([]float64{4, 3, 2, 1}).measure([]uint8{1, 1, 1, 1}, []float64{.5, .75, 1}, make([]float64, 3))
	near(t, "uplift of half", at[0], 1, 1e-12)
	near(t, "uplift of three", at[1], .5, 1e-12)
	near(t, "uplift of all", at[2], 0, 1e-12)
}

// The figures are those of qini_sklift.py; the file names the version.
func TestQiniEqualsScikitUplift(t *testing.T) {
	blob, err := os.ReadFile("testdata/qini_sklift.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Score, E, Y    []float64
		Treated        []int
		Qini, Weighted float64
	}
	if err := json.Unmarshal(blob, &golden); err != nil {
		t.Fatal(err)
	}
	trial := Trial{Y: golden.Y, Treated: make([]bool, len(golden.Y))}
	for i, v := range golden.Treated {
		trial.Treated[i] = v == 1
	}
	near(t, "qini", trial.Rank(golden.Score).Qini(), golden.Qini, 1e-9)
	trial.Propensity = golden.E
	near(t, "with propensities", trial.Rank(golden.Score).Qini(), golden.Weighted, 1e-9)
}

// madeTrial has n customers; the effect of those with a high score is .3, that of the others 0.
func madeTrial(n int, seed uint64, effect float64) (Trial, []float64) {
	rng := rand.New(rand.NewPCG(seed, 5))
	trial, score := Trial{}, make([]float64, n)
	for i := range n {
		score[i] = rng.Float64()
		treated := rng.Float64() < .5
		p := .2
		if treated && score[i] > .5 {
			p += effect
		}
		y := 0.
		if rng.Float64() < p {
			y = 1
		}
		trial.Y, trial.Treated, trial.Customer = append(trial.Y, y), append(trial.Treated, treated), append(trial.Customer, strconv.Itoa(i))
	}
	return trial, score
}

// A draw of the bootstrap must be the Qini of the rows written out as often as they were drawn, and the interval must not depend on threads.
func TestQiniInterval(t *testing.T) {
	trial, score := madeTrial(2000, 1, .3)
	b := NewBootstrap(3, trial.Customer)
	w := make([]uint8, b.Bags())
	b.Draw(7, w)
	var again Trial
	var scores []float64
	for i, g := range b.bag {
		for range w[g] {
			again.Y, again.Treated, scores = append(again.Y, trial.Y[i]), append(again.Treated, trial.Treated[i]), append(scores, score[i])
		}
	}
	order := trial.Rank(score)
	times := make([]uint8, len(order.place))
	for k, row := range order.place {
		times[k] = w[b.bag[row]]
	}
	drawn, _ := order.measure(times, nil, nil)
	near(t, "draw", drawn, again.Rank(scores).Qini(), 1e-9)

	shares := []float64{.1, .5, 1}
	got := b.Qini([]*TrialRanking{order}, shares)
	if !(got.Interval[0] > 0 && got.Interval[0] < got.Qini && got.Qini < got.Interval[1]) {
		t.Errorf("%v in %v", got.Qini, got.Interval)
	}
	near(t, "uplift of half", float64(got.Curve[1].Uplift), .3, .06) // standard error .028
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if again := b.Qini([]*TrialRanking{order}, shares); again.Qini != got.Qini || again.Interval != got.Interval || !slices.Equal(again.Curve, got.Curve) {
		t.Error("depends on the number of threads")
	}
}

// Where nothing does anything, the interval must hold 0 as often as it says.
func TestQiniIntervalHoldsNothing(t *testing.T) {
	const trials = 60
	held := 0
	for seed := range uint64(trials) {
		trial, score := madeTrial(400, seed, 0)
		f := NewBootstrap(seed, trial.Customer).Qini([]*TrialRanking{trial.Rank(score)}, nil)
		if f.Interval[0] <= 0 && f.Interval[1] >= 0 {
			held++
		}
	}
	if held < 52 { // binomial(60, .95): 52 or fewer has a probability of 1 %
		t.Errorf("%d of %d intervals hold 0", held, trials)
	}
}

func TestWithinFolds(t *testing.T) {
	got := WithinFolds([]float64{5, 1, 1, 70, 90, 80}, []int{0, 0, 0, 1, 1, 1})
	for i, want := range []float64{2.5 / 3, 1. / 3, 1. / 3, .5 / 3, 2.5 / 3, 1.5 / 3} {
		near(t, "rank", got[i], want, 1e-12)
	}
}
