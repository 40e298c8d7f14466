package serving_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"

	"retain/models"
	"retain/serving"
)

// list is the body of /v1/at-risk.
type list struct {
	Items      []models.Score `json:"items"`
	NextCursor *string        `json:"next_cursor"`
	RunID      string         `json:"run_id"`
	Cutoff     time.Time      `json:"cutoff"`
	Total      int            `json:"total"`
}

func (l list) ids() []string {
	ids := []string{}
	for _, item := range l.Items {
		ids = append(ids, item.CustomerID)
	}
	return ids
}

// hamlet has every kind of customer; by loss: d 90, a 80, b 40, then e and c without value by margin.
func hamlet() []models.Score {
	return []models.Score{
		scored("a", .8, 100), scored("b", .4, 100), scored("c", .2, -1), scored("d", .9, 100), scored("e", .7, -1),
		unscored("gone", models.StatusAlreadyChurned, ""), unscored("new", models.StatusNotEligible, "tenure"),
	}
}

func TestScoreAndCustomer(t *testing.T) {
	s := start(t, nil)
	s.runs.set("r1", cutoff, hamlet())
	s.refresh()

	want := s.runs.scores[0]
	want.DataAgeS = int64(5 * time.Hour / time.Second)
	got := decode[models.Score](t, s.get("/v1/customers/a/score"))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("score (-stored +served):\n%s", diff)
	}
	customer := decode[serving.Customer](t, s.get("/v1/customers/a"))
	if diff := cmp.Diff(serving.Customer{Score: want, RunID: "r1"}, customer); diff != "" {
		t.Errorf("customer (-stored +served):\n%s", diff)
	}

	w := s.get("/v1/customers/new/score")
	body := w.Body.String()
	for _, part := range []string{`"status":"not_eligible"`, `"status_code":"tenure"`, `"churn_probability":null`, `"margin":null`, `"percentile":null`,
		`"band":null`, `"expected_loss":null`, `"stage":null`, `"loyalty_score":null`, `"reasons":[]`, `"changes":null`, `"cutoff":"2026-03-01T00:00:00Z"`} {
		if !strings.Contains(body, part) {
			t.Errorf("unscored customer lacks %s: %s", part, body)
		}
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Content-Type": "application/json"} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	wantProblem(t, s.get("/v1/customers/nobody/score"), http.StatusNotFound)
	wantProblem(t, s.get("/v1/customers/nobody"), http.StatusNotFound)
	wantProblem(t, s.get("/v1/customers/"), http.StatusNotFound)
}

func TestIDsArePercentEncoded(t *testing.T) {
	ids := []string{"a/b c%?ü", "+49 30 1", "a+b", "/", "%2F", "a&b=c;d#e", "日本", "..%2f", "a/score", strings.Repeat("x", 256), "tab\there", "\xff\xfe"}
	var scores []models.Score
	for _, id := range ids {
		scores = append(scores, scored(id, .5, 10))
	}
	s := start(t, nil)
	s.runs.set("r1", cutoff, scores)
	s.refresh()
	cookie := s.session()
	for _, id := range ids {
		for _, end := range []string{"", "/score"} {
			got := decode[models.Score](t, s.get("/v1/customers/"+url.PathEscape(id)+end))
			if want := strings.ToValidUTF8(id, "\ufffd\ufffd"); got.CustomerID != want && got.CustomerID != id {
				t.Errorf("asked for %q, got %q", id, got.CustomerID)
			}
		}
		if w := s.page("/customers/"+url.PathEscape(id), cookie); w.Code != http.StatusOK {
			t.Errorf("page of %q: %d", id, w.Code)
		}
	}
}

func TestAtRiskOrderAndFilters(t *testing.T) {
	s := start(t, nil)
	s.runs.set("r1", cutoff, hamlet())
	s.refresh()
	for _, c := range []struct {
		name, query string
		want        []string
		total       int
	}{
		{"loss falling, unknown last by margin", "", []string{"d", "a", "b", "e", "c"}, 5},
		{"by probability", "?sort=churn_probability", []string{"d", "a", "e", "b", "c"}, 5},
		{"a band", "?band=high", []string{"d", "a", "e"}, 3},
		{"a value excludes the unknown", "?min_value=0", []string{"d", "a", "b"}, 3},
		{"a value is inclusive", "?min_value=100&band=high", []string{"d", "a"}, 2},
		{"beyond all", "?min_value=100.01", []string{}, 0},
		{"limit", "?limit=2", []string{"d", "a"}, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := decode[list](t, s.get("/v1/at-risk"+c.query))
			if diff := cmp.Diff(c.want, got.ids()); diff != "" || got.Total != c.total {
				t.Errorf("total %d, want %d; items (-want +got):\n%s", got.Total, c.total, diff)
			}
			if got.RunID != "r1" || !got.Cutoff.Equal(cutoff) {
				t.Errorf("run %s at %s", got.RunID, got.Cutoff)
			}
		})
	}
}

