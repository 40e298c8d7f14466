package training

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"retain/features"
	"retain/training/metrics"
)

func TestDueRows(t *testing.T) {
	nan := float32(math.NaN())
	x := &features.Matrix{
		Schema: features.Schema{{Name: "other"}, {Name: "subscription_days_to_end"}},
		X:      [][]float32{{0, 0, 0, 0, 0}, {9.9, 10, 69.9, 70, nan}},
	}
	c := features.ChurnSpec{Setting: features.Contractual, GapDays: 10, HorizonDays: 60}
	if d := cmp.Diff([]bool{false, true, true, false, false}, dueRows(x, c)); d != "" {
		t.Error("the window is [T+L, T+L+H): ", d)
	}
	c.Setting = features.NonContractual
	if got := dueRows(x, c); got != nil {
		t.Errorf("without contracts nobody is due, got %v", got)
	}
	c.Setting, x.Schema[1].Name = features.Contractual, "renamed"
	if got := dueRows(x, c); got != nil {
		t.Errorf("without the column nobody is known to be due, got %v", got)
	}
}

func TestAUCAmongTheDue(t *testing.T) {
	// Over all rows 3 of the 6 pairs are in order; among the due there is one pair, .9 that churned above .5 that stayed.
	h := metrics.Held{Y: []float64{1, 1, 0, 0, 1}, Margin: []float64{.9, .2, .5, .1, .05}, Due: []bool{true, false, true, false, false}}
	if got := h.AUCDue(); got == nil || *got != 1 {
		t.Errorf("AUC among the due %v, want 1", got)
	}
	h.Due = nil
	if got := h.AUCDue(); got != nil {
		t.Errorf("without contracts: %v, want none", *got)
	}
}
