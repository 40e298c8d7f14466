package boost

import (
	"math"

	"retain/features"
)

// stopper watches the log loss of validation rows. Without any it never stops.
type stopper struct {
	valid    *features.Dataset
	stage    *stage
	patience int
	seen     int     // trees in the stage
	loss     float64 // with all of them
	best     float64
	at       int // trees at the best loss
}

// newStopper is a stopper that has seen the trees of m.
func newStopper(m *Model, valid *features.Dataset, patience int) *stopper {
	s := &stopper{valid: valid, patience: patience, loss: math.NaN()}
	if valid == nil {
		return s
	}
	s.stage = newStage(m.base, valid.X)
	s.loss = meanLoss(s.stage.margin, valid)
	s.best = s.loss
	s.see(m)
	return s
}

// see adds the trees of m that are new.
func (s *stopper) see(m *Model) {
	if s.valid == nil {
		return
	}
	for ; s.seen < m.Trees(); s.seen++ {
		s.stage.add(m, s.seen)
		s.loss = meanLoss(s.stage.margin, s.valid)
		if s.loss < s.best {
			s.best, s.at = s.loss, s.seen+1
		}
	}
}

func (s *stopper) stop() bool { return s.valid != nil && s.seen-s.at >= s.patience }

// lossOf is the log loss of one row: log(1 + exp(-m)) if y is 1, log(1 + exp(m)) if it is 0.
func lossOf(margin, y float64) float64 {
	if y == 1 {
		margin = -margin
	}
	if margin > 0 {
		return margin + math.Log1p(math.Exp(-margin))
	}
	return math.Log1p(math.Exp(margin))
}

// meanLoss is the weighted mean of the log loss.
func meanLoss(margin []float64, d *features.Dataset) float64 {
	sum, weight := 0.0, 0.0
	for i, m := range margin {
		w := 1.0
		if d.Weight != nil {
			w = d.Weight[i]
		}
		sum += w * lossOf(m, d.Y[i])
		weight += w
	}
	return sum / weight
}
