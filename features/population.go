package features

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Statuses of a customer at a cutoff, and the codes of not_eligible (contract.md §3).
const (
	StatusScored              = "scored"               // alive and eligible
	StatusAlreadyChurned      = "already_churned"      // alive once, not now
	StatusNotEligible         = "not_eligible"         // with a code
	StatusInsufficientHistory = "insufficient_history" // never alive by the rule
	StatusOptedOut            = "opted_out"            // opted_out_at < T, as known at T

	CodeTenure        = "tenure"         // alive, but younger than min_tenure_days
	CodeCancelPending = "cancel_pending" // alive, but every period that covers T is cancelled
	CodeInGrace       = "in_grace"       // the paid period ended at most grace_days ago
)

// standings are the (status, code) pairs as the SQL numbers them.
var standings = []struct{ status, code string }{
	standingScored:        {StatusScored, ""},
	standingChurned:       {StatusAlreadyChurned, ""},
	standingTenure:        {StatusNotEligible, CodeTenure},
	standingCancelPending: {StatusNotEligible, CodeCancelPending},
	standingInGrace:       {StatusNotEligible, CodeInGrace},
	standingNeverAlive:    {StatusInsufficientHistory, ""},
	standingOptedOut:      {StatusOptedOut, ""},
}

const (
	standingScored = iota
	standingChurned
	standingTenure
	standingCancelPending
	standingInGrace
	standingNeverAlive
	standingOptedOut
)

// Population is everyone who exists at a cutoff: the union of ids over the sources with a row before it in both clocks.
// Close it: the customers stand in scratch tables of the warehouse.
type Population struct {
	Cutoff     time.Time
	Customer   []string // n ids, sorted by bytes
	Status     []string // n statuses
	StatusCode []string // n codes, "" where the status has none
	Table      string   // scratch table (customer_id String, …), ordered by it: the customers with status scored

	lives    bool // the table tells lifeColumns too
	store    *Store
	eligible []string
	everyone string // scratch table as Table, of all customers; "" once it is handed over
}

// Everyone is the population with all of its customers in the place of the eligible ones, for features of those whom no model scores: leads,
// and customers who have left. Close it, too.
func (p *Population) Everyone(ctx context.Context) (*Population, error) {
	if p.everyone == "" {
		return p.store.RestoreEligible(ctx, p.Cutoff, p.Customer)
	}
	all := &Population{Cutoff: p.Cutoff, Customer: p.Customer, Status: p.Status, StatusCode: p.StatusCode, Table: p.everyone, lives: p.lives, store: p.store, eligible: p.Customer}
	p.everyone = ""
	return all, nil
}

// Eligible are the customers with status scored, sorted by bytes: the rows of snapshots and labels. Read only.
func (p *Population) Eligible() []string { return p.eligible }

// ByStatus counts the customers of each status; statuses that nobody has are absent.
func (p *Population) ByStatus() map[string]int {
	n := make(map[string]int)
	for _, s := range p.Status {
		n[s]++
	}
	return n
}

// Close drops the scratch tables, also when ctx is cancelled. Calling it again does nothing.
func (p *Population) Close(ctx context.Context) error {
	for _, table := range []*string{&p.Table, &p.everyone} {
		if *table == "" {
			continue
		}
		if err := p.store.dropScratch(ctx, *table); err != nil {
			return err
		}
		*table = ""
	}
	return nil
}

// Population finds everyone who exists at the cutoff and where each stands by the specification, from rows with both clocks
// before the cutoff only.
func (s *Store) Population(ctx context.Context, c ChurnSpec, cutoff time.Time) (p *Population, err error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	cutoff = cutoff.UTC()
	query, err := s.populationSQL(ctx, c, cutoff)
	if err != nil {
		return nil, fmt.Errorf("population at %s: %w", cutoff.Format(time.RFC3339), err)
	}
	p = &Population{Cutoff: cutoff, store: s}
	if err := p.load(ctx, query); err != nil {
		return nil, errors.Join(fmt.Errorf("population at %s: %w", cutoff.Format(time.RFC3339), err), p.Close(ctx))
	}
	return p, nil
}

