package training

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"retain/features"
	"retain/internal/spoken"
	"retain/internal/warehouse"
	"retain/models/actions"
)

// DecisionLog keeps the decisions of scoring runs. *warehouse.Warehouse is one.
type DecisionLog interface {
	// DecisionRuns are the runs whose decisions are kept, one for each cutoff, oldest first.
	DecisionRuns(ctx context.Context) ([]warehouse.DecisionRun, error)
	// Decisions streams the decisions of a run in the order of customer_id.
	Decisions(ctx context.Context, run warehouse.DecisionRun) iter.Seq2[warehouse.DecisionRow, error]
	// TakenOtherwise are the customers of a run, sorted, of whose decision an outcome names another action than the chosen one. Outcomes that were told at
	// knownBefore or later are not looked at; zero: all are.
	TakenOtherwise(ctx context.Context, run warehouse.DecisionRun, knownBefore time.Time) ([]string, error)
	// Treatments are what the runs of a group had for each customer, in the order of customer_id.
	Treatments(ctx context.Context, g warehouse.TreatmentGroup) ([]warehouse.Treatment, error)
	// RunsTold are the runs, sorted, of whose decisions any outcome was told.
	RunsTold(ctx context.Context) ([]string, error)
}

// The runs that are looked at lie so many days apart, and are at most so many, the newest ones: who could get an action counts once per horizon, so that more of
// them add few rows, and each wants the features of its cutoff. The first run of a quarter is always one: there nobody's draw is settled by earlier ones, while
// of those who are decided about every night most have got what they were likely to get within days.
const (
	upliftRunDays = 7
	upliftRuns    = 60
)

// upliftRowsMost bounds the rows of an action; beyond, customers are drawn by keyed hash.
const upliftRowsMost = 200_000

// upliftLate is how many days after its cutoff a run may decide and still be acted on, told or not.
const upliftLate = 7

// upliftLesson is one decision that teaches the effect of an action: the action or nothing was drawn, and either might have been. What became of the draw does
// not matter: whether the action reached the customer, or another one was taken, may hang together with who stays, and the draw does not.
type upliftLesson struct {
	row       int     // of lessonBook.customer
	e         float64 // P(action) / (P(action) + P(nothing)), given what was decided before
	treated   bool
	otherwise bool // an outcome names another action than the drawn one
	held      bool // in the control group
}

// loggedRuns are the runs that the log holds.
type loggedRuns struct {
	all     []warehouse.DecisionRun // oldest first
	looked  []warehouse.DecisionRun // of them: matured, and far enough from each other
	skipped int                     // matured runs that lie too close to others, or too far back
	idle    int                     // matured runs that decided too late to be acted on, and nothing was told of them
}

// lessonBook is what the logged decisions can teach.
type lessonBook struct {
	runs      []warehouse.DecisionRun // looked at, oldest first
	decisions int                     // read
	otherwise int                     // of them, those after which another action was taken: they count as what was drawn

	customer []string  // of each row; the rows of a run stand together, in the order of customer_id
	run      []int     // of each row, in runs
	held     []bool    // of each row: in the control group
	stays    []float64 // of each row: probability of staying, as it was scored at the decision; NaN = not known
	lessons  map[string][]upliftLesson
	certain  map[string]int // per action: decisions that had it, or nothing, with certainty
	reached  int            // rows of the control group to whom a contact without a decision brought an action that it does not get
}

// readRuns finds the runs whose labels are known, and thins them. Errors: *DataError if there is none, with what is waited for.
func readRuns(ctx context.Context, log DecisionLog, churn features.ChurnSpec, watermark, until time.Time) (r loggedRuns, err error) {
	if r.all, err = log.DecisionRuns(ctx); err != nil {
		return r, err
	}
	if len(r.all) == 0 {
		return r, lacking("no decision is logged yet, and so there is no uplift figure: `retain score` decides, and with actions.explore chance has its part in it")
	}
	told, err := log.RunsTold(ctx)
	if err != nil {
		return r, err
	}
	var mature []warehouse.DecisionRun
	opening := map[time.Time]time.Time{} // by quarter: its first run
	for _, run := range r.all {
		_, acted := slices.BinarySearch(told, run.RunID)
		switch {
		case !churn.Known(run.Cutoff, watermark) || !until.IsZero() && churn.Matures(run.Cutoff).After(until):
		case !acted && run.DecidedAt.After(run.Cutoff.AddDate(0, 0, upliftLate)):
			r.idle++
		default:
			mature = append(mature, run)
			if q := actions.Quarter(run.Cutoff); opening[q].IsZero() {
				opening[q] = run.Cutoff
			}
		}
	}
	near := func(a, b time.Time) bool { return a.AddDate(0, 0, upliftRunDays).After(b) }
	for _, run := range slices.Backward(mature) {
		switch first := opening[actions.Quarter(run.Cutoff)]; {
		case len(r.looked) == upliftRuns,
			!run.Cutoff.Equal(first) && (near(first, run.Cutoff) || len(r.looked) > 0 && near(run.Cutoff, r.looked[len(r.looked)-1].Cutoff)):
			r.skipped++
		default:
			r.looked = append(r.looked, run)
		}
	}
	switch first := r.all[0].Cutoff; {
	case len(r.looked) == 0 && r.idle > 0:
		return r, lacking("nobody can have acted on the decisions that have matured, and so there is no uplift figure: %s decided more than %d days after the cutoff, and no outcome was told of them", spoken.Counted(r.idle, "run"), upliftLate)
	case len(r.looked) == 0:
		return r, lacking("no decision has matured, and so there is no uplift figure: who stayed after those of %s is known once data are complete until %s; they are until %s",
			day(first), day(churn.Matures(first)), day(watermark))
	}
	slices.Reverse(r.looked)
	return r, nil
}

