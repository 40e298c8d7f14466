package training

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"retain/features"
	"retain/internal/spoken"
	"retain/internal/warehouse"
	"retain/models"
	"retain/models/actions"
	"retain/models/uplift"
	"retain/training/metrics"
)

// KindUplift is the kind of the models of what actions do, and their name in the registry.
const KindUplift = "uplift"

// upliftLearned is the number of outcome events per arm from which on an effect is called learned (decisions.md §3.6). Below it the estimate still shrinks the prior.
const upliftLearned = 100

// UpliftTraining is what TrainUplift learns from beside Options.
type UpliftTraining struct {
	Log     DecisionLog // required
	Actions []string    // ids, of which is learned anew, while the rest of the champion stays; empty: all that were ever possible

	Engine *actions.Engine // whose catalogue names subgroups beforehand; nil: there are none
}

// UpliftTrainReport is the JSON of `retain train uplift`.
type UpliftTrainReport struct {
	Model     ModelName      `json:"model"`
	Promoted  bool           `json:"promoted"`
	Gate      GateVerdict    `json:"gate"`
	Verdict   []string       `json:"verdict"`
	Cutoffs   []time.Time    `json:"cutoffs"`   // of the runs whose decisions were read
	Skipped   int            `json:"skipped"`   // matured runs that lie too close to others, or too far back
	Idle      int            `json:"idle"`      // matured runs that decided more than a week after their cutoff, and of which nothing was told: nobody can have acted on them
	Decisions int            `json:"decisions"` // read
	Otherwise int            `json:"otherwise"` // of them, those of which an outcome names another action than the chosen one: they count as what was drawn
	Reached   int            `json:"reached"`   // rows of the control group to whom a contact without a decision brought an action all the same
	Actions   []UpliftAction `json:"actions"`
	Intervals string         `json:"intervals"`
	Artifact  string         `json:"artifact"`
	Seconds   float64        `json:"seconds"`
}

// UpliftAction is what was learned of one action, or why nothing was.
type UpliftAction struct {
	Action        string `json:"action"`
	Rows          int    `json:"rows"` // decisions with a known label in which the action or nothing was chosen and either might have been
	Treated       int    `json:"treated"`
	EventsTreated int    `json:"events_treated"` // rows of the rarer outcome
	EventsControl int    `json:"events_control"`
	// Of the rows: what became of the draw. They count as what was drawn all the same.
	OtherwiseTreated int `json:"otherwise_treated"` // treated, and an outcome names another action
	OtherwiseControl int `json:"otherwise_control"` // left alone, and an outcome names an action
	HeldOut          int `json:"held_out"`          // left alone because they are in the control group of the quarter

	Effect    UpliftEffect     `json:"effect"`  // on staying, of having been drawn for it
	Learner   string           `json:"learner"` // "" = nothing was learned
	Qini      metrics.Figure   `json:"qini"`    // per 1,000 customers, out of fold
	Interval  metrics.Interval `json:"interval"`
	Learned   bool             `json:"learned"`   // from 100 outcome events per arm: decisions call it learned, else prior
	Why       string           `json:"why"`       // what to think of it, or why nothing was learned
	Subgroups []UpliftSubgroup `json:"subgroups"` // that the catalogue names beforehand, as measured
	KeptFrom  *int             `json:"kept_from"` // version of the model that it was learned in, where it was not learned anew; else null
}

// TrainUplift learns what each action does for whom, from the logged decisions whose labels are known: beside the risk by which they were made or, where older
// programs did not log it, by the doubly robust learner on linear models or on boosted trees, whichever orders better out of fold. What is learned of all
// actions is registered as one model, which is promoted. Where only some are learned, the others are kept as the champion knows them, on its features.
// Errors: *UsageError (wrong churn definition, or another one than that of what is kept), *DataError where no action can be learned, with the reason of each,
// or of the warehouse.
func TrainUplift(ctx context.Context, o Options, u UpliftTraining) (report *UpliftTrainReport, err error) {
	o = o.filled()
	o.Grid = features.DefaultGrid() // decisions are of all who are eligible, whatever the churn model learns from
	if err := o.Churn.Validate(); err != nil {
		return nil, &UsageError{Message: err.Error()}
	}
	o.Churn = o.Churn.FromDecision()
	known, err := readKnownUplift(ctx, o, u.Actions)
	if err != nil {
		return nil, err
	}
	subgroups, err := compileSubgroups(u.Engine)
	if err != nil {
		return nil, err
	}
	o.Catalogue = subgroups.widen(known.catalogue(o.Catalogue))
	p := newStorePanel(o)
	defer func() { err = errors.Join(err, p.Close(ctx)) }()
	return trainUplift(ctx, everyLabel{p}, o, u, subgroups, known)
}

