package rule

import (
	"errors"
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// Rule is a compiled condition over rows R. It is immutable and safe for concurrent use.
type Rule[R any] struct {
	program  cel.Program
	direct   condition[R] // the same in Go; nil where it says more than comparisons
	language *Language[R]
	features []string
	facts    []string
	compared map[string][]string // fact → the literal texts that it is compared with
}

// Features are the names of the features that the rule reads, each once, in the order in which they are met.
func (r *Rule[R]) Features() []string { return r.features }

// Reads tells whether the rule reads a fact.
func (r *Rule[R]) Reads(fact string) bool { return slices.Contains(r.facts, fact) }

// Compared are the literal texts that the rule compares a fact with, by ==, != or in, each once, in the order in which they are met: a text that the fact
// never has makes the comparison idle.
func (r *Rule[R]) Compared(fact string) []string { return r.compared[fact] }

// compares notes the literal texts of a comparison.
func (r *Rule[R]) compares(c ast.CallExpr) {
	switch c.FunctionName() {
	case operators.Equals, operators.NotEquals, operators.In:
	default:
		return
	}
	a, b := c.Args()[0], c.Args()[1]
	if a.Kind() != ast.IdentKind {
		a, b = b, a
	}
	if a.Kind() != ast.IdentKind {
		return
	}
	texts := []ast.Expr{b}
	if b.Kind() == ast.ListKind {
		texts = b.AsList().Elements()
	}
	for _, e := range texts {
		if s, ok := literalText(e); ok && s != noText && !slices.Contains(r.compared[a.AsIdent()], s) {
			if r.compared == nil {
				r.compared = map[string][]string{}
			}
			r.compared[a.AsIdent()] = append(r.compared[a.AsIdent()], s)
		}
	}
}

// note finds out what a checked expression reads.
func (r *Rule[R]) note(a *ast.AST) {
	add := func(names *[]string, name string) {
		if !slices.Contains(*names, name) {
			*names = append(*names, name)
		}
	}
	ast.PostOrderVisit(a.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.IdentKind:
			add(&r.facts, e.AsIdent())
		case ast.CallKind:
			r.compares(e.AsCall())
		case ast.SelectKind:
			s := e.AsSelect()
			if s.Operand().Kind() == ast.IdentKind && s.Operand().AsIdent() == featuresName {
				add(&r.features, s.FieldName())
			}
		}
	}))
}

// Holds evaluates the rule. What is not known makes a rule that needs it not hold, unless the rest of it decides (a || b holds if b
// does); unknown is then what it needed, "" when nothing lacked.
func (r *Rule[R]) Holds(row *R) (ok bool, unknown string) {
	if r.direct != nil {
		t, lacks := r.direct(row)
		return t == yes, lacks
	}
	return r.interpret(row)
}

// interpret lets CEL evaluate the rule.
func (r *Rule[R]) interpret(row *R) (ok bool, unknown string) {
	out, _, err := r.program.Eval(activation[R]{row, r.language})
	if err != nil {
		var lacking *unknownFact
		if errors.As(err, &lacking) {
			return false, lacking.what
		}
		return false, somethingElse // such as an attribute that the customer has not
	}
	return out == types.True, ""
}

// unknownFact is the error of a rule that needs what is not known.
type unknownFact struct{ what string }

func (e *unknownFact) Error() string { return e.what + " is not known" }

// activation lets CEL read a row without a map per row.
type activation[R any] struct {
	row      *R
	language *Language[R]
}

// ResolveName implements cel.Activation.
func (a activation[R]) ResolveName(name string) (any, bool) {
	f, ok := a.language.facts[name]
	if !ok {
		return nil, false
	}
	if v := f.Get(a.row); v != nil {
		return v, true
	}
	return f.unknown, true
}

// Parent implements cel.Activation.
func (activation[R]) Parent() cel.Activation { return nil }

// boundedTexts tells CEL's cost how long texts are.
type boundedTexts struct{}

// EstimateCallCost implements cost.Estimator: CEL's own costs.
func (boundedTexts) EstimateCallCost(_, _ string, _ *cost.AstNode, _ []cost.AstNode) *cost.CallEstimate {
	return nil
}

// EstimateSize implements cost.Estimator.
func (boundedTexts) EstimateSize(cost.AstNode) *cost.SizeEstimate {
	return &cost.SizeEstimate{Min: 0, Max: maxTextBytes}
}
