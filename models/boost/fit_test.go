package boost

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"retain/features"
	"retain/models"
)

var small = Trainer{Trees: 30, LearningRate: 0.2, Leaves: 8, Depth: 5, RowShare: 0.7, ColumnShare: 0.8, NodeShare: 0.8, Smoothing: 2}

func TestLearns(t *testing.T) {
	d, fresh := sample(4000, 1), sample(4000, 2)
	base := mustFit(t, Trainer{Trees: 1, LearningRate: 1e-9}, d)
	m := mustFit(t, Trainer{Trees: 60, Leaves: 8}, d)
	before, after := logLoss(mustMargin(t, base, fresh.X), fresh.Y), logLoss(mustMargin(t, m, fresh.X), fresh.Y)
	if after > before-0.08 {
		t.Fatalf("log loss on fresh rows %.4f, base rate %.4f: nothing learned", after, before)
	}
}

func TestSameBytesOnAnyNumberOfThreads(t *testing.T) {
	d := sample(5000, 3)
	onThreads(t, func() []byte { return mustEncode(t, mustFit(t, small, d)) })
}

func TestRowOrderDoesNotMatter(t *testing.T) {
	d := sample(3000, 4)
	d.Weight = make([]float64, d.Rows())
	rng := source()
	for i := range d.Weight {
		d.Weight[i] = 0.1 + rng.Float64()
	}
	if !bytes.Equal(mustEncode(t, mustFit(t, small, d)), mustEncode(t, mustFit(t, small, shuffled(d)))) {
		t.Fatal("other trees after shuffling the rows")
	}
}

func TestWeightsCountAsRepeatedRows(t *testing.T) {
	d := sample(1500, 5)
	tr := Trainer{Trees: 20, Leaves: 6, MinRows: 1, MinHessian: 2, Bins: 255}
	// Few distinct values: quantile bins, unweighted, are then the same for both.
	for _, col := range d.X.X[:4] {
		for i, v := range col {
			col[i] = float32(math.Round(float64(v)))
		}
	}
	var twice []int
	d.Weight = make([]float64, d.Rows())
	for i := range d.Y {
		d.Weight[i] = float64(1 + i%3)
		for range 1 + i%3 {
			twice = append(twice, i)
		}
	}
	repeated := d.Take(twice)
	repeated.Weight = nil
	a, b := mustMargin(t, mustFit(t, tr, d), d.X), mustMargin(t, mustFit(t, tr, repeated), d.X)
	for i := range a {
		if math.Abs(a[i]-b[i]) > 1e-5 {
			t.Fatalf("row %d: margin %v by weight, %v by repetition", i, a[i], b[i])
		}
	}
}

func TestBaseMarginIsTheLogOddsOfTheBaseRate(t *testing.T) {
	y, w := []float64{1, 0, 0, 0, 1}, []float64{3, 1, 1, 1, 1}
	if got, want := baseMargin(y, nil, 1), math.Log(2.0/3); math.Abs(got-want) > 1e-15 {
		t.Errorf("unweighted %v, want %v", got, want)
	}
	if got, want := baseMargin(y, w, 3), math.Log(4.0/3); math.Abs(got-want) > 1e-12 {
		t.Errorf("weighted %v, want %v", got, want)
	}
}

func TestSigmoid(t *testing.T) {
	rng := source()
	for range 100_000 {
		m := 50 * rng.NormFloat64()
		if got, want := sigmoid(m), 1/(1+math.Exp(-m)); math.Abs(got-want) > 1e-11*want {
			t.Fatalf("at %v: %v, want %v", m, got, want)
		}
	}
	for m, want := range map[float64]float64{0: .5, 5000: 1, -5000: 0, math.Inf(1): 1, math.Inf(-1): 0} {
		if got := sigmoid(m); math.Abs(got-want) > 1e-300 {
			t.Errorf("at %v: %v, want %v", m, got, want)
		}
	}
	if !math.IsNaN(sigmoid(math.NaN())) {
		t.Error("no margin has a probability")
	}
}

// gradient returns the gradient and the hessian of row r.
func (b *binned) gradient(r int) sums { return sums(b.words[r*b.stride+b.width]) }

