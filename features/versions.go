package features

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// read asks for the rows of a source as they were known at a cutoff.
type read struct {
	Source  string
	Columns []string  // canonical names, or "at", or clock columns; customer_id always comes
	Cutoff  time.Time // only rows with at < Cutoff and ingested_at < Cutoff
	From    time.Time // only rows with at ≥ From; zero = all of history
	Keys    keyRange  // only these customers
}

// keyRange is the half-open range [Low, High) of customer_id by bytes; "" leaves a side open. Only narrows it to these ids; nil = all.
type keyRange struct {
	Low, High string
	Only      []string
}

// where is the range as conditions on column, each beginning with " AND ".
func (k keyRange) where(column string) string {
	var s string
	if k.Low != "" {
		s += " AND " + column + " >= " + QuoteText(k.Low)
	}
	if k.High != "" {
		s += " AND " + column + " < " + QuoteText(k.High)
	}
	if k.Only != nil {
		s += " AND " + column + " IN ([" + quoteTexts(k.Only) + "]::Array(String))"
	}
	return s
}

// Versions yields the FROM-expression, in parentheses, of all rows of a source as known at cutoff: at < cutoff and ingested_at <
// cutoff, each identity in the version that held then (the greatest ingested_at, imported_at, at, row_hash), customers once each,
// and columns that are filled in later hidden until their own instant (metrics.md §1). Columns are canonical names; "at" is the
// source's time under every source; customer_id always comes.
func (s *Store) Versions(ctx context.Context, source string, columns []string, cutoff time.Time) (string, error) {
	return s.rows(ctx, read{Source: source, Columns: columns, Cutoff: cutoff})
}

// VersionsOf is Versions for these customers only. Their ids stand in every inner read, so that the table's order by customer_id
// finds them; a condition around Versions would not reach below its LIMIT BY.
func (s *Store) VersionsOf(ctx context.Context, source string, columns []string, cutoff time.Time, customers ...string) (string, error) {
	keys := keyRange{Only: append([]string{}, customers...)}
	return s.rows(ctx, read{Source: source, Columns: columns, Cutoff: cutoff, Keys: keys})
}

func (s *Store) rows(ctx context.Context, r read) (string, error) {
	l, err := s.locate(ctx, r.Source)
	if err != nil {
		return "", err
	}
	return l.rowsSQL(r)
}

// located is a source as the warehouse holds it now.
type located struct {
	source
	bound     bound
	corrected bool // some event has more than one version
}

// locate asks the warehouse what a source's statements must know of it.
func (s *Store) locate(ctx context.Context, name string) (l located, err error) {
	src, ok := sourceNamed(name)
	if !ok {
		return l, fmt.Errorf("read source %q: there are %s", name, strings.Join(sourceNames(), ", "))
	}
	return recall(s.memory, func(m *remembered) map[string]located { return m.located }, name, func() (located, error) {
		l := located{source: src}
		if s.Sources[name].Table == "" && name != Customers {
			if l.corrected, err = s.corrected(ctx, name); err != nil {
				return l, err
			}
		}
		l.bound, err = s.bind(ctx, src)
		return l, err
	})
}

// corrected tells whether any event of the source has more than one version.
func (s *Store) corrected(ctx context.Context, source string) (bool, error) {
	var n uint64
	if err := s.DB.Conn().QueryRow(ctx, "SELECT count() FROM (SELECT 1 FROM "+quoteName(source+"_fixes")+" LIMIT 1)").Scan(&n); err != nil {
		return false, fmt.Errorf("look for corrections of %s: %w", source, err)
	}
	return n > 0, nil
}

