package features

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPartsReadNoSourceTwice(t *testing.T) {
	w := randomHistory(rand.New(rand.NewPCG(11, 9)), cutoffMS())
	s := w.store(t)
	cutoff := formCutoffs[2]
	c, err := DefaultCatalogue().Resolve(t.Context(), s, []time.Time{cutoff})
	if err != nil {
		t.Fatal(err)
	}
	for _, lives := range []bool{true, false} {
		compiler, err := newCompiler(t.Context(), s, cutoff, c.Entries)
		if err != nil {
			t.Fatal(err)
		}
		compiler.lives = lives
		parts := compiler.parts(c.Entries)
		if lives == (len(parts) == 1) {
			t.Errorf("lives told: %t, %d parts", lives, len(parts))
		}
		var places []int
		readBy := map[string]int{}
		for k, p := range parts {
			if k > 0 && p.columns > parts[k-1].columns {
				t.Errorf("part %d has more columns than the one before", k)
			}
			places = append(places, p.places...)
			for i, e := range p.entries {
				if d := cmp.Diff(c.Entries[p.places[i]].Name, e.Name); d != "" {
					t.Errorf("part %d, entry %d (-want +got):\n%s", k, i, d)
				}
			}
			for _, scan := range p.compiler.scans {
				if other, ok := readBy[scan.source]; ok && other != k {
					t.Errorf("%s is read by parts %d and %d", scan.source, other, k)
				}
				readBy[scan.source] = k
			}
		}
		slices.Sort(places)
		for i, place := range places {
			if i != place {
				t.Fatalf("entry %d is in no part, or in two", i)
			}
		}
		if len(places) != len(c.Entries) {
			t.Errorf("%d of %d entries", len(places), len(c.Entries))
		}
	}
}

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

func TestRangesOfParts(t *testing.T) {
	wide, narrow := part{columns: rangeCells / 40}, part{columns: 1}
	cases := []struct {
		name string
		n    int
		want [][2]int
	}{
		{"nobody", 0, nil},
		{"few", 3, [][2]int{{0, 3}, {0, 3}}},
		{"more than the wide part may serve", 41, [][2]int{{0, 21}, {21, 41}, {0, 41}}},
		{"more than the narrow one, too", 101, [][2]int{{0, 34}, {34, 68}, {68, 101}, {0, 51}, {51, 101}}},
	}
	for _, c := range cases {
		var got [][2]int
		for _, r := range rangesOf([]part{wide, narrow}, c.n, 100) {
			got = append(got, [2]int{r.lo, r.hi})
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}
