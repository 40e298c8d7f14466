package features

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"retain/internal/warehouse"
)

// BenchmarkFeatures measures the speed targets as ratios of CPU time to the barest scan of the same 84 days of usage in the same run,
// which other load on the machine does not move much. RETAIN_BENCH_SIZE is A (the default), B or S; RETAIN_BENCH_DIR keeps the generated
// warehouse for the next run; RETAIN_BENCH_ONLY names the figures to measure, separated by commas.
func BenchmarkFeatures(b *testing.B) {
	size := os.Getenv("RETAIN_BENCH_SIZE")
	if size == "" {
		size = "A"
	}
	z, ok := benchSizes[size]
	if !ok {
		b.Fatalf("RETAIN_BENCH_SIZE is %q, not A, B or S", size)
	}
	bench := &featureBench{b: b, store: &Store{DB: openBench(b)}}
	var rows uint64
	if err := bench.store.DB.Conn().QueryRow(b.Context(), "SELECT count() FROM usage").Scan(&rows); err != nil {
		b.Fatal(err)
	}
	if rows == 0 {
		z.generate(b, bench.store)
	}
	defer bench.print()
	bench.measure(b)
}

// openBench opens the warehouse of the benchmark.
func openBench(b *testing.B) *warehouse.Warehouse {
	b.Helper()
	dir := os.Getenv("RETAIN_BENCH_DIR")
	if dir == "" {
		dir = b.TempDir()
	}
	w, err := warehouse.Open(b.Context(), warehouse.Options{URL: "embedded:" + dir, Create: true, Command: "go test -bench Features"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := w.Close(); err != nil {
			b.Error(err)
		}
	})
	return w
}

// featureBench measures one warehouse.
type featureBench struct {
	b     *testing.B
	store *Store
	bare  float64 // CPU seconds of the barest scan
	lines []string
}

// benchSpec makes nearly everyone eligible who still lives: contractual as in the known world.
func benchSpec() ChurnSpec {
	c := DefaultChurn()
	c.Setting, c.Activity, c.ActiveDays, c.HorizonDays = Contractual, nil, 0, 91
	return c
}

// cpu is the time that this process, and so the engine in it, has spent on all cores.
func cpu() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// spent is the median CPU time of so many runs, in seconds, the first of which warms up and does not count when there are more.
func (f *featureBench) spent(runs int, work func(ctx context.Context) error) float64 {
	f.b.Helper()
	var seconds []float64
	for range runs {
		start := cpu()
		if err := work(f.b.Context()); err != nil {
			f.b.Fatal(err)
		}
		seconds = append(seconds, (cpu() - start).Seconds())
	}
	if runs > 1 {
		seconds = seconds[1:]
	}
	slices.Sort(seconds)
	return seconds[len(seconds)/2]
}

// drain runs a statement and throws its rows away.
func (f *featureBench) drain(query string) func(context.Context) error {
	return func(ctx context.Context) error {
		body, err := f.store.DB.Conn().QueryFormat(ctx, "Null", query)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, body)
		return errors.Join(err, body.Close())
	}
}

// figure notes one measured figure unless RETAIN_BENCH_ONLY leaves it out; measure returns the ratio (or other number) and a remark.
func (f *featureBench) figure(name, target string, measure func() (float64, string)) {
	f.b.Helper()
	if only := os.Getenv("RETAIN_BENCH_ONLY"); only != "" && !slices.Contains(strings.Split(only, ","), name) {
		return
	}
	v, remark := measure()
	f.lines = append(f.lines, fmt.Sprintf("%s\t%s\t%.2f\t%s", name, target, v, remark))
	f.b.ReportMetric(v, strings.ReplaceAll(name, " ", "_"))
}

// ratio measures work against the barest scan.
func (f *featureBench) ratio(name, target string, runs int, work func(context.Context) error) {
	f.b.Helper()
	f.figure(name, target, func() (float64, string) {
		seconds := f.spent(runs, work)
		return seconds / f.bare, fmt.Sprintf("%.2f CPU s", seconds)
	})
}