func TestAtRiskTies(t *testing.T) {
	// Equal losses fall back on the margin, equal margins on the id.
	s := start(t, nil)
	s.runs.set("r1", cutoff, []models.Score{scored("b", .5, 80), scored("c", .8, 50), scored("a", .5, 80)})
	s.refresh()
	got := decode[list](t, s.get("/v1/at-risk")).ids()
	if want := []string{"c", "a", "b"}; !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}

func TestAtRiskDefaultLimit(t *testing.T) {
	s := start(t, nil)
	s.runs.set("r1", cutoff, town(2000, 1))
	s.refresh()
	if n := len(decode[list](t, s.get("/v1/at-risk")).Items); n != 20 {
		t.Errorf("%d items by default, want 20", n)
	}
	if n := len(decode[list](t, s.get("/v1/at-risk?limit=1000")).Items); n != 1000 {
		t.Errorf("%d items, want 1000", n)
	}
}

func TestAtRiskRefuses(t *testing.T) {
	s := start(t, nil)
	s.runs.set("r1", cutoff, hamlet())
	s.refresh()
	next := *decode[list](t, s.get("/v1/at-risk?limit=1&band=high")).NextCursor
	for _, query := range []string{
		"limit=0", "limit=%zz", "limit=1;band=high", "limit=1001", "limit=ten", "limit=-1", "band=severe", "sort=name", "min_value=much", "min_value=NaN", "min_value=Inf", "min_value=-Inf",
		"cursor=nonsense", "cursor=" + next + "x", "cursor=" + strings.Repeat("A", 5000), "cursor=" + next + "&band=low", "cursor=" + next + "&min_value=3",
		"cursor=" + next + "&sort=churn_probability", "min_vaule=3",
	} {
		t.Run(query[:min(len(query), 30)], func(t *testing.T) {
			wantProblem(t, s.get("/v1/at-risk?"+query), http.StatusUnprocessableEntity)
		})
	}
	again := decode[list](t, s.get("/v1/at-risk?limit=1&band=high&sort=expected_loss&cursor="+next))
	if got := again.ids(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("a cursor beside its own filters gives %v, want [a]", got)
	}
}

func TestCursorIsPinnedToItsRun(t *testing.T) {
	s := start(t, nil)
	s.runs.set("r1", cutoff, hamlet())
	s.refresh()
	first := decode[list](t, s.get("/v1/at-risk?limit=2"))

	// The new run turns the order round; a chain of pages must not skip or repeat anyone.
	s.runs.set("r2", cutoff.AddDate(0, 0, 1), []models.Score{scored("a", .1, 10), scored("b", .9, 1000), scored("c", .9, 900), scored("d", .1, 1), scored("e", .2, 5)})
	s.refresh()
	var rest []string
	for next := first.NextCursor; next != nil; {
		page := decode[list](t, s.get("/v1/at-risk?limit=2&cursor="+*next))
		if page.RunID != "r1" || page.Total != 5 {
			t.Fatalf("page of run %s with total %d, want r1 and 5", page.RunID, page.Total)
		}
		rest, next = append(rest, page.ids()...), page.NextCursor
	}
	if want := []string{"b", "e", "c"}; !slices.Equal(rest, want) {
		t.Errorf("the rest is %v, want %v", rest, want)
	}
	if got := decode[list](t, s.get("/v1/at-risk?limit=2")); got.RunID != "r2" || !slices.Equal(got.ids(), []string{"b", "c"}) {
		t.Errorf("anew: run %s %v", got.RunID, got.ids())
	}

	s.runs.set("r3", cutoff.AddDate(0, 0, 2), hamlet())
	s.refresh()
	p := wantProblem(t, s.get("/v1/at-risk?cursor="+*first.NextCursor), http.StatusGone)
	if !strings.Contains(p.Detail, "start anew") {
		t.Errorf("detail %q does not tell to start anew", p.Detail)
	}
}

func TestCursorSurvivesARestart(t *testing.T) {
	before, after := start(t, nil), start(t, nil)
	for _, s := range []*service{before, after} {
		s.runs.set("r1", cutoff, hamlet())
		s.refresh()
	}
	next := decode[list](t, before.get("/v1/at-risk?limit=2")).NextCursor
	if got := decode[list](t, after.get("/v1/at-risk?cursor="+*next)).ids(); !slices.Equal(got, []string{"b", "e", "c"}) {
		t.Errorf("after the restart: %v", got)
	}
}

