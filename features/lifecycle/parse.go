package lifecycle

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
	"retain/internal/rule"
)

// fileWord is what mistakes call the file.
const fileWord = "lifecycle"

// Load is a preset over the features of known and of the program (nil: only the latter).
func Load(preset string, known *features.Catalogue) (*Rules, error) {
	text, err := Preset(preset)
	if err != nil {
		return nil, err
	}
	return Parse(text, known)
}

// Parse reads a rule set in YAML strictly and compiles its rules over the features of known and of the program (nil: only the latter).
// Errors: every problem at once, each a *rule.FileError with its line.
func Parse(text []byte, known *features.Catalogue) (*Rules, error) {
	entries, err := Nameable(known)
	if err != nil {
		return nil, fmt.Errorf("prepare lifecycle rules: %w", err)
	}
	p := &parser{rules: &Rules{Set: &Set{}}}
	top, fault := document(text)
	if fault != nil {
		return nil, fault
	}
	p.shape(top)
	if len(p.faults) == 0 {
		if err := p.compile(entries); err != nil {
			return nil, fmt.Errorf("prepare lifecycle rules: %w", err)
		}
	}
	if len(p.faults) > 0 {
		slices.SortStableFunc(p.faults, func(a, b *rule.FileError) int { return a.Line - b.Line })
		all := make([]error, len(p.faults))
		for i, f := range p.faults {
			all[i] = f
		}
		return nil, errors.Join(all...)
	}
	r := p.rules
	r.names = r.Set.Names()
	r.Features = r.read(entries)
	r.Version = r.Set.version(r.Features)
	return p.final()
}

// document is the mapping of a file.
func document(text []byte) (*yaml.Node, error) {
	var doc, second yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return nil, &rule.FileError{File: fileWord, Fault: strings.TrimPrefix(err.Error(), "yaml: ")}
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, &rule.FileError{File: fileWord, Line: second.Line, Fault: "a second document; a rule set is one"}
	}
	if len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, &rule.FileError{File: fileWord, Fault: "want name:, stages: and exits: at the top"}
	}
	return doc.Content[0], nil
}

// parser gathers what is wrong.
type parser struct {
	rules  *Rules
	faults []*rule.FileError
	lines  map[string]int // of the rules, by name
}

func (p *parser) wrong(line int, name, format string, args ...any) {
	p.faults = append(p.faults, &rule.FileError{File: fileWord, Line: line, Entry: name, Fault: fmt.Sprintf(format, args...)})
}

var plainName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

// shape reads the file without looking into its rules.
func (p *parser) shape(top *yaml.Node) {
	p.lines = map[string]int{}
	s := p.rules.Set
	nodes := p.fields(top, "", "name", "terms", "stages", "exits")
	s.Name = p.text(nodes["name"], "")
	if !plainName.MatchString(s.Name) {
		p.wrong(top.Line, "", "name: %q does not read %s", s.Name, plainName)
	}
	if n := nodes["terms"]; n != nil {
		p.terms(n)
	}
	s.Stages = p.stages(nodes["stages"], "stages")
	s.Exits = p.stages(nodes["exits"], "exits")
	if n := nodes["stages"]; n == nil || n.Kind == yaml.SequenceNode && len(n.Content) < 2 { // as written: those that are wrong are told
		p.wrong(top.Line, "", "stages: list two or more, in the order of the journey")
	}
	if n := len(s.Stages) + len(s.Exits); n > maxStages {
		p.wrong(top.Line, "", "%d stages and exits; at most %d", n, maxStages)
	}
	for i, stage := range s.Stages {
		switch {
		case i == 0 && stage.Rule != "":
			p.wrong(p.lines[stage.Name], stage.Name, "the first stage has no rule: it takes everyone whom no other takes, so that everybody has a stage")
		case i > 0 && stage.Rule == "":
			p.wrong(p.lines[stage.Name], stage.Name, "rule: say who is in it")
		}
	}
	for _, stage := range s.Exits {
		if stage.Rule == "" {
			p.wrong(p.lines[stage.Name], stage.Name, "rule: say who is in it")
		}
	}
}

