package training

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"retain/features"
	"retain/internal/spoken"
	"retain/internal/warehouse"
	"retain/models/actions"
)

// Guard keeps what a retention programme does out of what the churn model learns. The model tells the risk of a customer to whom nothing marketing or
// proactive is done in [T, T+L+H); once decisions are carried out, who was treated in that window tells nothing of it, and the others stand for those like
// them: each with the weight 1/P(nothing was done to him), at most 20. Treated is for whom such an action was decided, or who was contacted so.
//
// Windows without a logged decision stay as they are, and so do those whose decisions nobody carried out: no outcome was told of them, and no contact names a
// decision or one of their actions. Every run decides, whether anybody acts on it or not.
//
// Contacts of class marketing that no decision explains have no propensity to weigh by. They make their customers treated as long as they reach less than
// half of those about whom decisions were made; what most get anyway, such as a newsletter, is what doing nothing means here.
//
// The control group of a quarter is drawn once, so that its share h counts once for all decisions of the quarter: P(nothing) = h + (1-h) ∏ π₀, π₀ the
// probability of each decision, not held out, to do nothing marketing or proactive; quarters multiply.
type Guard struct {
	store *features.Store
	runs  []guardRun
	kept  map[guardKey]*Untreated
}

// guardRun is a run with the actions that its catalogue withholds from the control group.
type guardRun struct {
	warehouse.DecisionRun
	withheld []string
}

type guardKey struct{ from, until, known int64 }

// maxGuardWeight bounds what an untreated row stands for (decisions.md §4).
const maxGuardWeight = 20

// NewGuard looks which decisions are logged.
func NewGuard(ctx context.Context, store *features.Store) (*Guard, error) {
	runs, err := store.DB.DecisionRuns(ctx)
	if err != nil {
		return nil, err
	}
	g := &Guard{store: store, kept: map[guardKey]*Untreated{}}
	for _, run := range runs {
		withheld, err := withheldOf(run)
		if err != nil {
			return nil, err
		}
		run.Document = ""
		g.runs = append(g.runs, guardRun{run, withheld})
	}
	return g, nil
}

// Untreated tells who was left alone in a label window that decisions fall into. A nil one knows of no decision: everybody counts, with weight 1.
type Untreated struct {
	treated map[string]bool    // true: a decision says so; false: a contact alone
	nothing map[string]float64 // P(nothing was done) where it is below 1
}

// Weight is that of a customer's row in [1, 20]; ok is false for who was treated.
func (u *Untreated) Weight(customer string) (weight float64, ok bool) {
	if u == nil {
		return 1, true
	}
	if _, treated := u.treated[customer]; treated {
		return 0, false
	}
	if p, known := u.nothing[customer]; known {
		return min(maxGuardWeight, 1/p), true
	}
	return 1, true
}

// Of tells who was left alone in [cutoff, cutoff+L+H), by decisions, and by contacts of the source known before an instant (the zero time: all of them): those
// of class marketing, and those of an action that the control group does not get. nil where no logged decision falls into the window, or none was carried out.
func (g *Guard) Of(ctx context.Context, churn features.ChurnSpec, cutoff, knownBefore time.Time) (*Untreated, error) {
	if g == nil || len(g.runs) == 0 {
		return nil, nil
	}
	until := cutoff.AddDate(0, 0, churn.GapDays+churn.HorizonDays)
	key := guardKey{cutoff.UnixMilli(), until.UnixMilli(), knownBefore.UnixMilli()}
	if u, ok := g.kept[key]; ok {
		return u, nil
	}
	u, err := g.read(ctx, cutoff, until, knownBefore)
	if err != nil {
		return nil, fmt.Errorf("who was treated after %s: %w", day(cutoff), err)
	}
	g.kept[key] = u
	return u, nil
}

func (g *Guard) read(ctx context.Context, from, until, knownBefore time.Time) (*Untreated, error) {
	groups := g.groups(from, until)
	if len(groups) == 0 {
		return nil, nil
	}
	u := &Untreated{treated: map[string]bool{}, nothing: map[string]float64{}}
	var withheld, runs []string
	for _, group := range groups {
		withheld, runs = append(withheld, group.Actions...), append(runs, group.Runs...)
	}
	slices.Sort(withheld)
	withheld = slices.Compact(withheld)
	contacts, err := contactsIn(ctx, g.store, contactWindow{from, until, knownBefore, withheld})
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(slices.Collect(maps.Values(contacts)), func(c contacted) bool { return c.ofDecision }) {
		if told, err := g.store.DB.CarriedOut(ctx, runs, withheld); err != nil || !told {
			return nil, err
		}
	}
	for len(groups) > 0 { // the groups of a quarter follow each other, the smallest share first
		n := 1
		for n < len(groups) && groups[n].quarter.Equal(groups[0].quarter) {
			n++
		}
		quarter := make(map[string][]float64) // by customer: ∏ π₀ of each group
		for k, group := range groups[:n] {
			list, err := g.store.DB.Treatments(ctx, group.TreatmentGroup)
			if err != nil {
				return nil, err
			}
			for _, t := range list {
				if t.Chosen {
					u.treated[t.CustomerID] = true
				}
				if quarter[t.CustomerID] == nil {
					quarter[t.CustomerID] = slices.Repeat([]float64{1}, n)
				}
				quarter[t.CustomerID][k] = t.Nothing
			}
		}
		for id, product := range quarter {
			p, known := u.nothing[id]
			if !known {
				p = 1
			}
			u.nothing[id] = p * spared(groups[:n], product)
		}
		groups = groups[n:]
	}
	u.mark(contacts)
	return u, nil
}

