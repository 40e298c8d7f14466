package features

import (
	"crypto/sha256"
	"encoding/binary"
)

// KeyedHash is a seeded hash of an id, uniform on 64 bits. Each use (folds, bootstrap, holdout, exploration) names a domain of
// its own, so that membership in one tells nothing about membership in another.
func KeyedHash(seed uint64, domain, id string) uint64 {
	h := sha256.New()
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:8], seed)
	binary.LittleEndian.PutUint64(b[8:], uint64(len(domain)))
	h.Write(b[:])
	h.Write([]byte(domain))
	h.Write([]byte(id))
	var sum [sha256.Size]byte
	return binary.LittleEndian.Uint64(h.Sum(sum[:0]))
}
