package metrics

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.IsNaN(got) != math.IsNaN(want) || math.Abs(got-want) > tolerance {
		t.Errorf("%s: got %.12g, want %.12g ± %g", what, got, want, tolerance)
	}
}

// The figures are those of metrics_sklearn.py; the file names the versions.
func TestMetricsEqualScikitLearn(t *testing.T) {
	blob, err := os.ReadFile("testdata/metrics_sklearn.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Cases []struct {
			Name      string    `json:"name"`
			P         []float64 `json:"p"`
			Y         []float64 `json:"y"`
			W         []float64 `json:"w"`
			AUC       float64   `json:"auc"`
			PRAUC     float64   `json:"pr_auc"`
			LogLoss   float64   `json:"log_loss"`
			Brier     float64   `json:"brier"`
			ECE       *float64  `json:"ece"`
			Slope     *float64  `json:"slope"`
			Intercept *float64  `json:"intercept"`
			EMPC      *float64  `json:"empc"`
			Bins      []struct {
				Mean     float64 `json:"mean"`
				Observed float64 `json:"observed"`
			} `json:"bins"`
		} `json:"cases"`
		Wilson []struct {
			Hits float64 `json:"hits"`
			N    float64 `json:"n"`
			Low  float64 `json:"low"`
			High float64 `json:"high"`
		} `json:"wilson"`
	}
	if err := json.Unmarshal(blob, &golden); err != nil {
		t.Fatal(err)
	}
	for _, c := range golden.Cases {
		t.Run(c.Name, func(t *testing.T) {
			near(t, "auc", AUC(c.P, c.Y, c.W), c.AUC, 1e-12)
			near(t, "average precision", AveragePrecision(c.P, c.Y, c.W), c.PRAUC, 1e-12)
			near(t, "log loss", LogLoss(c.P, c.Y, c.W), c.LogLoss, 1e-12)
			near(t, "brier", Brier(c.P, c.Y, c.W), c.Brier, 1e-12)
			if c.ECE != nil {
				near(t, "ece", ECE(c.P, c.Y), *c.ECE, 1e-12)
			}
			if c.Slope != nil {
				intercept, slope := CalibrationLine(c.P, c.Y)
				near(t, "slope", slope, *c.Slope, 1e-4) // L-BFGS stops at its own tolerance
				near(t, "intercept", intercept, *c.Intercept, 1e-4)
			}
			if c.EMPC != nil {
				near(t, "EMPC", Rank(c.P).EMPC(c.Y, DefaultProfitTerms()), *c.EMPC, 1e-6)
			}
			customers := make([]string, len(c.P))
			for i := range customers {
				customers[i] = strconv.Itoa(i)
			}
			table := ReliabilityTable(c.P, c.Y, NewBootstrap(1, customers))
			for k, bin := range c.Bins {
				near(t, "mean of the bin", float64(table[k].Mean), bin.Mean, 1e-12)
				near(t, "observed in the bin", float64(table[k].Observed), bin.Observed, 1e-12)
			}
		})
	}
	for _, c := range golden.Wilson {
		got := Wilson(c.Hits/c.N, c.N)
		near(t, "Wilson's low", float64(got[0]), c.Low, 1e-12)
		near(t, "Wilson's high", float64(got[1]), c.High, 1e-12)
	}
}

func TestTopDecileLiftSharesTies(t *testing.T) {
	for _, c := range []struct {
		name     string
		score, y []float64
		want     float64
	}{
		// k = 1, the first row is a churner: 1 / (2/10).
		{"no ties", []float64{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, []float64{1, 0, 0, 1, 0, 0, 0, 0, 0, 0}, 5},
		// k = 1 among four rows of equal score with one churner: 1/4 / (2/10).
		{"ties at the edge", []float64{9, 9, 9, 9, 5, 5, 4, 3, 2, 1}, []float64{0, 1, 0, 0, 1, 0, 0, 0, 0, 0}, 1.25},
		// k = ⌈11/10⌉ = 2: row 1 and half of the pair that holds one churner: (1 + 1/2)/2 / (2/11).
		{"eleven rows", []float64{9, 8, 8, 1, 1, 1, 1, 1, 1, 1, 1}, []float64{1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}, .75 * 11 / 2},
		{"all equal", make([]float64, 20), []float64{1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 1},
		{"one class", []float64{1, 2, 3}, []float64{0, 0, 0}, math.NaN()},
	} {
		t.Run(c.name, func(t *testing.T) { near(t, "lift", TopDecileLift(c.score, c.y), c.want, 1e-12) })
	}
}

func TestOneClassIsUndefined(t *testing.T) {
	f := Measure([]float64{1, 1}, []float64{0, 1}, []float64{.5, .6})
	blob, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	var back map[string]*float64
	if err := json.Unmarshal(blob, &back); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"auc", "pr_auc", "top_decile_lift"} {
		if v, ok := back[name]; !ok || v != nil {
			t.Errorf("%s of one class is %v, want null", name, v)
		}
	}
	if back["log_loss"] == nil {
		t.Error("log loss of one class is defined")
	}
}

// bruteAUC compares every pair.
func bruteAUC(s, y []float64) float64 {
	var won, pairs float64
	for i := range s {
		for j := range s {
			if y[i] > y[j] {
				pairs++
				switch {
				case s[i] > s[j]:
					won++
				case s[i] == s[j]:
					won += .5
				}
			}
		}
	}
	return won / pairs
}

func TestAUCProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 40).Draw(t, "n")
		s, y, up := make([]float64, n), make([]float64, n), make([]float64, n)
		for i := range s {
			s[i] = float64(rapid.IntRange(-4, 4).Draw(t, "s"))
			y[i] = float64(rapid.IntRange(0, 1).Draw(t, "y"))
			up[i] = math.Exp(s[i]/2) + 3
		}
		y[0], y[1] = 0, 1
		auc := AUC(s, y, nil)
		if brute := bruteAUC(s, y); math.Abs(auc-brute) > 1e-12 {
			t.Fatalf("%g differs from the pairs' %g", auc, brute)
		}
		if AUC(up, y, nil) != auc {
			t.Fatal("changes under a monotone map")
		}
		// A weight of two is the row twice.
		twice := append(slices.Clone(s), s[0])
		w := make([]float64, n)
		for i := range w {
			w[i] = 1
		}
		w[0] = 2
		if a, b := AUC(s, y, w), AUC(twice, append(slices.Clone(y), y[0]), nil); math.Abs(a-b) > 1e-12 {
			t.Fatalf("weight 2 gives %g, the row twice %g", a, b)
		}
	})
}

