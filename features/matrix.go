package features

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
)

// Kind says how the values of a column are to be read.
type Kind uint8

// The kinds of columns.
const (
	Numeric     Kind = iota // a number; NaN = missing
	Categorical             // a level's code 0..len(Levels)-1; NaN = missing
)

// Column is one feature as a model sees it.
type Column struct {
	Name       string   `json:"name"`
	Kind       Kind     `json:"kind"`
	Definition string   `json:"definition,omitempty"` // canonical text of the catalogue entry; empty for flat tables
	Levels     []string `json:"levels,omitempty"`     // categorical: level i has code i
	// Monotone is +1 if more of a numeric column is never less risk, -1 if it is never more, 0 if neither is known. It is what a
	// trainer may hold its model to, not part of what the values mean: the fingerprint leaves it out.
	Monotone int8 `json:"monotone,omitempty"`
}

// Schema is the ordered columns of a Matrix.
type Schema []Column

// Fingerprint is the SHA-256, in hex, of the ordered definitions: names, kinds, definitions and levels.
// Two matrices with the same fingerprint may be given to the same model.
func (s Schema) Fingerprint() string {
	h := sha256.New()
	field := func(t string) { fmt.Fprintf(h, "%s:%s;", strconv.Itoa(len(t)), t) }
	for _, c := range s {
		field(c.Name)
		field(strconv.Itoa(int(c.Kind)))
		field(c.Definition)
		field(strconv.Itoa(len(c.Levels)))
		for _, l := range c.Levels {
			field(l)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Matrix is n rows of p features, stored by column: X[j][i] is feature j of row i, NaN = missing, never infinite.
type Matrix struct {
	Schema Schema
	X      [][]float32 // p columns of n values
}

// Rows is n; a matrix without columns has no rows.
func (m *Matrix) Rows() int {
	if len(m.X) == 0 {
		return 0
	}
	return len(m.X[0])
}

// Cols is p.
func (m *Matrix) Cols() int { return len(m.X) }

// Take returns the rows of the given indices, in their order, as a new Matrix.
func (m *Matrix) Take(rows []int) *Matrix {
	out := &Matrix{Schema: m.Schema, X: make([][]float32, len(m.X))}
	for j, col := range m.X {
		c := make([]float32, len(rows))
		for k, i := range rows {
			c[k] = col[i]
		}
		out.X[j] = c
	}
	return out
}

// Slice returns rows [lo, hi) sharing memory with m.
func (m *Matrix) Slice(lo, hi int) *Matrix {
	out := &Matrix{Schema: m.Schema, X: make([][]float32, len(m.X))}
	for j, col := range m.X {
		out.X[j] = col[lo:hi]
	}
	return out
}
