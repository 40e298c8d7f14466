package actions

import (
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"retain/models"
)

// answered is a decision of the shipped catalogue with three actions beside nothing.
func answered(t *testing.T, chosen string) (*Deciding, *Decision, Answer) {
	t.Helper()
	e, err := Default(nil)
	if err != nil {
		t.Fatal(err)
	}
	return answeredBy(e, chosen, 2000)
}

// answeredBy is that of a customer of some value.
func answeredBy(e *Engine, chosen string, value float64) (*Deciding, *Decision, Answer) {
	d := &Deciding{RunID: "r", Cutoff: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), Explore: true, Share: .2, Catalogue: e.Catalogue}
	made := &Decision{CustomerID: "c", Chosen: chosen, Value: value, Pressure: .5}
	for k := range e.Catalogue.Actions {
		a := &e.Catalogue.Actions[k]
		p, ok := map[string]float64{DoNothing: .3, "save_call": .4, "perk": .2, "survey": .1}[a.ID]
		if !ok {
			made.Suppressed = append(made.Suppressed, Suppressed{a.ID, "rule: it does not hold"})
			continue
		}
		made.Options = append(made.Options, Option{Action: a.ID, Channel: a.Channel, Source: SourcePrior, Terms: e.Catalogue.Terms(k, value, .5), Propensity: p})
	}
	return d, made, d.Answer(made, new(models.Score))
}

func propensities(a *Answer) map[string]float64 {
	p := map[string]float64{}
	for _, x := range a.Actions {
		p[x.Action] = math.Round(x.Propensity*1e9) / 1e9
	}
	return p
}

func TestContext(t *testing.T) {
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	// By priority: save_call 65, perk 30.6, survey 3.9.
	for name, x := range map[string]struct {
		chosen  string
		context Context
		want    string
		p       map[string]float64
	}{
		"nothing is known":                  {"save_call", Context{}, "save_call", map[string]float64{"do_nothing": .3, "save_call": .4, "perk": .2, "survey": .1}},
		"another action falls away":         {"perk", Context{Exclude: []string{"survey"}}, "perk", map[string]float64{"do_nothing": .3, "save_call": .5, "perk": .2}},
		"the chosen action falls away":      {"save_call", Context{Exclude: []string{"save_call"}}, "perk", map[string]float64{"do_nothing": .3, "perk": .6, "survey": .1}},
		"nobody answers the phone":          {"save_call", Context{Unreachable: []string{"phone"}}, "perk", map[string]float64{"do_nothing": .3, "perk": .6, "survey": .1}},
		"nothing was drawn":                 {DoNothing, Context{Exclude: []string{"save_call"}}, DoNothing, map[string]float64{"do_nothing": .3, "perk": .6, "survey": .1}},
		"everything falls away":             {"perk", Context{Exclude: []string{"save_call", "perk", "survey"}}, DoNothing, map[string]float64{"do_nothing": 1}},
		"a ticket is open":                  {"perk", Context{OpenTicket: "chat"}, "answer_ticket", map[string]float64{"do_nothing": 0, "answer_ticket": 1}},
		"a ticket that cannot be answered":  {"perk", Context{OpenTicket: "chat", Unreachable: []string{"chat"}}, DoNothing, map[string]float64{"do_nothing": 1}},
		"a ticket that is answered already": {"perk", Context{OpenTicket: "chat", Exclude: []string{"answer_ticket"}}, DoNothing, map[string]float64{"do_nothing": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			d, made, a := answered(t, x.chosen)
			listed := len(a.Actions) + len(a.Suppressed)
			d.Apply(&x.context, &a, made, new(models.Score), now)
			got := propensities(&a)
			if a.Chosen != x.want || a.Actions[0].Action != x.want || len(got) != len(x.p) {
				t.Fatalf("chosen %s, %v", a.Chosen, got)
			}
			for action, p := range x.p {
				if got[action] != p {
					t.Errorf("propensity of %s %v, want %v", action, got[action], p)
				}
			}
			if len(a.Actions)+len(a.Suppressed) != listed {
				t.Errorf("%d actions and %d suppressed, were %d", len(a.Actions), len(a.Suppressed), listed)
			}
			if a.Explored != (x.want == x.chosen) {
				t.Errorf("explored %v", a.Explored)
			}
			if a.Chosen == "answer_ticket" && (a.Actions[0].Channel != "chat" || a.Actions[0].Message == "" || !a.Actions[0].ExpiresAt.Equal(now.AddDate(0, 0, 1))) {
				t.Errorf("the answer %+v", a.Actions[0])
			}
		})
	}
}

