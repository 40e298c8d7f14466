package warehouse

import (
	"errors"
	"fmt"

	"github.com/ClickHouse/ch-go/proto"
)

// column is one decoded column of a block.
type column struct {
	kind   proto.ColumnType // as the engine names it
	nulls  proto.ColUInt8   // 1 = NULL; nil unless Nullable
	values proto.ColResult
}

const (
	lowCardinalityText         = "LowCardinality(String)"
	lowCardinalityNullableText = "LowCardinality(Nullable(String))"
)

// newColumn prepares an empty column of a type.
func newColumn(kind proto.ColumnType) (*column, error) {
	c := &column{kind: kind}
	if kind == lowCardinalityText || kind == lowCardinalityNullableText {
		c.values = &dictionary{kind: kind}
		return c, nil
	}
	if kind.Base() == proto.ColumnTypeNullable {
		c.nulls = proto.ColUInt8{}
		kind = kind.Elem()
	}
	if kind == proto.ColumnTypeString {
		c.values = new(text)
		return c, nil
	}
	var auto proto.ColAuto
	if err := auto.Infer(kind); err != nil {
		return nil, fmt.Errorf("this type cannot be read in blocks, cast it in the query: %w", err)
	}
	c.values = auto.Data
	return c, nil
}

// decode reads the values of rows rows.
func (c *column) decode(r *proto.Reader, rows int) error {
	if s, ok := c.values.(proto.StateDecoder); ok {
		if err := s.DecodeState(r); err != nil {
			return err
		}
	}
	if c.nulls != nil {
		if err := c.nulls.DecodeColumn(r, rows); err != nil {
			return err
		}
	}
	if err := c.values.DecodeColumn(r, rows); err != nil {
		return err
	}
	if d, ok := c.values.(*dictionary); ok && c.kind == lowCardinalityNullableText {
		c.nulls = d.nulls()
	}
	return nil
}

// dictionary is a LowCardinality(String) column. ch-go's own makes a string for every row, this one for every level.
type dictionary struct {
	kind   proto.ColumnType
	levels text
	keys   []uint32 // of levels, one a row
}

// The serialisation of LowCardinality (SerializationLowCardinality.cpp).
const (
	sharedDictionaries = 1      // the one version there is
	keyWidthMask       = 0xff   // 0, 1, 2, 3: keys of 1, 2, 4, 8 bytes
	additionalKeys     = 1 << 9 // the levels stand in this block, as they always do in Native
)

// DecodeState reads what comes before the column's values.
func (d *dictionary) DecodeState(r *proto.Reader) error {
	version, err := r.Int64()
	if err == nil && version != sharedDictionaries {
		err = fmt.Errorf("version %d of LowCardinality", version)
	}
	return err
}

// DecodeColumn reads the levels and the keys of rows rows.
func (d *dictionary) DecodeColumn(r *proto.Reader, rows int) error {
	meta, err := r.Int64()
	if err != nil {
		return err
	}
	if meta&additionalKeys == 0 {
		return errors.New("a LowCardinality without its levels")
	}
	levels, err := r.Int64()
	if err != nil {
		return err
	}
	if levels < 0 || levels > maxRows {
		return fmt.Errorf("a LowCardinality of %d levels", levels)
	}
	if err := d.levels.DecodeColumn(r, int(levels)); err != nil {
		return err
	}
	if n, err := r.Int64(); err != nil {
		return err
	} else if n != int64(rows) {
		return fmt.Errorf("a LowCardinality of %d rows in a block of %d", n, rows)
	}
	if err := d.decodeKeys(r, rows, int(meta&keyWidthMask)); err != nil {
		return err
	}
	for _, k := range d.keys {
		if int64(k) >= levels {
			return fmt.Errorf("level %d of a LowCardinality of %d", k, levels)
		}
	}
	return nil
}

func (d *dictionary) decodeKeys(r *proto.Reader, rows, width int) error {
	switch width {
	case 0:
		var keys proto.ColUInt8
		err := keys.DecodeColumn(r, rows)
		d.keys = widen[uint32](keys)
		return err
	case 1:
		var keys proto.ColUInt16
		err := keys.DecodeColumn(r, rows)
		d.keys = widen[uint32](keys)
		return err
	case 2:
		var keys proto.ColUInt32
		err := keys.DecodeColumn(r, rows)
		d.keys = keys
		return err
	}
	return fmt.Errorf("LowCardinality keys of width %d", width) // 8 bytes would be more levels than a block has rows
}

// Type is the column's type.
func (d *dictionary) Type() proto.ColumnType { return d.kind }

// Rows is the number of rows.
func (d *dictionary) Rows() int { return len(d.keys) }

// Reset empties the column.
func (d *dictionary) Reset() {
	d.levels.Reset()
	d.keys = nil
}

// strings returns the rows' levels.
func (d *dictionary) strings() []string {
	levels := d.levels.strings()
	s := make([]string, len(d.keys))
	for i, k := range d.keys {
		s[i] = levels[k]
	}
	return s
}

// nulls tells which rows are NULL: those of level 0, which in a Nullable stands for it.
func (d *dictionary) nulls() proto.ColUInt8 {
	nulls := make(proto.ColUInt8, len(d.keys))
	for i, k := range d.keys {
		if k == 0 {
			nulls[i] = 1
		}
	}
	return nulls
}
