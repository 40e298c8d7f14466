package pipelines

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"retain/features"
	"retain/internal/spoken"
	"retain/internal/warehouse"
	"retain/models/actions"
	"retain/training/itt"
	"retain/training/metrics"
)

// ActionReportOptions says which decisions a report is about.
type ActionReportOptions struct {
	Store *features.Store
	Spec  features.ChurnSpec // of the label, which counts from the decision on (FromDecision)
	In    warehouse.Window   // of cutoffs; From stands for the begin of its quarter
}

// ActionReport tells what assigning actions did, per action and for the programme as a whole.
type ActionReport struct {
	From        time.Time      `json:"from"` // first and last cutoff that was looked at
	To          time.Time      `json:"to"`
	Runs        int            `json:"runs"`
	HorizonDays int            `json:"horizon_days"`
	MatureDays  int            `json:"mature_days"` // from a decision until its label is known
	Watermark   *time.Time     `json:"watermark"`   // the data are complete until then; null without any
	Customers   int            `json:"customers"`   // customer-quarters, from the first eligible day
	HeldOut     int            `json:"held_out"`    // of them
	Unlabelled  int            `json:"unlabelled"`  // of them: matured, and never labelled (not alive at the decision, or not known)
	Programme   ActionEffect   `json:"programme"`   // everything together: whoever is not held out, against the control group
	Actions     []ActionEffect `json:"actions"`     // in the order of the newest catalogue
	Notes       []string       `json:"notes"`
}

// ActionEffect is the effect of an action by intention to treat.
type ActionEffect struct {
	Action       string         `json:"action"`
	Assigned     int            `json:"assigned"` // on the first eligible day of the quarter
	Matured      int            `json:"matured"`  // of them, with a label
	Control      int            `json:"control"`  // held out, matured, and the action was possible
	ControlSize  metrics.Figure `json:"control_size"`
	Stay         metrics.Figure `json:"stay"`
	ControlStay  metrics.Figure `json:"control_stay"`
	Effect       metrics.Figure `json:"effect"` // of P(stay)
	Low          metrics.Figure `json:"low"`    // 95 % over all looks together
	High         metrics.Figure `json:"high"`
	Believed     metrics.Figure `json:"believed"`    // mean of the catalogue's prior
	Cost         metrics.Figure `json:"cost"`        // of the matured
	ValueSaved   metrics.Figure `json:"value_saved"` // effect times the value of the matured whose value is known
	ValueLow     metrics.Figure `json:"value_low"`
	ValueHigh    metrics.Figure `json:"value_high"`
	Pending      int            `json:"pending"`      // assigned, not matured
	MaturesFrom  *time.Time     `json:"matures_from"` // when the data must be complete until, for the first of the pending and for all
	MaturesUntil *time.Time     `json:"matures_until"`
	Verdict      string         `json:"verdict"`
}

// programme is the name of all actions together.
const programme = "all actions"

// mostLabelled bounds the cutoffs at which labels are made for a report: those of every night of a year and the quarter in which it begins are fewer.
const mostLabelled = 500

// fewestAnswers is how many answers are needed before the measured share of acceptance prices an incentive.
const fewestAnswers = 20

// firstRow is one customer-quarter.
type firstRow struct {
	cutoff  int // of reporter.cutoffs
	held    bool
	chosen  int // of reporter.ids; -1 = something else
	share   float64
	value   float64
	y       float64 // NaN = not known
	offered []offered
	id      string
}

type offered struct {
	action int
	p      float64
}

// reporter makes one report.
type reporter struct {
	o       ActionReportOptions
	report  *ActionReport
	runs    map[string]warehouse.DecisionRun
	newest  *actions.Catalogue
	ids     []string // actions that the control group does not get
	cutoffs []time.Time
	mature  []bool
	rows    []firstRow
}

// ReportActions compares those to whom actions were assigned on their first eligible day of a quarter with the control group, whatever came
// later. Errors: ErrNoDecisions when the window has no runs.
func ReportActions(ctx context.Context, o ActionReportOptions) (*ActionReport, error) {
	o.Spec = o.Spec.FromDecision()
	if !o.In.From.IsZero() {
		o.In.From = actions.Quarter(o.In.From) // a later day than the first one of a quarter depends on what was done on it
	}
	r := &reporter{o: o, report: &ActionReport{HorizonDays: o.Spec.HorizonDays, MatureDays: o.Spec.MaturityDays(), Notes: []string{}}, runs: map[string]warehouse.DecisionRun{}}
	if err := r.read(ctx); err != nil {
		return nil, err
	}
	if err := r.label(ctx); err != nil {
		return nil, err
	}
	counts, err := Outcomes{DB: o.Store.DB}.Counts(ctx, o.In)
	if err != nil {
		return nil, err
	}
	for k, id := range r.ids {
		e := r.effect(k, id, counts)
		if e.Assigned+e.Control > 0 {
			r.report.Actions = append(r.report.Actions, e)
		}
	}
	r.report.Programme = r.effect(-1, programme, counts)
	return r.report, nil
}

