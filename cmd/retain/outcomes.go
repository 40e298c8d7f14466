package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"retain/internal/spoken"
	"retain/internal/warehouse"
	"retain/models/actions"
	"retain/pipelines"
)

func (a *app) outcomesCommand() *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use:   "outcomes",
		Short: "What came of the next best actions: shown, accepted, rejected …, per action",
		Long: `Count what came of the decisions, per action. Outcomes are told over HTTP (POST /v1/decisions/{id}/outcomes), on the customer's page in the
console, by ` + "`retain import outcomes FILE`" + ` (decision_id, outcome, at), and by the source contacts where it names decisions.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			in, err := cutoffWindow(from, to)
			if err != nil {
				return err
			}
			s, err := a.open(cmd.Context(), "outcomes", reading)
			if err != nil {
				return err
			}
			defer s.close(&err)
			counts, err := pipelines.Outcomes{DB: s.db}.Counts(cmd.Context(), in)
			if err != nil {
				return err
			}
			return a.print(counts, func(w io.Writer) { printOutcomes(w, counts) })
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "only decisions of cutoffs from here on")
	cmd.Flags().StringVar(&to, "to", "", "only decisions of cutoffs before")
	return cmd
}

// cutoffWindow reads [from, to); an empty text is no bound.
func cutoffWindow(from, to string) (in warehouse.Window, err error) {
	if in.From, err = instantIf("from", from); err != nil {
		return in, err
	}
	if in.To, err = instantIf("to", to); err != nil {
		return in, err
	}
	if !in.From.IsZero() && !in.To.IsZero() && !in.From.Before(in.To) {
		return in, usagef("--from %s is not before --to %s", from, to)
	}
	return in, nil
}

func printOutcomes(w io.Writer, c *pipelines.OutcomeCounts) {
	if len(c.Actions) == 0 {
		fmt.Fprintln(w, "no decisions yet: `retain score` makes them")
		return
	}
	table(w, func(line func(string, ...any)) {
		line("action\tdecisions\tshown\taccepted\trejected\tignored\tof the answers accepted\tconverted\tsaved\tlate")
		for _, x := range c.Actions {
			if x.Action == actions.DoNothing && x.Converted+x.Saved == 0 {
				line("%s\t%s\t\t\t\t\t\t\t\t", x.Action, spoken.Count(x.Decisions))
				continue
			}
			line("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", x.Action, spoken.Count(x.Decisions), spoken.Count(x.Shown), spoken.Count(x.Accepted), spoken.Count(x.Rejected),
				spoken.Count(x.Ignored), percent(x.AcceptShare), spoken.Count(x.Converted), spoken.Count(x.Saved), spoken.Count(x.Late))
		}
	})
}

// outcomeWords tells an outcome in a line: accepted on Fri 2026-07-03 00:00 UTC, late, told by import.
func outcomeWords(o actions.Outcome, chosen string) string {
	words := o.Outcome
	if o.Action != chosen {
		words = o.Action + " " + words
	}
	words += " on " + moment(o.At)
	if o.Late {
		words += ", late"
	}
	return words + ", told by " + o.Source
}

// importOutcomes records a file of outcomes.
func (a *app) importOutcomes(ctx context.Context, s *session, o pipelines.ImportOptions) error {
	bar := a.progress("rows")
	o.Warehouse, o.Stdin = s.db, a.stdin
	o.Progress = func(p pipelines.ImportProgress) { bar.set(p.Rows, p.Bytes, p.Size) }
	report, err := pipelines.ImportOutcomes(ctx, o)
	bar.done()
	if err != nil {
		return err
	}
	return a.print(report, func(w io.Writer) {
		printImport(w, &report.ImportReport)
		for _, told := range []struct {
			n     int64
			words string
		}{
			{report.Duplicates, "told before, and not counted twice"},
			{report.Late, "after the action had expired, and counted as late"},
			{report.Unknown, "rejected, because the log has no such decision"},
			{report.Contradicting, "rejected, because they cannot be true of their decision"},
		} {
			if told.n > 0 {
				fmt.Fprintf(w, "%s %s\n", spoken.Counted(told.n, "row"), told.words)
			}
		}
	})
}

// joinContacts records what the contacts of the sources tell of decisions, and says what is new; what cannot be joined only beside it, because it
// stays and would be told every night.
func (a *app) joinContacts(ctx context.Context, s *session) error {
	c, err := pipelines.Outcomes{DB: s.db}.JoinContacts(ctx, s.store)
	if err != nil {
		return fmt.Errorf("join contacts to decisions: %w", err)
	}
	if c.Recorded > 0 {
		a.say(fmt.Sprintf("outcomes from contacts: %s new, %s late; contacts of decisions that are not in the log: %s, that cannot be true of theirs: %s",
			spoken.Count(c.Recorded), spoken.Count(c.Late), spoken.Count(c.Unknown), spoken.Count(c.Contradicting)))
	}
	return nil
}
