package serving

import (
	"math"
	"strconv"

	"retain/models"
)

// waterfall is how a margin comes about: the base, one step for each reason, the margin. Places are per cent of the chart's width.
type waterfall struct {
	Base, Margin     string // log-odds, signed
	BaseAt, MarginAt string
	Steps            []waterfallStep
}

// waterfallStep is one reason as a bar from where the steps before it end.
type waterfallStep struct {
	Text, Feature    string
	Value, Reference string // "" for the reason other
	Contribution     string // log-odds, signed
	Odds             string // what the odds of leaving are multiplied with
	Up, Actionable   bool
	From, Left       string // where the step begins; the bar's left edge
	Width, To        string // of the bar; where the step ends
}

// newWaterfall draws a score. The reasons, other among them, add up to the margin less the base, so the base needs no field of its own.
// It is nil without a margin or reasons.
func newWaterfall(score *models.Score) *waterfall {
	if score.Margin == nil || len(score.Reasons) == 0 {
		return nil
	}
	base := *score.Margin
	for _, r := range score.Reasons {
		base -= r.Contribution
	}
	low, high := math.Min(base, *score.Margin), math.Max(base, *score.Margin)
	for at, k := base, 0; k < len(score.Reasons); k++ {
		at += score.Reasons[k].Contribution
		low, high = math.Min(low, at), math.Max(high, at)
	}
	const edge = 2.0 // per cent left free on either side, for the dots at the ends
	place := func(v float64) float64 {
		if high == low {
			return 50
		}
		return edge + (100-2*edge)*(v-low)/(high-low)
	}
	w := &waterfall{
		Base: signed(base), Margin: signed(*score.Margin),
		BaseAt: cent(place(base)), MarginAt: cent(place(*score.Margin)),
	}
	at := base
	for _, r := range score.Reasons {
		from, to := place(at), place(at+r.Contribution)
		step := waterfallStep{
			Text: r.Text, Feature: r.Feature,
			Contribution: signed(r.Contribution), Odds: "×" + strconv.FormatFloat(math.Exp(r.Contribution), 'g', 3, 64),
			Up: r.Contribution > 0, Actionable: r.Actionable,
			From: cent(from), To: cent(to), Left: cent(math.Min(from, to)), Width: cent(math.Max(math.Abs(to-from), 0.4)),
		}
		if r.Feature != "other" && (r.Value != nil || r.Reference != nil) {
			step.Value, step.Reference = plain(r.Value), plain(r.Reference)
		}
		w.Steps = append(w.Steps, step)
		at += r.Contribution
	}
	return w
}

func cent(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) + "%" }
