package lifetime

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// bought is a made-up customer: what is known at T, and what comes within the time ahead.
type bought struct {
	history History
	there   bool // has not left by T
	ahead   int
}

// simulate draws customers by the story of the model, who were first seen evenly over the first half of the time.
func simulate(rng *rand.Rand, m CountModel, spend SpendModel, customers int) []bought {
	const observed, ahead = 100, 50
	rates, chances := distuv.Gamma{Alpha: m.R, Beta: m.Alpha, Src: rng}, distuv.Beta{Alpha: m.A, Beta: m.B, Src: rng}
	out := make([]bought, customers)
	for i := range out {
		c := &out[i]
		c.history.Age = observed * (1 - rng.Float64()/2)
		rate, chance := rates.Rand(), 0.
		if m.A > 0 {
			chance = chances.Rand()
		}
		c.there = m.Name != MBGNBD || rng.Float64() >= chance
		var scale float64
		if spend.P > 0 {
			scale = distuv.Gamma{Alpha: spend.Q, Beta: spend.Gamma, Src: rng}.Rand()
		}
		var days []float64
		at := 0.
		for present := c.there; present; present = rng.Float64() >= chance {
			at += rng.ExpFloat64() / rate
			if at > c.history.Age+ahead {
				break
			}
			if at > c.history.Age {
				c.ahead++
				continue
			}
			c.history.Repeats++
			c.history.Recency = at
			if spend.P > 0 {
				days = append(days, distuv.Gamma{Alpha: spend.P, Beta: scale, Src: rng}.Rand())
			}
		}
		c.there = at > c.history.Age // the next purchase, or the one after which the customer left, was still to come
		c.history.Spend = spendOf(days)
	}
	return out
}

func spendOf(days []float64) (s Spend) {
	for _, paid := range days {
		s.Mean += paid / float64(len(days))
	}
	for _, paid := range days {
		s.Variation += (paid - s.Mean) * (paid - s.Mean)
	}
	s.Days = len(days)
	return s
}

func histories(customers []bought) []History {
	out := make([]History, len(customers))
	for i, c := range customers {
		out[i] = c.history
	}
	return out
}

// Known parameters come back within three of their standard errors, and the forecasts hold in the time ahead.
func TestRecoversKnownParameters(t *testing.T) {
	spend := SpendModel{P: 4, Q: 5, Gamma: 20}
	for _, truth := range []CountModel{
		{Name: BGNBD, R: .8, Alpha: 8, A: .8, B: 3},
		{Name: MBGNBD, R: 1.5, Alpha: 20, A: .7, B: 1.4},
	} {
		t.Run(truth.Name, func(t *testing.T) {
			customers := simulate(rand.New(rand.NewPCG(1, 2)), truth, spend, 6000)
			known := histories(customers)
			m, err := Trainer{}.Fit(t.Context(), known)
			if err != nil || m.Fallbacks != nil {
				t.Fatalf("%v, %v", err, m.Fallbacks)
			}
			fitted, c := m.Counts, m.CountsFit
			if truth.Name == MBGNBD {
				fitted, c = m.Presence, m.PresentFit
			}
			for i, p := range []struct{ got, want float64 }{{fitted.R, truth.R}, {fitted.Alpha, truth.Alpha}, {fitted.A, truth.A}, {fitted.B, truth.B}} {
				near(t, countNames[i], p.got, p.want, 3*c.StandardError[i])
			}
			for i, p := range []struct{ got, want float64 }{{m.Spend.P, spend.P}, {m.Spend.Q, spend.Q}, {m.Spend.Gamma, spend.Gamma}} {
				near(t, spendNames[i], p.got, p.want, 3*m.SpendFit.StandardError[i])
			}
			// The likelihood is at least as high as at the truth.
			at := []float64{math.Log(truth.R), math.Log(truth.Alpha), math.Log(truth.A), math.Log(truth.B)}
			if l := newCountLikelihood(truth.Name, countRows(known, 1)); l.weight*l.mean(at, nil) > c.LogLikelihood {
				t.Errorf("the truth has log-likelihood %v, the fit %v", l.weight*l.mean(at, nil), c.LogLikelihood)
			}
			var expected, variance, observed, idle, expectedIdle float64
			for _, b := range customers {
				expected += fitted.Purchases(b.history, 50)
				none := fitted.NoPurchase(b.history, 50)
				expectedIdle += none
				variance += none * (1 - none)
				observed += float64(b.ahead)
				if b.ahead == 0 {
					idle++
				}
			}
			near(t, "purchases ahead", observed/expected, 1, .04)
			near(t, "customers who buy nothing", idle, expectedIdle, 4*math.Sqrt(variance))
			adequacy := m.Adequacy(known)
			near(t, "repeats, observed / expected", adequacy.RepeatsRatio, 1, .05)
			near(t, "once only, observed / expected", adequacy.OnceOnlyRatio, 1, .12) // BG/NBD is not the truth of the second
		})
	}
}

// MBG/NBD tells who is still there: of those it gives a chance of p, a share of p is.
func TestAliveIsCalibrated(t *testing.T) {
	truth := CountModel{Name: MBGNBD, R: 1.5, Alpha: 20, A: .7, B: 1.4}
	customers := simulate(rand.New(rand.NewPCG(3, 4)), truth, SpendModel{}, 20000)
	slices.SortFunc(customers, func(a, b bought) int {
		if truth.Alive(a.history) < truth.Alive(b.history) {
			return -1
		}
		return 1
	})
	for tenth := range 10 {
		var expected, variance, there float64
		for _, c := range customers[tenth*2000 : (tenth+1)*2000] {
			p := truth.Alive(c.history)
			expected += p
			variance += p * (1 - p)
			if c.there {
				there++
			}
		}
		near(t, "customers still there", there, expected, 4*math.Sqrt(variance))
	}
}

// Customers who never leave drive a to 0: it stops at its limit, says so, and the forecasts are those of the negative binomial.
func TestNobodyLeaves(t *testing.T) {
	truth := CountModel{Name: BGNBD, R: 2, Alpha: 20}
	customers := simulate(rand.New(rand.NewPCG(5, 6)), truth, SpendModel{}, 3000)
	m, err := Trainer{}.Fit(t.Context(), histories(customers))
	if err != nil || m.Fallbacks != nil {
		t.Fatalf("%v, %v", err, m.Fallbacks)
	}
	// 3,000 customers may by chance look as if a few left; then a is small and not at its limit.
	if share := m.Counts.A / (m.Counts.A + m.Counts.B); share > .01 {
		t.Errorf("%v leave after a purchase, with %+v", share, m.Counts)
	}
	if len(m.CountsFit.AtLimit) > 0 && m.CountsFit.StandardError != nil {
		t.Errorf("a parameter is at its limit and still has a standard error: %+v", m.CountsFit)
	}
	var expected, observed float64
	for _, b := range customers {
		expected += m.Counts.Purchases(b.history, 50)
		observed += float64(b.ahead)
	}
	near(t, "purchases ahead", observed/expected, 1, .04)
}
