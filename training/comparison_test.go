package training

import (
	"slices"
	"strings"
	"testing"

	"retain/models"
	"retain/models/golearn"
	"retain/training/metrics"
)

func comparisons() []string {
	var names []string
	for _, f := range Families {
		if f.Comparison {
			names = append(names, f.Name)
		}
	}
	return names
}

// TestRowsOfComparisonAreNeverChampion gives a row of comparison the best of all margins.
func TestRowsOfComparisonAreNeverChampion(t *testing.T) {
	if want := []string{"golearn_cart", "golearn_forest", "golearn_bayes"}; !slices.Equal(comparisons(), want) {
		t.Fatalf("rows of comparison %v, want %v", comparisons(), want)
	}
	good, bad := said(0, 1, 1), said(3, 1, 3)
	for _, name := range comparisons() {
		got, err := choose(&tournament{Contenders: []*contender{named(familyLinear, bad), named(name, good)}}, 1500, 1)
		if err != nil || got.Family.Name != familyLinear {
			t.Errorf("%s is best: chose %v, %v", name, got, err)
		}
		if _, err := choose(&tournament{Contenders: []*contender{named(name, good)}}, 1500, 1); err == nil {
			t.Errorf("%s is alone and may be champion", name)
		}
	}
}

// TestRowsOfComparisonAreMeasuredBesideTheOthers asks for their rows on the same folds, and for a champion with reasons.
func TestRowsOfComparisonAreMeasuredBesideTheOthers(t *testing.T) {
	report, err := train(t.Context(), newWorld(400, 12), testOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	linear := slices.IndexFunc(report.Models, func(m metrics.ModelFigures) bool { return m.Name == familyLinear })
	for _, name := range comparisons() {
		k := slices.IndexFunc(report.Models, func(m metrics.ModelFigures) bool { return m.Name == name })
		if k < 0 {
			t.Errorf("%s is not in the table: %q", name, report.Warnings)
			continue
		}
		row, beside := report.Models[k], report.Models[linear]
		if len(row.Folds) != len(beside.Folds) || row.Folds[0].Rows != beside.Folds[0].Rows || row.Folds[0].Positives != beside.Folds[0].Positives {
			t.Errorf("%s is measured on other rows than linear", name)
		}
		if auc := row.Pooled.AUC; auc < .6 {
			t.Errorf("%s: AUC %.3f", name, auc)
		}
		if report.Model.Family == name {
			t.Errorf("%s is the champion", name)
		}
	}
}

// TestAFailingRowOfComparisonIsLeftOut: the run goes on, and is the same but for the row.
func TestAFailingRowOfComparisonIsLeftOut(t *testing.T) {
	k := slices.IndexFunc(Families, func(f Family) bool { return f.Name == golearn.FamilyForest })
	works := Families[k].Trainer
	t.Cleanup(func() { Families[k].Trainer = works })
	whole, err := backtest(t.Context(), newWorld(300, 9), testOptions(t), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	Families[k].Trainer = func(Shape) models.Trainer { return golearn.Forest{Trees: -1} }
	report, err := backtest(t.Context(), newWorld(300, 9), testOptions(t), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(report.Warnings, func(l string) bool {
		return strings.HasPrefix(l, "golearn_forest is left out: it failed at test cutoff")
	}) {
		t.Errorf("warnings %q", report.Warnings)
	}
	if len(report.Models) != len(whole.Models)-1 {
		t.Errorf("%d families, %d with the forest", len(report.Models), len(whole.Models))
	}
	for _, m := range report.Models {
		other := whole.Models[slices.IndexFunc(whole.Models, func(o metrics.ModelFigures) bool { return o.Name == m.Name })]
		if m.Name == golearn.FamilyForest || m.Pooled.LogLoss != other.Pooled.LogLoss {
			t.Errorf("%s: log loss %v, %v beside the forest", m.Name, m.Pooled.LogLoss, other.Pooled.LogLoss)
		}
	}
}
