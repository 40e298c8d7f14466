package main

import (
	"bytes"
	"fmt"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"retain/pipelines"
)

// chartColours are told apart by people who see no red or no green (Okabe & Ito 2008).
var chartColours = []color.NRGBA{
	{0, 114, 178, 255}, {230, 159, 0, 255}, {0, 158, 115, 255}, {204, 121, 167, 255}, {213, 94, 0, 255}, {86, 180, 233, 255}, {110, 110, 110, 255},
}

// maxChartCurves is how many groups can be told apart.
const maxChartCurves = 7

// tenureChart draws the curves as an SVG: the groups, or everyone with the interval where there are none.
func tenureChart(r *pipelines.TenureReport) ([]byte, error) {
	p := plot.New()
	p.Title.Text = "Customers still there, by tenure"
	p.X.Label.Text = "days since the begin"
	p.Y.Label.Text = "share still there"
	p.Y.Min, p.Y.Max, p.X.Min = 0, 1, 0
	p.Legend.Top = true
	p.Add(plotter.NewGrid())
	curves := r.Curves[1:]
	if len(curves) == 0 {
		curves = r.Curves
	}
	drawn := 0
	for _, c := range curves {
		if c.Curve == nil || drawn == maxChartCurves {
			continue
		}
		steps := plotter.XYs{{X: c.Curve.From, Y: 1}}
		low, high := plotter.XYs{}, plotter.XYs{}
		for _, s := range c.Curve.Steps {
			at := c.Curve.At(s.Time)
			steps = append(steps, plotter.XY{X: s.Time, Y: at.Survival})
			if at.Low == at.Low { // defined
				low, high = append(low, plotter.XY{X: s.Time, Y: at.Low}), append(high, plotter.XY{X: s.Time, Y: at.High})
			}
		}
		steps = append(steps, plotter.XY{X: c.Curve.Until, Y: steps[len(steps)-1].Y})
		if len(curves) == 1 && len(low) > 1 {
			for i := len(high) - 1; i >= 0; i-- {
				low = append(low, high[i])
			}
			band, err := plotter.NewPolygon(low)
			if err != nil {
				return nil, err
			}
			band.Color, band.Width = color.NRGBA{0, 114, 178, 40}, 0
			p.Add(band)
		}
		line, err := plotter.NewLine(steps)
		if err != nil {
			return nil, err
		}
		line.StepStyle, line.Width, line.Color = plotter.PostStep, vg.Points(1.5), chartColours[drawn]
		p.Add(line)
		name := c.Group
		if name == "" {
			name = "everyone"
		}
		p.Legend.Add(fmt.Sprintf("%s (%d)", printable(name), c.Customers), line)
		drawn++
	}
	canvas, err := p.WriterTo(18*vg.Centimeter, 11*vg.Centimeter, "svg")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
