package segment

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"retain/features"
)

// Found are groups that were found among customers, and where they lie.
type Found struct {
	Axes       []Axis  `json:"axes"`
	Groups     []Group `json:"groups"`     // the largest first
	Silhouette float64 `json:"silhouette"` // in [-1, 1]; from .5 on groups are clear, below .25 they are hardly any (Kaufman & Rousseeuw 1990)
	Next       int     `json:"next"`       // number of the next new label
}

// Group is one of them.
type Group struct {
	Label     string    `json:"label"` // stays while most of its customers do
	Words     string    `json:"words"` // what sets it apart
	Customers int       `json:"customers"`
	Centre    []float64 `json:"centre"` // on Axes
	Marks     []Mark    `json:"marks"`  // features that set it apart, the strongest first
}

// Mark is a feature by which a group differs from all customers.
type Mark struct {
	Feature string  `json:"feature"`
	Value   float64 `json:"value"`   // at the centre
	Typical float64 `json:"typical"` // mean of all customers, on the same axis
	Apart   float64 `json:"apart"`   // in standard deviations
}

// Finder finds groups.
type Finder struct {
	Seed      uint64
	Most      int                 // groups; 0 means 8
	Catalogue *features.Catalogue // of the matrix, for words; required
}

// Bounds of a search.
const (
	defaultMost = 8
	fitRows     = 20_000 // on which centres are found: a sample drawn by the customers' ids
	judgeRows   = 2_000  // on which the number of groups is chosen
	leastRows   = 50
)

// ErrTooFew says that there is nothing to group.
var ErrTooFew = errors.New("segments: fewer than 50 customers, or no feature that tells them apart")

// Find groups the customers of a matrix, whose ids are sorted, and returns the group of each, a place in Groups. Which customers are drawn depends on their
// ids and the seed, nothing on the number of threads. former, which may be nil, are the groups of an earlier run, and of the place of each customer's group there, -1
// = none. Errors: ErrTooFew.
func (f Finder) Find(x *features.Matrix, customer []string, former *Found, was []int) (*Found, []int, error) {
	if len(customer) < leastRows {
		return nil, nil, ErrTooFew
	}
	rows := f.draw(customer, "segments fit", fitRows)
	axes, columns := newAxes(x, rows)
	if len(axes) == 0 {
		return nil, nil, ErrTooFew
	}
	s := &points{len(axes), make([]float64, len(rows)*len(axes))}
	for k, i := range rows {
		place(s.row(k), axes, columns, x, i)
	}
	judged := &points{s.p, nil}
	for _, k := range f.drawPlaces(customer, rows) {
		judged.at = append(judged.at, s.row(k)...)
	}
	most := f.Most
	if most == 0 {
		most = defaultMost
	}
	var centres [][]float64
	found := &Found{Axes: axes, Silhouette: math.Inf(-1)}
	for k := 2; k <= most; k++ {
		c, _ := kmeans(s, k, rand.New(rand.NewPCG(f.Seed, uint64(k))))
		if len(c) < k {
			break // there are not so many different customers
		}
		group := make([]int, judged.n())
		for i := range group {
			group[i], _ = nearest(c, judged.row(i))
		}
		if v := silhouette(judged, group, k); v > found.Silhouette {
			found.Silhouette, centres = v, c
		}
	}
	if centres == nil {
		return nil, nil, ErrTooFew
	}
	group := assign(x, axes, columns, centres)
	found.settle(centres, group)
	found.name(group, former, was)
	for g := range found.Groups {
		found.Groups[g].Words = words(found.Groups[g].Marks, f.say)
	}
	return found, group, nil
}

// draw are the places of at most so many customers, by a hash of their ids, ascending.
func (f Finder) draw(customer []string, domain string, most int) []int {
	rows := make([]int, len(customer))
	for i := range rows {
		rows[i] = i
	}
	if len(rows) <= most {
		return rows
	}
	key := make([]uint64, len(rows))
	for i, id := range customer {
		key[i] = features.KeyedHash(f.Seed, domain, id)
	}
	sort.Slice(rows, func(a, b int) bool { return key[rows[a]] < key[rows[b]] })
	rows = rows[:most]
	slices.Sort(rows)
	return rows
}

// drawPlaces are the places in rows of the customers on whom the number of groups is judged.
func (f Finder) drawPlaces(customer []string, rows []int) []int {
	ids := make([]string, len(rows))
	for k, i := range rows {
		ids[k] = customer[i]
	}
	return f.draw(ids, "segments judge", judgeRows)
}

// assign is the nearest centre of each row.
func assign(x *features.Matrix, axes []Axis, columns []int, centres [][]float64) []int {
	group := make([]int, x.Rows())
	at := make([]float64, len(axes))
	for i := range group {
		place(at, axes, columns, x, i)
		group[i], _ = nearest(centres, at)
	}
	return group
}

// say tells a mark in the words of its feature.
func (f Finder) say(m Mark) string {
	if e, ok := f.Catalogue.Entry(m.Feature); ok {
		return e.Say(m.Value, m.Typical, "")
	}
	return m.Feature
}

// settle puts the largest group first and renumbers the customers' groups.
func (f *Found) settle(centres [][]float64, group []int) {
	count := make([]int, len(centres))
	for _, g := range group {
		count[g]++
	}
	order := make([]int, len(centres)) // places of centres
	for c := range order {
		order[c] = c
	}
	slices.SortStableFunc(order, func(a, b int) int { return count[b] - count[a] })
	to := make([]int, len(centres))
	for g, c := range order {
		to[c] = g
		f.Groups = append(f.Groups, Group{Customers: count[c], Centre: centres[c], Marks: f.marks(centres[c])})
	}
	for i := range group {
		group[i] = to[group[i]]
	}
}
