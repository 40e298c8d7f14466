package golearn

import (
	"testing"

	"github.com/sjwhitworth/golearn/base"
	"github.com/sjwhitworth/golearn/trees"
)

// fitCART is golearn's tree of depth 5 on a grid.
func fitCART(t *testing.T, g base.FixedDataGrid) *trees.CARTDecisionTreeClassifier {
	t.Helper()
	c := trees.NewDecisionTreeClassifier(trees.GINI, 5, []int64{0, 1})
	if err := c.Fit(g); err != nil {
		t.Fatal(err)
	}
	return c
}

func classOf(g base.FixedDataGrid, row int) string { return base.GetClass(g, row) }
