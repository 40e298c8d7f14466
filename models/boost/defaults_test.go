package boost

import (
	"math"
	"testing"
)

func TestDefaultsFollowTheSizeOfTheSet(t *testing.T) {
	before := 0.0
	for _, positives := range []int{0, 1, 30, 200, 1500, 10000, 80000, 1000000, 50000000} {
		tr := Defaults(positives*12+1, positives, 40)
		if err := tr.filled().validate(); err != nil {
			t.Fatalf("%d positives: %v", positives, err)
		}
		way := float64(tr.Trees) * tr.LearningRate
		if way < before-0.1 {
			t.Errorf("%d positives: the trees go %v, less than with fewer", positives, way)
		}
		before = way
	}
	few, many := Defaults(5000, 250, 40), Defaults(1000000, 500000, 40)
	if few.Leaves != 8 || few.Trees > 300 || math.Abs(few.LearningRate-0.0125) > 1e-12 || many.Leaves != 63 || many.LearningRate != 0.1 {
		t.Errorf("few churners %+v, many %+v", few, many)
	}
	if fewest, enough := Defaults(5000, 30, 40), Defaults(5000, 600, 40); math.Abs(fewest.LearningRate-0.01) > 1e-12 || math.Abs(enough.LearningRate-0.03) > 1e-12 {
		t.Errorf("rates %v of 30 churners and %v of 600", fewest.LearningRate, enough.LearningRate)
	}
	rare, rarest, even := Defaults(5000, 200, 40), Defaults(1000000, 200, 40), Defaults(5000, 2500, 40)
	if rare.RowShare != 1 || even.RowShare != 0.8 {
		t.Errorf("of 200 churners a tree sees a share of %v, of 2,500 %v", rare.RowShare, even.RowShare)
	}
	// 20 rows at a base rate of 0.04: 20 · 0.04 · 0.96
	if math.Abs(rare.L2-0.768) > 1e-12 || rarest.L2 != 0.1 || even.L2 != 2 {
		t.Errorf("penalties %v, %v and %v for 4 %%, 0.02 %% and even classes", rare.L2, rarest.L2, even.L2)
	}
	if Defaults(100, 60, 3) != Defaults(100, 40, 3) {
		t.Error("the rarer class counts, whichever it is")
	}
}
