package golearn

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"strconv"

	"github.com/sjwhitworth/golearn/base"

	"retain/features"
)

// axis is one column of a tree's grid: the bin of a numeric feature, or 1 for a level of a categorical one and 0 else.
type axis struct {
	column int       // of the matrix
	level  int       // -1: numeric
	cuts   []float32 // rising; the bin of v is the number of cuts ≤ v
	fill   float32   // in place of a missing value: the training median
}

// axes are the columns that vary over the sample, in the order of the features and levels.
func axes(s *sample, bins int) []axis {
	var out []axis
	for j, c := range s.d.X.Schema {
		values := s.d.X.X[j]
		if c.Kind == features.Categorical {
			out = append(out, levelAxes(j, values, s.rows, len(c.Levels))...)
			continue
		}
		present := presentSorted(values, s.rows)
		if cuts := cutsOf(present, bins); len(cuts) > 0 {
			out = append(out, axis{column: j, level: -1, cuts: cuts, fill: median(present)})
		}
	}
	return out
}

// screen keeps the axes whose best single cut lowers the Gini impurity of the sample most, the earlier of equals, in the order in which they stand.
// golearn sorts every column anew in every node, so that the time of a fit is that of its columns.
func screen(s *sample, all []axis, most int) []axis {
	if len(all) <= most {
		return all
	}
	gains, order := make([]float64, len(all)), make([]int, len(all))
	for k := range all {
		gains[k], order[k] = all[k].gain(s), k
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(gains[b], gains[a]) })
	return pick(all, order[:most])
}

// pick are the axes at these places, in rising order; it sorts the places.
func pick(all []axis, places []int) []axis {
	slices.Sort(places)
	out := make([]axis, len(places))
	for k, j := range places {
		out[k] = all[j]
	}
	return out
}

// gain is what the best single cut takes off the sample's Gini impurity, but for a factor and a constant that all axes share: the greatest
// k₀²/n₀ + k₁²/n₁ of k churners among n rows on each side.
func (a *axis) gain(s *sample) float64 {
	rows, churned := make([]float64, max(2, len(a.cuts)+1)), make([]float64, max(2, len(a.cuts)+1))
	var n, k float64
	for _, i := range s.rows {
		c := a.code(s.d.X.X[a.column][i])
		rows[c]++
		churned[c] += s.d.Y[i]
		n++
		k += s.d.Y[i]
	}
	best := 0.
	var left, leftChurned float64
	for c := range rows[:len(rows)-1] {
		left += rows[c]
		leftChurned += churned[c]
		if left > 0 && left < n {
			best = max(best, leftChurned*leftChurned/left+(k-leftChurned)*(k-leftChurned)/(n-left))
		}
	}
	return best
}

// levelAxes are one axis for each level that some rows have and others have not; one is enough where there are two values in all.
func levelAxes(column int, values []float32, rows []int, levels int) []axis {
	seen := make([]bool, levels)
	missing := false
	for _, i := range rows {
		if v := values[i]; v == v {
			seen[int(v)] = true
		} else {
			missing = true
		}
	}
	var out []axis
	for level, there := range seen {
		if there {
			out = append(out, axis{column: column, level: level})
		}
	}
	switch {
	case len(out) == 1 && !missing:
		return nil
	case len(out) == 2 && !missing:
		return out[:1]
	}
	return out
}

// code is the value of the grid for a value of the matrix.
func (a *axis) code(v float32) int {
	if a.level >= 0 {
		if v == float32(a.level) {
			return 1
		}
		return 0
	}
	if v != v {
		v = a.fill
	}
	return binOf(a.cuts, v)
}

// binOf is the number of cuts ≤ v.
func binOf(cuts []float32, v float32) int {
	return sort.Search(len(cuts), func(k int) bool { return cuts[k] > v })
}

func presentSorted(values []float32, rows []int) []float32 {
	out := make([]float32, 0, len(rows))
	for _, i := range rows {
		if v := values[i]; v == v {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return out
}

// median is the lower of the middle two; NaN of nothing.
func median(sorted []float32) float32 {
	if len(sorted) == 0 {
		return float32(math.NaN())
	}
	return sorted[(len(sorted)-1)/2]
}

// cutsOf are the lower ends of all bins but the first: every distinct value if there are no more than bins, else bins of about equal numbers.
func cutsOf(sorted []float32, bins int) []float32 {
	distinct := slices.Compact(slices.Clone(sorted))
	if len(distinct) <= 1 {
		return nil
	}
	if len(distinct) <= bins {
		return distinct[1:]
	}
	var out []float32
	for k := 1; k < bins; k++ {
		if v := sorted[k*len(sorted)/bins]; v > sorted[0] && (len(out) == 0 || v > out[len(out)-1]) {
			out = append(out, v)
		}
	}
	return out
}

// grid writes the codes of the sample's rows, one float column for each axis behind the label, which is 0 or 1. Row k is s.rows[k].
func grid(s *sample, all []axis) (*base.DenseInstances, error) {
	g := base.NewDenseInstances()
	label := base.NewFloatAttribute("label")
	specs := []base.AttributeSpec{g.AddAttribute(label)}
	for k := range all {
		specs = append(specs, g.AddAttribute(base.NewFloatAttribute("x"+strconv.Itoa(k))))
	}
	if err := g.AddClassAttribute(label); err != nil {
		return nil, err
	}
	if err := g.Extend(len(s.rows)); err != nil {
		return nil, err
	}
	for row, i := range s.rows {
		g.Set(specs[0], row, base.PackFloatToBytes(s.d.Y[i]))
		for k := range all {
			g.Set(specs[k+1], row, base.PackFloatToBytes(float64(all[k].code(s.d.X.X[all[k].column][i]))))
		}
	}
	return g, nil
}