// benchUsage are the seventeen columns of usage for which the target was set (metrics.md §3.1 and §3.2, of one source, at most 84 days).
var benchUsage = []string{
	"usage_minutes_sum_7d", "usage_minutes_sum_28d", "usage_minutes_sum_84d", "usage_sessions_count_28d", "usage_active_days_7d",
	"usage_active_days_28d", "usage_active_days_84d", "usage_minutes_per_active_day_28d", "usage_minutes_change_28d", "usage_sessions_slope_84d",
	"usage_sessions_last_week_ratio_28d", "usage_recency_days", "usage_longest_gap_84d", "usage_weekend_share_84d", "usage_users_distinct_28d",
	"usage_features_distinct_84d", "usage_features_entropy_84d",
}

// benchPlan are 53 columns of six sources, as the plan had when the targets of the matrix were set: benchUsage and what metrics.md §3.3 to §3.6
// lists, without the rest of usage over all of history.
var benchPlan = append(slices.Clip(benchUsage),
	"purchase_recency_days", "purchase_count_90d", "purchase_count_365d", "purchase_tenure_days", "purchase_amount_mean_365d",
	"purchase_interval_mean_days", "purchase_interval_sd_days", "purchase_overdue_ratio", "purchase_returned_share_365d",
	"purchase_discounted_share_365d", "purchase_categories_distinct_365d", "purchase_amount_change_90d",
	"subscription_days_to_end", "subscription_auto_renew", "subscription_billing_days", "subscription_mrr_renewal_change",
	"subscription_discount_renewal_difference", "subscription_upgrades_count_180d", "subscription_downgrades_count_180d",
	"subscription_cancellations_count", "subscription_seats_max", "subscription_mrr_sum", "subscription_age_days",
	"survey_nps_last", "survey_nps_recency_days", "survey_nps_class_last", "survey_nps_answers_count_365d", "survey_csat_last",
	"ticket_count_28d", "ticket_count_84d", "ticket_open_count", "ticket_open_oldest_days", "ticket_reply_hours_median_84d",
	"ticket_late_count_84d", "ticket_self_served_share_84d", "profile_tenure_days",
)

