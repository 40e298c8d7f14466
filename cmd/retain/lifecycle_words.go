package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"retain/features/lifecycle"
	"retain/internal/spoken"
)

// boardWords writes a board for people.
func boardWords(b *lifecycle.Board) func(w io.Writer) {
	return func(w io.Writer) {
		total, most := 0, 1
		for _, s := range b.Stages {
			total, most = total+s.Customers, max(most, s.Customers)
		}
		how := "stored with the run in force"
		if !b.Stored {
			how = "computed on the run in force, not kept"
		}
		fmt.Fprintf(w, "%s customers by the stages of %s, as of %s (%s)\n\n", spoken.Count(total), b.Preset, day(b.To), how)
		table(w, func(line func(string, ...any)) {
			line("stage\tcustomers\t\tentered\tmedian days\tmoves on\tfalls back\tleaves\twho")
			for _, s := range b.Stages {
				bar := strings.Repeat("█", int(math.Ceil(12*float64(s.Customers)/float64(most))))
				line("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", s.Name, spoken.Count(s.Customers), bar, spoken.Count(s.Entered), figure(s.MedianDays, 0), percent(s.Conversion), percent(s.FellBack), percent(s.DropOff), s.Title)
			}
		})
		fmt.Fprintln(w, "\nEntered since", day(b.From)+"; moves on, falls back, leaves: a month, of those in the stage at its start")
		matrixWords(w, b)
		if b.Stored {
			fmt.Fprintln(w, "\nWhat happens in which stage: retain lifecycle journey. Key figures: retain lifecycle kpis.")
		}
	}
}

// matrixWords writes the transition matrix of a board, rows to 100 %.
func matrixWords(w io.Writer, b *lifecycle.Board) {
	if len(b.Transitions) == 0 {
		fmt.Fprintln(w, "\nNo two month starts to compare: there are no transitions yet.")
		return
	}
	share := map[[2]string]float64{}
	months := map[string]int{}
	for _, t := range b.Transitions {
		share[[2]string{t.From, t.To}] = t.Share
		months[t.From] += t.Customers
	}
	fmt.Fprintf(w, "\nFrom one month start to the next, %s to %s: of those in the stage of the row, %% in that of the column\n\n", day(b.From), day(b.To))
	table(w, func(line func(string, ...any)) {
		head := "from"
		for _, s := range b.Stages {
			head += "\t" + s.Name
		}
		line("%s\tcustomer months", head)
		for _, from := range b.Stages {
			row := from.Name
			for _, to := range b.Stages {
				row += "\t" + sharePoints(share, from.Name, to.Name)
			}
			line("%s\t%s", row, spoken.Count(months[from.Name]))
		}
	})
}

// sharePoints is a share of a matrix in per cent; a dot for nobody.
func sharePoints(share map[[2]string]float64, from, to string) string {
	v, ok := share[[2]string{from, to}]
	if !ok {
		return "·"
	}
	if v < .0005 {
		return "<0.1"
	}
	return fmt.Sprintf("%.1f", 100*v)
}

// comparisonWords writes what a new rule set would change.
func comparisonWords(c *lifecycle.Comparison) func(w io.Writer) {
	return func(w io.Writer) {
		boardWords(c.Board)(w)
		if c.From == c.To {
			fmt.Fprintf(w, "\nThe rules say the same as those in force (%s): nobody would move.\n", c.From)
			return
		}
		fmt.Fprintf(w, "\nAgainst the rules in force (%s), %s customers would stand in another stage as of %s\n", c.From, spoken.Count(c.Moved), day(c.Board.Cutoff))
		if c.Moved == 0 {
			return
		}
		fmt.Fprintln(w)
		moves := slices.Clone(c.Moves)
		slices.SortStableFunc(moves, func(a, b lifecycle.Move) int { return cmp.Compare(b.Customers, a.Customers) })
		table(w, func(line func(string, ...any)) {
			line("from\tto\tcustomers\tsuch as")
			for _, m := range moves {
				if m.From == m.To {
					continue
				}
				examples := make([]string, 0, 3)
				for _, id := range m.Examples[:min(3, len(m.Examples))] {
					examples = append(examples, short(id))
				}
				line("%s\t%s\t%s\t%s", m.From, m.To, spoken.Count(m.Customers), strings.Join(examples, ", "))
			}
		})
	}
}

// journeyShown are the kinds of events shown of a stage and source, those that happen at least leastTold times to 100 customers in a month.
const (
	journeyShown = 5
	leastTold    = .05
)

// journeyWords writes a journey map for people.
func journeyWords(j *lifecycle.Journey) func(w io.Writer) {
	return func(w io.Writer) {
		fmt.Fprintf(w, "What happened in which stage of %s, %s to %s, per 100 customers and month\n\n", j.Preset, day(j.From), day(j.To))
		table(w, func(line func(string, ...any)) {
			line("stage\tcustomer months\twhat\tmost often")
			for _, s := range j.Stages {
				name, months := s.Name, spoken.Count(s.Months)
				for _, source := range eventSources(s.Events) { // most frequent first within each
					var words []string
					for _, e := range s.Events {
						if e.Source == source && len(words) < journeyShown && (e.Rate == nil || *e.Rate >= leastTold) {
							words = append(words, eventWords(e))
						}
					}
					if len(words) == 0 {
						continue
					}
					line("%s\t%s\t%s\t%s", name, months, source, strings.Join(words, ", "))
					name, months = "", ""
				}
				if name != "" {
					line("%s\t%s\t–\t", name, months)
				}
			}
		})
	}
}

// eventSources are the sources of events in their order.
func eventSources(events []lifecycle.JourneyEvent) (sources []string) {
	for _, e := range events {
		if !slices.Contains(sources, e.Source) {
			sources = append(sources, e.Source)
		}
	}
	return sources
}

// eventWords is one kind of event with its rate.
func eventWords(e lifecycle.JourneyEvent) string {
	words := strings.TrimSpace(strings.ReplaceAll(printable(e.Kind), "_", " "))
	if e.Channel != "" {
		words = strings.TrimSpace(words + " by " + strings.ReplaceAll(printable(e.Channel), "_", " "))
	}
	return strings.TrimSpace(words + " " + figure(e.Rate, 1))
}
