package golearn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"

	"github.com/sjwhitworth/golearn/base"
	"github.com/sjwhitworth/golearn/naive"

	"retain/features"
	"retain/models"
)

// Bayes is naive Bernoulli Bayes (Manning, Raghavan & Schütze 2008, Introduction to Information Retrieval, ch. 13) on one bit for each bin of
// a numeric column, each level of a categorical one, and what is missing. The log-odds are golearn's with the base rate of all rows.
type Bayes struct {
	Bins int // of a numeric column, 2..64; 0 means 5
	Rows int // of the sample, 100..50,000; 0 means 2,000
}

// Fit learns from d as models.Trainer lays down. Errors beside those: ErrPanic, a choice out of range, too many columns.
func (b Bayes) Fit(ctx context.Context, d *features.Dataset, rng *rand.Rand) (models.Model, error) {
	m, err := b.fit(ctx, d, rng)
	if err != nil {
		return nil, fmt.Errorf("fit %s: %w", FamilyBayes, err)
	}
	return m, nil
}

func (b Bayes) fit(ctx context.Context, d *features.Dataset, rng *rand.Rand) (*bayesModel, error) {
	if err := errors.Join(between("bins", b.Bins, 2, mostBins), between("rows", b.Rows, 100, mostRows)); err != nil {
		return nil, err
	}
	s, _, err := begin(ctx, d, rng, b.Rows)
	if err != nil {
		return nil, err
	}
	all := scores(s, cmp.Or(b.Bins, 5))
	m := &bayesModel{schema: d.X.Schema, fingerprint: d.X.Schema.Fingerprint(), base: math.Log(s.rate / (1 - s.rate)), scores: all}
	if len(all) == 0 {
		return m, nil
	}
	bits := 0
	for _, c := range all {
		bits += len(c.odds)
	}
	if bits > mostBits {
		return nil, fmt.Errorf("%d bins and levels, more than the %d that it can take", bits, mostBits)
	}
	err = guarded("count bits", func() error {
		_, fitted, err := fitBits(s, all, bits)
		if err != nil {
			return err
		}
		return readOdds(fitted, s, all)
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// score is what one feature adds to the log-odds.
type score struct {
	column int
	cuts   []float32 // numeric: lower ends of all bins but the first
	levels int       // categorical: their number; 0 = numeric
	odds   []float64 // by bin or level; the last is that of a missing value
}

// scores are the features that vary over the sample, what they add not yet known.
func scores(s *sample, bins int) []score {
	var out []score
	for j, c := range s.d.X.Schema {
		one := score{column: j}
		if c.Kind == features.Categorical {
			one.levels = len(c.Levels)
			one.odds = make([]float64, one.levels+1)
		} else {
			one.cuts = cutsOf(presentSorted(s.d.X.X[j], s.rows), bins)
			one.odds = make([]float64, len(one.cuts)+2)
		}
		values := s.d.X.X[j]
		if first := one.bit(values[s.rows[0]]); slices.ContainsFunc(s.rows, func(i int) bool { return one.bit(values[i]) != first }) {
			out = append(out, one)
		}
	}
	return out
}

// bit is the place in odds of a value: of all bits of the column, the one that is set.
func (c *score) bit(v float32) int {
	switch {
	case v != v:
		return len(c.odds) - 1
	case c.levels > 0:
		return int(v)
	}
	return binOf(c.cuts, v)
}

// Classes of the grid.
const (
	stayed  = "0"
	churned = "1"
)

// fitBits lets golearn count. In every row one bit of each column is set, so that no class is without, which golearn takes for granted.
func fitBits(s *sample, all []score, bits int) (*base.DenseInstances, *naive.BernoulliNBClassifier, error) {
	g := base.NewDenseInstances()
	class := base.NewCategoricalAttribute()
	class.SetName("class")
	classes := map[float64][]byte{0: class.GetSysValFromString(stayed), 1: class.GetSysValFromString(churned)}
	specs := []base.AttributeSpec{g.AddAttribute(class)}
	for k := range bits {
		specs = append(specs, g.AddAttribute(base.NewBinaryAttribute("b"+strconv.Itoa(k))))
	}
	if err := g.AddClassAttribute(class); err != nil {
		return nil, nil, err
	}
	if err := g.Extend(len(s.rows)); err != nil {
		return nil, nil, err
	}
	for row, i := range s.rows {
		g.Set(specs[0], row, classes[s.d.Y[i]])
		first := 1
		for k := range all {
			g.Set(specs[first+all[k].bit(s.d.X.X[all[k].column][i])], row, []byte{1})
			first += len(all[k].odds)
		}
	}
	fitted := naive.NewBernoulliNBClassifier()
	return g, fitted, fitted.Fit(g)
}

// readOdds fills the odds from what golearn learned and keeps to itself: the probability of each bit in each class. A bit that is set adds
// log p₁/p₀, one that is not log (1-p₁)/(1-p₀), 1-p being 1/(n+1) where all n rows of a class have the bit: as PredictOne does.
func readOdds(fitted *naive.BernoulliNBClassifier, s *sample, all []score) error {
	learned := reflect.ValueOf(fitted).Elem().FieldByName("condProb")
	if learned.Kind() != reflect.Map {
		return errors.New("golearn keeps its probabilities in another place than at the pinned version")
	}
	var class [2]reflect.Value
	var rows [2]float64
	for k, name := range []string{stayed, churned} {
		class[k] = learned.MapIndex(reflect.ValueOf(name))
		if class[k].Kind() != reflect.Slice {
			return fmt.Errorf("golearn has no probabilities of class %s", name)
		}
	}
	for _, i := range s.rows {
		rows[int(s.d.Y[i])]++
	}
	on := func(k, bit int) float64 { return math.Log(class[k].Index(bit).Float()) }
	off := func(k, bit int) float64 {
		if p := class[k].Index(bit).Float(); p < 1 {
			return math.Log(1 - p)
		}
		return math.Log(1 / (rows[k] + 1))
	}
	first := 0
	for c := range all {
		odds := all[c].odds
		none := 0.
		for b := range odds {
			none += off(1, first+b) - off(0, first+b)
		}
		for b := range odds {
			odds[b] = none - (off(1, first+b) - off(0, first+b)) + on(1, first+b) - on(0, first+b)
		}
		first += len(odds)
	}
	return nil
}

// bayesModel is a fitted Bayes.
type bayesModel struct {
	schema      features.Schema
	fingerprint string
	base        float64
	scores      []score
}

// Family is FamilyBayes.
func (m *bayesModel) Family() string { return FamilyBayes }

// Schema is the features that the model was fitted on.
func (m *bayesModel) Schema() features.Schema { return m.schema }

// Margin writes the log-odds of each row of x: those of the base rate and what each feature adds.
func (m *bayesModel) Margin(dst []float64, x *features.Matrix) error {
	if err := models.CheckMargin(dst, m.fingerprint, x); err != nil {
		return err
	}
	for i := range dst {
		dst[i] = m.base
	}
	for k := range m.scores {
		c := &m.scores[k]
		for i, v := range x.X[c.column] {
			dst[i] += c.odds[c.bit(v)]
		}
	}
	return nil
}
