package survival

import (
	_ "embed"
	"encoding/csv"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"
)

//go:embed testdata/lives.csv
var livesCSV string

//go:embed testdata/lives.json
var livesJSON []byte

// rCurve is what R's survfit says of a curve.
type rCurve struct {
	Time, Survival, Low, High []*float64
	AtRisk                    []int `json:"at_risk"`
	Left                      []int
	Median                    []*float64 // median, low, high
	Mean365                   []float64
}

type rFigures struct {
	LateEntry     rCurve `json:"late_entry"`
	RightCensored rCurve `json:"right_censored"`
	LogRank       struct {
		Observed, Expected []float64
		Statistic, P       float64
	} `json:"log_rank"`
	LogRankTwo       struct{ Statistic, P float64 } `json:"log_rank_two"`
	LogRankLateEntry struct{ Statistic float64 }    `json:"log_rank_late_entry"`
	Concordance      float64
}

func rLives(t *testing.T) (lives []Life, plans []string, r rFigures) {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(livesCSV)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		entry, errEntry := strconv.ParseFloat(row[1], 64)
		exit, errExit := strconv.ParseFloat(row[2], 64)
		if errEntry != nil || errExit != nil {
			t.Fatalf("%v: %v, %v", row, errEntry, errExit)
		}
		lives, plans = append(lives, Life{Entry: entry, Exit: exit, Left: row[3] == "1"}), append(plans, row[0])
	}
	if err := json.Unmarshal(livesJSON, &r); err != nil {
		t.Fatal(err)
	}
	return lives, plans, r
}

// near compares to 10 digits; R writes 15.
func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.IsNaN(got) && math.IsNaN(want) {
		return
	}
	if !(math.Abs(got-want) <= 1e-10*math.Max(1, math.Abs(want))) {
		t.Errorf("%s is %.12g, R says %.12g", what, got, want)
	}
}

func number(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}

func sameCurve(t *testing.T, c *Curve, r rCurve) {
	t.Helper()
	if len(c.Steps) != len(r.Time) {
		t.Fatalf("%d steps, R has %d", len(c.Steps), len(r.Time))
	}
	for i, s := range c.Steps {
		p := c.At(s.Time)
		near(t, "time", s.Time, number(r.Time[i]))
		near(t, "survival", p.Survival, number(r.Survival[i]))
		near(t, "low", p.Low, number(r.Low[i]))
		near(t, "high", p.High, number(r.High[i]))
		if s.AtRisk != r.AtRisk[i] || s.Left != r.Left[i] {
			t.Errorf("at %v: %d at risk, %d left; R says %d, %d", s.Time, s.AtRisk, s.Left, r.AtRisk[i], r.Left[i])
		}
	}
	median, low, high := c.Median()
	near(t, "median", median, number(r.Median[0]))
	near(t, "its lower bound", low, number(r.Median[1]))
	near(t, "its upper bound", high, number(r.Median[2]))
	mean, se := c.Mean(365)
	near(t, "restricted mean", mean, r.Mean365[0])
	near(t, "its standard error", se, r.Mean365[1])
}

func TestCurveIsThatOfR(t *testing.T) {
	lives, _, r := rLives(t)
	c, err := KaplanMeier{MinAtRisk: 1}.Fit(lives)
	if err != nil {
		t.Fatal(err)
	}
	sameCurve(t, c, r.LateEntry)
	c, err = KaplanMeier{MinAtRisk: 1}.Fit(since0(lives))
	if err != nil {
		t.Fatal(err)
	}
	sameCurve(t, c, r.RightCensored)
}

// since0 are the lives that are observed from their begin.
func since0(lives []Life) (out []Life) {
	for _, l := range lives {
		if l.Entry == 0 {
			out = append(out, l)
		}
	}
	return out
}

func TestLogRankIsThatOfR(t *testing.T) {
	lives, plans, r := rLives(t)
	groups := make([][]Life, 3)
	for i, l := range lives {
		g := map[string]int{"basic": 0, "pro": 1, "team": 2}[plans[i]]
		groups[g] = append(groups[g], l)
	}
	late, err := CompareGroups(groups...)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "statistic with late entry", late.Statistic, r.LogRankLateEntry.Statistic)
	for g := range groups {
		groups[g] = since0(groups[g])
	}
	all, err := CompareGroups(groups...)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "statistic", all.Statistic, r.LogRank.Statistic)
	near(t, "p", all.P, r.LogRank.P)
	if all.Freedom != 2 {
		t.Errorf("%d degrees of freedom", all.Freedom)
	}
	for g := range groups {
		near(t, "observed", all.Observed[g], r.LogRank.Observed[g])
		near(t, "expected", all.Expected[g], r.LogRank.Expected[g])
	}
	two, err := CompareGroups(groups[0], groups[1])
	if err != nil {
		t.Fatal(err)
	}
	near(t, "statistic of two", two.Statistic, r.LogRankTwo.Statistic)
	near(t, "p of two", two.P, r.LogRankTwo.P)
}

func TestConcordanceIsThatOfR(t *testing.T) {
	lives, plans, r := rLives(t)
	var risk []float64
	var own []Life
	for i, l := range lives {
		if l.Entry == 0 {
			own = append(own, l)
			risk = append(risk, map[string]float64{"basic": 3, "pro": 2, "team": 1}[plans[i]]+float64(int(l.Exit)%7)/10)
		}
	}
	near(t, "concordance", Concordance(own, risk), r.Concordance)
}
