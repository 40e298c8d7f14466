package boost

import (
	"bytes"
	"context"
	"errors"
	"math"
	"testing"

	"retain/features"
	"retain/models"
)

func TestACancelledFitGoesOnAsIfNothingHadHappened(t *testing.T) {
	d, valid := sample(2500, 60), sample(1000, 61)
	for _, o := range []Options{{}, {Valid: valid}} {
		want, err := small.FitWith(t.Context(), d, source(), o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		first := o
		first.Progress = func(p Progress) {
			if p.Trees == 11 {
				cancel()
			}
		}
		half, err := small.FitWith(ctx, d, source(), first)
		if !errors.Is(err, context.Canceled) || half.Trees() != 11 {
			t.Fatalf("error %v with %d trees, want context.Canceled with 11", err, half.Trees())
		}
		before := mustEncode(t, half)
		o.From = half
		got, err := small.FitWith(t.Context(), d, source(), o)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(mustEncode(t, got), mustEncode(t, want)) {
			t.Error("other trees than without the break")
		}
		if !bytes.Equal(mustEncode(t, half), before) {
			t.Error("the model that was gone on from has changed")
		}
	}
}

func TestGoingOnWithAModelOfAllTreesAddsNone(t *testing.T) {
	d := sample(800, 62)
	m := mustFit(t, small, d)
	again, err := small.FitWith(t.Context(), d, source(), Options{From: m})
	if err != nil {
		t.Fatal(err)
	}
	if again.Trees() != m.Trees() {
		t.Fatalf("%d trees, want %d", again.Trees(), m.Trees())
	}
}

func TestGoingOnNeedsTheSameColumns(t *testing.T) {
	d := sample(800, 63)
	other := mustFit(t, Trainer{Trees: 1}, column(features.Column{Name: "x"}, []float32{1, 2}, 0, 1))
	if _, err := small.FitWith(t.Context(), d, source(), Options{From: other}); !errors.Is(err, models.ErrFeatureMismatch) {
		t.Fatalf("error %v, want ErrFeatureMismatch", err)
	}
}

func TestProgressTellsOfEachTree(t *testing.T) {
	d, valid := sample(1200, 64), sample(500, 65)
	var told []Progress
	tr := Trainer{Trees: 12, Leaves: 6}
	m, err := tr.FitWith(t.Context(), d, source(), Options{Valid: valid, Progress: func(p Progress) { told = append(told, p) }})
	if err != nil {
		t.Fatal(err)
	}
	if len(told) != 12 {
		t.Fatalf("told of %d trees, want 12", len(told))
	}
	staged, _ := m.StagedMargins(valid.X)
	for k, margin := range staged {
		if k == 0 {
			continue
		}
		if p := told[k-1]; p.Trees != k || p.Of != 12 || p.Leaves < 2 || p.Leaves > 6 || math.Abs(p.Loss-logLoss(margin, valid.Y)) > 1e-12 {
			t.Errorf("after tree %d: %+v, loss %v", k, p, logLoss(margin, valid.Y))
		}
	}
}
