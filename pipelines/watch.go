package pipelines

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"retain/internal/atomicfile"
	"retain/internal/spoken"
	"retain/internal/warehouse"
)

// The subfolders of a watched folder.
const (
	watchDone   = "done"
	watchFailed = "failed"
)

// maxWatched files are taken in one scan; the others wait for the next.
const maxWatched = 10_000

// longestName is the most bytes that the name of a file may have: file systems take 255, and .error, .rejected or a number come after it.
const longestName = 230

// watchedName is SOURCE, whatever tells files apart, and a format: usage-2026-11-21.csv.gz.
var watchedName = regexp.MustCompile(`^([a-z]+)(?:[-_. ].*)?\.(csv|tsv|ndjson|jsonl|parquet)(\.gz)?$`)

// Watch imports the files that others put into a folder. A file is taken when it is complete, which a writer tells best by renaming it into the
// folder; else it is when nothing has changed it for Settle. Imported files move to done/, those that cannot be imported to failed/ with the reason beside them
// in NAME.error. What was imported is remembered in the ledger by its content, as long as the rows are not replaced by a simulation, so that a process may die at
// any moment: nothing is lost, nothing counts twice.
type Watch struct {
	Folder  string        // required
	Settle  time.Duration // how long a file must have been left alone
	Options ImportOptions // of every file; Warehouse, Currency, Rates and Now are used
	Runner  *Runner       // keeps the ledger of files; its retries are not used
	Moved   func(name string)
}

// WatchedFile is what became of one file.
type WatchedFile struct {
	File   string        `json:"file"`
	Source string        `json:"source"`
	State  string        `json:"state"`  // imported, known (its content was imported before), failed
	Error  *string       `json:"error"`  // without values; NAME.error has them
	Report *ImportReport `json:"report"` // null unless imported now
}

// WatchReport is the report of the import job.
type WatchReport struct {
	Folder  string        `json:"folder"`
	Files   []WatchedFile `json:"files"`   // at most 1,000 are told
	Waiting []string      `json:"waiting"` // not complete yet
	Ignored []string      `json:"ignored"` // no source begins their name, no known format ends it, it is longer than 230 bytes, or they are no ordinary files
}

// maxTold bounds the lists of a WatchReport.
const maxTold = 1000

// candidate is a file of the folder that names a source.
type candidate struct {
	name, source, format string
	seen                 fs.FileInfo // when the folder was read
}

// Scan takes every complete file, source by source in the order of their names. It goes on after a file that cannot be imported, and then tells so by an error;
// a fault that is not the file's (the warehouse, the disk, a cancellation) ends it at once.
func (w *Watch) Scan(ctx context.Context) (Outcome, error) {
	report := &WatchReport{Folder: w.Folder, Files: []WatchedFile{}, Waiting: []string{}, Ignored: []string{}}
	o := Outcome{Report: report}
	files, err := w.candidates(report)
	if err != nil {
		return o, err
	}
	var failed []string
	known, imported := 0, 0
	for _, f := range files {
		became, err := w.take(ctx, f)
		if err != nil {
			return o, fmt.Errorf("%s: %w", f.name, err)
		}
		switch became.State {
		case "":
			report.Waiting = append(report.Waiting, f.name)
			continue
		case warehouse.JobFailed:
			failed = append(failed, f.name+": "+*became.Error)
		case watchKnown:
			known++
		default:
			imported++
			o.Rows += became.Report.New
		}
		if len(report.Files) < maxTold {
			report.Files = append(report.Files, became)
		}
	}
	o.Message = fmt.Sprintf("%s imported, %d known already, %d failed, %d not complete yet", spoken.Counted(imported, "file"), known, len(failed), len(report.Waiting))
	if n := len(report.Ignored); n > 0 {
		o.Message += fmt.Sprintf("; %d ignored, such as %s", n, report.Ignored[0])
	}
	if len(failed) > 0 {
		return o, &WatchedFilesError{Folder: filepath.Join(w.Folder, watchFailed), Files: failed}
	}
	return o, nil
}

