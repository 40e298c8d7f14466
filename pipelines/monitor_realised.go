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
	Calibrated       bool              `json:"calibrated"` // by the rule of the promotion gate
}

// realisedRuns is how many matured runs are looked at, newest first.
const realisedRuns = 3

// realised compares the newest runs whose labels have matured with them. Runs older than their model's training are no test of it and stay out.
func (m *monitor) realised(ctx context.Context) error {
	var off []string
	for _, run := range m.runs {
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
			continue
		}
		m.report.Realised = append(m.report.Realised, r)
		if !r.Calibrated {
			off = append(off, fmt.Sprintf("run of %s: %d churned, %.2f times as many as told (95 %%: %.2f to %.2f), AUC %.3f", r.Cutoff.Format(time.DateOnly),
				r.Churned, float64(r.ObservedExpected), float64(r.OEInterval[0]), float64(r.OEInterval[1]), float64(r.AUC)))
		}
	}
	if len(m.report.Realised) == 0 {
		m.check("realised", false, "no run has matured yet: its labels are known %d days after its cutoff", m.artifact.Churn.MaturityDays())
		return nil
	}
	newest := m.report.Realised[0]
	m.check("realised", len(off) > 0, "%s", cmp.Or(strings.Join(off, "; "), fmt.Sprintf("run of %s: %d of %d churned, %.2f times as many as told, AUC %.3f",
		newest.Cutoff.Format(time.DateOnly), newest.Churned, newest.Rows, float64(newest.ObservedExpected), float64(newest.AUC))))
	return nil
}

// realisedOf measures one run; ok is false while its labels are not known.
func (m *monitor) realisedOf(ctx context.Context, run warehouse.RunRow) (r Realised, ok bool, err error) {
	spec, watermark, err := m.labelsReach(ctx, run.Artifact)
	var empty *features.EmptySourceError
	if errors.As(err, &empty) {
		return r, false, nil
	}
	if err != nil || !spec.Known(run.Cutoff, watermark) {
		return r, false, err
	}
	p, err := m.store.Population(ctx, spec, run.Cutoff)
	if err != nil {
		return r, false, err
	}
	defer func() { err = errors.Join(err, p.Close(context.WithoutCancel(ctx))) }()
	labels, err := m.store.Labels(ctx, spec, p, time.Time{})
	if err != nil {
		return r, false, err
	}
	label := make(map[string]float64, len(labels.Y))
	for i, id := range p.Eligible() {
		if !math.IsNaN(labels.Y[i]) {
			label[id] = labels.Y[i]
		}
	}
	customer, margin, probability, err := m.o.DB.Scored(ctx, run.RunID)
	if err != nil {
		return r, false, err
	}
	held := metrics.Held{Cutoff: run.Cutoff}
	for i, id := range customer {
		if y, known := label[id]; known {
			held.Customer, held.Y = append(held.Customer, id), append(held.Y, y)
			held.Margin, held.P = append(held.Margin, margin[i]), append(held.P, probability[i])
		}
	}
	if len(held.Y) == 0 {
		return r, false, nil
	}
	figures := metrics.Pool("champion", []metrics.Held{held}, 1).Pooled
	return Realised{RunID: run.RunID, Cutoff: run.Cutoff, ModelVersion: run.ModelVersion, Rows: figures.Rows, Churned: figures.Positives,
		ObservedExpected: figures.Calibration.ObservedExpected, OEInterval: figures.Calibration.OEInterval, AUC: figures.AUC,
		LogLoss: figures.LogLoss, LogLossInterval: figures.LogLossInterval, Calibrated: figures.Calibration.Pass}, true, nil
}

// reached is how far the labels of an artifact's specification are known.
type reached struct {
	spec      features.ChurnSpec
	watermark time.Time
	err       error
}

// labelsReach tells the label specification of an artifact and how far the data behind it reach. It reads them once an artifact: dozens of runs have not matured.
func (m *monitor) labelsReach(ctx context.Context, address string) (features.ChurnSpec, time.Time, error) {
	if r, ok := m.reach[address]; ok {
		return r.spec, r.watermark, r.err
	}
	artifact, err := m.artifactOf(ctx, address)
	if err != nil {
		return features.ChurnSpec{}, time.Time{}, err
	}
	r := reached{spec: artifact.Churn}
	r.spec.DataUntil = nil
	r.watermark, r.err = m.store.Watermark(ctx, r.spec)
	m.reach[address] = r
	return r.spec, r.watermark, r.err
}
