package warehouse

import (
	"fmt"
	"math"
	"time"

	"github.com/ClickHouse/ch-go/proto"
)

// Block is a run of rows of a result, column by column. Its slices are the caller's to keep and are not written again.
//
// The accessors widen numbers without loss and take Nullable columns: a NULL is NaN among floats, else the zero value
// (Nulls tells which). They panic for a column that the query does not have or that is of another type, which is a
// mistake in the program: the query says what there is.
type Block struct {
	rows    int
	names   []string
	columns map[string]*column
}

// Rows is the number of rows, at least 1.
func (b *Block) Rows() int { return b.rows }

// Columns are the names of the columns, in the order of the query.
func (b *Block) Columns() []string { return b.names }

// Column is a column as ch-go decodes it, for types that have no accessor, such as *proto.ColArr[float32]. A Nullable's
// values come without their NULLs.
func (b *Block) Column(name string) proto.ColResult { return b.column(name).values }

func (b *Block) column(name string) *column {
	c, ok := b.columns[name]
	if !ok {
		panic(fmt.Sprintf("warehouse: no column %q among %q", name, b.names))
	}
	return c
}

func (c *column) mismatch(name, wanted string) string {
	return fmt.Sprintf("warehouse: column %q is a %s, not %s; cast it in the query", name, c.kind, wanted)
}

// Nulls tells of each row whether the column is NULL; nil when the column is not Nullable.
func (b *Block) Nulls(name string) []bool {
	c := b.column(name)
	if c.nulls == nil {
		return nil
	}
	nulls := make([]bool, b.rows)
	for i, n := range c.nulls {
		nulls[i] = n != 0
	}
	return nulls
}

// Strings returns a String, LowCardinality(String), FixedString or Enum column.
func (b *Block) Strings(name string) []string {
	c := b.column(name)
	return orNull(c, c.texts(name), "")
}

func (c *column) texts(name string) []string {
	switch v := c.values.(type) {
	case *text:
		return v.strings()
	case *dictionary:
		return v.strings()
	case *proto.ColEnum:
		return v.Values
	case *proto.ColFixedStr:
		s := make([]string, v.Rows())
		for i := range s {
			s[i] = string(v.Row(i))
		}
		return s
	}
	panic(c.mismatch(name, "text"))
}

// Float32s returns a Float32 column.
func (b *Block) Float32s(name string) []float32 {
	c := b.column(name)
	v, ok := c.values.(*proto.ColFloat32)
	if !ok {
		panic(c.mismatch(name, "a Float32"))
	}
	return orNull(c, *v, float32(math.NaN()))
}

// Float64s returns a column of floats, or of integers of at most 32 bits.
func (b *Block) Float64s(name string) []float64 {
	c := b.column(name)
	var values []float64
	switch v := c.values.(type) {
	case *proto.ColFloat64:
		values = *v
	case *proto.ColFloat32:
		values = widen[float64](*v)
	case *proto.ColUInt8:
		values = widen[float64](*v)
	case *proto.ColUInt16:
		values = widen[float64](*v)
	case *proto.ColUInt32:
		values = widen[float64](*v)
	case *proto.ColInt8:
		values = widen[float64](*v)
	case *proto.ColInt16:
		values = widen[float64](*v)
	case *proto.ColInt32:
		values = widen[float64](*v)
	default:
		panic(c.mismatch(name, "a float"))
	}
	return orNull(c, values, math.NaN())
}

// Int64s returns a column of signed integers, or of unsigned ones of at most 32 bits.
func (b *Block) Int64s(name string) []int64 {
	c := b.column(name)
	var values []int64
	switch v := c.values.(type) {
	case *proto.ColInt64:
		values = *v
	case *proto.ColInt32:
		values = widen[int64](*v)
	case *proto.ColInt16:
		values = widen[int64](*v)
	case *proto.ColInt8:
		values = widen[int64](*v)
	case *proto.ColUInt32:
		values = widen[int64](*v)
	case *proto.ColUInt16:
		values = widen[int64](*v)
	case *proto.ColUInt8:
		values = widen[int64](*v)
	default:
		panic(c.mismatch(name, "a signed integer"))
	}
	return orNull(c, values, 0)
}

// UInt64s returns a column of unsigned integers.
func (b *Block) UInt64s(name string) []uint64 {
	c := b.column(name)
	var values []uint64
	switch v := c.values.(type) {
	case *proto.ColUInt64:
		values = *v
	case *proto.ColUInt32:
		values = widen[uint64](*v)
	case *proto.ColUInt16:
		values = widen[uint64](*v)
	case *proto.ColUInt8:
		values = widen[uint64](*v)
	default:
		panic(c.mismatch(name, "an unsigned integer"))
	}
	return orNull(c, values, 0)
}

// UInt8s returns a UInt8 or Bool column; true is 1.
func (b *Block) UInt8s(name string) []uint8 {
	c := b.column(name)
	var values []uint8
	switch v := c.values.(type) {
	case *proto.ColUInt8:
		values = *v
	case *proto.ColBool:
		values = make([]uint8, len(*v))
		for i, x := range *v {
			if x {
				values[i] = 1
			}
		}
	default:
		panic(c.mismatch(name, "a UInt8"))
	}
	return orNull(c, values, 0)
}

// Bools returns a Bool column, or a UInt8 one as comparisons give it: all but 0 is true.
func (b *Block) Bools(name string) []bool {
	c := b.column(name)
	var values []bool
	switch v := c.values.(type) {
	case *proto.ColBool:
		values = *v
	case *proto.ColUInt8:
		values = make([]bool, len(*v))
		for i, x := range *v {
			values[i] = x != 0
		}
	default:
		panic(c.mismatch(name, "a Bool"))
	}
	return orNull(c, values, false)
}

// Times returns a DateTime64, DateTime or Date column, in UTC. A NULL is the zero time.Time.
func (b *Block) Times(name string) []time.Time {
	c := b.column(name)
	values := make([]time.Time, b.rows)
	switch v := c.values.(type) {
	case *proto.ColDateTime64:
		unit := int64(math.Pow10(int(v.Precision))) // ticks in a second
		for i, ticks := range v.Data {
			values[i] = time.Unix(int64(ticks)/unit, int64(ticks)%unit*(int64(time.Second)/unit)).UTC()
		}
	case *proto.ColDateTime:
		for i, seconds := range v.Data {
			values[i] = time.Unix(int64(seconds), 0).UTC()
		}
	case *proto.ColDate:
		for i, days := range *v {
			values[i] = time.Unix(int64(days)*86400, 0).UTC()
		}
	case *proto.ColDate32:
		for i, days := range *v {
			values[i] = time.Unix(int64(days)*86400, 0).UTC()
		}
	default:
		panic(c.mismatch(name, "a time"))
	}
	return orNull(c, values, time.Time{})
}

// orNull puts null where a column is NULL; what the engine left there may be anything.
func orNull[T any](c *column, values []T, null T) []T {
	for i, n := range c.nulls {
		if n != 0 {
			values[i] = null
		}
	}
	return values
}

type number interface {
	~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64
}

func widen[To, From number](from []From) []To {
	to := make([]To, len(from))
	for i, x := range from {
		to[i] = To(x)
	}
	return to
}
