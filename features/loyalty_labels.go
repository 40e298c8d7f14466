package features

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"
)

// LoyaltyLabels are what became of the eligible customers of a population in [T, T+180 d): whether they repeated, and whether those who did
// promoted. Both are aligned with Population.Eligible: 1, 0, or NaN = missing. The counts are of customers.
type LoyaltyLabels struct {
	// Repeat is, by the setting of the churn specification,
	//   non-contractual: 1 iff a qualifying event lies in the window;
	//   event: 1 iff no leaving event does;
	//   contractual: 1 iff the paid time, joined over gaps ≤ G, reaches T+180 d, and 0 iff it ends in the window for whatever reason. It is
	//   missing for those to whom no renewal falls due: as known at T, a running period is paid until T+180 d or longer.
	Repeat []float64
	// Promotes is known of those who repeat only. Yes is an NPS answer ≥ 9, a referral sent, or a spend in [T, T+180 d) that is no less than
	// that in [T-180 d, T), the latter being above 0. No is a part that could have said yes and did not; without any it is missing. Where the
	// purchases do not go back to T-180 d and the customer's life does, and at cutoffs with an outage, it is missing whatever the other parts
	// say: the part that is not known might have said yes.
	Promotes []float64
	// Sure are those of whom it is settled at T that Promotes will be known if they repeat: referrals were recorded before T, or they spent
	// something in [T-180 d, T). Of the others an answered question alone can tell.
	Sure []bool

	NotDue      int     // contractual: no renewal falls due; Repeat is missing
	LeftBefore  int     // contractual: a correction after T tells that the service had ended before T; missing
	Involuntary int     // contractual: a payment failed; 0 in Repeat
	OutageShare float64 // share of the window that outage days of the churn label's sources cover; above 5 % all is missing
	Asked       int     // of those who repeat: answered an NPS question in the window
	Spent       int     // of those who repeat: spent something in [T-180 d, T), which is all known
	Referrals   bool    // referrals were recorded before T: sending none is a no
}

// Of are the labels of a part.
func (l *LoyaltyLabels) Of(part LoyaltyPart) []float64 {
	if part == PartRepeat {
		return l.Repeat
	}
	return l.Promotes
}

// Both is 1 for those who repeat and promote, 0 for those of whom a part is known to be no, NaN else: the label of the product.
func (l *LoyaltyLabels) Both() []float64 {
	out := make([]float64, len(l.Repeat))
	for i, y := range l.Repeat {
		if out[i] = y; y == 1 {
			out[i] = l.Promotes[i]
		}
	}
	return out
}

// LoyaltyLabels reads loyalty's labels for the eligible customers of p from rows with ingested_at <
// knownBefore; the zero time means all that is held now. It does not look at the watermark: ask LoyaltyCutoffs. A knownBefore before the
// labels are complete is ErrLabelsUnknown.
func (s *Store) LoyaltyLabels(ctx context.Context, c ChurnSpec, p *Population, knownBefore time.Time) (*LoyaltyLabels, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.Loyalty()
	knownBefore, err := c.mature(p.Cutoff, knownBefore)
	if err != nil {
		return nil, fmt.Errorf("loyalty %w", err)
	}
	l := &LoyaltyLabels{Repeat: make([]float64, len(p.eligible)), Promotes: make([]float64, len(p.eligible)), Sure: make([]bool, len(p.eligible))}
	if err = s.repeats(ctx, c, p, knownBefore, l); err == nil {
		err = s.promotes(ctx, c, p, knownBefore, l)
	}
	if err != nil {
		return nil, fmt.Errorf("loyalty labels of %s: %w", p.Cutoff.Format(time.RFC3339), err)
	}
	return l, nil
}

// repeats fills in Repeat and what was counted with it.
func (s *Store) repeats(ctx context.Context, c ChurnSpec, p *Population, knownBefore time.Time, l *LoyaltyLabels) (err error) {
	for i := range l.Repeat {
		l.Repeat[i] = math.NaN()
	}
	if len(p.eligible) == 0 {
		return nil
	}
	from, until := c.labelWindow(p.Cutoff)
	if l.OutageShare, err = s.outageShare(ctx, c.LabelSources(), window{from, until}, knownBefore); err != nil || l.OutageShare > maxOutageShare {
		return err
	}
	held := make([]uint8, len(p.eligible))
	if c.Setting == Contractual {
		if held, err = s.notDue(ctx, p, until); err != nil {
			return err
		}
	}
	fates, err := s.fates(ctx, c, p, knownBefore)
	if err != nil {
		return err
	}
	for i, fate := range fates {
		switch {
		case held[i] != 0:
			l.NotDue++
		case fate == fateStayed:
			l.Repeat[i] = 1
		case fate == fateChurned:
			l.Repeat[i] = 0
		case fate == fateInvoluntary:
			l.Repeat[i] = 0
			l.Involuntary++
		case fate == fateLeftBefore:
			l.LeftBefore++
		}
	}
	return nil
}

