package pipelines

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/go-co-op/gocron/v2"

	"retain/features"
	"retain/internal/warehouse"
)

// chains are the jobs that one firing of an entry runs, needs first.
var chains = map[string][]string{
	JobImport:  {JobImport},
	JobTrain:   {JobImport, JobTrain},
	JobScore:   {JobImport, JobSnapshot, JobScore, JobMonitor},
	JobMonitor: {JobMonitor},
}

// ScheduleEntry is a job with its times. Firing import runs import; train: import, train, loyalty and, where one of them promoted, snapshot, score and monitor;
// score: import, snapshot, score and monitor; monitor: monitor alone.
type ScheduleEntry struct {
	Job  string // import, train, score or monitor
	Cron *Cron
}

// Schedule fires its entries at their times. Nights of one process run one after another, and an entry that is due while its last firing is still under way is left
// out. Of several processes that keep the same schedule on one warehouse one runs each night, and the others wait for it and take over should it die.
type Schedule struct {
	Runner  *Runner         // required
	Entries []ScheduleEntry // in the order in which missed ones are caught up
	Zone    *time.Location  // of the log
	Jitter  time.Duration   // a firing is delayed by a share of it, which the host and the instant decide
	Host    string          // of the jitter

	one sync.Mutex // held by the night that runs
}

// missedCheck is how often a running schedule looks for firings that it slept through with the machine: its timers stand still then.
const missedCheck = 10 * time.Minute

// nightEnd is how long Run waits for cancelled jobs.
const nightEnd = 30 * time.Second

// Run catches up what was missed and keeps the schedule until ctx ends, and returns when its jobs have: they are cancelled, and the ledger says so.
// A job that fails does not end the schedule.
func (s *Schedule) Run(ctx context.Context) (err error) {
	clock := s.Runner.clock()
	// The log is the runner's: gocron itself has nothing to tell.
	keeper, err := gocron.NewScheduler(gocron.WithClock(clock), gocron.WithLocation(s.Zone), gocron.WithStopTimeout(nightEnd))
	if err != nil {
		return fmt.Errorf("schedule: %w", err)
	}
	var nights sync.WaitGroup
	defer func() {
		stopping := keeper.Shutdown()
		nights.Wait()
		if stopping != nil && !errors.Is(stopping, gocron.ErrStopJobsTimedOut) {
			err = errors.Join(err, stopping)
		}
	}()
	started := clock.Now()
	for _, entry := range s.Entries {
		_, err := keeper.NewJob(gocron.CronJob(entry.Cron.String(), false), gocron.NewTask(func() {
			nights.Add(1)
			defer nights.Done()
			now := clock.Now()
			if due, ok := entry.Cron.Last(now); ok && pause(ctx, clock, s.delay(entry, due)) == nil {
				_, _ = s.night(ctx, entry, due) // told by the log and the ledger; the next night comes all the same
			}
		}), gocron.WithName(entry.Job), gocron.WithSingletonMode(gocron.LimitModeReschedule), gocron.WithCronImplementation(crontab{entry.Cron}))
		if err != nil {
			return fmt.Errorf("schedule %s: %w", entry.Job, err)
		}
		s.Runner.log().InfoContext(ctx, "job scheduled", "job", entry.Job, "cron", entry.Cron.String(), "next", entry.Cron.Next(clock.Now()).In(s.Zone).Format(time.RFC3339))
	}
	_, err = keeper.NewJob(gocron.DurationJob(missedCheck), gocron.NewTask(func() {
		nights.Add(1)
		defer nights.Done()
		own := clock.Now().Add(-s.Jitter - missedCheck/2)
		if own.Before(started) {
			own = started
		}
		_, _ = s.catchUp(ctx, own) // as above
	}), gocron.WithName("missed"), gocron.WithSingletonMode(gocron.LimitModeReschedule), gocron.WithStartAt(gocron.WithStartImmediately()))
	if err != nil {
		return fmt.Errorf("schedule: %w", err)
	}
	keeper.Start()
	<-ctx.Done()
	return nil
}

