package serving_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"retain/models"
	"retain/serving"
)

const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>' onload='`

func TestPagesEscapeEverything(t *testing.T) {
	score := scored(hostile, .8, 100)
	for k := range score.Reasons {
		score.Reasons[k].Text = hostile
	}
	score.Reasons[0].Feature = hostile
	score.Band = new(hostile)
	odd := unscored("odd"+hostile, hostile, hostile)
	s := start(t, func(o *serving.Options) { o.Currency, o.Version = hostile, hostile })
	s.runs.set("r1"+hostile, cutoff, []models.Score{score, odd})
	s.runs.run.Model.Name = hostile
	s.refresh()
	cookie := s.session()
	escaped := url.QueryEscape(hostile)
	for _, address := range []string{
		"/", "/?sort=churn_probability&min_value=1", "/customers/" + url.PathEscape(hostile), "/customers/odd" + url.PathEscape(hostile),
		"/customers?id=odd", "/customers?id=no" + escaped, "/customers/no" + url.PathEscape(hostile), "/?band=" + escaped, "/?cursor=" + escaped, "/nowhere" + url.PathEscape(hostile),
		"/signin?once=" + escaped,
	} {
		checkPage(t, address, s.page(address, cookie).Body)
	}
	checkPage(t, "signin", s.page("/signin?next=/"+escaped, nil).Body)
}

// checkPage parses a page and looks for what the content policy forbids and what a hostile text would have made.
func checkPage(t *testing.T, name string, page io.Reader) {
	t.Helper()
	root, err := html.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	titles := 0
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "script", "style", "img", "iframe", "object", "base":
			t.Errorf("%s: an element <%s>", name, n.Data)
		case "title":
			if n.Namespace == "" { // others are of drawings
				titles++
			}
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
				t.Errorf("%s: <%s %s=%q>", name, n.Data, a.Key, a.Val)
			}
			if a.Key == "href" || a.Key == "src" || a.Key == "action" {
				if !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#") || strings.HasPrefix(a.Val, "//") {
					t.Errorf("%s: %s=%q leads away", name, a.Key, a.Val)
				}
			}
		}
	}
	if titles != 1 {
		t.Errorf("%s: %d titles", name, titles)
	}
}

func TestListPage(t *testing.T) {
	s := start(t, nil)
	s.runs.set("r1", cutoff, hamlet())
	s.refresh()
	cookie := s.session()
	body := s.page("/", cookie).Body.String()
	for _, part := range []string{"Customers at risk", "1 March 2026", "churn v3", "90 days", "5 of 7 customers scored", "data 5 hours old",
		`href="/customers/d"`, "90%", "90.00", "last purchase 77 days ago", "high risk", "1–5 of 5", "170\u00a0EUR"} {
		if !strings.Contains(body, part) {
			t.Errorf("the list lacks %q", part)
		}
	}
	if strings.Contains(body, "are 5 hours old") {
		t.Error("fresh data are called stale")
	}
	if body := s.page("/?band=medium", cookie).Body.String(); strings.Contains(body, `href="/customers/d"`) || !strings.Contains(body, `href="/customers/b"`) {
		t.Error("the band does not filter")
	}
	if body := s.page("/?min_value=5000", cookie).Body.String(); !strings.Contains(body, "No customer matches") {
		t.Error("an empty list does not say so")
	}
	s.pass(50 * time.Hour)
	if body := s.page("/", s.session()).Body.String(); !strings.Contains(body, "These data are 2 days old") {
		t.Error("stale data are not named with their age")
	}
	for _, address := range []string{"/?band=severe", "/?sort=name", "/?min_value=much", "/?cursor=x"} {
		if w := s.page(address, s.session()); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Header().Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d %s", address, w.Code, w.Header().Get("Content-Type"))
		}
	}
}

func TestListPaging(t *testing.T) {
	s := start(t, nil)
	s.runs.set("r1", cutoff, town(90, 1))
	s.refresh()
	cookie := s.session()
	seen := map[string]bool{}
	pages := 0
	for address := "/"; address != ""; pages++ {
		body := s.page(address, cookie).Body.String()
		root, err := html.Parse(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		address = ""
		for n := range root.Descendants() {
			for _, a := range n.Attr {
				if a.Key != "href" {
					continue
				}
				if strings.HasPrefix(a.Val, "/customers/") {
					seen[a.Val] = true
				}
				if strings.HasPrefix(a.Val, "/?after=") {
					address = a.Val
				}
			}
		}
		if pages == 1 {
			if !strings.Contains(body, "26–50 of 80") {
				t.Error("the second page does not say where it is")
			}
			s.runs.set("r2", cutoff.AddDate(0, 0, 1), town(90, 2))
			s.refresh()
		}
		if pages == 2 && !strings.Contains(body, "A newer run is in force") {
			t.Error("a page of the old run does not say so")
		}
	}
	if pages != 4 || len(seen) != 80 {
		t.Errorf("%d pages with %d customers, want 4 with 80", pages, len(seen))
	}
}

func TestExpiredPage(t *testing.T) {
	s := start(t, nil)
	s.runs.set("r1", cutoff, town(90, 1))
	s.refresh()
	cookie := s.session()
	next := *decode[list](t, s.get("/v1/at-risk")).NextCursor
	for k := range 2 {
		s.runs.set(fmt.Sprintf("n%d", k), cutoff.AddDate(0, 0, k+1), town(90, 1))
		s.refresh()
	}
	if w := s.page("/?cursor="+next, cookie); w.Code != http.StatusGone || !strings.Contains(w.Body.String(), "The list has moved on") {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
}

func TestCustomerPage(t *testing.T) {
	s := start(t, nil)
	s.runs.set("r1", cutoff, append(hamlet(), unscored("cancelled", models.StatusNotEligible, "cancel_pending"), unscored("quiet", models.StatusInsufficientHistory, ""), unscored("odd", "paused", "")))
	s.refresh()
	cookie := s.session()
	body := html.UnescapeString(s.page("/customers/a", cookie).Body.String())
	for _, part := range []string{"80%", "About 80 in 100 customers", "within 90 days", "80.00", "Why this score", "last purchase 77 days ago", "77, typically 21",
		"can be influenced", "everything else together", "−1.00", "+1.39", "churn v3"} {
		if !strings.Contains(body, part) {
			t.Errorf("the page lacks %q", part)
		}
	}
	for id, part := range map[string]string{"gone": "Has left already", "new": "Too new to score", "cancelled": "Cancellation pending", "quiet": "Not enough history", "odd": "paused"} {
		if body := s.page("/customers/"+id, cookie).Body.String(); !strings.Contains(body, part) || strings.Contains(body, "Why this score") {
			t.Errorf("the page of %s does not say %q", id, part)
		}
	}
	w := s.page("/customers/nobody", cookie)
	if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "No customer of this id") {
		t.Errorf("an unknown id: %d %s", w.Code, w.Body)
	}
}

// Loyalty is told by its score and both parts, and not at all where no loyalty model scored.
func TestCustomerPageTellsLoyalty(t *testing.T) {
	s := start(t, nil)
	scores := hamlet()
	for k := range scores {
		if scores[k].CustomerID == "a" {
			scores[k].LoyaltyScore, scores[k].PRepeat, scores[k].PPromotes = new(30), new(.75), new(.4)
		}
	}
	s.runs.set("r1", cutoff, scores)
	s.refresh()
	if body := s.get("/v1/customers/a/score").Body.String(); !strings.Contains(body, `"loyalty_score":30,"p_repeat":0.75,"p_promotes":0.4`) {
		t.Errorf("the score lacks loyalty: %s", body)
	}
	cookie := s.session()
	body := html.UnescapeString(s.page("/customers/a", cookie).Body.String())
	for _, part := range []string{"30 of 100", "75% to repeat or renew within 180 days, and 40% of such customers recommend"} {
		if !strings.Contains(body, part) {
			t.Errorf("the page lacks %q", part)
		}
	}
	if body := s.page("/customers/b", cookie).Body.String(); strings.Contains(body, "Loyalty") {
		t.Error("loyalty of one whom no loyalty model scored")
	}
}

func TestSearch(t *testing.T) {
	s := start(t, nil)
	s.runs.set("r1", cutoff, []models.Score{scored("a/1", .5, 1), scored("a/2", .5, 1), unscored("a/3", models.StatusErased, ""), scored("b", .5, 1)})
	s.refresh()
	cookie := s.session()
	if w := s.page("/customers?id=a%2F1", cookie); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/customers/a%2F1" {
		t.Errorf("an id: %d to %q", w.Code, w.Header().Get("Location"))
	}
	body := s.page("/customers?id=a", cookie).Body.String()
	for _, part := range []string{"3 found", "/customers/a%2F1", "/customers/a%2F2", "/customers/a%2F3", "Erased"} {
		if !strings.Contains(body, part) {
			t.Errorf("a prefix: the page lacks %q", part)
		}
	}
	if body := s.page("/customers?id=zz", cookie).Body.String(); !strings.Contains(body, "No customer") {
		t.Error("nothing found is not said")
	}
	if w := s.page("/customers?id=", cookie); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/" {
		t.Errorf("nothing asked: %d", w.Code)
	}
}

func TestEmptyState(t *testing.T) {
	s := start(t, nil)
	s.refresh()
	w := s.page("/", s.session())
	for _, part := range []string{"No scores yet", "retain demo", "retain import", "retain train churn", "retain score", `http-equiv="refresh"`} {
		if !strings.Contains(w.Body.String(), part) {
			t.Errorf("the page lacks %q", part)
		}
	}
}

func TestErrorPageOrProblem(t *testing.T) {
	s := start(t, nil)
	s.refresh()
	if w := s.page("/nowhere", nil); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "<h1>Not Found</h1>") {
		t.Errorf("to a browser: %d %s", w.Code, w.Body)
	}
	wantProblem(t, s.call("GET", "/nowhere", "", nil), http.StatusNotFound)
	wantProblem(t, s.call("GET", "/", "", nil), http.StatusUnauthorized)
	// The API speaks problem+json whatever is accepted.
	wantProblem(t, s.page("/v1/at-risk", nil), http.StatusUnauthorized)
}

func TestAssetsMayBeKept(t *testing.T) {
	s := start(t, nil)
	for path, kind := range map[string]string{"/assets/console.css": "text/css; charset=utf-8", "/assets/icon.svg": "image/svg+xml", "/favicon.ico": "image/svg+xml"} {
		w := s.call("GET", path, "", nil)
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != kind || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}
	for _, path := range []string{"/assets/none.css", "/assets/..%2flist.html", "/assets/list.html"} {
		wantProblem(t, s.call("GET", path, "", nil), http.StatusNotFound)
	}
}

func TestContentPolicyForbidsScripts(t *testing.T) {
	s := start(t, nil)
	policy := s.page("/signin", nil).Header().Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "script-src") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
}
