package models

import (
	"crypto/sha256"
	"encoding/binary"
)

// ResealArtifact frames bytes as the header of an artifact without a model, with the right checksum.
func ResealArtifact(header []byte) []byte {
	out := append([]byte(artifactMagic), 0, 0)
	binary.LittleEndian.PutUint16(out[len(artifactMagic):], ArtifactVersion)
	out = binary.LittleEndian.AppendUint64(out, uint64(len(header)))
	out = append(out, header...)
	sum := sha256.Sum256(out)
	return append(out, sum[:]...)
}
