package linear

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"gonum.org/v1/gonum/diff/fd"

	"retain/features"
	"retain/models/modelstest"
)

// TestCoefficientsEqualScikitLearn compares with LogisticRegression(solver="saga"); golden.json names the version, golden.py made it.
func TestCoefficientsEqualScikitLearn(t *testing.T) {
	b, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		X      [][]float32
		Level  []float32
		Y      []float64
		Weight []float64
		Fits   []struct {
			Lam       float64
			Alpha     float64
			Weighted  bool
			Coef      []float64
			Intercept float64
		}
	}
	if err := json.Unmarshal(b, &golden); err != nil {
		t.Fatal(err)
	}
	schema := features.Schema{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "level", Kind: features.Categorical, Levels: []string{"0", "1", "2"}}}
	for _, want := range golden.Fits {
		d := &features.Dataset{X: &features.Matrix{Schema: schema, X: append(append([][]float32{}, golden.X...), golden.Level)}, Y: golden.Y}
		if want.Weighted {
			d.Weight = golden.Weight
		}
		z := newDesign(d, 0)
		s := newSolver(z, d)
		got, err := s.solve(t.Context(), s.all(), s.start(), nil, penalty{want.Lam, want.Alpha}, fitTolerance)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want.Coef)+1 {
			t.Fatalf("%d coefficients, want %d", len(got), len(want.Coef)+1)
		}
		intercept := got[0]
		for k, w := range want.Coef {
			if math.Abs(got[k+1]-w) > 1e-5 {
				t.Errorf("λ %v, α %v: coefficient %d is %.7f, want %.7f", want.Lam, want.Alpha, k, got[k+1], w)
			}
			if z.terms[k].indicator {
				intercept -= got[k+1] * z.terms[k].centre // scikit-learn's levels are not centred
			}
		}
		if math.Abs(intercept-want.Intercept) > 1e-5 {
			t.Errorf("λ %v, α %v: intercept %.7f, want %.7f", want.Lam, want.Alpha, intercept, want.Intercept)
		}
	}
}

func TestGradientAndHessianMatchFiniteDifferences(t *testing.T) {
	d := modelstest.Data(3, 150)
	d.Weight = make([]float64, d.Rows())
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range d.Weight {
		d.Weight[i] = .5 + rng.Float64()
	}
	s := newSolver(newDesign(d, 2), d)
	b := make([]float64, len(s.z.terms)+1)
	for j := range b {
		b[j] = .3 * rng.NormFloat64()
	}
	rows := s.all()
	loss := func(b []float64) float64 { return s.walk(rows, b).loss }
	at := s.walk(rows, b)
	for j, want := range fd.Gradient(nil, loss, b, &fd.Settings{Formula: fd.Central}) {
		if math.Abs(at.gradient[j]-want) > 1e-6 {
			t.Errorf("gradient %d is %v, by differences %v", j, at.gradient[j], want)
		}
	}
	h := s.hessian(rows, b, 1)
	for j := range b {
		up, down := append([]float64{}, b...), append([]float64{}, b...)
		up[j] += 1e-5
		down[j] -= 1e-5
		gu, gd := s.walk(rows, up).gradient, s.walk(rows, down).gradient
		for l := range b {
			if want := (gu[l] - gd[l]) / 2e-5; math.Abs(h[j*len(b)+l]-want) > 1e-6 {
				t.Errorf("second derivative %d, %d is %v, by differences %v", j, l, h[j*len(b)+l], want)
			}
		}
	}
}

// TestSampledHessianReachesTheMinimum takes enough rows that the Hessian is sampled.
func TestSampledHessianReachesTheMinimum(t *testing.T) {
	d := modelstest.Data(5, 3*minSample)
	s := newSolver(newDesign(d, 5), d)
	for _, p := range []penalty{{.001, .5}, {.05, 1}, {.01, 0}} {
		b, err := s.solve(t.Context(), s.all(), s.start(), nil, p, fitTolerance)
		if err != nil {
			t.Fatal(err)
		}
		if v := p.violation(s.walk(s.all(), b).gradient, b); v >= fitTolerance {
			t.Errorf("%+v: optimality conditions violated by %v", p, v)
		}
	}
}

