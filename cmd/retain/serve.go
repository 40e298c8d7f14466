package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"retain/features"
	"retain/internal/warehouse"
	"retain/models"
	"retain/pipelines"
	"retain/serving"
)

func (a *app) serveCommand() *cobra.Command {
	var addr string
	var withSchedule bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Answer scores, lists, next best actions and timelines over HTTP, and the console in the browser",
		Long: `Serve the run in force over HTTP until it is stopped. With a key, as Authorization: Bearer KEY:

  GET /v1/at-risk                              customers by expected loss or by risk: limit, cursor, band, min_value, sort
  GET /v1/customers/{id}                       score, reasons, changes and the run they are from
  GET /v1/customers/{id}/score                 the score alone
  GET /v1/customers/{id}/next-best-actions     what to do, what is possible and what is not, and why: max_results; POST with what is known only now
  POST /v1/actions/plan                        who should get what for a budget, over a segment, stage or band
  POST /v1/decisions/{id}/outcomes             what came of a decision: shown, accepted, rejected, ignored, converted, saved
  GET /v1/lifecycle/stages                     who stands where, entered, median days; from, to
  GET /v1/lifecycle/transitions                who moved from where to where, month by month
  GET /v1/lifecycle/journey                    what happens in each stage
  GET /v1/lifecycle/kpis                       key figures by month: by, kpi, from, to
  GET /v1/customers/{id}/timeline              what happened, newest first, as known at the cutoff: limit, cursor, source
  GET /metrics                                 for Prometheus

Without one: /healthz, /readyz, /openapi.json (all of it in detail) and /signin, which opens the console in the browser.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			s, err := a.open(cmd.Context(), "serve", holding)
			if err != nil {
				return err
			}
			defer s.close(&err)
			if addr == "" {
				addr = s.config.Serve.Addr
			}
			server, err := s.server()
			if err != nil {
				return err
			}
			listener, err := net.Listen("tcp", addr)
			if err != nil {
				return fmt.Errorf("listen: %w; serve.addr or --addr names another address", err)
			}
			a.say("serving on http://" + listener.Addr().String() + "; `retain keys create --scopes scores:read` makes a key; stop with Ctrl-C")
			if !withSchedule {
				return server.Run(cmd.Context(), listener)
			}
			jobs, ctx := errgroup.WithContext(cmd.Context())
			k := &keeper{app: a, config: s.config, command: "serve", how: holding, who: "retain serve", s: s}
			jobs.Go(func() error { return server.Run(ctx, listener) })
			jobs.Go(func() error { return k.keepSchedule(ctx, false) })
			return errorsJoin(jobs.Wait(), k.close())
		},
	}
	cmd.Flags().BoolVar(&withSchedule, "with-schedule", false, "run the jobs of the schedule, too")
	cmd.Flags().StringVar(&addr, "addr", "", "address to listen on (default: serve.addr of the configuration)")
	return cmd
}

// server is the HTTP service on the session's warehouse.
func (s *session) server() (*serving.Server, error) {
	counter, err := s.kpiCounter()
	if err != nil {
		return nil, err
	}
	o := serving.Options{KPIs: kpiReader{counter}, Runs: runReader{s.db}, Decisions: decisionReader{s.db}, Outcomes: pipelines.Outcomes{DB: s.db}, Segments: segmentReader{s.store}, Stages: stageReader{s.store}, Keys: keyStore{s.db}, History: &pipelines.Timeline{Store: s.store}, Logger: s.log, Version: version, Currency: s.config.currency()}
	return serving.New(o)
}

// runReader gives the service the runs of the warehouse.
type runReader struct{ db *warehouse.Warehouse }

func (r runReader) InForce(ctx context.Context) (models.Run, error) {
	run, err := pipelines.Scores{DB: r.db}.InForce(ctx)
	if errors.Is(err, pipelines.ErrNoRun) {
		return run, serving.ErrNoRun
	}
	return run, err
}

func (r runReader) Scores(ctx context.Context, runID string) iter.Seq2[models.Score, error] {
	return func(yield func(models.Score, error) bool) {
		scores := pipelines.Scores{DB: r.db}
		run, err := scores.Run(ctx, runID)
		if err != nil {
			yield(models.Score{}, err)
			return
		}
		entry, err := byArtifact(ctx, r.db, run.Artifact)
		if err != nil {
			yield(models.Score{}, err)
			return
		}
		scores.Actionable = entry.artifact.Actionable
		scores.Scores(ctx, runID)(yield)
	}
}

// segmentReader gives the service the segments of the sources.
type segmentReader struct{ store *features.Store }

func (r segmentReader) Segment(ctx context.Context, segment string, cutoff time.Time) (map[string]bool, error) {
	return pipelines.SegmentCustomers(ctx, r.store, segment, cutoff)
}

// keyStore gives the service the keys of the warehouse.
type keyStore struct{ db *warehouse.Warehouse }

func (k keyStore) Keys(ctx context.Context) ([]serving.Key, error) {
	rows, err := k.db.Keys(ctx)
	if err != nil {
		return nil, err
	}
	keys := make([]serving.Key, len(rows))
	for i, row := range rows {
		keys[i] = serving.Key(row)
	}
	return keys, nil
}
