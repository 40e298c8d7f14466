package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"retain/features"
	"retain/internal/spoken"
	"retain/internal/warehouse"
	"retain/training/metrics"
)

// newCard is the model card: what it is for, how good it is in words and in figures, why it was taken and what it cannot tell.
func newCard(d *Document) card {
	t := &d.Training
	c := card{Purpose: purpose(d), Short: verdict(d), Why: []string{}, Limits: limits(d)}
	for _, line := range t.Verdict {
		c.Why = append(c.Why, sentence(line))
	}
	if f := d.family(d.Model.Family); f != nil {
		c.Tiles = tiles(d, f)
	}
	c.Facts = []fact{
		{Name: "Model", Figure: fmt.Sprintf("%s (%s), %s", d.Model.Family, strings.ToLower(familyWords(d.Model.Family)), spoken.Counted(len(d.Features), "feature"))},
		{Name: "Trained on", Figure: fmt.Sprintf("%s of %s, %s of which left", spoken.Counted(t.Rows, "row"), spoken.Counted(len(t.Cutoffs), "cutoff"), spoken.Count(t.Positives))},
	}
	if n := len(t.Cutoffs); n > 0 {
		c.Facts = append(c.Facts, fact{Name: "Cutoffs", Figure: shortDay(t.Cutoffs[0]) + " to " + shortDay(t.Cutoffs[n-1])})
	}
	c.Facts = append(c.Facts,
		fact{Name: "Labels until", Figure: day(t.TrainedUntil)},
		fact{Name: "Calibration", Figure: t.Calibration.String()},
		fact{Name: "Bands", Figure: fmt.Sprintf("high from %s, medium from %s", percent(d.Bands.High), percent(d.Bands.Medium))},
	)
	for _, p := range d.Promotions {
		c.Facts = append(c.Facts, fact{Name: "Champion since", Figure: day(p.At) + ", " + actionWords(p.Action) + " by " + p.Who})
	}
	c.Facts = append(c.Facts, fact{Name: "Seed", Figure: fmt.Sprint(d.Seed)}, fact{Name: "Artifact", Figure: d.Model.Artifact, Code: true})
	return c
}

// actionWords tells how a model became champion.
func actionWords(action string) string {
	switch action {
	case warehouse.ActionForced:
		return "by force, against the gate,"
	case warehouse.ActionRolledBack:
		return "brought back by a rollback,"
	case warehouse.ActionPromoted:
		return "promoted by hand"
	default:
		return "promoted by the gate, run"
	}
}

// purpose says what the probability is of, and of whom.
func purpose(d *Document) string {
	return "It gives each customer the probability of leaving, and with it the reasons that add up to it; lists rank by it, and actions start from it. " + question(d.Churn)
}

// question is the label in words.
func question(c features.ChurnSpec) string {
	after := fmt.Sprintf("within the %s after the cutoff", spoken.Counted(c.HorizonDays, "day"))
	if c.GapDays > 0 {
		after = fmt.Sprintf("in the %s that begin %s after the cutoff", spoken.Counted(c.HorizonDays, "day"), spoken.Counted(c.GapDays, "day"))
	}
	var who, left string
	switch c.Setting {
	case features.Contractual:
		who = "customers whose paid period covers the cutoff and who have not cancelled it"
		left = fmt.Sprintf("the paid period ends %s and none follows within %s", after, spoken.Counted(c.GraceDays, "day"))
	case features.EventSetting:
		who, left = "customers who have joined and not left", "the leaving event comes "+after
		if c.Event != nil {
			left = fmt.Sprintf("an event in %s (%s) comes %s", c.Event.Source, matchWords(c.Event.Match), after)
		}
	default:
		activity := joined(c.Activity, 4)
		who = fmt.Sprintf("customers with activity (%s) in the %s before the cutoff", activity, spoken.Counted(c.ActiveDays, "day"))
		left = fmt.Sprintf("no activity (%s) %s", activity, after)
	}
	if c.MinTenureDays > 0 {
		who += fmt.Sprintf(" and known for at least %s", spoken.Counted(c.MinTenureDays, "day"))
	}
	return "It is asked about " + who + "; leaving means: " + left + "."
}