// everyLabel is a panel that knows of treated customers whether they stayed, too.
type everyLabel struct{ *storePanel }

// Labels are those of all rows of the snapshot.
func (p everyLabel) Labels(ctx context.Context, cutoff, knownBefore time.Time) ([]float64, error) {
	k, err := p.keep(ctx, cutoff)
	if err != nil {
		return nil, err
	}
	labels, err := p.labeller.Labels(ctx, k.population, knownBefore)
	if err != nil {
		return nil, err
	}
	return labels.Y, nil
}

func trainUplift(ctx context.Context, p panel, o Options, u UpliftTraining, subgroups namedSubgroups, known *knownUplift) (*UpliftTrainReport, error) {
	begin := time.Now()
	watermark, err := p.Watermark(ctx)
	if err != nil {
		return nil, err
	}
	runs, err := readRuns(ctx, u.Log, o.Churn, watermark, o.Until)
	if err != nil {
		return nil, err
	}
	o.Progress(fmt.Sprintf("reading the decisions of %s, %s to %s", spoken.Counted(len(runs.looked), "run"), day(runs.looked[0].Cutoff), day(runs.looked[len(runs.looked)-1].Cutoff)))
	book, err := readLessons(ctx, o, u, runs)
	if err != nil {
		return nil, err
	}
	report := &UpliftTrainReport{Model: ModelName{Name: KindUplift}, Skipped: runs.skipped, Idle: runs.idle, Decisions: book.decisions, Otherwise: book.otherwise, Intervals: upliftWords}
	for _, r := range runs.looked {
		report.Cutoffs = append(report.Cutoffs, r.Cutoff)
	}
	if len(book.customer) == 0 {
		return nil, lacking("no logged decision was left to chance, and so there is no uplift figure: all %s had one action, or nothing, with certainty. Set actions.explore: true or a control group with actions.holdout",
			spoken.Counted(book.decisions, "decision"))
	}
	if err := p.Resolve(ctx, report.Cutoffs); err != nil {
		return nil, err
	}
	book, d, err := book.look(ctx, p, o.Churn, o.Until)
	if err != nil {
		return nil, err
	}
	if d.Rows() == 0 {
		return nil, lacking("none of the customers decided about has a known label, and so there is no uplift figure")
	}
	report.Reached = book.reached
	e, err := known.encode(d)
	if err != nil {
		return nil, err
	}
	bundle := &uplift.Bundle{}
	names := slices.Sorted(maps.Keys(book.lessons))
	for _, action := range u.Actions {
		if !slices.Contains(names, action) {
			names = append(names, action)
		}
	}
	for _, action := range names {
		o.Progress("learning the effect of " + action)
		named := subgroups[action]
		told, model, err := learnAction(ctx, action, book, named.join(e.d, d.X, book.stays), named, o)
		if err != nil {
			return nil, err
		}
		report.Actions = append(report.Actions, told)
		if model != nil {
			bundle.Parts = append(bundle.Parts, uplift.Part{Action: action, Events: min(told.EventsTreated, told.EventsControl), Model: model})
		}
	}
	if len(bundle.Parts) == 0 {
		var why []string
		for _, a := range report.Actions {
			why = append(why, a.Action+": "+a.Why)
		}
		return nil, lacking("of no action anything can be learned, and so there is no uplift figure.\n%s", strings.Join(why, "\n"))
	}
	known.keep(bundle, report)
	read, err := readBySubgroups(bundle, features.Nameable(p.Catalogue(), features.DefaultCatalogue()))
	if err != nil {
		return nil, err
	}
	fresh := freshUplift{artifact: upliftArtifact(p.Catalogue(), read, o, e, known.cutoffs(report.Cutoffs)), bundle: bundle}
	if fresh.over, err = known.over(ctx, o.Registry); err != nil {
		return nil, err
	}
	if err := registerUplift(ctx, o, fresh, report); err != nil {
		return nil, err
	}
	report.Seconds = time.Since(begin).Seconds()
	return report, nil
}

