package actions

import (
	"math"
	"strings"
	"testing"
	"time"
)

const policyCatalogue = `version: 1
policy:
  caps:
    - {channel: email, class: marketing, days: 7, max: 1}
    - {channel: sms, class: marketing, days: 7, max: 1}
    - {class: marketing, days: 1, max: 2}
    - {class: marketing, days: 30, max: 4}
    - {channel: phone, class: service, days: 7, max: 1}
  ignored: {times: 2, days: 30}
  repeat_days: 60
  weights: {marketing: 1, service: 0.5}
actions:
  - {id: do_nothing, title: None, channel: none, class: service}
  - {id: offer, title: Offer, channel: email, class: marketing, message: Offer, cooldown_days: 90}
  - {id: news, title: News, channel: email, class: marketing, message: News}
  - {id: news_copy, title: News again, channel: email, class: marketing, message: News}
  - {id: text, title: Text, channel: sms, class: marketing, message: Text}
  - {id: banner, title: Banner, channel: in_app, class: marketing, message: Banner}
  - {id: call, title: Call, channel: phone, class: service, proactive: true, message: Call, cooldown_days: 14}
  - {id: tour, title: Tour, channel: email, class: service, proactive: true, message: Tour}
  - {id: answer, title: Answer, channel: ticket, class: service, message: Answer}
  - {id: invoice, title: Invoice, channel: email, class: transactional, message: Invoice}
`

