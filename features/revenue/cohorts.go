package revenue

import (
	"time"

	"retain/features"
)

// Cohort is the customers who began in a month, and what became of them month by month.
type Cohort struct {
	Month     time.Time
	Customers int
	MRR       int64 // at their begins, in ten-thousandths
	Cells     []Flow
}

// Cohorts sorts payers by the month of their first paid period. Cell k of a cohort is who is there, and pays what, at the end of the k-th
// month after that of the begin, so that cell 0 is the end of the month of the begin itself.
type Cohorts struct {
	levels  *levels
	cohorts []Cohort
}

// NewCohorts are those of the months between bounds, of Months; periods are joined over gaps of at most the grace.
func NewCohorts(bounds []time.Time, grace time.Duration) *Cohorts {
	c := &Cohorts{levels: newLevels(inMilliseconds(bounds), grace.Milliseconds())}
	for k := 0; k+1 < len(bounds); k++ {
		c.cohorts = append(c.cohorts, Cohort{Month: bounds[k], Cells: make([]Flow, len(bounds)-1-k)})
	}
	return c
}

// Add adds a payer, once. One who begins outside the months is left out.
func (c *Cohorts) Add(p features.Payer) {
	c.levels.read(p)
	k := place(c.levels.bounds, c.levels.first) - 1
	if k < 0 || k >= len(c.cohorts) {
		return
	}
	cohort := &c.cohorts[k]
	cohort.Customers++
	cohort.MRR += c.levels.starting
	for age := range cohort.Cells {
		if c.levels.there[k+1+age] {
			cohort.Cells[age].add(c.levels.mrr[k+1+age])
		}
	}
}

// List is the cohorts, oldest first, those without customers too.
func (c *Cohorts) List() []Cohort { return c.cohorts }
