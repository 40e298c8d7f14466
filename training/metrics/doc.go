// Package metrics measures probabilities of churn, and of loyalty likewise, against what came true: ranking and gains, losses, calibration, profit, and
// intervals of all by a bootstrap that redraws customers; [PoolAll] puts them together for the families of a tournament, [Segments] for parts of the
// rows. [Histogram] measures drift. An undefined metric is NaN, and null in JSON.
package metrics
