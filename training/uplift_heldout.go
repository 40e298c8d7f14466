package training

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"retain/models/uplift"
	"retain/training/metrics"
)

// upliftStream names the randomness of uplift learners: "uplift".
const upliftStream = 0x75706c696674

// heldOutUplift are a learner's estimates, each by a model that has not seen the customer.
type heldOutUplift struct {
	trainer uplift.Trainer
	seeds   []*uplift.HeldOut // per fold seed; the first tells of pairs of folds, too
	seconds float64           // of the fits that count, those without one fold
}

// learnersHeldOut have no estimate yet.
func learnersHeldOut(trainers []uplift.Trainer) []*heldOutUplift {
	out := make([]*heldOutUplift, len(trainers))
	for k, t := range trainers {
		out[k] = &heldOutUplift{trainer: t}
	}
	return out
}

// upliftSplits are what is left out in turn: each fold and, of the first fold seed, pairs of folds. What these tell of the interval holds for the means over
// all seeds, so that it costs at most two fits a fold.
func upliftSplits(folds int, first bool) []uplift.Split {
	out := uplift.Singles(folds)
	if first {
		out = append(out, uplift.Pairs(folds)...)
	}
	return out
}

// splitWords tell which folds a split leaves out, counted from 1.
func splitWords(s uplift.Split, folds int) string {
	if s.Single() {
		return fmt.Sprintf("fold %d of %d", s.Folds[0]+1, folds)
	}
	return fmt.Sprintf("without folds %d and %d of %d", s.Folds[0]+1, s.Folds[1]+1, folds)
}

// begin begins a fold seed.
func (l *heldOutUplift) begin(fold []int) { l.seeds = append(l.seeds, uplift.NewHeldOut(fold)) }

// fit fits the learner on the training rows and estimates the rest, whose places are held.
func (l *heldOutUplift) fit(ctx context.Context, s uplift.Split, train, rest *uplift.Rows, held []int, seed uint64) error {
	begin := time.Now()
	err := l.seeds[len(l.seeds)-1].Fit(ctx, l.trainer, s, train, rest, held, rand.New(rand.NewPCG(seed, upliftStream)))
	if s.Single() {
		l.seconds += time.Since(begin).Seconds()
	}
	return err
}

// order is the order of the effects of a fold seed: ranks within folds.
func (l *heldOutUplift) order(seed int) []float64 {
	return metrics.WithinFolds(l.seeds[seed].Estimates.Effect, l.seeds[seed].Fold)
}

// qini is that of the order of the effects of the first fold seed.
func (l *heldOutUplift) qini(trial metrics.Trial) float64 { return trial.Rank(l.order(0)).Qini() }

// measure measures the orders of what score takes of the estimates.
func (l *heldOutUplift) measure(b *metrics.Bootstrap, trial metrics.Trial, score func(*uplift.Estimates) []float64, shares []float64) metrics.QiniFigures {
	var orders []metrics.FoldOrder
	for _, h := range l.seeds {
		orders = append(orders, metrics.FoldOrder{Fold: h.Fold, Score: score(h.Estimates)})
	}
	var pairs []metrics.FoldPair
	for _, p := range l.seeds[0].Pairs {
		own := metrics.FoldPair{Folds: p.Folds, Rows: p.Rows}
		if p.Estimates != nil {
			own.Score = score(p.Estimates)
		}
		pairs = append(pairs, own)
	}
	return b.CrossFitted(trial, orders, pairs, shares)
}

// byEffect puts those first for whom the action does most.
func byEffect(e *uplift.Estimates) []float64 { return e.Effect }

// byOutcome puts those first who are least likely to have the wanted outcome by themselves.
func byOutcome(e *uplift.Estimates) []float64 {
	out := make([]float64, len(e.Control))
	for i, p := range e.Control {
		out[i] = -p
	}
	return out
}
