package segment

import (
	"math"
	"math/rand/v2"
)

// points are n points of p coordinates, one after another.
type points struct {
	p  int
	at []float64
}

func (s *points) n() int              { return len(s.at) / s.p }
func (s *points) row(i int) []float64 { return s.at[i*s.p : (i+1)*s.p] }

func distance2(a, b []float64) (sum float64) {
	for k, v := range a {
		d := v - b[k]
		sum += d * d
	}
	return sum
}

// nearest is the centre closest to a point, the first of equals.
func nearest(centres [][]float64, at []float64) (k int, d2 float64) {
	d2 = math.Inf(1)
	for c, centre := range centres {
		if d := distance2(at, centre); d < d2 {
			k, d2 = c, d
		}
	}
	return k, d2
}

// Bounds of the search for centres.
const (
	starts = 5   // draws of first centres; the best end counts
	rounds = 100 // of Lloyd's algorithm at most
)

// kmeans finds k centres with a small sum of squared distances (Lloyd 1982, from k-means++ starts of Arthur & Vassilvitskii 2007), and the
// group of each point. Centres that coincide are left out, so that there may be fewer.
func kmeans(s *points, k int, rng *rand.Rand) (centres [][]float64, group []int) {
	best := math.Inf(1)
	for range starts {
		c := seedCentres(s, k, rng)
		g := make([]int, s.n())
		sum := 0.
		for range rounds {
			changed := false
			sum = 0
			for i := range g {
				to, d2 := nearest(c, s.row(i))
				changed = changed || to != g[i]
				g[i] = to
				sum += d2
			}
			if !changed {
				break
			}
			c = means(s, c, g)
		}
		if sum < best {
			best, centres, group = sum, c, g
		}
	}
	return centres, group
}

// seedCentres draws first centres, each with the chance of its squared distance from those before.
func seedCentres(s *points, k int, rng *rand.Rand) [][]float64 {
	centres := [][]float64{s.row(rng.IntN(s.n()))}
	d2 := make([]float64, s.n())
	for len(centres) < k {
		total := 0.
		for i := range d2 {
			_, d2[i] = nearest(centres, s.row(i))
			total += d2[i]
		}
		if total == 0 { // every point is a centre
			break
		}
		draw := rng.Float64() * total
		at := len(d2) - 1
		for i, d := range d2 {
			if draw -= d; draw < 0 {
				at = i
				break
			}
		}
		centres = append(centres, s.row(at))
	}
	return centres
}

// means are the centres of groups; a group without points keeps its centre.
func means(s *points, old [][]float64, group []int) [][]float64 {
	out := make([][]float64, len(old))
	count := make([]float64, len(old))
	for c := range out {
		out[c] = make([]float64, s.p)
	}
	for i, c := range group {
		count[c]++
		for k, v := range s.row(i) {
			out[c][k] += v
		}
	}
	for c := range out {
		if count[c] == 0 {
			copy(out[c], old[c])
			continue
		}
		for k := range out[c] {
			out[c][k] /= count[c]
		}
	}
	return out
}

// silhouette is the mean over points of (b-a)/max(a, b), in [-1, 1]: a is the mean distance to the others of the point's group, b that to the nearest other
// group; 0 for a point alone in its group (Rousseeuw 1987).
func silhouette(s *points, group []int, k int) float64 {
	size := make([]float64, k)
	for _, g := range group {
		size[g]++
	}
	total := 0.
	sums := make([]float64, k)
	for i, g := range group {
		if size[g] == 1 {
			continue
		}
		clear(sums)
		for j, h := range group {
			sums[h] += math.Sqrt(distance2(s.row(i), s.row(j)))
		}
		a, b := sums[g]/(size[g]-1), math.Inf(1)
		for h, sum := range sums {
			if h != g && size[h] > 0 {
				b = min(b, sum/size[h])
			}
		}
		if m := max(a, b); m > 0 && !math.IsInf(b, 1) {
			total += (b - a) / m
		}
	}
	return total / float64(len(group))
}
