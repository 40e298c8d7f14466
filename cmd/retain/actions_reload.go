package main

import (
	"fmt"
	"strings"
	"sync"

	"retain/models/actions"
)

// catalogueShelf holds the catalogue of actions that a long-lived process decides with. The file is read anew for every run, so that a
// change takes effect at the next one; a file that has become unreadable or wrong leaves the last good one in force.
type catalogueShelf struct {
	mu      sync.Mutex
	engine  *actions.Engine
	version string // of engine
	refused string // the fault that was told last
}

// read reads the configured catalogue. say is told of a change, and of a fault once; err is the fault where there is no last good one.
func (s *catalogueShelf) read(c *Config, say func(string)) (*actions.Engine, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	engine, err := c.actionEngine()
	if err != nil {
		if s.engine == nil {
			return nil, err
		}
		if fault := err.Error(); fault != s.refused {
			s.refused = fault
			say(fmt.Sprintf("warning: the catalogue of actions has become unusable; version %s stays in force:\n  %s", s.version, strings.ReplaceAll(fault, "\n", "\n  ")))
		}
		return s.engine, nil
	}
	version := engine.Catalogue.Hash()
	if s.engine != nil && version != s.version {
		say(fmt.Sprintf("the catalogue of actions has changed: version %s follows %s", version, s.version))
	}
	s.engine, s.version, s.refused = engine, version, ""
	return engine, nil
}
