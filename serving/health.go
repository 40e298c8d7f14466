package serving

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Health is the body of /healthz and, when all is well, of /readyz.
type Health struct {
	Status  string     `json:"status" enum:"ok,ready" doc:"ok: the process answers. ready: a run is served."`
	Version string     `json:"version" doc:"Version of the build."`
	RunID   string     `json:"run_id,omitempty" doc:"The run that is served."`
	Cutoff  *time.Time `json:"cutoff,omitempty" doc:"Its cutoff."`
}

type healthOutput struct{ Body Health }

func (s *Server) registerHealth(api huma.API) {
	huma.Register(api, operation(huma.Operation{
		OperationID: "healthz", Method: http.MethodGet, Path: "/healthz", Tags: []string{"operations"},
		Summary: "Whether the process answers",
	}), func(context.Context, *struct{}) (*healthOutput, error) {
		return &healthOutput{Health{Status: "ok", Version: s.options.Version}}, nil
	})
	huma.Register(api, operation(huma.Operation{
		OperationID: "readyz", Method: http.MethodGet, Path: "/readyz", Tags: []string{"operations"},
		Summary: "Whether scores are served, and why not",
		Errors:  []int{http.StatusServiceUnavailable},
	}), func(ctx context.Context, _ *struct{}) (*healthOutput, error) {
		run, err := s.ready()
		if err != nil {
			return nil, refusal(ctx, err)
		}
		cutoff := run.run.Cutoff.UTC()
		return &healthOutput{Health{Status: "ready", Version: s.options.Version, RunID: run.run.ID, Cutoff: &cutoff}}, nil
	})
}

// ready returns the run in force when requests can be answered: the keys are read, a run is held, the service is not stopping.
func (s *Server) ready() (*snapshot, error) {
	s.mu.Lock()
	stopping := s.stopping
	s.mu.Unlock()
	if stopping {
		return nil, &notReadyError{why: "the service is stopping"}
	}
	if !s.keyring.loaded() {
		return nil, &notReadyError{why: "the keys are not read yet"}
	}
	return s.shelf.current()
}
