package pipelines

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"retain/features"
	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
	"retain/simulation"
)

// simulatedChurn is the label that the known world is made for.
func simulatedChurn() features.ChurnSpec {
	return features.ChurnSpec{Setting: features.Contractual, GraceDays: 30, HorizonDays: 91}
}

func newWorld(t *testing.T, o simulation.Options) *simulation.World {
	t.Helper()
	w, err := simulation.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// contents are the number of rows and a hash of all values but imported_at, of each table of the sources.
func contents(t *testing.T, w *warehouse.Warehouse) map[string]string {
	t.Helper()
	tables := map[string]string{}
	for _, source := range warehouse.ImportSources {
		columns := []string{"ingested_at", "ingested_mapped", "event_hash", "row_hash"}
		for _, c := range source.Columns {
			columns = append(columns, c.Name)
		}
		names := []string{source.Name}
		if !source.Versions {
			names = append(names, source.Name+"_fixes")
		}
		for _, name := range names {
			var n, hash uint64
			query := fmt.Sprintf("SELECT count(), sum(cityHash64(toString(tuple(%s)))) FROM %s", strings.Join(columns, ", "), name)
			if err := w.Conn().QueryRow(t.Context(), query).Scan(&n, &hash); err != nil {
				t.Fatal(err)
			}
			tables[name] = fmt.Sprintf("%d rows %x", n, hash)
		}
	}
	return tables
}

// fileOf writes rows as a file that import reads.
func fileOf(t *testing.T, rows *simulatedRows) string {
	t.Helper()
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	cells := func(r int) []string {
		var line []string
		for i, c := range rows.source.Columns {
			switch {
			case c.Kind == warehouse.ImportTexts || c.Kind == warehouse.ImportFlags:
				prefix := map[warehouse.ImportKind]string{warehouse.ImportTexts: "", warehouse.ImportFlags: "consent_"}[c.Kind]
				parts := strings.Split(rows.batch.Texts[i][max(r, 0)], "\x00")
				for k := 0; k < len(parts); k += 2 {
					if r < 0 {
						line = append(line, prefix+parts[k])
					} else {
						line = append(line, parts[k+1])
					}
				}
			case r < 0:
				line = append(line, c.Name)
			case c.Kind.Textual():
				line = append(line, rows.batch.Texts[i][r])
			case rows.batch.Whole[i][r] == warehouse.ImportNull:
				line = append(line, "")
			case c.Kind == warehouse.ImportInstant:
				line = append(line, time.UnixMilli(rows.batch.Whole[i][r]).UTC().Format("2006-01-02T15:04:05.000Z"))
			case c.Kind == warehouse.ImportFixed:
				v, scale := rows.batch.Whole[i][r], []int64{3: 1000, 4: 10_000}[c.Scale]
				line = append(line, fmt.Sprintf("%d.%0*d", v/scale, c.Scale, v%scale))
			default:
				line = append(line, strconv.FormatInt(rows.batch.Whole[i][r], 10))
			}
		}
		if r < 0 {
			return append(line, "ingested_at")
		}
		return append(line, time.UnixMilli(rows.batch.IngestedAt[r]).UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	for r := -1; r < rows.batch.Rows; r++ {
		if err := w.Write(cells(r)); err != nil {
			t.Fatal(err)
		}
	}
	w.Flush()
	return out.String()
}

// The same rows, imported from files and filled, leave the same tables: duplicates dropped, corrections among the fixes.
func TestSimulateLeavesWhatAnImportWould(t *testing.T) {
	world := newWorld(t, simulation.Options{Customers: 150, Days: 200, Seed: 5})
	im := newImporter(t)
	all := map[string]*simulatedRows{}
	for _, source := range warehouse.ImportSources {
		n := len(source.Columns)
		all[source.Name] = &simulatedRows{source: source, batch: warehouse.ImportBatch{Texts: make([][]string, n), Whole: make([][]int64, n)}}
	}
	c := new(simulation.Customer)
	for i := range world.Customers() {
		world.Customer(i, c)
		simulatedCustomer(all, c)
	}
	held := 0
	for name, rows := range all {
		held += int(im.must(name+".csv", fileOf(t, rows), ImportOptions{Source: name}).New)
	}

	filled := warehousetest.Open(t)
	report, err := Simulate(t.Context(), SimulateOptions{Warehouse: filled, World: world, Churn: simulatedChurn()})
	if err != nil {
		t.Fatal(err)
	}
	want, got := contents(t, im.w), contents(t, filled)
	for _, table := range slices.Sorted(maps.Keys(want)) {
		if got[table] != want[table] {
			t.Errorf("%s: filled %s, imported %s", table, got[table], want[table])
		}
	}
	if strings.HasPrefix(want["usage_fixes"], "0 ") || all["usage"].batch.Rows == int(report.Rows["usage"]) {
		t.Errorf("no corrections or no duplicates: %s, %d of %d rows", want["usage_fixes"], report.Rows["usage"], all["usage"].batch.Rows)
	}
	for source, n := range report.Rows {
		held -= int(n)
		if n == 0 {
			t.Errorf("no rows of %s", source)
		}
	}
	if held != 0 {
		t.Errorf("the report counts %d rows more than an import", -held)
	}
	// A later import still knows the rows, and its own stamp comes after theirs.
	again, err := Import(t.Context(), ImportOptions{Warehouse: filled, Source: "usage", Path: filepath.Join(im.dir, "usage.csv")})
	if err != nil {
		t.Fatal(err)
	}
	if again.New != 0 {
		t.Errorf("the same rows imported after the fill bring %d new ones", again.New)
	}
}

func TestSimulateIsTheSameOnAnyNumberOfProducers(t *testing.T) {
	world := newWorld(t, simulation.Options{Customers: 200, Days: 150, Seed: 6})
	var tables []map[string]string
	var truths [][]byte
	for _, producers := range []int{1, 3} {
		w := warehousetest.Open(t)
		file := filepath.Join(t.TempDir(), "truth.csv")
		if _, err := Simulate(t.Context(), SimulateOptions{Warehouse: w, World: world, Churn: simulatedChurn(), Truth: file, Producers: producers}); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tables, truths = append(tables, contents(t, w)), append(truths, text)
	}
	if !maps.Equal(tables[0], tables[1]) {
		t.Errorf("one producer left %v, three left %v", tables[0], tables[1])
	}
	if !bytes.Equal(truths[0], truths[1]) {
		t.Error("the truth depends on the number of producers")
	}
}

// The truth has a line for everyone the product scores, and the product's labels are what became of them.
func TestTruthMeansWhatTheProductMeans(t *testing.T) {
	world := newWorld(t, simulation.Options{Customers: 500, Days: 390, Seed: 8})
	for _, churn := range []features.ChurnSpec{
		simulatedChurn(),
		{Setting: features.Contractual, GraceDays: 30, GapDays: 10, HorizonDays: 60, MinTenureDays: 45},
	} {
		t.Run(fmt.Sprintf("horizon %d", churn.HorizonDays), func(t *testing.T) {
			w := warehousetest.Open(t)
			file := filepath.Join(t.TempDir(), "truth.csv")
			report, err := Simulate(t.Context(), SimulateOptions{Warehouse: w, World: world, Churn: churn, Truth: file})
			if err != nil {
				t.Fatal(err)
			}
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			lines, err := csv.NewReader(f).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			if got, want := strings.Join(lines[0], ","), "customer_id,cutoff,p_true,effect_discount,effect_save_call,effect_feature_education,effect_email,effect_thank_you"; got != want {
				t.Errorf("header %s, want %s", got, want)
			}
			truth := map[string][]string{} // cutoff → ids
			for _, line := range lines[1:] {
				truth[line[1]] = append(truth[line[1]], line[0])
			}
			store := &features.Store{DB: w, Sources: features.Sources{}}
			label := simulation.Label{GapDays: churn.GapDays, HorizonDays: churn.HorizonDays, MinTenureDays: churn.MinTenureDays}
			known, left, asked := 0, 0, 0
			for _, cutoff := range monthsWithin(world.Start(), world.End()) {
				p, err := store.Population(t.Context(), churn, cutoff)
				if err != nil {
					t.Fatal(err)
				}
				if got := truth[cutoff.Format(time.RFC3339)]; !slices.Equal(got, p.Eligible()) {
					t.Errorf("%s: the truth tells of %d customers, the product scores %d", cutoff.Format(time.DateOnly), len(got), len(p.Eligible()))
				}
				if !churn.Matures(cutoff).After(world.End()) {
					known++
					l, a := compareLabels(t, store, world, p, churn, label)
					left, asked = left+l, asked+a
				}
				if err := p.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if known < 6 || report.BaseRate == nil || *report.BaseRate != float64(left)/float64(asked) {
				t.Errorf("base rate %v over %d months, want %d of %d", report.BaseRate, known, left, asked)
			}
			watermark, err := store.Watermark(t.Context(), churn)
			if err != nil || !watermark.Equal(world.End()) {
				t.Errorf("labels are known until %v (%v), the records end %v", watermark, err, world.End())
			}
		})
	}
}

// compareLabels compares the product's labels with the world's, customer by customer, and counts those who left and those with a label.
func compareLabels(t *testing.T, store *features.Store, world *simulation.World, p *features.Population, churn features.ChurnSpec, label simulation.Label) (left, asked int) {
	t.Helper()
	labels, err := store.Labels(t.Context(), churn, p, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	c := new(simulation.Customer)
	for i, id := range p.Eligible() {
		index, err := strconv.Atoi(id[1:])
		if err != nil {
			t.Fatal(err)
		}
		world.Live(index, c)
		went, ok := world.Left(c, world.Day(p.Cutoff), label)
		got := "missing"
		switch labels.Y[i] {
		case 0:
			got = "stayed"
		case 1:
			got = "left"
		}
		want := "missing"
		if ok {
			asked++
			want = "stayed"
			if went {
				left++
				want = "left"
			}
		}
		if got != want {
			t.Errorf("%s at %s: the product says %s, the world %s", id, p.Cutoff.Format(time.DateOnly), got, want)
		}
	}
	return left, asked
}

func TestSimulateReplacesOnlyWhenAsked(t *testing.T) {
	w := warehousetest.Open(t)
	im := &importer{t: t, w: w, dir: t.TempDir()}
	im.must("f.csv", "customer_id,at\na,2024-01-01\n", ImportOptions{Source: "usage"})
	world := newWorld(t, simulation.Options{Customers: 20, Days: 60, Seed: 1})
	o := SimulateOptions{Warehouse: w, World: world, Churn: simulatedChurn()}
	before := contents(t, w)
	if _, err := Simulate(t.Context(), o); !errors.Is(err, warehouse.ErrSourcesHoldRows) {
		t.Fatalf("a source that holds rows: %v, want ErrSourcesHoldRows", err)
	}
	if !maps.Equal(before, contents(t, w)) {
		t.Error("the refused fill changed something")
	}
	o.Replace = true
	if _, err := Simulate(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	first := contents(t, w)
	im.same("SELECT count() FROM usage WHERE customer_id = 'a'", "(0)")
	if _, err := Simulate(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(first, contents(t, w)) {
		t.Error("the same world again is another one")
	}
	im.same("SELECT count() FROM system.tables WHERE database = currentDatabase() AND startsWith(name, 'import_')", "(0)")
	im.same("SELECT count() FROM system.tables WHERE database = currentDatabase() AND comment != ''", "(0)")
}

// A truth without its rows would be a lie. Here rows come in while the customers are made, so that the commit refuses.
func TestSimulateTellsNoTruthOfRowsThatAreNotThere(t *testing.T) {
	w := warehousetest.Open(t)
	im := &importer{t: t, w: w, dir: t.TempDir()}
	folder := t.TempDir()
	file := filepath.Join(folder, "truth.csv")
	var once sync.Once
	o := SimulateOptions{Warehouse: w, World: newWorld(t, simulation.Options{Customers: 20, Days: 60, Seed: 1}), Churn: simulatedChurn(), Truth: file,
		Progress: func(int64, int64) {
			once.Do(func() { im.must("f.csv", "customer_id,at\na,2024-01-01\n", ImportOptions{Source: "usage"}) })
		}}
	if _, err := Simulate(t.Context(), o); !errors.Is(err, warehouse.ErrSourcesHoldRows) {
		t.Fatalf("%v, want ErrSourcesHoldRows", err)
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
