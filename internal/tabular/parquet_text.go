package tabular

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
)

// textOf gives the text of a value that is not null: bytes that live as long as the value does, or nil and the text appended to scratch.
// Nothing of both is null (NaN).
type textOf func(v parquet.Value, scratch []byte) (text, longer []byte, err error)

// textOfColumn chooses the text of a column by its type. Numbers become decimal text, without point where they are whole; dates 2006-01-02;
// timestamps 2006-01-02T15:04:05 with as many decimals as they have, and Z if they are adjusted to UTC.
func textOfColumn(t parquet.Type, logical any) (textOf, error) {
	kind := t.Kind()
	whole := func(read func(parquet.Value) int64, text func(int64, []byte) []byte) textOf {
		return func(v parquet.Value, scratch []byte) ([]byte, []byte, error) { return nil, text(read(v), scratch), nil }
	}
	integer := func(v parquet.Value) int64 { return v.Int64() }
	if kind == parquet.Int32 {
		integer = func(v parquet.Value) int64 { return int64(v.Int32()) }
	}
	switch l := logical.(type) {
	case *format.StringType, *format.EnumType, *format.JsonType:
		return plainText, nil
	case *format.DecimalType:
		if l.Scale < 0 || l.Scale > 1000 {
			return nil, fmt.Errorf("a decimal of scale %d is not read", l.Scale)
		}
		return decimalOf(kind, int(l.Scale)), nil
	case *format.DateType:
		return whole(integer, func(days int64, b []byte) []byte {
			return time.Unix(days*86400, 0).UTC().AppendFormat(b, time.DateOnly)
		}), nil
	case *format.TimestampType:
		unit, zone := l.Unit.Value, ""
		if l.IsAdjustedToUTC {
			zone = "Z"
		}
		return whole(integer, func(n int64, b []byte) []byte {
			return append(instantIn(unit, n).AppendFormat(b, "2006-01-02T15:04:05.999999999"), zone...)
		}), nil
	case *format.TimeType:
		unit := l.Unit.Value
		return whole(integer, func(n int64, b []byte) []byte { return instantIn(unit, n).AppendFormat(b, "15:04:05.999999999") }), nil
	case *format.IntType:
		if !l.IsSigned && kind == parquet.Int32 {
			return whole(func(v parquet.Value) int64 { return int64(v.Uint32()) }, decimalInt), nil
		}
		if !l.IsSigned {
			return func(v parquet.Value, b []byte) ([]byte, []byte, error) {
				return nil, strconv.AppendUint(b, v.Uint64(), 10), nil
			}, nil
		}
		return whole(integer, decimalInt), nil
	case *format.UUIDType:
		return uuidText, nil
	case *format.NullType:
		return func(_ parquet.Value, b []byte) ([]byte, []byte, error) { return nil, b, nil }, nil
	case *format.Float16Type:
		return func(v parquet.Value, b []byte) ([]byte, []byte, error) {
			return floatText(half(binary.LittleEndian.Uint16(v.ByteArray())), 32, b)
		}, nil
	case nil:
	default:
		return nil, fmt.Errorf("values of type %v are not read: leave the column out", l)
	}
	if s := t.ConvertedType(); s != nil && *s == deprecated.Interval {
		return nil, errors.New("values of type INTERVAL are not read: leave the column out")
	}
	switch kind {
	case parquet.Boolean:
		return func(v parquet.Value, b []byte) ([]byte, []byte, error) {
			return nil, strconv.AppendBool(b, v.Boolean()), nil
		}, nil
	case parquet.Int32, parquet.Int64:
		return whole(integer, decimalInt), nil
	case parquet.Int96:
		return int96Text, nil
	case parquet.Float:
		return func(v parquet.Value, b []byte) ([]byte, []byte, error) { return floatText(float64(v.Float()), 32, b) }, nil
	case parquet.Double:
		return func(v parquet.Value, b []byte) ([]byte, []byte, error) { return floatText(v.Double(), 64, b) }, nil
	}
	return plainText, nil // bytes that are text, as older writers leave them unmarked
}

func plainText(v parquet.Value, scratch []byte) (text, longer []byte, err error) {
	if b := v.ByteArray(); b != nil {
		return b, scratch, nil
	}
	return []byte{}, scratch, nil
}

func decimalInt(n int64, b []byte) []byte { return strconv.AppendInt(b, n, 10) }

// floatText writes the shortest decimal text that reads back as f.
func floatText(f float64, bits int, b []byte) (text, longer []byte, err error) {
	switch {
	case math.IsNaN(f):
		return nil, b, nil
	case f == 0:
		return nil, append(b, '0'), nil // not -0
	}
	return nil, strconv.AppendFloat(b, f, 'f', -1, bits), nil
}

// half is the value of an IEEE 754 binary16.
func half(h uint16) float64 {
	exponent, fraction := int(h>>10&31), float64(h&1023)
	f := 0.0
	switch exponent {
	case 0:
		f = math.Ldexp(fraction, -24)
	case 31:
		if f = math.Inf(1); fraction != 0 {
			return math.NaN()
		}
	default:
		f = math.Ldexp(1024+fraction, exponent-25)
	}
	if h>>15 == 1 {
		return -f
	}
	return f
}

// decimalOf writes unscaled integers with their point; a fraction of zeros is left out.
func decimalOf(kind parquet.Kind, scale int) textOf {
	return func(v parquet.Value, b []byte) ([]byte, []byte, error) {
		var digits []byte
		switch kind {
		case parquet.Int32:
			digits = strconv.AppendInt(nil, int64(v.Int32()), 10)
		case parquet.Int64:
			digits = strconv.AppendInt(nil, v.Int64(), 10)
		default: // two's complement, the highest byte first
			raw := v.ByteArray()
			n := new(big.Int).SetBytes(raw)
			if len(raw) > 0 && raw[0] >= 0x80 {
				n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(raw))))
			}
			digits = n.Append(nil, 10)
		}
		out, ok := decimalText(append(digits, "e-"+strconv.Itoa(scale)...), b)
		if !ok {
			return nil, b, errors.New("is a decimal of too many digits")
		}
		return nil, out, nil
	}
}

// instantIn is n units after 1970-01-01 00:00 UTC.
func instantIn(unit format.TimeUnitValue, n int64) time.Time {
	switch unit.(type) {
	case *format.MicroSeconds:
		return time.UnixMicro(n).UTC()
	case *format.NanoSeconds:
		return time.Unix(0, n).UTC()
	}
	return time.UnixMilli(n).UTC()
}

// int96Text reads the timestamps of older writers: nanoseconds of the day and the Julian day (Apache Impala's form), without zone.
func int96Text(v parquet.Value, b []byte) (text, longer []byte, err error) {
	const julian1970 = 2_440_588
	t := v.Int96()
	days, nanos := int64(t[2])-julian1970, int64(uint64(t[1])<<32|uint64(t[0]))
	return nil, time.Unix(days*86400, nanos).UTC().AppendFormat(b, "2006-01-02T15:04:05.999999999"), nil
}

func uuidText(v parquet.Value, b []byte) (text, longer []byte, err error) {
	raw := v.ByteArray()
	if len(raw) != 16 {
		return nil, b, errors.New("is no UUID: it has not 16 bytes")
	}
	for i, part := range [][]byte{raw[:4], raw[4:6], raw[6:8], raw[8:10], raw[10:]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	return nil, b, nil
}
