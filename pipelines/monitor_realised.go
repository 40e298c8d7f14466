package pipelines

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"retain/features"
	"retain/internal/spoken"
	"retain/internal/warehouse"
	"retain/training/metrics"
)

// Realised is how a run's scores compare with what became of its customers.
type Realised struct {
	RunID            string            `json:"run_id"`
	Cutoff           time.Time         `json:"cutoff"`
	ModelVersion     uint32            `json:"model_version"`
	Rows             int               `json:"rows"`              // scored customers whose label is known
	Churned          int               `json:"churned"`           // of them
	ObservedExpected metrics.Figure    `json:"observed_expected"` // churned over the sum of their probabilities
	OEInterval       [2]metrics.Figure `json:"observed_expected_interval"`
	AUC              metrics.Figure    `json:"auc"`
	LogLoss          metrics.Figure    `json:"log_loss"`
	LogLossInterval  [2]metrics.Figure `json:"log_loss_interval"`
	Calibrated       bool              `json:"calibrated"`        // by the rule of the promotion gate
	Treated          int               `json:"treated,omitempty"` // customers left out: something marketing or proactive was done. The others have weights in observed_expected
	New              *RealisedNew      `json:"new"`               // those of whom nothing was known at the newest training cutoff; null without any
	Verdict          string            `json:"verdict"`           // in words
}

// RealisedNew is the same of the customers who are new since training.
type RealisedNew struct {
	Rows             int               `json:"rows"`
	Churned          int               `json:"churned"`
	Expected         metrics.Figure    `json:"expected"` // sum of their probabilities
	ObservedExpected metrics.Figure    `json:"observed_expected"`
	OEInterval       [2]metrics.Figure `json:"observed_expected_interval"`
	AUC              metrics.Figure    `json:"auc"`
	Calibrated       bool              `json:"calibrated"`
	Verdict          string            `json:"verdict"`
}

// Maturing is the run whose labels will be known next, and what it told.
type Maturing struct {
	RunID    string         `json:"run_id"`
	Cutoff   time.Time      `json:"cutoff"`
	KnownAt  time.Time      `json:"known_at"`  // when the data must be complete until
	DaysLeft int            `json:"days_left"` // of data, from the watermark on
	Scored   int            `json:"scored"`
	Expected metrics.Figure `json:"expected"` // churned customers, the sum of the probabilities
	Message  string         `json:"message"`
}

// realised compares the newest runs whose labels have matured with them, and counts down to the next one. Runs older than their model's training are no test of
// it and stay out.
func (m *monitor) realised(ctx context.Context) error {
	var off, strangers []string
	waiting := -1 // the oldest run of those that have not matured
	for i, run := range m.runs {
		if len(m.report.Realised) == realisedRuns {
			break
		}
		if run.Hindsight || run.Scored == 0 {
			continue
		}
		r, ok, err := m.realisedOf(ctx, run)
		if err != nil {
			return fmt.Errorf("realised quality of run %s: %w", run.RunID, err)
		}
		if !ok {
			if len(m.report.Realised) == 0 {
				waiting = i
			}
			continue
		}
		m.report.Realised = append(m.report.Realised, r)
		if !r.Calibrated {
			off = append(off, r.Verdict)
		}
		if r.New != nil && !r.New.Calibrated {
			strangers = append(strangers, r.New.Verdict)
		}
	}
	if err := m.countdown(ctx, waiting); err != nil {
		return err
	}
	if len(m.report.Realised) == 0 {
		told := fmt.Sprintf("no run has matured yet: its labels are known %d days after its cutoff", m.artifact.Churn.MaturityDays())
		if m.report.Maturing != nil {
			told = "no run has matured yet: " + m.report.Maturing.Message
		}
		m.check("realised", false, "%s", told)
		return nil
	}
	newest := m.report.Realised[0]
	m.check("realised", len(off) > 0, "%s", cmp.Or(strings.Join(off, "; "), newest.Verdict))
	if newest.New != nil || len(strangers) > 0 {
		told := ""
		if newest.New != nil {
			told = newest.New.Verdict
		}
		m.check("realised_new", len(strangers) > 0, "%s", cmp.Or(strings.Join(strangers, "; "), told))
	}
	if m.report.Maturing != nil {
		m.check("maturing", false, "%s", m.report.Maturing.Message)
	}
	return nil
}

