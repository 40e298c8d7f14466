package serving

import (
	"math"
	"strconv"
	"time"

	"retain/features/timeline"
)

// sparkline is a small chart: places are per cent of its width and height, so that it stretches without distorting.
type sparkline struct {
	Title, Described string // for those who do not see it
	From, Until      string // under its ends
	Bars             []sparkBar
	Dots             []sparkDot
	Links            []sparkLink // between answered dots
	Top              string      // what the full height is
}

// sparkBar is one week of usage.
type sparkBar struct {
	X, Width, Y, Height string
	Kind                string // "" drawn, zero (nothing was used), out (usage was missing for everyone for half the week or more)
	Words               string
}

// sparkDot is one survey.
type sparkDot struct {
	X, Y  string
	Score string // "" for an invitation without an answer, which is hollow
	Band  string // colour: low for promoters, medium for passives, high for detractors
	Shown bool   // the score stands at the dot
	Words string
}

type sparkLink struct{ X1, Y1, X2, Y2 string }

// outWeek is from how many days without anyone's usage on a week tells nothing.
const outWeek = 4

// usageSparkline draws weeks of usage as bars, up to the largest of them; nil without any.
func usageSparkline(weeks []timeline.Week) *sparkline {
	if len(weeks) == 0 {
		return nil
	}
	most := 0
	for _, w := range weeks {
		most = max(most, w.Uses)
	}
	until := weeks[len(weeks)-1].From.AddDate(0, 0, 7)
	c := &sparkline{
		Title: "Uses per week, " + strconv.Itoa(len(weeks)) + " weeks", Top: count(most),
		From: weeks[0].From.UTC().Format("Jan 2006"), Until: until.UTC().Format("2 Jan 2006"),
	}
	slot := 100 / float64(len(weeks))
	for k, w := range weeks {
		if w.Before {
			continue // nobody to draw
		}
		bar := sparkBar{X: cent(float64(k)*slot + slot*.14), Width: cent(slot * .72), Words: "Week from " + w.From.UTC().Format("2 January 2006") + ": " + countOf(float64(w.Uses), "use")}
		if w.Minutes > 0 {
			bar.Words += ", " + duration(w.Minutes*60)
		}
		if w.Features > 0 {
			bar.Words += ", " + countOf(float64(w.Features), "feature")
		}
		if w.OutageDays > 0 {
			bar.Words += "; usage of everyone is missing on " + countOf(float64(w.OutageDays), "day")
		}
		switch {
		case w.OutageDays >= outWeek:
			bar.Kind, bar.Y, bar.Height = "out", "0%", "100%"
		case w.Uses == 0:
			bar.Kind, bar.Y, bar.Height = "zero", "97%", "3%"
		default:
			height := math.Max(5, 100*float64(w.Uses)/float64(most)) // one use must show
			bar.Y, bar.Height = cent(100-height), cent(height)
		}
		c.Bars = append(c.Bars, bar)
	}
	figure, note := usageFigure(weeks)
	c.Described = figure + " " + note + "."
	return c
}

// usageFigure is the mean of the last four weeks, and how it compares with the four before.
func usageFigure(weeks []timeline.Week) (figure, note string) {
	now, told := meanUses(weeks, 0)
	if !told {
		return unknown, "usage of the last 4 weeks is missing"
	}
	figure, note = rounded(now)+" a week", "uses, in the last 4 weeks"
	if then, told := meanUses(weeks, 4); told {
		note += "; " + rounded(then) + " in the 4 before"
	}
	return figure, note
}

// npsFigure is the last answer, and how many there were.
func npsFigure(answers []timeline.Answer) (figure, note string) {
	figure, note = unknown, ""
	answered := 0
	for _, a := range answers {
		if a.Score != nil {
			answered++
			figure, note = plain(a.Score), "last answer, on "+instant(a.At.UTC().Truncate(24*time.Hour))+"; "
		}
	}
	return figure, note + count(answered) + " of " + count(len(answers)) + " invitations answered"
}

// meanUses is the mean over four weeks, back many weeks before the last one, leaving out those of outages and those before the customer came.
func meanUses(weeks []timeline.Week, back int) (mean float64, known bool) {
	sum, n := 0, 0
	for k := len(weeks) - back - 4; k < len(weeks)-back; k++ {
		if k < 0 || weeks[k].Before || weeks[k].OutageDays >= outWeek {
			continue
		}
		sum += weeks[k].Uses
		n++
	}
	return float64(sum) / float64(max(n, 1)), n > 0
}

// rounded writes a mean: with one digit below ten.
func rounded(v float64) string {
	if v < 9.95 {
		v = math.Round(10*v) / 10
	} else {
		v = math.Round(v)
	}
	return plain(&v)
}

// shownScores is up to how many answers have their figure beside the dot.
const shownScores = 12

// npsSparkline draws NPS surveys as dots between 0 and 10; nil without any.
func npsSparkline(answers []timeline.Answer, from, until time.Time) *sparkline {
	if len(answers) == 0 {
		return nil
	}
	c := &sparkline{Title: "NPS answers since " + from.UTC().Format("January 2006"), From: from.UTC().Format("Jan 2006"), Until: until.UTC().Format("2 Jan 2006"), Top: "10"}
	answered, span := 0, float64(until.Sub(from))
	for _, a := range answers {
		if a.Score != nil {
			answered++
		}
	}
	last := -1 // place of the answered dot before
	for k, a := range answers {
		x := 2 + 96*math.Min(math.Max(float64(a.At.Sub(from))/span, 0), 1)
		dot := sparkDot{X: cent(x), Y: "92%", Words: a.At.UTC().Format("2 January 2006") + ": asked, no answer"}
		if a.Score != nil {
			v := *a.Score
			dot.Y = cent(92 - 76*math.Min(math.Max(v, 0), 10)/10)
			dot.Score, dot.Band, dot.Shown = plain(&v), npsGroupOf(v).band, answered <= shownScores
			dot.Words = a.At.UTC().Format("2 January 2006") + ": " + dot.Score
		}
		if k > 0 {
			c.Described += "; "
		}
		c.Described += dot.Words
		c.Dots = append(c.Dots, dot)
		if a.Score != nil {
			if last >= 0 {
				c.Links = append(c.Links, sparkLink{c.Dots[last].X, c.Dots[last].Y, dot.X, dot.Y})
			}
			last = len(c.Dots) - 1
		}
	}
	c.Described += "."
	return c
}
