package serving_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
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
	// Figures asked for by name are counted alone, unless all of these months are there.
	before := kpis.asked
	for range 2 {
		got = decode[serving.LifecycleKPIs](t, s.get("/v1/lifecycle/kpis?month=2026-01&kpi=nps,churn_rate,nps"))
	}
	if strings.Join(kpis.last.Names, ",") != "churn_rate,nps" || kpis.asked != before+1 || len(got.Items) != 2 {
		t.Errorf("%d questions, the last for %v: %d figures", kpis.asked-before, kpis.last.Names, len(got.Items))
	}
	// Another run is asked anew; more questions than there is room for are answered, too.
	s.runs.set("r2", cutoff.AddDate(0, 0, 1), hamlet())
	s.refresh()
	before = kpis.asked
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

// slowKPIs answers when it is let go, and fails the first time.
type slowKPIs struct {
	fakeKPIs
	begun, let, gaveUp chan struct{}
	failed             bool
}

func (f *slowKPIs) KPIs(ctx context.Context, o kpi.Options) (*kpi.Report, error) {
	f.begun <- struct{}{}
	select {
	case <-f.let:
	case <-ctx.Done():
		f.gaveUp <- struct{}{}
		return nil, ctx.Err()
	}
	if !f.failed {
		f.failed = true
		return nil, errors.New("the warehouse is away")
	}
	return f.fakeKPIs.KPIs(ctx, o)
}

// An answer that takes longer than somebody waits is counted on, once, and there for who asks again; one of another run is given up.
func TestKPIsAreCountedOn(t *testing.T) {
	kpis := &slowKPIs{begun: make(chan struct{}, 9), let: make(chan struct{}), gaveUp: make(chan struct{}, 9)}
	s := start(t, func(o *serving.Options) { o.KPIs = kpis })
	s.runs.set("r1", cutoff, hamlet())
	s.refresh()
	session := s.session()
	look := func(path string) *httptest.ResponseRecorder { // and wait for nothing
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil)
		if r.AddCookie(session); !strings.HasPrefix(path, "/v1/") {
			r.Header.Set("Accept", "text/html")
		}
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		return w
	}
	impatient := func(path string) {
		t.Helper()
		w := look(path)
		if p := wantProblem(t, w, http.StatusServiceUnavailable); !strings.Contains(p.Detail, "still being counted") || w.Header().Get("Retry-After") == "" {
			t.Fatalf("%+v", p)
		}
	}
	for range 3 {
		impatient("/v1/lifecycle/kpis")
	}
	<-kpis.begun
	if len(kpis.begun) > 0 {
		t.Error("one question is counted more than once")
	}
	page := look("/lifecycle/kpis?by=stage") // it waits for its turn behind the other, and says so
	if text := page.Body.String(); page.Code != http.StatusServiceUnavailable || !strings.Contains(text, "Counting the key figures") || strings.Contains(text, "retain demo") {
		t.Errorf("the page of what is counted: %d %s", page.Code, text)
	}
	close(kpis.let)
	for range 3 { // whoever waits for a count that fails is told so; the next begins anew
		if w := s.get("/v1/lifecycle/kpis"); w.Code == http.StatusOK {
			break
		} else if w.Code != http.StatusInternalServerError {
			t.Fatalf("%d: %s", w.Code, w.Body)
		}
	}
	s.get("/v1/lifecycle/kpis?by=stage")
	asked := kpis.asked
	decode[serving.LifecycleKPIs](t, s.get("/v1/lifecycle/kpis"))
	if kpis.asked != asked {
		t.Error("an answer that is there is counted again")
	}
	kpis.let = make(chan struct{})
	for len(kpis.begun) > 0 {
		<-kpis.begun
	}
	impatient("/v1/lifecycle/kpis?month=2026-01")
	<-kpis.begun
	s.runs.set("r2", cutoff.AddDate(0, 0, 1), hamlet())
	s.refresh()
	impatient("/v1/lifecycle/kpis?month=2026-01")
	<-kpis.gaveUp
	<-kpis.begun
	close(kpis.let)
	decode[serving.LifecycleKPIs](t, s.get("/v1/lifecycle/kpis?month=2026-01"))
}
