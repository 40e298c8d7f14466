package serving_test

import (
	"context"
	"iter"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"retain/features"
	"retain/features/timeline"
	"retain/models"
	"retain/models/actions"
	"retain/serving"
)

// fakeHistory is a History over events in order; a place is the number of those before it.
type fakeHistory struct {
	mu       sync.Mutex
	events   []timeline.Event
	overview timeline.Overview
	err      error
	asked    []timeline.Query
}

func (f *fakeHistory) Events(_ context.Context, q timeline.Query) ([]timeline.Event, *timeline.Place, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, q)
	if f.err != nil {
		return nil, nil, f.err
	}
	some := f.events
	if q.Source != "" {
		some = slices.DeleteFunc(slices.Clone(some), func(e timeline.Event) bool { return e.Source != q.Source })
	}
	from := 0
	if q.From != nil {
		if from = int(q.From.Key); from > len(some) {
			return nil, nil, timeline.ErrPlace
		}
	}
	end := min(len(some), from+q.Limit)
	if end == len(some) {
		return some[from:], nil, nil
	}
	return some[from:end], &timeline.Place{At: some[end].At, Source: some[end].Source, Key: uint64(end)}, nil
}

func (f *fakeHistory) Overview(_ context.Context, _ string, _ time.Time) (timeline.Overview, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.overview, f.err
}

// with puts a history behind the options.
func with(h serving.History) func(*serving.Options) {
	return func(o *serving.Options) { o.History = h }
}

// ago is an instant before the cutoff.
func ago(days int, hour time.Duration) time.Time {
	return cutoff.AddDate(0, 0, -days).Add(hour * time.Hour)
}

type details = map[string]any

// full is a history with every kind of event.
func full() *fakeHistory {
	six, nine := 6.0, 9.0
	h := &fakeHistory{events: []timeline.Event{
		{At: ago(1, 15), Source: "usage", Kind: timeline.Used, Details: details{"period": "week", "since": ago(6, 0), "uses": 12.0, "days": 4.0, "duration_s": 2880.0, "features": 3.0, "feature_names": []string{"dash_board", "export", "reports"}, "users": 2.0, "errors": 1.0}},
		{At: ago(2, 16), Source: "tickets", Kind: timeline.Resolved, Details: details{"topic": "billing", "ticket_id": "T-77", "priority": "high", "channel": "email", "opened_at": ago(5, 9), "satisfaction": 2.0, "reopened": 2.0, "escalated": true}},
		{At: ago(3, 9), Source: "contacts", Kind: timeline.Contacted, Details: details{"action": "save_call", "channel": "phone", "class": "service", "campaign": "spring", "outcome": "accepted", "outcome_at": ago(2, 9)}},
		{At: ago(5, 10), Source: "tickets", Kind: timeline.Replied, Details: details{"topic": "billing", "ticket_id": "T-77", "channel": "phone", "opened_at": ago(5, 9)}},
		{At: ago(5, 9), Source: "tickets", Kind: timeline.Opened, Details: details{"topic": "billing", "ticket_id": "T-77", "channel": "email", "priority": "high"}},
		{At: ago(8, 0), Source: "surveys", Kind: timeline.Answered, Details: details{"kind": "nps", "score": six, "channel": "email", "comment": "Support is slow, and the export fails. שלום"}},
		{At: ago(9, 13), Source: "touchpoints", Kind: timeline.Touched, Details: details{"kind": "pricing_visit", "channel": "web", "campaign": "spring", "rows": 3.0, "value": 20.0}},
		{At: ago(12, 8), Source: "purchases", Kind: timeline.Purchased, Details: details{"products": []string{"cap", "shirt"}, "rows": 2.0, "quantity": 3.0, "amount": 1249.5, "discount": 25.0, "currency": "EUR", "channel": "web", "order_id": "o-1"}},
		{At: ago(12, 7), Source: "purchases", Kind: timeline.Purchased, Details: details{"products": []string{"socks"}, "rows": 1.0, "amount": 9.9, "returned": true}},
		{At: ago(20, 0), Source: "subscriptions", Kind: timeline.Cancelled, Details: details{"plan": "pro", "mrr": 120.0, "end_reason": "too_expensive", "subscription_id": "s-9"}},
		{At: ago(50, 0), Source: "subscriptions", Kind: timeline.Changed, Details: details{"plan": "pro", "plan_before": "basic", "mrr": 120.0, "mrr_before": 80.0, "seats": 5.0, "seats_before": 4.0, "ends_at": ago(20, 0), "auto_renew": true}},
		{At: ago(80, 0), Source: "subscriptions", Kind: timeline.Renewed, Details: details{"plan": "basic", "mrr": 80.0, "ends_at": ago(50, 0)}},
		{At: ago(100, 0), Source: "surveys", Kind: timeline.Invited, Details: details{"kind": "nps", "channel": "email"}},
		{At: ago(110, 0), Source: "subscriptions", Kind: timeline.Started, Details: details{"plan": "basic", "mrr": 80.0, "seats": 1.0}},
		{At: ago(190, 0), Source: "surveys", Kind: timeline.Answered, Details: details{"kind": "nps", "score": nine}},
		{At: ago(900, 0), Source: "customers", Kind: timeline.Created, Details: details{"lead_source": "fair", "segment": "SMB"}},
	}}
	h.overview = timeline.Overview{
		Rows: []timeline.Rows{{Source: "surveys", Rows: 3}, {Source: "tickets", Rows: 1}, {Source: "subscriptions", Rows: 3}, {Source: "purchases", Rows: 3},
			{Source: "contacts", Rows: 1}, {Source: "touchpoints", Rows: 3}, {Source: "usage", Rows: 1412}, {Source: "customers", Rows: 1}},
		NPS:     []timeline.Answer{{At: ago(190, 0), Score: &nine}, {At: ago(100, 0)}, {At: ago(8, 0), Score: &six}},
		NPSFrom: cutoff.AddDate(-2, 0, 0), Usage: weeksOf(52),
	}
	return h
}

