package features

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLevelsOfAScan(t *testing.T) {
	s := &scan{aggregates: []string{
		"count()",
		"groupArray(at)",
		"length(a1)",
		"countIf(`a1` = 'a2' OR feature = '\\'a2')", // a column, and texts
		"a1[a2]",
	}}
	want := [][]int{{0, 1, 3}, {2}, {4}}
	if d := cmp.Diff(want, s.levels()); d != "" {
		t.Errorf("levels (-want +got):\n%s", d)
	}
}
