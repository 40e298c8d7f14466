package doctor

import (
	"slices"
	"strings"
	"testing"

	"retain/features"
)

func TestOwnFeatureTable(t *testing.T) {
	db := openWorld(t)
	exec := func(query string) {
		t.Helper()
		if err := db.Conn().Exec(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE own (customer_id String, at DateTime, spend Float64, seen Date) ENGINE = MergeTree ORDER BY tuple()")
	columns := features.Sources{features.OwnFeatures: {Table: "own"}}
	for _, c := range []struct {
		name, query, check string
		sources            features.Sources
		want               Status
		told               string
	}{
		{"no rows", "SELECT 1", "features.rows", columns, Error, "own has no rows"},
		{"a column that is none", "INSERT INTO own VALUES ('a', '2025-11-01 00:00:00', 1, '2025-01-01')", "features.columns", columns, Warning, "features of own: spend; left out: seen"},
		{"stamped at the cutoffs", "SELECT 1", "features.stamps", columns, Warning, "100 % of the rows are stamped at the very cutoffs"},
		{"one row each", "INSERT INTO own VALUES ('a', '2025-11-30 23:00:00', 1, '2025-01-01'), ('b', '2025-11-30 23:00:00', 1, '2025-01-01')", "features.stamps", columns, OK, "not stamped at the very cutoffs"},
		{"rows", "SELECT 1", "features.rows", columns, OK, "3 rows of 2 customers in own"},
		{"two rows of one instant", "INSERT INTO own VALUES ('a', '2025-11-30 23:00:00', 2, '2025-01-01')", "features.rows", columns, Warning, "2 rows of own share customer, at and ingested_at"},
		{"a wrong mapping", "SELECT 1", "features.columns", features.Sources{features.OwnFeatures: {Table: "own", Exclude: []string{"sin"}}}, Error, "sources.features.exclude: own has no column sin"},
		{"no table", "SELECT 1", "features.rows", features.Sources{features.OwnFeatures: {Table: "gone"}}, Error, "gone is not there"},
	} {
		exec(c.query)
		o := optionsOf(db)
		o.Store.Sources = c.sources
		x := newExamination(o)
		k := slices.IndexFunc(ownFeatures, func(f check) bool { return f.name == c.check })
		got, err := ownFeatures[k].run(t.Context(), x)
		if err != nil {
			got = finding{Status: Error, Message: firstLine(err), Mend: mendOf(err, "")}
		}
		if got.Status != c.want || !strings.Contains(got.Message, c.told) || (got.Mend == "") != (c.want == OK) {
			t.Errorf("%s: %s: %s → %s", c.name, got.Status, got.Message, got.Mend)
		}
	}
}

// Weekly cutoffs, and those of renewals, are Mondays; monthly ones the first.
func TestOwnStampsKnowTheGrid(t *testing.T) {
	db := openWorld(t)
	for _, q := range []string{"CREATE TABLE mondays (customer_id String, at DateTime('UTC'), spend Float64) ENGINE = Memory",
		"INSERT INTO mondays VALUES ('a', '2025-11-03 00:00:00', 1), ('a', '2025-11-10 00:00:00', 2)"} {
		if err := db.Conn().Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	for every, late := range map[string]bool{"": false, "month": false, "week": true, "renewal": true} {
		o := optionsOf(db)
		o.Store.Sources = features.Sources{features.OwnFeatures: {Table: "mondays"}}
		o.Grid.Every = every
		got, err := checkOwnStamps(t.Context(), newExamination(o))
		if err != nil || (got.Status == Warning) != late || strings.Contains(got.Message, "one week late") != late {
			t.Errorf("cutoffs every %q: %+v, %v", every, got, err)
		}
	}
}
