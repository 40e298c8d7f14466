package boost

import "slices"

// copied returns a model with the same trees, to which others may be appended. Its levels are shared: nobody changes them.
func (m *Model) copied() *Model {
	return &Model{schema: m.schema, base: m.base, roots: slices.Clone(m.roots), nodes: slices.Clone(m.nodes), sets: slices.Clone(m.sets)}
}

// goOn takes over a model's base and its trees: the margins become what they were when it had been grown on these rows.
func (b *booster) goOn(from *Model) error {
	b.base = from.base
	return from.Margin(b.margin, b.x)
}
