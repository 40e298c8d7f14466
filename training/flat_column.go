package training

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"

	"retain/features"
)

// flatColumn gathers a column's texts as codes of its levels, in the order of their first appearance; beyond manyLevels of them, all numbers,
// the numbers alone, which take a twentieth of the memory.
type flatColumn struct {
	levels []string
	code   map[string]int32
	rows   []int32   // of each row its level, -1 = missing
	x      []float32 // instead of the above: the numbers, NaN = missing
	named  bool      // the label or the customer: always texts
}

// manyLevels is from how many different values on a column of numbers is read as numbers only.
const manyLevels = 20_000

// add takes the next row's value. fault says why it cannot be, with the mend.
func (c *flatColumn) add(v []byte, null []string) (fault string) {
	missing := v == nil || slices.Contains(null, string(v))
	if c.x != nil {
		x := float32(math.NaN())
		if !missing {
			var ok bool
			if x, ok = finite(string(v)); !ok {
				return fmt.Sprintf("%q is no number, and all values before it are: give --null %[1]q if it stands for none, else --drop the column", clipped(string(v)))
			}
		}
		c.x = append(c.x, x)
		return ""
	}
	if missing {
		c.rows = append(c.rows, -1)
		return ""
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
	if !ok && len(c.levels)%manyLevels == 0 && !c.named {
		if values := c.numbers(); values != nil {
			c.x = c.coded(values)
			c.levels, c.code, c.rows = nil, nil, nil
		}
	}
	return ""
}

// pad adds missing values up to n rows.
func (c *flatColumn) pad(n int) {
	if c.x != nil {
		for len(c.x) < n {
			c.x = append(c.x, float32(math.NaN()))
		}
		return
	}
	for len(c.rows) < n {
		c.rows = append(c.rows, -1)
	}
}

// finite is a text as a number that float32 holds.
func finite(text string) (x float32, ok bool) {
	v, err := strconv.ParseFloat(text, 64)
	return float32(v), err == nil && math.Abs(v) <= math.MaxFloat32 // which NaN is not either
}

// clipped bounds a value that a message quotes.
func clipped(text string) string {
	const most = 40
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}

// numbers are the levels as numbers if every one is finite as float32 (none at all: an empty column is numeric), nil else.
func (c *flatColumn) numbers() []float32 {
	out := make([]float32, len(c.levels))
	for k, l := range c.levels {
		var ok bool
		if out[k], ok = finite(l); !ok {
			return nil
		}
	}
	return out
}

// coded is the column with values for its levels, NaN where it is missing.
func (c *flatColumn) coded(values []float32) []float32 {
	x := make([]float32, len(c.rows))
	for i, k := range c.rows {
		x[i] = float32(math.NaN())
		if k >= 0 {
			x[i] = values[k]
		}
	}
	return x
}

// column is the feature: numeric if all values that are there are numbers, else categorical with its levels sorted.
func (c *flatColumn) column(name string) (features.Column, []float32) {
	column := features.Column{Name: name, Kind: features.Numeric}
	if c.x != nil {
		return column, c.x
	}
	values := c.numbers()
	if values == nil {
		column.Kind = features.Categorical
		column.Levels = slices.Sorted(slices.Values(c.levels))
		values = make([]float32, len(c.levels))
		for k, l := range c.levels {
			code, _ := slices.BinarySearch(column.Levels, l)
			values[k] = float32(code)
		}
	}
	return column, c.coded(values)
}

var dateLike = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}([ T].*)?$`)

// From how many rows, or what share of them, a column looks like an id, or like numbers with some texts among them.
const (
	oddRows   = 100
	oddNumber = .8
)

// odd says in what way a column is probably not what its owner thinks it is, with the mend; "" where nothing strikes.
func (c *flatColumn) odd(name string) string {
	if c.x != nil {
		return oddID(name, c.x)
	}
	if values := c.numbers(); values != nil {
		return oddID(name, c.coded(values))
	}
	all, numbers, dates := 0, 0, 0
	first := "" // that is no number
	for _, k := range c.rows {
		if k < 0 {
			continue
		}
		all++
		l := c.levels[k]
		if _, ok := finite(l); ok {
			numbers++
		} else if first == "" {
			first = l
		}
		if dateLike.MatchString(l) {
			dates++
		}
	}
	switch {
	case dates == all:
		return fmt.Sprintf("%s holds times, and is read as categories: as a number of days it would tell more", name)
	case numbers >= oddRows && float64(numbers) >= oddNumber*float64(all):
		return fmt.Sprintf("%s is read as categories, since %q is no number: give --null %[2]q if it stands for none", name, clipped(first))
	}
	return ""
}

// oddID is odd for numbers.
func oddID(name string, x []float32) string {
	if len(x) < oddRows {
		return ""
	}
	seen := make(map[float32]bool, len(x))
	for _, v := range x {
		if v != float32(math.Trunc(float64(v))) || seen[v] { // NaN is not its own whole part
			return ""
		}
		seen[v] = true
	}
	return fmt.Sprintf("%s is another whole number in every row: if it names the row, give it as --id or --drop it", name)
}
