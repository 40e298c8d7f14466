package training

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"retain/features"
	"retain/models"
)

// flatFile writes a table whose label depends on tenure and contract.
func flatFile(t *testing.T, rows int, line func(i int, rng *rand.Rand) string, header string) string {
	t.Helper()
	rng := rand.New(rand.NewPCG(5, 5))
	var b strings.Builder
	b.WriteString(header + "\n")
	for i := range rows {
		b.WriteString(line(i, rng) + "\n")
	}
	path := filepath.Join(t.TempDir(), "flat.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func leaver(_ int, rng *rand.Rand) string {
	tenure, monthly, contract := rng.IntN(60), rng.IntN(2), []string{"month", "year"}[rng.IntN(2)]
	left := "No"
	if rng.Float64() < models.Sigmoid(1-.05*float64(tenure)-1.5*float64(len(contract)-4)) { // "year" is 4 letters long, "month" 5
		left = "Yes"
	}
	charge := fmt.Sprintf("%.2f", 20+80*rng.Float64())
	if rng.IntN(20) == 0 {
		charge = ""
	}
	return fmt.Sprintf("%d,%d,%s,%s,%s", tenure, monthly, contract, charge, left)
}

const leaverHeader = "Tenure,few values,contract,charge,left"

func TestCrossValidate(t *testing.T) {
	path := flatFile(t, 1200, leaver, leaverHeader)
	report, err := CrossValidate(t.Context(), FlatOptions{Path: path, Target: "left", Positive: "Yes", Seed: 1, Folds: 3})
	if err != nil {
		t.Fatal(err)
	}
	if report.Rows != 1200 || report.Features != 4 || report.Folds != 3 || len(report.Warnings) != 0 {
		t.Errorf("%d rows, %d features, %d folds, %v", report.Rows, report.Features, report.Folds, report.Warnings)
	}
	var names []string
	for _, m := range report.Models {
		names = append(names, m.Name)
		if m.Name == familyBaseRate {
			near(t, "base rate's AUC", float64(m.AUC), .5, 1e-12)
			continue
		}
		if m.AUC < .7 || m.LogLoss > .6 {
			t.Errorf("%s: AUC %.3f, log loss %.3f", m.Name, m.AUC, m.LogLoss)
		}
	}
	if strings.Join(names, " ") != "base_rate linear boost blend golearn_cart golearn_forest golearn_bayes" {
		t.Errorf("families %v", names)
	}
	again, err := CrossValidate(t.Context(), FlatOptions{Path: path, Target: "left", Positive: "Yes", Seed: 1, Folds: 3})
	if err != nil {
		t.Fatal(err)
	}
	for k := range again.Models {
		if again.Models[k].Figures != report.Models[k].Figures {
			t.Errorf("%s differs the second time", again.Models[k].Name)
		}
	}
}

func TestReadFlat(t *testing.T) {
	path := flatFile(t, 3, func(i int, _ *rand.Rand) string {
		return []string{"a,1,x,NULL,1,", "b,2.5,7,NaN,0,u", "c,\\N,,,1,v"}[i]
	}, "Id,amount,mixed,nothing,gone,last col")
	d, warnings, err := readFlat(FlatOptions{Path: path, Target: "GONE", Positive: "1", ID: "id", Drop: []string{"last-col"}})
	if err != nil {
		t.Fatal(err)
	}
	want := features.Schema{{Name: "amount"}, {Name: "mixed", Kind: features.Categorical, Levels: []string{"7", "x"}}, {Name: "nothing"}}
	for j, c := range want {
		got := d.X.Schema[j]
		if got.Name != c.Name || got.Kind != c.Kind || strings.Join(got.Levels, ",") != strings.Join(c.Levels, ",") {
			t.Errorf("column %d: %+v", j, got)
		}
	}
	if len(d.X.Schema) != 3 || d.X.X[0][0] != 1 || d.X.X[0][1] != 2.5 || !math.IsNaN(float64(d.X.X[0][2])) || d.X.X[1][0] != 1 || d.X.X[1][1] != 0 {
		t.Errorf("values %v", d.X.X)
	}
	if d.Customer[0] != "id a" || d.Y[0] != 1 || d.Y[1] != 0 || len(warnings) != 0 {
		t.Errorf("%v %v %v", d.Customer, d.Y, warnings)
	}
}

func TestCrossValidateRefuses(t *testing.T) {
	path := flatFile(t, 60, leaver, leaverHeader)
	for _, c := range []struct {
		name string
		o    FlatOptions
		says string
	}{
		{"no such target", FlatOptions{Target: "gone", Positive: "Yes"}, `no column "gone"`},
		{"no such value", FlatOptions{Target: "left", Positive: "yes"}, `"No"`},
		{"no such drop", FlatOptions{Target: "left", Positive: "Yes", Drop: []string{"x"}}, "--drop"},
		{"no such id", FlatOptions{Target: "left", Positive: "Yes", ID: "x"}, "--id"},
		{"one fold", FlatOptions{Target: "left", Positive: "Yes", Folds: 1}, "at least 2"},
		{"too many folds", FlatOptions{Target: "left", Positive: "Yes", Folds: 50}, "rarer class has only"},
		{"nothing left", FlatOptions{Target: "left", Positive: "Yes", Drop: []string{"tenure", "few values", "contract", "charge"}}, "no column left"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Path = path
			_, err := CrossValidate(t.Context(), c.o)
			var wrong *UsageError
			if !errors.As(err, &wrong) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v", err)
			}
		})
	}
	constant := flatFile(t, 20, func(i int, _ *rand.Rand) string { return fmt.Sprintf("%d,1", i) }, "x,left")
	_, err := CrossValidate(t.Context(), FlatOptions{Path: constant, Target: "left", Positive: "1"})
	var lacks *DataError
	if !errors.As(err, &lacks) {
		t.Errorf("a constant label: %v", err)
	}
}

