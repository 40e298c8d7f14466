package pipelines

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
)

type parquetTicket struct {
	Account   float64    `parquet:"Account"` // as pandas writes ids beside missing ones
	Opened    time.Time  `parquet:"opened,timestamp(microsecond)"`
	Ticket    int64      `parquet:"ticket_id"`
	Priority  string     `parquet:"priority,dict"`
	Resolved  *time.Time `parquet:"resolved_at,optional,timestamp(nanosecond)"`
	Reopened  bool       `parquet:"reopened"`
	Satisfied *float32   `parquet:"satisfaction,optional"`
}

// writeParquet writes rows to a file of that name in the importer's folder.
func writeParquet[T any](im *importer, name string, rows ...T) string {
	im.t.Helper()
	path := filepath.Join(im.dir, name)
	f, err := os.Create(path)
	if err != nil {
		im.t.Fatal(err)
	}
	w := parquet.NewGenericWriter[T](f)
	_, err = w.Write(rows)
	if err := errors.Join(err, w.Close(), f.Close()); err != nil {
		im.t.Fatal(err)
	}
	return path
}

// A Parquet table is the CSV of the same values: the second of the two files brings nothing new.
func TestImportParquet(t *testing.T) {
	im := newImporter(t)
	opened, resolved, score := time.Date(2024, 1, 1, 1, 2, 3, 456_999_000, time.UTC), time.Date(2024, 1, 2, 0, 0, 0, 1_999_999, time.UTC), float32(4.5)
	path := writeParquet(im, "t.parquet", parquetTicket{1000, opened, 7, "high", &resolved, true, &score}, parquetTicket{2, opened, 8, "", nil, false, nil})
	o := ImportOptions{Warehouse: im.w, Source: "tickets", Path: path, Map: map[string]string{"customer_id": "account", "at": "opened"}, TimeFormat: "unix", Timezone: "Asia/Tokyo"}
	r, err := Import(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.New != 2 {
		t.Errorf("%+v", r)
	}
	want := []string{"('1000','2024-01-01 01:02:03.456','7','high','2024-01-02 00:00:00.001',1,4.5)", "('2','2024-01-01 01:02:03.456','8','',NULL,0,NULL)"}
	const query = "SELECT customer_id, at, ticket_id, priority, resolved_at, reopened, satisfaction FROM tickets ORDER BY customer_id"
	im.same(query, want...)
	csv := "customer_id,at,ticket_id,priority,resolved_at,reopened,satisfaction\n1000,2024-01-01 01:02:03.456,7,high,2024-01-02 00:00:00.001,1,4.5\n2,2024-01-01 01:02:03.456,8,,,0,\n"
	if r := im.must("t.csv", csv, ImportOptions{Source: "tickets"}); r.New != 0 {
		t.Errorf("the same as CSV: %+v", r)
	}
	ndjson := `{"customer_id":1e3,"at":"2024-01-01 01:02:03.456","ticket_id":7,"priority":"high","resolved_at":"2024-01-02T00:00:00.001Z","reopened":true,"satisfaction":4.50}` + "\n"
	if r := im.must("t.ndjson", ndjson, ImportOptions{Source: "tickets"}); r.New != 0 {
		t.Errorf("the same as NDJSON: %+v", r)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	o.Path, o.Stdin = "-", file
	if r, err = Import(t.Context(), o); err != nil || r.New != 0 || r.Imported != 2 {
		t.Errorf("the same on standard input: %+v %v", r, err)
	}
	im.same(query, want...)
}

// Timestamps without zone are in --timezone, dates are midnights there.
func TestImportParquetZone(t *testing.T) {
	type row struct {
		Customer string    `parquet:"customer_id"`
		At       time.Time `parquet:"at,timestamp(millisecond:local)"`
		Known    int32     `parquet:"ingested_at,date"` // days since 1970
	}
	im := newImporter(t)
	path := writeParquet(im, "s.parquet", row{"a", time.Date(2024, 7, 1, 12, 0, 0, 0, time.UTC), 19906})
	if _, err := Import(t.Context(), ImportOptions{Warehouse: im.w, Source: "touchpoints", Path: path, Timezone: "Europe/Berlin"}); err != nil {
		t.Fatal(err)
	}
	im.same("SELECT at, ingested_at, ingested_mapped FROM touchpoints", "('2024-07-01 10:00:00.000','2024-07-01 22:00:00.000',true)")
}

// Bad rows of a Parquet table are set aside as CSV, which can be mended and imported.
func TestImportParquetSkipBad(t *testing.T) {
	type row struct {
		Customer *string   `parquet:"customer_id,optional"`
		At       time.Time `parquet:"at,timestamp"`
		Kind     string    `parquet:"kind"`
		Comment  string    `parquet:"comment"`
	}
	at, a := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), "a"
	im := newImporter(t)
	path := writeParquet(im, "s.parquet", row{&a, at, "nps", "x"}, row{nil, at, "nps", "y"}, row{&a, at, "smiley", `say "no", please`})
	if _, err := Import(t.Context(), ImportOptions{Warehouse: im.w, Source: "surveys", Path: path}); err == nil || !strings.Contains(err.Error(), "s.parquet:2: column customer_id: is empty") {
		t.Error(err)
	}
	im.same("SELECT count() FROM surveys", "(0)")
	r, err := Import(t.Context(), ImportOptions{Warehouse: im.w, Source: "surveys", Path: path, SkipBad: 2})
	if err != nil || r.New != 1 || r.Rejected != 2 || r.RejectedFile == nil {
		t.Fatalf("%+v %v", r, err)
	}
	got, err := os.ReadFile(*r.RejectedFile)
	if err != nil {
		t.Fatal(err)
	}
	want := "customer_id,at,kind,comment\n# line 2: column customer_id: is empty: every row needs a customer_id\n,2024-01-01T00:00:00Z,nps,y\n" +
		"# line 3: column kind: \"smiley\" is none of nps, csat, ces: mend it, or name it as missing with --null\na,2024-01-01T00:00:00Z,smiley,\"say \"\"no\"\", please\"\n"
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A damaged file imports nothing, wherever the damage is.
func TestImportParquetDamaged(t *testing.T) {
	im := newImporter(t)
	rows := make([]parquetTicket, 20_000)
	for i := range rows {
		rows[i] = parquetTicket{float64(i), time.Date(2024, 1, 1, 0, 0, i, 0, time.UTC), int64(i), "low", nil, false, nil}
	}
	path := writeParquet(im, "t.parquet", rows...)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(whole) / 2; i < len(whole)/2+200; i++ {
		whole[i] = 0xff
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Import(t.Context(), ImportOptions{Warehouse: im.w, Source: "tickets", Path: path, Map: map[string]string{"customer_id": "account", "at": "opened"}, SkipBad: 1e6})
	if err == nil || !strings.Contains(err.Error(), "t.parquet: is a damaged Parquet file") {
		t.Error(err)
	}
	im.same("SELECT count() FROM tickets", "(0)")
	im.same("SELECT name FROM system.tables WHERE database = currentDatabase() AND startsWith(name, 'import_')")
	if names, _ := filepath.Glob(filepath.Join(im.dir, "*")); len(names) != 1 {
		t.Errorf("left %v", names)
	}
}
