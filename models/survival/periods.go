package survival

// PeriodDays is the length of the periods of the hazards.
const PeriodDays = 30

// Periods part the time after a cutoff, counted in days from the begin of the label window: period j is [Ends[j-1], Ends[j]), the first [0, Ends[0]).
type Periods struct {
	Ends []float64 // rising, above 0
	// Silent says that a customer leaves by being silent for Ends[0] days: nobody can be seen to leave before the last instant of the first
	// period, and whoever leaves in it does so at its end.
	Silent bool
}

// maxPeriods bounds the time ahead to ten years.
const maxPeriods = 122

// NewPeriods are the periods of 30 days that end by reach, in days; silent is the days of silence that mean leaving, which are the first
// period, or 0 where leaving is an event. There may be none.
func NewPeriods(reach float64, silent int) Periods {
	p := Periods{Silent: silent > 0}
	end := float64(PeriodDays)
	if p.Silent {
		end = float64(silent)
	}
	for ; end <= reach && len(p.Ends) < maxPeriods; end += PeriodDays {
		p.Ends = append(p.Ends, end)
	}
	return p
}

// First are the periods that end by reach.
func (p Periods) First(reach float64) Periods {
	n := 0
	for n < len(p.Ends) && p.Ends[n] <= reach {
		n++
	}
	return Periods{Ends: p.Ends[:n], Silent: p.Silent}
}

// begin is when period j begins.
func (p Periods) begin(j int) float64 {
	if j == 0 {
		return 0
	}
	return p.Ends[j-1]
}
