package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"retain/features/lifecycle/kpi"
	"retain/internal/spoken"
)

func (a *app) lifecycleRFMCommand() *cobra.Command {
	var asKnown string
	var o kpi.RFMOptions
	var cells bool
	cmd := &cobra.Command{
		Use:   "rfm",
		Short: "Buyers by recency, frequency and money",
		Long: `Sort everyone who bought into quintiles of recency (days since the last purchase), frequency (days with a purchase) and money
(what was spent), 5 the best. Equal values have equal scores, so where many bought once, all of them are in frequency 1 and the
quintiles are not of one size. The table shows recency against frequency; --cells lists all cells with money.`,
		Example: `  retain lifecycle rfm
  retain lifecycle rfm --days 365
  retain lifecycle rfm --cells --json`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if cmd.Flags().Changed("days") && o.Days < 1 {
				return usagef("--days: %d is not above 0", o.Days)
			}
			if o.Cutoff, err = instantIf("as-known", asKnown); err != nil {
				return err
			}
			s, err := a.open(cmd.Context(), "lifecycle rfm", reading)
			if err != nil {
				return err
			}
			defer s.close(&err)
			counter, err := s.kpiCounter()
			if err != nil {
				return err
			}
			r, err := counter.RFM(cmd.Context(), o)
			if err != nil {
				return explainKPIs(err)
			}
			if r.Customers == 0 {
				return fmt.Errorf("nobody bought before %s; fill purchases with: retain import purchases FILE", day(r.Cutoff))
			}
			return a.print(r, func(w io.Writer) { printRFM(w, r, cells) })
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.Days, "days", 0, "only purchases of so many days (default: all of history)")
	f.StringVar(&asKnown, "as-known", "", "stand at this instant (default: the cutoff of the run in force, else the last row)")
	f.BoolVar(&cells, "cells", false, "list every cell of recency, frequency and money")
	return cmd
}

func printRFM(w io.Writer, r *kpi.RFM, cells bool) {
	currency := ""
	if r.Currency != nil {
		currency = " in " + *r.Currency
	}
	span := ""
	if r.Days != nil {
		span = fmt.Sprintf(" within %d days", *r.Days)
	}
	fmt.Fprintf(w, "%s who bought%s before %s, by quintile, 5 the best\n\n", spoken.Counted(r.Customers, "customer"), span, day(r.Cutoff))
	if cells {
		table(w, func(line func(string, ...any)) {
			line("recency\tfrequency\tmoney\tcustomers\tshare\tdays since\tdays bought on\tspent each%s\tof all spent", currency)
			for _, c := range r.Cells {
				line("%d\t%d\t%d\t%s\t%s\t%.0f\t%.1f\t%s\t%s", c.Recency, c.Frequency, c.Money, spoken.Count(c.Customers), percent(&c.Share), c.RecencyDays, c.Purchases, amount(c.Spent), percent(c.SpentShare))
			}
		})
		return
	}
	type sum struct {
		customers   int64
		days, share float64
	}
	var grid [6][6]sum // 0 gathers a row or column
	priced := false
	for _, c := range r.Cells {
		for _, at := range [][2]int{{c.Recency, c.Frequency}, {c.Recency, 0}, {0, c.Frequency}} {
			s := &grid[at[0]][at[1]]
			s.customers += c.Customers
			s.days += c.RecencyDays * float64(c.Customers)
			if c.SpentShare != nil {
				s.share += *c.SpentShare
				priced = true
			}
		}
	}
	table(w, func(line func(string, ...any)) {
		line("recency\tdays since\tfrequency 1\t2\t3\t4\t5\tall")
		for recency := 5; recency >= 0; recency-- {
			text := fmt.Sprint(recency)
			if recency == 0 {
				text = "all\t"
			} else if all := grid[recency][0]; all.customers > 0 {
				text += fmt.Sprintf("\t%.0f", all.days/float64(all.customers))
			} else {
				text += "\t–"
			}
			for frequency := 1; frequency <= 5; frequency++ {
				text += "\t" + rfmCell(grid[recency][frequency].customers, grid[recency][frequency].share, priced)
			}
			if recency > 0 {
				text += "\t" + rfmCell(grid[recency][0].customers, grid[recency][0].share, priced)
			} else {
				text += "\t" + spoken.Count(r.Customers)
			}
			line("%s", text)
		}
	})
	if priced {
		fmt.Fprintln(w, "\nIn brackets: the share of all that was spent.")
	}
}

// rfmCell writes how many they are and what part of the money they spent.
func rfmCell(customers int64, share float64, priced bool) string {
	switch {
	case customers == 0:
		return "·"
	case !priced:
		return spoken.Count(customers)
	}
	return fmt.Sprintf("%s (%.0f %%)", spoken.Count(customers), 100*share)
}
