package offpolicy

import (
	"errors"
	"fmt"
	"math"

	"retain/features"
)

// MaxActions is how many actions a log may have: they are the levels of one column of the reward model.
const MaxActions = 255

// Log is n logged choices. All slices but Actions and Strata are n long.
type Log struct {
	Actions    []string  // names of the actions, at most MaxActions
	Action     []int32   // the one taken, a place in Actions
	Reward     []float64 // finite; more is better
	Propensity []float64 // of the action taken, in [0, 1]; a row with 0 cannot be weighed, see Refusal

	// Customer names whom the choice was made for: rows of one customer are redrawn and held out together. nil: every row is someone else.
	Customer []string
	// X is what was known of the customer at the choice, raw, for the reward model; nil: it knows the action alone.
	X *features.Matrix
	// Each writes the logged propensity of every action into dst, len(Actions) long. nil: only that of the action taken is known.
	Each func(dst []float64, row int)
	// Stratum parts the log where Each is nil: an action that was never taken in a stratum has a logged propensity of 0 there. It is a place in
	// Strata; nil: one stratum.
	Stratum []int32
	Strata  []string
}

// Policy is the new policy: one of the two is set.
type Policy struct {
	// Each writes the probability of every action of the log into dst, len(Log.Actions) long, for a row of the log. They sum to 1.
	Each func(dst []float64, row int)
	// Chosen is the probability of the action that was taken, n long, where no more is known: there is no doubly robust estimate then, and
	// whether the log could have taken what the new policy takes shows in the mean weight alone.
	Chosen []float64
}

// Rows is n.
func (l *Log) Rows() int { return len(l.Action) }

// sumTolerance is by how much probabilities that were written down may miss a sum of 1, and numbers in [0, 1] their bounds.
const sumTolerance = 1e-3

// check tells what is wrong with a log and a policy.
func check(l *Log, p Policy) error {
	n := l.Rows()
	switch {
	case n < 2:
		return fmt.Errorf("off-policy evaluation: %d rows; at least 2 are needed", n)
	case len(l.Actions) == 0 || len(l.Actions) > MaxActions:
		return fmt.Errorf("off-policy evaluation: %d actions; 1 to %d can be told apart: join the rare ones", len(l.Actions), MaxActions)
	case len(l.Reward) != n || len(l.Propensity) != n:
		return fmt.Errorf("off-policy evaluation: %d rows with %d rewards and %d propensities", n, len(l.Reward), len(l.Propensity))
	case l.Customer != nil && len(l.Customer) != n, l.Stratum != nil && len(l.Stratum) != n, l.X != nil && l.X.Cols() > 0 && l.X.Rows() != n:
		return errors.New("off-policy evaluation: customers, strata or features of another number of rows")
	case (p.Each == nil) == (p.Chosen == nil):
		return errors.New("off-policy evaluation: give the new policy either as probabilities of every action or as that of the one taken")
	case p.Chosen != nil && len(p.Chosen) != n:
		return fmt.Errorf("off-policy evaluation: %d probabilities for %d rows", len(p.Chosen), n)
	}
	for i, r := range l.Reward {
		switch {
		case math.IsNaN(r) || math.IsInf(r, 0):
			return fmt.Errorf("off-policy evaluation: the reward of row %d is %v: leave rows without a reward out", i, r)
		case !(l.Propensity[i] >= 0 && l.Propensity[i] <= 1+sumTolerance):
			return fmt.Errorf("off-policy evaluation: the propensity of row %d is %v; it is a probability in (0, 1]", i, l.Propensity[i])
		case int(l.Action[i]) >= len(l.Actions) || l.Action[i] < 0:
			return fmt.Errorf("off-policy evaluation: row %d has action %d of %d", i, l.Action[i], len(l.Actions))
		}
	}
	return nil
}

// chosen is the new policy's probability of the action taken in each row. Errors: one that is not in [0, 1], or a row that does not sum to 1.
func (p Policy) chosen(l *Log) ([]float64, error) {
	q := p.Chosen
	if p.Each != nil {
		q = make([]float64, l.Rows())
		all := make([]float64, len(l.Actions))
		for i := range q {
			p.Each(all, i)
			var sum float64
			for a, v := range all {
				if !(v >= 0 && v <= 1+sumTolerance) {
					return nil, fmt.Errorf("off-policy evaluation: the new policy's probability of %s in row %d is %v", l.Actions[a], i, v)
				}
				sum += v
			}
			if !(math.Abs(sum-1) <= sumTolerance) {
				return nil, fmt.Errorf("off-policy evaluation: the new policy's probabilities in row %d sum to %v, not 1", i, sum)
			}
			q[i] = all[l.Action[i]]
		}
		return q, nil
	}
	for i, v := range q {
		if !(v >= 0 && v <= 1+sumTolerance) {
			return nil, fmt.Errorf("off-policy evaluation: the new policy's probability in row %d is %v; it lies in [0, 1]", i, v)
		}
	}
	return q, nil
}
