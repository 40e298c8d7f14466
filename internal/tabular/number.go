package tabular

import (
	"bytes"
	"slices"
	"strconv"
)

// maxShift bounds the zeros that an exponent may stand for; the widest float of 64 bits needs 324.
const maxShift = 400

// decimalText appends a number of JSON's grammar as decimal text: no exponent, and no fraction if it is all zeros, so that 1e3 is 1000 and
// 1.0 is 1, whoever wrote the id. Without an exponent other digits stay as they are. false: the exponent is beyond ±400.
func decimalText(b, dst []byte) ([]byte, bool) {
	mantissa, exponent := b, 0
	if i := bytes.IndexAny(b, "eE"); i >= 0 {
		mantissa = b[:i]
		n, err := strconv.Atoi(string(bytes.TrimPrefix(b[i+1:], []byte("+"))))
		if err != nil || n > maxShift || n < -maxShift {
			if len(bytes.Trim(mantissa, "-0.")) == 0 {
				return append(dst, '0'), true
			}
			return dst, false
		}
		exponent = n
	}
	negative := len(mantissa) > 0 && mantissa[0] == '-'
	if negative {
		mantissa = mantissa[1:]
	}
	whole, fraction, _ := bytes.Cut(mantissa, []byte("."))
	if exponent > 0 {
		n := min(exponent, len(fraction))
		whole = slices.Concat(whole, fraction[:n], bytes.Repeat([]byte("0"), exponent-n))
		fraction = fraction[n:]
	}
	if exponent < 0 {
		n := min(-exponent, len(whole))
		fraction = slices.Concat(bytes.Repeat([]byte("0"), -exponent-n), whole[len(whole)-n:], fraction)
		whole = whole[:len(whole)-n]
	}
	if whole = bytes.TrimLeft(whole, "0"); len(whole) == 0 {
		whole = []byte("0")
	}
	if short := bytes.TrimRight(fraction, "0"); exponent != 0 || len(short) == 0 {
		fraction = short
	}
	if negative && (len(fraction) > 0 || string(whole) != "0") {
		dst = append(dst, '-')
	}
	if dst = append(dst, whole...); len(fraction) > 0 {
		dst = append(append(dst, '.'), fraction...)
	}
	return dst, true
}
