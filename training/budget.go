package training

import (
	"fmt"
	"math"
	"sync/atomic"
	"time"
)

const (
	// defaultBudget is train.time_budget where none is given.
	defaultBudget = 10 * time.Minute
	// cellsPerSecond is how many cells (rows × columns) of a training set a second of the budget pays for, for each choice to try.
	cellsPerSecond = 1_000_000
	// tunedRarer is the number of rows of the rarer class from which choices are tried at all: with fewer, the out-of-fold log loss tells noise apart.
	tunedRarer = 2000
)

// budget is the time that tuning and measuring may take. How many choices are tried follows from its length and the size of the rows, so that the
// same rows and seed give the same model on a fast machine and a slow one; the clock only stops what takes longer than foreseen, and that is told. A
// nil budget never ends and tries one choice.
type budget struct {
	length time.Duration
	end    time.Time
	now    func() time.Time
	hit    atomic.Bool
}

func newBudget(length time.Duration, now func() time.Time) *budget {
	return &budget{length: length, end: now().Add(length), now: now}
}

// spent says whether the budget is used up; once it is, it stays so.
func (b *budget) spent() bool {
	if b == nil {
		return false
	}
	if !b.now().Before(b.end) {
		b.hit.Store(true)
	}
	return b.hit.Load()
}

// wasHit says whether anything found the budget used up.
func (b *budget) wasHit() bool { return b != nil && b.hit.Load() }

// choices is how many of so many choices of a family are tried on a training set, the first of them. With m rows of the rarer class:
//
//	1                                                          if m < tunedRarer
//	clamp(⌊seconds · cellsPerSecond / (rows · columns)⌋, 1, most)   else
//
// So ten minutes try a dozen choices on up to 50 million cells (800,000 rows of 60 columns), and the choice by size alone from 300 million.
func (b *budget) choices(s Shape, most int) int {
	if b == nil || min(s.Positives, s.Rows-s.Positives) < tunedRarer {
		return 1
	}
	n := math.Floor(b.length.Seconds() * cellsPerSecond / (float64(s.Rows) * float64(max(1, s.Columns))))
	return int(min(max(n, 1), float64(most)))
}

// warnings tell that the budget was used up.
func (b *budget) warnings() []string {
	if !b.wasHit() {
		return nil
	}
	return []string{fmt.Sprintf("the time budget of %v ran out before all was tried, so that another run may give another model: raise train.time_budget, or train on fewer cutoffs", b.length)}
}
