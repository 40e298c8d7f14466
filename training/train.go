package training

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"retain/features"
	"retain/internal/warehouse"
	"retain/models"
	"retain/training/metrics"
)

// KindChurn is the kind of the churn models, and their name in the registry.
const KindChurn = "churn"

// ModelName names a registered model.
type ModelName struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
	Family  string `json:"family"`
}

// TrainReport is the JSON of `retain train`.
type TrainReport struct {
	Model        ModelName              `json:"model"`
	Promoted     bool                   `json:"promoted"`
	Gate         GateVerdict            `json:"gate"`
	Verdict      []string               `json:"verdict"` // why this family, and why promoted or not, in words
	Cutoffs      []time.Time            `json:"cutoffs"` // of the final fit, oldest first
	Rows         int                    `json:"rows"`    // of the final fit
	Positives    int                    `json:"positives"`
	TrainedUntil time.Time              `json:"trained_until"` // end of the last training label
	Models       []metrics.ModelFigures `json:"models"`        // the tournament, on test cutoffs
	Intervals    string                 `json:"intervals"`     // what the intervals are, in words
	Segments     metrics.SegmentTable   `json:"segments"`      // of the family, on the test rows
	Features     []string               `json:"features"`      // in use
	Dropped      []features.Dropped     `json:"dropped_features"`
	Calibration  models.Calibration     `json:"calibration"`
	Leaks        []Leak                 `json:"leaks"` // told, but not stopping
	Tuning       []Tuning               `json:"tuning"`
	BudgetHit    bool                   `json:"budget_hit"` // the clock stopped tuning or measuring: another run may give another model
	Warnings     []string               `json:"warnings"`
	Anatomy      *Anatomy               `json:"anatomy"`
	Artifact     string                 `json:"artifact"`
	Guard        *Guarded               `json:"guard,omitempty"` // absent where no decision falls into a label window
	Seconds      float64                `json:"seconds"`
}

// Train learns a churn model from all cutoffs with known labels: it lints the columns, measures every family on later cutoffs, chooses one,
// refits it on everything, registers it and promotes it if the gate lets it pass.
// Errors: *UsageError (wrong churn definition), *DataError (no known label, one class, no feature), *LeakError, or of the warehouse.
func Train(ctx context.Context, o Options) (report *TrainReport, err error) {
	o = o.filled()
	if err := errors.Join(o.Churn.Validate(), o.Grid.Validate()); err != nil {
		return nil, &UsageError{Message: err.Error()}
	}
	p := newStorePanel(o)
	defer func() { err = errors.Join(err, p.Close(ctx)) }()
	return train(ctx, p, o)
}

