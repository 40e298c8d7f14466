package doctor

import (
	"strings"
	"testing"

	"retain/features"
)

// An own table of log-ins: 100 rows, of which 10 have no user; the last 20 ids come twice.
const ownTable = `CREATE TABLE logins ENGINE = MergeTree ORDER BY tuple() AS SELECT
if(number < 10, '', concat('c', toString(number % 30))) AS user,
toDateTime('2025-12-01 08:00:00', 'UTC') + number * 3600 AS moment,
toString(if(number < 80, number, number - 20)) AS id
FROM numbers(100)`

func TestOwnTables(t *testing.T) {
	db := openWorld(t)
	if err := db.Conn().Exec(t.Context(), ownTable); err != nil {
		t.Fatal(err)
	}
	named := map[string]string{"customer_id": "user", "at": "moment", "event_id": "id"}
	for _, c := range []struct {
		name    string
		check   string
		binding features.Binding
		want    Status
		told    string
		mend    string
	}{
		{"nobody's rows", "usage.rows", features.Binding{Table: "logins", Columns: named}, Warning,
			"10 of 100 rows of logins have no customer_id or no time, and are left out", "sources.usage.table"},
		{"repeated, and read by identity", "usage.duplicates", features.Binding{Table: "logins", Columns: map[string]string{"customer_id": "id", "at": "moment", "event_id": "id"}}, OK,
			"20 of 100 rows (20.0 %) have the identity of another one: the newest version of each is read", ""},
		{"repeated, and declared unique", "usage.duplicates", features.Binding{Table: "logins", Unique: true, Columns: map[string]string{"customer_id": "id", "at": "moment", "event_id": "id"}}, Error,
			"20 of 100 rows (20.0 %) have the identity of another one, and unique: true is declared: they count twice", "take sources.usage.unique out of retain.yaml, so that the newest version of each is read"},
		{"could be declared unique", "usage.duplicates", features.Binding{Table: "logins", Columns: map[string]string{"customer_id": "user", "at": "moment", "event_id": "moment"}}, OK,
			"0 of 90 rows (0 %) have the identity of another one: declare sources.usage.unique: true, and reading costs a fraction", ""},
		{"lines of one order", "purchases.duplicates", features.Binding{Table: "logins", Columns: map[string]string{"customer_id": "user", "at": "moment", "order_id": "user"}}, OK,
			"0 of 90 rows (0 %) equal another one: declare sources.purchases.unique: true, and reading costs a fraction", ""},
		{"no identity", "usage.duplicates", features.Binding{Table: "logins", Columns: map[string]string{"customer_id": "user", "at": "moment", "channel": "id"}}, OK, "0 of 90 rows (0 %) equal another one", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := optionsOf(db)
			source, _, _ := strings.Cut(c.check, ".")
			o.Store.Sources = features.Sources{source: c.binding}
			got := checkOf(t, o, c.check)
			if got.Status != c.want || got.Message != c.told || !strings.Contains(got.Mend, c.mend) {
				t.Errorf("%s: %s → %s\nwant %s: %s → %s", got.Status, got.Message, got.Mend, c.want, c.told, c.mend)
			}
		})
	}
}

// A mapping that names a column that is not there stops no other check, and its own finding lists the columns there are.
func TestAWrongMappingIsAFinding(t *testing.T) {
	db := openWorld(t)
	if err := db.Conn().Exec(t.Context(), ownTable); err != nil {
		t.Fatal(err)
	}
	fill(t, db, "purchases", 10, fields{"customer_id": id, "at": "$"})
	o := optionsOf(db)
	o.Store.Sources = features.Sources{features.Usage: {Table: "logins", Columns: map[string]string{"customer_id": "account", "at": "moment"}}}
	report, err := Examine(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]Check{}
	for _, c := range report.Checks {
		found[c.Name] = c
	}
	got := found["usage.rows"]
	if got.Status != Error || !strings.Contains(got.Message, "account") || !strings.Contains(got.Message, "user (String)") || got.Mend != "correct sources.usage in retain.yaml" {
		t.Errorf("%+v", got)
	}
	if found["purchases.rows"].Status != OK {
		t.Errorf("purchases: %+v", found["purchases.rows"])
	}
}
