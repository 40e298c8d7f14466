package linear_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"retain/features"
	"retain/models"
	"retain/models/linear"
	"retain/models/modelstest"
)

var _ models.Explainer = (*linear.Model)(nil)

func TestModel(t *testing.T) {
	for name, trainer := range map[string]linear.Trainer{
		"defaults": linear.Defaults(600, 200, 8),
		"zero":     {},
		"lasso":    {Lambda: .01, Alpha: 1, Hinges: 4},
		"path":     {Alpha: .5, Hinges: 1, Path: 1},
	} {
		t.Run(name, func(t *testing.T) {
			modelstest.Check(t, modelstest.Case{Trainer: trainer, Decode: linear.Decode, Rows: 400})
		})
	}
}

func TestFitRefusesChoicesOutOfRange(t *testing.T) {
	d := modelstest.Data(1, 50)
	for name, trainer := range map[string]linear.Trainer{
		"negative penalty":    {Lambda: -1},
		"penalty of NaN":      {Lambda: math.NaN()},
		"infinite penalty":    {Lambda: math.Inf(1)},
		"L1 share beyond one": {Alpha: 1.1},
		"too many hinges":     {Hinges: 17},
		"negative path":       {Path: -1},
	} {
		if _, err := trainer.Fit(t.Context(), d, rand.New(rand.NewPCG(1, 1))); err == nil {
			t.Errorf("%s: fitted", name)
		}
	}
}

// TestFitRefusesTooManyLevels names the column and the mend.
func TestFitRefusesTooManyLevels(t *testing.T) {
	for _, c := range []struct {
		levels int
		want   bool
	}{{255, true}, {256, false}} {
		d := modelstest.Data(1, 300)
		d.X.Schema = append(d.X.Schema, features.Column{Name: "postcode", Kind: features.Categorical, Levels: make([]string, c.levels)})
		codes := make([]float32, 300)
		for i := range codes {
			d.X.Schema[len(d.X.Schema)-1].Levels[i%c.levels] = fmt.Sprint(i % c.levels)
			codes[i] = float32(i % c.levels)
		}
		d.X.X = append(d.X.X, codes)
		_, err := linear.Defaults(300, 100, 9).Fit(t.Context(), d, nil)
		if ok := err == nil; ok != c.want {
			t.Errorf("%d levels: %v", c.levels, err)
		}
		if err != nil && !strings.Contains(err.Error(), "postcode") {
			t.Errorf("does not name the column: %v", err)
		}
	}
}

// TestDefaults holds the documented formula at the sizes it was fitted on.
func TestDefaults(t *testing.T) {
	for _, c := range []struct {
		rows, positives, columns int
		want                     float64
	}{
		{5634, 1495, 19, 19. / 5634 / 16},
		{4610, 223, 60, 60. / 4610 / 2},
		{1000, 200, 10, 10. / 1000 * 4 * 10 / 200},
		{1000, 800, 10, 10. / 1000 * 4 * 10 / 200}, // the rarer class counts
	} {
		if got := linear.Defaults(c.rows, c.positives, c.columns).Lambda; math.Abs(got-c.want) > 1e-15 {
			t.Errorf("%+v: λ is %v", c, got)
		}
	}
}

// TestPathChoosesLessPenaltyForMoreSignal: on pure noise the strongest penalty tried wins, on strong signal a weaker one.
func TestPathChoosesLessPenaltyForMoreSignal(t *testing.T) {
	fit := func(d *features.Dataset) float64 {
		m, err := linear.Trainer{Lambda: .02, Alpha: .5, Path: 2}.Fit(t.Context(), d, rand.New(rand.NewPCG(1, 1)))
		if err != nil {
			t.Fatal(err)
		}
		return m.(*linear.Model).Lambda()
	}
	signal := fit(modelstest.Data(1, 1500))
	d := modelstest.Data(1, 1500)
	rng := rand.New(rand.NewPCG(9, 9))
	rng.Shuffle(len(d.Y), func(i, j int) { d.Y[i], d.Y[j] = d.Y[j], d.Y[i] })
	if noise := fit(d); noise <= signal {
		t.Errorf("λ is %v on noise, %v on signal", noise, signal)
	}
}