func train(ctx context.Context, p panel, o Options) (*TrainReport, error) {
	begin := time.Now()
	champion, err := readChampion(ctx, o.Registry, KindChurn)
	if err != nil {
		return nil, err
	}
	a := newArena(p, o)
	a.champion = champion.recipe()
	l, err := a.learn(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := settle(ctx, l, o, champion); err != nil {
		return nil, err
	}
	l.report.Seconds = time.Since(begin).Seconds()
	return l.report, nil
}

// lesson is what a training has learned, before the gate and the registry hear of it.
type lesson struct {
	report   *TrainReport
	artifact *models.Artifact
	arena    *arena
	measured *tournament
	newest   *features.Dataset // some raw rows of the newest cutoff, to compare models on
}

// learn lints the columns, measures every family and the champion's recipe on later cutoffs, chooses a family and refits it on all cutoffs.
func (a *arena) learn(ctx context.Context, o Options) (*lesson, error) {
	p := a.panel
	cutoffs, err := knownCutoffs(ctx, p, o)
	if err != nil {
		return nil, err
	}
	o.Progress(fmt.Sprintf("reading features and labels at %d cutoffs, %s to %s", len(cutoffs), day(cutoffs[0]), day(cutoffs[len(cutoffs)-1])))
	if err := p.Resolve(ctx, cutoffs); err != nil {
		return nil, err
	}
	tellLeftOut(p.Catalogue(), o.Progress)
	all, err := stack(ctx, p, cutoffs, o.Until)
	if err != nil {
		return nil, err
	}
	if err := checkClasses(all, o.Churn); err != nil {
		return nil, err
	}
	leaks, err := lint(ctx, all, CustomerFolds(all.Customer, innerFolds, o.Seed), rawRecencyColumn(all.X, o.Churn))
	if err != nil {
		return nil, err
	}
	acquit(leaks, p.Catalogue(), o.Churn)
	told, err := judgeLeaks(leaks, o.Allowed)
	if err != nil {
		return nil, err
	}
	measured, notes, err := measure(ctx, a, cutoffs, all)
	if err != nil {
		return nil, err
	}
	chosen, err := choose(measured, metrics.Rarer(all.Y), o.Seed)
	if err != nil {
		return nil, err
	}
	o.Progress(fmt.Sprintf("fitting %s on %d rows of %d cutoffs", chosen.Family.Name, all.Rows(), len(cutoffs)))
	artifact, dropped, err := a.finish(ctx, all, chosen.Family, o)
	if err != nil {
		return nil, err
	}
	terms, err := a.profitTerms(ctx, measured)
	if err != nil {
		return nil, err
	}
	report := &TrainReport{
		Model: ModelName{Name: KindChurn, Family: chosen.Family.Name}, Cutoffs: artifact.Cutoffs, Rows: artifact.Rows, Positives: artifact.Positives,
		TrainedUntil: artifact.TrainedUntil, Models: table(measured, chosen.Family.Name, o.Seed, terms), Dropped: listed(slices.Concat(p.Catalogue().LeftOut, dropped)), Calibration: artifact.Calibration,
		Leaks: listed(told), Warnings: listed(measured.Warnings), Verdict: slices.Concat(notes, chosen.Verdict),
	}
	if d, err := p.Watermark(ctx); err != nil {
		return nil, err
	} else if line := o.Churn.FutureWarning(d, o.Now()); line != "" {
		report.Warnings = append(report.Warnings, line)
	}
	if line := unlabelled(cutoffs, artifact.Cutoffs); line != "" {
		report.Warnings = append(report.Warnings, line)
	}
	report.Intervals, report.Segments = intervalWords(measured, a.churn), measured.segmentTable(chosen.Family.Name, o.Seed)
	report.Tuning, report.BudgetHit = listed(a.tunings), a.budget.wasHit()
	report.Warnings = append(report.Warnings, a.budget.warnings()...)
	for _, c := range artifact.Schema {
		report.Features = append(report.Features, c.Name)
	}
	for _, l := range told {
		report.Warnings = append(report.Warnings, l.String())
	}
	if report.Guard, err = guarded(ctx, p, cutoffs, o.Until); err != nil {
		return nil, err
	}
	if report.Guard != nil {
		report.Verdict = append(report.Verdict, report.Guard.String())
	}
	if err := stamp(artifact, report.Models); err != nil {
		return nil, err
	}
	newest := newestRows(all)
	newest = newest.Take(sampleRows(newest.Customer, changedRows, o.Seed))
	if report.Anatomy, err = a.dissect(ctx, all, artifact, measured); err != nil {
		return nil, err
	}
	return &lesson{report: report, artifact: artifact, arena: a, measured: measured, newest: newest}, nil
}

// measure plays the tournament over the newest origins. Where no cutoff is late enough to be a test, the families are measured across customers
// on the training cutoffs themselves, and that is said.
func measure(ctx context.Context, a *arena, cutoffs []time.Time, all *features.Dataset) (t *tournament, notes []string, err error) {
	if t, err = a.play(ctx, rollingOrigins(cutoffs, a.churn, testCutoffs), min(leastMeasured, metrics.Rarer(all.Y))); err != nil {
		return nil, nil, err
	}
	switch n := len(t.Origins); {
	case n == 0:
		a.progress("no cutoff is late enough to test on: measuring across customers")
		t, err = a.playAcross(ctx, all)
		notes = append(notes, "no known cutoff lies a label's length behind another with churners, so the figures are across customers on the training cutoffs and not out of time: take them as optimistic")
	case n < testCutoffs:
		notes = append(notes, fmt.Sprintf("only %d test cutoffs: more history would make the figures surer", n))
	}
	return t, notes, err
}

// playAcross measures every family by its calibrated out-of-fold margins on the training cutoffs.
func (a *arena) playAcross(ctx context.Context, all *features.Dataset) (*tournament, error) {
	e, err := encode(all)
	if err != nil {
		return nil, err
	}
	fitted, failures, err := a.fit(ctx, e.d, measurable(metrics.Rarer(all.Y)))
	if err != nil {
		return nil, err
	}
	t := &tournament{Dropped: e.dropped}
	for _, f := range failures {
		t.Warnings = append(t.Warnings, fmt.Sprintf("%s is left out: %v", f.Family, f.Err))
	}
	for _, f := range fitted {
		c := &contender{Name: f.Family, Seconds: f.FitSeconds}
		for _, cutoff := range distinctCutoffs(f.Crossed.Cutoff) {
			h := metrics.Held{Cutoff: cutoff}
			for i, t := range f.Crossed.Cutoff {
				if t.Equal(cutoff) {
					h.Customer = append(h.Customer, f.Crossed.Customer[i])
					h.Y = append(h.Y, f.Crossed.Y[i])
					h.Margin = append(h.Margin, f.OutOfFold[i])
					h.P = append(h.P, f.Calibration.Probability(f.OutOfFold[i]))
				}
			}
			c.Held = append(c.Held, h)
		}
		t.Contenders = append(t.Contenders, c)
	}
	return t, nil
}

// finish fits the chosen family on all rows and wraps it up.
func (a *arena) finish(ctx context.Context, all *features.Dataset, family Family, o Options) (*models.Artifact, []features.Dropped, error) {
	e, err := encode(all)
	if err != nil {
		return nil, nil, err
	}
	fitted, failures, err := a.fit(ctx, e.d, withParts(family))
	if err != nil {
		return nil, nil, err
	}
	k := slices.IndexFunc(fitted, func(f *Fitted) bool { return f.Family == family.Name })
	if k < 0 {
		return nil, nil, fmt.Errorf("fit %s on all cutoffs: %w", family.Name, failures[len(failures)-1].Err)
	}
	artifact, err := a.wrap(fitted[k], e, o)
	return artifact, e.dropped, err
}

// wrap makes the artifact of a fitted family: everything needed to score, and no time of day.
func (a *arena) wrap(f *Fitted, e *encoded, o Options) (*models.Artifact, error) {
	blob, err := f.Model.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", f.Family, err)
	}
	schema := f.Model.Schema()
	names := make([]string, len(schema))
	for j, c := range schema {
		names[j] = c.Name
	}
	// The bands are for whom we score now, so they are those of the rows that calibrate: the newest ones.
	rows := newest(f.Crossed, calibrationRarer)
	probability := make([]float64, len(rows))
	for k, i := range rows {
		probability[k] = f.Calibration.Probability(f.OutOfFold[i])
	}
	reference, err := referenceOf(f, e.d)
	if err != nil {
		return nil, err
	}
	cutoffs := distinctCutoffs(e.d.Cutoff)
	artifact := &models.Artifact{
		Kind: KindChurn, Name: KindChurn, Family: f.Family,
		Catalogue: a.panel.Catalogue().Only(names), Encoding: e.encoding, Churn: o.Churn,
		Schema: schema, Fingerprint: schema.Fingerprint(),
		Calibration: f.Calibration, Bands: models.FitBands(probability), Medians: models.Medians(e.d.X),
		Cutoffs: cutoffs, TrainedUntil: o.Churn.Matures(cutoffs[len(cutoffs)-1]),
		Rows: e.d.Rows(), Positives: metrics.Positives(e.d.Y), Seed: o.Seed, Reference: reference, Model: blob,
	}
	if o.Store != nil {
		for source, b := range o.Store.Sources {
			if len(b.Static) > 0 {
				if artifact.Static == nil {
					artifact.Static = make(map[string][]string)
				}
				artifact.Static[source] = b.Static
			}
		}
	}
	return artifact, nil
}

