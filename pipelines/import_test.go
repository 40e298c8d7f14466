package pipelines

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
)

// importer imports texts into a warehouse of its own, a day of the injected clock apart.
type importer struct {
	t   *testing.T
	w   *warehouse.Warehouse
	dir string
	day int
}

func newImporter(t *testing.T) *importer {
	return &importer{t: t, w: warehousetest.Open(t), dir: t.TempDir()}
}

// do imports text as a file of that name with the options of o.
func (im *importer) do(name, text string, o ImportOptions) (*ImportReport, error) {
	im.t.Helper()
	path := filepath.Join(im.dir, name)
	if strings.HasSuffix(name, ".gz") {
		f, err := os.Create(path)
		if err != nil {
			im.t.Fatal(err)
		}
		z := gzip.NewWriter(f)
		z.Write([]byte(text))
		if err := errors.Join(z.Close(), f.Close()); err != nil {
			im.t.Fatal(err)
		}
	} else if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		im.t.Fatal(err)
	}
	im.day++
	day := time.Date(2030, 1, im.day, 0, 0, 0, 0, time.UTC)
	o.Warehouse, o.Path, o.Now = im.w, path, func() time.Time { return day }
	return Import(im.t.Context(), o)
}

func (im *importer) must(name, text string, o ImportOptions) *ImportReport {
	im.t.Helper()
	r, err := im.do(name, text, o)
	if err != nil {
		im.t.Fatal(err)
	}
	return r
}

// rows returns a query's rows, each as its values joined by "|".
func rows(t *testing.T, w *warehouse.Warehouse, query string) []string {
	t.Helper()
	rs, err := w.Conn().Query(context.Background(), "SELECT toString(tuple(*)) FROM ("+query+")")
	if err != nil {
		t.Fatal(err)
	}
	defer rs.Close()
	var out []string
	for rs.Next() {
		var s string
		if err := rs.Scan(&s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	if err := rs.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// same compares a query's rows.
func (im *importer) same(query string, want ...string) {
	im.t.Helper()
	if got := rows(im.t, im.w, query); strings.Join(got, "\n") != strings.Join(want, "\n") {
		im.t.Errorf("%s\ngot\n%s\nwant\n%s", query, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestImportPurchases(t *testing.T) {
	im := newImporter(t)
	csv := "customer_id,at,Amount\n00001,1997-01-01,11.77\n00002,1997-01-12,12.00\n00002,1997-01-12,12.00\n00002,1997-01-12,77\n"
	r := im.must("cd.csv", csv, ImportOptions{Source: "purchases"})
	if r.Rows != 4 || r.Imported != 4 || r.New != 4 || r.RejectedFile != nil || len(r.IgnoredColumns) != 0 {
		t.Errorf("%+v", r)
	}
	if fmt.Sprint(r.FirstAt, r.LastAt) != "1997-01-01 00:00:00 +0000 UTC 1997-01-12 00:00:00 +0000 UTC" {
		t.Errorf("%+v", r)
	}
	want := []string{
		"('00001','1997-01-01 00:00:00.000',11.77,'1997-01-01 00:00:00.000',false,NULL)",
		"('00002','1997-01-12 00:00:00.000',12,'1997-01-12 00:00:00.000',false,NULL)",
		"('00002','1997-01-12 00:00:00.000',12,'1997-01-12 00:00:00.000',false,NULL)",
		"('00002','1997-01-12 00:00:00.000',77,'1997-01-12 00:00:00.000',false,NULL)",
	}
	const query = "SELECT customer_id, at, amount, ingested_at, ingested_mapped, returned FROM purchases ORDER BY customer_id, amount"
	im.same(query, want...)
	if r := im.must("cd.csv", csv, ImportOptions{Source: "purchases"}); r.New != 0 || r.Imported != 4 {
		t.Errorf("the same file twice: %+v", r)
	}
	im.same(query, want...)
	im.same("SELECT uniqExact(event_hash), count() FROM purchases", "(4,4)")
	im.same("SELECT name FROM system.tables WHERE database = currentDatabase() AND startsWith(name, 'import_')")
}
