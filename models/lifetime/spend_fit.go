package lifetime

import (
	"context"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mathext"
)

// spendStarts are logarithms of (p, q, γ) with the mean spend as the unit of money.
var spendStarts = [][]float64{
	{math.Log(5), math.Log(4), math.Log(.6)},
	{math.Log(1), math.Log(2), math.Log(1)},
	{math.Log(20), math.Log(10), math.Log(.5)},
	{math.Log(50), math.Log(1.2), math.Log(.01)},
}

var spendNames = []string{"p", "q", "gamma"}

// fitSpend fits Gamma-Gamma to the customers with spend. unit is a typical spend, above 0.
func fitSpend(ctx context.Context, histories []History, unit float64, maxSteps int) (SpendModel, Convergence, error) {
	l := newSpendLikelihood(spendRows(histories, unit))
	theta, c, err := search{spendNames, spendStarts, l.mean, l.weight, maxSteps}.maximise(ctx)
	if err != nil {
		return SpendModel{}, c, err
	}
	c.LogLikelihood -= l.weight * math.Log(unit) // one mean a customer
	if c.StandardError != nil {
		c.StandardError[2] *= unit
	}
	p, q, gamma := math.Exp(theta[0]), math.Exp(theta[1]), unit*math.Exp(theta[2])
	return SpendModel{Name: GammaGamma, P: p, Q: q, Gamma: gamma, Population: gamma * p / (q - 1), Prior: (q - 1) / p}, c, nil
}

// spendLikelihood is that of the means m of n days (Fader & Hardie 2013, eq. 1a):
//
//	Γ(pn+q)/(Γ(pn)Γ(q)) · γ^q m^(pn-1) n^(pn) / (γ+nm)^(pn+q)
type spendLikelihood struct {
	rows   []spendRow
	weight float64 // customers
}

func newSpendLikelihood(rows []spendRow) spendLikelihood {
	l := spendLikelihood{rows: rows}
	for _, row := range rows {
		l.weight += row.weight
	}
	return l
}

// mean is the mean log-likelihood at θ = ln (p, q, γ), and its gradient.
func (l spendLikelihood) mean(theta, grad []float64) float64 {
	p, q, gamma := math.Exp(theta[0]), math.Exp(theta[1]), math.Exp(theta[2])
	var sum, byP, byQ, byGamma float64
	logGammaQ, slopeQ := logGamma(q), mathext.Digamma(q)
	for i := 0; i < len(l.rows); {
		days := l.rows[i].days
		shape, logDays := p*days, math.Log(days)
		// What only depends on the number of days is the same for a run of rows.
		constant := logGamma(shape+q) - logGamma(shape) - logGammaQ
		var slopeBoth, slopeShape float64
		if grad != nil {
			slopeBoth, slopeShape = mathext.Digamma(shape+q), mathext.Digamma(shape)
		}
		for ; i < len(l.rows) && l.rows[i].days == days; i++ {
			row := l.rows[i]
			spent := days * row.mean
			share := -math.Log1p(gamma / spent)     // ln nm/(γ+nm)
			rest := share + theta[2] - row.logSpent // ln γ/(γ+nm)
			sum += row.weight * (constant + shape*share + q*rest - row.logSpent + logDays)
			byP += row.weight * days * (slopeBoth - slopeShape + share)
			byQ += row.weight * (slopeBoth - slopeQ + rest)
			byGamma += row.weight * (q*spent/gamma - shape) / (gamma + spent)
		}
	}
	if grad != nil {
		copy(grad, []float64{byP * p, byQ * q, byGamma * gamma})
		floats.Scale(1/l.weight, grad)
	}
	return sum / l.weight
}

func logGamma(x float64) float64 {
	v, _ := math.Lgamma(x)
	return v
}
