package features

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// OwnFeatures names the binding of your own feature table: one row per customer and snapshot time, whose other columns are features as they
// stand. It is no source of events, and only a binding with a table makes it exist. At a cutoff T the row of a customer is the one with the
// greatest (at, ingested_at) among those with both before T, and not older than the maximum age; a later row of the same at corrects it from
// its ingested_at. A missing value of that row is missing: no older row stands in. Without a mapped ingested_at a row is known from its at.
const OwnFeatures = "features"

// ownSource is the feature table as bindings see it: a source with nothing but its clocks.
var ownSource = source{Name: OwnFeatures, Time: "at", Columns: []sourceColumn{{"at", instant, "DateTime64(3, 'UTC')"}}}

// maxOwnColumns bounds how wide an own feature table may be.
const maxOwnColumns = 2000

// ownTypes are the types of ClickHouse, by their unit as features.
var ownTypes = []struct {
	unit  Unit
	types []string
}{
	{UnitFlag, []string{"Bool"}},
	{UnitNumber, []string{"Int*", "UInt*", "Float*", "BFloat16", "Decimal*"}},
	{UnitLevel, []string{"String", "FixedString", "Enum*"}},
}

// ownUnit is the unit of a column of that type as a feature; "" for a type that is none.
func ownUnit(typ string) Unit {
	_, name := bareType(typ)
	for _, t := range ownTypes {
		if ofKind(name, t.types...) {
			return t.unit
		}
	}
	return ""
}

// ownKind is the kind of a column of that unit.
func ownKind(u Unit) Kind { return Entry{Unit: u}.Kind() }

// validateOwn finds what is wrong with the binding of the feature table by itself.
func (b Binding) validateOwn() error {
	const key = "sources." + OwnFeatures
	switch {
	case b.Table == "":
		return errors.New(key + ": needs the table or view that holds your features: " + key + ".table")
	case b.Unique || len(b.Static) > 0:
		return errors.New(key + ": unique and static say nothing here: the newest row known at a cutoff always serves, as it stands")
	case b.MaxAgeDays < 0 || b.MaxAgeDays > maxWindowDays:
		return fmt.Errorf("%s.max_age_days: %d is not from 1 to %d; leave it out for any age", key, b.MaxAgeDays, maxWindowDays)
	}
	for _, canonical := range sortedKeys(b.Columns) {
		if canonical != "customer_id" && canonical != "at" && canonical != "ingested_at" {
			return fmt.Errorf("%s.columns: no column %q; there are customer_id, at, ingested_at; every other column of your table is a feature under its own name", key, canonical)
		}
		if b.Columns[canonical] == "" {
			return fmt.Errorf("%s.columns.%s: names no column", key, canonical)
		}
	}
	return nil
}

// Own is what an own feature table offers.
type Own struct {
	Columns []string  // names of the columns that are features, in the order of the table
	LeftOut []Dropped // columns that are none, with the reason and the mend
	units   map[string]Unit
}

// ownBound is the feature table as described now.
type ownBound struct {
	bound
	Own
	types map[string]string
}

// bindOwn looks at the own feature table; ok is false where none is configured.
func (s *Store) bindOwn(ctx context.Context) (o ownBound, ok bool, err error) {
	o.Binding, ok = s.Sources[OwnFeatures]
	if !ok {
		return o, false, nil
	}
	if err := o.validateOwn(); err != nil {
		return o, true, &BindingError{OwnFeatures, []string{err.Error()}}
	}
	names, types, err := s.describeOwn(ctx, o.Table, ownSource)
	if err != nil {
		return o, true, err
	}
	if o.bound, err = o.match(ownSource, names, types); err != nil {
		return o, true, err
	}
	o.types = types
	return o, true, o.divide(names)
}

// divide parts the columns of the table into features and what is left out.
func (o *ownBound) divide(names []string) error {
	const key = "sources." + OwnFeatures
	wrong := &BindingError{Source: OwnFeatures}
	for _, c := range o.Exclude {
		if !slices.Contains(names, c) {
			wrong.Faults = append(wrong.Faults, fmt.Sprintf("%s.exclude: %s has no column %s; %s", key, o.Table, c, listColumns(o.Table, names, o.types)))
		}
	}
	serving := map[string]bool{}
	for _, c := range o.columns {
		serving[c.name] = true
	}
	o.units = map[string]Unit{}
	for _, name := range names {
		typ := o.types[name]
		unit := ownUnit(typ)
		switch {
		case serving[name] || slices.Contains(o.Exclude, name):
			continue
		case unit == "":
			o.LeftOut = append(o.LeftOut, Dropped{name, ownUnfit(typ)})
			continue
		case demographic.MatchString(name):
			o.LeftOut = append(o.LeftOut, Dropped{name, "age, gender, income and occupation are no features by themselves: an entry of your own catalogue may name it (source: features, form: attribute)"})
		default:
			o.Columns = append(o.Columns, name)
		}
		o.units[name] = unit
	}
	if len(o.Columns) > maxOwnColumns {
		wrong.Faults = append(wrong.Faults, fmt.Sprintf("%s.table: %s has %d columns that would be features, and at most %d are read: give a view of those that matter", key, o.Table, len(o.Columns), maxOwnColumns))
	}
	if len(wrong.Faults) > 0 {
		return wrong
	}
	return nil
}

