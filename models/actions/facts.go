package actions

import (
	"math"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"retain/features"
)

// Facts is what a rule can see of one customer. What is not known makes a rule that needs it not hold, unless the rest of it
// decides (a || b holds if b does).
type Facts struct {
	Status, StatusCode string
	Probability        float64 // of churn; NaN = not scored
	Percentile         int     // 0 = not scored
	Band               string  // "" = not scored
	Value              float64 // NaN = unknown
	Stage              string  // "" = not known
	OpenTickets        int
	OldestTicketDays   float64 // NaN = no ticket is open
	LeadSource         string  // the text columns of customers; "" = unknown
	Segment            string
	Region             string
	Plan               string
	Attributes         map[string]string

	Features *FeatureColumns // nil: none is known
	Row      int             // of Features
}

// FeatureColumns are the columns of the features that rules name, by their place in Engine.Features.
type FeatureColumns struct {
	X      [][]float32 // NaN = missing; a nil column is missing for everyone
	Levels [][]string  // per column: the levels of a categorical one
}

// featuresType is the type of the variable f.
const featuresType = "retain.Features"

// unknownFact is the error of a rule that needs what is not known.
type unknownFact struct{ what string }

func (e *unknownFact) Error() string { return e.what + " is not known" }

// fact is a variable of rules.
type fact struct {
	name string
	kind *cel.Type
	get  func(*Facts) any // nil = unknown
}

var factTable = []fact{
	{"status", cel.StringType, func(f *Facts) any { return f.Status }},
	{"status_code", cel.StringType, func(f *Facts) any { return f.StatusCode }},
	{"churn_probability", cel.DoubleType, func(f *Facts) any { return known(f.Probability) }},
	{"percentile", cel.IntType, func(f *Facts) any {
		if f.Percentile == 0 {
			return nil
		}
		return int64(f.Percentile)
	}},
	{"band", cel.StringType, func(f *Facts) any {
		if f.Band == "" {
			return nil
		}
		return f.Band
	}},
	{"expected_value", cel.DoubleType, func(f *Facts) any { return known(f.Value) }},
	{"stage", cel.NullableType(cel.StringType), func(f *Facts) any {
		if f.Stage == "" {
			return types.NullValue
		}
		return f.Stage
	}},
	{"open_tickets", cel.IntType, func(f *Facts) any { return int64(f.OpenTickets) }},
	{"oldest_open_ticket_days", cel.DoubleType, func(f *Facts) any { return known(f.OldestTicketDays) }},
	{"lead_source", cel.StringType, func(f *Facts) any { return f.LeadSource }},
	{"segment", cel.StringType, func(f *Facts) any { return f.Segment }},
	{"region", cel.StringType, func(f *Facts) any { return f.Region }},
	{"plan", cel.StringType, func(f *Facts) any { return f.Plan }},
	{"attributes", cel.MapType(cel.StringType, cel.StringType), func(f *Facts) any { return f.Attributes }},
	{"f", cel.ObjectType(featuresType), func(f *Facts) any { return f }},
}

func known(v float64) any {
	if math.IsNaN(v) {
		return nil
	}
	return v
}

// facts finds a variable and the error that says it is unknown.
var facts = func() map[string]resolvable {
	table := make(map[string]resolvable, len(factTable))
	for _, f := range factTable {
		table[f.name] = resolvable{f, types.WrapErr(&unknownFact{f.name})}
	}
	return table
}()

type resolvable struct {
	fact
	unknown any
}

// activation lets CEL read Facts without a map per customer.
type activation struct{ *Facts }

// ResolveName implements cel.Activation.
func (a activation) ResolveName(name string) (any, bool) {
	r, ok := facts[name]
	if !ok {
		return nil, false
	}
	if v := r.get(a.Facts); v != nil {
		return v, true
	}
	return r.unknown, true
}

// Parent implements cel.Activation.
func (a activation) Parent() cel.Activation { return nil }

// featureTypes tells CEL the fields of f: a number per numeric feature, a text per categorical one.
type featureTypes struct {
	*types.Registry
	fields map[string]*types.FieldType
}

// newFeatureTypes makes a field of each feature; place says where Facts.Features has it.
func newFeatureTypes(registry *types.Registry, entries []features.Entry) *featureTypes {
	t := &featureTypes{Registry: registry, fields: make(map[string]*types.FieldType, len(entries))}
	for place, e := range entries {
		missing := &unknownFact{"f." + e.Name}
		kind := cel.DoubleType
		if e.Kind() == features.Categorical {
			kind = cel.StringType
		}
		t.fields[e.Name] = &types.FieldType{
			Type:  kind,
			IsSet: func(facts any) bool { return facts.(*Facts).feature(place) != nil },
			GetFrom: func(facts any) (any, error) {
				if v := facts.(*Facts).feature(place); v != nil {
					return v, nil
				}
				return nil, missing
			},
		}
	}
	return t
}

// feature is the value of a feature, nil when it is missing.
func (f *Facts) feature(place int) any {
	if f.Features == nil || f.Features.X[place] == nil {
		return nil
	}
	v := f.Features.X[place][f.Row]
	if v != v {
		return nil
	}
	if levels := f.Features.Levels[place]; levels != nil {
		return levels[int(v)]
	}
	return float64(v)
}

// FindStructType implements types.Provider.
func (t *featureTypes) FindStructType(name string) (*types.Type, bool) {
	if name == featuresType {
		return types.NewTypeTypeWithParam(cel.ObjectType(featuresType)), true
	}
	return t.Registry.FindStructType(name)
}

// FindStructFieldNames implements types.Provider.
func (t *featureTypes) FindStructFieldNames(name string) ([]string, bool) {
	if name != featuresType {
		return t.Registry.FindStructFieldNames(name)
	}
	names := make([]string, 0, len(t.fields))
	for field := range t.fields {
		names = append(names, field)
	}
	return names, true
}

// FindStructFieldType implements types.Provider.
func (t *featureTypes) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	if name != featuresType {
		return t.Registry.FindStructFieldType(name, field)
	}
	f, ok := t.fields[field]
	return f, ok
}
