package lifetime

import "math"

// Adequacy compares the customers with what the model of counts expects of them from their ages alone. Maximum likelihood does not make
// these equal, so that they tell whether the model suits.
type Adequacy struct {
	Repeats, ExpectedRepeats    float64 // repeat purchases in total
	OnceOnly, ExpectedOnceOnly  float64 // customers without a repeat purchase
	RepeatsRatio, OnceOnlyRatio float64 // observed / expected; NaN where nothing is expected
}

// Adequacy holds the model of counts against the histories.
func (m *Model) Adequacy(histories []History) Adequacy {
	var c Adequacy
	type expected struct{ repeats, once float64 }
	byAge := map[float64]expected{}
	for _, h := range histories {
		e, known := byAge[h.Age]
		if !known {
			e = expected{m.Counts.NewCustomer(h.Age), m.Counts.NoPurchase(History{}, h.Age)}
			byAge[h.Age] = e
		}
		c.Repeats += float64(h.Repeats)
		c.ExpectedRepeats += e.repeats
		c.ExpectedOnceOnly += e.once
		if h.Repeats == 0 {
			c.OnceOnly++
		}
	}
	c.RepeatsRatio, c.OnceOnlyRatio = math.NaN(), math.NaN()
	if c.ExpectedRepeats > 0 {
		c.RepeatsRatio = c.Repeats / c.ExpectedRepeats
	}
	if c.ExpectedOnceOnly > 0 {
		c.OnceOnlyRatio = c.OnceOnly / c.ExpectedOnceOnly
	}
	return c
}

// spendCorrelation is Pearson's correlation, over customers with spend, of the number of repeat purchases with the mean spend;
// NaN where either does not vary.
func spendCorrelation(histories []History) float64 {
	var n, meanX, meanM float64
	for _, h := range histories {
		if h.Spend.Days > 0 {
			n++
			meanX += (float64(h.Repeats) - meanX) / n
			meanM += (h.Spend.Mean - meanM) / n
		}
	}
	var xx, mm, xm float64
	for _, h := range histories {
		if h.Spend.Days > 0 {
			dx, dm := float64(h.Repeats)-meanX, h.Spend.Mean-meanM
			xx, mm, xm = xx+dx*dx, mm+dm*dm, xm+dx*dm
		}
	}
	if xx == 0 || mm == 0 {
		return math.NaN()
	}
	return xm / math.Sqrt(xx*mm)
}
