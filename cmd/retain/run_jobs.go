package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"retain/features"
	"retain/pipelines"
	"retain/training"
)

// jobs are the jobs of the night on the keeper's warehouse. To add one: a line here and in pipelines.JobNames.
func (a *app) jobs(k *keeper) []pipelines.Job {
	s := k.s
	return []pipelines.Job{
		{Name: pipelines.JobImport, Plan: a.planImport(k)},
		{Name: pipelines.JobTrain, Needs: []string{pipelines.JobImport}, Plan: a.planTraining(s, k.who, trainChurn), Follow: followTraining},
		{Name: pipelines.JobLoyalty, Needs: []string{pipelines.JobImport}, Plan: a.planTraining(s, k.who, trainLoyalty), Follow: followPromotion},
		{Name: pipelines.JobSnapshot, Needs: []string{pipelines.JobImport}, Plan: a.planSnapshot(s)},
		{Name: pipelines.JobScore, Needs: []string{pipelines.JobSnapshot}, Plan: a.planScore(s)},
		{Name: pipelines.JobMonitor, Needs: []string{pipelines.JobScore}, Plan: a.planMonitor(s)},
	}
}

// plan is the form of Job.Plan.
type plan func(ctx context.Context, c pipelines.Call) (pipelines.Work, error)

// planImport scans the watched folder.
func (a *app) planImport(k *keeper) plan {
	return func(context.Context, pipelines.Call) (pipelines.Work, error) {
		c := k.config.Schedule.Import
		if c.Folder == nil {
			return pipelines.Work{Do: func(context.Context) (pipelines.Outcome, error) {
				return pipelines.Outcome{Message: "no folder is watched: schedule.import.folder names one"}, nil
			}}, nil
		}
		o := pipelines.ImportOptions{Currency: k.config.currency(), Rates: k.config.Rates}
		files := k.runner()
		if k.how != holding {
			files.Log = nil
		}
		watch := &pipelines.Watch{Folder: *c.Folder, Settle: c.Settle, Options: o, Runner: files}
		return pipelines.Work{Do: watch.Scan}, nil
	}
}

// planTraining trains on everything that is known.
func (a *app) planTraining(s *session, who string, train func(context.Context, training.Options) (pipelines.Outcome, error)) plan {
	return func(context.Context, pipelines.Call) (pipelines.Work, error) {
		o, err := a.trainingOptions(s, 1)
		if err != nil {
			return pipelines.Work{}, err
		}
		o.Progress, o.Who = nil, who
		return pipelines.Work{Do: func(ctx context.Context) (pipelines.Outcome, error) { return train(ctx, o) }}, nil
	}
}

func trainChurn(ctx context.Context, o training.Options) (pipelines.Outcome, error) {
	report, err := training.Train(ctx, o)
	if err != nil {
		return pipelines.Outcome{}, err
	}
	return pipelines.Outcome{Rows: int64(report.Rows), Report: report, Message: trainedWords(report.Model, report.Promoted)}, nil
}

// trainLoyalty trains the loyalty model. Where the rows cannot teach it, that is told and no failure.
func trainLoyalty(ctx context.Context, o training.Options) (pipelines.Outcome, error) {
	report, err := training.TrainLoyalty(ctx, o)
	var untaught *training.DataError
	if errors.As(err, &untaught) {
		return pipelines.Outcome{Message: "not trained: " + err.Error()}, nil
	}
	if err != nil {
		return pipelines.Outcome{}, err
	}
	return pipelines.Outcome{Rows: int64(report.Parts.Repeat.Rows), Report: report, Message: trainedWords(report.Model, report.Promoted)}, nil
}

// followTraining trains loyalty after churn, and lets a new churn champion score at once.
func followTraining(e pipelines.Entry) []string {
	return append([]string{pipelines.JobLoyalty}, followPromotion(e)...)
}