// rows are the rows of an action. Decisions of older programs do not tell the risk by which they were made: they are left out once the others are enough, else
// no baseline counts.
func (b *lessonBook) rows(action string, d *features.Dataset, seed uint64) *uplift.Rows {
	lessons := b.lessons[action]
	if len(lessons) > upliftRowsMost {
		lessons = slices.Clone(lessons)
		key := func(l upliftLesson) uint64 { return features.KeyedHash(seed, "uplift rows", d.Customer[l.row]) }
		slices.SortStableFunc(lessons, func(a, b upliftLesson) int {
			x, y := key(a), key(b)
			if x < y {
				return -1
			} else if x > y {
				return 1
			}
			return 0
		})
		lessons = lessons[:upliftRowsMost]
		slices.SortFunc(lessons, func(a, b upliftLesson) int { return a.row - b.row })
	}
	places := make([]int, len(lessons))
	r := &uplift.Rows{}
	var scored []int
	for k, l := range lessons {
		places[k] = l.row
		r.Treated, r.Propensity, r.Baseline = append(r.Treated, l.treated), append(r.Propensity, l.e), append(r.Baseline, b.stays[l.row])
		if r.Baseline[k] == r.Baseline[k] {
			scored = append(scored, k)
		}
	}
	part := d.Take(places)
	r.X, r.Y, r.Customer, r.Cutoff = part.X, part.Y, part.Customer, part.Cutoff
	if len(scored) == r.Len() {
		return r
	}
	if told := r.Take(scored); told.Len() > 0 {
		if treated, control := told.Events(); min(treated, control) >= uplift.LeastEvents {
			return told
		}
	}
	r.Baseline = nil
	return r
}

// nothingTold is an action of which no figure is known.
func nothingTold(action string) UpliftAction {
	return UpliftAction{Action: action, Effect: effectOf(metrics.Trial{}, nil), Qini: undefined, Interval: metrics.Interval{undefined, undefined}, Subgroups: []UpliftSubgroup{}}
}

