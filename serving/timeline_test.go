package serving_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"retain/features"
	"retain/features/timeline"
	"retain/models"
	"retain/models/actions"
	"retain/serving"
)

type timelinePage struct {
	Items []struct {
		At      time.Time
		Source  string
		Kind    string
		Details map[string]any
	}
	Next   *string `json:"next_cursor"`
	RunID  string  `json:"run_id"`
	Cutoff time.Time
}

func (p timelinePage) kinds() (kinds []string) {
	for _, e := range p.Items {
		kinds = append(kinds, e.Source+" "+e.Kind)
	}
	return kinds
}

func TestTimelineAPI(t *testing.T) {
	h := full()
	s := start(t, with(h))
	s.runs.set("r1", cutoff, hamlet())
	s.refresh()
	whole := decode[timelinePage](t, s.get("/v1/customers/a/timeline"))
	if len(whole.Items) != len(h.events) || whole.Next != nil || whole.RunID != "r1" || !whole.Cutoff.Equal(cutoff) {
		t.Fatalf("%d events, next %v, run %s at %s", len(whole.Items), whole.Next, whole.RunID, whole.Cutoff)
	}
	if q := h.asked[0]; q.Customer != "a" || !q.Cutoff.Equal(cutoff) || q.Limit != 100 || q.Source != "" {
		t.Errorf("asked %+v", q)
	}
	if got := whole.Items[1].Details["satisfaction"]; got != 2.0 {
		t.Errorf("satisfaction %v", got)
	}

	var kinds []string
	for address := "/v1/customers/a/timeline?limit=5"; address != ""; {
		page := decode[timelinePage](t, s.get(address))
		kinds = append(kinds, page.kinds()...)
		address = ""
		if page.Next != nil {
			address = "/v1/customers/a/timeline?limit=5&cursor=" + *page.Next
		}
		// A newer run does not move the pages of a cursor.
		s.runs.set("r2", cutoff.AddDate(0, 0, 1), hamlet())
		s.refresh()
		if address != "" && page.RunID != "r1" {
			t.Errorf("a page of run %s", page.RunID)
		}
	}
	if d := cmp.Diff(whole.kinds(), kinds); d != "" {
		t.Errorf("pages (-whole +pages):\n%s", d)
	}
	one := decode[timelinePage](t, s.get("/v1/customers/a/timeline?source=tickets&limit=2"))
	if d := cmp.Diff([]string{"tickets resolved", "tickets replied"}, one.kinds()); d != "" || one.Next == nil {
		t.Errorf("one source, next %v (-want +got):\n%s", one.Next, d)
	}
	if rest := decode[timelinePage](t, s.get("/v1/customers/a/timeline?cursor="+*one.Next)); len(rest.Items) != 1 || rest.Items[0].Kind != timeline.Opened {
		t.Errorf("the cursor does not carry its source: %v", rest.kinds())
	}
	wantProblem(t, s.get("/v1/customers/a/timeline?source=usage&cursor="+*one.Next), http.StatusUnprocessableEntity)

	// Without a history there is nothing to tell, and that is no error.
	bare := start(t, nil)
	bare.runs.set("r1", cutoff, hamlet())
	bare.refresh()
	if w := bare.get("/v1/customers/a/timeline"); !strings.Contains(w.Body.String(), `"items":[]`) {
		t.Errorf("no history: %s", w.Body)
	}
}