func TestContactPolicy(t *testing.T) {
	e, err := Parse([]byte(policyCatalogue), nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	ago := func(days float64) time.Time { return now.Add(-time.Duration(days * 24 * float64(time.Hour))) }
	mail := func(days float64, action string) Contact {
		return Contact{At: ago(days), Channel: "email", Class: Marketing, Action: action}
	}
	in := func(channel string, class Class, days float64) Contact {
		return Contact{At: ago(days), Channel: channel, Class: class}
	}
	ignored := func(c Contact) Contact { c.Ignored = true; return c }
	fresh := Contactable{}
	for _, c := range []struct {
		name, action string
		who          Contactable
		history      []Contact
		want         string // how the reason begins; "" = allowed
	}{
		{"no history", "offer", fresh, nil, ""},
		{"nothing is always allowed", DoNothing, Contactable{OpenTickets: 3, Refused: []string{"service"}}, []Contact{mail(.1, "offer"), mail(.2, "news")}, ""},
		{"one e-mail a week: six days ago", "offer", fresh, []Contact{mail(6, "")}, "cap: at most 1 marketing contact by email in 7 days"},
		{"exactly seven days ago is in [now-7d, now)", "offer", fresh, []Contact{mail(7, "")}, "cap"},
		{"a millisecond longer ago is not", "offer", fresh, []Contact{{At: ago(7).Add(-time.Millisecond), Channel: "email", Class: Marketing}}, ""},
		{"a contact at now is the future", "offer", fresh, []Contact{mail(0, "")}, ""},
		{"a contact just before now counts", "offer", fresh, []Contact{{At: now.Add(-time.Millisecond), Channel: "email", Class: Marketing}}, "cap"},
		{"another channel has its own cap", "text", fresh, []Contact{mail(3, "")}, ""},
		{"one SMS a week", "text", fresh, []Contact{in("sms", Marketing, 6.9)}, "cap: at most 1 marketing contact by sms"},
		{"two in 24 hours over all channels", "banner", fresh, []Contact{mail(.5, ""), in("sms", Marketing, .9)}, "cap: at most 2 marketing contacts in 1 day"},
		{"exactly 24 hours ago counts", "banner", fresh, []Contact{mail(.5, ""), in("sms", Marketing, 1)}, "cap: at most 2"},
		{"one of two just over a day ago", "banner", fresh, []Contact{mail(.5, ""), in("sms", Marketing, 1.01)}, ""},
		{"four in 30 days", "banner", fresh, []Contact{mail(9, ""), mail(17, ""), in("sms", Marketing, 20), in("push", Marketing, 30)}, "cap: at most 4 marketing contacts in 30 days"},
		{"the fourth left the window", "banner", fresh, []Contact{mail(9, ""), mail(17, ""), in("sms", Marketing, 20), in("push", Marketing, 30.01)}, ""},
		{"service does not count against marketing", "offer", fresh, []Contact{in("email", Service, 1), in("email", Service, 2)}, ""},
		{"transactional does not count either", "offer", fresh, []Contact{in("email", Transactional, 1)}, ""},
		{"marketing does not stop service", "tour", fresh, []Contact{mail(1, "")}, ""},
		{"a class not told counts as marketing", "offer", fresh, []Contact{in("email", "", 2)}, "cap"},
		{"one service call a week", "call", fresh, []Contact{in("phone", Service, 3)}, "cap: at most 1 service contact by phone"},
		{"cooldown: within", "offer", fresh, []Contact{mail(89, "offer")}, "cooldown: done in the last 90 days"},
		{"cooldown: exactly 90 days ago", "offer", fresh, []Contact{mail(90, "offer")}, "cooldown"},
		{"cooldown: over", "offer", fresh, []Contact{mail(90.01, "offer")}, ""},
		{"cooldown of service", "call", fresh, []Contact{{At: ago(10), Channel: "phone", Class: Service, Action: "call"}}, "cooldown: done in the last 14 days"},
		{"another action's contact is no cooldown", "offer", fresh, []Contact{mail(40, "news")}, ""},
		{"the same message again", "news", fresh, []Contact{mail(59, "news")}, "repeat: the same message went out in the last 60 days"},
		{"the same words under another action", "news", fresh, []Contact{mail(59, "news_copy")}, "repeat"},
		{"the same message long ago", "news", fresh, []Contact{mail(60.01, "news")}, ""},
		{"ignored once", "banner", fresh, []Contact{ignored(mail(10, "")), mail(20, "")}, ""},
		{"ignored twice in 30 days", "banner", fresh, []Contact{ignored(mail(10, "")), ignored(mail(30, ""))}, "hold: ignored 2 contacts in 30 days"},
		{"the first one longer ago", "banner", fresh, []Contact{ignored(mail(10, "")), ignored(mail(30.01, ""))}, ""},
		{"ignored service does not hold marketing", "banner", fresh, []Contact{ignored(in("phone", Service, 9)), ignored(mail(10, ""))}, ""},
		{"a hold does not stop service", "tour", fresh, []Contact{ignored(mail(10, "")), ignored(mail(20, ""))}, ""},
		{"no marketing while a ticket is open", "banner", Contactable{OpenTickets: 1}, nil, "complaint: no marketing while a ticket is open"},
		{"service goes on while a ticket is open", "tour", Contactable{OpenTickets: 1}, nil, ""},
		{"the ticket is answered", "answer", Contactable{OpenTickets: 1, TicketChannel: "chat"}, nil, ""},
		{"the ticket is answered by phone, though there was a call this week", "answer", Contactable{OpenTickets: 1, TicketChannel: "phone"}, []Contact{in("phone", Service, 1), in("phone", Service, 2)}, ""},
		{"an answer by phone counts against calls that nobody asked for", "call", fresh, []Contact{{At: ago(3), Channel: "phone", Class: Service, Action: "answer"}}, "cap: at most 1 service contact by phone"},
		{"consent: the channel", "offer", Contactable{Refused: []string{"email"}}, nil, "consent: email is refused"},
		{"consent: another channel", "offer", Contactable{Refused: []string{"sms", "phone"}}, nil, ""},
		{"consent: the class", "text", Contactable{Refused: []string{"marketing"}}, nil, "consent: marketing is refused"},
		{"consent: class and channel", "offer", Contactable{Refused: []string{"marketing_email"}}, nil, "consent: marketing_email is refused"},
		{"consent: service that was not asked for", "tour", Contactable{Refused: []string{"email"}}, nil, "consent: email is refused"},
		{"consent does not stop an answer", "answer", Contactable{Refused: []string{"chat", "service"}, OpenTickets: 1, TicketChannel: "chat"}, nil, ""},
		{"consent does not stop an invoice", "invoice", Contactable{Refused: []string{"email"}}, nil, ""},
		{"an invoice has no caps", "invoice", fresh, []Contact{mail(1, ""), in("email", Transactional, .1)}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			reason, ok := e.Catalogue.Allows(e.Catalogue.Index(c.action), c.who, c.history, now)
			if ok != (c.want == "") || !strings.HasPrefix(reason, c.want) || ok && reason != "" {
				t.Errorf("allowed %v, reason %q; want %q", ok, reason, c.want)
			}
		})
	}
}

func TestPressure(t *testing.T) {
	p := defaultPolicy()
	now := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	history := []Contact{
		{At: now.AddDate(0, 0, -7), Class: Marketing},
		{At: now.AddDate(0, 0, -14), Class: Service},
		{At: now.AddDate(0, 0, -1), Class: Transactional}, // weighs nothing
		{At: now.AddDate(0, 0, -57), Class: Marketing},    // too long ago
		{At: now, Class: Marketing},                       // the future
	}
	if got, want := p.Pressure(history, now), math.Exp(-1)+.5*math.Exp(-2); math.Abs(got-want) > 1e-12 {
		t.Errorf("pressure %v, want %v", got, want)
	}
	if got := p.Pressure(nil, now); got != 0 {
		t.Errorf("pressure without contacts is %v", got)
	}
}

