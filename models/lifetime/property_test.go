package lifetime

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/diff/fd"
	"pgregory.net/rapid"
)

func drawModel(t *rapid.T) CountModel {
	parameter := func(name string) float64 { return math.Exp(rapid.Float64Range(-5, 5).Draw(t, name)) }
	return CountModel{Name: rapid.SampledFrom([]string{BGNBD, MBGNBD, ShrunkenRates}).Draw(t, "model"), R: parameter("r"), Alpha: parameter("alpha"), A: parameter("a"), B: parameter("b")}
}

func drawHistory(t *rapid.T) History {
	h := History{Repeats: rapid.IntRange(0, 40).Draw(t, "x"), Age: rapid.Float64Range(0, 300).Draw(t, "T")}
	if h.Repeats > 0 {
		h.Recency = h.Age * rapid.Float64Range(0, 1).Draw(t, "recency")
	}
	return h
}

func TestProbabilitiesAndOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, h, ahead := drawModel(t), drawHistory(t), rapid.Float64Range(0, 300).Draw(t, "ahead")
		alive, none, purchases := m.present(h), m.NoPurchase(h, ahead), m.Purchases(h, ahead)
		switch {
		case !(alive >= 0 && alive <= 1):
			t.Fatalf("P(alive) = %v", alive)
		case !(none >= 0 && none <= 1):
			t.Fatalf("P(no purchase) = %v", none)
		case none < 1-alive-1e-12:
			t.Fatalf("those who left buy: P(no purchase) = %v, P(alive) = %v", none, alive)
		case !(purchases >= 0) || math.IsInf(purchases, 0):
			t.Fatalf("E[purchases] = %v", purchases)
		case purchases < (1-none)*(1-1e-9)-1e-14:
			t.Fatalf("E[purchases] = %v is below P(a purchase) = %v", purchases, 1-none)
		}
		later := h
		later.Age += rapid.Float64Range(0, 100).Draw(t, "longer")
		if m.present(later) > alive+1e-12 {
			t.Fatalf("P(alive) rises with silence: %v, %v", alive, m.present(later))
		}
		fresher := h
		if h.Repeats > 0 {
			fresher.Recency += (h.Age - h.Recency) * rapid.Float64Range(0, 1).Draw(t, "fresher")
		}
		if m.present(fresher) < alive-1e-12 {
			t.Fatalf("P(alive) falls with recency: %v, %v", alive, m.present(fresher))
		}
		if more := m.Purchases(h, ahead*1.1); more < purchases*(1-1e-9) {
			t.Fatalf("fewer purchases in a longer time: %v, %v", purchases, more)
		}
		if idle := m.NoPurchase(h, ahead*1.1); idle > none+1e-12 {
			t.Fatalf("silence is likelier in a longer time: %v, %v", none, idle)
		}
	})
}

func TestGradients(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		histories := make([]History, rapid.IntRange(1, 6).Draw(t, "customers"))
		for i := range histories {
			histories[i] = drawHistory(t)
			if histories[i].Repeats > 0 {
				histories[i].Spend = Spend{Days: histories[i].Repeats, Mean: rapid.Float64Range(.1, 500).Draw(t, "mean"), Variation: math.NaN()}
			}
		}
		check := func(name string, value likelihood, n int) {
			theta, grad := make([]float64, n), make([]float64, n)
			for i := range theta {
				theta[i] = rapid.Float64Range(-3, 3).Draw(t, "theta")
			}
			value(theta, grad)
			want := fd.Gradient(nil, func(x []float64) float64 { return value(x, nil) }, theta, &fd.Settings{Formula: fd.Central})
			for i := range grad {
				if math.Abs(grad[i]-want[i]) > 1e-5*(1+math.Abs(want[i])) {
					t.Fatalf("%s: gradient %v, by differences %v", name, grad, want)
				}
			}
		}
		for _, name := range []string{BGNBD, MBGNBD} {
			check(name, newCountLikelihood(name, countRows(histories, 1)).mean, 4)
		}
		if rows := spendRows(histories, 1); len(rows) > 0 {
			check(GammaGamma, newSpendLikelihood(rows).mean, 3)
		}
	})
}

// Putting equal customers together changes nothing.
func TestAggregation(t *testing.T) {
	one := []History{{Repeats: 2, Recency: 3, Age: 5}, {Age: 5}, {Repeats: 2, Recency: 3, Age: 5}}
	rows := countRows(one, 1)
	if len(rows) != 2 || rows[1].weight != 2 {
		t.Fatalf("rows %+v", rows)
	}
	theta := []float64{-1, 1, 0, .5}
	sum := newCountLikelihood(BGNBD, rows[:1]).mean(theta, nil) + 2*newCountLikelihood(BGNBD, countRows(one[:1], 1)).mean(theta, nil)
	near(t, "mean of three", newCountLikelihood(BGNBD, rows).mean(theta, nil), sum/3, 1e-14)
}

// Whatever the customers, a fit ends without a panic, says whether it converged, and forecasts in numbers.
func TestAnyCustomersCanBeFitted(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		histories := make([]History, rapid.IntRange(1, 12).Draw(rt, "customers"))
		for i := range histories {
			h := drawHistory(rt)
			if h.Repeats > 0 && rapid.Bool().Draw(rt, "spends") {
				h.Spend = Spend{Days: h.Repeats, Mean: math.Exp(rapid.Float64Range(-30, 30).Draw(rt, "mean"))}
			}
			histories[i] = h
		}
		m, err := Trainer{MinCustomers: 1, MaxSteps: 30}.Fit(t.Context(), histories)
		if err != nil {
			rt.Fatal(err)
		}
		if m.Counts.Name == ShrunkenRates && len(m.Fallbacks) == 0 {
			rt.Fatalf("a silent fallback: %+v", m)
		}
		f, err := m.Forecaster(Terms{Horizon: 52, Year: 52, DiscountRate: .1, GrossMargin: 1})
		if err != nil {
			rt.Fatal(err)
		}
		for _, h := range histories {
			got, err := f.Of(h)
			switch {
			case err != nil:
				rt.Fatal(err)
			case !(got.NoPurchase >= 0 && got.NoPurchase <= 1) || !(got.Purchases >= 0) || math.IsInf(got.Purchases, 0):
				rt.Fatalf("%+v of %+v by %+v", got, h, m)
			case m.Spend != nil && (!(got.Value >= 0) || math.IsInf(got.Value, 0)):
				rt.Fatalf("%+v of %+v by %+v", got, h, m.Spend)
			}
		}
	})
}