func TestTimelineAPIRefuses(t *testing.T) {
	h := full()
	s := start(t, with(h))
	wantProblem(t, s.get("/v1/customers/a/timeline"), http.StatusServiceUnavailable)
	s.runs.set("r1", cutoff, hamlet())
	s.refresh()
	wantProblem(t, s.get("/v1/customers/nobody/timeline"), http.StatusNotFound)
	good := *decode[timelinePage](t, s.get("/v1/customers/a/timeline?limit=1")).Next
	raw := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	for _, query := range []string{
		"limit=0", "limit=1001", "source=gossip", "chanel=x", "cursor=x", "cursor=" + good + "A", "cursor=" + strings.Repeat("A", 2000), "cursor=" + raw(`{}`),
		"cursor=" + raw(`{"v":1,"r":"r1","o":"","p":{"t":"2026-01-01T00:00:00Z","s":"gossip","k":1,"n":0}}`),
		"cursor=" + raw(`{"v":1,"r":"r1","o":"","p":{"t":"2026-01-01T00:00:00Z","s":"usage","k":1,"n":-1}}`),
		"cursor=" + raw(`{"v":2,"r":"r1","o":"","p":{"t":"2026-01-01T00:00:00Z","s":"usage","k":1,"n":0}}`),
		"cursor=" + raw(`{"v":1,"r":"r1","o":"","p":{"t":"0001-01-01T00:00:00Z","s":"usage","k":1,"n":0}}`),
		"cursor=" + raw(`{"v":1,"r":"r1","o":"","p":{"t":"2026-01-01T00:00:00Z","s":"usage","k":999,"n":0}}`), // the history knows no such place
	} {
		wantProblem(t, s.get("/v1/customers/a/timeline?"+query), http.StatusUnprocessableEntity)
	}
	wantProblem(t, s.get("/v1/customers/a/timeline?cursor="+raw(`{"v":1,"r":"gone","o":"","p":{"t":"2026-01-01T00:00:00Z","s":"usage","k":1,"n":0}}`)), http.StatusGone)
	h.err = errors.New("the disk is gone")
	if p := wantProblem(t, s.get("/v1/customers/a/timeline"), http.StatusInternalServerError); strings.Contains(p.Detail, "disk") {
		t.Errorf("a caller learns %q", p.Detail)
	}
	if !strings.Contains(s.log.String(), "the disk is gone") {
		t.Error("the operator learns nothing")
	}
}