// What is due is sent at once, but not in the quiet hours from 21 until 8 of the customer's clock.
func TestAwake(t *testing.T) {
	p := defaultPolicy()
	for _, c := range []struct{ name, zone, now, want string }{
		{"after midnight", "", "2026-03-07T00:00:00Z", "2026-03-07T08:00:00Z"}, // a Saturday, too
		{"before midnight", "", "2026-03-02T21:00:00Z", "2026-03-03T08:00:00Z"},
		{"the last quiet instant", "", "2026-03-02T07:59:59.999Z", "2026-03-02T08:00:00Z"},
		{"the end itself", "", "2026-03-02T08:00:00Z", "2026-03-02T08:00:00Z"},
		{"the last instant of the day", "", "2026-03-02T20:59:59.999Z", "2026-03-02T20:59:59.999Z"},
		{"Tokyo is up", "Asia/Tokyo", "2026-03-02T00:00:00Z", "2026-03-02T00:00:00Z"},
		{"New York is not, and its clock goes forward", "America/New_York", "2026-03-08T05:00:00Z", "2026-03-08T12:00:00Z"},
		{"an unknown zone is UTC", "Mars/Olympus", "2026-03-02T00:00:00Z", "2026-03-02T08:00:00Z"},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Awake(c.zone, now).Format(time.RFC3339Nano); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	p.Quiet = QuietHours{From: 0, Until: 6}
	if got := p.Awake("", time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC)); got.Hour() != 6 || got.Day() != 2 {
		t.Errorf("quiet from midnight on: %v", got)
	}
	if p.Quiet.From = 6; !p.Awake("", now).Equal(now) {
		t.Error("without quiet hours nothing waits")
	}
}

func TestMomentWithoutAHabit(t *testing.T) {
	p := defaultPolicy() // 10:00
	at := func(text string) time.Time {
		x, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	for _, c := range []struct{ name, zone, now, want string }{
		{"Monday at midnight", "", "2026-03-02T00:00:00Z", "2026-03-02T10:00:00Z"},
		{"at the hour itself", "", "2026-03-02T10:00:00Z", "2026-03-02T10:00:00Z"},
		{"past the hour", "", "2026-03-02T10:00:01Z", "2026-03-03T10:00:00Z"},
		{"Friday afternoon waits for Monday", "", "2026-03-06T12:00:00Z", "2026-03-09T10:00:00Z"},
		{"Saturday", "", "2026-03-07T00:00:00Z", "2026-03-09T10:00:00Z"},
		{"Berlin in winter", "Europe/Berlin", "2026-03-02T00:00:00Z", "2026-03-02T09:00:00Z"},
		{"Berlin in summer", "Europe/Berlin", "2026-07-01T00:00:00Z", "2026-07-01T08:00:00Z"},
		{"Tokyo has ten o'clock past", "Asia/Tokyo", "2026-03-02T02:00:00Z", "2026-03-03T01:00:00Z"},
		{"Los Angeles is still on Sunday", "America/Los_Angeles", "2026-03-02T00:00:00Z", "2026-03-02T18:00:00Z"},
		{"an unknown zone is UTC", "Mars/Olympus", "2026-03-02T00:00:00Z", "2026-03-02T10:00:00Z"},
		{"the machine's zone is not the customer's", "Local", "2026-03-02T00:00:00Z", "2026-03-02T10:00:00Z"},
	} {
		if got := p.MomentOf(c.zone, Habit{}, at(c.now)); !got.Equal(at(c.want)) {
			t.Errorf("%s: %v, want %s", c.name, got, c.want)
		}
	}
	for hour, quiet := range map[int]bool{20: false, 21: true, 23: true, 0: true, 7: true, 8: false} {
		if p.Quiet.Quiet(hour) != quiet {
			t.Errorf("quiet at %d is not %v", hour, quiet)
		}
	}
	if (QuietHours{12, 14}).Quiet(14) || !(QuietHours{12, 14}).Quiet(12) || (QuietHours{0, 0}).Quiet(0) {
		t.Error("quiet hours within a day are [from, until)")
	}
}

func TestMomentOf(t *testing.T) {
	p := defaultPolicy() // quiet from 21 until 8, 10:00
	slots := func(of map[int]uint16) *[168]uint16 {
		var s [168]uint16
		for slot, n := range of {
			s[slot] = n
		}
		return &s
	}
	const tuesday = 24
	for _, c := range []struct {
		name, zone string
		slots      map[int]uint16 // by hour of the week in UTC
		habit      Habit
		at         string // decided on Monday 2026-03-02 00:00 UTC
	}{
		{"never there", "", nil, Habit{}, "2026-03-02T10:00:00Z"},
		{"seven times are no habit", "", map[int]uint16{tuesday + 15: 7}, Habit{}, "2026-03-02T10:00:00Z"},
		{"on Tuesdays at 15", "", map[int]uint16{tuesday + 15: 8}, Habit{16, 3}, "2026-03-03T15:00:00Z"},
		{"on Sundays", "", map[int]uint16{6*24 + 11: 9}, Habit{12, 1}, "2026-03-08T11:00:00Z"},
		{"at night: nobody is disturbed", "", map[int]uint16{tuesday + 23: 40, tuesday + 3: 40}, Habit{}, "2026-03-02T10:00:00Z"},
		{"mostly at night, at times in the evening", "", map[int]uint16{tuesday + 23: 40, tuesday + 20: 8}, Habit{21, 3}, "2026-03-03T20:00:00Z"},
		{"in Berlin it is an hour later", "Europe/Berlin", map[int]uint16{tuesday + 15: 8}, Habit{17, 3}, "2026-03-03T15:00:00Z"},
		{"in Tokyo it is the next day", "Asia/Tokyo", map[int]uint16{tuesday + 23: 8}, Habit{9, 4}, "2026-03-03T23:00:00Z"},
		{"in Los Angeles it is the day before", "America/Los_Angeles", map[int]uint16{tuesday + 4: 8}, Habit{21, 2}, "2026-03-03T04:00:00Z"},
		{"among equals the hour nearest to the policy's", "", map[int]uint16{tuesday + 8: 5, tuesday + 14: 5, tuesday + 11: 5}, Habit{12, 3}, "2026-03-03T11:00:00Z"},
		{"the best hour of all days on the best day", "", map[int]uint16{9: 6, tuesday + 9: 4, tuesday + 17: 5}, Habit{10, 3}, "2026-03-03T09:00:00Z"},
	} {
		got := p.HabitOf(slots(c.slots), c.zone, now)
		if got != c.habit {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.habit)
		}
		if at := p.MomentOf(c.zone, got, now).Format(time.RFC3339); at != c.at {
			t.Errorf("%s: at %s, want %s", c.name, at, c.at)
		}
	}
	// The hour of today that is past waits a week where the weekday is known.
	if at := p.MomentOf("", Habit{Hour: 9, Day: 2}, now.Add(9*time.Hour)); !at.Equal(now.AddDate(0, 0, 7).Add(8 * time.Hour)) {
		t.Errorf("at %v", at)
	}
}

