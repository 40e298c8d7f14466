package survival

import (
	"fmt"
	"math"
)

// PeriodFigures tell how survivors did at the end of one period. Undefined figures are NaN.
type PeriodFigures struct {
	End       float64 // days
	Rows      int     // seen through the period
	Left      int     // of them, in the period
	Expected  float64 // how many were told to
	Brier     float64 // mean (still there at End - S*(End))² (Graf et al. 1999; who left is known of every row, so that no weights are needed)
	Reference float64 // the same of a life table, S(End) for everyone
}

// Measured is how survivors did on customers at cutoffs that they had not seen. Undefined figures are NaN.
type Measured struct {
	Periods             []PeriodFigures
	Integrated          float64 // Brier over the periods, weighted by their length
	IntegratedReference float64 // of the life table
	Concordance         float64 // of the risk to have left by the last period with the time to leaving
}

// Measure compares survivors, one a landmark, with what came; table is the reference. Periods that no landmark was seen through are left out.
func Measure(p Periods, survivors []Survivor, l *Landmarks, table *Table) (Measured, error) {
	if err := l.check(); err != nil {
		return Measured{}, err
	}
	if len(survivors) != l.Rows() {
		return Measured{}, fmt.Errorf("survival: %d survivors for %d landmarks", len(survivors), l.Rows())
	}
	m := Measured{Integrated: math.NaN(), IntegratedReference: math.NaN(), Concordance: math.NaN()}
	reference, length := 1., 0.
	hazards := table.Hazards()
	var brier, brierReference float64
	for j, end := range p.Ends {
		if j >= len(hazards) {
			break
		}
		reference *= 1 - hazards[j]
		f := PeriodFigures{End: end}
		for i, s := range survivors {
			if l.Seen[i] < end {
				continue
			}
			f.Rows++
			there := 1.
			if l.Exit[i] < end {
				there = 0
				if l.Exit[i] >= p.begin(j) {
					f.Left++
				}
			}
			f.Expected += s.At(p.begin(j)) - s.At(end)
			f.Brier += (there - s.At(end)) * (there - s.At(end))
			f.Reference += (there - reference) * (there - reference)
		}
		if f.Rows == 0 {
			break
		}
		f.Brier /= float64(f.Rows)
		f.Reference /= float64(f.Rows)
		m.Periods = append(m.Periods, f)
		brier += f.Brier * (end - p.begin(j))
		brierReference += f.Reference * (end - p.begin(j))
		length += end - p.begin(j)
	}
	if length == 0 {
		return m, nil
	}
	m.Integrated, m.IntegratedReference = brier/length, brierReference/length
	var lives []Life
	var risk []float64
	for i, s := range survivors {
		// The last period that this landmark and the survivors reach.
		reach := p.First(math.Min(l.Seen[i], m.Periods[len(m.Periods)-1].End)).Ends
		if len(reach) == 0 {
			continue
		}
		end := last(reach)
		lives = append(lives, Life{Exit: math.Min(l.Exit[i], end), Left: l.Exit[i] < end})
		risk = append(risk, 1-s.At(last(p.Ends)))
	}
	m.Concordance = Concordance(lives, risk)
	return m, nil
}
