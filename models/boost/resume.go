package boost

import "slices"

// copied returns a model with the same trees, to which others may be appended. Its levels are shared: nobody changes them.
func (m *Model) copied() *Model {
	return &Model{schema: m.schema, base: m.base, roots: slices.Clone(m.roots), nodes: slices.Clone(m.nodes), sets: slices.Clone(m.sets)}
}

// goOn takes over a model's base and its trees: the margins become what they were when it had been grown on these rows.
func (b *booster) goOn(m *Model) {
	b.base = m.base
	blocks(b.x, func(k *block) {
		out := b.margin[k.lo:k.hi]
		for i := range out {
			out[i] = m.base
		}
		for t := range m.roots {
			m.addTree(out, k, t)
		}
	})
}
