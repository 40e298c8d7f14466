package boost

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"retain/features"
	"retain/models"
)

// Version 1 of the format, which registries hold; all fixed-width numbers little-endian, all others unsigned varints:
//
//	"rboost"  version:1 byte  schema fingerprint:32 bytes  base:float64  trees
//	each tree, its nodes in preorder:
//	    leaf        0                  value:float32  rows
//	    numeric     1 | 4 missing left  column  cut:float32  gain:float32
//	    categorical 2 | 4 missing left  column  gain:float32  words  words·8 bytes, a bit for each code that goes left
//	CRC-32C of all before: 4 bytes
const (
	v1Leaf        = 0
	v1Numeric     = 1
	v1Categorical = 2
	v1MissingLeft = 4
)

// decodeV1 reads what follows the version, without the checksum.
func (m *Model) decodeV1(b, print []byte) error {
	d := decoderV1{rest: b, model: m}
	if got := d.take(len(print)); d.err == nil && !bytes.Equal(got, print) {
		return models.ErrFeatureMismatch
	}
	m.base = math.Float64frombits(binary.LittleEndian.Uint64(d.take(8)))
	trees := d.number(math.MaxInt32, "the number of trees")
	for k := 0; k < trees && d.err == nil; k++ {
		m.roots = append(m.roots, int32(len(m.nodes)))
		d.tree()
	}
	if d.err == nil && len(d.rest) > 0 {
		d.fail("bytes are left over")
	}
	if d.err != nil {
		return d.err
	}
	return m.validate()
}

// decoderV1 reads a model piece by piece; after the first fault all reads give zeros.
type decoderV1 struct {
	rest  []byte
	model *Model
	err   error
}

func (d *decoderV1) fail(why string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrCorrupt, why)
	}
	d.rest = nil
}

func (d *decoderV1) take(n int) []byte {
	if n > len(d.rest) {
		d.fail("it ends too early")
		return make([]byte, min(n, 64))
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

// number reads a varint below limit.
func (d *decoderV1) number(limit uint64, what string) int {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 || v >= limit {
		d.fail(what)
		return 0
	}
	d.rest = d.rest[n:]
	return int(v)
}

func (d *decoderV1) float() float32 {
	return math.Float32frombits(binary.LittleEndian.Uint32(d.take(4)))
}

// tree reads one tree. Preorder needs no places of children: after a left subtree comes the right one.
func (d *decoderV1) tree() {
	m := d.model
	var open []int // splits whose right subtree is still to come
	for d.err == nil {
		n := d.node()
		m.nodes = append(m.nodes, n)
		if !n.leaf() {
			open = append(open, len(m.nodes)-1)
			continue
		}
		if len(open) == 0 {
			return
		}
		last := len(open) - 1
		m.nodes[open[last]].right = int32(len(m.nodes))
		open = open[:last]
	}
}

func (d *decoderV1) node() node {
	m := d.model
	tag := d.take(1)[0]
	if tag == v1Leaf {
		return node{column: -1, cut: d.float(), weight: float32(d.number(1<<32, "a leaf's rows"))}
	}
	n := node{column: int32(d.number(uint64(len(m.schema)), "a column"))}
	if d.err != nil {
		return n
	}
	if tag&v1MissingLeft != 0 {
		n.rule = ruleMissingLeft
	}
	kind := m.schema[n.column].Kind
	switch tag &^ v1MissingLeft {
	case v1Numeric:
		if kind != features.Numeric {
			d.fail("a cut of a categorical column")
		}
		n.cut = d.float()
		n.weight = d.float()
	case v1Categorical:
		if kind != features.Categorical {
			d.fail("levels of a numeric column")
		}
		n.weight = d.float()
		words := d.take(8 * d.number((maxCode+64)/64+1, "a set of levels"))
		if d.err != nil {
			return n
		}
		set := make(levels, len(words)/8)
		for k := range set {
			set[k] = binary.LittleEndian.Uint64(words[8*k:])
		}
		n.rule |= ruleCategorical | uint32(len(m.sets))<<ruleBits
		m.sets = append(m.sets, set)
	default:
		d.fail("an unknown node")
	}
	return n
}
