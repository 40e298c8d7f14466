package pipelines

import (
	"fmt"
	"math"

	"retain/internal/interval"
	"retain/internal/spoken"
	"retain/models/offpolicy"
	"retain/training/metrics"
)

// PolicyReport is the JSON of `retain policy evaluate`: what a new policy would have earned, told from the log of another.
type PolicyReport struct {
	Log         string                `json:"log"`    // the file, or "decisions" for those of the warehouse
	Policy      string                `json:"policy"` // the new one, in words
	Reward      string                `json:"reward"` // what is earned per choice
	Rows        int                   `json:"rows"`
	Customers   int                   `json:"customers"`
	Logged      PolicyInterval        `json:"logged"`    // mean reward of the log
	Estimates   []PolicyEstimate      `json:"estimates"` // snips, doubly_robust, ips; all null when refused
	OnPolicy    *PolicyComparison     `json:"on_policy"` // what the new policy really earned, where its own log has rewards; else null
	Diagnostics PolicyDiagnostics     `json:"diagnostics"`
	Shares      []PolicyShare         `json:"shares"` // of the actions, in the order of the new policy's
	Cost        *PolicyCost           `json:"cost"`   // of both policies, where the catalogue knows it; else null
	Standing    offpolicy.Standing    `json:"standing"`
	Verdict     []string              `json:"verdict"` // in words
	Refused     []PolicyRefusal       `json:"refused"` // why the log cannot tell; empty = it can
	Notes       []string              `json:"notes"`
	RewardModel offpolicy.RewardModel `json:"reward_model"`
	Draws       int                   `json:"draws"`
	Seed        uint64                `json:"seed"`
	Runs        []PolicyRun           `json:"runs,omitempty"` // of the warehouse's decisions
	evaluation  *offpolicy.Evaluation
}

// PolicyInterval is a figure with its standard error and 95 % interval.
type PolicyInterval struct {
	Value metrics.Figure `json:"value"`
	SE    metrics.Figure `json:"se"`
	Low   metrics.Figure `json:"low"`
	High  metrics.Figure `json:"high"`
}

// PolicyEstimate is one estimate of what the new policy earns per choice.
type PolicyEstimate struct {
	Name string `json:"name"`
	PolicyInterval
	Gain PolicyInterval `json:"gain"` // over the logged policy on the same rows
}

// PolicyComparison holds the first two estimates against what the new policy really earned.
type PolicyComparison struct {
	PolicyInterval
	Rows   int             `json:"rows"`
	Within map[string]bool `json:"within"` // by estimate: |estimate - on-policy| ≤ 1.96 √(se² + se²)
}

// PolicyDiagnostics tell how far the log can speak for the policy.
type PolicyDiagnostics struct {
	EffectiveRows  metrics.Figure `json:"effective_sample_size"`
	EffectiveShare metrics.Figure `json:"effective_share"` // of the rows, at least .05
	MeanWeight     metrics.Figure `json:"mean_weight"`     // 1, give or take:
	MeanAllowed    metrics.Figure `json:"mean_weight_allowed"`
	LargestWeight  metrics.Figure `json:"largest_weight"`
	LargestShare   metrics.Figure `json:"largest_weight_share"` // of the sum of weights
}

// PolicyShare is how often the policies take an action.
type PolicyShare struct {
	Action string         `json:"action"`
	Logged metrics.Figure `json:"logged"`
	New    metrics.Figure `json:"new"` // null where only the probability of the action taken is known
}

// PolicyCost is what a choice costs on average, contact and expected incentive, in the currency of the catalogue.
type PolicyCost struct {
	Logged metrics.Figure `json:"logged"`
	New    metrics.Figure `json:"new"`
}

// PolicyRefusal is a reason why the log cannot tell.
type PolicyRefusal struct {
	Reason  offpolicy.Reason `json:"reason"`
	Message string           `json:"message"`
}

func intervalOf(i offpolicy.Interval) PolicyInterval {
	return PolicyInterval{metrics.Figure(i.Value), metrics.Figure(i.SE), metrics.Figure(i.Low), metrics.Figure(i.High)}
}

// fill puts the outcome of an evaluation into the report.
func (r *PolicyReport) fill(e *offpolicy.Evaluation, o offpolicy.Options) {
	r.evaluation = e
	r.Rows, r.Customers, r.Draws, r.Seed, r.RewardModel = e.Rows, e.Customers, e.Draws, o.Seed, o.Reward
	r.Diagnostics = PolicyDiagnostics{metrics.Figure(e.ESS), metrics.Figure(e.ESS / float64(e.Rows)), metrics.Figure(e.MeanWeight), metrics.Figure(e.Allowed),
		metrics.Figure(e.Largest), metrics.Figure(e.LargestShare)}
	r.Logged = intervalOf(e.Logged)
	for _, one := range []struct {
		name string
		offpolicy.Estimate
	}{{"snips", e.SNIPS}, {"doubly_robust", e.DoublyRobust}, {"ips", e.IPS}} {
		r.Estimates = append(r.Estimates, PolicyEstimate{one.name, intervalOf(one.Interval), intervalOf(one.Gain)})
	}
	r.Standing = offpolicy.Unknown
}

// refuse notes why the log cannot tell.
func (r *PolicyReport) refuse(refusals []offpolicy.Refusal) {
	for _, f := range refusals {
		r.Refused = append(r.Refused, PolicyRefusal{f.Reason, f.Message})
		r.Verdict = append(r.Verdict, "refused: "+f.Message)
	}
}

// judge says in words what the estimates mean.
func (r *PolicyReport) judge() {
	e := r.evaluation
	r.Standing = e.Standing()
	gain, by := e.SNIPS.Gain, "SNIPS"
	if !math.IsNaN(e.DoublyRobust.Value) {
		gain, by = e.DoublyRobust.Gain, "doubly robust"
	}
	span := fmt.Sprintf("%+.4g of %s per choice (%s, 95 %%: %+.4g to %+.4g)", gain.Value, r.Reward, by, gain.Low, gain.High)
	switch {
	case e.SNIPS.Gain.SE == 0 && e.Largest-e.MeanWeight < 1e-9:
		r.Verdict = append(r.Verdict, "the new policy chooses as the logged one did")
	case r.Standing == offpolicy.Better:
		r.Verdict = append(r.Verdict, "the new policy is better than the logged one: "+span)
	case r.Standing == offpolicy.Worse:
		r.Verdict = append(r.Verdict, "the new policy is worse than the logged one: "+span)
	default:
		r.Verdict = append(r.Verdict, fmt.Sprintf("the log does not tell the two policies apart: %s; a difference of less than about %.2g would stay hidden", span, interval.Seen*gain.SE))
	}
	if c := r.OnPolicy; c != nil {
		for _, name := range []string{"snips", "doubly_robust"} {
			switch within, ok := c.Within[name]; {
			case ok && within:
				r.Verdict = append(r.Verdict, fmt.Sprintf("the %s estimate agrees with what the new policy's own log earned (%.4g)", estimateNames[name], float64(c.Value)))
			case ok:
				r.Verdict = append(r.Verdict, fmt.Sprintf("the %s estimate lies further from what the new policy's own log earned (%.4g) than chance explains", estimateNames[name], float64(c.Value)))
			}
		}
	}
	if r.Rows > r.Customers {
		r.Notes = append(r.Notes, fmt.Sprintf("%s of %s: intervals redraw customers", spoken.Counted(r.Rows, "choice"), spoken.Counted(r.Customers, "customer")))
	}
}

// estimateNames are the estimates as people read them.
var estimateNames = map[string]string{"snips": "SNIPS", "doubly_robust": "doubly robust"}
