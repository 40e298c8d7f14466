package simulation

import "math"

// Label is the window in which the product looks for the end of service: [T+GapDays, T+GapDays+HorizonDays).
type Label struct {
	GapDays, HorizonDays int
	MinTenureDays        int // younger customers are not asked for
}

// Truth is what would become of a customer at a cutoff if nothing were done from then on, and what each action would change.
type Truth struct {
	Day     int       // the cutoff, by days from the start of the records
	Risk    float64   // probability that the service ends in the window because the customer cancelled
	Effects []float64 // per action of Actions: P(stay | taken at the cutoff) - P(stay | nothing); reused by the next call
}

// defaultFutures is the number of futures that a truth is the mean of, but in a Course that asks for another.
const defaultFutures = 128

// Truth looks from midnight of a day, which is the cutoff, into the futures of the customer that Live or Customer has put into c. It reports false for
// those whom the product would not score: not there yet or any more, cancelled already, opted out, or too young.
//
// The risk is the mean over futures of the latent state of Σ_q A_q [1 - ∏(1 - h_w)^(days/7)]: q are the paid periods that end inside the window,
// the product runs over the days from the cutoff on which cancelling means leaving at the end of q, and A_q is the probability to have
// stayed until q begins, and to have paid. The futures of all actions are the same but for the action.
func (w *World) Truth(c *Customer, day int, l Label) (Truth, bool) {
	p := &c.path
	if !p.fate().Scored(day, l) || day < 1 || day > w.options.Days || floorDiv(day-1, 7)-p.first >= len(p.weeks) {
		return Truth{}, false
	}
	o := &c.outlook
	o.look(w, p, day, l)
	o.sum = [maxArms]float64{}
	r := w.stream(p.index, forFutures, day)
	for range w.futures {
		s := o.now
		for j := range o.weeks {
			k := &o.weeks[j]
			h := math.Exp(p.logHazard(&s, k.tenure, k.season))
			for a := range o.arms {
				o.stay[a][j] = logStay(h * o.factor[a][j])
			}
			if j+1 == len(o.weeks) {
				break
			}
			shocks := k.shocks
			for range k.chances {
				if r.Float64() < shockShare {
					shocks++
				}
			}
			s.absorb(k.late+fewPoisson(r, k.noneLate), shocks)
			s.step(r)
		}
		for a := range o.arms {
			o.sum[a] += o.leaves(a)
		}
	}
	t := Truth{Day: day, Risk: o.sum[0] / float64(w.futures), Effects: o.effects[:0]}
	for a := range actions {
		t.Effects = append(t.Effects, t.Risk-o.sum[o.armOf[a]]/float64(w.futures))
	}
	o.effects = t.Effects
	return t, true
}

// Left tells whether the service of a customer whom the product would score at midnight of a day ended in the window because the customer
// cancelled; ok is false for the others, for those who left in the gap, and where the records end before the window does.
func (w *World) Left(c *Customer, day int, l Label) (left, ok bool) {
	if day+l.GapDays+l.HorizonDays > w.until {
		return false, false
	}
	return c.path.fate().Left(day, l)
}

// Fate is how far the life of a customer goes, by days from the start of the records.
type Fate struct {
	Start     int // first day of service
	Cancelled int // day on which the customer cancelled; far in the future = not
	End       int // first day without service, by cancelling or by a failed payment; likewise
	OptedOut  int // day from which on it is not to be looked at; likewise
	Failed    bool
}

// Fate is that of the customer whom Live or Customer has put into c.
func (w *World) Fate(c *Customer) Fate { return c.path.fate() }

func (p *path) fate() Fate {
	return Fate{Start: p.start, Cancelled: p.cancelled, End: p.end, OptedOut: p.optedOut, Failed: p.failed}
}

// Scored tells whether the product would score the customer at midnight of a day.
func (f Fate) Scored(day int, l Label) bool {
	return f.Start < day && f.Start <= day-l.MinTenureDays && f.Cancelled >= day && f.End >= day && f.OptedOut >= day
}

// Left is World.Left for a window that the records are known to complete.
func (f Fate) Left(day int, l Label) (left, ok bool) {
	from := day + l.GapDays
	if !f.Scored(day, l) || f.End < from {
		return false, false
	}
	return f.End < from+l.HorizonDays && !f.Failed, true
}

// maxArms are nothing and the actions.
const maxArms = 8

// outlook is what is the same in all futures of a customer at a cutoff. Its slices are reused.
type outlook struct {
	now      state
	weeks    []outlookWeek // from that of the cutoff
	segments []segment
	paid     float64 // probability that the payment of a boundary at the cutoff itself works
	failure  float64

	arms    int          // number of different arms; arm 0 is to do nothing
	armOf   [maxArms]int // action → arm
	factor  [maxArms][]float64
	stay    [maxArms][]float64 // log of the probability to stay a day, by week
	sum     [maxArms]float64
	effects []float64
}

