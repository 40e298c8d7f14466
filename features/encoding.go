package features

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
)

const (
	maxLevels   = 63 // with OtherLevel 64: the codes of a column fit one machine word
	minLevelRow = 10 // training rows below which a level is folded into OtherLevel
)

// OtherLevel is the last level of every encoded categorical column: rare and unseen levels.
const OtherLevel = "other"

// ErrDefinition says that a column is not the one the encoding was fitted on.
var ErrDefinition = errors.New("features: a column has another definition than the fitted one")

// Encoding brings matrices to one schema, learned from training rows only. It is immutable and safe for concurrent use.
type Encoding struct{ schema Schema }

// Dropped is a column that the encoding leaves out.
type Dropped struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

// FitEncoding learns the schema of m's rows: categorical columns keep the at most 63 most frequent levels with at least 10 rows,
// sorted by bytes, plus "other"; columns without a value, columns with the same value in every row, and numeric columns that
// repeat an earlier one in every row (they would split its effect and its reason at random) are dropped, with the reason. Order is m's.
func FitEncoding(m *Matrix) (*Encoding, []Dropped) {
	e := &Encoding{schema: Schema{}}
	dropped := []Dropped{}
	var numeric []int // columns kept so far
	for j, c := range m.Schema {
		if c.Kind == Categorical {
			c.Levels = keptLevels(c.Levels, m.X[j])
			if len(c.Levels) == 1 && !allMissing(m.X[j]) {
				dropped = append(dropped, Dropped{c.Name, fmt.Sprintf("no level has %d rows", minLevelRow)})
				continue
			}
		}
		x := m.X[j]
		if c.Kind == Categorical {
			x = recode(m.Schema[j].Levels, c.Levels, x)
		}
		switch {
		case allMissing(x):
			dropped = append(dropped, Dropped{c.Name, "every value is missing"})
		case constant(x):
			dropped = append(dropped, Dropped{c.Name, "every row has the same value"})
		case c.Kind == Numeric:
			if k := slices.IndexFunc(numeric, func(k int) bool { return same(m.X[k], x) }); k >= 0 {
				dropped = append(dropped, Dropped{c.Name, "the same as " + m.Schema[numeric[k]].Name + " in every row"})
				continue
			}
			numeric = append(numeric, j)
			e.schema = append(e.schema, c)
		default:
			e.schema = append(e.schema, c)
		}
	}
	return e, dropped
}

// same tells whether two columns have the same value, or none, in every row.
func same(x, y []float32) bool {
	return slices.EqualFunc(x, y, func(v, w float32) bool { return v == w || v != v && w != w })
}

func allMissing(x []float32) bool {
	return !slices.ContainsFunc(x, func(v float32) bool { return v == v })
}

// constant tells whether all values are equal; a missing one differs from any other.
func constant(x []float32) bool {
	return !slices.ContainsFunc(x, func(v float32) bool { return v != x[0] })
}

func keptLevels(levels []string, x []float32) []string {
	rows := make([]int, len(levels))
	for _, v := range x {
		if v == v {
			rows[int(v)]++
		}
	}
	var order []int
	for i, l := range levels {
		if rows[i] >= minLevelRow && l != OtherLevel {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(rows[b], rows[a]), cmp.Compare(levels[a], levels[b])) })
	order = order[:min(len(order), maxLevels)]
	kept := make([]string, len(order))
	for k, i := range order {
		kept[k] = levels[i]
	}
	slices.Sort(kept)
	return append(kept, OtherLevel)
}

// recode turns codes of one list of levels into those of another, whose last is OtherLevel.
func recode(from, to []string, x []float32) []float32 {
	code := make([]float32, len(from))
	for i, l := range from {
		k := slices.Index(to[:len(to)-1], l)
		if k < 0 {
			k = len(to) - 1
		}
		code[i] = float32(k)
	}
	out := make([]float32, len(x))
	for i, v := range x {
		if v != v {
			out[i] = v
			continue
		}
		out[i] = code[int(v)]
	}
	return out
}

// Schema is the columns of every matrix that Apply returns.
func (e *Encoding) Schema() Schema { return e.schema }

// Apply brings m to the encoding's schema: columns are matched by name, those that m lacks are missing (NaN), others of m are
// left out, levels that were not kept become "other". A column of another kind or definition is ErrDefinition. Numeric columns
// share memory with m.
func (e *Encoding) Apply(m *Matrix) (*Matrix, error) {
	out := &Matrix{Schema: e.schema, X: make([][]float32, len(e.schema))}
	position := make(map[string]int, len(m.Schema))
	for j, c := range m.Schema {
		position[c.Name] = j
	}
	for k, c := range e.schema {
		j, ok := position[c.Name]
		if !ok {
			out.X[k] = slices.Repeat([]float32{float32(math.NaN())}, m.Rows())
			continue
		}
		if m.Schema[j].Kind != c.Kind || m.Schema[j].Definition != c.Definition {
			return nil, fmt.Errorf("column %s: %w", c.Name, ErrDefinition)
		}
		out.X[k] = m.X[j]
		if c.Kind == Categorical {
			out.X[k] = recode(m.Schema[j].Levels, c.Levels, m.X[j])
		}
	}
	return out, nil
}

// MarshalJSON writes the schema.
func (e *Encoding) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Columns Schema `json:"columns"`
	}{e.schema})
}

// UnmarshalJSON reads what MarshalJSON wrote; a categorical column without "other" at its end is an error.
func (e *Encoding) UnmarshalJSON(b []byte) error {
	var f struct {
		Columns Schema `json:"columns"`
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return fmt.Errorf("encoding: %w", err)
	}
	for _, c := range f.Columns {
		if c.Kind == Categorical && (len(c.Levels) == 0 || c.Levels[len(c.Levels)-1] != OtherLevel) {
			return fmt.Errorf("encoding: the levels of column %s do not end in %q", c.Name, OtherLevel)
		}
	}
	e.schema = f.Columns
	return nil
}
