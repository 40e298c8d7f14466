package pipelines

import (
	"bytes"
	"encoding/json"
	"errors"
	cli "flag" // flag is a fact of imports here
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"retain/features"
	"retain/features/lifecycle"
	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
	"retain/models"
	"retain/simulation"
)

var updateStages = cli.Bool("update-stages", false, "write the golden boards of the presets anew")

// stageWorld is the known world in small, and the cutoff at its end.
func stageWorld(t *testing.T) (*warehouse.Warehouse, time.Time) {
	t.Helper()
	w := warehousetest.Open(t)
	world := newWorld(t, simulation.Options{Customers: 120, Days: 200, Seed: 5})
	if _, err := Simulate(t.Context(), SimulateOptions{Warehouse: w, World: world, Churn: simulatedChurn()}); err != nil {
		t.Fatal(err)
	}
	store := &features.Store{DB: w}
	watermark, err := store.Watermark(t.Context(), simulatedChurn())
	if err != nil {
		t.Fatal(err)
	}
	return w, watermark.Truncate(24 * time.Hour)
}

func stagesBy(t testing.TB, w *warehouse.Warehouse, preset string) *Stages {
	t.Helper()
	rules, err := lifecycle.Load(preset, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Stages{DB: w, Rules: rules, Churn: simulatedChurn()}
}

// putRun stores the stages of a scoring run at a cutoff, as scoring does.
func putRun(t *testing.T, s *Stages, id string, cutoff time.Time) (models.Run, *staged) {
	t.Helper()
	if _, err := s.Fill(t.Context(), cutoff); err != nil {
		t.Fatal(err)
	}
	former, err := s.before(t.Context(), cutoff)
	if err != nil {
		t.Fatal(err)
	}
	x, err := s.month(t.Context(), cutoff, former)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.put(t.Context(), id, x, ""); err != nil {
		t.Fatal(err)
	}
	return models.Run{ID: id, Cutoff: cutoff}, x
}

// TestStages looks at one small world in turn: its pieces build on each other's stages.
func TestStages(t *testing.T) {
	w, cutoff := stageWorld(t)
	t.Run("history", func(t *testing.T) { stageHistoryStands(t, w, cutoff) })
	t.Run("presets", func(t *testing.T) { presetsStand(t, w, cutoff) })
	t.Run("what if", func(t *testing.T) { whatIfStands(t, w, cutoff) })
	t.Run("killed", func(t *testing.T) { killedStagesStand(t, w, cutoff) })
}

// presetsStand holds the board of each preset, stored and computed alike, and that everyone stands in exactly one stage.
func presetsStand(t *testing.T, w *warehouse.Warehouse, cutoff time.Time) {
	t.Helper()
	p, err := (&features.Store{DB: w}).Population(t.Context(), simulatedChurn(), cutoff)
	if err != nil {
		t.Fatal(err)
	}
	everyone, byStatus := p.Customer, p.ByStatus()
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	var told bytes.Buffer
	span := BoardSpan{From: cutoff.AddDate(0, -3, 0)}
	for k, preset := range lifecycle.Presets {
		s := stagesBy(t, w, preset)
		computed, x, err := s.board(t.Context(), models.Run{ID: "0a", Cutoff: cutoff}, span)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(x.customer, everyone) || len(x.place) != len(everyone) {
			t.Errorf("%s: %d customers have a stage, %d exist", preset, len(x.place), len(everyone))
		}
		total := 0
		for _, stage := range computed.Stages {
			total += stage.Customers
			if stage.Name == lifecycle.Churned && stage.Customers < byStatus[features.StatusAlreadyChurned] {
				t.Errorf("%s: %d churned, %d have left", preset, stage.Customers, byStatus[features.StatusAlreadyChurned])
			}
		}
		if total != len(everyone) {
			t.Errorf("%s: stages hold %d of %d customers", preset, total, len(everyone))
		}
		if k == 0 {
			run, _ := putRun(t, s, "0a", cutoff)
			stored, err := StageBoard(t.Context(), w, run, span)
			if err != nil {
				t.Fatal(err)
			}
			computed.Stored = true
			if d := cmp.Diff(computed, stored); d != "" {
				t.Errorf("%s: computed and stored boards differ (-computed +stored):\n%s", preset, d)
			}
			computed.Stored = false
		}
		tellBoard(&told, computed)
	}
	path := filepath.Join("testdata", "stages.txt")
	if *updateStages {
		if err := os.WriteFile(path, told.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), told.String()); d != "" {
		t.Errorf("boards differ from %s; go test ./pipelines -run TestStages -update-stages, and read the diff:\n%s", path, d)
	}
}

// tellBoard writes a board in lines.
func tellBoard(w *bytes.Buffer, b *lifecycle.Board) {
	fmt.Fprintf(w, "%s, %s to %s\n", b.Preset, b.From.Format(time.DateOnly), b.To.Format(time.DateOnly))
	for _, s := range b.Stages {
		median := "-"
		if s.MedianDays != nil {
			median = fmt.Sprintf("%.0f", *s.MedianDays)
		}
		var moves []string
		for _, m := range b.Transitions {
			if m.From == s.Name {
				moves = append(moves, fmt.Sprintf("%s %d", m.To, m.Customers))
			}
		}
		fmt.Fprintf(w, "  %s: %d, entered %d, median %s; %s\n", s.Name, s.Customers, s.Entered, median, strings.Join(moves, ", "))
	}
}

func stageHistoryStands(t *testing.T, w *warehouse.Warehouse, cutoff time.Time) {
	t.Helper()
	s := stagesBy(t, w, "full")
	made, err := s.Fill(t.Context(), cutoff)
	if err != nil || made < 5 {
		t.Fatalf("%d months made of 200 days: %v", made, err)
	}
	months := made
	if again, err := stagesBy(t, w, "full").Fill(t.Context(), cutoff); err != nil || again != 0 {
		t.Fatalf("filled again: %d months: %v", again, err)
	}
	sets, err := w.MonthStages(t.Context(), s.Rules.Version, cutoff)
	if err != nil || len(sets) != months {
		t.Fatalf("%d sets: %v", len(sets), err)
	}
	before := contentsOfStages(t, s, sets)

	// since and previous follow from the stages of the months alone.
	type life struct {
		stage, previous string
		since           time.Time
	}
	lives := map[string]life{}
	for _, set := range sets {
		c, err := w.Stages(t.Context(), set)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.IsSorted(c.Customer) || len(slices.Compact(slices.Clone(c.Customer))) != len(c.Customer) {
			t.Fatal("a customer has two stages")
		}
		for i, id := range c.Customer {
			l, known := lives[id]
			if !known {
				l = life{c.Stage[i], "", set.Cutoff}
			} else if l.stage != c.Stage[i] {
				l = life{c.Stage[i], l.stage, set.Cutoff}
			}
			lives[id] = l
			if got := (life{c.Stage[i], c.Previous[i], c.Since[i].UTC()}); got != l {
				t.Fatalf("%s at %s: %+v, want %+v", id, set.Cutoff.Format(time.DateOnly), got, l)
			}
		}
	}

	// A row that becomes known late changes the months from then on, and only them.
	third := sets[months-3].Cutoff
	rows := fmt.Sprintf("customer_id,at,kind,ingested_at\nlate lead,%s,visit,%s\n", third.AddDate(0, 0, -40).Format(time.DateOnly), third.AddDate(0, 0, -1).Format(time.DateOnly))
	if _, err := Import(t.Context(), ImportOptions{Warehouse: w, Source: features.Touchpoints, Path: "-", Stdin: strings.NewReader(rows)}); err != nil {
		t.Fatal(err)
	}
	if made, err := stagesBy(t, w, "full").Fill(t.Context(), cutoff); err != nil || made != 3 {
		t.Fatalf("%d months made after a late row, want 3: %v", made, err)
	}
	if sets, err = w.MonthStages(t.Context(), s.Rules.Version, cutoff); err != nil || len(sets) != months {
		t.Fatalf("%d sets: %v", len(sets), err)
	}
	after := contentsOfStages(t, s, sets)
	for k := range sets {
		if same := before[k] == after[k]; same != (k < months-3) {
			t.Errorf("month %s: same %v", sets[k].Cutoff.Format(time.DateOnly), same)
		}
	}
	c, err := w.Stages(t.Context(), sets[months-1])
	if err != nil {
		t.Fatal(err)
	}
	if k := slices.Index(c.Customer, "late lead"); k < 0 || c.Stage[k] != "awareness" || !c.Since[k].Equal(third) {
		t.Error("the late lead is not told")
	}
}

// contentsOfStages are the stages of sets as text.
func contentsOfStages(t *testing.T, s *Stages, sets []warehouse.StageSet) (texts []string) {
	t.Helper()
	for _, set := range sets {
		c, err := s.DB.Stages(t.Context(), set)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(b))
	}
	return texts
}