// outlookWeek is one week from the cutoff on.
type outlookWeek struct {
	tenure, season float64
	late           int     // late replies before the cutoff
	noneLate       float64 // probability of none after it
	shocks         int     // price shocks before the cutoff
	chances        int     // anniversaries after it
}

// segment are the days of one week on which cancelling means leaving at one boundary.
type segment struct {
	week, boundary int
	days           float64
}

// look fills the outlook.
func (o *outlook) look(w *World, p *path, day int, l Label) {
	// The cutoff may be the first midnight of a week that the records, or the customer, do not reach: then the week before says where it stands.
	k0 := floorDiv(day, 7)
	until := day + l.GapDays + l.HorizonDays
	o.weeks, o.segments = o.weeks[:0], o.segments[:0]
	o.failure, o.paid = p.failure(), 1
	if p.start < day && p.boundary(day-1) == day {
		o.paid = 1 - o.failure
	}
	for k := k0; 7*k < until; k++ {
		ow := outlookWeek{tenure: float64(7*k-p.start) / 7, season: annualSeason(w.epoch + 7*k)}
		from := max(7*k, day)
		ow.noneLate = math.Exp(-p.helpRate * lateShare * float64(7*k+7-from) / 7)
		for d := from; d < 7*k+7; d++ {
			if p.boundary(d-1) == d && p.anniversary(d) {
				ow.chances++
			}
			if end := p.boundary(d); p.open(d) && end >= day+l.GapDays && end < until {
				if n := len(o.segments); n > 0 && o.segments[n-1].week == k-k0 && o.segments[n-1].boundary == end {
					o.segments[n-1].days++
				} else {
					o.segments = append(o.segments, segment{k - k0, end, 1})
				}
			}
		}
		o.weeks = append(o.weeks, ow)
	}
	if n := len(o.segments); n > 0 {
		o.weeks = o.weeks[:o.segments[n-1].week+1]
	} else {
		o.weeks = o.weeks[:0]
	}
	o.contacts(w, p, day, k0)
}

// contacts sets where the latent state stands and what contacts, those before the cutoff and the action at it, make of the hazard.
func (o *outlook) contacts(w *World, p *path, day, k0 int) {
	past := func(k *week, from int) (late, shocks int, effect, letters float64) {
		for _, t := range p.tickets {
			if t.late && t.day >= from && t.day < day {
				late++
			}
		}
		if k.shockDay < day {
			shocks = 1
		}
		effect = k.effect
		if k.contactDay < day {
			effect += k.contact
		}
		for _, c := range p.contacts {
			if c.action == newsletter && c.day >= from && c.day < day {
				letters++
			}
		}
		return late, shocks, effect, letters
	}
	var pressure, effect, letters float64
	i := k0 - p.first
	if i < len(p.weeks) {
		k := &p.weeks[i]
		o.now, pressure = k.state, k.pressure
		var late, shocks int
		late, shocks, effect, letters = past(k, 7*k0)
		if len(o.weeks) > 0 {
			o.weeks[0].late, o.weeks[0].shocks = late, shocks
		}
	} else {
		// The records end where this week begins: its state is drawn once, as good as any.
		k := &p.weeks[i-1]
		o.now = k.state
		late, shocks, e, n := past(k, 7*k0-7)
		o.now.absorb(late, shocks)
		o.now.step(w.stream(p.index, forFutures, -1))
		effect, pressure = effectKept*e, nextPressure(k.pressure, n)
	}
	m := p.modifiers(&week{state: o.now}, day)
	o.arm(0, pressure, effect, letters)
	o.arms = 1
	for a := range actions {
		o.armOf[a] = 0
		if size := w.effect(a, m); size != 0 {
			o.arm(o.arms, pressure, effect+size, letters)
			o.armOf[a] = o.arms
			o.arms++
		}
	}
}

// arm sets what multiplies the hazard in each week: the effects of contacts, and the pressure of the newsletters before the cutoff.
func (o *outlook) arm(a int, pressure, effect, letters float64) {
	o.factor[a], o.stay[a] = o.factor[a][:0], o.stay[a][:0]
	for range o.weeks {
		o.factor[a] = append(o.factor[a], math.Exp(effect+strain(pressure)))
		o.stay[a] = append(o.stay[a], 0)
		effect *= effectKept
		pressure = nextPressure(pressure, letters)
		letters = 0
	}
}

// leaves is the probability to leave within the window in one future.
func (o *outlook) leaves(arm int) (risk float64) {
	there, stay := o.paid, 0.
	for i, s := range o.segments {
		stay += s.days * o.stay[arm][s.week]
		if i+1 == len(o.segments) || o.segments[i+1].boundary != s.boundary {
			e := math.Exp(stay)
			risk += there * (1 - e)
			there *= e * (1 - o.failure)
			stay = 0
		}
	}
	return risk
}

// logStay is the log of the probability to stay a day of a week with hazard h.
func logStay(h float64) float64 {
	if h < .02 {
		return -h * (1 + h*(.5+h/3)) / 7 // the first terms of log1p: the next one is below 1e-7
	}
	return math.Log1p(-math.Min(h, maxHazard)) / 7
}
