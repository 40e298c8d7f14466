package models

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"retain/features"
)

// KindLoyalty is the kind of loyalty models, and their name in the registry.
const KindLoyalty = "loyalty"

// Loyalty is the two-part loyalty model as one artifact: P(repeats in 180 d) and P(promotes | repeats), each a whole Artifact with its own
// features, calibration and reasons. It is stored under the Address of its bytes.
type Loyalty struct {
	Repeat   *Artifact       // of features.PartRepeat
	Promotes *Artifact       // of features.PartPromotes
	Product  json.RawMessage // figures of the product on the test cutoffs; nil = not measured
}

// LoyaltyScore is round(100 · pRepeat · pPromotes) for probabilities in [0, 1]: 0 to 100, halves rounded up.
func LoyaltyScore(pRepeat, pPromotes float64) int {
	return int(math.Round(100 * pRepeat * pPromotes))
}

// Part is the artifact of a part.
func (l *Loyalty) Part(part features.LoyaltyPart) *Artifact {
	if part == features.PartRepeat {
		return l.Repeat
	}
	return l.Promotes
}

// Family names the families of both parts, in their order.
func (l *Loyalty) Family() string { return l.Repeat.Family + " + " + l.Promotes.Family }

const (
	loyaltyMagic   = "RETAIN-L"
	loyaltyVersion = 1
	loyaltyParts   = 3 // the product's figures, repeat, promotes
)

// IsLoyalty says whether bytes begin like a loyalty artifact.
func IsLoyalty(b []byte) bool { return bytes.HasPrefix(b, []byte(loyaltyMagic)) }

// Encode returns the bytes: "RETAIN-L", version uint16, three lengths uint64 (little-endian), the product's figures, the bytes of both parts,
// and the SHA-256 of all that. The same model gives the same bytes. Errors: those of Artifact.Encode, or parts that do not belong together.
func (l *Loyalty) Encode() ([]byte, error) {
	if err := l.validate(); err != nil {
		return nil, fmt.Errorf("encode loyalty: %w", err)
	}
	parts := [loyaltyParts][]byte{l.Product}
	for k, part := range features.LoyaltyParts {
		var err error
		if parts[k+1], err = l.Part(part).Encode(); err != nil {
			return nil, fmt.Errorf("part %s: %w", part, err)
		}
	}
	content := 8 * loyaltyParts
	for _, p := range parts {
		content += len(p)
	}
	out := openFrame(loyaltyMagic, loyaltyVersion, content)
	for _, p := range parts {
		out = binary.LittleEndian.AppendUint64(out, uint64(len(p)))
	}
	for _, p := range parts {
		out = append(out, p...)
	}
	return seal(out), nil
}

// DecodeLoyalty reads Encode's bytes: both parts or none. It never panics; whatever is not exactly such bytes is ErrArtifact.
func DecodeLoyalty(b []byte) (*Loyalty, error) {
	version, rest, err := unseal(b, loyaltyMagic, 8*loyaltyParts)
	if err != nil {
		return nil, err
	}
	if version != loyaltyVersion {
		return nil, fmt.Errorf("%w: format version %d of loyalty, this program reads %d; train again", ErrArtifact, version, loyaltyVersion)
	}
	lengths, rest := rest[:8*loyaltyParts], rest[8*loyaltyParts:]
	var parts [loyaltyParts][]byte
	for k := range parts {
		n := binary.LittleEndian.Uint64(lengths[8*k:])
		if n > uint64(len(rest)) {
			return nil, fmt.Errorf("%w: a part of %d bytes in %d", ErrArtifact, n, len(rest))
		}
		parts[k], rest = rest[:n], rest[n:]
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%w: %d bytes after its parts", ErrArtifact, len(rest))
	}
	l := &Loyalty{}
	if len(parts[0]) > 0 {
		l.Product = bytes.Clone(parts[0])
	}
	if l.Repeat, err = DecodeArtifact(parts[1]); err != nil {
		return nil, fmt.Errorf("part %s: %w", features.PartRepeat, err)
	}
	if l.Promotes, err = DecodeArtifact(parts[2]); err != nil {
		return nil, fmt.Errorf("part %s: %w", features.PartPromotes, err)
	}
	if err := l.validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrArtifact, err)
	}
	return l, nil
}

// validate says why two artifacts are not the parts of one loyalty model.
func (l *Loyalty) validate() error {
	if len(l.Product) > 0 && !json.Valid(l.Product) {
		return errors.New("the product's figures are no JSON")
	}
	for _, part := range features.LoyaltyParts {
		switch a := l.Part(part); {
		case a == nil:
			return fmt.Errorf("there is no part %s", part)
		case a.Kind != KindLoyalty || a.Name != string(part):
			return fmt.Errorf("the part %s is %s %s", part, a.Kind, a.Name)
		}
	}
	return nil
}
