package serving

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"retain/models/actions"
)

// SegmentReader tells who belongs to a segment of the source customers.
type SegmentReader interface {
	// Segment returns the customers of a segment as known at the cutoff.
	Segment(ctx context.Context, segment string, cutoff time.Time) (map[string]bool, error)
}

// planPatience bounds the making of a plan; a second request meanwhile waits for its turn.
const planPatience = 45 * time.Second

var (
	errPlanTooLong  = &notReadyError{why: "the plan takes too long; narrow it by segment, stage or band, or use `retain actions plan`"}
	errNoSegments   = errors.New("this service cannot look up segments")
	errPlanCursor   = errors.New("the cursor is none of this plan: send the same budget, capacities and filters as with the first page")
	errPlanCapacity = errors.New("capacities: a capacity is a whole number, -1 for no limit")
)

type planInput struct {
	Body struct {
		Budget     *float64       `json:"budget,omitempty" minimum:"0" doc:"What may be spent, in the currency of the sources; no limit when absent."`
		Capacities map[string]int `json:"capacities,omitempty" doc:"By action, instead of those of the catalogue; -1 = no limit."`
		Segment    string         `json:"segment,omitempty" maxLength:"256" doc:"Only customers of this segment (of the source customers)."`
		Stage      string         `json:"stage,omitempty" maxLength:"64" doc:"Only customers in this stage of the lifecycle."`
		Band       string         `json:"band,omitempty" enum:"low,medium,high" doc:"Only customers of this band."`
		Limit      int            `json:"limit,omitempty" minimum:"1" maximum:"1000" default:"100" doc:"How many customers a page lists."`
		Cursor     string         `json:"cursor,omitempty" maxLength:"256" doc:"next_cursor of the page before; the rest of the request stays the same."`
	}
}

type planOutput struct {
	Body struct {
		*actions.BudgetPlan
		Items      []actions.Planned `json:"items" doc:"Who gets what: duties first, then by falling value."`
		NextCursor *string           `json:"next_cursor" doc:"Null on the last page."`
		RunID      string            `json:"run_id"`
		Cutoff     time.Time         `json:"cutoff"`
	}
}

// planner makes plans one at a time and keeps the last ones, because their pages are asked for one after the other.
type planner struct {
	turn sync.Mutex
	kept []keptPlan // newest last
}

type keptPlan struct {
	key  string
	plan *actions.BudgetPlan
}

// plansKept plans stay in memory, some 150 bytes a customer who gets anything.
const plansKept = 2

func (s *Server) registerPlan(api huma.API) {
	huma.Register(api, operation(huma.Operation{
		OperationID: "post-actions-plan", Method: http.MethodPost, Path: "/v1/actions/plan", Tags: []string{"actions"},
		Summary: "Who should get what for a budget",
		Description: "Allots a budget and the capacities of the actions over the customers of the run in force, so that the expected value is greatest; with the bound that no plan exceeds, and the gap. " +
			"Nothing is decided or logged by it. Customers who wait for an answer get it outside the budget; the control group gets nothing else. The same request gives the same plan.",
		Errors: []int{http.StatusGone, http.StatusRequestEntityTooLarge},
	}), s.postPlan)
}

func (s *Server) postPlan(ctx context.Context, in *planInput) (*planOutput, error) {
	b := &in.Body
	for _, n := range b.Capacities {
		if n < -1 {
			return nil, refusal(ctx, errPlanCapacity)
		}
	}
	limit, from, cursor := b.Limit, 0, b.Cursor
	b.Limit, b.Cursor = 0, ""
	asked, err := json.Marshal(b) // keys of maps are sorted
	if err != nil {
		return nil, refusal(ctx, err)
	}
	sum := sha256.Sum256(asked)
	key := hex.EncodeToString(sum[:8])
	run, err := s.shelf.current()
	if cursor != "" {
		var runID string
		if runID, from, err = openPlanCursor(cursor, key); err == nil {
			run, err = s.shelf.pinned(runID)
		}
	}
	if err != nil {
		return nil, refusal(ctx, err)
	}
	if run.decided == nil {
		return nil, refusal(ctx, errNoDecision)
	}
	plan, err := s.plan(ctx, run, in, key)
	if err != nil {
		return nil, refusal(ctx, err)
	}
	out := &planOutput{}
	out.Body.BudgetPlan, out.Body.RunID, out.Body.Cutoff = plan, run.run.ID, run.run.Cutoff
	from = min(from, len(plan.Items))
	to := min(from+limit, len(plan.Items))
	out.Body.Items = append([]actions.Planned{}, plan.Items[from:to]...)
	if to < len(plan.Items) {
		next := base64.RawURLEncoding.EncodeToString([]byte(key + "." + strconv.Itoa(to) + "." + run.run.ID))
		out.Body.NextCursor = &next
	}
	return out, nil
}

