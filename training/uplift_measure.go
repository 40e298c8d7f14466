package training

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

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

// upliftWords say what the intervals of a Qini are.
var upliftWords = drawWords + leftOutWords + "; those of the Qini are widened by what each fold of customers taught the models that order the others"

// curveWords say what the other intervals of a table are.
const curveWords = ", and so are those of the uplift of the first customers; those of the groups take the groups as they are"

// upliftShares are where the curve is told.
var upliftShares = []float64{.1, .2, .3, .4, .5, .6, .7, .8, .9, 1}

// measureUplift fills in what the learners reach.
func measureUplift(ctx context.Context, rows *uplift.Rows, o UpliftOptions, report *UpliftReport) error {
	learners := learnersHeldOut(uplift.Trainers)
	for repeat := range o.Repeats {
		seed := o.Flat.Seed + uint64(repeat)
		folds := upliftFolds(rows, o.Flat.Folds, seed)
		for _, l := range learners {
			l.begin(folds)
		}
		for k, s := range upliftSplits(o.Flat.Folds, repeat == 0) {
			o.Flat.Progress(fmt.Sprintf("seed %d, %s", seed, splitWords(s, o.Flat.Folds)))
			train, held := s.Rows(folds)
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
				if err := l.fit(ctx, s, part, rest, held, seed); err != nil {
					return upliftError(err)
				}
			}
		}
	}
	report.Learners, report.Effect = tellUplift(rows, learners, o.Flat.Seed)
	best := 0
	for k, l := range report.Learners {
		if l.Name != outcomeOrder && l.Qini > report.Learners[best].Qini {
			best = k
		}
	}
	report.Best = report.Learners[best].Name
	e, order := learners[best].seeds[0].Estimates, learners[best].order(0)
	for i, v := range e.Effect {
		own := UpliftEstimate{Effect: v, SE: e.SE[i], Control: e.Control[i], Rank: order[i]}
		if o.Flat.ID != "" {
			own.Customer = strings.TrimPrefix(rows.Customer[i], idPrefix)
		}
		report.Estimates = append(report.Estimates, own)
	}
	report.Intervals = upliftWords + curveWords
	report.Verdict = upliftVerdict(report.Effect, report.Learners[best], fmt.Sprintf("%s = %s", o.Flat.Target, o.Flat.Positive))
	return nil
}

// tellUplift measures the learners' estimates, and beside them the order of the first learner's outcome score.
func tellUplift(rows *uplift.Rows, learners []*heldOutUplift, seed uint64) ([]UpliftLearner, UpliftEffect) {
	trial := metrics.Trial{Y: rows.Y, Treated: rows.Treated, Propensity: rows.Propensity, Customer: rows.Customer}
	b := metrics.NewBootstrap(seed, rows.Customer)
	var out []UpliftLearner
	measure := func(l *heldOutUplift, name string, score func(*uplift.Estimates) []float64) UpliftLearner {
		f := l.measure(b, trial, score, upliftShares)
		row := UpliftLearner{Name: name, Qini: f.Qini, Interval: f.Interval, Verdict: orderVerdict(f), Groups: []UpliftGroup{}}
		for _, p := range f.Curve {
			row.Curve = append(row.Curve, UpliftPoint{UpliftPoint: p, Estimated: undefined})
		}
		return row
	}
	for _, l := range learners {
		row := measure(l, l.trainer.Name(), byEffect)
		row.FitSeconds = l.seconds / float64(len(l.seeds))
		estimateTops(l, row.Curve)
		row.Groups = groupsOf(trial, l.seeds[0].Estimates)
		out = append(out, row)
	}
	row := measure(learners[0], outcomeOrder, byOutcome)
	row.Verdict = "for comparison: " + row.Verdict
	all := make([]int, rows.Len())
	for i := range all {
		all[i] = i
	}
	return append(out, row), effectOf(trial, all)
}

// estimateTops fills in, at each share of a learner's curve, the mean estimate of the first customers of its orders.
func estimateTops(l *heldOutUplift, curve []UpliftPoint) {
	total, n := make([]float64, len(curve)), make([]int, len(curve))
	for s, h := range l.seeds {
		order := l.order(s)
		place := make([]int, len(order))
		for i := range place {
			place[i] = i
		}
		slices.SortStableFunc(place, func(a, b int) int { return cmp.Compare(order[b], order[a]) })
		for c := range curve {
			k := max(int(math.Round(float64(curve[c].Share)*float64(len(place)))), 1)
			for _, i := range place[:k] {
				total[c] += h.Estimates.Effect[i]
			}
			n[c] += k
		}
	}
	for c := range curve {
		curve[c].Estimated = metrics.Figure(total[c] / float64(n[c]))
	}
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
