package pipelines

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"retain/models"
	"retain/training/metrics"
)

// FeatureDrift is the monitor's verdict on one feature of the model that scored.
type FeatureDrift struct {
	Feature          string         `json:"feature"`
	Source           string         `json:"source"`     // that it is computed from; "" = none or several
	Importance       metrics.Figure `json:"importance"` // share of the contributions to the margin at training
	PSI              metrics.Figure `json:"psi"`        // against the newest training cutoff
	Threshold        metrics.Figure `json:"threshold"`  // beyond which it is drift and not chance
	Drifted          bool           `json:"drifted"`
	Missing          metrics.Figure `json:"missing"` // share of the scored customers without a value
	ReferenceMissing metrics.Figure `json:"reference_missing"`
	Verdict          string         `json:"verdict"` // in words
}

// columns counts every column of the run in force once, for what is missing and for what has drifted.
func (m *monitor) columns(ctx context.Context) error {
	schema := m.artifact.Encoding.Schema()
	cuts := make([][]float64, len(schema))
	var margin []float64
	reference := m.artifact.Reference
	if reference != nil && len(reference.Features) == len(schema) {
		for j, h := range reference.Features {
			cuts[j] = h.Cuts
		}
		if reference.Margin != nil {
			margin = reference.Margin.Cuts
		}
	} else {
		reference = nil
	}
	counts, err := m.o.DB.CountColumns(ctx, m.run.RunID, cuts, margin)
	if err != nil {
		return err
	}
	if err := m.missing(ctx, counts.Columns, counts.Rows); err != nil {
		return err
	}
	if reference == nil {
		m.check("drift", false, "the model was trained before references were kept: train again to have drift measured")
		return nil
	}
	if counts.Rows == 0 {
		return nil // said by population
	}
	for j, c := range schema {
		m.report.Features = append(m.report.Features, m.featureDrift(c.Name, reference.Features[j], counts.Columns[j], importanceShare(reference.Importance, j)))
	}
	slices.SortStableFunc(m.report.Features, func(a, b FeatureDrift) int {
		return cmp.Compare(orZero(b.Importance), orZero(a.Importance))
	})
	m.checkDrift(reference)
	m.checkMargin(reference, counts.Margin)
	return nil
}

// importanceShare is one importance as a share of all; NaN where none is known.
func importanceShare(importance models.Figures, j int) metrics.Figure {
	total := 0.
	for _, v := range importance {
		if !math.IsNaN(v) {
			total += v
		}
	}
	return metrics.Figure(importance[j] / total) // 0/0 = NaN
}

func orZero(f metrics.Figure) float64 {
	if v := float64(f); !math.IsNaN(v) {
		return v
	}
	return 0
}

// featureDrift judges one column by its counts.
func (m *monitor) featureDrift(name string, reference models.Histogram, counts []uint64, importance metrics.Figure) FeatureDrift {
	h := metrics.Histogram(reference)
	psi, threshold := h.PSI(counts)
	d := FeatureDrift{Feature: name, Importance: importance, PSI: metrics.Figure(psi), Threshold: metrics.Figure(threshold), Drifted: psi > threshold,
		Missing: lastShare(counts), ReferenceMissing: lastShare(h.Counts)}
	if m.artifact.Catalogue != nil {
		if e, ok := m.artifact.Catalogue.Entry(name); ok {
			d.Source = e.Measure.Source
		}
	}
	missing := fmt.Sprintf("%.0f %% have no value, %.0f %% at training", 100*float64(d.Missing), 100*float64(d.ReferenceMissing))
	switch {
	case d.vanished():
		d.Verdict = fmt.Sprintf("vanished: nobody has a value, %.0f %% had one at training", 100*(1-float64(d.ReferenceMissing)))
	case d.Drifted && math.Abs(float64(d.Missing-d.ReferenceMissing)) > missingShift:
		d.Verdict = fmt.Sprintf("drifted, PSI %.2f: %s", psi, missing)
	case d.Drifted:
		d.Verdict = fmt.Sprintf("drifted, PSI %.2f", psi)
	default:
		d.Verdict = "as at training"
	}
	return d
}

// vanished says that nobody has a value any more, and somebody had one at training.
func (d FeatureDrift) vanished() bool { return d.Missing == 1 && d.ReferenceMissing < 1 }

// lastShare is the share of the last bin.
func lastShare(counts []uint64) metrics.Figure {
	total := 0.
	for _, c := range counts {
		total += float64(c)
	}
	return metrics.Figure(float64(counts[len(counts)-1]) / total)
}

// checkDrift sums the verdicts up: sources that have vanished first, then the most important features that drifted.
func (m *monitor) checkDrift(reference *models.Reference) {
	var drifted []string
	columns, gone := map[string]int{}, map[string]int{}
	var sources []string
	for _, d := range m.report.Features {
		if d.Source != "" {
			if columns[d.Source]++; columns[d.Source] == 1 {
				sources = append(sources, d.Source)
			}
		}
		if d.vanished() {
			gone[d.Source]++
		}
	}
	var words []string
	slices.Sort(sources)
	for _, source := range sources {
		if gone[source] == columns[source] {
			m.report.Vanished = append(m.report.Vanished, source)
			words = append(words, fmt.Sprintf("%s has vanished: nobody has a value of any of its %d features", source, columns[source]))
		}
	}
	weight, warn := 0., len(words) > 0
	for _, d := range m.report.Features {
		if d.Drifted && !slices.Contains(m.report.Vanished, d.Source) {
			weight += orZero(d.Importance)
			warn = warn || weight > driftWeight || math.IsNaN(float64(d.Importance))
			drifted = append(drifted, fmt.Sprintf("%s (%s)", d.Feature, d.Verdict))
		}
	}
	if n := len(drifted); n > 0 {
		named := strings.Join(drifted[:min(n, namedDrifts)], ", ")
		if n > namedDrifts {
			named += fmt.Sprintf(" and %d more", n-namedDrifts)
		}
		words = append(words, fmt.Sprintf("%d of %d features drifted from the training rows of %s, with %.0f %% of what the model weighs, the most important first: %s", n, len(m.report.Features),
			reference.Cutoff.Format(time.DateOnly), 100*weight, named))
	}
	m.check("drift", warn, "%s", cmp.Or(strings.Join(words, "; "), fmt.Sprintf("%d features are as in the training rows of %s", len(m.report.Features), reference.Cutoff.Format(time.DateOnly))))
}

// checkMargin compares what the model says with what models said, at training, of customers whom they had not seen.
func (m *monitor) checkMargin(reference *models.Reference, counts []uint64) {
	if reference.Margin == nil {
		return
	}
	d := Drift{Of: "margin"}
	d.PSI, d.Threshold = metrics.Histogram(*reference.Margin).PSI(counts)
	d.Drifted = d.PSI > d.Threshold
	m.report.Margin = &d
	m.check("margins", d.Drifted, "PSI of the margins against the training rows of %s is %.3f (drift beyond %.3f)", reference.Cutoff.Format(time.DateOnly), d.PSI, d.Threshold)
}
