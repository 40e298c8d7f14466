package serving_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"retain/models/actions"
	"retain/serving"
)

// TestOutcomesInABrowser tells what came of an action by the buttons of the customer's page, and corrects it.
func TestOutcomesInABrowser(t *testing.T) {
	customers := town(60, 7)
	decisions := decide(t, customers)
	log := logOf(decisions, "9f2c61d07be4")
	s, base := serveTown(t, customers, func(o *serving.Options) { o.Decisions, o.Outcomes = decisions, log })
	_, teller := s.keys.add(nil, serving.ScopeScoresRead, serving.ScopeActionsWrite)
	clock := now
	log.now = func() time.Time { clock = clock.Add(time.Minute); s.clock.Store(&clock); return clock }
	var id string
	for _, d := range decisions.made {
		if d.Chosen != actions.DoNothing {
			id = d.CustomerID
			break
		}
	}
	b := openTab(t, base)
	b.desktop()
	b.colours("light")
	b.open("/customers/" + id)
	b.enter(`input[name=key]`, teller)
	b.shot("outcomes-none")
	if status := b.click(`button[value=shown]`); status != 200 || b.text(`h1`) != id {
		t.Fatalf("telling leads to %d, %s", status, b.text(`h1`))
	}
	b.click(`button[value=accepted]`)
	if got := b.text(`.told`); !strings.Contains(got, "Reached the customer") || !strings.Contains(got, "Accepted") || !strings.Contains(got, "told here") {
		t.Errorf("the page tells %q", got)
	}
	if n := ask(b, chromedp.Evaluate[int](`document.querySelectorAll("button[value=accepted], button[value=shown]").length`)); n != 0 {
		t.Errorf("%d buttons tell what was told", n)
	}
	b.click(`button[value=rejected]`)
	b.shot("outcomes")
	b.colours("dark")
	b.shot("outcomes-dark")
	b.colours("light")
	b.phone()
	b.open("/customers/" + id)
	b.shot("outcomes-phone")
	if got := b.text(`.told`); !strings.Contains(got, "Reached the customer") || !strings.Contains(got, "Rejected") || !strings.Contains(got, "Accepted at first") {
		t.Errorf("loaded again, the page tells %q", got)
	}
	b.quiet()
}
