package pipelines

import (
	"math"
	"strings"
	"time"

	"retain/features"
	"retain/internal/warehouse"
)

// timelineSource says how the rows of a source become events. The statement reads @from and yields, beside the details, moment
// (the instant), event (the kind) and key (orders events of one instant: smaller is newer, so an answer stands above its question).
type timelineSource struct {
	name      string
	columns   []string // canonical ones that the statement reads
	statement string

	texts, lists, numbers, instants, flags []string // details in the statement's columns, by type; lists are joined by \x1f
}

// timelineSources are all sources, in the order in which events of one instant are told.
var timelineSources = []timelineSource{
	{
		// answered | invited
		name: features.Surveys, columns: []string{"at", "kind", "score", "channel", "comment", "event_hash"},
		statement: `SELECT at AS moment, if(isNull(score), 'invited', 'answered') AS event, event_hash AS key,
			toString(kind) AS kind, toFloat64(score) AS score, toString(channel) AS channel, leftUTF8(comment, 2000) AS comment FROM @from`,
		texts: []string{"kind", "channel", "comment"}, numbers: []string{"score"},
	},
	{
		// opened | replied | resolved
		name: features.Tickets,
		columns: []string{"at", "ticket_id", "channel", "reply_channel", "topic", "priority", "first_reply_at", "resolved_at", "reopened", "escalated",
			"self_served", "satisfaction", "event_hash"},
		statement: `SELECT assumeNotNull(e.2) AS moment, e.1 AS event, bitOr(bitShiftLeft(toUInt64(e.3), 56), bitShiftRight(event_hash, 8)) AS key,
				ticket_id, topic, toString(priority) AS priority, if(event = 'replied' AND reply_channel != '', reply_channel, channel) AS channel,
				if(event = 'opened', NULL, at) AS opened_at, if(event = 'resolved', first_reply_at, NULL) AS first_reply_at,
				if(event = 'resolved', toFloat64(satisfaction), NULL) AS satisfaction, if(event = 'resolved', toFloat64(reopened), NULL) AS reopened,
				if(event = 'resolved', escalated, NULL) AS escalated, if(event = 'resolved', self_served, NULL) AS self_served
			FROM (SELECT *, arrayJoin([('opened', toNullable(at), 2), ('replied', first_reply_at, 1), ('resolved', resolved_at, 0)]) AS e FROM @from)
			WHERE isNotNull(e.2)`,
		texts: []string{"ticket_id", "topic", "priority", "channel"}, numbers: []string{"satisfaction", "reopened"},
		instants: []string{"opened_at", "first_reply_at"}, flags: []string{"escalated", "self_served"},
	},
	{
		// started | renewed | changed | returned | cancelled | ended | expired: paid until then, and no word of an end or a renewal
		name: features.Subscriptions,
		columns: []string{"at", "subscription_id", "ends_at", "ended_at", "cancelled_at", "end_reason", "plan", "mrr", "seats", "billing_days", "auto_renew",
			"event_hash"},
		statement: `SELECT assumeNotNull(e.2) AS moment, e.1 AS event, bitOr(bitShiftLeft(toUInt64(e.3), 56), bitShiftRight(event_hash, 8)) AS key,
				subscription_id, plan, toFloat64(mrr) AS mrr, toFloat64(seats) AS seats, toFloat64(billing_days) AS billing_days, auto_renew,
				if(event IN ('started', 'renewed', 'changed', 'returned'), ends_at, NULL) AS ends_at,
				if(event IN ('cancelled', 'ended'), end_reason, '') AS end_reason,
				if(event = 'changed', plan_before, '') AS plan_before, if(event = 'changed', toFloat64(mrr_before), NULL) AS mrr_before,
				if(event = 'changed', toFloat64(seats_before), NULL) AS seats_before
			FROM (
				SELECT *, dateDiff('second', until_before, at) AS idle, dateDiff('second', ifNull(ended_at, ends_at), if(last, NULL, next_at)) AS pause,
					number > 1 AND (plan != plan_before AND plan_before != '' OR ifNull(mrr != mrr_before, false) OR ifNull(seats != seats_before, false)) AS changed,
					arrayJoin([
						(multiIf(number = 1, 'started', ifNull(idle > @grace, false), 'returned', changed, 'changed', 'renewed'), toNullable(at), 2),
						('cancelled', cancelled_at, 1),
						('ended', if(isNull(pause) OR pause > 86400, ended_at, NULL), 0),
						('expired', if(isNull(ended_at) AND (isNull(pause) OR pause > @grace), ends_at, NULL), 0)]) AS e
				FROM (
					SELECT *, row_number() OVER periods AS number, number = count() OVER (PARTITION BY subscription_id) AS last,
						lagInFrame(plan) OVER periods AS plan_before, lagInFrame(mrr) OVER periods AS mrr_before, lagInFrame(seats) OVER periods AS seats_before,
						lagInFrame(ifNull(ended_at, ends_at)) OVER periods AS until_before, leadInFrame(at) OVER periods AS next_at
					FROM @from
					WINDOW periods AS (PARTITION BY subscription_id ORDER BY at, event_hash ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)))
			WHERE isNotNull(e.2)`,
		texts: []string{"subscription_id", "plan", "plan_before", "end_reason"}, numbers: []string{"mrr", "mrr_before", "seats", "seats_before", "billing_days"},
		instants: []string{"ends_at"}, flags: []string{"auto_renew"},
	},
	{
		// purchased: the rows of one order and instant together
		name: features.Purchases,
		columns: []string{"at", "order_id", "product", "category", "quantity", "amount", "discount", "currency", "channel", "returned",
			"event_hash"},
		statement: `SELECT r.at AS moment, 'purchased' AS event, min(r.event_hash) AS key, any(r.order_id) AS order_id, toFloat64(count()) AS rows,
				arrayStringConcat(arraySlice(arraySort(groupUniqArrayIf(leftUTF8(r.product, 200), r.product != '')), 1, 20), '\x1f') AS products,
				arrayStringConcat(arraySlice(arraySort(groupUniqArrayIf(toString(r.category), r.category != '')), 1, 20), '\x1f') AS categories,
				toFloat64(sum(r.quantity)) AS quantity, toFloat64(sum(r.amount)) AS amount, toFloat64(sum(r.discount)) AS discount,
				max(toString(r.currency)) AS currency, max(toString(r.channel)) AS channel, max(r.returned) AS returned
			FROM @from AS r GROUP BY r.at, if(r.order_id = '', r.event_hash, cityHash64(r.order_id))`,
		texts: []string{"order_id", "currency", "channel"}, lists: []string{"products", "categories"}, numbers: []string{"rows", "quantity", "amount", "discount"},
		flags: []string{"returned"},
	},
	{
		// contacted, with its outcome where that is known
		name:    features.Contacts,
		columns: []string{"at", "contact_id", "channel", "class", "action", "campaign", "decision_id", "outcome", "outcome_at", "event_hash"},
		statement: `SELECT at AS moment, 'contacted' AS event, event_hash AS key, contact_id, decision_id, toString(r.channel) AS channel, toString(r.class) AS class,
			toString(r.action) AS action, toString(r.campaign) AS campaign, if(ifNull(r.outcome_at < {cutoff:DateTime64(3, 'UTC')}, false), toString(r.outcome), '') AS outcome,
			if(r.outcome_at < {cutoff:DateTime64(3, 'UTC')}, r.outcome_at, NULL) AS outcome_at FROM @from AS r`,
		texts: []string{"contact_id", "decision_id", "channel", "class", "action", "campaign", "outcome"}, instants: []string{"outcome_at"},
	},
	{
		// touched: equal touchpoints of a day together
		name: features.Touchpoints, columns: []string{"at", "kind", "channel", "lead_source", "campaign", "value"},
		statement: `SELECT max(r.at) AS moment, 'touched' AS event, cityHash64(r.kind, r.channel, r.lead_source, r.campaign) AS key, toString(r.kind) AS kind,
				toString(r.channel) AS channel, toString(r.lead_source) AS lead_source, toString(r.campaign) AS campaign,
				toFloat64(count()) AS rows, toFloat64(sum(r.value)) AS value
			FROM @from AS r GROUP BY toStartOfDay(r.at, 'UTC'), r.kind, r.channel, r.lead_source, r.campaign`,
		texts: []string{"kind", "channel", "lead_source", "campaign"}, numbers: []string{"rows", "value"},
	},
	{
		// used: the usage of a day, or of a week from Monday
		name: features.Usage, columns: []string{"at", "user_id", "feature", "duration_s", "errors"},
		statement: `SELECT max(at) AS moment, 'used' AS event, toUInt64(toUnixTimestamp64Milli(any(start))) AS key, any(start) AS since, '@unit' AS period, toFloat64(count()) AS uses,
				toFloat64(uniqExact(toStartOfDay(at, 'UTC'))) AS days, toFloat64(sum(duration_s)) AS duration_s, toFloat64(nullIf(uniqExactIf(feature, feature != ''), 0)) AS features,
				toFloat64(nullIf(uniqExactIf(user_id, user_id != ''), 0)) AS users, toFloat64(sum(errors)) AS errors,
				if(ifNull(features <= 3, false), arrayStringConcat(arraySort(groupUniqArrayIf(3)(toString(feature), feature != '')), '\x1f'), '') AS feature_names
			FROM (SELECT *, @period AS start FROM @from) GROUP BY start`,
		texts: []string{"period"}, lists: []string{"feature_names"}, numbers: []string{"uses", "days", "duration_s", "features", "users", "errors"}, instants: []string{"since"},
	},
	{
		// created | opted_out
		name: features.Customers, columns: []string{"created_at", "lead_source", "segment", "region", "plan", "opted_out_at"},
		statement: `SELECT assumeNotNull(e.2) AS moment, e.1 AS event, toUInt64(e.3) AS key, if(event = 'created', toString(lead_source), '') AS lead_source,
				if(event = 'created', toString(segment), '') AS segment, if(event = 'created', toString(region), '') AS region
			FROM (SELECT *, arrayJoin([('created', created_at, 1), ('opted_out', opted_out_at, 0)]) AS e FROM @from) WHERE isNotNull(e.2)`,
		texts: []string{"lead_source", "segment", "region"},
	},
}

