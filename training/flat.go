package training

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
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
	Negative   []string      // values of Target that mean 0, rows of others are left out; empty: the one other value there is
	ID         string        // column that names the customer: not a feature, and its rows share a fold; "" = every row is a customer
	Drop       []string      // columns that are not features
	Null       []string      // further spellings of a missing value beside the empty field, NULL, \N and NaN
	Folds      int           // k; 0 = 5
	Seed       uint64        // of folds and learners
	TimeBudget time.Duration // how long tuning may take, see Options.TimeBudget; 0 = 10 minutes
	Progress   func(string)  // told what is done, one line each; nil discards
}

// idPrefix stands before the ids of a table, so that none is the number of a row without one.
const idPrefix = "id "

var nullSpellings = []string{"", "NULL", `\N`, "NaN"}

// readFlat reads a flat table into a raw Dataset without cutoffs. Rows whose target is missing or neither positive nor negative are left out and
// counted in warnings, which also name columns that are probably not what they are taken for.
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
		row, line, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		for len(columns) < len(r.Columns()) {
			name := r.Columns()[len(columns)]
			columns = append(columns, &flatColumn{named: name == tabular.Normalise(o.Target) || o.ID != "" && name == tabular.Normalise(o.ID)})
		}
		for j := range row {
			columns[j].pad(n)
			if fault := columns[j].add(row[j], null); fault != "" {
				return nil, nil, lacking("%s:%d: %s: %s", r.Name(), line, r.Header()[j], fault)
			}
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
	if !slices.Contains(columns[target].levels, o.Positive) {
		return nil, nil, usage("--positive: no row of %s has %s = %q; its values are %s", r.Name(), o.Target, o.Positive, quoted(columns[target].levels))
	}
	means, err := o.means(columns[target].levels)
	if err != nil {
		return nil, nil, err
	}
	d := &features.Dataset{X: &features.Matrix{}}
	missing, passed := 0, 0
	var known []int
	var warnings []string
	for i, k := range columns[target].rows {
		switch {
		case k < 0:
			missing++
			continue
		case math.IsNaN(means[k]):
			passed++
			continue
		}
		known = append(known, i)
		d.Y = append(d.Y, means[k])
		customer := strconv.Itoa(i)
		if id >= 0 {
			if c := columns[id].rows[i]; c >= 0 {
				customer = idPrefix + columns[id].levels[c]
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
		if odd := c.odd(name); odd != "" {
			warnings = append(warnings, odd)
		}
		column, x := c.column(name)
		columns[j] = nil // the texts are not needed any more
		d.X.Schema = append(d.X.Schema, column)
		d.X.X = append(d.X.X, x)
	}
	if len(d.X.X) == 0 {
		return nil, nil, usage("%s has no column left to learn from", r.Name())
	}
	if len(known) < d.X.Rows() {
		d.X = d.X.Take(known)
	}
	if missing > 0 {
		warnings = append(warnings, fmt.Sprintf("%d rows without a value of %s are left out", missing, o.Target))
	}
	if passed > 0 {
		warnings = append(warnings, fmt.Sprintf("%d rows are left out: their %s is neither %q nor one of --negative", passed, o.Target, o.Positive))
	}
	return d, warnings, nil
}

// means is what each value of the label means: 1, 0, or NaN for rows that are left out.
func (o FlatOptions) means(levels []string) ([]float64, error) {
	y := make([]float64, len(levels))
	for _, l := range o.Negative {
		if l == o.Positive || !slices.Contains(levels, l) {
			return nil, usage("--negative: no row has %s = %q; its values beside %q are %s", o.Target, l, o.Positive, quoted(others(levels, o.Positive)))
		}
	}
	for k, l := range levels {
		switch {
		case l == o.Positive:
			y[k] = 1
		case len(o.Negative) > 0 && !slices.Contains(o.Negative, l):
			y[k] = math.NaN()
		}
	}
	if rest := others(levels, o.Positive); len(o.Negative) == 0 && len(rest) > 1 {
		return nil, usage("%s has %d values beside %q: %s; say which of them mean that it did not happen: --negative %s. Rows of others are left out",
			o.Target, len(rest), o.Positive, quoted(rest), strings.Join(rest[:min(len(rest), 2)], ","))
	}
	return y, nil
}

// others are the levels but one.
func others(levels []string, level string) []string {
	return slices.DeleteFunc(slices.Clone(levels), func(l string) bool { return l == level })
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
