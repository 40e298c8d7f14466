package features

import "retain/internal/interval"

// rateCount counts labels, customers kept apart: rows of one customer are alike.
type rateCount struct {
	customers map[int32][2]int32 // their labels, and how many of these are 1
}

func (r *rateCount) add(customer int32, y float64) {
	one := [2]int32{1, 0}
	if y == 1 {
		one[1] = 1
	}
	r.count(customer, one)
}

func (r *rateCount) count(customer int32, more [2]int32) {
	if r.customers == nil {
		r.customers = map[int32][2]int32{}
	}
	n := r.customers[customer]
	r.customers[customer] = [2]int32{n[0] + more[0], n[1] + more[1]}
}

// join adds the labels of another count.
func (r *rateCount) join(o *rateCount) {
	for customer, n := range o.customers {
		r.count(customer, n)
	}
}

// figures are the labels, how many of them are 1, the rate and its 95 % interval: that of a ratio whose units are the customers, by linearisation;
// Wilson's where every customer has one label. Cochran, Sampling Techniques, 3rd ed., §6.4 and §11.
func (r *rateCount) figures() (n, churned int, rate, low, high *float64) {
	single := true
	for _, c := range r.customers {
		n, churned = n+int(c[0]), churned+int(c[1])
		single = single && c[0] == 1
	}
	if n == 0 {
		return 0, 0, nil, nil, nil
	}
	// Whole sums: Σ (y - p m)² = Σ y² - 2 p Σ y m + p² Σ m², so that the order of the map does not matter.
	var yy, ym, mm int
	for _, c := range r.customers {
		m, y := int(c[0]), int(c[1])
		yy, ym, mm = yy+y*y, ym+y*m, mm+m*m
	}
	p, m := float64(churned)/float64(n), float64(n)
	lo, hi := interval.Wilson(p, m)
	if !single {
		// The design effect turns the labels into as many independent ones.
		variance := max(float64(yy)-2*p*float64(ym)+p*p*float64(mm), 0) / (m * m)
		if plain := p * (1 - p) / m; plain > 0 && variance > plain {
			lo, hi = interval.Wilson(p, m*plain/variance)
		}
	}
	return n, churned, &p, &lo, &hi
}