// lapse is how long after a paid period's end its successor may start and still be called a renewal: the default grace of
// contractual churn, as payments come late.
const lapse = 30 * 24 * time.Hour

// maxDetail bounds a text in bytes; a topic or campaign that is longer is a mistake upstream.
const maxDetail = 8192

// details reads the details of every row of a block.
func (s timelineSource) details(b *warehouse.Block) []map[string]any {
	rows := make([]map[string]any, b.Rows())
	for i := range rows {
		rows[i] = map[string]any{}
	}
	for _, c := range s.texts {
		for i, v := range b.Strings(c) {
			if v != "" {
				rows[i][c] = clip(v)
			}
		}
	}
	for _, c := range s.lists {
		for i, v := range b.Strings(c) {
			if v != "" {
				rows[i][c] = strings.Split(clip(v), "\x1f")
			}
		}
	}
	for _, c := range s.numbers {
		for i, v := range b.Float64s(c) {
			if !math.IsNaN(v) {
				rows[i][c] = v
			}
		}
	}
	for _, c := range s.instants {
		for i, v := range b.Times(c) {
			if !v.IsZero() {
				rows[i][c] = v
			}
		}
	}
	for _, c := range s.flags {
		nulls := b.Nulls(c)
		for i, v := range b.Bools(c) {
			if nulls == nil || !nulls[i] {
				rows[i][c] = v
			}
		}
	}
	return rows
}

// clip cuts a text that is too long for a line of a page, and what is no UTF-8 out of it.
func clip(text string) string {
	if len(text) > maxDetail {
		text = text[:maxDetail] + "…"
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
