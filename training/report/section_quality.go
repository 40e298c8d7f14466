package report

import (
	"fmt"
	"math"
	"slices"

	"retain/internal/spoken"
	"retain/training/metrics"
)

// unmeasured is why a section of quality is empty.
const unmeasured = "The family was not measured on rows that it had not learned from."

// reliabilitySection is the proof of calibration.
func reliabilitySection(d *Document) (section, error) {
	s := section{ID: "reliability", Title: "Reliability", Short: "Reliability", Beside: true,
		Lead: "Of the customers who were given a probability of 20 %, do 20 in 100 leave? What is at stake, and the choice of actions, rest on that."}
	f := d.family(d.Model.Family)
	if f == nil {
		s.Empty = unmeasured
		return s, nil
	}
	curves := d.curves(d.Model.Family)
	if curves != nil {
		var bins []calibrationBin
		for _, b := range curves.Reliability {
			bins = append(bins, calibrationBin{float64(b.Mean), float64(b.Observed), float64(b.ObservedInterval[0]), float64(b.ObservedInterval[1])})
		}
		drawing, err := reliabilityPlot(bins)
		if err != nil {
			return s, err
		}
		s.Figures = []drawn{{Title: "Given and observed", SVG: drawing,
			Read: "How to read it: each dot is a tenth of the test rows, by the probability they were given; the bar is the 95 % interval of the share that left. On the dashed line the two agree; above it more left than was said."}}
	}
	s.Tables = append(s.Tables, proof(f.Pooled.Calibration))
	if curves != nil {
		out := table{Title: "The bins in figures", Folded: true, Head: heads("Probability given", "#rows", "#mean", "#left", "#95 % interval")}
		for _, b := range curves.Reliability {
			out.Rows = append(out.Rows, row{Cells: []cell{
				{Text: percent(float64(b.Lowest)) + " to " + percent(float64(b.Highest))}, number(spoken.Count(b.Rows)),
				number(percent(float64(b.Mean))), number(percent(float64(b.Observed))), number(interval(b.ObservedInterval, percent)),
			}})
		}
		s.Tables = append(s.Tables, out)
	}
	return s, nil
}

// proof is the table of the three conditions of calibration.
func proof(c metrics.Reliability) table {
	title := "The proof: passed"
	if !c.Pass {
		title = "The proof: not passed"
	}
	line := func(name, of, value, between, rule string) row {
		return row{Cells: []cell{{Text: name, Of: of}, number(value), number(between), {Text: rule}}}
	}
	return table{
		Title: title, Read: "All three must hold, on rows that the model had not seen.", Head: heads("Figure", "#value", "#95 %", "passes if"),
		Rows: []row{
			line("Observed / expected", "how many left, against the sum of the probabilities", three(float64(c.ObservedExpected)), interval(c.OEInterval, three), "in 0.9 to 1.1, or the interval holds 1"),
			line("Calibration error", "mean distance from the dashed line, over bins of equal mass", decimal(float64(c.ECE), 4), "chance: to "+decimal(float64(c.NoiseBand), 4), "within what chance makes, or a tenth of the base rate"),
			line("Slope", "below 1 the probabilities are too bold, above 1 too timid", decimal(float64(c.Slope), 2), interval(c.SlopeInterval, two), "in 0.8 to 1.25, or the interval holds 1"),
		},
	}
}

