package features

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

//go:embed catalogue.yaml
var defaultCatalogue []byte

// Catalogue is an ordered list of features. As written it may hold families; Resolve makes them concrete.
type Catalogue struct {
	Version   int     `json:"version" yaml:"version"`                         // of the format: 1
	Treatment bool    `json:"treatment,omitempty" yaml:"treatment,omitempty"` // keep the entries of treatment when resolved (metrics.md §3, group 7); else they are left out
	Entries   []Entry `json:"entries" yaml:"entries"`

	LeftOut []Dropped `json:"-" yaml:"-"` // set by Resolve: columns of the own feature table that are no features, as table.column, with the mend
}

// catalogueVersion is the format this package reads and writes.
const catalogueVersion = 1

var parsedDefault = sync.OnceValue(func() *Catalogue {
	c, err := ParseCatalogue(defaultCatalogue)
	if err != nil {
		panic("features: catalogue.yaml: " + err.Error()) // a test holds the embedded file
	}
	return c
})

// DefaultCatalogue is the catalogue that comes with the program: usage, features of the product, purchases, subscriptions, surveys,
// support, touchpoints, contact pressure (with the treatment flag only), profile.
func DefaultCatalogue() *Catalogue {
	c := parsedDefault()
	return &Catalogue{Version: c.Version, Treatment: c.Treatment, Entries: slices.Clone(c.Entries)}
}

// CatalogueError is one thing wrong with a catalogue.
type CatalogueError struct {
	Line  int    // of the entry in the file; 0 = unknown
	Entry string // its name; "" = the file as a whole
	Fault string // what is wrong and the mend
}

func (e *CatalogueError) Error() string {
	var s strings.Builder
	s.WriteString("catalogue")
	if e.Line > 0 {
		fmt.Fprintf(&s, " line %d", e.Line)
	}
	if e.Entry != "" {
		fmt.Fprintf(&s, ", entry %s", e.Entry)
	}
	return s.String() + ": " + e.Fault
}

// ParseCatalogue reads YAML (or JSON, a part of it) strictly: an unknown key, form, source or column is an error that names its
// line. All faulty entries are told at once, each as a *CatalogueError.
func ParseCatalogue(b []byte) (*Catalogue, error) {
	c := new(Catalogue)
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(c); err != nil {
		return nil, fmt.Errorf("catalogue: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	var lines struct {
		Entries []yaml.Node `yaml:"entries"`
	}
	if err := yaml.Unmarshal(b, &lines); err != nil {
		return nil, fmt.Errorf("catalogue: %w", err)
	}
	return c, c.settle(func(i int) int { return lines.Entries[i].Line })
}

// UnmarshalJSON reads what MarshalJSON of the fields wrote, as strictly as ParseCatalogue.
func (c *Catalogue) UnmarshalJSON(b []byte) error {
	type fields Catalogue
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var f fields
	if err := d.Decode(&f); err != nil {
		return fmt.Errorf("catalogue: %w", err)
	}
	*c = Catalogue(f)
	return c.settle(func(int) int { return 0 })
}

// settle hands sources down to the parts of composites and checks everything.
func (c *Catalogue) settle(line func(entry int) int) error {
	if c.Version != catalogueVersion {
		return &CatalogueError{Fault: fmt.Sprintf("version is %d; this program reads version: %d", c.Version, catalogueVersion)}
	}
	var faults []error
	seen := map[string]bool{}
	for i := range c.Entries {
		e := &c.Entries[i]
		e.Measure.inherit(e.Measure.Source)
		fault := e.check()
		if fault == "" && seen[e.Name] {
			fault = "the name is taken by an earlier entry"
		}
		seen[e.Name] = true
		if fault != "" {
			faults = append(faults, &CatalogueError{Line: line(i), Entry: e.Name, Fault: fault})
		}
	}
	return errors.Join(faults...)
}

// Entry finds a feature by its name.
func (c *Catalogue) Entry(name string) (Entry, bool) {
	i := slices.IndexFunc(c.Entries, func(e Entry) bool { return e.Name == name })
	if i < 0 {
		return Entry{}, false
	}
	return c.Entries[i], true
}

// Nameable lists the entries of catalogues (nil: none) that rules may name: one per name, the first that has it. Families are left out,
// as data decide about them, and what speaks of a label window that is not told.
func Nameable(catalogues ...*Catalogue) []Entry {
	var entries []Entry
	seen := map[string]bool{}
	for _, c := range catalogues {
		if c == nil {
			continue
		}
		for _, e := range c.Entries {
			if e.concrete() && !seen[e.Name] {
				seen[e.Name] = true
				entries = append(entries, e)
			}
		}
	}
	return entries
}

// Only is the catalogue of the named entries, in the order of names; names that it does not hold are left out.
func (c *Catalogue) Only(names []string) *Catalogue {
	out := &Catalogue{Version: c.Version, Treatment: c.Treatment, Entries: []Entry{}}
	for _, name := range names {
		if e, ok := c.Entry(name); ok {
			out.Entries = append(out.Entries, e)
		}
	}
	return out
}

// Names are the entries' names in order.
func (c *Catalogue) Names() []string {
	names := make([]string, len(c.Entries))
	for i, e := range c.Entries {
		names[i] = e.Name
	}
	return names
}

// Resolved tells whether no family is left, and nothing that waits for Catalogue.For: only then can a snapshot be taken.
func (c *Catalogue) Resolved() bool {
	return !slices.ContainsFunc(c.Entries, func(e Entry) bool { return !e.concrete() })
}
