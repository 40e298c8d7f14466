package pipelines

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
	"time"

	"retain/features"
	"retain/internal/spoken"
	"retain/internal/warehouse"
	"retain/models/actions"
	"retain/models/offpolicy"
	"retain/training/metrics"
)

// PolicyDecisionsOptions say which policy to judge from the logged decisions.
type PolicyDecisionsOptions struct {
	DB      *warehouse.Warehouse // required
	Sources features.Sources
	Churn   features.ChurnSpec // what staying means: the reward, from the decision on (FromDecision)
	Engine  *actions.Engine    // of the new policy; required
	Holdout *float64           // of the new policy; nil: as in the logged runs. It is at least that: whom the log holds out stays so
	Budget  *float64           // of the new policy in a run, as the catalogue prices its actions; nil: no limit
	Plan    bool               // the new policy chooses the greatest priority instead of exploring

	offpolicy.Options
}

// ErrNothingMature says that no logged decision is old enough to know who stayed.
var ErrNothingMature = errors.New("no decision has matured")

// PolicyRun is a run whose decisions were weighed.
type PolicyRun struct {
	RunID  string    `json:"run_id"`
	Cutoff time.Time `json:"cutoff"`
	Policy string    `json:"policy"` // version
	Rows   int       `json:"rows"`   // customers whose label is known
}

// EvaluatePolicyDecisions tells how many more customers a new catalogue of actions would have kept, from the logged decisions and who stayed. One decision
// of a customer counts per horizon: runs at least so far apart, counted back from the newest whose labels are known. What the new policy would have
// chosen is computed from the logged terms: who could get which action is taken as it was.
//
// The control group of a quarter is drawn once, whatever policy decides, and each row tells who is in it. So both policies' probabilities are those given that:
// whoever is held out gets nothing for certain under both and weighs 1, for the others the share held out does not count. This is so on any day of the
// quarter, whatever was decided before and will be after.
// Errors: ErrNothingMature; *offpolicy.RefusedError with the report; of the warehouse.
func EvaluatePolicyDecisions(ctx context.Context, o PolicyDecisionsOptions) (*PolicyReport, error) {
	o.Churn = o.Churn.FromDecision()
	runs, err := o.DB.DecisionRuns(ctx)
	if err != nil {
		return nil, err
	}
	store := &features.Store{DB: o.DB, Sources: o.Sources}
	if runs, err = mature(ctx, store, o.Churn, runs); err != nil {
		return nil, err
	}
	l := &policyLog{o: o, store: store, log: &offpolicy.Log{Customer: []string{}}, place: map[string]int{}, changed: map[string]bool{}}
	l.log.X = &features.Matrix{Schema: features.Schema{{Name: "churn_probability"}, {Name: "value"}, {Name: "pressure"}}, X: make([][]float32, 3)}
	report := &PolicyReport{Log: "decisions", Reward: "customer kept", Refused: []PolicyRefusal{}, Notes: []string{}, Verdict: []string{}}
	report.Policy = "a catalogue of " + spoken.Counted(len(o.Engine.Catalogue.Actions), "action")
	for _, run := range runs {
		before := l.log.Rows()
		if err := l.add(ctx, run); err != nil {
			return nil, fmt.Errorf("decisions of run %s: %w", run.RunID, err)
		}
		report.Runs = append(report.Runs, PolicyRun{run.RunID, run.Cutoff, run.Policy, l.log.Rows() - before})
	}
	n := float64(l.log.Rows())
	if n == 0 {
		return nil, fmt.Errorf("%w: none of the customers decided about has a known label", ErrNothingMature)
	}
	l.finish()
	policy := offpolicy.Policy{Each: l.now}
	report.Shares = actionShares(l.log, policy)
	report.Cost = &PolicyCost{metrics.Figure(l.spent / n), metrics.Figure(l.spends / n)}
	report.Notes = append(report.Notes, l.notes()...)
	return report, report.evaluate(ctx, l.log, policy, o.Options)
}

// mature are the runs whose labels are known, so far apart that none of a customer's label windows overlap, oldest first.
func mature(ctx context.Context, store *features.Store, churn features.ChurnSpec, runs []warehouse.DecisionRun) ([]warehouse.DecisionRun, error) {
	if len(runs) == 0 {
		return nil, fmt.Errorf("%w: there is none yet; `retain score` decides", ErrNothingMature)
	}
	watermark, err := store.Watermark(ctx, churn)
	if err != nil {
		return nil, err
	}
	apart := time.Duration(churn.GapDays+churn.HorizonDays) * 24 * time.Hour
	var out []warehouse.DecisionRun
	for k := len(runs) - 1; k >= 0; k-- {
		if r := runs[k]; churn.Known(r.Cutoff, watermark) && (out == nil || !r.Cutoff.Add(apart).After(out[len(out)-1].Cutoff)) {
			out = append(out, r)
		}
	}
	if out == nil {
		return nil, fmt.Errorf("%w: who stayed after those of %s is known once data are complete until %s; they are until %s", ErrNothingMature,
			runs[0].Cutoff.Format(time.DateOnly), churn.Matures(runs[0].Cutoff).Format(time.DateOnly), watermark.Format(time.DateOnly))
	}
	slices.Reverse(out)
	return out, nil
}

