package training

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"retain/features"
	"retain/internal/spoken"
	"retain/models/uplift"
	"retain/training/metrics"
)

// UpliftEffect is the measured effect of an action on some rows.
type UpliftEffect struct {
	Treated  metrics.Figure   `json:"treated_rate"` // of the wanted outcome
	Control  metrics.Figure   `json:"control_rate"`
	Uplift   metrics.Figure   `json:"uplift"` // their difference
	Interval metrics.Interval `json:"interval"`
}

// UpliftPoint is what the customers of the highest estimates had of the action.
type UpliftPoint struct {
	metrics.UpliftPoint
	Estimated metrics.Figure `json:"estimated"` // mean estimate of the same customers
}

// UpliftGroup is one of the four groups of customers, by estimates out of fold, with what was measured of it.
type UpliftGroup struct {
	Name      string         `json:"name"` // persuadable, sure_thing, lost_cause, do_not_disturb
	Customers int            `json:"customers"`
	Estimated metrics.Figure `json:"estimated"` // mean estimate; null without customers
	UpliftEffect
}

// Names of the groups.
const (
	GroupPersuadable = "persuadable"
	GroupSureThing   = "sure_thing"
	GroupLostCause   = "lost_cause"
	GroupDisturbed   = "do_not_disturb"
)

// groupEffect is the estimate from which an action counts as changing a customer: one outcome in a hundred.
const groupEffect = .01

// groupOf tells the group of a customer: persuadable from an effect of .01 on, not to be disturbed from -.01 on; between them who has the outcome anyway
// more likely than not is a sure thing, and the others are lost causes.
func groupOf(effect, control float64) string {
	switch {
	case effect >= groupEffect:
		return GroupPersuadable
	case effect <= -groupEffect:
		return GroupDisturbed
	case control >= .5:
		return GroupSureThing
	}
	return GroupLostCause
}

// UpliftLearner is one learner's row of the table. Figures are out of fold.
type UpliftLearner struct {
	Name       string           `json:"name"`
	Qini       metrics.Figure   `json:"qini"` // per 1,000 customers: wanted outcomes by which the order beats a random one on average
	Interval   metrics.Interval `json:"interval"`
	Curve      []UpliftPoint    `json:"curve"`
	Groups     []UpliftGroup    `json:"groups"` // of the first fold seed; empty for the ranking by outcome
	FitSeconds float64          `json:"fit_seconds"`
	Verdict    string           `json:"verdict"`
}

// outcomeOrder is the row of comparison: those first who are least likely to have the wanted outcome by themselves, as a score of churn would have it.
const outcomeOrder = "outcome_score"

// upliftWords say what the intervals are. With other rows the learners would have put the held-out ones in another order: where an action does nothing, that
// widens the Qini by up to √2, and the intervals of 20 worlds without effects held 0 in 15 to 19.
var upliftWords = drawWords + leftOutWords + "; the orders are taken as they are, so that intervals of the Qini are somewhat narrow where an action does nothing"

// upliftShares are where the curve is told.
var upliftShares = []float64{.1, .2, .3, .4, .5, .6, .7, .8, .9, 1}

// measureUplift fills in what the learners reach.
func measureUplift(ctx context.Context, rows *uplift.Rows, o UpliftOptions, report *UpliftReport) error {
	learners := make([]*heldOutUplift, len(uplift.Trainers))
	for k, t := range uplift.Trainers {
		learners[k] = &heldOutUplift{trainer: t}
	}
	var outcome [][]float64 // per fold seed: the order by the first learner's outcome score
	for repeat := range o.Repeats {
		seed := o.Flat.Seed + uint64(repeat)
		folds := upliftFolds(rows, o.Flat.Folds, seed)
		for _, l := range learners {
			l.estimates = append(l.estimates, newEstimates(rows.Len()))
		}
		for k := range o.Flat.Folds {
			o.Flat.Progress(fmt.Sprintf("seed %d, fold %d of %d", seed, k+1, o.Flat.Folds))
			train, held := splitRows(folds, k)
			part := rows.Take(train)
			encoding, dropped := features.FitEncoding(part.X)
			if repeat == 0 && k == 0 {
				report.Dropped = listed(dropped)
				report.Features = rows.X.Cols()
			}
			var err error
			if part.X, err = encoding.Apply(part.X); err != nil {
				return fmt.Errorf("encode: %w", err)
			}
			rest := rows.Take(held)
			if rest.X, err = encoding.Apply(rest.X); err != nil {
				return fmt.Errorf("encode: %w", err)
			}
			for _, l := range learners {
				if err := l.fold(ctx, part, rest, held, seed); err != nil {
					return upliftError(err)
				}
			}
		}
		for _, l := range learners {
			l.orders = append(l.orders, metrics.WithinFolds(l.estimates[repeat].Effect, folds))
		}
		least := make([]float64, rows.Len())
		for i, p := range learners[0].estimates[repeat].Control {
			least[i] = -p
		}
		outcome = append(outcome, metrics.WithinFolds(least, folds))
	}
	report.Learners, report.Effect = tellUplift(rows, learners, outcome, o.Flat.Seed)
	best := 0
	for k, l := range report.Learners {
		if l.Name != outcomeOrder && l.Qini > report.Learners[best].Qini {
			best = k
		}
	}
	report.Best = report.Learners[best].Name
	e := learners[best].estimates[0]
	for i, v := range e.Effect {
		own := UpliftEstimate{Effect: v, SE: e.SE[i], Control: e.Control[i], Rank: learners[best].orders[0][i]}
		if o.Flat.ID != "" {
			own.Customer = strings.TrimPrefix(rows.Customer[i], idPrefix)
		}
		report.Estimates = append(report.Estimates, own)
	}
	report.Intervals = upliftWords
	report.Verdict = upliftVerdict(report.Effect, report.Learners[best], fmt.Sprintf("%s = %s", o.Flat.Target, o.Flat.Positive))
	return nil
}

