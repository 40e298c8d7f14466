package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"retain/internal/spoken"
	"retain/pipelines/doctor"
)

func (a *app) doctorCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check connection, schema, sources, how they fit together, leaks and labels",
		Long: `Check connection, schema, sources, how they fit together, leaks and labels: each with its figures and, where something
is wrong, the next step. It only reads. Exit 0 if no check is an error, 1 if one is; warnings do not count.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			config, err := loadConfig(a.configPath, a.environ)
			if err != nil {
				return err
			}
			url := redactURL(config.Warehouse.URL)
			s, err := a.openWith(cmd.Context(), config, "doctor", reading)
			if err != nil {
				if isUsage(err) || cmd.Context().Err() != nil {
					return err
				}
				return errorsJoin(a.printDoctor(doctor.Unreachable(err, url), all), err)
			}
			defer s.close(&err)
			report, err := doctor.Examine(cmd.Context(), doctor.Options{
				Store: s.store, Churn: s.config.Churn, Grid: s.config.Snapshots, Currency: s.config.currency(), URL: url,
			})
			if err != nil {
				return err
			}
			if err := a.printDoctor(report, all); err != nil {
				return err
			}
			if n := report.Count(doctor.Error); n > 0 {
				return fmt.Errorf("%d of %d checks found an error", n, len(report.Checks))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "list the checks that were skipped, too, with the reason")
	return cmd
}

// printDoctor writes the report: as JSON, or grouped by area with the mend under each finding.
func (a *app) printDoctor(r *doctor.Report, all bool) error {
	return a.print(r, func(w io.Writer) { writeDoctor(w, r, all) })
}

// doctorWidth is the width of a line of the report where it is not a terminal's.
const doctorWidth = 132

func writeDoctor(w io.Writer, r *doctor.Report, all bool) {
	width, ok := terminal(w)
	if !ok {
		width = doctorWidth
	}
	var shown []doctor.Check
	for _, c := range r.Checks {
		if all || c.Status != doctor.Skipped {
			shown = append(shown, c)
		}
	}
	longest := 0
	for _, c := range shown {
		longest = max(longest, len(subject(c)))
	}
	area := ""
	for _, c := range shown {
		if c.Area() != area {
			if area != "" {
				fmt.Fprintln(w)
			}
			area = c.Area()
			fmt.Fprintln(w, area)
		}
		head := fmt.Sprintf("  %-8s  %-*s  ", c.Status, longest, subject(c))
		indent := strings.Repeat(" ", len(head))
		fmt.Fprintln(w, head+wrap(c.Message, width-len(head), indent))
		if c.Mend != "" {
			fmt.Fprintln(w, indent+"→ "+wrap(c.Mend, width-len(head)-2, indent+"  "))
		}
	}
	skipped := ""
	if n := r.Count(doctor.Skipped); n > 0 {
		skipped = fmt.Sprintf("; %d skipped", n)
		if !all {
			skipped += " (--all lists them)"
		}
	}
	fmt.Fprintf(w, "\n%d ok, %s, %s%s\n", r.Count(doctor.OK), spoken.Counted(r.Count(doctor.Warning), "warning"), spoken.Counted(r.Count(doctor.Error), "error"), skipped)
}

// subject is the name of a check without its area.
func subject(c doctor.Check) string { return strings.TrimPrefix(c.Name, c.Area()+".") }

// wrap breaks a text at blanks into lines of at most so many characters, where words allow it; lines after the first begin with the indent.
func wrap(text string, width int, indent string) string {
	var out strings.Builder
	used := 0
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case used+1+n > max(width, 20):
			out.WriteString("\n" + indent)
			used = 0
		default:
			out.WriteByte(' ')
			used++
		}
		out.WriteString(word)
		used += n
	}
	return out.String()
}
