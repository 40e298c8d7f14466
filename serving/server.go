package serving

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
)

// Options are what a Server needs and what it may be told.
type Options struct {
	Runs RunReader // required
	Keys KeyStore  // required

	Decisions  DecisionReader        // what to do next for customers; nil tells nothing
	Outcomes   OutcomeLog            // what came of them; nil takes and tells none
	Segments   SegmentReader         // who belongs to a segment; nil: plans cannot be narrowed by one
	History    History               // what customer pages and timelines tell; nil tells nothing
	Stages     StageReader           // where customers stand on their way; nil tells nothing
	KPIs       KPIReader             // key figures of the lifecycle; nil tells none
	Logger     *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil registers in a registry of its own, which Gatherer then reads
	Gatherer   prometheus.Gatherer   // what /metrics tells; nil means Registerer's, when that is a registry
	Now        func() time.Time      // nil means time.Now
	Version    string                // of the build, for OpenAPI and the console; "" means dev
	Currency   string                // ISO 4217 code shown beside amounts; "" shows none

	PollEvery     time.Duration // how often keys and the run in force are looked at; 0 means 2 s, so a revocation holds within 5 s
	StaleAfter    time.Duration // age of the cutoff at which the console warns; 0 means 48 h
	SessionLength time.Duration // of a browser's session; 0 means 12 h
	DrainFor      time.Duration // how long open requests may take at the stop; 0 means 10 s
	Rate          Rate          // per key
}

// Server serves the run in force. Make it with New, then either Run it, or Refresh it and mount its Handler.
type Server struct {
	options  Options
	log      *slog.Logger
	now      func() time.Time
	shelf    *shelf
	keyring  *keyring
	sessions *tickets
	links    *tickets
	limiter  *limiter
	outcomes *heldOutcomes
	planner  planner
	stages   *stageShelf
	kpis     *kpiShelf
	metrics  *metrics
	console  *console
	openapi  []byte
	engine   *gin.Engine

	mu       sync.Mutex
	stopping bool
	troubles map[string]string // last trouble by kind, so that the log tells a lasting one once
}

// Limits of the listener. A header line beyond them is answered 431 by net/http itself.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
	maxBodyBytes      = 64 << 10 // nothing that is accepted today is larger
)

// New checks the options and builds the routes. It reads nothing yet.
func New(o Options) (*Server, error) {
	if o.Runs == nil || o.Keys == nil {
		return nil, errors.New("serving: Options.Runs and Options.Keys are required")
	}
	o.fill()
	s := &Server{
		options:  o,
		log:      o.Logger,
		now:      o.Now,
		shelf:    newShelf(o.Runs, o.Decisions, o.Now),
		keyring:  &keyring{store: o.Keys, now: o.Now},
		sessions: newTickets(o.Now, o.SessionLength, maxSessions),
		links:    newTickets(o.Now, linkLength, maxLinks),
		limiter:  newLimiter(o.Rate, o.Now),
		outcomes: &heldOutcomes{log: o.Outcomes},
		stages:   &stageShelf{reader: o.Stages},
		kpis:     newKPIShelf(o.KPIs),
		troubles: map[string]string{},
	}
	var err error
	if s.metrics, err = newMetrics(o.Registerer, s); err != nil {
		return nil, err
	}
	if s.console, err = newConsole(o); err != nil {
		return nil, err
	}
	if err := s.build(); err != nil {
		return nil, err
	}
	return s, nil
}

