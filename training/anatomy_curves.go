package training

import (
	"retain/training/metrics"
)

// Curves are how a family does over its whole range: whether its probabilities hold, and what its ranking finds and earns.
type Curves struct {
	Family      string                   `json:"family"`
	Reliability []metrics.ReliabilityBin `json:"reliability"` // lowest probabilities first
	Gains       []metrics.GainPoint      `json:"gains"`
	Profit      *metrics.ProfitCurve     `json:"profit"`
}

// curvesOf measures the named families that were measured at all. They stand here and not among the figures of the tournament, which the artifact
// holds too.
func curvesOf(t *tournament, seed uint64, terms metrics.ProfitTerms, families ...string) []Curves {
	out := []Curves{}
	var entrants []metrics.Entrant
	for _, name := range families {
		if c := t.find(name); c != nil && len(c.Held) > 0 && !entered(entrants, name) {
			entrants = append(entrants, metrics.Entrant{Name: c.Name, Held: c.Held})
		}
	}
	if len(entrants) == 0 {
		return out
	}
	for _, f := range metrics.PoolAll(entrants, metrics.Pooling{Seed: seed, Curves: true, Profit: &terms}) {
		out = append(out, Curves{Family: f.Name, Reliability: listed(f.Pooled.Bins), Gains: listed(f.Pooled.Gains), Profit: f.Pooled.Profit})
	}
	return out
}

func entered(entrants []metrics.Entrant, name string) bool {
	for _, e := range entrants {
		if e.Name == name {
			return true
		}
	}
	return false
}
