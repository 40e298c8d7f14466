package features

import (
	"fmt"
	"slices"
	"strings"
)

// Binding says where a source lives when it is not the canonical table, and what may be believed of it (contract.md §1, §4). A column of the
// own table that is called as a canonical one serves as it without being mapped, if its type fits and no mapping takes it elsewhere.
type Binding struct {
	Table   string            `json:"table,omitempty" yaml:"table"`     // your own table or view, "table" or "database.table"; "" = the canonical one
	Columns map[string]string `json:"columns,omitempty" yaml:"columns"` // canonical column → own column; own tables only
	Unique  bool              `json:"unique,omitempty" yaml:"unique"`   // the own table holds one row per identity: nothing to de-duplicate
	Static  []string          `json:"static,omitempty" yaml:"static"`   // columns, or attributes of customers, that never change once written

	// Of OwnFeatures only.
	Exclude    []string `json:"exclude,omitempty" yaml:"exclude"`           // own columns that are no features
	MaxAgeDays int      `json:"max_age_days,omitempty" yaml:"max_age_days"` // rows with at before T minus so many days do not serve; 0 = any age
}

// Sources binds sources to tables. A source without a key is its canonical table.
type Sources map[string]Binding

// Validate finds what is wrong with the bindings by themselves: an unknown source or canonical column, columns without a table.
// Store.CheckBindings holds them against the tables.
func (s Sources) Validate() error {
	for _, name := range sortedKeys(s) {
		b := s[name]
		if name == OwnFeatures {
			if err := b.validateOwn(); err != nil {
				return err
			}
			continue
		}
		src, ok := sourceNamed(name)
		if !ok {
			return fmt.Errorf("sources.%s: no such source; there are %s, %s", name, strings.Join(sourceNames(), ", "), OwnFeatures)
		}
		if len(b.Exclude) > 0 || b.MaxAgeDays != 0 {
			return fmt.Errorf("sources.%s: exclude and max_age_days belong to sources.%s", name, OwnFeatures)
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

func (b Binding) static(column string) bool { return slices.Contains(b.Static, column) }
