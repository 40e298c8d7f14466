package models

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"pgregory.net/rapid"
)

// world draws margins and labels whose true probability is truth(margin), n rows of customers with two rows each.
func world(n int, seed uint64, truth func(m float64) float64) (margin, y []float64, group []string) {
	rng := rand.New(rand.NewPCG(seed, 1))
	for i := range n {
		m := 2 * rng.NormFloat64()
		margin = append(margin, m)
		y = append(y, 0)
		if rng.Float64() < truth(m) {
			y[i] = 1
		}
		group = append(group, fmt.Sprint("c", i/2))
	}
	return margin, y, group
}

func TestPlattAndIsotonicEqualScikitLearn(t *testing.T) {
	b, err := os.ReadFile("testdata/calibration.json") // names the version; calibration.py made it
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Margin, Y, At, Isotonic []float64
		Slope, Intercept        float64
	}
	if err := json.Unmarshal(b, &golden); err != nil {
		t.Fatal(err)
	}
	platt := fitPlatt(golden.Margin, golden.Y)
	if math.Abs(platt.Slope-golden.Slope) > 1e-4 || math.Abs(platt.Intercept-golden.Intercept) > 1e-4 { // its L-BFGS stops there
		t.Errorf("σ(%v·m + %v), want σ(%v·m + %v)", platt.Slope, platt.Intercept, golden.Slope, golden.Intercept)
	}
	c := fitIsotonic(golden.Margin, golden.Y)
	for k, m := range golden.At {
		if got := interpolate(c.Knots, c.Values, m); math.Abs(got-golden.Isotonic[k]) > 1e-12 {
			t.Errorf("isotonic at %v: %v, want %v", m, got, golden.Isotonic[k])
		}
	}
}

// TestIsotonicByHand pools 1,0 at margins 2,3 and the two equal margins 5.
func TestIsotonicByHand(t *testing.T) {
	c := fitIsotonic([]float64{3, 1, 2, 5, 5}, []float64{0, 0, 1, 1, 0})
	for _, k := range []struct{ margin, want float64 }{
		{0, 0}, {1, 0}, {1.5, .25}, {2, .5}, {2.5, .5}, {3, .5}, {4, .5}, {5, .5}, {6, .5},
	} {
		if got := interpolate(c.Knots, c.Values, k.margin); got != k.want {
			t.Errorf("at %v: %v, want %v", k.margin, got, k.want)
		}
	}
}

