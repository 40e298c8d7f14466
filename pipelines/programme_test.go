package pipelines

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"retain/features"
	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
	"retain/models"
	"retain/models/actions"
	"retain/simulation"
	"retain/training/metrics"
)

// programmeActions is what the programme of the known world does: a call that keeps many, and a mail that does nothing.
const programmeActions = `version: 1
actions:
  - {id: do_nothing, title: None, channel: none, class: service}
  - {id: call, title: Call, channel: phone, class: service, proactive: true, message: Call, contact_cost: 20, prior: {mean: 0.04, sd: 0.04}}
  - {id: mail, title: Mail, channel: email, class: marketing, message: Mail, contact_cost: 1, prior: {mean: 0.005, sd: 0.02}}
`

// knownProgramme is a known world in which a retention programme has acted once, on everyone as its engine decided. Nothing else was ever done after cutoff.
type knownProgramme struct {
	db     *warehouse.Warehouse
	cutoff time.Time
	churn  features.ChurnSpec
	run    warehouse.RunRow
	share  float64 // held out

	id      []string
	risk    []float64            // true probability to leave in the window if nothing is done
	effect  map[string][]float64 // of the programme's actions: true change of P(stay)
	left    map[string]bool
	turns   *actions.Turns
	decided string // CSV of the contacts that carried the decisions out
}

// openProgramme makes the world. The scores of its run are the true risks.
func openProgramme(t *testing.T, customers int) *knownProgramme {
	t.Helper()
	day, horizon := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), 84
	p := &knownProgramme{cutoff: day, share: .2, db: warehousetest.Open(t), left: map[string]bool{}, effect: map[string][]float64{}}
	p.churn = features.ChurnSpec{Setting: features.EventSetting, HorizonDays: horizon, Event: &features.EventSpec{Source: "touchpoints", Match: map[string]string{"kind": "cancelled"},
		Start: &features.EventMatch{Source: "touchpoints", Match: map[string]string{"kind": "subscribed"}}}}
	world, err := simulation.New(simulation.Options{Customers: customers, Days: 600, Seed: 11})
	if err != nil {
		t.Fatal(err)
	}
	course, err := world.Course(simulation.CourseOptions{From: day, Outcomes: 12, Futures: 48})
	if err != nil {
		t.Fatal(err)
	}
	label := simulation.Label{HorizonDays: horizon}
	var index, best []int
	var c simulation.Customer
	now := course.Ahead()
	for i := range customers {
		now.Live(i, &c)
		truth, ok := now.Truth(&c, course.Day(), label)
		if !ok {
			continue
		}
		k := 0
		for a, e := range truth.Effects {
			if e > truth.Effects[k] {
				k = a
			}
		}
		index, best = append(index, i), append(best, k)
		p.id, p.risk = append(p.id, simulation.ID(i)), append(p.risk, truth.Risk)
		p.effect["call"] = append(p.effect["call"], truth.Effects[k])
	}
	n := len(p.id)
	p.effect["mail"], p.effect[actions.DoNothing] = make([]float64, n), make([]float64, n)
	p.decide(t)
	contacts := bytes.NewBufferString("customer_id,at,contact_id,channel,class,action,decision_id\n")
	catalogue := programmeEngine(t, programmeActions).Catalogue
	for i, id := range p.id {
		action := catalogue.Actions[p.turns.Chosen(i)]
		if action.ID == actions.DoNothing {
			continue
		}
		name := simulation.Actions()[best[i]]
		if action.ID == "mail" {
			name = "nothing at all"
		}
		if err := course.Act(index[i], simulation.Treatment{Action: name, Channel: action.Channel, Class: string(action.Class)}); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(contacts, "%s,2026-01-02,k%d,%s,%s,%s,%s\n", id, i, action.Channel, action.Class, action.ID, actions.DecisionID(p.run.RunID, id))
	}
	p.decided = contacts.String()
	log := bytes.NewBufferString("customer_id,at,kind\n")
	for i, id := range p.id {
		now.Live(index[i], &c)
		left, ok := now.Left(&c, course.Day(), label)
		if !ok {
			t.Fatalf("the fate of %s is not known", id)
		}
		fmt.Fprintf(log, "%s,2025-06-01,subscribed\n", id)
		if p.left[id] = left; left {
			fmt.Fprintf(log, "%s,2026-02-01,cancelled\n", id)
		}
	}
	fmt.Fprintf(log, "last,2026-06-01,visit\n") // the data go so far
	if _, err := Import(t.Context(), ImportOptions{Warehouse: p.db, Source: "touchpoints", Path: "-", Stdin: log}); err != nil {
		t.Fatal(err)
	}
	return p
}

