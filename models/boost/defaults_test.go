package boost

import "testing"

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
	if few.Leaves != 8 || few.Trees > 150 || few.LearningRate > 0.03 || many.Leaves != 63 || many.LearningRate != 0.1 {
		t.Errorf("few churners %+v, many %+v", few, many)
	}
	if Defaults(100, 60, 3) != Defaults(100, 40, 3) {
		t.Error("the rarer class counts, whichever it is")
	}
}
