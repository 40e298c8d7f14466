package metrics

import (
	"math"
	"strconv"
	"testing"
)

func TestSegments(t *testing.T) {
	held := season(1000, 2, 1, 4)
	// The probabilities of the second plan are too high by half of the log-odds' unit; region 9 is missing, and region 1 has few rows.
	categories := make([][]Category, 2)
	for k := range held {
		levels := []string{"basic", "plus"}
		if k == 1 {
			levels = []string{"plus", "basic"} // another numbering
		}
		plan := Category{Column: "plan", Levels: levels, Code: make([]float32, 1000)}
		region := Category{Column: "region", Levels: []string{"0", "1"}, Code: make([]float32, 1000)}
		for i := range plan.Code {
			plan.Code[i] = float32((i%3/2 + k) % 2) // two thirds are basic
			if i%3 == 2 {
				held[k].P[i] = 1 / (1 + math.Exp(-held[k].Margin[i]-.8))
			}
			switch i % 10 {
			case 9:
				region.Code[i] = float32(math.NaN())
			case 1:
				if i < 200 {
					region.Code[i] = 1
				}
			}
		}
		categories[k] = []Category{plan, region}
	}
	got := Segments(Entrant{Name: "linear", Held: held}, categories, 1)
	if got.Family != "linear" || len(got.Segments) != 3 || got.Small != 1 || got.More != 0 {
		t.Fatalf("%+v", got)
	}
	basic, plus, region := got.Segments[0], got.Segments[1], got.Segments[2]
	if basic.Column != "plan" || basic.Level != "basic" || basic.Rows != 1334 || plus.Level != "plus" || plus.Rows != 666 || region.Column != "region" || region.Rows != 1760 {
		t.Errorf("segments %s=%s of %d, %s=%s of %d, %s=%s of %d", basic.Column, basic.Level, basic.Rows, plus.Column, plus.Level, plus.Rows, region.Column, region.Level, region.Rows)
	}
	if !basic.Calibration.Pass || plus.Calibration.Pass || plus.Calibration.OEInterval[1] >= 1 {
		t.Errorf("basic is calibrated, plus is not: %+v, %+v", basic.Calibration, plus.Calibration)
	}
	var y, score []float64
	for k := range held {
		for i := range held[k].Y {
			if i%3 == 2 && k == 0 {
				y, score = append(y, held[k].Y[i]), append(score, held[k].Margin[i])
			}
		}
	}
	first := Pool("", []Held{{Customer: make([]string, len(y)), Y: y, Margin: score, P: score}}, 1)
	near(t, "the first cutoff's share of the mean", float64(first.Pooled.AUC), float64(plus.AUC), .1)

	many := make([]Category, 30)
	for c := range many {
		many[c] = Category{Column: "c" + strconv.Itoa(c), Levels: []string{"all"}, Code: make([]float32, 1000)}
	}
	if got := Segments(Entrant{Held: held[:1]}, [][]Category{many}, 1); len(got.Segments) != 24 || got.More != 6 || got.Segments[0].Column != "c0" {
		t.Errorf("%d segments and %d more", len(got.Segments), got.More)
	}
	if got := Segments(Entrant{Held: held}, nil, 1); got.Segments == nil || len(got.Segments) != 0 {
		t.Errorf("no columns: %+v", got)
	}
}
