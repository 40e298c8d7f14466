package report_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"retain/features"
	"retain/internal/warehouse"
	"retain/models"
	"retain/models/modelstest"
	"retain/training"
	"retain/training/metrics"
	"retain/training/report"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// hostile is a name as nobody should choose it.
const hostile = `<script>alert("x")</script>&'" onload=x`

var families = []string{"boost", "linear", "blend", "recency_rule", "base_rate"}

func cutoff(k int) time.Time { return time.Date(2026, time.Month(k), 1, 0, 0, 0, 0, time.UTC) }

// held are test rows of two cutoffs, with probabilities that lean towards the truth.
func held() []metrics.Held {
	var out []metrics.Held
	for k := range 2 {
		h := metrics.Held{Cutoff: cutoff(7 + k)}
		for i := range 200 {
			p := (float64(i) + .5) / 220
			y := 0.
			if (i*37+k*11)%200 < i {
				y = 1
			}
			h.Customer, h.Y = append(h.Customer, fmt.Sprint("c", i)), append(h.Y, y)
			h.P, h.Margin = append(h.P, p), append(h.Margin, math.Log(p/(1-p)))
		}
		out = append(out, h)
	}
	return out
}

// trained is the report of a training of a family, with everything in it. names are its features.
func trained(family string, names []string) training.TrainReport {
	h := held()
	terms := metrics.DefaultProfitTerms()
	r := training.TrainReport{
		Model: training.ModelName{Name: "churn", Family: family}, Verdict: []string{family + " has the lowest log loss", "it is promoted"},
		Cutoffs: []time.Time{cutoff(1), cutoff(2), cutoff(3), cutoff(4)}, Rows: 800, Positives: 300, TrainedUntil: cutoff(7), Features: names,
		Dropped: []features.Dropped{{Name: hostile, Why: "every value is missing: " + hostile}}, Calibration: models.Calibration{Kind: models.CalibrationPlatt, Slope: 1, Rows: 800, Positives: 300},
		Leaks: []training.Leak{{Feature: hostile, AUC: .9, Reason: hostile}}, Warnings: []string{"a warning of " + hostile}, Artifact: "sha256:00", Seconds: 1,
	}
	var measured []string
	for _, name := range append([]string{family}, "recency_rule", "base_rate", "golearn_forest") {
		if !slices.Contains(measured, name) {
			measured = append(measured, name)
			r.Models = append(r.Models, metrics.Pool(name, h, 1))
		}
	}
	curves := metrics.PoolAll([]metrics.Entrant{{Name: family, Held: h}}, metrics.Pooling{Seed: 1, Curves: true, Profit: &terms})[0].Pooled
	undefined := metrics.Figure(math.NaN())
	r.Segments = metrics.SegmentTable{Family: family, Small: 2, More: 1, Segments: []metrics.SegmentFigures{{Column: hostile, Level: hostile, PooledFigures: r.Models[0].Pooled}}}
	a := &training.Anatomy{Customers: 200, Explained: 200, Permuted: 200, PermutedAt: &h[1].Cutoff,
		Curves: []training.Curves{{Family: family, Reliability: curves.Bins, Gains: curves.Gains, Profit: curves.Profit}}}
	for _, t := range r.Cutoffs {
		a.Cutoffs = append(a.Cutoffs, training.CutoffRows{Cutoff: t, Rows: 200, Positives: 75})
	}
	for j, name := range names {
		w := training.Worth{Feature: name, Contribution: metrics.Figure(1 / float64(1+j)), Share: metrics.Figure(.5 / float64(1+j)), Trend: .9, Rise: .01, RiseInterval: metrics.Interval{-.01, .03}}
		if family == "base_rate" || family == "recency_rule" && j > 0 {
			w.Contribution, w.Share, w.Trend = 0, 0, undefined
		}
		if family == "base_rate" {
			w.Share = undefined
		}
		a.Features = append(a.Features, w)
		if w.Contribution > 0 {
			a.Dependence = append(a.Dependence, dependence(name, j))
		}
	}
	a.Change = &training.Change{
		Champion: training.ModelName{Name: "churn", Version: 2, Family: hostile}, Added: []string{hostile}, Removed: []string{hostile}, Moves: []training.Move{{Feature: hostile, Champion: .1, New: .2}},
		Rows: 3, Correlation: .9, TopTenth: .8, MeanChampion: .3, MeanNew: .31, Bands: [3][3]int{{1}, {0, 1}, {0, 0, 1}}, Pairs: [][2]metrics.Figure{{.1, .2}, {.3, .2}},
		Gain: .01, GainInterval: metrics.Interval{.001, .02}, Note: "a note of " + hostile,
	}
	r.Anatomy = a
	return r
}

