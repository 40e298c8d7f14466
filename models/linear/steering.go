package linear

import (
	"cmp"
	"slices"

	"gonum.org/v1/gonum/floats"

	"retain/models"
)

const (
	// The Hessian only steers, so a sample of the rows will do (Roosta-Khorasani & Mahoney 2019, "Sub-sampled Newton methods").
	minSample = 4096 // rows
	perColumn = 20   // sampled rows per coordinate
	entrants  = 32   // coordinates that join a step, at least
	tile      = 256  // sampled rows whose values stay in the cache while their products are summed
)

// steering is the Hessian of the mean log loss over sampled rows in the working set of coordinates: those that are not zero and those whose
// conditions are off the most. All others stay at zero until their gradient says otherwise, so that with hundreds of terms and a
// penalty that leaves most of them at zero the Hessian is a small one (Tibshirani et al. 2012, "Strong rules for discarding predictors in
// lasso-type problems"; Massias, Gramfort & Salmon 2018, "Celer").
type steering struct {
	solver *solver
	rows   []int32
	curve  []float64   // of each sampled row: weight · p(1-p) / Σ weight
	terms  []int32     // coordinates: 0 = the intercept, k+1 = term k
	place  []int32     // of each coordinate in terms, -1 = not there
	x      [][]float64 // of each coordinate: the sampled rows' values
	h      [][]float64 // rows of the Hessian, in the order of terms
	room   int         // coordinates for which there are enough rows
}

// newSteering samples rows for a working set of so many coordinates, finer times as many as the smallest sample, at the coefficients b.
func (s *solver) newSteering(b []float64, coordinates, finer int) *steering {
	n := s.z.rows
	step := max(1, n/(finer*max(minSample, perColumn*coordinates)))
	t := &steering{solver: s, place: make([]int32, len(b)), room: 2 * max(coordinates, minSample/perColumn)}
	if step == 1 {
		t.room = len(b)
	}
	for j := range t.place {
		t.place[j] = -1
	}
	margin := s.margins(b)
	total := 0.0
	for i := 0; i < n; i += step {
		p, w := models.Sigmoid(margin[i]), weightOf(s.w, i)
		t.rows = append(t.rows, int32(i))
		t.curve = append(t.curve, w*p*(1-p))
		total += w
	}
	for k := range t.curve {
		t.curve[k] /= total
	}
	return t
}

// working are the coordinates to work on, rising: the intercept, those that are not zero, those that the steering has already, and of the others
// whose conditions are off the worst, at most as many as there are or entrants; all of them without an L1 penalty, which leaves none at zero.
func (p penalty) working(b, g []float64, t *steering) []int32 {
	var in, out []int32
	for j := range b {
		if j == 0 || b[j] != 0 || t != nil && t.place[j] >= 0 {
			in = append(in, int32(j))
		} else if p.violationOf(j, g, b) > 0 {
			out = append(out, int32(j))
		}
	}
	if most := max(entrants, len(in)); len(out) > most && p.alpha > 0 {
		slices.SortFunc(out, func(i, j int32) int {
			return cmp.Or(cmp.Compare(p.violationOf(int(j), g, b), p.violationOf(int(i), g, b)), cmp.Compare(i, j))
		})
		out = out[:most]
	}
	in = append(in, out...)
	slices.Sort(in)
	return in
}

// extend takes the coordinates into the Hessian that are not in it yet.
func (t *steering) extend(coordinates []int32) {
	old := len(t.terms)
	for _, j := range coordinates {
		if t.place[j] < 0 {
			t.place[j] = int32(len(t.terms))
			t.terms = append(t.terms, j)
			t.x = append(t.x, nil)
		}
	}
	m := len(t.terms)
	if m == old {
		return
	}
	t.solver.eachStripe((m-old)*len(t.rows), func(k int) {
		for a := old + k; a < m; a += stripes {
			t.x[a] = t.values(t.terms[a])
		}
	})
	h := make([][]float64, m)
	for k := range h {
		h[k] = make([]float64, m)
		if k < old {
			copy(h[k], t.h[k])
		}
	}
	t.h = h
	// Each stripe has rows of the Hessian to itself, so the sums do not depend on the number of threads.
	t.solver.eachStripe((m-old)*m*len(t.rows), func(k int) { t.products(old+k, stripes) })
	for a := old; a < m; a++ {
		for l := range a {
			h[l][a] = h[a][l]
		}
	}
}

// products sums the rows first, first+step, … of the Hessian up to the diagonal.
func (t *steering) products(first, step int) {
	scaled := make([]float64, tile)
	for from := 0; from < len(t.rows); from += tile {
		to := min(from+tile, len(t.rows))
		for a := first; a < len(t.terms); a += step {
			own := floats.MulTo(scaled[:to-from], t.curve[from:to], t.x[a][from:to])
			for l := range a + 1 {
				t.h[a][l] += floats.Dot(own, t.x[l][from:to])
			}
		}
	}
}

// values are those of a coordinate in the sampled rows.
func (t *steering) values(coordinate int32) []float64 {
	out := make([]float64, len(t.rows))
	for k, i := range t.rows {
		if coordinate == 0 {
			out[k] = 1
		} else {
			out[k] = t.solver.z.value(int(coordinate-1), int(i))
		}
	}
	return out
}