// followPromotion lets a new champion score at once.
func followPromotion(e pipelines.Entry) []string {
	var report struct {
		Promoted bool `json:"promoted"`
	}
	if json.Unmarshal(e.Report, &report) != nil || !report.Promoted {
		return nil
	}
	return []string{pipelines.JobSnapshot, pipelines.JobScore, pipelines.JobMonitor}
}

// planSnapshot keeps the features of the cutoff for the champion.
func (a *app) planSnapshot(s *session) plan {
	return func(ctx context.Context, c pipelines.Call) (pipelines.Work, error) {
		v, err := s.vantage(ctx, c.Cutoff, c.Now)
		if err != nil {
			return pipelines.Work{}, err
		}
		return pipelines.SnapshotWork(ctx, s.store, v.champion.artifact, v.cutoff)
	}
}

// planScore scores at the cutoff. The same model, configuration and rows give the same run, so they name the work.
func (a *app) planScore(s *session) plan {
	return func(ctx context.Context, c pipelines.Call) (pipelines.Work, error) {
		v, err := s.vantage(ctx, c.Cutoff, c.Now)
		if err != nil {
			return pipelines.Work{}, err
		}
		digest, err := s.store.InputDigest(ctx, v.cutoff)
		if err != nil {
			return pipelines.Work{}, err
		}
		engine, err := a.catalogues.read(&s.config, a.say) // the catalogue's content counts, not where it stands
		if err != nil {
			return pipelines.Work{}, err
		}
		stages, err := s.config.lifecycleRules()
		if err != nil {
			return pipelines.Work{}, err
		}
		settings, err := json.Marshal([]any{stages.Version, s.config.Value, s.config.Bands, s.config.Actions, string(engine.Catalogue.Document()), s.config.Currency, s.config.sources()})
		if err != nil {
			return pipelines.Work{}, fmt.Errorf("name the run: %w", err)
		}
		sum := sha256.Sum256(settings)
		beside := ""
		if v.loyalty != nil {
			beside = fmt.Sprintf(" %s v%d", v.loyalty.row.Name, v.loyalty.row.Version)
		}
		shadow, err := s.shadowBeside(ctx, v)
		if err != nil {
			return pipelines.Work{}, err
		}
		beside += shadow
		effects, err := s.upliftChampion(ctx)
		if err != nil {
			return pipelines.Work{}, err
		}
		if effects != nil {
			beside += " " + effects.Identity()
		}
		key := fmt.Sprintf("%s %s v%d%s input %s settings %s", v.cutoff.Format(time.RFC3339), v.champion.row.Name, v.champion.row.Version, beside, digest, hex.EncodeToString(sum[:8]))
		return pipelines.Work{Key: key, Cutoff: v.cutoff, Do: func(ctx context.Context) (pipelines.Outcome, error) {
			run, err := a.score(ctx, s, v)
			if err != nil {
				return pipelines.Outcome{}, err
			}
			return pipelines.Outcome{Rows: int64(run.Customers), Report: run,
				Message: fmt.Sprintf("run %s: %d of %d customers scored by %s v%d", run.ID, run.Scored, run.Customers, run.Model.Name, run.Model.Version)}, nil
		}}, nil
	}
}

// planMonitor looks at the run in force.
func (a *app) planMonitor(s *session) plan {
	return func(_ context.Context, c pipelines.Call) (pipelines.Work, error) {
		return pipelines.Work{Cutoff: c.Cutoff, Do: func(ctx context.Context) (pipelines.Outcome, error) {
			return pipelines.Monitor(ctx, pipelines.MonitorOptions{DB: s.db, Sources: s.config.sources(), Now: c.Now, Cutoff: c.Cutoff})
		}}, nil
	}
}

// permanent tells the errors that another attempt would meet again.
func permanent(err error) bool {
	var files *pipelines.WatchedFilesError
	var untaught *training.DataError
	var leak *training.LeakError
	var empty *features.EmptySourceError
	return isUsage(err) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNoChampion) || errors.Is(err, pipelines.ErrNoRun) ||
		errors.As(err, &files) || errors.As(err, &untaught) || errors.As(err, &leak) || errors.As(err, &empty)
}
