package report

import (
	"fmt"
	"time"

	"retain/internal/spoken"
	"retain/training"
)

// withoutAnatomy is why a section is empty where the training was made before it was recorded.
const withoutAnatomy = "This model was trained by an earlier retain, which did not record this. Train again to see it."

// rowsSection is the data summary: the question, and the labelled rows of each cutoff.
func rowsSection(d *Document) (section, error) {
	t := &d.Training
	s := section{
		ID: "rows", Title: "Rows and label", Short: "Rows", Beside: true,
		Lead: fmt.Sprintf("A row is one customer at one cutoff, described only by what was known before it; whether the customer left was known %s later. ", spoken.Counted(d.Churn.MaturityDays(), "day")) + question(d.Churn),
	}
	a := t.Anatomy
	if a == nil {
		s.Empty = withoutAnatomy
		return s, nil
	}
	s.Notes = append(s.Notes, fmt.Sprintf("%s of %s, %s (%s) of which left. The customers of one cutoff are much the same as those of the next, so rows are not independent: folds, calibration and intervals keep a customer's rows together.",
		spoken.Counted(t.Rows, "row"), spoken.Counted(a.Customers, "customer"), spoken.Count(t.Positives), percent(share(t.Positives, t.Rows))))
	var rates []cutoffShare
	listed := table{Title: "Rows of each cutoff", Folded: len(a.Cutoffs) == 1, Head: heads("Cutoff", "#rows", "#left", "#share that left")}
	for _, c := range a.Cutoffs {
		rates = append(rates, cutoffShare{c.Cutoff, share(c.Positives, c.Rows), c.Rows})
		listed.Rows = append(listed.Rows, row{Cells: []cell{
			{Text: shortDay(c.Cutoff)}, number(spoken.Count(c.Rows)), number(spoken.Count(c.Positives)), number(percent(share(c.Positives, c.Rows))),
		}})
	}
	if len(rates) > 1 {
		drawing, err := baseRatePlot(rates)
		if err != nil {
			return s, err
		}
		s.Figures = append(s.Figures, drawn{Title: "The share that left, by cutoff", SVG: drawing,
			Read: "How to read it: each dot is a training cutoff, the bar what chance alone would move it by. A trend or a jump says that the past is not all alike, and the newest rows say most about the next months."})
	}
	s.Tables = append(s.Tables, listed)
	return s, nil
}

// folds are the origins of the tournament, newest first: every training cutoff whose labels were complete at the test cutoff. None where the
// families were measured across customers.
func folds(d *Document) []foldLine {
	if len(d.Training.Models) == 0 {
		return nil
	}
	var out []foldLine
	for _, f := range d.Training.Models[0].Folds {
		line := foldLine{Test: f.Cutoff}
		for _, t := range d.Training.Cutoffs {
			if d.Churn.Known(t, f.Cutoff) {
				line.Train = append(line.Train, t)
			}
		}
		if len(line.Train) > 0 {
			out = append([]foldLine{line}, out...)
		}
	}
	return out
}

// foldsSection shows what was learned from when, and tested when.
func foldsSection(d *Document) (section, error) {
	s := section{ID: "folds", Title: "Folds", Short: "Folds", Beside: true,
		Lead: "Each family was trained as if it were the test cutoff: from cutoffs whose labels were complete by then, and measured on what came after."}
	lines := folds(d)
	if len(lines) == 0 {
		s.Empty = "No cutoff lies a label's length behind another, so there is no fold in time: the families were measured across customers on the training cutoffs themselves. Take all figures as optimistic until there is more history."
		return s, nil
	}
	drawing, err := foldsPlot(lines, d.Churn.GapDays, d.Churn.HorizonDays)
	if err != nil {
		return s, err
	}
	s.Figures = []drawn{{Title: "Time of each fold", SVG: drawing,
		Read: "How to read it: a line is a fold, named by its test cutoff (large dot). Small dots are the cutoffs learned from, the pale bar the time in which their labels came true; it ends before the test cutoff. The strong bar is the time that was to be foretold."}}
	listed := table{Title: "Folds of the chosen family", Head: heads("Test cutoff", "#learned from", "#rows", "#left", "#AUC", "#log loss", "#top lift")}
	own := d.family(d.Model.Family)
	if own == nil {
		own = &d.Training.Models[0]
	}
	for k := len(own.Folds) - 1; k >= 0; k-- {
		f := own.Folds[k]
		listed.Rows = append(listed.Rows, row{Cells: []cell{
			{Text: shortDay(f.Cutoff)}, number(fmt.Sprint(len(trainOf(lines, f.Cutoff)))), number(spoken.Count(f.Rows)),
			number(spoken.Count(f.Positives)), number(decimal(float64(f.AUC), 3)), number(decimal(float64(f.LogLoss), 4)), number(decimal(float64(f.TopDecileLift), 2)),
		}})
	}
	s.Tables = []table{listed}
	return s, nil
}

func trainOf(lines []foldLine, test time.Time) []time.Time {
	for _, l := range lines {
		if l.Test.Equal(test) {
			return l.Train
		}
	}
	return nil
}

// featuresSection lists what the model reads, and what was left out.
func featuresSection(d *Document) (section, error) {
	s := section{ID: "features", Title: "Features", Short: "Features",
		Lead: fmt.Sprintf("The model reads %s, computed alike at training and at scoring from rows known before the cutoff.", spoken.Counted(len(d.Features), "feature"))}
	in := table{Title: fmt.Sprintf("In use (%d)", len(d.Features)), Folded: true, Head: heads("Feature", "what it is", "missing means", "#missing")}
	for _, f := range d.Features {
		gap := unknown
		if w := worthOf(d.Training.Anatomy, f.Name); w != nil {
			gap = percent(float64(w.Missing))
		}
		in.Rows = append(in.Rows, row{Cells: []cell{{Text: f.Name, Of: f.Unit}, {Text: f.Doc}, {Text: f.Missing}, number(gap)}})
	}
	s.Tables = append(s.Tables, in)
	if dropped := d.Training.Dropped; len(dropped) > 0 {
		out := table{Title: fmt.Sprintf("Left out (%d)", len(dropped)), Folded: true, Head: heads("Feature", "why")}
		for _, f := range dropped {
			out.Rows = append(out.Rows, row{Cells: []cell{{Text: f.Name}, {Text: f.Why}}})
		}
		s.Tables = append(s.Tables, out)
	}
	return s, nil
}

func worthOf(a *training.Anatomy, name string) *training.Worth {
	if a == nil {
		return nil
	}
	for k := range a.Features {
		if a.Features[k].Feature == name {
			return &a.Features[k]
		}
	}
	return nil
}
