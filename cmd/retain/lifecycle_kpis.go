package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"retain/features/lifecycle/kpi"
	"retain/internal/spoken"
	"retain/pipelines"
)

func (a *app) lifecycleKPIsCommand() *cobra.Command {
	var from, to, month, asKnown, by string
	var names []string
	var formulas bool
	cmd := &cobra.Command{
		Use:   "kpis",
		Short: "Key figures of the lifecycle by month: leads, activation, churn, revenue kept, NPS, service, budget",
		Long: `Count the key figures of each month that is over, from all sources that can tell them. A figure that cannot be told is named
with the reason. Everything is counted as it was known at the cutoff of the run in force (--as-known for another instant), so rows
that came late count in the month they belong to. Brackets hold 95 % of what chance leaves open; a dash is a figure that is not
defined: nothing to divide by, or a month before the records begin.`,
		Example: `  retain lifecycle kpis
  retain lifecycle kpis --kpi churn_rate,nps --by segment
  retain lifecycle kpis --month 2026-05 --by lead_source
  retain lifecycle kpis --formulas
  retain lifecycle kpis --from 2026-01-01 --to 2026-07-01 --json`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			o := kpi.Options{By: kpi.By(by), Names: names}
			if o.By != kpi.Everyone && !slices.Contains(kpi.Breakdowns, o.By) {
				return usagef("--by: %q is none of stage, segment, lead_source", by)
			}
			if o.From, err = instantIf("from", from); err != nil {
				return err
			}
			if o.To, err = instantIf("to", to); err != nil {
				return err
			}
			if o.Cutoff, err = instantIf("as-known", asKnown); err != nil {
				return err
			}
			if month != "" {
				if from != "" || to != "" {
					return usagef("--month names one month; leave out --from and --to")
				}
				if o.From, err = instant("month", month+"-01"); err != nil {
					return usagef("--month: %q is no month; write 2026-03", month)
				}
				o.To = o.From.AddDate(0, 1, 0)
			}
			s, err := a.open(cmd.Context(), "lifecycle kpis", reading)
			if err != nil {
				return err
			}
			defer s.close(&err)
			report, err := s.kpis(cmd.Context(), o)
			if err != nil {
				return explainKPIs(err)
			}
			printWarnings(a.stderr, report.Warnings)
			return a.print(report, func(w io.Writer) { printKPIs(w, report, formulas) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "only months that begin on or after this day (default: the last 12)")
	f.StringVar(&to, "to", "", "only months that begin before this day")
	f.StringVar(&month, "month", "", "one month, as 2026-03")
	f.StringVar(&by, "by", "", "break down by stage, segment or lead_source")
	f.StringSliceVar(&names, "kpi", nil, "only these figures, by name (default: all)")
	f.StringVar(&asKnown, "as-known", "", "what was known before this instant (default: the cutoff of the run in force, else the last row)")
	f.BoolVar(&formulas, "formulas", false, "tell what each figure is, too")
	return cmd
}

// kpis counts key figures with the configuration of the session.
func (s *session) kpis(ctx context.Context, o kpi.Options) (*kpi.Report, error) {
	counter, err := s.kpiCounter()
	if err != nil {
		return nil, err
	}
	return counter.Compute(ctx, o)
}

func (s *session) kpiCounter() (pipelines.KPIs, error) {
	engine, err := s.config.actionEngine()
	if err != nil {
		return pipelines.KPIs{}, err
	}
	costs := map[string]float64{}
	for _, action := range engine.Catalogue.Actions {
		costs[action.ID] = action.ContactCost
	}
	return pipelines.KPIs{Store: s.store, Churn: s.config.Churn, Currency: s.config.currency(), Costs: costs}, nil
}

func explainKPIs(err error) error {
	var wrong *kpi.UsageError
	switch {
	case errors.As(err, &wrong):
		return usagef("%s", wrong.Fault)
	case errors.Is(err, pipelines.ErrNothingKnown):
		return fmt.Errorf("%w; fill them with: retain import SOURCE FILE", err)
	}
	return err
}

// printKPIs writes a line per figure and slice, a column per month, the newest last.
func printKPIs(w io.Writer, r *kpi.Report, formulas bool) {
	currency := ""
	if r.Currency != nil {
		currency = "; amounts in " + *r.Currency
	}
	fmt.Fprintf(w, "Key figures of the lifecycle as known at %s%s\n\n", day(r.Cutoff), currency)
	shown := r.Months[max(0, len(r.Months)-kpiColumns(w)):]
	provisional := false
	table(w, func(line func(string, ...any)) {
		head := "figure"
		if r.By != nil {
			head += "\t" + strings.ReplaceAll(string(*r.By), "_", " ")
		}
		for _, m := range shown {
			head += "\t" + m.Format("2006-01")
		}
		line("%s\t95 %%", head)
		width, last := len(r.Months), ""
		for i := 0; i < len(r.KPIs); i += width {
			series := r.KPIs[i : i+width]
			title := kpiTitle(r, series[0].Name)
			if title == last {
				title = ""
			} else {
				last = title
			}
			text := title
			if r.By != nil {
				slice, ok := series[0].Slice()
				text += "\t" + sliceName(*r.By, slice, ok)
			}
			for _, v := range series[width-len(shown):] {
				text += "\t" + kpiText(&v)
				if v.Provisional && v.Value != nil {
					text, provisional = text+"¹", true
				}
			}
			line("%s\t%s", text, kpiInterval(&series[width-1]))
		}
	})
	if provisional {
		fmt.Fprintln(w, "¹ not settled: who seems to have gone may still renew within the grace")
	}
	if n := len(r.Months) - len(shown); n > 0 {
		fmt.Fprintf(w, "%s before these: --json has all\n", spoken.Counted(n, "month"))
	}
	if formulas {
		fmt.Fprintln(w)
		last := ""
		for _, v := range r.KPIs {
			if v.Name != last {
				fmt.Fprintf(w, "%s (%s): %s\n", kpiTitle(r, v.Name), v.Name, v.Formula)
				last = v.Name
			}
		}
	}
	if len(r.LeftOut) > 0 {
		fmt.Fprintln(w, "\nLeft out:")
		var reasons []string
		names := map[string][]string{}
		for _, l := range r.LeftOut {
			if names[l.Why] == nil {
				reasons = append(reasons, l.Why)
			}
			names[l.Why] = append(names[l.Why], l.Name)
		}
		for _, why := range reasons {
			fmt.Fprintf(w, "  %s: %s\n", strings.Join(names[why], ", "), why)
		}
	}
}

// kpiColumns is how many months fit beside the names.
func kpiColumns(w io.Writer) int {
	if width, ok := terminal(w); ok {
		return max(1, (width-60)/9)
	}
	return 12
}

func kpiTitle(r *kpi.Report, name string) string {
	i := slices.IndexFunc(r.Figures, func(d kpi.Definition) bool { return d.Name == name })
	return r.Figures[i].Title
}

// sliceName is what a slice is called; ok is false for everyone.
func sliceName(by kpi.By, slice string, ok bool) string {
	switch {
	case !ok:
		return "all"
	case slice == "" && by == kpi.ByStage:
		return "in none yet"
	case slice == "":
		return "not known"
	}
	return slice
}

// kpiText is the value of a figure.
func kpiText(v *kpi.Value) string {
	if v.Value == nil {
		return "–"
	}
	switch v.Unit {
	case kpi.Count:
		return spoken.Count(int64(*v.Value))
	case kpi.Share:
		return percent(v.Value)
	case kpi.Hours:
		return figure(v.Value, 1) + " h"
	case kpi.Points:
		if math.Round(*v.Value) == 0 {
			return "0"
		}
		return fmt.Sprintf("%+.0f", *v.Value)
	}
	return figure(v.Value, 1)
}

// kpiInterval is the interval of the last month.
func kpiInterval(v *kpi.Value) string {
	if v.Low == nil || v.High == nil {
		return ""
	}
	low, high := *v, *v
	low.Value, high.Value = v.Low, v.High
	return "[" + strings.TrimSuffix(kpiText(&low), " %") + ", " + kpiText(&high) + "]"
}
