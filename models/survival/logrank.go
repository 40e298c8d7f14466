package survival

import (
	"math"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"
)

// LogRank is the test whether groups leave alike.
type LogRank struct {
	Observed  []float64 // leavers of each group
	Expected  []float64 // how many had left if all groups were alike
	Statistic float64   // χ²; NaN where fewer than two groups can be compared
	Freedom   int       // degrees of freedom: groups with somebody at risk at an exit, less one
	P         float64   // of a larger statistic, in [0, 1]; NaN with Statistic
}

// CompareGroups is the log-rank test of Mantel (1966) over risk sets with late entry; ties have the hypergeometric variance. The error is a *LifeError.
func CompareGroups(groups ...[]Life) (LogRank, error) {
	k := len(groups)
	out := LogRank{Observed: make([]float64, k), Expected: make([]float64, k), Statistic: math.NaN(), P: math.NaN()}
	sets := make([]riskSets, k)
	var all []Life
	for g, lives := range groups {
		if err := checkLives(lives); err != nil {
			return out, err
		}
		sets[g] = newRiskSets(lives)
		all = append(all, lives...)
	}
	variance := mat.NewSymDense(max(k, 1), nil)
	atRisk := make([]float64, k)
	times := newRiskSets(all).left
	for i := 0; i < len(times); {
		t, d := times[i], 0.
		for ; i < len(times) && times[i] == t; i++ {
			d++
		}
		var n float64
		for g, s := range sets {
			atRisk[g] = float64(s.at(t))
			n += atRisk[g]
			out.Observed[g] += float64(notAbove(s.left, t) - below(s.left, t))
		}
		for g := range sets {
			out.Expected[g] += d * atRisk[g] / n
			if n < 2 {
				continue
			}
			tied := d * (n - d) / (n - 1)
			for h := g; h < k; h++ {
				v := -atRisk[g] / n * atRisk[h] / n
				if g == h {
					v += atRisk[g] / n
				}
				variance.SetSym(g, h, variance.At(g, h)+tied*v)
			}
		}
	}
	var used []int
	for g := range groups {
		if out.Expected[g] > 0 {
			used = append(used, g)
		}
	}
	if len(used) < 2 {
		return out, nil
	}
	used = used[1:] // the differences add up to 0
	out.Freedom = len(used)
	difference := mat.NewVecDense(len(used), nil)
	v := mat.NewSymDense(len(used), nil)
	for a, g := range used {
		difference.SetVec(a, out.Observed[g]-out.Expected[g])
		for b := a; b < len(used); b++ {
			v.SetSym(a, b, variance.At(g, used[b]))
		}
	}
	var factor mat.Cholesky
	if !factor.Factorize(v) {
		return out, nil
	}
	var solved mat.VecDense
	if err := factor.SolveVecTo(&solved, difference); err != nil {
		return out, nil //nolint:nilerr // risk sets that never overlap: there is nothing to compare
	}
	out.Statistic = mat.Dot(difference, &solved)
	out.P = distuv.ChiSquared{K: float64(out.Freedom)}.Survival(out.Statistic)
	return out, nil
}
