package lifetime

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"retain/testdata/cdnow"
)

func TestHistoriesThatCannotBe(t *testing.T) {
	for _, c := range []struct {
		name    string
		history History
		want    string
	}{
		{"last purchase after the end", History{Repeats: 1, Recency: 5, Age: 4}, "lies after"},
		{"recency without a repeat", History{Recency: 1, Age: 4}, "without a repeat"},
		{"fewer than none", History{Repeats: -1, Age: 4}, "below 0"},
		{"more than can be", History{Repeats: maxRepeats + 1, Recency: 1, Age: 4}, "more than"},
		{"negative recency", History{Repeats: 1, Recency: -1, Age: 4}, "recency -1"},
		{"negative age", History{Age: -4}, "T = -4"},
		{"unknown age", History{Age: math.NaN()}, "T = NaN"},
		{"unknown recency", History{Repeats: 1, Recency: math.NaN(), Age: 4}, "recency NaN"},
		{"endless age", History{Age: math.Inf(1)}, "T = +Inf"},
		{"more spend than purchases", History{Repeats: 1, Recency: 1, Age: 4, Spend: Spend{Days: 2, Mean: 1}}, "2 days with spend among 1"},
		{"no spend", History{Repeats: 1, Recency: 1, Age: 4, Spend: Spend{Days: 1}}, "not above 0"},
		{"unknown spend", History{Repeats: 1, Recency: 1, Age: 4, Spend: Spend{Days: 1, Mean: math.NaN()}}, "not above 0"},
		{"endless variation", History{Repeats: 1, Recency: 1, Age: 4, Spend: Spend{Days: 1, Mean: 1, Variation: math.Inf(1)}}, "variation"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Trainer{}.Fit(t.Context(), []History{{Age: 1}, c.history})
			var wrong *HistoryError
			if !errors.As(err, &wrong) || wrong.Row != 1 || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "customer 2") {
				t.Errorf("error %v, want one about customer 2 with %q", err, c.want)
			}
		})
	}
	if _, err := (Trainer{}).Fit(t.Context(), nil); !errors.Is(err, ErrNoCustomers) {
		t.Errorf("nobody: %v", err)
	}
	if _, err := (Trainer{MaxSteps: -1}).Fit(t.Context(), []History{{}}); err == nil {
		t.Error("a negative number of steps is taken")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (Trainer{}).Fit(ctx, historiesOf(t, cdnow.SampleCSVGzip, "1997-10-01")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestFallbacks(t *testing.T) {
	many := func(n int, h History) []History {
		out := make([]History, n)
		for i := range out {
			out[i] = h
		}
		return out
	}
	terms := Terms{Horizon: 52, Year: 52, GrossMargin: 1}
	for _, c := range []struct {
		name      string
		histories []History
		why       string
		rate      float64 // of the first customer, a week
	}{
		{"one customer", []History{{Repeats: 2, Recency: 5, Age: 10}}, "only 1 of 1", (2. + 2) / (10 + 10)},
		{"nobody came back", many(500, History{Age: 20}), "only 0 of 500", 0},
		{"nobody was watched", many(500, History{}), "only 0 of 500", 0},
		{"few came back", append(many(100, History{Age: 10}), many(10, History{Repeats: 1, Recency: 5, Age: 10})...), "only 10 of 110", 10. / 110 / 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := Trainer{}.Fit(t.Context(), c.histories)
			if err != nil {
				t.Fatal(err)
			}
			if m.Counts.Name != ShrunkenRates || m.Presence.Name != ShrunkenRates || len(m.Fallbacks) != 1 ||
				!strings.HasPrefix(m.Fallbacks[0], "shrunken rates in place of BG/NBD and MBG/NBD") || !strings.Contains(m.Fallbacks[0], c.why) {
				t.Errorf("counts %+v, presence %+v, %q", m.Counts, m.Presence, m.Fallbacks)
			}
			f, err := m.Forecaster(terms)
			if err != nil {
				t.Fatal(err)
			}
			got, err := f.Of(c.histories[0])
			if err != nil || !math.IsNaN(got.Alive) || !math.IsNaN(got.Value) || !(got.NoPurchase >= 0 && got.NoPurchase <= 1) {
				t.Errorf("%+v, %v", got, err)
			}
			near(t, "purchases", got.Purchases, 52*c.rate, 1e-12)
			if a := m.Adequacy(c.histories); math.IsNaN(a.ExpectedRepeats) {
				t.Errorf("%+v", a)
			}
		})
	}
	t.Run("no steps to converge in", func(t *testing.T) {
		m, err := Trainer{MaxSteps: 1}.Fit(t.Context(), historiesOf(t, cdnow.SampleCSVGzip, "1997-10-01"))
		if err != nil {
			t.Fatal(err)
		}
		if m.Counts.Name != ShrunkenRates || m.Spend.Name != ShrunkMean || len(m.Fallbacks) != 2 || !strings.Contains(m.Fallbacks[0], "gradient norm") {
			t.Errorf("counts %+v, spend %+v, %q", m.Counts, m.Spend, m.Fallbacks)
		}
		if m.CountsFit.Converged || m.CountsFit.StandardError != nil {
			t.Errorf("%+v", m.CountsFit)
		}
	})
}

func TestSameBytes(t *testing.T) {
	known := historiesOf(t, cdnow.SampleCSVGzip, "1997-10-01")
	a, err := Trainer{}.Fit(t.Context(), known)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Trainer{}.Fit(t.Context(), known)
	if err != nil || !reflect.DeepEqual(a, b) {
		t.Errorf("two fits of the same differ: %+v, %+v, %v", a, b, err)
	}
}

// By hand: two customers, days (10, 20) and (40, 60, 50). n = 2, 3; means 15, 50; variations 50, 200. within = 250/3; mean = 180/5 = 36;
// between = (2·21² + 3·14² - 250/3)/(5 - 13/5) = (1470 - 83.33)/2.4 = 577.78; prior = 83.33/577.78 = .144231.
func TestShrunkMeanByHand(t *testing.T) {
	customers := []History{
		{Repeats: 2, Spend: spendOf([]float64{10, 20})},
		{Repeats: 3, Spend: spendOf([]float64{40, 60, 50})},
		{Repeats: 4}, // nothing known of its spend
	}
	m := shrinkSpend(customers)
	near(t, "prior", m.Prior, .1442307692, 1e-9)
	first, second := 2/(2+m.Prior), 3/(3+m.Prior)
	near(t, "population", m.Population, (first*15+second*50)/(first+second), 1e-12)
	near(t, "the first", m.Expected(customers[0].Spend), (2*15+m.Prior*m.Population)/(2+m.Prior), 1e-12)
	near(t, "an unknown one", m.Expected(Spend{}), m.Population, 0)

	alike := []History{{Spend: spendOf([]float64{10, 20})}, {Spend: spendOf([]float64{20, 10})}}
	if m := shrinkSpend(alike); !math.IsInf(m.Prior, 1) || m.Population != 15 || m.Expected(alike[0].Spend) != 15 {
		t.Errorf("customers who do not differ: %+v", m)
	}
	constant := []History{{Spend: spendOf([]float64{10, 10})}, {Spend: spendOf([]float64{30, 30})}}
	if m := shrinkSpend(constant); m.Prior != 0 || m.Population != 20 || m.Expected(constant[1].Spend) != 30 {
		t.Errorf("customers who do not vary: %+v", m)
	}
	unknown := []History{{Spend: Spend{Days: 2, Mean: 10, Variation: math.NaN()}}, {Spend: Spend{Days: 1, Mean: 40, Variation: math.NaN()}}}
	if m := shrinkSpend(unknown); m.Prior != unknownPrior || math.IsNaN(m.Population) {
		t.Errorf("a table without variations: %+v", m)
	}
	if m := shrinkSpend(unknown[:1]); m.Population != 10 || math.IsNaN(m.Expected(Spend{Days: 1, Mean: 20})) {
		t.Errorf("one customer: %+v", m)
	}
}

// Those who buy often spend more: Gamma-Gamma would be wrong, and is not used.
func TestSpendThatDependsOnCounts(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	customers := histories(simulate(rng, CountModel{Name: BGNBD, R: .8, Alpha: 8, A: .8, B: 3}, SpendModel{P: 4, Q: 5, Gamma: 20}, 2000))
	for i := range customers {
		factor := 1 + float64(customers[i].Repeats)
		customers[i].Spend.Mean *= factor
		customers[i].Spend.Variation *= factor * factor
	}
	m, err := Trainer{}.Fit(t.Context(), customers)
	if err != nil {
		t.Fatal(err)
	}
	if m.Spend.Name != ShrunkMean || m.SpendCorrelation < .3 || len(m.Fallbacks) != 1 || !strings.Contains(m.Fallbacks[0], "correlation 0.") || m.Spend.P != 0 {
		t.Errorf("spend %+v, correlation %v, %q", m.Spend, m.SpendCorrelation, m.Fallbacks)
	}
}

// A spend with an infinite mean (q < 1) is not extrapolated.
func TestSpendWithoutAMean(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	customers := histories(simulate(rng, CountModel{Name: BGNBD, R: .8, Alpha: 8, A: .8, B: 3}, SpendModel{P: 4, Q: .8, Gamma: 20}, 2000))
	m, err := Trainer{}.Fit(t.Context(), customers)
	if err != nil {
		t.Fatal(err)
	}
	if m.Spend.Name != ShrunkMean || !strings.Contains(m.Fallbacks[0], "not above 1") || math.IsInf(m.Spend.Population, 0) {
		t.Errorf("spend %+v, %q", m.Spend, m.Fallbacks)
	}
}
