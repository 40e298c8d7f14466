package lifetime

import (
	"fmt"
	"math"
)

// Terms are those of the value of a customer.
type Terms struct {
	Horizon      float64 // how far ahead, above 0, in the unit of the histories
	Year         float64 // of 365 days, in that unit
	DiscountRate float64 // ρ ≥ 0, a year
	GrossMargin  float64 // share of the spend that is margin, in (0, 1]
}

// monthsPerYear is the grain of discounting: what comes in a month counts as of its end.
const monthsPerYear = 12

// maxMonths bounds the horizon to a hundred years.
const maxMonths = 1200

// check returns what is wrong with the terms.
func (t Terms) check() error {
	switch {
	case !(t.Year > 0) || math.IsInf(t.Year, 1):
		return fmt.Errorf("lifetime: a year of %v is not above 0", t.Year)
	case !(t.Horizon > 0) || t.Horizon*monthsPerYear/t.Year > maxMonths:
		return fmt.Errorf("lifetime: a horizon of %v is not above 0 and at most %d years", t.Horizon, maxMonths/monthsPerYear)
	case !(t.DiscountRate >= 0) || math.IsInf(t.DiscountRate, 1):
		return fmt.Errorf("lifetime: a discount rate of %v is not 0 or more", t.DiscountRate)
	case !(t.GrossMargin > 0 && t.GrossMargin <= 1):
		return fmt.Errorf("lifetime: a gross margin of %v is not in (0, 1]", t.GrossMargin)
	}
	return nil
}

// Forecast is what is expected of one customer over the horizon.
type Forecast struct {
	Alive      float64 // probability to be a customer still at T, in [0, 1]; NaN of shrunken rates
	NoPurchase float64 // probability of no purchase within the horizon, in [0, 1]
	Purchases  float64 // expected days with a purchase, at least 0
	Spend      float64 // expected on such a day, above 0; NaN where no spend is known
	Value      float64 // expected margin, discounted; NaN where no spend is known
}

// Forecaster forecasts customers one after the other and remembers what those with equal x and T share. It is not safe for
// concurrent use; Forecasters of one Model are independent of each other.
type Forecaster struct {
	model    *Model
	terms    Terms
	ends     []float64 // of the months, in the unit of the histories; the last is the horizon
	factors  []float64 // by which a purchase in the month counts
	expected map[forecastKey]outlook
}

type forecastKey struct {
	repeats int
	age     float64
}

// outlook is that of a customer who is alive: purchases, and purchases discounted.
type outlook struct{ purchases, discounted float64 }

// Forecaster returns one over the terms.
func (m *Model) Forecaster(t Terms) (*Forecaster, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	f := &Forecaster{model: m, terms: t, expected: map[forecastKey]outlook{}}
	month := t.Year / monthsPerYear
	for k := 1; ; k++ {
		end := float64(k) * month
		if last := end >= t.Horizon*(1-1e-12); last {
			end = t.Horizon
		}
		f.ends = append(f.ends, end)
		f.factors = append(f.factors, math.Pow(1+t.DiscountRate, -end/t.Year))
		if end == t.Horizon {
			return f, nil
		}
	}
}

// Of forecasts one customer, whose history is one that Trainer.Fit would take. The probabilities come from Model.Presence, the number
// of purchases from Model.Counts. Value = gross margin · spend · Σ_k E[purchases in month k] (1+ρ)^(-k/12).
func (f *Forecaster) Of(h History) (Forecast, error) {
	if reason := h.check(); reason != "" {
		return Forecast{}, &HistoryError{Reason: reason}
	}
	m := f.model
	o := f.outlook(h)
	present := m.Counts.present(h)
	out := Forecast{
		Alive: m.Presence.Alive(h), NoPurchase: m.Presence.NoPurchase(h, f.terms.Horizon),
		Purchases: present * o.purchases, Spend: math.NaN(), Value: math.NaN(),
	}
	if m.Spend != nil {
		out.Spend = m.Spend.Expected(h.Spend)
		out.Value = f.terms.GrossMargin * out.Spend * present * o.discounted
	}
	return out, nil
}

func (f *Forecaster) outlook(h History) outlook {
	key := forecastKey{h.Repeats, h.Age}
	if o, known := f.expected[key]; known {
		return o
	}
	var o outlook
	for k, end := range f.ends {
		until := f.model.Counts.expectation(h.Repeats, h.Age, end)
		o.discounted += math.Max(until-o.purchases, 0) * f.factors[k]
		o.purchases = until
	}
	f.expected[key] = o
	return o
}