// TestContextIsExact asks in every context what is answered for each action that might have been drawn: the propensities that are told, whichever was, are the
// probabilities of the answers, by the law of total probability.
func TestContextIsExact(t *testing.T) {
	e, err := Default(nil)
	if err != nil {
		t.Fatal(err)
	}
	drawn := map[string]float64{DoNothing: .3, "save_call": .4, "perk": .2, "survey": .1}
	subsets := func(of ...string) (all [][]string) {
		for code := range 1 << len(of) {
			var some []string
			for i, x := range of {
				if code>>i&1 == 1 {
					some = append(some, x)
				}
			}
			all = append(all, some)
		}
		return all
	}
	asked := 0
	for _, value := range []float64{2000, 60, 2, math.NaN()} { // poor customers: most is worth less than nothing; and without money all that saves counts
		for _, exclude := range subsets("save_call", "perk", "survey", "answer_ticket") {
			for _, unreachable := range subsets("phone", "in_app", "email", "chat") {
				for _, ticket := range []string{"", "chat"} {
					context := Context{Exclude: exclude, Unreachable: unreachable, OpenTicket: ticket}
					var told map[string]float64
					frequency := map[string]float64{}
					for chosen, p := range drawn {
						d, made, a := answeredBy(e, chosen, value)
						d.Apply(&context, &a, made, new(models.Score), d.Cutoff)
						frequency[a.Chosen] += p
						if got := propensities(&a); told == nil {
							told = got
						} else if !maps.Equal(told, got) {
							t.Errorf("%+v: what is told depends on what was drawn: %v, %v", context, told, got)
						}
						asked++
					}
					for action, p := range told {
						if math.Abs(frequency[action]-p) > 1e-9 {
							t.Errorf("value %v, %+v: %s is answered with %.4f, told %.4f", value, context, action, frequency[action], p)
						}
						delete(frequency, action)
					}
					if len(frequency) > 0 {
						t.Errorf("value %v, %+v: answered and not told: %v", value, context, frequency)
					}
				}
			}
		}
	}
	if asked != 4*16*16*2*4 {
		t.Errorf("%d answers", asked)
	}
}

func TestContextNamesWhatThereIs(t *testing.T) {
	d, _, _ := answered(t, DoNothing)
	for want, x := range map[string]Context{"no action nix": {Exclude: []string{"nix"}}, "always possible": {Exclude: []string{DoNothing}}, "no channel fax": {Unreachable: []string{"fax"}}, "": {Exclude: []string{"perk"}, Unreachable: []string{"phone"}, OpenTicket: "mail"}} {
		if got := x.Unknown(d.Catalogue); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%+v: %q, want %q", x, got, want)
		}
	}
}