// plainText is a page's text with white space as one blank.
func plainText(t *testing.T, body string) string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for n := range root.Descendants() {
		if n.Type == html.TextNode {
			b.WriteString(n.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func TestCustomerPageTellsEverything(t *testing.T) {
	s := start(t, func(o *serving.Options) {
		o.History, o.Decisions = full(), &fakeDecisions{t: t, runs: o.Runs.(*fakeRuns)}
	})
	s.runs.set("r1", cutoff, hamlet())
	s.refresh()
	body := s.page("/customers/a", s.session()).Body.String()
	text := plainText(t, body)
	for _, part := range []string{
		"What was known on 1 March 2026, and so all that the model saw",
		"All Surveys 3 Support 1 Subscription 3 Purchases 3 Contacts 1 Touchpoints 3 Usage 1,412 Profile 1",
		"Sat 28 Feb 2026 1 day before", "12 uses on 4 days week from 23 February 2026 · 48 min · dash board, export and reports · 2 users · 1 error",
		"Ticket resolved: billing satisfaction 2 · reopened twice · escalated · after 3 days · e-mail · priority high · ticket T-77",
		"Contacted: save call accepted after 24 hours · phone · service · campaign spring",
		"First reply to ticket: billing after 1 hour · phone · ticket T-77", "Ticket opened: billing",
		"NPS: 6, a detractor e-mail Support is slow, and the export fails.", "Pricing visit, 3 times 20.00 EUR web · campaign spring",
		"Bought cap and shirt 1,250 EUR quantity 3 · 25.00 EUR discount · web · order o-1", "Bought socks 9.90 EUR returned",
		"Cancelled: pro reason too expensive · 120 EUR a month · subscription s-9",
		"Renewed with another plan: basic → pro price: 80.00 EUR → 120 EUR a month · number of seats: 4 → 5 · paid until 9 February 2026 · renews by itself",
		"Subscription renewed: basic", "NPS asked, no answer e-mail", "Subscription started: basic 80.00 EUR a month · 1 seat", "NPS: 9, a promoter",
		"Entered as a customer lead source fair · segment SMB",
		"NPS 6 last answer, on 21 February 2026; 2 of 3 invitations answered", "a week uses, in the last 4 weeks",
		"What to do next", "By phone on Monday, 2 March 2026, 10:00 UTC · holds until 9 March 2026",
		"Also possible 2", "Show features not tried yet in the product", "Not possible now 2", "Offer a discount cooldown: contacted with it 9 days ago", "Drawn with a chance of 70%",
	} {
		if !strings.Contains(strings.ReplaceAll(text, "\u00a0", " "), part) {
			t.Errorf("the page lacks %q", part)
		}
	}
	checkPage(t, "customer", strings.NewReader(body))
	if t.Failed() {
		t.Log(text)
	}
}

func TestCustomerPageTimelineLinks(t *testing.T) {
	h := full()
	for k := range 90 {
		h.events = append(h.events, timeline.Event{At: ago(1000+k, 0), Source: "touchpoints", Kind: timeline.Touched, Details: details{"kind": fmt.Sprintf("visit_%d", k)}})
	}
	s := start(t, with(h))
	s.runs.set("r1", cutoff, append(hamlet(), scored(".", .4, 1), scored("..", .4, 1), scored("a/b ?#&", .4, 1)))
	s.refresh()
	cookie := s.session()
	for _, id := range []string{"a", ".", "..", "a/b ?#&"} {
		w := s.page("/customers?id="+url.QueryEscape(id), cookie)
		if w.Code == http.StatusSeeOther {
			w = s.page(w.Header().Get("Location"), cookie)
		}
		if w.Code != http.StatusOK || !strings.Contains(html.UnescapeString(w.Body.String()), "<bdi>"+id+"</bdi></h1>") {
			t.Fatalf("%q is not opened: %d", id, w.Code)
		}
		links := linksOf(t, w.Body.String())
		// What a browser makes of an address is what url.Parse and ResolveReference make of it.
		base, _ := url.Parse("http://retain.test/")
		for _, name := range []string{"Usage", "Older →", "All"} {
			ref, err := url.Parse(links[name])
			if err != nil || links[name] == "" {
				t.Fatalf("%q: link %q is %q: %v", id, name, links[name], err)
			}
			to := base.ResolveReference(ref)
			if to.Fragment != "timeline" {
				t.Errorf("%q: %s leads to the top of the page", id, name)
			}
			to.Fragment = ""
			page := s.page(to.RequestURI(), cookie)
			if page.Code != http.StatusOK || !strings.Contains(html.UnescapeString(page.Body.String()), "<bdi>"+id+"</bdi></h1>") {
				t.Errorf("%q: %s leads to %s: %d", id, name, to.RequestURI(), page.Code)
			}
			switch text := plainText(t, page.Body.String()); name {
			case "Usage":
				if strings.Contains(text, "Ticket opened") || !strings.Contains(text, "12 uses") {
					t.Errorf("%q: the filter does not filter", id)
				}
			case "Older →":
				if !strings.Contains(text, "Visit 89") || strings.Contains(text, "Visit 0") || !strings.Contains(text, "← Newest") {
					t.Errorf("%q: the older page is not older", id)
				}
			}
		}
	}
	for _, query := range []string{"source=gossip", "cursor=x"} {
		if w := s.page("/customers/a?"+query, cookie); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", query, w.Code)
		}
	}
}

// linksOf are the page's links by their first word of text.
func linksOf(t *testing.T, body string) map[string]string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	links := map[string]string{}
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && n.Data == "a" && n.FirstChild != nil {
			for _, a := range n.Attr {
				if a.Key == "href" {
					links[strings.TrimSpace(n.FirstChild.Data)] = a.Val
				}
			}
		}
	}
	return links
}

func TestCustomerPageWithoutHistory(t *testing.T) {
	h := &fakeHistory{}
	s := start(t, with(h))
	s.runs.set("r1", cutoff, append(hamlet(), unscored("quiet", models.StatusInsufficientHistory, "")))
	s.refresh()
	cookie := s.session()
	if text := plainText(t, s.page("/customers/a", cookie).Body.String()); !strings.Contains(text, "No source had anything on this customer") || strings.Contains(text, "uses per week") {
		t.Errorf("nothing known: %s", text)
	}
	h.overview = timeline.Overview{Rows: []timeline.Rows{{Source: "purchases", Rows: 2}}}
	text := plainText(t, s.page("/customers/a?source=surveys", cookie).Body.String())
	for _, part := range []string{"No use of the product is on record", "Nobody has asked this customer within two years", "Nothing of this source was known", "All Purchases 2"} {
		if !strings.Contains(text, part) {
			t.Errorf("few sources: the page lacks %q in %s", part, text)
		}
	}
	h.err = errors.New("code 42")
	w := s.page("/customers/a", cookie)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "cannot be read right now") || !strings.Contains(w.Body.String(), "Why this score") || strings.Contains(w.Body.String(), "code 42") {
		t.Errorf("a broken source: %d %s", w.Code, w.Body)
	}
}

