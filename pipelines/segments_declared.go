package pipelines

import (
	"context"
	"errors"
	"fmt"
	"time"

	"retain/features"
	"retain/features/lifecycle"
	"retain/features/lifecycle/segment"
	"retain/internal/rule"
	"retain/models"
)

// DeclaredReport is how the customers of a run spread over declared segments.
type DeclaredReport struct {
	RunID     string          `json:"run_id"`
	Cutoff    time.Time       `json:"cutoff"`
	Customers int             `json:"customers"` // scored
	Segments  []DeclaredShare `json:"segments"`  // in the order of the file, then other
}

// DeclaredShare is one of them.
type DeclaredShare struct {
	Name         string   `json:"name"`
	Title        string   `json:"title,omitempty"`
	Customers    int      `json:"customers"`
	Risk         *float64 `json:"churn_probability"` // mean; null for nobody
	ExpectedLoss *float64 `json:"expected_loss"`     // Σ over those whose value is known; null for none
}

// Declared counts the scored customers of a run by declared segment, with their risk and what is expected to be lost.
func (s Segments) Declared(ctx context.Context, run models.Run, d *segment.Declared) (*DeclaredReport, error) {
	scores := Scores{DB: s.Store.DB}
	var ids []string
	var risk []float64
	var loss []*float64
	for score, err := range scores.Scores(ctx, run.ID) {
		if err != nil {
			return nil, err
		}
		if score.Status == models.StatusScored && score.ChurnProbability != nil {
			ids, risk, loss = append(ids, score.CustomerID), append(risk, *score.ChurnProbability), append(loss, score.ExpectedLoss)
		}
	}
	report := &DeclaredReport{RunID: run.ID, Cutoff: run.Cutoff, Customers: len(ids)}
	for _, x := range d.Segments {
		report.Segments = append(report.Segments, DeclaredShare{Name: x.Name, Title: x.Title})
	}
	report.Segments = append(report.Segments, DeclaredShare{Name: segment.Others})
	if len(ids) == 0 {
		return report, nil
	}
	columns, err := s.columns(ctx, run.Cutoff, ids, d.Features)
	if err != nil {
		return nil, err
	}
	member := segment.Member{Features: columns}
	sums := make([]float64, len(report.Segments))
	for i := range ids {
		member.Row = i
		k := d.Of(&member)
		if k < 0 {
			k = len(report.Segments) - 1
		}
		to := &report.Segments[k]
		to.Customers++
		sums[k] += risk[i]
		if loss[i] != nil {
			if to.ExpectedLoss == nil {
				to.ExpectedLoss = new(float64)
			}
			*to.ExpectedLoss += *loss[i]
		}
	}
	for k := range report.Segments {
		if n := report.Segments[k].Customers; n > 0 {
			report.Segments[k].Risk = new(sums[k] / float64(n))
		}
	}
	return report, nil
}

// columns are features of the given customers.
func (s Segments) columns(ctx context.Context, cutoff time.Time, customer []string, entries []features.Entry) (columns *rule.Columns, err error) {
	if len(entries) == 0 {
		return nil, nil
	}
	alive, err := s.Store.RestoreEligible(ctx, cutoff, customer)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, alive.Close(context.WithoutCancel(ctx))) }()
	x, err := s.Store.Snapshot(ctx, &features.Catalogue{Version: features.DefaultCatalogue().Version, Entries: entries}, alive)
	if err != nil {
		return nil, fmt.Errorf("compute the features of segments: %w", err)
	}
	return lifecycle.Columns(x.X), nil
}