// stamp writes the figures of the artifact's family into it, without the seconds, which are not the same twice.
func stamp(a *models.Artifact, figures []metrics.ModelFigures) error {
	k := slices.IndexFunc(figures, func(m metrics.ModelFigures) bool { return m.Name == a.Family })
	if k < 0 {
		return nil
	}
	own := figures[k]
	own.FitSeconds, own.PredictSeconds = 0, 0
	blob, err := json.Marshal(own)
	a.Metrics = blob
	return err
}

// recipe is how the champion was made; nil if there is none.
func (s *standing) recipe() *recipe {
	if s == nil {
		return nil
	}
	r := &recipe{Family: s.artifact.Family}
	for _, c := range s.artifact.Schema {
		r.Columns = append(r.Columns, c.Name)
	}
	return r
}

// unlabelled names the cutoffs that were read and gave no row; "" without any. Both are oldest first.
func unlabelled(read, used []time.Time) string {
	var lost []string
	for _, t := range read {
		if !slices.ContainsFunc(used, t.Equal) {
			lost = append(lost, day(t))
		}
	}
	if len(lost) == 0 {
		return ""
	}
	return fmt.Sprintf("no label is known at %d of %d cutoffs (%s), so nothing was learned from them: retain label preview tells why", len(lost), len(read), strings.Join(lost, ", "))
}