// upliftStream names the randomness of uplift learners: "uplift".
const upliftStream = 0x75706c696674

// heldOutUplift are a learner's estimates, each by a model that has not seen the customer.
type heldOutUplift struct {
	trainer   uplift.Trainer
	estimates []*uplift.Estimates // per fold seed
	orders    [][]float64         // per fold seed: WithinFolds of the effects
	seconds   float64
}

func newEstimates(n int) *uplift.Estimates {
	return &uplift.Estimates{Effect: make([]float64, n), SE: make([]float64, n), Control: make([]float64, n)}
}

// fold fits the learner on the training rows and estimates the rest, whose places are held.
func (l *heldOutUplift) fold(ctx context.Context, train, rest *uplift.Rows, held []int, seed uint64) error {
	begin := time.Now()
	m, err := l.trainer.Fit(ctx, train, rand.New(rand.NewPCG(seed, upliftStream)))
	if err != nil {
		return err
	}
	e, err := m.Estimate(rest.X, rest.Baseline)
	if err != nil {
		return err
	}
	out := l.estimates[len(l.estimates)-1]
	for k, i := range held {
		out.Effect[i], out.SE[i], out.Control[i] = e.Effect[k], e.SE[k], e.Control[k]
	}
	l.seconds += time.Since(begin).Seconds()
	return nil
}

// tellUplift measures the learners' estimates, and beside them the order of the first learner's outcome score.
func tellUplift(rows *uplift.Rows, learners []*heldOutUplift, outcome [][]float64, seed uint64) ([]UpliftLearner, UpliftEffect) {
	trial := metrics.Trial{Y: rows.Y, Treated: rows.Treated, Propensity: rows.Propensity, Customer: rows.Customer}
	b := metrics.NewBootstrap(seed, rows.Customer)
	var out []UpliftLearner
	measure := func(name string, scores [][]float64, seconds float64) UpliftLearner {
		var orders []*metrics.TrialRanking
		for _, s := range scores {
			orders = append(orders, trial.Rank(s))
		}
		f := b.Qini(orders, upliftShares)
		l := UpliftLearner{Name: name, Qini: f.Qini, Interval: f.Interval, FitSeconds: seconds, Verdict: orderVerdict(f), Groups: []UpliftGroup{}}
		for _, p := range f.Curve {
			l.Curve = append(l.Curve, UpliftPoint{UpliftPoint: p, Estimated: undefined})
		}
		return l
	}
	for _, l := range learners {
		row := measure(l.trainer.Name(), l.orders, l.seconds/float64(len(l.estimates)))
		for k := range row.Curve {
			row.Curve[k].Estimated = meanOfTop(l, float64(row.Curve[k].Share))
		}
		row.Groups = groupsOf(trial, l.estimates[0])
		out = append(out, row)
	}
	row := measure(outcomeOrder, outcome, 0)
	row.Verdict = "for comparison: " + row.Verdict
	all := make([]int, rows.Len())
	for i := range all {
		all[i] = i
	}
	return append(out, row), effectOf(trial, all)
}

// meanOfTop is the mean estimate of the first customers of a learner's orders.
func meanOfTop(l *heldOutUplift, share float64) metrics.Figure {
	total, n := 0., 0
	for s, order := range l.orders {
		place := make([]int, len(order))
		for i := range place {
			place[i] = i
		}
		slices.SortStableFunc(place, func(a, b int) int { return cmp.Compare(order[b], order[a]) })
		k := max(int(math.Round(share*float64(len(place)))), 1)
		for _, i := range place[:k] {
			total += l.estimates[s].Effect[i]
		}
		n += k
	}
	return metrics.Figure(total / float64(n))
}

