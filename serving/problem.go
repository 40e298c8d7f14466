package serving

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"retain/features/lifecycle/kpi"
	"retain/models/actions"
)

var (
	errNoCustomer = errors.New("no customer of this id in the run in force")
	errMinValue   = errors.New("min_value must be a finite number")
)

// problemOf maps every kind of error to its status and to what a caller may know. Anything else is a 500 that says nothing.
func problemOf(err error) *huma.ErrorModel {
	var notReady *notReadyError
	var narrowed *contextError
	var unasked *kpi.UsageError
	var contradiction *actions.ContradictionError
	status, detail := http.StatusInternalServerError, "something went wrong here; the log has it under the request id"
	switch {
	case errors.Is(err, errNoCustomer):
		status, detail = http.StatusNotFound, err.Error()
	case errors.Is(err, ErrNoStages):
		status, detail = http.StatusNotFound, err.Error()
	case errors.As(err, &unasked):
		status, detail = http.StatusUnprocessableEntity, unasked.Fault
	case errors.Is(err, errSpan), errors.Is(err, errKPIMonths):
		status, detail = http.StatusUnprocessableEntity, err.Error()
	case errors.Is(err, actions.ErrUnknownDecision):
		status, detail = http.StatusNotFound, "no decision of this id is in the log"
	case errors.As(err, &narrowed):
		status, detail = http.StatusUnprocessableEntity, narrowed.words
	case errors.As(err, &contradiction):
		status, detail = http.StatusConflict, "the outcome cannot be true of the decision: "+contradiction.Words
	case errors.Is(err, errCursorExpired):
		status, detail = http.StatusGone, err.Error()
	case errors.Is(err, errCursor), errors.Is(err, errCursorOther), errors.Is(err, errCursorSource), errors.Is(err, errSource), errors.Is(err, errMinValue), errors.Is(err, errReports), errors.Is(err, errPlanCursor), errors.Is(err, errPlanCapacity),
		errors.Is(err, errNoSegments), errors.Is(err, actions.ErrPlan):
		status, detail = http.StatusUnprocessableEntity, err.Error()
	case errors.Is(err, errCounting):
		status, detail = http.StatusServiceUnavailable, err.Error()
	case errors.As(err, &notReady):
		status, detail = http.StatusServiceUnavailable, notReady.why
	case errors.Is(err, errKey):
		status, detail = http.StatusUnauthorized, "the key is unknown, revoked or expired"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		status, detail = http.StatusServiceUnavailable, "the request was given up"
	}
	return problem(status, detail)
}

func problem(status int, detail string) *huma.ErrorModel {
	return &huma.ErrorModel{Title: http.StatusText(status), Status: status, Detail: detail}
}

// fail answers with a problem: a page to a browser that asks for one outside /v1, problem+json to all others.
func (s *Server) fail(c *gin.Context, p *huma.ErrorModel) {
	c.Abort()
	if p.Status == http.StatusServiceUnavailable {
		c.Header("Retry-After", "2")
	}
	if s.wantsPage(c) {
		s.errorPage(c, p)
		return
	}
	body, err := json.Marshal(p)
	if err != nil {
		panic(err) // strings and a number
	}
	c.Data(p.Status, "application/problem+json", append(body, '\n'))
}
