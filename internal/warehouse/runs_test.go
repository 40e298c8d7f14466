package warehouse_test

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
)

// scoreRun writes a run of three customers as the scoring job does.
func scoreRun(t *testing.T, w *warehouse.Warehouse, id string, cutoff, finished time.Time) {
	t.Helper()
	row := func(i int) warehouse.ScoreRow {
		return warehouse.ScoreRow{CustomerID: fmt.Sprint("c", i), Status: "scored", Margin: float64(i), Probability: .1 * float64(i), Percentile: uint8(i),
			Band: "low", Value: 10, Loss: float64(i), ReasonFeatures: []string{"f"}, ReasonTexts: []string{"t"}, ReasonValues: []float64{1},
			ReasonReferences: []float64{math.NaN()}, ReasonContributions: []float64{.5}, Vector: []float32{1, 2}}
	}
	if err := w.PutScores(t.Context(), id, 3, row); err != nil {
		t.Fatal(err)
	}
	run := warehouse.RunRow{RunID: id, Kind: "churn", Cutoff: cutoff, Customers: 3, Scored: 3, StartedAt: finished, FinishedAt: finished}
	if err := w.PutRun(t.Context(), run); err != nil {
		t.Fatal(err)
	}
}

func countScores(t *testing.T, w *warehouse.Warehouse, id string) (n int) {
	t.Helper()
	for _, err := range w.Scores(t.Context(), id) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

func TestRunsAreVisibleByTheirRow(t *testing.T) {
	w := warehousetest.Open(t)
	first, finished := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	if _, err := w.RunInForce(t.Context(), "churn"); !errors.Is(err, warehouse.ErrNoRun) {
		t.Fatalf("no run: %v", err)
	}
	scoreRun(t, w, "aa", first, finished)
	scoreRun(t, w, "aa", first, finished.Add(time.Hour)) // the same again, as after a kill
	if n := countScores(t, w, "aa"); n != 3 {
		t.Errorf("written twice, the run has %d scores, want 3", n)
	}
	run, err := w.RunInForce(t.Context(), "churn")
	if err != nil || !run.FinishedAt.Equal(finished) {
		t.Errorf("in force: finished %v (%v), want the first, %v", run.FinishedAt, err, finished)
	}
	scoreRun(t, w, "bb", first.AddDate(0, 0, -1), finished.AddDate(1, 0, 0))
	if run, err := w.RunInForce(t.Context(), "churn"); err != nil || run.RunID != "aa" {
		t.Errorf("in force: %s (%v), want aa: the greatest cutoff comes before the latest finish", run.RunID, err)
	}
}

func TestPrunedRunsCanComeBack(t *testing.T) {
	w := warehousetest.Open(t)
	cutoff, finished := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for k := range 31 {
		scoreRun(t, w, fmt.Sprintf("%02x", k), cutoff.AddDate(0, 0, k), finished)
	}
	if err := w.PruneRuns(t.Context(), "churn", "1e"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Run(t.Context(), "00"); !errors.Is(err, warehouse.ErrNoRun) {
		t.Fatalf("the oldest of 31 runs: %v, want it pruned", err)
	}
	if n := countScores(t, w, "00"); n != 0 {
		t.Fatalf("the pruned run still has %d scores", n)
	}
	scoreRun(t, w, "00", cutoff, finished.Add(time.Hour))
	if err := w.PruneRuns(t.Context(), "churn", "00"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Run(t.Context(), "00"); err != nil {
		t.Errorf("scored again: %v", err)
	}
	if n := countScores(t, w, "00"); n != 3 {
		t.Errorf("scored again, the run has %d scores, want 3", n)
	}
}

// The last run of a month stays until its labels have matured, and long after.
func TestTheLastRunOfAMonthStays(t *testing.T) {
	w := warehousetest.Open(t)
	first, finished := time.Date(2025, 12, 3, 0, 0, 0, 0, time.UTC), time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for k, days := range []int{-34, -33, -4, -3} { // the last two days of October and of November
		scoreRun(t, w, fmt.Sprintf("a%d", k), first.AddDate(0, 0, days), finished)
	}
	for k := range 30 {
		scoreRun(t, w, fmt.Sprintf("%02x", k), first.AddDate(0, 0, k), finished)
	}
	if err := w.PruneRuns(t.Context(), "churn", "1d"); err != nil {
		t.Fatal(err)
	}
	runs, err := w.Runs(t.Context(), "churn")
	if err != nil {
		t.Fatal(err)
	}
	var older []string
	for _, r := range runs[30:] {
		older = append(older, r.Cutoff.Format(time.DateOnly))
	}
	if want := "[2025-11-30 2025-10-31]"; fmt.Sprint(older) != want {
		t.Errorf("beside the latest 30 runs, those of %v are kept, want %s", older, want)
	}
}

func TestAtRiskOrder(t *testing.T) {
	w := warehousetest.Open(t)
	nan := math.NaN()
	rows := []warehouse.ScoreRow{
		{CustomerID: "b", Status: "scored", Margin: 1, Band: "low", Value: 10, Loss: 5},
		{CustomerID: "a", Status: "scored", Margin: 1, Band: "low", Value: 10, Loss: 5},
		{CustomerID: "unknown", Status: "scored", Margin: 9, Band: "high", Value: nan, Loss: nan},
		{CustomerID: "top", Status: "scored", Margin: 0, Band: "high", Value: 90, Loss: 80},
		{CustomerID: "gone", Status: "already_churned", Margin: nan, Value: nan, Loss: nan},
	}
	if err := w.PutScores(t.Context(), "ab", len(rows), func(i int) warehouse.ScoreRow { return rows[i] }); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		q     warehouse.AtRisk
		want  string
		total uint64
	}{
		{"by loss, unknown last, then margin, then id", warehouse.AtRisk{MinValue: nan, Limit: 9}, "[top a b unknown]", 4},
		{"by margin", warehouse.AtRisk{MinValue: nan, Limit: 9, ByProbability: true}, "[unknown a b top]", 4},
		{"limited", warehouse.AtRisk{MinValue: nan, Limit: 1}, "[top]", 4},
		{"band", warehouse.AtRisk{MinValue: nan, Limit: 9, Band: "high"}, "[top unknown]", 2},
		{"value", warehouse.AtRisk{MinValue: 10, Limit: 9}, "[top a b]", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, total, err := w.AtRisk(t.Context(), "ab", c.q)
			if err != nil {
				t.Fatal(err)
			}
			ids := make([]string, len(got))
			for i, row := range got {
				ids[i] = row.CustomerID
			}
			if fmt.Sprint(ids) != c.want || total != c.total {
				t.Errorf("%v of %d, want %s of %d", ids, total, c.want, c.total)
			}
		})
	}
}
