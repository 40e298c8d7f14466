package boost

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"unsafe"

	"retain/features"
	"retain/models"
)

// The binary format, all numbers little-endian, every section aligned to its elements from the first byte on:
//
//	 0  "rboost"  version:uint8  0:uint8
//	 8  schema fingerprint:32 bytes
//	40  base:float64
//	48  trees, nodes, sets, words:uint32 each
//	64  place of the first node of each tree:uint32
//	 …  nodes, each tree in preorder:
//	        column:int32  right:uint32  cut:float32  weight:float32  rule:uint32      (see node)
//	 …  place in words at which each set of levels ends:uint32
//	 …  zeros up to a multiple of 8
//	 …  words of the sets:uint64, a bit for each code that goes left
//	 …  CRC-32C of all before:uint32
//
// The nodes are as in memory, so that a file that is mapped needs no reading but the check (DecodeInPlace). Sets come in the
// order of their nodes, so that a model has one encoding only. Version 1 (see format_v1.go) is read, not written.
const (
	formatMagic   = "rboost"
	formatVersion = 2
	formatHead    = 64
	nodeSize      = 20
)

// ErrCorrupt says that bytes are no model of this package, or a damaged one.
var ErrCorrupt = errors.New("boost: corrupt model")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// MarshalBinary returns the model in the format that Decode reads. The same model gives the same bytes.
func (m *Model) MarshalBinary() ([]byte, error) {
	print, err := hex.DecodeString(m.schema.Fingerprint())
	if err != nil {
		return nil, fmt.Errorf("boost: encode fingerprint: %w", err)
	}
	var ends []uint32
	var words []uint64
	for i := range m.nodes {
		if n := &m.nodes[i]; !n.leaf() && n.categorical() {
			words = append(words, m.sets[n.set()]...)
			ends = append(ends, uint32(len(words)))
		}
	}
	f := layout{trees: len(m.roots), nodes: len(m.nodes), sets: len(ends), words: len(words)}
	le := binary.LittleEndian
	b := make([]byte, 0, f.size())
	b = append(append(b, formatMagic...), formatVersion, 0)
	b = append(b, print...)
	b = le.AppendUint64(b, math.Float64bits(m.base))
	for _, count := range []int{f.trees, f.nodes, f.sets, f.words} {
		b = le.AppendUint32(b, uint32(count))
	}
	for _, r := range m.roots {
		b = le.AppendUint32(b, uint32(r))
	}
	set := uint32(0)
	for i := range m.nodes {
		n := m.nodes[i]
		if !n.leaf() && n.categorical() {
			n.rule = n.rule&ruleFlags | set<<ruleBits
			set++
		}
		b = le.AppendUint32(b, uint32(n.column))
		b = le.AppendUint32(b, uint32(n.right))
		b = le.AppendUint32(b, math.Float32bits(n.cut))
		b = le.AppendUint32(b, math.Float32bits(n.weight))
		b = le.AppendUint32(b, n.rule)
	}
	for _, e := range ends {
		b = le.AppendUint32(b, e)
	}
	b = append(b, make([]byte, f.wordsAt()-len(b))...)
	for _, w := range words {
		b = le.AppendUint64(b, w)
	}
	return le.AppendUint32(b, crc32.Checksum(b, castagnoli)), nil
}

// layout is the counts of a file's sections; they give its places.
type layout struct{ trees, nodes, sets, words int }

func (f layout) nodesAt() int { return formatHead + 4*f.trees }
func (f layout) setsAt() int  { return f.nodesAt() + nodeSize*f.nodes }
func (f layout) wordsAt() int { return (f.setsAt() + 4*f.sets + 7) &^ 7 }
func (f layout) size() int    { return f.wordsAt() + 8*f.words + 4 }

// Decode reads what MarshalBinary wrote, in this version of the format or in version 1, for rows of schema s. It keeps nothing
// of b. Errors: ErrCorrupt, a version that this program does not know, models.ErrFeatureMismatch if the model was fitted on
// other columns.
func Decode(b []byte, s features.Schema) (*Model, error) { return decode(b, s, false) }

