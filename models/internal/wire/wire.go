// Package wire is the binary form of fitted models: a sealed frame (magic, version, length, payload, CRC-32C) around a payload of
// little-endian fields. Reading never panics and never allocates more than the input can fill.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// ErrCorrupt says that bytes are no frame of the expected kind and version, or were damaged or cut.
var ErrCorrupt = errors.New("models: corrupt model bytes")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const frameBytes = 4 + 2 + 8 + 4 // magic, version, payload length, CRC-32C of all before it

// Seal frames a payload. magic is four bytes that name the kind of model.
func Seal(magic string, version uint16, payload []byte) []byte {
	out := make([]byte, 0, frameBytes+len(payload))
	out = append(out, magic[:4]...)
	out = binary.LittleEndian.AppendUint16(out, version)
	out = binary.LittleEndian.AppendUint64(out, uint64(len(payload)))
	out = append(out, payload...)
	return binary.LittleEndian.AppendUint32(out, crc32.Checksum(out, castagnoli))
}

// Open returns the payload of a frame of this magic and version; anything else is ErrCorrupt.
func Open(magic string, version uint16, frame []byte) (*Reader, error) {
	if len(frame) < frameBytes || string(frame[:4]) != magic {
		return nil, fmt.Errorf("%w: no frame of %q", ErrCorrupt, magic)
	}
	body, sum := frame[:len(frame)-4], frame[len(frame)-4:]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(sum) {
		return nil, fmt.Errorf("%w: checksum of %q differs", ErrCorrupt, magic)
	}
	if v := binary.LittleEndian.Uint16(body[4:]); v != version {
		return nil, fmt.Errorf("%w: %q has format version %d, this program reads %d", ErrCorrupt, magic, v, version)
	}
	if binary.LittleEndian.Uint64(body[6:]) != uint64(len(body)-14) {
		return nil, fmt.Errorf("%w: length of %q differs", ErrCorrupt, magic)
	}
	return &Reader{rest: body[14:]}, nil
}

// Writer appends fields to a payload; the zero value is ready.
type Writer struct{ b []byte }

// Bytes returns what was written.
func (w *Writer) Bytes() []byte { return w.b }

// Uint writes 8 bytes.
func (w *Writer) Uint(v uint64) { w.b = binary.LittleEndian.AppendUint64(w.b, v) }

// Float writes the 8 bytes of a float64, NaN payloads included.
func (w *Writer) Float(v float64) { w.Uint(math.Float64bits(v)) }

// Floats writes a length and its values.
func (w *Writer) Floats(v []float64) {
	w.Uint(uint64(len(v)))
	for _, x := range v {
		w.Float(x)
	}
}

// Blob writes a length and its bytes.
func (w *Writer) Blob(v []byte) {
	w.Uint(uint64(len(v)))
	w.b = append(w.b, v...)
}

// String writes a length and the bytes of a string.
func (w *Writer) String(v string) { w.Blob([]byte(v)) }

// Reader reads fields back. The first failure sticks: later reads return zero values, and Done returns the error.
type Reader struct {
	rest []byte
	err  error
}

// Uint reads 8 bytes.
func (r *Reader) Uint() uint64 {
	if r.err != nil || len(r.rest) < 8 {
		r.fail()
		return 0
	}
	v := binary.LittleEndian.Uint64(r.rest)
	r.rest = r.rest[8:]
	return v
}

// Float reads a float64.
func (r *Reader) Float() float64 { return math.Float64frombits(r.Uint()) }

// Finite reads a float64 that must be neither NaN nor infinite.
func (r *Reader) Finite() float64 {
	v := r.Float()
	if math.IsNaN(v) || math.IsInf(v, 0) {
		r.fail()
		return 0
	}
	return v
}

// Count reads a length whose elements take at least size bytes each, so that a damaged one cannot allocate beyond the input.
func (r *Reader) Count(size int) int {
	v := r.Uint()
	if r.err != nil || v > uint64(len(r.rest)/size) {
		r.fail()
		return 0
	}
	return int(v)
}

// Floats reads a length and its finite values; nil if there are none.
func (r *Reader) Floats() []float64 {
	n := r.Count(8)
	if n == 0 {
		return nil
	}
	out := make([]float64, n)
	for i := range out {
		out[i] = r.Finite()
	}
	return out
}

// Blob reads a length and a copy of its bytes.
func (r *Reader) Blob() []byte {
	n := r.Count(1)
	out := append([]byte(nil), r.rest[:n]...)
	r.rest = r.rest[n:]
	return out
}

// String reads a length and its bytes as a string.
func (r *Reader) String() string { return string(r.Blob()) }

// Done returns ErrCorrupt if any read failed or bytes are left over.
func (r *Reader) Done() error {
	if r.err == nil && len(r.rest) > 0 {
		r.err = fmt.Errorf("%w: %d bytes left over", ErrCorrupt, len(r.rest))
	}
	return r.err
}

func (r *Reader) fail() {
	if r.err == nil {
		r.err = fmt.Errorf("%w: cut short or out of range", ErrCorrupt)
	}
	r.rest = nil
}
