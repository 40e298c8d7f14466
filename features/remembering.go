package features

import "sync"

// remembered is what the warehouse told of its sources apart from any cutoff.
type remembered struct {
	mu      sync.Mutex
	located map[string]located  // by source
	levels  map[string][]string // by source.column: the values where they are few, else none
}

// Remembering is the store for one piece of work over many cutoffs. What the warehouse tells of a source whatever the cutoff (whether an
// event was ever corrected, how an own table looks, which few values a column holds) is asked once and not for each statement: half of
// all statements. Rows that arrive meanwhile may then be read as they stood before a correction; InputDigests tells whether any did.
func (s *Store) Remembering() *Store {
	return &Store{DB: s.DB, Sources: s.Sources, memory: &remembered{located: map[string]located{}, levels: map[string][]string{}}}
}

// recall is the value kept under key, or what ask says, which is kept. Without a memory it always asks.
func recall[T any](m *remembered, kept func(*remembered) map[string]T, key string, ask func() (T, error)) (T, error) {
	if m == nil {
		return ask()
	}
	m.mu.Lock()
	v, ok := kept(m)[key]
	m.mu.Unlock()
	if ok {
		return v, nil
	}
	v, err := ask()
	if err == nil {
		m.mu.Lock()
		kept(m)[key] = v
		m.mu.Unlock()
	}
	return v, err
}
