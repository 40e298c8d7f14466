package report

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"

	"retain/features"
	"retain/internal/spoken"
	"retain/training"
)

// toldFeatures is how many features the table of importance shows; the rest is summed up.
const toldFeatures = 20

// importanceSection shows what each feature is worth to the model.
func importanceSection(d *Document) (section, error) {
	s := section{ID: "importance", Title: "Feature importance", Short: "Importance",
		Lead: "What the model makes its judgement from. It tells what leaving goes with here, not what causes it."}
	a := d.Training.Anatomy
	if a == nil {
		s.Empty = withoutAnatomy
		return s, nil
	}
	list := slices.DeleteFunc(slices.Clone(a.Features), func(w training.Worth) bool { return !(w.Contribution > 0) })
	if len(list) == 0 {
		s.Empty = "The model reads no feature: it gives every customer the same probability."
		return s, nil
	}
	where := fmt.Sprintf("on %s of the newest cutoff learned from", spoken.Counted(a.Permuted, "row"))
	if a.PermutedAt != nil {
		where = fmt.Sprintf("on %s of %s, which that model had not seen", spoken.Counted(a.Permuted, "row"), shortDay(*a.PermutedAt))
	}
	top, rise := 0., 0.
	for _, w := range list {
		top = math.Max(top, float64(w.Contribution))
		for _, v := range []float64{float64(w.Rise), float64(w.RiseInterval[1])} {
			if finite(v) {
				rise = math.Max(rise, v)
			}
		}
	}
	low := 0.
	for _, w := range list {
		if v := float64(w.RiseInterval[0]); finite(v) {
			low = math.Min(low, v)
		}
	}
	out := table{Head: heads("Feature", "mean contribution, log-odds", "rise of the log loss when shuffled", "more of it"),
		Read: fmt.Sprintf("How to read it: the bar is by how much the feature moves the log-odds of a customer on the average, either way (exact contributions, which add up to the score; %s of the newest cutoff). The dot is by how much the log loss rises when the feature is shuffled among customers, with its 95 %% interval (%s): where it does not clear the line, the model could do without that feature, perhaps because another tells the same.",
			spoken.Counted(a.Explained, "row"), where)}
	shown := 0.
	for _, w := range list[:min(toldFeatures, len(list))] {
		shown += float64(w.Share)
		f := d.feature(w.Feature)
		out.Rows = append(out.Rows, row{Cells: []cell{
			{Text: w.Feature, Of: f.Doc},
			{Text: decimal(float64(w.Contribution), 3) + " · " + percent(float64(w.Share)), Meter: bar(float64(w.Contribution)/top, "mean contribution "+decimal(float64(w.Contribution), 3))},
			{Text: riseWords(w), Meter: whisker(w, low, rise)},
			{Text: trendWords(w)},
		}})
	}
	s.Tables = []table{out}
	if rest := len(list) - len(out.Rows); rest > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("%s more contribute %s together.", spoken.Counted(rest, "feature"), percent(1-shown)))
	}
	if idle := len(a.Features) - len(list); idle > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("%s contribute nothing.", spoken.Counted(idle, "feature")))
	}
	return s, nil
}

func riseWords(w training.Worth) string {
	if !finite(float64(w.Rise)) {
		return "not measured"
	}
	return signed(float64(w.Rise), 4)
}

// trendWords says which way a feature speaks.
func trendWords(w training.Worth) string {
	switch t := float64(w.Trend); {
	case !finite(t):
		return "by level"
	case t > .8:
		return "more risk"
	case t > .4:
		return "mostly more risk"
	case t < -.8:
		return "less risk"
	case t < -.4:
		return "mostly less risk"
	default:
		return "it depends"
	}
}

func cent(v float64) string { return strconv.FormatFloat(100*v, 'f', 2, 64) + "%" }

func bar(length float64, words string) *meter { return &meter{At: cent(length), Words: words} }

// whisker places a rise and its interval between low and high.
func whisker(w training.Worth, low, high float64) *meter {
	at, from, until := float64(w.Rise), float64(w.RiseInterval[0]), float64(w.RiseInterval[1])
	if !finite(at) || !finite(from) || !finite(until) || !(high > low) {
		return nil
	}
	place := func(v float64) string { return cent(.02 + .96*(v-low)/(high-low)) }
	return &meter{
		Whisker: true, At: place(at), From: place(from), Until: place(until), Zero: place(0),
		Words: fmt.Sprintf("log loss rises by %s, 95 %% interval %s", signed(at, 4), interval(w.RiseInterval, func(v float64) string { return signed(v, 4) })),
	}
}