// TestPlanForABudget compares with every possible plan of a few customers.
func TestPlanForABudget(t *testing.T) {
	d, _, _ := answered(t, DoNothing)
	p := NewPlanning(d.Catalogue)
	values := []float64{400, 900, 2000, 5000}
	for i, value := range values {
		made := &Decision{CustomerID: string(rune('a' + i)), Value: value, Pressure: .5}
		for _, id := range []string{DoNothing, "save_call", "perk"} {
			k := d.Catalogue.Index(id)
			made.Options = append(made.Options, Option{Action: id, Channel: d.Catalogue.Actions[k].Channel, Source: SourcePrior, Terms: d.Catalogue.Terms(k, value, .5)})
		}
		if err := p.Add(made, "d"+made.CustomerID); err != nil {
			t.Fatal(err)
		}
	}
	waiting := &Decision{CustomerID: "w", Value: math.NaN(), Options: []Option{{Action: "answer_ticket", Channel: "chat", Terms: Terms{Priority: .05}}, {Action: "perk", Terms: Terms{Priority: 1}}}}
	unknown := &Decision{CustomerID: "u", Value: math.NaN(), Holdout: true, Options: []Option{{Action: DoNothing}}}
	for _, made := range []*Decision{waiting, unknown} {
		if err := p.Add(made, made.CustomerID); err != nil {
			t.Fatal(err)
		}
	}
	call, perk := d.Catalogue.Index("save_call"), d.Catalogue.Index("perk")
	for _, budget := range []float64{0, 10, 20, 40, math.Inf(1)} {
		best := 0.0
		for code := range 81 { // nothing, call or perk for each
			var worth, cost float64
			calls := 0
			for i, rest := 0, code; i < 4; i, rest = i+1, rest/3 {
				if k := []int{-1, call, perk}[rest%3]; k >= 0 {
					worth += d.Catalogue.Terms(k, values[i], .5).Priority
					cost += d.Catalogue.Actions[k].Spend()
					calls += b2i(k == call)
				}
			}
			if cost <= budget && calls <= 2 {
				best = max(best, worth)
			}
		}
		plan, err := p.Allot(t.Context(), budget, map[string]int{"save_call": 2})
		if err != nil {
			t.Fatal(err)
		}
		if plan.Expected > best+1e-9 || plan.Bound < best-1e-3 || plan.Cost > budget+1e-9 || plan.Expected < best*(1-plan.Gap)-1e-3 {
			t.Errorf("budget %v: %v for %v, bound %v, gap %v; the best is %v", budget, plan.Expected, plan.Cost, plan.Bound, plan.Gap, best)
		}
		if plan.Bound < plan.Expected || budget == 0 && (plan.Bound != 0 || plan.Gap != 0) || plan.Gap < 0 || plan.Gap > 1 {
			t.Errorf("budget %v: %v is worth more than the bound %v, or nothing is within reach; gap %v", budget, plan.Expected, plan.Bound, plan.Gap)
		}
		if plan.Duties != 1 || plan.DutyCost != 8 || plan.HeldOut != 1 || plan.WithoutValue != 0 || !plan.Items[0].Duty || plan.Items[0].Expected != 0 {
			t.Errorf("budget %v: %+v", budget, plan)
		}
		again, err := p.Allot(t.Context(), budget, map[string]int{"save_call": 2})
		if err != nil || !slices.Equal(again.Items, plan.Items) {
			t.Errorf("the second plan is another one: %v", err)
		}
	}
	for _, id := range []string{"nix", DoNothing, "answer_ticket"} {
		if _, err := p.Allot(t.Context(), 1, map[string]int{id: 2}); !errors.Is(err, ErrPlan) {
			t.Errorf("a capacity of %s is taken: %v", id, err)
		}
	}
}

// Who waits for an answer that the run has no place for does not get it from a plan's limits, whose places are for what is not a duty.
func TestPlanKeepsThePlacesOfDuties(t *testing.T) {
	d, _, _ := answered(t, DoNothing)
	answer := d.Catalogue.Index("answer_ticket")
	d.Catalogue.Actions[answer].Capacity = new(1)
	p := NewPlanning(d.Catalogue)
	made := &Decision{CustomerID: "late", Value: 2000, Options: []Option{{Action: DoNothing}}, Suppressed: []Suppressed{{"answer_ticket", "capacity: 1 a day are spoken for"}}}
	if err := p.Add(made, "d"); err != nil {
		t.Fatal(err)
	}
	plan, err := p.Allot(t.Context(), math.Inf(1), nil)
	if err != nil || plan.Duties != 0 || plan.Assigned != 0 || len(plan.Items) != 0 {
		t.Errorf("%+v, %v", plan, err)
	}
}
