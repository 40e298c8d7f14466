package features

import (
	"math"
	"math/rand/v2"
	"testing"
)

// By hand. D is day 1,000; a active on days 0 and 40, b on 100, c on 0, 8, 16 and 24, e on 980. Silences and weights: a 40 returned and 960
// cut off, ½ each; b 900 cut off, 1; c three of 8 returned and 976 cut off, ¼ each; e 20 cut off, 1.
// R(7): of weight 4 at risk on day 8, ¾ returns; e leaves on day 20; of 2¼ on day 40, ½ returns: 1 - (1 - ¾/4)(1 - ½/2¼).
var byHand = map[int]ReturnPoint{
	7:   {ReturnProbability: probability(1 - (1-.75/4)*(1-.5/2.25)), Customers: 4},
	14:  {ReturnProbability: probability(.5 / 2.25), Customers: 4},
	30:  {ReturnProbability: probability(.5 / 2.25), Customers: 3},
	60:  {ReturnProbability: probability(0), Customers: 3},
	90:  {ReturnProbability: probability(0), Customers: 3},
	180: {ReturnProbability: probability(0), Customers: 3},
	365: {ReturnProbability: probability(0), Customers: 3},
}

func probability(p float64) *float64 { return &p }

func silencesByHand() silences {
	s := silences{returned: make([]float64, 41), censored: make([]float64, 977), customers: make([]int, 976)}
	s.returned[40], s.returned[8] = .5, .75
	s.censored[960], s.censored[900], s.censored[976], s.censored[20] = .5, 1, .25, 1
	s.customers[959], s.customers[899], s.customers[975], s.customers[19] = 1, 1, 1, 1
	return s
}

func checkCurve(t *testing.T, got []ReturnPoint, want map[int]ReturnPoint, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d points, want %d", len(got), len(want))
	}
	for _, p := range got {
		w := want[p.SilentDays]
		if p.Customers != w.Customers {
			t.Errorf("R(%d): %d customers, want %d", p.SilentDays, p.Customers, w.Customers)
		}
		switch {
		case (p.ReturnProbability == nil) != (w.ReturnProbability == nil):
			t.Errorf("R(%d) = %v, want %v", p.SilentDays, p.ReturnProbability, w.ReturnProbability)
		case p.ReturnProbability != nil && math.Abs(*p.ReturnProbability-*w.ReturnProbability) > tolerance:
			t.Errorf("R(%d) = %v, want %v", p.SilentDays, *p.ReturnProbability, *w.ReturnProbability)
		}
	}
}

func TestReturnCurveByHand(t *testing.T) {
	curve := silencesByHand().curve()
	checkCurve(t, curve, byHand, 1e-12)
	if h := recommendHorizon(curve); h == nil || *h != 60 {
		t.Errorf("recommended %v, want 60", h)
	}
}

func TestReturnCurveTooShortAHistory(t *testing.T) {
	s := silences{returned: []float64{0, .5}, censored: make([]float64, 201), customers: make([]int, 200)}
	s.censored[200], s.customers[199] = .5, 1
	for _, p := range s.curve() {
		if p.ReturnProbability != nil {
			t.Errorf("R(%d) = %v, but nobody was watched for a year after", p.SilentDays, *p.ReturnProbability)
		}
	}
	if h := recommendHorizon(s.curve()); h != nil {
		t.Errorf("recommended %d without a curve", *h)
	}
	if got := (silences{}).curve(); got[0].ReturnProbability != nil || got[0].Customers != 0 {
		t.Errorf("nobody: %+v", got[0])
	}
}

// bruteCurve follows the definition row by row: each customer's active days, ascending, before day end.
func bruteCurve(active [][]int, end int) map[int]ReturnPoint {
	type silence struct {
		days     int
		returned bool
		weight   float64
	}
	var all []silence
	longest := make([]int, len(active))
	for i, days := range active {
		for k, d := range days {
			s := silence{end - d, false, 1 / float64(len(days))}
			if k+1 < len(days) {
				s = silence{days[k+1] - d, true, s.weight}
			}
			all = append(all, s)
			watched := s.days
			if !s.returned {
				watched--
			}
			longest[i] = max(longest[i], watched)
		}
	}
	out := make(map[int]ReturnPoint)
	for _, h := range horizonChoices {
		away, defined := 1.0, true
		for d := h; d < h+365 && away > 0; d++ {
			var risk, back float64
			for _, s := range all {
				if s.returned && s.days >= d || !s.returned && s.days > d {
					risk += s.weight
				}
				if s.returned && s.days == d {
					back += s.weight
				}
			}
			if risk == 0 {
				defined = false
				break
			}
			away *= 1 - back/risk
			if back == risk {
				away = 0
			}
		}
		var p ReturnPoint
		if defined {
			p.ReturnProbability = probability(1 - away)
		}
		for i, l := range longest {
			if l >= h && len(active[i]) > 0 {
				p.Customers++
			}
		}
		out[h] = p
	}
	return out
}

// randomDays are ascending active days in [0, end) of n customers, some active often and some once.
func randomDays(rng *rand.Rand, n, end int) [][]int {
	active := make([][]int, n)
	for i := range active {
		mean := 1 + rng.IntN(300)
		for d := rng.IntN(end); d < end; d += 1 + rng.IntN(mean) {
			active[i] = append(active[i], d)
		}
	}
	return active
}
