package offpolicy

import (
	"math"
	"math/rand/v2"
	"strconv"

	"retain/features"
)

// world is a made-up one whose policies and rewards are known: customers with two features, four actions, rewards 0 and 1 at a base rate of some
// 30 %. The logged policy leans to the wrong actions, the new one to the right ones.
type world struct{ rng *rand.Rand }

const worldActions = 4

var worldNames = []string{"nothing", "mail", "call", "discount"}

// chance is P(reward | customer, action).
func chance(x [2]float64, a int) float64 {
	effect := [worldActions]float64{0, .2, .8 * x[0], -.3 + .9*x[1]}
	return 1 / (1 + math.Exp(1-.6*x[0]-.3*x[1]*x[1]-effect[a]))
}

// softmax is a policy that leans to where the scores are greatest.
func softmax(dst []float64, score [worldActions]float64) {
	var sum float64
	for a, v := range score {
		dst[a] = math.Exp(v)
		sum += dst[a]
	}
	for a := range score {
		dst[a] /= sum
	}
}

func loggedPolicy(dst []float64, x [2]float64) {
	softmax(dst, [worldActions]float64{.5, .3, -.5 * x[0], -.4 * x[1]})
}

func newPolicy(dst []float64, x [2]float64) {
	softmax(dst, [worldActions]float64{0, .2, .9 * x[0], .9 * x[1]})
}

func (w world) customer() [2]float64 { return [2]float64{w.rng.NormFloat64(), w.rng.NormFloat64()} }

// truth is what the new policy earns per choice, from many customers.
func (w world) truth() float64 {
	const n = 400_000
	var sum float64
	q := make([]float64, worldActions)
	for range n {
		x := w.customer()
		newPolicy(q, x)
		for a, v := range q {
			sum += v * chance(x, a)
		}
	}
	return sum / n
}

// log draws n choices for customers who have each many of them.
func (w world) log(n, each int) (*Log, Policy) {
	l := &Log{Actions: worldNames, Customer: []string{}, X: &features.Matrix{Schema: features.Schema{{Name: "a"}, {Name: "b"}}, X: make([][]float32, 2)}}
	var contexts [][2]float64
	p := make([]float64, worldActions)
	for i := range n {
		x := w.customer()
		if each > 1 && i%each > 0 { // the same customer, a little changed
			x = contexts[i-1]
			x[0] += .1 * w.rng.NormFloat64()
		}
		contexts = append(contexts, x)
		loggedPolicy(p, x)
		a, u := 0, w.rng.Float64()
		for u >= p[a] && a < worldActions-1 {
			u -= p[a]
			a++
		}
		r := 0.
		if w.rng.Float64() < chance(x, a) {
			r = 1
		}
		l.Action, l.Propensity, l.Reward = append(l.Action, int32(a)), append(l.Propensity, p[a]), append(l.Reward, r)
		l.Customer = append(l.Customer, "c"+strconv.Itoa(i/each))
		l.X.X[0], l.X.X[1] = append(l.X.X[0], float32(x[0])), append(l.X.X[1], float32(x[1]))
	}
	l.Each = func(dst []float64, i int) { loggedPolicy(dst, contexts[i]) }
	return l, Policy{Each: func(dst []float64, i int) { newPolicy(dst, contexts[i]) }}
}
