package pipelines

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"retain/internal/spoken"
	"retain/internal/warehouse"
	"retain/training/metrics"
)

// ShadowVerdict compares the shadow with the champion on the same customers, as their labels become known.
type ShadowVerdict struct {
	Name       string           `json:"name"`
	Version    int              `json:"version"`
	Against    int              `json:"against"`       // version of the champion
	Runs       int              `json:"runs"`          // that it was scored beside
	Ends       *time.Time       `json:"ends"`          // cutoffs from here on are scored without it; null before its first run
	Over       bool             `json:"over"`          // it is scored no more
	Cutoffs    []time.Time      `json:"cutoffs"`       // compared, oldest first
	Rows       int              `json:"rows"`          // customers with a known label, over the cutoffs
	Churned    int              `json:"churned"`       // of them
	Shadow     *ShadowFigures   `json:"shadow"`        // null while nothing is known
	Champion   *ShadowFigures   `json:"champion"`      // of the same customers
	Gain       metrics.Figure   `json:"gain"`          // by which the shadow's log loss is lower
	GainWithin metrics.Interval `json:"gain_interval"` // 95 %, bootstrap by customer
	KnownAt    *time.Time       `json:"known_at"`      // when the data must be complete until for the next comparison; null if there is none to wait for
	DaysLeft   *int             `json:"days_left"`     // until then, from the watermark on
	Verdict    string           `json:"verdict"`       // in words
}

// ShadowFigures are one model's figures over the compared customers.
type ShadowFigures struct {
	LogLoss          metrics.Figure   `json:"log_loss"`
	AUC              metrics.Figure   `json:"auc"`
	ObservedExpected metrics.Figure   `json:"observed_expected"`
	OEInterval       metrics.Interval `json:"observed_expected_interval"`
	Calibrated       bool             `json:"calibrated"`
}

func shadowFigures(f metrics.PooledFigures) *ShadowFigures {
	return &ShadowFigures{LogLoss: f.LogLoss, AUC: f.AUC, ObservedExpected: f.Calibration.ObservedExpected, OEInterval: f.Calibration.OEInterval, Calibrated: f.Calibration.Pass}
}

// shadow compares the present shadow, or the last one, with the champion in whose runs it was scored. A champion that has been a shadow itself is not told again.
func (m *monitor) shadow(ctx context.Context) error {
	state, err := m.o.DB.Shadow(ctx, KindChurn)
	if errors.Is(err, warehouse.ErrNoModel) || err == nil && state.Artifact == m.run.Artifact {
		return nil
	}
	if err != nil {
		return err
	}
	v := &ShadowVerdict{Name: state.Name, Version: int(state.Version), Runs: state.Runs, Over: state.Over, Cutoffs: []time.Time{},
		Gain: metrics.Figure(math.NaN()), GainWithin: metrics.Interval{metrics.Figure(math.NaN()), metrics.Figure(math.NaN())}}
	m.report.Shadow = v
	if state.Runs == 0 {
		v.Verdict = fmt.Sprintf("%s v%d waits for the next run to be scored beside it", v.Name, v.Version)
		if state.Over {
			v.Verdict = fmt.Sprintf("%s v%d is not scored, though runs were made since; `retain score` tells why", v.Name, v.Version)
		}
		m.check("shadow", state.Over, "%s", v.Verdict)
		return nil
	}
	v.Ends = &state.Ends
	matured, waiting, err := m.shadowed(ctx, state)
	if err != nil {
		return err
	}
	if len(matured) > 0 {
		if err := m.compare(ctx, state, matured, v); err != nil {
			return err
		}
	}
	if waiting != nil {
		if err := m.shadowCountdown(ctx, *waiting, v); err != nil {
			return err
		}
	}
	if v.Verdict == "" {
		v.Verdict = fmt.Sprintf("%s v%d: the runs that it was scored beside are gone or have no known label", v.Name, v.Version)
	}
	m.check("shadow", false, "%s", v.Verdict)
	return nil
}

// shadowCountdown tells when the labels of a run beside which the shadow was scored will be known.
func (m *monitor) shadowCountdown(ctx context.Context, run warehouse.RunRow, v *ShadowVerdict) error {
	spec, watermark, err := m.labelsReach(ctx, run.Artifact)
	if err != nil || watermark.IsZero() {
		return err
	}
	known := spec.Matures(run.Cutoff)
	left := int(math.Ceil(known.Sub(watermark).Hours() / 24))
	v.KnownAt, v.DaysLeft = &known, &left
	if v.Shadow == nil {
		v.Against = int(run.ModelVersion)
		v.Verdict = fmt.Sprintf("%s v%d was scored beside %s: how it compares with v%d is known in %s of data", v.Name, v.Version, spoken.Counted(v.Runs, "run"), v.Against, spoken.Counted(left, "day"))
	}
	return nil
}

