package survival

import (
	"fmt"
	"math"
	"time"

	"retain/features"
)

// Landmarks are customers at cutoffs and when they left after them.
type Landmarks struct {
	X        *features.Matrix // n×p encoded features as known at the cutoff; nil for a life table
	Customer []string         // n
	Cutoff   []time.Time      // n
	Exit     []float64        // n: days from the begin of the label window to leaving, at least 0; +Inf = not seen to leave
	Seen     []float64        // n: for how many days it is known who left, the same for all rows of a cutoff
}

// Rows is n.
func (l *Landmarks) Rows() int { return len(l.Exit) }

// check names what is wrong with the lengths and times.
func (l *Landmarks) check() error {
	n := len(l.Exit)
	if len(l.Seen) != n || len(l.Customer) != n || len(l.Cutoff) != n || (l.X != nil && l.X.Rows() != n) {
		return fmt.Errorf("survival: %d exits, %d times seen, %d customers, %d cutoffs", n, len(l.Seen), len(l.Customer), len(l.Cutoff))
	}
	for i, t := range l.Exit {
		if !(t >= 0) || !(l.Seen[i] >= 0) || math.IsInf(l.Seen[i], 0) {
			return fmt.Errorf("survival: landmark %d: exit %v, seen for %v", i+1, t, l.Seen[i])
		}
	}
	return nil
}

// Take returns the landmarks of the given indices, in their order.
func (l *Landmarks) Take(rows []int) *Landmarks {
	out := &Landmarks{}
	if l.X != nil {
		out.X = l.X.Take(rows)
	}
	for _, i := range rows {
		out.Customer, out.Cutoff = append(out.Customer, l.Customer[i]), append(out.Cutoff, l.Cutoff[i])
		out.Exit, out.Seen = append(out.Exit, l.Exit[i]), append(out.Seen, l.Seen[i])
	}
	return out
}

// fate tells of row i in period j: whether it is known to have been there at its begin and what became of it, and whether it left.
func (l *Landmarks) fate(p Periods, i, j int) (atRisk, left bool) {
	if l.Seen[i] < p.Ends[j] || l.Exit[i] < p.begin(j) {
		return false, false
	}
	return true, l.Exit[i] < p.Ends[j]
}
