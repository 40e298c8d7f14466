package serving_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"retain/features/lifecycle/kpi"
	"retain/serving"
)

// fakeKPIs is a KPIReader that tells two figures of the months asked for.
type fakeKPIs struct {
	asked int
	last  kpi.Options
}

func (f *fakeKPIs) KPIs(_ context.Context, o kpi.Options) (*kpi.Report, error) {
	f.asked++
	f.last = o
	if o.From.Year() == 1999 {
		return nil, &kpi.UsageError{Fault: "no month is over"}
	}
	r := &kpi.Report{Cutoff: o.Cutoff, Months: []time.Time{cutoff.AddDate(0, -1, 0)}, LeftOut: []kpi.LeftOut{{Name: "csat", Why: "there are no surveys"}}, Warnings: []string{}}
	for _, name := range []string{"churn_rate", "nps"} {
		r.KPIs = append(r.KPIs, kpi.Value{Name: name, Unit: kpi.Share, Month: r.Months[0], Value: new(.04), Low: new(.03), High: new(.05), Of: new(int64(1000)), Formula: "left / there"})
	}
	return r, nil
}

func TestLifecycleKPIs(t *testing.T) {
	kpis := &fakeKPIs{}
	s := start(t, func(o *serving.Options) { o.KPIs = kpis })
	wantProblem(t, s.get("/v1/lifecycle/kpis"), http.StatusServiceUnavailable)
	s.runs.set("r1", cutoff, hamlet())
	s.refresh()
	got := decode[serving.LifecycleKPIs](t, s.get("/v1/lifecycle/kpis"))
	if got.RunID != "r1" || !got.Cutoff.Equal(cutoff) || len(got.Items) != 2 || *got.Items[0].Value != .04 || len(got.LeftOut) != 1 {
		t.Errorf("%+v", got)
	}
	got = decode[serving.LifecycleKPIs](t, s.get("/v1/lifecycle/kpis?kpi=nps,csat"))
	if len(got.Items) != 1 || got.Items[0].Name != "nps" || len(got.LeftOut) != 1 || kpis.asked != 1 {
		t.Errorf("%+v, the warehouse was asked %d times", got, kpis.asked)
	}
	decode[serving.LifecycleKPIs](t, s.get("/v1/lifecycle/kpis?month=2026-02&by=segment"))
	if o := kpis.last; o.By != kpi.BySegment || o.From.Format(time.DateOnly) != "2026-02-01" || o.To.Format(time.DateOnly) != "2026-03-01" || !o.Cutoff.Equal(cutoff) {
		t.Errorf("asked for %+v", o)
	}
	for _, wrong := range []string{"by=region", "month=2026-13", "month=soon", "kpi=profit", "from=2026-02-01&to=2026-01-01", "from=2020-01-01&to=2026-01-01", "from=1999-01-01&to=1999-02-01", "from=2001-01-01", "stage=loyalty"} {
		wantProblem(t, s.get("/v1/lifecycle/kpis?"+wrong), http.StatusUnprocessableEntity)
	}
	// Another run is asked anew; more questions than there is room for are answered, too.
	s.runs.set("r2", cutoff.AddDate(0, 0, 1), hamlet())
	s.refresh()
	before := kpis.asked
	for month := range 40 {
		from := time.Date(2020, time.Month(1+month), 1, 0, 0, 0, 0, time.UTC)
		decode[serving.LifecycleKPIs](t, s.get("/v1/lifecycle/kpis?month="+from.Format("2006-01")))
	}
	if kpis.asked != before+40 {
		t.Errorf("the warehouse was asked %d times for 40 months", kpis.asked-before)
	}
	// A service without figures tells none.
	bare := start(t, nil)
	bare.runs.set("r1", cutoff, hamlet())
	bare.refresh()
	if got := decode[serving.LifecycleKPIs](t, bare.get("/v1/lifecycle/kpis")); len(got.Items) != 0 {
		t.Errorf("%+v", got)
	}
}