// dependenceSection shows how the probability moves with the ten features of the greatest contribution.
func dependenceSection(d *Document) (section, error) {
	s := section{ID: "dependence", Title: "Partial dependence", Short: "Dependence",
		Lead: "How the probability moves when one feature is set to a value for everybody and all else stays as it is."}
	a := d.Training.Anatomy
	if a == nil {
		s.Empty = withoutAnatomy
		return s, nil
	}
	if len(a.Dependence) == 0 {
		s.Empty = "The model reads no feature: the probability moves with none."
		return s, nil
	}
	s.Lead += " The line is the mean, the band holds the middle 80 % of customers, the ticks are tenths of them: where ticks are rare, so are customers, and the model guesses. All plots share one axis."
	top := 0.
	for _, one := range a.Dependence {
		for _, q := range one.Points {
			top = math.Max(top, float64(q.High))
		}
		if one.Missing != nil {
			top = math.Max(top, float64(one.Missing.High))
		}
	}
	for _, one := range a.Dependence {
		drawing, read, err := drawDependence(d, one, math.Min(1, 1.05*top))
		if err != nil {
			return s, err
		}
		f := d.feature(one.Feature)
		s.Figures = append(s.Figures, drawn{Title: one.Feature, Of: f.Doc, SVG: drawing, Read: read})
	}
	return s, nil
}

// drawDependence draws one feature and tells its least and greatest mean.
func drawDependence(d *Document, one training.Dependence, top float64) (template.HTML, string, error) {
	f := d.feature(one.Feature)
	shape := dependenceShape{Feature: one.Feature, Unit: unitWords(f, d.Currency), Top: top}
	for _, v := range one.Deciles {
		shape.Deciles = append(shape.Deciles, float64(v))
	}
	spread := []dependencePoint{}
	for _, q := range one.Points {
		shape.Points = append(shape.Points, dependencePoint{float64(q.Value), float64(q.Probability), float64(q.Low), float64(q.High), float64(q.Share), q.Level})
	}
	spread = append(spread, shape.Points...)
	if m := one.Missing; m != nil {
		shape.Missing = &dependencePoint{Mean: float64(m.Probability), Low: float64(m.Low), High: float64(m.High), Share: float64(m.Share)}
		spread = append(spread, *shape.Missing)
	}
	if len(shape.Points) == 0 {
		return "", "No row has a value.", nil
	}
	least := slices.MinFunc(spread, func(a, b dependencePoint) int { return cmp.Compare(a.Mean, b.Mean) })
	most := slices.MaxFunc(spread, func(a, b dependencePoint) int { return cmp.Compare(a.Mean, b.Mean) })
	where := func(q dependencePoint) string {
		switch {
		case shape.Missing != nil && q == *shape.Missing:
			return "where it is missing"
		case q.Level != "":
			return "for “" + short(q.Level, 24) + "”"
		default:
			return "at " + valueWords(q.Value, f.Unit)
		}
	}
	read := fmt.Sprintf("On average between %s %s and %s %s.", percent(least.Mean), where(least), percent(most.Mean), where(most))
	if shape.Missing != nil && f.Missing != "" {
		read += fmt.Sprintf(" Missing (%s of customers): %s.", percent(shape.Missing.Share), f.Missing)
	}
	drawing, err := dependencePlot(shape)
	return drawing, read, err
}

// unitWords names the axis of a feature.
func unitWords(f Feature, currency string) string {
	switch features.Unit(f.Unit) {
	case features.UnitMoney:
		return currency
	case features.UnitCount:
		return "count"
	case features.UnitChange:
		return "relative change"
	case features.UnitFlag:
		return "0 no, 1 yes"
	case features.UnitNumber, features.UnitLevel, "":
		return ""
	default:
		return f.Unit
	}
}

// valueWords writes a value with its unit.
func valueWords(v float64, unit string) string {
	switch features.Unit(unit) {
	case features.UnitShare:
		return percent(v)
	case features.UnitDays, features.UnitHours, features.UnitMinutes:
		return amount(v) + " " + unit
	default:
		return amount(v)
	}
}
