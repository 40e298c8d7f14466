package segment

import "strconv"

// name gives each group a label: that of the former group with which it shares most customers, if they are at least half of either group; else a
// new one. Pairs are taken by the number of customers shared, the most first, so that a label is given once.
func (f *Found) name(group []int, former *Found, was []int) {
	f.Next = 1
	taken := make([]bool, len(f.Groups))
	if former != nil {
		f.Next = former.Next
		shared := make([][]int, len(f.Groups)) // by group, by former group
		size := make([]int, len(former.Groups))
		for g := range shared {
			shared[g] = make([]int, len(former.Groups))
		}
		for i, g := range group {
			if was[i] >= 0 {
				shared[g][was[i]]++
				size[was[i]]++
			}
		}
		for {
			g, h, most := -1, -1, 0
			for a := range shared {
				for b, n := range shared[a] {
					if n > most {
						g, h, most = a, b, n
					}
				}
			}
			if g < 0 {
				break
			}
			if 2*most >= f.Groups[g].Customers || 2*most >= size[h] {
				f.Groups[g].Label, taken[g] = former.Groups[h].Label, true
				for b := range shared[g] {
					shared[g][b] = 0
				}
				for a := range shared {
					shared[a][h] = 0
				}
			} else {
				shared[g][h] = 0
			}
		}
	}
	for g := range f.Groups {
		if !taken[g] {
			f.Groups[g].Label = "S" + strconv.Itoa(f.Next)
			f.Next++
		}
	}
}
