package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"retain/features"
	"retain/internal/spoken"
)

func (a *app) labelCommand() *cobra.Command {
	return group("label", "What counts as churn", &cobra.Command{
		Use:   "preview",
		Short: "Per cutoff: eligible, churned, stayed, missing; and the return curve behind the choice of horizon",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			s, err := a.open(cmd.Context(), "label preview", reading)
			if err != nil {
				return err
			}
			defer s.close(&err)
			preview, err := s.store.Preview(cmd.Context(), s.config.Churn, s.config.Snapshots)
			if err != nil {
				return err
			}
			if line := s.config.Churn.FutureWarning(preview.DataEnd, time.Now()); line != "" {
				preview.Warnings = append(preview.Warnings, line)
			}
			return a.print(preview, func(w io.Writer) { printPreview(w, preview, s.config.Churn) })
		},
	})
}

// definition tells in words what counts as churn.
func definition(p *features.Preview, c features.ChurnSpec) string {
	when := fmt.Sprintf("the %d days after a cutoff", p.HorizonDays)
	if p.GapDays > 0 {
		when = fmt.Sprintf("the %d days that begin %d days after a cutoff", p.HorizonDays, p.GapDays)
	}
	switch p.Setting {
	case features.Contractual:
		return fmt.Sprintf("a paying customer has churned whose paid time ends in %s and is not renewed within %d days", when, p.GraceDays)
	case features.NonContractual:
		return fmt.Sprintf("a customer with %s in the last %d days has churned who has none in %s", strings.Join(c.Activity, " or "), p.ActiveDays, when)
	default:
		var match []string
		for _, column := range slices.Sorted(maps.Keys(c.Event.Match)) {
			match = append(match, column+" = "+c.Event.Match[column])
		}
		return fmt.Sprintf("a customer has churned who has a row of %s with %s in %s", c.Event.Source, strings.Join(match, " and "), when)
	}
}

func printPreview(w io.Writer, p *features.Preview, c features.ChurnSpec) {
	fmt.Fprintf(w, "Churn (%s): %s.\nThe data are complete until %s.\n\n", p.Setting, definition(p, c), day(p.DataEnd))
	if len(p.Cutoffs) > 0 {
		printPreviewCutoffs(w, p)
	}
	printPreviewTotal(w, p)
	printPreviewSegments(w, p.Segments)
	printReturnCurve(w, p)
	for _, d := range p.Comparisons {
		other := string(d.Setting)
		if len(d.Activity) > 0 {
			other += " (" + strings.Join(d.Activity, ", ") + ")"
		}
		fmt.Fprintf(w, "\nHeld against %s, on %s rows that both label: %s agree, kappa %s; %s churned here, %s there.\n  %s\n",
			other, spoken.Count(d.Customers), percent(d.Agreement), figure(d.Kappa, 2), percent(d.BaseRate), percent(d.OtherRate), d.Meaning)
	}
	if len(p.Warnings) > 0 {
		fmt.Fprintln(w)
	}
	printWarnings(w, p.Warnings)
}

func printPreviewCutoffs(w io.Writer, p *features.Preview) {
	table(w, func(line func(string, ...any)) {
		line("cutoff\teligible\tchurned\tstayed\tmissing\tchurn rate\t95 %%\t\t")
		for _, c := range p.Cutoffs {
			interval := ""
			if c.BaseRate != nil {
				interval = percent(c.BaseRateLow) + " – " + percent(c.BaseRateHigh)
			}
			line("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", day(c.Cutoff), spoken.Count(c.Eligible), spoken.Count(c.Churned), spoken.Count(c.Stayed), spoken.Count(c.Missing),
				percent(c.BaseRate), interval, bar(c.BaseRate), unusedWords(c))
		}
	})
}

// unusedWords tells why labels of a cutoff are missing, and what else to know of it.
func unusedWords(c features.CutoffPreview) string {
	var words []string
	say := func(n int, what string) {
		if n > 0 {
			words = append(words, spoken.Count(n)+" "+what)
		}
	}
	if !c.Known {
		words = append(words, "labels not known yet")
	}
	say(c.LeftInGap, "left in the gap")
	say(c.LeftBefore, "had left before, as was corrected later")
	if c.Outage {
		words = append(words, fmt.Sprintf("outage: %.0f %% of the days after it lack data", 100*c.OutageShare))
	}
	say(c.Involuntary, "ended by a failed payment (count as stayed)")
	return strings.Join(words, "; ")
}

func printPreviewTotal(w io.Writer, p *features.Preview) {
	t := p.Total
	if t.BaseRate == nil {
		return
	}
	fmt.Fprintf(w, "\n%s of %s at %s: %s churned (95 %%: %s – %s)", spoken.Counted(t.Labels, "label"), spoken.Counted(t.Customers, "customer"), spoken.Counted(t.Cutoffs, "cutoff"),
		percent(t.BaseRate), percent(t.BaseRateLow), percent(t.BaseRateHigh))
	if p.Setting == features.Contractual {
		fmt.Fprintf(w, " of their own choice,\n%s left for a failed payment or the like, %s in all", percent(t.InvoluntaryRate), percent(t.AllCauseRate))
	}
	fmt.Fprintln(w)
}

func printPreviewSegments(w io.Writer, segments []features.SegmentPreview) {
	if len(segments) == 0 {
		return
	}
	fmt.Fprintln(w)
	table(w, func(line func(string, ...any)) {
		line("segment\t\tlabels\tchurned\tchurn rate\t95 %%\t")
		before := ""
		for _, s := range segments {
			column, level := s.Column, short(s.Level)
			if column == before {
				column = ""
			}
			before = s.Column
			switch {
			case s.Level == "":
				level = "(not known then)"
			case s.Pooled:
				level = "(all others)"
			}
			line("%s\t%s\t%s\t%s\t%s\t%s – %s\t%s", column, level, spoken.Count(s.Labelled), spoken.Count(s.Churned), percent(s.BaseRate), percent(s.Low), percent(s.High), bar(s.BaseRate))
		}
	})
}

func printReturnCurve(w io.Writer, p *features.Preview) {
	if len(p.ReturnCurve) == 0 {
		return
	}
	fmt.Fprintln(w)
	table(w, func(line func(string, ...any)) {
		line("silent for\tcome back within a year\t\tcustomers")
		for _, point := range p.ReturnCurve {
			line("%d days\t%s\t%s\t%s", point.SilentDays, percent(point.ReturnProbability), bar(point.ReturnProbability), spoken.Count(point.Customers))
		}
	})
	if r := p.Returns; r != nil {
		fmt.Fprintf(w, "Who comes back does so after %s in the middle, nine in ten within %d.\n", spoken.Counted(r.Median, "day"), r.P90)
	}
	if h := p.RecommendedHorizonDays; h != nil {
		fmt.Fprintf(w, "recommended horizon: %d days, the shortest silence after which fewer than 15 %% come back (churn.horizon_days is %d)\n", *h, p.HorizonDays)
	} else {
		fmt.Fprintln(w, "no horizon up to 365 days is recommended: 15 % or more come back after each of them, or the history is too short to tell")
	}
}

// day writes an instant as its date.
func day(t time.Time) string { return t.Format(time.DateOnly) }