// shadowed are the runs with known labels that the shadow was scored beside, oldest first and all of the newest one's champion, at most shadowRuns of them spread over its
// time; and the oldest run whose labels are not known, nil if there is none.
func (m *monitor) shadowed(ctx context.Context, state warehouse.ShadowState) (matured []warehouse.RunRow, waiting *warehouse.RunRow, err error) {
	rows, err := m.o.DB.ShadowRuns(ctx, KindChurn, state.Artifact)
	if err != nil {
		return nil, nil, err
	}
	beside := map[string]bool{}
	for _, r := range rows {
		beside[r.RunID] = !r.FinishedAt.Before(state.At.Truncate(time.Millisecond))
	}
	for i := range m.runs { // greatest cutoff first
		run := m.runs[i]
		if !beside[run.RunID] || run.Hindsight {
			continue
		}
		spec, watermark, err := m.labelsReach(ctx, run.Artifact)
		if err != nil {
			return nil, nil, err
		}
		switch {
		case !spec.Known(run.Cutoff, watermark):
			waiting = &m.runs[i]
		case len(matured) == 0 || matured[len(matured)-1].Artifact == run.Artifact && matured[len(matured)-1].Cutoff.After(run.Cutoff):
			matured = append(matured, run)
		}
	}
	kept := make([]warehouse.RunRow, min(len(matured), shadowRuns))
	for k := range kept {
		kept[len(kept)-1-k] = matured[k*(len(matured)-1)/max(len(kept)-1, 1)]
	}
	return kept, waiting, nil
}

// compare measures both models on the customers of the runs.
func (m *monitor) compare(ctx context.Context, state warehouse.ShadowState, runs []warehouse.RunRow, v *ShadowVerdict) error {
	var champion, challenger []metrics.Held
	for _, run := range runs {
		label, ok, err := m.labelsOf(ctx, run)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		customer, margin, probability, err := m.o.DB.ShadowScored(ctx, run.RunID, state.Artifact)
		if err != nil {
			return err
		}
		beside := heldOf(run.Cutoff, label, customer, margin, probability)
		if customer, margin, probability, err = m.o.DB.Scored(ctx, run.RunID); err != nil {
			return err
		}
		own := heldOf(run.Cutoff, label, customer, margin, probability)
		if len(own.Y) != len(beside.Y) {
			return fmt.Errorf("run %s: the champion scored %d customers with a known label, its shadow %d", run.RunID, len(own.Y), len(beside.Y))
		}
		if len(own.Y) > 0 {
			champion, challenger = append(champion, own), append(challenger, beside)
			v.Cutoffs = append(v.Cutoffs, run.Cutoff)
		}
	}
	if len(champion) == 0 {
		return nil
	}
	v.Against = int(runs[len(runs)-1].ModelVersion)
	old, new := metrics.Pool("champion", champion, 1).Pooled, metrics.Pool("shadow", challenger, 1).Pooled
	v.Rows, v.Churned, v.Champion, v.Shadow = old.Rows, old.Positives, shadowFigures(old), shadowFigures(new)
	all, beside := metrics.Concatenate(champion), metrics.Concatenate(challenger)
	gain := metrics.RowLosses(all.P, all.Y)
	for i, l := range metrics.RowLosses(beside.P, beside.Y) {
		gain[i] -= l
	}
	v.Gain = metrics.Figure(metrics.Sum(gain) / float64(len(gain)))
	v.GainWithin = metrics.NewBootstrap(1, all.Customer).Mean(gain)
	v.Verdict = v.words()
	return nil
}

// words is the verdict on what is known.
func (v *ShadowVerdict) words() string {
	state := "is not to be told from"
	switch {
	case v.GainWithin[0] > 0:
		state = "is better than"
	case v.GainWithin[1] < 0:
		state = "is worse than"
	}
	text := fmt.Sprintf("%s v%d %s the champion v%d by what became of %s at %s: log loss %.4f against %.4f, %+.4f better (95 %%: %+.4f to %+.4f)", v.Name, v.Version, state, v.Against,
		spoken.Counted(v.Rows, "customer"), spoken.Counted(len(v.Cutoffs), "cutoff"), float64(v.Shadow.LogLoss), float64(v.Champion.LogLoss), float64(v.Gain), float64(v.GainWithin[0]), float64(v.GainWithin[1]))
	if a, b := float64(v.Shadow.AUC), float64(v.Champion.AUC); !math.IsNaN(a + b) {
		text += fmt.Sprintf(", AUC %.3f against %.3f", a, b)
	}
	text += fmt.Sprintf(", observed/expected %.2f against %.2f", float64(v.Shadow.ObservedExpected), float64(v.Champion.ObservedExpected))
	if !v.Shadow.Calibrated {
		text += "; it is not calibrated"
	}
	return text
}
