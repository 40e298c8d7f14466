package actions

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"retain/features"
	"retain/features/lifecycle"
	"retain/internal/rule"
)

// Engine is a catalogue with its rules compiled. It is immutable and safe for concurrent use.
type Engine struct {
	Catalogue *Catalogue
	Features  []features.Entry    // that rules may name; FeatureColumns have the same order
	rules     []*rule.Rule[Facts] // per action; nil = always
}

// fileWord is what mistakes call the file.
const fileWord = "actions"

// Default is the catalogue that comes with the program, over the given catalogue of features (nil: the shipped one).
func Default(known *features.Catalogue) (*Engine, error) { return Parse(shippedCatalogue, known) }

// Parse reads a catalogue in YAML strictly and compiles its rules over the features of known and of the shipped catalogue
// (nil: only the latter). Its stages are those of the default lifecycle. Errors: every problem at once, each a *rule.FileError with its line.
func Parse(text []byte, known *features.Catalogue) (*Engine, error) {
	stages, err := lifecycle.PresetStages(lifecycle.Presets[0])
	if err != nil {
		return nil, err
	}
	return ParseFor(text, known, stages)
}

// ParseFor is Parse for a lifecycle with other stages: one that an action names and the lifecycle has not is a problem, as nobody
// would ever reach it.
func ParseFor(text []byte, known *features.Catalogue, stages []string) (*Engine, error) {
	p := &parser{stages: stages, engine: &Engine{Catalogue: &Catalogue{Policy: defaultPolicy()}, Features: features.Nameable(known, features.DefaultCatalogue())}}
	var doc, second yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return nil, &rule.FileError{File: fileWord, Fault: strings.TrimPrefix(err.Error(), "yaml: ")}
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, &rule.FileError{File: fileWord, Line: second.Line, Fault: "a second document; the catalogue is one"}
	}
	if len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, &rule.FileError{File: fileWord, Fault: "want version:, policy: and actions: at the top"}
	}
	if err := p.read(doc.Content[0]); err != nil {
		return nil, err
	}
	slices.SortStableFunc(p.faults, func(a, b *rule.FileError) int { return a.Line - b.Line })
	all := make([]error, len(p.faults))
	for i, f := range p.faults {
		all[i] = f
	}
	if err := errors.Join(all...); err != nil {
		return nil, err
	}
	return p.engine, nil
}

// defaultPolicy is that of a catalogue that says nothing: one e-mail and one SMS a week.
func defaultPolicy() ContactPolicy {
	return ContactPolicy{
		Caps:    []Cap{{Channel: "email", Class: Marketing, Days: 7, Max: 1}, {Channel: "sms", Class: Marketing, Days: 7, Max: 1}},
		Ignored: Hold{Times: 2, Days: 30}, RepeatDays: 60, OpenTicketDays: 90,
		Weights: map[Class]float64{Marketing: 1, Service: .5},
		Quiet:   QuietHours{From: 21, Until: 8}, Hour: 10,
	}
}

// parser gathers what is wrong.
type parser struct {
	engine *Engine
	stages []string // of the lifecycle
	faults []*rule.FileError

	members *rule.Language[memberFacts] // of subgroups; nil until one is met
}

func (p *parser) wrong(line int, action, format string, args ...any) {
	if action != "" {
		action = "action " + action
	}
	p.faults = append(p.faults, &rule.FileError{File: fileWord, Line: line, Entry: action, Fault: fmt.Sprintf(format, args...)})
}

