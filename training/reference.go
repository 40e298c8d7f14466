package training

import (
	"math"
	"time"

	"retain/features"
	"retain/models"
	"retain/training/metrics"
)

// referenceExplained is how many rows of the newest cutoff tell how important each column is.
const referenceExplained = 2000

// referenceOf is what the newest training cutoff looked like: of the encoded rows d every column, of those that were cross-fitted the margin, so that drift is
// measured against what models say of customers whom they have not seen, as scoring does.
func referenceOf(f *Fitted, d *features.Dataset) (*models.Reference, error) {
	cutoffs := distinctCutoffs(d.Cutoff)
	cutoff := cutoffs[len(cutoffs)-1]
	rows := rowsAt(d.Cutoff, cutoff)
	x := d.X.Take(rows)
	r := &models.Reference{Cutoff: cutoff.UTC(), Rows: len(rows), Features: make([]models.Histogram, x.Cols()), Importance: make(models.Figures, x.Cols())}
	for j, c := range x.Schema {
		r.Features[j] = columnHistogram(c, x.X[j])
		r.Importance[j] = math.NaN()
	}
	var margin []float64
	for _, i := range rowsAt(f.Crossed.Cutoff, cutoff) {
		margin = append(margin, f.OutOfFold[i])
	}
	if len(margin) > 0 {
		h := models.Histogram(metrics.NewHistogram(margin))
		r.Margin = &h
	}
	explainer, ok := f.Model.(models.Explainer)
	if !ok {
		return r, nil
	}
	explained := make([]int, min(len(rows), referenceExplained))
	for k := range explained {
		explained[k] = k * len(rows) / len(explained)
	}
	worth, err := weigh(explainer, x.Take(explained))
	if err != nil {
		return nil, err
	}
	at := make(map[string]int, x.Cols())
	for j, c := range x.Schema {
		at[c.Name] = j
	}
	for _, w := range worth {
		r.Importance[at[w.Feature]] = float64(w.Contribution)
	}
	return r, nil
}

// rowsAt are the rows of a cutoff.
func rowsAt(cutoffs []time.Time, cutoff time.Time) (rows []int) {
	for i, t := range cutoffs {
		if t.Equal(cutoff) {
			rows = append(rows, i)
		}
	}
	return rows
}

// columnHistogram bins numbers by their deciles, and categories by their levels.
func columnHistogram(c features.Column, x []float32) models.Histogram {
	values := make([]float64, len(x))
	for i, v := range x {
		values[i] = float64(v)
	}
	if c.Kind == features.Numeric {
		return models.Histogram(metrics.NewHistogram(values))
	}
	h := metrics.Histogram{Cuts: []float64{}}
	for code := range len(c.Levels) - 1 {
		h.Cuts = append(h.Cuts, float64(code))
	}
	h.Counts = h.Count(values)
	return models.Histogram(h)
}