// readLessons reads the decisions of the runs that are looked at. A customer's first decision that could have brought an action or nothing counts, whatever was
// drawn, and then the next one after its label window. It counts as what was drawn, whatever was done (intention to treat).
func readLessons(ctx context.Context, o Options, u UpliftTraining, runs loggedRuns) (*lessonBook, error) {
	b := &lessonBook{runs: runs.looked, lessons: map[string][]upliftLesson{}, certain: map[string]int{}}
	free := map[string]map[string]time.Time{} // action → customer → from when on the next decision counts
	control := controlGroup{log: u.Log, runs: runs.all}
	for k, run := range b.runs {
		otherwise, err := u.Log.TakenOtherwise(ctx, run, o.Until)
		if err != nil {
			return nil, err
		}
		if err := control.reach(ctx, run); err != nil {
			return nil, fmt.Errorf("decisions before run %s: %w", run.RunID, err)
		}
		for d, err := range u.Log.Decisions(ctx, run) {
			if err != nil {
				return nil, err
			}
			b.decisions++
			_, other := slices.BinarySearch(otherwise, d.CustomerID)
			if other {
				b.otherwise++
			}
			control.given(&d, run.Holdout)
			b.read(decided{DecisionRow: d, run: k, otherwise: other, cutoff: run.Cutoff, until: o.Churn.Matures(run.Cutoff)}, u.Actions, free)
		}
	}
	return b, nil
}

// decided is a decision with what is known of it.
type decided struct {
	warehouse.DecisionRow
	run       int // of lessonBook.runs
	otherwise bool
	cutoff    time.Time
	until     time.Time // the end of its label window
}

// read takes what one decision teaches.
func (b *lessonBook) read(d decided, only []string, free map[string]map[string]time.Time) {
	at := slices.Index(d.Actions, actions.DoNothing)
	if at < 0 {
		return
	}
	nothing := d.Propensities[at]
	row := -1
	take := func(action string, p float64) {
		if action == actions.DoNothing || len(only) > 0 && !slices.Contains(only, action) {
			return
		}
		if !(p > 0 && nothing > 0) {
			b.certain[action]++
			return
		}
		if free[action] == nil {
			free[action] = map[string]time.Time{}
		}
		if from, ok := free[action][d.CustomerID]; ok && d.cutoff.Before(from) {
			return
		}
		free[action][d.CustomerID] = d.until
		if d.Chosen != action && d.Chosen != actions.DoNothing {
			return
		}
		if row < 0 {
			row = len(b.customer)
			b.customer, b.run, b.held = append(b.customer, d.CustomerID), append(b.run, d.run), append(b.held, d.Holdout)
			stays := math.NaN()
			if d.Risk > 0 && d.Risk < 1 {
				stays = 1 - d.Risk
			}
			b.stays = append(b.stays, stays)
		}
		b.lessons[action] = append(b.lessons[action], upliftLesson{row: row, e: p / (p + nothing), treated: d.Chosen == action, otherwise: d.otherwise, held: d.Holdout})
	}
	for i, action := range d.Actions {
		take(action, d.Propensities[i])
	}
	for i, action := range d.Withheld { // held out: nothing was chosen, and with this probability the action would have been
		take(action, d.WithheldPropensities[i])
	}
}

// look finds the features of each row at its run's cutoff and whether the customer stayed (Y = 1), and gives the book of the rows of which both are known.
// Labels are read from rows with ingested_at < until; zero: all.
func (b *lessonBook) look(ctx context.Context, p panel, churn features.ChurnSpec, until time.Time) (*lessonBook, *features.Dataset, error) {
	var parts []*features.Dataset
	kept := make([]int, len(b.customer)) // row → row of the data set; -1 = none
	var stays []float64
	total := 0
	for lo := 0; lo < len(b.customer); {
		hi := lo
		for hi < len(b.customer) && b.run[hi] == b.run[lo] {
			hi++
		}
		run := b.runs[b.run[lo]]
		cutoff := run.Cutoff
		s, err := p.Snapshot(ctx, cutoff)
		if err != nil {
			return nil, nil, fmt.Errorf("snapshot at %s: %w", day(cutoff), err)
		}
		labels, err := p.Labels(ctx, cutoff, until)
		if err != nil {
			return nil, nil, fmt.Errorf("labels at %s: %w", day(cutoff), err)
		}
		contacts, err := contactsSince(ctx, p, churn, run, until)
		if err != nil {
			return nil, nil, err
		}
		var rows []int
		for i := lo; i < hi; i++ {
			kept[i] = -1
			if k, ok := slices.BinarySearch(s.Customer, b.customer[i]); ok && labels[k] == labels[k] {
				if b.held[i] && contacts[b.customer[i]].undecided {
					b.reached++
				}
				kept[i] = total
				rows = append(rows, k)
				stays = append(stays, b.stays[i])
				total++
			}
		}
		whole := &features.Dataset{X: s.X, Y: labels, Customer: s.Customer, Cutoff: slices.Repeat([]time.Time{cutoff}, len(labels))}
		parts = append(parts, whole.Take(rows))
		lo = hi
	}
	d, err := join(parts)
	if err != nil {
		return nil, nil, err
	}
	out := &lessonBook{runs: b.runs, decisions: b.decisions, otherwise: b.otherwise, stays: stays, lessons: map[string][]upliftLesson{}, certain: b.certain, reached: b.reached}
	for action, lessons := range b.lessons {
		for _, l := range lessons {
			if l.row = kept[l.row]; l.row >= 0 {
				out.lessons[action] = append(out.lessons[action], l)
			}
		}
	}
	for i := range d.Y {
		d.Y[i] = 1 - d.Y[i]
	}
	return out, d, nil
}