// notDue is 1 for the eligible customers with a period that, as known at the cutoff, runs and is paid until an instant or longer. An open
// period falls due at all times: nothing but the customer's will carries it on.
func (s *Store) notDue(ctx context.Context, p *Population, until time.Time) ([]uint8, error) {
	rows, err := s.Versions(ctx, Subscriptions, []string{"ends_at", "ended_at"}, p.Cutoff)
	if err != nil {
		return nil, err
	}
	return s.flags(ctx, p, "held", "SELECT toUInt8(p.customer_id IN (\nSELECT customer_id\nFROM "+rows+"\nWHERE isNull(ended_at) AND ifNull(ends_at >= "+quoteInstant(until)+
		", 0)\n)) AS held\nFROM "+quoteName(p.Table)+" AS p\nORDER BY p.customer_id")
}

// flags reads one UInt8 column of a query that has a row for each eligible customer, in their order.
func (s *Store) flags(ctx context.Context, p *Population, column, query string) ([]uint8, error) {
	out := make([]uint8, 0, len(p.eligible))
	for b, err := range s.DB.Blocks(ctx, query, nil) {
		if err != nil {
			return nil, err
		}
		out = append(out, b.UInt8s(column)...)
	}
	if len(out) != len(p.eligible) {
		return nil, fmt.Errorf("%d rows of %s came back for %d eligible customers", len(out), column, len(p.eligible))
	}
	return out, nil
}

// What the parts say of a customer, as the SQL numbers it: the greatest of what they say is the label.
const (
	saysNothing = iota
	saysNo
	saysYes
	saysUnknown // it cannot be known at this cutoff
)

// promotes fills in Promotes for those who repeat.
func (s *Store) promotes(ctx context.Context, c ChurnSpec, p *Population, knownBefore time.Time, l *LoyaltyLabels) error {
	for i := range l.Promotes {
		l.Promotes[i] = math.NaN()
	}
	if len(p.eligible) == 0 || l.OutageShare > maxOutageShare {
		return nil
	}
	parts, outage, err := s.promotingSQL(ctx, c, p, knownBefore)
	if err != nil || outage {
		return err
	}
	says := make(map[string][]uint8, len(parts))
	for source, query := range parts {
		if says[source], err = s.flags(ctx, p, "says", query); err != nil {
			return err
		}
	}
	_, l.Referrals = parts[Touchpoints]
	for i, y := range l.Repeat {
		spend := says[Purchases]
		l.Sure[i] = (l.Referrals || spend != nil && spend[i] != saysNothing) && (spend == nil || spend[i] != saysUnknown)
		if y != 1 {
			continue
		}
		word := uint8(saysNothing)
		for source, of := range says {
			word = max(word, of[i])
			switch {
			case of[i] == saysNothing || of[i] == saysUnknown:
			case source == Surveys:
				l.Asked++
			case source == Purchases:
				l.Spent++
			}
		}
		switch word {
		case saysYes:
			l.Promotes[i] = 1
		case saysNo:
			l.Promotes[i] = 0
		}
	}
	return nil
}

// promotingSQL are the statements of the sources that can tell who promotes at this cutoff: one row (says) for each eligible customer, in
// their order. outage says that the window of one holds more than 5 % outage days.
func (s *Store) promotingSQL(ctx context.Context, c ChurnSpec, p *Population, knownBefore time.Time) (out map[string]string, outage bool, err error) {
	from, until := c.labelWindow(p.Cutoff)
	before := from.Add(-LoyaltyDays * day)
	out = make(map[string]string)
	for _, promoting := range promotings {
		first, ok, err := s.firstPromoting(ctx, promoting, knownBefore)
		if err != nil {
			return nil, false, err
		}
		if !ok || promoting.source == Touchpoints && !first.Before(from) {
			continue // nobody knows whether referrals were recorded
		}
		w := window{from, until}
		if promoting.source == Purchases {
			w.from = before
		}
		switch share, err := s.outageShare(ctx, []string{promoting.source}, w, knownBefore); {
		case err != nil:
			return nil, false, err
		case share > maxOutageShare:
			return nil, true, nil
		}
		switch promoting.source {
		case Purchases:
			out[Purchases], err = s.spendSQL(ctx, p, w, knownBefore)
		case Surveys:
			out[Surveys], err = s.saysSQL(ctx, promoting, p, w, knownBefore,
				fmt.Sprintf("toUInt8(if(max(score) >= %d, %d, %d))", npsPromoter, saysYes, saysNo), saysNothing)
		default:
			out[Touchpoints], err = s.saysSQL(ctx, promoting, p, w, knownBefore, fmt.Sprintf("toUInt8(%d)", saysYes), saysNo)
		}
		if err != nil {
			return nil, false, err
		}
	}
	return out, false, nil
}

