package serving

import (
	"context"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"retain/features/lifecycle/kpi"
)

// kpisView is what the page of key figures shows.
type kpisView struct {
	Run       runView
	Currency  string
	Tabs      []kpiTab
	From, To  string // the first and last month
	Groups    []kpiGroup
	LeftOut   []kpiGone
	Warnings  []string
	Sliced    bool
	Unsettled bool
}

// kpiTab is one breakdown that can be looked at.
type kpiTab struct {
	Name, Address string
	Here          bool
}

// kpiGroup is one figure with a line for everyone and each slice.
type kpiGroup struct {
	Title, Formula string
	Lines          []kpiLine
}

// kpiLine is a figure over all months.
type kpiLine struct {
	Slice, Now, Range, Before string
	Of                        string
	Unsettled                 bool
	Dots                      []kpiDot
	Links                     []sparkLink
	Described                 string
}

// kpiDot is one month in a chart whose places are per cent.
type kpiDot struct {
	X, Y, Words string
	Last        bool
}

// kpiGone are figures that cannot be told, for one reason.
type kpiGone struct{ Names, Why string }

// kpisView answers GET /lifecycle/kpis.
func (s *Server) kpisView(c *gin.Context) {
	by := kpi.By(c.Query("by"))
	if by != kpi.Everyone && !slices.Contains(kpi.Breakdowns, by) {
		s.fail(c, problem(http.StatusUnprocessableEntity, "by must be stage, segment or lead_source"))
		return
	}
	run, err := s.shelf.current()
	if err != nil {
		s.pageFailure(c, err)
		return
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), kpiPagePatience)
	defer cancel()
	r, err := s.kpis.report(ctx, run, kpiQuestion{by: by})
	if err != nil {
		s.pageFailure(c, err)
		return
	}
	v := kpisView{Run: s.runView(run), Warnings: r.Warnings, Sliced: r.By != nil}
	if r.Currency != nil {
		v.Currency = *r.Currency
	}
	for _, tab := range append([]kpi.By{kpi.Everyone}, kpi.Breakdowns...) {
		name, address := "Everyone", "/lifecycle/kpis"
		if tab != kpi.Everyone {
			name, address = "By "+words(string(tab)), address+"?"+url.Values{"by": {string(tab)}}.Encode()
		}
		v.Tabs = append(v.Tabs, kpiTab{name, address, tab == by})
	}
	if n := len(r.Months); n > 0 {
		v.From, v.To = r.Months[0].Format("January 2006"), r.Months[n-1].Format("January 2006")
		v.groups(r)
	}
	v.leftOut(r)
	s.render(c, http.StatusOK, "kpis", frame{Title: "Key figures", RunID: run.run.ID, Page: v})
}

func (v *kpisView) groups(r *kpi.Report) {
	width := len(r.Months)
	for i := 0; i+width <= len(r.KPIs); i += width {
		series := r.KPIs[i : i+width]
		if i == 0 || series[0].Name != r.KPIs[i-1].Name {
			title := series[0].Name
			if k := slices.IndexFunc(r.Figures, func(d kpi.Definition) bool { return d.Name == series[0].Name }); k >= 0 {
				title = r.Figures[k].Title
			}
			v.Groups = append(v.Groups, kpiGroup{Title: title, Formula: sentence(series[0].Formula)})
		}
		group := &v.Groups[len(v.Groups)-1]
		line := kpiLineOf(series)
		v.Unsettled = v.Unsettled || line.Unsettled
		group.Lines = append(group.Lines, line)
	}
}

func kpiLineOf(series []kpi.Value) kpiLine {
	now := &series[len(series)-1]
	line := kpiLine{Slice: "everyone", Now: kpiWords(now.Unit, now.Value), Before: unknown, Unsettled: now.Provisional && now.Value != nil}
	if slice, ok := now.Slice(); ok {
		if line.Slice = words(slice); slice == "" {
			line.Slice = "not known"
			if now.Stage != nil {
				line.Slice = "in none yet"
			}
		}
	}
	if now.Low != nil && now.High != nil {
		line.Range = kpiWords(now.Unit, now.Low) + " to " + kpiWords(now.Unit, now.High)
	}
	if now.Of != nil {
		line.Of = count(int(*now.Of))
	}
	if len(series) > 1 {
		line.Before = kpiWords(now.Unit, series[len(series)-2].Value)
	}
	// The chart spans what the figure did: its least value is at the bottom, and a count or share that moves little lies flat around the middle.
	low, high := math.Inf(1), math.Inf(-1)
	for _, p := range series {
		if p.Value != nil {
			low, high = math.Min(low, *p.Value), math.Max(high, *p.Value)
		}
	}
	if middle := (low + high) / 2; high-low < .1*math.Abs(middle) {
		low, high = middle-.05*math.Abs(middle), middle+.05*math.Abs(middle)
	}
	linked := false
	for k, p := range series {
		if p.Value == nil {
			linked = false
			continue
		}
		y := 50.
		if high > low {
			y = 88 - 76*(*p.Value-low)/(high-low)
		}
		dot := kpiDot{X: cent(2 + 96*(float64(k)+.5)/float64(len(series))), Y: cent(y), Words: p.Month.UTC().Format("January 2006") + ": " + kpiWords(p.Unit, p.Value), Last: k == len(series)-1}
		if n := len(line.Dots); linked {
			line.Links = append(line.Links, sparkLink{line.Dots[n-1].X, line.Dots[n-1].Y, dot.X, dot.Y})
		}
		line.Dots, linked = append(line.Dots, dot), true
		line.Described = strings.TrimPrefix(line.Described+"; "+dot.Words, "; ")
	}
	return line
}

// kpiWords writes a figure in its unit.
func kpiWords(unit kpi.Unit, v *float64) string {
	if v == nil {
		return unknown
	}
	switch unit {
	case kpi.Count:
		return count(int(*v))
	case kpi.Share:
		return percent(v)
	case kpi.Points:
		return strings.Replace(strconv.FormatFloat(math.Round(*v)+0, 'f', 0, 64), "-", "−", 1)
	case kpi.Hours:
		return strconv.FormatFloat(*v, 'f', 1, 64) + "\u00a0h"
	}
	return strconv.FormatFloat(*v, 'f', 1, 64)
}

func (v *kpisView) leftOut(r *kpi.Report) {
	for _, l := range r.LeftOut {
		i := slices.IndexFunc(v.LeftOut, func(g kpiGone) bool { return g.Why == l.Why })
		if i < 0 {
			v.LeftOut = append(v.LeftOut, kpiGone{Why: l.Why})
			i = len(v.LeftOut) - 1
		}
		v.LeftOut[i].Names = strings.TrimPrefix(v.LeftOut[i].Names+", "+words(l.Name), ", ")
	}
}
