package metrics

// GainPoint is what the k = ⌈share · n⌉ rows of highest score of each test cutoff hold. Recall, precision and lift are means of the cutoffs weighted
// by their positives, as the top-decile lift is.
type GainPoint struct {
	Share          Figure   `json:"share"`     // in [0, 1]
	Rows           int      `json:"rows"`      // Σk over the cutoffs
	Recall         Figure   `json:"recall"`    // share of the positives that is among them
	Precision      Figure   `json:"precision"` // share of positives among them; null at share 0
	Lift           Figure   `json:"lift"`      // precision over the base rate; null at share 0
	RecallInterval Interval `json:"recall_interval"`
	LiftInterval   Interval `json:"lift_interval"`
}
