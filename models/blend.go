package models

import (
	"fmt"

	"retain/features"
	"retain/models/internal/wire"
)

// Blend is the mean of the margins of its parts, and so of their contributions: still exactly additive.
type Blend struct {
	parts       []Explainer
	fingerprint string
}

const (
	blendMagic   = "RBLN"
	blendVersion = 1
)

// NewBlend joins fitted models (one or more). ErrFeatureMismatch if their features differ.
func NewBlend(parts ...Explainer) (*Blend, error) {
	if len(parts) == 0 {
		return nil, fmt.Errorf("models: a blend needs a part")
	}
	b := &Blend{parts: parts, fingerprint: parts[0].Schema().Fingerprint()}
	for _, p := range parts[1:] {
		if p.Schema().Fingerprint() != b.fingerprint {
			return nil, fmt.Errorf("blend %s with %s: %w", parts[0].Family(), p.Family(), ErrFeatureMismatch)
		}
	}
	return b, nil
}

// Family is "blend".
func (b *Blend) Family() string { return "blend" }

// Schema is the features of every part.
func (b *Blend) Schema() features.Schema { return b.parts[0].Schema() }

// Margin writes the mean margin of the parts.
func (b *Blend) Margin(dst []float64, x *features.Matrix) error {
	if err := CheckMargin(dst, b.fingerprint, x); err != nil {
		return err
	}
	part := make([]float64, len(dst))
	clear(dst)
	for _, p := range b.parts {
		if err := p.Margin(part, x); err != nil {
			return fmt.Errorf("margin of %s: %w", p.Family(), err)
		}
		b.add(dst, part)
	}
	return nil
}

// Contributions writes the mean contributions of the parts and returns their mean base.
func (b *Blend) Contributions(dst []float64, x *features.Matrix) (float64, error) {
	if err := CheckContributions(dst, b.fingerprint, x); err != nil {
		return 0, err
	}
	part := make([]float64, len(dst))
	clear(dst)
	base := 0.0
	for _, p := range b.parts {
		own, err := p.Contributions(part, x)
		if err != nil {
			return 0, fmt.Errorf("contributions of %s: %w", p.Family(), err)
		}
		base += own / float64(len(b.parts))
		b.add(dst, part)
	}
	return base, nil
}

func (b *Blend) add(dst, part []float64) {
	for i, v := range part {
		dst[i] += v / float64(len(b.parts))
	}
}

// MarshalBinary writes the family and the bytes of each part, in order.
func (b *Blend) MarshalBinary() ([]byte, error) {
	var w wire.Writer
	w.String(b.fingerprint)
	w.Uint(uint64(len(b.parts)))
	for _, p := range b.parts {
		own, err := p.MarshalBinary()
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", p.Family(), err)
		}
		w.String(p.Family())
		w.Blob(own)
	}
	return wire.Seal(blendMagic, blendVersion, w.Bytes()), nil
}

// DecodeBlend returns the Decoder of blends whose parts the decoders read. A blend inside of a blend is refused.
func DecodeBlend(decoders map[string]Decoder) Decoder {
	return func(blob []byte, s features.Schema) (Model, error) {
		r, err := wire.Open(blendMagic, blendVersion, blob)
		if err != nil {
			return nil, err
		}
		fingerprint := r.String()
		parts := make([]Explainer, r.Count(16)) // two lengths a part
		for k := range parts {
			family, own := r.String(), r.Blob()
			decode, ok := decoders[family]
			if !ok || family == "blend" {
				return nil, fmt.Errorf("%w: blend with a part of family %q", wire.ErrCorrupt, family)
			}
			m, err := decode(own, s)
			if err != nil {
				return nil, fmt.Errorf("decode %s: %w", family, err)
			}
			e, ok := m.(Explainer)
			if !ok {
				return nil, fmt.Errorf("models: family %s has no additive reasons", family)
			}
			parts[k] = e
		}
		if err := r.Done(); err != nil {
			return nil, err
		}
		if fingerprint != s.Fingerprint() {
			return nil, ErrFeatureMismatch
		}
		b, err := NewBlend(parts...)
		if err != nil {
			return nil, err
		}
		return b, nil
	}
}
