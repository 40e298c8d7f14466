package pipelines

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"retain/features"
	"retain/features/lifecycle/segment"
	"retain/internal/warehouse"
	"retain/models"
)

// Two kinds of buyers are found, kept with their ids, and keep their labels a month later.
func TestSegmentsAreFoundAndKept(t *testing.T) {
	im := newImporter(t)
	rows := []string{"customer_id,at,order_id,amount,currency"}
	first := time.Date(2024, 8, 1, 12, 0, 0, 0, time.UTC)
	for i := range 40 {
		for k := range 20 { // often and little
			rows = append(rows, fmt.Sprintf("often%02d,%s,a%d-%d,%d,EUR", i, first.AddDate(0, 0, 15*k+i%5).Format(time.DateOnly), i, k, 9+(i+k)%3))
		}
		for k := range 2 { // seldom and much
			rows = append(rows, fmt.Sprintf("seldom%02d,%s,b%d-%d,%d,EUR", i, first.AddDate(0, 5*k, i%7).Format(time.DateOnly), i, k, 400+i%9))
		}
	}
	im.must("purchases.csv", strings.Join(rows, "\n")+"\n", ImportOptions{Source: "purchases", Currency: "EUR"})
	s := Segments{Store: &features.Store{DB: im.w}, Churn: features.DefaultChurn(), Catalogue: features.DefaultCatalogue()}
	if _, err := s.Latest(t.Context()); !errors.Is(err, ErrNoSegments) {
		t.Errorf("before any: %v", err)
	}
	by := []string{"purchase_count_365d", "purchase_amount_mean_365d"}
	june := time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)
	got, err := s.Find(t.Context(), june, by, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Groups) != 2 || got.Customers != 80 || got.Groups[0].Customers != 40 || got.Kept != nil {
		t.Fatalf("%+v", got)
	}
	set, ok, err := im.w.SegmentSet(t.Context(), june)
	if err != nil || !ok {
		t.Fatalf("stored: %v, %v", ok, err)
	}
	ids, labels, err := im.w.Segments(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	if len(ids) != 80 || labels[0] == labels[40] {
		t.Fatalf("%d ids; often is %s, seldom %s", len(ids), labels[0], labels[40])
	}
	for i, id := range ids {
		if want := labels[i/40*40]; labels[i] != want {
			t.Errorf("%s is in %s, those like it in %s", id, labels[i], want)
		}
	}
	again, err := s.Find(t.Context(), june, by, 1)
	if err != nil || again.Groups[0].Label != got.Groups[0].Label {
		t.Errorf("found again: %+v, %v", again, err)
	}
	later, err := s.Find(t.Context(), june.AddDate(0, 1, 0), by, 2)
	if err != nil {
		t.Fatal(err)
	}
	if later.Kept == nil || *later.Kept != 1 || later.Former == nil {
		t.Errorf("a month later %v of the labels stay", later.Kept)
	}
	if latest, err := s.Latest(t.Context()); err != nil || !latest.Cutoff.Equal(june.AddDate(0, 1, 0)) {
		t.Errorf("the latest: %+v, %v", latest, err)
	}
	if _, err := s.Find(t.Context(), june, []string{"profile_region"}, 1); !errors.Is(err, segment.ErrTooFew) {
		t.Errorf("nothing to tell them apart: %v", err)
	}
}

// Declared segments divide the scored customers of a run, each with the mean risk and the loss of its own.
func TestDeclaredSegmentsOfARun(t *testing.T) {
	im, cutoff := newImporter(t), time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)
	im.must("purchases.csv", "customer_id,at,order_id,amount,currency\na,2025-05-01,1,900,EUR\nb,2025-05-02,2,10,EUR\nc,2025-05-03,3,20,EUR\n", ImportOptions{Source: "purchases", Currency: "EUR"})
	risk := []float64{.5, .25, .75}
	if err := im.w.PutScores(t.Context(), "aa", 4, func(i int) warehouse.ScoreRow {
		row := warehouse.ScoreRow{CustomerID: string(rune('a' + i)), Status: "scored", Margin: 1, Probability: 0, Value: 100, Loss: 100}
		if i == 3 {
			return warehouse.ScoreRow{CustomerID: "d", Status: "insufficient_history", Margin: math.NaN(), Probability: math.NaN(), Value: math.NaN(), Loss: math.NaN(), PRepeat: math.NaN(), PPromotes: math.NaN()}
		}
		row.Probability, row.PRepeat, row.PPromotes = risk[i], math.NaN(), math.NaN()
		if i == 1 {
			row.Value, row.Loss = math.NaN(), math.NaN()
		}
		return row
	}); err != nil {
		t.Fatal(err)
	}
	if err := im.w.PutRun(t.Context(), warehouse.RunRow{RunID: "aa", Kind: KindChurn, Cutoff: cutoff, Artifact: "x", ModelName: "churn", ModelVersion: 1, HorizonDays: 90, Customers: 4, Scored: 3, StartedAt: cutoff, FinishedAt: cutoff}); err != nil {
		t.Fatal(err)
	}
	declared, err := segment.ParseDeclared([]byte("segments: [{name: large, rule: f.purchase_amount_sum_365d > 500}]"), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Segments{Store: &features.Store{DB: im.w}}.Declared(t.Context(), models.Run{ID: "aa", Cutoff: cutoff}, declared)
	if err != nil {
		t.Fatal(err)
	}
	want := &DeclaredReport{RunID: "aa", Cutoff: cutoff, Customers: 3, Segments: []DeclaredShare{
		{Name: "large", Customers: 1, Risk: new(.5), ExpectedLoss: new(100.)},
		{Name: "other", Customers: 2, Risk: new(.5), ExpectedLoss: new(100.)},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
