package actions

import "math"

// Estimate is what was learned of an action's effect on one customer: Δ̂ of Δ = P(stay | action) - P(stay | nothing), with its
// standard error. SE NaN = nothing for this customer; so is an SE of 0 or less or an infinite one, and a Mean that is not in [-1, 1].
type Estimate struct{ Mean, SE float32 }

// nothingLearned is the estimate that leaves the prior as it is.
var nothingLearned = Estimate{SE: float32(math.NaN())}

// Learned is what was learned of actions for the customers of a run. It is not changed once it is made.
type Learned struct {
	Actions [][]Estimate // [action of the catalogue][row of the run's matrix: its scored customers]; a nil column = nothing learned
	Settled []bool       // per action: its estimates hold the catalogue's prior already and are taken as they are. nil = none
	Events  []int        // per action: outcome events in the smaller of its two arms, treated and not; from 100 on an effect is called learned. nil = none
}

// learnedEvents is the number of outcome events per arm from which on an effect is called learned (decisions.md §3.6).
const learnedEvents = 100

// Of is the estimate of an action for a row; nothing where the receiver is nil, the column is nil or row is below 0 (not scored).
func (l *Learned) Of(action, row int) Estimate {
	if l == nil || row < 0 || action >= len(l.Actions) || l.Actions[action] == nil {
		return nothingLearned
	}
	return l.Actions[action][row]
}

// Source is SourceLearned for an action with 100 outcome events per arm whose estimate for the row is known, else SourcePrior.
func (l *Learned) Source(action, row int) string {
	if l == nil || action >= len(l.Events) || l.Events[action] < learnedEvents || !l.Of(action, row).known() {
		return SourcePrior
	}
	return SourceLearned
}

// known tells whether there is something to weigh against the prior.
func (e Estimate) known() bool {
	return e.SE > 0 && e.SE <= math.MaxFloat32 && e.Mean >= -1 && e.Mean <= 1
}

// shrunk is the effect after an estimate: with s₀ the spread of the prior, its mean is
//
//	(Δ̂/se² + Δ₀/s₀²) / (1/se² + 1/s₀²)
//
// and its sd that of the posterior, at most the catalogue's (which bounds how widely is explored). Without an estimate it is the
// prior: both are continuous as se grows.
func (e Effect) shrunk(by Estimate) (mean, sd float64) {
	if !by.known() {
		return e.Mean, e.deviation()
	}
	s0, se := e.Spread(), float64(by.SE)
	own, prior := 1/(se*se), 1/(s0*s0)
	return (float64(by.Mean)*own + e.Mean*prior) / (own + prior), min(e.deviation(), 1/math.Sqrt(own+prior))
}

// effect is that of an action on the customer of a row, with its sd: the prior shrunk by the estimate or, where that holds the prior already, the estimate.
func (l *Learned) effect(action, row int, prior Effect) (mean, sd float64) {
	by := l.Of(action, row)
	if by.known() && action < len(l.Settled) && l.Settled[action] {
		return float64(by.Mean), min(prior.deviation(), float64(by.SE))
	}
	return prior.shrunk(by)
}