// groupsOf measures the four groups.
func groupsOf(trial metrics.Trial, e *uplift.Estimates) []UpliftGroup {
	members := map[string][]int{}
	for i, v := range e.Effect {
		g := groupOf(v, e.Control[i])
		members[g] = append(members[g], i)
	}
	var out []UpliftGroup
	for _, name := range []string{GroupPersuadable, GroupSureThing, GroupLostCause, GroupDisturbed} {
		own := members[name]
		g := UpliftGroup{Name: name, Customers: len(own), Estimated: undefined, UpliftEffect: effectOf(trial, own)}
		if len(own) > 0 {
			total := 0.
			for _, i := range own {
				total += e.Effect[i]
			}
			g.Estimated = metrics.Figure(total / float64(len(own)))
		}
		out = append(out, g)
	}
	return out
}

// effectOf is the measured effect on some rows: the difference of the arms' rates, weighted by the inverse of the propensity where that varies, with a normal
// interval that lets the rows of a customer hang together.
func effectOf(t metrics.Trial, rows []int) UpliftEffect {
	var weight, mean [2]float64
	arm := func(i int) (a int, w float64) {
		if t.Treated[i] {
			a = 1
		}
		if w = 1; t.Propensity != nil {
			if w = 1 / (1 - metrics.ClipPropensity(t.Propensity[i])); a == 1 {
				w = 1 / metrics.ClipPropensity(t.Propensity[i])
			}
		}
		return a, w
	}
	for _, i := range rows {
		a, w := arm(i)
		weight[a] += w
		mean[a] += w * t.Y[i]
	}
	out := UpliftEffect{Treated: undefined, Control: undefined, Uplift: undefined, Interval: metrics.Interval{undefined, undefined}}
	if weight[1] > 0 {
		out.Treated = metrics.Figure(mean[1] / weight[1])
	}
	if weight[0] > 0 {
		out.Control = metrics.Figure(mean[0] / weight[0])
	}
	out.Uplift = out.Treated - out.Control
	if !out.Uplift.Defined() {
		return out
	}
	own := make(map[string]float64)
	var order []string
	for _, i := range rows {
		a, w := arm(i)
		d := w * (t.Y[i] - mean[a]/weight[a]) / weight[a]
		if a == 0 {
			d = -d
		}
		if _, ok := own[t.Customer[i]]; !ok {
			order = append(order, t.Customer[i])
		}
		own[t.Customer[i]] += d
	}
	variance := 0.
	for _, c := range order {
		variance += own[c] * own[c]
	}
	se := metrics.Figure(math.Sqrt(variance))
	out.Interval = metrics.Interval{out.Uplift - 1.96*se, out.Uplift + 1.96*se}
	return out
}

// orderVerdict says what to think of an order.
func orderVerdict(f metrics.QiniFigures) string {
	switch {
	case !f.Qini.Defined():
		return "not measurable"
	case f.Interval[0] > 0:
		return "finds those whom the action changes"
	case f.Interval[1] < 0:
		return "worse than a random order"
	}
	return "not surely better than a random order"
}

// upliftVerdict says in words what the action does and whether it can be aimed.
func upliftVerdict(all UpliftEffect, best UpliftLearner, outcome string) []string {
	does := "the action does nothing that these rows can tell"
	switch {
	case all.Interval[0] > 0:
		does = "the action helps"
	case all.Interval[1] < 0:
		does = "the action harms"
	}
	lines := []string{fmt.Sprintf("%s: %s in %s of the treated and %s of those left alone, a difference of %s (95 %%: %s to %s)", does, outcome,
		percent(all.Treated), percent(all.Control), percent(all.Uplift), percent(all.Interval[0]), percent(all.Interval[1]))}
	if !(best.Interval[0] > 0) {
		return append(lines, "no learner's order is surely better than a random one: choose by cost and rules, not by uplift, until there are more rows")
	}
	top := best.Curve[1]
	lines = append(lines, fmt.Sprintf("%s is the best order: among the %s of customers it puts first the difference is %s (95 %%: %s to %s)", best.Name,
		percent(top.Share), percent(top.Uplift), percent(top.Interval[0]), percent(top.Interval[1])))
	for _, g := range best.Groups {
		if g.Name == GroupDisturbed && g.Customers > 0 && g.Interval[1] < 0 {
			lines = append(lines, fmt.Sprintf("leave %s alone: the action makes it worse for them, by %s", spoken.Counted(g.Customers, "customer"), percent(g.Uplift)))
		}
	}
	return lines
}

// percent writes a share for people.
func percent(f metrics.Figure) string { return fmt.Sprintf("%.3g %%", 100*float64(f)) }
