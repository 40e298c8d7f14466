package actions

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"

	"retain/features"
)

// rule is a compiled eligibility expression. It is safe for concurrent use.
type rule struct {
	program    cel.Program
	features   []string // that it names
	attributes bool     // it reads attributes
}

// Bounds of a rule. Loops are not part of the language here, so its cost is known before it runs.
const (
	maxRuleBytes = 2000
	maxRuleDepth = 50
	maxRuleCost  = 1000 // in CEL's units: about a comparison of two numbers each
	maxFactBytes = 256  // assumed length of a text, for the cost
)

// ruleEnvironment is the language of rules over the facts and features of a catalogue.
func ruleEnvironment(entries []features.Entry) (*cel.Env, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	provider := newFeatureTypes(registry, entries)
	options := []cel.EnvOption{
		cel.CustomTypeAdapter(registry), cel.CustomTypeProvider(provider), cel.ClearMacros(), cel.Macros(cel.HasMacro),
		cel.CrossTypeNumericComparisons(true), cel.ParserExpressionSizeLimit(maxRuleBytes), cel.ParserRecursionLimit(maxRuleDepth),
	}
	for _, f := range factTable {
		options = append(options, cel.Variable(f.name, f.kind))
	}
	return cel.NewEnv(options...)
}

// compileRule checks and compiles a rule. The fault says what is wrong and the mend; "" = nothing.
func compileRule(env *cel.Env, text string) (r *rule, fault string) {
	checked, issues := env.Compile(text)
	if issues != nil && issues.Err() != nil {
		return nil, ruleFault(issues)
	}
	if !checked.OutputType().IsExactType(cel.BoolType) {
		return nil, fmt.Sprintf("the rule is a %s; it must be true or false", checked.OutputType())
	}
	estimate, err := env.EstimateCost(checked, boundedTexts{})
	if err != nil {
		return nil, "the rule's cost cannot be told: " + err.Error()
	}
	if estimate.Max > maxRuleCost {
		return nil, fmt.Sprintf("the rule costs up to %d, more than %d: shorten it", estimate.Max, maxRuleCost)
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, err.Error()
	}
	r = &rule{program: program}
	r.note(checked.NativeRep())
	return r, ""
}

// ruleFault is CEL's complaints in one line, each with its column.
func ruleFault(issues *cel.Issues) string {
	var faults []string
	for _, e := range issues.Errors() {
		words := e.Message
		if field, ok := strings.CutPrefix(words, "undefined field '"); ok {
			words = "no feature " + strings.TrimSuffix(field, "'") + " in the catalogue of features (`retain features list`)"
		} else if strings.Contains(words, "undeclared reference to") {
			words = strings.ReplaceAll(words, " (in container '')", "") + "; there are " + strings.Join(factNames(), ", ")
		}
		faults = append(faults, fmt.Sprintf("column %d: %s", e.Location.Column()+1, words))
	}
	return strings.Join(faults, "; ")
}

func factNames() []string {
	names := make([]string, len(factTable))
	for i, f := range factTable {
		names[i] = f.name
	}
	return names
}

// note finds out what a checked expression reads.
func (r *rule) note(a *ast.AST) {
	ast.PostOrderVisit(a.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.IdentKind:
			r.attributes = r.attributes || e.AsIdent() == "attributes"
		case ast.SelectKind:
			s := e.AsSelect()
			if s.Operand().Kind() == ast.IdentKind && s.Operand().AsIdent() == "f" && !slices.Contains(r.features, s.FieldName()) {
				r.features = append(r.features, s.FieldName())
			}
		}
	}))
}

// holds evaluates the rule; unknown is what it needed and is not known.
func (r *rule) holds(f *Facts) (ok bool, unknown string) {
	out, _, err := r.program.Eval(activation{f})
	if err != nil {
		var lacking *unknownFact
		if errors.As(err, &lacking) {
			return false, lacking.what
		}
		return false, "something in it" // such as an attribute that the customer has not
	}
	return out == types.True, ""
}

// boundedTexts tells CEL's cost how long texts are.
type boundedTexts struct{}

// EstimateCallCost implements cost.Estimator: CEL's own costs.
func (boundedTexts) EstimateCallCost(_, _ string, _ *cost.AstNode, _ []cost.AstNode) *cost.CallEstimate {
	return nil
}

// EstimateSize implements cost.Estimator.
func (boundedTexts) EstimateSize(cost.AstNode) *cost.SizeEstimate {
	return &cost.SizeEstimate{Min: 0, Max: maxFactBytes}
}