// mark adds those who were contacted; contacts of no decision only where they reach less than half of those about whom decisions were made.
func (u *Untreated) mark(contacts map[string]contacted) {
	reached := 0
	for id := range u.nothing {
		if c, ok := contacts[id]; ok && !c.ofDecision {
			reached++
		}
	}
	usual := 2*reached >= len(u.nothing)
	for id, c := range contacts {
		if _, known := u.treated[id]; !known && (c.ofDecision || !usual) {
			u.treated[id] = false
		}
	}
}

// Unexplained tells whether a treated customer was contacted without a logged decision to do so.
func (u *Untreated) Unexplained(customer string) bool {
	if u == nil {
		return false
	}
	decided, treated := u.treated[customer]
	return treated && !decided
}

// guardGroup is the runs of a quarter that share one treatment group.
type guardGroup struct {
	warehouse.TreatmentGroup
	quarter time.Time // its begin
}

// groups are the runs in [from, until) by quarter, share held out (the smallest first) and actions withheld.
func (g *Guard) groups(from, until time.Time) []guardGroup {
	var out []guardGroup
	for _, run := range g.runs {
		if !run.Cutoff.Before(from) && run.Cutoff.Before(until) {
			out = joinGroups(out, run)
		}
	}
	slices.SortStableFunc(out, func(a, b guardGroup) int {
		return cmp.Or(a.quarter.Compare(b.quarter), cmp.Compare(a.Holdout, b.Holdout))
	})
	return out
}

// joinGroups puts a run, later than all others, into its group.
func joinGroups(groups []guardGroup, run guardRun) []guardGroup {
	quarter := actions.Quarter(run.Cutoff)
	k := slices.IndexFunc(groups, func(o guardGroup) bool {
		return o.quarter.Equal(quarter) && o.Holdout == run.Holdout && slices.Equal(o.Actions, run.withheld)
	})
	if k < 0 {
		k = len(groups)
		groups = append(groups, guardGroup{warehouse.TreatmentGroup{Holdout: run.Holdout, Actions: run.withheld, Cutoffs: [2]time.Time{run.Cutoff, run.Cutoff}}, quarter})
	}
	groups[k].Runs, groups[k].Cutoffs[1] = append(groups[k].Runs, run.RunID), run.Cutoff
	return groups
}

// spared is the probability that nothing was done in a quarter: a customer whose keyed number u falls below a run's share is held out of it, so that
// P = ∫ ∏ over the groups with share ≤ u of π₀ du. The groups come by rising share.
func spared(groups []guardGroup, product []float64) float64 {
	sum, below, all := 0., 0., 1. // all: ∏ of the groups that do not hold out who lies above
	for k, g := range groups {
		sum += (g.Holdout - below) * all
		below = g.Holdout
		all *= product[k]
	}
	return sum + (1-below)*all
}

// withheldOf are the actions that the catalogue of a run does not give to the control group.
func withheldOf(run warehouse.DecisionRun) ([]string, error) {
	c, err := actions.Decode([]byte(run.Document))
	if err != nil {
		return nil, fmt.Errorf("decisions of run %s: %w", run.RunID, err)
	}
	var withheld []string
	for i := range c.Actions {
		if c.Withheld(i) {
			withheld = append(withheld, c.Actions[i].ID)
		}
	}
	return withheld, nil
}

// Guarded is what the guard did to the training rows.
type Guarded struct {
	Cutoffs   int     `json:"cutoffs"`     // whose window decisions fall into
	Treated   int     `json:"treated"`     // labelled rows there that are left out
	Untreated int     `json:"untreated"`   // that are kept
	Strangers int     `json:"unexplained"` // treated by contacts that no logged decision explains: nobody stands for them
	Largest   float64 `json:"largest_weight"`
}

func (g *Guarded) String() string {
	words := fmt.Sprintf("decisions fall into the label windows of %s: %s of treated customers left out, %d of untreated ones stand for them with weights up to %.3g; the model tells the risk if nothing marketing or proactive is done",
		spoken.Counted(g.Cutoffs, "cutoff"), spoken.Counted(g.Treated, "row"), g.Untreated, g.Largest)
	if g.Strangers > 0 {
		words += fmt.Sprintf("; %d of the treated were contacted without a logged decision, so that nobody stands for them", g.Strangers)
	}
	return words
}
