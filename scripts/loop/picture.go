package main

import (
	"errors"
	"fmt"
	"image/color"
	"io"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"retain/internal/atomicfile"
	"retain/simulation"
)

// Colours of the picture, told apart without colour vision too: by lightness.
var (
	inkLearned = color.RGBA{R: 0x0b, G: 0x5f, B: 0x8a, A: 0xff}
	inkPrior   = color.RGBA{R: 0xe0, G: 0x8a, B: 0x1e, A: 0xff}
	inkNull    = color.RGBA{R: 0x80, G: 0x80, B: 0x80, A: 0xff}
)

// picture draws what learning brings and what is still missed, side by side, as a PNG.
func (t *table) picture(file string) error {
	gain, miss := panel("true value: learned - fixed prior, summed up", t.runs), panel("regret a run: best possible - chosen", t.runs)
	series := func(of func(k int) interval) []interval {
		all := make([]interval, t.runs)
		for k := range all {
			all[k] = of(k + 1)
		}
		return all
	}
	summed := func(world simulation.Effects) []interval {
		return series(func(k int) interval { return t.ahead(world, learned, prior, k, trueValue) })
	}
	single := func(p policy) []interval {
		return series(func(k int) interval {
			now, before := t.totals(simulation.MixedEffects, p, k, regret), t.totals(simulation.MixedEffects, p, k-1, regret)
			for i := range now {
				now[i] -= before[i]
			}
			return over(now)
		})
	}
	err := errors.Join(
		band(gain, "actions work", summed(simulation.MixedEffects), inkLearned), band(gain, "none works (saved costs)", summed(simulation.NoEffects), inkNull),
		band(miss, "fixed prior", single(prior), inkPrior), band(miss, "learned", single(learned), inkLearned),
	)
	if err != nil {
		return fmt.Errorf("draw: %w", err)
	}
	gain.Y.Min, miss.Y.Min = min(gain.Y.Min, 0), 0
	gain.Legend.Top, gain.Legend.Left, miss.Legend.Top = true, true, false
	const width, height = 26 * vg.Centimeter, 10 * vg.Centimeter
	canvas := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(110))
	grid := plot.Align([][]*plot.Plot{{gain, miss}}, draw.Tiles{Rows: 1, Cols: 2, PadX: vg.Centimeter, PadTop: 4, PadBottom: 4, PadLeft: 4, PadRight: 8}, draw.New(canvas))
	gain.Draw(grid[0][0])
	miss.Draw(grid[0][1])
	return atomicfile.WriteFunc(file, 0o644, func(to io.Writer) error {
		_, err := vgimg.PngCanvas{Canvas: canvas}.WriteTo(to)
		return err
	})
}

// panel is an empty plot over the runs.
func panel(title string, runs int) *plot.Plot {
	p := plot.New()
	p.Title.Text = title
	p.Title.TextStyle.Font.Size = 11
	p.X.Label.Text = "run, one every 13 weeks"
	p.X.Min, p.X.Max = 1, float64(runs)
	p.Y.Tick.Marker = thousands{}
	for _, f := range []*font.Font{&p.X.Label.TextStyle.Font, &p.X.Tick.Label.Font, &p.Y.Tick.Label.Font, &p.Legend.TextStyle.Font} {
		f.Size = 9
	}
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = nil, color.Gray{Y: 0xe4}
	p.Add(grid)
	return p
}

// thousands are ticks such as 40k.
type thousands struct{}

// Ticks implements plot.Ticker.
func (thousands) Ticks(low, high float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(low, high)
	for i := range ticks {
		if ticks[i].Label != "" {
			ticks[i].Label = fmt.Sprintf("%gk", ticks[i].Value/1000)
		}
	}
	return ticks
}

// band draws means as a line and, where there are any, their intervals as a band.
func band(p *plot.Plot, name string, of []interval, ink color.RGBA) error {
	n := len(of)
	line, around := make(plotter.XYs, n), make(plotter.XYs, 2*n)
	for k, v := range of {
		x := float64(k + 1)
		line[k] = plotter.XY{X: x, Y: v.mean}
		around[k], around[2*n-1-k] = plotter.XY{X: x, Y: v.low}, plotter.XY{X: x, Y: v.high}
	}
	if of[0].low == of[0].low { // not NaN
		area, err := plotter.NewPolygon(around)
		if err != nil {
			return err
		}
		area.Color, area.Width = color.NRGBA{R: ink.R, G: ink.G, B: ink.B, A: 0x38}, 0
		p.Add(area)
	}
	l, err := plotter.NewLine(line)
	if err != nil {
		return err
	}
	l.Color, l.Width = ink, 1.6
	p.Add(l)
	p.Legend.Add(name, l)
	return nil
}
