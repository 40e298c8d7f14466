package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"retain/features"
	"retain/internal/atomicfile"
	"retain/internal/spoken"
	"retain/internal/warehouse"
	"retain/models"
	"retain/serving"
	"retain/training"
)

// demoMark is the first line of the demo's configuration. Only a folder that has it is ever written to.
const demoMark = "# Written by `retain demo`; this folder is the demo's own and can be deleted at any time."

// demoKeyLabel names the demo's key: it lives a day and replaces the last one.
const (
	demoKeyLabel = "demo"
	demoKeyLife  = 24 * time.Hour
)

func (a *app) demoCommand() *cobra.Command {
	d := &demo{app: a}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Simulate a company, or load a bundled data set, run the whole pipeline on it, show the at-risk list and serve it",
		Args:  exactly(),
		RunE:  func(cmd *cobra.Command, _ []string) error { return d.run(cmd.Context()) },
	}
	f := cmd.Flags()
	f.StringVar(&d.named, "dataset", demoSets[0].name, "the data set: "+demoSetNames())
	f.BoolVar(&d.once, "once", false, "do not serve, stop after the list")
	f.StringVar(&d.addr, "addr", "", "address to serve on (default 127.0.0.1:8080)")
	f.StringVar(&d.dir, "dir", "retain-demo", "folder of the demo's own configuration and warehouse")
	return cmd
}

type demo struct {
	app   *app
	named string
	set   demoSet
	once  bool
	addr  string
	dir   string
	step  int
}

// demoReport is the JSON of `retain demo --once --json`.
type demoReport struct {
	Directory string         `json:"directory"`
	Dataset   string         `json:"dataset"`
	Loaded    any            `json:"loaded"` // what the set says of its load: the reports of `retain import`, or that of `retain simulate`
	Run       models.Run     `json:"run"`
	Customers []models.Score `json:"customers"`
	Seconds   float64        `json:"seconds"`
}

func (d *demo) run(ctx context.Context) (err error) {
	if d.set, err = demoSetNamed(d.named); err != nil {
		return err
	}
	var listener net.Listener
	if !d.once { // an address that is taken is told before the work, not after it
		if listener, err = d.listen(); err != nil {
			return err
		}
		defer func() {
			if closing := listener.Close(); closing != nil && !errors.Is(closing, net.ErrClosed) {
				err = errorsJoin(err, closing)
			}
		}()
	}
	started := time.Now()
	config, err := d.configure()
	if err != nil {
		return err
	}
	s, err := d.app.openWith(ctx, config, "demo", holding)
	if err != nil {
		return err
	}
	defer s.close(&err)

	report := demoReport{Directory: d.dir, Dataset: d.set.name}
	loaded, news, err := d.set.load(ctx, d, s)
	if err != nil {
		return err
	}
	report.Loaded = loaded
	if err := d.train(ctx, s, news); err != nil {
		return err
	}
	if err := s.writeChampionReport(ctx, filepath.Join(d.dir, demoReportFile)); err != nil {
		return err
	}
	err = d.do("Score every customer as of the last complete day", func() (string, error) {
		v, err := s.vantage(ctx, time.Time{}, time.Now())
		if err != nil {
			return "", err
		}
		report.Run, err = d.app.score(ctx, s, v)
		return fmt.Sprintf("%s of %s customers scored: the others %s", spoken.Count(report.Run.Scored), spoken.Count(report.Run.Customers), d.set.others), err
	})
	if err != nil {
		return err
	}
	scores, _, err := s.scores(ctx)
	if err != nil {
		return err
	}
	run, customers, total, err := scores.AtRisk(ctx, warehouse.AtRisk{Limit: 10, MinValue: math.NaN()})
	if err != nil {
		return err
	}
	report.Customers, report.Seconds = customers, time.Since(started).Seconds()
	if err := d.app.print(report, func(w io.Writer) {
		fmt.Fprintln(w)
		printAtRisk(w, run, customers, total)
		fmt.Fprintf(w, "\nDone in %.1f s. Look further:\n", report.Seconds)
		program := programName()
		fmt.Fprintf(w, "  %s in a browser: how good the model is and what it learned\n", filepath.Join(d.dir, demoReportFile))
		fmt.Fprintf(w, "  cd %s\n  %s at-risk --band high --sort churn_probability\n", d.dir, program)
		if len(customers) > 0 {
			fmt.Fprintf(w, "  %s explain %s\n", program, customers[0].CustomerID)
		}
	}); err != nil || d.once {
		return err
	}
	return d.serve(ctx, s, listener, customers)
}

// programName is how the user can call this program: by its name where that finds it, else by its path.
func programName() string {
	self, err := os.Executable()
	if err != nil {
		return "retain"
	}
	if found, err := exec.LookPath("retain"); err == nil && sameFile(found, self) {
		return "retain"
	}
	return self
}

