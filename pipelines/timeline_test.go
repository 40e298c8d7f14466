package pipelines

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"retain/features"
	"retain/features/timeline"
)

// village holds facts of every source about customer a, and some of others that must not show.
var village = []struct{ source, file string }{
	{"customers", "customer_id,created_at,segment,lead_source,ingested_at\na,2024-01-01,SMB,fair,2024-01-01\nab,2023-01-01,x,x,2023-01-01\n"},
	{"usage", `customer_id,at,event_id,feature,duration_s
a,2025-02-24 08:00,u1,reports,600
a,2025-02-25 09:00,u2,export,60
a,2025-02-25 10:00,u3,reports,120
a,2025-03-03 10:00,u4,reports,
ab,2025-03-03 11:00,u5,secret,1
`},
	{"purchases", `customer_id,at,order_id,product,amount,currency,channel
a,2025-02-10 12:00,o1,shirt,30,EUR,web
a,2025-02-10 12:00,o1,cap,12.5,EUR,web
a,2025-02-10 12:00,,socks,5,EUR,web
`},
	{"subscriptions", `customer_id,subscription_id,started_at,ends_at,cancelled_at,ended_at,end_reason,plan,mrr,seats,billing_days,ingested_at
a,s,2024-01-05,2024-02-05,,,,basic,10,1,30,2024-01-05
a,s,2024-02-05,2024-03-05,,,,basic,10,1,30,2024-02-05
a,s,2024-03-06,2024-04-05,,,,pro,20,2,30,2024-03-06
a,s,2024-07-01,2024-08-01,2024-07-20,2024-08-01,price,pro,20,2,30,2024-07-01
a,t,2025-01-01,2025-02-01,,,,basic,10,1,30,2025-01-01
`},
	{"surveys", `customer_id,at,kind,score,channel,comment
a,2025-01-15,nps,,email,
a,2024-10-15,nps,9,email,"<b>fine</b>"
a,2025-02-20,csat,2,phone,slow
`},
	{"tickets", `customer_id,at,ticket_id,channel,reply_channel,topic,priority,first_reply_at,resolved_at,satisfaction
a,2025-02-26 08:00,k1,email,phone,billing,high,2025-02-26 09:30,2025-03-08 10:00,4
a,2025-02-26 08:00,k2,email,email,login,low,,,
`},
	{"contacts", `customer_id,at,contact_id,channel,class,action,campaign,outcome,outcome_at
a,2025-03-01 08:00,c1,email,marketing,discount,spring,accepted,2025-03-02 08:00
a,2025-03-03 08:00,c2,email,marketing,discount,spring,ignored,2025-03-20
`},
	{"touchpoints", `customer_id,at,kind,channel,campaign
a,2025-03-02 08:00,visit,web,spring
a,2025-03-02 18:00,visit,web,spring
a,2025-03-02 09:00,cart,web,
`},
}

func timelineOf(t *testing.T) *Timeline {
	t.Helper()
	im := newImporter(t)
	for _, f := range village {
		im.must(f.source+".csv", f.file, ImportOptions{Source: f.source, Currency: "EUR"})
	}
	return &Timeline{Store: &features.Store{DB: im.w}}
}

// tell writes an event with its details in the order of their names.
func tell(e timeline.Event) string {
	words := []string{e.At.Format("2006-01-02 15:04"), e.Source, e.Kind}
	var keys []string
	for k := range e.Details {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		v := e.Details[k]
		if at, ok := v.(time.Time); ok {
			v = at.Format("2006-01-02 15:04")
		}
		words = append(words, fmt.Sprintf("%s=%v", k, v))
	}
	return strings.Join(words, " ")
}

