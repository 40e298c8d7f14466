package rule

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// featureTypes tells CEL the fields of f: a number per numeric feature, a text per categorical one.
type featureTypes struct {
	*types.Registry
	fields map[string]*types.FieldType
}

func newFeatureTypes[R any](registry *types.Registry, features []Feature, at func(*R) (*Columns, int)) *featureTypes {
	t := &featureTypes{Registry: registry, fields: make(map[string]*types.FieldType, len(features))}
	for place, f := range features {
		missing := &unknownFact{featuresName + "." + f.Name}
		kind := cel.DoubleType
		if f.Categorical {
			kind = cel.StringType
		}
		value := func(row any) any {
			columns, i := at(row.(*R))
			return columns.At(place, i)
		}
		t.fields[f.Name] = &types.FieldType{
			Type:  kind,
			IsSet: func(row any) bool { return value(row) != nil },
			GetFrom: func(row any) (any, error) {
				if v := value(row); v != nil {
					return v, nil
				}
				return nil, missing
			},
		}
	}
	return t
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