func TestCalibrationKindFollowsTheRarerClass(t *testing.T) {
	shifted := func(m float64) float64 { return Sigmoid(.5*m - 1) }
	plateau := func(m float64) float64 { // far from any sigmoid
		if m < 0 {
			return .1
		}
		return .8
	}
	for _, c := range []struct {
		name  string
		rows  int
		truth func(float64) float64
		want  string
	}{
		{"49 at most: no slope", 60, shifted, CalibrationIntercept},
		{"hundreds", 2000, shifted, CalibrationPlatt},
		{"hundreds, whatever the shape", 2000, plateau, CalibrationPlatt},
		{"thousands, a sigmoid is right", 20000, shifted, CalibrationPlatt},
		{"thousands, a sigmoid is wrong", 20000, plateau, CalibrationIsotonic},
	} {
		margin, y, group := world(c.rows, 4, c.truth)
		got, err := FitCalibration(margin, y, group, 7)
		if err != nil {
			t.Fatal(err)
		}
		if got.Kind != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if err := got.Validate(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		again, _ := FitCalibration(margin, y, group, 7)
		if fmt.Sprintf("%#v", again) != fmt.Sprintf("%#v", got) {
			t.Errorf("%s: another calibration from the same rows and seed", c.name)
		}
		// Expected churners equal observed ones up to the smoothing of the targets and the clip.
		expected, observed := 0.0, 0.0
		for i, m := range margin {
			expected += got.Probability(m)
			observed += y[i]
		}
		if math.Abs(expected-observed) > 2 {
			t.Errorf("%s: %v churners expected, %v observed", c.name, expected, observed)
		}
		b, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		var back Calibration
		if err := json.Unmarshal(b, &back); err != nil || back.Probability(.3) != got.Probability(.3) {
			t.Errorf("%s: JSON brings back %+v, %v", c.name, back, err)
		}
	}
}

func TestCalibrationRecoversSlopeAndIntercept(t *testing.T) {
	margin, y, group := world(40000, 1, func(m float64) float64 { return Sigmoid(.5*m - 1) })
	c, err := FitCalibration(margin, y, group, 1)
	if err != nil {
		t.Fatal(err)
	}
	if c.Kind != CalibrationPlatt || math.Abs(c.Slope-.5) > .03 || math.Abs(c.Intercept+1) > .03 {
		t.Errorf("%s, want σ(0.5·m - 1)", c)
	}
}

func TestInterceptMatchesTheSmoothedMean(t *testing.T) {
	margin, y := []float64{-3, 0, 1, 2}, []float64{0, 0, 0, 1}
	c, err := FitCalibration(margin, y, []string{"a", "b", "c", "d"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, m := range margin {
		sum += Sigmoid(m + c.Intercept)
	}
	if want := 2./3 + 3./5; math.Abs(sum-want) > 1e-9 { // (1+1)/(1+2) once, 1/(3+2) three times
		t.Errorf("%v churners expected, want %v", sum, want)
	}
}

// TestNegativeSlopeIsHeldAtZero: margins that rank the wrong way round must not turn the ranking.
func TestNegativeSlopeIsHeldAtZero(t *testing.T) {
	margin, y, group := world(2000, 2, func(m float64) float64 { return Sigmoid(-m) })
	c, err := FitCalibration(margin, y, group, 0)
	if err != nil {
		t.Fatal(err)
	}
	if c.Slope != 0 || math.Abs(c.Probability(5)-.5) > .03 {
		t.Errorf("%s gives %v at 5", c, c.Probability(5))
	}
}

func TestOneClassStillCalibrates(t *testing.T) {
	c, err := FitCalibration([]float64{-1, 0, 1}, []float64{0, 0, 0}, []string{"a", "b", "c"}, 0)
	if err != nil || c.Validate() != nil {
		t.Fatalf("%v, %v", err, c.Validate())
	}
	if p := c.Probability(100); p != 1-1./5 {
		t.Errorf("probability %v, want it clipped to 1-1/(n+2)", p)
	}
	if p := c.Probability(-100); p != 1./5 {
		t.Errorf("probability %v, want it clipped to 1/(n+2)", p)
	}
}

func TestCalibrationRefusesBadRows(t *testing.T) {
	for name, c := range map[string]struct {
		margin, y []float64
		group     []string
	}{
		"none":          {nil, nil, nil},
		"lengths":       {[]float64{1}, []float64{1, 0}, []string{"a"}},
		"no groups":     {[]float64{1}, []float64{1}, nil},
		"NaN margin":    {[]float64{math.NaN()}, []float64{1}, []string{"a"}},
		"missing label": {[]float64{1}, []float64{math.NaN()}, []string{"a"}},
	} {
		if _, err := FitCalibration(c.margin, c.y, c.group, 0); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestProbabilityNeverFallsAndStaysInside(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 300).Draw(t, "rows")
		var margin, y []float64
		var group []string
		for i := range n {
			margin = append(margin, rapid.Float64Range(-30, 30).Draw(t, "margin"))
			y = append(y, float64(rapid.IntRange(0, 1).Draw(t, "y")))
			group = append(group, fmt.Sprint(i/3))
		}
		fitted, err := FitCalibration(margin, y, group, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []Calibration{fitted, fitPlatt(margin, y), fitIsotonic(margin, y)} {
			if err := c.Validate(); err != nil {
				t.Fatal(err)
			}
			last := 0.0
			for m := -40.0; m <= 40; m += .5 {
				p := c.Probability(m)
				if p < last || p <= 0 || p >= 1 {
					t.Fatalf("%s: %v at %v after %v", c, p, m, last)
				}
				last = p
			}
		}
	})
}
