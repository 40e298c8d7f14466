package linear

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"gonum.org/v1/gonum/diff/fd"

	"retain/features"
	"retain/models"
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
		s := expand(t, d, 0)
		got, err := s.solve(t.Context(), s.start(), penalty{want.Lam, want.Alpha}, fitTolerance)
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
			if s.z.terms[k].indicator {
				intercept -= got[k+1] * s.z.terms[k].centre // scikit-learn's levels are not centred
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
	s := expand(t, d, 2)
	b := make([]float64, len(s.z.terms)+1)
	every := make([]int32, len(b))
	for j := range b {
		b[j] = .3 * rng.NormFloat64()
		every[j] = int32(j)
	}
	loss := func(b []float64) float64 { return s.walk(b).loss }
	at := s.walk(b)
	for j, want := range fd.Gradient(nil, loss, b, &fd.Settings{Formula: fd.Central}) {
		if math.Abs(at.gradient[j]-want) > 1e-6 {
			t.Errorf("gradient %d is %v, by differences %v", j, at.gradient[j], want)
		}
	}
	// The coordinates come in two batches, the second out of order.
	h := s.newSteering(b, len(b), 1)
	h.extend(every[3:9])
	h.extend(every)
	for j := range b {
		up, down := append([]float64{}, b...), append([]float64{}, b...)
		up[j] += 1e-5
		down[j] -= 1e-5
		gu, gd := s.walk(up).gradient, s.walk(down).gradient
		for l := range b {
			got := h.h[h.place[j]][h.place[l]]
			if want := (gu[l] - gd[l]) / 2e-5; math.Abs(got-want) > 1e-6 {
				t.Errorf("second derivative %d, %d is %v, by differences %v", j, l, got, want)
			}
		}
	}
}

// TestSumsOverBucketsAreThoseOverTerms compares margins, loss and gradient with the terms' values added up one by one.
func TestSumsOverBucketsAreThoseOverTerms(t *testing.T) {
	d := modelstest.Data(8, 3*chunk)
	d.Weight = make([]float64, d.Rows())
	rng := rand.New(rand.NewPCG(2, 2))
	for i := range d.Weight {
		d.Weight[i] = .5 + rng.Float64()
	}
	s := expand(t, d, 4)
	b := make([]float64, len(s.z.terms)+1)
	for j := range b {
		if j%3 > 0 {
			b[j] = .3 * rng.NormFloat64()
		}
	}
	loss, weight, gradient := 0.0, 0.0, make([]float64, len(b))
	margins := s.margins(b)
	for i := range d.Y {
		m := b[0]
		for k := range s.z.terms {
			m += b[k+1] * s.z.value(k, i)
		}
		if math.Abs(margins[i]-m) > 1e-5 {
			t.Fatalf("margin of row %d is %v, term by term %v", i, margins[i], m)
		}
		weight += d.Weight[i]
		loss += d.Weight[i] * logLoss(m, d.Y[i])
		r := d.Weight[i] * (models.Sigmoid(m) - d.Y[i])
		gradient[0] += r
		for k := range s.z.terms {
			gradient[k+1] += r * s.z.value(k, i)
		}
	}
	at := s.walk(b)
	if math.Abs(at.weight-weight) > 1e-8 || math.Abs(at.loss-loss/weight) > 1e-6 {
		t.Errorf("loss %v of weight %v, term by term %v of %v", at.loss, at.weight, loss/weight, weight)
	}
	for j, want := range gradient {
		if math.Abs(at.gradient[j]-want/weight) > 1e-6 {
			t.Errorf("gradient %d is %v, term by term %v", j, at.gradient[j], want/weight)
		}
	}
}

// TestSampledHessianReachesTheMinimum takes enough rows that the Hessian is sampled.
func TestSampledHessianReachesTheMinimum(t *testing.T) {
	d := modelstest.Data(5, 3*minSample)
	s := expand(t, d, 5)
	for _, p := range []penalty{{.001, .5}, {.05, 1}, {.01, 0}} {
		b, err := s.solve(t.Context(), s.start(), p, fitTolerance)
		if err != nil {
			t.Fatal(err)
		}
		if v := p.violation(s.walk(b).gradient, b); v >= fitTolerance {
			t.Errorf("%+v: optimality conditions violated by %v", p, v)
		}
	}
}

func expand(t *testing.T, d *features.Dataset, hinges int) *solver {
	t.Helper()
	z, err := newDesign(d, hinges)
	if err != nil {
		t.Fatal(err)
	}
	return newSolver(z, d)
}

func TestPenaltyOrdersModels(t *testing.T) {
	d := modelstest.Data(2, 500)
	s := expand(t, d, 3)
	last := math.Inf(1)
	for _, lambda := range []float64{.001, .01, .1, 10} {
		b, err := s.solve(t.Context(), s.start(), penalty{lambda, 1}, fitTolerance)
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
	z := expand(t, &features.Dataset{X: x, Y: []float64{0, 1, 0, 1, 0, 1, 0, 1}}, 1).z
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
	for k, f := range z.terms {
		sum, square := 0.0, 0.0
		for i := range 8 {
			v := z.value(k, i)
			sum += v / 8
			square += v * v / 8
		}
		if math.Abs(sum) > 1e-6 || !f.indicator && math.Abs(square-1) > 1e-6 {
			t.Errorf("term %d has mean %v and mean square %v", k, sum, square)
		}
	}
}

func TestAscending(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	values := []float32{0, -1, math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32}
	for range 5000 {
		values = append(values, float32(rng.NormFloat64()*math.Pow(10, float64(rng.IntN(30)-15))))
	}
	want := slices.Sorted(slices.Values(values))
	if got := ascending(values); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
