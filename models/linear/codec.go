package linear

import (
	"fmt"

	"retain/features"
	"retain/models"
	"retain/models/internal/wire"
)

const (
	magic   = "RLIN"
	version = 1
)

// MarshalBinary writes the fingerprint, the base and the curves.
func (m *Model) MarshalBinary() ([]byte, error) {
	var w wire.Writer
	w.String(m.fingerprint)
	w.Float(m.base)
	w.Float(m.lambda)
	w.Uint(uint64(len(m.curves)))
	for _, c := range m.curves {
		w.Uint(boolean(c.scale.log))
		w.Floats([]float64{c.scale.lo, c.scale.hi, c.scale.fill, c.offset, c.missing})
		w.Floats(c.knots)
		w.Floats(c.slopes)
		w.Floats(c.levels)
	}
	return wire.Seal(magic, version, w.Bytes()), nil
}

// Decode reads MarshalBinary's bytes for the features of s. It never panics. Errors: damaged bytes, models.ErrFeatureMismatch.
func Decode(b []byte, s features.Schema) (models.Model, error) {
	r, err := wire.Open(magic, version, b)
	if err != nil {
		return nil, err
	}
	m := &Model{schema: s, fingerprint: r.String(), base: r.Finite(), lambda: r.Finite()}
	m.curves = make([]curve, r.Count(8*5))
	for j := range m.curves {
		c := &m.curves[j]
		c.scale.log = r.Uint() == 1
		f := r.Floats()
		if len(f) != 5 {
			return nil, fmt.Errorf("%w: feature %d", wire.ErrCorrupt, j)
		}
		c.scale.lo, c.scale.hi, c.scale.fill, c.offset, c.missing = f[0], f[1], f[2], f[3], f[4]
		c.knots, c.slopes, c.levels = r.Floats(), r.Floats(), r.Floats()
		if len(c.knots) != len(c.slopes) {
			return nil, fmt.Errorf("%w: %d knots, %d slopes of feature %d", wire.ErrCorrupt, len(c.knots), len(c.slopes), j)
		}
	}
	if err := r.Done(); err != nil {
		return nil, err
	}
	if m.fingerprint != s.Fingerprint() {
		return nil, models.ErrFeatureMismatch
	}
	if len(m.curves) != len(s) {
		return nil, fmt.Errorf("%w: %d curves for %d features", wire.ErrCorrupt, len(m.curves), len(s))
	}
	for j := range m.curves {
		categorical := s[j].Kind == features.Categorical
		if categorical && len(m.curves[j].levels) != len(s[j].Levels) || !categorical && m.curves[j].levels != nil {
			return nil, fmt.Errorf("%w: levels of feature %s", wire.ErrCorrupt, s[j].Name)
		}
		if categorical && m.curves[j].levels == nil {
			m.curves[j].levels = []float64{}
		}
	}
	return m, nil
}

func boolean(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
