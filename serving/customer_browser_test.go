package serving_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"retain/features/timeline"
	"retain/models"
	"retain/serving"
)

// TestCustomerInABrowser reads a customer's page as a retention team would: what to do, how usage and NPS went, what happened.
func TestCustomerInABrowser(t *testing.T) {
	h := full()
	for k := range 70 {
		h.events = append(h.events, timeline.Event{At: ago(1000+k, 9), Source: "usage", Kind: timeline.Used, Details: details{"period": "week", "since": ago(1006+k, 0), "uses": float64(1 + k), "days": 3.0}})
	}
	customers := append(town(200, 7), scored(".", .35, 40), scored(strings.Repeat("very-long-id-", 19), .35, 40), scored("عميل ٧", .35, 40))
	s, base := serveTown(t, customers, func(o *serving.Options) {
		o.History, o.Decisions = h, &fakeDecisions{t: t, runs: o.Runs.(*fakeRuns)}
	})
	b := openTab(t, base)
	b.desktop()
	b.colours("light")
	b.open(s.OneTimeLink(s.readerID))
	b.shot("next-steps")
	b.open("/customers/C-100007")

	// What a screen reader is told of the drawings.
	for css, want := range map[string]string{".spark.bars": "usage-title usage-desc", ".spark.dots": "nps-title nps-desc"} {
		ids := ask(b, chromedp.Evaluate[string](`document.querySelector("`+css+`").getAttribute("aria-labelledby")`))
		if ids != want {
			t.Errorf("%s is named by %q", css, ids)
		}
	}
	if named := ask(b, chromedp.Evaluate[string](`["usage-title","usage-desc","nps-title","nps-desc"].map(id => document.getElementById(id).textContent).join("|")`)); !strings.Contains(named, "Uses per week, 52 weeks|4.8 a week uses") || !strings.Contains(named, "asked, no answer") {
		t.Errorf("the drawings say %q", named)
	}
	if unnamed := ask(b, chromedp.Evaluate[int](`[...document.querySelectorAll("svg")].filter(v => v.getAttribute("aria-hidden") !== "true" && !v.getAttribute("aria-label") && !v.getAttribute("aria-labelledby")).length`)); unnamed != 0 {
		t.Errorf("%d drawings without a name", unnamed)
	}
	if twice := ask(b, chromedp.Evaluate[int](`(ids => ids.length - new Set(ids).size)([...document.querySelectorAll("[id]")].map(e => e.id))`)); twice != 0 {
		t.Errorf("%d ids stand twice", twice)
	}
	if empty := ask(b, chromedp.Evaluate[int](`[...document.querySelectorAll("a,button,summary")].filter(e => !e.textContent.trim() && !e.getAttribute("aria-label")).length`)); empty != 0 {
		t.Errorf("%d controls without a name", empty)
	}
	if got := b.text(".advice h2"); got != "Call to save the customer" {
		t.Errorf("what to do next: %q", got)
	}
	if inside := ask(b, chromedp.Evaluate[bool](`[...document.querySelectorAll(".spark")].every(v => { const o = v.getBoundingClientRect(); return [...v.querySelectorAll("rect,circle")].every(e => { const r = e.getBoundingClientRect(); return r.left >= o.left - 1 && r.right <= o.right + 1 && r.bottom <= o.bottom + 1 && r.top >= o.top - 1 }) })`)); !inside {
		t.Error("a bar or dot lies outside its drawing")
	}
	b.shot("customer-history")
	b.do(chromedp.Click(chromedp.CSS(".advice .fold:last-of-type summary")))
	if got := b.text(".held-back"); !strings.Contains(got, "contacted with it 9 days ago") {
		t.Errorf("the fold holds %q", got)
	}

	// The filters are plain links, and lead back to the timeline.
	b.click(`.tabs a[href*="source=tickets"]`)
	if rows := ask(b, chromedp.Evaluate[int](`document.querySelectorAll(".day li").length`)); rows != 3 {
		t.Errorf("%d events of support, want 3", rows)
	}
	if top := ask(b, chromedp.Evaluate[float64](`document.querySelector("#timeline").getBoundingClientRect().top`)); top < 0 || top > 860 {
		t.Errorf("the timeline begins at %v", top)
	}
	if got := b.text(`.tabs [aria-current]`); !strings.HasPrefix(got, "Support") {
		t.Errorf("the filter in force is %q", got)
	}
	b.click(`.tabs a:first-child`)
	b.click(`.timeline a[rel=next]`)
	if rows := ask(b, chromedp.Evaluate[int](`document.querySelectorAll(".day li").length`)); rows != len(h.events)-60 {
		t.Errorf("%d older events, want %d", rows, len(h.events)-60)
	}
	b.click(`.timeline .pager a`)
	if got := b.text(`.day h3`); !strings.HasPrefix(got, "Sat 28 Feb 2026") {
		t.Errorf("the newest day is %q", got)
	}

	b.colours("dark")
	b.open("/customers/C-100007")
	b.shot("customer-history-dark")
	b.colours("light")
	b.phone()
	b.open("/")
	b.shot("next-steps-phone")
	b.open("/customers/C-100007")
	b.do(chromedp.Click(chromedp.CSS(".advice .fold summary")))
	b.shot("customer-history-phone")
	b.desktop()

	// A step of a path to browsers is a customer like others, by the list, the search and the timeline's links.
	b.enter(`input[name=id]`, ".")
	if got := b.text("h1"); got != "." {
		t.Fatalf("the search leads to %q", got)
	}
	b.click(`.tabs a[href*="source=usage"]`)
	if got := b.text("h1"); got != "." {
		t.Errorf("the filter leads to %q", got)
	}
	if got := b.text(`.tabs [aria-current]`); !strings.HasPrefix(got, "Usage") {
		t.Errorf("the filter in force is %q", got)
	}

	// Texts that try to break the page.
	h.mu.Lock()
	long := strings.Repeat("unbreakable", 60)
	h.events = []timeline.Event{
		{At: ago(1, 9), Source: "surveys", Kind: timeline.Answered, Details: details{"kind": "nps", "score": 2.0, "channel": long, "comment": hostile + strings.Repeat(" لماذا يستغرق الرد كل هذا الوقت؟", 20) + long}},
		{At: ago(1, 8), Source: "tickets", Kind: timeline.Opened, Details: details{"topic": long, "ticket_id": hostile, "priority": long}},
		{At: ago(1, 7), Source: "purchases", Kind: timeline.Purchased, Details: details{"products": []string{long}, "rows": 1.0, "amount": 123456789012.0, "currency": "EUR"}},
		{At: ago(2, 7), Source: "contacts", Kind: timeline.Contacted, Details: details{"action": hostile, "outcome": "נדחה", "campaign": "חורף"}},
	}
	h.mu.Unlock()
	for _, id := range []string{strings.Repeat("very-long-id-", 19), "عميل ٧"} {
		b.enter(`input[name=id]`, id)
		if got := b.text("h1"); got != id {
			t.Errorf("the search for %q leads to %q", id, got)
		}
	}
	b.shot("customer-hostile")
	b.phone()
	b.open("/customers?id=.")
	b.shot("customer-hostile-phone")
	b.quiet()
}

// TestEmptyCustomerInABrowser: nothing is known but the score.
func TestEmptyCustomerInABrowser(t *testing.T) {
	h := &fakeHistory{}
	s, base := serveTown(t, append(hamlet(), unscored("left", models.StatusAlreadyChurned, "")), func(o *serving.Options) {
		o.History, o.Decisions = h, &fakeDecisions{t: t, runs: o.Runs.(*fakeRuns)}
	})
	b := openTab(t, base)
	b.desktop()
	b.colours("light")
	b.open(s.OneTimeLink(s.readerID))
	b.open("/customers/left")
	if got := b.text(".timeline .nothing"); got != "No source had anything on this customer." {
		t.Errorf("an empty timeline says %q", got)
	}
	b.shot("customer-unknown")
	h.mu.Lock()
	h.overview = timeline.Overview{Rows: []timeline.Rows{{Source: "purchases", Rows: 2}}}
	h.events = []timeline.Event{{At: ago(1, 7), Source: "purchases", Kind: timeline.Purchased, Details: details{"rows": 1.0, "amount": 12.5}}}
	h.mu.Unlock()
	b.open("/customers/a")
	b.shot("customer-few-sources")
	b.quiet()
}
