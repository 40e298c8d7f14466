package training

import (
	"cmp"
	"context"
	"slices"

	"gonum.org/v1/gonum/stat"

	"retain/features"
	"retain/training/metrics"
)

const (
	dependentFeatures = 10 // whose dependence is told
	gridPoints        = 20 // values of a number at most
	gridLevels        = 12 // levels of a category at most, the most frequent
	gridTail          = .02
)

// Dependence is how the probability moves with one feature, all else as it is: the mean over the rows of the calibrated probability with the
// feature set to a value (Friedman, Annals of Statistics 2001, §8.2), and how the rows spread about it (Goldstein et al., JCGS 2015). It tells what the
// model does; where features move together in life it also asks about customers that there are none of.
type Dependence struct {
	Feature string            `json:"feature"`
	Points  []DependencePoint `json:"points"`  // numbers: rising values between the 2 % and the 98 % quantile; categories: the most frequent first
	Missing *DependencePoint  `json:"missing"` // with no value; null where no row lacks it
	Deciles []metrics.Figure  `json:"deciles"` // of a number among the rows, 0, 10, …, 100 %: where customers are; empty for categories
}

// DependencePoint is one value of a feature.
type DependencePoint struct {
	Value       metrics.Figure `json:"value"`           // null for a category, and without a value
	Level       string         `json:"level,omitempty"` // of a category
	Share       metrics.Figure `json:"share"`           // of the rows that have just this level, or no value; null for numbers
	Probability metrics.Figure `json:"probability"`     // mean over the rows
	Low         metrics.Figure `json:"low"`             // 10 % quantile over the rows
	High        metrics.Figure `json:"high"`            // 90 % quantile
}

// topFeatures are the names of the first features that contribute at all, at most so many.
func topFeatures(worths []Worth, most int) []string {
	var names []string
	for _, w := range worths {
		if w.Contribution > 0 && len(names) < most {
			names = append(names, w.Feature)
		}
	}
	return names
}

// depend moves the named features of the rows of x along their values among the rows of all, which x is some of.
func depend(ctx context.Context, s *specimen, x, all *features.Matrix, names []string) ([]Dependence, error) {
	out := make([]Dependence, len(names))
	type step struct {
		column int
		value  float32
		point  *DependencePoint
	}
	var steps []step
	for k, name := range names {
		j := slices.IndexFunc(x.Schema, func(c features.Column) bool { return c.Name == name })
		out[k] = dependenceGrid(x.Schema[j], all.X[j])
		for at := range out[k].Points {
			p := &out[k].Points[at]
			value := float32(p.Value)
			if x.Schema[j].Kind == features.Categorical {
				value = float32(slices.Index(x.Schema[j].Levels, p.Level))
			}
			steps = append(steps, step{j, value, p})
		}
		if out[k].Missing != nil {
			steps = append(steps, step{j, float32(undefined), out[k].Missing})
		}
	}
	err := spread(ctx, len(steps), func(k int) error {
		p, err := s.probabilities(replaced(x, steps[k].column, slices.Repeat([]float32{steps[k].value}, x.Rows())))
		if err != nil {
			return err
		}
		mean := metrics.Sum(p) / float64(len(p))
		slices.Sort(p)
		to := steps[k].point
		to.Probability, to.Low, to.High = metrics.Figure(mean), metrics.Figure(stat.Quantile(.1, stat.Empirical, p, nil)), metrics.Figure(stat.Quantile(.9, stat.Empirical, p, nil))
		return nil
	})
	return out, err
}

// dependenceGrid are the values to move along: of a number all if there are few, else quantiles; of a category the frequent levels.
func dependenceGrid(c features.Column, column []float32) Dependence {
	out := Dependence{Feature: c.Name, Points: []DependencePoint{}, Deciles: []metrics.Figure{}}
	var values []float64
	for _, v := range column {
		if v == v {
			values = append(values, float64(v))
		}
	}
	n := float64(len(column))
	if lacking := len(column) - len(values); lacking > 0 {
		out.Missing = &DependencePoint{Value: undefined, Share: metrics.Figure(float64(lacking) / n)}
	}
	if c.Kind == features.Categorical {
		rows := make([]int, len(c.Levels))
		for _, v := range values {
			rows[int(v)]++
		}
		order := make([]int, 0, len(rows))
		for level, count := range rows {
			if count > 0 {
				order = append(order, level)
			}
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rows[b], rows[a]) })
		for _, level := range order[:min(gridLevels, len(order))] {
			out.Points = append(out.Points, DependencePoint{Value: undefined, Level: c.Levels[level], Share: metrics.Figure(float64(rows[level]) / n)})
		}
		return out
	}
	slices.Sort(values)
	grid := slices.Compact(slices.Clone(values))
	if len(grid) > gridPoints {
		grid = grid[:0]
		for k := range gridPoints {
			at := gridTail + (1-2*gridTail)*float64(k)/(gridPoints-1)
			grid = append(grid, float64(float32(stat.Quantile(at, stat.Empirical, values, nil))))
		}
		grid = slices.Compact(grid)
	}
	for _, v := range grid {
		out.Points = append(out.Points, DependencePoint{Value: metrics.Figure(v), Share: undefined})
	}
	if len(values) > 0 {
		for k := range 11 {
			out.Deciles = append(out.Deciles, metrics.Figure(stat.Quantile(float64(k)/10, stat.Empirical, values, nil)))
		}
	}
	return out
}
