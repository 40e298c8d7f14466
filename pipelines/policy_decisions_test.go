package pipelines

import (
	"errors"
	"math"
	"strings"
	"testing"

	"retain/models/actions"
	"retain/models/offpolicy"
)

// In the known world, what a catalogue would have kept is known: the estimates from another one's log must agree.
func TestPolicyOnDecisions(t *testing.T) {
	p := openProgramme(t, 4000)
	o := func(text string) PolicyDecisionsOptions {
		return PolicyDecisionsOptions{DB: p.db, Churn: p.churn, Engine: programmeEngine(t, text), Options: offpolicy.Options{Seed: 1, Draws: 300}}
	}

	same, err := EvaluatePolicyDecisions(t.Context(), o(programmeActions))
	if err != nil {
		t.Fatal(err)
	}
	if d := same.Diagnostics; math.Abs(float64(d.MeanWeight)-1) > 1e-9 || math.Abs(float64(d.LargestWeight)-1) > 1e-9 || same.Rows != len(p.id) {
		t.Errorf("the policy against its own log: %+v, want weights of 1 for %d rows", d, len(p.id))
	}
	if g := same.Estimates[0].Gain; math.Abs(float64(g.Value)) > 1e-12 || same.Standing != offpolicy.Unknown {
		t.Errorf("the policy against itself gains %v, %s", g, same.Standing)
	}

	bold := strings.ReplaceAll(programmeActions, "contact_cost: 20", "contact_cost: 2")
	told, err := EvaluatePolicyDecisions(t.Context(), o(bold))
	if err != nil {
		t.Fatal(err)
	}
	truth := p.worth(t, bold)
	for _, e := range told.Estimates {
		t.Logf("%s %.4f ± %.4f, truth %.4f, log %.4f", e.Name, float64(e.Value), float64(e.SE), truth, float64(told.Logged.Value))
		if math.Abs(float64(e.Value)-truth) > 2.5*float64(e.SE) {
			t.Errorf("%s is %v ± %v, the truth %v", e.Name, e.Value, e.SE, truth)
		}
	}
	if told.Cost == nil || !(told.Cost.New < told.Cost.Logged) {
		t.Errorf("cost %+v: a call of 2 must be cheaper than one of 20", told.Cost)
	}

	poor := o(programmeActions)
	poor.Budget = new(0.)
	if none, err := EvaluatePolicyDecisions(t.Context(), poor); err != nil || none.Cost.New != 0 || none.Cost.Logged == 0 || none.Shares[0].Action != actions.DoNothing {
		t.Errorf("a policy without money: %+v, %v", none, err)
	}
	_, err = EvaluatePolicyDecisions(t.Context(), o(programmeActions+"  - {id: gift, title: Gift, channel: post, class: marketing, message: Gift, contact_cost: 1, prior: {mean: 0.1}}\n"))
	if r := offpolicy.Refusals(err); len(r) == 0 || r[0].Reason != offpolicy.NoSupport || !strings.Contains(r[0].Message, "gift") {
		t.Errorf("an action that was never logged: %v, want it refused by name", err)
	}

	early := o(programmeActions)
	early.Churn.HorizonDays = 365
	if _, err := EvaluatePolicyDecisions(t.Context(), early); !errors.Is(err, ErrNothingMature) || !strings.Contains(err.Error(), "2027-01-01") {
		t.Errorf("labels that are not known: %v", err)
	}
}

// worth is the true share of customers kept under another catalogue.
func (p *knownProgramme) worth(t *testing.T, text string) float64 {
	t.Helper()
	c := programmeEngine(t, text).Catalogue
	n := len(p.id)
	round := &actions.Round{Catalogue: c, RunID: p.run.RunID, Cutoff: p.cutoff, Share: p.share, Explore: true, Customer: p.id, Eligible: make([]uint64, n), Value: make([]float64, n), Pressure: make([]float64, n)}
	for i, risk := range p.risk {
		round.Eligible[i], round.Value[i] = 7, 10_000*risk
	}
	turns, err := round.Decide(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all, sum := make([]float64, 3), 0.
	for i := range p.id {
		turns.Propensities(all, i)
		sum += 1 - p.risk[i]
		for a, q := range all {
			sum += q * p.effect[c.Actions[a].ID][i]
		}
	}
	return sum / float64(n)
}
