package metrics

// ReliabilityBin is one of ten bins of equal mass of the pooled rows, as the ECE bins them. Bins that equal probabilities leave empty are left out.
type ReliabilityBin struct {
	Rows             int      `json:"rows"`
	Lowest           Figure   `json:"lowest_probability"`
	Highest          Figure   `json:"highest_probability"`
	Mean             Figure   `json:"mean_probability"`
	Observed         Figure   `json:"observed"` // share with label 1
	ObservedInterval Interval `json:"observed_interval"`
}
