package serving

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"retain/features/lifecycle/kpi"
)

// KPIReader counts the key figures of the lifecycle. It reads the warehouse: the service asks once per run, months and breakdown, and keeps the answer.
type KPIReader interface {
	// KPIs counts figures as known at Options.Cutoff; *kpi.UsageError for months that cannot be asked for.
	KPIs(ctx context.Context, o kpi.Options) (*kpi.Report, error)
}

const mostKPIMonth = 24

// errKPIMonths refuses what no answer has room for.
var errKPIMonths = errors.New("from and to must not hold more than 24 months")

// LifecycleKPIs are key figures of the lifecycle.
type LifecycleKPIs struct {
	RunID    string        `json:"run_id" doc:"The run in force."`
	Cutoff   time.Time     `json:"cutoff" doc:"Its cutoff: everything is counted as it was known then."`
	Currency *string       `json:"currency" doc:"Of the amounts that figures are ratios of."`
	By       *kpi.By       `json:"by" doc:"The breakdown; null is everyone alone."`
	Months   []time.Time   `json:"months" nullable:"false" doc:"Begins of the months, oldest first."`
	Items    []kpi.Value   `json:"items" nullable:"false" doc:"By figure, then everyone before the slices of the breakdown, then month."`
	LeftOut  []kpi.LeftOut `json:"left_out" nullable:"false" doc:"Figures that cannot be told, and why."`
	Warnings []string      `json:"warnings" nullable:"false" doc:"What could not be broken down as asked, and why."`
}

type kpisInput struct {
	From  time.Time `query:"from" timeFormat:"2006-01-02" format:"date" doc:"Months that begin on or after this day; the last 12 when left out, 24 at most."`
	To    time.Time `query:"to" timeFormat:"2006-01-02" format:"date" doc:"Months that begin before this day; those that are over at the cutoff when left out."`
	Month string    `query:"month" pattern:"^[0-9]{4}-(0[1-9]|1[0-2])$" doc:"One month, as 2026-03, in place of from and to."`
	By    string    `query:"by" enum:"stage,segment,lead_source" doc:"Break down by the stage at the month's begin, the segment or the lead source."`
	KPI   []string  `query:"kpi" maxItems:"50" doc:"Only these figures, by name, with commas between them: faster than all of them."`
}

type kpisOutput struct{ Body LifecycleKPIs }

// question is what a caller asks.
func (in *kpisInput) question() (kpiQuestion, error) {
	q := kpiQuestion{in.From.UTC(), in.To.UTC(), kpi.By(in.By), namesOf(in.KPI)}
	if in.Month != "" {
		at, err := time.Parse("2006-01", in.Month)
		if err != nil {
			return q, &kpi.UsageError{Fault: "month is none; write 2026-03"}
		}
		q.from, q.to = at, at.AddDate(0, 1, 0)
	}
	switch {
	case !q.from.IsZero() && !q.to.IsZero() && q.to.Before(q.from):
		return q, errSpan
	case !q.from.IsZero() && !q.to.IsZero() && q.to.After(q.from.AddDate(0, mostKPIMonth, 0)):
		return q, errKPIMonths
	}
	for _, name := range in.KPI {
		if !slices.Contains(kpi.Names(), name) {
			return q, &kpi.UsageError{Fault: "there is no key figure of one of these names"}
		}
	}
	return q, nil
}

func (s *Server) registerLifecycleKPIs(api huma.API) {
	huma.Register(api, operation(huma.Operation{
		OperationID: "get-lifecycle-kpis", Method: http.MethodGet, Path: "/v1/lifecycle/kpis", Tags: []string{"lifecycle"},
		Summary: "Key figures of the lifecycle by month, with formulas and intervals",
		Description: "All figures of a large warehouse take their time the first time. An answer that is not there within 50 seconds is a 503: it is counted on, and there " +
			"when you ask again. Naming the figures that you need is faster.",
	}), func(ctx context.Context, in *kpisInput) (*kpisOutput, error) {
		ctx, cancel := context.WithTimeout(ctx, kpiPatience)
		defer cancel()
		q, err := in.question()
		if err != nil {
			return nil, refusal(ctx, err)
		}
		run, err := s.shelf.current()
		if err != nil {
			return nil, refusal(ctx, err)
		}
		if q.to.IsZero() && !q.from.IsZero() && run.run.Cutoff.After(q.from.AddDate(0, mostKPIMonth+1, 0)) {
			return nil, refusal(ctx, errKPIMonths)
		}
		r, err := s.kpis.report(ctx, run, q)
		if err != nil {
			return nil, refusal(ctx, err)
		}
		out := LifecycleKPIs{RunID: run.run.ID, Cutoff: r.Cutoff, Currency: r.Currency, By: r.By, Months: r.Months, Items: []kpi.Value{}, LeftOut: []kpi.LeftOut{}, Warnings: r.Warnings}
		asked := func(name string) bool { return len(in.KPI) == 0 || slices.Contains(in.KPI, name) }
		for _, v := range r.KPIs {
			if asked(v.Name) {
				out.Items = append(out.Items, v)
			}
		}
		for _, l := range r.LeftOut {
			if asked(l.Name) {
				out.LeftOut = append(out.LeftOut, l)
			}
		}
		return &kpisOutput{out}, nil
	})
}
