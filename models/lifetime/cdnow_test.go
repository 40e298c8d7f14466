package lifetime

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/csv"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"retain/testdata/cdnow"
)

// historiesOf counts the purchases before the cutoff in weeks, one a day and customer.
func historiesOf(t *testing.T, zipped []byte, cutoff string) []History {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		t.Fatal(err)
	}
	lines := csv.NewReader(z)
	if _, err := lines.Read(); err != nil {
		t.Fatal(err)
	}
	number := func(day string) int {
		at, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		return int(at.Unix() / 86400)
	}
	last := number(cutoff) - 1
	bought := map[string]map[int]float64{}
	for {
		line, err := lines.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if day := number(line[1]); day <= last {
			paid, err := strconv.ParseFloat(line[3], 64)
			if err != nil {
				t.Fatal(err)
			}
			if bought[line[0]] == nil {
				bought[line[0]] = map[int]float64{}
			}
			bought[line[0]][day] += paid
		}
	}
	var out []History
	for _, id := range slices.Sorted(maps.Keys(bought)) {
		days := slices.Sorted(maps.Keys(bought[id]))
		first, n := days[0], len(days)
		h := History{Repeats: n - 1, Recency: float64(days[n-1]-first) / 7, Age: float64(last-first) / 7}
		var spent []float64
		for _, day := range days[1:] {
			if paid := bought[id][day]; paid > 0 {
				spent = append(spent, paid)
				h.Spend.Mean += paid
			}
		}
		if h.Spend.Days = len(spent); h.Spend.Days > 0 {
			h.Spend.Mean /= float64(h.Spend.Days)
			for _, paid := range spent {
				h.Spend.Variation += (paid - h.Spend.Mean) * (paid - h.Spend.Mean)
			}
		}
		out = append(out, h)
	}
	return out
}

func near(t *testing.T, name string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s is %.10g, want %.10g ± %g", name, got, want, tolerance)
	}
}

// The published figures: r .2426, α 4.4136, a .7929, b 2.4259, log-likelihood -9582.43 (Fader, Hardie & Lee 2005 print .243, 4.414,
// .793, 2.426 and -9582.4); p 6.25, q 3.74, γ 15.44 of 946 customers (Fader & Hardie 2013); both to the digits that the Python package
// lifetimes prints as well.
func TestCDNOWSample(t *testing.T) {
	m, err := Trainer{}.Fit(t.Context(), historiesOf(t, cdnow.SampleCSVGzip, "1997-10-01"))
	if err != nil {
		t.Fatal(err)
	}
	if m.Customers != 2357 || m.Repeaters != 946 || m.SpendCustomers != 946 || m.Fallbacks != nil {
		t.Errorf("%d customers, %d repeaters, %d with spend, fallbacks %v", m.Customers, m.Repeaters, m.SpendCustomers, m.Fallbacks)
	}
	if c := m.Counts; c.Name != BGNBD || m.Presence.Name != MBGNBD {
		t.Errorf("counts by %s, presence by %s", c.Name, m.Presence.Name)
	}
	near(t, "r", m.Counts.R, .2426, 5e-5)
	near(t, "alpha", m.Counts.Alpha, 4.4136, 5e-5)
	near(t, "a", m.Counts.A, .7929, 5e-5)
	near(t, "b", m.Counts.B, 2.4259, 5e-5)
	near(t, "log-likelihood", m.CountsFit.LogLikelihood, -9582.43, .005)
	near(t, "p", m.Spend.P, 6.25, .005)
	near(t, "q", m.Spend.Q, 3.74, .005)
	near(t, "gamma", m.Spend.Gamma, 15.44, .005)
	near(t, "the population's mean", m.Spend.Population, 35.2, .05) // γp/(q-1) of the published parameters
	for _, c := range []Convergence{m.CountsFit, m.PresentFit, m.SpendFit} {
		if !c.Converged || c.GradientNorm > 1e-8 || c.StandardError == nil || c.AtLimit != nil || c.Steps < 1 || c.Starts < 2 {
			t.Errorf("%+v", c)
		}
	}
}

