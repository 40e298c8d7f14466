package training

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"retain/features"
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
}

// The runs that are looked at lie so many days apart, and are at most so many, the newest ones: who could get an action counts once per horizon, so that more of
// them add few rows, and each wants the features of its cutoff.
const (
	upliftRunDays = 7
	upliftRuns    = 60
)

// upliftRowsMost bounds the rows of an action; beyond, customers are drawn by keyed hash.
const upliftRowsMost = 200_000

// upliftLesson is one decision that teaches the effect of an action: the action or nothing was chosen, and either might have been.
type upliftLesson struct {
	row     int     // of lessonBook.customer
	e       float64 // P(action) / (P(action) + P(nothing))
	treated bool
}

// lessonBook is what the logged decisions can teach.
type lessonBook struct {
	runs      []warehouse.DecisionRun // looked at, oldest first
	skipped   int                     // matured runs that lie too close to others
	decisions int                     // read
	otherwise int                     // of them, those after which another action was taken: they teach nothing

	customer []string  // of each row; the rows of a run stand together, in the order of customer_id
	run      []int     // of each row, in runs
	stays    []float64 // of each row: probability of staying, as it was scored at the decision; NaN = not known
	lessons  map[string][]upliftLesson
	certain  map[string]int // per action: decisions that had it, or nothing, with certainty
}

// matureRuns are the runs whose labels are known, thinned. Errors: *DataError if there is none, with what is waited for.
func matureRuns(ctx context.Context, log DecisionLog, churn features.ChurnSpec, watermark, until time.Time) (runs []warehouse.DecisionRun, skipped int, err error) {
	all, err := log.DecisionRuns(ctx)
	if err != nil {
		return nil, 0, err
	}
	if len(all) == 0 {
		return nil, 0, lacking("no decision is logged yet, and so there is no uplift figure: `retain score` decides, and with actions.explore chance has its part in it")
	}
	for k := len(all) - 1; k >= 0; k-- {
		r := all[k]
		switch {
		case !churn.Known(r.Cutoff, watermark) || !until.IsZero() && churn.Matures(r.Cutoff).After(until):
		case len(runs) == upliftRuns || len(runs) > 0 && r.Cutoff.AddDate(0, 0, upliftRunDays).After(runs[len(runs)-1].Cutoff):
			skipped++
		default:
			runs = append(runs, r)
		}
	}
	if len(runs) == 0 {
		return nil, 0, lacking("no decision has matured, and so there is no uplift figure: who stayed after those of %s is known once data are complete until %s; they are until %s",
			day(all[0].Cutoff), day(churn.Matures(all[0].Cutoff)), day(watermark))
	}
	slices.Reverse(runs)
	return runs, skipped, nil
}

// readLessons reads the decisions of the runs. A customer's first decision that could have brought an action or nothing counts, whatever was drawn, and then the
// next one after its label window. A decision after which another action was taken than it chose counts so too, and teaches nothing: it is a row neither of what
// was chosen nor of what was taken, which chance did not pick.
func readLessons(ctx context.Context, o Options, u UpliftTraining, runs []warehouse.DecisionRun) (*lessonBook, error) {
	b := &lessonBook{runs: runs, lessons: map[string][]upliftLesson{}, certain: map[string]int{}}
	free := map[string]map[string]time.Time{} // action → customer → from when on the next decision counts
	for k, run := range runs {
		otherwise, err := u.Log.TakenOtherwise(ctx, run, o.Until)
		if err != nil {
			return nil, err
		}
		for d, err := range u.Log.Decisions(ctx, run) {
			if err != nil {
				return nil, err
			}
			b.decisions++
			if _, other := slices.BinarySearch(otherwise, d.CustomerID); other {
				b.otherwise++
				d.Chosen = ""
			}
			b.read(k, run.Cutoff, o.Churn.Matures(run.Cutoff), d, u.Actions, free)
		}
	}
	return b, nil
}

// read takes what one decision teaches; Chosen is empty where another action was taken.
func (b *lessonBook) read(k int, cutoff, until time.Time, d warehouse.DecisionRow, only []string, free map[string]map[string]time.Time) {
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
		if from, ok := free[action][d.CustomerID]; ok && cutoff.Before(from) {
			return
		}
		free[action][d.CustomerID] = until
		if d.Chosen != action && d.Chosen != actions.DoNothing {
			return
		}
		if row < 0 {
			row = len(b.customer)
			b.customer, b.run = append(b.customer, d.CustomerID), append(b.run, k)
			stays := math.NaN()
			if d.Risk > 0 && d.Risk < 1 {
				stays = 1 - d.Risk
			}
			b.stays = append(b.stays, stays)
		}
		b.lessons[action] = append(b.lessons[action], upliftLesson{row: row, e: p / (p + nothing), treated: d.Chosen == action})
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
func (b *lessonBook) look(ctx context.Context, p panel, until time.Time) (*lessonBook, *features.Dataset, error) {
	var parts []*features.Dataset
	kept := make([]int, len(b.customer)) // row → row of the data set; -1 = none
	var stays []float64
	total := 0
	for lo := 0; lo < len(b.customer); {
		hi := lo
		for hi < len(b.customer) && b.run[hi] == b.run[lo] {
			hi++
		}
		cutoff := b.runs[b.run[lo]].Cutoff
		s, err := p.Snapshot(ctx, cutoff)
		if err != nil {
			return nil, nil, fmt.Errorf("snapshot at %s: %w", day(cutoff), err)
		}
		labels, err := p.Labels(ctx, cutoff, until)
		if err != nil {
			return nil, nil, fmt.Errorf("labels at %s: %w", day(cutoff), err)
		}
		var rows []int
		for i := lo; i < hi; i++ {
			kept[i] = -1
			if k, ok := slices.BinarySearch(s.Customer, b.customer[i]); ok && labels[k] == labels[k] {
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
	out := &lessonBook{runs: b.runs, skipped: b.skipped, decisions: b.decisions, otherwise: b.otherwise, stays: stays, lessons: map[string][]upliftLesson{}, certain: b.certain}
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
