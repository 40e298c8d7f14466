package rule

import (
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// A rule of comparisons, as nearly all are, becomes Go functions that read the row directly: some thirty times as fast as CEL's
// interpreter, with the same outcome. What else CEL can say is left to CEL.

// truth is the outcome of a condition.
type truth uint8

const (
	no truth = iota
	yes
	unsure // something that it needs is not known
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// Functions of a row. lacks is what was needed and is not known, "" = nothing.
type (
	condition[R any] func(*R) (t truth, lacks string)
	number[R any]    func(*R) (v float64, lacks string)
	text[R any]      func(*R) (s string, lacks string)
)

// noText stands for CEL's null in the place of a text: no source can hold it.
const noText = "\x00null"

// somethingElse is what lacks where CEL's error names nothing, such as an attribute that the customer has not.
const somethingElse = "something in it"

// wholeLimit bounds whole numbers that a float64 holds exactly.
const wholeLimit = 1 << 53

// direct turns checked expressions into functions.
type direct[R any] struct {
	language *Language[R]
	checked  *ast.AST
}

// condition is nil where the expression is not of comparisons only.
func (d direct[R]) condition(e ast.Expr) condition[R] {
	switch e.Kind() {
	case ast.LiteralKind:
		if b, ok := e.AsLiteral().(types.Bool); ok {
			t := truthOf(bool(b))
			return func(*R) (truth, string) { return t, "" }
		}
	case ast.IdentKind:
		return d.fact(e.AsIdent())
	case ast.SelectKind:
		if e.AsSelect().IsTestOnly() {
			return d.presence(e.AsSelect())
		}
	case ast.CallKind:
		return d.call(e.AsCall())
	}
	return nil
}

// fact is a fact that is true or false.
func (d direct[R]) fact(name string) condition[R] {
	f, ok := d.language.facts[name]
	if !ok || f.Kind != Truth {
		return nil
	}
	return func(row *R) (truth, string) {
		b, ok := f.Get(row).(bool)
		if !ok {
			return unsure, name
		}
		return truthOf(b), ""
	}
}

// presence is has(f.NAME).
func (d direct[R]) presence(s ast.SelectExpr) condition[R] {
	place := d.feature(s)
	if place < 0 {
		return nil
	}
	at := d.language.at
	return func(row *R) (truth, string) {
		columns, i := at(row)
		return truthOf(columns.has(place, i)), ""
	}
}

// feature is the place of f.NAME; -1 when the expression is something else.
func (d direct[R]) feature(s ast.SelectExpr) int {
	if s.Operand().Kind() != ast.IdentKind || s.Operand().AsIdent() != featuresName {
		return -1
	}
	return slices.IndexFunc(d.language.features, func(f Feature) bool { return f.Name == s.FieldName() })
}

func (d direct[R]) call(c ast.CallExpr) condition[R] {
	args := c.Args()
	switch c.FunctionName() {
	case operators.LogicalNot:
		x := d.condition(args[0])
		if x == nil {
			return nil
		}
		return func(row *R) (truth, string) {
			t, lacks := x(row)
			if t != unsure {
				t = yes - t
			}
			return t, lacks
		}
	case operators.LogicalAnd:
		return d.both(args, no)
	case operators.LogicalOr:
		return d.both(args, yes)
	case operators.In:
		return d.in(args[0], args[1])
	case operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		return d.compare(c.FunctionName(), args[0], args[1])
	}
	return nil
}

// both is && where decides is no, || where it is yes: the side that decides counts though the other is not known.
func (d direct[R]) both(args []ast.Expr, decides truth) condition[R] {
	x, y := d.condition(args[0]), d.condition(args[1])
	if x == nil || y == nil {
		return nil
	}
	return func(row *R) (truth, string) {
		left, lacks := x(row)
		if left == decides {
			return left, ""
		}
		right, lacksToo := y(row)
		switch {
		case right == decides:
			return right, ""
		case left == unsure:
			return left, lacks
		}
		return right, lacksToo
	}
}

// compare compares numbers, or texts for equality.
func (d direct[R]) compare(sign string, a, b ast.Expr) condition[R] {
	if x, y := d.number(a), d.number(b); x != nil && y != nil {
		holds := numberSign(sign)
		return func(row *R) (truth, string) {
			v, lacks := x(row)
			if lacks != "" {
				return unsure, lacks
			}
			w, lacks := y(row)
			if lacks != "" {
				return unsure, lacks
			}
			return truthOf(holds(v, w)), ""
		}
	}
	if sign != operators.Equals && sign != operators.NotEquals {
		return nil
	}
	x, y := d.text(a), d.text(b)
	if x == nil || y == nil {
		return nil
	}
	equal := sign == operators.Equals
	return func(row *R) (truth, string) {
		v, lacks := x(row)
		if lacks != "" {
			return unsure, lacks
		}
		w, lacks := y(row)
		if lacks != "" {
			return unsure, lacks
		}
		return truthOf((v == w) == equal), ""
	}
}

func numberSign(sign string) func(v, w float64) bool {
	switch sign {
	case operators.Equals:
		return func(v, w float64) bool { return v == w }
	case operators.NotEquals:
		return func(v, w float64) bool { return v != w }
	case operators.Less:
		return func(v, w float64) bool { return v < w }
	case operators.LessEquals:
		return func(v, w float64) bool { return v <= w }
	case operators.Greater:
		return func(v, w float64) bool { return v > w }
	default:
		return func(v, w float64) bool { return v >= w }
	}
}

// in is a text in a list of literal ones, or among the keys of a fact's texts.
func (d direct[R]) in(what, where ast.Expr) condition[R] {
	x := d.text(what)
	if x == nil {
		return nil
	}
	if where.Kind() == ast.IdentKind {
		f, ok := d.language.facts[where.AsIdent()]
		if !ok || f.Kind != Texts {
			return nil
		}
		return func(row *R) (truth, string) {
			key, lacks := x(row)
			if lacks != "" {
				return unsure, lacks
			}
			texts, _ := f.Get(row).(map[string]string)
			_, ok := texts[key]
			return truthOf(ok), ""
		}
	}
	if where.Kind() != ast.ListKind {
		return nil
	}
	var list []string
	for _, e := range where.AsList().Elements() {
		s, ok := literalText(e)
		if !ok {
			return nil
		}
		list = append(list, s)
	}
	return func(row *R) (truth, string) {
		s, lacks := x(row)
		if lacks != "" {
			return unsure, lacks
		}
		return truthOf(slices.Contains(list, s)), ""
	}
}

func literalText(e ast.Expr) (s string, ok bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	switch v := e.AsLiteral().(type) {
	case types.String:
		return string(v), true
	case types.Null:
		return noText, true
	}
	return "", false
}

// number is nil where the expression is no number that a float64 holds.
func (d direct[R]) number(e ast.Expr) number[R] {
	switch e.Kind() {
	case ast.LiteralKind:
		var v float64
		switch x := e.AsLiteral().(type) {
		case types.Double:
			v = float64(x)
		case types.Int:
			if v = float64(x); x >= wholeLimit || x <= -wholeLimit {
				return nil
			}
		default:
			return nil
		}
		if v != v {
			return nil
		}
		return func(*R) (float64, string) { return v, "" }
	case ast.IdentKind:
		return d.numberFact(e.AsIdent())
	case ast.SelectKind:
		place := d.feature(e.AsSelect())
		if place < 0 || e.AsSelect().IsTestOnly() || d.language.features[place].Categorical {
			return nil
		}
		at, name := d.language.at, featuresName+"."+d.language.features[place].Name
		return func(row *R) (float64, string) {
			columns, i := at(row)
			if !columns.has(place, i) {
				return 0, name
			}
			return float64(columns.X[place][i]), ""
		}
	case ast.CallKind:
		return d.arithmetic(e)
	}
	return nil
}

func (d direct[R]) numberFact(name string) number[R] {
	f, ok := d.language.facts[name]
	switch {
	case ok && f.Kind == Number:
		return func(row *R) (float64, string) {
			v, ok := f.Get(row).(float64)
			if !ok {
				return 0, name
			}
			return v, ""
		}
	case ok && f.Kind == Whole:
		return func(row *R) (float64, string) {
			v, ok := f.Get(row).(int64)
			if !ok {
				return 0, name
			}
			return float64(v), ""
		}
	}
	return nil
}

// arithmetic is a sum, difference, product or negative of doubles; whole numbers overflow and a quotient may be none, so those are CEL's.
func (d direct[R]) arithmetic(e ast.Expr) number[R] {
	c := e.AsCall()
	if !d.checked.GetType(e.ID()).IsExactType(cel.DoubleType) {
		return nil
	}
	args := make([]number[R], len(c.Args()))
	for k, a := range c.Args() {
		if args[k] = d.number(a); args[k] == nil {
			return nil
		}
	}
	var of func(v, w float64) float64
	switch c.FunctionName() {
	case operators.Negate:
		x := args[0]
		return func(row *R) (float64, string) {
			v, lacks := x(row)
			return -v, lacks
		}
	case operators.Add:
		of = func(v, w float64) float64 { return v + w }
	case operators.Subtract:
		of = func(v, w float64) float64 { return v - w }
	case operators.Multiply:
		of = func(v, w float64) float64 { return v * w }
	default:
		return nil
	}
	x, y := args[0], args[1]
	return func(row *R) (float64, string) {
		v, lacks := x(row)
		if lacks != "" {
			return 0, lacks
		}
		w, lacks := y(row)
		return of(v, w), lacks
	}
}

// text is nil where the expression is no text.
func (d direct[R]) text(e ast.Expr) text[R] {
	if s, ok := literalText(e); ok {
		return func(*R) (string, string) { return s, "" }
	}
	switch e.Kind() {
	case ast.IdentKind:
		return d.textFact(e.AsIdent())
	case ast.SelectKind:
		return d.level(e.AsSelect())
	case ast.CallKind:
		if c := e.AsCall(); c.FunctionName() == operators.Index && c.Args()[0].Kind() == ast.IdentKind {
			return d.entry(c.Args()[0].AsIdent(), c.Args()[1])
		}
	}
	return nil
}

func (d direct[R]) textFact(name string) text[R] {
	f, ok := d.language.facts[name]
	if !ok || f.Kind != Text && f.Kind != MaybeText {
		return nil
	}
	maybe := f.Kind == MaybeText
	return func(row *R) (string, string) {
		s, ok := f.Get(row).(string)
		switch {
		case ok:
			return s, ""
		case maybe:
			return noText, ""
		}
		return "", name
	}
}

// level is a categorical feature.
func (d direct[R]) level(s ast.SelectExpr) text[R] {
	place := d.feature(s)
	if place < 0 || s.IsTestOnly() || !d.language.features[place].Categorical {
		return nil
	}
	at, name := d.language.at, featuresName+"."+d.language.features[place].Name
	return func(row *R) (string, string) {
		columns, i := at(row)
		if v, ok := columns.At(place, i).(string); ok {
			return v, ""
		}
		return "", name
	}
}

// entry is FACT["key"] with a literal key.
func (d direct[R]) entry(name string, key ast.Expr) text[R] {
	f, ok := d.language.facts[name]
	if !ok || f.Kind != Texts || key.Kind() != ast.LiteralKind {
		return nil
	}
	k, ok := key.AsLiteral().(types.String)
	if !ok {
		return nil
	}
	return func(row *R) (string, string) {
		texts, _ := f.Get(row).(map[string]string)
		v, ok := texts[string(k)]
		if !ok {
			return "", somethingElse
		}
		return v, ""
	}
}

// has tells whether the row has a value of the feature.
func (c *Columns) has(place, row int) bool {
	if c == nil || c.X[place] == nil {
		return false
	}
	v := c.X[place][row]
	return v == v
}
