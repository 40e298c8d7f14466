package training

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"retain/features"
	"retain/models"
	"retain/training/metrics"
)

// Rows that the anatomy looks at: samples by keyed hash of the customers at the newest cutoff, so that it costs seconds however many rows there are.
const (
	explainedRows = 2000 // whose exact contributions are taken
	permutedRows  = 4000 // held out, among which columns are dealt anew
	dependentRows = 1000 // moved along the grid of a feature
	changedRows   = 4000 // scored by the champion and by the new model
)

// anatomyDomain keeps these samples apart from folds, bootstrap and exploration.
const anatomyDomain = "anatomy"

// Anatomy is what a training tells of its model beside the tournament: the rows it learned from, what each feature is worth to it, how the
// probability moves with a feature, how good it is where it matters, and what its promotion would change. It is kept with the model in
// the registry; the artifact does not hold it. Samples, and so all figures, depend on rows and seed only.
type Anatomy struct {
	Cutoffs    []CutoffRows `json:"cutoffs"`     // of the training rows, oldest first
	Customers  int          `json:"customers"`   // different ones among the training rows
	Explained  int          `json:"explained"`   // rows of the newest cutoff behind contributions
	Permuted   int          `json:"permuted"`    // rows behind the rises of the log loss; 0 = there are none
	PermutedAt *time.Time   `json:"permuted_at"` // their cutoff, of which the permuted model saw no label; null: the rows are the newest that it learned from
	Features   []Worth      `json:"features"`    // of the model, the greatest mean contribution first
	Dependence []Dependence `json:"dependence"`  // of the ten features of the greatest contribution
	Curves     []Curves     `json:"curves"`      // of every family on the test rows
	Change     *Change      `json:"change"`      // against the champion; null where there was none
}

// CutoffRows is the labelled rows of one cutoff.
type CutoffRows struct {
	Cutoff    time.Time `json:"cutoff"`
	Rows      int       `json:"rows"`
	Positives int       `json:"positives"`
}

// specimen is a fitted model with what turns its margins into probabilities.
type specimen struct {
	model       models.Explainer
	calibration models.Calibration
}

// dissect computes the anatomy of the artifact, but for the change, which is told when the champion is known. all is the raw rows that it was
// learned from, t the tournament that chose its family.
func (a *arena) dissect(ctx context.Context, all *features.Dataset, artifact *models.Artifact, t *tournament) (*Anatomy, error) {
	s, err := specimenOf(artifact)
	if err != nil {
		return nil, fmt.Errorf("dissect the model: %w", err)
	}
	out := &Anatomy{}
	out.Cutoffs, out.Customers = census(all)
	newest := newestRows(all)
	explained := newest.Take(sampleRows(newest.Customer, explainedRows, a.seed))
	x, err := artifact.Encoding.Apply(explained.X)
	if err != nil {
		return nil, fmt.Errorf("dissect the model: %w", err)
	}
	out.Explained = x.Rows()
	if out.Features, err = weigh(s.model, x); err != nil {
		return nil, err
	}
	if err := a.permute(ctx, s, x, explained, t.find(artifact.Family), out); err != nil {
		return nil, err
	}
	dependent := x.Take(sampleRows(explained.Customer, dependentRows, a.seed))
	out.Curves = listed(t.curves)
	out.Dependence, err = depend(ctx, s, dependent, x, topFeatures(out.Features, dependentFeatures))
	return out, err
}

// specimenOf decodes the model of an artifact as it will score.
func specimenOf(artifact *models.Artifact) (*specimen, error) {
	model, err := artifact.LoadModel(Decoders())
	if err != nil {
		return nil, err
	}
	explainer, ok := model.(models.Explainer)
	if !ok {
		return nil, fmt.Errorf("family %s has no additive reasons", artifact.Family)
	}
	return &specimen{model: explainer, calibration: artifact.Calibration}, nil
}

// census counts the rows of each cutoff and the customers of all; of rows without a cutoff the customers only.
func census(d *features.Dataset) (cutoffs []CutoffRows, customers int) {
	cutoffs = []CutoffRows{}
	for _, t := range distinctCutoffs(d.Cutoff) {
		one := CutoffRows{Cutoff: t.UTC()}
		for i := range d.Cutoff {
			if d.Cutoff[i].Equal(t) {
				one.Rows++
				one.Positives += int(d.Y[i])
			}
		}
		cutoffs = append(cutoffs, one)
	}
	seen := make(map[string]struct{})
	for _, c := range d.Customer {
		seen[c] = struct{}{}
	}
	return cutoffs, len(seen)
}

// newestRows are those of the newest cutoff, all where there is none.
func newestRows(d *features.Dataset) *features.Dataset {
	if len(d.Cutoff) == 0 {
		return d
	}
	return d.Take(rowsAt(d.Cutoff, slices.MaxFunc(d.Cutoff, time.Time.Compare)))
}

// sampleRows are the rows of at most so many customers, those of the lowest keyed hash, in rising order. Rows of one cutoff have a customer each.
func sampleRows(customer []string, most int, seed uint64) []int {
	rows := make([]int, len(customer))
	hash := make([]uint64, len(customer))
	for i, c := range customer {
		rows[i], hash[i] = i, features.KeyedHash(seed, anatomyDomain, c)
	}
	slices.SortFunc(rows, func(i, j int) int { return cmp.Or(cmp.Compare(hash[i], hash[j]), cmp.Compare(i, j)) })
	rows = rows[:min(most, len(rows))]
	slices.Sort(rows)
	return rows
}

// probabilities are those of the rows of an encoded matrix.
func (s *specimen) probabilities(x *features.Matrix) ([]float64, error) {
	_, p, err := probabilities(s.model, s.calibration, x)
	return p, err
}

// replaced is x with another column j; the others share its memory.
func replaced(x *features.Matrix, j int, column []float32) *features.Matrix {
	out := x.Slice(0, x.Rows())
	out.X[j] = column
	return out
}

// undefined is the figure that JSON shows as null.
var undefined = metrics.Figure(math.NaN())
