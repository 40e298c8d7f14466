package pipelines

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"retain/features"
	"retain/internal/warehouse"
	"retain/models"
	"retain/models/actions"
	"retain/training"
)

// worldStart is the first day of the tests' shop.
var worldStart = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// shop is a small world: customers who buy at a pace of their own until they leave for good. The rows of a day depend on the seed and the day alone,
// so that the log may be written in one go or day by day.
type shop struct {
	customers int
	seed      uint64
}

// csv is the purchases of days [from, until) after worldStart.
func (s shop) csv(from, until int) []byte {
	var out bytes.Buffer
	out.WriteString("customer_id,at,order_id,amount\n")
	for c := range s.customers {
		rng := rand.New(rand.NewPCG(s.seed, uint64(c)))
		pace := 3 + 15*rng.Float64()
		at := 60 * rng.Float64()
		for n := 0; at < float64(until); n++ {
			if int(at) >= from {
				fmt.Fprintf(&out, "c%03d,%s,o%d-%d,%.2f\n", c, worldStart.Add(time.Duration(at*24*float64(time.Hour))).Format("2006-01-02 15:04:05"), c, n, 5+50*rng.Float64())
			} else {
				rng.Float64()
			}
			if rng.Float64() < .05 {
				break
			}
			at += .1 + rng.ExpFloat64()*pace
		}
	}
	return out.Bytes()
}

// smallCatalogue is cheap: five columns.
func smallCatalogue() *features.Catalogue {
	return features.DefaultCatalogue().Only([]string{"purchase_recency_days", "purchase_count_90d", "purchase_amount_sum_90d", "purchase_interval_mean_days", "purchase_overdue_ratio"})
}

func shopChurn() features.ChurnSpec {
	c := features.DefaultChurn()
	c.HorizonDays, c.ActiveDays = 30, 60
	return c
}

// trainShop trains on what the warehouse holds and returns the champion.
func trainShop(ctx context.Context, w *warehouse.Warehouse, now time.Time) (*training.TrainReport, error) {
	return training.Train(ctx, training.Options{Store: &features.Store{DB: w}, Catalogue: smallCatalogue(), Churn: shopChurn(), Seed: 1, Registry: w,
		Now: func() time.Time { return now }, Who: "test"})
}

// champion decodes the model that serves.
func champion(ctx context.Context, w *warehouse.Warehouse) (ServingModel, error) {
	row, err := w.ChampionModel(ctx, KindChurn)
	if err != nil {
		return ServingModel{}, err
	}
	a, err := models.DecodeArtifact(row.Blob)
	if err != nil {
		return ServingModel{}, err
	}
	m, err := a.LoadModel(training.Decoders())
	if err != nil {
		return ServingModel{}, err
	}
	return ServingModel{Artifact: a, Model: m.(models.Explainer), Address: row.Artifact, Version: int(row.Version)}, nil
}

func scoreShop(w *warehouse.Warehouse, m ServingModel, cutoff, now time.Time) ScoreOptions {
	return ScoreOptions{DB: w, Model: m, Cutoff: cutoff, Value: actions.ValueTerms{GrossMargin: 1}, Now: func() time.Time { return now }}
}

// openShop fills a warehouse with days of the shop and trains a champion.
func openShop(t *testing.T, w *warehouse.Warehouse, days int) ServingModel {
	t.Helper()
	s := shop{customers: 60, seed: 7}
	if _, err := Import(t.Context(), ImportOptions{Warehouse: w, Source: "purchases", Path: "-", Stdin: bytes.NewReader(s.csv(0, days))}); err != nil {
		t.Fatal(err)
	}
	if _, err := trainShop(t.Context(), w, worldStart.AddDate(0, 0, days)); err != nil {
		t.Fatal(err)
	}
	m, err := champion(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
