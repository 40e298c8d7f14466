package metrics

import "slices"

// ranked is a [Ranking] laid out for many draws: the bags of the negatives and of the positives by falling score, in runs. It is immutable.
type ranked struct {
	neg, pos []uint16
	runs     []run
}

// run is a group of equal scores with positives, and the negatives between it and the group before; which of those have equal scores changes no
// metric. The last run may have no positives.
type run struct{ above, neg, pos int32 } // ends of the negatives above the group in neg, of those of the group, and of its positives in pos

// scratch is what a worker writes over in each draw.
type scratch struct {
	pos, all []uint32  // weight of the positives and of all rows up to the end of each run of the cutoff measured last
	above    []uint32  // weight of all rows above the group of each run
	figures  []float64 // of that cutoff
	coarse   bool      // the EMPC may look at some thresholds only
}

// Figures of a cutoff: AUC, average precision, and then recall, precision and lift at each share.
const (
	ofAUC = iota
	ofPrecision
	ofShares
	perShare = 3
)

func rankSize(shares []int) int { return ofShares + perShare*len(shares) }

// lay makes the ranked rows of labels y in the bags of their customers.
func (r Ranking) lay(y []float64, bag []uint16) *ranked {
	pos := Positives(y)
	out := &ranked{neg: make([]uint16, 0, len(y)-pos), pos: make([]uint16, 0, pos)}
	lo := int32(0)
	for _, hi := range r.ends {
		above, before := int32(len(out.neg)), len(out.pos)
		for _, i := range r.order[lo:hi] {
			if y[i] > .5 {
				out.pos = append(out.pos, bag[i])
			} else {
				out.neg = append(out.neg, bag[i])
			}
		}
		lo = hi
		if len(out.pos) > before {
			out.runs = append(out.runs, run{above: above, neg: int32(len(out.neg)), pos: int32(len(out.pos))})
		}
	}
	if n := int32(len(out.neg)); len(out.runs) == 0 || out.runs[len(out.runs)-1].neg < n {
		out.runs = append(out.runs, run{above: n, neg: n, pos: int32(len(out.pos))})
	}
	return out
}

// rows is the number of rows.
func (r *ranked) rows() uint32 { return uint32(len(r.neg) + len(r.pos)) }

// weight adds up the weights of bags.
func weight(w []uint8, bags []uint16) uint32 {
	var n uint32
	for _, g := range bags {
		n += uint32(w[g])
	}
	return n
}

// measure computes the metrics that [Ranking] defines under weights w of the bags, with shares in thousandths, into s.figures, and tells the weight of the
// positives: 0 where they are undefined for want of the other class. The sums are of whole numbers, so that they are exact.
func (r *ranked) measure(w []uint8, s *scratch, shares []int) (positives float64) {
	size := len(r.runs)
	s.pos, s.all, s.above = slices.Grow(s.pos[:0], size)[:size], slices.Grow(s.all[:0], size)[:size], slices.Grow(s.above[:0], size)[:size]
	s.figures = slices.Grow(s.figures[:0], rankSize(shares))[:rankSize(shares)]
	var above, below uint32 // weights of the positives and negatives so far
	var n0, p0 int32
	var won uint64 // twice the pairs that a positive wins
	area := 0.
	for k, end := range r.runs {
		over, n, p := weight(w, r.neg[n0:end.above]), weight(w, r.neg[end.above:end.neg]), weight(w, r.pos[p0:end.pos])
		n0, p0 = end.neg, end.pos
		s.above[k] = above + below + over
		won += 2*uint64(over)*uint64(above) + uint64(n)*uint64(2*above+p)
		above += p
		below += over + n
		area += float64(p) * float64(above) / float64(max(1, above+below))
		s.pos[k], s.all[k] = above, above+below
	}
	if above == 0 || below == 0 {
		return 0
	}
	pos, all := float64(above), float64(above+below)
	s.figures[ofAUC] = float64(won) / 2 / (pos * float64(below))
	s.figures[ofPrecision] = area / pos
	for k, share := range shares {
		top := topOf(share, above+below)
		found := s.truePositives(top)
		at := s.figures[ofShares+perShare*k:]
		at[0], at[1] = found/pos, found/float64(top) // 0/0 = NaN
		at[2] = at[1] / (pos / all)
	}
	return pos
}

// topOf is ⌈share · n⌉ for a share in thousandths.
func topOf(share int, n uint32) uint32 { return uint32((uint64(share)*uint64(n) + 999) / 1000) }

// truePositives is [Ranking.TruePositives] of the cutoff and draw measured last.
func (s *scratch) truePositives(k uint32) float64 {
	at, _ := slices.BinarySearch(s.all, k)
	if k == 0 || at == len(s.all) {
		return 0
	}
	var p uint32
	if at > 0 {
		p = s.pos[at-1]
	}
	n := s.above[at]
	if k <= n {
		return float64(p)
	}
	return float64(p) + float64(k-n)*float64(s.pos[at]-p)/float64(s.all[at]-n)
}

// coarseCurve is how many thresholds a coarse curve has. The EMPC of the ends of as many stretches of runs is that of all to a thousandth.
const coarseCurve = 4000

// curve is the ROC curve of the cutoff and draw measured last.
func (s *scratch) curve(yield func(rocPoint) bool) {
	step := 1
	if s.coarse {
		step += len(s.pos) / coarseCurve
	}
	for k := (len(s.pos) - 1) % step; k < len(s.pos); k += step { // the last one always
		if !yield(rocPoint{pos: float64(s.pos[k]), neg: float64(s.all[k] - s.pos[k])}) {
			return
		}
	}
}
