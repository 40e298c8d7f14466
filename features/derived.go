package features

import "slices"

// derivedColumn is a column that a source can be read by beside its own: an expression over a row and the cutoff.
type derivedColumn struct {
	Source, Name string
	Type         valueType
	SQL          string   // over the source's columns; {T} = the cutoff
	Reads        []string // the canonical columns in it
	Recorded     string   // a boolean that is told from the absence of this column's values: missing where the source holds none at all
}

var derivedColumns = []derivedColumn{
	{Usage, "weekend", boolean, "toDayOfWeek(at) >= 6", []string{"at"}, ""}, // Saturday and Sunday, UTC
	{Purchases, "weekend", boolean, "toDayOfWeek(at) >= 6", []string{"at"}, ""},
	{Purchases, "discounted", boolean, "discount > 0", []string{"discount"}, ""},
	{Subscriptions, "cancelled", boolean, "isNotNull(cancelled_at)", []string{"cancelled_at"}, ""},
	// The share of the list price that is not paid; missing without a list price. The inner if keeps the division from zero in rows that the outer leaves out.
	{Subscriptions, "discount", fixedPoint, "if(ifNull(list_mrr, 0) > 0, " +
		"toDecimal128(1 - toFloat64(mrr) / toFloat64(if(ifNull(list_mrr, 0) > 0, assumeNotNull(list_mrr), 1)), 10), NULL)", []string{"mrr", "list_mrr"}, ""},
	// Whole milliseconds: a Decimal, and so exact in sums.
	{Subscriptions, "ms_to_end", fixedPoint, "toDecimal64(dateDiff('millisecond', {T}, ends_at), 0)", []string{"ends_at"}, ""},
	// The price of one seat; of the whole where no seats are told.
	{Subscriptions, "seat_price", fixedPoint, "toDecimal128(toFloat64(mrr) / if(ifNull(seats, 0) > 0, assumeNotNull(seats), 1), 10)", []string{"mrr", "seats"}, ""},

	{Surveys, "answered", boolean, "isNotNull(score)", []string{"score"}, ""},
	// The classes of Reichheld, The One Number You Need to Grow (2003).
	{Surveys, "nps_class", text, "multiIf(kind != 'nps' OR isNull(score), '', score >= 9, 'promoter', score >= 7, 'passive', 'detractor')", []string{"kind", "score"}, ""},

	{Tickets, "open", boolean, "isNull(resolved_at)", []string{"resolved_at"}, "resolved_at"},
	{Tickets, "reply_ms", fixedPoint, "toDecimal64(if(first_reply_at >= at, dateDiff('millisecond', at, first_reply_at), NULL), 0)", []string{"at", "first_reply_at"}, ""},
	// Late: the customer waited more than 24 hours for a first reply, or, without one, for the end, or waits still. Nobody waits
	// for a reply to what he solved himself; a ticket younger than that without a reply tells nothing yet.
	{Tickets, "late_reply", boolean, "multiIf(ifNull(self_served, false), false, isNotNull(ifNull(first_reply_at, resolved_at)), " +
		"dateDiff('millisecond', at, ifNull(first_reply_at, resolved_at)) > 86400000, dateDiff('millisecond', at, {T}) > 86400000, true, NULL)",
		[]string{"at", "first_reply_at", "resolved_at", "self_served"}, "first_reply_at"},
	// A ticket where all can read it is a complaint, whatever its topic.
	{Tickets, "public", boolean, "if(channel = '', NULL, " + plain("channel") + " IN (" + quoteTexts(publicChannels) + "))", []string{"channel"}, ""},
	{Tickets, "replied_elsewhere", boolean, "if(channel = '' OR reply_channel = '', NULL, " + plain("channel") + " != " + plain("reply_channel") + ")",
		[]string{"channel", "reply_channel"}, ""},

	// Ignored: told so, or no outcome within 7 days; one that is younger tells nothing yet.
	{Contacts, "ignored", boolean, "multiIf(outcome != '', lower(outcome) = 'ignored', dateDiff('millisecond', at, {T}) > 7 * 86400000, true, NULL)",
		[]string{"at", "outcome"}, "outcome"},
}

// publicChannels are the channels of tickets that others than us and the customer can read, written as plain does.
var publicChannels = []string{
	"app_store", "community", "facebook", "forum", "g2", "google_play", "google_reviews", "instagram", "linkedin", "mastodon", "play_store",
	"public", "reddit", "review", "reviews", "social", "social_media", "tiktok", "trustpilot", "twitter", "x", "yelp", "youtube",
}

// plain is a text column in small letters with blanks and hyphens as underscores.
func plain(column string) string {
	return "replaceRegexpAll(lower(trimBoth(" + column + ")), '[ -]+', '_')"
}

func derivedNamed(source, name string) (derivedColumn, bool) {
	i := slices.IndexFunc(derivedColumns, func(d derivedColumn) bool { return d.Source == source && d.Name == name })
	if i < 0 {
		return derivedColumn{}, false
	}
	return derivedColumns[i], true
}

// columnKind is the type of a canonical or derived column.
func columnKind(source, name string) (valueType, bool) {
	if d, ok := derivedNamed(source, name); ok {
		return d.Type, true
	}
	if src, ok := sourceNamed(source); ok && name != "" {
		c, ok := src.column(name)
		return c.Type, ok
	}
	return instant, false
}

func readableColumns(source string) []string {
	src, _ := sourceNamed(source)
	names := src.columnNames()
	for _, d := range derivedColumns {
		if d.Source == source {
			names = append(names, d.Name)
		}
	}
	return names
}
