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

	"retain/features"
	"retain/models"
)

// The binary format, all fixed-width numbers little-endian, all others unsigned varints:
//
//	"rboost"  version:1 byte  schema fingerprint:32 bytes  base:float64  trees
//	each tree, its nodes in preorder:
//	    leaf        0                  value:float32  rows
//	    numeric     1 | 4 missing left  column  cut:float32  gain:float32
//	    categorical 2 | 4 missing left  column  gain:float32  words  words·8 bytes, a bit for each code that goes left
//	CRC-32C of all before: 4 bytes
const (
	formatMagic   = "rboost"
	formatVersion = 1

	tagLeaf        = 0
	tagNumeric     = 1
	tagCategorical = 2
	tagMissingLeft = 4
)

// ErrCorrupt says that bytes are no model of this package, or a damaged one.
var ErrCorrupt = errors.New("boost: corrupt model")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// MarshalBinary returns the model in the format that Decode reads. The same model gives the same bytes.
func (m *Model) MarshalBinary() ([]byte, error) {
	b := append([]byte(formatMagic), formatVersion)
	print, err := hex.DecodeString(m.schema.Fingerprint())
	if err != nil {
		return nil, fmt.Errorf("boost: encode fingerprint: %w", err)
	}
	b = append(b, print...)
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(m.base))
	b = binary.AppendUvarint(b, uint64(len(m.roots)))
	for i := range m.nodes {
		b = m.appendNode(b, &m.nodes[i])
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli)), nil
}

func (m *Model) appendNode(b []byte, n *node) []byte {
	if n.column < 0 {
		b = appendFloat(append(b, tagLeaf), n.cut)
		return binary.AppendUvarint(b, uint64(n.rows))
	}
	tag := byte(tagNumeric)
	if n.set >= 0 {
		tag = tagCategorical
	}
	if n.missingLeft {
		tag |= tagMissingLeft
	}
	b = binary.AppendUvarint(append(b, tag), uint64(n.column))
	if n.set < 0 {
		return appendFloat(appendFloat(b, n.cut), n.gain)
	}
	b = binary.AppendUvarint(appendFloat(b, n.gain), uint64(len(m.sets[n.set])))
	for _, w := range m.sets[n.set] {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}

func appendFloat(b []byte, v float32) []byte {
	return binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
}

// Decode reads what MarshalBinary wrote, for rows of schema s. Errors: ErrCorrupt, a version that this program does not know,
// models.ErrFeatureMismatch if the model was fitted on other columns.
func Decode(b []byte, s features.Schema) (*Model, error) {
	head := len(formatMagic) + 1
	if len(b) < head+4 || string(b[:len(formatMagic)]) != formatMagic {
		return nil, fmt.Errorf("%w: it does not begin as one", ErrCorrupt)
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return nil, fmt.Errorf("%w: the checksum differs", ErrCorrupt)
	}
	if v := b[head-1]; v != formatVersion {
		return nil, fmt.Errorf("boost: model format version %d, this program reads %d: use the program that trained it, or train anew", v, formatVersion)
	}
	d := decoder{rest: body[head:], model: &Model{schema: slices.Clone(s)}}
	print, err := hex.DecodeString(s.Fingerprint())
	if err != nil {
		return nil, fmt.Errorf("boost: decode fingerprint: %w", err)
	}
	if got := d.take(len(print)); d.err == nil && !bytes.Equal(got, print) {
		return nil, models.ErrFeatureMismatch
	}
	if d.decode(); d.err != nil {
		return nil, d.err
	}
	return d.model, nil
}

// decoder reads a model piece by piece; after the first fault all reads give zeros.
type decoder struct {
	rest  []byte
	model *Model
	err   error
}

func (d *decoder) fail(why string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrCorrupt, why)
	}
	d.rest = nil
}

func (d *decoder) take(n int) []byte {
	if n > len(d.rest) {
		d.fail("it ends too early")
		return make([]byte, min(n, 64))
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

// number reads a varint below limit.
func (d *decoder) number(limit uint64, what string) int {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 || v >= limit {
		d.fail(what)
		return 0
	}
	d.rest = d.rest[n:]
	return int(v)
}

// float reads a finite float32.
func (d *decoder) float(what string) float32 {
	v := math.Float32frombits(binary.LittleEndian.Uint32(d.take(4)))
	if v-v != 0 {
		d.fail(what)
		return 0
	}
	return v
}

func (d *decoder) decode() {
	m := d.model
	m.base = math.Float64frombits(binary.LittleEndian.Uint64(d.take(8)))
	if m.base-m.base != 0 {
		d.fail("the base margin is not finite")
	}
	trees := d.number(math.MaxInt32, "the number of trees")
	for k := 0; k < trees && d.err == nil; k++ {
		m.roots = append(m.roots, int32(len(m.nodes)))
		d.tree()
	}
	if d.err == nil && len(d.rest) > 0 {
		d.fail("bytes are left over")
	}
}

// tree reads one tree. Preorder needs no places of children: after a left subtree comes the right one.
func (d *decoder) tree() {
	m := d.model
	first := len(m.nodes)
	var open []int // splits whose right subtree is still to come
	for d.err == nil {
		n := d.node()
		m.nodes = append(m.nodes, n)
		if n.column >= 0 {
			open = append(open, len(m.nodes)-1)
			continue
		}
		if len(open) == 0 {
			break
		}
		last := len(open) - 1
		m.nodes[open[last]].right = int32(len(m.nodes))
		open = open[:last]
	}
	if d.err != nil {
		return
	}
	for i := len(m.nodes) - 1; i >= first; i-- {
		n := &m.nodes[i]
		if n.column < 0 {
			continue
		}
		rows := uint64(m.nodes[i+1].rows) + uint64(m.nodes[n.right].rows)
		if rows > math.MaxUint32 {
			d.fail("the rows of a tree")
			return
		}
		n.rows = uint32(rows)
	}
}

func (d *decoder) node() node {
	m := d.model
	tag := d.take(1)[0]
	if tag == tagLeaf {
		n := node{column: -1, set: -1, cut: d.float("a leaf's value"), rows: uint32(d.number(1<<32, "a leaf's rows"))}
		if n.rows == 0 {
			d.fail("a leaf without rows")
		}
		return n
	}
	n := node{missingLeft: tag&tagMissingLeft != 0, set: -1}
	n.column = int32(d.number(uint64(len(m.schema)), "a column"))
	if d.err != nil {
		return n
	}
	kind := m.schema[n.column].Kind
	switch tag &^ tagMissingLeft {
	case tagNumeric:
		if kind != features.Numeric {
			d.fail("a cut of a categorical column")
		}
		n.cut = d.float("a cut")
		n.gain = d.float("a gain")
	case tagCategorical:
		if kind != features.Categorical {
			d.fail("levels of a numeric column")
		}
		n.gain = d.float("a gain")
		words := d.take(8 * d.number((maxCode+64)/64+1, "a set of levels"))
		if d.err != nil {
			return n
		}
		set := make(levels, len(words)/8)
		for k := range set {
			set[k] = binary.LittleEndian.Uint64(words[8*k:])
		}
		n.set = int32(len(m.sets))
		m.sets = append(m.sets, set)
	default:
		d.fail("an unknown node")
	}
	return n
}
