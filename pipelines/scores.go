package pipelines

import (
	"context"
	"errors"
	"iter"
	"math"
	"time"

	"retain/features"
	"retain/internal/warehouse"
	"retain/models"
)

// ErrNoRun says that nothing has been scored yet.
var ErrNoRun = warehouse.ErrNoRun

// Scores reads scoring runs: the terminal's and the service's way to them.
type Scores struct {
	DB         *warehouse.Warehouse
	Actionable func(*models.Reason) bool // nil: nothing is
	Now        func() time.Time          // nil means time.Now
}

// InForce is the churn run in force; ErrNoRun if there is none.
func (s Scores) InForce(ctx context.Context) (models.Run, error) {
	row, err := s.DB.RunInForce(ctx, KindChurn)
	if err != nil {
		return models.Run{}, err
	}
	return runOf(row), nil
}

// Run is the run of an id; ErrNoRun if there is none.
func (s Scores) Run(ctx context.Context, id string) (models.Run, error) {
	row, err := s.DB.Run(ctx, id)
	if err != nil {
		return models.Run{}, err
	}
	return runOf(row), nil
}

// Scores streams every score of a run in the order of customer_id.
func (s Scores) Scores(ctx context.Context, runID string) iter.Seq2[models.Score, error] {
	return func(yield func(models.Score, error) bool) {
		run, err := s.Run(ctx, runID)
		if err != nil {
			yield(models.Score{}, err)
			return
		}
		for row, err := range s.DB.Scores(ctx, runID) {
			if !yield(s.score(run, row), err) {
				return
			}
		}
	}
}

// Score is one customer's score in the run in force and the encoded feature vector it was made from; ok is false if the run
// does not know the customer.
func (s Scores) Score(ctx context.Context, customer string) (score models.Score, vector []float32, ok bool, err error) {
	run, err := s.InForce(ctx)
	if err != nil {
		return score, nil, false, err
	}
	row, ok, err := s.DB.Score(ctx, run.ID, customer)
	if err != nil || !ok {
		return score, nil, false, err
	}
	return s.score(run, row), row.Vector, true, nil
}

// AtRisk lists the scored customers of the run in force, and says how many there are.
func (s Scores) AtRisk(ctx context.Context, q warehouse.AtRisk) (run models.Run, scores []models.Score, total int, err error) {
	if run, err = s.InForce(ctx); err != nil {
		return run, nil, 0, err
	}
	rows, count, err := s.DB.AtRisk(ctx, run.ID, q)
	if err != nil {
		return run, nil, 0, err
	}
	scores = make([]models.Score, len(rows))
	for i, row := range rows {
		scores[i] = s.score(run, row)
	}
	return run, scores, int(count), nil
}

// Explanation is the JSON of `retain explain`: the score with everything that adds up to its margin.
type Explanation struct {
	models.Score
	Base          *float64              `json:"base"`          // null unless scored
	Contributions []models.Contribution `json:"contributions"` // every feature, strongest first; base + Σ contribution = margin
}

// Explain is the customer's score in the run in force with all contributions, computed from the stored vector by the model that
// scored; ok is false if the run does not know the customer.
func (s Scores) Explain(ctx context.Context, m ServingModel, customer string) (e Explanation, ok bool, err error) {
	score, vector, ok, err := s.Score(ctx, customer)
	if err != nil || !ok {
		return e, ok, err
	}
	e.Score, e.Contributions = score, []models.Contribution{}
	if score.Status != models.StatusScored {
		return e, true, nil
	}
	schema := m.Artifact.Encoding.Schema()
	if len(vector) != len(schema) {
		return e, false, errors.New("explain: the stored vector is not of the model that scored; run `retain score` again")
	}
	x := &features.Matrix{Schema: schema, X: make([][]float32, len(vector))}
	for j := range vector {
		x.X[j] = vector[j : j+1]
	}
	contributions := make([]float64, len(vector))
	base, err := m.Model.Contributions(contributions, x)
	if err != nil {
		return e, false, err
	}
	e.Base = &base
	e.Contributions = m.Artifact.AllContributions(x, 0, contributions)
	return e, true, nil
}

// score is a stored row as the score object.
func (s Scores) score(run models.Run, row warehouse.ScoreRow) models.Score {
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	out := models.Score{
		CustomerID: row.CustomerID, Status: row.Status, HorizonDays: run.HorizonDays, Cutoff: run.Cutoff, ScoredAt: run.FinishedAt,
		Model: run.Model, DataAgeS: int64(now().Sub(run.Cutoff).Seconds()), Hindsight: run.Hindsight,
		Reasons: []models.Reason{}, Margin: orNull(row.Margin), ChurnProbability: orNull(row.Probability), ExpectedValue: orNull(row.Value), ExpectedLoss: orNull(row.Loss),
	}
	if row.StatusCode != "" {
		out.StatusCode = &row.StatusCode
	}
	if row.Stage != "" {
		out.Stage = &row.Stage
	}
	if row.Status != models.StatusScored {
		return out
	}
	if row.PRepeat == row.PRepeat && row.PPromotes == row.PPromotes {
		loyalty := models.LoyaltyScore(row.PRepeat, row.PPromotes)
		out.LoyaltyScore, out.PRepeat, out.PPromotes = &loyalty, &row.PRepeat, &row.PPromotes
	}
	percentile := int(row.Percentile)
	out.Percentile, out.Band = &percentile, &row.Band
	out.Reasons = make([]models.Reason, len(row.ReasonFeatures))
	for i, feature := range row.ReasonFeatures {
		r := models.Reason{Feature: feature, Text: row.ReasonTexts[i], Value: orNull(row.ReasonValues[i]),
			Reference: orNull(row.ReasonReferences[i]), Contribution: row.ReasonContributions[i], Direction: models.Direction(row.ReasonContributions[i])}
		r.Actionable = s.Actionable != nil && s.Actionable(&r)
		out.Reasons[i] = r
	}
	return out
}

// runOf is a stored run as the run object.
func runOf(row warehouse.RunRow) models.Run {
	run := models.Run{ID: row.RunID, Cutoff: row.Cutoff.UTC(), Model: models.ModelRef{Name: row.ModelName, Version: int(row.ModelVersion)},
		Artifact: row.Artifact, HorizonDays: int(row.HorizonDays), Customers: int(row.Customers), Scored: int(row.Scored),
		ByStatus: map[string]int{}, Hindsight: row.Hindsight, FinishedAt: row.FinishedAt.UTC(), Seconds: row.Seconds}
	if row.LoyaltyArtifact != "" {
		run.Loyalty = &models.ModelRef{Name: models.KindLoyalty, Version: int(row.LoyaltyVersion)}
	}
	for status, n := range row.ByStatus {
		run.ByStatus[status] = int(n)
	}
	return run
}

func orNull(v float64) *float64 {
	if math.IsNaN(v) {
		return nil
	}
	return &v
}
