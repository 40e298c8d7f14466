package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"retain/models"
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
	Value   float64            `json:"true_value"`      // Σ chance·(effect·V·lever - contact cost - P(accept)·incentive) over actions and those not held out, by the truth
	Cost    float64            `json:"cost"`            // the costs within Value
	Saved   float64            `json:"customers_saved"` // Σ chance·effect
	Regret  float64            `json:"regret"`          // of the best plan by the truth, over Value
	Revenue float64            `json:"revenue"`         // monthly recurring revenue of the scored customers at the cutoff, as it came about
}

// logged is one decision, as the product's log has it.
type logged struct {
	i, k       int // customer, run from 0
	eligible   uint64
	chosen     int
	propensity []float64 // per action
	risk       float64   // of churn, by the score
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
	stale   []bool                 // the fate is that of before the last treatment
	life    []*simulation.Customer // of those who are scored and not stale; nil = to be lived again
	history [][]actions.Contact
	log     []logged
}

// newPlay begins a play; like, unless nil, is one of the same world that treats nobody.
func newPlay(s *setting, b *book, m *menu, score *scorer, w *simulation.World, p policy, seed uint64, null bool, like *play) (*play, error) {
	course, err := w.Course(simulation.CourseOptions{From: s.from, Outcomes: seed + 1_000_003, Futures: s.futures})
	if err != nil {
		return nil, err
	}
	y := &play{s: s, b: b, m: m, score: score, policy: p, seed: seed, null: null, course: course,
		fate: make([]simulation.Fate, s.customers), stale: make([]bool, s.customers), life: make([]*simulation.Customer, s.customers),
		history: make([][]actions.Contact, s.customers)}
	for i := range y.stale {
		y.stale[i] = like == nil
	}
	if like != nil {
		copy(y.fate, like.fate)
	}
	if p == learned {
		if y.learn, err = newLearner(m); err != nil {
			return nil, err
		}
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
	x := y.decisionMatrix(rows, at, risk, cutoff)
	var estimates *actions.Learned
	if y.learn != nil {
		if estimates, err = y.learn.estimates(ctx, y, k, x, risk, rand.New(rand.NewPCG(y.seed, uint64(k)))); err != nil {
			return f, err
		}
		for _, column := range estimates.Actions {
			if column != nil {
				f.Learned++
			}
		}
	}
	c, err := y.consider(ctx, rows, at, risk)
	if err != nil {
		return f, err
	}
	best, most, err := y.m.best(ctx, c.worth, c.held)
	if err != nil {
		return f, err
	}
	c.round.Learned = estimates
	turns, err := c.round.Decide(ctx)
	if err != nil {
		return f, err
	}
	f.Regret = most
	chance := make([]float64, len(y.m.engine.Catalogue.Actions))
	for r, i := range rows {
		chosen := turns.Chosen(r)
		if y.policy == oracle {
			chosen = best[r]
		}
		clear(chance)
		chance[chosen] = 1
		if y.policy != oracle {
			turns.Propensities(chance, r)
		}
		if y.policy == learned {
			y.log = append(y.log, logged{i: i, k: k, eligible: turns.Open(r), chosen: chosen, propensity: slices.Clone(chance), risk: risk[r], x: rowOf(x, r)})
		}
		if !c.held[r] {
			if y.policy != oracle {
				for a := range chance {
					chance[a] /= 1 - c.round.Share // given that the customer is not held out
				}
			}
			f.add(c, y.m, r, chance)
		}
		if chosen == y.m.nothing {
			continue
		}
		f.Treated++
		if err := y.act(i, chosen, c.round); err != nil {
			return f, err
		}
	}
	f.Regret -= f.Value
	return f, nil
}

// present lists the customers whom the product would score on a day, and sees to it that they are in the book at a cutoff.
func (y *play) present(day, at int) ([]int, error) {
	var rows []int
	w := y.course.World()
	for i := range y.s.customers {
		if y.stale[i] {
			one := y.lived(w, i)
			y.fate[i], y.stale[i] = w.Fate(one), false
		}
		if !y.fate[i].Scored(day, label) {
			y.life[i] = nil
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

// lived is the life of a customer as the course stands.
func (y *play) lived(w *simulation.World, i int) *simulation.Customer {
	one := y.life[i]
	if one == nil || y.stale[i] {
		if one == nil {
			one = new(simulation.Customer)
		}
		w.Live(i, one)
		y.life[i] = one
	}
	return one
}

// add adds what a customer who is not held out brings, by the truth: the mean over what the policy could have drawn with these chances, so
// that the luck of the draw is not taken for the worth of the policy.
func (f *figure) add(c *considered, m *menu, r int, chance []float64) {
	for a, p := range chance {
		if a == m.nothing || p == 0 {
			continue
		}
		effect := c.effect(m, r, a)
		f.Value += p * c.worth[r][a]
		f.Saved += p * effect
		f.Cost += p * (effect*c.round.Value[r]*m.engine.Catalogue.Actions[a].Lever - c.worth[r][a])
	}
}

// considered is what a run decides from, and the truth of it.
type considered struct {
	round   *actions.Round
	held    []bool
	effects [][]float64 // per scored customer, by actions of the world; nil = nothing works, or nothing is eligible
	worth   [][]float64 // per scored customer, by actions of the catalogue; NaN = not eligible
}

// effect is the true effect of an action.
func (c *considered) effect(m *menu, r, action int) float64 {
	if w := m.world[action]; w >= 0 && c.effects[r] != nil {
		return c.effects[r][w]
	}
	return 0
}

// consider finds what each scored customer may get, by the product's rules, and what it would truly bring.
func (y *play) consider(ctx context.Context, rows []int, at int, risk []float64) (*considered, error) {
	n, actionsOf := len(rows), len(y.m.engine.Catalogue.Actions)
	cutoff, day := time.UnixMilli(y.b.ms[at]).UTC(), y.b.days[at]
	c := &considered{held: make([]bool, n), effects: make([][]float64, n), worth: make([][]float64, n), round: &actions.Round{
		Catalogue: y.m.engine.Catalogue, RunID: fmt.Sprintf("loop %d %d", y.seed, at), Cutoff: cutoff, Share: actions.HoldoutShare(nil, n), Explore: true,
		Customer: make([]string, n), Eligible: make([]uint64, n), Value: make([]float64, n), Pressure: make([]float64, n), Row: make([]int32, n),
	}}
	w := y.course.World()
	reasons := make([]string, actionsOf)
	for r, i := range rows {
		if r%256 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		seen, id := &y.b.seen[i][at], simulation.ID(i)
		value := y.m.value.Value(float64(seen.x[columnMRR]))
		who := actions.Customer{
			Facts:       actions.Facts{Status: models.StatusScored, Probability: risk[r], Value: value, OpenTickets: seen.openTickets},
			Contactable: actions.Contactable{OpenTickets: seen.openTickets, TicketChannel: seen.ticket, Refused: y.b.people[i].refused},
		}
		q := c.round
		q.Customer[r], q.Value[r], q.Row[r] = id, value, int32(r)
		q.Eligible[r] = y.m.engine.Consider(reasons, &who, y.history[i], cutoff)
		q.Pressure[r] = q.Catalogue.Policy.Pressure(y.history[i], cutoff)
		c.held[r] = actions.HeldOut(id, cutoff, q.Share)
		one := y.lived(w, i)
		if !y.null && q.Eligible[r] != 1<<y.m.nothing {
			truth, ok := w.Truth(one, day, label)
			if !ok {
				return nil, fmt.Errorf("customer %s has no truth on day %d", id, day)
			}
			c.effects[r] = slices.Clone(truth.Effects)
		}
		c.worth[r] = make([]float64, actionsOf)
		y.m.worth(c.worth[r], q.Eligible[r], c.effects[r], value, w.Accepts(one, day))
	}
	return c, nil
}

// act does what was chosen for a customer, in the world and in the history that the next run sees.
func (y *play) act(i, chosen int, q *actions.Round) error {
	act := &q.Catalogue.Actions[chosen]
	treatment := simulation.Treatment{Action: act.ID, Channel: act.Channel, Class: string(act.Class), Campaign: y.policy.String(),
		Decision: actions.DecisionID(q.RunID, simulation.ID(i))}
	w := y.course.World()
	met := w.Meet(y.lived(w, i), y.course.Day())
	if err := y.course.Act(i, treatment); err != nil {
		return err
	}
	y.stale[i] = !y.null // in the null world what is done changes no life
	y.history[i] = append(y.history[i], actions.Contact{At: met.At, Channel: act.Channel, Class: act.Class, Action: act.ID,
		Ignored: met.Outcome == "ignored"}) // the answer is known long before the next run
	return nil
}