// ownUnfit says why a column of that type is no feature, and the mend.
func ownUnfit(typ string) string {
	_, name := bareType(typ)
	if ofKind(name, "Date*") {
		return typ + " is an instant, not a feature: give a view with the days since it, dateDiff('day', column, at)"
	}
	return typ + " is neither a number, a Bool nor a text: give a view that makes it one"
}

// OwnFeatures describes the own feature table; the zero Own where none is configured. Errors: *BindingError.
func (s *Store) OwnFeatures(ctx context.Context) (Own, error) {
	o, _, err := s.bindOwn(ctx)
	if err != nil {
		return Own{}, err
	}
	return o.Own, nil
}

// OwnRows yields the FROM-expression, in parentheses, of the clocks of all rows of the own feature table with both before the cutoff:
// customer_id, at, ingested_at and row_hash, that of all that features can be made of. "" where no table is configured, or it is not there.
func (s *Store) OwnRows(ctx context.Context, cutoff time.Time) (string, error) {
	o, ok, err := s.bindOwn(ctx)
	if !ok || err != nil {
		return "", ignoreMissing(err)
	}
	return o.rowsSQL(nil, read{Cutoff: cutoff}), nil
}

// ignoreMissing forgives a feature table that is not there: its features are missing then, and scoring tells.
func ignoreMissing(err error) error {
	if missing := new(missingTableError); errors.As(err, &missing) {
		return nil
	}
	return err
}

// rowsSQL is the FROM-expression, in parentheses, of the rows known at a cutoff: customer_id, at, ingested_at, row_hash and the columns as
// features, named o0, o1, …
func (o ownBound) rowsSQL(columns []string, r read) string {
	exprs := []string{
		o.expr(ownSource, customerColumn) + " AS customer_id",
		o.expr(ownSource, ownSource.Columns[0]) + " AS at",
	}
	ingested := o.expr(ownSource, ownSource.Columns[0])
	if o.has("ingested_at") {
		ingested = o.expr(ownSource, ingestedColumn)
	}
	exprs = append(exprs, ingested+" AS ingested_at")
	var all []string
	for _, name := range sortedKeys(o.units) {
		all = append(all, "o."+quoteName(name))
	}
	hash := "toUInt64(0)"
	if len(all) > 0 {
		hash = "cityHash64(tuple(" + strings.Join(all, ", ") + "))" // of a tuple, since NULL among arguments makes it NULL
	}
	exprs = append(exprs, hash+" AS row_hash")
	for i, name := range columns {
		exprs = append(exprs, fmt.Sprintf("%s AS o%d", ownValue(name, o.units[name]), i))
	}
	t := quoteInstant(r.Cutoff)
	known := "r.at < " + t + " AND r.ingested_at < " + t
	if !r.From.IsZero() {
		known += " AND r.at >= " + quoteInstant(r.From)
	}
	return "(SELECT * FROM (SELECT " + strings.Join(exprs, ", ") + " FROM " + QuoteTable(o.Table) + " AS o WHERE " + o.complete(ownSource) +
		") AS r WHERE " + known + r.Keys.where("r.customer_id") + ")"
}

// ownValue is a column as a feature: a nullable number, or a text, "" = missing. Numbers that are not finite are missing.
func ownValue(name string, unit Unit) string {
	o := "o." + quoteName(name)
	if ownKind(unit) == Categorical {
		return "ifNull(toString(" + o + "), '')"
	}
	v := "toFloat64(" + o + ")"
	return "if(ifNull(isFinite(" + v + "), false), " + v + ", NULL)"
}

// newestSQL is the FROM-expression of the newest known row of each customer, with the columns under o0, o1, …; ties go by content.
func (o ownBound) newestSQL(columns []string, r read) string {
	held, told := make([]string, len(columns)), make([]string, len(columns))
	for i := range columns {
		held[i] = fmt.Sprintf("o%d", i)
		told[i] = fmt.Sprintf("newest.%d AS o%d", i+1, i)
	}
	return "(SELECT customer_id, " + strings.Join(told, ", ") + " FROM (SELECT customer_id, argMax(tuple(" + strings.Join(held, ", ") +
		"), (toUnixTimestamp64Milli(at), toUnixTimestamp64Milli(ingested_at), row_hash)) AS newest FROM " + o.rowsSQL(columns, r) + " GROUP BY customer_id))"
}
