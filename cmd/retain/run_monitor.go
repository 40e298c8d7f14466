package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"

	"retain/pipelines"
)

// printedDrifts is how many features the terminal shows: those that drifted, else the most important ones. The report in JSON has all.
const printedDrifts = 15

// printMonitor tells the findings of the monitor, and then the features.
func printMonitor(w io.Writer, report json.RawMessage) {
	var m pipelines.MonitorReport
	if json.Unmarshal(report, &m) != nil {
		return
	}
	table(w, func(line func(string, ...any)) {
		for _, c := range m.Checks {
			line("%s\t%s\t%s", c.Status, c.Name, c.Message)
		}
	})
	var drifted, same []pipelines.FeatureDrift
	for _, d := range m.Features {
		if d.Drifted {
			drifted = append(drifted, d)
		} else {
			same = append(same, d)
		}
	}
	if len(m.Features) == 0 {
		return
	}
	shown := slices.Concat(drifted, same)
	shown = shown[:min(len(shown), max(printedDrifts, len(drifted)))]
	fmt.Fprintln(w)
	table(w, func(line func(string, ...any)) {
		line("feature\timportance\tPSI\tdrift beyond\tmissing\tverdict")
		for _, d := range shown {
			line("%s\t%s\t%s\t%s\t%s\t%s", d.Feature, percentOf(float64(d.Importance)), metric(d.PSI, 3), metric(d.Threshold, 2), percentOf(float64(d.Missing)), d.Verdict)
		}
	})
	if n := len(m.Features) - len(shown); n > 0 {
		fmt.Fprintf(w, "%d more features are as at training; --json has them all\n", n)
	}
}

// percentOf writes a share; a dash where it is undefined.
func percentOf(share float64) string {
	if math.IsNaN(share) {
		return percent(nil)
	}
	return percent(&share)
}