// load computes the population once into a scratch table, derives the eligible from it and reads everyone.
func (p *Population) load(ctx context.Context, query string) (err error) {
	s := p.store
	if err := s.DropLeftovers(ctx, time.Now().Add(-leftoverAge)); err != nil {
		return err
	}
	names, types := strings.Join(lifeColumns(), ", "), lifeTypes()
	everyone, err := s.createScratch(ctx, "everyone", "customer_id String, standing UInt8, "+types)
	if err != nil {
		return err
	}
	p.everyone = everyone
	if err := s.DB.Conn().Exec(ctx, "INSERT INTO "+quoteName(everyone)+" (customer_id, standing, "+names+")\n"+query); err != nil {
		return err
	}
	if p.Table, err = s.createScratch(ctx, "eligible", "customer_id String, "+types); err != nil {
		return err
	}
	if err := s.DB.Conn().Exec(ctx, "INSERT INTO "+quoteName(p.Table)+" (customer_id, "+names+")\nSELECT customer_id, "+names+"\nFROM "+quoteName(everyone)+
		"\nWHERE standing = "+strconv.Itoa(standingScored)); err != nil {
		return err
	}
	p.lives = true
	for b, err := range s.DB.Blocks(ctx, "SELECT customer_id, standing\nFROM "+quoteName(everyone)+"\nORDER BY customer_id", nil) {
		if err != nil {
			return err
		}
		standing := b.UInt8s("standing")
		for i, id := range b.Strings("customer_id") {
			at := standings[standing[i]]
			p.Customer = append(p.Customer, id)
			p.Status = append(p.Status, at.status)
			p.StatusCode = append(p.StatusCode, at.code)
			if standing[i] == standingScored {
				p.eligible = append(p.eligible, id)
			}
		}
	}
	return nil
}

// factColumns are what sources tell of a customer. All instants are milliseconds since 1970.
var factColumns = []factColumn{
	{"created_ms", latest},      // customers.created_at
	{"opted", flagged},          // opted out before T
	{"first_ms", earliest},      // first row
	{"active_ms", latest},       // non_contractual: last activity
	{"left_ms", latest},         // event: last leaving
	{"joined_ms", latest},       // event: last start
	{"paid_ms", latest},         // contractual: the last end of a period that started before T
	{"renewing", flagged},       // contractual: some period that covers T is not cancelled
	{lastColumn(Usage), latest}, // and lastSources
	{lastColumn(Purchases), latest},
	{lastColumn(Touchpoints), latest},
}

type factColumn struct {
	name string
	kind factKind
}

// factKind says how the facts of several sources become one.
type factKind struct{ merge, silent string }

// Sources that are silent give a number beyond every instant: plain numbers merge in a third of the time of nullable ones.
var (
	latest   = factKind{"max", "toInt64(-9000000000000000000)"}
	earliest = factKind{"min", "toInt64(9000000000000000000)"}
	flagged  = factKind{"max", "toUInt8(0)"}
)

// merged is the fact over the union of the sources: NULL (0 for a flag) when all are silent.
func (f factColumn) merged() string {
	if f.kind == flagged {
		return f.kind.merge + "(u." + f.name + ") AS " + f.name
	}
	return "nullIf(" + f.kind.merge + "(u." + f.name + "), " + f.kind.silent + ") AS " + f.name
}

// lifeColumns are what the population, which reads every source anyway, keeps for the features: when life began (created_at, else the
// first row of any source) and the last row of lastSources, in ms, NULL without any.
func lifeColumns() []string {
	columns := []string{"born_ms"}
	for _, source := range lastSources {
		columns = append(columns, lastColumn(source))
	}
	return columns
}

// lifeTypes are lifeColumns as a table declares them.
func lifeTypes() string {
	return strings.Join(lifeColumns(), " Nullable(Int64), ") + " Nullable(Int64)"
}

// lastSources are those whose last row the catalogue asks for and that are otherwise read by windows, so that it saves reading them whole.
var lastSources = []string{Usage, Purchases, Touchpoints}

func lastColumn(source string) string { return "last_" + source + "_ms" }

// facts is one SELECT of the population's union: what a source tells, one row a customer; columns not named are silent.
func facts(from string, tells map[string]string) string {
	columns := make([]string, 0, len(factColumns)+1)
	columns = append(columns, "customer_id")
	for _, f := range factColumns {
		e := f.kind.silent
		if told, ok := tells[f.name]; ok {
			e = "ifNull(" + told + ", " + e + ")"
		}
		columns = append(columns, e+" AS "+f.name)
	}
	return "SELECT " + strings.Join(columns, ", ") + "\nFROM " + from + "\nGROUP BY customer_id"
}

