package features

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// A renewal-relative grid asks of each customer once per renewal, about as long before it each time (snapshots.every: renewal). Its cutoffs are the
// Mondays; the rows of one are the eligible customers whose paid time, as known at it, ends in [T + renewalLeadDays, T + renewalLeadDays + 7 d). Every
// known end lies in exactly one of these weeks. Days would hit the lead exactly and cost seven times the statements.
const (
	everyRenewal    = "renewal"
	renewalLeadDays = 14 // short enough for monthly billing: a period must have begun by then
	renewalSpanDays = 7
)

// Renewal reports that only the customers due for renewal are rows of the grid's cutoffs.
func (g Grid) Renewal() bool { return g.Every == everyRenewal }

// fits says why the grid cannot serve a definition; nil if it can.
func (g Grid) fits(c ChurnSpec) error {
	switch {
	case !g.Renewal():
		return nil
	case c.Setting != Contractual:
		return fmt.Errorf("snapshots.every: renewal needs churn.setting: contractual, as only paid periods are renewed; it is %s, so use week or month", c.Setting)
	case c.GapDays > renewalLeadDays:
		return fmt.Errorf("snapshots.every: renewal takes rows from %d days before the renewal on, and churn.gap_days: %d leaves it out of the label; at most %d", renewalLeadDays, c.GapDays, renewalLeadDays)
	case c.GapDays+c.HorizonDays < renewalLeadDays+renewalSpanDays:
		return fmt.Errorf("snapshots.every: renewal takes rows up to %d days before the renewal, and the label ends %d days after the cutoff; set churn.horizon_days to at least %d",
			renewalLeadDays+renewalSpanDays, c.GapDays+c.HorizonDays, renewalLeadDays+renewalSpanDays-c.GapDays)
	}
	return nil
}

// Rows is the population that the grid's rows at a cutoff come from: that of Store.Population, whose eligible customers a renewal grid narrows to
// those who are due. Close it.
func (g Grid) Rows(ctx context.Context, s *Store, c ChurnSpec, cutoff time.Time) (*Population, error) {
	p, err := s.Population(ctx, c, cutoff)
	if err != nil || !g.Renewal() {
		return p, err
	}
	if err := p.keepDue(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("who is due for renewal after %s: %w", cutoff.UTC().Format(time.RFC3339), err), p.Close(ctx))
	}
	return p, nil
}

// keepDue narrows the eligible customers to those who are due. What counts as the end is what features see of it: known at the cutoff, and the next
// billing date where ends_at may have been written down afterwards.
func (p *Population) keepDue(ctx context.Context) (err error) {
	s := p.store
	rows, err := s.Versions(ctx, Subscriptions, []string{"started_at", "ends_at", "ended_at"}, p.Cutoff)
	if err != nil {
		return err
	}
	from := p.Cutoff.Add(renewalLeadDays * day)
	due := "SELECT customer_id\nFROM (SELECT customer_id, max(toUnixTimestamp64Milli(coalesce(ended_at, ends_at))) AS paid_ms, max(isNull(ended_at) AND isNull(ends_at)) AS open\nFROM " + rows +
		"\nGROUP BY customer_id)\nWHERE NOT open AND paid_ms >= " + strconv.FormatInt(milliseconds(from), 10) +
		" AND paid_ms < " + strconv.FormatInt(milliseconds(from.Add(renewalSpanDays*day)), 10)
	eligible := p.Table
	if p.Table, err = s.createScratch(ctx, "due", "customer_id String, "+lifeTypes()); err != nil {
		p.Table = eligible
		return err
	}
	defer func() { err = errors.Join(err, s.dropScratch(ctx, eligible)) }()
	if err := s.DB.Conn().Exec(ctx, "INSERT INTO "+quoteName(p.Table)+"\nSELECT *\nFROM "+quoteName(eligible)+"\nWHERE customer_id IN (\n"+due+"\n)"); err != nil {
		return err
	}
	p.eligible = nil
	for b, err := range s.DB.Blocks(ctx, "SELECT customer_id\nFROM "+quoteName(p.Table)+"\nORDER BY customer_id", nil) {
		if err != nil {
			return err
		}
		p.eligible = append(p.eligible, b.Strings("customer_id")...)
	}
	return nil
}