// The gradient and hessian of a row are what the loss's differences say, up to one step of the scale, and right in the mean.
func TestGradientsMatchFiniteDifferences(t *testing.T) {
	d := sample(200, 6)
	d.Weight = make([]float64, d.Rows())
	b := &booster{scale: newScale(d.Rows(), 4), y: d.Y, weight: d.Weight, margin: make([]float64, d.Rows()), rows: &binned{stride: 1, words: make([]uint64, d.Rows())}}
	rng := source()
	for i := range b.margin {
		b.margin[i], d.Weight[i] = 3*rng.NormFloat64(), 4*rng.Float64()+1e-3
	}
	const draws, h = 400, 1e-4
	grad, hess := make([]float64, d.Rows()), make([]float64, d.Rows())
	var rows []uint32
	for i := range d.Rows() {
		rows = append(rows, uint32(i))
	}
	for seed := range uint64(draws) {
		b.gradients(seed, rows)
		for i, m := range b.margin {
			lo, mid, hi := lossOf(m-h, d.Y[i]), lossOf(m, d.Y[i]), lossOf(m+h, d.Y[i])
			g, w := b.grad(b.rows.gradient(i))-d.Weight[i]*(hi-lo)/(2*h), b.hess(b.rows.gradient(i))-d.Weight[i]*(hi-2*mid+lo)/(h*h)
			if math.Abs(g) > b.gradStep+1e-6 || math.Abs(w) > b.hessStep+1e-5 {
				t.Fatalf("at %v the gradient is off by %v, the hessian by %v; steps are %v and %v", m, g, w, b.gradStep, b.hessStep)
			}
			grad[i], hess[i] = grad[i]+g, hess[i]+w
		}
	}
	for i := range grad { // the standard deviation of a mean is below a step / √(4·draws)
		if math.Abs(grad[i]/draws) > 5*b.gradStep/40+1e-6 || math.Abs(hess[i]/draws) > 5*b.hessStep/40+1e-5 {
			t.Fatalf("rounding shifts the mean gradient of row %d by %v, the hessian by %v", i, grad[i]/draws, hess[i]/draws)
		}
	}
}

func TestEachTreeLowersTheTrainingLoss(t *testing.T) {
	d := sample(2000, 8)
	m := mustFit(t, Trainer{Trees: 40, Leaves: 12}, d)
	staged, err := m.StagedMargins(d.X)
	if err != nil {
		t.Fatal(err)
	}
	before := math.Inf(1)
	for k, margin := range staged {
		loss := logLoss(margin, d.Y)
		if loss >= before {
			t.Fatalf("training loss rises from %v to %v at tree %d", before, loss, k)
		}
		before = loss
		if want := mustMargin(t, m.Truncate(k), d.X); !slices.Equal(margin, want) {
			t.Fatalf("staged margins of %d trees are not those of the truncated model", k)
		}
	}
}

// column makes a dataset of one column.
func column(c features.Column, values []float32, y ...float64) *features.Dataset {
	return &features.Dataset{X: &features.Matrix{Schema: features.Schema{c}, X: [][]float32{values}}, Y: y}
}

func TestOddDatasets(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	numeric := features.Column{Name: "x"}
	plan := features.Column{Name: "plan", Kind: features.Categorical, Levels: []string{"a", "b"}}
	many := sample(4000, 9)
	for j := range many.X.X {
		for i := range many.X.X[j] {
			many.X.X[j][i] = many.X.X[j][0]
		}
	}
	cases := []struct {
		name string
		d    *features.Dataset
		want error // nil: a model
	}{
		{"one row", column(numeric, []float32{1}, 1), models.ErrOneClass},
		{"one class", column(numeric, []float32{1, 2, 3}, 0, 0, 0), models.ErrOneClass},
		{"two rows", column(numeric, []float32{1, 2}, 0, 1), nil},
		{"constant", column(numeric, []float32{5, 5, 5, 5}, 0, 1, 0, 1), nil},
		{"all missing", column(numeric, []float32{nan, nan, nan}, 0, 1, 0), nil},
		{"all missing levels", column(plan, []float32{nan, nan, nan}, 0, 1, 0), nil},
		{"largest and smallest numbers", column(numeric, []float32{math.MaxFloat32, -math.MaxFloat32, 0}, 0, 1, 0), nil},
		{"identical rows", many, nil},
		{"infinity", column(numeric, []float32{1, inf, 3}, 0, 1, 0), models.ErrNotFinite},
		{"infinite level", column(plan, []float32{1, inf, 0}, 0, 1, 0), models.ErrNotFinite},
		{"no code of a level", column(plan, []float32{0, 1, 2}, 0, 1, 0), errAny},
		{"half a code", column(plan, []float32{0, 1, 0.5}, 0, 1, 0), errAny},
		{"no rows", column(numeric, nil), errAny},
		{"no columns", &features.Dataset{X: &features.Matrix{}, Y: []float64{0, 1}}, errAny},
		{"no matrix", &features.Dataset{Y: []float64{0, 1}}, errAny},
		{"an infinity and one class", column(numeric, []float32{1, inf, 3}, 0, 0, 0), models.ErrNotFinite},
		{"ragged", column(numeric, []float32{1, 2, 3}, 0, 1), errAny},
		{"missing label", column(numeric, []float32{1, 2, 3}, 0, 1, math.NaN()), errAny},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			tr := Trainer{Trees: 5, MinRows: 1, MinHessian: 1e-9}
			m, err := tr.Fit(t.Context(), c.d, source())
			switch {
			case c.want == nil && err != nil:
				t.Fatal(err)
			case c.want != nil && err == nil:
				t.Fatal("fits without an error")
			case c.want != nil:
				if !errors.Is(c.want, errAny) && !errors.Is(err, c.want) {
					t.Fatalf("error %v, want %v", err, c.want)
				}
				return
			}
			for i, v := range mustMargin(t, m.(*Model), c.d.X) {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					t.Fatalf("margin %v of row %d", v, i)
				}
			}
		})
	}
}

