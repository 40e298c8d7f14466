package report

import (
	"html/template"
	"math"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
)

// foldLine is one origin of the tournament: models learned at the train cutoffs were measured at the test cutoff.
type foldLine struct {
	Test  time.Time
	Train []time.Time
}

// foldsPlot draws each fold as a line of time: dots are the cutoffs learned from, bars the time in which their labels and that of the test came true.
func foldsPlot(folds []foldLine, gap, horizon int) (template.HTML, error) {
	lo, hi := math.Inf(1), math.Inf(-1)
	names := make(named, len(folds))
	for k, f := range folds {
		names[k] = f.Test.UTC().Format("2 Jan 2006")
		for _, t := range append([]time.Time{f.Test}, f.Train...) {
			lo, hi = math.Min(lo, days(t)), math.Max(hi, days(t)+float64(gap+horizon))
		}
	}
	p := newPlot("", "")
	pad := .03 * (hi - lo)
	p.X.Min, p.X.Max, p.X.Tick.Marker = lo-pad, hi+pad, months{}
	p.Y.Min, p.Y.Max, p.Y.Tick.Marker = -.6, float64(len(folds))-.4, names
	p.Y.Tick.Length = 0
	addRules(p, &p.X)
	p.Add(marks(func(at *place) {
		for k, f := range folds {
			y := float64(len(folds) - 1 - k)
			bar := func(t time.Time) (a, b point) {
				return point{days(t) + float64(gap), y + .13}, point{days(t) + float64(gap+horizon), y - .13}
			}
			if n := len(f.Train); n > 0 {
				a, _ := bar(f.Train[0])
				_, b := bar(f.Train[n-1])
				at.box(wash, a, b)
			}
			a, b := bar(f.Test)
			at.box(accent, a, b)
			for _, t := range f.Train {
				at.dot(soft, 2.6, point{days(t), y})
			}
			at.dot(paper, 5.4, point{days(f.Test), y})
			at.dot(accent, 4.2, point{days(f.Test), y})
		}
	}))
	return svg(p, 62+vg.Length(30*len(folds)), "Folds: the cutoffs learned from and the later cutoff that each model was measured at")
}

// cutoffShare is the share that left at one training cutoff.
type cutoffShare struct {
	Cutoff time.Time
	Share  float64
	Rows   int
}

// baseRatePlot draws the share that left at each training cutoff.
func baseRatePlot(list []cutoffShare) (template.HTML, error) {
	top := 0.
	for _, c := range list {
		top = math.Max(top, c.Share)
	}
	p := newPlot("cutoff", "share that left")
	lo, hi := days(list[0].Cutoff), days(list[len(list)-1].Cutoff)
	pad := math.Max(10, .04*(hi-lo))
	p.X.Min, p.X.Max, p.X.Tick.Marker = lo-pad, hi+pad, months{}
	span(&p.Y, 0, math.Min(1, top*1.15), percentTick)
	addRules(p, &p.Y)
	p.Add(marks(func(at *place) {
		var points []point
		for _, c := range list {
			half := 1.96 * math.Sqrt(c.Share*(1-c.Share)/float64(max(1, c.Rows)))
			x := days(c.Cutoff)
			at.curve(accent, 1, nil, point{x, math.Max(0, c.Share-half)}, point{x, math.Min(p.Y.Max, c.Share+half)})
			points = append(points, point{x, c.Share})
		}
		at.curve(accent, 1, nil, points...)
		for _, q := range points {
			at.dot(accent, 3, q)
		}
	}))
	return svg(p, 210, "The share that left at each training cutoff")
}

func days(t time.Time) float64 { return float64(t.Unix()) / 86400 }

// months are ticks of time: years, quarters, months or days, as many as fit.
type months struct{}

// Ticks is what gonum/plot calls.
func (months) Ticks(lo, hi float64) []plot.Tick {
	const most = 5
	from, until := time.Unix(int64(lo*86400), 0).UTC(), time.Unix(int64(hi*86400), 0).UTC()
	if hi-lo < 75 {
		step := max(1, int(math.Ceil((hi-lo)/most/7))) * 7
		var out []plot.Tick
		for t := from.Truncate(24 * time.Hour); !t.After(until); t = t.AddDate(0, 0, step) {
			out = append(out, plot.Tick{Value: days(t), Label: t.Format("2 Jan")})
		}
		return out
	}
	for _, step := range []int{1, 2, 3, 6, 12, 24, 60, 120, 600} {
		var out []plot.Tick
		for t := time.Date(from.Year(), 1, 1, 0, 0, 0, 0, time.UTC); !t.After(until); t = t.AddDate(0, step, 0) {
			if t.Before(from) {
				continue
			}
			label := t.Format("Jan 06")
			if step >= 12 {
				label = t.Format("2006")
			}
			out = append(out, plot.Tick{Value: days(t), Label: label})
		}
		if len(out) <= most {
			return out
		}
	}
	return nil
}
