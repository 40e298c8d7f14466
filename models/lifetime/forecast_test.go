package lifetime

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestForecast(t *testing.T) {
	spend := SpendModel{Name: GammaGamma, P: 6.25, Q: 3.74, Gamma: 15.44, Population: 15.44 * 6.25 / 2.74, Prior: 2.74 / 6.25}
	m := &Model{
		Counts:   CountModel{Name: BGNBD, R: .2426, Alpha: 4.4136, A: .7929, B: 2.4259},
		Presence: CountModel{Name: MBGNBD, R: .5248, Alpha: 6.183, A: .8914, B: 1.614},
		Spend:    &spend,
	}
	h := History{Repeats: 2, Recency: 30.43, Age: 38.86, Spend: Spend{Days: 2, Mean: 22}}
	const year = 365. / 7
	of := func(terms Terms) Forecast {
		t.Helper()
		f, err := m.Forecaster(terms)
		if err != nil {
			t.Fatal(err)
		}
		first, err := f.Of(h)
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := f.Of(h); !cmp.Equal(again, first, cmpopts.EquateNaNs()) {
			t.Errorf("asked twice: %+v, %+v", first, again)
		}
		return first
	}
	plain := of(Terms{Horizon: year, Year: year, GrossMargin: 1})
	near(t, "alive", plain.Alive, m.Presence.Alive(h), 0)
	near(t, "no purchase", plain.NoPurchase, m.Presence.NoPurchase(h, year), 0)
	near(t, "purchases", plain.Purchases, m.Counts.Purchases(h, year), 1e-12)
	near(t, "spend", plain.Spend, (15.44+2*22)*6.25/(6.25*2+3.74-1), 1e-9) // the paper's form
	near(t, "value", plain.Value, plain.Purchases*plain.Spend, 1e-9)

	// Discounted at the end of each month, the last of which is half a month long; half is margin.
	var want, before float64
	for _, end := range []float64{1, 2, 3, 3.5} {
		until := m.Counts.Purchases(h, end*year/12)
		want += (until - before) * math.Pow(1.1, -end/12)
		before = until
	}
	short := of(Terms{Horizon: 3.5 * year / 12, Year: year, DiscountRate: .1, GrossMargin: .5})
	near(t, "discounted", short.Value, want*plain.Spend/2, 1e-9)

	m.Spend = nil
	if f := of(Terms{Horizon: year, Year: year, GrossMargin: 1}); !math.IsNaN(f.Spend) || !math.IsNaN(f.Value) {
		t.Errorf("nothing is known of spend: %+v", f)
	}
	f, err := m.Forecaster(Terms{Horizon: 1, Year: year, GrossMargin: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Of(History{Repeats: 1, Recency: 9, Age: 3}); err == nil {
		t.Error("a history that cannot be is forecast")
	}
	for _, bad := range []Terms{
		{Year: year, GrossMargin: 1}, {Horizon: math.NaN(), Year: year, GrossMargin: 1}, {Horizon: 101 * year, Year: year, GrossMargin: 1}, {Horizon: 1, GrossMargin: 1},
		{Horizon: 1, Year: year}, {Horizon: 1, Year: year, GrossMargin: 1.1}, {Horizon: 1, Year: year, GrossMargin: 1, DiscountRate: -.1},
		{Horizon: math.Inf(1), Year: year, GrossMargin: 1}, {Horizon: 1, Year: math.Inf(1), GrossMargin: 1}, {Horizon: 1, Year: year, GrossMargin: 1, DiscountRate: math.NaN()},
	} {
		if _, err := m.Forecaster(bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}
