// Package training turns snapshots into models that can be trusted: stacked data sets, folds, metrics, calibration proofs, the
// tournament of the model families, the leak linter, the promotion gate and the registry's contract. Every definition is that of
// metrics.md §4–5: all rows weigh 1, dependence between the rows of one customer is handled by grouping folds, calibration and
// bootstrap by customer, and nothing is held back from the final fit.
//
// The way through the package: [Train] and [Backtest] read labelled snapshots (dataset.go), fit every family with
// cross-fitted calibration (fit.go), measure it on later cutoffs (tournament.go, figures.go), choose one (selection.go), judge it against
// the champion (gate.go) and register it. [CrossValidate] does the same on any flat table with stratified folds.
package training
