package pipelines

import (
	"fmt"
	"os"
	"strings"

	"retain/internal/atomicfile"
	"retain/internal/tabular"
)

// rejects writes bad rows to a file that appears whole. Each row stands as it was, below a line "# line N: column …: reason";
// the header is the first line of CSV and TSV (and of the CSV that a Parquet table's rows become), so that without the "#" lines and once mended the file can be imported.
type rejects struct {
	path      string
	file      *atomicfile.File
	published bool
}

// add appends the record that the reader gave last. The zero value opens the file with the first record.
func (r *rejects) add(path string, from *tabular.Reader, bad *BadRowError) error {
	return r.addRecord(path, from, from.Record(), bad)
}

// addRecord appends a record that the reader gave earlier.
func (r *rejects) addRecord(path string, from *tabular.Reader, record []byte, bad *BadRowError) error {
	if r.file == nil {
		f, err := atomicfile.Create(path, 0o600)
		if err != nil {
			return fmt.Errorf("rejected rows: %w", err)
		}
		r.path, r.file = path, f
		if separator := map[tabular.Format]string{tabular.CSV: ",", tabular.TSV: "\t", tabular.Parquet: ","}[from.Format()]; separator != "" {
			names := make([]string, len(from.Header()))
			for i, h := range from.Header() {
				if names[i] = h; strings.ContainsAny(h, separator+"\"\n\r") {
					names[i] = `"` + strings.ReplaceAll(h, `"`, `""`) + `"`
				}
			}
			fmt.Fprintln(r.file, strings.Join(names, separator))
		}
	}
	reason := strings.TrimPrefix(bad.Error(), fmt.Sprintf("%s:%d: ", bad.File, bad.Line))
	if _, err := fmt.Fprintf(r.file, "# line %d: %s\n%s\n", bad.Line, strings.ReplaceAll(reason, "\n", " "), record); err != nil { // the file keeps its first error
		return fmt.Errorf("rejected rows: %w", err)
	}
	return nil
}

// publish gives the file its name.
func (r *rejects) publish() error {
	if err := r.file.Publish(); err != nil {
		return fmt.Errorf("rejected rows: %w", err)
	}
	r.published = true
	return nil
}

// drop removes the file: nothing was imported.
func (r *rejects) drop() error {
	switch {
	case r.file == nil:
		return nil
	case r.published:
		return os.Remove(r.path)
	}
	return r.file.Discard()
}
