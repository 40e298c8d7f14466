package main

import (
	"math"
	"strings"
	"testing"

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
	printStandings(&out, []standing{{name: "boost", pooled: p, fit: 1.5, predict: .25, verdict: "chosen; calibrated"}})
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
	out.Reset()
	if printStandings(&out, nil); out.Len() > 0 {
		t.Errorf("no family: %q", out.String())
	}
}
