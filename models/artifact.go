package models

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"retain/features"
)

// ErrArtifact says that bytes are no artifact that this program can read, or were damaged.
var ErrArtifact = errors.New("models: unreadable artifact")

// ArtifactVersion is the format that Encode writes and DecodeArtifact reads.
const ArtifactVersion = 1

// Decoder reads the bytes of Model.MarshalBinary back, for the features of s. It never panics. Errors: damaged bytes, ErrFeatureMismatch.
type Decoder func(b []byte, s features.Schema) (Model, error)

// Artifact is a fitted model with everything needed to score: whoever holds it compiles the same features and needs no
// configuration. It is stored under its Address.
type Artifact struct {
	FormatVersion int                 `json:"format_version"`      // ArtifactVersion; set by Encode
	Kind          string              `json:"kind"`                // what is predicted: churn
	Name          string              `json:"name"`                // of the model in the registry
	Family        string              `json:"family"`              // of the model: boost, linear, recency_rule, base_rate, blend
	Catalogue     *features.Catalogue `json:"catalogue,omitempty"` // the feature entries in use; nil for flat tables
	Encoding      *features.Encoding  `json:"encoding,omitempty"`  // levels and columns kept; nil for flat tables
	Churn         features.ChurnSpec  `json:"churn"`               // the label specification
	Static        map[string][]string `json:"static,omitempty"`    // per source: the columns or attributes declared static
	Schema        features.Schema     `json:"schema"`              // the encoded features, in the model's order
	Fingerprint   string              `json:"fingerprint"`         // of Schema
	Calibration   Calibration         `json:"calibration"`         // margins to probabilities
	Bands         Bands               `json:"bands"`               // least probabilities of the risk bands
	Medians       Figures             `json:"medians"`             // per column of Schema: the training median, null = none
	Cutoffs       []time.Time         `json:"cutoffs,omitempty"`   // of the training rows, UTC, oldest first
	TrainedUntil  time.Time           `json:"trained_until"`       // end of the last training label: runs before it carry hindsight
	Rows          int                 `json:"rows"`                // of the final fit
	Positives     int                 `json:"positives"`
	Metrics       json.RawMessage     `json:"metrics,omitempty"` // the training report
	Seed          uint64              `json:"seed"`
	Reference     *Reference          `json:"reference,omitempty"` // what drift is measured against; nil in artifacts of before it was kept, and for flat tables
	Model         []byte              `json:"-"`                   // Model.MarshalBinary
}

const artifactMagic = "RETAIN-A"

// Encode returns the artifact's bytes: "RETAIN-A", version uint16, header length uint64 (little-endian), the header as JSON, the
// model, and the SHA-256 of all that. The same artifact gives the same bytes.
// Errors: a schema that does not match the fingerprint or the medians, a calibration that Validate refuses.
func (a *Artifact) Encode() ([]byte, error) {
	stamped := *a
	stamped.FormatVersion = ArtifactVersion
	if err := stamped.validate(); err != nil {
		return nil, fmt.Errorf("encode artifact: %w", err)
	}
	header, err := json.Marshal(&stamped)
	if err != nil {
		return nil, fmt.Errorf("encode artifact: %w", err)
	}
	out := openFrame(artifactMagic, ArtifactVersion, 8+len(header)+len(a.Model))
	out = binary.LittleEndian.AppendUint64(out, uint64(len(header)))
	out = append(out, header...)
	return seal(append(out, a.Model...)), nil
}

// DecodeArtifact reads Encode's bytes. It never panics; whatever is not exactly such bytes is ErrArtifact.
func DecodeArtifact(b []byte) (*Artifact, error) {
	version, rest, err := unseal(b, artifactMagic, 8)
	if err != nil {
		return nil, err
	}
	if version != ArtifactVersion {
		return nil, fmt.Errorf("%w: format version %d, this program reads %d; train again", ErrArtifact, version, ArtifactVersion)
	}
	length := binary.LittleEndian.Uint64(rest)
	rest = rest[8:]
	if length > uint64(len(rest)) {
		return nil, fmt.Errorf("%w: header of %d bytes in %d", ErrArtifact, length, len(rest))
	}
	a := new(Artifact)
	d := json.NewDecoder(bytes.NewReader(rest[:length]))
	d.DisallowUnknownFields()
	if err := d.Decode(a); err != nil {
		return nil, fmt.Errorf("%w: header: %w", ErrArtifact, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("%w: bytes after the header", ErrArtifact)
	}
	a.Model = bytes.Clone(rest[length:])
	if err := a.validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrArtifact, err)
	}
	return a, nil
}

func (a *Artifact) validate() error {
	if a.FormatVersion != ArtifactVersion {
		return fmt.Errorf("format version %d", a.FormatVersion)
	}
	if a.Fingerprint != a.Schema.Fingerprint() {
		return errors.New("the fingerprint is not that of the schema")
	}
	if len(a.Medians) != len(a.Schema) {
		return fmt.Errorf("%d medians for %d features", len(a.Medians), len(a.Schema))
	}
	if a.Reference != nil {
		if err := a.Reference.validate(len(a.Schema)); err != nil {
			return err
		}
	}
	return a.Calibration.Validate()
}

// Address is the content address of an artifact's bytes: "sha256:" and 64 hex digits.
func Address(blob []byte) string {
	sum := sha256.Sum256(blob)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// LoadModel decodes the model by the decoder of its family. Errors: a family without decoder, or those of the decoder.
func (a *Artifact) LoadModel(decoders map[string]Decoder) (Model, error) {
	decode, ok := decoders[a.Family]
	if !ok {
		return nil, fmt.Errorf("models: no decoder for family %q", a.Family)
	}
	m, err := decode(a.Model, a.Schema)
	if err != nil {
		return nil, fmt.Errorf("load %s model: %w", a.Family, err)
	}
	return m, nil
}
