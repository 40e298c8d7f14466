package pipelines

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

	"retain/features"
	"retain/internal/warehouse"
)

// errDamaged says that a stored snapshot is not what was written: it is pruned while it is read, or its bytes have changed.
var errDamaged = errors.New("the stored snapshot is not whole")

// chunkRows rows of a column go in one chunk: 256 kB of features.
const chunkRows = 65_536

// The columns before the features.
const (
	positionCustomer = iota
	positionStatus
	positionCode
	positionMonthly
	positionFeatures
)

// snapshotHeader is what the row of a snapshot tells in JSON.
type snapshotHeader struct {
	Schema   features.Schema `json:"schema"`
	Checksum string          `json:"checksum"` // SHA-256 over all chunks in order
}

// packInput cuts the input into chunks. The sequence can be walked more than once.
func packInput(in *scoringInput) iter.Seq[warehouse.SnapshotChunk] {
	p := in.Population
	return func(yield func(warehouse.SnapshotChunk) bool) {
		send := func(position, rows int, pack func(lo, hi int) []byte) bool {
			for k := 0; k*chunkRows < rows; k++ {
				bytes := pack(k*chunkRows, min((k+1)*chunkRows, rows))
				if !yield(warehouse.SnapshotChunk{Position: uint32(position), Chunk: uint32(k), Bytes: bytes}) {
					return false
				}
			}
			return true
		}
		for position, texts := range [][]string{positionCustomer: p.Customer, positionStatus: p.Status, positionCode: p.StatusCode} {
			if !send(position, len(texts), func(lo, hi int) []byte { return packTexts(texts[lo:hi]) }) {
				return
			}
		}
		if !send(positionMonthly, len(in.Monthly), func(lo, hi int) []byte { return packFloat64s(in.Monthly[lo:hi]) }) {
			return
		}
		for j, column := range in.X.X {
			if !send(positionFeatures+j, len(column), func(lo, hi int) []byte { return packFloat32s(column[lo:hi]) }) {
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

// loadInput reads a stored snapshot. Errors: errDamaged, or of the warehouse.
func loadInput(ctx context.Context, store *features.Store, row warehouse.SnapshotRow) (*scoringInput, error) {
	var header snapshotHeader
	if err := json.Unmarshal([]byte(row.Header), &header); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	in := &scoringInput{Monthly: make([]float64, 0, row.Eligible),
		X: &features.Matrix{Schema: header.Schema, X: make([][]float32, len(header.Schema))}}
	for j := range in.X.X {
		in.X.X[j] = make([]float32, 0, row.Eligible)
	}
	var texts [positionMonthly][]string
	h := sha256.New()
	err := store.DB.SnapshotChunks(ctx, row.ID, func(c warehouse.SnapshotChunk) (err error) {
		addChunk(h, c)
		switch at := int(c.Position); {
		case at < positionMonthly:
			texts[at], err = unpackTexts(texts[at], c.Bytes)
		case at == positionMonthly:
			in.Monthly, err = unpackFloat64s(in.Monthly, c.Bytes)
		case at-positionFeatures < len(in.X.X):
			in.X.X[at-positionFeatures], err = unpackFloat32s(in.X.X[at-positionFeatures], c.Bytes)
		default:
			err = errDamaged
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if hex.EncodeToString(h.Sum(nil)) != header.Checksum {
		return nil, errDamaged
	}
	in.Population, err = store.Restore(ctx, row.Cutoff, texts[positionCustomer], texts[positionStatus], texts[positionCode])
	return in, err
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
			return out, errDamaged
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
		return out, errDamaged
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
		return out, errDamaged
	}
	for ; len(b) > 0; b = b[4:] {
		out = append(out, math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	return out, nil
}
