package lifetime

import "math"

// Names of the models of spend.
const (
	GammaGamma = "gamma_gamma" // days vary around a customer's mean, means around the population's; independent of how often one buys
	ShrunkMean = "shrunk_mean" // the customer's mean shrunk towards the population's by Bühlmann's credibility
)

// SpendModel says what a customer spends on a day with a purchase.
type SpendModel struct {
	Name        string  // GammaGamma or ShrunkMean
	P, Q, Gamma float64 // of Gamma-Gamma, Gamma in money; 0 of the shrunk mean
	Population  float64 // mean of a customer nothing is known of, in money: γp/(q-1), or the credibility-weighted mean
	Prior       float64 // how many days the population's mean weighs: (q-1)/p, or within / between variance; +Inf = everyone has the same
}

// Expected is the expected spend on a future day with a purchase, above 0: (γ + n m) p/(pn + q - 1) of Gamma-Gamma (Fader & Hardie
// 2013, eq. 5), which like the shrunk mean is (prior·population + n m)/(prior + n).
func (m SpendModel) Expected(s Spend) float64 {
	if s.Days == 0 || math.IsInf(m.Prior, 1) {
		return m.Population
	}
	n := float64(s.Days)
	return (m.Prior*m.Population + n*s.Mean) / (m.Prior + n)
}