// populationSQL yields one row (customer_id, standing) for everyone who exists.
func (s *Store) populationSQL(ctx context.Context, c ChurnSpec, cutoff time.Time) (string, error) {
	customers, err := s.Versions(ctx, Customers, []string{"created_at", "opted_out_at"}, cutoff)
	if err != nil {
		return "", err
	}
	union := []string{facts(customers, map[string]string{
		"created_ms": "max(toUnixTimestamp64Milli(created_at))",
		"opted":      "max(isNotNull(opted_out_at))",
	})}
	for _, source := range eventSources() {
		if source == Subscriptions && (c.Setting == Contractual || !slices.Contains(c.LabelSources(), source)) {
			continue // the periods below tell of them
		}
		columns := []string{"at"}
		tells := map[string]string{
			"first_ms":         "toUnixTimestamp64Milli(min(at))",
			lastColumn(source): "toUnixTimestamp64Milli(max(at))",
		}
		switch c.Setting {
		case NonContractual:
			for _, a := range c.Activity {
				if a == source {
					tells["active_ms"] = "toUnixTimestamp64Milli(max(at))"
				}
			}
		case EventSetting:
			if c.Event.Source == source {
				columns = append(columns, sortedKeys(c.Event.Match)...)
				tells["left_ms"] = "maxOrNullIf(toUnixTimestamp64Milli(at), " + matchSQL(c.Event.Match) + ")"
			}
			if start := c.Event.Start; start != nil && start.Source == source {
				columns = append(columns, sortedKeys(start.Match)...)
				tells["joined_ms"] = "maxOrNullIf(toUnixTimestamp64Milli(at), " + matchSQL(start.Match) + ")"
			}
		}
		rows, err := s.Versions(ctx, source, columns, cutoff)
		if err != nil {
			return "", err
		}
		union = append(union, facts(rows, tells))
	}
	own, err := s.OwnRows(ctx, cutoff)
	if err != nil {
		return "", err
	}
	if own != "" { // its customers exist, and it tells nothing of their lives
		union = append(union, facts(own, nil))
	}
	periods, err := s.periodsSQL(ctx, cutoff, cutoff)
	if err != nil {
		return "", err
	}
	t := strconv.FormatInt(milliseconds(cutoff), 10)
	tells := map[string]string{"first_ms": "min(started_ms)"}
	if c.Setting == Contractual {
		tells["paid_ms"] = "maxOrNullIf(end_ms, end_ms > started_ms)" // a period of no length was never paid for
		tells["renewing"] = "max(end_ms >= " + t + " AND NOT cancelled)"
	}
	union = append(union, facts(periods, tells))

	merged := make([]string, len(factColumns))
	for i, f := range factColumns {
		merged[i] = f.merged()
	}
	lasts := strings.Join(lifeColumns()[1:], ", ")
	return "SELECT customer_id, toUInt8(" + standingSQL(c, cutoff) + ") AS standing, coalesce(created_ms, first_ms) AS born_ms, " + lasts + "\nFROM (\nSELECT u.customer_id AS customer_id, " + strings.Join(merged, ", ") +
		"\nFROM (\n" + strings.Join(union, "\nUNION ALL\n") + "\n) AS u\nWHERE u.customer_id != ''\nGROUP BY u.customer_id\n)\nSETTINGS " + spill, nil
}

// standingSQL numbers the standing of a customer from the merged facts.
func standingSQL(c ChurnSpec, cutoff time.Time) string {
	ms := func(days int) string {
		return strconv.FormatInt(milliseconds(cutoff)-int64(days)*day.Milliseconds(), 10)
	}
	n := strconv.Itoa
	// An unknown age is not old enough, unless no age is asked for.
	young := "0"
	if c.MinTenureDays > 0 {
		young = "NOT ifNull(coalesce(created_ms, first_ms) <= " + ms(c.MinTenureDays) + ", 0)"
	}
	var arms []string
	arm := func(condition string, standing int) { arms = append(arms, condition, n(standing)) }
	arm("opted = 1", standingOptedOut)
	switch c.Setting {
	case Contractual:
		arm("isNull(paid_ms)", standingNeverAlive)
		arm("ifNull(paid_ms, 0) < "+ms(c.GraceDays), standingChurned)
		arm("ifNull(paid_ms, 0) < "+ms(0), standingInGrace)
		arm("renewing = 0", standingCancelPending)
	case EventSetting:
		if c.Event.Start == nil {
			arm("isNotNull(left_ms)", standingChurned)
			break
		}
		arm("isNull(joined_ms)", standingNeverAlive)
		arm("ifNull(left_ms >= joined_ms, 0)", standingChurned)
	default:
		arm("isNull(active_ms)", standingNeverAlive)
		arm("ifNull(active_ms, 0) < "+ms(c.ActiveDays), standingChurned)
	}
	arm(young, standingTenure)
	return "multiIf(" + strings.Join(arms, ", ") + ", " + n(standingScored) + ")"
}

// matchSQL is the condition that a row is the event: all columns equal, byte for byte.
func matchSQL(match map[string]string) string {
	var terms []string
	for _, column := range sortedKeys(match) {
		terms = append(terms, quoteName(column)+" = "+QuoteText(match[column]))
	}
	return strings.Join(terms, " AND ")
}
