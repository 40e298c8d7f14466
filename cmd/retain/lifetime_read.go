package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"retain/features"
	"retain/internal/tabular"
	"retain/internal/warehouse"
	"retain/models/lifetime"
	"retain/pipelines"
)

// readLifetime reads from the warehouse, from a table of customers or from a log of purchases.
func (a *app) readLifetime(ctx context.Context, config Config, o lifetimeOptions) (read *lifetimeRead, err error) {
	if o.path == "" {
		s, err := a.openWith(ctx, config, "lifetime fit", reading)
		if err != nil {
			return nil, err
		}
		defer s.close(&err)
		return readPurchases(ctx, s.store, config.Churn.DataUntil, o)
	}
	stdin, kept := a.stdin, (*os.File)(nil)
	if o.path == "-" { // it is read twice: for its columns, and for its rows
		var drop func()
		if kept, drop, err = keep(stdin); err != nil {
			return nil, err
		}
		defer drop()
		stdin = kept
	}
	if table, err := readCustomerTable(o, stdin); table != nil || err != nil {
		return table, err
	}
	if kept != nil {
		if _, err := kept.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
	}
	return a.readLog(ctx, config, o, stdin)
}

// keep copies a stream to a temporary file.
func keep(stream io.Reader) (kept *os.File, drop func(), err error) {
	if stream == nil {
		stream = strings.NewReader("")
	}
	kept, err = os.CreateTemp("", "retain-lifetime-*")
	if err != nil {
		return nil, nil, err
	}
	drop = func() { _, _ = kept.Close(), os.Remove(kept.Name()) }
	if _, err = io.Copy(kept, stream); err == nil {
		_, err = kept.Seek(0, io.SeekStart)
	}
	if err != nil {
		drop()
		return nil, nil, err
	}
	return kept, drop, nil
}