func matchWords(match map[string]string) string {
	var parts []string
	for column, value := range match {
		parts = append(parts, column+" = "+value)
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// verdict judges the model in words, the tone of each sentence told.
func verdict(d *Document) []toned {
	f := d.family(d.Model.Family)
	if f == nil {
		return []toned{{"It was not measured on any rows that it had not learned from, so nothing can be said of how good it is.", "bad"}}
	}
	return append([]toned{ranking(d, f), honesty(f), against(d, f)}, cautions(d, f)...)
}

// ranking tells how well it finds those who leave.
func ranking(d *Document, f *metrics.ModelFigures) toned {
	auc, lift := float64(f.Pooled.AUC), float64(f.Pooled.TopDecileLift)
	var words, tone string
	switch {
	case !finite(auc):
		return toned{"How well it ranks cannot be told: no test cutoff holds both leavers and stayers.", "bad"}
	case auc < .55:
		words, tone = "It hardly ranks better than chance", "bad"
	case auc < .65:
		words, tone = "It ranks a little better than chance", "fair"
	case auc < .75:
		words, tone = "It ranks usefully", "good"
	case auc < .85:
		words, tone = "It ranks well", "good"
	default:
		words, tone = "It ranks very well", "good"
	}
	words += fmt.Sprintf(": of one who leaves and one who stays, it puts the leaver higher %s of the time.", percent(auc))
	if base := share(f.Pooled.Positives, f.Pooled.Rows); finite(lift) && base > 0 {
		words += fmt.Sprintf(" Of 100 customers in its tenth at most risk, about %.0f left, against %s in all (lift %s).", math.Min(100, 100*lift*base), percent(base), decimal(lift, 2))
	}
	if d.Model.Family == "base_rate" {
		return toned{"It does not rank: every customer gets the same probability.", "bad"}
	}
	return toned{words, tone}
}

// honesty tells whether its probabilities may be taken at their word.
func honesty(f *metrics.ModelFigures) toned {
	c := f.Pooled.Calibration
	oe := fmt.Sprintf("%s left for every 100 expected (95 %%: %s)", decimal(100*float64(c.ObservedExpected), 1), interval(c.OEInterval, func(v float64) string { return decimal(100*v, 1) }))
	if c.Pass {
		return toned{"Its probabilities can be taken at their word: on rows it had not seen, " + oe + ".", "good"}
	}
	return toned{"Its probabilities cannot be taken at their word yet: on rows it had not seen, " + oe + "; see Reliability. The ranking is not touched by that.", "bad"}
}

// against compares it with the recency rule, which anybody can have without a model.
func against(d *Document, f *metrics.ModelFigures) toned {
	rule := d.family("recency_rule")
	if d.Model.Family == "recency_rule" {
		return toned{"It is the recency rule: days since the last activity, and nothing else. No family measured here does better, or there are too few leavers to trust one.", "fair"}
	}
	if rule == nil {
		return toned{"There is no recency rule to compare it with.", ""}
	}
	gain := float64(rule.Pooled.LogLoss - f.Pooled.LogLoss)
	words := fmt.Sprintf("log loss %s against %s of the recency rule, which only counts the days since the last activity (AUC %s against %s)",
		decimal(float64(f.Pooled.LogLoss), 4), decimal(float64(rule.Pooled.LogLoss), 4), decimal(float64(f.Pooled.AUC), 3), decimal(float64(rule.Pooled.AUC), 3))
	for _, line := range d.Training.Verdict {
		if strings.HasPrefix(line, "it does not beat the recency rule") {
			return toned{"It does not surely beat the simplest rule: " + words + ".", "fair"}
		}
	}
	if gain <= 0 {
		return toned{"It does not beat the simplest rule: " + words + ".", "bad"}
	}
	return toned{"It earns its keep: " + words + ".", "good"}
}

// cautions are what makes the figures above less sure.
func cautions(d *Document, f *metrics.ModelFigures) []toned {
	var out []toned
	if len(f.Folds) < 4 {
		words := fmt.Sprintf("It was measured on %s only; more history would make the figures surer.", spoken.Counted(len(f.Folds), "later cutoff"))
		if !outOfTime(d) {
			words = "No cutoff was late enough for a test, so it was measured on other customers of the cutoffs it learned from: take the figures as optimistic."
		}
		out = append(out, toned{words, "fair"})
	}
	if n := min(f.Pooled.Positives, f.Pooled.Rows-f.Pooled.Positives); n < 100 {
		out = append(out, toned{fmt.Sprintf("Only %s of the rarer kind stand behind the figures.", spoken.Counted(n, "row")), "fair"})
	}
	if n := len(d.Training.Leaks); n > 0 {
		out = append(out, toned{fmt.Sprintf("%s may know the outcome: see Leak alarms.", spoken.Counted(n, "column")), "fair"})
	}
	return out
}

// outOfTime tells whether the test cutoffs lie behind the labels that were learned from there.
func outOfTime(d *Document) bool {
	return len(folds(d)) > 0
}

// limits are what no figure of the report tells.
func limits(d *Document) []string {
	out := []string{
		"What a feature is worth here tells what leaving goes with, not what causes it: changing it need not change who leaves. Only an experiment tells that.",
		"Intervals redraw customers. They leave out what hits all at once, such as a price change, so they are too narrow where label windows overlap.",
		"It stands for customers like those it learned from. Realised figures of each run, as labels come in, tell when it no longer does.",
	}
	if d.Churn.Setting == features.Contractual {
		out = append(out, "Ends that the customer did not want, such as a failed payment, count as staying.")
	}
	if n := len(d.Training.Dropped); n > 0 {
		out = append(out, fmt.Sprintf("%s of the catalogue could not be used here; the list at the end says why.", spoken.Counted(n, "feature")))
	}
	return out
}

// tiles are the figures of the card.
func tiles(d *Document, f *metrics.ModelFigures) []fact {
	p := f.Pooled
	base := share(p.Positives, p.Rows)
	loss := fact{Name: "Log loss", Figure: decimal(float64(p.LogLoss), 4), Note: ninetyFive(p.LogLossInterval, four)}
	if b := d.family("base_rate"); b != nil && d.Model.Family != "base_rate" {
		loss.Note += "base rate alone " + four(float64(b.Pooled.LogLoss))
	}
	tests := spoken.Counted(len(f.Folds), "later cutoff")
	if !outOfTime(d) {
		tests = spoken.Counted(len(f.Folds), "cutoff") + ", other customers"
	}
	return []fact{
		{Name: "AUC", Figure: three(float64(p.AUC)), Note: ninetyFive(p.AUCInterval, three) + "0.5 is chance, 1 perfect"},
		{Name: "Lift of the top tenth", Figure: two(float64(p.TopDecileLift)) + " ×", Note: ninetyFive(p.TopDecileLiftInterval, two) + "the share that left, against the mean"},
		loss,
		{Name: "Observed / expected", Figure: decimal(float64(p.Calibration.ObservedExpected), 3), Note: ninetyFive(p.Calibration.OEInterval, three) + "1 is perfect"},
		{Name: "Calibration error", Figure: decimal(float64(p.ECE), 4), Note: "chance alone makes up to " + decimal(float64(p.Calibration.NoiseBand), 4)},
		{Name: "Left within the horizon", Figure: percent(base), Note: fmt.Sprintf("of %s at %s", spoken.Counted(p.Rows, "test row"), tests)},
	}
}

// ninetyFive begins a note with an interval; an undefined one is left out.
func ninetyFive(of metrics.Interval, write func(float64) string) string {
	if words := interval(of, write); words != "" {
		return "95 %: " + words + "; "
	}
	return ""
}

func share(part, whole int) float64 { return float64(part) / float64(whole) }

// Verdict judges the model in a few sentences: how well it ranks, whether its probabilities hold, whether it beats the simplest rule, and what makes
// all that less sure.
func Verdict(d *Document) []string {
	var out []string
	for _, v := range verdict(d) {
		out = append(out, v.Text)
	}
	return out
}