func (o *Options) fill() {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	if g, ok := o.Registerer.(prometheus.Gatherer); ok && o.Gatherer == nil {
		o.Gatherer = g
	}
	if o.Gatherer == nil {
		o.Gatherer = prometheus.DefaultGatherer
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.History == nil {
		o.History = noHistory{}
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	for _, d := range []struct {
		to   *time.Duration
		unit time.Duration
	}{{&o.PollEvery, 2 * time.Second}, {&o.StaleAfter, 48 * time.Hour}, {&o.SessionLength, 12 * time.Hour}, {&o.DrainFor, 10 * time.Second}} {
		if *d.to <= 0 {
			*d.to = d.unit
		}
	}
	if o.Rate.PerSecond <= 0 {
		o.Rate.PerSecond = 500
	}
	if o.Rate.Burst <= 0 {
		o.Rate.Burst = 1000
	}
}

// Handler answers requests. It works at once: until a run is held, readyz and the routes that need one say why not.
func (s *Server) Handler() http.Handler { return headAsGet(s.engine) }

// Refresh reads the keys and loads the run in force when it is not held yet. Run does this by itself, again and again.
func (s *Server) Refresh(ctx context.Context) error {
	return errors.Join(s.refreshKeys(ctx), s.refreshRun(ctx), s.refreshOutcomes(ctx))
}

// Run serves on the listener until ctx is done, then lets open requests finish (Options.DrainFor at most) and returns nil.
// It closes the listener. Errors: the listener's.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	var work sync.WaitGroup
	defer s.kpis.close()
	defer work.Wait()
	defer cancel()
	// Loops of their own: loading a large run must not delay a revocation.
	work.Go(func() { s.poll(ctx, s.refreshKeys) })
	work.Go(func() { s.poll(ctx, s.refreshRun) })
	work.Go(func() { s.poll(ctx, s.refreshOutcomes) })

	served := make(chan error, 1)
	work.Go(func() { served <- server.Serve(l) })
	s.log.InfoContext(ctx, "serving", "address", l.Addr().String(), "version", s.options.Version)
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	s.mu.Lock()
	s.stopping = true
	s.mu.Unlock()
	s.log.Info("stopping", "drain_s", s.options.DrainFor.Seconds())
	drain, stop := context.WithTimeout(context.WithoutCancel(ctx), s.options.DrainFor)
	defer stop()
	if err := server.Shutdown(drain); err != nil {
		s.log.Warn("requests were cut off", "error", err)
		return server.Close()
	}
	return nil
}

// OneTimeLink returns the path and query of a sign-in link for the key: it works once, within 15 minutes, while the key lives.
func (s *Server) OneTimeLink(keyID string) string {
	return "/signin?once=" + s.links.issue(keyID)
}

func (s *Server) poll(ctx context.Context, refresh func(context.Context) error) {
	tick := time.NewTicker(s.options.PollEvery)
	defer tick.Stop()
	for {
		_ = refresh(ctx) // it tells its own troubles
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Server) refreshKeys(ctx context.Context) error {
	err := s.keyring.refresh(ctx)
	s.tell(ctx, "keys", err)
	return err
}

func (s *Server) refreshRun(ctx context.Context) error {
	begun := time.Now()
	loaded, err := s.shelf.refresh(ctx)
	s.tell(ctx, "run", err)
	if loaded {
		took := time.Since(begun)
		s.metrics.loadSeconds.Set(took.Seconds())
		run := s.shelf.held.Load().current.run
		s.log.InfoContext(ctx, "run in force loaded", "run_id", run.ID, "cutoff", run.Cutoff, "customers", run.Customers, "seconds", took.Seconds())
	}
	return err
}

// tell counts a failed refresh and logs it when it is new, and once when it is over.
func (s *Server) tell(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() != nil {
		return // the stop, not a trouble
	}
	text := ""
	if err != nil {
		text = err.Error()
		s.metrics.refreshFailures.WithLabelValues(what).Inc()
	}
	s.mu.Lock()
	before := s.troubles[what]
	s.troubles[what] = text
	s.mu.Unlock()
	switch {
	case text != "" && text != before:
		s.log.ErrorContext(ctx, "refresh failed; what was held is served on", "what", what, "error", err)
	case text == "" && before != "":
		s.log.InfoContext(ctx, "refresh works again", "what", what)
	}
}
