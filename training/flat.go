package training

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"time"

	"retain/features"
	"retain/internal/tabular"
)

// FlatOptions are what CrossValidate works on.
type FlatOptions struct {
	Path       string        // of the file, "-" = Stdin; formats as in import
	Stdin      io.Reader     // read when Path is "-"
	Target     string        // column of the label; required
	Positive   string        // value of Target that means 1, byte for byte; required
	ID         string        // column that names the customer: not a feature, and its rows share a fold; "" = every row is a customer
	Drop       []string      // columns that are not features
	Null       []string      // further spellings of a missing value beside the empty field, NULL, \N and NaN
	Folds      int           // k; 0 = 5
	Seed       uint64        // of folds and learners
	TimeBudget time.Duration // how long tuning may take, see Options.TimeBudget; 0 = 10 minutes
	Progress   func(string)  // told what is done, one line each; nil discards
}

var nullSpellings = []string{"", "NULL", `\N`, "NaN"}

// flatColumn gathers a column's texts as codes of its levels, in the order of their first appearance.
type flatColumn struct {
	levels []string
	code   map[string]int32
	rows   []int32 // -1 = missing
}

func (c *flatColumn) add(v []byte, null []string) {
	if v == nil || slices.Contains(null, string(v)) {
		c.rows = append(c.rows, -1)
		return
	}
	k, ok := c.code[string(v)]
	if !ok {
		if c.code == nil {
			c.code = make(map[string]int32)
		}
		k = int32(len(c.levels))
		c.levels = append(c.levels, string(v))
		c.code[string(v)] = k
	}
	c.rows = append(c.rows, k)
}

// pad adds missing values up to n rows.
func (c *flatColumn) pad(n int) {
	for len(c.rows) < n {
		c.rows = append(c.rows, -1)
	}
}

// numbers are the levels as numbers if every one is finite as float32 (none at all: an empty column is numeric), nil else.
func (c *flatColumn) numbers() []float32 {
	out := make([]float32, len(c.levels))
	for k, l := range c.levels {
		v, err := strconv.ParseFloat(l, 64)
		if err != nil || math.Abs(v) > math.MaxFloat32 || math.IsNaN(v) {
			return nil
		}
		out[k] = float32(v)
	}
	return out
}

// column is the feature: numeric if all values that are there are numbers, else categorical with its levels sorted.
func (c *flatColumn) column(name string) (features.Column, []float32) {
	values := c.numbers()
	column := features.Column{Name: name, Kind: features.Numeric}
	if values == nil {
		column.Kind = features.Categorical
		column.Levels = slices.Sorted(slices.Values(c.levels))
		values = make([]float32, len(c.levels))
		for k, l := range c.levels {
			code, _ := slices.BinarySearch(column.Levels, l)
			values[k] = float32(code)
		}
	}
	x := make([]float32, len(c.rows))
	for i, k := range c.rows {
		if k < 0 {
			x[i] = float32(math.NaN())
		} else {
			x[i] = values[k]
		}
	}
	return column, x
}

// readFlat reads a flat table into a raw Dataset without cutoffs. Rows whose target is missing are left out and counted in warnings.
// Errors: *UsageError for a column that is not there or a positive value that no row has; what tabular says of a damaged file.
func readFlat(o FlatOptions) (d *features.Dataset, warnings []string, err error) {
	r, err := tabular.Open(o.Path, o.Stdin)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	null := slices.Concat(nullSpellings, o.Null)
	var columns []*flatColumn
	n := 0
	for {
		row, _, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		for len(columns) < len(r.Columns()) {
			columns = append(columns, &flatColumn{})
		}
		for j := range row {
			columns[j].pad(n)
			columns[j].add(row[j], null)
		}
		n++
	}
	if n == 0 {
		return nil, nil, lacking("%s: no row", r.Name())
	}
	for _, c := range columns {
		c.pad(n)
	}
	return assemble(o, r, columns)
}

// assemble makes the Dataset of the columns.
func assemble(o FlatOptions, r *tabular.Reader, columns []*flatColumn) (*features.Dataset, []string, error) {
	names := r.Columns()
	find := func(flag, name string) (int, error) {
		k := slices.Index(names, tabular.Normalise(name))
		if name == "" || k < 0 {
			return 0, usage("--%s: %s has no column %q; there are %s", flag, r.Name(), name, quoted(r.Header()))
		}
		return k, nil
	}
	target, err := find("target", o.Target)
	if err != nil {
		return nil, nil, err
	}
	skip := map[int]bool{target: true}
	id := -1
	if o.ID != "" {
		if id, err = find("id", o.ID); err != nil {
			return nil, nil, err
		}
		skip[id] = true
	}
	for _, name := range o.Drop {
		k, err := find("drop", name)
		if err != nil {
			return nil, nil, err
		}
		skip[k] = true
	}
	positive := slices.Index(columns[target].levels, o.Positive)
	if positive < 0 {
		return nil, nil, usage("--positive: no row of %s has %s = %q; its values are %s", r.Name(), o.Target, o.Positive, quoted(columns[target].levels))
	}
	d := &features.Dataset{X: &features.Matrix{}}
	var known []int
	for i, k := range columns[target].rows {
		if k < 0 {
			continue
		}
		known = append(known, i)
		y := 0.
		if int(k) == positive {
			y = 1
		}
		d.Y = append(d.Y, y)
		customer := strconv.Itoa(i)
		if id >= 0 {
			if c := columns[id].rows[i]; c >= 0 {
				customer = "id " + columns[id].levels[c]
			}
		}
		d.Customer = append(d.Customer, customer)
	}
	for j, c := range columns {
		if skip[j] {
			continue
		}
		name := r.Header()[j]
		if name == "" {
			name = "column_" + strconv.Itoa(j+1)
		}
		column, x := c.column(name)
		d.X.Schema = append(d.X.Schema, column)
		d.X.X = append(d.X.X, x)
	}
	if len(d.X.X) == 0 {
		return nil, nil, usage("%s has no column left to learn from", r.Name())
	}
	d.X = d.X.Take(known)
	var warnings []string
	if left := len(columns[target].rows) - len(known); left > 0 {
		warnings = append(warnings, fmt.Sprintf("%d rows without a value of %s are left out", left, o.Target))
	}
	return d, warnings, nil
}

// quoted lists names or values, at most ten.
func quoted(list []string) string {
	out := ""
	for k, v := range list {
		if k == 10 {
			return out + fmt.Sprintf(" and %d more", len(list)-k)
		}
		if k > 0 {
			out += ", "
		}
		out += strconv.Quote(v)
	}
	return out
}