// A killed run leaves rows without their set: nothing of them is told, and the run made again is whole.
func killedStagesStand(t *testing.T, w *warehouse.Warehouse, cutoff time.Time) {
	t.Helper()
	s := stagesBy(t, w, "crm")
	x, err := s.month(t.Context(), cutoff, nil)
	if err != nil {
		t.Fatal(err)
	}
	id := s.id(x, "killed")
	if err := s.put(t.Context(), id, x, ""); err != nil {
		t.Fatal(err)
	}
	if err := w.Conn().Exec(t.Context(), "TRUNCATE TABLE lifecycle_sets"); err != nil { // as if the process had died before it
		t.Fatal(err)
	}
	run := models.Run{ID: id, Cutoff: cutoff}
	if _, err := StageBoard(t.Context(), w, run, BoardSpan{}); !errors.Is(err, ErrNoStages) {
		t.Errorf("a killed run is told: %v", err)
	}
	if former, err := s.before(t.Context(), cutoff.AddDate(0, 0, 1)); err != nil || former != nil {
		t.Errorf("a killed run is followed: %v", err)
	}
	s.Now = func() time.Time { return cutoff.AddDate(1, 0, 0) }
	if err := s.put(t.Context(), id, x, ""); err != nil {
		t.Fatal(err)
	}
	board, err := StageBoard(t.Context(), w, run, BoardSpan{})
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, stage := range board.Stages {
		total += stage.Customers
	}
	if total != len(x.customer) {
		t.Errorf("%d customers are told, %d exist", total, len(x.customer))
	}
}

