package training

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"retain/training/metrics"
)

// Thresholds of the promotion gate (metrics.md §5).
const (
	lossTolerance      = .005 // of the champion's log loss that a challenger may lose, at 95 %
	precisionTolerance = .01  // of the champion's average precision that a challenger may lose
	segmentTolerance   = .02  // of the champion's log loss in a segment
	segmentPositives   = 100  // positives from which a segment is judged
	segmentLevel       = .05  // Holm-adjusted over the segments
)

// judgement is what the gate says.
type judgement struct {
	Promote bool
	Sound   bool // nothing speaks against the model but that it is no better than a young champion
	Verdict []string
	Over    *string // artifact of the champion that was judged against, "" = there was none; nil: promoted over any
}

func (j *judgement) say(format string, a ...any) {
	j.Verdict = append(j.Verdict, fmt.Sprintf(format, a...))
}

// first promotes the first model of a kind whatever its figures, so that scoring always works; only a leak stops it, and that was before.
// recency is the recency rule's row of the tournament, nil if it was not measured.
func first(name string, challenger, recency *contender, b *metrics.Bootstrap) judgement {
	j := judgement{Promote: true, Sound: true}
	j.compareRule(name, challenger, recency, b)
	j.say("there is no champion yet: %s is promoted", name)
	return j
}

// compareRule tells whether the challenger beats the recency rule's log loss at 95 %, true where there is no rule to beat.
func (j *judgement) compareRule(name string, challenger, recency *contender, b *metrics.Bootstrap) bool {
	if name == familyRecency {
		j.say("the recency rule itself is the best there is")
		return true
	}
	if recency == nil {
		return true
	}
	gain, interval := lossGain(recency.Held, challenger.Held, b)
	if interval[0] > 0 {
		j.say("its log loss is %.4f better than the recency rule's (95 %%: %.4f to %.4f)", gain, float64(interval[0]), float64(interval[1]))
		return true
	}
	j.say("it does not beat the recency rule: its log loss is %.4f better (95 %%: %.4f to %.4f)", gain, float64(interval[0]), float64(interval[1]))
	return false
}

// lossGain is the mean of (old - new) log loss over the same rows, with its 95 % interval by customer. Its ends are the bounds of the gate.
func lossGain(old, new []metrics.Held, b *metrics.Bootstrap) (float64, metrics.Interval) {
	d := lossDifferences(old, new)
	return metrics.Sum(d) / float64(len(d)), b.Mean(d)
}

func lossDifferences(old, new []metrics.Held) []float64 {
	o, n := metrics.Concatenate(old), metrics.Concatenate(new)
	d := metrics.RowLosses(o.P, o.Y)
	for i, l := range metrics.RowLosses(n.P, n.Y) {
		d[i] -= l
	}
	return d
}

// challenge is a later promotion: everything the gate looks at.
type challenge struct {
	Name       string     // the challenger's family
	Challenger *contender // its row of the tournament
	Champion   *contender // the champion's recipe refitted on the same folds
	Recency    *contender // nil = not measured
	Segments   []segment
	Age        time.Duration // of the champion
	MaxAge     time.Duration
	Relabelled bool // the champion answers another question: its churn definition differs from the configuration's
}

// segment is some of the pooled test rows.
type segment struct {
	Name string
	Rows []int
}

