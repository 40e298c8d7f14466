package uplift

import (
	"fmt"
	"math"
	"slices"

	"retain/features"
	"retain/models/internal/wire"
)

// Part is what was learned of one action.
type Part struct {
	Action string // id in the catalogue of actions
	Events int    // rows of the rarer outcome in the smaller of its two arms
	Model  *Model
}

// Bundle is what was learned of several actions on the same features: what the registry keeps as one model.
type Bundle struct{ Parts []Part }

const (
	bundleMagic   = "RUPB"
	bundleVersion = 1
)

// Of is the part of an action; ok is false if nothing was learned of it.
func (b *Bundle) Of(action string) (p Part, ok bool) {
	k := slices.IndexFunc(b.Parts, func(p Part) bool { return p.Action == action })
	if k < 0 {
		return p, false
	}
	return b.Parts[k], true
}

// MarshalBinary returns all parts in a frame with version and checksum; the same bundle gives the same bytes.
func (b *Bundle) MarshalBinary() ([]byte, error) {
	var w wire.Writer
	w.Uint(uint64(len(b.Parts)))
	for _, p := range b.Parts {
		blob, err := p.Model.MarshalBinary()
		if err != nil {
			return nil, err
		}
		w.String(p.Action)
		w.Uint(uint64(p.Events))
		w.Blob(blob)
	}
	return wire.Seal(bundleMagic, bundleVersion, w.Bytes()), nil
}

// DecodeBundle reads MarshalBinary's bytes for the features of s. It never panics. Errors: damaged bytes, models.ErrFeatureMismatch.
func DecodeBundle(b []byte, s features.Schema) (*Bundle, error) {
	r, err := wire.Open(bundleMagic, bundleVersion, b)
	if err != nil {
		return nil, err
	}
	out := &Bundle{Parts: make([]Part, r.Count(24))}
	for k := range out.Parts {
		p := &out.Parts[k]
		p.Action = r.String()
		events := r.Uint()
		if p.Action == "" || events > math.MaxInt32 {
			return nil, fmt.Errorf("%w: part %d", wire.ErrCorrupt, k)
		}
		p.Events = int(events)
		if p.Model, err = Decode(r.Blob(), s); err != nil {
			return nil, fmt.Errorf("uplift of %s: %w", p.Action, err)
		}
	}
	return out, r.Done()
}
