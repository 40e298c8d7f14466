package pipelines

import (
	"context"
	"encoding/json"
	"time"

	"retain/internal/warehouse"
)

// The jobs by name. JobNight is the ledger's name for one firing of the schedule, which runs several of the others.
const (
	JobImport   = "import"
	JobTrain    = "train"
	JobLoyalty  = "loyalty"
	JobSnapshot = "snapshot"
	JobScore    = "score"
	JobMonitor  = "monitor"
	JobNight    = "night"
)

// JobNames lists the jobs in the order in which a night runs them.
var JobNames = []string{JobImport, JobTrain, JobLoyalty, JobSnapshot, JobScore, JobMonitor}

// Job is one kind of work of the night. The same work planned twice has the same key, and doing it twice changes nothing.
type Job struct {
	Name  string
	Needs []string // jobs that must not have failed in the same night
	Plan  func(ctx context.Context, c Call) (Work, error)

	// Follow names jobs that the same night runs too because of what the ledger says of this one, now or before; nil: none.
	Follow func(Entry) []string
}

// follow are the jobs that a row of the ledger asks for.
func (j Job) follow(row warehouse.JobRow) []string {
	if j.Follow == nil || row.State != warehouse.JobDone {
		return nil
	}
	return j.Follow(EntryOf(row))
}

// Call says for when a job is asked.
type Call struct {
	Cutoff time.Time // exclusive, UTC; zero: the job's default
	Due    time.Time // the instant of the schedule; zero by hand
	Now    time.Time // by the clock of the schedule
}

// when names the occasion: the key of work that has no better name.
func (c Call) when() string {
	if !c.Due.IsZero() {
		return "due " + c.Due.UTC().Format(time.RFC3339)
	}
	return "at " + c.Now.UTC().Format(time.RFC3339Nano)
}

// Work is a job with everything decided that names it.
type Work struct {
	Key    string    // "" means the occasion
	Cutoff time.Time // zero: none
	Do     func(ctx context.Context) (Outcome, error)
}

// Outcome is what a job tells the ledger.
type Outcome struct {
	Rows    int64
	Message string // one line, without customer data
	Report  any    // marshalled to JSON; nil is none
}

// Entry is a row of the ledger as `retain run --json` prints it.
type Entry struct {
	Job        string          `json:"job"`
	Key        string          `json:"key"`
	Attempt    uint32          `json:"attempt"`
	State      string          `json:"state"` // running, done, failed, cancelled, blocked; died: its process is gone
	Who        string          `json:"who"`
	Owner      string          `json:"owner"` // host:pid:start
	DueAt      *time.Time      `json:"due_at"`
	Cutoff     *time.Time      `json:"cutoff"`
	StartedAt  time.Time       `json:"started_at"`
	FinishedAt *time.Time      `json:"finished_at"`
	SeenAt     time.Time       `json:"seen_at"` // last sign of life
	Rows       uint64          `json:"rows"`
	Seconds    float64         `json:"seconds"`
	Message    string          `json:"message"`
	Error      *string         `json:"error"`
	Report     json.RawMessage `json:"report"`
}

// EntryOf is a row of the ledger as the outside sees it. A running attempt whose process is gone is told as "died".
func EntryOf(r warehouse.JobRow) Entry {
	e := Entry{Job: r.Job, Key: r.Key, Attempt: r.Attempt, State: r.State, Who: r.Who, Owner: r.Owner, DueAt: r.DueAt, Cutoff: r.Cutoff,
		StartedAt: r.StartedAt, FinishedAt: r.FinishedAt, SeenAt: r.At, Rows: r.Rows, Seconds: r.Seconds, Message: r.Message}
	if r.Dead(time.Now()) {
		e.State = "died"
	}
	if r.Error != "" {
		e.Error = &r.Error
	}
	if json.Valid([]byte(r.Report)) {
		e.Report = json.RawMessage(r.Report)
	}
	return e
}
