package golearn

import (
	"fmt"
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
func axes(s *sample, bins int) ([]axis, error) {
	var out []axis
	for j, c := range s.d.X.Schema {
		values := s.d.X.X[j]
		if c.Kind == features.Categorical {
			for level := range c.Levels {
				a := axis{column: j, level: level}
				if first := a.code(values[s.rows[0]]); slices.ContainsFunc(s.rows, func(i int) bool { return a.code(values[i]) != first }) {
					out = append(out, a)
				}
			}
			continue
		}
		present := presentSorted(values, s.rows)
		if cuts := cutsOf(present, bins); len(cuts) > 0 {
			out = append(out, axis{column: j, level: -1, cuts: cuts, fill: median(present)})
		}
	}
	if len(out) > mostColumns {
		return nil, fmt.Errorf("golearn: %d columns and levels, more than the %d that it can take", len(out), mostColumns)
	}
	return out, nil
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
