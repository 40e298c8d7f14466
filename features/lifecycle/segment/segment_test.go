package segment

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"retain/features"
)

// crowd draws customers around centres of sessions and spend, so many each.
func crowd(seed uint64, each int, centres ...[2]float64) (*features.Matrix, []string, []int) {
	rng := rand.New(rand.NewPCG(seed, 1))
	x := &features.Matrix{Schema: features.Schema{{Name: "usage_sessions_count_84d"}, {Name: "purchase_amount_sum_365d"}, {Name: "constant"}, {Name: "unknown"}},
		X: make([][]float32, 4)}
	var ids []string
	var of []int
	for i := range each * len(centres) {
		c := i % len(centres)
		for j, v := range []float64{centres[c][0] + rng.NormFloat64(), centres[c][1] + rng.NormFloat64(), 7, math.NaN()} {
			x.X[j] = append(x.X[j], float32(v))
		}
		ids, of = append(ids, fmt.Sprintf("c%05d", i)), append(of, c)
	}
	return x, ids, of
}

func finder() Finder { return Finder{Seed: 1, Catalogue: features.DefaultCatalogue()} }

func TestFindsTheGroupsThereAre(t *testing.T) {
	x, ids, of := crowd(1, 300, [2]float64{10, 10}, [2]float64{30, 10}, [2]float64{20, 40})
	found, group, err := finder().Find(x, ids, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Groups) != 3 || found.Silhouette < .7 || len(found.Axes) != 2 {
		t.Fatalf("%d groups, silhouette %v, axes %+v", len(found.Groups), found.Silhouette, found.Axes)
	}
	to := map[int]int{}
	for i, g := range group {
		if want, ok := to[of[i]]; ok && want != g {
			t.Fatalf("customer %d of centre %d is in group %d, others are in %d", i, of[i], g, want)
		}
		to[of[i]] = g
	}
	sizes := 0
	for g, x := range found.Groups {
		sizes += x.Customers
		if x.Label != fmt.Sprintf("S%d", g+1) || x.Words == "" {
			t.Errorf("group %+v", x)
		}
	}
	if sizes != 900 {
		t.Errorf("groups of %d customers", sizes)
	}
	spenders := found.Groups[to[2]]
	if m := spenders.Marks[0]; m.Feature != "purchase_amount_sum_365d" || math.Abs(m.Value-40) > 1 || math.Abs(m.Typical-20) > 1 {
		t.Errorf("marks %+v", spenders.Marks)
	}
	if !strings.Contains(spenders.Words, "(typical 19.95)") {
		t.Errorf("words %q", spenders.Words)
	}
}

// The next run has other customers and moved centres: labels stay, a new group gets a new one.
func TestLabelsStay(t *testing.T) {
	x, ids, _ := crowd(1, 200, [2]float64{10, 10}, [2]float64{30, 10})
	first, was, err := finder().Find(x, ids, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	label := func(f *Found, group []int, i int) string { return f.Groups[group[i]].Label }
	y, ids2, of := crowd(2, 300, [2]float64{31, 11}, [2]float64{11, 11}, [2]float64{20, 90})
	before := make([]int, len(ids2))
	for i := range before {
		before[i] = -1
		if of[i] < 2 && i < 300 { // some of them were there
			before[i] = was[slices.IndexFunc(was, func(g int) bool { return g >= 0 })]
			if of[i] == 1 {
				before[i] = was[0]
			} else {
				before[i] = was[1]
			}
		}
	}
	second, group, err := finder().Find(y, ids2, first, before)
	if err != nil {
		t.Fatal(err)
	}
	if len(second.Groups) != 3 {
		t.Fatalf("%d groups", len(second.Groups))
	}
	if got, want := label(second, group, 1), label(first, was, 0); got != want {
		t.Errorf("those at 10, 10 were %s, are %s", want, got)
	}
	if got, want := label(second, group, 0), label(first, was, 1); got != want {
		t.Errorf("those at 30, 10 were %s, are %s", want, got)
	}
	if got := label(second, group, 2); got != "S3" || second.Next != 4 {
		t.Errorf("the new group is %s, the next one %d", got, second.Next)
	}
}

func TestFindIsDeterministicAndRefusesNothingToGroup(t *testing.T) {
	x, ids, _ := crowd(3, 100, [2]float64{1, 1}, [2]float64{5, 9})
	a, ga, err := finder().Find(x, ids, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, gb, err := finder().Find(x, ids, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(ga, gb) || a.Silhouette != b.Silhouette {
		t.Error("two searches differ")
	}
	few, fewIDs, _ := crowd(3, 5, [2]float64{1, 1}, [2]float64{5, 9})
	if _, _, err := finder().Find(few, fewIDs, nil, nil); !errors.Is(err, ErrTooFew) {
		t.Errorf("ten customers: %v", err)
	}
	for j := range x.X {
		for i := range x.X[j] {
			x.X[j][i] = 3
		}
	}
	if _, _, err := finder().Find(x, ids, nil, nil); !errors.Is(err, ErrTooFew) {
		t.Errorf("all alike: %v", err)
	}
}

// By hand: points 0, 1 and 10, 11 on a line. a is 1, b 10.5 or 9.5: (9.5/10.5 + 8.5/9.5)/2 on either side.
func TestSilhouette(t *testing.T) {
	s := &points{1, []float64{0, 1, 10, 11}}
	if got, want := silhouette(s, []int{0, 0, 1, 1}, 2), (9.5/10.5+8.5/9.5)/2; math.Abs(got-want) > 1e-12 {
		t.Errorf("%v, want %v", got, want)
	}
	if got := silhouette(s, []int{0, 1, 1, 1}, 2); got > .3 {
		t.Errorf("a wrong grouping has %v", got)
	}
	centres, group := kmeans(s, 2, rand.New(rand.NewPCG(1, 1)))
	if group[0] != group[1] || group[2] != group[3] || group[0] == group[2] || centres[group[0]][0] != .5 || centres[group[2]][0] != 10.5 {
		t.Errorf("centres %v of groups %v", centres, group)
	}
}

func TestAxesStandInStandardDeviations(t *testing.T) {
	x := &features.Matrix{Schema: features.Schema{{Name: "a"}, {Name: "level", Kind: features.Categorical}}, X: [][]float32{{0, 1, 2, 1000, float32(math.NaN())}, {0, 1, 0, 1, 0}}}
	axes, columns := newAxes(x, []int{0, 1, 2, 3, 4})
	if len(axes) != 1 || columns[0] != 0 || axes[0].Fill != 2 {
		t.Fatalf("axes %+v", axes)
	}
	a := axes[0]
	if got := a.value(a.at(2)); math.Abs(got-2) > 1e-9 {
		t.Errorf("2 comes back as %v", got)
	}
	if a.at(float32(math.NaN())) != a.at(2) || a.at(1e30) != farthest {
		t.Error("a missing value is not the median, or a huge one is not bounded")
	}
}
