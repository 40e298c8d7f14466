package pipelines

import (
	"context"
	"fmt"
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
// told as an outcome of a decision, by API, console or import, is a contact as well, unless a row of the source contacts carries the decision.
func (r *decideReader) histories(ctx context.Context, take func(lo, hi int, histories [][]actions.Contact)) error {
	query, err := r.historySQL(ctx)
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
	for b, err := range r.store.DB.Blocks(ctx, query, nil) {
		if err != nil {
			return fmt.Errorf("read contacts: %w", err)
		}
		times, channel, class, action := b.Times("at"), b.Strings("channel"), b.Strings("class"), b.Strings("action")
		ignored, answered := b.Bools("ignored"), b.Bools("answered")
		for k, id := range b.Strings("customer_id") {
			i, ok := at.find(id)
			if !ok {
				continue
			}
			for i >= lo+len(batch) {
				next()
			}
			batch[i-lo] = append(batch[i-lo], actions.Contact{At: times[k], Channel: channel[k], Class: actions.Class(class[k]), Action: action[k], Ignored: ignored[k], Answered: answered[k]})
		}
	}
	for lo < len(r.p.Customer) {
		next()
	}
	return nil
}

// historySQL reads the contacts, newest first.
func (r *decideReader) historySQL(ctx context.Context) (string, error) {
	told, err := r.tellsOutcomes(ctx)
	if err != nil {
		return "", err
	}
	columns := []string{"at", "channel", "class", "action", "outcome"}
	if told {
		columns = append(columns, "decision_id")
	}
	from, err := r.store.Versions(ctx, features.Contacts, columns, r.p.Cutoff)
	if err != nil {
		return "", err
	}
	contacts, responded := "SELECT customer_id, at, channel, class, action, lower(outcome) AS came, false AS decided\nFROM "+from, "0"
	if told {
		contacts, responded = r.withOutcomes(from), "(SELECT count() FROM (SELECT 1 FROM outcomes WHERE outcome IN ('accepted', 'rejected', 'ignored') AND ingested_at < "+instantSQL(r.p.Cutoff)+" LIMIT 1))"
	}
	return `SELECT customer_id, at, lower(channel) AS channel, lower(class) AS class, action,
	multiIf(came != '', came = 'ignored', at < ` + instantSQL(r.p.Cutoff.AddDate(0, 0, -outcomelessDays)) + `,
		(SELECT count() FROM (SELECT 1 FROM ` + from + ` WHERE outcome != '' LIMIT 1)) + decided * ` + responded + ` > 0, 0) AS ignored,
	came IN ('accepted', 'rejected', 'converted', 'answered', 'replied', 'reached', 'clicked') AS answered
FROM (` + contacts + `)
WHERE at >= ` + instantSQL(r.p.Cutoff.AddDate(0, 0, -r.engine.Catalogue.HistoryDays())) + `
ORDER BY customer_id, at DESC, channel, class, action, ignored, answered
LIMIT ` + fmt.Sprint(historyKept) + ` BY customer_id`, nil
}

// tellsOutcomes tells whether anything was told of decisions but by contacts, as known at the cutoff.
func (r *decideReader) tellsOutcomes(ctx context.Context) (bool, error) {
	var n uint64
	err := r.store.DB.Conn().QueryRow(ctx, "SELECT count() FROM (SELECT 1 FROM outcomes WHERE source != '"+OutcomeFromContacts+"' AND ingested_at < "+instantSQL(r.p.Cutoff)+" LIMIT 1)").Scan(&n)
	if err != nil {
		return false, fmt.Errorf("look for outcomes: %w", err)
	}
	return n > 0, nil
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
	told := `(SELECT customer_id, decision_id, toString(action) AS done, any(run_id) AS run, min(at) AS first_at,
		argMaxIf(toString(outcome), (at, outcome), outcome != 'shown') AS response
	FROM (SELECT * FROM outcomes WHERE source != '` + OutcomeFromContacts + `' AND ingested_at < ` + cutoff + `
		ORDER BY decision_id, outcome, ingested_at DESC, at DESC, action
		LIMIT 1 BY decision_id, outcome)
	WHERE outcome IN ('shown', 'accepted', 'rejected', 'ignored') AND at < ` + cutoff + `
	GROUP BY customer_id, decision_id, action)`
	return `SELECT customer_id, at, channel, class, action, if(outcome = '', answer, lower(outcome)) AS came, c.decision_id != '' AS decided
FROM ` + from + ` AS c
LEFT ANY JOIN (SELECT decision_id, argMax(response, (first_at, response)) AS answer FROM ` + told + ` WHERE response != '' GROUP BY decision_id) AS t ON t.decision_id = c.decision_id AND c.decision_id != ''
UNION ALL
SELECT customer_id, first_at AS at, channels[indexOf(proposed, done)] AS channel, transform(done, [` + strings.Join(ids, ", ") + `], [` + strings.Join(classes, ", ") + `], '') AS class,
	done AS action, response AS came, true AS decided
FROM ` + told + ` AS t
LEFT ANY JOIN (
	SELECT decision_id, arrayMap(a -> toString(a), actions) AS proposed, arrayMap(c -> toString(c), channels) AS channels
	FROM decisions
	WHERE run_id IN (SELECT run_id FROM outcomes WHERE source != '` + OutcomeFromContacts + `') AND decision_id IN (SELECT decision_id FROM outcomes WHERE source != '` + OutcomeFromContacts + `')
) AS d ON d.decision_id = t.decision_id
WHERE t.decision_id NOT IN (SELECT decision_id FROM ` + from + ` WHERE decision_id != '')`
}
