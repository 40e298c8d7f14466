package pipelines

import "sync"

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
