package pipelines

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"retain/features"
	"retain/internal/tabular"
)

// PolicyUsageError is a wrong option of an evaluation: a column that is not there, or too many ways to name the new policy.
type PolicyUsageError struct{ Message string }

func (e *PolicyUsageError) Error() string { return e.Message }

func policyUsage(format string, args ...any) error {
	return &PolicyUsageError{fmt.Sprintf(format, args...)}
}

// policyColumn gathers a column: numbers where its role wants them, else texts as codes in the order of their first appearance.
type policyColumn struct {
	numeric bool
	numbers []float64 // NaN = missing
	levels  []string
	code    map[string]int32
	rows    []int32 // code of each row, -1 = missing
}

// policyTable is the columns of a file that an evaluation asks for.
type policyTable struct {
	file   string
	header []string
	names  []string // normalised
	column map[string]*policyColumn
	lines  []int
}

// policyMissing are the spellings of a missing value.
var policyMissing = []string{"", "NULL", `\N`, "NaN"}

// policyRows bounds a log that is read into memory.
const policyRows = 50_000_000

// wanted says of a column, by its normalised name, whether it is read and as what.
type wanted func(name string) (read, numeric bool)

// readPolicyTable reads the wanted columns of a file. Errors: a text where a number is wanted, naming file and line; what tabular says of a damaged file.
func readPolicyTable(path string, stdin io.Reader, want wanted) (t *policyTable, err error) {
	r, err := tabular.Open(path, stdin)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	t = &policyTable{file: r.Name(), column: map[string]*policyColumn{}}
	var columns []*policyColumn // nil = not wanted
	for {
		row, line, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(t.lines) == policyRows {
			return nil, fmt.Errorf("%s has more than %d rows: take a sample of its customers", t.file, policyRows)
		}
		for j := len(columns); j < len(r.Columns()); j++ {
			name := r.Columns()[j]
			var c *policyColumn
			if read, numeric := want(name); read {
				c = &policyColumn{numeric: numeric, code: map[string]int32{}}
				t.column[name] = c
			}
			columns = append(columns, c)
		}
		for j, v := range row {
			if c := columns[j]; c != nil {
				c.pad(len(t.lines))
				if err := c.add(v); err != nil {
					return nil, fmt.Errorf("%s:%d: %s: %w", t.file, line, r.Header()[j], err)
				}
			}
		}
		t.lines = append(t.lines, line)
	}
	for _, c := range t.column {
		c.pad(len(t.lines))
	}
	t.names, t.header = slices.Clone(r.Columns()), slices.Clone(r.Header())
	if len(t.lines) == 0 {
		return nil, fmt.Errorf("%s: no row", t.file)
	}
	return t, nil
}

func (c *policyColumn) add(v []byte) error {
	missing := v == nil || slices.Contains(policyMissing, string(v))
	if c.numeric {
		x := math.NaN()
		if !missing {
			var err error
			if x, err = strconv.ParseFloat(string(v), 64); err != nil || math.IsInf(x, 0) {
				return fmt.Errorf("%.40q is no number", v)
			}
		}
		c.numbers = append(c.numbers, x)
		return nil
	}
	if missing {
		c.rows = append(c.rows, -1)
		return nil
	}
	k, ok := c.code[string(v)]
	if !ok {
		k = int32(len(c.levels))
		c.levels = append(c.levels, string(v))
		c.code[string(v)] = k
	}
	c.rows = append(c.rows, k)
	return nil
}

// pad adds missing values up to n rows: keys of NDJSON come and go.
func (c *policyColumn) pad(n int) {
	for c.numeric && len(c.numbers) < n {
		c.numbers = append(c.numbers, math.NaN())
	}
	for !c.numeric && len(c.rows) < n {
		c.rows = append(c.rows, -1)
	}
}

// find is a column that must be there. flag tells how to name another one.
func (t *policyTable) find(name, flag string) (*policyColumn, error) {
	c, ok := t.column[tabular.Normalise(name)]
	if !ok {
		return nil, policyUsage("%s has no column %q: name it (%s); it has %s", t.file, name, flag, strings.Join(t.header, ", "))
	}
	return c, nil
}

// text is the value of a row, "" where it is missing.
func (c *policyColumn) text(row int) string {
	switch {
	case c.numeric && math.IsNaN(c.numbers[row]):
		return ""
	case c.numeric:
		return strconv.FormatFloat(c.numbers[row], 'g', -1, 64)
	case c.rows[row] < 0:
		return ""
	}
	return c.levels[c.rows[row]]
}

// feature is the column for a model at the given rows: numeric if all its values are numbers, else categorical.
func (c *policyColumn) feature(name string, rows []int) (features.Column, []float32) {
	out, column := make([]float32, len(rows)), features.Column{Name: name, Kind: features.Numeric}
	of := make([]float32, len(c.levels))
	for k, l := range c.levels {
		v, err := strconv.ParseFloat(l, 32)
		if of[k] = float32(v); err != nil || math.IsInf(v, 0) {
			column.Kind = features.Categorical
			break
		}
	}
	if column.Kind == features.Categorical {
		column.Levels = slices.Sorted(slices.Values(c.levels))
		for k, l := range c.levels {
			place, _ := slices.BinarySearch(column.Levels, l)
			of[k] = float32(place)
		}
	}
	for k, i := range rows {
		out[k] = float32(math.NaN())
		if code := c.rows[i]; code >= 0 {
			out[k] = of[code]
		}
	}
	return column, out
}
