package uplift

import (
	"math"
	"math/rand/v2"
	"testing"

	"retain/features"
	"retain/simulation"
)

// experiment is one row per customer of the known world: what the records tell at a cutoff, and the truth.
type experiment struct {
	x        *features.Matrix
	customer []string
	risk     []float64   // of leaving, if nothing is done
	effects  [][]float64 // per action of simulation.Actions: change of P(stay)
}

// worldDays is the length of the records, worldLabel the window in which customers leave.
const worldDays = 540

var worldLabel = simulation.Label{HorizonDays: 91}

// newExperiment watches n customers, each at the first day of some month on which the product would score it.
func newExperiment(t testing.TB, n int, seed uint64, effects simulation.Effects) *experiment {
	t.Helper()
	w, err := simulation.New(simulation.Options{Customers: 4 * n, Days: worldDays, Seed: seed, Effects: effects})
	if err != nil {
		t.Fatal(err)
	}
	e := &experiment{x: &features.Matrix{}, effects: make([][]float64, len(simulation.Actions()))}
	rng := rand.New(rand.NewPCG(seed, 1))
	c := new(simulation.Customer)
	for i := 0; len(e.customer) < n; i++ {
		if i == w.Customers() {
			t.Fatalf("only %d of %d customers are ever scored", len(e.customer), n)
		}
		w.Live(i, c)
		for _, month := range rng.Perm(14) {
			day := 90 + 30*month
			truth, ok := w.Truth(c, day, worldLabel)
			if !ok {
				continue
			}
			e.customer, e.risk = append(e.customer, c.ID), append(e.risk, truth.Risk)
			for a, v := range truth.Effects {
				e.effects[a] = append(e.effects[a], v)
			}
			w.Customer(i, c)
			e.see(c, w.Time(day).UnixMilli())
			break
		}
	}
	return e
}

// see appends what the records of a customer tell at a cutoff.
func (e *experiment) see(c *simulation.Customer, cutoff int64) {
	const day = 86_400_000
	nan := math.NaN()
	j := 0
	numeric := func(name string, v float64) {
		if j == len(e.x.X) {
			e.x.X, e.x.Schema = append(e.x.X, nil), append(e.x.Schema, features.Column{Name: name})
		}
		e.x.X[j] = append(e.x.X[j], float32(v))
		j++
	}
	ago := func(at int64) float64 { return float64(cutoff-at) / day }
	var uses [4]float64 // 7, 28, 84 days, ever
	seen := map[string]bool{}
	users := map[int]bool{}
	last, failures := nan, 0.
	for _, u := range c.Usage {
		if u.Known >= cutoff || u.At >= cutoff {
			continue
		}
		seen[u.Feature] = true
		d := ago(u.At)
		uses[3]++
		for k, window := range []float64{7, 28, 84} {
			if d <= window {
				uses[k]++
			}
		}
		if d <= 28 {
			users[u.User] = true
			failures += float64(u.Errors)
		}
		if !(last <= d) {
			last = d
		}
	}
	var seats, monthly, list, end, bill, renew, old, rise float64
	for _, s := range c.Subscriptions {
		if s.Known >= cutoff || s.StartedAt >= cutoff {
			continue
		}
		if price := float64(s.MRR) / float64(s.Seats); old > 0 && ago(s.StartedAt) <= 120 {
			rise = max(rise, price/old-1)
		}
		old = float64(s.MRR) / float64(s.Seats)
		seats, monthly, list, end, bill = float64(s.Seats), float64(s.MRR), float64(s.ListMRR), -ago(s.EndsAt), float64(s.BillingDays)
		renew = 0
		if s.AutoRenew {
			renew = 1
		}
	}
	tickets, waited, open := 0., 0., 0.
	for _, k := range c.Tickets {
		if k.Known >= cutoff || ago(k.At) > 84 {
			continue
		}
		tickets++
		if reply := k.FirstReplyAt; reply != simulation.Missing && reply < cutoff {
			if reply-k.At > day {
				waited++
			}
		} else if !k.SelfServed {
			open++
		}
	}
	score, silent := nan, 0.
	for _, s := range c.Surveys {
		if s.Known >= cutoff || s.Kind != "nps" {
			continue
		}
		if s.Score == simulation.Missing {
			silent++
		} else {
			score, silent = float64(s.Score)/10_000, 0
		}
	}
	letters, contacts := 0., 0.
	for _, k := range c.Contacts {
		if k.Known >= cutoff || ago(k.At) > 28 {
			continue
		}
		if k.Action == "" {
			letters++
		} else {
			contacts++
		}
	}
	numeric("usage_count_7d", uses[0])
	numeric("usage_count_28d", uses[1])
	numeric("usage_count_84d", uses[2])
	numeric("usage_change_28d", min((uses[1]-(uses[2]-uses[1])/2)/max(uses[2]/3, 1), 10))
	numeric("usage_per_seat_28d", uses[1]/seats)
	numeric("usage_recency_days", last)
	numeric("usage_active_users_28d", float64(len(users)))
	numeric("usage_errors_28d", failures)
	numeric("usage_features_ever", float64(len(seen)))
	numeric("tenure_days", ago(c.Profile.CreatedAt))
	numeric("subscription_seats", seats)
	numeric("subscription_mrr", monthly)
	numeric("subscription_discount", 1-monthly/list)
	numeric("subscription_days_to_end", end)
	numeric("subscription_billing_days", bill)
	numeric("subscription_auto_renew", renew)
	numeric("subscription_price_rise", rise)
	numeric("support_tickets_84d", tickets)
	numeric("support_late_84d", waited)
	numeric("support_open", open)
	numeric("survey_nps_last", score)
	numeric("survey_silent", silent)
	numeric("contact_letters_28d", letters)
	numeric("contact_actions_28d", contacts)
}

// draw decides by a coin of some probability who gets an action, and by the truth who stays. Propensities are logged where it differs between customers.
func (e *experiment) draw(action int, propensity func(i int) float64, seed uint64) *Rows {
	rng := rand.New(rand.NewPCG(seed, 2))
	r := &Rows{X: e.x, Customer: e.customer}
	for i := range e.customer {
		p := propensity(i)
		treated := rng.Float64() < p
		stay := 1 - e.risk[i]
		if treated {
			stay += e.effects[action][i]
		}
		y := 0.
		if rng.Float64() < stay {
			y = 1
		}
		r.Y, r.Treated, r.Propensity = append(r.Y, y), append(r.Treated, treated), append(r.Propensity, p)
	}
	return r
}