// read gathers the first decisions.
func (r *reporter) read(ctx context.Context) error {
	db := r.o.Store.DB
	runs, err := db.DecisionRuns(ctx)
	if err != nil {
		return err
	}
	runs = slices.DeleteFunc(runs, func(run warehouse.DecisionRun) bool { return !r.o.In.Holds(run.Cutoff) })
	if len(runs) == 0 {
		return ErrNoDecisions
	}
	var names []string
	behind := 0
	for i := len(runs) - 1; i >= 0; i-- { // the newest catalogue leads
		run := runs[i]
		c, err := actions.Decode([]byte(run.Document))
		if err != nil {
			return fmt.Errorf("decisions of run %s: %w", run.RunID, err)
		}
		if r.newest == nil {
			r.newest = c
		}
		for k := range c.Actions {
			if c.Withheld(k) && !slices.Contains(r.ids, c.Actions[k].ID) {
				r.ids = append(r.ids, c.Actions[k].ID)
			}
		}
		if run.DecidedAt.Sub(run.Cutoff) > 7*24*time.Hour {
			behind++
		}
		r.runs[run.RunID] = run
		names = append(names, run.RunID)
	}
	if behind > 0 {
		r.report.Notes = append(r.report.Notes, fmt.Sprintf("%s decided more than a week after the cutoff, when nobody could act on it any more: such decisions show no effect", spoken.Counted(behind, "run")))
	}
	r.report.Runs, r.report.From, r.report.To = len(runs), runs[0].Cutoff, runs[len(runs)-1].Cutoff
	place := map[time.Time]int{}
	for d, err := range db.FirstDecisions(ctx, r.o.In, names, r.ids) {
		if err != nil {
			return err
		}
		at, ok := place[d.Cutoff]
		if !ok {
			at = len(r.cutoffs)
			place[d.Cutoff] = at
			r.cutoffs = append(r.cutoffs, d.Cutoff)
		}
		row := firstRow{cutoff: at, held: d.Holdout, chosen: -1, share: r.runs[d.RunID].Holdout, value: d.Value, y: math.NaN(), id: d.CustomerID}
		ids, p := d.Actions, d.Propensities
		if d.Holdout {
			ids, p = d.Withheld, d.WithheldPropensities
		} else {
			row.chosen = slices.Index(r.ids, d.Chosen)
		}
		for k, id := range ids {
			if a := slices.Index(r.ids, id); a >= 0 && p[k] > 0 {
				row.offered = append(row.offered, offered{a, p[k]})
			}
		}
		r.rows = append(r.rows, row)
		r.report.Customers++
		if row.held {
			r.report.HeldOut++
		}
	}
	return nil
}

// label finds what became of the customers whose labels are known.
func (r *reporter) label(ctx context.Context) error {
	r.mature = make([]bool, len(r.cutoffs))
	var empty *features.EmptySourceError
	watermark, err := r.o.Store.Watermark(ctx, r.o.Spec)
	if errors.As(err, &empty) {
		return nil
	}
	if err != nil {
		return err
	}
	r.report.Watermark = &watermark
	known := 0
	for i, cutoff := range r.cutoffs {
		if r.mature[i] = r.o.Spec.Known(cutoff, watermark); r.mature[i] {
			known++
		}
	}
	if known > mostLabelled {
		return fmt.Errorf("the window has first days at %d cutoffs, and labels are made for %d at most: narrow it with --from and --to", known, mostLabelled)
	}
	byCutoff := make([][]int, len(r.cutoffs))
	for i := range r.rows {
		byCutoff[r.rows[i].cutoff] = append(byCutoff[r.rows[i].cutoff], i)
	}
	for c, rows := range byCutoff {
		if !r.mature[c] {
			continue
		}
		y, err := r.labelsAt(ctx, r.cutoffs[c])
		if err != nil {
			return err
		}
		for _, i := range rows {
			if label, ok := y[r.rows[i].id]; ok {
				r.rows[i].y = label
			} else {
				r.report.Unlabelled++
			}
		}
	}
	return nil
}