// WatchedFilesError tells that files could not be imported. They lie in the folder failed, and another attempt does not meet them again.
type WatchedFilesError struct {
	Folder string
	Files  []string // NAME: why
}

func (e *WatchedFilesError) Error() string {
	text := fmt.Sprintf("%s could not be imported; see %s, mend what lies there and put it back: %s", spoken.Counted(len(e.Files), "file"), e.Folder, e.Files[0])
	if more := len(e.Files) - 1; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}

const (
	watchImported = "imported"
	watchKnown    = "known"
)

// candidates lists the files that name a source, in the order in which they are taken.
func (w *Watch) candidates(report *WatchReport) (files []candidate, err error) {
	entries, err := os.ReadDir(w.Folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("schedule.import.folder: %s does not exist: create it", w.Folder)
	}
	if err != nil {
		return nil, fmt.Errorf("schedule.import.folder: %w", err)
	}
	order := map[string]int{}
	for i, s := range warehouse.ImportSources {
		order[s.Name] = i
	}
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".map.yaml") || strings.HasSuffix(name, ".rejected") {
			continue
		}
		m := watchedName.FindStringSubmatch(name)
		if !e.Type().IsRegular() || len(name) > longestName || m == nil || !isSource(m[1]) || m[2] == "parquet" && m[3] != "" {
			if len(report.Ignored) < maxTold {
				report.Ignored = append(report.Ignored, name)
			}
			continue
		}
		seen, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // another process has moved it
		}
		if err != nil {
			return nil, err
		}
		files = append(files, candidate{name: name, source: m[1], format: m[2] + m[3], seen: seen})
	}
	slices.SortFunc(files, func(a, b candidate) int {
		if d := order[a.source] - order[b.source]; d != 0 {
			return d
		}
		return strings.Compare(a.name, b.name)
	})
	return files[:min(len(files), maxWatched)], nil
}

func isSource(name string) bool {
	_, ok := warehouse.ImportSourceNamed(name)
	return ok
}

// take imports one file and moves it. State "" means that it is not complete yet, or gone.
func (w *Watch) take(ctx context.Context, f candidate) (became WatchedFile, err error) {
	became = WatchedFile{File: f.name, Source: f.source}
	if w.Settle > 0 && w.Runner.clock().Now().Sub(f.seen.ModTime()) < w.Settle {
		return became, nil
	}
	path := filepath.Join(w.Folder, f.name)
	options, told, err := w.sidecar(f)
	if err != nil {
		return w.giveUp(f, became, err)
	}
	key, err := w.contentKey(ctx, f, told)
	if errors.Is(err, fs.ErrNotExist) {
		return became, nil // another process has moved it
	}
	if err != nil {
		if ofFile(ctx, path, err) {
			return w.giveUp(f, became, err)
		}
		return became, err
	}
	if w.changed(f) {
		return became, nil
	}
	report, err := w.importOnce(ctx, f, key, options)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return became, nil // as above
	case err != nil && !ofFile(ctx, path, err):
		return became, err
	case err != nil:
		return w.giveUp(f, became, err)
	case w.changed(f):
		return became, nil // it has grown since: the next scan takes the rest, and what is known counts once
	}
	became.State = watchKnown
	if report != nil {
		became.State, became.Report = watchImported, report
	}
	return became, w.move(f.name, watchDone)
}

// changed reports whether the file is another one than when the folder was read.
func (w *Watch) changed(f candidate) bool {
	now, err := os.Stat(filepath.Join(w.Folder, f.name))
	return err != nil || now.Size() != f.seen.Size() || !now.ModTime().Equal(f.seen.ModTime())
}

