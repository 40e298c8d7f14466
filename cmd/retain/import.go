package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"retain/features"
	"retain/internal/spoken"
	"retain/internal/warehouse"
	"retain/pipelines"
)

func (a *app) importCommand() *cobra.Command {
	var o pipelines.ImportOptions
	var mappings, constants, nulls []string
	cmd := &cobra.Command{
		Use:   "import SOURCE FILE",
		Short: "Import a file into one of the eight sources, or what came of decisions",
		Long: `Import a CSV (parted by commas, semicolons, tabs or bars), TSV or NDJSON file, each also as .gz, a Parquet file, or standard input (-) into a source:
customers, usage, purchases, subscriptions, surveys, tickets, contacts or touchpoints.

Columns match by name. All rows become visible in one step, or none; the same file twice changes nothing.

As outcomes it takes what came of decisions: decision_id, outcome (shown, accepted, rejected, ignored, converted, saved), at and, where another
action than the chosen one was taken, action.`,
		Example: `  retain import purchases orders.csv.gz --map customer_id=buyer,at=ordered_at,amount=total
  retain import surveys nps.parquet --set kind=nps --map at=answered_on,score=nps
  retain import purchases export.csv --map customer_id=Kundennr,at=Datum,amount=Betrag --time-format '%d.%m.%Y %H:%M|%d.%m.%Y' --decimal-comma
  zcat events.ndjson.gz | retain import usage - --map at=ts --time-format unix_ms
  retain import outcomes calls.csv --map outcome=disposition --skip-bad 10`,
		Args: exactly("a SOURCE ("+strings.Join(importSources(), ", ")+", "+pipelines.OutcomesSource+")", "a FILE"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			o.Source, o.Path = args[0], args[1]
			if o.SkipBad < 0 {
				return usagef("--skip-bad: %d is negative", o.SkipBad)
			}
			if o.Map, err = pairs("map", mappings); err != nil {
				return err
			}
			if o.Set, err = pairs("set", constants); err != nil {
				return err
			}
			o.Null = nulls
			if err := checkImport(o); err != nil { // before a warehouse is made for nothing
				return err
			}
			config, err := loadConfig(a.configPath, a.environ)
			if err != nil {
				return err
			}
			if table := config.Sources[o.Source].Table; table != "" {
				return usagef("sources.%s.table: %s is read from %s, so that an import would not be seen; take the mapping out, or insert into that table", o.Source, o.Source, table)
			}
			s, err := a.openWith(cmd.Context(), config, "import "+o.Source, writing)
			if err != nil {
				return err
			}
			defer s.close(&err)
			if o.Source == pipelines.OutcomesSource {
				return a.importOutcomes(cmd.Context(), s, o)
			}
			o.Warehouse, o.Stdin = s.db, a.stdin
			o.Currency, o.Rates = s.config.currency(), s.config.Rates
			bar := a.progress("rows")
			o.Progress = func(p pipelines.ImportProgress) { bar.set(p.Rows, p.Bytes, p.Size) }
			report, err := pipelines.Import(cmd.Context(), o)
			bar.done()
			if err == nil && o.Source == features.Contacts {
				err = a.joinContacts(cmd.Context(), s)
			}
			if err != nil {
				return err
			}
			return a.print(report, func(w io.Writer) { printImport(w, report) })
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&mappings, "map", nil, "canonical=column,…: where a canonical column is called otherwise")
	f.StringSliceVar(&constants, "set", nil, "canonical=value,…: a column that is the same in every row")
	f.StringVar(&o.TimeFormat, "time-format", "", "strptime format such as '%d-%m-%Y %H:%M', or unix, or unix_ms; several as 'A|B', tried in turn; not for columns that Parquet types as times")
	f.BoolVar(&o.Comma, "decimal-comma", false, "numbers of CSV and TSV are written 1.234,56")
	f.StringVar(&o.Timezone, "timezone", "UTC", "zone of times that name none")
	f.StringSliceVar(&nulls, "null", nil, "texts that mean no value, beside the empty one, NULL, \\N and NaN")
	f.IntVar(&o.SkipBad, "skip-bad", 0, "import although up to so many rows are bad; they go to FILE.rejected with the reason")
	return cmd
}

// checkImport tells a source that is not known and a file that is not there.
func checkImport(o pipelines.ImportOptions) error {
	if _, ok := warehouse.ImportSourceNamed(o.Source); !ok && o.Source != pipelines.OutcomesSource {
		return usagef("no source %q; there are %s, and outcomes", o.Source, strings.Join(importSources(), ", "))
	}
	if o.Path == "-" {
		return nil
	}
	_, err := os.Stat(o.Path)
	return err
}

func importSources() []string {
	var names []string
	for _, source := range warehouse.ImportSources {
		names = append(names, source.Name)
	}
	return names
}

func printImport(w io.Writer, r *pipelines.ImportReport) {
	fmt.Fprintf(w, "%s: %s rows read, %s imported, %s of them new", r.Source, spoken.Count(r.Rows), spoken.Count(r.Imported), spoken.Count(r.New))
	if r.FirstAt != nil && r.LastAt != nil {
		fmt.Fprintf(w, ", from %s to %s", r.FirstAt.Format(time.DateOnly), r.LastAt.Format(time.DateOnly))
	}
	fmt.Fprintf(w, ", in %.1f s\n", r.Seconds)
	if r.Rejected > 0 && r.RejectedFile != nil {
		fmt.Fprintf(w, "%s rejected: see %s\n", spoken.Counted(r.Rejected, "row"), *r.RejectedFile)
	}
	if len(r.IgnoredColumns) > 0 {
		fmt.Fprintf(w, "ignored columns: %s\n", strings.Join(r.IgnoredColumns, ", "))
	}
	printWarnings(w, r.Warnings)
}

// pairs parses name=value items.
func pairs(flag string, items []string) (map[string]string, error) {
	out := map[string]string{}
	for _, item := range items {
		name, value, ok := strings.Cut(item, "=")
		name = strings.TrimSpace(name)
		if !ok || name == "" {
			return nil, usagef("--%s: %q is not canonical=value", flag, item)
		}
		if _, twice := out[name]; twice {
			return nil, usagef("--%s: %s is there twice", flag, name)
		}
		out[name] = value
	}
	return out, nil
}