func (r *reporter) labelsAt(ctx context.Context, cutoff time.Time) (y map[string]float64, err error) {
	p, err := r.o.Store.Population(ctx, r.o.Spec, cutoff)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close(context.WithoutCancel(ctx))) }()
	labels, err := r.o.Store.Labels(ctx, r.o.Spec, p, time.Time{})
	if err != nil {
		return nil, err
	}
	y = make(map[string]float64, len(labels.Y))
	for i, id := range p.Eligible() {
		if !math.IsNaN(labels.Y[i]) {
			y[id] = labels.Y[i]
		}
	}
	return y, nil
}

// effect estimates action k of the ids; -1 is all of them.
func (r *reporter) effect(k int, id string, counts *OutcomeCounts) ActionEffect {
	nan := metrics.Figure(math.NaN())
	e := ActionEffect{Action: id, Believed: nan, Cost: nan, ValueSaved: nan, ValueLow: nan, ValueHigh: nan}
	var trials []itt.Trial
	var cost, value float64
	valued, alone := false, 0 // alone: got it in runs that held nobody out
	for i := range r.rows {
		row := &r.rows[i]
		t := itt.Trial{Held: row.held, Share: row.share, Y: row.y, Chosen: !row.held && (k < 0 || row.chosen == k)}
		if k < 0 {
			t.P = 1 - row.share
		} else if at := slices.IndexFunc(row.offered, func(o offered) bool { return o.action == k }); at >= 0 {
			t.P = row.offered[at].p
		}
		if t.Chosen {
			e.Assigned++
			if !(t.Share > 0) {
				alone++
			}
			if !r.mature[row.cutoff] {
				e.Pending++
				at := r.o.Spec.Matures(r.cutoffs[row.cutoff])
				if e.MaturesFrom == nil || at.Before(*e.MaturesFrom) {
					e.MaturesFrom = &at
				}
				if e.MaturesUntil == nil || at.After(*e.MaturesUntil) {
					e.MaturesUntil = &at
				}
			}
		}
		if math.IsNaN(row.y) || !(t.Share > 0) {
			continue
		}
		trials = append(trials, t)
		if t.Chosen {
			if row.chosen >= 0 {
				cost += r.price(row.chosen, counts)
			}
			if !math.IsNaN(row.value) {
				value += row.value
				valued = true
			}
		}
	}
	x := itt.Estimate(trials, itt.Sequence{})
	e.Matured, e.Control, e.ControlSize = x.Assigned, x.Control, metrics.Figure(x.ControlSize)
	e.Stay, e.ControlStay, e.Effect, e.Low, e.High = x.Stay, x.ControlStay, x.Effect, x.Low, x.High
	if at := r.newest.Index(id); at >= 0 {
		e.Believed = metrics.Figure(r.newest.Actions[at].Prior.Mean)
	}
	if x.Assigned > 0 {
		e.Cost = metrics.Figure(cost)
	}
	if valued {
		v := metrics.Figure(value)
		e.ValueSaved, e.ValueLow, e.ValueHigh = e.Effect*v, e.Low*v, e.High*v
	}
	if e.Verdict = verdictOf(e, x); alone > 0 && alone == e.Assigned {
		e.Verdict = "not measured: nobody was held out (actions.holdout: 0), so that there is no one to compare with"
	}
	return e
}

// price is what doing an action once costs: the incentive by the measured share of acceptance, where enough have answered.
func (r *reporter) price(k int, counts *OutcomeCounts) float64 {
	at := r.newest.Index(r.ids[k])
	if at < 0 {
		return 0 // it has left the catalogue, and what it cost with it
	}
	a := &r.newest.Actions[at]
	accept := a.PAccept
	for _, c := range counts.Actions {
		if c.Action == a.ID && c.AcceptShare != nil && c.Accepted+c.Rejected+c.Ignored >= fewestAnswers {
			accept = *c.AcceptShare
		}
	}
	return a.ContactCost + accept*a.Incentive
}

// verdictOf says in words what an interval tells.
func verdictOf(e ActionEffect, x itt.Effect) string {
	const fewest = 50
	switch {
	case e.Assigned == 0:
		return "not assigned to anyone on a first day"
	case x.Assigned == 0 && e.Pending < e.Assigned:
		return "not measured: these customers had left already, so that no label tells whether they stayed"
	case x.Assigned == 0:
		return "no label is known yet"
	case !e.Low.Defined():
		return fmt.Sprintf("too few yet: %d assigned and %.0f in the control with labels, and %d of each are needed", x.Assigned, x.ControlSize, fewest)
	case e.Low > 0:
		return "it keeps customers"
	case e.High < 0:
		return "it drives customers away"
	}
	return "not told apart from nothing yet"
}
