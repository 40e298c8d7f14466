package metrics

// ProfitTerms are what a campaign costs and saves (metrics.md §5).
type ProfitTerms struct {
	CustomerValue float64 `json:"customer_value"` // V, of one customer kept
	Offer         float64 `json:"offer_cost"`     // d, paid where the offer is taken
	Contact       float64 `json:"contact_cost"`   // f, paid for everyone contacted
}

// ProfitCurve is what contacting the rows of highest score would earn, summed over the test cutoffs. It is reported and never a gate.
type ProfitCurve struct {
	ProfitTerms
	EMPC   Figure        `json:"empc"`   // expected maximum profit per customer, mean of the cutoffs weighted by positives
	Points []ProfitPoint `json:"points"` // at GainShares
	Best   ProfitPoint   `json:"best"`   // of all k; at share 0 if contacting anybody loses money
}

// ProfitPoint is the profit of contacting the k = ⌈share · n⌉ rows of highest score of each cutoff.
type ProfitPoint struct {
	Share  Figure `json:"share"`
	Rows   int    `json:"rows"`
	Profit Figure `json:"profit"` // of all cutoffs together
}
