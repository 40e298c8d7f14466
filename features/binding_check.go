package features

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// BindingError is a mapping under sources: that does not fit the table it names: the configuration is at fault.
type BindingError struct {
	Source string
	Faults []string // each names its key, such as sources.usage.columns.at, what is wrong, and the mend
}

func (e *BindingError) Error() string { return strings.Join(e.Faults, "; ") }

// CheckBindings describes every own table and finds what its mapping asks of it in vain: a table or a column that is not there,
// a missing customer_id or time, a type that cannot serve. All faulty sources are told at once, each as a *BindingError. Every read
// of a source checks its own binding, so that this is for telling early.
func (s *Store) CheckBindings(ctx context.Context) error {
	var faults []error
	for _, src := range sources {
		if s.Sources[src.Name].Table == "" {
			continue
		}
		if _, err := s.bind(ctx, src); err != nil {
			var wrong *BindingError
			if !errors.As(err, &wrong) {
				return err
			}
			faults = append(faults, wrong)
		}
	}
	if _, _, err := s.bindOwn(ctx); err != nil {
		var wrong *BindingError
		if !errors.As(err, &wrong) {
			return err
		}
		faults = append(faults, wrong)
	}
	return errors.Join(faults...)
}

// bound is a binding with the own columns that serve as canonical ones.
type bound struct {
	Binding
	columns map[string]ownColumn // by canonical name; nil for the canonical table
}

// ownColumn is a column of an own table.
type ownColumn struct {
	name string
	typ  string // as ClickHouse describes it
}

// nullable tells whether its values may be missing: texts may be empty.
func (c ownColumn) nullable() bool {
	_, name := bareType(c.typ)
	return name == "String" || strings.HasPrefix(c.typ, "Nullable(") || strings.HasPrefix(c.typ, "LowCardinality(Nullable(")
}

// has tells whether the table gives a canonical column.
func (b bound) has(canonical string) bool {
	_, ok := b.columns[canonical]
	return ok || b.Table == ""
}

// Codes of ClickHouse for a table that cannot be described, and for rows that throwIf refuses.
const (
	unknownTable    = 60
	unknownDatabase = 81
	functionThrew   = 395
	accessDenied    = 497
)

// bind looks at the table of a source.
func (s *Store) bind(ctx context.Context, src source) (bound, error) {
	b := bound{Binding: s.Sources[src.Name]}
	if b.Table == "" {
		return b, nil
	}
	names, types, err := s.describeOwn(ctx, b.Table, src)
	if err != nil {
		return b, err
	}
	return b.match(src, names, types)
}

// missingTableError is the BindingError of a table that does not exist.
type missingTableError struct{ *BindingError }

func (e *missingTableError) Unwrap() error { return e.BindingError }

// describeOwn describes the table of a binding; a table that cannot be read is a *BindingError.
func (s *Store) describeOwn(ctx context.Context, table string, src source) (names []string, types map[string]string, err error) {
	names, types, err = s.describe(ctx, table)
	var ex *clickhouse.Exception
	if errors.As(err, &ex) && (ex.Code == unknownTable || ex.Code == unknownDatabase || ex.Code == accessDenied) {
		wrong := &BindingError{src.Name, []string{fmt.Sprintf("sources.%s.table: %s cannot be read: %s", src.Name, table, firstSentence(ex.Message))}}
		if ex.Code == accessDenied {
			return nil, nil, wrong
		}
		return nil, nil, &missingTableError{wrong}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("describe %s, the table of %s: %w", table, src.Name, err)
	}
	return names, types, nil
}

// Unfit finds in an error what a row of an own table that does not fit its mapping made ClickHouse say, without the statement around it:
// the key of the mapping, the column, the fault and the mend. "" = err is no such error.
func Unfit(err error) string {
	var ex *clickhouse.Exception
	if !errors.As(err, &ex) || ex.Code != functionThrew || !strings.HasPrefix(ex.Message, "sources.") {
		return ""
	}
	if why, _, ok := strings.Cut(ex.Message, throwMend); ok {
		return why + throwMend
	}
	return ""
}

func firstSentence(text string) string {
	text, _, _ = strings.Cut(text, ". ")
	return strings.TrimSuffix(text, ".")
}