// settle registers the artifact and promotes it if the gate says so.
func settle(ctx context.Context, l *lesson, o Options, champion *standing) error {
	blob, err := l.artifact.Encode()
	if err != nil {
		return err
	}
	l.report.Artifact = models.Address(blob)
	j := verdict(l, o, champion)
	j.Over = champion.address()
	l.report.Gate = j.gate()
	l.report.Verdict = append(l.report.Verdict, j.Verdict...)
	if champion != nil {
		if l.report.Anatomy.Change, err = l.arena.compare(l.artifact, l.report.Anatomy.Features, champion, l.newest, l.measured); err != nil {
			return err
		}
	}
	told, err := json.Marshal(l.report)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	e, err := enrol(ctx, o, j, warehouse.ModelRow{
		Artifact: l.report.Artifact, Kind: l.artifact.Kind, Name: l.artifact.Name, Family: l.artifact.Family,
		Rows: uint64(l.artifact.Rows), Positives: uint64(l.artifact.Positives), Report: string(told), Blob: blob,
	})
	l.report.Model.Version, l.report.Promoted = e.Version, e.Promoted
	l.report.Verdict = append(l.report.Verdict, e.Told...)
	return err
}

// verdict is the gate's word on the new artifact.
func verdict(l *lesson, o Options, champion *standing) judgement {
	artifact, t := l.artifact, l.measured
	challenger := t.find(artifact.Family)
	b := metrics.NewBootstrap(o.Seed, metrics.Concatenate(challenger.Held).Customer)
	recency := t.find(familyRecency)
	if champion == nil {
		return first(artifact.Family, challenger, recency, b)
	}
	if champion.row.Artifact == l.report.Artifact {
		return judgement{Verdict: []string{"the same model is the champion already"}}
	}
	old := t.find(familyChampion)
	if old == nil {
		return judgement{Verdict: []string{"the champion's recipe could not be measured on these folds, so it stays; promote by hand to replace it"}}
	}
	return judge(challenge{
		Name: artifact.Family, Challenger: challenger, Champion: old, Recency: recency, Segments: segmentsOf(challenger.Held, t.categories),
		Age: o.Now().Sub(champion.row.CreatedAt), MaxAge: o.MaxAge, Relabelled: relabelled(o.Churn, champion.artifact.Churn),
	}, b)
}

// relabelled says whether two specifications label differently. How far the data go is not part of the label.
func relabelled(a, b features.ChurnSpec) bool {
	a.DataUntil, b.DataUntil = nil, nil
	return !reflect.DeepEqual(a, b)
}
