package warehouse

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// The states of a job's attempt, see migrations/0006_jobs.sql.
const (
	JobRunning   = "running"
	JobDone      = "done"
	JobFailed    = "failed"
	JobCancelled = "cancelled"
	JobBlocked   = "blocked"
)

// JobRow is the latest row of one attempt at a job.
type JobRow struct {
	Job        string
	Key        string // names the work
	Attempt    uint32 // from 1
	Run        string // random; names the attempt beyond doubt
	State      string
	At         time.Time // of the row, by the real clock: the last sign of life
	Owner      string    // host:pid:start of the process
	Who        string
	DueAt      *time.Time // the instant of the schedule; nil by hand
	Cutoff     *time.Time
	StartedAt  time.Time // by the job's clock, as FinishedAt
	FinishedAt *time.Time
	Rows       uint64
	Seconds    float64
	Message    string
	Error      string
	Report     string // JSON, "" without one
}

// Dead reports whether the attempt runs no more although its row says so: its process is gone, or silent for five minutes.
func (r JobRow) Dead(now time.Time) bool {
	return r.State == JobRunning && ownerDead(r.Owner, r.At, now)
}

// claimAttempts bounds the race for an attempt's number; each round is lost to another process.
const claimAttempts = 50

// ClaimJob begins the next attempt at (r.Job, r.Key) and returns its row, or, with claimed false, the attempt that stands in the way: one that runs,
// or one that ended in a state of final. Of several processes that claim the same work at once one succeeds: the insert carries
// the attempt as its deduplication token, so that all but the first are dropped by the engine, which the reading back finds out.
// Attempt, Run, State, At and Owner of r are set here.
func (w *Warehouse) ClaimJob(ctx context.Context, r JobRow, final ...string) (row JobRow, claimed bool, err error) {
	var random [12]byte
	if _, err := rand.Read(random[:]); err != nil {
		return row, false, err
	}
	r.Run, r.Owner, r.State = hex.EncodeToString(random[:]), processName(), JobRunning
	for range claimAttempts {
		last, err := w.LatestJob(ctx, r.Job, r.Key)
		switch {
		case errors.Is(err, ErrNoJob):
		case err != nil:
			return row, false, err
		case last.State == JobRunning && !last.Dead(time.Now()), slices.Contains(final, last.State):
			return last, false, nil
		}
		r.Attempt = last.Attempt + 1
		r.At = time.Now().UTC().Truncate(time.Microsecond)
		if err := w.putJob(ctx, r, fmt.Sprintf("attempt %d at %s %s", r.Attempt, r.Job, r.Key)); err != nil {
			return row, false, err
		}
		var owner string
		if err := w.Conn().QueryRow(ctx, `SELECT run FROM jobs WHERE job = {job:String} AND key = {key:String} AND attempt = {attempt:UInt32}
			ORDER BY at, run LIMIT 1`, clickhouse.Named("job", r.Job), clickhouse.Named("key", r.Key), clickhouse.Named("attempt", fmt.Sprint(r.Attempt))).Scan(&owner); err != nil {
			return row, false, fmt.Errorf("read the ledger of jobs: %w", err)
		}
		if owner == r.Run {
			return r, true, nil
		}
	}
	return row, false, fmt.Errorf("begin %s: %d attempts were taken by others in the meantime", r.Job, claimAttempts)
}

// RecordJob appends a row of an attempt that ClaimJob gave; At is set here, later than the row before.
func (w *Warehouse) RecordJob(ctx context.Context, r JobRow) (JobRow, error) {
	at := time.Now().UTC().Truncate(time.Microsecond)
	if !at.After(r.At) {
		at = r.At.Add(time.Microsecond)
	}
	r.At = at
	return r, w.putJob(ctx, r, fmt.Sprintf("%s %d", r.Run, at.UnixMicro()))
}

func (w *Warehouse) putJob(ctx context.Context, r JobRow, token string) error {
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": token}))
	batch, err := w.Conn().PrepareBatch(ctx, `INSERT INTO jobs (job, key, attempt, run, state, at, owner, who, due_at, cutoff, started_at,
		finished_at, rows, seconds, message, error, report)`)
	if err != nil {
		return fmt.Errorf("write the ledger of jobs: %w", err)
	}
	if err := batch.Append(r.Job, r.Key, r.Attempt, r.Run, r.State, r.At, r.Owner, r.Who, r.DueAt, r.Cutoff, r.StartedAt,
		r.FinishedAt, r.Rows, r.Seconds, r.Message, r.Error, r.Report); err != nil {
		return fmt.Errorf("write the ledger of jobs: %w", errors.Join(err, batch.Abort()))
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("write the ledger of jobs: %w", err)
	}
	return nil
}

// ErrNoJob says that the ledger has no such row.
var ErrNoJob = errors.New("warehouse: no such job in the ledger")

// selectJobs reads the latest row of every attempt; of two runs that claimed one attempt the first counts.
const selectJobs = `SELECT job, key, attempt, run, state, at, owner, who, due_at, cutoff, started_at, finished_at, rows, seconds, message, error, report
	FROM (SELECT *, first_value(run) OVER (PARTITION BY job, key, attempt ORDER BY at, run ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS first_run
		FROM jobs WHERE `

const selectJobsEnd = `)
	WHERE run = first_run
	ORDER BY at DESC
	LIMIT 1 BY job, key, attempt`

// LatestJob is the newest attempt at the work; ErrNoJob if there is none.
func (w *Warehouse) LatestJob(ctx context.Context, job, key string) (JobRow, error) {
	rows, err := w.scanJobs(ctx, selectJobs+"job = {job:String} AND key = {key:String}"+selectJobsEnd+" LIMIT 10000",
		clickhouse.Named("job", job), clickhouse.Named("key", key))
	if err != nil {
		return JobRow{}, err
	}
	var newest JobRow
	for _, r := range rows {
		if r.Attempt > newest.Attempt {
			newest = r
		}
	}
	if newest.Attempt == 0 {
		return newest, ErrNoJob
	}
	return newest, nil
}

// Jobs lists the latest attempts, newest first; job "" is all of them.
func (w *Warehouse) Jobs(ctx context.Context, job string, limit int) ([]JobRow, error) {
	return w.scanJobs(ctx, selectJobs+"({job:String} = '' OR job = {job:String})"+selectJobsEnd+" LIMIT {limit:UInt32}",
		clickhouse.Named("job", job), clickhouse.Named("limit", fmt.Sprint(limit)))
}

func (w *Warehouse) scanJobs(ctx context.Context, query string, args ...any) (list []JobRow, err error) {
	rows, err := w.Conn().Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read the ledger of jobs: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r JobRow
		var due, cutoff, finished sql.NullTime
		if err := rows.Scan(&r.Job, &r.Key, &r.Attempt, &r.Run, &r.State, &r.At, &r.Owner, &r.Who, &due, &cutoff, &r.StartedAt,
			&finished, &r.Rows, &r.Seconds, &r.Message, &r.Error, &r.Report); err != nil {
			return nil, fmt.Errorf("read the ledger of jobs: %w", err)
		}
		r.At, r.StartedAt = r.At.UTC(), r.StartedAt.UTC()
		r.DueAt, r.Cutoff, r.FinishedAt = timeOrNil(due), timeOrNil(cutoff), timeOrNil(finished)
		list = append(list, r)
	}
	return list, rows.Err()
}

func timeOrNil(t sql.NullTime) *time.Time {
	if !t.Valid {
		return nil
	}
	at := t.Time.UTC()
	return &at
}