// describe lists the columns of a table or view in order, with their types.
func (s *Store) describe(ctx context.Context, table string) (names []string, types map[string]string, err error) {
	rows, err := s.DB.Conn().Query(ctx, "DESCRIBE TABLE "+QuoteTable(table))
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	types = map[string]string{}
	cells := make([]string, len(rows.Columns())) // name, type, kind of default, and what later versions add
	if len(cells) < 3 {
		return nil, nil, fmt.Errorf("%d columns describe a column", len(cells))
	}
	pointers := make([]any, len(cells))
	for i := range cells {
		pointers[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(pointers...); err != nil {
			return nil, nil, err
		}
		if cells[2] != "EPHEMERAL" { // that is for inserts only
			names, types[cells[0]] = append(names, cells[0]), cells[1]
		}
	}
	return names, types, rows.Err()
}

// match finds the own column of every canonical one: the mapped one, else the one of its name.
func (b bound) match(src source, names []string, types map[string]string) (bound, error) {
	wrong := &BindingError{Source: src.Name}
	key := "sources." + src.Name + ".columns."
	there := listColumns(b.Table, names, types)
	mapped, taken := map[string]string{}, map[string]bool{}
	for _, canonical := range sortedKeys(b.Columns) {
		own := b.Columns[canonical]
		if canonical == "at" {
			canonical = src.Time
		}
		mapped[canonical], taken[own] = own, true
	}
	b.columns = map[string]ownColumn{}
	for _, c := range src.readable() {
		own, explicit := mapped[c.Name]
		if !explicit {
			if own = c.Name; taken[own] {
				continue
			}
			if _, ok := types[own]; !ok && c.Name == src.Time && !taken["at"] {
				own = "at"
			}
		}
		typ, ok := types[own]
		fault := ""
		if ok {
			fault = c.unfit(typ)
		}
		needed := c.Name == "customer_id" || c.Name == src.Time && src.Name != Customers
		switch {
		case ok && fault == "":
			b.columns[c.Name] = ownColumn{own, typ}
		case !explicit && !needed: // it is called so by chance, or not there
		case ok:
			wrong.Faults = append(wrong.Faults, fmt.Sprintf("%s%s: %s.%s is %s, %s", key, c.Name, b.Table, own, typ, fault))
		case explicit:
			wrong.Faults = append(wrong.Faults, fmt.Sprintf("%s%s: %s has no column %s; %s", key, c.Name, b.Table, own, there))
		default:
			wrong.Faults = append(wrong.Faults, fmt.Sprintf("%s%s: is needed, and %s has no column of that name: map the one that holds it; %s", key, c.Name, b.Table, there))
		}
	}
	if len(wrong.Faults) > 0 {
		return b, wrong
	}
	return b, nil
}

// listColumns tells which columns a table has, the first 60.
func listColumns(table string, names []string, types map[string]string) string {
	const most = 60
	var list []string
	for _, n := range names[:min(len(names), most)] {
		list = append(list, n+" ("+types[n]+")")
	}
	if len(names) > most {
		list = append(list, fmt.Sprintf("and %d more", len(names)-most))
	}
	return fmt.Sprintf("%s has %s", table, strings.Join(list, ", "))
}

// readable is what an own table may give: customer_id, the source's columns, ingested_at.
func (s source) readable() []sourceColumn {
	return slices.Concat([]sourceColumn{customerColumn}, s.Columns, []sourceColumn{ingestedColumn})
}

// What every source has beside its own columns.
var (
	customerColumn = sourceColumn{"customer_id", text, "String"}
	ingestedColumn = sourceColumn{"ingested_at", instant, "DateTime64(3, 'UTC')"}
)

// bareType is a type without Nullable and LowCardinality, and its name without parameters.
func bareType(typ string) (bare, name string) {
	for _, wrapper := range []string{"LowCardinality(", "Nullable("} {
		if inner, ok := strings.CutPrefix(typ, wrapper); ok {
			typ = strings.TrimSuffix(inner, ")")
		}
	}
	name, _, _ = strings.Cut(typ, "(")
	return typ, name
}

// ofKind tells whether the name of a type is one of several; a trailing * stands for any width.
func ofKind(name string, kinds ...string) bool {
	for _, k := range kinds {
		if prefix, ok := strings.CutSuffix(k, "*"); ok && strings.HasPrefix(name, prefix) || name == k {
			return true
		}
	}
	return false
}

// unfit says why a column of that type cannot serve as the canonical one, and the mend; "" if it can.
func (c sourceColumn) unfit(typ string) string {
	_, name := bareType(typ)
	times, numbers := []string{"Date", "Date32", "DateTime", "DateTime64"}, []string{"Int*", "UInt*", "Float*", "BFloat16", "Decimal*", "Bool"}
	texts := []string{"String", "FixedString", "UUID", "Enum*", "IPv4", "IPv6"}
	switch c.Type {
	case text:
		if !ofKind(name, texts...) && !ofKind(name, numbers...) && !ofKind(name, times...) {
			return "which is no text: give a view that writes it as one (toString)"
		}
	case instant:
		if ofKind(name, numbers...) {
			return "a number, not a time: give a view that makes it one, with fromUnixTimestamp(seconds) or fromUnixTimestamp64Milli(milliseconds)"
		}
		if !ofKind(name, times...) && name != "String" {
			return "which is no time: Date, DateTime, DateTime64 and texts such as 2024-05-31 23:59:59 are read; give a view that makes it one"
		}
	case fixedPoint, whole:
		if !ofKind(name, numbers...) || name == "Bool" && c.Type == fixedPoint {
			return "which is no number: give a view that makes it one (toDecimal64(column, 4), toUInt32(column))"
		}
	case boolean:
		if !ofKind(name, "Bool", "Int*", "UInt*") {
			return "which is neither a Bool nor an integer: give a view that makes it one (column = 'yes')"
		}
	case textMap, boolMap:
		if name != "Map" {
			return "which is no Map: give a view that makes it one (map('key', toString(column), …))"
		}
	}
	return ""
}
