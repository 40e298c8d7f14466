package boost

import (
	"fmt"
	"iter"

	"retain/features"
)

// rowByRow returns rows [lo, hi) of x, one after another.
func rowByRow(x *features.Matrix, lo, hi int) []float32 {
	p := x.Cols()
	rows := make([]float32, (hi-lo)*p)
	for j, col := range x.X {
		for k, v := range col[lo:hi] {
			rows[k*p+j] = v
		}
	}
	return rows
}

// Margin writes the log-odds of churn of each row into dst, which must be x.Rows() long. A row's margin does not depend on
// the other rows. Errors: models.ErrFeatureMismatch, models.ErrNotFinite, a value that is no level's code.
func (m *Model) Margin(dst []float64, x *features.Matrix) error {
	if err := m.check(x); err != nil {
		return err
	}
	if len(dst) != x.Rows() {
		return fmt.Errorf("boost: room for %d margins, want %d", len(dst), x.Rows())
	}
	for i := range dst {
		dst[i] = m.base
	}
	if len(dst) < sliceRows/4 {
		m.walkAll(dst, x)
		return nil
	}
	s := m.sliced()
	const tasks = 16 * sliceRows
	parallelWorkers((len(dst)+tasks-1)/tasks, func(next func() int) {
		var room sliceRoom
		var wide wideRoom
		for k := next(); k >= 0; k = next() {
			hi := min(len(dst), (k+1)*tasks)
			lo := s.marginsWide(dst[:hi], m, x, k*tasks, &room, &wide)
			for ; lo < hi; lo += sliceRows {
				s.margins(dst[lo:min(hi, lo+sliceRows)], m, x, lo, &room)
			}
		}
	})
	return nil
}

// walkAll adds the trees' values to the margins of a few rows.
func (m *Model) walkAll(margin []float64, x *features.Matrix) {
	p, rows := x.Cols(), rowByRow(x, 0, x.Rows())
	for i := range margin {
		for t := range m.roots {
			margin[i] += m.walkTree(t, rows[i*p:(i+1)*p])
		}
	}
}

// walkTree returns the value of the leaf of tree t that a row comes to.
func (m *Model) walkTree(t int, row []float32) float64 {
	i := m.roots[t]
	n := &m.nodes[i]
	for n.column >= 0 {
		if m.goesLeft(n, row[n.column]) {
			i++
		} else {
			i = n.right
		}
		n = &m.nodes[i]
	}
	return float64(n.cut)
}

// StagedMargins yields (k, margins of the rows of x by the first k trees) for k = 0..m.Trees(). The slice is reused: copy what
// is to be kept, do not write to it. Errors as Margin.
func (m *Model) StagedMargins(x *features.Matrix) (iter.Seq2[int, []float64], error) {
	if err := m.check(x); err != nil {
		return nil, err
	}
	return func(yield func(int, []float64) bool) {
		s := newStage(m.base, x)
		if !yield(0, s.margin) {
			return
		}
		for t := range m.roots {
			s.add(m, t)
			if !yield(t+1, s.margin) {
				return
			}
		}
	}, nil
}

// stage holds the margins of some rows while trees are added.
type stage struct {
	margin []float64
	cols   int
	blocks [][]float32 // the rows, row by row, stageRows in each block but the last
}

// stageRows is the number of rows that a task adds a tree to: their values fit the first cache.
const stageRows = 64

func newStage(base float64, x *features.Matrix) *stage {
	n := x.Rows()
	s := &stage{margin: make([]float64, n), cols: x.Cols(), blocks: make([][]float32, (n+stageRows-1)/stageRows)}
	for i := range s.margin {
		s.margin[i] = base
	}
	parallel(len(s.blocks), func(k int) { s.blocks[k] = rowByRow(x, k*stageRows, min(n, (k+1)*stageRows)) })
	return s
}

func (s *stage) add(m *Model, t int) {
	parallelIf(len(s.blocks) >= 16, len(s.blocks), func(k int) {
		margin := s.margin[k*stageRows : min(len(s.margin), (k+1)*stageRows)]
		for i := range margin {
			margin[i] += m.walkTree(t, s.blocks[k][i*s.cols:(i+1)*s.cols])
		}
	})
}
