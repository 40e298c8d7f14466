package training

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"retain/features"
	"retain/models"
	"retain/models/boost"
	"retain/models/modelstest"
)

func TestBudgetFixesTheNumberOfChoices(t *testing.T) {
	now := func() time.Time { return month(2025, 1) }
	for _, c := range []struct {
		name    string
		minutes float64
		shape   Shape
		want    int
	}{
		{"few churners", 10, Shape{Rows: 50_000, Positives: tunedRarer - 1, Columns: 10}, 1},
		{"few stayers", 10, Shape{Rows: 50_000, Positives: 50_001 - tunedRarer, Columns: 10}, 1},
		{"enough", 10, Shape{Rows: 50_000, Positives: tunedRarer, Columns: 10}, 9},
		{"600 s · 1 M / (1 M · 100) = 6", 10, Shape{Rows: 1_000_000, Positives: 100_000, Columns: 100}, 6},
		{"half the time", 5, Shape{Rows: 1_000_000, Positives: 100_000, Columns: 100}, 3},
		{"more rows than it pays for", 10, Shape{Rows: 100_000_000, Positives: 1_000_000, Columns: 100}, 1},
		{"no column", 10, Shape{Rows: 10_000, Positives: 5000}, 9},
	} {
		b := newBudget(time.Duration(c.minutes*float64(time.Minute)), now)
		if got := b.choices(c.shape, len(boostVariations)); got != c.want {
			t.Errorf("%s: %d choices, want %d", c.name, got, c.want)
		}
	}
	var none *budget
	if none.choices(Shape{Rows: 50_000, Positives: 25_000, Columns: 10}, 9) != 1 || none.spent() || none.warnings() != nil {
		t.Error("no budget tunes, or ends")
	}
}

// The first choice is the default by size, whatever the size, and every choice is one that can be fitted.
func TestBoostChoicesBeginWithTheDefault(t *testing.T) {
	for _, s := range []Shape{{Rows: 3000, Positives: 2, Columns: 3}, {Rows: 60_000, Positives: 9000, Columns: 100}, {Rows: 5_000_000, Positives: 800_000, Columns: 60}} {
		choices := boostChoices(s)
		if choices[0] != models.Trainer(boost.Defaults(s.Rows, s.Positives, s.Columns)) {
			t.Errorf("%+v: the first choice is %+v", s, choices[0])
		}
		for k, c := range choices {
			b := c.(boost.Trainer)
			if b.Leaves < 2 || b.Trees < stageStep || b.MinRows < 1 || !(b.NodeShare > 0 && b.NodeShare <= 1) || !(b.ColumnShare > 0 && b.ColumnShare <= 1) || 1<<b.Depth < b.Leaves {
				t.Errorf("%+v: choice %d is %+v", s, k, b)
			}
		}
	}
}

// scaled is a trainer whose model is one column times a scale, in two stages of stageStep. It counts its fits.
type scaled struct {
	scale float64
	err   error
	log   *fits
}

type fits struct {
	sync.Mutex
	of map[float64]int
}

func (s scaled) Fit(_ context.Context, d *features.Dataset, _ *rand.Rand) (models.Model, error) {
	s.log.Lock()
	s.log.of[s.scale]++
	s.log.Unlock()
	return scaledModel{schema: d.X.Schema, scale: s.scale}, s.err
}

type scaledModel struct {
	models.Model
	schema features.Schema
	scale  float64
}

func (m scaledModel) Schema() features.Schema { return m.schema }

func (m scaledModel) Margin(dst []float64, x *features.Matrix) error {
	for i := range dst {
		dst[i] = m.scale * float64(x.X[0][i])
	}
	return nil
}

func (m scaledModel) StagedMargins(x *features.Matrix) (iter.Seq2[int, []float64], error) {
	margin := make([]float64, x.Rows())
	return func(yield func(int, []float64) bool) {
		for k := range stageStep + 1 {
			for i := range margin {
				margin[i] = m.scale * float64(x.X[0][i]) * float64(k) / stageStep
			}
			if !yield(k, margin) {
				return
			}
		}
	}, nil
}

// trueMargins are rows whose one column is the margin that made their labels, so that the best scale is 1.
func trueMargins(rows int) *features.Dataset {
	rng := rand.New(rand.NewPCG(4, 4))
	d := &features.Dataset{X: &features.Matrix{Schema: features.Schema{{Name: "margin"}}, X: [][]float32{make([]float32, rows)}}}
	for i := range rows {
		m := 1.5 * rng.NormFloat64()
		d.X.X[0][i] = float32(m)
		y := 0.
		if rng.Float64() < models.Sigmoid(m) {
			y = 1
		}
		d.Y, d.Customer = append(d.Y, y), append(d.Customer, fmt.Sprint(i))
	}
	return d
}

