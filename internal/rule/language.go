// Package rule is the language of the conditions that users write about customers: CEL expressions over declared facts and over the
// features of a catalogue, which read f.NAME. A rule is bounded in size, depth and cost before it ever runs, has no loops, and does
// not hold where it needs what is not known of a customer.
package rule

import (
	"fmt"
	"math"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// Kind is what a fact is.
type Kind uint8

// Kinds of facts, with what their Get returns.
const (
	Text      Kind = iota // string
	MaybeText             // string, or nil for CEL's null: a rule may compare it with null
	Number                // float64
	Whole                 // int64
	Truth                 // bool
	Texts                 // map[string]string
)

func (k Kind) of() *cel.Type {
	switch k {
	case MaybeText:
		return cel.NullableType(cel.StringType)
	case Number:
		return cel.DoubleType
	case Whole:
		return cel.IntType
	case Truth:
		return cel.BoolType
	case Texts:
		return cel.MapType(cel.StringType, cel.StringType)
	default:
		return cel.StringType
	}
}

// Fact is a variable of rules, got from a row R.
type Fact[R any] struct {
	Name string
	Kind Kind
	Get  func(*R) any // nil = unknown
}

// Known is a number as Get returns it: nil when it is NaN.
func Known(v float64) any {
	if math.IsNaN(v) {
		return nil
	}
	return v
}

// Feature is a column that rules may name.
type Feature struct {
	Name        string
	Categorical bool // a text; else a number
}

// Columns are the columns of a language's features, by their place in it.
type Columns struct {
	X      [][]float32 // NaN = missing; a nil column is missing for everyone
	Levels [][]string  // per column: the levels of a categorical one
}

// At is the value of a feature in a row, nil when it is missing.
func (c *Columns) At(place, row int) any {
	if c == nil || c.X[place] == nil {
		return nil
	}
	v := c.X[place][row]
	if v != v {
		return nil
	}
	if levels := c.Levels[place]; levels != nil {
		return levels[int(v)]
	}
	return float64(v)
}

// featuresName is the variable whose fields are features, featuresType its type.
const (
	featuresName = "f"
	featuresType = "retain.Features"
)

// Bounds of a rule. Loops are not part of the language, so its cost is known before it runs.
const (
	maxBytes     = 2000
	maxDepth     = 50
	maxCost      = 1000 // in CEL's units: about a comparison of two numbers each
	maxTextBytes = 256  // assumed length of a text, for the cost
)

// Language is what rules over a row R may say. It is immutable and safe for concurrent use.
type Language[R any] struct {
	env      *cel.Env
	names    []string // of the facts, and f
	facts    map[string]resolvable[R]
	features []Feature
	at       func(*R) (*Columns, int)
}

type resolvable[R any] struct {
	Fact[R]
	unknown any // the error that says so
}

// NewLanguage declares the facts and features. at finds a row's features: its columns (nil: none is known) and its place in them.
func NewLanguage[R any](facts []Fact[R], features []Feature, at func(*R) (*Columns, int)) (*Language[R], error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	l := &Language[R]{facts: make(map[string]resolvable[R], len(facts)+1), features: features, at: at}
	options := []cel.EnvOption{
		cel.CustomTypeAdapter(registry), cel.CustomTypeProvider(newFeatureTypes(registry, features, at)), cel.ClearMacros(), cel.Macros(cel.HasMacro),
		cel.CrossTypeNumericComparisons(true), cel.ParserExpressionSizeLimit(maxBytes), cel.ParserRecursionLimit(maxDepth),
		cel.Variable(featuresName, cel.ObjectType(featuresType)),
	}
	for _, f := range facts {
		options = append(options, cel.Variable(f.Name, f.Kind.of()))
		unknown := types.WrapErr(&unknownFact{f.Name})
		if f.Kind == MaybeText {
			unknown = types.NullValue
		}
		l.names = append(l.names, f.Name)
		l.facts[f.Name] = resolvable[R]{f, unknown}
	}
	l.names = append(l.names, featuresName)
	l.facts[featuresName] = resolvable[R]{Fact: Fact[R]{Get: func(row *R) any { return row }}}
	l.env, err = cel.NewEnv(options...)
	return l, err
}

// Compile checks and compiles a rule. The fault says what is wrong and the mend; "" = nothing.
func (l *Language[R]) Compile(text string) (r *Rule[R], fault string) {
	checked, issues := l.env.Compile(text)
	if issues != nil && issues.Err() != nil {
		return nil, l.fault(issues)
	}
	if !checked.OutputType().IsExactType(cel.BoolType) {
		return nil, fmt.Sprintf("the rule is a %s; it must be true or false", checked.OutputType())
	}
	estimate, err := l.env.EstimateCost(checked, boundedTexts{})
	if err != nil {
		return nil, "the rule's cost cannot be told: " + err.Error()
	}
	if estimate.Max > maxCost {
		return nil, fmt.Sprintf("the rule costs up to %d, more than %d: shorten it", estimate.Max, maxCost)
	}
	program, err := l.env.Program(checked, cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, err.Error()
	}
	r = &Rule[R]{program: program, language: l}
	r.note(checked.NativeRep())
	r.direct = direct[R]{l, checked.NativeRep()}.condition(checked.NativeRep().Expr())
	return r, ""
}

// fault is CEL's complaints in one line, each with its column.
func (l *Language[R]) fault(issues *cel.Issues) string {
	var faults []string
	for _, e := range issues.Errors() {
		words := e.Message
		if field, ok := strings.CutPrefix(words, "undefined field '"); ok {
			words = "no feature " + strings.TrimSuffix(field, "'") + " in the catalogue of features (`retain features list`)"
		} else if strings.Contains(words, "undeclared reference to") {
			words = strings.ReplaceAll(words, " (in container '')", "") + "; there are " + strings.Join(l.names, ", ")
		}
		faults = append(faults, fmt.Sprintf("column %d: %s", e.Location.Column()+1, words))
	}
	return strings.Join(faults, "; ")
}