func TestReadiness(t *testing.T) {
	s := start(t, nil)
	health := decode[serving.Health](t, s.call("GET", "/healthz", "", nil))
	if health.Status != "ok" || health.Version != "1.2.3" {
		t.Errorf("healthz %+v", health)
	}
	if p := wantProblem(t, s.call("GET", "/readyz", "", nil), http.StatusServiceUnavailable); !strings.Contains(p.Detail, "keys") {
		t.Errorf("before all: %q", p.Detail)
	}
	s.refresh()
	w := s.call("GET", "/readyz", "", nil)
	if p := wantProblem(t, w, http.StatusServiceUnavailable); !strings.Contains(p.Detail, "retain score") {
		t.Errorf("without a run: %q", p.Detail)
	}
	for _, path := range []string{"/v1/customers/a", "/v1/customers/a/score", "/v1/at-risk"} {
		w := s.get(path)
		wantProblem(t, w, http.StatusServiceUnavailable)
		if w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: 503 without Retry-After", path)
		}
	}
	s.runs.set("r1", cutoff, hamlet())
	s.refresh()
	ready := decode[serving.Health](t, s.call("GET", "/readyz", "", nil))
	if ready.Status != "ready" || ready.RunID != "r1" || !ready.Cutoff.Equal(cutoff) {
		t.Errorf("readyz %+v", ready)
	}
}

func TestFailedLoadKeepsTheOldRun(t *testing.T) {
	good := hamlet()
	for _, c := range []struct {
		name  string
		spoil func(*fakeRuns)
	}{
		{"the stream breaks", func(f *fakeRuns) { f.cut = errors.New("connection lost") }},
		{"fewer scores than the run says", func(f *fakeRuns) { f.run.Customers++ }},
		{"a customer twice", func(f *fakeRuns) { f.scores[1].CustomerID = "a" }},
		{"an empty id", func(f *fakeRuns) { f.scores[1].CustomerID = "" }},
		{"an infinite figure", func(f *fakeRuns) { f.scores[1].Margin = new(math.Inf(1)) }},
		{"a contribution that is no number", func(f *fakeRuns) {
			f.scores[1].Reasons = []models.Reason{{Feature: "x", Contribution: math.NaN()}}
		}},
		{"the store is away", func(f *fakeRuns) { f.err = errors.New("connection refused") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, nil)
			s.runs.set("r1", cutoff, good)
			s.refresh()
			s.runs.set("r2", cutoff.AddDate(0, 0, 1), good)
			c.spoil(s.runs)
			if err := s.Refresh(t.Context()); err == nil {
				t.Fatal("the spoiled run was loaded")
			}
			if got := decode[list](t, s.get("/v1/at-risk")).RunID; got != "r1" {
				t.Errorf("run %s is served, want r1", got)
			}
			if err := s.Refresh(t.Context()); err == nil {
				t.Fatal("the spoiled run was loaded")
			}
			if n := strings.Count(s.log.String(), "refresh failed"); n != 1 {
				t.Errorf("the lasting trouble was logged %d times, want once", n)
			}
		})
	}
}

func TestRunIsLoadedOnce(t *testing.T) {
	s := start(t, nil)
	s.runs.set("r1", cutoff, hamlet())
	for range 3 {
		s.refresh()
	}
	if s.runs.reads != 1 {
		t.Errorf("scores were read %d times, want once", s.runs.reads)
	}
}

