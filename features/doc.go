// Package features turns what customers did into point-in-time vectors and labels.
//
// The words, as everywhere in retain (design.md §2):
//
//	customer              the entity that can leave; customer_id is a non-empty string of at most 256 bytes. Who exists at T: the
//	                      union of ids over all sources with a row before T in both clocks; a row in customers is optional
//	source                one kind of fact about customers: customers, usage, purchases, subscriptions, surveys, tickets, contacts,
//	                      touchpoints
//	cutoff                the instant T at which we pretend to stand; exclusive: an event at T is the future
//	at, ingested_at       event time, when it happened; knowledge time, when we could know it. A vector at T uses only rows with
//	                      both < T
//	observation window    [T-w, T)
//	gap L, horizon H,     the label looks at [T+L, T+L+H); G joins contract periods
//	grace G
//	snapshot              all eligible customers with their vectors at one cutoff
//	label                 1 = churned within the horizon, 0 = stayed, missing = not known, never guessed
//	vector, matrix        one customer's features; rows × features, NaN = missing
//	feature set,          the ordered definitions; their SHA-256
//	fingerprint
//	margin, score         the model's log-odds before calibration; calibrated probability of churn within the horizon, higher means
//	                      more likely to leave
//	percentile, band      rank by margin in its run, 1–100, 100 = most at risk; low, medium, high
//	loyalty               probability and 0–100 score that a customer stays, buys again and recommends
//	reason                one feature's exact additive contribution to the margin, in words
//	action, decision,     something we can do for a customer; the logged choice with its propensity; what came of it
//	outcome
//	propensity            the probability with which the policy chose that action (causal sense only)
//	uplift                P(stay given the action) - P(stay given nothing); positive is good
//	artifact, champion,   a trained model with everything needed to score; the one that serves; one execution of a job
//	run
//
// A Catalogue of entries is resolved once at training and compiled, for each cutoff, to one statement of SQL. Rows are read
// through one function (versions.go), which bounds them in both clocks, applies corrections and hides facts that were written
// into a row afterwards. Populations and labels read through the same function.
package features