// weeksOf is a year of usage that comes late, falls, and has an outage.
func weeksOf(n int) []timeline.Week {
	weeks := make([]timeline.Week, n)
	for k := range weeks {
		w := &weeks[k]
		w.From = cutoff.AddDate(0, 0, -7*(n-k))
		switch {
		case k < 6:
			w.Before = true
		case k == 20:
			w.OutageDays = 5
		default:
			w.Uses = int(40 - 30*float64(k)/float64(n) + 8*math.Sin(float64(k)))
			w.Minutes, w.Features = 4*float64(w.Uses), 3
		}
		if k == n-1 {
			w.Uses, w.Minutes, w.Features = 0, 0, 0
		}
	}
	return weeks
}

// fakeDecisions decides by hand: a save call for whoever has a score, unless choose says otherwise.
type fakeDecisions struct {
	t      *testing.T
	runs   *fakeRuns
	choose func(models.Score) actions.Decision
}

func (f *fakeDecisions) Decisions(_ context.Context, runID string) (*actions.Deciding, iter.Seq2[actions.Decision, error], error) {
	engine, err := actions.Default(features.DefaultCatalogue())
	if err != nil {
		f.t.Fatal(err)
	}
	shared := &actions.Deciding{RunID: runID, Cutoff: cutoff, Policy: "p1", Explore: true, Share: .05, Catalogue: engine.Catalogue}
	f.runs.mu.Lock()
	scores := slices.Clone(f.runs.scores)
	f.runs.mu.Unlock()
	return shared, func(yield func(actions.Decision, error) bool) {
		for _, score := range scores {
			made := decided(engine.Catalogue, score)
			if f.choose != nil {
				made = f.choose(score)
			}
			if !yield(made, nil) {
				return
			}
		}
	}, nil
}

// decided is a plausible decision: the save call, with an e-mail behind it; nothing for those without a score.
func decided(c *actions.Catalogue, score models.Score) actions.Decision {
	made := actions.Decision{CustomerID: score.CustomerID, Chosen: actions.DoNothing, Value: math.NaN(),
		Suppressed: []actions.Suppressed{{Action: "discount", Reason: "cooldown: contacted with it 9 days ago"}, {Action: "win_back", Reason: "rule: the customer has not left"}}}
	nothing := actions.Option{Action: actions.DoNothing, Channel: "none", Propensity: 1}
	if score.ExpectedValue == nil || score.Status != models.StatusScored {
		made.Options = []actions.Option{nothing}
		return made
	}
	made.Value, made.Chosen, nothing.Propensity = *score.ExpectedValue, "save_call", .2
	call, mail := c.Terms(c.Index("save_call"), made.Value, 0), c.Terms(c.Index("feature_education"), made.Value, 0)
	made.Options = []actions.Option{
		{Action: "save_call", Channel: "phone", Source: "prior", Terms: call, Propensity: .7, Moment: cutoff.Add(34 * time.Hour), Expires: cutoff.AddDate(0, 0, 8)},
		{Action: "feature_education", Channel: "in_app", Source: "prior", Terms: mail, Propensity: .1, Moment: cutoff.Add(30 * time.Hour), Expires: cutoff.AddDate(0, 0, 8)},
		nothing,
	}
	return made
}