// countdown tells when the labels of a run will be known; -1 is none.
func (m *monitor) countdown(ctx context.Context, at int) error {
	if at < 0 {
		return nil
	}
	run := m.runs[at]
	spec, watermark, err := m.labelsReach(ctx, run.Artifact)
	if err != nil || watermark.IsZero() { // without rows there is nothing to count from
		return err
	}
	_, _, probability, err := m.o.DB.Scored(ctx, run.RunID)
	if err != nil {
		return err
	}
	c := Maturing{RunID: run.RunID, Cutoff: run.Cutoff, KnownAt: spec.Matures(run.Cutoff), Scored: len(probability), Expected: metrics.Figure(metrics.Sum(probability))}
	c.DaysLeft = int(math.Ceil(c.KnownAt.Sub(watermark).Hours() / 24))
	c.Message = fmt.Sprintf("what became of the customers of the run of %s is known in %s of data (complete until %s, wanted until %s); it told %.0f of %d to churn",
		run.Cutoff.Format(time.DateOnly), spoken.Counted(c.DaysLeft, "day"), watermark.Format(time.DateOnly), c.KnownAt.Format(time.DateOnly), float64(c.Expected), c.Scored)
	m.report.Maturing = &c
	return nil
}

// labelsOf are the known labels of a run by customer; ok is false while they are not known. They are read once a run.
func (m *monitor) labelsOf(ctx context.Context, run warehouse.RunRow) (label map[string]float64, ok bool, err error) {
	spec, watermark, err := m.labelsReach(ctx, run.Artifact)
	if err != nil || !spec.Known(run.Cutoff, watermark) {
		return nil, false, err
	}
	if label, ok := m.labels[run.RunID]; ok {
		return label, true, nil
	}
	p, err := m.store.Population(ctx, spec, run.Cutoff)
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, p.Close(context.WithoutCancel(ctx))) }()
	labels, err := m.store.Labels(ctx, spec, p, time.Time{})
	if err != nil {
		return nil, false, err
	}
	untreated, err := m.untreatedOf(ctx, run, spec)
	if err != nil {
		return nil, false, err
	}
	label = make(map[string]float64, len(labels.Y))
	for i, id := range p.Eligible() {
		if math.IsNaN(labels.Y[i]) {
			continue
		}
		if _, ok := untreated.Weight(id); ok {
			label[id] = labels.Y[i]
		} else {
			m.treated[run.RunID]++
		}
	}
	m.labels[run.RunID] = label
	return label, true, nil
}

// heldOf joins what a model said of customers with what became of them.
func heldOf(cutoff time.Time, label map[string]float64, customer []string, margin, probability []float64) metrics.Held {
	held := metrics.Held{Cutoff: cutoff}
	for i, id := range customer {
		if y, known := label[id]; known {
			held.Customer, held.Y = append(held.Customer, id), append(held.Y, y)
			held.Margin, held.P = append(held.Margin, margin[i]), append(held.P, probability[i])
		}
	}
	return held
}

// realisedOf measures one run; ok is false while its labels are not known.
func (m *monitor) realisedOf(ctx context.Context, run warehouse.RunRow) (r Realised, ok bool, err error) {
	label, ok, err := m.labelsOf(ctx, run)
	if err != nil || !ok {
		return r, false, err
	}
	customer, margin, probability, err := m.o.DB.Scored(ctx, run.RunID)
	if err != nil {
		return r, false, err
	}
	held := heldOf(run.Cutoff, label, customer, margin, probability)
	if len(held.Y) == 0 {
		return r, false, nil
	}
	figures := metrics.Pool("champion", []metrics.Held{held}, 1).Pooled
	if err := m.weigh(ctx, run, held, &figures); err != nil {
		return r, false, err
	}
	r = Realised{RunID: run.RunID, Cutoff: run.Cutoff, ModelVersion: run.ModelVersion, Rows: figures.Rows, Churned: figures.Positives,
		ObservedExpected: figures.Calibration.ObservedExpected, OEInterval: figures.Calibration.OEInterval, AUC: figures.AUC,
		LogLoss: figures.LogLoss, LogLossInterval: figures.LogLossInterval, Calibrated: figures.Calibration.Pass}
	r.Verdict = fmt.Sprintf("run of %s: %s", run.Cutoff.Format(time.DateOnly), realisedWords(figures, metrics.Sum(held.P)))
	if r.Treated = m.treated[run.RunID]; r.Treated > 0 {
		r.Verdict += fmt.Sprintf("; without %s, the others weighing for those like them", spoken.Counted(r.Treated, "treated customer"))
	}
	r.New, err = m.realisedNew(ctx, run, held)
	return r, true, err
}

