package golearn

import (
	"fmt"

	"retain/features"
	"retain/models"
	"retain/models/internal/wire"
)

const (
	magicTrees = "RGLT"
	magicBayes = "RGLB"
	version    = 1
)

// nodeFields is the number of values of a node on the wire.
const nodeFields = 6

// MarshalBinary writes the fingerprint, the family and the trees.
func (m *treeModel) MarshalBinary() ([]byte, error) {
	var w wire.Writer
	w.String(m.fingerprint)
	w.String(m.family)
	w.Uint(uint64(len(m.trees)))
	for _, t := range m.trees {
		w.Uint(uint64(len(t.nodes)))
		for _, n := range t.nodes {
			missing := 0
			if n.missingLeft {
				missing = 1
			}
			for _, v := range [nodeFields - 1]int{n.column, n.level, missing, n.left, n.right} {
				w.Uint(uint64(v))
			}
			w.Float(float64(n.cut))
		}
		w.Floats(t.shares)
	}
	return wire.Seal(magicTrees, version, w.Bytes()), nil
}

// DecodeCART reads the bytes of a fitted CART for the features of s. It never panics. Errors: damaged bytes, models.ErrFeatureMismatch.
func DecodeCART(b []byte, s features.Schema) (models.Model, error) {
	return decodeTrees(b, s, FamilyCART)
}

// DecodeForest reads the bytes of a fitted Forest for the features of s. It never panics. Errors: damaged bytes, models.ErrFeatureMismatch.
func DecodeForest(b []byte, s features.Schema) (models.Model, error) {
	return decodeTrees(b, s, FamilyForest)
}

func decodeTrees(b []byte, s features.Schema, family string) (models.Model, error) {
	r, err := wire.Open(magicTrees, version, b)
	if err != nil {
		return nil, err
	}
	m := &treeModel{schema: s, fingerprint: r.String(), family: r.String()}
	m.trees = make([]tree, r.Count(2*8))
	for k := range m.trees {
		t := &m.trees[k]
		t.nodes = make([]node, r.Count(nodeFields*8))
		for i := range t.nodes {
			n := &t.nodes[i]
			n.column, n.level, n.missingLeft, n.left, n.right = int(r.Uint()), int(r.Uint()), r.Uint() == 1, int(r.Uint()), int(r.Uint())
			n.cut = float32(r.Finite())
		}
		t.shares = r.Floats()
	}
	if err := r.Done(); err != nil {
		return nil, err
	}
	if m.fingerprint != s.Fingerprint() {
		return nil, models.ErrFeatureMismatch
	}
	if m.family != family || len(m.trees) == 0 {
		return nil, fmt.Errorf("%w: %d trees of %q, want %s", wire.ErrCorrupt, len(m.trees), m.family, family)
	}
	for k := range m.trees {
		if err := m.trees[k].validate(s); err != nil {
			return nil, fmt.Errorf("%w: tree %d: %w", wire.ErrCorrupt, k, err)
		}
	}
	return m, nil
}

// validate makes sure that every row ends in a leaf with a probability.
func (t *tree) validate(s features.Schema) error {
	for i, n := range t.nodes {
		if n.column < 0 || n.column >= len(s) {
			return fmt.Errorf("node %d asks column %d of %d", i, n.column, len(s))
		}
		if categorical := s[n.column].Kind == features.Categorical; categorical != (n.level >= 0) || n.level < -1 || categorical && n.level >= len(s[n.column].Levels) {
			return fmt.Errorf("node %d asks level %d of %s", i, n.level, s[n.column].Name)
		}
		for _, next := range []int{n.left, n.right} {
			if next >= 0 && (next <= i || next >= len(t.nodes)) || next < 0 && ^next >= len(t.shares) {
				return fmt.Errorf("node %d leads to %d", i, next)
			}
		}
	}
	if len(t.shares) == 0 {
		return fmt.Errorf("no leaf")
	}
	for l, p := range t.shares {
		if !(p > 0 && p < 1) {
			return fmt.Errorf("share %v of leaf %d", p, l)
		}
	}
	return nil
}

// MarshalBinary writes the fingerprint, the base and what each feature adds.
func (m *bayesModel) MarshalBinary() ([]byte, error) {
	var w wire.Writer
	w.String(m.fingerprint)
	w.Float(m.base)
	w.Uint(uint64(len(m.scores)))
	for _, c := range m.scores {
		w.Uint(uint64(c.column))
		w.Uint(uint64(c.levels))
		cuts := make([]float64, len(c.cuts))
		for k, v := range c.cuts {
			cuts[k] = float64(v)
		}
		w.Floats(cuts)
		w.Floats(c.odds)
	}
	return wire.Seal(magicBayes, version, w.Bytes()), nil
}

// DecodeBayes reads the bytes of a fitted Bayes for the features of s. It never panics. Errors: damaged bytes, models.ErrFeatureMismatch.
func DecodeBayes(b []byte, s features.Schema) (models.Model, error) {
	r, err := wire.Open(magicBayes, version, b)
	if err != nil {
		return nil, err
	}
	m := &bayesModel{schema: s, fingerprint: r.String(), base: r.Finite()}
	m.scores = make([]score, r.Count(4*8))
	for k := range m.scores {
		c := &m.scores[k]
		c.column, c.levels = int(r.Uint()), int(r.Uint())
		for _, v := range r.Floats() {
			c.cuts = append(c.cuts, float32(v))
		}
		c.odds = r.Floats()
	}
	if err := r.Done(); err != nil {
		return nil, err
	}
	if m.fingerprint != s.Fingerprint() {
		return nil, models.ErrFeatureMismatch
	}
	for _, c := range m.scores {
		if err := c.validate(s); err != nil {
			return nil, fmt.Errorf("%w: %w", wire.ErrCorrupt, err)
		}
	}
	return m, nil
}

// validate makes sure that every value has its odds; that they are finite, the reader has seen to.
func (c *score) validate(s features.Schema) error {
	if c.column < 0 || c.column >= len(s) {
		return fmt.Errorf("column %d of %d", c.column, len(s))
	}
	levels := 0
	if s[c.column].Kind == features.Categorical {
		levels = len(s[c.column].Levels)
	}
	bits := levels + 1
	if levels == 0 {
		bits = len(c.cuts) + 2
	}
	if c.levels != levels || len(c.odds) != bits || levels > 0 && len(c.cuts) > 0 {
		return fmt.Errorf("%d levels, %d cuts and %d odds of %s", c.levels, len(c.cuts), len(c.odds), s[c.column].Name)
	}
	return nil
}
