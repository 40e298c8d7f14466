package training

import (
	"slices"

	"retain/features"
	"retain/models"
	"retain/models/boost"
	"retain/models/golearn"
	"retain/models/linear"
)

// Names of the families, as the contract writes them.
const (
	familyBoost    = "boost"
	familyLinear   = "linear"
	familyRecency  = "recency_rule"
	familyBaseRate = "base_rate"
	familyBlend    = "blend"
	familyChampion = "champion" // not a family but the champion's recipe, refitted
)

// Shape is what a family's choices depend on: the size of the training set.
type Shape struct {
	Rows      int
	Positives int
	Columns   int    // of the encoded matrix
	Recency   string // name of the column that counts days since the last activity; "" = there is none
}

// Family is one row of the tournament.
type Family struct {
	Name       string
	Rank       int                          // the simpler of two equally good families has the lower rank
	Needs      int                          // rows of the rarer class from which the family may be champion; not read of a row of comparison
	Rule       bool                         // measured however few rows of the rarer class there are
	Comparison bool                         // a row of comparison: measured on the same folds, never champion
	Trainer    func(s Shape) models.Trainer // nil from it: the family cannot be fitted on such rows; nil itself: a mean of Parts
	// Rungs are the choices to try, stiffest first, in place of Trainer's; nil: Trainer's alone. See fitter.climb.
	Rungs func(s Shape) []models.Trainer
	// Tuned are the choices of a staged family among which halving decides, Trainer's first; nil: Trainer's alone. See fitter.halve.
	Tuned func(s Shape) []models.Trainer
	// Cut gives staged families the same choices with fewer stages; nil: no stages.
	Cut    func(models.Trainer, int) models.Trainer
	Parts  []string // families whose margins are averaged; they stand before it in the table
	Decode models.Decoder
}

// Rows of the rarer class (metrics.md §5, sufficiency): below leastMeasured only the rules are fitted at all, and only the recency
// rule may be champion; below leastFlexible linear may, too.
const (
	leastMeasured = 30
	leastFlexible = 200
)

// settledRarer is the number of rows of the rarer class from which a rung chosen on earlier cutoffs is taken over: with so many, twice as many
// rows choose the same.
const settledRarer = 5000

// Families are all families, the parts of a mean before it. To add one: a package under models/ and a row here.
var Families = []Family{
	{
		Name: familyBaseRate, Rank: 0, Needs: 0, Rule: true,
		Trainer: func(Shape) models.Trainer { return models.BaseRate{} },
		Decode:  models.DecodeBaseRate,
	},
	{
		Name: familyRecency, Rank: 1, Needs: 0, Rule: true,
		Trainer: func(s Shape) models.Trainer {
			if s.Recency == "" {
				return nil
			}
			return models.RecencyRule{Feature: s.Recency}
		},
		Decode: models.DecodeRecencyRule,
	},
	{
		Name: familyLinear, Rank: 2, Needs: leastMeasured,
		Trainer: func(s Shape) models.Trainer { return linear.Defaults(s.Rows, s.Positives, s.Columns) },
		Rungs:   linearRungs,
		Decode:  decodeLinear,
	},
	{
		Name: familyBoost, Rank: 3, Needs: leastFlexible,
		Trainer: func(s Shape) models.Trainer { return boost.Defaults(s.Rows, s.Positives, s.Columns) },
		Tuned:   boostChoices,
		Cut: func(t models.Trainer, trees int) models.Trainer {
			b := t.(boost.Trainer)
			b.Trees = trees
			return b
		},
		Decode: decodeBoost,
	},
	{
		Name: familyBlend, Rank: 4, Needs: leastFlexible,
		Parts:  []string{familyLinear, familyBoost},
		Decode: models.DecodeBlend(map[string]models.Decoder{familyLinear: decodeLinear, familyBoost: decodeBoost}),
	},
	{
		Name: golearn.FamilyCART, Rank: 5, Comparison: true,
		Trainer: func(Shape) models.Trainer { return golearn.CART{} },
		Decode:  golearn.DecodeCART,
	},
	{
		Name: golearn.FamilyForest, Rank: 6, Comparison: true,
		Trainer: func(Shape) models.Trainer { return golearn.Forest{} },
		Decode:  golearn.DecodeForest,
	},
	{
		Name: golearn.FamilyBayes, Rank: 7, Comparison: true,
		Trainer: func(Shape) models.Trainer { return golearn.Bayes{} },
		Decode:  golearn.DecodeBayes,
	},
}

