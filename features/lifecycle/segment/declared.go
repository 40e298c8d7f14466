package segment

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"retain/features"
	"retain/features/lifecycle"
	"retain/internal/rule"
)

// Declared are segments that somebody wrote down: a customer is in the first whose rule holds. It is immutable and safe for concurrent use.
type Declared struct {
	Segments []Declaration
	Features []features.Entry // that the rules read; Member.Features has the same order

	rules []*rule.Rule[Member]
}

// Declaration is one of them.
type Declaration struct {
	Name  string `json:"name" yaml:"name"`
	Title string `json:"title,omitempty" yaml:"title"`
	Rule  string `json:"rule" yaml:"rule"` // CEL over f.NAME
}

// Member is what rules see of one customer.
type Member struct {
	Features *rule.Columns
	Row      int
}

// maxDeclared bounds the segments of a file, and the attributes that it names.
const maxDeclared = 100

var plainName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

// declaredFile is a file of segments. Attributes of customers that rules read as f.profile_KEY are named, because data decide which there are.
type declaredFile struct {
	Attributes []string      `yaml:"attributes"`
	Segments   []Declaration `yaml:"segments"`
}

// ParseDeclared reads segments in YAML strictly and compiles their rules over the features of known and of the program (nil: only the latter).
// Errors: every problem at once.
func ParseDeclared(text []byte, known *features.Catalogue) (*Declared, error) {
	var file declaredFile
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		return nil, fmt.Errorf("segments: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errors.New("segments: more than one document; a file is one")
	}
	entries, err := lifecycle.Nameable(known)
	if err != nil {
		return nil, fmt.Errorf("prepare segments: %w", err)
	}
	faults := file.check()
	for _, key := range file.Attributes {
		if name := "profile_" + key; plainName.MatchString(key) && !slices.ContainsFunc(entries, func(e features.Entry) bool { return e.Name == name }) {
			entries = append(entries, features.Entry{Name: name, Unit: features.UnitLevel, Doc: "attribute " + key, Words: "{value}", Missing: "unknown",
				Measure: features.Measure{Source: features.Customers, Form: features.Attribute, Column: "attributes", Key: key}})
		}
	}
	d := &Declared{Segments: file.Segments}
	more, err := d.compile(entries)
	if err != nil {
		return nil, err
	}
	if faults = append(faults, more...); len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	// Once more over the features that are read alone, so that columns have their places.
	d.Features = d.read(entries)
	if _, err := d.compile(d.Features); err != nil {
		return nil, err
	}
	return d, nil
}

func (f *declaredFile) check() (faults []error) {
	wrong := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("segments: "+format, args...))
	}
	if len(f.Segments) == 0 || len(f.Segments) > maxDeclared || len(f.Attributes) > maxDeclared {
		wrong("there are %d, and %d attributes; want 1 to %d segments with name, title and rule", len(f.Segments), len(f.Attributes), maxDeclared)
	}
	for _, key := range f.Attributes {
		if !plainName.MatchString(key) {
			wrong("attributes: the key %q does not read %s", key, plainName)
		}
	}
	seen := map[string]bool{Others: true}
	for _, s := range f.Segments {
		if !plainName.MatchString(s.Name) || seen[s.Name] {
			wrong("the name %q does not read %s, or is taken", s.Name, plainName)
		}
		seen[s.Name] = true
	}
	return faults
}

// Others is the segment of those whom no rule takes.
const Others = "other"

func (d *Declared) compile(entries []features.Entry) (faults []error, err error) {
	named := make([]rule.Feature, len(entries))
	for i, e := range entries {
		named[i] = rule.Feature{Name: e.Name, Categorical: e.Kind() == features.Categorical}
	}
	language, err := rule.NewLanguage(nil, named, func(m *Member) (*rule.Columns, int) { return m.Features, m.Row })
	if err != nil {
		return nil, fmt.Errorf("prepare segments: %w", err)
	}
	d.rules = nil
	for _, s := range d.Segments {
		compiled, fault := language.Compile(s.Rule)
		if fault != "" {
			faults = append(faults, fmt.Errorf("segments, %s: rule: %s", s.Name, fault))
			continue
		}
		d.rules = append(d.rules, compiled)
	}
	return faults, nil
}

func (d *Declared) read(entries []features.Entry) (read []features.Entry) {
	for _, e := range entries {
		if slices.ContainsFunc(d.rules, func(r *rule.Rule[Member]) bool { return slices.Contains(r.Features(), e.Name) }) {
			read = append(read, e)
		}
	}
	return read
}

// Of is the place in Segments of a customer's segment; -1 = none holds.
func (d *Declared) Of(m *Member) int {
	return slices.IndexFunc(d.rules, func(r *rule.Rule[Member]) bool {
		ok, _ := r.Holds(m)
		return ok
	})
}
