package pipelines

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"retain/internal/tabular"
	"retain/models/offpolicy"
	"retain/training/metrics"
)

// policy is the new policy of a file evaluation.
func (f *policyFile) policy(report *PolicyReport) (offpolicy.Policy, error) {
	switch {
	case f.o.Like != "":
		return f.like(report)
	case f.o.Probabilities != "":
		all, err := f.each(f.o.Probabilities, "--probabilities")
		if err != nil {
			return offpolicy.Policy{}, err
		}
		report.Policy = "the probabilities in the columns " + f.o.Probabilities + "…"
		return offpolicy.Policy{Each: eachOf(all)}, nil
	}
	c, err := f.table.find(f.o.named("probability"), "--map probability=COLUMN")
	if err != nil {
		return offpolicy.Policy{}, err
	}
	chosen, err := f.probabilities(c, f.o.named("probability"))
	report.Policy = "the probabilities of the actions taken in column " + f.o.named("probability")
	report.Notes = append(report.Notes, "no doubly robust estimate: it needs the new policy's probability of every action (--probabilities PREFIX), not only of the one taken")
	return offpolicy.Policy{Chosen: chosen}, err
}

// like makes a policy of the shares of the actions in a second log, by stratum, and holds the rewards of that log against the estimates.
func (f *policyFile) like(report *PolicyReport) (offpolicy.Policy, error) {
	o := f.o
	if o.Like == "-" && o.Path == "-" {
		return offpolicy.Policy{}, policyUsage("--like -: standard input is the log already")
	}
	names := map[string]bool{tabular.Normalise(o.named("action")): false, tabular.Normalise(o.named("reward")): true}
	for _, name := range f.per {
		names[tabular.Normalise(name)] = false
	}
	t, err := readPolicyTable(o.Like, o.Stdin, func(name string) (bool, bool) {
		numeric, ok := names[name]
		return ok, numeric
	})
	if err != nil {
		return offpolicy.Policy{}, err
	}
	action, err := t.find(o.named("action"), "--map action=COLUMN")
	if err != nil {
		return offpolicy.Policy{}, err
	}
	rows := make([]int, len(t.lines))
	for i := range rows {
		if rows[i] = i; action.rows[i] < 0 {
			return offpolicy.Policy{}, fmt.Errorf("%s:%d: %s is empty: every row of a log has an action", t.file, t.lines[i], o.named("action"))
		}
	}
	place := make([]int, len(action.levels))
	for k, a := range action.levels {
		if place[k] = slices.Index(f.l.Actions, a); place[k] < 0 {
			place[k] = len(f.l.Actions)
			f.l.Actions = append(f.l.Actions, a)
		}
	}
	strata, err := strataOf(t, f.per, rows)
	if err != nil {
		return offpolicy.Policy{}, err
	}
	if f.l.Stratum == nil {
		f.l.Strata = []string{""}
		f.l.Stratum = make([]int32, f.l.Rows())
	}
	share, n := make([][]float64, len(f.l.Strata)), make([]float64, len(f.l.Strata))
	for s := range share {
		share[s] = make([]float64, len(f.l.Actions))
	}
	passed := 0 // rows in strata that the log does not have
	for k, i := range rows {
		s := slices.Index(f.l.Strata, strata[k])
		if s < 0 {
			passed++
			continue
		}
		share[s][place[action.rows[i]]]++
		n[s]++
	}
	for s, total := range n {
		if total == 0 {
			return offpolicy.Policy{}, fmt.Errorf("%s has no row at %s, which %s has: leave those rows out, or part the logs by other columns (--per)", t.file, f.l.Strata[s], f.table.file)
		}
		for a := range share[s] {
			share[s][a] /= total
		}
	}
	report.Policy = "the shares of the actions of " + t.file
	if len(f.per) > 0 {
		report.Policy += " by " + strings.Join(f.per, ", ")
	}
	if passed > 0 {
		report.Notes = append(report.Notes, fmt.Sprintf("%d rows of %s are in strata that %s does not have, and say nothing", passed, t.file, f.table.file))
	}
	if c, ok := t.column[tabular.Normalise(o.named("reward"))]; ok {
		report.OnPolicy = onPolicy(c.numbers)
	}
	return offpolicy.Policy{Each: func(dst []float64, row int) { copy(dst, share[f.l.Stratum[row]]) }}, nil
}

// onPolicy is the mean of the rewards that are there, with its standard error; nil below two.
func onPolicy(rewards []float64) *PolicyComparison {
	known := slices.DeleteFunc(slices.Clone(rewards), math.IsNaN)
	n := float64(len(known))
	if n < 2 {
		return nil
	}
	mean := metrics.Sum(known) / n
	var square float64
	for _, r := range known {
		square += (r - mean) * (r - mean)
	}
	se := math.Sqrt(square / (n - 1) / n)
	return &PolicyComparison{PolicyInterval: intervalOf(offpolicy.Interval{Value: mean, SE: se, Low: mean - 1.96*se, High: mean + 1.96*se}), Rows: len(known), Within: map[string]bool{}}
}
