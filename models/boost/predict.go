package boost

import (
	"fmt"
	"iter"

	"retain/features"
)

// blockRows is the number of rows that are read together: their values fit the first cache, each tree serves them in turn.
const blockRows = 64

// block is some rows of a matrix, row by row.
type block struct {
	lo, hi int
	cols   int
	values []float32
}

// row returns the values of row lo+k.
func (b *block) row(k int) []float32 { return b.values[k*b.cols : (k+1)*b.cols] }

// blocks calls f for all rows of x, blockRows at a time, in parallel.
func blocks(x *features.Matrix, f func(b *block)) {
	n, p := x.Rows(), x.Cols()
	parallel((n+blockRows-1)/blockRows, func(task int) {
		b := &block{lo: task * blockRows, hi: min(n, (task+1)*blockRows), cols: p}
		b.values = make([]float32, (b.hi-b.lo)*p)
		for j, col := range x.X {
			for k, v := range col[b.lo:b.hi] {
				b.values[k*p+j] = v
			}
		}
		f(b)
	})
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
		for k := next(); k >= 0; k = next() {
			for lo := k * tasks; lo < min(len(dst), (k+1)*tasks); lo += sliceRows {
				s.margins(dst[lo:min(len(dst), lo+sliceRows)], m, x, lo, &room)
			}
		}
	})
	return nil
}

// walkAll adds the trees' values to the margins of a few rows.
func (m *Model) walkAll(margin []float64, x *features.Matrix) {
	row := make([]float32, x.Cols())
	for i := range margin {
		for j, col := range x.X {
			row[j] = col[i]
		}
		for t := range m.roots {
			margin[i] += m.walkTree(t, row)
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

// addTree adds the values of tree t to the margins of a block.
func (m *Model) addTree(margin []float64, b *block, t int) {
	for k := range margin {
		margin[k] += m.walkTree(t, b.row(k))
	}
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
	blocks []*block
}

func newStage(base float64, x *features.Matrix) *stage {
	s := &stage{margin: make([]float64, x.Rows()), blocks: make([]*block, (x.Rows()+blockRows-1)/blockRows)}
	for i := range s.margin {
		s.margin[i] = base
	}
	blocks(x, func(b *block) { s.blocks[b.lo/blockRows] = b })
	return s
}

func (s *stage) add(m *Model, t int) {
	parallelIf(len(s.blocks) >= 16, len(s.blocks), func(k int) {
		b := s.blocks[k]
		m.addTree(s.margin[b.lo:b.hi], b, t)
	})
}
