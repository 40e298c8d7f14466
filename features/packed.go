package features

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"iter"
	"math"

	"retain/internal/warehouse"
)

// ErrDamaged says that stored columns are not what was written: they are pruned while they are read, or their bytes have changed.
var ErrDamaged = errors.New("features: the stored snapshot is not whole")

// chunkRows rows of a column go in one chunk: 256 kB of features.
const chunkRows = 65_536

// Packed is a snapshot as the warehouse keeps it, column by column and bit for bit: texts, then numbers, then the matrix. Columns may differ in length.
type Packed struct {
	Texts   [][]string
	Numbers [][]float64
	X       *Matrix
}

// packedHeader is what the row of a snapshot tells in JSON.
type packedHeader struct {
	Schema   Schema `json:"schema"`
	Checksum string `json:"checksum"` // SHA-256 over all chunks in order
}

// PutPacked stores the columns under the row, whose Header it writes, and returns how many
// bytes they are before compression.
func (s *Store) PutPacked(ctx context.Context, row warehouse.SnapshotRow, p *Packed) (size int64, err error) {
	sum, size := checksum(p.chunks())
	header, err := json.Marshal(packedHeader{Schema: p.X.Schema, Checksum: sum})
	if err != nil {
		return 0, fmt.Errorf("write snapshot: %w", err)
	}
	row.Header = string(header)
	return size, s.DB.PutSnapshot(ctx, row, p.chunks())
}

// LoadPacked reads the columns of a stored row that was written with so many columns of texts and numbers. Errors: ErrDamaged, or of the warehouse.
func (s *Store) LoadPacked(ctx context.Context, row warehouse.SnapshotRow, texts, numbers int) (*Packed, error) {
	var header packedHeader
	if err := json.Unmarshal([]byte(row.Header), &header); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	p := &Packed{Texts: make([][]string, texts), Numbers: make([][]float64, numbers), X: &Matrix{Schema: header.Schema, X: make([][]float32, len(header.Schema))}}
	for j := range p.X.X {
		p.X.X[j] = make([]float32, 0, row.Eligible)
	}
	h := sha256.New()
	err := s.DB.SnapshotChunks(ctx, row.ID, func(c warehouse.SnapshotChunk) (err error) {
		addChunk(h, c)
		switch at := int(c.Position); {
		case at < texts:
			p.Texts[at], err = unpackTexts(p.Texts[at], c.Bytes)
		case at < texts+numbers:
			p.Numbers[at-texts], err = unpackFloat64s(p.Numbers[at-texts], c.Bytes)
		case at-texts-numbers < len(p.X.X):
			j := at - texts - numbers
			p.X.X[j], err = unpackFloat32s(p.X.X[j], c.Bytes)
		default:
			err = ErrDamaged
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if hex.EncodeToString(h.Sum(nil)) != header.Checksum {
		return nil, ErrDamaged
	}
	return p, nil
}

// chunks cuts the columns. The sequence can be walked more than once.
func (p *Packed) chunks() iter.Seq[warehouse.SnapshotChunk] {
	return func(yield func(warehouse.SnapshotChunk) bool) {
		position := 0
		send := func(rows int, pack func(lo, hi int) []byte) bool {
			for k := 0; k*chunkRows < rows; k++ {
				bytes := pack(k*chunkRows, min((k+1)*chunkRows, rows))
				if !yield(warehouse.SnapshotChunk{Position: uint32(position), Chunk: uint32(k), Bytes: bytes}) {
					return false
				}
			}
			position++
			return true
		}
		for _, x := range p.Texts {
			if !send(len(x), func(lo, hi int) []byte { return packTexts(x[lo:hi]) }) {
				return
			}
		}
		for _, x := range p.Numbers {
			if !send(len(x), func(lo, hi int) []byte { return packFloat64s(x[lo:hi]) }) {
				return
			}
		}
		for _, x := range p.X.X {
			if !send(len(x), func(lo, hi int) []byte { return packFloat32s(x[lo:hi]) }) {
				return
			}
		}
	}
}

// checksum is the SHA-256 of all chunks, and how many bytes they hold.
func checksum(chunks iter.Seq[warehouse.SnapshotChunk]) (sum string, size int64) {
	h := sha256.New()
	for c := range chunks {
		addChunk(h, c)
		size += int64(len(c.Bytes))
	}
	return hex.EncodeToString(h.Sum(nil)), size
}

func addChunk(h hash.Hash, c warehouse.SnapshotChunk) {
	var b [16]byte
	binary.LittleEndian.PutUint32(b[:4], c.Position)
	binary.LittleEndian.PutUint32(b[4:8], c.Chunk)
	binary.LittleEndian.PutUint64(b[8:], uint64(len(c.Bytes)))
	h.Write(b[:])
	h.Write(c.Bytes)
}

func packTexts(texts []string) []byte {
	var b []byte
	for _, t := range texts {
		b = binary.AppendUvarint(b, uint64(len(t)))
		b = append(b, t...)
	}
	return b
}

func unpackTexts(out []string, b []byte) ([]string, error) {
	known := map[string]string{} // statuses repeat
	for len(b) > 0 {
		n, width := binary.Uvarint(b)
		if width <= 0 || n > uint64(len(b)-width) {
			return out, ErrDamaged
		}
		text := b[width : width+int(n)]
		t, ok := known[string(text)]
		if !ok {
			t = string(text)
			if len(known) < 64 {
				known[t] = t
			}
		}
		out = append(out, t)
		b = b[width+int(n):]
	}
	return out, nil
}

func packFloat64s(x []float64) []byte {
	b := make([]byte, 0, 8*len(x))
	for _, v := range x {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

func unpackFloat64s(out []float64, b []byte) ([]float64, error) {
	if len(b)%8 != 0 {
		return out, ErrDamaged
	}
	for ; len(b) > 0; b = b[8:] {
		out = append(out, math.Float64frombits(binary.LittleEndian.Uint64(b)))
	}
	return out, nil
}

func packFloat32s(x []float32) []byte {
	b := make([]byte, 0, 4*len(x))
	for _, v := range x {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

func unpackFloat32s(out []float32, b []byte) ([]float32, error) {
	if len(b)%4 != 0 {
		return out, ErrDamaged
	}
	for ; len(b) > 0; b = b[4:] {
		out = append(out, math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	return out, nil
}