// learnAction learns the effect of one action, from d with the columns of its subgroups; the model is nil, and the report tells why, where that cannot be.
func learnAction(ctx context.Context, action string, book *lessonBook, d *features.Dataset, named *namedOfAction, o Options) (UpliftAction, *uplift.Model, error) {
	rows := book.rows(action, d, o.Seed)
	members := named.part(rows)
	out := nothingTold(action)
	out.Rows = rows.Len()
	for _, t := range rows.Treated {
		if t {
			out.Treated++
		}
	}
	for _, l := range book.lessons[action] {
		switch {
		case l.otherwise && l.treated:
			out.OtherwiseTreated++
		case l.otherwise:
			out.OtherwiseControl++
		}
		if l.held {
			out.HeldOut++
		}
	}
	if out.Rows == 0 {
		out.Why = "no decision with a known label had a chance of it and of nothing"
		if n := book.certain[action]; n > 0 {
			out.Why += fmt.Sprintf("; %s had it or nothing with certainty", spoken.Counted(n, "decision"))
		}
		return out, nil, nil
	}
	out.EventsTreated, out.EventsControl = rows.Events()
	trial := metrics.Trial{Y: rows.Y, Treated: rows.Treated, Propensity: rows.Propensity, Customer: rows.Customer}
	all := make([]int, rows.Len())
	for i := range all {
		all[i] = i
	}
	out.Effect = effectOf(trial, all)
	out.Subgroups = named.tell(trial, members)
	if min(out.EventsTreated, out.EventsControl) < uplift.LeastEvents {
		out.Why = fmt.Sprintf("too few of the rarer outcome: %d of %d treated and %d of %d left alone; at least %d in each arm are needed",
			out.EventsTreated, out.Treated, out.EventsControl, out.Rows-out.Treated, uplift.LeastEvents)
		return out, nil, nil
	}
	if why := propensityFault(rows); why != "" {
		out.Why = why
		return out, nil, nil
	}
	trainer := learnersOf(rows)[0]
	best, err := holdOutUplift(ctx, rows, trial, o.Seed)
	if err != nil {
		err = upliftError(err)
		if !errors.As(err, new(*DataError)) {
			return out, nil, fmt.Errorf("learn the effect of %s: %w", action, err)
		}
		out.Why = err.Error()
		if rows.Baseline == nil {
			return out, nil, nil
		}
		out.Why = "learned from all rows, and decisions weigh it by its standard error; " + out.Why
	} else {
		f := best.measure(metrics.NewBootstrap(o.Seed, rows.Customer), trial, byEffect, nil)
		trainer, out.Qini, out.Interval, out.Why = best.trainer, f.Qini, f.Interval, orderVerdict(f)
	}
	out.Learner = trainer.Name()
	out.Learned = min(out.EventsTreated, out.EventsControl) >= upliftLearned
	if !out.Learned {
		out.Why += fmt.Sprintf("; below %d events in an arm, so decisions call it prior", upliftLearned)
	}
	model, err := trainer.Fit(ctx, rows, rand.New(rand.NewPCG(o.Seed, upliftStream)))
	if err != nil {
		return out, nil, fmt.Errorf("learn the effect of %s: %w", action, err)
	}
	return out, model, nil
}

// learnersOf are the learners that know a standard error: where the risk at the decision is known, the one that learns beside it, whose standard errors are
// smaller; else the doubly robust ones.
func learnersOf(rows *uplift.Rows) []uplift.Trainer {
	if rows.Baseline != nil {
		return []uplift.Trainer{{Method: uplift.Beside}}
	}
	return slices.DeleteFunc(slices.Clone(uplift.Trainers), func(t uplift.Trainer) bool { return t.Method != uplift.DoublyRobust })
}

// holdOutUplift gives the estimates out of fold of the learner that orders best, and those without pairs of folds, which its interval needs.
func holdOutUplift(ctx context.Context, rows *uplift.Rows, trial metrics.Trial, seed uint64) (*heldOutUplift, error) {
	folds := upliftFolds(rows, innerFolds, seed)
	fit := func(learners []*heldOutUplift, splits []uplift.Split) error {
		for _, s := range splits {
			train, held := s.Rows(folds)
			part, rest := rows.Take(train), rows.Take(held)
			for _, l := range learners {
				if err := l.fit(ctx, s, part, rest, held, seed); err != nil {
					return err
				}
			}
		}
		return nil
	}
	learners := learnersHeldOut(learnersOf(rows))
	for _, l := range learners {
		l.begin(folds)
	}
	if err := fit(learners, uplift.Singles(innerFolds)); err != nil {
		return nil, err
	}
	best := learners[0]
	for _, l := range learners[1:] {
		if l.qini(trial) > best.qini(trial) {
			best = l
		}
	}
	return best, fit([]*heldOutUplift{best}, uplift.Pairs(innerFolds))
}

// propensityFault tells whether the logged propensities cannot be true: the mean of t/e, and of (1-t)/(1-e), is 1 in expectation. Where a weight is clipped it
// is what its e makes of it, so that rare actions are not taken for wrong ones.
func propensityFault(r *uplift.Rows) string {
	n := float64(r.Len())
	for _, treated := range []bool{true, false} {
		mean, square := 0., 0.
		for i, p := range r.Propensity {
			e, t := metrics.ClipPropensity(p), 0.
			if r.Treated[i] {
				t = 1
			}
			if !treated {
				p, e, t = 1-p, 1-e, 1-t
			}
			w := 1 + (t-p)/e
			mean += w / n
			square += w * w / n
		}
		if se := math.Sqrt(max(square-mean*mean, 0) / n); math.Abs(mean-1) > balanceErrors*se+leastImbalance {
			return fmt.Sprintf("the logged propensities do not fit what was chosen: the inverse weights have a mean of %.3f and not 1", mean)
		}
	}
	return ""
}

