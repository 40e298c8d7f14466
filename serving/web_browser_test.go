package serving_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"retain/models"
	"retain/serving"
)

// serveTown serves a plausible run on a port of this machine and returns its address. Without customers there is no run.
func serveTown(t *testing.T, customers []models.Score, changes ...func(*serving.Options)) (s *service, base string) {
	t.Helper()
	s = start(t, func(o *serving.Options) {
		o.Logger, o.PollEvery = nil, 20*time.Millisecond
		for _, change := range changes {
			change(o)
		}
	})
	if customers != nil {
		s.runs.set("9f2c61d07be4", cutoff, customers)
	}
	l := listen(t)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	eventually(t, "serving", func() bool {
		w := s.call("GET", "/readyz", "", nil)
		return w.Code == 200 || customers == nil && strings.Contains(w.Body.String(), "retain score")
	})
	return s, "http://" + l.Addr().String()
}

// TestConsoleInABrowser signs in by the form, filters, pages, opens a customer, searches and signs out, as a retention team would.
func TestConsoleInABrowser(t *testing.T) {
	s, base := serveTown(t, town(2400, 7))
	b := openTab(t, base)
	b.desktop()
	b.colours("light")

	b.open("/customers/C-100007")
	b.shot("signin")
	if status := b.enter(`input[name=key]`, "rk_wrong"); status != 401 || !strings.Contains(b.text(`[role=alert]`), "unknown") {
		t.Errorf("a wrong key: %d", status)
	}
	b.enter(`input[name=key]`, s.reader)
	if got := b.text(`h1`); got != "C-100007" {
		t.Errorf("signing in leads to %q, want where one came from", got)
	}
	if cookies := ask(b, chromedp.Evaluate[string](`document.cookie`)); cookies != "" {
		t.Errorf("scripts see the session: %q", cookies)
	}

	b.click(`.crumbs a`)
	all := b.text(`.total`)
	b.shot("at-risk")
	b.click(`a.band.high`)
	if high := b.text(`.total`); high == all || !strings.HasSuffix(high, " customers") {
		t.Errorf("%q in all, %q of high risk", all, high)
	}
	b.do(chromedp.SetValue(chromedp.CSS(`select[name=sort]`), "churn_probability"), chromedp.SetValue(chromedp.CSS(`input[name=min_value]`), "500"))
	b.click(`.filters .primary`)
	location := ask(b, chromedp.Location())
	if q, err := url.Parse(location); err != nil || q.Query().Get("band") != "high" || q.Query().Get("min_value") != "500" || q.Query().Get("sort") != "churn_probability" {
		t.Errorf("filtered at %s", location)
	}
	if rows := ask(b, chromedp.Evaluate[int](`document.querySelectorAll("table.list tbody tr").length`)); rows == 0 || rows > 25 {
		t.Errorf("%d filtered rows", rows)
	}
	b.shot("at-risk-filtered")

	b.click(`.clear`)
	b.click(`.pager .next`)
	if got := b.text(`.pager`); !strings.HasPrefix(got, "26–50 of") {
		t.Errorf("the second page says %q", got)
	}
	b.click(`.pager a[href="/"]`)
	b.click(`table.list tbody tr:nth-child(2) .why`) // anywhere on the line
	opened := b.text(`h1`)
	if want := decode[list](t, s.get("/v1/at-risk")).ids()[1]; opened != want {
		t.Errorf("the second line opened %q, want %q", opened, want)
	}
	b.shot("customer")

	b.enter(`input[name=id]`, "C-1000")
	b.shot("search")
	b.click(`a[href="/customers/C-100056"]`)
	if got := b.text(`h2`); got != "Has left already" {
		t.Errorf("who has left: %q", got)
	}
	b.shot("customer-left")
	if status := b.open("/customers/nobody"); status != 404 {
		t.Errorf("an unknown id: %d", status)
	}
	b.shot("not-found")

	second := "/customers/" + url.PathEscape(opened)
	b.colours("dark")
	b.open("/")
	b.shot("at-risk-dark")
	b.open(second)
	b.shot("customer-dark")
	b.colours("light")
	b.phone()
	b.open("/")
	b.shot("at-risk-phone")
	b.open(second)
	b.shot("customer-phone")
	b.desktop()

	s.pass(60 * time.Hour) // the session has ended; a link opens another
	b.open("/")
	b.do(chromedp.WaitVisible(chromedp.CSS(`input[name=key]`)))
	b.open(s.OneTimeLink(s.readerID))
	if got := b.text(`.notice.warn`); !strings.Contains(got, "2 days old") {
		t.Errorf("stale data: %q", got)
	}
	b.shot("at-risk-stale")
	b.click(`.out button`)
	b.open("/")
	b.do(chromedp.WaitVisible(chromedp.CSS(`input[name=key]`)))
	b.quiet()
}

// TestEmptyConsoleInABrowser: the page without a run finds the first one by itself.
func TestEmptyConsoleInABrowser(t *testing.T) {
	s, base := serveTown(t, nil)
	b := openTab(t, base)
	b.desktop()
	b.colours("light")
	b.open(s.OneTimeLink(s.readerID))
	b.shot("empty")
	s.runs.set("r1", cutoff, hamlet())
	b.do(chromedp.WaitVisible(chromedp.CSS(`table.list`)))
}
