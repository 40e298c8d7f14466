package offpolicy

import (
	"context"
	"math"
)

// Options are the choices of an evaluation. The zero value is filled with the defaults.
type Options struct {
	Reward RewardModel // of the doubly robust estimate; "" means LinearReward
	Folds  int         // of its cross-fitting by customer, at least 2; 0 means 5
	Draws  int         // of the bootstrap; 0 means 1,000
	Seed   uint64      // of folds, draws and models
}

// Estimate is what a policy earns per choice, and how much more that is than what the logged policy earned on the same rows.
type Estimate struct {
	Interval
	Gain Interval
}

// Evaluation is what a log tells about a new policy. Undefined figures are NaN.
type Evaluation struct {
	Diagnostics

	Logged       Interval // mean reward of the log: what its own policy earned
	SNIPS        Estimate // self-normalised inverse propensity score
	DoublyRobust Estimate // NaN where only the probability of the action taken is known
	IPS          Estimate // plain inverse propensity score
	Draws        int
}

// Standing is how a new policy compares with the logged one.
type Standing string

// The standings. A policy is better or worse if the intervals of both gains, SNIPS and doubly robust, say so (that of SNIPS where the other is undefined).
const (
	Better  Standing = "better"
	Worse   Standing = "worse"
	Unknown Standing = "unknown"
)

// Standing is how the new policy compares with the logged one, at 95 %.
func (e *Evaluation) Standing() Standing {
	better, worse := true, true
	for _, g := range []Interval{e.SNIPS.Gain, e.DoublyRobust.Gain} {
		if !math.IsNaN(g.Value) {
			better, worse = better && g.Low > 0, worse && g.High < 0
		}
	}
	switch {
	case better:
		return Better
	case worse:
		return Worse
	}
	return Unknown
}

// Evaluate tells what the policy would have earned per row of the log. The same arguments give the same figures on any number of threads.
// Errors: *RefusedError if the log cannot tell, with the Diagnostics in the Evaluation; what is wrong with the arguments; ctx.Err().
func Evaluate(ctx context.Context, l *Log, p Policy, o Options) (*Evaluation, error) {
	if o.Draws == 0 {
		o.Draws = 1000
	}
	if err := check(l, p); err != nil {
		return nil, err
	}
	q, err := p.chosen(l)
	if err != nil {
		return nil, err
	}
	w := weights(l, q)
	e := &Evaluation{Diagnostics: diagnose(l, w), Draws: o.Draws}
	if err := e.refusals(l, p, q); err != nil {
		return e, err
	}
	var terms []float64
	if p.Each != nil {
		if terms, err = robustTerms(ctx, l, p, w, o); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b := newBags(l, w, terms, o.Seed)
	draws := b.draws(o.Draws)
	e.Logged = b.interval(logged, draws)
	e.SNIPS = Estimate{b.interval(snips, draws), b.interval(snipsGain, draws)}
	e.IPS = Estimate{b.interval(ips, draws), b.interval(ipsGain, draws)}
	e.DoublyRobust = Estimate{undefined, undefined}
	if terms != nil {
		e.DoublyRobust = Estimate{b.interval(doublyRobust, draws), b.interval(doublyRobustGain, draws)}
	}
	return e, nil
}