// TestExpandingAnewIsTheSame: the rows of a design too great to be kept give the same fit.
func TestExpandingAnewIsTheSame(t *testing.T) {
	d := modelstest.Data(6, 300)
	s := newSolver(newDesign(d, 3), d)
	if s.z.ready == nil {
		t.Fatal("300 rows are not kept")
	}
	p := penalty{.01, .5}
	want, err := s.solve(t.Context(), s.all(), s.start(), nil, p, fitTolerance)
	if err != nil {
		t.Fatal(err)
	}
	s.z.ready = nil
	got, err := s.solve(t.Context(), s.all(), s.start(), nil, p, fitTolerance)
	if err != nil {
		t.Fatal(err)
	}
	for j := range want {
		if got[j] != want[j] {
			t.Errorf("coefficient %d is %v, with kept rows %v", j, got[j], want[j])
		}
	}
}

func TestPenaltyOrdersModels(t *testing.T) {
	d := modelstest.Data(2, 500)
	s := newSolver(newDesign(d, 3), d)
	last := math.Inf(1)
	for _, lambda := range []float64{.001, .01, .1, 10} {
		b, err := s.solve(t.Context(), s.all(), s.start(), nil, penalty{lambda, 1}, fitTolerance)
		if err != nil {
			t.Fatal(err)
		}
		used := 0.0
		for _, v := range b[1:] {
			if v != 0 {
				used++
			}
		}
		if used > last {
			t.Errorf("λ %v uses %v terms, more than the %v of a smaller one", lambda, used, last)
		}
		last = used
	}
	if last != 0 {
		t.Errorf("a penalty of 10 leaves %v terms", last)
	}
}

func TestDesign(t *testing.T) {
	nan := float32(math.NaN())
	x := &features.Matrix{
		Schema: features.Schema{{Name: "even"}, {Name: "skewed"}, {Name: "constant"}, {Name: "gone"},
			{Name: "level", Kind: features.Categorical, Levels: []string{"a", "b", "unused"}}},
		X: [][]float32{
			{0, 1, 2, 3, 4, 5, 6, nan},
			{0, 0, 0, 1, 1, 2, 3, 1000},
			{7, 7, 7, 7, 7, 7, 7, 7},
			{nan, nan, nan, nan, nan, nan, nan, nan},
			{0, 0, 0, 1, 1, 1, nan, nan},
		},
	}
	z := newDesign(&features.Dataset{X: x, Y: []float64{0, 1, 0, 1, 0, 1, 0, 1}}, 1)
	type seen struct {
		feature   int
		indicator bool
		level     int
		knot      float64
	}
	var got []seen
	for _, f := range z.terms {
		got = append(got, seen{f.feature, f.indicator, f.level, f.knot})
	}
	want := []seen{
		{0, false, 0, 0}, {0, false, 0, 3}, {0, true, missingLevel, 0}, // the line, one hinge at the median, missing
		{1, false, 0, 0}, {1, false, 0, math.Log(2)},
		{4, true, 0, 0}, {4, true, 1, 0}, {4, true, missingLevel, 0}, // no row shows "unused"
	}
	if len(got) != len(want) {
		t.Fatalf("terms %+v, want %+v", got, want)
	}
	for k := range want {
		if got[k] != want[k] && math.Abs(got[k].knot-want[k].knot) > 1e-12 {
			t.Errorf("term %d is %+v, want %+v", k, got[k], want[k])
		}
	}
	if z.scales[0].log || !z.scales[1].log {
		t.Errorf("log scales: %v, %v; want only the skewed column on one", z.scales[0].log, z.scales[1].log)
	}
	if got := z.scales[0].at(nan); got != 3 {
		t.Errorf("a missing value counts as %v, want the mean 3", got)
	}
	if got := z.scales[0].at(99); got != 6 {
		t.Errorf("99 counts as %v, want the training maximum 6", got)
	}
	// Every term has the mean 0 over the training rows, and hinges the standard deviation 1.
	sum, square := make([]float64, len(z.terms)+1), make([]float64, len(z.terms)+1)
	row := make([]float64, len(z.terms)+1)
	for i := range 8 {
		z.fill(row, i)
		for k, v := range row {
			sum[k] += v / 8
			square[k] += v * v / 8
		}
	}
	for k, f := range z.terms {
		if math.Abs(sum[k+1]) > 1e-6 || !f.indicator && math.Abs(square[k+1]-1) > 1e-6 {
			t.Errorf("term %d has mean %v and mean square %v", k, sum[k+1], square[k+1])
		}
	}
}
