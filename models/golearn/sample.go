package golearn

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"retain/features"
)

// leastRarer is how many rows of the rarer class a sample holds if there are so many, whatever their share: a tree learns nothing of a few.
const leastRarer = 200

// sample is the rows that golearn sees.
type sample struct {
	d      *features.Dataset
	rows   []int     // of d
	weight []float64 // for each of rows: what it stands for, 1 on average
	rate   float64   // weighted share of churners of all rows of d
}

// newSample draws at most limit rows, each class by its share but at least leastRarer of the rarer one, and weighs them back. Customers are
// drawn by a keyed hash, so that the order of the rows plays no part but among those of the last customer.
func newSample(d *features.Dataset, limit int, seed uint64) *sample {
	n := d.Rows()
	s := &sample{d: d}
	var byClass [2][]int
	var total, drawn [2]float64
	for i, y := range d.Y {
		byClass[int(y)] = append(byClass[int(y)], i)
		total[int(y)] += weightOf(d, i)
	}
	s.rate = total[1] / (total[0] + total[1])
	rare := 0
	if len(byClass[1]) < len(byClass[0]) {
		rare = 1
	}
	take := [2]int{len(byClass[0]), len(byClass[1])}
	if n > limit {
		take[rare] = min(len(byClass[rare]), max(len(byClass[rare])*limit/n, min(leastRarer, limit/2)))
		take[1-rare] = limit - take[rare]
		hash := make([]uint64, n)
		for i := range hash {
			hash[i] = features.KeyedHash(seed, "golearn sample", identity(d, i))
		}
		for _, rows := range byClass {
			slices.SortFunc(rows, func(i, j int) int { return cmp.Or(cmp.Compare(hash[i], hash[j]), i-j) })
		}
	}
	for class, rows := range byClass {
		for _, i := range rows[:take[class]] {
			s.rows = append(s.rows, i)
			drawn[class] += weightOf(d, i)
		}
	}
	slices.Sort(s.rows)
	scale := float64(len(s.rows)) / (total[0] + total[1])
	for _, i := range s.rows {
		class := int(d.Y[i])
		s.weight = append(s.weight, scale*weightOf(d, i)*total[class]/drawn[class])
	}
	return s
}

func weightOf(d *features.Dataset, i int) float64 {
	if d.Weight == nil {
		return 1
	}
	return d.Weight[i]
}

// identity names whom a row is of; rows of nobody are each their own.
func identity(d *features.Dataset, i int) string {
	if d.Customer == nil {
		return strconv.Itoa(i)
	}
	return d.Customer[i]
}

// bag is a bootstrap of the sample of about so many rows, at most its own number: each customer comes a Poisson number of times, with all
// rows. A bag without both classes is the sample itself.
func (s *sample) bag(seed uint64, rows int) *sample {
	mean := min(1, float64(rows)/float64(len(s.rows)))
	out := &sample{d: s.d, rate: s.rate}
	var seen [2]bool
	for k, i := range s.rows {
		for range poisson(features.KeyedHash(seed, "golearn bag", identity(s.d, i)), mean) {
			out.rows, out.weight = append(out.rows, i), append(out.weight, s.weight[k])
			seen[int(s.d.Y[i])] = true
		}
	}
	if !seen[0] || !seen[1] {
		return s
	}
	return out
}

// poisson turns 64 random bits into a Poisson draw of at most 10, by its distribution function.
func poisson(bits uint64, mean float64) int {
	u := float64(bits>>11) / (1 << 53)
	p, k := math.Exp(-mean), 0
	for f := p; u >= f && k < 10; f += p {
		k++
		p *= mean / float64(k)
	}
	return k
}
