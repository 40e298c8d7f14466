package features

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"retain/internal/tabular"
)

// exported is a snapshot of n customers: a number, a category and their missing values, in more than one row group if n is large.
func exported(n int) (*Snapshot, []float64) {
	nan := float32(math.NaN())
	s := &Snapshot{Cutoff: time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC), X: &Matrix{
		Schema: Schema{{Name: "z_number"}, {Name: "a_category", Kind: Categorical, Levels: []string{"blue", "green, or so"}}, {Name: "nothing"}},
		X:      [][]float32{make([]float32, n), make([]float32, n), make([]float32, n)},
	}}
	labels := make([]float64, n)
	for i := range n {
		s.Customer = append(s.Customer, fmt.Sprintf("c%07d", i))
		s.X.X[0][i], s.X.X[1][i], s.X.X[2][i], labels[i] = float32(i)/3, float32(i%2), nan, float64(i%2)
		switch i % 5 {
		case 1:
			s.X.X[0][i] = nan
		case 2:
			s.X.X[1][i] = nan
		case 3:
			labels[i] = math.NaN()
		}
	}
	return s, labels
}

// What is written is read back: through the importer's reader, cell for cell as the CSV, and typed as promised.
func TestExportParquet(t *testing.T) {
	s, labels := exported(exportGroup + 1000)
	dir := t.TempDir()
	path := filepath.Join(dir, "f.parquet")
	if err := s.ExportParquet(path, labels); err != nil {
		t.Fatal(err)
	}
	if err := s.ExportCSV(filepath.Join(dir, "f.csv"), labels); err != nil {
		t.Fatal(err)
	}
	compareTables(t, path, filepath.Join(dir, "f.csv"))
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	p, err := parquet.OpenFile(f, st.Size())
	if err != nil {
		t.Fatal(err)
	}
	want := "message features {\n\trequired binary customer_id (STRING);\n\toptional float z_number;\n\toptional binary a_category (STRING);\n\toptional float nothing;\n\toptional int32 label (INT(8,true));\n}"
	if got := p.Schema().String(); got != want {
		t.Error(got)
	}
	if len(p.RowGroups()) != 2 {
		t.Errorf("%d row groups", len(p.RowGroups()))
	}
	for key, want := range map[string]string{MetaCutoff: "2024-03-01T00:00:00Z", MetaFingerprint: s.X.Schema.Fingerprint(), MetaCatalogue: strconv.Itoa(catalogueVersion)} {
		if got, _ := p.Lookup(key); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	var a, b bytes.Buffer
	if err := errors.Join(s.WriteParquet(&a, labels), s.WriteParquet(&b, labels)); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("not the same bytes twice", err)
	}
}

// compareTables compares a Parquet table with a CSV, where an empty cell is null.
func compareTables(t *testing.T, path, csv string) {
	t.Helper()
	got, err := tabular.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	want, err := tabular.Open(csv, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	for {
		g, line, err := got.Next()
		w, _, werr := want.Next()
		if errors.Is(err, io.EOF) && errors.Is(werr, io.EOF) {
			return
		}
		if err != nil || werr != nil {
			t.Fatalf("row %d: %v, %v", line, err, werr)
		}
		for j := range w {
			if string(g[j]) != decimalCell(string(w[j])) || (g[j] == nil) != (len(w[j]) == 0) {
				t.Fatalf("row %d, %s: %q, want %q", line, got.Columns()[j], g[j], w[j])
			}
		}
	}
}

// decimalCell writes a number without exponent, as tabular reads floats.
func decimalCell(s string) string {
	if f, err := strconv.ParseFloat(s, 32); err == nil {
		return strconv.FormatFloat(f, 'f', -1, 32)
	}
	return s
}

func TestExportParquetFaults(t *testing.T) {
	s, labels := exported(3)
	path := filepath.Join(t.TempDir(), "f.parquet")
	if err := s.ExportParquet(path, labels[:1]); err == nil {
		t.Error("too few labels")
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("a failed export left a file")
	}
	s.X.Schema[0].Name = "customer_id"
	if err := s.ExportParquet(path, nil); err == nil {
		t.Error("two columns of one name")
	}
	empty, _ := exported(0)
	if err := empty.ExportParquet(path, []float64{}); err != nil {
		t.Fatal(err)
	}
	r, err := tabular.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, _, err := r.Next(); !errors.Is(err, io.EOF) || len(r.Columns()) != 5 {
		t.Errorf("%q %v", r.Columns(), err)
	}
}