var errAny = errors.New("any error")

func TestFitRefusesChoicesOutOfRange(t *testing.T) {
	d := sample(50, 1)
	for _, tr := range []Trainer{{Trees: -1}, {Leaves: 1}, {Bins: 256}, {LearningRate: 2}, {RowShare: -0.5}, {L2: -1}, {L1: math.NaN()}, {Depth: -1}} {
		if _, err := tr.Fit(t.Context(), d, source()); err == nil {
			t.Errorf("%+v is accepted", tr)
		}
	}
}

func TestFitStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := small.Fit(ctx, sample(50, 1), source()); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want context.Canceled", err)
	}
}

func TestLimitsOfTrees(t *testing.T) {
	d := sample(3000, 10)
	m := mustFit(t, Trainer{Trees: 20, Leaves: 9, Depth: 3, MinRows: 40}, d)
	for k := range m.Trees() {
		nodes, first := m.tree(k)
		leaves := 0
		var depth func(i int32) int
		depth = func(i int32) int {
			n := &nodes[i]
			if n.column < 0 {
				leaves++
				if n.weight < 40 {
					t.Errorf("tree %d has a leaf of %v rows", k, n.weight)
				}
				return 0
			}
			return 1 + max(depth(i+1), depth(n.right-first))
		}
		if d := depth(0); d > 3 {
			t.Errorf("tree %d has depth %d", k, d)
		}
		if leaves > 9 {
			t.Errorf("tree %d has %d leaves", k, leaves)
		}
	}
}

func TestValidationRowsStopAFit(t *testing.T) {
	d, valid := sample(1500, 11), sample(1500, 12)
	tr := Trainer{Trees: 400, LearningRate: 0.3, Leaves: 16, MinRows: 5, Patience: 20}
	m, err := tr.FitWith(t.Context(), d, source(), Options{Valid: valid})
	if err != nil {
		t.Fatal(err)
	}
	full := mustFit(t, tr, d)
	if m.Trees() == 0 || m.Trees() >= full.Trees() {
		t.Fatalf("stopped at %d of %d trees", m.Trees(), full.Trees())
	}
	best, at := math.Inf(1), 0
	staged, _ := full.Truncate(m.Trees() + 20).StagedMargins(valid.X)
	for k, margin := range staged {
		if loss := logLoss(margin, valid.Y); loss < best {
			best, at = loss, k
		}
	}
	if at != m.Trees() {
		t.Fatalf("stopped at %d trees, the best of the next 20 is %d", m.Trees(), at)
	}
}

func TestFitRefusesOddValidationRows(t *testing.T) {
	d := sample(200, 13)
	other := column(features.Column{Name: "x"}, []float32{1, 2}, 0, 1)
	if _, err := small.FitWith(t.Context(), d, source(), Options{Valid: other}); !errors.Is(err, models.ErrFeatureMismatch) {
		t.Errorf("other columns: error %v, want ErrFeatureMismatch", err)
	}
	if _, err := small.FitWith(t.Context(), d, source(), Options{Valid: &features.Dataset{}}); err == nil {
		t.Error("no rows: no error")
	}
}
