package lead

import (
	"retain/internal/interval"
)

// Class is what is known of a grade: who has it now, and how many of those who had it earlier bought.
type Class struct {
	Grade     string   `json:"grade"`
	From      int      `json:"from"`       // least score
	Leads     int      `json:"leads"`      // at the cutoff
	Measured  int      `json:"measured"`   // leads of earlier starts of windows whose window is over; a lead counts in each
	Converted int      `json:"converted"`  // of them
	Rate      *float64 `json:"conversion"` // null without a measured lead
	Low       *float64 `json:"low"`        // 95 %, Wilson's
	High      *float64 `json:"high"`
}

// Tally counts conversions by grade.
type Tally struct {
	points    *Points
	measured  []int
	converted []int
}

// NewTally begins to count.
func NewTally(p *Points) *Tally {
	return &Tally{points: p, measured: make([]int, len(p.Grades)), converted: make([]int, len(p.Grades))}
}

// Add counts a lead of an earlier start whose window is over. The windows of one lead must not overlap: that a lead has not bought in one of
// them then says nothing false of the next.
func (t *Tally) Add(score int, converted bool) {
	g := t.points.Grade(score)
	t.measured[g]++
	if converted {
		t.converted[g]++
	}
}

// Classes are the grades, best first, with the leads of today by place in Grades.
func (t *Tally) Classes(now []int) []Class {
	out := make([]Class, len(t.points.Grades))
	for g, grade := range t.points.Grades {
		c := Class{Grade: grade.Name, From: grade.From, Leads: now[g], Measured: t.measured[g], Converted: t.converted[g]}
		if n := float64(c.Measured); n > 0 {
			rate := float64(c.Converted) / n
			low, high := interval.Wilson(rate, n)
			c.Rate, c.Low, c.High = &rate, &low, &high
		}
		out[g] = c
	}
	return out
}

// Misweighted names the pairs of grades that lie the wrong way round beyond chance: the worse one's interval lies above the better one's.
func Misweighted(classes []Class) (pairs [][2]string) {
	for i, better := range classes {
		for _, worse := range classes[i+1:] {
			if better.High != nil && worse.Low != nil && *worse.Low > *better.High {
				pairs = append(pairs, [2]string{better.Grade, worse.Grade})
			}
		}
	}
	return pairs
}