// readLog imports the file into a warehouse of its own, so that all that import knows of files and identities holds here too, and
// reads the purchases from there.
func (a *app) readLog(ctx context.Context, config Config, o lifetimeOptions, stdin io.Reader) (read *lifetimeRead, err error) {
	dir, err := os.MkdirTemp("", "retain-lifetime-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errorsJoin(err, os.RemoveAll(dir)) }()
	db, err := warehouse.Open(ctx, warehouse.Options{
		URL: "embedded:" + filepath.Join(dir, "warehouse"), Create: true, Command: "retain lifetime fit", Logger: a.logger(reading),
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errorsJoin(err, db.Close()) }()
	in := o.log
	in.Warehouse, in.Source, in.Path, in.Stdin = db, features.Purchases, o.path, stdin
	in.Currency, in.Rates = config.currency(), config.Rates
	bar := a.progress("rows")
	in.Progress = func(p pipelines.ImportProgress) { bar.set(p.Rows, p.Bytes, p.Size) }
	report, err := pipelines.Import(ctx, in)
	bar.done()
	if err != nil {
		return nil, err
	}
	if report.Rejected > 0 && report.RejectedFile != nil {
		a.say(fmt.Sprintf("%d rows rejected: see %s", report.Rejected, *report.RejectedFile))
	}
	return readPurchases(ctx, &features.Store{DB: db}, nil, o)
}

// readPurchases reads the histories at the cutoff, and those of an earlier one for the backtest: as far back as the horizon, or half
// of the history if that is shorter.
func readPurchases(ctx context.Context, store *features.Store, until *time.Time, o lifetimeOptions) (*lifetimeRead, error) {
	cutoff, err := lifetimeCutoff(ctx, store, until, o)
	if err != nil {
		return nil, err
	}
	now, err := store.PurchaseDays(ctx, cutoff)
	if err != nil {
		return nil, err
	}
	if len(now.Customer) == 0 {
		return nil, fmt.Errorf("no purchase was known at %s; `retain import purchases FILE` brings them, or take a later --cutoff", cutoff.Format(time.RFC3339))
	}
	read := &lifetimeRead{histories: purchaseHistories(now, unitDays[o.unit]), cutoff: &cutoff}
	const least = 28 // days: below four weeks there is nothing to compare
	days := min(o.days, int(now.LastObserved()-slices.Min(now.First)+1)/2)
	if days < least {
		return read, nil
	}
	then, err := store.PurchaseDays(ctx, cutoff.AddDate(0, 0, -days))
	if err != nil || len(then.Customer) == 0 {
		return read, err
	}
	read.earlier = &earlierRead{days: days, then: then}
	known := make(map[string]int32, len(then.Customer))
	for i, id := range then.Customer {
		known[id] = then.Days[i]
	}
	for i, id := range now.Customer {
		if before, ok := known[id]; ok {
			read.earlier.observed += int(now.Days[i] - before)
		}
	}
	return read, nil
}

// lifetimeCutoff is the one asked for, else the last midnight until which the purchases are complete.
func lifetimeCutoff(ctx context.Context, store *features.Store, until *time.Time, o lifetimeOptions) (time.Time, error) {
	if o.cutoff != "" {
		return instant("cutoff", o.cutoff)
	}
	spec := features.DefaultChurn()
	spec.Setting, spec.Activity, spec.DataUntil = features.NonContractual, []string{features.Purchases}, until
	watermark, err := store.Watermark(ctx, spec)
	var empty *features.EmptySourceError
	if errors.As(err, &empty) {
		return time.Time{}, errors.New("there are no purchases; fill them with: retain import purchases FILE")
	}
	return watermark.Truncate(24 * time.Hour), err
}

// purchaseHistories counts in units of so many days. T ends with the last observed day.
func purchaseHistories(p *features.PurchaseDays, unit float64) []lifetime.History {
	histories, last := make([]lifetime.History, len(p.Customer)), p.LastObserved()
	for i := range histories {
		histories[i] = lifetime.History{
			Repeats: int(p.Days[i] - 1),
			Recency: float64(p.Last[i]-p.First[i]) / unit,
			Age:     float64(last-p.First[i]) / unit,
		}
		if n := p.SpendDays[i]; n > 0 {
			histories[i].Spend = lifetime.Spend{Days: int(n), Mean: p.SpendMean[i], Variation: p.SpendVariation[i]}
		}
	}
	return histories
}

// tableColumns of a recency/frequency table; the last need not be there.
var tableColumns = [...]string{"frequency", "recency", "t", "monetary_value"}

// maxTableRows bounds a table to what fits into 4 GB of histories.
const maxTableRows = 50_000_000

// readCustomerTable returns nil if the file is no table of customers.
func readCustomerTable(o lifetimeOptions, stdin io.Reader) (*lifetimeRead, error) {
	file, err := tabular.Open(o.path, stdin)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var at [len(tableColumns)]int
	for i, name := range tableColumns {
		at[i] = slices.Index(file.Columns(), name)
	}
	if at[0] < 0 || at[1] < 0 || at[2] < 0 {
		return nil, nil //nolint:nilnil // a log is no error
	}
	switch {
	case o.cutoff != "":
		return nil, usagef("--cutoff: %s is a table of customers (frequency, recency, T) and has no instants", file.Name())
	case len(o.log.Map)+len(o.log.Set)+len(o.log.Null) > 0 || o.log.TimeFormat != "" || o.log.SkipBad > 0:
		return nil, usagef("--map, --set, --time-format, --null and --skip-bad are about a log of purchases; %s is a table of customers (frequency, recency, T)", file.Name())
	}
	read := &lifetimeRead{}
	var wrong *lifetime.HistoryError // a row that no customer can have
	for {
		row, line, err := file.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(read.histories) == maxTableRows {
			return nil, fmt.Errorf("%s: more than %d customers", file.Name(), maxTableRows)
		}
		h, column, err := tableHistory(row, at)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: column %s: %w", file.Name(), line, tableColumns[column], err)
		}
		read.histories = append(read.histories, h)
		if errors.As(lifetime.Check(read.histories[len(read.histories)-1:]), &wrong) {
			return nil, fmt.Errorf("%s:%d: %s", file.Name(), line, wrong.Reason)
		}
	}
	return read, nil
}

// tableHistory reads one customer; column is the one that an error is about.
func tableHistory(row tabular.Row, at [len(tableColumns)]int) (h lifetime.History, column int, err error) {
	var values [len(tableColumns)]float64
	for i, j := range at {
		if j < 0 || j >= len(row) || (i == 3 && len(row[j]) == 0) {
			if i < 3 {
				return h, i, errors.New("is missing")
			}
			continue
		}
		if values[i], err = strconv.ParseFloat(strings.TrimSpace(string(row[j])), 64); err != nil {
			return h, i, fmt.Errorf("%q is no number", row[j])
		}
	}
	x := values[0]
	if x != math.Trunc(x) || math.Abs(x) > math.MaxInt32 { // NaN is not either
		return h, 0, fmt.Errorf("%v is no whole number of repeat purchases", x)
	}
	h = lifetime.History{Repeats: int(x), Recency: values[1], Age: values[2]}
	if m := values[3]; m != 0 && h.Repeats > 0 {
		h.Spend = lifetime.Spend{Days: h.Repeats, Mean: m, Variation: math.NaN()}
	}
	return h, 0, nil
}

// explainHistories tells the errors of a fit in words of what was read.
func explainHistories(err error, o lifetimeOptions) error {
	if errors.Is(err, lifetime.ErrNoCustomers) {
		return fmt.Errorf("%s has no rows; there is nobody to learn from", o.path)
	}
	return err
}
