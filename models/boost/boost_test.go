package boost

import (
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"
	"time"

	"retain/features"
	"retain/models"
)

var (
	_ models.Trainer   = Trainer{}
	_ models.Explainer = (*Model)(nil)
)

// sample makes n rows of four numeric columns, one of them with missing values that raise the risk, one of few values, and
// one categorical column of six levels with missing values.
func sample(n int, seed uint64) *features.Dataset {
	rng := rand.New(rand.NewPCG(seed, 1))
	schema := features.Schema{
		{Name: "recency_days"}, {Name: "usage"}, {Name: "seats"}, {Name: "noise"},
		{Name: "plan", Kind: features.Categorical, Levels: []string{"a", "b", "c", "d", "e", "f"}},
	}
	x := &features.Matrix{Schema: schema, X: make([][]float32, len(schema))}
	for j := range x.X {
		x.X[j] = make([]float32, n)
	}
	d := &features.Dataset{X: x, Y: make([]float64, n), Customer: make([]string, n), Cutoff: make([]time.Time, n)}
	effect := []float64{-1, 0.8, -0.3, 1.2, 0, -0.6}
	nan := float32(math.NaN())
	for i := range n {
		recency, usage, seats := rng.ExpFloat64()*30, rng.NormFloat64(), float64(rng.IntN(5))
		plan := rng.IntN(6)
		m := -1.5 + 0.03*recency - 0.7*usage + 0.3*math.Abs(seats-2) + effect[plan]
		x.X[0][i], x.X[1][i], x.X[2][i] = float32(recency), float32(usage), float32(seats)
		x.X[3][i], x.X[4][i] = float32(rng.NormFloat64()), float32(plan)
		if rng.Float64() < 0.1 {
			x.X[1][i] = nan
			m += 1
		}
		if rng.Float64() < 0.05 {
			x.X[4][i] = nan
		}
		if rng.Float64() < 1/(1+math.Exp(-m)) {
			d.Y[i] = 1
		}
		d.Customer[i] = "c" + time.Duration(i).String()
		d.Cutoff[i] = time.Date(2026, 1, 1+i%3, 0, 0, 0, 0, time.UTC)
	}
	return d
}

func source() *rand.Rand { return rand.New(rand.NewPCG(7, 7)) }

func mustFit(t testing.TB, tr Trainer, d *features.Dataset) *Model {
	t.Helper()
	m, err := tr.Fit(t.Context(), d, source())
	if err != nil {
		t.Fatal(err)
	}
	return m.(*Model)
}

func mustMargin(t testing.TB, m *Model, x *features.Matrix) []float64 {
	t.Helper()
	out := make([]float64, x.Rows())
	if err := m.Margin(out, x); err != nil {
		t.Fatal(err)
	}
	return out
}

func mustEncode(t testing.TB, m *Model) []byte {
	t.Helper()
	b, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// onThreads returns what f does on one thread, which must be the same on two and seven.
func onThreads[T any](t *testing.T, f func() T) T {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	want := f()
	for _, threads := range []int{2, 7} {
		runtime.GOMAXPROCS(threads)
		if !reflect.DeepEqual(f(), want) {
			t.Fatalf("another outcome with %d threads than with 1", threads)
		}
	}
	return want
}

// shuffled returns the rows of d in another order.
func shuffled(d *features.Dataset) *features.Dataset { return d.Take(source().Perm(d.Rows())) }

func rowOf(x *features.Matrix, i int) []float32 { return rowByRow(x, i, i+1) }

// logLoss is the mean of the log loss of margins.
func logLoss(margin, y []float64) float64 {
	sum := 0.0
	for i, m := range margin {
		sum += lossOf(m, y[i])
	}
	return sum / float64(len(y))
}

func inf() float64 { return math.Inf(1) }

func BenchmarkFit(b *testing.B) {
	d := sample(20000, 50)
	tr := Defaults(20000, 6000, 5)
	for b.Loop() {
		mustFit(b, tr, d)
	}
}

func BenchmarkMargin(b *testing.B) {
	d := sample(20000, 51)
	m := mustFit(b, Defaults(20000, 6000, 5), d)
	out := make([]float64, d.Rows())
	for b.Loop() {
		if err := m.Margin(out, d.X); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/20000, "µs/row")
}

func BenchmarkContributions(b *testing.B) {
	d := sample(2000, 52)
	for _, c := range []struct {
		name string
		tr   Trainer
	}{{"defaults", Defaults(20000, 6000, 5)}, {"200x63", Trainer{Trees: 200, Leaves: 63}}} {
		b.Run(c.name, func(b *testing.B) {
			m := mustFit(b, c.tr, sample(20000, 53))
			phi := make([]float64, d.Rows()*d.X.Cols())
			for b.Loop() {
				if _, err := m.Contributions(phi, d.X); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/2000, "µs/row")
		})
	}
}
