package training

import (
	"fmt"
	"strings"

	"retain/training/metrics"
)

// table measures every contender on its test cutoffs, with a verdict in words, and leaves their curves with the tournament. chosen names the family put
// forward, "" = none is.
func table(t *tournament, chosen string, seed uint64, terms metrics.ProfitTerms) []metrics.ModelFigures {
	entrants := make([]metrics.Entrant, len(t.Contenders))
	for k, c := range t.Contenders {
		entrants[k] = metrics.Entrant{Name: c.Name, Held: c.Held}
	}
	out := metrics.PoolAll(entrants, metrics.Pooling{Seed: seed, Curves: true, Profit: &terms})
	t.curves = takeCurves(out)
	for k, c := range t.Contenders {
		out[k].FitSeconds, out[k].PredictSeconds = c.Seconds, c.PredictSeconds
	}
	for k, verdict := range verdicts(out, entrants, chosen, seed) {
		out[k].Verdict = verdict
	}
	return out
}

// verdicts say of each row of a table in words what to think of it: whether it is chosen or has the lowest log loss, whether it beats the recency rule
// (the base rate, where there is no such rule) in log loss at 95 % by the bootstrap over customers, and whether it is calibrated.
func verdicts(rows []metrics.ModelFigures, entrants []metrics.Entrant, chosen string, seed uint64) []string {
	lowest, rule := lowestLoss(rows), -1
	for k, r := range rows {
		if r.Name == familyRecency || r.Name == familyBaseRate && rule < 0 {
			rule = k
		}
	}
	out := make([]string, len(rows))
	var b *metrics.Bootstrap
	if rule >= 0 {
		b = metrics.NewBootstrap(seed, metrics.Concatenate(entrants[rule].Held).Customer)
	}
	for k, r := range rows {
		var words []string
		family, _ := familyOf(r.Name)
		switch {
		case r.Name == chosen:
			words = append(words, "chosen")
		case r.Name == familyChampion:
			words = append(words, "the champion's recipe, refitted")
		case family.Comparison:
			words = append(words, "for comparison only")
		case k == lowest:
			words = append(words, "lowest log loss")
		}
		if rule >= 0 && k != rule && r.Name != familyBaseRate {
			words = append(words, against(rows[rule].Name, entrants[rule].Held, entrants[k].Held, b))
		}
		out[k] = strings.Join(append(words, calibrated(r.Pooled.Calibration)), "; ")
	}
	return out
}

// against says whether a family beats the rule on the rows of b.
func against(rule string, old, new []metrics.Held, b *metrics.Bootstrap) string {
	name := strings.ReplaceAll(rule, "_", " ")
	_, interval := lossGain(old, new, b)
	switch {
	case interval[0] > 0:
		return "beats the " + name
	case interval[1] < 0:
		return "worse than the " + name
	default:
		return "not surely better than the " + name
	}
}

// calibrated says whether probabilities hold, and if not, what is wrong.
func calibrated(r metrics.Reliability) string {
	if r.Pass {
		return "calibrated"
	}
	var wrong []string
	if !r.LevelHolds() {
		wrong = append(wrong, fmt.Sprintf("observed/expected %.2f", float64(r.ObservedExpected)))
	}
	if !r.SlopeHolds() {
		wrong = append(wrong, fmt.Sprintf("slope %.2f", float64(r.Slope)))
	}
	if len(wrong) == 0 {
		wrong = append(wrong, fmt.Sprintf("ECE %.4f, chance explains %.4f", float64(r.ECE), float64(r.NoiseBand)))
	}
	return "not calibrated: " + strings.Join(wrong, ", ")
}