// upliftArtifact is what scoring needs to read the rows as they were learned from, yet without the model. read are the features that rules of subgroups read,
// beside those of the rows.
func upliftArtifact(catalogue *features.Catalogue, read []string, o Options, e *encoded, cutoffs []time.Time) *models.Artifact {
	schema := e.d.X.Schema
	names := make([]string, len(schema))
	for j, c := range schema {
		names[j] = c.Name
	}
	for _, name := range read {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	positives := metrics.Positives(e.d.Y)
	a := &models.Artifact{
		Kind: KindUplift, Name: KindUplift, Catalogue: catalogue.Only(names), Encoding: e.encoding, Churn: o.Churn,
		Schema: schema, Fingerprint: schema.Fingerprint(), Medians: models.Medians(e.d.X), Cutoffs: cutoffs, TrainedUntil: o.Churn.Matures(cutoffs[len(cutoffs)-1]),
		Rows: e.d.Rows(), Positives: positives, Seed: o.Seed,
		Calibration: models.Calibration{Kind: models.CalibrationPlatt, Slope: 1, Rows: e.d.Rows(), Positives: positives}, // effects are differences: nothing to calibrate
	}
	if o.Store != nil {
		for source, b := range o.Store.Sources {
			if len(b.Static) > 0 {
				if a.Static == nil {
					a.Static = make(map[string][]string)
				}
				a.Static[source] = b.Static
			}
		}
	}
	return a
}

// freshUplift is a model to be registered.
type freshUplift struct {
	artifact *models.Artifact // without the model
	bundle   *uplift.Bundle
	over     *standing // the champion that it takes the place of; nil = there is none
}

// registerUplift keeps the bundle as a model of its own kind and promotes it.
func registerUplift(ctx context.Context, o Options, fresh freshUplift, report *UpliftTrainReport) (err error) {
	artifact, bundle, champion := fresh.artifact, fresh.bundle, fresh.over
	if artifact.Model, err = bundle.MarshalBinary(); err != nil {
		return err
	}
	if artifact.Metrics, err = json.Marshal(report.Actions); err != nil {
		return err
	}
	learners := make([]string, 0, len(bundle.Parts))
	for _, part := range bundle.Parts {
		learners = append(learners, part.Model.Name())
	}
	slices.Sort(learners)
	report.Model.Family = strings.Join(slices.Compact(learners), " + ")
	artifact.Family = report.Model.Family
	bytes, err := artifact.Encode()
	if err != nil {
		return err
	}
	report.Artifact = models.Address(bytes)
	j := judgement{Sound: true, Promote: true, Over: champion.address()}
	if champion != nil && champion.row.Artifact == report.Artifact {
		j.Promote = false
		j.say("the same model is the champion already")
	} else {
		j.say("effects are weighed against the catalogue's by their standard errors when they are used, so that the newest are taken: %s of %s can be called learned", spoken.Count(countLearned(report.Actions)), spoken.Counted(len(report.Actions), "action"))
	}
	report.Gate, report.Verdict = j.gate(), j.Verdict
	page, err := json.Marshal(report)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	o.Registry = unshadowed{o.Registry}
	enrolled, err := enrol(ctx, o, j, warehouse.ModelRow{
		Artifact: report.Artifact, Kind: KindUplift, Name: KindUplift, Family: report.Model.Family,
		Rows: uint64(artifact.Rows), Positives: uint64(artifact.Positives), Report: string(page), Blob: bytes,
	})
	report.Model.Version, report.Promoted = enrolled.Version, enrolled.Promoted
	report.Verdict = append(report.Verdict, enrolled.Told...)
	return err
}

func countLearned(actions []UpliftAction) (n int) {
	for _, a := range actions {
		if a.Learned {
			n++
		}
	}
	return n
}
