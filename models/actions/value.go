// Package actions holds what a customer is worth and, from there, what to do for whom.
package actions

import "math"

// ValueTerms are the terms of customer value V that are the same for everyone.
type ValueTerms struct {
	PerCustomer  *float64 // replaces V for everyone, in the configured currency; nil = from the customer's own value
	GrossMargin  float64  // share of revenue that is margin, in (0, 1]
	DiscountRate float64  // ρ, a year
}

// months is the time over which value is counted.
const months = 12

// Value is V = gross_margin · Σ_{k=1..12} E[value in month k | stays] (1+ρ)^(-k/12), with the same expectation each month:
// monthly is the customer's MRR, else net spend of the last 365 days / 12. NaN (unknown) gives NaN.
func (t ValueTerms) Value(monthly float64) float64 {
	if t.PerCustomer != nil {
		return *t.PerCustomer
	}
	var annuity float64
	for k := 1; k <= months; k++ {
		annuity += math.Pow(1+t.DiscountRate, -float64(k)/months)
	}
	return t.GrossMargin * monthly * annuity
}