func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// listen takes the demo's address. Only the default gives way to a free port when it is taken.
func (d *demo) listen() (net.Listener, error) {
	addr := d.addr
	if addr == "" {
		addr = "127.0.0.1:8080"
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil && d.addr == "" {
		listener, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("listen: %w; --addr names another address", err)
	}
	return listener, nil
}

// configure writes the demo's folder with its own retain.yaml, and reads that. Each data set has a warehouse of its own there; the
// configuration is that of the set shown last, and edits to it are kept while the set stays.
func (d *demo) configure() (Config, error) {
	path := filepath.Join(d.dir, "retain.yaml")
	text, err := readRules(path)
	switch {
	case err == nil && !strings.HasPrefix(string(text), demoMark):
		return Config{}, fmt.Errorf("%s is not the demo's: name another folder with --dir", path)
	case err == nil && strings.HasPrefix(string(text), d.set.head()):
		return loadConfig(path, nil) // the environment configures the user's warehouse, not the demo's
	case errors.Is(err, fs.ErrNotExist):
		if entries, err := os.ReadDir(d.dir); err == nil && len(entries) > 0 {
			return Config{}, fmt.Errorf("%s is not empty and not the demo's: name another folder with --dir", d.dir)
		}
		if err := os.MkdirAll(d.dir, 0o750); err != nil {
			return Config{}, err
		}
	case err != nil:
		return Config{}, err
	}
	if err := atomicfile.Write(path, 0o600, []byte(d.set.head()+d.set.config)); err != nil {
		return Config{}, err
	}
	return loadConfig(path, nil)
}

// train trains when there is news or no champion yet.
func (d *demo) train(ctx context.Context, s *session, news bool) error {
	if !news {
		if _, err := s.champion(ctx); err == nil {
			return nil
		} else if !errors.Is(err, errNoChampion) {
			return err
		}
	}
	var preview *features.Preview
	err := d.do("Label the past: "+d.set.label, func() (line string, err error) {
		if preview, err = s.store.Preview(ctx, s.config.Churn, s.config.Snapshots); err != nil {
			return "", err
		}
		return previewLine(preview), nil
	})
	if err != nil {
		return err
	}
	return d.do("Train: compare the model families out of time, calibrate, promote the best", func() (string, error) {
		o, err := d.app.trainingOptions(s, 1)
		if err != nil {
			return "", err
		}
		o.Progress = nil
		report, err := training.Train(ctx, o)
		if err != nil {
			return "", err
		}
		if !d.app.asJSON {
			printFamilies(d.app.stderr, report)
		}
		return fmt.Sprintf("%s v%d serves: %s, on %s rows of %d cutoffs", report.Model.Name, report.Model.Version, report.Model.Family, spoken.Count(report.Rows), len(report.Cutoffs)), nil
	})
}

func previewLine(p *features.Preview) string {
	var eligible, churned, known int
	for _, c := range p.Cutoffs {
		if c.Known {
			known++
			eligible += c.Eligible
			churned += c.Churned
		}
	}
	line := fmt.Sprintf("%d cutoffs, %s labels, %.0f %% of them churned", known, spoken.Count(eligible), 100*float64(churned)/float64(max(eligible, 1)))
	if p.RecommendedHorizonDays != nil && *p.RecommendedHorizonDays != p.HorizonDays {
		line += fmt.Sprintf(" (`retain label preview` recommends %d days)", *p.RecommendedHorizonDays)
	}
	return line
}

// printFamilies shows the pooled figures of every family.
func printFamilies(w io.Writer, r *training.TrainReport) {
	table(w, func(line func(string, ...any)) {
		line("     model\tAUC\tlog loss\tECE\tlift 10 %%")
		for _, m := range r.Models {
			line("     %s\t%s\t%s\t%s\t%s", m.Name, metric(m.Pooled.AUC, 3), metric(m.Pooled.LogLoss, 3), metric(m.Pooled.ECE, 3), metric(m.Pooled.TopDecileLift, 2))
		}
	})
}

// do tells a step, runs it, and tells what came of it with its time.
func (d *demo) do(what string, step func() (string, error)) error {
	d.step++
	fmt.Fprintf(d.app.stderr, "%d. %s\n", d.step, what)
	begin := time.Now()
	line, err := step()
	if err != nil {
		return err
	}
	fmt.Fprintf(d.app.stderr, "     %s (%.1f s)\n", line, time.Since(begin).Seconds())
	return nil
}

func (d *demo) serve(ctx context.Context, s *session, listener net.Listener, customers []models.Score) error {
	customer := "ID"
	if len(customers) > 0 {
		customer = customers[0].CustomerID
	}
	now := time.Now().UTC()
	old, err := s.db.Keys(ctx)
	if err != nil {
		return err
	}
	for _, k := range old {
		if k.Label == demoKeyLabel && k.RevokedAt == nil {
			if err := s.db.RevokeKey(ctx, k.ID, now); err != nil {
				return err
			}
		}
	}
	expires := now.Add(demoKeyLife).Truncate(time.Millisecond)
	key, err := s.createKey(ctx, serving.KeySpec{Scopes: []string{serving.ScopeScoresRead, serving.ScopeActionsWrite, serving.ScopeMetrics}, Label: demoKeyLabel, CreatedAt: now, ExpiresAt: &expires})
	if err != nil {
		return err
	}
	server, err := s.server()
	if err != nil {
		return err
	}
	if err := server.Refresh(ctx); err != nil {
		return err
	}
	url := "http://" + listener.Addr().String()
	fmt.Fprintf(d.app.stderr, `
Ask it, with a key that lives 24 hours:
  curl -H "Authorization: Bearer %s" "%s/v1/at-risk?limit=3"
  curl -H "Authorization: Bearer %s" "%s/v1/customers/%s/score"

Sign in, once, within 15 minutes:
  %s%s

Serving on %s; other retain commands work beside it in %s. Stop with Ctrl-C.
`, key.Key, url, key.Key, url, customer, url, server.OneTimeLink(key.ID), url, d.dir)
	return server.Run(ctx, listener)
}
