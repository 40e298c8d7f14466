package survival

import (
	"errors"
	"fmt"
	"math"
)

// Life is one customer's time under observation, in days of tenure: (Entry, Exit].
type Life struct {
	Entry float64 // tenure when the records begin to tell of the customer, at least 0
	Exit  float64 // tenure when it left or was last seen, above Entry
	Left  bool    // it left; false = it was still there at Exit
}

// LifeError is a life that cannot be.
type LifeError struct {
	Row    int // place among the lives, from 0
	Reason string
}

func (e *LifeError) Error() string { return fmt.Sprintf("survival: life %d: %s", e.Row+1, e.Reason) }

// ErrTooFew is returned when fewer than the needed customers are ever observed at one tenure.
var ErrTooFew = errors.New("survival: too few customers at risk")

// checkLives returns a *LifeError for the first life that cannot be.
func checkLives(lives []Life) error {
	for i, l := range lives {
		switch {
		case !(l.Entry >= 0) || math.IsInf(l.Entry, 0):
			return &LifeError{i, fmt.Sprintf("entry %v is no tenure of 0 or more", l.Entry)}
		case !(l.Exit > l.Entry) || math.IsInf(l.Exit, 0):
			return &LifeError{i, fmt.Sprintf("exit %v does not lie after entry %v", l.Exit, l.Entry)}
		}
	}
	return nil
}
