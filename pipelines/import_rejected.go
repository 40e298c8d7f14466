package pipelines

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"retain/internal/tabular"
)

// rejects writes bad rows to a file that appears whole. Each row stands as it was, below a line "# line N: column …: reason";
// the header is the first line of CSV and TSV (and of the CSV that a Parquet table's rows become), so that without the "#" lines and once mended the file can be imported.
type rejects struct {
	path      string
	file      *os.File
	w         *bufio.Writer
	published bool
}

// add appends the record that the reader gave last. The zero value opens the file with the first record.
func (r *rejects) add(path string, from *tabular.Reader, bad *BadRowError) error {
	if r.file == nil {
		f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp")
		if err != nil {
			return fmt.Errorf("write the rejected rows: %w", err)
		}
		r.path, r.file, r.w = path, f, bufio.NewWriter(f)
		if separator := map[tabular.Format]string{tabular.CSV: ",", tabular.TSV: "\t", tabular.Parquet: ","}[from.Format()]; separator != "" {
			names := make([]string, len(from.Header()))
			for i, h := range from.Header() {
				if names[i] = h; strings.ContainsAny(h, separator+"\"\n\r") {
					names[i] = `"` + strings.ReplaceAll(h, `"`, `""`) + `"`
				}
			}
			r.w.WriteString(strings.Join(names, separator) + "\n")
		}
	}
	reason := strings.TrimPrefix(bad.Error(), fmt.Sprintf("%s:%d: ", bad.File, bad.Line))
	fmt.Fprintf(r.w, "# line %d: %s\n", bad.Line, strings.ReplaceAll(reason, "\n", " "))
	r.w.Write(from.Record())
	if err := r.w.WriteByte('\n'); err != nil { // a bufio.Writer keeps its first error
		return fmt.Errorf("write the rejected rows: %w", err)
	}
	return nil
}

// publish gives the file its name.
func (r *rejects) publish() error {
	err := errors.Join(r.w.Flush(), r.file.Chmod(0o600), r.file.Sync(), r.file.Close())
	if err == nil {
		err = os.Rename(r.file.Name(), r.path)
	}
	if err != nil {
		return fmt.Errorf("write the rejected rows: %w", err)
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
	r.file.Close()
	if err := os.Remove(r.file.Name()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
