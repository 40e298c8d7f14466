package features

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// ownColumns stands in an entry's each for the columns of the own feature table.
const ownColumns = "columns"

// ownEntry is the family of the columns of an own feature table.
func ownEntry(maxAgeDays int) Entry {
	return Entry{
		Name: OwnFeatures + "_" + eachMark, Each: ownColumns, Unit: UnitNumber,
		Measure: Measure{Source: OwnFeatures, Form: Attribute, Window: maxAgeDays},
		Doc:     "{each} of your own feature table, in the newest row known at the cutoff", Words: "{each} is {value}[ (typical {typical})]", Missing: "{each} is not known",
	}
}

// WithOwn is the catalogue with the columns of the own feature table after its entries, each as features_COLUMN, unless it holds that family already.
// Columns that an entry reads already, in its own words, do not come twice. maxAgeDays is how old the newest row may be; 0 = any age.
func (c *Catalogue) WithOwn(maxAgeDays int) *Catalogue {
	if slices.ContainsFunc(c.Entries, func(e Entry) bool { return e.Each == ownColumns }) {
		return c
	}
	return &Catalogue{Version: c.Version, Treatment: c.Treatment, Entries: append(slices.Clip(c.Entries), ownEntry(maxAgeDays))}
}

// EmptyCatalogue has no entries: with WithOwn, that of your own feature table alone.
func EmptyCatalogue() *Catalogue { return &Catalogue{Version: catalogueVersion, Entries: []Entry{}} }

// ownMembers are the entries of the family: one for each column that no other entry of the catalogue reads. leftOut are columns that are none.
func (c *Catalogue) ownMembers(ctx context.Context, s *Store, family Entry) (members []Entry, leftOut []Dropped, err error) {
	o, ok, err := s.bindOwn(ctx)
	if err != nil || !ok {
		return nil, nil, err
	}
	for _, d := range o.LeftOut {
		if !c.readsOwn(d.Name) {
			leftOut = append(leftOut, Dropped{o.Table + "." + d.Name, d.Why})
		}
	}
	for _, name := range o.Columns {
		if !c.readsOwn(name) {
			members = append(members, family.ownMember(name, o.units[name]))
		}
	}
	slugs := map[string]int{}
	for _, m := range members {
		slugs[m.Name]++
	}
	wrong := &BindingError{Source: OwnFeatures}
	for i, m := range members {
		if slugs[m.Name] > 1 {
			h := sha256.Sum256([]byte(m.Level))
			members[i].Name = m.Name + "_" + hex.EncodeToString(h[:4])
		}
		if _, taken := c.Entry(members[i].Name); taken {
			wrong.Faults = append(wrong.Faults, fmt.Sprintf("column %s of %s and the catalogue's entry %s would have the same name: rename the entry, or name the column in sources.%s.exclude",
				m.Level, o.Table, members[i].Name, OwnFeatures))
		}
	}
	if len(wrong.Faults) > 0 {
		return nil, nil, wrong
	}
	return members, leftOut, nil
}

// readsOwn tells whether an entry of the catalogue reads that column of the own feature table itself.
func (c *Catalogue) readsOwn(column string) bool {
	return slices.ContainsFunc(c.Entries, func(e Entry) bool {
		return slices.ContainsFunc(e.Measure.own(), func(m *Measure) bool { return m.Column == column })
	})
}

// ownMember is the entry of one column: its name spoken with blanks.
func (e Entry) ownMember(column string, unit Unit) Entry {
	m := e.member(column)
	m.Measure.Column, m.Unit = column, unit
	spoken := strings.Join(strings.Fields(unspoken.Replace(strings.ReplaceAll(column, "_", " "))), " ")
	m.Doc, m.Words, m.Missing = strings.ReplaceAll(e.Doc, eachMark, column), strings.ReplaceAll(e.Words, eachMark, spoken), strings.ReplaceAll(e.Missing, eachMark, spoken)
	return m
}

// checkOwn holds the entries that read the own feature table against it: columns that are not there, or of another kind. Columns that are
// gone are forgiven where a model asks for them: they are missing, and scoring tells.
func (o ownBound) checkOwn(entries []Entry, gone bool) error {
	wrong := &BindingError{Source: OwnFeatures}
	reads := func(e Entry, m *Measure) {
		column := m.Column
		unit, serves := o.units[column]
		typ, there := o.types[column]
		kind := e.Kind()
		switch {
		case serves && ownKind(unit) == kind:
		case serves && kind == Categorical:
			wrong.Faults = append(wrong.Faults, fmt.Sprintf("%s reads %s.%s as a text (unit level), and it is %s", e.Name, o.Table, column, typ))
		case serves:
			wrong.Faults = append(wrong.Faults, fmt.Sprintf("%s reads %s.%s as a number, and it is %s: give a view that makes it one, or train anew", e.Name, o.Table, column, typ))
		case there && slices.Contains(o.Exclude, column):
			if !gone {
				wrong.Faults = append(wrong.Faults, fmt.Sprintf("%s reads %s.%s, which sources.%s.exclude names", e.Name, o.Table, column, OwnFeatures))
			}
		case there:
			wrong.Faults = append(wrong.Faults, fmt.Sprintf("%s reads %s.%s: %s", e.Name, o.Table, column, ownUnfit(typ)))
		case !gone:
			wrong.Faults = append(wrong.Faults, fmt.Sprintf("%s: %s has no column %s; %s", e.Name, o.Table, column, listColumns(o.Table, sortedKeys(o.types), o.types)))
		}
	}
	for _, e := range entries {
		for _, m := range e.Measure.own() {
			reads(e, m)
		}
	}
	if len(wrong.Faults) > 0 {
		return wrong
	}
	return nil
}

// own are the parts of a measure that read a column of the own feature table.
func (m *Measure) own() (parts []*Measure) {
	for _, part := range []*Measure{m.Of, m.Over} {
		if part != nil {
			parts = append(parts, part.own()...)
		}
	}
	if m.Source == OwnFeatures && m.Form == Attribute && m.Column != "" {
		parts = append(parts, m)
	}
	return parts
}

// ownTable is the own feature table as the entries of a snapshot read it, nil where none does or the table is not there. Errors: *BindingError.
func (s *Store) ownTable(ctx context.Context, entries []Entry) (*ownBound, error) {
	if !slices.ContainsFunc(entries, func(e Entry) bool { return len(e.Measure.own()) > 0 }) {
		return nil, nil
	}
	o, ok, err := s.bindOwn(ctx)
	if err != nil || !ok {
		return nil, ignoreMissing(err)
	}
	return &o, o.checkOwn(entries, true)
}

// ownColumn is a column of the own feature table in the newest row that may serve; none where table or column are not there.
func (c *compiler) ownColumn(m Measure, none string) string {
	if c.own == nil {
		return none
	}
	if _, there := c.own.units[m.Column]; !there {
		return none
	}
	// Scans name their columns by position.
	at := 0
	for i := range c.scans {
		if s := c.scans[i]; s.source == OwnFeatures && s.span == m.Window {
			if at = slices.Index(s.columns, m.Column); at < 0 {
				at = len(s.columns)
			}
		}
	}
	return c.aggregate(OwnFeatures, m.Window, fmt.Sprintf("any(o%d)", at), m.Column)
}
