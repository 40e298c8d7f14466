package features

// waits tells whether a measure is to reach to the end of a label window that is not told yet.
func (m *Measure) waits() bool {
	for _, part := range []*Measure{m.Of, m.Over} {
		if part != nil && part.waits() {
			return true
		}
	}
	return m.Form == PaidFor && m.Window == 0
}

// reaching is the measure with the end of the label window, so many days after the cutoff, where it waits for it.
func (m Measure) reaching(days int) Measure {
	if m.Form == PaidFor && m.Window == 0 {
		m.Window = days
	}
	for _, part := range []**Measure{&m.Of, &m.Over} {
		if *part != nil {
			told := (*part).reaching(days)
			*part = &told
		}
	}
	return m
}

// concrete tells whether an entry is one column that can be computed: no family, and no measure that waits for a label window.
func (e Entry) concrete() bool { return e.Each == "" && !e.Measure.waits() }

// For is the catalogue for a label: entries that speak of the label window [T+L, T+L+H) reach to its end. Only in the contractual setting do they mean
// something; in the others, and where For was not called, Resolve leaves them out.
func (c *Catalogue) For(label ChurnSpec) *Catalogue {
	out := *c
	if label.Setting != Contractual {
		return &out
	}
	out.Entries = make([]Entry, len(c.Entries))
	for i, e := range c.Entries {
		e.Measure = e.Measure.reaching(label.GapDays + label.HorizonDays)
		out.Entries[i] = e
	}
	return &out
}
