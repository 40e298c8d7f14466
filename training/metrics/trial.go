package metrics

import (
	"cmp"
	"math"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"
)

// Trial is the rows of an experiment, or of decisions with logged propensities: each was treated or left alone by a chance that is known. All slices
// have n values.
type Trial struct {
	Y          []float64 // 1 = the outcome that is wanted, 0 = not
	Treated    []bool
	Propensity []float64 // probability to be treated, of being treated or left alone; nil: the same for all
	Customer   []string  // the bootstrap redraws customers
}

// LeastPropensity is how close to 0 and to 1 a propensity may come: beyond, it is clipped, so that no row weighs more than 50.
const LeastPropensity = .02

// ClipPropensity is e within [LeastPropensity, 1 - LeastPropensity].
func ClipPropensity(e float64) float64 { return min(max(e, LeastPropensity), 1-LeastPropensity) }

// trialRow is what a row adds to the four sums of a Qini curve.
type trialRow struct{ yt, nt, yc, nc float64 }

func (s *trialRow) scale(times float64) {
	s.yt, s.nt, s.yc, s.nc = s.yt*times, s.nt*times, s.yc*times, s.nc*times
}

func (s *trialRow) add(r *trialRow, times float64) {
	s.yt += times * r.yt
	s.nt += times * r.nt
	s.yc += times * r.yc
	s.nc += times * r.nc
}

// qini is Q = Y_t - Y_c N_t/N_c; without rows left alone nothing is taken off.
func (s *trialRow) qini() float64 {
	if s.nc == 0 {
		return s.yt
	}
	return s.yt - s.yc*s.nt/s.nc
}

// uplift is the difference of the two arms' rates; NaN where one is empty.
func (s *trialRow) uplift() float64 { return s.yt/s.nt - s.yc/s.nc }

// rows are the rows with weights ē/e of the treated and (1-ē)/(1-e) of the others, ē the mean of e: all 1 where e is the same for all.
func (t Trial) rows() []trialRow {
	mean := 0.
	for _, e := range t.Propensity {
		mean += ClipPropensity(e) / float64(len(t.Propensity))
	}
	out := make([]trialRow, len(t.Y))
	for i, y := range t.Y {
		w := 1.
		if t.Propensity != nil {
			e := ClipPropensity(t.Propensity[i])
			if w = mean / e; !t.Treated[i] {
				w = (1 - mean) / (1 - e)
			}
		}
		if t.Treated[i] {
			out[i] = trialRow{yt: w * y, nt: w}
		} else {
			out[i] = trialRow{yc: w * y, nc: w}
		}
	}
	return out
}

// TrialRanking is a trial in the order of a score, greatest first. It is immutable.
type TrialRanking struct {
	rows  []trialRow // by falling score
	place []int32    // of each in the trial
	ends  []int32    // where a group of equal scores ends in rows
}

// Rank orders the trial by a score per row, the greatest first: those for whom the action is thought to do most.
func (t Trial) Rank(score []float64) *TrialRanking { return rankRows(t.rows(), score) }

func rankRows(own []trialRow, score []float64) *TrialRanking {
	r := &TrialRanking{rows: make([]trialRow, len(own)), place: make([]int32, len(own))}
	for i := range r.place {
		r.place[i] = int32(i)
	}
	slices.SortStableFunc(r.place, func(a, b int32) int { return cmp.Compare(score[b], score[a]) })
	for k, i := range r.place {
		r.rows[k] = own[i]
		if k > 0 && score[i] != score[r.place[k-1]] {
			r.ends = append(r.ends, int32(k))
		}
	}
	r.ends = append(r.ends, int32(len(own)))
	return r
}

// Qini is the mean over j = 1 … n of Q(j) - (j/n) Q(n), times 1000/n: by how many wanted outcomes per thousand customers the order beats a random one
// on average. Q(j) = Y_t - Y_c N_t/N_c over the first j rows (Radcliffe 2007, Using control groups to target on predicted lift), sums weighted by the
// inverse of the propensity where that varies. The rows of equal scores come in as equal parts of their sums. NaN without rows or with one arm only.
func (r *TrialRanking) Qini() float64 {
	qini, _ := r.measure(once(len(r.rows)), nil, nil)
	return qini
}

// once is every one of n rows there one time.
func once(n int) []uint8 { return slices.Repeat([]uint8{1}, n) }