// policyLog gathers logged decisions: the propensities of a row are those of at[i]:at[i+1].
type policyLog struct {
	o     PolicyDecisionsOptions
	store *features.Store
	log   *offpolicy.Log
	place map[string]int // of actions

	at            []uint32
	action        []uint8
	old, new      []float64
	spent, spends float64 // by the logged and by the new policy
	changed       map[string]bool
	kept          int // runs that held out more than the new policy would
	learned       int // actions of decisions whose effect was learned
	unexplored    int // runs that chose the plan
}

// number is the place of an action in the log.
func (l *policyLog) number(id string) uint8 {
	k, ok := l.place[id]
	if !ok {
		k = len(l.log.Actions)
		l.place[id] = k
		l.log.Actions = append(l.log.Actions, id)
	}
	return uint8(k)
}

// add weighs the decisions of a run.
func (l *policyLog) add(ctx context.Context, run warehouse.DecisionRun) error {
	was, err := actions.Decode([]byte(run.Document))
	if err != nil {
		return err
	}
	label, err := l.labels(ctx, run.Cutoff)
	if err != nil {
		return err
	}
	risk := map[string]float64{}
	customer, _, probability, err := l.o.DB.Scored(ctx, run.RunID)
	if err != nil {
		return err
	}
	for i, id := range customer {
		risk[id] = probability[i]
	}
	made, err := l.decisions(ctx, run, was)
	if err != nil {
		return err
	}
	turns, err := made.round.Decide(ctx)
	if err != nil {
		return err
	}
	if !run.Explore {
		l.unexplored++
	}
	all := make([]float64, len(l.o.Engine.Catalogue.Actions))
	for i, id := range made.round.Customer {
		y, known := label[id]
		if !known {
			continue
		}
		p, ok := risk[id]
		if !ok {
			p = math.NaN()
		}
		for j, v := range []float64{p, made.round.Value[i], made.round.Pressure[i]} {
			l.log.X.X[j] = append(l.log.X.X[j], float32(v))
		}
		turns.Propensities(all, i)
		givenGroup(all, made.nothing, made.round.Share, turns.Held(i))
		l.row(made.decided[i], all, was)
		l.log.Customer, l.log.Reward = append(l.log.Customer, id), append(l.log.Reward, 1-y)
	}
	return nil
}

// row adds a decision with the new policy's propensities, by its catalogue.
func (l *policyLog) row(d logged, now []float64, was *actions.Catalogue) {
	l.at = append(l.at, uint32(len(l.action)))
	from := len(l.action)
	for k, id := range d.action {
		l.action, l.old, l.new = append(l.action, l.number(id)), append(l.old, d.propensity[k]), append(l.new, 0)
		if id == d.chosen {
			l.log.Action, l.log.Propensity = append(l.log.Action, int32(l.number(id))), append(l.log.Propensity, d.propensity[k])
		}
		if a := was.Index(id); a >= 0 {
			l.spent += d.propensity[k] * was.Actions[a].Spend()
		}
	}
	for a, p := range now {
		if p == 0 {
			continue
		}
		x := &l.o.Engine.Catalogue.Actions[a]
		l.spends += p * x.Spend()
		k := slices.Index(l.action[from:], l.number(x.ID))
		if k < 0 {
			l.action, l.old, l.new = append(l.action, l.number(x.ID)), append(l.old, 0), append(l.new, p)
			continue
		}
		l.new[from+k] = p
	}
}

func (l *policyLog) finish() {
	l.at = append(l.at, uint32(len(l.action)))
	l.log.Each = func(dst []float64, row int) { l.spread(dst, row, l.old) }
}

// now is the new policy.
func (l *policyLog) now(dst []float64, row int) { l.spread(dst, row, l.new) }

func (l *policyLog) spread(dst []float64, row int, p []float64) {
	clear(dst)
	for k := l.at[row]; k < l.at[row+1]; k++ {
		dst[l.action[k]] = p[k]
	}
}

// labels are the known ones of a cutoff by customer.
func (l *policyLog) labels(ctx context.Context, cutoff time.Time) (label map[string]float64, err error) {
	p, err := l.store.Population(ctx, l.o.Churn, cutoff)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close(context.WithoutCancel(ctx))) }()
	labels, err := l.store.Labels(ctx, l.o.Churn, p, time.Time{})
	if err != nil {
		return nil, err
	}
	label = make(map[string]float64, len(labels.Y))
	for i, id := range p.Eligible() {
		if !math.IsNaN(labels.Y[i]) {
			label[id] = labels.Y[i]
		}
	}
	return label, nil
}

