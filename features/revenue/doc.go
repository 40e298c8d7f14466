// Package revenue follows monthly recurring revenue (MRR) and cohorts of customers from month to month.
//
// A customer's MRR at an instant is the sum over its paid periods that hold the last moment before it (started < T ≤ end), the
// same as its monthly value in scores. Through a gap of at most the grace, what was paid just before goes on: first within a subscription, then, where
// nothing at all is held, within the customer; so that a renewal that is late by no more than the grace is no churn here either.
//
// Months are those of UTC and half-open. Amounts are whole ten-thousandths of the currency, so that sums are exact.
package revenue
