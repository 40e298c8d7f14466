package metrics

import (
	"math"
	"math/rand/v2"
	"runtime"
	"strconv"
	"testing"
)

func TestDrawsArePoisson(t *testing.T) {
	customers := make([]string, 2000)
	for i := range customers {
		customers[i] = strconv.Itoa(i)
	}
	b := NewBootstrap(9, customers)
	w := make([]uint8, b.Bags())
	counts := make([]float64, 5)
	var total, square, n float64
	for k := range 50 {
		b.Draw(k, w)
		for _, v := range w {
			total += float64(v)
			square += float64(v) * float64(v)
			n++
			if v < 5 {
				counts[v]++
			}
		}
	}
	mean := total / n
	near(t, "mean", mean, 1, .01) // standard error 1/√100,000 = .003
	near(t, "variance", square/n-mean*mean, 1, .02)
	for k, c := range counts {
		near(t, "P("+strconv.Itoa(k)+")", c/n, math.Exp(-1-logFactorial(k)), .005)
	}
	other := NewBootstrap(9, []string{"7", "unknown"})
	v, whole := make([]uint8, other.Bags()), make([]uint8, b.Bags())
	other.Draw(3, v)
	b.Draw(3, whole)
	if v[other.bag[0]] != whole[b.bag[7]] {
		t.Error("a customer's draw depends on the company")
	}
}

func logFactorial(k int) float64 {
	v, _ := math.Lgamma(float64(k + 1))
	return v
}

func TestPairedErrorByHand(t *testing.T) {
	// Mean .5. Sums of the centred differences: a: .5+.5 = 1, b: -1.5, c: .5. √(3/2 · (1 + 2.25 + .25))/4 = .5728219…
	b := NewBootstrap(1, []string{"a", "a", "b", "c"})
	near(t, "error", b.PairedError([]float64{1, 1, -1, 1}), math.Sqrt(1.5*3.5)/4, 1e-12)
	near(t, "one customer", NewBootstrap(1, []string{"a", "a"}).PairedError([]float64{1, 2}), math.NaN(), 0)
}

// The interval of a mean must be about ± 1.96 standard errors, and the same on one thread and on all.
func TestIntervalOfMean(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	x, customers := make([]float64, 4000), make([]string, 4000)
	for i := range x {
		customers[i] = strconv.Itoa(i / 4)
		if i%4 == 0 {
			x[i] = rng.NormFloat64()
		} else {
			x[i] = x[i-1] + .1*rng.NormFloat64() // hangs together within the customer
		}
	}
	b := NewBootstrap(2, customers)
	got := b.Mean(x)
	mean, se := Sum(x)/4000, b.PairedError(x)
	near(t, "low", float64(got[0]), mean-1.96*se, .25*se)
	near(t, "high", float64(got[1]), mean+1.96*se, .25*se)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if b.Mean(x) != got {
		t.Error("depends on the number of threads")
	}
}
