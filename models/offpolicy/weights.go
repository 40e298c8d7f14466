package offpolicy

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Diagnostics tell whether a log can speak for a policy.
type Diagnostics struct {
	Rows, Customers int
	ESS             float64 // effective sample size (Σw)²/Σw², in [0, n]
	MeanWeight      float64 // w̄, 1 on average where the propensities are right
	Allowed         float64 // |w̄ - 1| may be at most this: 3 sd(w)/√n
	Largest         float64 // of the weights
	LargestShare    float64 // of the sum of the weights
}

// Reason is a kind of refusal.
type Reason string

// Why a log cannot speak for a policy.
const (
	NoSupport   Reason = "no_support"   // the new policy takes an action whose logged propensity is 0
	FewRows     Reason = "few_rows"     // the effective sample size is below 5 % of the rows
	WrongWeight Reason = "wrong_weight" // the mean weight is more than three standard errors from 1
)

// Refusal says that a log cannot speak for a policy, with the mend.
type Refusal struct {
	Reason  Reason
	Message string
}

// RefusedError is all that stands against an evaluation.
type RefusedError struct{ Refusals []Refusal }

func (e *RefusedError) Error() string {
	lines := make([]string, len(e.Refusals))
	for k, r := range e.Refusals {
		lines[k] = r.Message
	}
	return "the log cannot tell what the new policy is worth: " + strings.Join(lines, "; and ")
}

// Bounds of decisions.md §4.
const (
	leastESS    = .05 // of the rows
	mostErrors  = 3   // standard errors of the mean weight
	roundingErr = 1e-9
)

// weights are wᵢ = qᵢ/pᵢ. A row whose propensity is 0 weighs 0, and is refused where the new policy takes its action.
func weights(l *Log, q []float64) []float64 {
	w := make([]float64, len(q))
	for i, v := range q {
		if l.Propensity[i] > 0 {
			w[i] = v / l.Propensity[i]
		}
	}
	return w
}

func diagnose(l *Log, w []float64) Diagnostics {
	n := float64(len(w))
	d := Diagnostics{Rows: len(w), Customers: customers(l), Largest: slices.Max(w)}
	var sum, square float64
	for _, v := range w {
		sum += v
		square += v * v
	}
	d.MeanWeight = sum / n
	var spread float64
	for _, v := range w {
		spread += (v - d.MeanWeight) * (v - d.MeanWeight)
	}
	d.Allowed = mostErrors * math.Sqrt(spread/(n-1)/n)
	if sum > 0 {
		d.ESS, d.LargestShare = sum*sum/square, d.Largest/sum
	}
	return d
}

func customers(l *Log) int {
	if l.Customer == nil {
		return l.Rows()
	}
	seen := make(map[string]struct{}, len(l.Customer))
	for _, c := range l.Customer {
		seen[c] = struct{}{}
	}
	return len(seen)
}

// refusals are all that stands against the evaluation, nil if nothing does.
func (d Diagnostics) refusals(l *Log, p Policy, q []float64) error {
	var found []Refusal
	if words := unsupported(l, p, q); words != "" {
		found = append(found, Refusal{NoSupport, words})
	}
	if !(d.ESS >= leastESS*float64(d.Rows)) {
		found = append(found, Refusal{FewRows, fmt.Sprintf("the two policies differ too much: the %d rows tell as much as %.0f would (%.1f %%, at least %.0f %% are needed), "+
			"and the largest weight is %.4g. Try a policy nearer to the logged one, or log with more exploration", d.Rows, d.ESS, 100*d.ESS/float64(d.Rows), 100*leastESS, d.Largest)})
	}
	missing := found != nil && found[0].Reason == NoSupport && d.MeanWeight < 1 // explains the rest of the weight
	if !missing && !(math.Abs(d.MeanWeight-1) <= d.Allowed+roundingErr) {
		found = append(found, Refusal{WrongWeight, fmt.Sprintf("the propensities do not fit the log: weights average %.4f where it should be 1 ± %.4f. Look whether the propensity is that of the action taken, "+
			"at the moment of the choice, and whether rows are missing for some actions", d.MeanWeight, d.Allowed)})
	}
	if found == nil {
		return nil
	}
	return &RefusedError{found}
}

// Refusals are those of an error of Evaluate, nil when it is something else.
func Refusals(err error) []Refusal {
	var refused *RefusedError
	if errors.As(err, &refused) {
		return refused.Refusals
	}
	return nil
}

// negligible is a probability that stands for 0: what adding up and dividing shares leaves.
const negligible = 1e-12

// unsupported names what the new policy takes and the log could not, "" when there is nothing.
func unsupported(l *Log, p Policy, q []float64) string {
	rows := make([]int, len(l.Actions))     // that the new policy would give the action, and the log could not
	mass := make([]float64, len(l.Actions)) // their probability under the new policy
	note := func(a int, v float64) { rows[a]++; mass[a] += v }
	switch {
	case p.Each != nil:
		offered := l.Each
		if offered == nil {
			offered = l.taken()
		}
		old, now := make([]float64, len(l.Actions)), make([]float64, len(l.Actions))
		for i := range l.Action {
			p.Each(now, i)
			offered(old, i)
			if l.Propensity[i] == 0 {
				old[l.Action[i]] = 0
			}
			for a, v := range now {
				if v > negligible && !(old[a] > 0) {
					note(a, v)
				}
			}
		}
	default:
		for i, v := range q {
			if v > negligible && l.Propensity[i] == 0 {
				note(int(l.Action[i]), v)
			}
		}
	}
	var named []string
	more := 0
	for a, n := range rows {
		switch {
		case n == 0:
		case len(named) == 5:
			more++
		default:
			named = append(named, fmt.Sprintf("%s (%d rows, %.2g %% of all choices)", l.Actions[a], n, 100*mass[a]/float64(l.Rows())))
		}
	}
	if named == nil {
		return ""
	}
	rest := ""
	if more > 0 {
		rest = fmt.Sprintf(" and %d more", more)
	}
	return "the new policy takes actions that the logged one could not, their logged propensity being 0: " + strings.Join(named, ", ") + rest +
		". Leave them out of the new policy, or let them be explored for a while first"
}

// taken stands for Log.Each where it is not known: 1 for the actions that were ever taken in the row's stratum, 0 for others.
func (l *Log) taken() func(dst []float64, row int) {
	k := len(l.Actions)
	strata := max(len(l.Strata), 1)
	seen := make([]float64, k*strata)
	at := func(i int) int {
		if l.Stratum == nil {
			return 0
		}
		return int(l.Stratum[i]) * k
	}
	for i, a := range l.Action {
		if l.Propensity[i] > 0 {
			seen[at(i)+int(a)] = 1
		}
	}
	return func(dst []float64, row int) { copy(dst, seen[at(row):at(row)+k]) }
}
