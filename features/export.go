package features

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"retain/internal/atomicfile"
)

// WriteCSV writes the snapshot: a header, then per customer the id, every feature (missing = empty, categories by their level)
// and, when labels is not nil, the label (1, 0, missing = empty). labels is aligned with s.Customer.
func (s *Snapshot) WriteCSV(w io.Writer, labels []float64) error {
	if labels != nil && len(labels) != len(s.Customer) {
		return fmt.Errorf("features: %d labels for %d customers", len(labels), len(s.Customer))
	}
	out := csv.NewWriter(w)
	row := []string{"customer_id"}
	for _, c := range s.X.Schema {
		row = append(row, c.Name)
	}
	if labels != nil {
		row = append(row, "label")
	}
	if err := out.Write(row); err != nil {
		return err
	}
	for i, id := range s.Customer {
		row = append(row[:0], id)
		for j, c := range s.X.Schema {
			row = append(row, cell(c, s.X.X[j][i]))
		}
		if labels != nil {
			row = append(row, cell(Column{}, float32(labels[i])))
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func cell(c Column, v float32) string {
	switch {
	case v != v:
		return ""
	case c.Kind == Categorical:
		return c.Levels[int(v)]
	}
	return strconv.FormatFloat(float64(v), 'g', -1, 32)
}

// ExportCSV writes the snapshot to a file that appears whole or not at all, replacing one of that name. labels may be nil.
func (s *Snapshot) ExportCSV(path string, labels []float64) error {
	return export(path, func(w io.Writer) error { return s.WriteCSV(w, labels) })
}

// ExportParquet is ExportCSV as WriteParquet writes.
func (s *Snapshot) ExportParquet(path string, labels []float64) error {
	return export(path, func(w io.Writer) error { return s.WriteParquet(w, labels) })
}

func export(path string, write func(io.Writer) error) error {
	if err := atomicfile.WriteFunc(path, 0o644, write); err != nil {
		return fmt.Errorf("export features: %w", err)
	}
	return nil
}