// dependence is one on a number where j is even, else on a category.
func dependence(name string, j int) training.Dependence {
	undefined := metrics.Figure(math.NaN())
	d := training.Dependence{Feature: name, Missing: &training.DependencePoint{Value: undefined, Share: .1, Probability: .3, Low: .1, High: .5}}
	for k := range 5 {
		p := training.DependencePoint{Value: metrics.Figure(k), Share: undefined, Probability: metrics.Figure(.1 + .1*float64(k)), Low: .05, High: .7}
		if j%2 == 1 {
			p.Value, p.Level, p.Share = undefined, hostile, .2
		}
		d.Points = append(d.Points, p)
	}
	if j%2 == 0 {
		for k := range 11 {
			d.Deciles = append(d.Deciles, metrics.Figure(4*float64(k)/10))
		}
	}
	return d
}

// registered is a model of a family as the registry would hold it.
func registered(t *testing.T, family string) report.Registered {
	t.Helper()
	d := modelstest.Data(1, 300)
	d.X.Schema = slices.Clone(d.X.Schema)
	d.X.Schema[1].Name = hostile
	m, err := models.BaseRate{}.Fit(context.Background(), d, nil) // the report does not decode the model
	if err != nil {
		t.Fatal(err)
	}
	blob, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range d.X.Schema {
		names = append(names, c.Name)
	}
	artifact := &models.Artifact{
		Kind: "churn", Name: "churn", Family: family, Churn: features.DefaultChurn(), Schema: d.X.Schema, Fingerprint: d.X.Schema.Fingerprint(),
		Calibration: models.Calibration{Kind: models.CalibrationPlatt, Slope: 1, Rows: 800, Positives: 300}, Bands: models.Bands{High: .7, Medium: .4}, Medians: models.Medians(d.X),
		TrainedUntil: cutoff(7), Rows: 800, Positives: 300, Seed: 1, Model: blob,
	}
	bytes, err := artifact.Encode()
	if err != nil {
		t.Fatal(err)
	}
	told, err := json.Marshal(trained(family, names))
	if err != nil {
		t.Fatal(err)
	}
	row := warehouse.ModelRow{Artifact: models.Address(bytes), Kind: "churn", Name: "churn", Version: 3, Family: family, CreatedAt: cutoff(9), Report: string(told), Blob: bytes}
	return report.Registered{
		Row: row, Champion: true, Currency: "EUR",
		History: []warehouse.AliasRow{
			{Artifact: row.Artifact, Name: "churn", At: cutoff(9), Action: warehouse.ActionForced, Who: hostile, Why: "by hand"},
			{Artifact: "sha256:11", Name: "churn", At: cutoff(8), Who: "somebody else"},
		},
	}
}

