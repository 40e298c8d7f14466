package serving

import (
	"strconv"
	"strings"
	"time"

	"retain/features/timeline"
)

// sourceLabels name the sources to people.
var sourceLabels = map[string]string{
	"surveys": "Surveys", "tickets": "Support", "subscriptions": "Subscription", "purchases": "Purchases",
	"contacts": "Contacts", "touchpoints": "Touchpoints", "usage": "Usage", "customers": "Profile",
}

// Tones of an event: most have none.
const (
	good = "good"
	bad  = "bad"
)

// eventWords is an event in words.
type eventWords struct {
	Text   string
	Figure string   // an amount
	Notes  []string // in falling weight
	Quote  string   // what the customer said
	Tone   string   // good, bad or ""
}

// words tells an event. Nothing that is not known is told.
func (s *Server) words(e timeline.Event) eventWords {
	currency := s.options.Currency
	switch e.Source {
	case "surveys":
		return surveyWords(e)
	case "tickets":
		return ticketWords(e)
	case "subscriptions":
		return subscriptionWords(e, currency)
	case "purchases":
		return purchaseWords(e, currency)
	case "contacts":
		return contactWords(e)
	case "touchpoints":
		return touchpointWords(e, currency)
	case "usage":
		return usageWords(e)
	}
	if e.Kind == timeline.OptedOut {
		return eventWords{Text: "Opted out", Tone: bad}
	}
	return eventWords{Text: "Entered as a customer", Notes: notes(
		called("lead source", e.Text("lead_source")), called("segment", e.Text("segment")), called("region", e.Text("region")))}
}

// surveyNames are how kinds of surveys are written.
var surveyNames = map[string]string{"nps": "NPS", "csat": "Satisfaction (CSAT)", "ces": "Effort (CES)"}

func surveyWords(e timeline.Event) eventWords {
	name, ok := surveyNames[e.Text("kind")]
	if !ok {
		name = "Survey " + e.Text("kind")
	}
	score, answered := e.Number("score")
	if !answered {
		return eventWords{Text: name + " asked, no answer", Notes: notes(byWay(e))}
	}
	w := eventWords{Text: name + ": " + plain(&score), Quote: e.Text("comment"), Notes: notes(byWay(e))}
	if e.Text("kind") == "nps" {
		group := npsGroupOf(score)
		w.Text += ", " + group.name
		w.Tone = group.tone
	}
	return w
}

// npsGroup is one of the three groups of the net promoter score.
type npsGroup struct {
	name, tone string
	band       string // whose colour it has
}

func npsGroupOf(score float64) npsGroup {
	switch {
	case score >= 9:
		return npsGroup{"a promoter", good, "low"}
	case score >= 7:
		return npsGroup{"a passive", "", "medium"}
	}
	return npsGroup{"a detractor", bad, "high"}
}

func ticketWords(e timeline.Event) eventWords {
	about := ""
	if topic := e.Text("topic"); topic != "" {
		about = ": " + spaced(topic)
	}
	after := ""
	if opened := e.Instant("opened_at"); !opened.IsZero() && e.At.After(opened) {
		after = "after " + age(e.At.Sub(opened))
	}
	w := eventWords{Notes: notes(after, byWay(e), called("priority", e.Text("priority")), called("ticket", e.Text("ticket_id")))}
	switch e.Kind {
	case timeline.Opened:
		w.Text = "Ticket opened" + about
	case timeline.Replied:
		w.Text = "First reply to ticket" + about
	default:
		w.Text = "Ticket resolved" + about
		var told []string
		if v, ok := e.Number("satisfaction"); ok {
			told = append(told, "satisfaction "+plain(&v))
		}
		if v, ok := e.Number("reopened"); ok && v > 0 {
			told = append(told, "reopened "+times(v))
		}
		if e.Is("escalated") {
			told = append(told, "escalated")
		}
		if e.Is("self_served") {
			told = append(told, "solved without staff")
		}
		w.Notes = append(told, w.Notes...)
	}
	return w
}

