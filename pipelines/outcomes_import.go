package pipelines

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"retain/internal/tabular"
	"retain/internal/warehouse"
	"retain/models/actions"
)

// OutcomesSource is the name under which outcomes are imported. They are no source: features never read them.
const OutcomesSource = "outcomes"

// outcomeColumns are what a file of outcomes has, read by the rules of imports. Without an action, it is the one that was chosen.
var outcomeColumns = warehouse.ImportSource{
	Name: OutcomesSource, Time: "at",
	Columns: []warehouse.ImportColumn{
		{Name: "decision_id", Kind: warehouse.ImportID, Required: true},
		{Name: "outcome", Words: actions.Outcomes, Required: true},
		{Name: "at", Kind: warehouse.ImportInstant},
		{Name: "action"},
	},
}

// maxOutcomeRows bounds what one file may tell, because it is held in memory until all of it is judged: some 300 bytes a row.
const maxOutcomeRows = 2_000_000

// OutcomeImport is the JSON of `retain import outcomes`.
type OutcomeImport struct {
	ImportReport
	Duplicates    int64 `json:"duplicates"`    // of the imported rows: told before
	Late          int64 `json:"late"`          // of the imported rows: after the action had expired
	Unknown       int64 `json:"unknown"`       // of the rejected rows: of decisions that are not in the log
	Contradicting int64 `json:"contradicting"` // of the rejected rows: cannot be true of their decision
}

// pending is a row that waits until its decision is looked up.
type pendingOutcome struct {
	report actions.Report
	line   int
	record []byte
}

// ImportOutcomes reads a file of decision_id, outcome, at and, if it has one, action, by the rules of Import: nothing is recorded when a row is
// bad, unless SkipBad allows it. A row of a decision that is not in the log, or that cannot be true of it, is bad. The same file twice
// changes nothing.
func ImportOutcomes(ctx context.Context, o ImportOptions) (*OutcomeImport, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	started := o.Now()
	run, err := openImport(o, outcomeColumns)
	if err != nil {
		return nil, err
	}
	defer run.file.Close()
	im := &outcomeImport{importRun: *run, log: Outcomes{DB: o.Warehouse, Now: o.Now}.open(OutcomeFromImport)}
	report, err := im.all(ctx)
	if err != nil {
		return nil, errors.Join(err, im.rejects.drop())
	}
	report.Seconds = o.Now().Sub(started).Seconds()
	return report, nil
}

// outcomeImport is one import of outcomes under way.
type outcomeImport struct {
	importRun
	log     *outcomeLog
	pending []pendingOutcome
	rows    []warehouse.OutcomeRow
	counts  OutcomeImport
}

func (im *outcomeImport) all(ctx context.Context) (*OutcomeImport, error) {
	for {
		row, line, err := im.file.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		im.importRun.rows++
		var bad *tabular.LineError
		switch {
		case errors.As(err, &bad):
			if err := im.settle(ctx); err != nil { // what came before is told first
				return nil, err
			}
			if err := im.reject(&BadRowError{File: bad.File, Line: bad.Line, Column: bad.Column, Reason: bad.Reason}); err != nil {
				return nil, err
			}
			continue
		case err != nil:
			return nil, err
		}
		values, fault := im.columns.convert(row)
		if fault == nil && len(values.text[0]) == 0 {
			fault = &BadRowError{Column: im.columns.name(im.columns.origins[0], "decision_id"), Reason: "is empty: every row needs the id of its decision"}
		}
		record := im.file.Record()
		if fault != nil {
			record = slices.Clone(record)
			if err := im.settle(ctx); err != nil {
				return nil, err
			}
			fault.File, fault.Line = im.file.Name(), line
			if err := im.refuse(fault, record); err != nil {
				return nil, err
			}
			continue
		}
		im.pending = append(im.pending, pendingOutcome{line: line, record: slices.Clone(record), report: actions.Report{
			Decision: string(values.text[0]), Outcome: string(values.text[1]), Action: string(values.text[3]), At: time.UnixMilli(values.whole[2]).UTC()}})
		if len(im.pending) >= importRows {
			if err := im.settle(ctx); err != nil {
				return nil, err
			}
		}
	}
	if err := im.settle(ctx); err != nil {
		return nil, err
	}
	return im.finish(ctx)
}

// refuse takes note of a bad row that was read earlier, or ends the import.
func (im *outcomeImport) refuse(bad *BadRowError, record []byte) error {
	im.bad++
	if im.bad > int64(im.options.SkipBad) {
		im.bad-- // reject counts it, and says why it is one too many
		return im.reject(bad)
	}
	return im.rejects.addRecord(im.rejectedPath(), im.file, record, bad)
}

// settle looks up the decisions of the rows that wait.
func (im *outcomeImport) settle(ctx context.Context) error {
	if err := ctx.Err(); err != nil || len(im.pending) == 0 {
		return err
	}
	reports := make([]actions.Report, len(im.pending))
	for i, p := range im.pending {
		reports[i] = p.report
	}
	all, err := im.log.judge(ctx, reports)
	if err != nil {
		return err
	}
	for i, j := range all {
		p := &im.pending[i]
		if j.fault != nil {
			bad := &BadRowError{File: im.file.Name(), Line: p.line, Reason: j.fault.Error()}
			if errors.Is(j.fault, actions.ErrUnknownDecision) {
				im.counts.Unknown++
				bad.Column, bad.Value = im.columns.name(im.columns.origins[0], "decision_id"), shorten([]byte(p.report.Decision))
				bad.Reason = "is not in the log of decisions: `retain score` logs them, and keeps them for 24 months"
			} else {
				im.counts.Contradicting++
			}
			if err := im.refuse(bad, p.record); err != nil {
				return err
			}
			continue
		}
		at := j.row.At.UnixMilli()
		if !im.timed {
			im.first, im.last, im.timed = at, at, true
		}
		im.first, im.last = min(im.first, at), max(im.last, at)
		im.imported++
		if j.late {
			im.counts.Late++
		}
		if j.duplicate {
			im.counts.Duplicates++
			continue
		}
		if len(im.rows) == maxOutcomeRows {
			return fmt.Errorf("%s tells more than %d outcomes: split it; nothing is imported", im.file.Name(), maxOutcomeRows)
		}
		im.rows = append(im.rows, j.row)
	}
	im.pending = im.pending[:0]
	im.progress(false)
	return nil
}

// finish records what was told and reports.
func (im *outcomeImport) finish(ctx context.Context) (*OutcomeImport, error) {
	im.progress(true)
	report := &im.counts
	report.ImportReport = ImportReport{Source: OutcomesSource, Rows: im.importRun.rows, Imported: im.imported, New: int64(len(im.rows)), Rejected: im.bad,
		IgnoredColumns: slices.Clone(im.columns.ignored)}
	if report.IgnoredColumns == nil {
		report.IgnoredColumns = []string{}
	}
	if im.timed {
		first, last := time.UnixMilli(im.first).UTC(), time.UnixMilli(im.last).UTC()
		report.FirstAt, report.LastAt = &first, &last
	}
	if im.bad > 0 { // safe before the others are visible, as in Import
		if err := im.rejects.publish(); err != nil {
			return nil, err
		}
		report.RejectedFile = &im.rejects.path
	}
	return report, im.log.o.DB.PutOutcomes(ctx, im.rows)
}
