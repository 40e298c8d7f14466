package serving

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"retain/models/actions"
)

// ErrNoDecisions is what a DecisionReader returns for a run without decisions.
var ErrNoDecisions = errors.New("serving: the run has no decisions")

// DecisionReader is the part of the decision log that the service needs.
type DecisionReader interface {
	// Decisions streams the decision of everyone in the run, each once, fastest in the order of the ids' bytes, and tells what they
	// share; ErrNoDecisions when the run has none. An error in the stream ends it and discards what was read.
	Decisions(ctx context.Context, runID string) (*actions.Deciding, iter.Seq2[actions.Decision, error], error)
}

// errNoDecision says that the run in force is older than decisions.
var errNoDecision = &notReadyError{why: "the run in force has no decisions; `retain score` makes them"}

type actionsInput struct {
	ID         string `path:"id" minLength:"1" doc:"customer_id, percent-encoded, slashes included (a/b is a%2Fb)."`
	MaxResults int    `query:"max_results" minimum:"1" maximum:"25" default:"3" doc:"How many actions at most; do_nothing keeps its place among them, and comes as a second one beside a single action."`
	Explain    bool   `query:"explain" doc:"Adds what of the customer and the rules led to the answer."`
}

type actionsOutput struct{ Body actions.Answer }

func (s *Server) registerActions(api huma.API) {
	huma.Register(api, operation(huma.Operation{
		OperationID: "get-next-best-actions", Method: http.MethodGet, Path: "/v1/customers/{id}/next-best-actions", Tags: []string{"actions"},
		Summary:     "What to do next for a customer, with every term of its priority",
		Description: "The decision of the run in force: the chosen action first, then by falling priority, and the actions that were not possible with the reason.",
		Errors:      []int{http.StatusNotFound},
	}), func(ctx context.Context, in *actionsInput) (*actionsOutput, error) {
		return s.nextBest(ctx, in.ID, actionsAsk{MaxResults: in.MaxResults, Explain: in.Explain})
	})
	huma.Register(api, operation(huma.Operation{
		OperationID: "post-next-best-actions", Method: http.MethodPost, Path: "/v1/customers/{id}/next-best-actions", Tags: []string{"actions"},
		Summary: "What to do next for a customer, given what is known only now",
		Description: "The decision of the run in force, narrowed to what the context leaves: actions that cannot be taken, channels on which nobody is reached, a ticket that has just been opened. " +
			"The logged choice stands where it is still possible, else the greatest priority stands in; the propensities are those of this rule. Nothing is drawn anew and nothing is logged: " +
			"tell the outcome of another action than the logged one with its name (action); learning counts the decision as what was drawn.",
		Errors: []int{http.StatusNotFound, http.StatusRequestEntityTooLarge},
	}), func(ctx context.Context, in *contextInput) (*actionsOutput, error) {
		return s.nextBest(ctx, in.ID, in.Body)
	})
}

// actionsAsk is what is asked of a decision.
type actionsAsk struct {
	MaxResults int             `json:"max_results,omitempty" minimum:"1" maximum:"25" default:"3" doc:"How many actions at most; do_nothing keeps its place among them, and comes as a second one beside a single action."`
	Explain    bool            `json:"explain,omitempty" doc:"Adds what of the customer and the rules led to the answer."`
	Context    actions.Context `json:"context,omitempty" doc:"What is known only now."`
}

type contextInput struct {
	ID   string `path:"id" minLength:"1" doc:"customer_id, percent-encoded, slashes included (a/b is a%2Fb)."`
	Body actionsAsk
}

// contextError is a context that names what there is not.
type contextError struct{ words string }

func (e *contextError) Error() string { return e.words }