// DecodeInPlace is Decode for bytes that stay as they are while the model is in use, such as a mapped file: the trees are
// read where they lie if the machine is little-endian and b begins at a multiple of 8 (as mapped files do), else copied, as
// those of version 1 always are.
// To change or unmap b while the model is in use is a fault that nothing reports.
func DecodeInPlace(b []byte, s features.Schema) (*Model, error) { return decode(b, s, true) }

func decode(b []byte, s features.Schema, inPlace bool) (*Model, error) {
	const head = len(formatMagic) + 1
	if len(b) < head+4 || string(b[:len(formatMagic)]) != formatMagic {
		return nil, fmt.Errorf("%w: it does not begin as one", ErrCorrupt)
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return nil, fmt.Errorf("%w: the checksum differs", ErrCorrupt)
	}
	print, err := hex.DecodeString(s.Fingerprint())
	if err != nil {
		return nil, fmt.Errorf("boost: decode fingerprint: %w", err)
	}
	m := &Model{schema: slices.Clone(s)}
	switch v := b[head-1]; v {
	case 1:
		err = m.decodeV1(body[head:], print)
	case formatVersion:
		err = m.decode(body, print, inPlace)
	default:
		return nil, fmt.Errorf("boost: model format version %d, this program reads 1 and %d: use the program that trained it, or train anew", v, formatVersion)
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// decode reads version 2 without its checksum.
func (m *Model) decode(b, print []byte, inPlace bool) error {
	le := binary.LittleEndian
	if len(b) < formatHead || b[7] != 0 {
		return fmt.Errorf("%w: its head", ErrCorrupt)
	}
	if !bytes.Equal(b[8:40], print) {
		return models.ErrFeatureMismatch
	}
	m.base = math.Float64frombits(le.Uint64(b[40:]))
	var count [4]int
	for k := range count {
		v := le.Uint32(b[48+4*k:])
		if uint64(v) > uint64(len(b)) { // no element is shorter than a byte; below, nothing overflows
			return fmt.Errorf("%w: it ends too early", ErrCorrupt)
		}
		count[k] = int(v)
	}
	f := layout{trees: count[0], nodes: count[1], sets: count[2], words: count[3]}
	if len(b)+4 != f.size() {
		return fmt.Errorf("%w: %d bytes, want %d", ErrCorrupt, len(b)+4, f.size())
	}
	for _, c := range b[f.setsAt()+4*f.sets : f.wordsAt()] {
		if c != 0 {
			return fmt.Errorf("%w: bytes between its sections", ErrCorrupt)
		}
	}
	words := section(b[f.wordsAt():], f.words, inPlace, le.Uint64)
	m.roots = section(b[formatHead:], f.trees, inPlace, func(b []byte) int32 { return int32(le.Uint32(b)) })
	m.nodes = section(b[f.nodesAt():], f.nodes, inPlace, readNode)
	start := uint32(0)
	for k := range f.sets {
		end := le.Uint32(b[f.setsAt()+4*k:])
		if end < start || end > uint32(len(words)) {
			return fmt.Errorf("%w: a set of levels", ErrCorrupt)
		}
		m.sets = append(m.sets, words[start:end:end])
		start = end
	}
	if start != uint32(len(words)) {
		return fmt.Errorf("%w: levels of no set", ErrCorrupt)
	}
	return m.validate()
}

func readNode(b []byte) node {
	le := binary.LittleEndian
	return node{
		column: int32(le.Uint32(b)),
		right:  int32(le.Uint32(b[4:])),
		cut:    math.Float32frombits(le.Uint32(b[8:])),
		weight: math.Float32frombits(le.Uint32(b[12:])),
		rule:   le.Uint32(b[16:]),
	}
}

// littleEndian says whether the machine keeps numbers as the format does.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// section returns the first n elements of b: in place if that is asked for and possible, else read one by one.
// T is a number or node, whose bytes may be anything.
func section[T int32 | uint64 | node](b []byte, n int, inPlace bool, read func([]byte) T) []T {
	var one T
	if n == 0 {
		return nil
	}
	size := int(unsafe.Sizeof(one))
	first := unsafe.Pointer(&b[0])
	if inPlace && littleEndian && uintptr(first)%unsafe.Alignof(one) == 0 {
		return unsafe.Slice((*T)(first), len(b)/size)[:n:n]
	}
	out := make([]T, n)
	for i := range out {
		out[i] = read(b[size*i:])
	}
	return out
}
