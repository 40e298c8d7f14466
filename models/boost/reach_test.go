package boost

import "testing"

// The cuts of a span are those that leave enough rows on both sides, counted one by one.
func TestCutSpansAgainstCounting(t *testing.T) {
	rng := source()
	for range 300 {
		bins, least := 2+rng.IntN(9), 1+rng.IntN(40)
		var rows [groupedBins]sums
		for k := range bins {
			rows[k] = int64(rng.IntN(3) * rng.IntN(20))
		}
		got := newCutSpans(&rows, bins, least)
		for side := range 2 {
			for cut := 1; cut < bins; cut++ {
				var left, right int
				for k := range bins {
					if k == missingBin && side == 1 || k != missingBin && k <= cut {
						left += int(rows[k])
					} else {
						right += int(rows[k])
					}
				}
				enough := left >= least && right >= least
				if in := int(got[side].first) <= cut && cut <= int(got[side].last); in != enough {
					t.Fatalf("rows %v, missing on side %d, cut %d: in the span is %v, %d and %d rows of at least %d", rows[:bins], side, cut, in, left, right, least)
				}
			}
		}
	}
}
