package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"retain/models/actions"
	"retain/simulation"
)

// figure is one run of one policy in one world. Money is in the currency of the world.
type figure struct {
	Seed    uint64             `json:"seed"`
	Effects simulation.Effects `json:"effects"`
	Policy  string             `json:"policy"`
	Run     int                `json:"run"` // from 1
	Scored  int                `json:"scored"`
	Treated int                `json:"treated"`
	Learned int                `json:"learned_actions"` // with estimates
	Value   float64            `json:"true_value"`      // Σ effect·V·lever - contact cost - P(accept)·incentive over what was done, by the truth
	Cost    float64            `json:"cost"`            // the costs within
	Saved   float64            `json:"customers_saved"` // Σ effect
	Regret  float64            `json:"regret"`          // Σ best possible - chosen, over those not held out
	Revenue float64            `json:"revenue"`         // monthly recurring revenue of the scored customers at the cutoff, as it came about
}

// logged is one decision, as the product's log has it.
type logged struct {
	i, k       int // customer, run from 0
	eligible   uint64
	chosen     int
	propensity []float64 // per action
	risk       float64   // churn_probability
	x          []float32 // decisionSchema
}

// play is one policy in one world.
type play struct {
	s      *setting
	b      *book
	m      *menu
	score  *scorer
	policy policy
	seed   uint64
	null   bool
	learn  *learner

	course  *simulation.Course
	fate    []simulation.Fate
	stale   []bool
	history [][]actions.Contact
	log     []logged
	one     simulation.Customer
	share   float64
}

func newPlay(s *setting, b *book, m *menu, score *scorer, w *simulation.World, p policy, seed uint64, null bool) (*play, error) {
	course, err := w.Course(simulation.CourseOptions{From: s.from, Outcomes: seed + 1_000_003, Futures: s.futures})
	if err != nil {
		return nil, err
	}
	y := &play{s: s, b: b, m: m, score: score, policy: p, seed: seed, null: null, course: course,
		fate: make([]simulation.Fate, s.customers), stale: make([]bool, s.customers), history: make([][]actions.Contact, s.customers)}
	for i := range y.stale {
		y.stale[i] = true
	}
	if p == learned {
		y.learn = newLearner(m)
	}
	return y, nil
}

// run decides at the k-th cutoff and tells what it was worth.
func (y *play) run(ctx context.Context, k int, effects simulation.Effects) (figure, error) {
	f := figure{Seed: y.seed, Effects: effects, Policy: y.policy.String(), Run: k + 1}
	at := y.s.training + k
	cutoff := y.s.at(k)
	day := y.b.days[at]
	rows, err := y.present(day, at)
	if err != nil {
		return f, err
	}
	f.Scored = len(rows)
	for _, i := range rows {
		f.Revenue += float64(y.b.seen[i][at].x[columnMRR])
	}
	if y.policy == nothing {
		return f, nil
	}
	risk, err := y.score.probabilities(y.b.matrix(rows, at))
	if err != nil {
		return f, err
	}
	y.share = actions.HoldoutShare(nil, len(rows))
	x := y.decisionMatrix(rows, at, risk, cutoff)
	var estimates *actions.Learned
	if y.learn != nil {
		if estimates, err = y.learn.estimates(ctx, y, k, x, rand.New(rand.NewPCG(y.seed, uint64(k)))); err != nil {
			return f, err
		}
		for _, column := range estimates.Actions {
			if column != nil {
				f.Learned++
			}
		}
	}
	w := y.course.World()
	run := fmt.Sprintf("loop %d %d", y.seed, k)
	for r, i := range rows {
		if r%256 == 0 && ctx.Err() != nil {
			return f, ctx.Err()
		}
		d, done, err := y.decide(w, i, at, deciding{run: run, cutoff: cutoff, day: day, row: r, risk: risk[r], estimates: estimates})
		if err != nil {
			return f, err
		}
		f.Value, f.Cost, f.Saved, f.Regret = f.Value+done.value, f.Cost+done.cost, f.Saved+done.saved, f.Regret+done.regret
		if d.chosen != y.m.nothing {
			f.Treated++
		}
		if y.policy == learned {
			d.k = k
			d.x = rowOf(x, r)
			y.log = append(y.log, d)
		}
	}
	return f, nil
}

