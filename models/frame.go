package models

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// The bytes of one model and of a loyalty model lie in the same frame: a magic, the format version as uint16 (little-endian), the content,
// and the SHA-256 of all before it.

// frameBytes is how long a frame around no content is.
func frameBytes(magic string) int { return len(magic) + 2 + sha256.Size }

// openFrame begins a frame: the content is to be appended, then seal.
func openFrame(magic string, version uint16, content int) []byte {
	b := make([]byte, 0, frameBytes(magic)+content)
	return binary.LittleEndian.AppendUint16(append(b, magic...), version)
}

// seal ends a frame.
func seal(b []byte) []byte {
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// unseal returns what stands in a frame around at least so many bytes. It does not copy. Errors: ErrArtifact.
func unseal(b []byte, magic string, least int) (version uint16, content []byte, err error) {
	if len(b) < frameBytes(magic)+least || !bytes.HasPrefix(b, []byte(magic)) {
		return 0, nil, fmt.Errorf("%w: it does not begin with %q", ErrArtifact, magic)
	}
	body, sum := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if own := sha256.Sum256(body); !bytes.Equal(own[:], sum) {
		return 0, nil, fmt.Errorf("%w: its checksum differs", ErrArtifact)
	}
	body = body[len(magic):]
	return binary.LittleEndian.Uint16(body), body[2:], nil
}