func subscriptionWords(e timeline.Event, currency string) eventWords {
	plan := ""
	if p := e.Text("plan"); p != "" {
		plan = ": " + p
	}
	var price, seats, until string
	if v, ok := e.Number("mrr"); ok {
		price = money(&v, currency) + " a month"
	}
	if v, ok := e.Number("seats"); ok && v > 0 {
		seats = countOf(v, "seat")
	}
	if at := e.Instant("ends_at"); !at.IsZero() {
		until = "paid until " + instant(at)
	}
	renews := ""
	if e.Is("auto_renew") {
		renews = "renews by itself"
	}
	reason := called("reason", spaced(e.Text("end_reason")))
	id := called("subscription", e.Text("subscription_id"))
	switch e.Kind {
	case timeline.Started:
		return eventWords{Text: "Subscription started" + plan, Notes: notes(price, seats, until, renews, id)}
	case timeline.Renewed:
		return eventWords{Text: "Subscription renewed" + plan, Notes: notes(price, seats, until, renews, id)}
	case timeline.Returned:
		return eventWords{Text: "Came back" + plan, Notes: notes(price, seats, until, renews, id), Tone: good}
	case timeline.Changed:
		changes := changeWords(e, currency)
		return eventWords{Text: "Renewed with another " + changes[0], Notes: notes(append(changes[1:], until, renews, id)...)}
	case timeline.Cancelled:
		return eventWords{Text: "Cancelled" + plan, Notes: notes(reason, price, id), Tone: bad}
	case timeline.Ended:
		return eventWords{Text: "Subscription ended" + plan, Notes: notes(reason, price, id), Tone: bad}
	}
	return eventWords{Text: "Paid period ran out" + plan, Notes: notes("no renewal known", price, id), Tone: bad}
}

// changeWords names what a renewal changed, the weightiest first: "plan: basic → pro".
func changeWords(e timeline.Event, currency string) []string {
	var changes []string
	if before, now := e.Text("plan_before"), e.Text("plan"); before != "" && before != now {
		changes = append(changes, "plan: "+before+" → "+now)
	}
	if before, ok := e.Number("mrr_before"); ok {
		if now, ok := e.Number("mrr"); ok && now != before {
			changes = append(changes, "price: "+money(&before, currency)+" → "+money(&now, currency)+" a month")
		}
	}
	if before, ok := e.Number("seats_before"); ok {
		if now, ok := e.Number("seats"); ok && now != before {
			changes = append(changes, "number of seats: "+plain(&before)+" → "+plain(&now))
		}
	}
	if len(changes) == 0 {
		return []string{"term"}
	}
	return changes
}

func purchaseWords(e timeline.Event, currency string) eventWords {
	w := eventWords{Text: "Purchase"}
	rows, _ := e.Number("rows")
	switch products := e.Texts("products"); {
	case len(products) > 0 && len(products) <= 3:
		w.Text = "Bought " + listed(products)
	case len(products) > 3:
		w.Text = "Bought " + count(max(len(products), int(rows))) + " items"
	case rows > 1:
		w.Text = "Bought " + countOf(rows, "item")
	}
	if currencyOf := e.Text("currency"); currencyOf != "" {
		currency = currencyOf
	}
	if v, ok := e.Number("amount"); ok {
		w.Figure = money(&v, currency)
	}
	quantity, discount := "", ""
	if v, ok := e.Number("quantity"); ok && v != rows && v != 1 {
		quantity = "quantity " + plain(&v)
	}
	if v, ok := e.Number("discount"); ok && v > 0 {
		discount = money(&v, currency) + " discount"
	}
	returned := ""
	if e.Is("returned") {
		returned, w.Tone = "returned", bad
	}
	w.Notes = notes(returned, quantity, discount, listed(e.Texts("categories")), byWay(e), called("order", e.Text("order_id")))
	return w
}

