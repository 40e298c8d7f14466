package pipelines

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"retain/internal/tabular"
	"retain/internal/warehouse"
)

// ErrImportOptions marks errors in how an import was asked for, as opposed to errors in the file: wrong usage.
var ErrImportOptions = errors.New("import options")

// ImportOptions is what one import needs (contract.md §2, Import). Column names are compared as tabular.Normalise gives them.
type ImportOptions struct {
	Warehouse  *warehouse.Warehouse // required
	Source     string               // one of warehouse.ImportSources
	Path       string               // file; "-" reads Stdin
	Stdin      io.Reader
	Map        map[string]string  // canonical column → column of the file, which then serves only there; customers also know consent_KEY
	Set        map[string]string  // canonical column → constant
	TimeFormat string             // "" the default forms, "unix", "unix_ms", else strptime; several are parted by "|", and the first that fits holds
	Timezone   string             // of times without offset; "" is UTC
	Comma      bool               // numbers of CSV and TSV are written 1.234,56: a comma stands before the decimals
	Null       []string           // texts that mean missing, beside the empty one, NULL, \N and NaN
	SkipBad    int                // bad rows that are allowed and written to FILE.rejected
	Currency   string             // the one currency; "" takes that of the first row that names one
	Rates      map[string]float64 // foreign currency → what one unit of it is worth in Currency
	Progress   func(ImportProgress)
	Now        func() time.Time // nil means time.Now
}

// ImportProgress tells how far an import is.
type ImportProgress struct {
	Rows     int64 // read so far, bad ones included
	Bytes    int64 // of the file, as it lies on disk
	Size     int64 // of the file; 0 = not known
	Finished bool  // the file is read; known events are being told from new ones
}

// ImportReport is the JSON of `retain import`.
type ImportReport struct {
	Source         string     `json:"source"`
	Rows           int64      `json:"rows"`          // in the file
	Imported       int64      `json:"imported"`      // accepted from the file
	New            int64      `json:"new"`           // of them not held before
	Rejected       int64      `json:"rejected"`      // bad rows
	RejectedFile   *string    `json:"rejected_file"` // where they are; null without any
	IgnoredColumns []string   `json:"ignored_columns"`
	FirstAt        *time.Time `json:"first_at"` // earliest own time of an imported row (customers: created_at); null without any
	LastAt         *time.Time `json:"last_at"`
	Warnings       []string   `json:"warnings"` // of times that look wrong
	Seconds        float64    `json:"seconds"`
}

// BadRowError is a row that cannot be imported.
type BadRowError struct {
	File   string
	Line   int    // line on which the row begins, from 1
	Column string // as the file names it, or the canonical column when the file has none; "" when the whole row is meant
	Value  string // shortened
	Reason string // what is wrong and the mend
}

func (e *BadRowError) Error() string {
	switch {
	case e.Column == "":
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason)
	case e.Value == "":
		return fmt.Sprintf("%s:%d: column %s: %s", e.File, e.Line, e.Column, e.Reason)
	}
	return fmt.Sprintf("%s:%d: column %s: %q %s", e.File, e.Line, e.Column, e.Value, e.Reason)
}

// importRows is how many rows are converted before they are handed to the warehouse.
const importRows = 8192

// Import reads one file into a source. It is atomic: the rows are staged, known ones set aside by their identity (contract.md §1), and
// the rest made visible in one step, so that the same file twice changes nothing and an error, a cancellation or a kill leaves nothing.
//
// A bad row is an error (*BadRowError, with the number of bad rows if SkipBad allows some but not that many), and then nothing is imported.
//
// The knowledge time ingested_at is the column of that name (or mapped, or set); where it is missing, the row's own time. A customer without either is
// taken as known since 1970-01-01. Memory does not grow with the file.
func Import(ctx context.Context, o ImportOptions) (*ImportReport, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	started := o.Now()
	source, ok := warehouse.ImportSourceNamed(o.Source)
	if !ok {
		var names []string
		for _, s := range warehouse.ImportSources {
			names = append(names, s.Name)
		}
		return nil, fmt.Errorf("%w: no source %q: the sources are %s", ErrImportOptions, o.Source, strings.Join(names, ", "))
	}
	im, err := openImport(o, source)
	if err != nil {
		return nil, err
	}
	defer im.file.Close()
	if im.money, err = newImportMoney(ctx, o, source); err != nil {
		return nil, err
	}
	if im.stage, err = o.Warehouse.StageImport(ctx, source, o.Now); err != nil {
		return nil, err
	}
	if err := im.read(ctx); err != nil {
		return nil, errors.Join(err, im.rejects.drop(), im.stage.Abort(context.WithoutCancel(ctx)))
	}
	report, err := im.finish(ctx)
	if err != nil {
		return nil, errors.Join(err, im.rejects.drop(), im.stage.Abort(context.WithoutCancel(ctx)))
	}
	report.Seconds = o.Now().Sub(started).Seconds()
	return report, nil
}

