package boost

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"retain/features"
	"retain/models"
)

// checkDataset says what is wrong with the training rows: what checkRows finds, or a single class (ErrOneClass).
func checkDataset(d *features.Dataset) error {
	if err := checkRows(d); err != nil {
		return err
	}
	if slices.Min(d.Y) == slices.Max(d.Y) {
		return models.ErrOneClass
	}
	return nil
}

// checkRows says what is wrong with labelled rows: shapes, labels other than 0 and 1, weights that are not positive,
// infinities (ErrNotFinite), values that are no code.
func checkRows(d *features.Dataset) error {
	n := d.Rows()
	switch {
	case d.X == nil || d.X.Cols() == 0:
		return errors.New("boost: the rows have no columns: nothing to learn from")
	case n == 0:
		return errors.New("boost: no rows")
	case n > maxRows:
		return fmt.Errorf("boost: %d rows, at most %d are supported", n, maxRows)
	case len(d.X.Schema) != d.X.Cols():
		return fmt.Errorf("boost: the schema names %d columns, the matrix has %d", len(d.X.Schema), d.X.Cols())
	case d.Weight != nil && len(d.Weight) != n:
		return fmt.Errorf("boost: %d weights for %d rows", len(d.Weight), n)
	case d.Customer != nil && len(d.Customer) != n:
		return fmt.Errorf("boost: %d customers for %d rows", len(d.Customer), n)
	case d.Cutoff != nil && len(d.Cutoff) != n:
		return fmt.Errorf("boost: %d cutoffs for %d rows", len(d.Cutoff), n)
	}
	for j, col := range d.X.X {
		if len(col) != n {
			return fmt.Errorf("boost: column %q has %d rows, want %d", d.X.Schema[j].Name, len(col), n)
		}
	}
	for i, y := range d.Y {
		if y != 0 && y != 1 {
			return fmt.Errorf("boost: the label of row %d is %v, want 0 or 1", i, y)
		}
	}
	for i, w := range d.Weight {
		if !(w > 0 && w <= math.MaxFloat64) {
			return fmt.Errorf("boost: the weight of row %d is %v, want a positive number", i, w)
		}
	}
	return checkValues(d.X)
}

// checkValues refuses infinities and categorical values that are no code.
func checkValues(x *features.Matrix) error {
	bad := make([]error, x.Cols())
	parallel(x.Cols(), func(j int) { bad[j] = checkColumn(&x.Schema[j], x.X[j]) })
	return errors.Join(bad...)
}

func checkColumn(c *features.Column, values []float32) error {
	if c.Kind == features.Categorical {
		for i, v := range values {
			if v == v && !isCode(c, v) {
				if v-v != 0 {
					return infinite(c, i)
				}
				return fmt.Errorf("boost: column %q, row %d: %v is no code of its %d levels", c.Name, i, v, len(c.Levels))
			}
		}
		return nil
	}
	for i, v := range values {
		if v-v != 0 && v == v {
			return infinite(c, i)
		}
	}
	return nil
}

func infinite(c *features.Column, row int) error {
	return fmt.Errorf("%w: column %q, row %d", models.ErrNotFinite, c.Name, row)
}

// maxCode bounds the codes of a categorical column whose levels are not listed.
const maxCode = 1<<16 - 1

// isCode says whether v is a level's code of column c: whole, not negative, below the number of levels.
func isCode(c *features.Column, v float32) bool {
	most := float32(maxCode)
	if len(c.Levels) > 0 {
		most = float32(len(c.Levels) - 1)
	}
	return v >= 0 && v <= most && v == float32(int(v))
}