// measure is Qini with the row at each place of the order there so many times, and in uplifts the uplift of the first rows, those of a group of equal scores
// in equal parts, up to each share of all; NaN where one of the arms is empty.
func (r *TrialRanking) measure(times []uint8, shares, uplifts []float64) (qini float64, _ []float64) {
	all := 0.
	for _, c := range times {
		all += float64(c)
	}
	var sum trialRow
	n, area, next := 0., 0., 0
	reach := func(group *trialRow, count float64) { // before the group is added
		for next < len(shares) && shares[next]*all <= n+count {
			at := sum
			if count > 0 {
				at.add(group, (shares[next]*all-n)/count)
			}
			uplifts[next] = at.uplift()
			next++
		}
	}
	lo := int32(0)
	for _, hi := range r.ends {
		group, count := trialRow{}, 0.
		if hi == lo+1 {
			group, count = r.rows[lo], float64(times[lo])
			group.scale(count)
		} else {
			for k := lo; k < hi; k++ {
				group.add(&r.rows[k], float64(times[k]))
				count += float64(times[k])
			}
		}
		lo = hi
		if next < len(shares) && shares[next]*all <= n+count {
			reach(&group, count)
		}
		if count == 1 {
			sum.add(&group, 1)
			area += sum.qini()
		} else {
			for step := 1.; step <= count; step++ {
				at := sum
				at.add(&group, step/count)
				area += at.qini()
			}
			sum.add(&group, 1)
		}
		n += count
	}
	for ; next < len(shares); next++ { // rounding
		uplifts[next] = sum.uplift()
	}
	if n == 0 || sum.nt == 0 || sum.nc == 0 {
		return math.NaN(), uplifts
	}
	return (area/n - sum.qini()*(n+1)/(2*n)) * 1000 / n, uplifts
}

// UpliftPoint is the measured uplift of the customers of the highest scores.
type UpliftPoint struct {
	Share    Figure   `json:"share"`    // of the customers, in (0, 1]
	Uplift   Figure   `json:"uplift"`   // rate of the treated less that of those left alone
	Interval Interval `json:"interval"` // of it
}

// QiniFigures tell how well an order finds those for whom the action does most.
type QiniFigures struct {
	Qini     Figure        `json:"qini"`     // per 1,000 customers; 0 = no better than a random order
	Interval Interval      `json:"interval"` // of it
	Curve    []UpliftPoint `json:"curve"`
}

// Qini measures several orders of the same trial together: the figures are means over them, and the intervals those of the means, by a bootstrap that
// redraws customers alike for all. shares ascend in (0, 1]. The orders are taken as they are: for those that were learned from the same trial, CrossFitted.
func (b *Bootstrap) Qini(orders []*TrialRanking, shares []float64) QiniFigures {
	out, _ := b.measured(orders, shares)
	return out
}

// measured is Qini, with the draws of the Qini and of the uplift at each share in which they are defined, in rising order.
func (b *Bootstrap) measured(orders []*TrialRanking, shares []float64) (QiniFigures, [][]Figure) {
	m := float64(len(orders))
	// w is by bag; nil = every row once.
	measure := func(w []uint8, times []uint8, uplifts, out []float64) {
		for _, r := range orders {
			for k, row := range r.place {
				if times[k] = 1; w != nil {
					times[k] = w[b.bag[row]]
				}
			}
			qini, uplifts := r.measure(times, shares, uplifts)
			out[0] += qini / m
			for k, u := range uplifts {
				out[1+k] += u / m
			}
		}
	}
	point := make([]float64, 1+len(shares))
	measure(nil, make([]uint8, len(b.bag)), make([]float64, len(shares)), point)
	draws := make([][]float64, Draws)
	workers := runtime.GOMAXPROCS(0)
	var group errgroup.Group
	for worker := range workers {
		group.Go(func() error {
			w, times, uplifts := make([]uint8, b.Bags()), make([]uint8, len(b.bag)), make([]float64, len(shares))
			for k := worker; k < Draws; k += workers {
				b.Draw(k, w)
				draws[k] = make([]float64, len(point))
				measure(w, times, uplifts, draws[k])
			}
			return nil
		})
	}
	_ = group.Wait() // the workers return no error
	sorted := make([][]Figure, len(point))
	interval := func(f int) Interval {
		for _, d := range draws {
			if !math.IsNaN(d[f]) {
				sorted[f] = append(sorted[f], Figure(d[f]))
			}
		}
		slices.Sort(sorted[f])
		return Interval{Figure(quantile(sorted[f], .025)), Figure(quantile(sorted[f], .975))}
	}
	out := QiniFigures{Qini: Figure(point[0]), Interval: interval(0)}
	for k, s := range shares {
		out.Curve = append(out.Curve, UpliftPoint{Share: Figure(s), Uplift: Figure(point[1+k]), Interval: interval(1 + k)})
	}
	return out, sorted
}

// WithinFolds are mid-ranks of the scores within each fold, in (0, 1): the order in which each fold's model puts the customers that it has not seen. Scores of
// different folds must not be compared as they are: a model's mean effect is high where that of the fold held out is low, so that what is left of an order that
// tells nothing is an order of folds, the wrong way round.
func WithinFolds(score []float64, fold []int) []float64 {
	members := map[int][]int{}
	for i, f := range fold {
		members[f] = append(members[f], i)
	}
	out := make([]float64, len(score))
	for _, own := range members { // each fold by itself: the order of the map changes nothing
		slices.SortStableFunc(own, func(a, b int) int { return cmp.Compare(score[a], score[b]) })
		for lo := 0; lo < len(own); {
			hi := lo
			for hi < len(own) && score[own[hi]] == score[own[lo]] {
				hi++
			}
			for _, i := range own[lo:hi] {
				out[i] = float64(lo+hi) / 2 / float64(len(own))
			}
			lo = hi
		}
	}
	return out
}
