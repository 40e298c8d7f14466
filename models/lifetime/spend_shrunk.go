package lifetime

import "math"

// unknownPrior is the prior weight, in days, where the spread of a customer's own days is not known or nobody has two of them.
const unknownPrior = 1

// shrinkSpend is the fallback of Gamma-Gamma: Bühlmann & Straub's credibility estimate from the customers with spend, of whom there
// is at least one. Prior = within-customer variance of a day / variance between customers' means, both unbiased (Bühlmann & Gisler, A
// Course in Credibility Theory, §4.8); 1 where the variation within customers is not known.
func shrinkSpend(histories []History) SpendModel {
	var customers, days, squaredDays, spent, variation float64
	for _, h := range histories {
		if n := float64(h.Spend.Days); n > 0 {
			customers++
			days += n
			squaredDays += n * n
			spent += n * h.Spend.Mean
			variation += h.Spend.Variation // NaN if any is not known
		}
	}
	m := SpendModel{Name: ShrunkMean, Prior: unknownPrior}
	if repeated := days - customers; repeated > 0 && customers > 1 && !math.IsNaN(variation) {
		within, mean := variation/repeated, spent/days
		var between float64
		for _, h := range histories {
			if n := float64(h.Spend.Days); n > 0 {
				between += n * (h.Spend.Mean - mean) * (h.Spend.Mean - mean)
			}
		}
		between = (between - (customers-1)*within) / (days - squaredDays/days)
		switch {
		case between > 0:
			m.Prior = within / between
		case within > 0:
			m.Prior = math.Inf(1) // customers differ by no more than chance
		}
	}
	var weight float64
	for _, h := range histories {
		if n := float64(h.Spend.Days); n > 0 {
			credibility := 1.0
			switch {
			case math.IsInf(m.Prior, 1):
				credibility = n
			case m.Prior > 0:
				credibility = n / (n + m.Prior)
			}
			weight += credibility
			m.Population += credibility * h.Spend.Mean
		}
	}
	m.Population /= weight
	return m
}
