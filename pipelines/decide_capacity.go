package pipelines

import (
	"math"

	"retain/models/actions"
)

// capacity is what is left of each action today.
type capacity struct{ left []int }

func newCapacity(c *actions.Catalogue) *capacity {
	k := &capacity{left: make([]int, len(c.Actions))}
	for i, a := range c.Actions {
		k.left[i] = math.MaxInt
		if a.Capacity != nil {
			k.left[i] = *a.Capacity
		}
	}
	return k
}

// open is the actions that have some left, as a mask.
func (k *capacity) open() (mask uint64) {
	for i, n := range k.left {
		if n > 0 {
			mask |= 1 << i
		}
	}
	return mask
}

// settled tells whether n turns can neither close an action nor find one closed half-way: each is closed, or has n left.
func (k *capacity) settled(n int) bool {
	for _, left := range k.left {
		if left > 0 && left < n {
			return false
		}
	}
	return true
}

func (k *capacity) take(action int) {
	if k.left[action] != math.MaxInt {
		k.left[action]--
	}
}