// givenGroup puts, in place of probabilities that have the share held out in them, those of a customer who is known to be held out or not. A duty, which leaves
// nothing less than the share, is as certain as it was.
func givenGroup(p []float64, nothing int, share float64, held bool) {
	switch {
	case nothing < 0 || p[nothing] < share:
	case held:
		clear(p)
		p[nothing] = 1
	default:
		p[nothing] -= share
		for k := range p {
			p[k] /= 1 - share
		}
	}
}

// logged is a decision: what could be chosen and how probably, given whether the customer is held out.
type logged struct {
	chosen     string
	action     []string
	propensity []float64
}

// decidedRun is the decisions of a run, and the round in which the new policy decides the same.
type decidedRun struct {
	round   *actions.Round
	nothing int // of the new catalogue: doing nothing
	decided []logged
}

// decisions reads a run's. A new action that the run's catalogue does not have could have been anyone's.
func (l *policyLog) decisions(ctx context.Context, run warehouse.DecisionRun, was *actions.Catalogue) (*decidedRun, error) {
	c := l.o.Engine.Catalogue
	share := run.Holdout
	if l.o.Holdout != nil {
		share = max(share, *l.o.Holdout) // what the log did to the control group tells nothing of other actions
		if *l.o.Holdout < run.Holdout {
			l.kept++
		}
	}
	var fresh uint64
	for a := range c.Actions {
		switch k := was.Index(c.Actions[a].ID); {
		case k < 0:
			fresh |= 1 << a
		case !sameEligibility(&c.Actions[a], &was.Actions[k]):
			l.changed[c.Actions[a].ID] = true
		}
	}
	d := &decidedRun{round: &actions.Round{Catalogue: c, RunID: run.RunID, Cutoff: run.Cutoff, Share: share, Explore: !l.o.Plan, Budget: l.o.Budget}, nothing: c.Index(actions.DoNothing)}
	for row, err := range l.o.DB.Decisions(ctx, run) {
		if err != nil {
			return nil, err
		}
		one := logged{chosen: row.Chosen, action: slices.Concat(row.Actions, row.Withheld), propensity: slices.Concat(row.Propensities, row.WithheldPropensities)}
		givenGroup(one.propensity, slices.Index(one.action, actions.DoNothing), run.Holdout, row.Holdout)
		mask := fresh
		for _, id := range one.action {
			if a := c.Index(id); a >= 0 {
				mask |= 1 << a
			}
		}
		if bits.OnesCount64(mask&^fresh) == 0 {
			continue // nobody of the new policy: do_nothing is in every catalogue
		}
		for k, id := range row.Suppressed { // what ran out before the customer's turn was there for those before him, and has its price
			if a := c.Index(id); a >= 0 && (strings.HasPrefix(row.Reasons[k], "capacity:") || strings.HasPrefix(row.Reasons[k], "budget:")) {
				mask |= 1 << a
			}
		}
		for _, source := range row.UpliftSources {
			if source == actions.SourceLearned {
				l.learned++
			}
		}
		r := d.round
		r.Customer, r.Eligible = append(r.Customer, row.CustomerID), append(r.Eligible, mask)
		r.Value, r.Pressure = append(r.Value, row.Value), append(r.Pressure, row.Pressure)
		d.decided = append(d.decided, one)
	}
	return d, nil
}

// sameEligibility tells whether two versions of an action may be given to the same customers.
func sameEligibility(a, b *actions.Action) bool {
	return a.Eligibility == b.Eligibility && slices.Equal(a.Stages, b.Stages) && a.CooldownDays == b.CooldownDays && a.Class == b.Class && a.Channel == b.Channel
}

// notes tell what the evaluation takes for granted.
func (l *policyLog) notes() []string {
	out := []string{"the reward is staying; what an action costs stands beside it and is not taken off"}
	if len(l.changed) > 0 {
		var ids []string
		for id := range l.changed {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		out = append(out, fmt.Sprintf("who could get %s is taken as logged: the new rules, stages or cooldowns do not count here", strings.Join(ids, ", ")))
	}
	if l.kept > 0 {
		out = append(out, fmt.Sprintf("%s held out more customers than the new policy would: they stay held out here, for the log cannot tell what they would have done otherwise", spoken.Counted(l.kept, "run")))
	}
	if l.learned > 0 {
		out = append(out, "effects that were learned count as the new catalogue's priors: the log keeps no standard error of them")
	}
	if l.unexplored > 0 {
		out = append(out, fmt.Sprintf("%s chose the plan without chance (actions.explore: false): such decisions tell nothing of other policies", spoken.Counted(l.unexplored, "run")))
	}
	return out
}