func TestTimeline(t *testing.T) {
	line := timelineOf(t)
	cutoff := time.Date(2025, 3, 10, 0, 0, 0, 0, time.UTC)
	events, next, err := line.Events(t.Context(), timeline.Query{Customer: "a", Cutoff: cutoff, Limit: 100})
	if err != nil || next != nil {
		t.Fatal(next, err)
	}
	got := make([]string, len(events))
	for i, e := range events {
		got[i] = tell(e)
	}
	want := []string{
		"2025-03-08 10:00 tickets resolved channel=email first_reply_at=2025-02-26 09:30 opened_at=2025-02-26 08:00 priority=high satisfaction=4 ticket_id=k1 topic=billing",
		"2025-03-03 10:00 usage used days=1 feature_names=[reports] features=1 period=week since=2025-03-03 00:00 uses=1",
		"2025-03-03 08:00 contacts contacted action=discount campaign=spring channel=email class=marketing contact_id=c2",
		"2025-03-02 18:00 touchpoints touched campaign=spring channel=web kind=visit rows=2",
		"2025-03-02 09:00 touchpoints touched channel=web kind=cart rows=1",
		"2025-03-01 08:00 contacts contacted action=discount campaign=spring channel=email class=marketing contact_id=c1 outcome=accepted outcome_at=2025-03-02 08:00",
		"2025-02-26 09:30 tickets replied channel=phone opened_at=2025-02-26 08:00 priority=high ticket_id=k1 topic=billing",
		"2025-02-26 08:00 tickets opened channel=email priority=high ticket_id=k1 topic=billing",
		"2025-02-26 08:00 tickets opened channel=email priority=low ticket_id=k2 topic=login",
		"2025-02-25 10:00 usage used days=2 duration_s=780 feature_names=[export reports] features=2 period=week since=2025-02-24 00:00 uses=3",
		"2025-02-20 00:00 surveys answered channel=phone comment=slow kind=csat score=2",
		"2025-02-10 12:00 purchases purchased amount=42.5 channel=web currency=EUR order_id=o1 products=[cap shirt] rows=2",
		"2025-02-10 12:00 purchases purchased amount=5 channel=web currency=EUR products=[socks] rows=1",
		"2025-02-01 00:00 subscriptions expired billing_days=30 mrr=10 plan=basic seats=1 subscription_id=t",
		"2025-01-15 00:00 surveys invited channel=email kind=nps",
		"2025-01-01 00:00 subscriptions started billing_days=30 ends_at=2025-02-01 00:00 mrr=10 plan=basic seats=1 subscription_id=t",
		"2024-10-15 00:00 surveys answered channel=email comment=<b>fine</b> kind=nps score=9",
		"2024-08-01 00:00 subscriptions ended billing_days=30 end_reason=price mrr=20 plan=pro seats=2 subscription_id=s",
		"2024-07-20 00:00 subscriptions cancelled billing_days=30 end_reason=price mrr=20 plan=pro seats=2 subscription_id=s",
		"2024-07-01 00:00 subscriptions returned billing_days=30 ends_at=2024-08-01 00:00 mrr=20 plan=pro seats=2 subscription_id=s",
		"2024-04-05 00:00 subscriptions expired billing_days=30 mrr=20 plan=pro seats=2 subscription_id=s",
		"2024-03-06 00:00 subscriptions changed billing_days=30 ends_at=2024-04-05 00:00 mrr=20 mrr_before=10 plan=pro plan_before=basic seats=2 seats_before=1 subscription_id=s",
		"2024-02-05 00:00 subscriptions renewed billing_days=30 ends_at=2024-03-05 00:00 mrr=10 plan=basic seats=1 subscription_id=s",
		"2024-01-05 00:00 subscriptions started billing_days=30 ends_at=2024-02-05 00:00 mrr=10 plan=basic seats=1 subscription_id=s",
		"2024-01-01 00:00 customers created lead_source=fair segment=SMB",
	}
	// Two tickets of one instant, and two purchases, stand in the order of their hashes.
	slices.Sort(got[7:9])
	slices.Sort(got[11:13])
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the timeline (-want +got):\n%s", d)
	}
	overview, err := line.Overview(t.Context(), "a", cutoff)
	if err != nil {
		t.Fatal(err)
	}
	wantRows := []timeline.Rows{{Source: "surveys", Rows: 3}, {Source: "tickets", Rows: 2}, {Source: "subscriptions", Rows: 5}, {Source: "purchases", Rows: 3},
		{Source: "contacts", Rows: 2}, {Source: "touchpoints", Rows: 3}, {Source: "usage", Rows: 4}, {Source: "customers", Rows: 1}}
	if d := cmp.Diff(wantRows, overview.Rows); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
}

// Stretches of any length, over all sources or one, put together give the whole timeline.
func TestTimelineStretches(t *testing.T) {
	line := timelineOf(t)
	cutoff := time.Date(2025, 3, 10, 0, 0, 0, 0, time.UTC)
	for _, source := range append([]string{""}, features.Usage, features.Tickets, features.Purchases, features.Subscriptions) {
		whole, _, err := line.Events(t.Context(), timeline.Query{Customer: "a", Cutoff: cutoff, Source: source, Limit: timeline.MaxLimit})
		if err != nil {
			t.Fatal(err)
		}
		for _, limit := range []int{1, 2, 3, 7} {
			var got []timeline.Event
			q := timeline.Query{Customer: "a", Cutoff: cutoff, Source: source, Limit: limit}
			for {
				events, next, err := line.Events(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, events...)
				if next == nil {
					break
				}
				if len(events) != limit || len(got) > len(whole) {
					t.Fatalf("%d events, then %+v", len(got), next)
				}
				q.From = next
			}
			if d := cmp.Diff(whole, got); d != "" {
				t.Errorf("source %q by %d (-whole +stretches):\n%s", source, limit, d)
			}
		}
	}
}

