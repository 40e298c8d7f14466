package serving_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"retain/features/lifecycle/kpi"
	"retain/serving"
)

// monthly is a KPIReader of three months, one of them without a value.
type monthly struct{}

func (monthly) KPIs(_ context.Context, o kpi.Options) (*kpi.Report, error) {
	r := &kpi.Report{Cutoff: o.Cutoff, Currency: new("EUR"), Figures: []kpi.Definition{{Name: "churn_rate", Title: "Churn", Unit: kpi.Share}},
		LeftOut: []kpi.LeftOut{{Name: "csat", Why: "there are no surveys"}, {Name: "nps", Why: "there are no surveys"}}, Warnings: []string{}}
	if o.By != kpi.Everyone {
		r.By = &o.By
	}
	for k := range 3 {
		r.Months = append(r.Months, cutoff.AddDate(0, k-3, 0).Truncate(24*time.Hour))
	}
	for _, segment := range []*string{nil, new("<b>small</b>"), new("")} {
		if segment != nil && o.By == kpi.Everyone {
			continue
		}
		for k, m := range r.Months {
			v := kpi.Value{Name: "churn_rate", Unit: kpi.Share, Segment: segment, Month: m, Formula: "left & gone"}
			if k != 1 {
				v.Value, v.Low, v.High, v.Of, v.Provisional = new(.04+.01*float64(k)), new(.03), new(.08), new(int64(1234)), k == 2
			}
			r.KPIs = append(r.KPIs, v)
		}
	}
	return r, nil
}

func TestKPIPage(t *testing.T) {
	s := start(t, func(o *serving.Options) { o.KPIs = monthly{} })
	s.runs.set("r1", cutoff, hamlet())
	s.refresh()
	page := s.get("/lifecycle/kpis")
	text := page.Body.String()
	for _, want := range []string{"Key figures", "Churn", "Left &amp; gone.", "6.0%", "3.0% to 8.0%", "1,234", "EUR", "¹ is not settled", "csat, nps", "there are no surveys"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not tell %q", want)
		}
	}
	if n := strings.Count(text, "<circle cx="); n < 2 || strings.Contains(text, "<line x1") {
		t.Errorf("%d dots; two months apart are not to be joined", n)
	}
	text = s.get("/lifecycle/kpis?by=segment").Body.String()
	if !strings.Contains(text, "not known") || strings.Contains(text, "<b>small</b>") || !strings.Contains(text, "small") {
		t.Error("the slices are not told, or not escaped")
	}
	if w := s.get("/lifecycle/kpis?by=region"); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("an unknown breakdown answers %d", w.Code)
	}
}