func TestChannelOnWhichTheCustomerAnswers(t *testing.T) {
	e, err := Parse([]byte("version: 1\nactions:\n"+nothing+
		"  - {id: ask, title: A, channel: email, also: [sms, in_app], class: marketing, message: Hi}\n"+
		"  - {id: answer, title: A, channel: ticket, class: service, message: Hi}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	c := e.Catalogue
	contact := func(days int, channel string, answered bool) Contact {
		return Contact{At: now.AddDate(0, 0, -days), Channel: channel, Class: Service, Answered: answered}
	}
	for _, x := range []struct {
		name    string
		action  string
		who     Contactable
		history []Contact
		want    string // "" = not allowed
	}{
		{"nothing is known: the catalogue's", "ask", Contactable{}, nil, "email"},
		{"answers on SMS", "ask", Contactable{}, []Contact{contact(20, "sms", true), contact(30, "email", false)}, "sms"},
		{"silent by e-mail", "ask", Contactable{}, []Contact{contact(20, "email", false)}, "sms"},
		{"answers more often in the product", "ask", Contactable{}, []Contact{contact(20, "sms", true), contact(25, "sms", false), contact(30, "in_app", true)}, "in_app"},
		{"SMS is refused", "ask", Contactable{Refused: []string{"sms"}}, []Contact{contact(20, "sms", true), contact(30, "email", false)}, "in_app"},
		{"one e-mail a week is spent", "ask", Contactable{}, []Contact{{At: now.AddDate(0, 0, -3), Channel: "email", Class: Marketing, Answered: true}}, "sms"},
		{"marketing is refused on all of them", "ask", Contactable{Refused: []string{"marketing"}}, nil, ""},
		{"what comes is the future", "ask", Contactable{}, []Contact{contact(0, "sms", true)}, "email"},
		{"a complaint by phone is answered by phone", "answer", Contactable{OpenTickets: 1, TicketChannel: "phone"}, []Contact{contact(20, "chat", true)}, "phone"},
	} {
		i := c.Index(x.action)
		got := c.Channel(i, x.who, x.history, now)
		if reason, ok := c.Allows(i, x.who, x.history, now); !ok {
			got = ""
			if reason == "" {
				t.Errorf("%s: no reason", x.name)
			}
		}
		if got != x.want {
			t.Errorf("%s: %q, want %q", x.name, got, x.want)
		}
	}
}