func written(t *testing.T, r report.Registered) string {
	t.Helper()
	d, err := report.New(r)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := report.Write(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// each visits the elements of a page.
func each(t *testing.T, page string, visit func(n *html.Node)) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			visit(n)
		}
	}
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func text(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// TestStandsByItself: no script, nothing from elsewhere, and hostile names are text.
func TestStandsByItself(t *testing.T) {
	for _, family := range families {
		t.Run(family, func(t *testing.T) {
			page := written(t, registered(t, family))
			each(t, page, func(n *html.Node) {
				switch n.Data {
				case "script", "link", "iframe", "object", "embed", "img", "image", "use", "base", "form", "foreignobject":
					t.Errorf("there is an element %s", n.Data)
				}
				for _, a := range n.Attr {
					switch {
					case strings.HasPrefix(a.Key, "on"):
						t.Errorf("%s has a handler %s", n.Data, a.Key)
					case a.Key == "href" && !strings.HasPrefix(a.Val, "#"):
						t.Errorf("%s leads to %s", n.Data, a.Val)
					case a.Key == "src" || a.Key == "srcset" || a.Key == "xlink:href" || a.Key == "action":
						t.Errorf("%s has %s=%s", n.Data, a.Key, a.Val)
					case a.Key == "style" && strings.Contains(a.Val, "url("):
						t.Errorf("%s has style %s", n.Data, a.Val)
					case a.Key == "style" && strings.Contains(a.Val, "#"):
						t.Errorf("%s is drawn in a colour that is not the page's: %s", n.Data, a.Val)
					}
				}
			})
			for _, part := range []string{"http:", "https:", "url(", "@import", "NaN", "<nil>", "ZgotmplZ", "%!"} {
				if strings.Contains(page, part) {
					t.Errorf("the page holds %q", part)
				}
			}
			if family != "base_rate" && !strings.Contains(page, "&lt;script&gt;alert(&#34;x&#34;)") {
				t.Error("the hostile name is not shown")
			}
		})
	}
}

// TestStructure holds the sections, their figures and tables against a golden list, for every family.
func TestStructure(t *testing.T) {
	var b strings.Builder
	for _, family := range families {
		fmt.Fprintf(&b, "%s\n", family)
		each(t, written(t, registered(t, family)), func(n *html.Node) {
			switch {
			case n.Data == "section":
				fmt.Fprintf(&b, "  #%s\n", attribute(n, "id"))
				if len(text(n)) < 60 {
					t.Errorf("%s: section %s says nothing: %q", family, attribute(n, "id"), text(n))
				}
			case n.Data == "h3" || n.Data == "summary":
				fmt.Fprintf(&b, "    %s\n", text(n))
			case n.Data == "svg" && attribute(n, "class") == "plot":
				fmt.Fprintf(&b, "      plot: %s\n", attribute(n, "aria-label"))
			case n.Data == "p" && attribute(n, "class") == "nothing":
				fmt.Fprintf(&b, "    nothing: %s\n", text(n))
			}
		})
	}
	path := filepath.Join("testdata", "structure.txt")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Errorf("run with -update and read the difference (-want +got):\n%s", d)
	}
}

// TestFiguresAreTold: the card says what the training says.
func TestFiguresAreTold(t *testing.T) {
	r := registered(t, "boost")
	d, err := report.New(r)
	if err != nil {
		t.Fatal(err)
	}
	if d.Model.Version != 3 || !d.Champion || !d.Training.Promoted || len(d.Promotions) != 1 {
		t.Errorf("%+v, %d promotions", d.Model, len(d.Promotions))
	}
	page := written(t, r)
	own := d.Training.Models[0].Pooled
	for _, want := range []string{fmt.Sprintf("%.3f", float64(own.AUC)), fmt.Sprintf("%.4f", float64(own.LogLoss)), "by force, against the gate", "no activity (purchases) within the 90 days", "EUR"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not tell %q", want)
		}
	}
	verdict := strings.Join(report.Verdict(d), "\n")
	for _, want := range []string{"2 later cutoffs only", "may know the outcome", "recency rule"} {
		if !strings.Contains(verdict, want) {
			t.Errorf("the verdict does not say %q:\n%s", want, verdict)
		}
	}
}

// TestWithoutAnatomy: a model of an earlier program has a report, too, whose sections say what is lacking.
func TestWithoutAnatomy(t *testing.T) {
	r := registered(t, "linear")
	var told training.TrainReport
	if err := json.Unmarshal([]byte(r.Row.Report), &told); err != nil {
		t.Fatal(err)
	}
	told.Anatomy, told.Segments = nil, metrics.SegmentTable{}
	for _, lacking := range []string{"anatomy", "models"} {
		if lacking == "models" {
			told.Models = nil
		}
		blob, err := json.Marshal(told)
		if err != nil {
			t.Fatal(err)
		}
		r.Row.Report = string(blob)
		page := written(t, r)
		if !strings.Contains(page, "Train again to see it") {
			t.Errorf("without %s: no word of what is lacking", lacking)
		}
	}
	r.Row.Report = ""
	if _, err := report.New(r); err == nil || !strings.Contains(err.Error(), "train again") {
		t.Errorf("without a report: %v", err)
	}
	r.Row.Report = "{"
	if _, err := report.New(r); err == nil || !strings.Contains(err.Error(), "churn v3") {
		t.Errorf("with half a report: %v", err)
	}
}

func TestSamePageTwice(t *testing.T) {
	r := registered(t, "blend")
	if a, b := written(t, r), written(t, r); a != b {
		t.Error("the same document gives another page")
	}
}
