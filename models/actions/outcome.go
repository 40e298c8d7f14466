package actions

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// What can come of a decision. Shown says that the action reached the customer; accepted, rejected and ignored are his response, of
// which the latest holds; converted and saved are what followed. That a customer stayed is learned from the churn label, not from here.
const (
	OutcomeShown     = "shown"
	OutcomeAccepted  = "accepted"
	OutcomeRejected  = "rejected"
	OutcomeIgnored   = "ignored"
	OutcomeConverted = "converted"
	OutcomeSaved     = "saved"
)

// Outcomes are all kinds of outcomes, in the order in which they are told.
var Outcomes = []string{OutcomeShown, OutcomeAccepted, OutcomeRejected, OutcomeIgnored, OutcomeConverted, OutcomeSaved}

// Responses are the outcomes by which a customer answers. Later ones replace earlier ones.
var Responses = []string{OutcomeAccepted, OutcomeRejected, OutcomeIgnored}

// ErrUnknownDecision says that no decision of this id is in the log.
var ErrUnknownDecision = errors.New("actions: no decision of this id is in the log")

// ContradictionError is an outcome that cannot be true of its decision.
type ContradictionError struct {
	Index int    // of the report among those that came together
	Words string // what contradicts, and the mend
}

func (e *ContradictionError) Error() string { return e.Words }

// Report is what somebody tells of a decision.
type Report struct {
	Decision string
	Customer string    // "" = not told
	Action   string    // "" = the chosen one
	Outcome  string    // of Outcomes
	At       time.Time // when it happened; zero = now
}

// Outcome is one thing that came of a decision.
type Outcome struct {
	Outcome string    `json:"outcome"` // of Outcomes
	Action  string    `json:"action"`  // it came of; as a rule the chosen one
	At      time.Time `json:"at"`
	Late    bool      `json:"late"`   // after the action had expired
	Source  string    `json:"source"` // who told: api, console, import or contacts
}

// Recorded is an outcome as it stands in the log.
type Recorded struct {
	Outcome
	DecisionID string
	CustomerID string
	RunID      string
	IngestedAt time.Time
	Duplicate  bool // it was there already
}

// Logged is what a logged decision says about the outcomes it can have.
type Logged struct {
	RunID, DecisionID, CustomerID, Chosen string
	Cutoff                                time.Time
	Holdout                               bool
	Actions                               []string    // that were proposed, do_nothing among them
	Expires                               []time.Time // of each; zero = never
}

// clockSkew is how far the clock of who reports may be ahead.
const clockSkew = 5 * time.Minute

// Judge tells what a report says of the decision. An outcome after the action has expired is late and counts. It fails with a
// *ContradictionError when the report cannot be true: of another customer, of an action that was not proposed, of a response to nothing,
// of a time before the decision or after now.
func (l *Logged) Judge(r Report, now time.Time) (Outcome, error) {
	if !slices.Contains(Outcomes, r.Outcome) {
		return Outcome{}, contradiction("%q is no outcome; there are %s", r.Outcome, strings.Join(Outcomes, ", "))
	}
	if r.Customer != "" && r.Customer != l.CustomerID {
		return Outcome{}, contradiction("the decision is of another customer")
	}
	o := Outcome{Outcome: r.Outcome, Action: r.Action, At: r.At.UTC().Truncate(time.Millisecond)}
	if r.At.IsZero() {
		o.At = now.UTC().Truncate(time.Millisecond)
	}
	if o.Action == "" {
		o.Action = l.Chosen
	}
	k := slices.Index(l.Actions, o.Action)
	switch {
	case k < 0 && l.Holdout:
		return o, contradiction("%s was not proposed: the customer is in the control group", o.Action)
	case k < 0:
		return o, contradiction("%s was not proposed; the decision has %s", o.Action, strings.Join(l.Actions, ", "))
	case o.Action == DoNothing && r.Outcome != OutcomeConverted && r.Outcome != OutcomeSaved:
		return o, contradiction("nothing was to be done, which nobody can have %s; name the action that was taken, if it was proposed", r.Outcome)
	case o.At.Before(l.Cutoff):
		return o, contradiction("%s is before the decision, which stands at %s", o.At.Format(time.RFC3339), l.Cutoff.UTC().Format(time.RFC3339))
	case o.At.After(now.Add(clockSkew)):
		return o, contradiction("%s has not come yet", o.At.Format(time.RFC3339))
	}
	o.Late = !l.Expires[k].IsZero() && !o.At.Before(l.Expires[k])
	return o, nil
}

func contradiction(format string, args ...any) error {
	return &ContradictionError{Words: fmt.Sprintf(format, args...)}
}

// Response is the latest answer of the customer among outcomes that count; "" while there is none.
func Response(outcomes []Outcome) (of Outcome, ok bool) {
	for _, o := range outcomes {
		if slices.Contains(Responses, o.Outcome) && (!ok || !o.At.Before(of.At)) {
			of, ok = o, true
		}
	}
	return of, ok
}
