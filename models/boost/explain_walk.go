package boost

import (
	"encoding/binary"

	"retain/features"
)

// walk explains at most explainRows rows, tree by tree.
type walk struct {
	rows     int
	columns  [][]float32
	missing  []uint64 // of each column: a bit for each row
	goes     []uint64 // of each split of the tree: whether a row goes left
	passed   []uint64 // of each split of the tree: whether a row has passed all splits above on the same column
	states   []uint8  // [topSplit][row]
	patterns []uint8  // [unit][row]
	product  []float64
}

func newWalk(x *features.Matrix, lo, hi int) *walk {
	w := &walk{rows: hi - lo, columns: make([][]float32, len(x.X)), missing: make([]uint64, len(x.X))}
	for j, col := range x.X {
		w.columns[j] = col[lo:hi]
		for k, v := range w.columns[j] {
			if v != v {
				w.missing[j] |= 1 << k
			}
		}
	}
	return w
}

// explain adds the contributions of tree t to phi, of len(w.columns) values for each row.
func (w *walk) explain(m *Model, t int, phi []float64) {
	p := &m.plan[t]
	if len(p.splits) == 0 {
		return
	}
	w.bits(m, p)
	w.spreadStates(p)
	w.spreadPatterns(p)
	w.product = grown(w.product, p.slots*p.points)
	cols := len(w.columns)
	for k := range w.rows {
		w.explainRow(p, k, phi[k*cols:(k+1)*cols])
	}
}

// grown returns s with room for n values; their content is old.
func grown[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// bits finds for each split which rows go left and which have passed the splits above.
func (w *walk) bits(m *Model, p *treePlan) {
	w.goes, w.passed = grown(w.goes, len(p.splits)), grown(w.passed, len(p.splits))
	for i, s := range p.splits {
		n := &m.nodes[s.node]
		var goes uint64
		if values := w.columns[n.column]; n.rule&(ruleCategorical|ruleZeroMissing) == 0 {
			for k, v := range values {
				var left uint64
				if v <= n.cut { // never of a missing value
					left = 1
				}
				goes |= left << (k & 63)
			}
			if n.missingLeft() {
				goes |= w.missing[n.column]
			}
		} else {
			for k, v := range values {
				if m.goesLeft(n, v) {
					goes |= 1 << (k & 63)
				}
			}
		}
		w.goes[i] = goes
		switch {
		case s.above < 0:
			w.passed[i] = ^uint64(0)
		case s.aboveLeft:
			w.passed[i] = w.passed[s.above] & w.goes[s.above]
		default:
			w.passed[i] = w.passed[s.above] &^ w.goes[s.above]
		}
	}
}

// spread turns 8 bits into 8 bytes of 0 or 1, the lowest bit into the lowest byte.
func spread(bits uint64) uint64 {
	const ones = 0x0101010101010101
	each := (bits & 0xff) * ones & 0x8040201008040201
	return (each + 0x7f*ones) >> 7 & ones
}

func (w *walk) spreadStates(p *treePlan) {
	w.states = grown(w.states, len(p.tops)*explainRows)
	for i := range p.tops {
		to := w.states[i*explainRows:][:explainRows]
		k := p.tops[i].split
		left, failed := w.goes[k]&w.passed[k], ^w.passed[k]
		for row := 0; row < w.rows; row += 8 {
			binary.LittleEndian.PutUint64(to[row:], spread(left>>row)|spread(failed>>row)<<1)
		}
	}
}

func (w *walk) spreadPatterns(p *treePlan) {
	w.patterns = grown(w.patterns, len(p.units)*explainRows)
	for i := range p.units {
		u := &p.units[i]
		to := w.patterns[i*explainRows:][:explainRows]
		goes := w.goes[u.first : u.first+u.splits]
		for row := 0; row < w.rows; row += 8 {
			var pattern uint64
			for bit, left := range goes {
				pattern |= spread(left>>row) << bit
			}
			for bit, k := range u.outer {
				pattern |= spread(w.passed[k]>>row) << (len(goes) + bit)
			}
			binary.LittleEndian.PutUint64(to[row:], pattern)
		}
	}
}

// explainRow adds the contributions of one row.
func (w *walk) explainRow(p *treePlan, row int, phi []float64) {
	q := p.points
	product := w.product
	for k := range q {
		product[k] = 1
	}
	for i := range p.tops { // down
		s := &p.tops[i]
		table := p.tables[s.table+int(w.states[i*explainRows+row])*4*q:][:2*q]
		from := product[int(s.at)*q:][:q]
		l, r := product[int(s.left)*q:][:q], product[int(s.right)*q:][:q]
		toLeft, toRight := table[:q], table[q:][:q]
		for k, v := range from {
			l[k] = v * toLeft[k]
			r[k] = v * toRight[k]
		}
	}
	for i := range p.units {
		u := &p.units[i]
		size := u.size(q)
		table := p.tables[u.table+int(w.patterns[i*explainRows+row])*size:][:size]
		at := product[int(u.at)*q:][:q]
		for _, column := range u.columns {
			pay := table[:q]
			table = table[q:]
			paid := 0.0
			for k, v := range at {
				paid += v * pay[k]
			}
			phi[column] += paid
		}
		table = table[:q]
		for k := range at {
			at[k] *= table[k]
		}
	}
	for i := len(p.tops) - 1; i >= 0; i-- { // up
		s := &p.tops[i]
		table := p.tables[s.table+(int(w.states[i*explainRows+row])*4+2)*q:][:2*q]
		to := product[int(s.at)*q:][:q]
		l, r := product[int(s.left)*q:][:q], product[int(s.right)*q:][:q]
		fromLeft, fromRight := table[:q], table[q:][:q]
		paid := 0.0
		for k := range to {
			a, b := l[k], r[k]
			paid += a*fromLeft[k] + b*fromRight[k]
			to[k] = a + b
		}
		phi[s.column] += paid
	}
}
