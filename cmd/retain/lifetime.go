package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/spf13/cobra"

	"retain/features"
	"retain/models/lifetime"
	"retain/pipelines"
)

// lifetimeOptions say what `retain lifetime fit` reads and how far it looks ahead.
type lifetimeOptions struct {
	path   string // of a file; "" = the warehouse
	cutoff string // "" = the watermark of the purchases
	unit   string // of times: of a table as it stands, else of what is printed
	days   int    // horizon of the totals
	log    pipelines.ImportOptions
}

// unitDays is how many days a unit of time has.
var unitDays = map[string]float64{"days": 1, "weeks": 7, "months": 365. / 12, "years": 365}

func (a *app) lifetimeCommand() *cobra.Command {
	return group("lifetime", "Buy-till-you-die models of customers without a contract", a.lifetimeFitCommand())
}

func (a *app) lifetimeFitCommand() *cobra.Command {
	var o lifetimeOptions
	var mappings, constants []string
	cmd := &cobra.Command{
		Use:   "fit [FILE]",
		Short: "Fit how often customers buy, whether they are still there and what they spend",
		Long: `Fit BG/NBD (purchase counts), MBG/NBD (the probability to be alive) and Gamma-Gamma (spend) by maximum likelihood,
and tell what is to be expected of the customers.

Without FILE the purchases are read from the warehouse as they were known at the cutoff. A FILE with the columns frequency,
recency and T (and, if there is one, monetary_value) is a table of customers in the time unit named; any other FILE is a log of
purchases, mapped as in import, and leaves the warehouse alone. A customer's life begins with the first purchase that is there.`,
		Example: `  retain lifetime fit --cutoff 1997-10-01
  retain lifetime fit orders.csv.gz --map customer_id=buyer,at=ordered_at,amount=total
  retain lifetime fit customers_summary.csv --unit weeks --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("lifetime fit: unexpected argument %q", args[1])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if len(args) == 1 {
				o.path = args[0]
			}
			if o.log.Map, err = pairs("map", mappings); err != nil {
				return err
			}
			if o.log.Set, err = pairs("set", constants); err != nil {
				return err
			}
			if err := o.check(cmd); err != nil {
				return err
			}
			report, err := a.fitLifetime(cmd.Context(), o)
			if err != nil {
				return err
			}
			return a.print(report, func(w io.Writer) { printLifetime(w, report) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.cutoff, "cutoff", "", "the instant at which to stand, exclusive (default: until when the purchases are complete)")
	f.StringVar(&o.unit, "unit", "weeks", "days, weeks, months or years: the unit of a table's times and of those printed")
	f.IntVar(&o.days, "days", 365, "how far ahead to look, in days")
	f.StringSliceVar(&mappings, "map", nil, "canonical=column,…: where a column of the log is called otherwise")
	f.StringSliceVar(&constants, "set", nil, "canonical=value,…: a column that is the same in every row of the log")
	f.StringVar(&o.log.TimeFormat, "time-format", "", "of the log: strptime format such as '%d-%m-%Y %H:%M', or unix, or unix_ms")
	f.StringVar(&o.log.Timezone, "timezone", "UTC", "zone of the log's times that name none")
	f.StringSliceVar(&o.log.Null, "null", nil, "texts of the log that mean no value, beside the empty one, NULL, \\N and NaN")
	f.IntVar(&o.log.SkipBad, "skip-bad", 0, "go on although up to so many rows of the log are bad; they go to FILE.rejected with the reason")
	return cmd
}

// maxLifetimeDays bounds the horizon to fifty years.
const maxLifetimeDays = 50 * 365

func (o lifetimeOptions) check(cmd *cobra.Command) error {
	if _, ok := unitDays[o.unit]; !ok {
		return usagef("--unit: %q is none of days, weeks, months, years", o.unit)
	}
	if o.days < 1 || o.days > maxLifetimeDays {
		return usagef("--days: %d is not between 1 and %d", o.days, maxLifetimeDays)
	}
	if o.log.SkipBad < 0 {
		return usagef("--skip-bad: %d is negative", o.log.SkipBad)
	}
	if o.path != "" {
		return nil
	}
	for _, flag := range []string{"map", "set", "time-format", "timezone", "null", "skip-bad"} {
		if cmd.Flags().Changed(flag) {
			return usagef("--%s is about a FILE, and there is none", flag)
		}
	}
	return nil
}

// fitLifetime reads, fits and reports.
func (a *app) fitLifetime(ctx context.Context, o lifetimeOptions) (*lifetimeReport, error) {
	config, err := loadConfig(a.configPath, a.environ)
	if err != nil {
		return nil, err
	}
	started := time.Now()
	read, err := a.readLifetime(ctx, config, o)
	if err != nil {
		return nil, err
	}
	terms := lifetime.Terms{
		Horizon: float64(o.days) / unitDays[o.unit], Year: unitDays["years"] / unitDays[o.unit],
		DiscountRate: config.Value.DiscountRate, GrossMargin: config.Value.GrossMargin,
	}
	model, err := lifetime.Trainer{}.Fit(ctx, read.histories)
	if err != nil {
		return nil, explainHistories(err, o)
	}
	report, err := newLifetimeReport(model, read.histories, terms)
	if err != nil {
		return nil, err
	}
	report.Unit, report.HorizonDays, report.Cutoff = o.unit, o.days, read.cutoff
	if read.earlier != nil {
		if report.Backtest, err = read.earlier.backtest(ctx, unitDays[o.unit]); err != nil {
			return nil, err
		}
	}
	report.Seconds = time.Since(started).Seconds()
	return report, nil
}

// lifetimeRead is what was read.
type lifetimeRead struct {
	histories []lifetime.History
	cutoff    *time.Time   // nil of a table
	earlier   *earlierRead // nil of a table, and where the history is too short
}

// earlierRead is what was known some days before the cutoff, and what the same customers have bought since.
type earlierRead struct {
	days     int
	then     *features.PurchaseDays
	observed int // days with a purchase between then.Cutoff and the cutoff
}

// backtest fits on what was known then, and compares.
func (e *earlierRead) backtest(ctx context.Context, unit float64) (*lifetimeBacktest, error) {
	histories := purchaseHistories(e.then, unit)
	model, err := lifetime.Trainer{}.Fit(ctx, histories)
	if err != nil {
		return nil, fmt.Errorf("fit at %s: %w", e.then.Cutoff.Format(time.DateOnly), err)
	}
	forecaster, err := model.Forecaster(lifetime.Terms{Horizon: float64(e.days) / unit, Year: unitDays["years"] / unit, GrossMargin: 1})
	if err != nil {
		return nil, err
	}
	b := &lifetimeBacktest{Cutoff: e.then.Cutoff, Days: e.days, Customers: len(histories), Model: model.Counts.Name, Observed: e.observed}
	for _, h := range histories {
		f, err := forecaster.Of(h)
		if err != nil {
			return nil, err
		}
		b.Expected += f.Purchases
	}
	b.Ratio = defined(float64(e.observed) / b.Expected)
	return b, nil
}

// defined is nil for a figure that is not.
func defined(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
