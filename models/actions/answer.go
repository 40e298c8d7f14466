package actions

import "time"

// DoNothing is the id of the action that is always a candidate, at priority 0.
const DoNothing = "do_nothing"

// Answer is the next best action of one customer in one run, as contract.md §3 has it: what was chosen, what else was possible
// with every term of its priority, and what was not, with the reason.
type Answer struct {
	CustomerID string       `json:"customer_id"`
	DecisionID string       `json:"decision_id"`
	RunID      string       `json:"run_id"`
	Cutoff     time.Time    `json:"cutoff"`                // the instant the decision stands at, exclusive
	Chosen     string       `json:"chosen"`                // id of the action to take, which is Actions[0]
	Explored   bool         `json:"explored"`              // the choice was drawn with the propensities; false: the greatest priority
	Holdout    bool         `json:"holdout"`               // of this quarter's control group: no marketing or proactive action
	Unit       string       `json:"unit"`                  // of priority and fatigue: UnitMoney, or UnitCustomers where no value is known
	Policy     string       `json:"policy"`                // version of catalogue and settings that decided
	Actions    []Proposal   `json:"actions"`               // the chosen one, then by falling priority; do_nothing always among them
	Suppressed []Suppressed `json:"suppressed"`            // the other actions of the catalogue, in its order
	Outcomes   []Outcome    `json:"outcomes"`              // what came of it so far, by time
	Explained  []string     `json:"explanation,omitempty"` // when asked for: what of the customer and the rules led here
}

// Units of priorities. Where no value is known, actions rank by customers saved and costs are ignored.
const (
	UnitMoney     = "money"
	UnitCustomers = "customers"
)

// Proposal is an action that passed every rule, with the terms of
//
//	priority = uplift·value·lever - contact_cost - p_accept·incentive - fatigue
//
// in money; without a value: priority = uplift - fatigue, in customers. do_nothing has priority 0 and no terms.
type Proposal struct {
	Action       string     `json:"action"`
	Title        string     `json:"title"`
	Class        string     `json:"class"`   // marketing, service or transactional
	Channel      string     `json:"channel"` // of Channels
	Priority     float64    `json:"priority"`
	Uplift       float64    `json:"uplift"`        // Δ = P(stay | action) - P(stay | nothing)
	UpliftSource string     `json:"uplift_source"` // prior: from the catalogue; learned: weighed against 100 outcomes an arm or more
	Value        *float64   `json:"value"`         // V, what the customer is worth; null when unknown
	Lever        float64    `json:"lever"`
	Fatigue      float64    `json:"fatigue"` // V·2φ·P·w, P the pressure of the contacts so far
	ContactCost  float64    `json:"contact_cost"`
	PAccept      float64    `json:"p_accept"`
	Incentive    float64    `json:"incentive"`
	Price        float64    `json:"price"`      // of the places and the money that it takes from others; priority - price is what was compared
	Propensity   float64    `json:"propensity"` // the probability with which the policy chooses this action
	Moment       *time.Time `json:"moment"`     // when to act; null for do_nothing
	Message      string     `json:"message"`    // "" for do_nothing
	ExpiresAt    *time.Time `json:"expires_at"` // from then on the decision is void; null for do_nothing
}

// Suppressed is an action of the catalogue that was not possible, and why: a keyword of its kind, a colon and words.
type Suppressed struct {
	Action string `json:"action"`
	Reason string `json:"reason"`
}
