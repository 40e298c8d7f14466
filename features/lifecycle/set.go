package lifecycle

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"retain/features"
)

// Names of stages that mean something to the program, in every rule set that has them.
const (
	Churned = "churned"
	WonBack = "won_back"
)

// Set is a rule set as it is written. Stages stand in the order of the journey; a customer's stage is the furthest whose rule holds,
// the first one taking everyone else. Exits lie beside the journey and are looked at before it, in their order.
type Set struct {
	Name   string  `json:"name" yaml:"name"`
	Terms  []Term  `json:"terms,omitempty" yaml:"terms"`
	Stages []Stage `json:"stages" yaml:"stages"`
	Exits  []Stage `json:"exits,omitempty" yaml:"exits"`
}

// Stage is a named rule.
type Stage struct {
	Name  string `json:"name" yaml:"name"`
	Title string `json:"title,omitempty" yaml:"title"`
	Rule  string `json:"rule,omitempty" yaml:"rule"` // CEL; "" only for the first of the journey
}

// Term is a rule that other rules name.
type Term struct {
	Name string `json:"name"`
	Rule string `json:"rule"`
}

// Bounds of a rule set.
const (
	maxStages = 24 // with exits; below the 31 that a path in the warehouse has room for
	maxTerms  = 24
)

// Presets are the names of the rule sets that come with the program; the first is the default.
var Presets = []string{"full", "classic", "journey", "crm", "touchpoint"}

//go:embed presets/*.yaml
var presetFiles embed.FS

// Preset is the text of a rule set that comes with the program. The error names those that there are.
func Preset(name string) ([]byte, error) {
	if !slices.Contains(Presets, name) {
		return nil, fmt.Errorf("no preset %q; there are %s", name, strings.Join(Presets, ", "))
	}
	return presetFiles.ReadFile("presets/" + name + ".yaml")
}

// PresetStages are the names of the stages of a preset, exits last. Errors: as Preset.
func PresetStages(name string) ([]string, error) {
	text, err := Preset(name)
	if err != nil {
		return nil, err
	}
	var set struct{ Stages, Exits []Stage }
	if err := yaml.Unmarshal(text, &set); err != nil {
		return nil, fmt.Errorf("preset %s: %w", name, err)
	}
	return (&Set{Stages: set.Stages, Exits: set.Exits}).Names(), nil
}

//go:embed features.yaml
var ownFeatures []byte

// Nameable lists the features that rules may name: those of known, of the shipped catalogue and of the lifecycle's own, one per name,
// the first that has it. Families are left out, as data decide about them.
func Nameable(known *features.Catalogue) ([]features.Entry, error) {
	own, err := features.ParseCatalogue(ownFeatures)
	if err != nil {
		return nil, err
	}
	return features.Nameable(known, features.DefaultCatalogue(), own), nil
}

// All are the stages of the journey in order, then the exits.
func (s *Set) All() []Stage { return slices.Concat(s.Stages, s.Exits) }

// Names are those of All.
func (s *Set) Names() []string {
	names := make([]string, 0, len(s.Stages)+len(s.Exits))
	for _, stage := range s.All() {
		names = append(names, stage.Name)
	}
	return names
}

// Document is the set as JSON, which Decode reads. The same set gives the same bytes.
func (s *Set) Document() []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic("lifecycle: " + err.Error()) // plain texts
	}
	return b
}

// Decode reads a Document back: enough to tell stages by it, but not to find them.
func Decode(document []byte) (*Set, error) {
	s := new(Set)
	if err := json.Unmarshal(document, s); err != nil {
		return nil, fmt.Errorf("lifecycle rules: %w", err)
	}
	return s, nil
}

// version is the hash of what the set computes: names, rules and the definitions of the features that they read. Titles and the set's
// own name do not count.
func (s *Set) version(read []features.Entry) string {
	h := sha256.New()
	write := func(texts ...string) {
		for _, text := range texts {
			fmt.Fprintf(h, "%d:%s", len(text), text)
		}
	}
	for _, t := range s.Terms {
		write("term", t.Name, t.Rule)
	}
	for _, stage := range s.Stages {
		write("stage", stage.Name, stage.Rule)
	}
	for _, stage := range s.Exits {
		write("exit", stage.Name, stage.Rule)
	}
	for _, e := range read {
		write("feature", e.Name, e.Definition())
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