// linearRungs are penalties of 4, 1 and 1/4 times p/n. No formula serves all: flat sets want the last (telco, bank), CDNOW out of time the first
// (log loss .5200, against .5223 with the last). A laxer one gained .0005 on telco, nothing elsewhere, and took most of the time.
func linearRungs(s Shape) []models.Trainer {
	t := linear.Defaults(s.Rows, s.Positives, s.Columns)
	t.Path = 0
	var out []models.Trainer
	for _, factor := range []float64{4, 1, 1. / 4} {
		t.Lambda = factor * float64(s.Columns) / float64(s.Rows)
		out = append(out, t)
	}
	return out
}

func decodeLinear(b []byte, s features.Schema) (models.Model, error) { return linear.Decode(b, s) }
func decodeBoost(b []byte, s features.Schema) (models.Model, error)  { return boost.Decode(b, s) }

// Decoders are the decoders of all families by name, for models.Artifact.LoadModel.
func Decoders() map[string]models.Decoder {
	out := make(map[string]models.Decoder, len(Families))
	for _, f := range Families {
		out[f.Name] = f.Decode
	}
	return out
}

// familyOf looks a family up by name.
func familyOf(name string) (Family, bool) {
	k := slices.IndexFunc(Families, func(f Family) bool { return f.Name == name })
	if k < 0 {
		return Family{}, false
	}
	return Families[k], true
}

// measurable are the families that are worth measuring on a training set with so many rows of the rarer class.
func measurable(rarer int) []Family {
	if rarer >= leastMeasured {
		return Families
	}
	return slices.DeleteFunc(slices.Clone(Families), func(f Family) bool { return !f.Rule })
}

// recencySources are the sources that count as use of the service where the setting names none, best first.
var recencySources = []string{"usage", "purchases"}

// recencyColumn finds the column of the recency rule: days since the last row of the first activity source that has one
// (non-contractual), else since the last usage or purchase. "" if the matrix has no such column.
func recencyColumn(s features.Schema, c features.ChurnSpec) string {
	sources := recencySources
	if c.Setting == features.NonContractual {
		sources = c.Activity
	}
	for _, source := range sources {
		name := recencyNames[source]
		if slices.ContainsFunc(s, func(c features.Column) bool { return c.Name == name && c.Kind == features.Numeric }) {
			return name
		}
	}
	return ""
}

// rawRecencyColumn is recencyColumn of a matrix that is not encoded: columns without a value, which encoding drops, are not there.
func rawRecencyColumn(x *features.Matrix, c features.ChurnSpec) string {
	var s features.Schema
	for j, column := range x.Schema {
		if observed(x, j) {
			s = append(s, column)
		}
	}
	return recencyColumn(s, c)
}

// recencyNames are the catalogue's names of the days since the last row of a source.
var recencyNames = map[string]string{
	"usage":       "usage_recency_days",
	"purchases":   "purchase_recency_days",
	"touchpoints": "touchpoint_recency_days",
}

// daysToEnd is the catalogue's name of the days to which the running period is paid.
const daysToEnd = "subscription_days_to_end"

// dueRows tells which rows of a raw matrix are due: their paid period ends in [T+L, T+L+H), as known at T. It is nil where that means
// nothing: not contractual, or a catalogue without that column.
func dueRows(x *features.Matrix, c features.ChurnSpec) []bool {
	if c.Setting != features.Contractual {
		return nil
	}
	j := slices.IndexFunc(x.Schema, func(c features.Column) bool { return c.Name == daysToEnd })
	if j < 0 {
		return nil
	}
	due := make([]bool, x.Rows())
	from, until := float32(c.GapDays), float32(c.GapDays+c.HorizonDays)
	for i, days := range x.X[j] {
		due[i] = days >= from && days < until // NaN, an open period, is never due
	}
	return due
}