func TestWhatIsCertainWasNotDrawn(t *testing.T) {
	engine, err := actions.Default(features.DefaultCatalogue())
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, func(o *serving.Options) {
		o.Decisions = &fakeDecisions{t: t, runs: o.Runs.(*fakeRuns), choose: func(score models.Score) actions.Decision {
			made := decided(engine.Catalogue, score)
			for k := range made.Options {
				made.Options[k].Propensity = 0
			}
			made.Options[0].Propensity = .9996 // told as 100.0 %
			return made
		}}
	})
	s.runs.set("r1", cutoff, hamlet())
	s.refresh()
	if text := plainText(t, s.page("/customers/a", s.session()).Body.String()); !strings.Contains(text, "Call to save the customer") || strings.Contains(text, "Drawn with a chance") {
		t.Errorf("what was certain is called drawn: %s", text)
	}
}

func TestCustomerPageEscapesHistory(t *testing.T) {
	h := &fakeHistory{overview: timeline.Overview{Rows: []timeline.Rows{{Source: "surveys", Rows: 1}}}}
	for _, source := range timeline.Sources {
		for _, kind := range []string{timeline.Answered, timeline.Opened, timeline.Resolved, timeline.Started, timeline.Changed, timeline.Cancelled, timeline.Expired, timeline.Created, hostile} {
			d := details{}
			for _, name := range []string{"kind", "channel", "topic", "ticket_id", "priority", "plan", "plan_before", "subscription_id", "end_reason", "order_id", "currency", "action",
				"class", "campaign", "outcome", "lead_source", "segment", "region"} {
				d[name] = hostile
			}
			d["comment"] = strings.Repeat(hostile, 40) + "\u202e\u0000\ufffd"
			d["products"], d["categories"], d["feature_names"] = []string{hostile}, []string{hostile, hostile}, []string{hostile}
			d["score"], d["mrr"], d["mrr_before"], d["amount"], d["rows"], d["uses"], d["features"] = 1e300, -1e300, 0.0, 1e-9, 1e18, 2.0, 1.0
			h.events = append(h.events, timeline.Event{At: ago(1, 1), Source: source, Kind: kind, Details: d})
		}
	}
	s := start(t, with(h))
	s.runs.set("r1", cutoff, []models.Score{scored(hostile, .8, 100)})
	s.refresh()
	w := s.page("/customers/"+url.PathEscape(hostile), s.session())
	if w.Code != http.StatusOK {
		t.Fatal(w.Code)
	}
	checkPage(t, "customer", w.Body)
}

func TestListTellsTheNextStep(t *testing.T) {
	s := start(t, func(o *serving.Options) { o.Decisions = &fakeDecisions{t: t, runs: o.Runs.(*fakeRuns)} })
	s.runs.set("r1", cutoff, append(hamlet(), scored("unknown value", .5, -1)))
	s.refresh()
	body := s.page("/", s.session()).Body.String()
	calls, idle := strings.Count(body, `<td class="step">Call to save the customer</td>`), strings.Count(body, `<td class="step quiet">nothing now</td>`)
	if !strings.Contains(body, `<th scope="col">Next step</th>`) || calls != 3 || idle != 3 {
		t.Errorf("%d calls and %d times nothing", calls, idle)
	}
	bare := start(t, nil)
	bare.runs.set("r1", cutoff, hamlet())
	bare.refresh()
	if strings.Contains(bare.page("/", bare.session()).Body.String(), "Next step") {
		t.Error("a run without decisions has a column for them")
	}
}
