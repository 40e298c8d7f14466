package models

import (
	"math"
	"sort"
	"strconv"

	"retain/features"
)

// OtherReason is the feature name of the sum of all contributions that a score does not list.
const OtherReason = "other"

// Reasons are the top features of row i of x by absolute contribution to the margin, ties by column order, and last "other", the
// sum of the rest, so that they add up to what contributions (p values, of row i) add up to. A feature that contributes exactly
// nothing is no reason and is not listed; "other" always is. The base belongs to everyone and is nobody's reason.
func (a *Artifact) Reasons(top int, x *features.Matrix, i int, contributions []float64) []Reason {
	listed := strongest(top, contributions)
	out := make([]Reason, 0, len(listed)+1)
	isListed := make([]bool, len(contributions))
	for _, j := range listed {
		isListed[j] = true
		out = append(out, a.reason(x, i, j, contributions[j]))
	}
	rest := 0.0
	for j, c := range contributions {
		if !isListed[j] {
			rest += c
		}
	}
	return append(out, Reason{Feature: OtherReason, Text: "everything else together", Contribution: rest, Direction: Direction(rest)})
}

// MainReason is the one to tell where there is room for one: the strongest that raises the risk and that somebody can do something about,
// else the strongest that raises it, else the strongest. nil when there is none but "other". A value that is the typical one is nothing to act on,
// though it raises the risk of those who have it above that of the few who do not: "billed every 30 days (typical 30)".
func MainReason(reasons []Reason) *Reason {
	var raising, strongest *Reason
	for k := range reasons {
		r := &reasons[k]
		switch {
		case r.Feature == OtherReason:
			continue
		case r.Contribution > 0 && r.Actionable && !r.isTypical():
			return r
		case r.Contribution > 0 && raising == nil:
			raising = r
		}
		if strongest == nil {
			strongest = r
		}
	}
	if raising != nil {
		return raising
	}
	return strongest
}

func (r *Reason) isTypical() bool {
	return r.Value != nil && r.Reference != nil && *r.Value == *r.Reference
}

// Contribution is one feature's part of a margin: base and the contributions of all features add up to it.
type Contribution struct {
	Feature      string   `json:"feature"`
	Text         string   `json:"text"`
	Value        *float64 `json:"value"`     // null = missing, or categorical (then Text tells it)
	Reference    *float64 `json:"reference"` // the training median
	Contribution float64  `json:"contribution"`
}

// AllContributions is every feature of row i of x with its contribution (p values, of row i), strongest first, ties by column order.
func (a *Artifact) AllContributions(x *features.Matrix, i int, contributions []float64) []Contribution {
	order := make([]int, len(contributions))
	for j := range order {
		order[j] = j
	}
	sort.SliceStable(order, func(p, q int) bool { return math.Abs(contributions[order[p]]) > math.Abs(contributions[order[q]]) })
	out := make([]Contribution, len(order))
	for k, j := range order {
		r := a.reason(x, i, j, contributions[j])
		out[k] = Contribution{r.Feature, r.Text, r.Value, r.Reference, r.Contribution}
	}
	return out
}

// Direction is "up" for a contribution that raises the risk, else "down".
func Direction(contribution float64) string {
	if contribution > 0 {
		return "up"
	}
	return "down"
}

func (a *Artifact) reason(x *features.Matrix, i, j int, contribution float64) Reason {
	column, value, reference := a.Schema[j], float64(x.X[j][i]), a.Medians[j]
	r := Reason{Feature: column.Name, Contribution: contribution, Direction: Direction(contribution)}
	level := ""
	if column.Kind == features.Categorical {
		if code := int(value); value >= 0 && code < len(column.Levels) {
			level = column.Levels[code]
		}
	} else {
		r.Value, r.Reference = defined(value), defined(reference)
	}
	r.Text = plainText(column, value, reference, level)
	if a.Catalogue != nil {
		if entry, ok := a.Catalogue.Entry(column.Name); ok {
			r.Text = entry.Say(value, reference, level)
		}
	}
	r.Actionable = a.Actionable(&r)
	return r
}

// Actionable says whether a retention team can do something about a reason: it can influence the feature, and there is something to mend. Where the
// catalogue knows that more (or less) of a feature is never more risk, a value on the good side of the reference asks for nothing, even where the model
// takes it for a bad sign. Unknown features and "other" are not actionable.
func (a *Artifact) Actionable(r *Reason) bool {
	if a.Catalogue == nil {
		return false
	}
	entry, ok := a.Catalogue.Entry(r.Feature)
	if !ok || !entry.Actionable {
		return false
	}
	known := r.Value != nil && r.Reference != nil
	return !known || r.Contribution <= 0 || float64(entry.Monotone)*(*r.Value-*r.Reference) >= 0
}

// plainText serves columns without a catalogue entry: those of a flat table.
func plainText(column features.Column, value, reference float64, level string) string {
	switch {
	case column.Kind == features.Categorical && level != "":
		return column.Name + " is " + level
	case math.IsNaN(value):
		return column.Name + " is not known"
	case math.IsNaN(reference):
		return column.Name + " is " + figure(value)
	default:
		return column.Name + " is " + figure(value) + ", typically " + figure(reference)
	}
}

// figure writes a number with four significant digits.
func figure(v float64) string {
	if math.Abs(v) >= 1000 {
		return strconv.FormatFloat(math.Round(v), 'f', -1, 64)
	}
	short, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 4, 64), 64)
	return strconv.FormatFloat(short, 'f', -1, 64)
}

// strongest returns the columns of the top contributions by size, zeros left out, without sorting all of them.
func strongest(top int, contributions []float64) []int {
	out := make([]int, 0, max(top, 0)+1)
	for j, c := range contributions {
		if c == 0 || math.IsNaN(c) {
			continue
		}
		k := len(out)
		for k > 0 && math.Abs(contributions[out[k-1]]) < math.Abs(c) {
			k--
		}
		if k >= top {
			continue
		}
		out = append(out, 0)
		copy(out[k+1:], out[k:])
		out[k] = j
		out = out[:min(len(out), top)]
	}
	return out
}

func defined(v float64) *float64 {
	if math.IsNaN(v) {
		return nil
	}
	return &v
}
