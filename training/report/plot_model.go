package report

import (
	"html/template"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// familyLoss is a family's log loss with its 95 % interval.
type familyLoss struct {
	Name            string
	Loss, Low, High float64
	Chosen          bool
}

// lossPlot draws the log loss of the families with their intervals, the best first.
func lossPlot(list []familyLoss) (template.HTML, error) {
	lo, hi := math.Inf(1), math.Inf(-1)
	names := make(named, len(list))
	for k, f := range list {
		names[k] = f.Name
		for _, v := range []float64{f.Loss, f.Low, f.High} {
			if finite(v) {
				lo, hi = math.Min(lo, v), math.Max(hi, v)
			}
		}
	}
	pad := .05 * (hi - lo)
	p := newPlot("log loss, nats a customer; less is better", "")
	span(&p.X, lo-pad, hi+pad, tick)
	p.Y.Min, p.Y.Max, p.Y.Tick.Marker = -.6, float64(len(list))-.4, names
	p.Y.Tick.Length = 0
	addRules(p, &p.X)
	p.Add(marks(func(at *place) {
		for k, f := range list {
			y, c, r := float64(len(list)-1-k), soft, vg.Length(3.2)
			if f.Chosen {
				c, r = accent, 4.4
			}
			at.curve(c, 1.4, nil, point{f.Low, y}, point{f.High, y})
			at.dot(paper, r+1.2, point{f.Loss, y})
			at.dot(c, r, point{f.Loss, y})
		}
	}))
	return svg(p, 62+vg.Length(22*len(list)), "Log loss of each family with its 95 % interval")
}

// dependencePoint is one value of a feature: the mean probability and the spread of the rows about it.
type dependencePoint struct {
	Value, Mean, Low, High, Share float64
	Level                         string
}

// dependenceShape is the dependence on one feature.
type dependenceShape struct {
	Feature string
	Unit    string
	Points  []dependencePoint // rising values, or levels
	Missing *dependencePoint
	Deciles []float64 // of a number
	Top     float64   // of the probability axis, shared by the plots of a page
}

// dependencePlot draws the mean probability over the values of a number, the band of the middle 80 % of customers, and where the customers are.
func dependencePlot(d dependenceShape) (template.HTML, error) {
	label := "Partial dependence on " + d.Feature
	if len(d.Deciles) == 0 {
		return levelsPlot(d, label)
	}
	lo, hi := d.Points[0].Value, d.Points[len(d.Points)-1].Value
	if !(hi > lo) {
		lo, hi = lo-.5, hi+.5
	}
	room := hi
	aside := hi + .13*(hi-lo) // where the point without a value stands
	if d.Missing != nil {
		room = hi + .2*(hi-lo)
	}
	p := newPlot(d.Unit, "probability")
	span(&p.X, lo, hi, tick)
	p.X.Max, p.X.Tick.Marker = room, until{ticks{tick}, hi}
	span(&p.Y, 0, d.Top, percentTick)
	addRules(p, &p.Y)
	p.Add(marks(func(at *place) {
		var mean, band []point
		for _, q := range d.Points {
			mean, band = append(mean, point{q.Value, q.Mean}), append(band, point{q.Value, q.High})
		}
		for k := len(d.Points) - 1; k >= 0; k-- {
			band = append(band, point{d.Points[k].Value, d.Points[k].Low})
		}
		at.area(wash, band...)
		at.curve(accent, bold, nil, mean...)
		if len(d.Points) <= 12 {
			for _, q := range mean {
				at.dot(accent, 2.6, q)
			}
		}
		for _, v := range d.Deciles {
			if v >= lo && v <= hi {
				from := at.on(point{v, 0})
				at.canvas.StrokeLine2(draw.LineStyle{Color: soft, Width: 1}, from.X, from.Y, from.X, from.Y+6)
			}
		}
		if m := d.Missing; m != nil {
			at.curve(wash, 6, nil, point{aside, m.Low}, point{aside, m.High})
			at.dot(accent, 3.4, point{aside, m.Mean})
			at.words(soft, 10.5, draw.XCenter, point{aside, 0}, vg.Point{Y: -9}, "missing")
		}
	}))
	return svg(p, 220, label)
}

// until are the ticks below an end that is not the axis's.
type until struct {
	of  ticks
	end float64
}

// Ticks is what gonum/plot calls.
func (u until) Ticks(lo, _ float64) []plot.Tick { return u.of.Ticks(lo, u.end) }

// levelsPlot is dependencePlot of a category.
func levelsPlot(d dependenceShape, label string) (template.HTML, error) {
	list := d.Points
	names := named{}
	for _, q := range list {
		names = append(names, short(q.Level, 18)+" · "+percent(q.Share))
	}
	if d.Missing != nil {
		list = append(list[:len(list):len(list)], *d.Missing)
		names = append(names, "missing · "+percent(d.Missing.Share))
	}
	p := newPlot("probability", "")
	span(&p.X, 0, d.Top, percentTick)
	p.Y.Min, p.Y.Max, p.Y.Tick.Marker = -.6, float64(len(list))-.4, names
	p.Y.Tick.Length = 0
	addRules(p, &p.X)
	p.Add(marks(func(at *place) {
		for k, q := range list {
			y := float64(len(list) - 1 - k)
			at.curve(wash, 7, nil, point{q.Low, y}, point{q.High, y})
			at.dot(accent, 3.6, point{q.Mean, y})
		}
	}))
	return svg(p, max(130, 62+vg.Length(20*len(list))), label)
}

// scoresPlot draws the probabilities of the same customers by the champion and by the new model.
func scoresPlot(pairs []point) (template.HTML, error) {
	top := 0.
	for _, q := range pairs {
		top = math.Max(top, math.Max(q.X, q.Y))
	}
	top = math.Min(1, top*1.05)
	p := newPlot("probability by the champion", "by the new model")
	span(&p.X, 0, top, percentTick)
	span(&p.Y, 0, top, percentTick)
	addRules(p, &p.X, &p.Y)
	p.Add(marks(func(at *place) {
		at.curve(soft, thin, []vg.Length{4, 3}, point{0, 0}, point{top, top})
		for _, q := range pairs {
			at.dot(accent, 1.9, q)
		}
	}))
	return svg(p, 290, "Probabilities of the same customers by the champion and by the new model")
}
