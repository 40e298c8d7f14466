// Package golearn fits three baselines of github.com/sjwhitworth/golearn, pinned in go.mod: a CART, a forest of bagged CARTs and a naive
// Bernoulli Bayes. They are rows of comparison and never champion: their models give margins but no reasons.
//
// What stands between golearn and the program:
//
//   - Only its packages base, trees and naive are used, which are Go alone. Its linear models, nearest neighbours and ensembles need C.
//   - A grid is built in memory from the validated rows and holds small numbers only: codes of bins, 0 or 1 for a level, the training median
//     for what is missing. A file, an empty cell or a level in another order, on which golearn panics, never reaches it.
//   - The rows are a seeded sample, and trees see the columns with the best single cuts only, so that a fit ends soon whatever the size of the
//     table: golearn sorts every column in every node, counts all rows of a node again for each cut that it tries, and cannot be interrupted.
//   - Nothing of golearn runs in a goroutine of its own, and a panic in it is ErrPanic. So is meta.BaggedModel not used: it draws its bags and
//     columns in goroutines from the unseeded source of math/rand, so that no run is like another and a panic could not be caught. The bags here are drawn from the
//     seed and each tree of them is golearn's.
//   - golearn answers with labels. The fitted tree and the fitted probabilities are read out instead and give log-odds.
//
// Row weights count in the leaves of trees and in the base rate; golearn itself knows none.
package golearn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"retain/features"
	"retain/models"
)

// Contract's names of the families.
const (
	FamilyCART   = "golearn_cart"
	FamilyForest = "golearn_forest"
	FamilyBayes  = "golearn_bayes"
)

// ErrPanic says that golearn panicked. The fit is lost, the program goes on.
var ErrPanic = errors.New("golearn panicked")

const (
	sampleRows  = 2000 // default of Rows; with 5,000 a CART was no better on generated rows and took three times as long
	mostRows    = 50_000
	mostDepth   = 12
	mostTrees   = 500
	mostBins    = 64
	mostColumns = 1000
	mostBits    = 10_000 // of a grid; golearn looks each one up by walking over all
)

// guarded runs f and turns a panic in it into ErrPanic.
func guarded(doing string, f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: %w: %v", doing, ErrPanic, r)
		}
	}()
	return f()
}

// begin is what every Fit does first: it checks the rows and draws the sample and the seed of the rest.
func begin(ctx context.Context, d *features.Dataset, rng *rand.Rand, rows int) (*sample, uint64, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	if err := models.CheckDataset(d); err != nil {
		return nil, 0, err
	}
	seed := rng.Uint64()
	return newSample(d, cmp.Or(rows, sampleRows), seed), seed, nil
}

// between checks a choice; 0 is always allowed.
func between(name string, v, low, high int) error {
	if v != 0 && (v < low || v > high) {
		return fmt.Errorf("%s %d: give %d to %d, or 0 for the default", name, v, low, high)
	}
	return nil
}
