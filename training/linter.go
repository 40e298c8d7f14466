package training

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"retain/features"
	"retain/training/metrics"
)

const (
	leakAUC     = .97 // a column that separates the classes better than this knows the outcome
	leakMargin  = .08 // above the recency rule: worth a look
	levelShrink = 10  // rows of the base rate added to a level's rate, so that a rare level says little
)

// Leak is a column that tells the label suspiciously well all by itself.
type Leak struct {
	Feature string         `json:"feature"`
	AUC     metrics.Figure `json:"auc"`     // max(AUC, 1-AUC) of the column alone
	Missing bool           `json:"missing"` // the AUC is that of the column's missing indicator
	Certain bool           `json:"certain"` // above .97, and not on so few rows that chance does it; else above the recency rule's AUC + .08
	Reason  string         `json:"reason,omitempty"`
	Mend    string         `json:"mend,omitempty"` // what to do about one that is certain, where that is known more closely
}

// String tells the leak and what to do about it.
func (l Leak) String() string {
	what := l.Feature
	if l.Missing {
		what = "whether " + l.Feature + " is missing"
	}
	switch {
	case l.Reason != "":
		return fmt.Sprintf("%s alone has an AUC of %.3f; allowed: %s", what, float64(l.AUC), l.Reason)
	case l.Certain && l.Mend != "":
		return fmt.Sprintf("%s alone tells the label with an AUC of %.3f: it knows the outcome. %s, or allow it with a written reason in train.allow_leaks", what, float64(l.AUC), l.Mend)
	case l.Certain:
		return fmt.Sprintf("%s alone tells the label with an AUC of %.3f: it knows the outcome. Take the column out of `static:` or of the catalogue, "+
			"map its ingested_at so that it is read as known at the cutoff, or allow it with a written reason in train.allow_leaks", what, float64(l.AUC))
	case l.AUC > leakAUC:
		return fmt.Sprintf("%s alone has an AUC of %.3f, but with fewer than %d churners or stayers chance can do that: check that it was known at the cutoff",
			what, float64(l.AUC), leastMeasured)
	default:
		return fmt.Sprintf("%s alone has an AUC of %.3f, more than %.2f above the recency rule: check that it was known at the cutoff", what, float64(l.AUC), leakMargin)
	}
}

// LeakError stops a training whose columns know the outcome.
type LeakError struct{ Leaks []Leak }

func (e *LeakError) Error() string {
	lines := make([]string, len(e.Leaks))
	for i, l := range e.Leaks {
		lines[i] = l.String()
	}
	return strings.Join(lines, "\n")
}

// lint measures each column of a raw training set, and its missing indicator, by its AUC alone. A categorical column is measured by the
// shrunk rates of its levels, taken from the other folds. recency names the recency rule's column ("" = none), fold the inner folds.
// Leaks come in the order of the columns, at most one a column, the worse of the two. With fewer than leastMeasured rows of the rarer class none
// is certain: one churner stands at the end of some column in any data, and only the recency rule may be champion there, which reads one column.
// The newest cutoff is measured by itself, too, where it has leastMeasured of the rarer class: what is written down when somebody leaves, such as the
// reason, is there at an early cutoff for those who leave years later as well, but at the newest for hardly anyone but the churners.
func lint(ctx context.Context, d *features.Dataset, fold []int, recency string) ([]Leak, error) {
	if metrics.Rarer(d.Y) == 0 {
		return nil, nil
	}
	all, err := separations(ctx, d, fold)
	if err != nil {
		return nil, err
	}
	bar := math.NaN() // nothing stands above it
	if k := slices.IndexFunc(all, func(s Separation) bool { return s.Feature == recency }); k >= 0 {
		bar = all[k].AUC
	}
	if all, err = worseAtTheNewest(ctx, d, fold, all); err != nil {
		return nil, err
	}
	var leaks []Leak
	for _, s := range all {
		if s.Leaks() || s.Suspicious(bar) {
			leaks = append(leaks, Leak{Feature: s.Feature, AUC: metrics.Figure(s.best()), Missing: s.Missing >= s.AUC, Certain: s.Leaks() && metrics.Rarer(d.Y) >= leastMeasured})
		}
	}
	return leaks, nil
}

