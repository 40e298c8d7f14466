package features

import "fmt"

// Stack puts matrices of the same columns under each other, in order: names, kinds and definitions must agree (ErrDefinition);
// the levels of categorical columns are merged, sorted by bytes. Snapshots of one resolved catalogue always stack.
func Stack(parts ...*Matrix) (*Matrix, error) {
	if len(parts) == 0 {
		return &Matrix{}, nil
	}
	first := parts[0]
	out := &Matrix{Schema: make(Schema, len(first.Schema)), X: make([][]float32, len(first.X))}
	rows := 0
	for _, m := range parts {
		rows += m.Rows()
		if len(m.Schema) != len(first.Schema) {
			return nil, fmt.Errorf("stack matrices of %d and %d columns: %w", len(first.Schema), len(m.Schema), ErrDefinition)
		}
	}
	for j, c := range first.Schema {
		merged := map[string]bool{}
		for _, m := range parts {
			if o := m.Schema[j]; o.Name != c.Name || o.Kind != c.Kind || o.Definition != c.Definition {
				return nil, fmt.Errorf("stack column %s on %s: %w", o.Name, c.Name, ErrDefinition)
			}
			for _, l := range m.Schema[j].Levels {
				merged[l] = true
			}
		}
		if c.Kind == Categorical {
			c.Levels = sortedKeys(merged)
		}
		out.Schema[j] = c
		x := make([]float32, 0, rows)
		for _, m := range parts {
			if c.Kind == Categorical {
				x = append(x, recode(m.Schema[j].Levels, append(c.Levels[:len(c.Levels):len(c.Levels)], ""), m.X[j])...)
			} else {
				x = append(x, m.X[j]...)
			}
		}
		out.X[j] = x
	}
	return out, nil
}
