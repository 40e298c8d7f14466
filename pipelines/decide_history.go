package pipelines

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"retain/features"
	"retain/models/actions"
)

// historyKept is how many contacts of a customer are looked at, newest first: no cap reaches so far.
const historyKept = 500

// decideBatch customers are weighed at a time.
const decideBatch = 8192

// outcomelessDays is how long a contact may be without an outcome before it counts as ignored, where outcomes are told at all.
const outcomelessDays = 7

// histories hands out the contacts of all customers, batch by batch: histories[k] is that of customer lo+k, newest first. A contact is ignored when its
// outcome says so, or when it has none after 7 days where outcomes are told at all: of contacts or, where it is of a decision, of decisions. What was only
// told as an outcome of a decision, by API, console or import, is a contact as well, unless a row of the source contacts carries it: one that names the
// decision, or one that names none and is the same touch (actions.Catalogue.Once).
func (r *decideReader) histories(ctx context.Context, take func(lo, hi int, histories [][]actions.Contact)) error {
	told, err := r.tellsOutcomes(ctx)
	if err != nil {
		return err
	}
	query, err := r.historySQL(ctx, told)
	if err != nil {
		return err
	}
	at := cursor{ids: r.p.Customer}
	lo, batch := 0, make([][]actions.Contact, min(decideBatch, len(r.p.Customer)))
	next := func() {
		take(lo, lo+len(batch), batch)
		lo += len(batch)
		batch = make([][]actions.Contact, min(decideBatch, len(r.p.Customer)-lo))
	}
	var touches []actions.Touch // of the customer who is read
	of := -1
	flush := func() {
		for of >= lo+len(batch) {
			next()
		}
		if told.outcomes {
			touches = r.engine.Catalogue.Once(touches)
		}
		for k := range touches {
			batch[of-lo] = append(batch[of-lo], r.contact(&touches[k], told))
		}
		touches = touches[:0]
	}
	for b, err := range r.store.DB.Blocks(ctx, query, nil) {
		if err != nil {
			return fmt.Errorf("read contacts: %w", err)
		}
		times, since, channel, class, action, came := b.Times("at"), b.Times("since"), b.Strings("channel"), b.Strings("class"), b.Strings("action"), b.Strings("came")
		decided, only := b.Bools("decided"), b.Bools("told")
		for k, id := range b.Strings("customer_id") {
			i, ok := at.find(id)
			if !ok {
				continue
			}
			if i != of && of >= 0 {
				flush()
			}
			of = i
			touches = append(touches, actions.Touch{Contact: actions.Contact{At: times[k], Channel: channel[k], Class: actions.Class(class[k]), Action: action[k]},
				Came: came[k], Decided: decided[k], Told: only[k], Since: since[k]})
		}
	}
	if of >= 0 {
		flush()
	}
	for lo < len(r.p.Customer) {
		next()
	}
	return nil
}

// answers are the words by which a contact's outcome says that the customer reacted.
var answers = []string{"accepted", "rejected", "converted", "answered", "replied", "reached", "clicked"}

// contact is a touch with what its outcome, or the lack of one, says.
func (r *decideReader) contact(t *actions.Touch, told toldWhere) actions.Contact {
	c := t.Contact
	c.Answered = slices.Contains(answers, t.Came)
	c.Ignored = t.Came == "ignored" ||
		t.Came == "" && c.At.Before(r.p.Cutoff.AddDate(0, 0, -outcomelessDays)) && (told.ofContacts || t.Decided && told.ofDecisions)
	return c
}

// historySQL reads the touches, newest first.
func (r *decideReader) historySQL(ctx context.Context, told toldWhere) (string, error) {
	columns := []string{"at", "channel", "class", "action", "outcome"}
	if told.outcomes {
		columns = append(columns, "decision_id")
	}
	from, err := r.store.Versions(ctx, features.Contacts, columns, r.p.Cutoff)
	if err != nil {
		return "", err
	}
	touches := "SELECT customer_id, at, channel, class, action, lower(outcome) AS came, false AS decided, false AS told, toDateTime64(0, 3, 'UTC') AS since\nFROM " + from
	if told.outcomes {
		touches = r.withOutcomes(from)
	}
	return `SELECT customer_id, at, lower(channel) AS channel, lower(class) AS class, action, came, decided, told, since
FROM (` + touches + `)
WHERE at >= ` + instantSQL(r.p.Cutoff.AddDate(0, 0, -r.engine.Catalogue.HistoryDays())) + `
ORDER BY customer_id, at DESC, channel, class, action, came, decided, told, since
LIMIT ` + fmt.Sprint(historyKept) + ` BY customer_id`, nil
}