func (s *Server) nextBest(ctx context.Context, id string, ask actionsAsk) (*actionsOutput, error) {
	run, err := s.shelf.current()
	if err != nil {
		return nil, refusal(ctx, err)
	}
	i, ok := run.find(id)
	if !ok {
		return nil, refusal(ctx, errNoCustomer)
	}
	if run.decided == nil {
		return nil, refusal(ctx, errNoDecision)
	}
	shared := run.decided.shared
	if unknown := ask.Context.Unknown(shared.Catalogue); unknown != "" {
		return nil, refusal(ctx, &contextError{unknown})
	}
	now := s.now()
	score := run.score(i, now)
	answer := run.decided.answer(i, &score)
	answer.Outcomes = s.outcomes.outcomes(answer.DecisionID)
	if !ask.Context.Empty() {
		made := run.decided.made(i, id)
		shared.Apply(&ask.Context, &answer, &made, &score, now.UTC().Truncate(time.Second))
	}
	answer.Cut(ask.MaxResults)
	if ask.Explain {
		shared.Explain(&answer, &score)
	}
	return &actionsOutput{answer}, nil
}

// decision is the next best action of a customer in a run; ok is false where none was decided in that run.
func (s *Server) decision(run *snapshot, id string) (a actions.Answer, ok bool) {
	i, ok := run.find(id)
	if !ok || run.decided == nil {
		return a, false
	}
	score := run.score(i, s.now())
	a = run.decided.answer(i, &score)
	a.Outcomes = s.outcomes.outcomes(a.DecisionID)
	return a, true
}

var outcomeDocs = map[string]string{
	"outcome": "shown, accepted, rejected, ignored, converted or saved.",
	"action":  "The action that it came of; as a rule the chosen one.",
	"at":      "When it happened.",
	"late":    "It came after the action had expired.",
	"source":  "Who told: api, console, import or contacts.",
}

// actionDocs says what the fields of an answer are.
var actionDocs = map[string]map[string]string{
	"Answer": {
		"customer_id": "The customer's id, byte for byte as imported.",
		"decision_id": "Send it back with what came of the action: outcomes join by it.",
		"run_id":      "The run that decided.",
		"cutoff":      "The instant the decision stands at, exclusive.",
		"chosen":      "The action to take; it is the first of actions.",
		"explored":    "The choice was drawn with the propensities; false: the greatest priority was taken.",
		"holdout":     "The customer is in this quarter's control group and gets no marketing and no service that was not asked for.",
		"unit":        "Of priority and fatigue: money, or customers where no value is known (then costs are ignored).",
		"policy":      "Version of catalogue and settings that decided.",
		"actions":     "What is possible: the chosen action, then by falling priority. do_nothing is always among them, at priority 0.",
		"suppressed":  "What is not possible, with the reason.",
		"outcomes":    "What came of the decision so far, by time; of the answers accepted, rejected and ignored the latest holds.",
		"explanation": "With explain: what of the customer and the rules led to the answer.",
	},
	"Proposal": {
		"action":        "Id in the catalogue of actions.",
		"title":         "What is done, in words.",
		"class":         "marketing, service or transactional.",
		"channel":       "email, sms, phone, chat, in_app, push, post, the channel of the open ticket, or none.",
		"priority":      "uplift·value·lever - contact_cost - p_accept·incentive - fatigue; without a value: uplift - fatigue.",
		"uplift":        "P(stay given the action) - P(stay given nothing).",
		"uplift_source": "prior: from the catalogue; learned: weighed against 100 outcomes an arm or more.",
		"value":         "What the customer is worth; null when unknown.",
		"lever":         "On the value of a saved customer.",
		"fatigue":       "What the contacts so far take from it.",
		"contact_cost":  "Of doing it.",
		"p_accept":      "Share of customers who accept the incentive.",
		"incentive":     "Paid to all who accept.",
		"price":         "What the place and the money that it takes would bring elsewhere; priority - price is what was compared.",
		"propensity":    "The probability with which the policy chooses this action.",
		"moment":        "When to act; null for do_nothing.",
		"message":       "The words; empty for do_nothing.",
		"expires_at":    "From then on the decision is void; null for do_nothing.",
	},
	"Outcome":      outcomeDocs,
	"RecordedView": outcomeDocs,
	"OutcomesOutputBody": {
		"decision_id": "As in the path.",
		"customer_id": "The customer of the decision.",
	},
	"Suppressed": {
		"action": "Id in the catalogue of actions.",
		"reason": "Why not: rule, stage, consent, cooldown, complaint, hold, repeat, cap, capacity, budget, holdout or status, a colon and words.",
	},
}
