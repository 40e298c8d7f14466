package pipelines

import (
	"bytes"
	"fmt"
	"math"
	"math/bits"
	"time"

	"retain/internal/warehouse"
)

// importValues converts the texts of a file. Faults are told as the end of a sentence that begins with the value: what is wrong and the mend.
type importValues struct {
	nulls  map[string]bool // beside the built-in ones; nil without any
	format string
	zone   *time.Location
	comma  bool // numbers are written 1.234,56
}

func newImportValues(o ImportOptions) (*importValues, error) {
	v := &importValues{format: o.TimeFormat, zone: time.UTC, comma: o.Comma}
	if o.Timezone != "" {
		zone, err := time.LoadLocation(o.Timezone)
		if err != nil || o.Timezone == "Local" {
			return nil, fmt.Errorf("%w: --timezone %s: no such time zone; give a name such as Europe/Berlin", ErrImportOptions, o.Timezone)
		}
		v.zone = zone
	}
	if err := checkTimeFormat(o.TimeFormat); err != nil {
		return nil, err
	}
	for _, n := range o.Null {
		if v.nulls == nil {
			v.nulls = map[string]bool{}
		}
		v.nulls[n] = true
	}
	return v, nil
}

// null reports whether b means missing: the texts are compared byte for byte.
func (v *importValues) null(b []byte) bool {
	switch len(b) {
	case 0:
		return true
	case 2:
		if string(b) == `\N` {
			return true
		}
	case 3:
		if string(b) == "NaN" {
			return true
		}
	case 4:
		if string(b) == "NULL" {
			return true
		}
	}
	return v.nulls != nil && v.nulls[string(b)]
}

// whole converts a value that is staged as an integer. Blanks around it do not matter; only blanks is missing. timed: the file says by its type that
// it is an instant, so it has the default form.
func (v *importValues) whole(k *warehouse.ImportColumn, b []byte, timed bool) (int64, string) {
	b = bytes.TrimSpace(b)
	if len(b) == 0 {
		return warehouse.ImportNull, ""
	}
	switch k.Kind {
	case warehouse.ImportInstant:
		return v.instant(b, timed)
	case warehouse.ImportFlag:
		f, ok := flag(b)
		if !ok {
			return 0, flagFault
		}
		return f, ""
	}
	if v.comma {
		var fault string
		if b, fault = pointed(b); fault != "" {
			return 0, fault
		}
	}
	if k.Kind == warehouse.ImportFixed {
		n, fault := fixed(b, k.Scale)
		if fault == "" && (n < k.Min || n > k.Max) {
			return 0, bounds(k.Min, k.Max, k.Scale)
		}
		return n, fault
	}
	if k.Counts && b[0]|0x20 >= 'a' {
		f, ok := flag(b)
		if !ok {
			return 0, "is neither a number nor a truth value: write how often, or true, false, yes or no"
		}
		return f, ""
	}
	d, fault := decimal(b, 0)
	n := d.signed()
	switch {
	case fault != "":
		return 0, fault
	case d.lost:
		return 0, "is not a whole number: round it"
	case n < k.Min || n > k.Max:
		return 0, bounds(k.Min, k.Max, 0)
	}
	return n, ""
}

func bounds(low, high int64, scale int) string {
	unit := math.Pow10(scale)
	if high > 1e15 { // the widest fixed point number
		if low == 0 {
			return "is outside the range: it must be 0 or more, with at most " + fmt.Sprint(18-scale) + " digits before the point"
		}
		return fmt.Sprintf("is outside the range: at most %d digits may stand before the point", 18-scale)
	}
	return fmt.Sprintf("is outside the range: it must lie from %.0f to %.0f", float64(low)/unit, float64(high)/unit)
}

const flagFault = "is neither true nor false: write true, false, yes, no, t, f, y, n, 1 or 0"

// flag reads a truth value: 1 or 0.
func flag(b []byte) (int64, bool) {
	b = bytes.TrimSpace(b)
	if len(b) > 5 {
		return 0, false
	}
	switch string(bytes.ToLower(b)) {
	case "1", "true", "t", "yes", "y", "1.0":
		return 1, true
	case "0", "false", "f", "no", "n", "0.0":
		return 0, true
	}
	return 0, false
}

