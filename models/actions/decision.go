package actions

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"time"

	"retain/models"
)

// Deciding is what all decisions of a run share.
type Deciding struct {
	RunID     string // the seed of the draws, too
	Cutoff    time.Time
	Policy    string // Version
	Explore   bool
	Share     float64 // held out
	Catalogue *Catalogue
	Budget    *float64 // nil = no limit
	Effects   string   // identity of what was learned of actions; "" = nothing
	Account   *Account // what the decisions come to; nil = a run of an older program
}

// Decision is one logged choice for one customer.
type Decision struct {
	CustomerID string
	Holdout    bool
	Chosen     string
	Value      float64 // NaN = unknown
	Pressure   float64
	Options    []Option   // every action that could have been chosen, in the catalogue's order
	Withheld   []Withheld // held out: what else the policy would have weighed
	Suppressed []Suppressed
}

// Option is an action of a decision with its terms. Moment and Expires are zero for do_nothing.
type Option struct {
	Action, Channel string
	Source          string // of the uplift
	Terms           Terms
	Propensity      float64
	Moment, Expires time.Time
}

// Withheld is an action that a held-out customer does not get, with the probability that it would have been chosen.
type Withheld struct {
	Action     string
	Propensity float64
}

// DecisionID is the id of a customer's decision in a run: 32 hex digits of their SHA-256.
func DecisionID(run, customer string) string {
	sum := sha256.Sum256([]byte(run + "\x00" + customer))
	return hex.EncodeToString(sum[:16])
}

// Version is the hash of all that a policy consists of: the catalogue, the share held out, whether it explores, the budget and the
// model of effects.
func (d *Deciding) Version() string {
	b := append(d.Catalogue.Document(), 0, 0)
	if d.Explore {
		b[len(b)-1] = 1
	}
	amount := func(v float64) {
		for bits, k := math.Float64bits(v), 0; k < 8; k++ {
			b = append(b, byte(bits>>(8*k)))
		}
	}
	amount(d.Share)
	if d.Budget != nil {
		amount(*d.Budget)
	}
	if d.Effects != "" {
		b = append(append(b, 0), d.Effects...)
	}
	return shortHash(b)
}

// Answer tells a decision: the chosen action first, then by falling priority, ties in the catalogue's order. Messages are in the
// words of the score.
func (d *Deciding) Answer(made *Decision, score *models.Score) Answer {
	a := Answer{
		CustomerID: made.CustomerID, DecisionID: DecisionID(d.RunID, made.CustomerID), RunID: d.RunID, Cutoff: d.Cutoff,
		Chosen: made.Chosen, Explored: d.Explore, Holdout: made.Holdout, Policy: d.Policy, Unit: UnitMoney,
		Actions: make([]Proposal, 0, len(made.Options)), Suppressed: made.Suppressed, Outcomes: []Outcome{},
	}
	if math.IsNaN(made.Value) {
		a.Unit = UnitCustomers
	}
	if a.Suppressed == nil {
		a.Suppressed = []Suppressed{}
	}
	for _, o := range made.Options {
		a.Actions = append(a.Actions, d.proposal(o, score))
	}
	slices.SortStableFunc(a.Actions, func(x, y Proposal) int {
		if x.Action == made.Chosen || y.Action == made.Chosen {
			return cmp.Compare(b2i(y.Action == made.Chosen), b2i(x.Action == made.Chosen))
		}
		return cmp.Compare(y.Priority, x.Priority)
	})
	return a
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (d *Deciding) proposal(o Option, score *models.Score) Proposal {
	t := o.Terms
	p := Proposal{Action: o.Action, Title: o.Action, Channel: o.Channel, Priority: t.Priority, Uplift: t.Uplift, UpliftSource: o.Source,
		Lever: t.Lever, Fatigue: t.Fatigue, ContactCost: t.ContactCost, PAccept: t.PAccept, Incentive: t.Incentive, Propensity: o.Propensity}
	if !math.IsNaN(t.Value) {
		p.Value = &t.Value
	}
	if !o.Moment.IsZero() {
		p.Moment, p.ExpiresAt = &o.Moment, &o.Expires
	}
	if p.Price = d.Account.toll(o.Action); p.Value == nil && p.Price > 0 {
		p.Price /= d.Account.Rate
	}
	if i := d.Catalogue.Index(o.Action); i >= 0 {
		a := &d.Catalogue.Actions[i]
		p.Title, p.Class, p.Message = a.Title, string(a.Class), a.Message.Render(score)
	}
	return p
}

// Cut keeps the first n actions, n ≥ 1. do_nothing keeps its place among them, last when it would fall out; beside a single action
// it comes as a second one.
func (a *Answer) Cut(n int) {
	if len(a.Actions) <= n {
		return
	}
	at := slices.IndexFunc(a.Actions, func(p Proposal) bool { return p.Action == DoNothing })
	if at < n {
		a.Actions = a.Actions[:n]
		return
	}
	nothing := a.Actions[at]
	a.Actions = append(slices.Clone(a.Actions[:max(n-1, 1)]), nothing)
}

// Explain adds what led to the answer: why the first action, what each listed action needs, and how chance came in.
func (d *Deciding) Explain(a *Answer, score *models.Score) {
	a.Explained = append([]string{}, d.explainCustomer(a, score)...)
	for _, p := range a.Actions {
		if i := d.Catalogue.Index(p.Action); i >= 0 && p.Action != DoNothing {
			a.Explained = append(a.Explained, p.Action+" is possible because: "+d.Catalogue.Rule(i))
		}
		if p.Price > 0 {
			a.Explained = append(a.Explained, fmt.Sprintf("%s takes capacity or budget that would bring %.4g elsewhere: what counts is its priority less that, %.4g", p.Action, p.Price, p.Priority-p.Price))
		}
	}
}

func (d *Deciding) explainCustomer(a *Answer, score *models.Score) []string {
	var lines []string
	for _, r := range score.Reasons {
		if r.Feature != models.OtherReason {
			lines = append(lines, "risk "+r.Direction+": "+r.Text)
		}
	}
	if a.Unit == UnitCustomers {
		lines = append(lines, "what this customer is worth is not known: actions rank by customers saved, and costs are ignored")
	}
	first := d.Catalogue.Index(a.Chosen)
	switch {
	case first >= 0 && d.Catalogue.Actions[first].duty():
		lines = append(lines, "the customer waits for the first action: it is never left to chance")
	case a.Holdout:
		lines = append(lines, "the customer is in this quarter's control group: no marketing and no service that was not asked for")
	case a.Explored:
		lines = append(lines, "the first action was drawn with the propensities shown, so that what works can be learned")
	default:
		lines = append(lines, "the first action is that of the plan, by priority less what scarce capacity and budget would bring elsewhere; nothing was left to chance")
	}
	return lines
}