// rowsSQL is the FROM-expression of a read, in parentheses.
func (l located) rowsSQL(r read) (string, error) {
	src, b := l.source, l.bound
	columns := []string{"customer_id"}
	for _, c := range r.Columns {
		if _, ok := src.column(c); !ok && !slices.Contains(clockColumns, c) {
			return "", fmt.Errorf("read source %s: no column %q; there are %s", src.Name, c, strings.Join(src.columnNames(), ", "))
		}
		if !slices.Contains(columns, c) {
			columns = append(columns, c)
		}
	}
	selected := make([]string, len(columns))
	for i, c := range columns {
		selected[i] = knownExpr(src, b.Binding, c, r.Cutoff) + " AS " + quoteName(c)
	}
	list, t := strings.Join(selected, ", "), quoteInstant(r.Cutoff)
	keys := r.Keys.where("r.customer_id")
	at := "r." + quoteName(src.Time)
	happened := at + " < " + t
	if !r.From.IsZero() {
		happened += " AND " + at + " >= " + quoteInstant(r.From)
	}
	const newestFirst = "r.ingested_at DESC, r.imported_at DESC, %s DESC, r.row_hash DESC"
	newest := fmt.Sprintf(newestFirst, at)
	if src.Name == Customers {
		// A customer without created_at has no instant of its own: knowledge time alone bounds the row.
		return "(SELECT " + list + " FROM (SELECT * FROM " + tableSQL(src, b) + " AS r WHERE r.ingested_at < " + t + keys +
			" ORDER BY r.customer_id, " + newest + " LIMIT 1 BY r.customer_id) AS r WHERE " +
			strings.ReplaceAll("(isNull(@) OR "+happened+")", "@", at) + ")", nil
	}
	if b.Table != "" && !b.Unique && src.repeats() && b.identified(src) {
		// The lines of one load that share an identity all count, equal ones once; a later load corrects them.
		inner := "SELECT * FROM " + tableSQL(src, b) + " AS r WHERE r.ingested_at < " + t + keys
		if b.has("ingested_at") {
			inner += " AND (r." + quoteName(src.Identity[0]) + " = '' OR (r.customer_id, r.event_hash, r.ingested_at) IN (SELECT r.customer_id, r.event_hash, max(r.ingested_at) FROM " +
				tableSQL(src, b) + " AS r WHERE r.ingested_at < " + t + keys + " GROUP BY r.customer_id, r.event_hash))"
		}
		return "(SELECT " + list + " FROM (" + inner + " ORDER BY r.customer_id, r.event_hash, r.row_hash LIMIT 1 BY r.customer_id, if(r." + quoteName(src.Identity[0]) +
			" = '', r.row_number + 1, 0), r.event_hash, r.row_hash) AS r WHERE " + happened + ")", nil
	}
	if b.Table != "" && !b.Unique && !src.repeats() && b.identified(src) {
		return "(SELECT " + list + " FROM (SELECT * FROM " + tableSQL(src, b) + " AS r WHERE r.ingested_at < " + t + keys +
			" ORDER BY r.customer_id, r.event_hash, " + newest +
			" LIMIT 1 BY r.customer_id, if(r." + quoteName(src.Identity[0]) + " = '', r.row_number + 1, 0), r.event_hash) AS r WHERE " + happened + ")", nil
	}
	base := "SELECT " + list + " FROM " + tableSQL(src, b) + " AS r WHERE " + happened + " AND r.ingested_at < " + t + keys
	if !l.corrected {
		return "(" + base + ")", nil
	}
	// The first version of a corrected event stands in the base table too: all its versions are read from the fixes instead. The hash of an
	// event covers its customer; looking for both in the set cost more than the rest of a scan.
	fixes := quoteName(src.Name + "_fixes")
	return "(" + base + " AND r.event_hash NOT IN (SELECT r.event_hash FROM " + fixes + " AS r WHERE 1" + keys + ")" +
		" UNION ALL SELECT " + list + " FROM (SELECT * FROM " + fixes + " AS r WHERE r.ingested_at < " + t + keys +
		" ORDER BY r.customer_id, r.event_hash, " + newest + " LIMIT 1 BY r.customer_id, r.event_hash) AS r WHERE " + happened + ")", nil
}

// knownExpr is a canonical column as it was known at the cutoff, over a row named r.
func knownExpr(src source, b Binding, column string, cutoff time.Time) string {
	r := func(c string) string { return "r." + quoteName(c) }
	before := func(c string) string { return r(c) + " < " + quoteInstant(cutoff) }
	if column == "at" {
		return r(src.Time)
	}
	if b.static(column) {
		return r(column)
	}
	switch src.Name + "." + column {
	case "customers.customer_id", "customers.created_at", "customers.timezone":
	case "customers.opted_out_at", "subscriptions.ended_at", "subscriptions.cancelled_at", "tickets.first_reply_at", "tickets.resolved_at", "contacts.outcome_at":
		return "if(" + before(column) + ", " + r(column) + ", NULL)"
	case "tickets.reopened", "tickets.escalated", "tickets.self_served", "tickets.satisfaction":
		return "if(" + before("resolved_at") + ", " + r(column) + ", NULL)"
	case "tickets.reply_channel":
		return "if(ifNull(" + before("first_reply_at") + ", false), toString(" + r(column) + "), '')"
	case "contacts.outcome":
		return "if(ifNull(" + before("outcome_at") + ", false), toString(" + r(column) + "), '')"
	case "subscriptions.end_reason":
		// The reason is told with the cancellation, or with the end where nobody cancelled (a failed payment).
		return "if(ifNull(if(isNull(r.cancelled_at), " + before("ended_at") + ", " + before("cancelled_at") + "), false), toString(" + r(column) + "), '')"
	case "subscriptions.ends_at":
		// An end written down afterwards must not be seen: what was known then is that the period is paid to its next billing
		// date. An end that has passed is a fact.
		days := "greatest(toInt64(r.billing_days), 1)" // the divisor is evaluated for rows without billing_days too
		next := "r.started_at + toIntervalDay(" + days + " * (intDiv(dateDiff('millisecond', r.started_at, " +
			quoteInstant(cutoff) + "), " + days + " * 86400000) + 1))"
		return "if(r.ingested_mapped OR ifNull(r.billing_days, 0) = 0 OR ifNull(" + before(column) + ", false), " + r(column) + ", " + next + ")"
	case "purchases.returned":
		return "if(r.ingested_mapped, " + r(column) + ", NULL)"
	case "customers.attributes":
		keys := []string{}
		for _, s := range b.Static {
			if _, ok := src.column(s); !ok {
				keys = append(keys, s)
			}
		}
		return "mapFilter((k, v) -> r.ingested_mapped OR has([" + quoteTexts(keys) + "]::Array(String), k), " + r(column) + ")"
	case "customers.consent":
		return "mapFilter((k, v) -> r.ingested_mapped, " + r(column) + ")"
	case "customers.birth_year":
		return "if(r.ingested_mapped, " + r(column) + ", NULL)"
	case "customers.lead_source", "customers.segment", "customers.region", "customers.plan", "customers.owner":
		return "if(r.ingested_mapped, toString(" + r(column) + "), '')"
	}
	return r(column)
}