// present lists the customers whom the product would score on a day, and sees to it that they are in the book at a cutoff.
func (y *play) present(day, at int) ([]int, error) {
	var rows []int
	w := y.course.World()
	for i := range y.s.customers {
		if y.stale[i] {
			w.Live(i, &y.one)
			y.fate[i], y.stale[i] = w.Fate(&y.one), false
		}
		if !y.fate[i].Scored(day, label) {
			continue
		}
		if y.b.seen[i] == nil || y.b.seen[i][at].x == nil || y.b.people[i] == nil {
			y.b.fill(y.course.Ahead(), i, y.b.ms[y.s.training])
			if _, err := y.b.at(i, at); err != nil {
				return nil, err
			}
		}
		if y.history[i] == nil {
			y.history[i] = append(make([]actions.Contact, 0, len(y.b.people[i].past)+y.s.runs), y.b.people[i].past...)
		}
		rows = append(rows, i)
	}
	return rows, nil
}

// deciding is what a decision depends on beside the customer.
type deciding struct {
	run       string
	cutoff    time.Time
	day, row  int
	risk      float64
	estimates *actions.Learned
}

// done is what a decision was worth, by the truth.
type done struct{ value, cost, saved, regret float64 }

// decide chooses for one customer and does it.
func (y *play) decide(w *simulation.World, i, at int, q deciding) (logged, done, error) {
	seen := &y.b.seen[i][at]
	id := simulation.ID(i)
	c := actions.Customer{
		Facts: actions.Facts{Status: "scored", Probability: q.risk, Value: y.m.value.Value(float64(seen.x[columnMRR])), OpenTickets: seen.openTickets},
		Contactable: actions.Contactable{OpenTickets: seen.openTickets, TicketChannel: seen.ticket, Refused: y.b.people[i].refused},
	}
	catalogue := y.m.engine.Catalogue
	n := len(catalogue.Actions)
	reasons := make([]string, n)
	d := logged{i: i, chosen: y.m.nothing, risk: q.risk, propensity: make([]float64, n)}
	d.eligible = y.m.engine.Consider(reasons, &c, y.history[i], q.cutoff)
	t := turn{eligible: d.eligible, value: c.Value, pressure: catalogue.Policy.Pressure(y.history[i], q.cutoff), share: y.share,
		held: actions.HeldOut(id, q.cutoff, y.share), draw: actions.Draw(q.run, id), estimates: q.estimates, row: q.row}
	if d.eligible == 1<<y.m.nothing {
		d.propensity[y.m.nothing] = 1
		return d, done{}, nil
	}
	w.Live(i, &y.one)
	var effects []float64
	if !y.null {
		truth, ok := w.Truth(&y.one, q.day, label)
		if !ok {
			return d, done{}, fmt.Errorf("customer %s has no truth on day %d", id, q.day)
		}
		effects = truth.Effects
	}
	worth := make([]float64, n)
	y.m.worth(worth, d.eligible, effects, c.Value, w.Accepts(&y.one, q.day))
	best := y.m.best(worth)
	switch {
	case y.policy == oracle && t.held:
	case y.policy == oracle:
		d.chosen = best
	default:
		d.chosen = y.m.choose(d.propensity, t)
	}
	out := done{value: worth[d.chosen]}
	if !t.held {
		out.regret = worth[best] - worth[d.chosen]
	}
	if d.chosen == y.m.nothing {
		return d, out, nil
	}
	if a := y.m.world[d.chosen]; a >= 0 && effects != nil {
		out.saved = effects[a]
	}
	act := &catalogue.Actions[d.chosen]
	out.cost = out.saved*c.Value*act.Lever - out.value
	treatment := simulation.Treatment{Action: act.ID, Channel: act.Channel, Class: string(act.Class), Campaign: y.policy.String(), Decision: actions.DecisionID(q.run, id)}
	if err := y.course.Act(i, treatment); err != nil {
		return d, out, err
	}
	y.stale[i] = true
	met := w.Meet(&y.one, q.day)
	y.history[i] = append(y.history[i], actions.Contact{At: met.At, Channel: act.Channel, Class: act.Class, Action: act.ID,
		Ignored: met.Outcome == "ignored"}) // the answer is known long before the next run
	return d, out, nil
}
