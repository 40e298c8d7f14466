package report

import (
	"bytes"
	"fmt"
	"html/template"
	"image/color"
	"math"
	"regexp"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Plots are drawn at about the width of a phone, so that their text keeps its size there, and stand beside each other on wider pages.
const (
	plotWidth = vg.Length(360)
	textSize  = vg.Length(11.5)
)

// The colours of plots are names of the page's: each is drawn in a colour that stands for it and takes its place in the SVG, so that
// one drawing suits light, dark and paper.
var (
	ink    = color.NRGBA{R: 0x11, A: 0xff}
	soft   = color.NRGBA{R: 0x22, A: 0xff}
	line   = color.NRGBA{R: 0x33, A: 0xff}
	accent = color.NRGBA{R: 0x44, A: 0xff}
	high   = color.NRGBA{R: 0x55, A: 0xff}
	low    = color.NRGBA{R: 0x66, A: 0xff}
	wash   = color.NRGBA{R: 0x77, A: 0xff}
	paper  = color.NRGBA{R: 0x88, A: 0xff}
)

var colourNames = map[color.NRGBA]string{
	ink: "currentColor", soft: "var(--soft)", line: "var(--line)", accent: "var(--accent)", high: "var(--high)", low: "var(--low-fill)",
	wash: "var(--wash)", paper: "var(--card)",
}

var (
	inlined    = strings.NewReplacer(colourPairs()...)
	fontOf     = regexp.MustCompile(`font-family:[^;"]*;font-variant:[^;"]*;font-weight:normal;font-style:[^;"]*;`)
	rootOfSVG  = regexp.MustCompile(`(?s)^.*?<svg[^>]*>`)
	smallGap   = vg.Length(4)
	thin, bold = vg.Length(.8), vg.Length(1.8)
)

// colourPairs are the colours as vgsvg writes them, each before its name on the page.
func colourPairs() []string {
	var pairs []string
	for c, name := range colourNames {
		r, g, b, a := c.RGBA()
		scale := 255 / float64(a)
		pairs = append(pairs, fmt.Sprintf("#%02X%02X%02X", int(float64(r)*scale), int(float64(g)*scale), int(float64(b)*scale)), name)
	}
	return pairs
}

// marks is a plotter that draws by a function of data coordinates.
type marks func(at *place)

// Plot is what gonum/plot calls.
func (m marks) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	m(&place{canvas: c, x: x, y: y})
}

// place is a canvas in data coordinates. Points with an undefined coordinate are left out.
type place struct {
	canvas draw.Canvas
	x, y   func(float64) vg.Length
}

type point struct{ X, Y float64 }

func (p point) defined() bool { return finite(p.X) && finite(p.Y) }

func (at *place) on(p point) vg.Point { return vg.Point{X: at.x(p.X), Y: at.y(p.Y)} }

func (at *place) curve(c color.Color, width vg.Length, dashes []vg.Length, points ...point) {
	var run []vg.Point
	flush := func() {
		if len(run) > 1 {
			at.canvas.StrokeLines(draw.LineStyle{Color: c, Width: width, Dashes: dashes}, run)
		}
		run = nil
	}
	for _, p := range points {
		if !p.defined() {
			flush()
			continue
		}
		run = append(run, at.on(p))
	}
	flush()
}

// area fills the polygon of the points.
func (at *place) area(c color.Color, points ...point) {
	var polygon []vg.Point
	for _, p := range points {
		if p.defined() {
			polygon = append(polygon, at.on(p))
		}
	}
	if len(polygon) > 2 {
		at.canvas.FillPolygon(c, polygon)
	}
}

func (at *place) dot(c color.Color, radius vg.Length, p point) {
	if !p.defined() {
		return
	}
	at.canvas.SetColor(c)
	var path vg.Path
	path.Move(at.on(p).Add(vg.Point{X: radius}))
	path.Arc(at.on(p), radius, 0, 2*math.Pi)
	path.Close()
	at.canvas.Fill(path)
}

// box fills the rectangle between two corners.
func (at *place) box(c color.Color, a, b point) {
	at.area(c, a, point{b.X, a.Y}, b, point{a.X, b.Y})
}

// words writes text at a point, shifted by so many points of paper.
func (at *place) words(c color.Color, size vg.Length, align draw.XAlignment, p point, shift vg.Point, s string) {
	if !p.defined() {
		return
	}
	style := plainText(size, c)
	style.XAlign, style.YAlign = align, draw.YCenter
	at.canvas.FillText(style, at.on(p).Add(shift), s)
}

