package actions

import "math"

// race is the arms that may have the greatest draw: π_k = ∫₀^∞ φ((z-m_k)/s_k)/s_k ∏_{j≠k} Φ((z-m_j)/s_j) dz by 64-point
// Gauss–Legendre quadrature. Arms of about one width share the nodes, and so each Φ; a narrow one has nodes of its own.
type race struct {
	n     int
	arm   [MaxActions]Arm
	place [MaxActions]int
}

const (
	tail  = 8  // sd beyond which a normal density is taken for 0
	broad = 36 // a density is told by 64 nodes as long as they span no more of its sd: they are then 1.1 sd apart at most, an error of 1e-6
)

func (r *race) add(a Arm, place int) {
	r.arm[r.n], r.place[r.n] = a, place
	r.n++
}

// run writes the arms' probabilities to their places and returns their sum.
func (r *race) run(dst []float64) (sum float64) {
	low, high := 0.0, math.Inf(-1)
	for _, a := range r.arm[:r.n] {
		low, high = max(low, a.Mean-tail*a.SD), max(high, a.Mean+tail*a.SD) // below low someone else is greater for certain
	}
	if high <= low {
		return 0
	}
	var shared [MaxActions]bool
	wide := false
	for k, a := range r.arm[:r.n] {
		shared[k] = high-low <= broad*a.SD
		wide = wide || shared[k]
	}
	if wide {
		r.together(dst, low, high, &shared)
	}
	for k := range r.arm[:r.n] {
		if !shared[k] {
			dst[r.place[k]] = r.alone(k, low)
		}
		sum += dst[r.place[k]]
	}
	return sum
}

// together integrates the arms that share nodes over [low, high].
func (r *race) together(dst []float64, low, high float64, shared *[MaxActions]bool) {
	middle, half := (high+low)/2, (high-low)/2
	var cdf, z [MaxActions]float64
	for i, x := range nodes {
		at := middle + half*x
		product := nodeWeights[i] * half
		for j := range r.n {
			a := &r.arm[j]
			z[j] = (at - a.Mean) / a.SD
			cdf[j] = normalCDF(z[j])
			product *= cdf[j]
		}
		if product == 0 {
			continue
		}
		for k := range r.n {
			if shared[k] && math.Abs(z[k]) <= tail {
				dst[r.place[k]] += product / cdf[k] * math.Exp(-z[k]*z[k]/2) / (r.arm[k].SD * math.Sqrt(2*math.Pi))
			}
		}
	}
}

// alone integrates arm k over the part of its own density that lies above low.
func (r *race) alone(k int, low float64) float64 {
	a := r.arm[k]
	low, high := max(low, a.Mean-tail*a.SD), a.Mean+tail*a.SD
	if high <= low {
		return 0
	}
	middle, half := (high+low)/2, (high-low)/2
	var sum float64
	for i, x := range nodes {
		z := middle + half*x
		d := (z - a.Mean) / a.SD
		f := math.Exp(-d * d / 2)
		for j := range r.n {
			if j != k {
				f *= normalCDF((z - r.arm[j].Mean) / r.arm[j].SD)
			}
		}
		sum += nodeWeights[i] * f
	}
	return sum * half / (a.SD * math.Sqrt(2*math.Pi))
}
