package survival

import (
	"math"
	"sort"

	"retain/internal/interval"
)

// KaplanMeier estimates how many customers are left by tenure.
type KaplanMeier struct {
	MinAtRisk int // the curve begins at the first tenure where so many are at risk; 0 means 10
}

const defaultMinAtRisk = 10

// Step is the estimate from one tenure with leavers on, until the next.
type Step struct {
	Time     float64
	AtRisk   int     // entry < Time ≤ exit
	Left     int     // of them
	Survival float64 // in [0, 1]
	variance float64 // Σ left / (at risk (at risk - left)): Greenwood's variance of ln S
}

// Curve is S(t) = P(tenure > t | tenure > From), from From to Until.
type Curve struct {
	Customers int
	Left      int     // of them, all that were seen to leave
	From      float64 // the tenure at which it begins; 0 without left truncation
	Until     float64 // the greatest tenure at which somebody was observed without a gap from From; there is no curve beyond
	Steps     []Step  // in rising order of Time, From < Time ≤ Until
	risk      riskSets
}

// Fit estimates the curve. Greenwood's variance stands behind its intervals. The errors are *LifeError, and ErrTooFew when
// MinAtRisk are never at risk together. The order of the lives does not matter.
func (k KaplanMeier) Fit(lives []Life) (*Curve, error) {
	if err := checkLives(lives); err != nil {
		return nil, err
	}
	least := k.MinAtRisk
	if least <= 0 {
		least = defaultMinAtRisk
	}
	c := &Curve{Customers: len(lives), risk: newRiskSets(lives)}
	var ok bool
	if c.From, ok = c.risk.first(least); !ok {
		return nil, ErrTooFew
	}
	c.Until = c.risk.gap(c.From)
	survival, variance := 1.0, 0.0
	for i := 0; i < len(c.risk.left); {
		t, d := c.risk.left[i], 0
		for ; i < len(c.risk.left) && c.risk.left[i] == t; i++ {
			d++
		}
		c.Left += d
		if t <= c.From || t > c.Until {
			continue
		}
		n := c.risk.at(t)
		survival *= 1 - float64(d)/float64(n)
		variance += float64(d) / (float64(n) * float64(n-d)) // +Inf when all leave
		c.Steps = append(c.Steps, Step{Time: t, AtRisk: n, Left: d, Survival: survival, variance: variance})
	}
	return c, nil
}

// Point is the estimate at one tenure.
type Point struct {
	Time      float64
	AtRisk    int     // of whom it is still to be seen what comes after Time: entry ≤ Time < exit
	Survival  float64 // in [0, 1]; NaN outside [From, Until]
	Low, High float64 // 95 % interval in [0, 1]; NaN where it is not defined (S = 0)
}

// At is the estimate at tenure t, with the interval S^exp(±z·se(ln(-ln S))) that stays within [0, 1] (Kalbfleisch & Prentice 2002, §1.4).
func (c *Curve) At(t float64) Point {
	p := Point{Time: t, AtRisk: c.risk.after(t), Survival: math.NaN(), Low: math.NaN(), High: math.NaN()}
	if t < c.From || t > c.Until {
		return p
	}
	i := sort.Search(len(c.Steps), func(i int) bool { return c.Steps[i].Time > t })
	if i == 0 {
		p.Survival, p.Low, p.High = 1, 1, 1
		return p
	}
	s := c.Steps[i-1]
	p.Survival = s.Survival
	p.Low, p.High = s.interval()
	return p
}

func (s Step) interval() (low, high float64) {
	if s.Survival <= 0 || s.Survival >= 1 {
		return math.NaN(), math.NaN()
	}
	spread := interval.Z95 * math.Sqrt(s.variance) / -math.Log(s.Survival)
	return math.Pow(s.Survival, math.Exp(spread)), math.Pow(s.Survival, math.Exp(-spread))
}

// Median is the tenure by which half of the customers of From have left, with its 95 % interval, the tenures where the bounds of the
// curve reach one half (Brookmeyer & Crowley 1982). What the curve does not reach is NaN. A curve that lies at exactly
// one half for a while has its median in the middle of that.
func (c *Curve) Median() (median, low, high float64) {
	reach := func(of func(Step) float64) float64 {
		for i, s := range c.Steps {
			switch v := of(s); {
			case math.Abs(v-.5) < 1e-9 && i+1 < len(c.Steps):
				return (s.Time + c.Steps[i+1].Time) / 2
			case v <= .5+1e-9:
				return s.Time
			}
		}
		return math.NaN()
	}
	median = reach(func(s Step) float64 { return s.Survival })
	low = reach(func(s Step) float64 { l, _ := s.interval(); return l })
	high = reach(func(s Step) float64 { _, h := s.interval(); return h })
	return median, low, high
}

// Mean is the mean tenure between From and until, the area under the curve, with its standard error (Klein & Moeschberger 2003,
// §4.5). NaN beyond Until and before From.
func (c *Curve) Mean(until float64) (mean, standardError float64) {
	if !(until >= c.From && until <= c.Until) {
		return math.NaN(), math.NaN()
	}
	steps := c.Steps[:sort.Search(len(c.Steps), func(i int) bool { return c.Steps[i].Time >= until })]
	var variance float64
	end := until
	for i := len(steps) - 1; i >= 0; i-- { // mean is the area right of the step
		s := steps[i]
		mean += s.Survival * (end - s.Time)
		if s.AtRisk > s.Left {
			variance += mean * mean * float64(s.Left) / (float64(s.AtRisk) * float64(s.AtRisk-s.Left))
		}
		end = s.Time
	}
	return mean + end - c.From, math.Sqrt(variance)
}