// CatchUp runs what is due and not done, once each, and returns the rows of the ledger of those nights and why one is not whole.
func (s *Schedule) CatchUp(ctx context.Context) ([]warehouse.JobRow, error) {
	return s.catchUp(ctx, s.Runner.clock().Now())
}

// catchUp leaves alone an entry whose latest firing was due after an instant: that one is on its way, and makes up for the ones before.
func (s *Schedule) catchUp(ctx context.Context, own time.Time) (nights []warehouse.JobRow, err error) {
	var errs []error
	for _, entry := range s.Entries {
		if due, ok := entry.Cron.Last(s.Runner.clock().Now()); ok && !due.After(own) && ctx.Err() == nil {
			night, err := s.night(ctx, entry, due)
			errs = append(errs, err)
			if night.Job != "" {
				nights = append(nights, night)
			}
		}
	}
	return nights, errors.Join(errs...)
}

// delay is the jitter of a firing, in [0, Jitter).
func (s *Schedule) delay(entry ScheduleEntry, due time.Time) time.Duration {
	if s.Jitter <= 0 {
		return 0
	}
	return time.Duration(features.KeyedHash(uint64(due.Unix()), "jitter "+entry.Job, s.Host) % uint64(s.Jitter))
}

// night runs the chain of one firing and returns its row of the ledger, none where the ledger says that it has been run. Another process that runs it is waited for.
func (s *Schedule) night(ctx context.Context, entry ScheduleEntry, due time.Time) (row warehouse.JobRow, err error) {
	s.one.Lock()
	defer s.one.Unlock()
	if ctx.Err() != nil {
		return row, context.Cause(ctx)
	}
	if done, err := s.doneBefore(ctx, entry, due); done || err != nil {
		return row, err
	}
	nights := *s.Runner
	nights.Retries, nights.Timeout = 0, 0 // the jobs have their own
	nights.final = []string{warehouse.JobDone, warehouse.JobFailed}
	nights.Open = func(ctx context.Context) (Bench, error) {
		bench, err := s.Runner.Open(ctx)
		bench.Jobs = []Job{{Name: JobNight, Plan: func(context.Context, Call) (Work, error) {
			return Work{Key: nightKey(entry, due), Do: func(ctx context.Context) (Outcome, error) {
				rows, err := s.Runner.RunAll(ctx, chains[entry.Job], Call{Due: due})
				if pruning := bench.DB.PruneJobs(ctx, time.Now()); pruning != nil { // the work is done all the same, and the next night prunes more
					s.Runner.log().WarnContext(ctx, "ledger of jobs is not pruned", "error", pruning.Error())
				}
				return nightOutcome(rows), err
			}}, nil
		}}}
		return bench, err
	}
	return nights.Run(ctx, JobNight, Call{Due: due})
}

// doneBefore reports whether the night of a firing was run to its end, well or badly.
func (s *Schedule) doneBefore(ctx context.Context, entry ScheduleEntry, due time.Time) (bool, error) {
	bench, err := s.Runner.Open(ctx)
	if err != nil {
		s.Runner.log().ErrorContext(ctx, "warehouse cannot be opened", "job", entry.Job, "error", err.Error())
		return false, err
	}
	row, err := bench.DB.LatestJob(ctx, JobNight, nightKey(entry, due))
	if errors.Is(err, warehouse.ErrNoJob) {
		return false, nil
	}
	return row.State == warehouse.JobDone || row.State == warehouse.JobFailed, err
}

func nightKey(entry ScheduleEntry, due time.Time) string {
	return entry.Job + " " + Call{Due: due}.when()
}

// nightOutcome is how each job of a night ended.
func nightOutcome(rows []warehouse.JobRow) Outcome {
	var o Outcome
	told := []string{}
	for _, row := range rows {
		o.Rows += int64(row.Rows)
		if row.Job != "" {
			told = append(told, row.Job+" "+row.State)
		}
	}
	o.Message = strings.Join(told, ", ")
	return o
}