func openPlanCursor(cursor, key string) (runID string, from int, err error) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return "", 0, errCursor
	}
	parts := strings.SplitN(string(text), ".", 3)
	if len(parts) != 3 {
		return "", 0, errCursor
	}
	if from, err = strconv.Atoi(parts[1]); err != nil || from < 0 {
		return "", 0, errCursor
	}
	if parts[0] != key {
		return "", 0, errPlanCursor
	}
	return parts[2], from, nil
}

// plan makes the plan of a request, or takes it from those kept.
func (s *Server) plan(ctx context.Context, run *snapshot, in *planInput, asked string) (*actions.BudgetPlan, error) {
	key := run.run.ID + " " + asked
	s.planner.turn.Lock()
	defer s.planner.turn.Unlock()
	for _, k := range s.planner.kept {
		if k.key == key {
			return k.plan, nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, planPatience)
	defer cancel()
	plan, err := s.allot(ctx, run, in)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, errPlanTooLong
	}
	if err != nil {
		return nil, err
	}
	s.planner.kept = append(s.planner.kept, keptPlan{key, plan})
	if n := len(s.planner.kept); n > plansKept {
		s.planner.kept = append([]keptPlan{}, s.planner.kept[n-plansKept:]...)
	}
	return plan, nil
}

func (s *Server) allot(ctx context.Context, run *snapshot, in *planInput) (*actions.BudgetPlan, error) {
	b := &in.Body
	var segment map[string]bool
	if b.Segment != "" {
		if s.options.Segments == nil {
			return nil, errNoSegments
		}
		var err error
		if segment, err = s.options.Segments.Segment(ctx, b.Segment, run.run.Cutoff); err != nil {
			return nil, err
		}
	}
	planning := actions.NewPlanning(run.decided.shared.Catalogue)
	is := func(word *string, want string) bool { return want == "" || word != nil && *word == want }
	for i := range run.rows {
		if i%4096 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		r, id := &run.rows[i], run.id(uint32(i))
		if !is(run.word(r.band), b.Band) || !is(run.word(r.stage), b.Stage) || segment != nil && !segment[id] {
			continue
		}
		made := run.decided.made(uint32(i), id)
		if err := planning.Add(&made, actions.DecisionID(run.run.ID, id)); err != nil {
			return nil, err
		}
	}
	budget := math.Inf(1)
	if b.Budget != nil {
		budget = *b.Budget
	}
	return planning.Allot(ctx, budget, b.Capacities)
}

// planDocs says what the fields of plans are.
var planDocs = map[string]map[string]string{
	"PlanOutputBody": {
		"unit":           "Of the values: money, or customers (saved) where no value is known.",
		"budget":         "What may be spent; null = no limit.",
		"customers":      "Customers that the filters let through.",
		"held_out":       "Of them: in this quarter's control group.",
		"without_value":  "Of them: left out, because others have a value and they have none.",
		"assigned":       "Customers who get anything but an answer that they wait for.",
		"cost":           "Of what they get: contact costs and the incentives that are expected to be paid.",
		"expected_value": "What it is expected to bring after costs.",
		"bound":          "No plan within the limits is expected to bring more.",
		"gap":            "Share of the bound that may be missing.",
		"budget_price":   "What one more unit of money would bring; 0 where the budget is not used up.",
		"duties":         "Customers who are answered, outside the budget.",
		"duty_cost":      "Of that.",
		"actions":        "The sums per action.",
		"run_id":         "The run that is planned on.",
		"cutoff":         "Its cutoff.",
	},
	"Planned": {
		"customer_id":    "The customer.",
		"decision_id":    "Of the run in force: send it back with what came of the action, which the plan may have changed.",
		"action":         "Id in the catalogue of actions.",
		"channel":        "How.",
		"cost":           "Contact cost and the incentive that is expected to be paid.",
		"expected_value": "What it is expected to bring after costs.",
		"duty":           "It answers the customer, whatever the budget.",
	},
	"PlannedAction": {
		"action":         "Id in the catalogue of actions.",
		"customers":      "Who get it.",
		"capacity":       "How many can get it; null = no limit.",
		"cost":           "Of all of them.",
		"expected_value": "Likewise.",
		"price":          "What one place more would bring.",
		"duty":           "It answers the customer, whatever the budget.",
	},
}
