package training

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"

	"retain/features"
	"retain/models"
	"retain/training/metrics"
)

// permutations is how often each column is dealt anew; the mean over them is per row, so few are needed.
const permutations = 3

// Worth is what one feature is worth to the model.
type Worth struct {
	Feature      string         `json:"feature"`
	Contribution metrics.Figure `json:"mean_abs_contribution"` // mean |contribution| to the margin over the explained rows, in log-odds
	Share        metrics.Figure `json:"share"`                 // of the sum of all features' mean contributions; null where no feature contributes
	// Trend is Spearman's rank correlation of the feature's value with its contribution: 1, more of it always speaks for leaving; -1, for
	// staying; near 0, it depends. Null for categories, and where either is constant.
	Trend        metrics.Figure   `json:"trend"`
	Missing      metrics.Figure   `json:"missing"`           // share of the explained rows without a value
	Rise         metrics.Figure   `json:"log_loss_rise"`     // by which the log loss of the permuted rows rises when the column is dealt anew among them, in nats; null: not permuted
	RiseInterval metrics.Interval `json:"log_loss_interval"` // 95 %, bootstrap by customer
}

// sitting is a family's fit at the newest test cutoff with the rows it was tested on.
type sitting struct {
	fitted *Fitted
	x      *features.Matrix // encoded
}

// weigh takes the mean absolute contribution of each feature of the model over the rows of x, the greatest first. Contributions are exact: with
// the base they add up to the margin. (Lundberg & Lee, NeurIPS 2017, §2, call the mean of their sizes the global importance.)
func weigh(model models.Explainer, x *features.Matrix) ([]Worth, error) {
	n, p := x.Rows(), x.Cols()
	contributions := make([]float64, n*p)
	if _, err := model.Contributions(contributions, x); err != nil {
		return nil, fmt.Errorf("contributions of %s: %w", model.Family(), err)
	}
	out := make([]Worth, p)
	total := 0.
	for j, c := range x.Schema {
		own := make([]float64, n)
		missing, size := 0., 0.
		for i := range own {
			own[i] = contributions[i*p+j]
			size += math.Abs(own[i])
			if v := x.X[j][i]; v != v {
				missing++
			}
		}
		out[j] = Worth{
			Feature: c.Name, Contribution: metrics.Figure(size / float64(n)), Missing: metrics.Figure(missing / float64(n)), Trend: undefined,
			Rise: undefined, RiseInterval: metrics.Interval{undefined, undefined},
		}
		if c.Kind == features.Numeric {
			out[j].Trend = metrics.Figure(rankCorrelation(x.X[j], own))
		}
		total += size / float64(n)
	}
	for j := range out {
		out[j].Share = out[j].Contribution / metrics.Figure(total) // 0/0 = NaN: a constant contributes nothing
	}
	slices.SortStableFunc(out, func(a, b Worth) int { return cmp.Compare(b.Contribution, a.Contribution) })
	return out, nil
}

// rankCorrelation is Spearman's, over the rows that have a value; NaN where either is constant or fewer than two are left.
func rankCorrelation(value []float32, of []float64) float64 {
	var x, y []float64
	for i, v := range value {
		if v == v {
			x, y = append(x, float64(v)), append(y, of[i])
		}
	}
	return correlation(middleRanks(x), middleRanks(y))
}

// middleRanks are the ranks from 0; equal values share the middle of theirs.
func middleRanks(x []float64) []float64 {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(x[a], x[b]), cmp.Compare(a, b)) })
	ranks := make([]float64, len(x))
	for lo := 0; lo < len(order); {
		hi := lo + 1
		for hi < len(order) && x[order[hi]] == x[order[lo]] {
			hi++
		}
		for _, i := range order[lo:hi] {
			ranks[i] = float64(lo+hi-1) / 2
		}
		lo = hi
	}
	return ranks
}

// correlation is Pearson's; NaN where either is constant.
func correlation(x, y []float64) float64 {
	n := float64(len(x))
	mx, my := metrics.Sum(x)/n, metrics.Sum(y)/n
	var xx, yy, xy float64
	for i := range x {
		dx, dy := x[i]-mx, y[i]-my
		xx += dx * dx
		yy += dy * dy
		xy += dx * dy
	}
	if !(xx > 0 && yy > 0) {
		return math.NaN()
	}
	return xy / math.Sqrt(xx*yy)
}

// permute asks what each feature is worth on rows that the model has not seen: those of the newest test cutoff, under the family's fit there. Where
// no cutoff was late enough for a test it asks s on the rows learned from, x of d.
func (a *arena) permute(ctx context.Context, s *specimen, x *features.Matrix, d *features.Dataset, c *contender, out *Anatomy) error {
	y, customer := d.Y, d.Customer
	if c != nil && c.newest != nil && len(c.Held) > 0 {
		held := c.Held[len(c.Held)-1]
		if explainer, ok := c.newest.fitted.Model.(models.Explainer); ok {
			rows := sampleRows(held.Customer, permutedRows, a.seed)
			s = &specimen{model: explainer, calibration: c.newest.fitted.Calibration}
			sample := (&features.Dataset{X: c.newest.x, Y: held.Y, Customer: held.Customer}).Take(rows)
			x, y, customer = sample.X, sample.Y, sample.Customer
			at := held.Cutoff.UTC()
			out.PermutedAt = &at
		}
	}
	out.Permuted = x.Rows()
	rises, intervals, err := permutationRises(ctx, s, x, y, metrics.NewBootstrap(a.seed, customer))
	if err != nil {
		return err
	}
	for k := range out.Features {
		w := &out.Features[k]
		if j := slices.IndexFunc(x.Schema, func(c features.Column) bool { return c.Name == w.Feature }); j >= 0 {
			w.Rise, w.RiseInterval = metrics.Figure(rises[j]), intervals[j]
		}
	}
	return nil
}

// permutationRises is by how much the mean log loss of the rows rises when a column is dealt anew among them, with its 95 % interval by customer.
// A column that moves no margin has exactly 0. A column whose content others share looks less worth than it is, since the model finds it there.
// (Breiman, Machine Learning 2001, §10; Fisher, Rudin & Dominici, JMLR 2019.)
func permutationRises(ctx context.Context, s *specimen, x *features.Matrix, y []float64, b *metrics.Bootstrap) (rises []float64, intervals []metrics.Interval, err error) {
	before, err := s.probabilities(x)
	if err != nil {
		return nil, nil, err
	}
	losses := metrics.RowLosses(before, y)
	rises = make([]float64, x.Cols())
	rows := make([][]float64, x.Cols())
	err = spread(ctx, x.Cols(), func(j int) error {
		rng := rand.New(rand.NewPCG(b.Seed, nameHash(x.Schema[j].Name)))
		column, rise := slices.Clone(x.X[j]), make([]float64, x.Rows())
		for range permutations {
			rng.Shuffle(len(column), func(a, b int) { column[a], column[b] = column[b], column[a] })
			p, err := s.probabilities(replaced(x, j, column))
			if err != nil {
				return err
			}
			if slices.Equal(p, before) {
				break // no row moves: the model does not read it
			}
			for i, l := range metrics.RowLosses(p, y) {
				rise[i] += (l - losses[i]) / permutations
			}
		}
		rises[j] = metrics.Sum(rise) / float64(len(rise))
		rows[j] = rise
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return rises, b.Means(rows...), nil
}

func nameHash(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // a hash never fails
	return h.Sum64()
}