// fixed reads a decimal number times 10^scale; further digits are rounded, half away from zero.
func fixed(b []byte, scale int) (int64, string) {
	d, fault := decimal(b, scale)
	if d.half {
		d.magnitude++
	}
	if fault == "" && d.magnitude > maxScaled {
		return 0, tooLarge
	}
	return d.signed(), fault
}

// digitsOf is a decimal number times a power of ten, cut towards zero.
type digitsOf struct {
	magnitude uint64 // at most maxScaled
	negative  bool
	lost      bool // digits other than 0 were cut off
	half      bool // they are half a unit or more
}

func (d digitsOf) signed() int64 {
	if d.negative {
		return -int64(d.magnitude)
	}
	return int64(d.magnitude)
}

// decimal reads a decimal number, with or without exponent, times 10^scale.
func decimal(b []byte, scale int) (d digitsOf, fault string) {
	text := b
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		d.negative = b[0] == '-'
		b = b[1:]
	}
	// value = m · 10^shift; digits beyond the 19th that counts only shift.
	var m uint64
	count, kept, shift, point := 0, 0, scale, false
	i := 0
	for ; i < len(b); i++ {
		c := b[i]
		if c == '.' && !point {
			point = true
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		count++
		if kept == 19 {
			d.lost = d.lost || c != '0'
			if !point {
				shift++
			}
			continue
		}
		if m = m*10 + uint64(c-'0'); m > 0 {
			kept++
		}
		if point {
			shift--
		}
	}
	if count == 0 {
		return d, notNumber(text)
	}
	if i < len(b) {
		exponent, ok := smallInteger(b[i+1:])
		if b[i]|0x20 != 'e' || !ok {
			return d, notNumber(text)
		}
		shift += exponent
	}
	switch {
	case m == 0:
	case shift > 18:
		return d, tooLarge
	case shift >= 0:
		high, low := bits.Mul64(m, pow10[shift])
		if high != 0 {
			return d, tooLarge
		}
		m = low
	case shift < -19:
		m, d.lost = 0, true
	default:
		unit := pow10[-shift]
		remainder := m % unit
		m, d.lost, d.half = m/unit, d.lost || remainder != 0, remainder >= unit-remainder
	}
	if m > maxScaled {
		return d, tooLarge
	}
	d.magnitude = m
	return d, ""
}

const (
	maxScaled = 999_999_999_999_999_999 // what Decimal(18, s) holds
	tooLarge  = "is too large: at most 18 digits are held, those after the point included"
)

var pow10 = func() (p [20]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

// smallInteger reads an exponent; whatever is beyond ±9999 counts as that.
func smallInteger(b []byte) (int, bool) {
	negative := false
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		negative = b[0] == '-'
		b = b[1:]
	}
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = min(n*10+int(c-'0'), 9999)
	}
	if negative {
		n = -n
	}
	return n, len(b) > 0
}

// pointed writes a number with a comma before its decimals, and points between its thousands or none, with a point and none. It may be b.
func pointed(b []byte) ([]byte, string) {
	whole, decimals, comma := bytes.Cut(b, []byte{','})
	if bytes.IndexByte(decimals, '.') >= 0 {
		return nil, "has a point behind the comma: without --decimal-comma it is read as 1234.56"
	}
	if bytes.IndexByte(whole, '.') >= 0 {
		groups := bytes.Split(bytes.TrimLeft(whole, "+-"), []byte{'.'})
		for k, g := range groups {
			if k == 0 && (len(g) == 0 || len(g) > 3) || k > 0 && len(g) != 3 {
				return nil, "has a point that parts no thousands: with --decimal-comma a number is written 1.234,56"
			}
		}
		whole = bytes.ReplaceAll(whole, []byte{'.'}, nil)
	} else if !comma {
		return b, ""
	}
	out := append(make([]byte, 0, len(b)+1), whole...)
	if comma {
		out = append(append(out, '.'), decimals...)
	}
	return out, ""
}

func notNumber(b []byte) string {
	switch {
	case bytes.IndexByte(b, ',') >= 0:
		return "is not a number: write a point before the decimals, and nothing between thousands; or, where commas stand before the decimals, give --decimal-comma"
	case bytes.ContainsAny(b, "$€£¥%"):
		return "is not a number: leave the symbol out"
	}
	return "is not a number: mend it, or name it as missing with --null"
}