// judge applies the promotion gate of metrics.md §5. A bound "at 95 %" is the end of the two-sided 95 % percentile interval of the bootstrap by customer.
func judge(c challenge, b *metrics.Bootstrap) judgement {
	var j judgement
	pass := true
	require := func(ok bool, yes, no string) {
		if ok {
			j.say("%s", yes)
		} else {
			pass = false
			j.say("%s", no)
		}
	}
	old, new := metrics.Pool(familyChampion, c.Champion.Held, b.Seed), metrics.Pool(c.Name, c.Challenger.Held, b.Seed)

	gain, interval := lossGain(c.Champion.Held, c.Challenger.Held, b)
	told := fmt.Sprintf("log loss %.4f against the champion's %.4f on the same folds: %.4f better (95 %%: %.4f to %.4f)",
		float64(new.Pooled.LogLoss), float64(old.Pooled.LogLoss), gain, float64(interval[0]), float64(interval[1]))
	require(float64(interval[0]) > -lossTolerance*float64(old.Pooled.LogLoss), told, told+"; it may be worse by more than 0.5 %")

	told = fmt.Sprintf("average precision %.4f against %.4f", float64(new.Pooled.PRAUC), float64(old.Pooled.PRAUC))
	require(!(float64(new.Pooled.PRAUC) < (1-precisionTolerance)*float64(old.Pooled.PRAUC)), told, told+": worse by more than 1 %")

	proof := new.Pooled.Calibration
	told = fmt.Sprintf("ECE %.4f (noise band %.4f), observed/expected %.3f, slope %.2f", float64(proof.ECE), float64(proof.NoiseBand), float64(proof.ObservedExpected), float64(proof.Slope))
	require(proof.Pass, "calibrated: "+told, "not calibrated: "+told)

	if !j.compareRule(c.Name, c.Challenger, c.Recency, b) {
		pass = false
	}
	worse := worseSegments(c, b)
	require(len(worse) == 0, "no segment is worse", fmt.Sprintf("worse in segments: %v", worse))

	j.Sound = pass
	better, old35 := interval[0] > 0, c.Age > c.MaxAge
	ageDays, maxDays := c.Age.Hours()/24, c.MaxAge.Hours()/24
	switch {
	case c.Relabelled:
		j.say("the champion was trained for another definition of churn")
	case better:
		j.say("it is better at 95 %%")
	case old35:
		j.say("it is not better at 95 %%, but the champion is %.0f days old, more than %.0f", ageDays, maxDays)
	default:
		pass = false
		j.say("it is not better at 95 %%, and the champion is only %.0f days old (limit %.0f)", ageDays, maxDays)
	}
	j.Promote = pass
	if pass {
		j.say("%s is promoted", c.Name)
	} else {
		j.say("%s is registered, and the champion stays", c.Name)
	}
	return j
}

// worseSegments names the segments with at least 100 positives in which the challenger's log loss is worse by more than 2 % and, over all
// such segments, at a Holm-adjusted 5 % (one-sided, paired error by customer, normal tail).
func worseSegments(c challenge, b *metrics.Bootstrap) []string {
	d := lossDifferences(c.Champion.Held, c.Challenger.Held)
	champion := metrics.Concatenate(c.Champion.Held)
	type test struct {
		name string
		p    float64
		far  bool
	}
	var tests []test
	for _, s := range c.Segments {
		var diff []float64
		var customers []string
		var loss float64
		pos := 0
		for _, i := range s.Rows {
			diff = append(diff, d[i])
			customers = append(customers, champion.Customer[i])
			loss += metrics.RowLoss(champion.P[i], champion.Y[i])
			pos += int(champion.Y[i])
		}
		if pos < segmentPositives {
			continue
		}
		mean := metrics.Sum(diff) / float64(len(diff))
		se := metrics.NewBootstrap(b.Seed, customers).PairedError(diff)
		p := 1.
		if se > 0 {
			p = .5 * math.Erfc(-mean/se/math.Sqrt2) // P(N ≤ mean/se): small where the challenger is worse
		} else if mean < 0 {
			p = 0
		}
		tests = append(tests, test{name: s.Name, p: p, far: -mean > segmentTolerance*loss/float64(len(diff))})
	}
	slices.SortStableFunc(tests, func(a, b test) int { return cmp.Compare(a.p, b.p) })
	var out []string
	for k, t := range tests {
		if t.p > segmentLevel/float64(len(tests)-k) {
			break // Holm: the first that holds lets all later ones hold
		}
		if t.far {
			out = append(out, t.name)
		}
	}
	return out
}

// segmentsOf are the levels of the categorical columns among the pooled test rows, by name.
func segmentsOf(held []metrics.Held, categories [][]metrics.Category) []segment {
	var out []segment
	for _, s := range metrics.SegmentsOf(held, categories) {
		one, from := segment{Name: s.Column + "=" + s.Level}, 0
		for k, rows := range s.Rows {
			for _, i := range rows {
				one.Rows = append(one.Rows, from+int(i))
			}
			from += len(held[k].Y)
		}
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b segment) int { return cmp.Compare(a.Name, b.Name) })
	return out
}
