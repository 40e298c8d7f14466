package report

import (
	"html/template"
	"image/color"
	"math"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// calibrationBin is one bin of the reliability plot: the mean probability, the share that left, and the 95 % interval of that.
type calibrationBin struct{ Expected, Observed, Low, High float64 }

// reliabilityPlot draws observed shares against mean probabilities; on the diagonal they agree.
func reliabilityPlot(bins []calibrationBin) (template.HTML, error) {
	top := 0.
	for _, b := range bins {
		top = math.Max(top, math.Max(b.Expected, math.Max(b.Observed, b.High)))
	}
	top = math.Min(1, top*1.04)
	p := newPlot("probability that was given, mean of the bin", "share that left")
	span(&p.X, 0, top, percentTick)
	span(&p.Y, 0, top, percentTick)
	addRules(p, &p.X, &p.Y)
	p.Add(marks(func(at *place) {
		at.curve(soft, thin, []vg.Length{4, 3}, point{0, 0}, point{top, top})
		var through []point
		for _, b := range bins {
			at.curve(accent, 1.2, nil, point{b.Expected, b.Low}, point{b.Expected, math.Min(b.High, top)})
			through = append(through, point{b.Expected, b.Observed})
		}
		at.curve(accent, 1, nil, through...)
		for _, b := range bins {
			at.dot(paper, 4.6, point{b.Expected, b.Observed})
			at.dot(accent, 3.4, point{b.Expected, b.Observed})
		}
	}))
	return svg(p, 290, "Reliability: the share that left against the probability that was given, in bins of equal mass")
}

// gainsPlot draws the share of those who left that is among the first customers of the ranking.
func gainsPlot(own, rule []point, base float64) (template.HTML, error) {
	p := newPlot("share of customers, those at most risk first", "share of those who left")
	span(&p.X, 0, 1, percentTick)
	span(&p.Y, 0, 1, percentTick)
	addRules(p, &p.X, &p.Y)
	p.Add(marks(func(at *place) {
		at.curve(soft, thin, []vg.Length{4, 3}, point{0, 0}, point{1, 1})
		at.curve(soft, thin, []vg.Length{1.5, 2.5}, point{0, 0}, point{base, 1}, point{1, 1})
		at.curve(soft, 1.2, nil, rule...)
		at.curve(accent, bold, nil, own...)
		y := vg.Length(60)
		for _, k := range []legendLine{
			{"this model", accent, bold, nil, len(own) > 0}, {"recency rule", soft, 1.2, nil, len(rule) > 0},
			{"perfect", soft, thin, []vg.Length{1.5, 2.5}, true}, {"at random", soft, thin, []vg.Length{4, 3}, true},
		} {
			if k.there {
				k.draw(at, at.on(point{1, 0}).Add(vg.Point{X: -96, Y: y}))
				y -= 16
			}
		}
	}))
	return svg(p, 270, "Gains: the share of those who left that is found among the customers ranked first")
}

// legendLine is a line of a plot's key.
type legendLine struct {
	name   string
	colour color.Color
	width  vg.Length
	dashes []vg.Length
	there  bool
}

func (l legendLine) draw(at *place, from vg.Point) {
	at.canvas.StrokeLine2(draw.LineStyle{Color: l.colour, Width: l.width, Dashes: l.dashes}, from.X, from.Y, from.X+19, from.Y)
	style := plainText(textSize, soft)
	style.YAlign = draw.YCenter
	at.canvas.FillText(style, from.Add(vg.Point{X: 24}), l.name)
}

// liftPlot draws the share that left in each tenth of the ranking as multiples of the mean.
func liftPlot(tenths []float64) (template.HTML, error) {
	top := 1.2
	for _, v := range tenths {
		if finite(v) {
			top = math.Max(top, v*1.12)
		}
	}
	p := newPlot("tenth of customers, those at most risk first", "times the mean share")
	p.X.Min, p.X.Max = .4, float64(len(tenths))+.6
	p.X.Tick.Marker = ordinals(len(tenths))
	span(&p.Y, 0, top, tick)
	addRules(p, &p.Y)
	p.Add(marks(func(at *place) {
		for k, v := range tenths {
			if !finite(v) {
				continue
			}
			c := accent
			if v < 1 {
				c = soft
			}
			at.box(c, point{float64(k) + .66, 0}, point{float64(k) + 1.34, v})
			at.words(ink, 10.5, draw.XCenter, point{float64(k + 1), v}, vg.Point{Y: 8}, decimal(v, 1))
		}
		at.curve(soft, thin, []vg.Length{4, 3}, point{p.X.Min, 1}, point{p.X.Max, 1})
	}))
	return svg(p, 270, "Lift: the share that left in each tenth of the ranking, as a multiple of the mean: "+strings.Join(decimals(tenths, 1), ", "))
}

func decimals(list []float64, n int) []string {
	out := make([]string, len(list))
	for k, v := range list {
		out[k] = decimal(v, n)
	}
	return out
}

// profitPlot draws what a campaign earns by how many customers it turns to, and its best.
func profitPlot(points []point, best point, currency string) (template.HTML, error) {
	lo, hi := 0., 0.
	for _, q := range points {
		if q.defined() {
			lo, hi = math.Min(lo, q.Y), math.Max(hi, q.Y)
		}
	}
	pad := .1 * (hi - lo)
	label := "profit"
	if currency != "" {
		label += ", " + currency
	}
	p := newPlot("share of customers contacted, those at most risk first", label)
	span(&p.X, 0, 1, percentTick)
	span(&p.Y, lo-pad/2, hi+pad, tick)
	addRules(p, &p.X, &p.Y)
	p.Add(marks(func(at *place) {
		at.curve(soft, thin, nil, point{0, 0}, point{1, 0})
		at.curve(accent, bold, nil, points...)
		if best.defined() && best.X > 0 {
			at.curve(low, 1.2, []vg.Length{3, 3}, point{best.X, p.Y.Min}, best)
			at.dot(paper, 5.2, best)
			at.dot(low, 4, best)
			align, shift := draw.XLeft, vg.Length(9)
			if best.X > .55 {
				align, shift = draw.XRight, -9
			}
			at.words(ink, textSize, align, best, vg.Point{X: shift, Y: 9}, "best at "+percent(best.X))
		}
	}))
	return svg(p, 270, "Profit of a campaign by the share of customers contacted")
}
