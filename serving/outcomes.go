package serving

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"retain/models/actions"
)

// OutcomeLog is the part of the log of outcomes that the service needs.
type OutcomeLog interface {
	// Record takes what is told of decisions, all of it or nothing; telling the same again changes nothing. Errors:
	// actions.ErrUnknownDecision, *actions.ContradictionError.
	Record(ctx context.Context, reports []actions.Report, source string) ([]actions.Recorded, error)
	// OfRun returns the outcomes that count of those decisions of a run of which anything was told at since or later.
	OfRun(ctx context.Context, runID string, since time.Time) ([]actions.Recorded, error)
}

// Sources of what is told here.
const (
	toldByAPI     = "api"
	toldByConsole = "console"
)

// errNoOutcomes says that this service cannot record outcomes.
var errNoOutcomes = &notReadyError{why: "this service has no log of outcomes"}

// errReports says that a body tells one outcome and a list, or neither.
var errReports = errors.New("tell either one outcome (outcome, at, action) or a list (outcomes)")

type outcomeReport struct {
	Outcome    string     `json:"outcome" enum:"shown,accepted,rejected,ignored,converted,saved" doc:"shown: it reached the customer. accepted, rejected, ignored: the response, of which the latest holds. converted, saved: what followed."`
	At         *time.Time `json:"at,omitempty" doc:"When it happened; now when absent. The same outcome with another time is a correction."`
	Action     string     `json:"action,omitempty" maxLength:"64" doc:"The action that it came of; the chosen one when absent. It must be among those that were proposed."`
	CustomerID string     `json:"customer_id,omitempty" maxLength:"256" doc:"When present it must be the decision's customer."`
}

type outcomesInput struct {
	ID   string `path:"id" minLength:"1" maxLength:"64" doc:"decision_id of the next best action."`
	Body struct {
		Outcome    string          `json:"outcome,omitempty" enum:"shown,accepted,rejected,ignored,converted,saved" doc:"One outcome, with at, action and customer_id beside it."`
		At         *time.Time      `json:"at,omitempty" doc:"When it happened; now when absent."`
		Action     string          `json:"action,omitempty" maxLength:"64" doc:"The action that it came of; the chosen one when absent."`
		CustomerID string          `json:"customer_id,omitempty" maxLength:"256" doc:"When present it must be the decision's customer."`
		Outcomes   []outcomeReport `json:"outcomes,omitempty" minItems:"1" maxItems:"100" doc:"Several outcomes of the decision: all are recorded, or none."`
	}
}

// recordedView is an outcome as it was taken.
type recordedView struct {
	actions.Outcome
	Duplicate bool `json:"duplicate" doc:"It was told before; nothing changed."`
}

type outcomesOutput struct {
	Status int
	Body   struct {
		DecisionID string         `json:"decision_id"`
		CustomerID string         `json:"customer_id"`
		Recorded   int            `json:"recorded" doc:"Outcomes that are new, corrections among them."`
		Duplicates int            `json:"duplicates" doc:"Outcomes that were told before."`
		Late       int            `json:"late" doc:"Outcomes after the action had expired. They count."`
		Outcomes   []recordedView `json:"outcomes" doc:"In the order of the request."`
	}
}

func (s *Server) registerOutcomes(api huma.API) {
	huma.Register(api, operation(huma.Operation{
		OperationID: "post-decision-outcomes", Method: http.MethodPost, Path: "/v1/decisions/{id}/outcomes", Tags: []string{"actions"},
		Summary: "Tell what came of a decision",
		Description: "One outcome or a list of them. Telling the same again changes nothing (200 instead of 201), so a request can be repeated without care; " +
			"without a time, an outcome that was told before is the same. An outcome after the action has expired is late and counts. " +
			"409: the outcome cannot be true of the decision (another customer, an action that was not proposed, a time before the decision or in the future).",
		Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusRequestEntityTooLarge}, DefaultStatus: http.StatusCreated,
		Responses: map[string]*huma.Response{"200": {Description: "All of it was told before.", Content: map[string]*huma.MediaType{
			"application/json": {Schema: &huma.Schema{Ref: "#/components/schemas/OutcomesOutputBody"}}}}},
	}), s.postOutcomes)
}

func (s *Server) postOutcomes(ctx context.Context, in *outcomesInput) (*outcomesOutput, error) {
	reports, err := in.reports()
	if err != nil {
		return nil, refusal(ctx, err)
	}
	recorded, err := s.record(ctx, reports, toldByAPI)
	if err != nil {
		return nil, refusal(ctx, err)
	}
	out := &outcomesOutput{Status: http.StatusOK}
	out.Body.DecisionID, out.Body.CustomerID = recorded[0].DecisionID, recorded[0].CustomerID
	for _, r := range recorded {
		if r.Duplicate {
			out.Body.Duplicates++
		} else {
			out.Body.Recorded++
			out.Status = http.StatusCreated
		}
		if r.Late {
			out.Body.Late++
		}
		out.Body.Outcomes = append(out.Body.Outcomes, recordedView{r.Outcome, r.Duplicate})
	}
	return out, nil
}

func (in *outcomesInput) reports() ([]actions.Report, error) {
	b := &in.Body
	told := b.Outcomes
	if (b.Outcome != "") == (len(told) > 0) || b.Outcome == "" && (b.At != nil || b.Action != "" || b.CustomerID != "") {
		return nil, errReports
	}
	if b.Outcome != "" {
		told = []outcomeReport{{b.Outcome, b.At, b.Action, b.CustomerID}}
	}
	reports := make([]actions.Report, len(told))
	for i, o := range told {
		reports[i] = actions.Report{Decision: in.ID, Customer: o.CustomerID, Action: o.Action, Outcome: o.Outcome}
		if o.At != nil {
			if reports[i].At = o.At.UTC(); reports[i].At.IsZero() {
				reports[i].At = reports[i].At.Add(1) // the year 1 is told, and not a time left out
			}
		}
	}
	return reports, nil
}

// record writes what was told and holds it at once, so that the next answer shows it.
func (s *Server) record(ctx context.Context, reports []actions.Report, source string) ([]actions.Recorded, error) {
	if s.outcomes.log == nil {
		return nil, errNoOutcomes
	}
	recorded, err := s.outcomes.log.Record(ctx, reports, source)
	if err != nil {
		return nil, err
	}
	s.outcomes.add(recorded)
	late, known := 0, 0
	for _, r := range recorded {
		late += b2i(r.Late)
		known += b2i(r.Duplicate)
	}
	s.log.InfoContext(ctx, "outcomes recorded", "decision_id", recorded[0].DecisionID, "outcomes", len(recorded), "duplicates", known, "late", late, "source", source)
	return recorded, nil
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// sortOutcomes orders what came of a decision by time.
func sortOutcomes(list []actions.Outcome) {
	slices.SortStableFunc(list, func(a, b actions.Outcome) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return slices.Index(actions.Outcomes, a.Outcome) - slices.Index(actions.Outcomes, b.Outcome)
	})
}