// decide lets the engine decide, and stores scores and decisions.
func (p *knownProgramme) decide(t *testing.T) {
	t.Helper()
	engine := programmeEngine(t, programmeActions)
	n := len(p.id)
	p.run = warehouse.RunRow{RunID: "programme", Kind: KindChurn, Cutoff: p.cutoff, Artifact: "sha256:known", Customers: uint64(n), Scored: uint64(n), FinishedAt: p.cutoff}
	round := &actions.Round{Catalogue: engine.Catalogue, RunID: p.run.RunID, Cutoff: p.cutoff, Share: p.share, Explore: true, Customer: p.id,
		Eligible: make([]uint64, n), Value: make([]float64, n), Pressure: make([]float64, n)}
	for i, risk := range p.risk {
		round.Eligible[i], round.Value[i] = 7, 10_000*risk
	}
	var err error
	if p.turns, err = round.Decide(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := make([]float64, 3)
	decision := func(i int) warehouse.DecisionRow {
		d := actions.Decision{CustomerID: p.id[i], Holdout: actions.HeldOut(p.id[i], p.cutoff, p.share), Chosen: engine.Catalogue.Actions[p.turns.Chosen(i)].ID, Value: round.Value[i]}
		p.turns.Propensities(all, i)
		for a, action := range engine.Catalogue.Actions {
			if d.Holdout && engine.Catalogue.Withheld(a) {
				d.Withheld = append(d.Withheld, actions.Withheld{Action: action.ID, Propensity: all[a]})
				continue
			}
			d.Options = append(d.Options, actions.Option{Action: action.ID, Source: actions.SourcePrior, Propensity: all[a]})
		}
		return decisionRow(p.run.RunID, &d)
	}
	shared := warehouse.DecisionRun{RunID: p.run.RunID, Cutoff: p.cutoff, Policy: "v1", Document: string(engine.Catalogue.Document()), Explore: true, Holdout: p.share, DecidedAt: p.cutoff}
	if err := p.db.PutDecisions(t.Context(), shared, n, decision); err != nil {
		t.Fatal(err)
	}
	score := func(i int) warehouse.ScoreRow {
		return warehouse.ScoreRow{CustomerID: p.id[i], Status: models.StatusScored, Probability: p.risk[i], Margin: metrics.Logit(p.risk[i])}
	}
	if err := p.db.PutScores(t.Context(), p.run.RunID, n, score); err != nil {
		t.Fatal(err)
	}
	if err := p.db.PutRun(t.Context(), p.run); err != nil {
		t.Fatal(err)
	}
}

// carryOut tells the warehouse that the decisions were carried out.
func (p *knownProgramme) carryOut(t *testing.T) {
	t.Helper()
	if _, err := Import(t.Context(), ImportOptions{Warehouse: p.db, Source: "contacts", Path: "-", Stdin: bytes.NewBufferString(p.decided)}); err != nil {
		t.Fatal(err)
	}
}

func programmeEngine(t *testing.T, text string) *actions.Engine {
	t.Helper()
	engine, err := actions.Parse([]byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return engine
}
