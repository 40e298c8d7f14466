package features

import (
	"fmt"
	"slices"
	"strings"
)

// Binding says where a source lives when it is not the canonical table, and what may be believed of it (contract.md §1, §4).
type Binding struct {
	Table   string            `json:"table,omitempty" yaml:"table"`     // your own table or view, "table" or "database.table"; "" = the canonical one
	Columns map[string]string `json:"columns,omitempty" yaml:"columns"` // canonical column → own column; own tables only
	Unique  bool              `json:"unique,omitempty" yaml:"unique"`   // the own table holds one row per identity: nothing to de-duplicate
	Static  []string          `json:"static,omitempty" yaml:"static"`   // columns, or attributes of customers, that never change once written
}

// Sources binds sources to tables. A source without a key is its canonical table.
type Sources map[string]Binding

// Validate finds what is wrong with the bindings: an unknown source or canonical column, columns without a table, an own table
// without customer_id or its time.
func (s Sources) Validate() error {
	for _, name := range sortedKeys(s) {
		b := s[name]
		src, ok := sourceNamed(name)
		if !ok {
			return fmt.Errorf("sources.%s: no such source; there are %s", name, strings.Join(sourceNames(), ", "))
		}
		if b.Table == "" && (len(b.Columns) > 0 || b.Unique) {
			return fmt.Errorf("sources.%s: columns and unique describe your own table; name it in sources.%s.table", name, name)
		}
		for _, canonical := range sortedKeys(b.Columns) {
			if _, ok := src.column(canonical); !ok && canonical != "customer_id" && canonical != "ingested_at" {
				return fmt.Errorf("sources.%s.columns: no canonical column %q; there are customer_id, ingested_at, %s", name, canonical, strings.Join(src.columnNames(), ", "))
			}
			if b.Columns[canonical] == "" {
				return fmt.Errorf("sources.%s.columns.%s: names no column", name, canonical)
			}
		}
		if name != Customers {
			for _, c := range b.Static {
				if _, ok := src.column(c); !ok {
					return fmt.Errorf("sources.%s.static: no column %q; there are %s", name, c, strings.Join(src.columnNames(), ", "))
				}
			}
		}
	}
	return nil
}

// own is the own column that stands for a canonical one: the mapped name, else the canonical name itself for customer_id and
// the source's time; "" = the own table has none.
func (b Binding) own(src source, canonical string) string {
	if canonical == "at" {
		canonical = src.Time
	}
	if c, ok := b.Columns[canonical]; ok {
		return c
	}
	if c, ok := b.Columns["at"]; ok && canonical == src.Time {
		return c
	}
	if canonical == "customer_id" || canonical == src.Time && src.Name != Customers {
		return canonical
	}
	return ""
}

func (b Binding) static(column string) bool { return slices.Contains(b.Static, column) }

// tableSQL is the source's table under its canonical names: the canonical table itself, or a subquery over the own one.
func tableSQL(src source, b Binding) string {
	if b.Table == "" {
		return quoteName(src.Name)
	}
	own := func(canonical, sqlType string) string {
		c := b.own(src, canonical)
		if c == "" {
			switch {
			case strings.HasPrefix(sqlType, "Nullable"):
				return "CAST(NULL, " + quoteText(sqlType) + ")"
			case strings.HasPrefix(sqlType, "Map"):
				return "CAST(map(), " + quoteText(sqlType) + ")"
			}
			return "''"
		}
		if sqlType == "String" {
			return "ifNull(toString(o." + quoteName(c) + "), '')"
		}
		if sqlType == "DateTime64(3, 'UTC')" {
			return "assumeNotNull(toDateTime64(o." + quoteName(c) + ", 3, 'UTC'))"
		}
		if sqlType == "Nullable(DateTime64(3, 'UTC'))" {
			return "CAST(toDateTime64(o." + quoteName(c) + ", 3, 'UTC'), " + quoteText(sqlType) + ")"
		}
		return "CAST(o." + quoteName(c) + ", " + quoteText(sqlType) + ")"
	}
	var exprs, mapped []string
	exprs = append(exprs, own("customer_id", "String")+" AS customer_id")
	for _, c := range src.Columns {
		exprs = append(exprs, own(c.Name, c.SQL)+" AS "+quoteName(c.Name))
		if o := b.own(src, c.Name); o != "" {
			mapped = append(mapped, "ifNull(toString(o."+quoteName(o)+"), '')")
		}
	}
	const epoch = "toDateTime64(0, 3, 'UTC')"
	ingested, isMapped := "ifNull("+own(src.Time, "Nullable(DateTime64(3, 'UTC'))")+", "+epoch+")", "false"
	if b.own(src, "ingested_at") != "" {
		ingested, isMapped = own("ingested_at", "DateTime64(3, 'UTC')"), "true"
	}
	content := "cityHash64(" + strings.Join(mapped, ", ") + ")"
	if len(mapped) == 0 {
		content = "toUInt64(0)"
	}
	identity := content
	if len(src.Identity) > 0 && b.own(src, src.Identity[0]) != "" {
		var parts []string
		for _, c := range src.Identity {
			column, _ := src.column(c)
			parts = append(parts, "toString("+own(c, column.SQL)+")")
		}
		identity = "cityHash64(" + strings.Join(parts, ", ") + ")"
	}
	exprs = append(exprs, ingested+" AS ingested_at", isMapped+" AS ingested_mapped", ingested+" AS imported_at",
		identity+" AS event_hash", content+" AS row_hash", "rowNumberInAllBlocks() AS row_number")
	where := "isNotNull(o." + quoteName(b.own(src, "customer_id")) + ")"
	if src.Name != Customers {
		where += " AND isNotNull(o." + quoteName(b.own(src, "at")) + ")"
	}
	if b.own(src, "ingested_at") != "" {
		where += " AND isNotNull(o." + quoteName(b.own(src, "ingested_at")) + ")"
	}
	return "(SELECT " + strings.Join(exprs, ", ") + " FROM " + quoteTable(b.Table) + " AS o WHERE " + where + ")"
}
