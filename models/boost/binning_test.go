package boost

import (
	"math"
	"testing"

	"retain/features"
)

// bin is the bin of v.
func (c *binning) bin(v float32) uint8 {
	var one [1]uint8
	c.binAll(one[:], []float32{v})
	return one[0]
}

func TestBinsKeepTheOrderAndTheCutsMeanTheSame(t *testing.T) {
	rng := source()
	for _, distinct := range []int{1, 2, 10, 255, 256, 1000, 100000} {
		for _, most := range []int{2, 16, 255} {
			values := make([]float32, 3000)
			for i := range values {
				values[i] = float32(rng.IntN(distinct)) * 0.1
				if i%50 == 0 {
					values[i] = float32(math.NaN())
				}
			}
			c := numericBins(values, nil, most, &sortRoom{})
			if c.bins > most+1 {
				t.Fatalf("%d bins, at most %d", c.bins, most+1)
			}
			for _, v := range values {
				k := int(c.bin(v))
				if v != v {
					if k != missingBin {
						t.Fatal("a missing value in a value bin")
					}
					continue
				}
				if k < 1 || k >= c.bins || k > 1 && v <= c.cuts[k-2] || k-1 < len(c.cuts) && v > c.cuts[k-1] {
					t.Fatalf("value %v in bin %d of %d", v, k, c.bins)
				}
			}
		}
	}
}

func TestQuantileBinsAreOfEqualMass(t *testing.T) {
	rng := source()
	values := make([]float32, 100000)
	for i := range values {
		values[i] = float32(rng.ExpFloat64())
	}
	for i := range 30000 {
		values[i] = 0.5 // as frequent as many bins: one of its own
	}
	c := numericBins(values, nil, 100, &sortRoom{})
	count := make([]int, c.bins)
	for _, v := range values {
		count[c.bin(v)]++
	}
	heavy := c.bin(0.5)
	for k, n := range count {
		if k != missingBin && k != int(heavy) && (n < 300 || n > 1500) {
			t.Errorf("bin %d holds %d rows, want about 700", k, n)
		}
	}
	if n := count[heavy]; n > 31000 {
		t.Errorf("the frequent value shares its bin with %d rows", n-30000)
	}
}

func TestBetween(t *testing.T) {
	for _, c := range [][2]float32{{0, 1}, {1, math.Nextafter32(1, 2)}, {-math.MaxFloat32, math.MaxFloat32}, {-1, 0}, {0, math.SmallestNonzeroFloat32}} {
		if got := between(c[0], c[1]); got < c[0] || got >= c[1] {
			t.Errorf("between(%v, %v) = %v", c[0], c[1], got)
		}
	}
}

func TestRareLevelsShareABin(t *testing.T) {
	values := make([]float32, 0, 2000)
	for code := range 300 {
		for range 1 + (code % 5) {
			values = append(values, float32(code))
		}
	}
	c := categoricalBins(values, 300, 255)
	if c.bins != 256 {
		t.Fatalf("%d bins, want 256", c.bins)
	}
	for code := range 300 {
		if code%5 == 4 && c.of[code] == 255 {
			t.Errorf("the frequent code %d shares a bin", code)
		}
	}
	if c.bin(999) != missingBin {
		t.Error("a code never seen is not read as missing")
	}
}

// A model of many levels must treat training rows as training did.
func TestManyLevels(t *testing.T) {
	n := 6000
	rng := source()
	x := &features.Matrix{Schema: features.Schema{{Name: "city", Kind: features.Categorical}}, X: [][]float32{make([]float32, n)}}
	d := &features.Dataset{X: x, Y: make([]float64, n)}
	for i := range n {
		code := rng.IntN(700)
		x.X[0][i] = float32(code)
		if rng.Float64() < []float64{0.1, 0.6}[code%2] {
			d.Y[i] = 1
		}
	}
	m := mustFit(t, Trainer{Trees: 10, Smoothing: 1}, d)
	if before, after := logLoss(mustMargin(t, m.Truncate(0), x), d.Y), logLoss(mustMargin(t, m, x), d.Y); after > before-0.02 {
		t.Fatalf("log loss %v, base rate %v", after, before)
	}
}
