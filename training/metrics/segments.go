package metrics

// SegmentFigures is how a family does among the test rows that share a level of a categorical column.
type SegmentFigures struct {
	Column string `json:"column"`
	Level  string `json:"level"`
	PooledFigures
}

// SegmentTable is a family's figures by segment, the largest first.
type SegmentTable struct {
	Family   string           `json:"family"`
	Segments []SegmentFigures `json:"segments"`
	Small    int              `json:"small"` // segments with too few rows or too few of the rarer class to be measured
	More     int              `json:"more"`  // measurable segments beyond the number that is shown
}