func contactWords(e timeline.Event) eventWords {
	w := eventWords{Text: "Contacted"}
	campaign := called("campaign", e.Text("campaign"))
	switch action := e.Text("action"); {
	case action != "":
		w.Text += ": " + spaced(action)
	case campaign != "":
		w.Text, campaign = w.Text+": "+e.Text("campaign"), ""
	}
	outcome := "no outcome known"
	if o := e.Text("outcome"); o != "" {
		outcome = spaced(o)
		if at := e.Instant("outcome_at"); at.Sub(e.At) >= time.Minute {
			outcome += " after " + age(at.Sub(e.At))
		}
	}
	w.Notes = notes(outcome, byWay(e), spaced(e.Text("class")), campaign)
	return w
}

func touchpointWords(e timeline.Event, currency string) eventWords {
	kind := spaced(e.Text("kind"))
	if kind == "" {
		kind = "touchpoint"
	}
	w := eventWords{Text: capital(kind)}
	if n, ok := e.Number("rows"); ok && n > 1 {
		w.Text += ", " + times(n)
	}
	if v, ok := e.Number("value"); ok && v != 0 {
		w.Figure = money(&v, currency)
	}
	w.Notes = notes(byWay(e), called("campaign", e.Text("campaign")), called("lead source", e.Text("lead_source")))
	return w
}

func usageWords(e timeline.Event) eventWords {
	uses, _ := e.Number("uses")
	days, _ := e.Number("days")
	w := eventWords{Text: countOf(uses, "use")}
	week := ""
	if e.Text("period") == "week" {
		week = "week from " + instant(e.Instant("since"))
	}
	if days > 1 {
		w.Text += " on " + countOf(days, "day")
	}
	length, kinds, users, errs := "", "", "", ""
	if v, ok := e.Number("duration_s"); ok && v > 0 {
		length = duration(v)
	}
	if v, ok := e.Number("features"); ok {
		kinds = countOf(v, "feature")
		if names := e.Texts("feature_names"); len(names) > 0 {
			for k := range names {
				names[k] = spaced(names[k])
			}
			kinds = listed(names)
		}
	}
	if v, ok := e.Number("users"); ok && v > 1 {
		users = countOf(v, "user")
	}
	if v, ok := e.Number("errors"); ok && v > 0 {
		errs = countOf(v, "error")
	}
	w.Notes = notes(week, length, kinds, users, errs)
	return w
}

// byWay is the channel, as people write it.
func byWay(e timeline.Event) string { return channelName(e.Text("channel")) }

// channelNames are the channels whose names need more than a capital.
var channelNames = map[string]string{"email": "e-mail", "sms": "SMS", "in_app": "in the product"}

func channelName(channel string) string {
	if name, ok := channelNames[strings.ToLower(channel)]; ok {
		return name
	}
	return spaced(channel)
}

// notes drops what is empty.
func notes(all ...string) []string {
	var some []string
	for _, n := range all {
		if n != "" {
			some = append(some, n)
		}
	}
	return some
}

// called puts a name before a value that would not explain itself.
func called(name, value string) string {
	if value == "" {
		return ""
	}
	return name + " " + value
}

// spaced turns a word of a catalogue, save_call, into words.
func spaced(word string) string { return strings.TrimSpace(strings.ReplaceAll(word, "_", " ")) }

// capital raises the first letter, where it is an ASCII one.
func capital(words string) string {
	if words == "" || words[0] < 'a' || words[0] > 'z' {
		return words
	}
	return strings.ToUpper(words[:1]) + words[1:]
}

// listed joins words: a, b and c.
func listed(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// countOf writes a number of things.
func countOf(n float64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return plain(&n) + " " + thing + "s"
}

func times(n float64) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return plain(&n) + " times"
}

// duration writes seconds of use in the largest unit that says enough.
func duration(seconds float64) string {
	switch minutes := seconds / 60; {
	case minutes < 1:
		return "under a minute"
	case minutes < 120:
		return strconv.Itoa(int(minutes+.5)) + " min"
	default:
		return grouped(strconv.Itoa(int(minutes/60+.5))) + " h"
	}
}