// fields are the values of a mapping by key; unknown and repeated keys are told.
func (p *parser) fields(n *yaml.Node, name string, known ...string) map[string]*yaml.Node {
	values := map[string]*yaml.Node{}
	if n.Kind != yaml.MappingNode {
		p.wrong(n.Line, name, "want keys %s", strings.Join(known, ", "))
		return values
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case !slices.Contains(known, key.Value):
			p.wrong(key.Line, name, "unknown key %s; known here: %s", key.Value, strings.Join(known, ", "))
		case values[key.Value] != nil:
			p.wrong(key.Line, name, "key %s is there twice", key.Value)
		default:
			values[key.Value] = value
		}
	}
	return values
}

func (p *parser) text(n *yaml.Node, name string) string {
	if n == nil {
		return ""
	}
	if n.Kind != yaml.ScalarNode {
		p.wrong(n.Line, name, "want a text")
		return ""
	}
	return strings.TrimSpace(n.Value)
}

// named notes the line of a name and tells whether it can be one.
func (p *parser) named(line int, name string) bool {
	if !plainName.MatchString(name) {
		p.wrong(line, name, "the name %q does not read %s", name, plainName)
		return false
	}
	if first, ok := p.lines[name]; ok {
		p.wrong(line, name, "the name is taken in line %d", first)
		return false
	}
	p.lines[name] = line
	return true
}

func (p *parser) terms(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		p.wrong(n.Line, "", "terms: want names with their rules")
		return
	}
	if len(n.Content)/2 > maxTerms {
		p.wrong(n.Line, "", "%d terms; at most %d", len(n.Content)/2, maxTerms)
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if slices.Contains(factNames, key.Value) {
			p.wrong(key.Line, key.Value, "the name stands for a fact already")
			continue
		}
		if p.named(key.Line, key.Value) {
			p.rules.Set.Terms = append(p.rules.Set.Terms, Term{Name: key.Value, Rule: p.text(value, key.Value)})
		}
	}
}

func (p *parser) stages(n *yaml.Node, what string) []Stage {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		p.wrong(n.Line, "", "%s: want a list of {name, title, rule}", what)
		return nil
	}
	var stages []Stage
	for _, item := range n.Content {
		nodes := p.fields(item, "", "name", "title", "rule")
		s := Stage{Name: p.text(nodes["name"], ""), Title: p.text(nodes["title"], ""), Rule: p.text(nodes["rule"], "")}
		if p.named(item.Line, s.Name) {
			stages = append(stages, s)
		}
	}
	return stages
}

// compile compiles everything that reads like a rule.
func (p *parser) compile(entries []features.Entry) error {
	r := p.rules
	if err := r.speak(entries); err != nil {
		return err
	}
	one := func(name, text string) *rule.Rule[Customer] {
		compiled, fault := r.language.Compile(text)
		if fault != "" {
			p.wrong(p.lines[name], name, "rule: %s", fault)
			return nil
		}
		for _, stage := range compiled.Compared("former") {
			if !slices.Contains(r.Set.Names(), stage) {
				p.wrong(p.lines[name], name, "rule: former is compared with %q, which is no stage of these rules: %s", stage, strings.Join(r.Set.Names(), ", "))
			}
		}
		return compiled
	}
	for k, t := range r.Set.Terms {
		compiled := one(t.Name, t.Rule)
		r.terms = append(r.terms, compiled)
		for _, later := range r.Set.Terms[k:] {
			if compiled != nil && compiled.Reads(later.Name) {
				p.wrong(p.lines[t.Name], t.Name, "rule: it names %s; a term may name those above it only", later.Name)
			}
		}
	}
	for _, stage := range r.Set.Exits {
		r.exits = append(r.exits, one(stage.Name, stage.Rule))
	}
	for i, stage := range r.Set.Stages {
		if i == 0 {
			r.stages = append(r.stages, nil)
			continue
		}
		r.stages = append(r.stages, one(stage.Name, stage.Rule))
	}
	return nil
}

// final compiles the rules again over the features that they read, so that columns have their places.
func (p *parser) final() (*Rules, error) {
	r := p.rules
	r.terms, r.exits, r.stages = nil, nil, nil
	if err := p.compile(r.Features); err != nil {
		return nil, fmt.Errorf("prepare lifecycle rules: %w", err)
	}
	if len(p.faults) > 0 {
		return nil, p.faults[0]
	}
	return r, nil
}
