package training

import (
	"context"
	"fmt"
	"math"
	"slices"

	"retain/features"
	"retain/training/metrics"
)

// Separation is how well one column tells the label all by itself, as the leak linter measures it.
type Separation struct {
	Feature string
	AUC     float64 // max(AUC, 1-AUC) of its values, missing ones at the end that separates better; ½ = not at all
	Missing float64 // that of whether it is missing
}

// best is the better of the two.
func (s Separation) best() float64 { return max(s.AUC, s.Missing) }

// Leaks reports whether the better of the two is above .97, which stops a training.
func (s Separation) Leaks() bool { return s.best() > leakAUC }

// Suspicious reports whether the better of the two is more than .08 above the recency rule's AUC; with NaN, of no such rule, it is not.
func (s Separation) Suspicious(recency float64) bool { return s.best() > recency+leakMargin }

// Separations measures each column of a raw data set, in the order of the columns; seed draws the folds of categorical ones. With one class
// only it is an error.
func Separations(ctx context.Context, d *features.Dataset, seed uint64) ([]Separation, error) {
	if metrics.Rarer(d.Y) == 0 {
		return nil, fmt.Errorf("separations of %d rows: all have the same label", d.Rows())
	}
	return separations(ctx, d, CustomerFolds(d.Customer, innerFolds, seed))
}

// separations measures the columns, as many at once as there are threads.
func separations(ctx context.Context, d *features.Dataset, fold []int) ([]Separation, error) {
	out, cutoffs := make([]Separation, d.X.Cols()), rowsByCutoff(d)
	err := spread(ctx, len(out), func(j int) error {
		out[j].Feature = d.X.Schema[j].Name
		out[j].AUC, out[j].Missing = separation(d, cutoffs, fold, j)
		return nil
	})
	return out, err
}

// RecencyAUC is the AUC of the recency rule's column among the separations; false if there is none.
func RecencyAUC(s []Separation, d *features.Dataset, c features.ChurnSpec) (float64, bool) {
	name := rawRecencyColumn(d.X, c)
	k := slices.IndexFunc(s, func(s Separation) bool { return s.Feature == name })
	if k < 0 {
		return 0, false
	}
	return s[k].AUC, true
}

// separation is max(AUC, 1-AUC) of column j, its missing rows taken as the lowest or the highest value, whichever separates better, and of its
// missing indicator alone; ½ where there is nothing to tell apart. AUCs are means over the cutoffs, weighted by positives: an instant that
// nobody could know is told by its distance from the cutoff.
func separation(d *features.Dataset, cutoffs [][]int, fold []int, j int) (value, gap float64) {
	score := columnScores(d, fold, j)
	tallies := make([]tally, len(cutoffs))
	missing := 0.
	for k, rows := range cutoffs {
		tallies[k] = tallyOf(score, d.Y, rows)
		missing += tallies[k].gapPos + tallies[k].gapNeg
	}
	switch missing {
	case 0:
		return meanAUC(tallies, func(t tally) float64 { return t.won }), .5
	case float64(d.Rows()):
		return .5, .5
	}
	gap = meanAUC(tallies, func(t tally) float64 { return t.gapPos*t.neg + (t.gapPos*t.gapNeg+t.pos*t.neg)/2 })
	lowest := meanAUC(tallies, func(t tally) float64 { return t.won + t.pos*t.gapNeg + t.gapPos*t.gapNeg/2 })
	highest := meanAUC(tallies, func(t tally) float64 { return t.won + t.gapPos*t.neg + t.gapPos*t.gapNeg/2 })
	return max(lowest, highest), gap
}

// columnScores are the values of column j, of a categorical one the rates of its levels; NaN = missing.
func columnScores(d *features.Dataset, fold []int, j int) []float64 {
	if d.X.Schema[j].Kind == features.Categorical {
		return levelRates(d, fold, j)
	}
	out := make([]float64, d.Rows())
	for i, v := range d.X.X[j] {
		out[i] = float64(v)
	}
	return out
}

// tally counts the rows of one cutoff, and the pairs of a churner and a stayer with values of which the churner has the higher, ties counting ½.
type tally struct{ won, pos, neg, gapPos, gapNeg float64 }

func tallyOf(score, y []float64, rows []int) tally {
	var t tally
	var pos, neg []float64
	for _, i := range rows {
		switch missing := math.IsNaN(score[i]); {
		case y[i] > .5 && missing:
			t.gapPos++
		case missing:
			t.gapNeg++
		case y[i] > .5:
			pos = append(pos, score[i])
		default:
			neg = append(neg, score[i])
		}
	}
	slices.Sort(pos)
	slices.Sort(neg)
	below, upTo := 0, 0 // stayers below, and up to, the churner's value
	for _, v := range pos {
		for below < len(neg) && neg[below] < v {
			below++
		}
		upTo = max(upTo, below)
		for upTo < len(neg) && neg[upTo] == v {
			upTo++
		}
		t.won += float64(below+upTo) / 2
	}
	t.pos, t.neg = float64(len(pos)), float64(len(neg))
	return t
}

// meanAUC is the mean of the AUCs of the cutoffs or of their reverse, whichever is better, weighted by positives; cutoffs with one class do not
// count. won is the pairs in which the churner stands higher.
func meanAUC(tallies []tally, won func(tally) float64) float64 {
	var total, weight float64
	for _, t := range tallies {
		if pos, neg := t.pos+t.gapPos, t.neg+t.gapNeg; pos > 0 && neg > 0 {
			total += pos * (won(t) / (pos * neg))
			weight += pos
		}
	}
	return either(total / weight)
}

// either is the AUC of a score or of its reverse, whichever is better.
func either(auc float64) float64 {
	if math.IsNaN(auc) {
		return .5
	}
	return max(auc, 1-auc)
}

// rowsByCutoff are the rows of each cutoff, oldest first; all rows together if they have none.
func rowsByCutoff(d *features.Dataset) [][]int {
	if d.Cutoff == nil {
		all := make([]int, d.Rows())
		for i := range all {
			all[i] = i
		}
		return [][]int{all}
	}
	place := make(map[int64]int)
	for k, t := range distinctCutoffs(d.Cutoff) {
		place[t.UnixMilli()] = k
	}
	out := make([][]int, len(place))
	for i, t := range d.Cutoff {
		k := place[t.UnixMilli()]
		out[k] = append(out[k], i)
	}
	return out
}

// levelRates gives each row the rate of churn of its level in the other folds, shrunk towards the base rate; NaN = missing.
func levelRates(d *features.Dataset, fold []int, j int) []float64 {
	n := len(d.X.Schema[j].Levels)
	pos, all := make([]float64, n), make([]float64, n)
	inPos, inAll := make([]float64, n*innerFolds), make([]float64, n*innerFolds)
	for i, v := range d.X.X[j] {
		if v != v {
			continue
		}
		l := int(v)
		pos[l] += d.Y[i]
		all[l]++
		inPos[fold[i]*n+l] += d.Y[i]
		inAll[fold[i]*n+l]++
	}
	base := metrics.Sum(d.Y) / float64(len(d.Y))
	out := make([]float64, d.Rows())
	for i, v := range d.X.X[j] {
		if v != v {
			out[i] = math.NaN()
			continue
		}
		l := int(v)
		k := fold[i]*n + l
		out[i] = (pos[l] - inPos[k] + levelShrink*base) / (all[l] - inAll[k] + levelShrink)
	}
	return out
}
