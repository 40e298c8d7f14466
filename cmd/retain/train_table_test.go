package main

import (
	"math"
	"strings"
	"testing"

	"retain/training"
	"retain/training/metrics"
)

// The table shows each figure over its interval, an undefined one as a dash with nothing below it.
func TestStandings(t *testing.T) {
	nan := metrics.Figure(math.NaN())
	p := metrics.PooledFigures{
		Rows: 1200, Positives: 300, Figures: metrics.Figures{AUC: nan, PRAUC: .4, LogLoss: .2, Brier: .1, ECE: .01, TopDecileLift: 3},
		AUCInterval: metrics.Interval{nan, nan}, LogLossInterval: metrics.Interval{.18, .22}, Calibration: metrics.Reliability{NoiseBand: .02},
	}
	var out strings.Builder
	printStandings(&out, []standing{{name: "boost", pooled: p, fit: 1.5, predict: .25, verdict: "chosen; calibrated"}}, "intervals: by customer")
	lines := strings.Split(out.String(), "\n")
	if len(lines) < 4 || !strings.Contains(lines[0], "1,200") || !strings.Contains(lines[0], "300 churned") {
		t.Fatalf("%q", lines)
	}
	if got := strings.Join(strings.Fields(lines[2]), " "); got != "boost – 0.4000 0.2000 0.1000 0.0100 3.00 1.5 0.250 chosen; calibrated" {
		t.Errorf("figures %q", got)
	}
	if got := strings.Join(strings.Fields(lines[3]), " "); got != "0.000–0.000 0.180–0.220 0.000–0.000 0–0.020 0.00–0.00" {
		t.Errorf("intervals %q", got)
	}
	if lines[4] != "intervals: by customer" {
		t.Errorf("last line %q", lines[4])
	}
	out.Reset()
	if printStandings(&out, nil, ""); out.Len() > 0 {
		t.Errorf("no family: %q", out.String())
	}
}

// crossval shows the means over the folds, but over the band of chance the ECE of all rows, to which the band belongs.
func TestCrossvalTable(t *testing.T) {
	pooled := metrics.PooledFigures{Figures: metrics.Figures{AUC: .8, ECE: .01}, Calibration: metrics.Reliability{NoiseBand: .02}}
	r := &training.CrossvalReport{Intervals: "intervals: by customer", Models: []training.CrossvalModel{{Name: "linear", Figures: metrics.Figures{AUC: .81, ECE: .03}, Pooled: pooled}}}
	var out strings.Builder
	printCrossval(&out, r)
	for _, want := range []string{"0.8100", "0.0100", "0–0.020", "intervals: by customer"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "0.0300") {
		t.Errorf("the ECE of a fold stands over the band of all rows: %s", out.String())
	}
}