func TestMethodsAndBodies(t *testing.T) {
	s := start(t, nil)
	s.runs.set("r1", cutoff, hamlet())
	s.refresh()
	w := s.call(http.MethodDelete, "/v1/at-risk", s.reader, nil)
	wantProblem(t, w, http.StatusMethodNotAllowed)
	if got := w.Header().Get("Allow"); got != "GET, HEAD" {
		t.Errorf("Allow %q, want GET, HEAD", got)
	}
	w = s.call(http.MethodPut, "/signin", "", nil)
	wantProblem(t, w, http.StatusMethodNotAllowed)
	if got := w.Header().Get("Allow"); got != "GET, HEAD, POST" {
		t.Errorf("Allow %q, want GET, HEAD, POST", got)
	}
	wantProblem(t, s.get("/v1/nothing"), http.StatusNotFound)
	wantProblem(t, s.call("GET", "/v1/nothing", "", nil), http.StatusNotFound)

	const form = "application/x-www-form-urlencoded"
	large := "key=" + strings.Repeat("x", 70<<10)
	wantProblem(t, s.call("POST", "/signin", "", strings.NewReader(large), "Content-Type", form), http.StatusRequestEntityTooLarge)
	unsaid := io.MultiReader(strings.NewReader(large)) // no Content-Length
	wantProblem(t, s.call("POST", "/signin", "", unsaid, "Content-Type", form), http.StatusRequestEntityTooLarge)
	wantProblem(t, s.call("POST", "/signin", "", strings.NewReader(`{"key":"x"}`), "Content-Type", "application/json"), http.StatusUnsupportedMediaType)
	wantProblem(t, s.call("POST", "/signin", "", strings.NewReader("key=%zz"), "Content-Type", form), http.StatusUnprocessableEntity)

	w = s.call(http.MethodHead, "/v1/customers/a/score", s.reader, nil)
	if w.Code != http.StatusOK || w.Body.Len() > 0 {
		t.Errorf("HEAD: %d with %d bytes, want 200 and none", w.Code, w.Body.Len())
	}
}

func TestPanicTellsNothing(t *testing.T) {
	s := start(t, nil)
	s.refresh()
	s.Engine().GET("/v1/panic/:id", func(*gin.Context) { panic("customer zoë is broken") })
	_, admin := s.keys.add(nil, serving.ScopeAdmin)
	s.refresh()
	p := wantProblem(t, s.call("GET", "/v1/panic/zo%C3%AB", admin, nil), http.StatusInternalServerError)
	if strings.Contains(p.Detail, "zo") || strings.Contains(s.log.String(), "zo") { // no hex number spells that
		t.Errorf("the panic's words came out: %q\n%s", p.Detail, s.log)
	}
	if !strings.Contains(s.log.String(), `"msg":"panic"`) || !strings.Contains(s.log.String(), "api_test.go") {
		t.Errorf("the log lacks the panic and its place: %s", s.log)
	}
}

func TestLogsHoldNoCustomer(t *testing.T) {
	s := start(t, nil)
	s.runs.set("r1", cutoff, []models.Score{scored("secret-customer", .5, 10)})
	s.refresh()
	cookie := s.session()
	s.get("/v1/customers/secret-customer")
	s.get("/v1/customers/secret-customer-2")
	s.get("/v1/at-risk?cursor=secret-customer")
	s.get("/v1/secret-customer/nowhere")
	s.page("/customers?id=secret-cust", cookie)
	s.page("/customers/secret-customer", cookie)
	s.call("GET", "/v1/customers/secret-customer", "rk_secret-customer", nil)
	log := s.log.String()
	if strings.Contains(log, "secret") || strings.Contains(log, s.reader) || strings.Contains(log, cookie.Value) {
		t.Errorf("the log holds a customer, a key or a session:\n%s", log)
	}
	if !strings.Contains(log, `"route":"/v1/customers/{id}"`) || !strings.Contains(log, s.readerID) {
		t.Errorf("the log lacks the route or the key's id:\n%s", log)
	}
	_, scraper := s.keys.add(nil, serving.ScopeMetrics)
	s.refresh()
	w := s.call("GET", "/metrics", scraper, nil)
	if text := w.Body.String(); strings.Contains(text, "secret") || !strings.Contains(text, `retain_http_requests_total{method="GET",route="unmatched",status="404"} 1`) ||
		!strings.Contains(text, "retain_serving_run_customers 1") {
		t.Errorf("metrics:\n%s", text)
	}
}

func TestReadsWhileSwapping(t *testing.T) {
	s := start(t, func(o *serving.Options) { o.Rate = serving.Rate{PerSecond: 1e9, Burst: 1e9}; o.Logger = nil })
	s.runs.set("r0", cutoff, hamlet())
	s.refresh()
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			for range 150 {
				score := decode[models.Score](t, s.get("/v1/customers/a/score"))
				if !score.Cutoff.Equal(score.ScoredAt.Add(-3 * time.Hour)) {
					t.Errorf("a score of two runs: cutoff %s, scored at %s", score.Cutoff, score.ScoredAt)
				}
				page := decode[list](t, s.get("/v1/at-risk?limit=2"))
				if w := s.get("/v1/at-risk?cursor=" + *page.NextCursor); w.Code != http.StatusOK && w.Code != http.StatusGone {
					t.Errorf("next page: %d", w.Code)
				}
			}
		})
	}
	for k := range 40 {
		s.runs.set(fmt.Sprintf("r%d", k+1), cutoff.AddDate(0, 0, k+1), hamlet())
		s.refresh()
	}
	work.Wait()
}
