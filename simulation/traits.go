package simulation

import (
	"math"
	"math/rand/v2"
)

// traits are what does not change about a customer.
type traits struct {
	frailty   float64 // u
	sensitive bool    // to prices
	annual    bool    // else monthly
	autoRenew bool
	seats     int  // at the start
	breadth   int  // features it makes use of
	discount  bool // has had a discount
	shownAs   bool // what the price list says of that: wrong for one in ten
	cut       float64
	helpRate  float64 // tickets a week
	mailRate  float64 // newsletters a week
	source    int     // of leadSources
	segment   int     // of segments; -1 = not recorded
	region    int
	plan      int // at the start
}

// Modifiers of effects.
const (
	smallSeats   = 7  // save calls work up to here
	lowBreadth   = 4  // education works up to here
	youngWeeks   = 39 // and for customers younger than this
	inactiveFrom = -.5
)

var leadSources = []struct {
	name       string
	share      float64 // of customers
	frailty    float64 // mean of u
	conversion float64 // share of leads that buy
}{
	{"referral", .15, -.20, .60},
	{"organic", .30, -.06, .45},
	{"partner", .15, -.02, .50},
	{"paid_search", .20, .08, .30},
	{"social", .12, .14, .25},
	{"cold_outreach", .08, .22, .20},
}

var leadShares = func() []float64 {
	p := make([]float64, len(leadSources))
	for i, s := range leadSources {
		p[i] = s.share
	}
	return p
}()

// leadSpread is the part of u's standard deviation that the lead source does not explain.
var leadSpread = func() float64 {
	var mean, square float64
	for _, s := range leadSources {
		mean += s.share * s.frailty
		square += s.share * s.frailty * s.frailty
	}
	return math.Sqrt(frailtySD*frailtySD - (square - mean*mean))
}()

var (
	segments = []string{"small", "medium", "large"}
	regions  = []struct {
		name, timezone string
		opens          int64 // hour UTC at which the working day begins
	}{{"north_america", "America/New_York", 14}, {"dach", "Europe/Berlin", 7}, {"uk", "Europe/London", 8}, {"apac", "Asia/Singapore", 1}}
	regionShares = []float64{.40, .25, .20, .15}
	plans        = []struct {
		name  string
		seats int     // at most
		price float64 // of a seat and month
	}{{"starter", 5, 19}, {"team", 25, 29}, {"business", math.MaxInt32, 39}}
)

func planFor(seats int) int {
	p := 0
	for seats > plans[p].seats {
		p++
	}
	return p
}

func drawTraits(r *rand.Rand) traits {
	t := traits{
		source:    pick(r, leadShares),
		sensitive: r.Float64() < .4,
		annual:    r.Float64() < annualShare,
		autoRenew: r.Float64() < .75,
		discount:  r.Float64() < .3,
	}
	t.frailty = leadSources[t.source].frailty + leadSpread*r.NormFloat64()
	t.seats = int(math.Min(math.Max(math.Round(math.Exp(math.Log(6)+.8*r.NormFloat64())), 1), 200))
	t.breadth = min(2+poisson(r, 4), len(features))
	t.shownAs = t.discount != (r.Float64() < .1)
	t.cut = .10 + .15*r.Float64()
	t.helpRate = .05 * math.Pow(float64(t.seats), .25) * math.Exp(.4*r.NormFloat64())
	t.mailRate = .25 * math.Exp(.8*r.NormFloat64())
	t.plan = planFor(t.seats)
	t.region = pick(r, regionShares)
	t.segment = 0
	if size := float64(t.seats) * math.Exp(.3*r.NormFloat64()); size > 30 {
		t.segment = 2
	} else if size > 8 {
		t.segment = 1
	}
	if r.Float64() < .08 {
		t.segment = -1
	}
	return t
}
