// Package training turns snapshots into models that can be trusted: stacked data sets, folds, tuning within a budget, the tournament of the model
// families, the leak linter, the promotion gate, the anatomy of what was learned, and the registry's contract. What a figure is stands in
// [retain/training/metrics]; package report beside it shows a training to people. Every definition is that of metrics.md §4–5: all rows weigh 1,
// dependence between the rows of one customer is handled by grouping folds, calibration and bootstrap by customer, and nothing is held back from the
// final fit.
//
// The way through the package, for [Train] (train.go):
//
//   - The rows. A panel reads labelled snapshots and stacks them (dataset.go); those of earlier trainings come from the warehouse (dataset_shelf.go).
//     The linter (linter.go, separation.go) refuses columns that know the outcome.
//   - The fits. families.go is the table of the families. Each is fitted with cross-fitted calibration (fit.go, crossfit.go, folds.go). Where there are
//     rows and time enough (budget.go), a family has several choices (choices.go), among which halving decides (tune.go).
//   - The tournament measures every family on later cutoffs (tournament.go; equal rows are fitted once, shared.go), tells the figures in a table with
//     verdicts (verdicts.go) and proves them by curves, segments and profit (proof.go). One family is chosen (selection.go) and fitted on all rows.
//   - What was learned. The artifact takes with it what the newest cutoff looked like (reference.go). The anatomy (anatomy.go) tells what each feature is
//     worth (anatomy_importance.go), how the probability moves with it (anatomy_dependence.go), and what changes against the champion (anatomy_change.go).
//   - The gate judges it against the champion's recipe, refitted on the same folds (gate.go), and it is registered (registry.go).
//
// [TrainLoyalty] goes this way once for each of its two parts and settles both as one model (loyalty.go, loyalty_panel.go, loyalty_product.go). [Backtest]
// (backtest.go) ends with the tournament, at cutoffs that the caller may name. [CrossValidate] (crossval.go) measures the families on any flat table
// (flat.go, flat_column.go) with stratified folds.
package training
