package pipelines

import (
	"math"
	"sync"

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

// lexicon holds each text once, under a number. "" is 0. It is safe for concurrent use.
type lexicon struct {
	mu    sync.RWMutex
	texts []string
	codes map[string]uint32
}

func newLexicon() *lexicon {
	return &lexicon{texts: []string{""}, codes: map[string]uint32{"": 0}}
}

// code numbers a text. There is one for every text: each customer may have one of his own.
func (l *lexicon) code(text string) uint32 {
	l.mu.RLock()
	code, ok := l.codes[text]
	l.mu.RUnlock()
	if ok {
		return code
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if code, ok := l.codes[text]; ok {
		return code
	}
	code = uint32(len(l.texts))
	l.texts = append(l.texts, text)
	l.codes[text] = code
	return code
}

func (l *lexicon) text(code uint32) string {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.texts[code]
}