func whatIfStands(t *testing.T, w *warehouse.Warehouse, cutoff time.Time) {
	t.Helper()
	run, x := putRun(t, stagesBy(t, w, "full"), "0b", cutoff)
	short := BoardSpan{From: cutoff.AddDate(0, 0, -1)} // the run alone
	same, err := stagesBy(t, w, "full").Compare(t.Context(), run, short)
	if err != nil || same.Moved != 0 || same.From != same.To {
		t.Fatalf("the same rules move %d: %v", same.Moved, err)
	}
	text, err := lifecycle.Preset("full")
	if err != nil {
		t.Fatal(err)
	}
	other, err := lifecycle.Parse(bytes.ReplaceAll(text, []byte("f.subscription_age_days < 90"), []byte("f.subscription_age_days < 30")), nil)
	if err != nil {
		t.Fatal(err)
	}
	what := &Stages{DB: w, Rules: other, Churn: simulatedChurn()}
	c, err := what.Compare(t.Context(), run, short)
	if err != nil {
		t.Fatal(err)
	}
	moved, total := 0, 0
	for _, m := range c.Moves {
		total += m.Customers
		if m.From == m.To {
			continue
		}
		moved += m.Customers
		if m.From != "onboarding" || len(m.Examples) != min(m.Customers, moveExamples) {
			t.Errorf("%+v: only those in their first 90 days can move", m)
		}
	}
	if moved == 0 || moved != c.Moved || total != len(x.customer) {
		t.Errorf("%d of %d moved, %d told", moved, total, c.Moved)
	}
	if sets, err := w.StageSets(t.Context(), other.Version, cutoff); err != nil || len(sets) != 0 {
		t.Errorf("what if has stored %d sets: %v", len(sets), err)
	}
	if _, err := what.Compare(t.Context(), models.Run{ID: "0c", Cutoff: cutoff}, short); !errors.Is(err, ErrNoStages) {
		t.Errorf("a run without stages: %v", err)
	}
}
