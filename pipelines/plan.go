package pipelines

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"retain/features"
	"retain/internal/warehouse"
	"retain/models"
	"retain/models/actions"
)

// PlanFilter says whose decisions a plan or an experiment looks at; empty fields leave everyone in.
type PlanFilter struct {
	Segment string // of the source customers, byte for byte
	Stage   string // of the lifecycle
	Band    string // low, medium or high
}

// SegmentCustomers are the customers of a segment, as known at the cutoff.
func SegmentCustomers(ctx context.Context, store *features.Store, segment string, cutoff time.Time) (map[string]bool, error) {
	from, err := store.Versions(ctx, features.Customers, []string{"segment"}, cutoff)
	if err != nil {
		return nil, err
	}
	in := map[string]bool{}
	for b, err := range store.DB.Blocks(ctx, `SELECT customer_id FROM `+from+` WHERE segment = {segment:String}`, clickhouse.Parameters{"segment": warehouse.Text(segment)}) {
		if err != nil {
			return nil, fmt.Errorf("read segments: %w", err)
		}
		for _, id := range b.Strings("customer_id") {
			in[id] = true
		}
	}
	return in, nil
}

// filtered hands out the run in force with the score and the decision of everyone whom the filter lets through, in the order of ids.
func (s Scores) filtered(ctx context.Context, store *features.Store, f PlanFilter, take func(score *models.Score, made *actions.Decision) error) (run models.Run, err error) {
	if run, err = s.InForce(ctx); err != nil {
		return run, err
	}
	decisions := Decisions{DB: s.DB}
	var segment map[string]bool
	if f.Segment != "" {
		if segment, err = SegmentCustomers(ctx, store, f.Segment, run.Cutoff); err != nil {
			return run, err
		}
	}
	kept := map[string]models.Score{}
	for score, err := range s.Scores(ctx, run.ID) {
		if err != nil {
			return run, err
		}
		if f.Band != "" && (score.Band == nil || *score.Band != f.Band) || f.Stage != "" && (score.Stage == nil || *score.Stage != f.Stage) || segment != nil && !segment[score.CustomerID] {
			continue
		}
		score.Reasons, score.Changes = nil, nil
		kept[score.CustomerID] = score
	}
	for made, err := range decisions.Of(ctx, run.ID) {
		if err != nil {
			return run, err
		}
		score, ok := kept[made.CustomerID]
		if !ok {
			continue
		}
		if err := take(&score, &made); err != nil {
			return run, err
		}
	}
	return run, nil
}

// Plan allots a budget over the decisions of the run in force. budget +Inf is none; capacity replaces those of the catalogue. Errors: what
// InForce says, ErrNoDecisions, actions.ErrPlan.
func (s Scores) Plan(ctx context.Context, store *features.Store, f PlanFilter, budget float64, capacity map[string]int) (models.Run, *actions.BudgetPlan, error) {
	run, err := s.InForce(ctx)
	if err != nil {
		return run, nil, err
	}
	shared, err := Decisions{DB: s.DB}.Shared(ctx, run.ID)
	if err != nil {
		return run, nil, err
	}
	planning := actions.NewPlanning(shared.Catalogue)
	if run, err = s.filtered(ctx, store, f, func(_ *models.Score, made *actions.Decision) error {
		return planning.Add(made, actions.DecisionID(shared.RunID, made.CustomerID))
	}); err != nil {
		return run, nil, err
	}
	plan, err := planning.Allot(ctx, budget, capacity)
	return run, plan, err
}