// worseAtTheNewest puts the figures of the newest cutoff in the place of those that do not leak over all cutoffs and do there.
func worseAtTheNewest(ctx context.Context, d *features.Dataset, fold []int, all []Separation) ([]Separation, error) {
	if len(d.Cutoff) == 0 || len(distinctCutoffs(d.Cutoff)) == 1 {
		return all, nil
	}
	rows := rowsAt(d.Cutoff, slices.MaxFunc(d.Cutoff, time.Time.Compare))
	newest := d.Take(rows)
	if metrics.Rarer(newest.Y) < leastMeasured {
		return all, nil
	}
	folds := make([]int, len(rows))
	for k, i := range rows {
		folds[k] = fold[i]
	}
	last, err := separations(ctx, newest, folds)
	if err != nil {
		return nil, err
	}
	for j, s := range last {
		if s.Leaks() && !all[j].Leaks() {
			all[j] = s
		}
	}
	return all, nil
}

// observed says whether any row has a value in column j.
func observed(x *features.Matrix, j int) bool {
	return slices.ContainsFunc(x.X[j], func(v float32) bool { return v == v })
}

// acquit clears the columns that cannot know the outcome however well they tell it: past rows of the very sources whose silence is the label,
// counted, timed and summed. Both clocks bound these rows, and who uses a service every day is told from who does not with an AUC above .97
// (relax, 60 days: .974), as is who buys every other week by the orders and the spend of the last 90 days.
func acquit(leaks []Leak, c *features.Catalogue, churn features.ChurnSpec) {
	for k := range leaks {
		if e, ok := c.Entry(leaks[k].Feature); ok && readsEnd(&e.Measure) {
			leaks[k].Mend = "Its column ends_at seems to be filled in only when a subscription has ended: import that column as ended_at (--map ended_at=COLUMN), and as ends_at the time until which was paid, if you have it"
		}
	}
	if churn.Setting != features.NonContractual {
		return
	}
	for k := range leaks {
		l := &leaks[k]
		if e, ok := c.Entry(l.Feature); l.Certain && ok && pastActivity(&e.Measure, churn.Activity) {
			l.Certain, l.Reason = false, "it counts, times or sums past rows of a source whose silence is the label"
		}
	}
}

// readsEnd says whether a measure reads the end until which a subscription is paid.
func readsEnd(m *features.Measure) bool {
	return m.Column == "ms_to_end" || m.Form == features.PaidFor || m.Of != nil && readsEnd(m.Of) || m.Over != nil && readsEnd(m.Over)
}

// writtenAtOnce are the columns that say how much the activity was and are written with its row. returned is filled in later, and texts such as feature or
// category may name the leaving itself.
var writtenAtOnce = []string{"", "duration_s", "order_id", "quantity", "amount", "discount"}

// pastActivity says whether a measure reads nothing but the activity as it was written down when it happened, beside tenure.
func pastActivity(m *features.Measure, activity []string) bool {
	if m.Of != nil || m.Over != nil {
		return (m.Of == nil || pastActivity(m.Of, activity)) && (m.Over == nil || m.Over.Form == features.Tenure || pastActivity(m.Over, activity))
	}
	return slices.Contains(activity, m.Source) && slices.Contains(writtenAtOnce, m.Column) && len(m.Where) == 0
}

// judgeLeaks splits leaks into those that stop a training and those that are only told. An allowed leak needs a written reason.
func judgeLeaks(leaks []Leak, allowed map[string]string) (told []Leak, stop error) {
	var fatal []Leak
	for _, l := range leaks {
		if reason := strings.TrimSpace(allowed[l.Feature]); reason != "" {
			l.Reason = reason
			told = append(told, l)
		} else if l.Certain {
			fatal = append(fatal, l)
		} else {
			told = append(told, l)
		}
	}
	if len(fatal) > 0 {
		return told, &LeakError{Leaks: fatal}
	}
	return told, nil
}