// realisedWords tells observed against expected.
func realisedWords(f metrics.PooledFigures, expected float64) string {
	state := "as told"
	if !f.Calibration.Pass {
		state = "NOT as told"
	}
	auc := ""
	if v := float64(f.AUC); !math.IsNaN(v) {
		auc = fmt.Sprintf(", AUC %.3f", v)
	}
	return fmt.Sprintf("%d of %d churned, %.0f were told: %.2f times as many (95 %%: %.2f to %.2f), %s%s", f.Positives, f.Rows, expected,
		float64(f.Calibration.ObservedExpected), float64(f.Calibration.OEInterval[0]), float64(f.Calibration.OEInterval[1]), state, auc)
}

// realisedNew measures the customers of a run who did not exist yet at the newest training cutoff of its model; nil if there are none.
func (m *monitor) realisedNew(ctx context.Context, run warehouse.RunRow, held metrics.Held) (*RealisedNew, error) {
	known, err := m.trainedOn(ctx, run.Artifact)
	if err != nil {
		return nil, err
	}
	strangers := metrics.Held{Cutoff: held.Cutoff}
	for i, id := range held.Customer {
		if !known[id] {
			strangers.Customer, strangers.Y = append(strangers.Customer, id), append(strangers.Y, held.Y[i])
			strangers.Margin, strangers.P = append(strangers.Margin, held.Margin[i]), append(strangers.P, held.P[i])
		}
	}
	if len(strangers.Y) == 0 {
		return nil, nil
	}
	figures := metrics.Pool("champion", []metrics.Held{strangers}, 1).Pooled
	expected := metrics.Sum(strangers.P)
	return &RealisedNew{Rows: figures.Rows, Churned: figures.Positives, Expected: metrics.Figure(expected), ObservedExpected: figures.Calibration.ObservedExpected,
		OEInterval: figures.Calibration.OEInterval, AUC: figures.AUC, Calibrated: figures.Calibration.Pass,
		Verdict: fmt.Sprintf("customers new since training in the run of %s: %s", run.Cutoff.Format(time.DateOnly), realisedWords(figures, expected))}, nil
}

// trainedOn are the customers who existed at the newest training cutoff of a model. They are read once a model.
func (m *monitor) trainedOn(ctx context.Context, address string) (map[string]bool, error) {
	if known, ok := m.existed[address]; ok {
		return known, nil
	}
	artifact, err := m.artifactOf(ctx, address)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	if n := len(artifact.Cutoffs); n > 0 {
		p, err := m.store.Population(ctx, artifact.Churn, artifact.Cutoffs[n-1])
		if err != nil {
			return nil, err
		}
		for _, id := range p.Customer {
			known[id] = true
		}
		if err := p.Close(context.WithoutCancel(ctx)); err != nil {
			return nil, err
		}
	}
	m.existed[address] = known
	return known, nil
}

// reached is how far the labels of an artifact's specification are known.
type reached struct {
	spec      features.ChurnSpec
	watermark time.Time
}

// labelsReach tells the label specification of an artifact and how far the data behind it reach, the zero instant where there are none. It reads them once an
// artifact: dozens of runs have not matured.
func (m *monitor) labelsReach(ctx context.Context, address string) (features.ChurnSpec, time.Time, error) {
	if r, ok := m.reach[address]; ok {
		return r.spec, r.watermark, nil
	}
	artifact, err := m.artifactOf(ctx, address)
	if err != nil {
		return features.ChurnSpec{}, time.Time{}, err
	}
	r := reached{spec: artifact.Churn}
	r.spec.DataUntil = nil
	var empty *features.EmptySourceError
	if r.watermark, err = m.store.Watermark(ctx, r.spec); err != nil && !errors.As(err, &empty) {
		return features.ChurnSpec{}, time.Time{}, err
	}
	m.reach[address] = r
	return r.spec, r.watermark, nil
}