// importOnce imports the file unless the ledger knows its content; then the report is nil.
func (w *Watch) importOnce(ctx context.Context, f candidate, key string, o ImportOptions) (report *ImportReport, err error) {
	files := *w.Runner
	files.Retries, files.Timeout, files.Again, files.final = 0, 0, false, nil
	files.Open = func(ctx context.Context) (Bench, error) {
		bench, err := w.Runner.Open(ctx)
		bench.Jobs = []Job{{Name: JobImport, Plan: func(ctx context.Context, _ Call) (Work, error) {
			fill, err := bench.DB.LatestFill(ctx)
			if err != nil {
				return Work{}, err
			}
			key := key
			if fill != "" { // what is remembered of the rows before it is no more
				key += " onto " + fill
			}
			return Work{Key: key, Do: func(ctx context.Context) (Outcome, error) {
				o.Warehouse = bench.DB
				made, err := Import(ctx, o)
				if err != nil {
					return Outcome{}, err
				}
				report = made
				return Outcome{Rows: made.New, Message: fmt.Sprintf("%s: %d rows read, %d of them new", f.name, made.Rows, made.New), Report: made}, nil
			}}, nil
		}}}
		return bench, err
	}
	_, err = files.Run(ctx, JobImport, Call{})
	return report, err
}

// ofFile tells the faults of the file at path from those of the world around it. One that may not be read is the file's: it must not keep the others waiting every night.
func ofFile(ctx context.Context, path string, err error) bool {
	var exception *clickhouse.Exception
	var network net.Error
	var place *fs.PathError
	switch {
	case ctx.Err() != nil, errors.Is(err, context.Canceled), errors.Is(err, errTakenOver), errors.Is(err, warehouse.ErrWarehouseGone):
		return false
	case errors.As(err, &place):
		return place.Path == path && errors.Is(err, fs.ErrPermission)
	case errors.As(err, &exception), errors.As(err, &network):
		return false
	}
	return true
}

// giveUp moves the file to failed, with the reason beside it.
func (w *Watch) giveUp(f candidate, became WatchedFile, why error) (WatchedFile, error) {
	text := withoutValue(why)
	became.State, became.Error = warehouse.JobFailed, &text
	folder := filepath.Join(w.Folder, watchFailed)
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return became, err
	}
	// The reason first: a file there without one would be a riddle.
	name, err := freeName(folder, f.name)
	if err != nil {
		return became, err
	}
	if err := atomicfile.Write(filepath.Join(folder, name+".error"), 0o600, []byte(why.Error()+"\n")); err != nil {
		return became, err
	}
	return became, w.rename(f.name, filepath.Join(folder, name))
}

// move puts a file, and the rows rejected from it, into a subfolder.
func (w *Watch) move(name, sub string) error {
	folder := filepath.Join(w.Folder, sub)
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return err
	}
	free, err := freeName(folder, name)
	if err != nil {
		return err
	}
	if err := w.rename(name+".rejected", filepath.Join(folder, free+".rejected")); err != nil {
		return err
	}
	return w.rename(name, filepath.Join(folder, free))
}

// rename moves a file of the folder; one that is gone was moved by another process.
func (w *Watch) rename(name, to string) error {
	if err := os.Rename(filepath.Join(w.Folder, name), to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if w.Moved != nil {
		w.Moved(name)
	}
	return nil
}

// freeName is name, or name with a number when the folder has it: nothing is overwritten.
func freeName(folder, name string) (string, error) {
	for n := 1; n <= maxWatched; n++ {
		free := name
		if n > 1 {
			free = fmt.Sprintf("%s.%d", name, n)
		}
		if _, err := os.Lstat(filepath.Join(folder, free)); errors.Is(err, fs.ErrNotExist) {
			return free, nil
		} else if err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("%s holds %d files of the name %s: clear it up", folder, maxWatched, name)
}

// contentKey names the import of a file: its source, its bytes, and how they are to be read.
func (w *Watch) contentKey(ctx context.Context, f candidate, told []byte) (string, error) {
	file, err := os.Open(filepath.Join(w.Folder, f.name))
	if err != nil {
		return "", err
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, &cancelledReader{ctx, file}); err != nil {
		return "", err
	}
	h.Write(told)
	return f.source + " " + f.format + " sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

// cancelledReader reads until ctx ends.
type cancelledReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *cancelledReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