// gainsSection tells how many of those who leave stand at the top of the list.
func gainsSection(d *Document) (section, error) {
	s := section{ID: "gains", Title: "Gains and lift", Short: "Gains",
		Lead: "A retention team can turn to some customers only. Turning to those at most risk, how many of those who are about to leave does it reach?"}
	f := d.family(d.Model.Family)
	if f == nil {
		s.Empty = unmeasured
		return s, nil
	}
	curves := d.curves(d.Model.Family)
	if curves == nil || len(curves.Gains) == 0 {
		s.Empty = withoutAnatomy
		return s, nil
	}
	own := gainCurve(curves.Gains)
	var rule []point
	if r := d.curves("recency_rule"); r != nil && r != curves {
		rule = gainCurve(r.Gains)
	}
	drawing, err := gainsPlot(own, rule, share(f.Pooled.Positives, f.Pooled.Rows))
	if err != nil {
		return s, err
	}
	s.Figures = append(s.Figures, drawn{Title: "Gains", SVG: drawing,
		Read: "How to read it: turning to the customers up to a place on the list (across) reaches the share of those who left that stands at the line (up). The farther it bends from the dashed diagonal, the better it ranks."})
	if tenths := plain(metrics.Tenths(curves.Gains)); tenths != nil {
		drawing, err := liftPlot(tenths)
		if err != nil {
			return s, err
		}
		s.Figures = append(s.Figures, drawn{Title: "Lift by tenth", SVG: drawing,
			Read: "How to read it: the first bar is the tenth at most risk; 3 means that three times as many of them left as of all. A good ranking falls from left to right."})
	}
	out := table{Title: "In figures", Folded: true, Head: heads("Customers turned to", "#rows", "#of those who left", "#95 %", "#left among them", "#lift", "#95 %")}
	for _, g := range toldGains(curves.Gains) {
		out.Rows = append(out.Rows, row{Cells: []cell{
			{Text: percent(float64(g.Share))}, number(spoken.Count(g.Rows)), number(percent(float64(g.Recall))), number(interval(g.RecallInterval, percent)),
			number(percent(float64(g.Precision))), number(decimal(float64(g.Lift), 2)), number(interval(g.LiftInterval, two)),
		}})
	}
	s.Tables = []table{out}
	return s, nil
}

func gainCurve(list []metrics.GainPoint) []point {
	points := []point{{0, 0}}
	for _, g := range list {
		points = append(points, point{float64(g.Share), float64(g.Recall)})
	}
	return points
}

// toldGains are the points at round shares, those of the table.
func toldGains(list []metrics.GainPoint) []metrics.GainPoint {
	return slices.DeleteFunc(slices.Clone(list), func(g metrics.GainPoint) bool {
		return !slices.Contains([]int{1, 2, 5, 10, 20, 30, 40, 50}, int(math.Round(100*float64(g.Share))))
	})
}

func plain(list []metrics.Figure) []float64 {
	var out []float64
	for _, v := range list {
		out = append(out, float64(v))
	}
	return out
}

// profitSection tells what a campaign along the list would earn.
func profitSection(d *Document) (section, error) {
	s := section{ID: "profit", Title: "Profit of a campaign", Short: "Profit", Beside: true,
		Lead: "What it would have earned to turn to the customers at most risk, at the test cutoffs, and how far down the list that pays."}
	if d.family(d.Model.Family) == nil {
		s.Empty = unmeasured
		return s, nil
	}
	curves := d.curves(d.Model.Family)
	if curves == nil || curves.Profit == nil {
		s.Empty = withoutAnatomy
		return s, nil
	}
	c := curves.Profit
	best := point{float64(c.Best.Share), float64(c.Best.Profit)}
	points := []point{{0, 0}}
	for _, q := range c.Points {
		points = append(points, point{float64(q.Share), float64(q.Profit)})
	}
	money := func(v float64) string {
		if d.Currency == "" {
			return amount(v)
		}
		return amount(v) + " " + d.Currency
	}
	drawing, err := profitPlot(points, best, d.Currency)
	if err != nil {
		return s, err
	}
	words := fmt.Sprintf("It is highest at %s: %s from %s, all test cutoffs together.", percent(best.X), money(best.Y), spoken.Counted(c.Best.Rows, "contact"))
	if !(best.X > 0) {
		words = "At these terms turning to anybody loses money."
	}
	s.Figures = []drawn{{Title: "Profit by how many are contacted", SVG: drawing,
		Read: "How to read it: from left to right more customers are contacted, those at most risk first. " + words + " Beyond that, contacts cost more than they keep."}}
	s.Tables = []table{{Title: "The terms", Head: heads("Term", "#value"), Read: "It assumes that 30 % of the leavers who get the offer stay, and that stayers take it, too; the terms are a convention to compare models by, not a forecast.",
		Rows: []row{
			{Cells: []cell{{Text: "Value of a customer who is kept"}, number(money(c.CustomerValue))}},
			{Cells: []cell{{Text: "Cost of the offer, where it is taken"}, number(money(c.Offer))}},
			{Cells: []cell{{Text: "Cost of a contact"}, number(money(c.Contact))}},
			{Cells: []cell{{Text: "Expected maximum profit a customer (EMPC)", Of: "over acceptance rates as Beta(6, 14), at the best share for each; 95 %: " + interval(c.EMPCInterval, money)}, number(money(float64(c.EMPC)))}},
		}}}
	return s, nil
}
