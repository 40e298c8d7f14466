// Package itt estimates what assigning actions does, from logged decisions and a held-out control: by intention to treat, whether or not
// anybody was reached, accepted or stayed long enough for more.
package itt

import (
	"math"

	"retain/training/metrics"
)

// Trial is one customer of one quarter, at the first decision of the quarter that could give him anything which the control group does not
// get. Before it nobody of the quarter was treated, so that who is in it does not depend on treatment.
type Trial struct {
	Held   bool    // in the control group of the quarter
	Share  float64 // of customers who are held out, in (0, 1): the probability of Held
	Chosen bool    // the action was assigned; never to those who are held out
	P      float64 // the probability with which the policy assigns the action, over the draw of the control group too; 0 = it was not possible
	Y      float64 // the label: 1 = churned, 0 = stayed
}

// Effect is what an action does to the probability of staying, for customers like those to whom it was assigned.
type Effect struct {
	Trials      int            // with P > 0
	Assigned    int            // of them: got the action
	Control     int            // of them: held out
	ControlSize float64        // effective size of the control, (Σw)²/Σw²: its weights are P/Share
	Stay        metrics.Figure // share of the assigned who stayed
	ControlStay metrics.Figure // of the control, weighted to be like them
	Effect      metrics.Figure // Stay - ControlStay
	SE          metrics.Figure // at this look
	Low, High   metrics.Figure // of the confidence sequence; undefined below the fewest per arm
}

// Estimate compares the assigned with the control, in which a customer counts as often as the policy would have assigned the action to him
// for each one held out: w = P/Share. Both sides then stand for the same customers, those to whom the policy gives the action, and the
// ratio of sums (Hájek) is consistent because Held and the draw are random with known probabilities. The interval is that of the
// linearised ratios under s.
func Estimate(trials []Trial, s Sequence) Effect {
	s = s.defaults()
	var e Effect
	var n1, y1, w0, ww0, y0 float64
	for _, t := range trials {
		if !(t.P > 0) {
			continue
		}
		e.Trials++
		switch {
		case t.Held:
			w := t.P / t.Share
			e.Control++
			w0, ww0, y0 = w0+w, ww0+w*w, y0+w*t.Y
		case t.Chosen:
			e.Assigned++
			n1, y1 = n1+1, y1+t.Y
		}
	}
	nan := metrics.Figure(math.NaN())
	e.Stay, e.ControlStay, e.Effect, e.SE, e.Low, e.High = nan, nan, nan, nan, nan, nan
	if n1 > 0 {
		e.Stay = metrics.Figure(1 - y1/n1)
	}
	if w0 > 0 {
		e.ControlStay, e.ControlSize = metrics.Figure(1-y0/w0), w0*w0/ww0
	}
	if n1 == 0 || w0 == 0 {
		return e
	}
	e.Effect = e.Stay - e.ControlStay
	var square float64 // Σ of the squared terms of the linearised difference
	for _, t := range trials {
		var term float64
		switch {
		case !(t.P > 0):
		case t.Held:
			term = t.P / t.Share * (t.Y - y0/w0) / w0
		case t.Chosen:
			term = (t.Y - y1/n1) / n1
		}
		square += term * term
	}
	e.SE = metrics.Figure(math.Sqrt(square))
	if e.Assigned < s.FewestArm || e.ControlSize < float64(s.FewestArm) || square == 0 {
		return e
	}
	n := float64(e.Trials)
	r := metrics.Figure(s.Radius(n, math.Sqrt(square*n)))
	e.Low, e.High = max(-1, e.Effect-r), min(1, e.Effect+r)
	return e
}
