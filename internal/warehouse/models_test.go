package warehouse_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
)

func modelRow(k int) warehouse.ModelRow {
	return warehouse.ModelRow{
		Artifact: fmt.Sprintf("sha256:%064d", k), Kind: "churn", Name: "churn", Family: "boost",
		CreatedAt: time.Date(2026, 3, 1, 10, 0, k, 0, time.UTC), Rows: 100, Positives: 10,
		Report: `{"why":"it's \"better\""}`, Blob: []byte{0, 1, 0xff, byte(k), '\n', 0},
	}
}

func TestModels(t *testing.T) {
	w := warehousetest.Open(t)
	ctx := t.Context()
	if _, err := w.ChampionModel(ctx, "churn"); !errors.Is(err, warehouse.ErrNoModel) {
		t.Fatalf("champion of nothing: %v", err)
	}
	for _, c := range []struct {
		model   int
		version uint32
	}{{1, 1}, {2, 2}, {1, 1}, {3, 3}, {2, 2}} { // the same artifact keeps its version
		got, err := w.RegisterModel(ctx, modelRow(c.model))
		if err != nil || got != c.version {
			t.Fatalf("model %d: version %d, %v; want %d", c.model, got, err, c.version)
		}
	}
	second, err := w.ModelByVersion(ctx, "churn", 2)
	if err != nil {
		t.Fatal(err)
	}
	want := modelRow(2)
	want.Version = 2
	if d := cmp.Diff(want, second); d != "" {
		t.Error(d)
	}
	if _, err := w.ModelByVersion(ctx, "churn", 9); !errors.Is(err, warehouse.ErrNoModel) {
		t.Errorf("version 9: %v", err)
	}
	list, err := w.Models(ctx, "churn")
	if err != nil || len(list) != 3 || list[0].Version != 3 || list[0].Blob != nil {
		t.Errorf("list %v, %v", list, err)
	}

	at := time.Date(2026, 3, 2, 0, 0, 0, 123456000, time.UTC)
	for k, version := range []uint32{1, 3, 1} { // promoted, replaced, rolled back
		m, err := w.ModelByVersion(ctx, "churn", version)
		if err != nil {
			t.Fatal(err)
		}
		p := warehouse.PromotionRow{At: at.Add(time.Duration(k) * time.Microsecond), Kind: m.Kind, Artifact: m.Artifact, Name: m.Name, Version: version, Who: "ann", Why: "because"}
		if err := w.PromoteModel(ctx, p); err != nil {
			t.Fatal(err)
		}
		champion, err := w.ChampionModel(ctx, "churn")
		if err != nil || champion.Version != version {
			t.Errorf("champion %d, %v; want %d", champion.Version, err, version)
		}
	}
	history, err := w.AliasHistory(ctx, "churn", warehouse.AliasChampion)
	if err != nil || len(history) != 3 || history[0].Version != 1 || !history[2].At.Equal(at) {
		t.Errorf("history %v, %v", history, err)
	}
	if err := w.PromoteModel(ctx, warehouse.PromotionRow{At: at, Kind: "churn", Artifact: "sha256:gone", Name: "churn", Version: 7}); !errors.Is(err, warehouse.ErrNoModel) {
		t.Errorf("promoting an unknown model: %v", err)
	}
}

// Trainings that end at the same time get versions of their own, and the same artifact from two of them one version.
func TestModelsRace(t *testing.T) {
	w := warehousetest.Open(t)
	const trainings = 12
	versions := make([]uint32, trainings)
	var all sync.WaitGroup
	for k := range trainings {
		all.Go(func() {
			var err error
			if versions[k], err = w.RegisterModel(t.Context(), modelRow(k/2)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var distinct []uint32
	for k := range trainings {
		if versions[k] != versions[k/2*2] {
			t.Errorf("one artifact has versions %d and %d", versions[k], versions[k/2*2])
		}
		distinct = append(distinct, versions[k/2*2])
	}
	slices.Sort(distinct)
	if distinct = slices.Compact(distinct); len(distinct) != trainings/2 {
		t.Errorf("versions %v", versions)
	}
	list, err := w.Models(t.Context(), "")
	if err != nil || len(list) != trainings/2 {
		t.Errorf("%d models, %v", len(list), err)
	}
}
