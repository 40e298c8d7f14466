package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"retain/internal/spoken"
	"retain/models"
)

// table writes aligned columns; the cells of a row are separated by tabs.
func table(w io.Writer, rows func(line func(format string, args ...any))) {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	rows(func(format string, args ...any) { fmt.Fprintf(tw, format+"\n", args...) })
	_ = tw.Flush() // w is the terminal or a buffer: its own errors come up there
}

// printWarnings writes what a report warns of, a line each.
func printWarnings(w io.Writer, warnings []string) {
	for _, line := range warnings {
		fmt.Fprintln(w, "warning: "+line)
	}
}

// otherThanCSV reports whether the name of a file promises something else than the CSV that would stand in it: another format, a compressed one, or
// the standard output.
func otherThanCSV(path string) bool {
	if path == "-" {
		return true
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".parquet", ".tsv", ".ndjson", ".jsonl", ".json", ".gz", ".zst", ".bz2", ".xz", ".zip", ".xls", ".xlsx":
		return true
	}
	return false
}

// keptError keeps the first error of a writer, so that those who write lines need not look at each.
type keptError struct {
	w   io.Writer
	err error
}

func (k *keptError) Write(p []byte) (int, error) {
	if k.err != nil {
		return 0, k.err
	}
	n, err := k.w.Write(p)
	k.err = err
	return n, err
}

// terminal reports whether w is a terminal, and its width.
func terminal(w io.Writer) (width int, ok bool) {
	if kept, ok := w.(*keptError); ok {
		w = kept.w
	}
	f, isFile := w.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	return width, err == nil
}

// figure writes an optional number with so many decimals; a dash where it is undefined.
func figure(v *float64, decimals int) string {
	if v == nil || math.IsNaN(*v) {
		return "–"
	}
	return strconv.FormatFloat(*v, 'f', decimals, 64)
}

// amount writes an optional sum of money.
func amount(v *float64) string {
	if v == nil {
		return "–"
	}
	if math.Abs(*v) >= 1000 {
		return spoken.Count(int64(math.Round(*v)))
	}
	return strconv.FormatFloat(*v, 'f', 2, 64)
}

// percent writes an optional probability.
func percent(v *float64) string {
	if v == nil {
		return "–"
	}
	return strconv.FormatFloat(100**v, 'f', 1, 64) + " %"
}

// bar draws a probability as ten blocks.
func bar(v *float64) string {
	if v == nil {
		return strings.Repeat("·", 10)
	}
	full := int(math.Round(*v * 10))
	return strings.Repeat("█", full) + strings.Repeat("░", 10-full)
}

// mainReason is the text of the reason to tell where there is room for one.
func mainReason(s models.Score) string {
	if r := models.MainReason(s.Reasons); r != nil {
		return r.Text
	}
	return ""
}

// ago tells in words where t lies, seen from now: in whole days that are over, as the console does.
func ago(t, now time.Time) string {
	days := now.Sub(t).Hours() / 24
	switch {
	case days < 0:
		return "in the future"
	case days < 2:
		return fmt.Sprintf("%.0f hours ago", now.Sub(t).Hours())
	case days < 730:
		return fmt.Sprintf("%d days ago", int(days))
	default:
		return fmt.Sprintf("%.0f years ago", days/365.25)
	}
}

// progress shows how far long work has come: a bar on a terminal, a plain line every few seconds elsewhere.
type progress struct {
	bar  *progressbar.ProgressBar
	w    io.Writer
	unit string
	next time.Time
}

// plainEvery is the time between two plain lines of progress.
const plainEvery = 5 * time.Second

func (a *app) progress(unit string) *progress {
	p := &progress{w: a.stderr, unit: unit, next: time.Now().Add(plainEvery)}
	if _, ok := terminal(a.stderr); ok {
		p.bar = progressbar.NewOptions64(-1, progressbar.OptionSetWriter(a.stderr), progressbar.OptionShowBytes(true),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionSetWidth(30))
	}
	return p
}

// set tells n units so far, and done of size bytes; size 0 is not known.
func (p *progress) set(n, done, size int64) {
	if p.bar != nil {
		if size > 0 {
			p.bar.ChangeMax64(size)
		}
		p.bar.Describe(spoken.Count(n) + " " + p.unit)
		_ = p.bar.Set64(done) // only the terminal can fail
		return
	}
	if now := time.Now(); now.After(p.next) {
		p.next = now.Add(plainEvery)
		line := spoken.Count(n) + " " + p.unit
		if size > 0 {
			line += fmt.Sprintf(", %.0f %% of the file", 100*float64(done)/float64(size))
		}
		fmt.Fprintln(p.w, line)
	}
}

func (p *progress) done() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
