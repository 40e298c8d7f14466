package lifecycle

import (
	"fmt"
	"slices"
	"time"
)

// MaxPoints bounds the instants of a path: 24 month starts and the run in force.
const MaxPoints = 25

// Path is the way of a customer through the points of Paths: 1 + the place of its stage in Set.All; 0 = it did not exist, or is gone without trace.
type Path [MaxPoints]uint8

// Paths counts the customers on each path.
type Paths struct {
	Points []time.Time // ascending: month starts; the last may be any instant
	Count  map[Path]int
}

// monthly tells whether points k and k+1 are neighbouring month starts.
func (p *Paths) monthly(k int) bool {
	return p.Points[k].Equal(MonthOf(p.Points[k])) && p.Points[k].AddDate(0, 1, 0).Equal(p.Points[k+1])
}

// MonthOf is the start of an instant's month, 00:00 UTC on the 1st.
func MonthOf(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// MonthsBefore lists the starts of the last n months before an instant, oldest first; the instant itself is not among them.
func MonthsBefore(t time.Time, n int) []time.Time {
	first := MonthOf(t)
	if first.Equal(t) {
		first = first.AddDate(0, -1, 0)
	}
	months := make([]time.Time, n)
	for k := range months {
		months[n-1-k] = first.AddDate(0, -k, 0)
	}
	return months
}

// Board is the answer of `retain lifecycle` (decisions.md §1).
type Board struct {
	Preset      string       `json:"preset"`  // name of the rule set
	Version     string       `json:"version"` // hash of what it computes
	RunID       string       `json:"run_id"`
	Cutoff      time.Time    `json:"cutoff"` // of the run: stages are as of then
	From        time.Time    `json:"from"`   // of the history, a month start
	To          time.Time    `json:"to"`     // its last point
	Stored      bool         `json:"stored"` // with the run; else computed for this answer
	Stages      []StageCount `json:"stages"`
	Transitions []Transition `json:"transitions"`
	Months      []Month      `json:"months"`
	KPIs        any          `json:"kpis"`
}

// StageCount is one stage of a board.
type StageCount struct {
	Name       string   `json:"name"`
	Title      string   `json:"title"`
	Customers  int      `json:"customers"`   // in it at To
	Entered    int      `json:"entered"`     // times that a customer came into it after From, as seen at the points
	MedianDays *float64 `json:"median_days"` // days in it until it is left: Kaplan–Meier over the stays whose beginning was seen; null when fewer than half ended
	Conversion *float64 `json:"conversion"`  // share of those in it at a month start who stood further along a month later; null for exits and the last stage
	FellBack   *float64 `json:"fell_back"`   // share who stood in an earlier one; null for exits and the first stage
	DropOff    *float64 `json:"drop_off"`    // share who had left; null for exits
}

// Transition counts customers from one month start to the next, over all months of the board.
type Transition struct {
	From      string  `json:"from"`
	To        string  `json:"to"` // the same stage for those who stayed
	Customers int     `json:"customers"`
	Share     float64 `json:"share"` // of those in From at a month start
}

// Month is the number of customers per stage at one point, in the order of the stages.
type Month struct {
	At        time.Time `json:"at"`
	Customers []int     `json:"customers"`
}

// Board tells the paths of a rule set's customers. Errors: a path names a place that the set has not.
func (s *Set) Board(p *Paths) (*Board, error) {
	all, journey := s.All(), len(s.Stages)
	n := len(all)
	b := &Board{Preset: s.Name, Stages: make([]StageCount, n), Transitions: []Transition{}, Months: make([]Month, len(p.Points))}
	if len(p.Points) == 0 || len(p.Points) > MaxPoints {
		return nil, fmt.Errorf("lifecycle: %d points; want 1 to %d", len(p.Points), MaxPoints)
	}
	last := len(p.Points) - 1
	b.From, b.To = p.Points[0], p.Points[last]
	for k, at := range p.Points {
		b.Months[k] = Month{At: at, Customers: make([]int, n)}
	}
	moves := make([][]int, n)
	stays := make([]stays, n)
	for i := range moves {
		moves[i] = make([]int, n)
	}
	for path, count := range p.Count {
		for k := range p.Points {
			at := int(path[k]) - 1
			if at >= n {
				return nil, fmt.Errorf("lifecycle: a path has place %d of %d", at, n)
			}
			if at < 0 {
				continue
			}
			b.Months[k].Customers[at] += count
			if k > 0 && path[k-1] != path[k] {
				b.Stages[at].Entered += count
			}
			if k < last && path[k+1] > 0 && p.monthly(k) && int(path[k+1]) <= n {
				moves[at][path[k+1]-1] += count
			}
		}
		for k := 1; k <= last; k++ { // what stands at the first point began before it
			if path[k] > 0 && path[k] != path[k-1] {
				end := k + 1
				for end <= last && path[end] == path[k] {
					end++
				}
				left := end <= last && path[end] > 0
				seen := p.Points[min(end, last)]
				if end <= last && path[end] == 0 {
					seen = p.Points[end-1]
				}
				stays[path[k]-1].add(seen.Sub(p.Points[k]).Hours()/24, left, count)
			}
		}
	}
	for i, stage := range all {
		c := &b.Stages[i]
		c.Name, c.Title, c.Customers, c.MedianDays = stage.Name, stage.Title, b.Months[last].Customers[i], stays[i].median()
		b.flow(c, moves[i], place{i, journey}, all)
	}
	return b, nil
}

// place is a stage's place, and how many stages the journey has.
type place struct{ at, journey int }

// flow adds the transitions out of a stage, and how many moved on, fell back or were lost.
func (b *Board) flow(c *StageCount, moves []int, p place, all []Stage) {
	total := 0
	for _, n := range moves {
		total += n
	}
	if total == 0 {
		return
	}
	var on, back, off int
	for to, n := range moves {
		if n > 0 {
			b.Transitions = append(b.Transitions, Transition{From: c.Name, To: all[to].Name, Customers: n, Share: float64(n) / float64(total)})
		}
		switch {
		case to > p.at && to < p.journey:
			on += n
		case to < p.at:
			back += n
		case all[to].Name == Churned:
			off += n
		}
	}
	if p.at >= p.journey {
		return
	}
	c.DropOff = new(float64(off) / float64(total))
	if p.at > 0 {
		c.FellBack = new(float64(back) / float64(total))
	}
	if p.at < p.journey-1 {
		c.Conversion = new(float64(on) / float64(total))
	}
}

// stays are lengths of stays in a stage, in days.
type stays []stay

type stay struct {
	days  float64
	left  bool // else it goes on at the end
	count int
}

func (s *stays) add(days float64, left bool, count int) {
	if days > 0 {
		*s = append(*s, stay{days, left, count})
	}
}

// half is a half with room for the rounding of a product of shares.
const half = .5 + 1e-12

// median is the least length by which half have left, by Kaplan & Meier (1958); nil when fewer have.
func (s stays) median() *float64 {
	slices.SortFunc(s, func(a, b stay) int {
		switch {
		case a.days < b.days:
			return -1
		case a.days > b.days:
			return 1
		}
		return 0
	})
	atRisk := 0
	for _, x := range s {
		atRisk += x.count
	}
	staying := 1.0
	for i := 0; i < len(s); {
		j, left, gone := i, 0, 0
		for ; j < len(s) && s[j].days == s[i].days; j++ {
			gone += s[j].count
			if s[j].left {
				left += s[j].count
			}
		}
		staying *= 1 - float64(left)/float64(atRisk)
		if staying <= half {
			return &s[i].days
		}
		atRisk -= gone
		i = j
	}
	return nil
}
