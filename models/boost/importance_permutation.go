package boost

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"retain/features"
	"retain/models"
)

// Permuting holds the choices of PermutationImportance.
type Permuting struct {
	Repeats int    // permutations of each column, 1 to 1000; 0 means 5
	Seed    uint64 // of the permutations; those of a column depend on nothing else but its place and the number of rows
}

// Rise is by how much a permuted column raises the log loss.
type Rise struct {
	Mean float64 // over the repeats, in nats a row; at most noise below 0 if the model does not need the column
	SD   float64 // standard deviation over the repeats; 0 for one repeat
}

// PermutationImportance asks what each column is worth to the model on the rows of d (X, Y, Weight; best rows that it was not
// fitted on): the weighted mean log loss after the column's values have been dealt anew among the rows, less that before. The
// p rises do not depend on the number of threads. A column that no split uses has exactly 0. A column whose content others
// share looks less worth than it is, since the model finds it there. (Breiman, "Random forests", Machine Learning 2001, §10;
// Fisher, Rudin & Dominici, JMLR 2019.)
// It predicts once for each repeat and column in use. Errors as Margin; what is wrong with d or o; ctx.Err(), asked before each.
func (m *Model) PermutationImportance(ctx context.Context, d *features.Dataset, o Permuting) ([]Rise, error) {
	repeats := or(o.Repeats, 5)
	if repeats < 1 || repeats > 1000 {
		return nil, fmt.Errorf("boost: Repeats is %d, want 1 to 1000", o.Repeats)
	}
	if d == nil || d.X == nil || !sameSchema(m.schema, d.X.Schema) {
		return nil, models.ErrFeatureMismatch
	}
	if err := checkRows(d); err != nil {
		return nil, err
	}
	margin := make([]float64, d.Rows())
	if err := m.Margin(margin, d.X); err != nil {
		return nil, err
	}
	before := meanLoss(margin, d)
	used := make([]bool, len(m.schema))
	for i := range m.nodes {
		if n := &m.nodes[i]; !n.leaf() {
			used[n.column] = true
		}
	}
	rises := make([]Rise, len(m.schema))
	dealt := d.X.Slice(0, d.Rows()) // its columns are replaced one after the other, those of d.X stay
	column := make([]float32, d.Rows())
	for j := range rises {
		if !used[j] {
			continue
		}
		rng := rand.New(rand.NewPCG(o.Seed, uint64(j)))
		dealt.X[j] = column
		var mean, squares float64 // Welford's
		for k := range repeats {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			copy(column, d.X.X[j])
			rng.Shuffle(len(column), func(a, b int) { column[a], column[b] = column[b], column[a] })
			if err := m.Margin(margin, dealt); err != nil {
				return nil, err
			}
			rise := meanLoss(margin, d) - before
			step := rise - mean
			mean += step / float64(k+1)
			squares += step * (rise - mean)
		}
		dealt.X[j] = d.X.X[j]
		rises[j] = Rise{Mean: mean, SD: math.Sqrt(squares / float64(max(1, repeats-1)))}
	}
	return rises, nil
}
