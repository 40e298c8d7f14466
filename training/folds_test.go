package training

import (
	"math"
	"strconv"
	"testing"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.IsNaN(got) != math.IsNaN(want) || math.Abs(got-want) > tolerance {
		t.Errorf("%s: got %.12g, want %.12g ± %g", what, got, want, tolerance)
	}
}

func TestFolds(t *testing.T) {
	customers := make([]string, 3000)
	y := make([]float64, 3000)
	for i := range customers {
		customers[i] = strconv.Itoa(i % 1000)
		if i%7 == 0 {
			y[i] = 1
		}
	}
	fold := CustomerFolds(customers, 5, 1)
	sizes := make([]int, 5)
	for i, f := range fold {
		sizes[f]++
		if f != fold[i%1000] {
			t.Fatal("a customer is in two folds")
		}
	}
	for f, n := range sizes {
		if n < 500 || n > 700 {
			t.Errorf("fold %d holds %d of 3000 rows", f, n)
		}
	}
	strata := StratifiedFolds(y, 4, 1)
	var rows, pos [4]int
	for i, f := range strata {
		rows[f]++
		pos[f] += int(y[i])
	}
	for f := range rows {
		if rows[f] != 750 || pos[f] < 107 || pos[f] > 108 {
			t.Errorf("fold %d: %d rows, %d positives of 429", f, rows[f], pos[f])
		}
	}
	train, held := splitRows(strata, 2)
	if len(train) != 2250 || len(held) != 750 {
		t.Errorf("split into %d and %d", len(train), len(held))
	}
}
