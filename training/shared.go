package training

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"

	"retain/features"
)

// keptFits is how many training sets' fits an arena keeps: those of the newest origin, and of the champion's columns on it.
const keptFits = 2

// shared is what came of a training set. Months are of unequal length, so that two test cutoffs a month apart may learn from the very same
// rows, and the same rows give the same fits.
type shared struct {
	rows     [sha256.Size]byte // digest of the encoded rows, which themselves may be large
	families []string
	fitted   []*Fitted
	failures []Failure
}

func familyNames(families []Family) []string {
	out := make([]string, len(families))
	for k, f := range families {
		out[k] = f.Name
	}
	return out
}

// of returns the fits of the families on the rows of a digest if they are among these. No time was spent on them.
func (s *shared) of(rows [sha256.Size]byte, families []Family) (fitted []*Fitted, failures []Failure, ok bool) {
	asked := familyNames(families)
	if slices.ContainsFunc(asked, func(name string) bool { return !slices.Contains(s.families, name) }) || s.rows != rows {
		return nil, nil, false
	}
	for _, f := range s.fitted {
		if slices.Contains(asked, f.Family) {
			one := *f
			one.FitSeconds = 0
			fitted = append(fitted, &one)
		}
	}
	for _, f := range s.failures {
		if slices.Contains(asked, f.Family) {
			failures = append(failures, f)
		}
	}
	return fitted, failures, true
}

// digest is the same for data sets that hold the same rows, bit for bit, in the same order, and for no others.
func digest(d *features.Dataset) [sha256.Size]byte {
	h := sha256.New()
	buffer := make([]byte, 0, 1<<16)
	put := func(v uint64) {
		if buffer = binary.LittleEndian.AppendUint64(buffer, v); len(buffer) > 1<<16-8 {
			h.Write(buffer) // a hash never fails
			buffer = buffer[:0]
		}
	}
	put(uint64(d.Rows()))
	put(uint64(d.X.Cols()))
	fingerprint := d.X.Schema.Fingerprint()
	put(uint64(len(fingerprint)))
	buffer = append(buffer, fingerprint...)
	put(uint64(len(d.Weight)))
	for _, list := range [][]float64{d.Y, d.Weight} {
		for _, v := range list {
			put(math.Float64bits(v))
		}
	}
	for _, c := range d.Customer {
		put(uint64(len(c)))
		buffer = append(buffer, c...)
	}
	put(uint64(len(d.Cutoff)))
	for _, t := range d.Cutoff {
		put(uint64(t.UnixMilli()))
	}
	for _, column := range d.X.X {
		for _, v := range column {
			put(uint64(math.Float32bits(v)))
		}
	}
	h.Write(buffer)
	return [sha256.Size]byte(h.Sum(nil))
}