// TestMissingIsItsOwnEffect: in modelstest.Data rows that miss amount_mean churn more, and the model says so.
func TestMissingIsItsOwnEffect(t *testing.T) {
	d := modelstest.Data(4, 4000)
	m, err := linear.Defaults(4000, 1500, 8).Fit(t.Context(), d, nil)
	if err != nil {
		t.Fatal(err)
	}
	x := d.X.Take([]int{0, 0})
	x.X[4][0], x.X[4][1] = float32(math.NaN()), 22
	dst := make([]float64, 2*x.Cols())
	if _, err := m.(*linear.Model).Contributions(dst, x); err != nil {
		t.Fatal(err)
	}
	if gain := dst[4] - dst[x.Cols()+4]; gain < .2 {
		t.Errorf("missing adds %v to the margin, want about .5", gain)
	}
}

func FuzzDecode(f *testing.F) {
	d := modelstest.Data(1, 100)
	m, err := linear.Defaults(100, 30, 8).Fit(f.Context(), d, nil)
	if err != nil {
		f.Fatal(err)
	}
	b, err := m.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b, false)
	f.Add(b[:40], true)
	f.Fuzz(func(t *testing.T, b []byte, reseal bool) {
		if reseal {
			b = linear.Reseal(b) // a right checksum lets the payload itself be fuzzed
		}
		m, err := linear.Decode(b, d.X.Schema)
		if err != nil {
			return
		}
		dst := make([]float64, d.Rows())
		if err := m.Margin(dst, d.X); err != nil {
			t.Errorf("a decoded model refuses its features: %v", err)
		}
	})
}

// BenchmarkFit is 30,000 rows of 8 columns at the defaults.
func BenchmarkFit(b *testing.B) {
	d := modelstest.Data(1, 30000)
	trainer := linear.Defaults(30000, 10000, 8)
	for b.Loop() {
		if _, err := trainer.Fit(b.Context(), d, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFitWide is 16,000 rows of 120 skewed columns, which hang together in tens and become 720 terms, at three penalties: 4, 1 and 1/4
// times columns/rows, as a training tries them.
func BenchmarkFitWide(b *testing.B) {
	d := wide(16000, 120)
	for _, factor := range []float64{4, 1, .25} {
		b.Run(fmt.Sprint(factor), func(b *testing.B) {
			for b.Loop() {
				if _, err := (linear.Trainer{Lambda: factor * 120 / 16000, Alpha: .5, Hinges: 5}).Fit(b.Context(), d, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// wide is columns like the windows and aggregates of one source: ten share most of what they say. A tenth of the rows churn.
func wide(rows, columns int) *features.Dataset {
	rng := rand.New(rand.NewPCG(7, 7))
	d := &features.Dataset{X: &features.Matrix{}, Y: make([]float64, rows)}
	shared := make([][]float64, columns/10)
	for g := range shared {
		shared[g] = make([]float64, rows)
		for i := range shared[g] {
			shared[g][i] = rng.NormFloat64()
		}
	}
	for j := range columns {
		x := make([]float32, rows)
		for i := range x {
			x[i] = float32(math.Exp(shared[j/10][i] + .5*rng.NormFloat64()))
		}
		d.X.Schema = append(d.X.Schema, features.Column{Name: fmt.Sprint("c", j)})
		d.X.X = append(d.X.X, x)
	}
	for i := range d.Y {
		m := -2.6
		for g := range shared {
			m += .3 * math.Abs(shared[g][i]-float64(g%3)/2) // bent, so that hinges matter
		}
		if rng.Float64() < 1/(1+math.Exp(3-m)) {
			d.Y[i] = 1
		}
	}
	return d
}
