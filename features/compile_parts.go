package features

import "slices"

// part is a share of the entries whose statements read sources that no other part reads.
type part struct {
	compiler *compiler
	entries  []Entry
	places   []int // of each entry: its place among all entries
	columns  int   // aggregates of all scans
}

// parts splits the entries so that none of the sources is read by two of them, the widest part first. A statement of few columns is planned and
// joined at a fraction of the cost, and takes so little memory that it serves more customers. All of them stay together where the table of
// the eligible does not tell of lives, since these begin with the first row of any source.
func (c *compiler) parts(entries []Entry) []part {
	group := map[string]string{} // source → the source that stands for its group
	find := func(source string) string {
		for group[source] != source {
			source = group[source]
		}
		return source
	}
	reads := make([][]string, len(entries))
	for i, e := range entries {
		reads[i] = e.Measure.sources(nil)
		if len(reads[i]) == 0 || !c.lives {
			reads[i] = append(reads[i], Customers)
		}
		for _, source := range reads[i] {
			if _, ok := group[source]; !ok {
				group[source] = source
			}
			group[find(source)] = find(reads[i][0])
		}
	}
	var parts []part
	of := map[string]int{}
	for i, e := range entries {
		root := find(reads[i][0])
		k, ok := of[root]
		if !ok {
			k = len(parts)
			of[root] = k
			parts = append(parts, part{compiler: c.apart()})
		}
		parts[k].entries, parts[k].places = append(parts[k].entries, e), append(parts[k].places, i)
	}
	for k := range parts {
		p := &parts[k]
		for _, e := range p.entries {
			p.compiler.column(e)
		}
		for _, s := range p.compiler.scans {
			p.columns += len(s.aggregates)
		}
	}
	slices.SortStableFunc(parts, func(a, b part) int { return b.columns - a.columns })
	return parts
}

// apart is the compiler of other statements at the same cutoff.
func (c *compiler) apart() *compiler {
	other := *c
	other.scans = nil
	return &other
}

// sources adds the sources that a measure reads, each once.
func (m *Measure) sources(to []string) []string {
	if m.Source != "" && !slices.Contains(to, m.Source) {
		to = append(to, m.Source)
	}
	for _, of := range []*Measure{m.Of, m.Over} {
		if of != nil {
			to = of.sources(to)
		}
	}
	return to
}