func plainText(size vg.Length, c color.Color) text.Style {
	return text.Style{Color: c, Font: font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}, Handler: plot.DefaultTextHandler}
}

// newPlot is an empty plot in the page's style with the given axis titles.
func newPlot(x, y string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		own := plainText(textSize, soft)
		own.XAlign, own.YAlign = axis.Label.TextStyle.XAlign, axis.Label.TextStyle.YAlign
		axis.Label.TextStyle = own
		axis.Label.Padding = smallGap
		tick := plainText(textSize, soft)
		tick.XAlign, tick.YAlign = axis.Tick.Label.XAlign, axis.Tick.Label.YAlign
		axis.Tick.Label = tick
		axis.Tick.LineStyle = draw.LineStyle{Color: line, Width: thin}
		axis.Tick.Length = 4
		axis.LineStyle = draw.LineStyle{Color: line, Width: thin}
		axis.Padding = 0
	}
	p.X.Label.Text, p.Y.Label.Text = x, y
	return p
}

// span fixes an axis and its ticks; format writes a tick.
func span(a *plot.Axis, lo, hi float64, format func(float64) string) {
	if !(hi > lo) {
		lo, hi = lo-.5, lo+.5
	}
	a.Min, a.Max = lo, hi
	a.Tick.Marker = ticks{format: format}
}

// ticks are four to six round values.
type ticks struct{ format func(float64) string }

// Ticks is what gonum/plot calls.
func (t ticks) Ticks(lo, hi float64) []plot.Tick {
	step := roundStep((hi - lo) / 4)
	var out []plot.Tick
	for k := math.Ceil(lo/step - 1e-9); k*step <= hi+step*1e-9; k++ {
		v := k * step
		if math.Abs(v) < step*1e-9 {
			v = 0
		}
		out = append(out, plot.Tick{Value: v, Label: t.format(v)})
	}
	return out
}

// roundStep is the nearest 1, 2 or 5 times a power of ten.
func roundStep(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	switch m := v / power; {
	case m < 1.5:
		return power
	case m < 3.5:
		return 2 * power
	case m < 7.5:
		return 5 * power
	default:
		return 10 * power
	}
}

// addRules adds lines at the ticks of the given axes of p, under what is added later.
func addRules(p *plot.Plot, axes ...*plot.Axis) {
	p.Add(marks(func(at *place) {
		for _, a := range axes {
			for _, t := range a.Tick.Marker.Ticks(a.Min, a.Max) {
				from, to := point{p.X.Min, t.Value}, point{p.X.Max, t.Value}
				if a == &p.X {
					from, to = point{t.Value, p.Y.Min}, point{t.Value, p.Y.Max}
				}
				at.curve(line, thin, nil, from, to)
			}
		}
	}))
}

// svg draws a plot for the page: it scales with the column it stands in, and its colours are the page's. label tells it to those who do not see it.
func svg(p *plot.Plot, height vg.Length, label string) (template.HTML, error) {
	canvas := vgsvg.New(plotWidth, height)
	p.Draw(draw.Crop(draw.New(canvas), 1, -6, 1, -5))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return "", fmt.Errorf("draw %s: %w", label, err)
	}
	body := rootOfSVG.ReplaceAllString(b.String(), "")
	body = inlined.Replace(fontOf.ReplaceAllString(body, ""))
	root := fmt.Sprintf(`<svg class="plot" role="img" aria-label="%s" viewBox="0 0 %g %g">`, template.HTMLEscapeString(label), plotWidth.Points(), height.Points())
	return template.HTML(root + body), nil //nolint:gosec // vgsvg escapes text, and the label is escaped here
}

// ordinals are ticks at 1 to n.
type ordinals int

// Ticks is what gonum/plot calls.
func (n ordinals) Ticks(float64, float64) []plot.Tick {
	out := make([]plot.Tick, n)
	for k := range out {
		out[k] = plot.Tick{Value: float64(k + 1), Label: fmt.Sprint(k + 1)}
	}
	return out
}

// named are ticks with a name each, from the top of a vertical axis down: the first at n-1.
type named []string

// Ticks is what gonum/plot calls.
func (n named) Ticks(float64, float64) []plot.Tick {
	out := make([]plot.Tick, len(n))
	for k, name := range n {
		out[k] = plot.Tick{Value: float64(len(n) - 1 - k), Label: name}
	}
	return out
}

// short cuts a name that would take the plot's room.
func short(name string, most int) string {
	runes := []rune(name)
	if len(runes) <= most {
		return name
	}
	return string(runes[:most-1]) + "…"
}