// importRun is one import under way.
type importRun struct {
	options ImportOptions
	source  warehouse.ImportSource
	file    *tabular.Reader
	columns *importColumns
	money   *importMoney
	stage   *warehouse.Staging
	rejects rejects
	own     int // position of the row's own time

	rows, imported, bad int64
	first, last         int64 // own times in milliseconds; meaningful once timed
	timed               bool
}

// openImport opens the file of an import and finds its columns; the caller closes the file.
func openImport(o ImportOptions, source warehouse.ImportSource) (*importRun, error) {
	convert, err := newImportValues(o)
	if err != nil {
		return nil, err
	}
	file, err := tabular.Open(o.Path, o.Stdin)
	if err != nil {
		return nil, err
	}
	if f := file.Format(); o.Comma && f != tabular.CSV && f != tabular.TSV {
		file.Close()
		return nil, fmt.Errorf("%w: --decimal-comma is about CSV and TSV; numbers of %s are read as they are typed", ErrImportOptions, file.Name())
	}
	columns, err := newImportColumns(o, source, convert, file)
	if err != nil {
		file.Close()
		return nil, err
	}
	return &importRun{options: o, source: source, file: file, columns: columns, own: source.Column(source.Time)}, nil
}

// read converts and stages every row.
func (im *importRun) read(ctx context.Context) error {
	batch := newImportBuffer(im.source)
	flush := func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := im.stage.Append(ctx, batch.take()); err != nil {
			return err
		}
		im.progress(false)
		return nil
	}
	for {
		row, line, err := im.file.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		im.rows++
		var bad *tabular.LineError
		switch {
		case errors.As(err, &bad):
			if err := im.reject(&BadRowError{File: bad.File, Line: bad.Line, Column: bad.Column, Reason: bad.Reason}); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		values, fault := im.columns.convert(row)
		if fault == nil {
			fault = im.money.check(values)
		}
		if fault != nil {
			fault.File, fault.Line = im.file.Name(), line
			if err := im.reject(fault); err != nil {
				return err
			}
			continue
		}
		if at := values.whole[im.own]; at != warehouse.ImportNull {
			if !im.timed {
				im.first, im.last, im.timed = at, at, true
			}
			im.first, im.last = min(im.first, at), max(im.last, at)
		}
		im.imported++
		if batch.add(values) {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// reject takes note of a bad row, or refuses it.
func (im *importRun) reject(bad *BadRowError) error {
	im.bad++
	if im.bad > int64(im.options.SkipBad) {
		if im.options.SkipBad > 0 {
			return fmt.Errorf("more than %d bad rows, nothing is imported; the last one: %w", im.options.SkipBad, bad)
		}
		return fmt.Errorf("nothing is imported (--skip-bad N sets up to N bad rows aside): %w", bad)
	}
	return im.rejects.add(im.rejectedPath(), im.file, bad)
}

func (im *importRun) rejectedPath() string {
	if im.options.Path == "-" {
		return im.source.Name + ".rejected"
	}
	return im.options.Path + ".rejected"
}

func (im *importRun) progress(finished bool) {
	if im.options.Progress != nil {
		read, size := im.file.Progress()
		im.options.Progress(ImportProgress{Rows: im.rows, Bytes: read, Size: size, Finished: finished})
	}
}

// oddTimes warns of times that rarely are meant. One such row moves where the cutoffs begin, or until when the labels are taken for complete.
func oddTimes(first, last, now time.Time) []string {
	const day = 24 * time.Hour // zones differ by less
	warnings := []string{}
	if !first.Before(time.Unix(0, 0).Add(-day)) && first.Before(time.Unix(0, 0).Add(day)) {
		warnings = append(warnings, "the earliest time is "+first.Format(time.DateOnly)+", which often stands for no time at all: leave such a time empty, or set snapshots.from")
	}
	if last.After(now.Add(day)) {
		warnings = append(warnings, "the newest time is "+last.Format(time.DateOnly)+", which is still to come: labels would be taken for complete until then; if it is a mistake, import the row again with its right time, or set churn.data_until")
	}
	return warnings
}

// finish makes the rows visible and reports.
func (im *importRun) finish(ctx context.Context) (*ImportReport, error) {
	im.progress(true)
	report := &ImportReport{Source: im.source.Name, Rows: im.rows, Imported: im.imported, Rejected: im.bad, IgnoredColumns: slices.Clone(im.columns.ignored), Warnings: []string{}}
	if report.IgnoredColumns == nil {
		report.IgnoredColumns = []string{}
	}
	if im.timed {
		first, last := time.UnixMilli(im.first).UTC(), time.UnixMilli(im.last).UTC()
		report.FirstAt, report.LastAt = &first, &last
		report.Warnings = oddTimes(first, last, im.options.Now())
	}
	// The rejected rows are safe before the others are visible: none is lost whatever happens.
	if im.bad > 0 {
		if err := im.rejects.publish(); err != nil {
			return nil, err
		}
		path := im.rejects.path
		report.RejectedFile = &path
	}
	counts, err := im.stage.Commit(ctx)
	if err != nil {
		return nil, err
	}
	report.New = int64(counts.New)
	return report, nil
}
