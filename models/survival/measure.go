package survival

import (
	"fmt"
	"math"
	"slices"
)

// PeriodFigures tell how survivors did at the end of one period. Undefined figures are NaN.
type PeriodFigures struct {
	End       float64 // days
	Rows      int     // seen through the period
	Left      int     // of them, in the period
	Expected  float64 // how many were told to
	Brier     float64 // mean (still there at End - S*(End))² (Graf et al. 1999; who left is known of every row, so that no weights are needed)
	Reference float64 // the same of a life table, S(End) for everyone
}

// Measured is how survivors did on customers at cutoffs that they had not seen. Undefined figures are NaN.
type Measured struct {
	Periods             []PeriodFigures
	Integrated          float64 // Brier over the periods, weighted by their length
	IntegratedReference float64 // of the life table
	Concordance         float64 // of the risk to have left by the last period with the time to leaving
}

// Measure compares survivors, one a landmark, with what came; table is the reference. Periods that no landmark was seen through are left out.
func Measure(p Periods, survivors []Survivor, l *Landmarks, table *Table) (Measured, error) {
	if err := l.check(); err != nil {
		return Measured{}, err
	}
	if len(survivors) != l.Rows() {
		return Measured{}, fmt.Errorf("survival: %d survivors for %d landmarks", len(survivors), l.Rows())
	}
	m := Measured{Integrated: math.NaN(), IntegratedReference: math.NaN(), Concordance: math.NaN()}
	reference, length := 1., 0.
	hazards := table.Hazards()
	var brier, brierReference float64
	for j, end := range p.Ends {
		if j >= len(hazards) {
			break
		}
		reference *= 1 - hazards[j]
		f := PeriodFigures{End: end}
		for i, s := range survivors {
			if l.Seen[i] < end {
				continue
			}
			f.Rows++
			there := 1.
			if l.Exit[i] < end {
				there = 0
				if l.Exit[i] >= p.begin(j) {
					f.Left++
				}
			}
			f.Expected += s.At(p.begin(j)) - s.At(end)
			f.Brier += (there - s.At(end)) * (there - s.At(end))
			f.Reference += (there - reference) * (there - reference)
		}
		if f.Rows == 0 {
			break
		}
		f.Brier /= float64(f.Rows)
		f.Reference /= float64(f.Rows)
		m.Periods = append(m.Periods, f)
		brier += f.Brier * (end - p.begin(j))
		brierReference += f.Reference * (end - p.begin(j))
		length += end - p.begin(j)
	}
	if length == 0 {
		return m, nil
	}
	m.Integrated, m.IntegratedReference = brier/length, brierReference/length
	var lives []Life
	var risk []float64
	for i, s := range survivors {
		// The last period that this landmark and the survivors reach.
		reach := p.First(math.Min(l.Seen[i], m.Periods[len(m.Periods)-1].End)).Ends
		if len(reach) == 0 {
			continue
		}
		end := last(reach)
		lives = append(lives, Life{Exit: math.Min(l.Exit[i], end), Left: l.Exit[i] < end})
		risk = append(risk, 1-s.At(last(p.Ends)))
	}
	m.Concordance = Concordance(lives, risk)
	return m, nil
}

// Concordance is Harrell's C (1982): the share of comparable pairs in which the one with the higher risk leaves first, ties of risk
// counting one half; pairs are comparable unless both leave at once or the earlier was last seen, not left. Entries are not looked at. NaN without a comparable pair.
func Concordance(lives []Life, risk []float64) float64 {
	order := make([]int, len(lives))
	for i := range order {
		order[i] = i
	}
	// Latest first; at one time those still there before those who left, so that a leaver meets the former and not the latter.
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case lives[a].Exit != lives[b].Exit && lives[a].Exit > lives[b].Exit:
			return -1
		case lives[a].Exit != lives[b].Exit:
			return 1
		case lives[a].Left == lives[b].Left:
			return 0
		case !lives[a].Left:
			return -1
		}
		return 1
	})
	ranks := slices.Clone(risk)
	slices.Sort(ranks)
	ranks = slices.Compact(ranks)
	met := newCounts(len(ranks))
	rank := func(i int) int { return below(ranks, risk[i]) }
	var pairs, agreed float64
	for k := 0; k < len(order); {
		end := k
		for end < len(order) && lives[order[end]].Exit == lives[order[k]].Exit && lives[order[end]].Left == lives[order[k]].Left {
			end++
		}
		if lives[order[k]].Left {
			for _, i := range order[k:end] {
				r := rank(i)
				lower, notHigher := met.below(r), met.below(r+1)
				agreed += float64(lower) + float64(notHigher-lower)/2
				pairs += float64(met.total)
			}
		}
		for _, i := range order[k:end] {
			met.add(rank(i))
		}
		k = end
	}
	if pairs == 0 {
		return math.NaN()
	}
	return agreed / pairs
}

// counts counts by rank (Fenwick 1994).
type counts struct {
	tree  []int
	total int
}

func newCounts(ranks int) *counts { return &counts{tree: make([]int, ranks+1)} }

func (c *counts) add(rank int) {
	c.total++
	for i := rank + 1; i < len(c.tree); i += i & -i {
		c.tree[i]++
	}
}

// below is how many have a rank below the given one.
func (c *counts) below(rank int) (n int) {
	for i := rank; i > 0; i -= i & -i {
		n += c.tree[i]
	}
	return n
}
