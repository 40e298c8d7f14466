package warehouse_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
)

var aliasStart = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// registerModels registers models 1 to n, versions 1 to n.
func registerModels(t *testing.T, w *warehouse.Warehouse, n int) {
	t.Helper()
	for k := range n {
		if v, err := w.RegisterModel(t.Context(), modelRow(k+1)); err != nil || v != uint32(k+1) {
			t.Fatalf("model %d: version %d, %v", k+1, v, err)
		}
	}
}

func promotion(model int, at time.Time) warehouse.PromotionRow {
	m := modelRow(model)
	return warehouse.PromotionRow{At: at, Kind: m.Kind, Artifact: m.Artifact, Name: m.Name, Version: uint32(model), Who: "ann", Why: "it's better"}
}

func TestAliases(t *testing.T) {
	w := warehousetest.Open(t)
	ctx := t.Context()
	registerModels(t, w, 3)
	if _, err := w.Alias(ctx, "churn", warehouse.AliasChampion, time.Time{}); !errors.Is(err, warehouse.ErrNoAlias) {
		t.Fatalf("champion of nothing: %v", err)
	}
	// The second promoter's clock is a day behind: the order is that of the promotions all the same.
	for k, p := range []struct {
		model int
		at    time.Time
	}{{1, aliasStart}, {3, aliasStart.AddDate(0, 0, -1)}, {2, aliasStart.AddDate(0, 0, 7)}} {
		if err := w.PromoteModel(ctx, promotion(p.model, p.at)); err != nil {
			t.Fatal(err)
		}
		if m, err := w.ChampionModel(ctx, "churn"); err != nil || m.Version != uint32(p.model) {
			t.Errorf("promotion %d: champion %d, %v", k, m.Version, err)
		}
	}
	for _, c := range []struct {
		name    string
		at      time.Time
		version uint32 // 0 = none
	}{
		{"before all", aliasStart.Add(-time.Microsecond), 0},
		{"at the instant of the first", aliasStart, 1},
		{"a microsecond later", aliasStart.Add(time.Microsecond), 3}, // the one with the slow clock was moved up
		{"just before the third", aliasStart.AddDate(0, 0, 7).Add(-time.Microsecond), 3},
		{"at the third", aliasStart.AddDate(0, 0, 7), 2},
		{"a year later", aliasStart.AddDate(1, 0, 0), 2},
	} {
		r, err := w.Alias(ctx, "churn", warehouse.AliasChampion, c.at)
		if r.Version != c.version || errors.Is(err, warehouse.ErrNoAlias) != (c.version == 0) || err != nil && c.version != 0 {
			t.Errorf("%s: version %d, %v; want %d", c.name, r.Version, err, c.version)
		}
	}
	other := modelRow(9)
	wrong := promotion(2, aliasStart)
	wrong.Version = 1
	for name, p := range map[string]warehouse.PromotionRow{"unknown": {Kind: "churn", Artifact: other.Artifact, Name: "churn", Version: 1}, "another version": wrong} {
		if err := w.PromoteModel(ctx, p); !errors.Is(err, warehouse.ErrNoModel) {
			t.Errorf("promoting a model that is %s: %v", name, err)
		}
	}
	over, none := modelRow(3).Artifact, ""
	for _, expected := range []*string{&over, &none} {
		p := promotion(1, aliasStart)
		if p.Over = expected; !errors.Is(w.PromoteModel(ctx, p), warehouse.ErrAliasMoved) {
			t.Errorf("promoted over %q, which is not the champion", *expected)
		}
	}

	// An alias can be taken away, and its history stays.
	m := modelRow(1)
	set := warehouse.AliasRow{Kind: "churn", Alias: warehouse.AliasShadow, At: aliasStart, Action: warehouse.ActionShadowed, Artifact: m.Artifact, Name: m.Name, Version: 1, Who: "ann", Why: "try"}
	if _, err := w.SetAlias(ctx, set, nil); err != nil {
		t.Fatal(err)
	}
	if m, r, err := w.ModelOfAlias(ctx, "churn", warehouse.AliasShadow); err != nil || m.Version != 1 || r.Step != 1 || len(m.Blob) == 0 {
		t.Errorf("shadow %d at step %d, %v", m.Version, r.Step, err)
	}
	if _, err := w.SetAlias(ctx, warehouse.AliasRow{Kind: "churn", Alias: warehouse.AliasShadow, At: aliasStart.AddDate(0, 0, 1), Action: warehouse.ActionStopped}, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.ModelOfAlias(ctx, "churn", warehouse.AliasShadow); !errors.Is(err, warehouse.ErrNoModel) {
		t.Errorf("a shadow that was stopped: %v", err)
	}
	all, err := w.AliasHistory(ctx, "churn", "")
	if err != nil || len(all) != 5 || all[0].Alias != warehouse.AliasChampion || all[0].Version != 2 {
		t.Errorf("history %+v, %v", all, err)
	}
	if others, err := w.AliasHistory(ctx, "loyalty", ""); err != nil || len(others) != 0 {
		t.Errorf("another kind has %v, %v", others, err)
	}
}

// A roll-back undoes the latest promotion that is not undone, so two of them go two back; what is promoted after a roll-back can be undone too.
func TestRollBack(t *testing.T) {
	w := warehousetest.Open(t)
	registerModels(t, w, 4)
	at := aliasStart
	if _, _, err := w.RollBack(t.Context(), "churn", "bob", "", at); !errors.Is(err, warehouse.ErrNoAlias) {
		t.Errorf("without a champion: %v", err)
	}
	for _, step := range []struct {
		promote  int    // 0 = roll back
		champion uint32 // then; 0 = there is nothing to go back to
	}{{1, 1}, {0, 0}, {2, 2}, {3, 3}, {0, 2}, {0, 1}, {0, 0}, {4, 4}, {1, 1}, {0, 4}, {0, 1}} {
		at = at.AddDate(0, 0, 1)
		if step.promote > 0 {
			if err := w.PromoteModel(t.Context(), promotion(step.promote, at)); err != nil {
				t.Fatal(err)
			}
		} else if from, to, err := w.RollBack(t.Context(), "churn", "bob", "worse in the shop", at); step.champion == 0 {
			if !errors.Is(err, warehouse.ErrNoAlias) {
				t.Errorf("rolled back from %d to %d, %v; want nothing before", from.Version, to.Version, err)
			}
			continue
		} else if err != nil || to.Version != step.champion || to.Action != warehouse.ActionRolledBack || to.Who != "bob" {
			t.Errorf("rolled back to %+v, %v; want %d", to, err, step.champion)
		}
		if m, err := w.ChampionModel(t.Context(), "churn"); err != nil || m.Version != step.champion {
			t.Errorf("champion %d, %v; want %d", m.Version, err, step.champion)
		}
	}
}

// The champions of a warehouse of before stay, in their order, however often the migration runs.
func TestAliasesTakePromotionsOver(t *testing.T) {
	w := warehousetest.Open(t)
	ctx := t.Context()
	registerModels(t, w, 2)
	for _, q := range []string{
		"INSERT INTO promotions VALUES ('2026-03-05 00:00:00', 'churn', '" + modelRow(2).Artifact + "', 'churn', 2, 'retain train', 'better'), ('2026-03-02 00:00:00', 'churn', '" + modelRow(1).Artifact + "', 'churn', 1, 'retain train', 'first')",
		"ALTER TABLE migrations DELETE WHERE name LIKE '0008%' SETTINGS mutations_sync = 1",
	} {
		if err := w.Conn().Exec(ctx, q); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if applied, err := w.Migrate(ctx); err != nil || len(applied) != 1 {
			t.Fatalf("applied %v, %v", applied, err)
		}
		if err := w.Conn().Exec(ctx, "ALTER TABLE migrations DELETE WHERE name LIKE '0008%' SETTINGS mutations_sync = 1"); err != nil {
			t.Fatal(err)
		}
	}
	history, err := w.AliasHistory(ctx, "churn", "")
	if err != nil || len(history) != 2 || history[0].Version != 2 || history[0].Step != 2 || history[1].Version != 1 || history[1].Why != "first" {
		t.Errorf("%+v, %v", history, err)
	}
	if _, to, err := w.RollBack(ctx, "churn", "ann", "", aliasStart); err != nil || to.Version != 1 {
		t.Errorf("rolled back to %+v, %v", to, err)
	}
}

// Of promotions over the same champion at once one succeeds.
func TestPromotionsRace(t *testing.T) {
	w := warehousetest.Open(t)
	const trainings = 8
	registerModels(t, w, trainings)
	if err := w.PromoteModel(t.Context(), promotion(1, aliasStart)); err != nil {
		t.Fatal(err)
	}
	over := modelRow(1).Artifact
	won := make([]bool, trainings)
	var all sync.WaitGroup
	for k := 1; k < trainings; k++ {
		all.Go(func() {
			p := promotion(k+1, aliasStart)
			p.Over = &over
			err := w.PromoteModel(t.Context(), p)
			if won[k] = err == nil; err != nil && !errors.Is(err, warehouse.ErrAliasMoved) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	m, err := w.ChampionModel(t.Context(), "churn")
	if err != nil || !won[m.Version-1] || slices.Index(won, true) != int(m.Version)-1 || slices.Contains(won[m.Version:], true) {
		t.Errorf("champion %d, winners %v, %v", m.Version, won, err)
	}
	if history, err := w.AliasHistory(t.Context(), "churn", ""); err != nil || len(history) != 2 {
		t.Errorf("history %+v, %v", history, err)
	}
}

// enrolTwenty is a process that registers twenty models, every other one of them the same as other processes do, and promotes each.
func enrolTwenty(dir string) error {
	ctx := context.Background()
	o := warehouse.Options{URL: "embedded:" + dir, Wait: time.Minute}
	if at := os.Getenv("WAREHOUSE_TEST_SERVER"); at != "" {
		o.URL = at
	}
	w, err := warehouse.Open(ctx, o)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(os.Getenv("WAREHOUSE_TEST_NUMBER"))
	if err != nil {
		return err
	}
	for k := range 20 {
		m := modelRow(100 + k)
		if k%2 == 1 {
			m = modelRow(1000*number + k)
		}
		version, err := w.RegisterModel(ctx, m)
		if err != nil {
			return err
		}
		p := warehouse.PromotionRow{At: time.Now(), Kind: m.Kind, Artifact: m.Artifact, Name: m.Name, Version: version, Who: strconv.Itoa(number), Why: "test"}
		if err := w.PromoteModel(ctx, p); err != nil {
			return err
		}
		fmt.Println("enrolled", version, m.Artifact)
	}
	return w.Close()
}

// Two processes on one warehouse, over the holder's socket and over a server's port: versions stay unique, an artifact has one, and no promotion is lost.
func TestTwoProcessesEnrol(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) (dir, address string){
		"socket": func(t *testing.T) (string, string) {
			dir := t.TempDir()
			holder(t, "serve", dir)
			return dir, ""
		},
		"server": func(t *testing.T) (string, string) {
			address := "http://" + server(t) + "/shared"
			w, err := warehouse.Open(t.Context(), warehouse.Options{URL: address, Create: true})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			return "", address
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, address := open(t)
			var children []*child
			for number := range 2 {
				children = append(children, spawn(t, "enrol", dir, "WAREHOUSE_TEST_SERVER="+address, "WAREHOUSE_TEST_NUMBER="+strconv.Itoa(number+1)))
			}
			version := map[string]string{} // of each artifact
			for _, c := range children {
				for range 20 {
					words := strings.Fields(c.line(t))
					if len(words) != 3 {
						t.Fatal(words)
					}
					if v, known := version[words[2]]; known && v != words[1] {
						t.Errorf("%s has versions %s and %s", words[2], v, words[1])
					}
					version[words[2]] = words[1]
				}
			}
			o := warehouse.Options{URL: "embedded:" + dir, Wait: 10 * time.Second}
			if address != "" {
				o.URL = address
			}
			w, err := warehouse.Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			list, err := w.Models(t.Context(), "churn")
			if err != nil || len(list) != 30 { // ten that both registered, ten of each alone
				t.Errorf("%d models, %v", len(list), err)
			}
			seen := map[uint32]bool{}
			for _, m := range list {
				if seen[m.Version] || fmt.Sprint(m.Version) != version[m.Artifact] {
					t.Errorf("version %d of %s, whose trainer was told %s", m.Version, m.Artifact, version[m.Artifact])
				}
				seen[m.Version] = true
			}
			history, err := w.AliasHistory(t.Context(), "churn", warehouse.AliasChampion)
			if err != nil || len(history) != 40 {
				t.Fatalf("%d promotions of 40, %v", len(history), err)
			}
			for i, r := range history {
				if int(r.Step) != 40-i || i > 0 && !r.At.Before(history[i-1].At) {
					t.Errorf("step %d at %s stands at %d", r.Step, r.At, i)
				}
			}
		})
	}
}

// storeOnly is a training that dies between storing its model and promoting it.
func storeOnly(dir string) error {
	w, err := warehouse.Open(context.Background(), warehouse.Options{URL: "embedded:" + dir, Create: true})
	if err != nil {
		return err
	}
	first := modelRow(1)
	if _, err := w.RegisterModel(context.Background(), first); err != nil {
		return err
	}
	if err := w.PromoteModel(context.Background(), promotion(1, aliasStart)); err != nil {
		return err
	}
	if _, err := w.RegisterModel(context.Background(), modelRow(2)); err != nil {
		return err
	}
	fmt.Println("stored")
	select {}
}

func TestKilledBetweenStoreAndPromotion(t *testing.T) {
	dir := t.TempDir()
	c := spawn(t, "store", dir)
	if line := c.line(t); line != "stored" {
		t.Fatal(line)
	}
	c.kill(t)
	holder(t, "serve", dir)
	w := attach(t, dir)
	if m, err := w.ChampionModel(t.Context(), "churn"); err != nil || m.Version != 1 {
		t.Errorf("champion %d, %v; want the earlier one", m.Version, err)
	}
	// The training that is done again finds its model, and promotes it.
	if v, err := w.RegisterModel(t.Context(), modelRow(2)); err != nil || v != 2 {
		t.Errorf("version %d, %v", v, err)
	}
	if err := w.PromoteModel(t.Context(), promotion(2, aliasStart)); err != nil {
		t.Error(err)
	}
}
