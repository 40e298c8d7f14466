package warehouse

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// PathPoints is how many sets StagePaths takes: five bits of each of three words.
const PathPoints = 36

// pathWord is how many points one word of a path holds.
const pathWord = 12

// StagePaths counts the customers on each way through sets, which are ordered by cutoff: one byte per set, 1 + the place of the stage in names, 0
// without one. At most 31 names.
func (w *Warehouse) StagePaths(ctx context.Context, sets []StageSet, names []string, take func(path []uint8, customers int)) error {
	if len(sets) > PathPoints || len(names) > 31 {
		return fmt.Errorf("read lifecycle paths: %d sets of %d stages", len(sets), len(names))
	}
	if len(sets) == 0 {
		return nil
	}
	runs, cutoffs := make([]string, len(sets)), make([]string, len(sets))
	for k, s := range sets {
		if !hexID(s.RunID) {
			return fmt.Errorf("read lifecycle paths: %q is no run id", s.RunID)
		}
		runs[k], cutoffs[k] = "'"+s.RunID+"'", "toDateTime64('"+s.Cutoff.UTC().Format("2006-01-02 15:04:05.000")+"', 3, 'UTC')"
	}
	codes := make([]string, len(names))
	for k := range names {
		codes[k] = strconv.Itoa(k + 1)
	}
	list := strings.Join(runs, ", ")
	var words, columns []string
	for word := range (len(sets) + pathWord - 1) / pathWord {
		words = append(words, fmt.Sprintf("sumIf(bitShiftLeft(code, 5 * (point %% %d)), intDiv(point, %d) = %d) AS w%d", pathWord, pathWord, word, word))
		columns = append(columns, fmt.Sprintf("w%d", word))
	}
	query := fmt.Sprintf(`SELECT %s, toUInt64(count()) AS customers
FROM (
SELECT customer_id, %s
FROM (
SELECT customer_id, toUInt64(transform(toString(stage), %s, [%s], 0)) AS code, toUInt64(indexOf([%s], run_id) - 1) AS point
FROM lifecycle_stages
WHERE cutoff IN (%s) AND run_id IN (%s)
)
GROUP BY customer_id
)
GROUP BY %s
SETTINGS max_bytes_before_external_group_by = 2000000000`, strings.Join(columns, ", "), strings.Join(words, ", "), Texts(names), strings.Join(codes, ", "), list,
		strings.Join(cutoffs, ", "), list, strings.Join(columns, ", "))
	path := make([]uint8, len(sets))
	for b, err := range w.Blocks(ctx, query, nil) {
		if err != nil {
			return fmt.Errorf("read lifecycle paths: %w", err)
		}
		counts := b.UInt64s("customers")
		held := make([][]uint64, len(columns))
		for k, column := range columns {
			held[k] = b.UInt64s(column)
		}
		for i, n := range counts {
			for k := range path {
				path[k] = uint8(held[k/pathWord][i] >> (5 * (k % pathWord)) & 31)
			}
			take(path, int(n))
		}
	}
	return nil
}
