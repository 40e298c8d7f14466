package models

import (
	"fmt"
	"math"

	"retain/features"
)

// CheckMatrix reports why x cannot be given to a model fitted on the features of the fingerprint (features.Schema.Fingerprint).
// Errors: ErrFeatureMismatch (other features, or columns of unequal length), ErrNotFinite (naming the column), or a categorical
// value that is no code of its column's levels.
func CheckMatrix(fingerprint string, x *features.Matrix) error {
	if len(x.X) != len(x.Schema) {
		return fmt.Errorf("%w: %d columns under a schema of %d", ErrFeatureMismatch, len(x.X), len(x.Schema))
	}
	if x.Schema.Fingerprint() != fingerprint {
		return fmt.Errorf("%w: encode the matrix with the artifact's encoding", ErrFeatureMismatch)
	}
	return checkValues(x)
}

// CheckMargin is CheckMatrix for Model.Margin: dst must hold one value a row.
func CheckMargin(dst []float64, fingerprint string, x *features.Matrix) error {
	if err := CheckMatrix(fingerprint, x); err != nil {
		return err
	}
	if len(dst) != x.Rows() {
		return fmt.Errorf("models: dst holds %d values for %d rows", len(dst), x.Rows())
	}
	return nil
}

// CheckContributions is CheckMatrix for Explainer.Contributions: dst must hold rows × columns values.
func CheckContributions(dst []float64, fingerprint string, x *features.Matrix) error {
	if err := CheckMatrix(fingerprint, x); err != nil {
		return err
	}
	if want := x.Rows() * x.Cols(); len(dst) != want {
		return fmt.Errorf("models: dst holds %d values for %d rows × %d features", len(dst), x.Rows(), x.Cols())
	}
	return nil
}

// CheckDataset reports why a trainer cannot learn from d: slices of unequal length, labels other than 0 and 1, weights that are not
// positive and finite, the errors of CheckMatrix, or ErrOneClass.
func CheckDataset(d *features.Dataset) error {
	if d == nil || d.X == nil {
		return fmt.Errorf("models: no training rows")
	}
	if len(d.X.X) != len(d.X.Schema) {
		return fmt.Errorf("%w: %d columns under a schema of %d", ErrFeatureMismatch, len(d.X.X), len(d.X.Schema))
	}
	n := d.Rows()
	if len(d.X.X) > 0 && d.X.Rows() != n {
		return fmt.Errorf("models: %d labels for %d rows", n, d.X.Rows())
	}
	if d.Weight != nil && len(d.Weight) != n {
		return fmt.Errorf("models: %d weights for %d rows", len(d.Weight), n)
	}
	if d.Customer != nil && len(d.Customer) != n {
		return fmt.Errorf("models: %d customers for %d rows", len(d.Customer), n)
	}
	if err := checkValues(d.X); err != nil {
		return err
	}
	for i, w := range d.Weight {
		if !(w > 0) || math.IsInf(w, 0) {
			return fmt.Errorf("models: weight %v of row %d is not positive and finite", w, i)
		}
	}
	positives := 0
	for i, y := range d.Y {
		switch y {
		case 0:
		case 1:
			positives++
		default:
			return fmt.Errorf("models: label %v of row %d is neither 0 nor 1: leave rows without a label out", y, i)
		}
	}
	if positives == 0 || positives == n {
		return ErrOneClass
	}
	return nil
}

// checkValues looks for infinities, codes outside of the levels and ragged columns.
func checkValues(x *features.Matrix) error {
	n := x.Rows()
	for j, column := range x.X {
		name := x.Schema[j].Name
		if len(column) != n {
			return fmt.Errorf("%w: column %s has %d rows, the first column %d", ErrFeatureMismatch, name, len(column), n)
		}
		if x.Schema[j].Kind == features.Categorical {
			levels := float32(len(x.Schema[j].Levels))
			for i, v := range column {
				if math.IsInf(float64(v), 0) {
					return fmt.Errorf("%w: column %s, row %d", ErrNotFinite, name, i)
				}
				if v < 0 || v >= levels || v == v && v != float32(int32(v)) {
					return fmt.Errorf("models: column %s, row %d: %v is no code of its %d levels", name, i, v, len(x.Schema[j].Levels))
				}
			}
			continue
		}
		for i, v := range column {
			if v-v != 0 && v == v { // ∞ - ∞ is NaN; NaN itself means missing
				return fmt.Errorf("%w: column %s, row %d", ErrNotFinite, name, i)
			}
		}
	}
	return nil
}