func TestECEByHand(t *testing.T) {
	// Twenty rows, two a bin: p in pairs .05, .15, …; y = 1 for the upper half. |gap| of the five lower bins: .05 .15 .25 .35 .45, the
	// upper ones mirror them: 2(.05+.15+.25+.35+.45)/10 = .25.
	var p, y []float64
	for b := range 10 {
		v := .05 + .1*float64(b)
		p = append(p, v, v)
		hit := 0.
		if b >= 5 {
			hit = 1
		}
		y = append(y, hit, hit)
	}
	near(t, "ece", ECE(p, y), .25, 1e-12)
	// A constant probability is one bin, whatever the order of the rows.
	constant := slices.Repeat([]float64{.3}, 20)
	near(t, "constant", ECE(constant, y), .2, 1e-12)
	rand.New(rand.NewPCG(1, 1)).Shuffle(20, func(a, b int) { y[a], y[b] = y[b], y[a] })
	near(t, "constant, shuffled", ECE(constant, y), .2, 1e-12)
}

// calibrated draws n probabilities and labels that are true to them.
func calibrated(n int, seed uint64) (p, y []float64, customer []string) {
	rng := rand.New(rand.NewPCG(seed, 1))
	for i := range n {
		v := .02 + .6*rng.Float64()*rng.Float64()
		hit := 0.
		if rng.Float64() < v {
			hit = 1
		}
		p, y, customer = append(p, v), append(y, hit), append(customer, strconv.Itoa(i/2))
	}
	return p, y, customer
}

func TestProofOfCalibration(t *testing.T) {
	p, y, customer := calibrated(8000, 3)
	b := NewBootstrap(1, customer)
	good := Prove(p, y, b)
	if !good.Pass || good.ECE > good.NoiseBand*1.3 {
		t.Errorf("true probabilities do not pass: %+v", good)
	}
	over := make([]float64, len(p))
	for i, v := range p {
		over[i] = min(1.5*v, .99)
	}
	bad := Prove(over, y, b)
	if bad.Pass || bad.OEInterval[1] >= 1 {
		t.Errorf("1.5 times too high passes: %+v", bad)
	}
	flat := Prove(slices.Repeat([]float64{Sum(y) / float64(len(y))}, len(y)), y, b)
	if !flat.Pass || !math.IsNaN(float64(flat.Slope)) {
		t.Errorf("the base rate is calibrated and has no slope: %+v", flat)
	}
	near(t, "noise band is seeded", ECENoiseBand(p, 5), ECENoiseBand(p, 5), 0)
}

func TestPoolWeighsByPositives(t *testing.T) {
	one := Held{Customer: []string{"a", "b", "c", "d"}, Y: []float64{1, 1, 1, 0}, Margin: []float64{4, 3, 2, 1}, P: []float64{.9, .8, .7, .2}} // AUC 1
	two := Held{Customer: []string{"a", "b", "c"}, Y: []float64{1, 0, 0}, Margin: []float64{1, 2, 0}, P: []float64{.3, .4, .2}}                // AUC ½
	none := Held{Customer: []string{"a"}, Y: []float64{0}, Margin: []float64{1}, P: []float64{.1}}                                             // undefined
	got := Pool("x", []Held{one, two, none}, 1)
	near(t, "auc", float64(got.Pooled.AUC), (3*1+1*.5)/4, 1e-12)
	want := LogLoss(slices.Concat(one.P, two.P, none.P), slices.Concat(one.Y, two.Y, none.Y), nil)
	near(t, "log loss", float64(got.Pooled.LogLoss), want, 1e-15)
	if got.Pooled.Rows != 8 || got.Pooled.Positives != 4 {
		t.Errorf("%d rows, %d positives", got.Pooled.Rows, got.Pooled.Positives)
	}
	near(t, "third fold", float64(got.Folds[2].AUC), math.NaN(), 0)
}