// measure takes all figures.
func (f *featureBench) measure(b *testing.B) {
	b.Helper()
	from, t := quoteInstant(benchCutoff.AddDate(0, 0, -84)), quoteInstant(benchCutoff)
	f.bare = f.spent(9, f.drain("SELECT customer_id, count(), sum(duration_s), max(at)\nFROM usage\nWHERE at >= "+from+" AND at < "+t+" AND ingested_at < "+t+"\nGROUP BY customer_id"))
	f.lines = append(f.lines, fmt.Sprintf("barest scan\t\t1.00\t%.3f CPU s", f.bare))
	var p *Population
	everyone := func(ctx context.Context) (err error) {
		if p != nil {
			if err := p.Close(ctx); err != nil {
				return err
			}
		}
		p, err = f.store.Population(ctx, benchSpec(), benchCutoff)
		return err
	}
	if err := everyone(b.Context()); err != nil {
		b.Fatal(err)
	}
	f.ratio("eligibility", "3", 5, everyone)
	c, err := DefaultCatalogue().Resolve(b.Context(), f.store, []time.Time{benchCutoff})
	if err != nil {
		b.Fatal(err)
	}
	whole := func(c *Catalogue) func(context.Context) error {
		return func(ctx context.Context) error {
			compiler, err := newCompiler(ctx, f.store, benchCutoff, c.Entries)
			if err != nil {
				return err
			}
			compiler.lives = true
			query, err := compiler.statement(ctx, c.Entries, p.Table, keyRange{})
			if err != nil {
				return err
			}
			return f.drain(query)(ctx)
		}
	}
	f.ratio("usage 17", "3.0", 5, whole(c.Only(benchUsage)))
	f.ratio("usage 16 no entropy", "2.0", 5, whole(c.Only(benchUsage[:16])))
	only := func(keep func(Entry) bool) *Catalogue {
		var names []string
		for _, e := range c.Entries {
			if keep(e) {
				names = append(names, e.Name)
			}
		}
		return c.Only(names)
	}
	usage := only(func(e Entry) bool { return strings.HasPrefix(e.Name, "usage_") && e.Level == "" })
	f.ratio(fmt.Sprintf("usage %d", len(usage.Entries)), "", 3, whole(usage))
	plain := only(func(e Entry) bool { return e.Level == "" || e.Measure.Source == Customers })
	f.ratio(fmt.Sprintf("matrix %d without families", len(plain.Entries)), "8", 3, whole(plain))
	f.ratio(fmt.Sprintf("matrix %d", len(c.Entries)), "8", 3, whole(c))
	snapshot := func(c *Catalogue) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			x, err := f.store.Snapshot(ctx, c, p)
			if err == nil && x.X.Rows() != len(p.Eligible()) {
				err = errors.New("rows are missing")
			}
			return err
		}
	}
	f.ratio(fmt.Sprintf("ranges %d of the plan", len(benchPlan)), "10", 3, snapshot(c.Only(benchPlan)))
	f.ratio(fmt.Sprintf("ranges %d without families", len(plain.Entries)), "10", 3, snapshot(plain))
	f.ratio(fmt.Sprintf("ranges %d", len(c.Entries)), "10", 3, snapshot(c))
	f.figure("ranges peak MB", "512", func() (float64, string) {
		return f.peak(snapshot(c)) / (1 << 20), fmt.Sprintf("%d eligible customers, all statements at once", len(p.Eligible()))
	})
	f.twelve(c)
	f.imports()
	f.scores(len(c.Entries))
	if err := p.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// print writes the table of what was measured.
func (f *featureBench) print() {
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "figure\ttarget\tmeasured\t\n%s\n", strings.Join(f.lines, "\n"))
	if err := w.Flush(); err != nil {
		f.b.Error(err)
	}
	f.b.Log("\n" + table.String())
}

// twelve measures the snapshots of twelve months against that of the newest.
func (f *featureBench) twelve(c *Catalogue) {
	f.figure("twelve cutoffs", "11", func() (float64, string) {
		ctx := f.b.Context()
		var seconds []float64
		var total float64
		for back := range 12 {
			p, err := f.store.Population(ctx, benchSpec(), benchCutoff.AddDate(0, 0, -28*back))
			if err != nil {
				f.b.Fatal(err)
			}
			start := cpu()
			if _, err := f.store.Snapshot(ctx, c, p); err != nil {
				f.b.Fatal(err)
			}
			seconds = append(seconds, (cpu() - start).Seconds())
			total += seconds[back]
			if err := p.Close(ctx); err != nil {
				f.b.Fatal(err)
			}
		}
		return total / seconds[0], fmt.Sprintf("%.1f CPU s, the newest %.1f", total, seconds[0])
	})
}

// peak is the greatest memory, in bytes, that the statements of work took at one moment, read every few milliseconds.
func (f *featureBench) peak(work func(context.Context) error) float64 {
	f.b.Helper()
	done := make(chan error, 1)
	go func() { done <- work(f.b.Context()) }()
	var most int64
	for {
		select {
		case err := <-done:
			if err != nil {
				f.b.Fatal(err)
			}
			return float64(most)
		case <-time.After(5 * time.Millisecond):
		}
		var now int64
		if err := f.store.DB.Conn().QueryRow(f.b.Context(), "SELECT sum(memory_usage)\nFROM system.processes\nWHERE position(query, 'system.processes') = 0").Scan(&now); err != nil {
			f.b.Fatal(err)
		}
		most = max(most, now)
	}
}