// tune halves choices of the given scales, the first being the default, and returns how often each was fitted.
func tune(t *testing.T, b *budget, broken float64, scales ...float64) (*candidate, map[float64]int) {
	t.Helper()
	log := &fits{of: make(map[float64]int)}
	c := &candidate{family: Family{Name: "scaled", Cut: func(t models.Trainer, _ int) models.Trainer { return t }}}
	for _, s := range scales {
		one := scaled{scale: s, log: log}
		if s == broken {
			one.err = errors.New("broken")
		}
		c.rungs = append(c.rungs, one)
	}
	d := trueMargins(6000)
	f := newFitter(d, CustomerFolds(d.Customer, innerFolds, 1), "", 1)
	f.budget = b
	if err := f.halve(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return c, log.of
}

func TestHalvingFindsTheBestChoice(t *testing.T) {
	hour := newBudget(time.Hour, func() time.Time { return month(2025, 1) })
	for _, c := range []struct {
		name   string
		broken float64
		scales []float64
		want   int
	}{
		{"the best is found", -1, []float64{.3, .1, .2, 3, 1, .5, .6, 2.5, 4}, 4},
		{"the default is the best", -1, []float64{1, .1, .2, 3, 2, .5, .6, 2.5, 4}, 0},
		{"equals: the default stays", -1, []float64{1, 1.001, .999, 1.002}, 0},
		{"a choice that fails is left out", 1, []float64{.3, .1, 1, .8}, 3},
		{"one choice beside the default", -1, []float64{.3, 1}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, fitted := tune(t, hour, c.broken, c.scales...)
			if got.err != nil || got.chosen != c.want || got.tuning.Chosen != c.want || got.tuning.Candidates != len(c.scales) {
				t.Fatalf("chose %d, want %d: %v, %v", got.chosen, c.want, got.tuning, got.err)
			}
			if n := fitted[c.scales[0]]; n != innerFolds {
				t.Errorf("the default was fitted on %d folds", n)
			}
			if got.best().stages != stageStep || len(got.best().losses) != 6000 {
				t.Errorf("%d stages, %d losses", got.best().stages, len(got.best().losses))
			}
		})
	}
	_, fitted := tune(t, hour, -1, .3, .1, .2, 3, 1, .5, .6, 2.5, 4) // 8 others, 3 of them on fold 1, one on the rest
	counts := map[int]int{}
	for _, n := range fitted {
		counts[n]++
	}
	if counts[1] != 5 || counts[2] != 2 || counts[innerFolds] != 2 {
		t.Errorf("fits by choice: %v", fitted)
	}
	broken, _ := tune(t, hour, .3, .3, 1)
	if broken.err == nil {
		t.Error("the default fails, and nobody says so")
	}
}

// The clock stops tuning between fits: the default goes on alone, on all folds, and that is told.
func TestTheClockStopsTuning(t *testing.T) {
	for _, after := range []int{1, 2, 12, 15} {
		var mu sync.Mutex
		ticks := 0
		b := newBudget(time.Minute, func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			if ticks++; ticks > after {
				return month(2025, 2)
			}
			return month(2025, 1)
		})
		c, fitted := tune(t, b, -1, .3, .1, .2, 3, 1, .5, .6, 2.5, 4)
		if c.err != nil || c.chosen != 0 || fitted[.3] != innerFolds || !b.wasHit() {
			t.Errorf("after %d looks at the clock: chose %d, the default on %d folds, told %v, %v", after, c.chosen, fitted[.3], b.wasHit(), c.err)
		}
		if !math.IsNaN(float64(c.tuning.Gain)) || len(b.warnings()) != 1 || !strings.Contains(b.warnings()[0], "train.time_budget") {
			t.Errorf("%v, %v", c.tuning, b.warnings())
		}
	}
}

// Tuned trees are the same bytes on one thread and on two.
func TestTuningOnAnyNumberOfThreads(t *testing.T) {
	family, _ := familyOf(familyBoost)
	whole := family.Tuned
	family.Tuned = func(s Shape) []models.Trainer { // fewer trees, for the time of the test
		out := whole(s)
		for k, c := range out {
			b := c.(boost.Trainer)
			b.Trees, b.LearningRate = 20*(1+k%2), .2
			out[k] = b
		}
		return out
	}
	d := modelstest.Data(2, 8000)
	fit := func(threads int) ([]byte, Tuning) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
		e, err := encode(d)
		if err != nil {
			t.Fatal(err)
		}
		f := newFitter(e.d, CustomerFolds(d.Customer, innerFolds, 1), "", 1)
		f.budget = newBudget(time.Hour, time.Now)
		fitted, failures, err := f.Fit(t.Context(), []Family{family})
		if err != nil || len(failures) > 0 || fitted[0].Tuning == nil {
			t.Fatal(err, failures)
		}
		blob, err := fitted[0].Model.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		return blob, *fitted[0].Tuning
	}
	one, first := fit(1)
	two, second := fit(2)
	if !bytes.Equal(one, two) || first != second {
		t.Errorf("on one thread %v, on two %v, same bytes %v", first, second, bytes.Equal(one, two))
	}
	if first.Candidates != len(boostVariations) {
		t.Errorf("%v", first)
	}
}

// A training that runs out of time still gives a model: measured at fewer test cutoffs, and told.
func TestTrainingRunsOutOfTime(t *testing.T) {
	o := testOptions(t)
	var mu sync.Mutex
	at := month(2026, 1)
	o.Now = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		at = at.Add(time.Hour)
		return at
	}
	report, err := train(t.Context(), newWorld(300, 9), o)
	if err != nil {
		t.Fatal(err)
	}
	if !report.BudgetHit || !report.Promoted || len(report.Models[0].Folds) != 1 {
		t.Errorf("budget hit %v, promoted %v, %d test cutoffs", report.BudgetHit, report.Promoted, len(report.Models[0].Folds))
	}
	told := strings.Join(report.Warnings, "\n")
	for _, want := range []string{"measured at 1 of 4 test cutoffs", "raise train.time_budget"} {
		if !strings.Contains(told, want) {
			t.Errorf("no %q in %q", want, told)
		}
	}
	tested, err := backtest(t.Context(), newWorld(300, 9), o, nil, nil)
	if err != nil || len(tested.Cutoffs) != testCutoffs {
		t.Errorf("a backtest leaves cutoffs out: %v, %v", tested.Cutoffs, err)
	}
}
