package simulation

import (
	"cmp"
	"math"
	"slices"
)

const surveyDays = 91 // between two invitations

// ask writes the quarterly NPS invitations, answered or not, and the satisfaction asked for after tickets.
func (w *World) ask(c *Customer) {
	p, r := &c.path, w.stream(c.path.index, forSurveys, 0)
	c.Surveys = c.Surveys[:0]
	from, until := w.here(p)
	day := p.start + 30 + r.IntN(60)
	for ; day < from; day += surveyDays {
	}
	for ; day < until; day += surveyDays {
		k := p.at(day)
		answers := r.Float64() < sigmoid(-.9+.35*k.engagement)
		score := math.Round(7.3 + .9*k.engagement - .9*k.pain - .5*p.frailty + 1.8*r.NormFloat64())
		score = math.Min(math.Max(score, 0), 10)
		at, remark := w.ms(day)+r.Int64N(dayMs/1000)*1000, r.Float64()
		row := Survey{At: at, Known: loaded(at), Kind: "nps", Score: Missing, Channel: "email"}
		if answers {
			row.Score = int64(score) * 10_000
			row.Comment = comment(score, remark)
		}
		if row.Known < w.endMs() {
			c.Surveys = append(c.Surveys, row)
		}
	}
	r = w.apart(r, p.index, forSurveys, 1)
	for _, t := range p.tickets {
		u, v, z := r.Float64(), r.IntN(3*dayMs/1000), r.NormFloat64()
		if u >= .35 || t.day >= until || t.day < from {
			continue
		}
		score := 4.3 + .3*p.at(t.day).engagement + .7*z
		if t.late {
			score -= 1.3
		}
		at := w.ms(t.day+2) + int64(v)*1000
		if row := (Survey{At: at, Known: loaded(at), Kind: "csat", Score: int64(math.Round(math.Min(math.Max(score, 1), 5))) * 10_000, Channel: "email"}); row.Known < w.endMs() {
			c.Surveys = append(c.Surveys, row)
		}
	}
	slices.SortFunc(c.Surveys, func(a, b Survey) int { return cmp.Compare(a.At, b.At) })
	for i := 1; i < len(c.Surveys); i++ { // no two rows are equal: they have no id
		c.Surveys[i].At = max(c.Surveys[i].At, c.Surveys[i-1].At+1000)
		c.Surveys[i].Known = max(c.Surveys[i].Known, c.Surveys[i].At)
	}
}

func comment(score, luck float64) string {
	switch {
	case luck > .25:
		return ""
	case score >= 9:
		return "Saves us hours every week."
	case score >= 7:
		return "Good, but reports are slow."
	}
	return "We wait too long for answers."
}