// toldWhere is what anybody tells of contacts, as known at the cutoff.
type toldWhere struct {
	ofContacts  bool // the source has outcomes
	outcomes    bool // anything was told of decisions but by contacts
	ofDecisions bool // responses are told of decisions
}

// tellsOutcomes finds it.
func (r *decideReader) tellsOutcomes(ctx context.Context) (t toldWhere, err error) {
	from, err := r.store.Versions(ctx, features.Contacts, []string{"outcome"}, r.p.Cutoff)
	if err != nil {
		return t, err
	}
	known := "ingested_at < " + instantSQL(r.p.Cutoff)
	for _, question := range []struct {
		answer *bool
		rows   string
	}{
		{&t.ofContacts, from + " WHERE outcome != ''"},
		{&t.outcomes, "outcomes WHERE source != '" + OutcomeFromContacts + "' AND " + known},
		{&t.ofDecisions, "outcomes WHERE outcome IN ('accepted', 'rejected', 'ignored') AND " + known},
	} {
		var n uint64
		if err := r.store.DB.Conn().QueryRow(ctx, "SELECT count() FROM (SELECT 1 FROM "+question.rows+" LIMIT 1)").Scan(&n); err != nil {
			return t, fmt.Errorf("look for outcomes: %w", err)
		}
		*question.answer = n > 0
	}
	return t, nil
}

// withOutcomes are the contacts of the source, with the response that was told of their decision where they have none of their own, and those that were only
// told as outcomes. Of these the channel is the decided one, and the class the catalogue's; an action that is no longer in it counts as marketing, since what
// cannot be told is not more.
func (r *decideReader) withOutcomes(from string) string {
	var ids, classes []string
	for _, a := range r.engine.Catalogue.Actions {
		ids, classes = append(ids, "'"+a.ID+"'"), append(classes, "'"+string(a.Class)+"'")
	}
	cutoff := instantSQL(r.p.Cutoff)
	told := `(SELECT customer_id, decision_id, toString(action) AS done, any(run_id) AS run, any(cutoff) AS since, min(at) AS first_at,
		argMaxIf(toString(outcome), (at, outcome), outcome != 'shown') AS response
	FROM (SELECT * FROM outcomes WHERE source != '` + OutcomeFromContacts + `' AND ingested_at < ` + cutoff + `
		ORDER BY decision_id, outcome, ingested_at DESC, at DESC, action
		LIMIT 1 BY decision_id, outcome)
	WHERE outcome IN ('shown', 'accepted', 'rejected', 'ignored') AND at < ` + cutoff + `
	GROUP BY customer_id, decision_id, action)`
	return `SELECT customer_id, at, channel, class, action, if(outcome = '', answer, lower(outcome)) AS came, c.decision_id != '' AS decided, false AS told, toDateTime64(0, 3, 'UTC') AS since
FROM ` + from + ` AS c
LEFT ANY JOIN (SELECT decision_id, argMax(response, (first_at, response)) AS answer FROM ` + told + ` WHERE response != '' GROUP BY decision_id) AS t ON t.decision_id = c.decision_id AND c.decision_id != ''
UNION ALL
SELECT customer_id, first_at AS at, channels[indexOf(proposed, done)] AS channel, transform(done, [` + strings.Join(ids, ", ") + `], [` + strings.Join(classes, ", ") + `], '') AS class,
	done AS action, response AS came, true AS decided, true AS told, since
FROM ` + told + ` AS t
LEFT ANY JOIN (
	SELECT decision_id, arrayMap(a -> toString(a), actions) AS proposed, arrayMap(c -> toString(c), channels) AS channels
	FROM decisions
	WHERE run_id IN (SELECT run_id FROM outcomes WHERE source != '` + OutcomeFromContacts + `') AND decision_id IN (SELECT decision_id FROM outcomes WHERE source != '` + OutcomeFromContacts + `')
) AS d ON d.decision_id = t.decision_id
WHERE t.decision_id NOT IN (SELECT decision_id FROM ` + from + ` WHERE decision_id != '')`
}
