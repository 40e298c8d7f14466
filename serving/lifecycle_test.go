package serving_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"retain/features/lifecycle"
	"retain/serving"
)

// fakeStages is a StageReader over a small history.
type fakeStages struct{ asked int }

var stagesOfTests = lifecycle.Set{Name: "small", Stages: []lifecycle.Stage{{Name: "awareness", Title: "knows of us"}, {Name: "engagement", Rule: "true"}, {Name: "loyalty", Rule: "true"}},
	Exits: []lifecycle.Stage{{Name: lifecycle.Churned, Rule: "true"}}}

func (f *fakeStages) Board(_ context.Context, runID string, _ serving.StageSpan) (*lifecycle.Board, error) {
	f.asked++
	if runID == "none" {
		return nil, serving.ErrNoStages
	}
	months := append(lifecycle.MonthsBefore(cutoff, 2), cutoff)
	b, err := stagesOfTests.Board(&lifecycle.Paths{Points: months, Count: map[lifecycle.Path]int{{1, 1, 2}: 3, {2, 2, 3}: 40, {2, 3, 3}: 10, {0, 1, 1}: 1200, {3, 4, 4}: 5}})
	if err == nil {
		b.Version, b.RunID, b.Cutoff = "0123456789abcdef", runID, cutoff
	}
	return b, err
}

func (f *fakeStages) Journey(_ context.Context, runID string, _ serving.StageSpan) (*lifecycle.Journey, error) {
	if runID == "none" {
		return nil, serving.ErrNoStages
	}
	return &lifecycle.Journey{Preset: "small", Version: "0123456789abcdef", RunID: runID, Cutoff: cutoff, From: cutoff.AddDate(0, -2, 0), To: cutoff, Stages: []lifecycle.JourneyStage{
		{Name: "awareness", Months: 1206, Events: []lifecycle.JourneyEvent{{Source: "touchpoints", Kind: "visit", Channel: "web", Events: 300, Customers: 210, Rate: new(24.9)},
			{Source: "touchpoints", Kind: "<b>form</b>", Channel: "web", Events: 30, Customers: 21, Rate: new(2.5)}}},
		{Name: "loyalty", Months: 60, Events: []lifecycle.JourneyEvent{{Source: "tickets", Kind: "how_to", Channel: "email", Events: 6, Customers: 6, Rate: new(10.0)}}},
	}}, nil
}

func TestLifecycle(t *testing.T) {
	stages := &fakeStages{}
	s := start(t, func(o *serving.Options) { o.Stages = stages })
	wantProblem(t, s.get("/v1/lifecycle/stages"), http.StatusServiceUnavailable)
	s.runs.set("r1", cutoff, hamlet())
	s.refresh()
	got := decode[serving.LifecycleStages](t, s.get("/v1/lifecycle/stages"))
	if got.Preset != "small" || got.RunID != "r1" || got.Version == "" || !got.Cutoff.Equal(cutoff) || len(got.Items) != 4 || len(got.Months) != 3 {
		t.Errorf("%+v", got)
	}
	if d := cmp.Diff([]int{1200, 3, 50, 5}, got.Months[2].Customers); d != "" {
		t.Error(d)
	}
	moves := decode[serving.LifecycleTransitions](t, s.get("/v1/lifecycle/transitions"))
	if len(moves.Items) == 0 || moves.Items[0] != (lifecycle.Transition{From: "awareness", To: "awareness", Customers: 1203, Share: 1203. / 1206}) {
		t.Errorf("%+v", moves.Items)
	}
	if stages.asked != 1 {
		t.Errorf("the warehouse was asked %d times for one board", stages.asked)
	}
	if j := decode[lifecycle.Journey](t, s.get("/v1/lifecycle/journey?from=2026-01-01")); len(j.Stages) != 2 || !j.From.Equal(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v", j)
	}
	wantProblem(t, s.get("/v1/lifecycle/stages?from=2026-02-01&to=2026-01-01"), http.StatusUnprocessableEntity)
	wantProblem(t, s.get("/v1/lifecycle/stages?from=soon"), http.StatusUnprocessableEntity)

	s.runs.set("none", cutoff.AddDate(0, 0, 1), hamlet())
	s.refresh()
	for _, what := range []string{"stages", "transitions", "journey"} {
		if p := wantProblem(t, s.get("/v1/lifecycle/"+what), http.StatusNotFound); !strings.Contains(p.Detail, "lifecycle") {
			t.Errorf("%s: %s", what, p.Detail)
		}
	}
	bare := start(t, nil)
	bare.runs.set("r1", cutoff, hamlet())
	bare.refresh()
	wantProblem(t, bare.get("/v1/lifecycle/stages"), http.StatusNotFound)
}

func TestLifecyclePage(t *testing.T) {
	s := start(t, func(o *serving.Options) { o.Stages = &fakeStages{} })
	scores := town(30, 7)
	for k := range scores {
		scores[k].Stage = new([]string{"engagement", "loyalty"}[k%2])
	}
	s.runs.set("r1", cutoff, scores)
	s.refresh()
	page := s.page("/lifecycle", s.session()).Body.String()
	for _, want := range []string{`<h1>Lifecycle</h1>`, "1,200", "knows of us", `href="/?stage=loyalty"`, "100%", "visit by web 24.9", "&lt;b&gt;form&lt;/b&gt;", "2 months together"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, `href="/?stage=awareness"`) {
		t.Error("a stage that no scored customer stands in leads nowhere")
	}
	list := decode[serving.AtRisk](t, s.get("/v1/at-risk?stage=loyalty&limit=3"))
	if list.Total == 0 || list.NextCursor == nil {
		t.Fatalf("%+v", list)
	}
	total := list.Total
	for seen := 0; ; {
		for _, score := range list.Items {
			if seen++; *score.Stage != "loyalty" {
				t.Errorf("%s stands in %s", score.CustomerID, *score.Stage)
			}
		}
		if list.NextCursor == nil {
			if seen != total {
				t.Errorf("%d of %d", seen, total)
			}
			break
		}
		wantProblem(t, s.get("/v1/at-risk?stage=engagement&cursor="+*list.NextCursor), http.StatusUnprocessableEntity)
		list = decode[serving.AtRisk](t, s.get("/v1/at-risk?limit=3&cursor="+*list.NextCursor))
	}
	if none := decode[serving.AtRisk](t, s.get("/v1/at-risk?stage=nowhere")); none.Total != 0 {
		t.Errorf("%d customers stand in a stage that is none", none.Total)
	}
	if html := s.page("/?stage=loyalty", s.session()).Body.String(); !strings.Contains(html, "<option selected>loyalty</option>") {
		t.Error("the list does not say that it is of a stage")
	}
}

func TestLifecycleInABrowser(t *testing.T) {
	scores := town(60, 5)
	for k := range scores {
		scores[k].Stage = new([]string{"awareness", "engagement", "loyalty"}[k%3])
	}
	s, base := serveTown(t, scores, func(o *serving.Options) { o.Stages = &fakeStages{} })
	b := openTab(t, base)
	b.desktop()
	b.colours("light")
	b.open(s.OneTimeLink(s.readerID))
	b.open("/lifecycle")
	b.shot("lifecycle")
	b.click(`a[href="/?stage=loyalty"]`)
	if got := b.text(`.total`); !strings.Contains(got, "customers") {
		t.Errorf("the list of a stage: %q", got)
	}
	b.colours("dark")
	b.open("/lifecycle")
	b.shot("lifecycle-dark")
	b.phone()
	b.open("/lifecycle")
	b.shot("lifecycle-phone")
	b.quiet()
}