func (p *parser) read(top *yaml.Node) error {
	var file struct {
		Version int         `yaml:"version"`
		Policy  yaml.Node   `yaml:"policy"`
		Actions []yaml.Node `yaml:"actions"`
	}
	if !p.keys(top, reflect.TypeOf(file), "") {
		return nil
	}
	p.decode(top, &file, "")
	c := p.engine.Catalogue
	if c.Version = file.Version; c.Version != catalogueVersion {
		p.wrong(lineOf(top, "version"), "", "version is %d; this program reads version: %d", c.Version, catalogueVersion)
	}
	if file.Policy.Kind != 0 && p.keys(&file.Policy, reflect.TypeFor[ContactPolicy](), "") {
		if key, _ := pairOf(&file.Policy, "weights"); key != nil {
			c.Policy.Weights = nil // the defaults would show through: a class that is left out weighs 0
		}
		p.decode(&file.Policy, &c.Policy, "")
	}
	p.checkPolicy(lineOf(top, "policy"))
	if len(file.Actions) > MaxActions {
		p.wrong(lineOf(top, "actions"), "", "%d actions; at most %d", len(file.Actions), MaxActions)
		return nil
	}
	lang, err := language(p.engine.Features)
	if err != nil {
		return fmt.Errorf("prepare rules: %w", err)
	}
	c.Actions = make([]Action, len(file.Actions))
	p.engine.rules = make([]*rule.Rule[Facts], len(file.Actions))
	seen := map[string]int{}
	for i := range file.Actions {
		node, a := &file.Actions[i], &c.Actions[i]
		*a = Action{Lever: 1, ExpiresAfter: Days(7 * 24 * time.Hour)}
		if !p.keys(node, reflect.TypeFor[Action](), textOf(node, "id")) {
			a.ID = textOf(node, "id")
			continue
		}
		p.decode(node, a, textOf(node, "id"))
		if first, ok := seen[a.ID]; ok {
			p.wrong(lineOf(node, "id"), a.ID, "the id is taken by the action of line %d", first)
		}
		seen[a.ID] = node.Line
		p.checkAction(node, a)
		if err := p.checkSubgroups(node, a); err != nil {
			return err
		}
		if a.Eligibility == "" {
			continue
		}
		r, fault := lang.Compile(a.Eligibility)
		if fault != "" {
			p.wrong(lineOf(node, "eligibility"), a.ID, "eligibility: %s", fault)
		} else {
			for _, stage := range r.Compared(stageFact) {
				p.checkStage(lineOf(node, "eligibility"), a.ID, "eligibility", stage)
			}
		}
		p.engine.rules[i] = r
	}
	if c.Index(DoNothing) < 0 {
		p.wrong(lineOf(top, "actions"), "", "%s is missing: it is always a candidate; add `- {id: %s, title: No action, channel: %s, class: %s}`", DoNothing, DoNothing, ChannelNone, Service)
	}
	return nil
}

// decode decodes what fits and tells what does not.
func (p *parser) decode(node *yaml.Node, into any, action string) {
	err := node.Decode(into)
	var wrong *yaml.TypeError
	switch {
	case errors.As(err, &wrong):
		for _, words := range wrong.Errors {
			line := node.Line
			if n, _ := fmt.Sscanf(words, "line %d:", &line); n == 1 {
				_, words, _ = strings.Cut(words, ": ")
			}
			p.wrong(line, action, "%s", words)
		}
	case err != nil:
		p.wrong(node.Line, action, "%s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
}

// keys tells the keys of a mapping that the struct does not have, and those that are there twice; with those it cannot be decoded.
func (p *parser) keys(node *yaml.Node, of reflect.Type, action string) (decodable bool) {
	decodable = true
	if node.Kind != yaml.MappingNode {
		return true
	}
	fields := map[string]reflect.Type{}
	for i := range of.NumField() {
		name, _, _ := strings.Cut(of.Field(i).Tag.Get("yaml"), ",")
		fields[name] = of.Field(i).Type
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if seen[key.Value] {
			p.wrong(key.Line, action, "key %s is there twice", key.Value)
			decodable = false
		}
		seen[key.Value] = true
		field, ok := fields[key.Value]
		switch {
		case !ok:
			p.wrong(key.Line, action, "unknown key %s; known here: %s", key.Value, strings.Join(sortedKeys(fields), ", "))
		case field.Kind() == reflect.Struct && field != reflect.TypeFor[yaml.Node]():
			decodable = p.keys(value, field, action) && decodable
		case field.Kind() == reflect.Slice && field.Elem().Kind() == reflect.Struct && field.Elem() != reflect.TypeFor[yaml.Node]():
			for _, item := range value.Content {
				decodable = p.keys(item, field.Elem(), action) && decodable
			}
		}
	}
	return decodable
}

// pairOf is a key of a mapping with its value; nil when there is none.
func pairOf(mapping *yaml.Node, text string) (key, value *yaml.Node) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == text {
			return mapping.Content[i], mapping.Content[i+1]
		}
	}
	return nil, nil
}

// lineOf is the line of a key, else of the mapping.
func lineOf(mapping *yaml.Node, text string) int {
	if key, _ := pairOf(mapping, text); key != nil {
		return key.Line
	}
	return mapping.Line
}

// textOf is the scalar under a key, "" when there is none.
func textOf(mapping *yaml.Node, text string) string {
	if _, value := pairOf(mapping, text); value != nil {
		return value.Value
	}
	return ""
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
