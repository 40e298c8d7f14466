package report

import (
	"fmt"

	"retain/internal/spoken"
	"retain/training"
)

// segmentsSection shows whether the model serves all parts of the customers.
func segmentsSection(d *Document) (section, error) {
	s := section{ID: "segments", Title: "Segments", Short: "Segments",
		Lead: "Good on the whole can be bad for some. The same figures for each level of each category, on the test rows."}
	t := &d.Training.Segments
	if t.Family == "" {
		s.Empty = withoutAnatomy
		return s, nil
	}
	if len(t.Segments) == 0 {
		s.Empty = "There is no category with levels of enough rows to measure by."
		if t.Small > 0 {
			s.Empty += fmt.Sprintf(" %s have too few rows, or too few who left.", spoken.Counted(t.Small, "level"))
		}
		return s, nil
	}
	out := table{Head: heads("Segment", "#rows", "#left", "#AUC", "#log loss", "#observed / expected"),
		Read: "How to read it: an observed / expected whose interval does not hold 1 says that the probabilities of this segment are too low (above 1) or too high (below). With many segments, one in twenty does so by chance."}
	for _, g := range t.Segments {
		c := g.Calibration
		tone := ""
		if float64(c.OEInterval[0]) > 1 || float64(c.OEInterval[1]) < 1 {
			tone = "fair"
		}
		out.Rows = append(out.Rows, row{Cells: []cell{
			{Text: g.Level, Of: g.Column}, number(spoken.Count(g.Rows)), number(percent(share(g.Positives, g.Rows))),
			{Text: three(float64(g.AUC)), Of: interval(g.AUCInterval, three), Number: true}, {Text: decimal(float64(g.LogLoss), 4), Of: interval(g.LogLossInterval, three), Number: true},
			{Text: three(float64(c.ObservedExpected)), Of: interval(c.OEInterval, three), Number: true, Tone: tone},
		}})
	}
	s.Tables = []table{out}
	if t.Small > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("%s have too few rows, or too few who left or stayed, to be measured.", spoken.Counted(t.Small, "more segment")))
	}
	if t.More > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("%s are not shown; these are the largest.", spoken.Counted(t.More, "more segment")))
	}
	return s, nil
}

// leaksSection tells the columns that may know the outcome.
func leaksSection(d *Document) (section, error) {
	s := section{ID: "leaks", Title: "Leak alarms", Short: "Leaks",
		Lead: "A column that was filled in after the fact looks like a wonder in training and fails in use. Each column, and whether it is missing, is tried alone; a training with one that surely knows the outcome is stopped."}
	if len(d.Training.Leaks) == 0 {
		s.Empty = "None. No column alone tells the outcome suspiciously well."
		return s, nil
	}
	out := table{Head: heads("Column", "#AUC alone", "what to do")}
	for _, l := range d.Training.Leaks {
		what := "check that it was known at the cutoff"
		if l.Reason != "" {
			what = "allowed: " + l.Reason
		}
		of := "its value"
		if l.Missing {
			of = "whether it is missing"
		}
		out.Rows = append(out.Rows, row{Cells: []cell{{Text: l.Feature, Of: of}, number(three(float64(l.AUC))), {Text: what}}})
	}
	s.Tables = []table{out}
	return s, nil
}

// changeSection tells what the promotion changed, or would.
func changeSection(d *Document) (section, error) {
	s := section{ID: "change", Title: "What changed against the champion", Short: "Change", Beside: true}
	a := d.Training.Anatomy
	switch {
	case a == nil:
		s.Empty = withoutAnatomy
		return s, nil
	case a.Change == nil:
		s.Empty = "There was no champion before: this is the first model of its kind here."
		return s, nil
	}
	c := a.Change
	s.Lead = fmt.Sprintf("Against %s v%d (%s), which was champion when this model was trained.", c.Champion.Name, c.Champion.Version, c.Champion.Family)
	if c.Note != "" {
		s.Notes = append(s.Notes, sentence(c.Note))
	}
	if len(c.Pairs) > 0 {
		var pairs []point
		for _, p := range c.Pairs {
			pairs = append(pairs, point{float64(p[0]), float64(p[1])})
		}
		drawing, err := scoresPlot(pairs)
		if err != nil {
			return s, err
		}
		s.Figures = []drawn{{Title: "The same customers under both", Of: fmt.Sprintf("%s of the newest cutoff", spoken.Counted(len(pairs), "customer")), SVG: drawing,
			Read: "How to read it: a dot is a customer; on the dashed line both models say the same. A cloud about the line is new noise or new knowledge; a cloud beside it, another level of risk."}}
	}
	s.Tables = append(s.Tables, changeFigures(c))
	if c.Rows > 0 {
		s.Tables = append(s.Tables, bandTable(c))
	}
	if len(c.Moves) > 0 {
		out := table{Title: "Importance that moved most", Folded: len(c.Moves) > 4, Head: heads("Feature", "#share before", "#share now", "#change")}
		for _, m := range c.Moves {
			out.Rows = append(out.Rows, row{Cells: []cell{
				{Text: m.Feature}, number(percent(float64(m.Champion))), number(percent(float64(m.New))), number(signed(100*float64(m.New-m.Champion), 1) + " points"),
			}})
		}
		s.Tables = append(s.Tables, out)
	}
	return s, nil
}

// changeFigures are the figures of the change.
func changeFigures(c *training.Change) table {
	out := table{Title: "In figures", Head: heads("Figure", "#value", "what it says")}
	add := func(name, value, words string) {
		out.Rows = append(out.Rows, row{Cells: []cell{{Text: name}, number(value), {Text: words}}})
	}
	if finite(float64(c.Gain)) {
		words := "not sure: the interval holds 0"
		switch {
		case c.GainInterval[0] > 0:
			words = "the new model is surely better"
		case c.GainInterval[1] < 0:
			words = "the champion's recipe is surely better"
		}
		gain := func(v float64) string { return signed(v, 4) }
		add("Log loss gained", gain(float64(c.Gain)), fmt.Sprintf("95 %%: %s; the champion's recipe refitted on the same folds, row by row; %s", interval(c.GainInterval, gain), words))
	}
	if c.Rows > 0 {
		add("Rank correlation", decimal(float64(c.Correlation), 3), "1: both rank all customers alike")
		add("Top tenth in common", percent(float64(c.TopTenth)), "of the customers at most risk by the new model, those whom the champion had there, too")
		add("Mean probability", percent(float64(c.MeanChampion))+" → "+percent(float64(c.MeanNew)), "champion, new model")
	}
	add("Features added", fmt.Sprint(len(c.Added)), orNone(joined(c.Added, 8)))
	add("Features removed", fmt.Sprint(len(c.Removed)), orNone(joined(c.Removed, 8)))
	return out
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// bandTable tells how many customers change their band.
func bandTable(c *training.Change) table {
	stay := 0
	out := table{Title: "Bands", Head: heads("Champion's band", "#now low", "#now medium", "#now high")}
	for k, name := range []string{"low", "medium", "high"} {
		line := row{Cells: []cell{{Text: name}}}
		for now, n := range c.Bands[k] {
			if now == k {
				stay += n
			}
			line.Cells = append(line.Cells, number(spoken.Count(n)))
		}
		out.Rows = append(out.Rows, line)
	}
	out.Read = fmt.Sprintf("How to read it: rows are where the champion put %s of the newest cutoff, columns where the new model puts them; %s keep their band.", spoken.Counted(c.Rows, "customer"), percent(share(stay, c.Rows)))
	return out
}
