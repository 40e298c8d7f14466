package survival

import "math"

// Table is a life table: the same hazards for everyone.
type Table struct {
	Periods Periods
	AtRisk  []int // landmarks known to be there at the begin of each period, and what became of them in it
	Left    []int // of them
}

// NewTable counts. Periods that no landmark was seen through are left out.
func NewTable(p Periods, l *Landmarks) (*Table, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	t := &Table{}
	for j := range p.Ends {
		n, d := 0, 0
		for i := range l.Exit {
			if atRisk, left := l.fate(p, i, j); atRisk {
				n++
				if left {
					d++
				}
			}
		}
		if n == 0 {
			break
		}
		t.AtRisk, t.Left = append(t.AtRisk, n), append(t.Left, d)
	}
	t.Periods = Periods{Ends: p.Ends[:len(t.AtRisk)], Silent: p.Silent}
	return t, nil
}

// Hazards are left / at risk of each period, in [0, 1].
func (t *Table) Hazards() []float64 {
	h := make([]float64, len(t.AtRisk))
	for j := range h {
		h[j] = float64(t.Left[j]) / float64(t.AtRisk[j])
	}
	return h
}

// Churn is everyone's probability, in [0, 1), to leave within a horizon of so many days; NaN unless it lies within the periods.
func (t *Table) Churn(horizon float64) float64 {
	if !(horizon > 0) {
		return math.NaN()
	}
	return -math.Expm1(baseline(t.Periods, t.Hazards()).logAt(horizon))
}
