package training

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"retain/features"
	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
	"retain/models"
	"retain/training/metrics"
)

func TestMain(m *testing.M) { warehousetest.Main(m) }

// shop fills a warehouse with customers who buy at their own pace until they leave for good.
func shop(t *testing.T, customers int) *warehouse.Warehouse {
	t.Helper()
	w := warehousetest.Open(t)
	rng := rand.New(rand.NewPCG(3, 3))
	batch, err := w.Conn().PrepareBatch(t.Context(), "INSERT INTO purchases (customer_id, at, amount, ingested_at, imported_at, event_hash, row_hash)")
	if err != nil {
		t.Fatal(err)
	}
	start, end := month(2024, 1), month(2025, 1)
	n := uint64(0)
	for c := range customers {
		pace := 5 + 40*rng.Float64()
		at := start.Add(time.Duration(rng.Float64() * 90 * float64(24*time.Hour)))
		for at.Before(end) {
			n++
			if err := batch.Append(fmt.Sprintf("c%04d", c), at, fmt.Sprintf("%.2f", 5+50*rng.Float64()), at, end, n, n); err != nil {
				t.Fatal(err)
			}
			if rng.Float64() < .12 {
				break
			}
			at = at.Add(time.Duration(rng.ExpFloat64() * pace * float64(24*time.Hour)))
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
	return w
}

// The whole way over a real store: cutoffs, features, labels, tournament, registry.
func TestTrainOnStore(t *testing.T) {
	w := shop(t, 250)
	churn := features.DefaultChurn()
	churn.HorizonDays, churn.ActiveDays = 60, 180
	o := Options{Store: &features.Store{DB: w}, Churn: churn, Seed: 1, Registry: w}
	report, err := Train(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if !report.Promoted || report.Model.Version != 1 || len(report.Models[0].Folds) != testCutoffs {
		t.Errorf("%+v, promoted %v, %d folds", report.Model, report.Promoted, len(report.Models[0].Folds))
	}
	if rule := figuresOf(t, report.Models, familyRecency); rule.Pooled.AUC < .6 {
		t.Errorf("the recency rule has an AUC of %.3f: is its column the days since the last purchase?", rule.Pooled.AUC)
	}
	row, err := w.ChampionModel(t.Context(), KindChurn)
	if err != nil {
		t.Fatal(err)
	}
	artifact, err := models.DecodeArtifact(row.Blob)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := artifact.LoadModel(Decoders()); err != nil {
		t.Error(err)
	}
	if row.Artifact != report.Artifact || !artifact.Catalogue.Resolved() || len(artifact.Catalogue.Entries) != len(report.Features) {
		t.Errorf("artifact %s of %s, %d entries for %d features", row.Artifact, report.Artifact, len(artifact.Catalogue.Entries), len(report.Features))
	}

	// Two test cutoffs off the grid, by the same store.
	tested, err := Backtest(t.Context(), o, []time.Time{month(2024, 5), month(2024, 6)}, []time.Time{month(2024, 8), month(2024, 8).AddDate(0, 0, 5)})
	if err != nil {
		t.Fatal(err)
	}
	if len(tested.Cutoffs) != 2 || !slices.ContainsFunc(tested.Models, func(m metrics.ModelFigures) bool { return m.Name == familyBlend }) {
		t.Errorf("cutoffs %v", tested.Cutoffs)
	}
	var left uint64
	if err := w.Conn().QueryRow(t.Context(), "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name LIKE 'retain_scratch%'").Scan(&left); err != nil || left != 0 {
		t.Errorf("%d scratch tables are left, %v", left, err)
	}
}

func TestStoreWithoutRows(t *testing.T) {
	w := warehousetest.Open(t)
	_, err := Train(t.Context(), Options{Store: &features.Store{DB: w}, Churn: features.DefaultChurn(), Registry: w})
	if err == nil || !strings.Contains(err.Error(), "purchases") {
		t.Errorf("a source with no rows: %v", err)
	}
	_, err = Backtest(t.Context(), Options{Store: &features.Store{DB: w}}, nil, nil)
	var wrong *UsageError
	if !errors.As(err, &wrong) || !strings.Contains(err.Error(), "churn.") {
		t.Errorf("an empty churn definition: %v", err)
	}
}
