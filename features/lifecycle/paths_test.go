package lifecycle_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"retain/features/lifecycle"
)

func at(text string) time.Time {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return t
}

var small = &lifecycle.Set{Name: "small", Stages: []lifecycle.Stage{{Name: "a"}, {Name: "b", Rule: "true"}, {Name: "c", Rule: "true"}}, Exits: []lifecycle.Stage{{Name: lifecycle.Churned, Rule: "true"}}}

// By hand. January, February, March (31, 28 days), 15 March: the last step is none from month to month.
func TestBoard(t *testing.T) {
	p := &lifecycle.Paths{Points: []time.Time{at("2026-01-01"), at("2026-02-01"), at("2026-03-01"), at("2026-03-15")}, Count: map[lifecycle.Path]int{
		{1, 1, 2, 2}: 4, // a a b b: b entered in March, stays 14 days and on
		{1, 2, 3, 3}: 2, // b for 28 days, then c
		{2, 2, 4, 4}: 1, // b from before: its stay does not count; churned in March
		{0, 1, 1, 3}: 3, // a for 42 days, then c
		{2, 1, 2, 4}: 1, // fell back; a for 28 days, b for 14
	}}
	b, err := small.Board(p)
	if err != nil {
		t.Fatal(err)
	}
	n := func(v float64) *float64 { return &v }
	want := []lifecycle.StageCount{
		// a at month starts: January 6, February 8. On: 2 to b in Feb; in March 4+1 to b. Stays: 3 of 42 days, 1 of 28, all left.
		{Name: "a", Customers: 0, Entered: 4, MedianDays: n(42), Conversion: n(7. / 14), DropOff: n(0)},
		// b: January 2, February 3. Back: 1; on: 2; left: 1. Stays: 4 of 14 days go on, 1 of 14 ended, 2 of 28 ended: S = 6/7, then 0.
		{Name: "b", Customers: 4, Entered: 7, MedianDays: n(28), Conversion: n(2. / 5), FellBack: n(1. / 5), DropOff: n(1. / 5)},
		{Name: "c", Customers: 5, Entered: 5},
		{Name: lifecycle.Churned, Customers: 2, Entered: 2},
	}
	if d := cmp.Diff(want, b.Stages); d != "" {
		t.Errorf("stages (-want +got):\n%s", d)
	}
	moves := []lifecycle.Transition{{From: "a", To: "a", Customers: 7, Share: .5}, {From: "a", To: "b", Customers: 7, Share: .5},
		{From: "b", To: "a", Customers: 1, Share: .2}, {From: "b", To: "b", Customers: 1, Share: .2}, {From: "b", To: "c", Customers: 2, Share: .4}, {From: "b", To: lifecycle.Churned, Customers: 1, Share: .2}}
	if d := cmp.Diff(moves, b.Transitions); d != "" {
		t.Errorf("transitions (-want +got):\n%s", d)
	}
	if d := cmp.Diff([][]int{{6, 2, 0, 0}, {8, 3, 0, 0}, {3, 5, 2, 1}, {0, 4, 5, 2}}, [][]int{b.Months[0].Customers, b.Months[1].Customers, b.Months[2].Customers, b.Months[3].Customers}); d != "" {
		t.Errorf("months (-want +got):\n%s", d)
	}
	if _, err := small.Board(&lifecycle.Paths{Points: p.Points, Count: map[lifecycle.Path]int{{9}: 1}}); err == nil {
		t.Error("a place that the set has not")
	}
	if _, err := small.Board(&lifecycle.Paths{}); err == nil {
		t.Error("no points")
	}
}

// Shares of a row add up to 1, a month's customers to all who exist, and counts are those of walking every customer by itself.
func TestBoardByBruteForce(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	points := append(lifecycle.MonthsBefore(at("2026-07-09"), 9), at("2026-07-09"))
	var people []lifecycle.Path
	paths := &lifecycle.Paths{Points: points, Count: map[lifecycle.Path]int{}}
	for range 500 {
		var p lifecycle.Path
		begin := rng.IntN(6)
		for k := begin; k < len(points); k++ {
			if p[k] = uint8(1 + rng.IntN(4)); k > begin && rng.Float64() < .6 {
				p[k] = p[k-1]
			}
		}
		people = append(people, p)
		paths.Count[p]++
	}
	b, err := small.Board(paths)
	if err != nil {
		t.Fatal(err)
	}
	place := map[string]uint8{"a": 1, "b": 2, "c": 3, lifecycle.Churned: 4}
	row := map[string]float64{}
	for _, m := range b.Transitions {
		n, of := 0, 0
		for _, p := range people {
			for k := range len(points) - 2 { // the last step is no month
				if p[k] != place[m.From] {
					continue
				}
				if of++; p[k+1] == place[m.To] {
					n++
				}
			}
		}
		if n != m.Customers || m.Share != float64(n)/float64(of) {
			t.Errorf("%+v, want %d of %d", m, n, of)
		}
		row[m.From] += m.Share
	}
	for from, share := range row {
		if math.Abs(share-1) > 1e-12 {
			t.Errorf("row %s adds up to %v", from, share)
		}
	}
	for k, month := range b.Months {
		want, got := 0, 0
		for _, p := range people {
			if p[k] > 0 {
				want++
			}
		}
		for _, n := range month.Customers {
			got += n
		}
		if got != want {
			t.Errorf("month %d: %d customers, want %d", k, got, want)
		}
	}
	for _, s := range b.Stages {
		entered := 0
		for _, p := range people {
			for k := 1; k < len(points); k++ {
				if p[k] == place[s.Name] && p[k-1] != p[k] {
					entered++
				}
			}
		}
		if s.Entered != entered {
			t.Errorf("%s: entered %d times, want %d", s.Name, s.Entered, entered)
		}
	}
}

func TestMonthsBefore(t *testing.T) {
	for cutoff, want := range map[string][]string{
		"2026-03-15": {"2026-01-01", "2026-02-01", "2026-03-01"},
		"2026-03-01": {"2025-12-01", "2026-01-01", "2026-02-01"}, // the cutoff itself is no past month start
	} {
		var got []string
		for _, m := range lifecycle.MonthsBefore(at(cutoff), 3) {
			got = append(got, m.Format(time.DateOnly))
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", cutoff, d)
		}
	}
}