func TestCrossValidateWarnsOfLeak(t *testing.T) {
	path := flatFile(t, 300, func(i int, rng *rand.Rand) string {
		if i%3 == 0 {
			return fmt.Sprintf("%d,price,1", rng.IntN(9))
		}
		return fmt.Sprintf("%d,,0", rng.IntN(9))
	}, "x,reason,left")
	report, err := CrossValidate(t.Context(), FlatOptions{Path: path, Target: "left", Positive: "1", Folds: 2})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Leaks) != 1 || report.Leaks[0].Feature != "reason" || !report.Leaks[0].Missing || len(report.Warnings) != 1 {
		t.Errorf("leaks %v, warnings %v", report.Leaks, report.Warnings)
	}
}

// The rows of one customer never stand on both sides.
func TestGroupedFolds(t *testing.T) {
	d := &features.Dataset{}
	for i := range 900 {
		d.Customer = append(d.Customer, fmt.Sprint(i%300))
		d.Y = append(d.Y, float64(i%10/9))
	}
	fold := groupedFolds(d, 3, 1)
	for i := range fold {
		if fold[i] != fold[i%300] {
			t.Fatal("a customer is in two folds")
		}
	}
}

// Every family has the intervals of its pooled rows around its figures, and a verdict.
func TestCrossValidateTellsHowSureItIs(t *testing.T) {
	path := flatFile(t, 600, leaver, leaverHeader)
	report, err := CrossValidate(t.Context(), FlatOptions{Path: path, Target: "left", Positive: "Yes", Seed: 1, Folds: 2})
	if err != nil {
		t.Fatal(err)
	}
	if report.BudgetHit || len(report.Tuning) != 0 {
		t.Errorf("600 rows are tuned: %v", report.Tuning)
	}
	for _, m := range report.Models {
		p := m.Pooled
		if p.Rows != 600 || !(p.LogLossInterval[0] < m.LogLoss && m.LogLoss < p.LogLossInterval[1]) {
			t.Errorf("%s: log loss %v in %v of %d rows", m.Name, m.LogLoss, p.LogLossInterval, p.Rows)
		}
		if !strings.Contains(m.Verdict, "calibrated") {
			t.Errorf("%s: verdict %q", m.Name, m.Verdict)
		}
		if beats := strings.Contains(m.Verdict, "beats the base rate"); beats != (m.Name != familyBaseRate) {
			t.Errorf("%s: verdict %q", m.Name, m.Verdict)
		}
		near(t, m.Name+"'s log loss over folds and over rows", float64(p.LogLoss), float64(m.LogLoss), 1e-9)
	}
}