// saysSQL asks the rows of a source in the window: of a customer with a row that tells, and of one without.
func (s *Store) saysSQL(ctx context.Context, promoting promoting, p *Population, w window, knownBefore time.Time, with string, without int) (string, error) {
	rows, err := s.rows(ctx, read{Source: promoting.source, Columns: promoting.columns(), From: w.from, Cutoff: knownBefore})
	if err != nil {
		return "", err
	}
	fill := strings.NewReplacer("{with}", with, "{without}", fmt.Sprint(without), "{eligible}", quoteName(p.Table), "{rows}", rows,
		"{what}", promoting.what, "{window}", w.sql())
	return fill.Replace(`SELECT if(l.told = 1, l.says, toUInt8({without})) AS says
FROM {eligible} AS p
LEFT JOIN (
SELECT customer_id, {with} AS says, toUInt8(1) AS told
FROM {rows}
WHERE {what} AND {window}
GROUP BY customer_id
) AS l ON l.customer_id = p.customer_id
ORDER BY p.customer_id
SETTINGS join_use_nulls = 0`), nil
}

// spendSQL compares the amounts paid in both halves of the window around the cutoff, purchases known to be returned left out. What a customer
// spent before T is known only if the purchases go back so far, or to before the customer's life (metrics.md §1).
func (s *Store) spendSQL(ctx context.Context, p *Population, w window, knownBefore time.Time) (string, error) {
	source, _ := sourceNamed(Purchases)
	first, _, err := s.firstRow(ctx, source, knownBefore)
	if err != nil {
		return "", err
	}
	rows, err := s.rows(ctx, read{Source: Purchases, Columns: []string{"at", "amount", "returned"}, From: w.from, Cutoff: knownBefore})
	if err != nil {
		return "", err
	}
	whole := "1"
	if milliseconds(w.from) < first {
		older, err := s.olderSQL(ctx, p, first)
		if err != nil {
			return "", err
		}
		whole = "p.customer_id NOT IN (" + older + ")"
	}
	fill := strings.NewReplacer("{nothing}", fmt.Sprint(saysNothing), "{no}", fmt.Sprint(saysNo), "{yes}", fmt.Sprint(saysYes), "{unknown}", fmt.Sprint(saysUnknown), "{whole}", "("+whole+")",
		"{cutoff}", quoteInstant(p.Cutoff), "{eligible}", quoteName(p.Table), "{rows}", rows, "{window}", w.sql())
	return fill.Replace(`SELECT toUInt8(multiIf(NOT {whole}, {unknown}, l.before <= 0, {nothing}, l.after >= l.before, {yes}, {no})) AS says
FROM {eligible} AS p
LEFT JOIN (
SELECT
customer_id,
sumIf(ifNull(amount, 0), at < {cutoff}) AS before,
sumIf(ifNull(amount, 0), at >= {cutoff}) AS after
FROM {rows}
WHERE {window} AND NOT ifNull(returned, false)
GROUP BY customer_id
) AS l ON l.customer_id = p.customer_id
ORDER BY p.customer_id
SETTINGS join_use_nulls = 0`), nil
}

// olderSQL selects the customers whose life began before an instant, in ms: by created_at, else the first row of any source, as known at the
// population's cutoff.
func (s *Store) olderSQL(ctx context.Context, p *Population, instant int64) (string, error) {
	customers, err := s.Versions(ctx, Customers, []string{"created_at"}, p.Cutoff)
	if err != nil {
		return "", err
	}
	lives := []string{"SELECT customer_id, toUnixTimestamp64Milli(created_at) AS created_ms, CAST(NULL, 'Nullable(Int64)') AS row_ms\nFROM " + customers + "\nWHERE isNotNull(created_at)"}
	for _, source := range eventSources() {
		rows, err := s.Versions(ctx, source, []string{"at"}, p.Cutoff)
		if err != nil {
			return "", err
		}
		lives = append(lives, fmt.Sprintf("SELECT customer_id, CAST(NULL, 'Nullable(Int64)') AS created_ms, toNullable(toUnixTimestamp64Milli(at)) AS row_ms\nFROM %s\nWHERE toUnixTimestamp64Milli(at) < %d", rows, instant))
	}
	return fmt.Sprintf("\nSELECT customer_id\nFROM (\n%s\n)\nGROUP BY customer_id\nHAVING ifNull(coalesce(max(created_ms), min(row_ms)) < %d, 0)\n",
		strings.Join(lives, "\nUNION ALL\n"), instant), nil
}
