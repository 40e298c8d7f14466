package report

import (
	"cmp"
	"slices"
	"strings"

	"retain/training/metrics"
)

// familiesSection is the tournament.
func familiesSection(d *Document) (section, error) {
	s := section{ID: "families", Title: "Tournament", Short: "Tournament",
		Lead: "All families on the same rows of the test cutoffs, none of which they had learned from. The lowest log loss is chosen; within one paired standard error of it, the simpler family."}
	list := slices.Clone(d.Training.Models)
	if len(list) == 0 {
		s.Empty = "No family could be measured on these rows."
		return s, nil
	}
	slices.SortStableFunc(list, func(a, b metrics.ModelFigures) int { return cmp.Compare(a.Pooled.LogLoss, b.Pooled.LogLoss) })
	var losses []familyLoss
	out := table{Title: "Figures over all test rows",
		Read: "AUC, average precision and lift are means of the test cutoffs, weighted by those who left; the others are over all rows together. Better is more for the first three and less for the next three.",
		Head: heads("Family", "#AUC", "#average precision", "#lift of the top tenth", "#log loss", "#Brier", "#calibration error", "#observed / expected", "calibrated", "#fit, s")}
	for _, f := range list {
		p := f.Pooled
		losses = append(losses, familyLoss{f.Name, float64(p.LogLoss), float64(p.LogLossInterval[0]), float64(p.LogLossInterval[1]), f.Name == d.Model.Family})
		calibrated := cell{Text: "yes", Tone: "good"}
		if !p.Calibration.Pass {
			calibrated = cell{Text: "no", Tone: "bad"}
		}
		out.Rows = append(out.Rows, row{Chosen: f.Name == d.Model.Family, Cells: []cell{
			{Text: f.Name, Of: standing(f)}, number(decimal(float64(p.AUC), 4)), number(decimal(float64(p.PRAUC), 4)), number(decimal(float64(p.TopDecileLift), 2)),
			{Text: decimal(float64(p.LogLoss), 4), Of: interval(p.LogLossInterval, four), Number: true},
			number(decimal(float64(p.Brier), 4)), {Text: decimal(float64(p.ECE), 4), Of: "chance " + decimal(float64(p.Calibration.NoiseBand), 4), Number: true},
			{Text: decimal(float64(p.Calibration.ObservedExpected), 3), Of: interval(p.Calibration.OEInterval, three), Number: true},
			calibrated, number(decimal(f.FitSeconds, 1)),
		}})
	}
	drawing, err := lossPlot(losses)
	if err != nil {
		return s, err
	}
	s.Figures = []drawn{{Title: "Log loss of each family", SVG: drawing,
		Read: "How to read it: a dot is a family's log loss, the bar its 95 % interval; the chosen one is strong. Families share their rows, so overlapping bars may still differ surely: the verdict compares them in pairs."}}
	s.Tables = []table{out}
	for _, tuning := range d.Training.Tuning {
		s.Notes = append(s.Notes, sentence(tuning.String()))
	}
	if d.Training.Intervals != "" {
		s.Notes = append(s.Notes, sentence(d.Training.Intervals))
	}
	for _, w := range d.Training.Warnings {
		s.Notes = append(s.Notes, sentence(w))
	}
	return s, nil
}

// standing tells what a family is and what to think of it.
func standing(f metrics.ModelFigures) string {
	if f.Name == "champion" && f.Verdict != "" {
		return sentence(f.Verdict) // which says what it is
	}
	return strings.TrimSpace(sentence(familyWords(f.Name)) + " " + sentence(f.Verdict))
}
