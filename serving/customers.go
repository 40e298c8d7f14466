package serving

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"retain/models"
)

// Customer is all that is known of one customer: today the score and the run that it is from.
type Customer struct {
	models.Score
	RunID string `json:"run_id"`
}

type customerInput struct {
	ID string `path:"id" minLength:"1" doc:"customer_id, percent-encoded, slashes included (a/b is a%2Fb)."`
}

type customerOutput struct{ Body Customer }

type scoreOutput struct{ Body models.Score }

func (s *Server) registerCustomers(api huma.API) {
	huma.Register(api, operation(huma.Operation{
		OperationID: "get-customer", Method: http.MethodGet, Path: "/v1/customers/{id}", Tags: []string{"customers"},
		Summary: "All that is known of a customer",
		Errors:  []int{http.StatusNotFound},
	}), func(ctx context.Context, in *customerInput) (*customerOutput, error) {
		run, score, err := s.scoreOf(in.ID)
		if err != nil {
			return nil, refusal(ctx, err)
		}
		return &customerOutput{Customer{Score: score, RunID: run.run.ID}}, nil
	})
	huma.Register(api, operation(huma.Operation{
		OperationID: "get-score", Method: http.MethodGet, Path: "/v1/customers/{id}/score", Tags: []string{"customers"},
		Summary: "A customer's score with its reasons",
		Errors:  []int{http.StatusNotFound},
	}), func(ctx context.Context, in *customerInput) (*scoreOutput, error) {
		_, score, err := s.scoreOf(in.ID)
		if err != nil {
			return nil, refusal(ctx, err)
		}
		return &scoreOutput{score}, nil
	})
}

// scoreOf returns a customer's score in the run in force.
func (s *Server) scoreOf(id string) (*snapshot, models.Score, error) {
	run, err := s.shelf.current()
	if err != nil {
		return nil, models.Score{}, err
	}
	i, ok := run.find(id)
	if !ok {
		return run, models.Score{}, errNoCustomer
	}
	return run, run.score(i, s.now()), nil
}
