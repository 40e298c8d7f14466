package survival

import (
	"errors"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"retain/features"
	"retain/models"
	"retain/models/boost"
	"retain/models/linear"
)

func linearHazard(rows, positives, columns int) models.Trainer {
	return linear.Defaults(rows, positives, columns)
}

func boostHazard(rows, positives, columns int) models.Trainer {
	return boost.Defaults(rows, positives, columns)
}

// drawn are landmarks of one feature z ~ N(0, 1) with the hazard σ(-2.5 + z - .15 j) in period j, seen for 12 periods, the second half for 6.
func drawn(n int, seed uint64) *Landmarks {
	rng := rand.New(rand.NewPCG(seed, 3))
	l := &Landmarks{X: &features.Matrix{Schema: features.Schema{{Name: "z"}, {Name: "noise"}}, X: make([][]float32, 2)}}
	for i := range n {
		z := rng.NormFloat64()
		l.X.X[0], l.X.X[1] = append(l.X.X[0], float32(z)), append(l.X.X[1], float32(rng.NormFloat64()))
		l.Customer, l.Cutoff = append(l.Customer, strconv.Itoa(i)), append(l.Cutoff, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
		exit, seen := math.Inf(1), 360.
		if i >= n/2 {
			seen = 180
		}
		for j := range 12 {
			if rng.Float64() < trueHazard(z, j) {
				exit = 30 * (float64(j) + rng.Float64())
				break
			}
		}
		if exit >= seen {
			exit = math.Inf(1)
		}
		l.Exit, l.Seen = append(l.Exit, exit), append(l.Seen, seen)
	}
	return l
}

func trueHazard(z float64, j int) float64 { return models.Sigmoid(-2.5 + z - .15*float64(j)) }

func TestTableByHand(t *testing.T) {
	p := NewPeriods(90, 0)
	l := &Landmarks{Exit: []float64{0, 29.9, 30, 75, math.Inf(1), math.Inf(1)}, Seen: []float64{90, 90, 90, 90, 90, 60}}
	l.Customer, l.Cutoff = make([]string, 6), make([]time.Time, 6)
	table, err := NewTable(p, l)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]int{6, 4, 2}, table.AtRisk); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]int{2, 1, 1}, table.Left); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]float64{2. / 6, 1. / 4, 1. / 2}, table.Hazards()); d != "" {
		t.Error(d)
	}
	short, err := NewTable(NewPeriods(200, 0), l)
	if err != nil || len(short.Periods.Ends) != 3 {
		t.Errorf("periods that nobody was seen through: %+v, %v", short, err)
	}
	l.Exit[0] = -1
	if _, err := NewTable(p, l); err == nil {
		t.Error("an exit before the cutoff is taken")
	}
}

// The model finds the hazards that the landmarks were drawn from, and does better than a table on others.
func TestModelFindsHazards(t *testing.T) {
	p := NewPeriods(360, 0)
	train, test := drawn(3000, 1), drawn(2000, 2)
	table, err := NewTable(p, train)
	if err != nil {
		t.Fatal(err)
	}
	for name, trainer := range map[string]func(int, int, int) models.Trainer{"linear": linearHazard, "boost": boostHazard} {
		t.Run(name, func(t *testing.T) {
			m, err := Trainer{Hazard: trainer}.Fit(t.Context(), p, train, rand.New(rand.NewPCG(5, 6)))
			if err != nil {
				t.Fatal(err)
			}
			if len(m.Periods.Ends) != 12 || m.Positives < 1000 || m.Rows < 15000 {
				t.Fatalf("%d periods, %d rows, %d left", len(m.Periods.Ends), m.Rows, m.Positives)
			}
			got, err := m.Hazards(test.X)
			if err != nil {
				t.Fatal(err)
			}
			var off, n float64
			survivors := make([]Survivor, test.Rows())
			for i, h := range got {
				s := 1.
				for j := range 3 {
					s *= 1 - trueHazard(float64(test.X.X[0][i]), j)
				}
				if survivors[i], err = NewSurvivor(m.Periods, h, 90, 1-s); err != nil {
					t.Fatal(err)
				}
				for j := range 12 {
					s := 1.
					for k := range j + 1 {
						s *= 1 - trueHazard(float64(test.X.X[0][i]), k)
					}
					off += math.Abs(survivors[i].At(float64(30*(j+1))) - s)
					n++
				}
			}
			if off/n > .015 {
				t.Errorf("S* is off by %.4f", off/n)
			}
			figures, err := Measure(p, survivors, test, table)
			if err != nil {
				t.Fatal(err)
			}
			if !(figures.Integrated < .93*figures.IntegratedReference) || !(figures.Concordance > .69 && figures.Concordance < .76) {
				t.Errorf("integrated Brier %.4f, table %.4f, concordance %.4f", figures.Integrated, figures.IntegratedReference, figures.Concordance)
			}
			for _, f := range figures.Periods {
				sd := math.Sqrt(f.Expected)
				if math.Abs(float64(f.Left)-f.Expected) > 4*sd {
					t.Errorf("by day %v: %d left, %.1f expected", f.End, f.Left, f.Expected)
				}
			}
		})
	}
}

func TestModelBounds(t *testing.T) {
	p := NewPeriods(360, 0)
	l := drawn(1000, 1)
	fit := func(l *Landmarks, most int) (*Model, error) {
		return Trainer{Hazard: linearHazard, MaxRows: most}.Fit(t.Context(), p, l, rand.New(rand.NewPCG(5, 6)))
	}
	whole, err := fit(l, 0)
	if err != nil {
		t.Fatal(err)
	}
	part, err := fit(l, whole.Rows/2)
	if err != nil || part.Rows > whole.Rows*6/10 || part.Rows < whole.Rows*4/10 {
		t.Errorf("of %d rows %d were taken, %v", whole.Rows, part.Rows, err)
	}
	again, err := fit(l, 0)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := whole.Hazards(l.X)
	b, _ := again.Hazards(l.X)
	if !cmp.Equal(a, b) {
		t.Error("two fits of the same differ")
	}
	if _, err := whole.Hazards(&features.Matrix{Schema: l.X.Schema[:1], X: l.X.X[:1]}); !errors.Is(err, models.ErrFeatureMismatch) {
		t.Errorf("other features: %v", err)
	}
	if h, err := whole.Hazards(l.X.Slice(0, 0)); err != nil || len(h) != 0 {
		t.Errorf("nobody: %v, %v", h, err)
	}
	stay := l.Take([]int{0, 1, 2})
	stay.Exit = []float64{math.Inf(1), math.Inf(1), math.Inf(1)}
	if _, err := fit(stay, 0); !errors.Is(err, models.ErrOneClass) {
		t.Errorf("nobody leaves: %v", err)
	}
	stay.Seen = []float64{29, 29, 29}
	if _, err := fit(stay, 0); err == nil {
		t.Error("nobody was seen through a period, and that is a model")
	}
	stay.X = nil
	if _, err := fit(stay, 0); err == nil {
		t.Error("no features, and that is a model")
	}
}
