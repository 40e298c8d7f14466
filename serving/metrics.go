package serving

import (
	"errors"
	"math"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are the service's own figures. Labels are bounded: route is a template of the access table or "unmatched".
type metrics struct {
	requests        *prometheus.CounterVec   // by route, method, status
	seconds         *prometheus.HistogramVec // by route
	inFlight        prometheus.Gauge
	refreshFailures *prometheus.CounterVec // by what: keys, run
	loadSeconds     prometheus.Gauge
	panics          prometheus.Counter
}

// newMetrics registers the figures. Errors: a name that the registry holds already.
func newMetrics(r prometheus.Registerer, s *Server) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "retain_http_requests_total", Help: "Requests answered.",
		}, []string{"route", "method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "retain_http_request_duration_seconds", Help: "Time to answer a request.",
			Buckets: []float64{1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, .01, .025, .05, .1, .25, .5, 1, 5},
		}, []string{"route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "retain_http_requests_in_flight", Help: "Requests being answered.",
		}),
		refreshFailures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "retain_serving_refresh_failures_total", Help: "Failed looks at the keys or the run in force.",
		}, []string{"what"}),
		loadSeconds: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "retain_serving_run_load_seconds", Help: "Time that the last load of a run took.",
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "retain_http_panics_total", Help: "Requests that ended in a panic.",
		}),
	}
	gauge := func(name, help string, of func(*snapshot) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			if c := s.shelf.held.Load().current; c != nil {
				return of(c)
			}
			return math.NaN()
		})
	}
	var errs []error
	for _, c := range []prometheus.Collector{
		m.requests, m.seconds, m.inFlight, m.refreshFailures, m.loadSeconds, m.panics,
		gauge("retain_serving_run_age_seconds", "Time since the cutoff of the run served; NaN without a run.",
			func(c *snapshot) float64 { return s.now().Sub(c.run.Cutoff).Seconds() }),
		gauge("retain_serving_run_customers", "Customers in the run served; NaN without a run.",
			func(c *snapshot) float64 { return float64(len(c.rows)) }),
		gauge("retain_serving_run_scored_customers", "Customers with a score in the run served; NaN without a run.",
			func(c *snapshot) float64 { return float64(len(c.byLoss)) }),
	} {
		errs = append(errs, r.Register(c))
	}
	return m, errors.Join(errs...)
}

// metricsHandler is the Prometheus text format of what g gathers.
func metricsHandler(g prometheus.Gatherer) http.Handler {
	return promhttp.HandlerFor(g, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}
