package features

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// silentColumns are the derived columns of the entries, as source.column, that would be told from the absence of what the source
// never records: with no resolved_at at all, every ticket would look open. They are missing instead.
func (s *Store) silentColumns(ctx context.Context, cutoff time.Time, entries []Entry) (map[string]bool, error) {
	used := map[string][]derivedColumn{} // by source
	for _, e := range entries {
		e.Measure.derived(used)
	}
	silent := map[string]bool{}
	for _, source := range sortedKeys(used) {
		var columns, recorded []string
		for _, d := range used[source] {
			columns = append(columns, d.Recorded)
			known := "isNotNull(" + quoteName(d.Recorded) + ")"
			if kind, _ := columnKind(source, d.Recorded); kind == text {
				known = quoteName(d.Recorded) + " != ''"
			}
			recorded = append(recorded, "toUInt8(max("+known+"))")
		}
		rows, err := s.Versions(ctx, source, columns, cutoff)
		if err != nil {
			return nil, err
		}
		var found []uint8
		if err := s.DB.Conn().QueryRow(ctx, "SELECT ["+strings.Join(recorded, ", ")+"] AS found FROM "+rows).Scan(&found); err != nil {
			return nil, fmt.Errorf("what %s records: %w", source, err)
		}
		for i, d := range used[source] {
			silent[source+"."+d.Name] = found[i] == 0
		}
	}
	return silent, nil
}

// derived collects, by source, the derived columns of the measure that are told from absence.
func (m *Measure) derived(used map[string][]derivedColumn) {
	for _, name := range append(sortedKeys(m.Where), m.Column) {
		d, ok := derivedNamed(m.Source, name)
		if ok && d.Recorded != "" && !slices.ContainsFunc(used[m.Source], func(o derivedColumn) bool { return o.Name == name }) {
			used[m.Source] = append(used[m.Source], d)
		}
	}
	for _, part := range []*Measure{m.Of, m.Over} {
		if part != nil {
			part.derived(used)
		}
	}
}