// In days the same model is the same: only α and the log-likelihood change, by x ln 7 for each customer.
func TestUnitsOfTimeAndMoney(t *testing.T) {
	weeks := historiesOf(t, cdnow.SampleCSVGzip, "1997-10-01")
	days := slices.Clone(weeks)
	var repeats float64
	for i := range days {
		h := &days[i]
		h.Age, h.Recency, h.Spend.Mean = 7*h.Age, 7*h.Recency, 100*h.Spend.Mean
		repeats += float64(h.Repeats)
	}
	a, err := Trainer{}.Fit(t.Context(), weeks)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Trainer{}.Fit(t.Context(), days)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "r", b.Counts.R, a.Counts.R, 1e-6)
	near(t, "alpha", b.Counts.Alpha/7, a.Counts.Alpha, 1e-5)
	near(t, "standard error of alpha", b.CountsFit.StandardError[1]/7, a.CountsFit.StandardError[1], 1e-4)
	near(t, "log-likelihood", b.CountsFit.LogLikelihood, a.CountsFit.LogLikelihood-repeats*math.Log(7), 1e-6)
	near(t, "gamma", b.Spend.Gamma/100, a.Spend.Gamma, 1e-4)
	near(t, "log-likelihood of the spend", b.SpendFit.LogLikelihood, a.SpendFit.LogLikelihood-946*math.Log(100), 1e-6)
}

// metrics.md §6: BG/NBD with the parameters of CDNOW.
func TestGoldenCustomer(t *testing.T) {
	m := CountModel{Name: BGNBD, R: .2426, Alpha: 4.4136, A: .7929, B: 2.4259}
	h := History{Repeats: 2, Recency: 30.43, Age: 38.86}
	near(t, "P(alive)", m.Alive(h), .7266, 5e-5)
	near(t, "P(no purchase)", m.NoPurchase(h, 39), .4454, 5e-5)
	near(t, "E[purchases]", m.Purchases(h, 39), 1.2259, 5e-5)
}

// The master set of 23,570 customers converges too, from every start alone, and in any order of the customers.
func TestCDNOWMaster(t *testing.T) {
	histories := historiesOf(t, cdnow.PurchasesCSVGzip, "1998-07-01")
	m, err := Trainer{}.Fit(t.Context(), histories)
	if err != nil {
		t.Fatal(err)
	}
	if m.Customers != 23570 || m.Fallbacks != nil {
		t.Fatalf("%d customers, fallbacks %v", m.Customers, m.Fallbacks)
	}
	slices.SortStableFunc(histories, func(a, b History) int { return cmp.Compare(a.Recency, b.Recency) })
	again, err := Trainer{}.Fit(t.Context(), histories)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "r in another order", again.Counts.R, m.Counts.R, 1e-9)
	for _, name := range []string{BGNBD, MBGNBD} {
		want := map[string]float64{BGNBD: m.CountsFit.LogLikelihood, MBGNBD: m.PresentFit.LogLikelihood}[name]
		l := newCountLikelihood(name, countRows(histories, 1))
		for _, start := range countStarts {
			_, c, err := search{countNames, [][]float64{start}, l.mean, l.weight, defaultMaxSteps}.maximise(t.Context())
			if err != nil || !c.Converged {
				t.Errorf("%s from %v: %+v, %v", name, start, c, err)
			}
			near(t, name+" log-likelihood", c.LogLikelihood, want, 1e-3)
		}
	}
	l := newSpendLikelihood(spendRows(histories, 1))
	for _, start := range spendStarts {
		_, c, err := search{spendNames, [][]float64{start}, l.mean, l.weight, defaultMaxSteps}.maximise(t.Context())
		if err != nil || !c.Converged {
			t.Errorf("Gamma-Gamma from %v: %+v, %v", start, c, err)
		}
		near(t, "Gamma-Gamma log-likelihood", c.LogLikelihood, m.SpendFit.LogLikelihood, 1e-3)
	}
}
