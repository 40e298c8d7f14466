package training

import (
	"math/rand/v2"

	"retain/features"
)

// innerFolds is the number of cross-fitting folds for calibration and for the number of boosted trees.
const innerFolds = 5

// CustomerFolds assigns each row to a fold 0..k-1 by the keyed hash of its customer, so that all rows of a customer share a
// fold, and a customer keeps the fold when rows come and go.
func CustomerFolds(customer []string, k int, seed uint64) []int {
	out := make([]int, len(customer))
	for i, c := range customer {
		out[i] = int(features.KeyedHash(seed, "folds", c) % uint64(k))
	}
	return out
}

// StratifiedFolds assigns each row to a fold 0..k-1 so that the folds differ by at most one row of each class. The
// assignment is random by the seed.
func StratifiedFolds(y []float64, k int, seed uint64) []int {
	rng := rand.New(rand.NewPCG(seed, 0x7374726174696679)) // "stratify"
	out := make([]int, len(y))
	next := 0 // dealing goes on where the last class ended, so that the folds' sizes differ by at most one, too
	for _, class := range []bool{true, false} {
		var rows []int
		for i, v := range y {
			if (v > .5) == class {
				rows = append(rows, i)
			}
		}
		rng.Shuffle(len(rows), func(a, b int) { rows[a], rows[b] = rows[b], rows[a] })
		for _, i := range rows {
			out[i] = next % k
			next++
		}
	}
	return out
}

// splitRows returns the rows outside and inside fold f, each in rising order.
func splitRows(fold []int, f int) (train, held []int) {
	for i, v := range fold {
		if v == f {
			held = append(held, i)
		} else {
			train = append(train, i)
		}
	}
	return train, held
}
