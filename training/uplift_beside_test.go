package training

import (
	"context"
	"iter"
	"math"
	"strings"
	"testing"
	"time"

	"retain/features"
	"retain/internal/warehouse"
)

// scoredDiary is a diary whose decisions tell the risk by which they were made, those of some runs excepted.
type scoredDiary struct {
	diary
	silent func(cutoff time.Time) bool
}

func (d scoredDiary) Decisions(ctx context.Context, run warehouse.DecisionRun) iter.Seq2[warehouse.DecisionRow, error] {
	return func(yield func(warehouse.DecisionRow, error) bool) {
		for r, err := range d.diary.Decisions(ctx, run) {
			r.Risk = .3
			if d.silent(run.Cutoff) {
				r.Risk = math.NaN()
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// Where the risk at the decision is known, effects are learned beside it. Decisions of older programs, which do not tell it, are left out as soon as there
// are enough others; until then all count, without it.
func TestTrainUpliftBesideTheRisk(t *testing.T) {
	plain := diary{world: newWorld(1500, 6)}
	first := plain.cutoffs[0]
	for name, c := range map[string]struct {
		silent  func(cutoff time.Time) bool
		learner string
		fewer   bool
	}{
		"all tell it":      {func(time.Time) bool { return false }, "beside", false},
		"the first do not": {func(c time.Time) bool { return c.Before(first.AddDate(0, 1, 5)) }, "beside", true},
		"none tells it":    {func(time.Time) bool { return true }, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			log := scoredDiary{plain, c.silent}
			o := Options{Churn: features.DefaultChurn(), Seed: 1, Registry: &memory{}}.filled()
			report, err := trainUplift(t.Context(), log, o, UpliftTraining{Log: log, Actions: []string{"help"}}, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			help := report.Actions[0]
			if beside := help.Learner == "beside"; beside != (c.learner == "beside") || !(help.Interval[0] > 0) {
				t.Fatalf("%+v", help)
			}
			if want := 2400 * 96 / 97; c.fewer != (help.Rows < want-200) {
				t.Errorf("%d rows", help.Rows)
			}
			if c.learner == "" {
				return
			}
			_, bundle := decodedUplift(t, o.Registry.(*memory).models[0].Blob)
			if part, ok := bundle.Of("help"); !ok || part.Model.Name() != "beside" {
				t.Errorf("%+v", part)
			}
		})
	}
}

// Too few outcomes for folds are enough to learn beside the risk: there is no Qini then, and the reason is told.
func TestTrainUpliftFromFewOutcomes(t *testing.T) {
	few := diary{world: newWorld(390, 2)}
	log := scoredDiary{few, func(time.Time) bool { return false }}
	o := Options{Churn: features.DefaultChurn(), Seed: 1, Registry: &memory{}}.filled()
	report, err := trainUplift(t.Context(), log, o, UpliftTraining{Log: log, Actions: []string{"help"}}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	help := report.Actions[0]
	if help.Learner != "beside" || help.Learned || !math.IsNaN(float64(help.Qini)) || !strings.Contains(help.Why, "there is no uplift figure") {
		t.Errorf("%+v", help)
	}
	if _, err := trainUplift(t.Context(), few, o, UpliftTraining{Log: few, Actions: []string{"help"}}, nil, nil); err == nil {
		t.Error("without the risk the same outcomes are enough")
	}
}
