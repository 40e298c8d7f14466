// Package metrics measures probabilities of churn against what came true: ranking, losses, calibration, and intervals of all by a
// bootstrap that redraws customers. An undefined metric is NaN, and null in JSON.
package metrics
