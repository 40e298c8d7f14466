package pipelines

import (
	"context"
	"time"

	"retain/training/metrics"
)

// Drift is the population stability index of a distribution against a reference (metrics.md §5).
type Drift struct {
	Of        string  `json:"of"`        // margin, or churn_probability where the models differ
	PSI       float64 `json:"psi"`       // ≥ 0
	Threshold float64 `json:"threshold"` // beyond which it is drift and not chance
	Drifted   bool    `json:"drifted"`
}

// drift compares the distribution of the scores with that of the previous run.
func (m *monitor) drift(ctx context.Context) error {
	if m.previous == nil || m.run.Scored == 0 || m.previous.Scored == 0 {
		return nil
	}
	_, margin, probability, err := m.o.DB.Scored(ctx, m.run.RunID)
	if err != nil {
		return err
	}
	_, marginBefore, probabilityBefore, err := m.o.DB.Scored(ctx, m.previous.RunID)
	if err != nil {
		return err
	}
	d := Drift{Of: "churn_probability"}
	if m.run.Artifact == m.previous.Artifact {
		d.Of, probability, probabilityBefore = "margin", margin, marginBefore
	}
	d.PSI, d.Threshold = metrics.PSI(probabilityBefore, probability)
	d.Drifted = d.PSI > d.Threshold
	m.report.Drift = &d
	m.check("scores", d.Drifted, "PSI of the %s against the run of %s is %.3f (drift beyond %.3f)", d.Of, m.previous.Cutoff.Format(time.DateOnly), d.PSI, d.Threshold)
	return nil
}