// Nothing shows that was not known at the cutoff: events at or after it, columns that were filled in later, rows that came later.
func TestTimelineKnowsNothingLater(t *testing.T) {
	line := timelineOf(t)
	for _, c := range []struct {
		cutoff, source string
		want           []string
	}{
		{"2025-03-08T10:00:00Z", "tickets", []string{"replied", "opened", "opened"}}, // resolved at the cutoff: the future
		{"2025-02-26T09:30:00Z", "tickets", []string{"opened", "opened"}},
		{"2025-02-26T08:00:00Z", "tickets", nil},
		{"2024-07-20T00:00:00Z", "subscriptions", []string{"returned", "expired", "changed", "renewed", "started"}},
		{"2024-07-20T00:00:00.001Z", "subscriptions", []string{"cancelled", "returned", "expired", "changed", "renewed", "started"}},
		{"2024-04-05T00:00:00Z", "subscriptions", []string{"changed", "renewed", "started"}},
		{"2023-12-31T00:00:00Z", "", nil},
	} {
		cutoff, err := time.Parse(time.RFC3339Nano, c.cutoff)
		if err != nil {
			t.Fatal(err)
		}
		events, _, err := line.Events(t.Context(), timeline.Query{Customer: "a", Cutoff: cutoff, Source: c.source, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		var kinds []string
		for _, e := range events {
			kinds = append(kinds, e.Kind)
			for name, v := range e.Details {
				if at, ok := v.(time.Time); ok && !at.Before(cutoff) && name != "ends_at" { // ends_at is paid until, known in advance
					t.Errorf("%s: %s tells %s %v", c.cutoff, e.Kind, name, at)
				}
			}
		}
		if d := cmp.Diff(c.want, kinds); d != "" {
			t.Errorf("%s at %s (-want +got):\n%s", c.source, c.cutoff, d)
		}
	}

	im := newImporter(t)
	im.must("usage.csv", "customer_id,at,event_id,feature,ingested_at\na,2025-01-01,e1,early,2025-01-01\na,2025-01-02,e2,late,2025-02-01\n", ImportOptions{Source: "usage"})
	im.must("fixes.csv", "customer_id,at,event_id,feature,ingested_at\na,2025-01-01,e1,corrected,2025-03-01\n", ImportOptions{Source: "usage"})
	line = &Timeline{Store: &features.Store{DB: im.w}}
	for cutoff, want := range map[string]string{"2025-01-15": "early", "2025-02-01": "early", "2025-02-02": "early late", "2025-03-02": "corrected late"} {
		at, _ := time.Parse(time.DateOnly, cutoff)
		events, _, err := line.Events(t.Context(), timeline.Query{Customer: "a", Cutoff: at, Source: "usage", Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range slices.Backward(events) {
			names = append(names, e.Details["feature_names"].([]string)...)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("known at %s: %q, want %q", cutoff, got, want)
		}
	}
}

// Ids are data: quotes, backslashes, NUL, and ids that begin alike do not mix.
func TestTimelineHostileIDs(t *testing.T) {
	im := newImporter(t)
	ids := []string{"a", "a'", `a\`, "a' OR '1'='1", "a`b", "ä", "a b", "{id:String}", "@from", "a\u202eb"}
	var file strings.Builder
	file.WriteString("customer_id,at,event_id,feature\n")
	for k, id := range ids {
		fmt.Fprintf(&file, "\"%s\",2025-01-01,e%d,f%d\n", id, k, k)
	}
	im.must("usage.csv", file.String(), ImportOptions{Source: "usage"})
	line := &Timeline{Store: &features.Store{DB: im.w}}
	cutoff := time.Date(2025, 2, 1, 0, 0, 0, 0, time.UTC)
	for k, id := range ids {
		events, _, err := line.Events(t.Context(), timeline.Query{Customer: id, Cutoff: cutoff, Limit: 10})
		if err != nil {
			t.Fatalf("%q: %v", id, err)
		}
		if len(events) != 1 || !slices.Equal(events[0].Details["feature_names"].([]string), []string{fmt.Sprintf("f%d", k)}) {
			t.Errorf("%q: %v", id, events)
		}
	}
}

func TestTimelineRefuses(t *testing.T) {
	line := timelineOf(t)
	cutoff := time.Date(2025, 3, 10, 0, 0, 0, 0, time.UTC)
	for _, q := range []timeline.Query{{Customer: "a", Cutoff: cutoff}, {Customer: "a", Cutoff: cutoff, Limit: timeline.MaxLimit + 1}, {Customer: "a", Cutoff: cutoff, Limit: 1, Source: "gossip"}} {
		if _, _, err := line.Events(t.Context(), q); err == nil {
			t.Errorf("%+v is answered", q)
		}
	}
	for _, p := range []*timeline.Place{{At: cutoff}, {At: cutoff, Source: "usage", Skip: -1}, {At: cutoff, Source: "gossip"}, {At: cutoff, Source: "usage", Skip: 1e9}} {
		if _, _, err := line.Events(t.Context(), timeline.Query{Customer: "a", Cutoff: cutoff, Limit: 1, From: p}); !errors.Is(err, timeline.ErrPlace) {
			t.Errorf("%+v passes for a place: %v", p, err)
		}
	}
}

func TestTrends(t *testing.T) {
	line := timelineOf(t)
	cutoff := time.Date(2025, 3, 10, 0, 0, 0, 0, time.UTC)
	trends, err := line.Overview(t.Context(), "a", cutoff)
	if err != nil {
		t.Fatal(err)
	}
	nine := 9.0
	want := []timeline.Answer{{At: time.Date(2024, 10, 15, 0, 0, 0, 0, time.UTC), Score: &nine}, {At: time.Date(2025, 1, 15, 0, 0, 0, 0, time.UTC)}}
	if d := cmp.Diff(want, trends.NPS); d != "" {
		t.Errorf("NPS (-want +got):\n%s", d)
	}
	if len(trends.Usage) != 52 {
		t.Fatalf("%d weeks", len(trends.Usage))
	}
	// Monday 2025-03-03 10:00 lies in the last week, 02-24 to 02-25 in the one before.
	last, before := trends.Usage[51], trends.Usage[50]
	if last.Uses != 1 || last.Minutes != 0 || before.Uses != 3 || before.Minutes != 13 || before.Features != 2 || !last.From.Equal(cutoff.Add(-week)) {
		t.Errorf("the last weeks: %+v %+v", before, last)
	}
	for _, w := range trends.Usage {
		if w.Before || w.OutageDays != 0 {
			t.Errorf("%+v: the customer was known, and three rows are no basis for an outage", w)
		}
	}
	early, err := line.Overview(t.Context(), "a", time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC))
	if err != nil || early.Usage != nil || early.NPS != nil {
		t.Errorf("before any usage: %+v, %v", early, err)
	}
	nobody, err := line.Overview(t.Context(), "nobody", cutoff)
	if err != nil || nobody.Usage != nil || nobody.NPS != nil {
		t.Errorf("nobody: %+v, %v", nobody, err)
	}
}

// A day without anyone's usage is an outage and no zero; weeks before the customer came are not drawn.
func TestTrendsOutages(t *testing.T) {
	im := newImporter(t)
	var file strings.Builder
	file.WriteString("customer_id,at\n")
	day := time.Date(2024, 10, 1, 0, 0, 0, 0, time.UTC)
	cutoff := day.AddDate(0, 0, 126)
	for ; day.Before(cutoff); day = day.AddDate(0, 0, 1) {
		if day.Equal(cutoff.AddDate(0, 0, -10)) {
			continue // in the last week but one
		}
		for k := range 30 {
			fmt.Fprintf(&file, "c%d,%s\n", k, day.Format(time.DateOnly))
		}
	}
	im.must("usage.csv", file.String(), ImportOptions{Source: "usage"})
	line := &Timeline{Store: &features.Store{DB: im.w}}
	trends, err := line.Overview(t.Context(), "c7", cutoff)
	if err != nil || len(trends.Usage) != 52 {
		t.Fatal(len(trends.Usage), err)
	}
	for k, w := range trends.Usage {
		out, uses := 0, 7
		if k == 50 {
			out, uses = 1, 6
		}
		if known := k >= 34; w.Before == known || known && (w.OutageDays != out || w.Uses != uses) {
			t.Errorf("week %d: %+v", k, w)
		}
	}
}
