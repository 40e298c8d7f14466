package features

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"retain/internal/warehouse/warehousetest"
)

// ownRow is one version of a row of an own feature table.
type ownRow struct {
	customer     string
	at, ingested time.Time
	spend        *float64
	plan         string
	active       bool
}

// newestOwn is the reference: the newest row known at the cutoff, not older than maxAge days.
func newestOwn(rows []ownRow, customer string, cutoff time.Time, maxAge int) (ownRow, bool) {
	rows = slices.DeleteFunc(slices.Clone(rows), func(r ownRow) bool {
		return r.customer != customer || !r.at.Before(cutoff) || !r.ingested.Before(cutoff) || maxAge > 0 && r.at.Before(cutoff.AddDate(0, 0, -maxAge))
	})
	if len(rows) == 0 {
		return ownRow{}, false
	}
	return slices.MaxFunc(rows, func(a, b ownRow) int { return cmp.Or(a.at.Compare(b.at), a.ingested.Compare(b.ingested)) }), true
}

// Values are those of the newest row by both clocks, by brute force: late rows, corrections, NULLs, rows at the very cutoff.
func TestOwnFeaturesByReference(t *testing.T) {
	s := &Store{DB: warehousetest.Open(t)}
	run(t, s, "CREATE DATABASE analytics",
		"CREATE TABLE analytics.features (account UInt32, snapshot_at DateTime64(6), loaded_at Nullable(DateTime), spend Nullable(Decimal(12, 3)), plan LowCardinality(Nullable(String)), "+
			"active Bool, calls Array(String), email String) ENGINE = MergeTree ORDER BY snapshot_at")
	rng := rand.New(rand.NewPCG(1, 2))
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	var rows []ownRow
	var ids, tuples []string
	for c := range 40 {
		id := fmt.Sprint(1000 + c)
		ids = append(ids, id)
		for range rng.IntN(8) {
			r := ownRow{customer: id, at: start.AddDate(0, 0, rng.IntN(120)), plan: []string{"", "basic", "pro", "it's"}[rng.IntN(4)], active: rng.IntN(2) == 1}
			// Some are known at once, some late; a row may be corrected at the same at.
			for range 1 + rng.IntN(3) {
				r.ingested = r.at.Add(time.Duration(rng.IntN(40)) * 24 * time.Hour)
				if slices.ContainsFunc(rows, func(o ownRow) bool { return o.customer == id && o.at.Equal(r.at) && o.ingested.Equal(r.ingested) }) {
					continue
				}
				r.spend = nil
				if rng.IntN(4) > 0 {
					v := float64(rng.IntN(100000)) / 8
					r.spend = &v
				}
				rows = append(rows, r)
			}
		}
	}
	for _, r := range rows {
		spend, plan := "NULL", "NULL"
		if r.spend != nil {
			spend = fmt.Sprint(*r.spend)
		}
		if r.plan != "" {
			plan = QuoteText(r.plan)
		}
		tuples = append(tuples, fmt.Sprintf("(%s, '%s', '%s', %s, %s, %v, ['x'], 'a@b')", r.customer, r.at.Format(time.DateTime), r.ingested.Format(time.DateTime), spend, plan, r.active))
	}
	tuples = append(tuples, "(1001, '2024-05-30 00:00:00', NULL, 1, 'lost', true, [], '')") // not known when it was known
	run(t, s, "INSERT INTO analytics.features VALUES "+strings.Join(tuples, ", "))
	for _, maxAge := range []int{0, 20} {
		s.Sources = Sources{OwnFeatures: {Table: "analytics.features", Columns: map[string]string{"customer_id": "account", "at": "snapshot_at", "ingested_at": "loaded_at"}, Exclude: []string{"email"}}}
		if err := s.Sources.Validate(); err != nil {
			t.Fatal(err)
		}
		for day := 1; day < 170; day += 13 {
			cutoff := start.AddDate(0, 0, day)
			c, err := EmptyCatalogue().WithOwn(maxAge).Resolve(t.Context(), s, []time.Time{cutoff})
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Names(); !slices.Equal(got, []string{"features_spend", "features_plan", "features_active"}) {
				t.Fatal(got)
			}
			if len(c.LeftOut) != 1 || c.LeftOut[0].Name != "analytics.features.calls" || !strings.Contains(c.LeftOut[0].Why, "Array(String) is neither") {
				t.Fatal(c.LeftOut)
			}
			got, err := s.snapshot(t.Context(), c, everyone(t, s, cutoff, ids), 15) // several ranges
			if err != nil {
				t.Fatal(err)
			}
			for i, id := range ids {
				want, ok := newestOwn(rows, id, cutoff, maxAge)
				spend, plan, active := math.NaN(), "", math.NaN()
				if ok {
					plan, active = want.plan, 0
					if want.active {
						active = 1
					}
					if want.spend != nil {
						spend = *want.spend
					}
				}
				level := ""
				if code := got.X.X[1][i]; code == code {
					level = got.X.Schema[1].Levels[int(code)]
				}
				if !equalOrNaN(got.X.X[0][i], spend) || level != plan || !equalOrNaN(got.X.X[2][i], active) {
					t.Errorf("%s at %v, %d days: %v %q %v, want %v %q %v", id, cutoff, maxAge, got.X.X[0][i], level, got.X.X[2][i], spend, plan, active)
				}
			}
		}
	}
}

func equalOrNaN(got float32, want float64) bool {
	return got == float32(want) || got != got && want != want
}

func run(t *testing.T, s *Store, queries ...string) {
	t.Helper()
	for _, q := range queries {
		if err := s.DB.Conn().Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
}

// Both clocks are exclusive, to the millisecond; without a mapped ingested_at the row's own time is both. The maximum age is inclusive.
func TestOwnFeaturesClocks(t *testing.T) {
	s := &Store{DB: warehousetest.Open(t)}
	run(t, s, "CREATE TABLE own (customer_id String, at DateTime64(3, 'UTC'), ingested_at DateTime64(3, 'UTC'), n Int32) ENGINE = Memory",
		"INSERT INTO own VALUES ('a', '2024-01-01', '2024-01-02', 1), ('a', '2024-01-10', '2024-01-10', 2), ('a', '2024-01-10', '2024-01-20', 3), ('a', '2024-01-15', '2024-02-01', 4)",
		"CREATE VIEW bare AS SELECT customer_id, at, n FROM own WHERE n != 3")
	nan := math.NaN()
	for _, c := range []struct {
		name, table, cutoff string
		maxAge              int
		want                float64
	}{
		{"nothing yet", "own", "2024-01-02T00:00:00Z", 0, nan},
		{"known a moment ago", "own", "2024-01-02T00:00:00.001Z", 0, 1},
		{"a row at the cutoff is the future", "own", "2024-01-10T00:00:00Z", 0, 1},
		{"a row before it", "own", "2024-01-10T00:00:00.001Z", 0, 2},
		{"a correction not known yet", "own", "2024-01-20T00:00:00Z", 0, 2},
		{"a correction", "own", "2024-01-20T00:00:00.001Z", 0, 3},
		{"a late row not known yet", "own", "2024-02-01T00:00:00Z", 0, 3},
		{"a late row", "own", "2024-02-01T00:00:00.001Z", 0, 4},
		{"just young enough", "own", "2024-02-14T00:00:00Z", 30, 4},
		{"too old", "own", "2024-02-14T00:00:00.001Z", 30, nan},
		{"known from its own time", "bare", "2024-01-15T00:00:00Z", 0, 2},
		{"and a moment later", "bare", "2024-01-15T00:00:00.001Z", 0, 4},
	} {
		cutoff, err := time.Parse(time.RFC3339Nano, c.cutoff)
		if err != nil {
			t.Fatal(err)
		}
		s.Sources = Sources{OwnFeatures: {Table: c.table}}
		catalogue, err := EmptyCatalogue().WithOwn(c.maxAge).Resolve(t.Context(), s, []time.Time{cutoff})
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Snapshot(t.Context(), catalogue, everyone(t, s, cutoff, []string{"a", "b"}))
		if err != nil {
			t.Fatal(err)
		}
		if !equalOrNaN(got.X.X[0][0], c.want) || !equalOrNaN(got.X.X[0][1], nan) {
			t.Errorf("%s: %v, and %v for nobody; want %v", c.name, got.X.X[0][0], got.X.X[0][1], c.want)
		}
	}
}

// Every type that serves gives the value that stands there, and two rows of one instant give the same one on any number of threads.
func TestOwnFeaturesTypes(t *testing.T) {
	s := &Store{DB: warehousetest.Open(t)}
	for _, c := range []struct {
		typ, value string
		want       string // the number, or the level in quotes; "" = missing; "none" = no feature
	}{
		{"Int8", "-5", "-5"}, {"UInt64", "18446744073709551615", "1.8446744e+19"}, {"Nullable(Int32)", "NULL", ""}, {"Float32", "0.25", "0.25"}, {"Float64", "nan", ""}, {"Nullable(Float64)", "inf", ""},
		{"Float64", "1e300", ""}, {"Decimal(38, 4)", "1.5", "1.5"}, {"Nullable(Decimal(9, 2))", "NULL", ""}, {"Bool", "true", "1"}, {"Nullable(Bool)", "false", "0"}, {"BFloat16", "2", "2"}, {"Int256", "7", "7"},
		{"String", "'a b'", `"a b"`}, {"String", "''", ""}, {"LowCardinality(String)", "'x'", `"x"`}, {"LowCardinality(Nullable(String))", "NULL", ""}, {"Enum8('it\\'s' = 1)", "'it\\'s'", `"it's"`},
		{"FixedString(3)", "'ab'", `"ab"`},
		{"Date", "'2024-01-01'", "none"}, {"DateTime64(3)", "'2024-01-01'", "none"}, {"UUID", "generateUUIDv4()", "none"}, {"Array(Int8)", "[1]", "none"}, {"Map(String, Int8)", "map('a', 1)", "none"},
		{"Tuple(a Int8)", "tuple(1)", "none"}, {"IPv4", "'1.2.3.4'", "none"},
	} {
		t.Run(c.typ+" "+c.value, func(t *testing.T) {
			s := &Store{DB: s.DB, Sources: Sources{OwnFeatures: {Table: "own"}}}
			run(t, s, "DROP TABLE IF EXISTS own", "CREATE TABLE own (customer_id String, at DateTime, `V al.ue` "+c.typ+") ENGINE = Memory",
				"INSERT INTO own VALUES ('a', '2024-01-01', "+c.value+")")
			cutoff := time.Date(2024, 1, 2, 0, 0, 0, 0, time.UTC)
			catalogue, err := EmptyCatalogue().WithOwn(0).Resolve(t.Context(), s, []time.Time{cutoff})
			if err != nil {
				t.Fatal(err)
			}
			if c.want == "none" {
				if len(catalogue.Entries) != 0 || len(catalogue.LeftOut) != 1 || !strings.Contains(catalogue.LeftOut[0].Why, "give a view") {
					t.Errorf("%v, left out %v", catalogue.Names(), catalogue.LeftOut)
				}
				return
			}
			x, err := s.Snapshot(t.Context(), catalogue, everyone(t, s, cutoff, []string{"a"}))
			if err != nil {
				t.Fatal(err)
			}
			got, v := "", x.X.X[0][0]
			if v == v && x.X.Schema[0].Kind == Categorical {
				got = `"` + x.X.Schema[0].Levels[int(v)] + `"`
			} else if v == v {
				got = fmt.Sprint(v)
			}
			if got != c.want || x.X.Schema[0].Name != "features_v_al_ue" {
				t.Errorf("%s: %s, want %s", x.X.Schema[0].Name, got, c.want)
			}
		})
	}
}

func TestOwnFeaturesFaults(t *testing.T) {
	s := &Store{DB: warehousetest.Open(t)}
	run(t, s, "CREATE TABLE own (account String, snapshot_at DateTime, loaded Float64, spend Float64, Spend Float64, plan String, age Int8) ENGINE = Memory",
		"INSERT INTO own VALUES ('a', '2024-01-01', 1, 2, 3, 'pro', 40)")
	mapped := func(more ...string) map[string]string {
		m := map[string]string{"customer_id": "account", "at": "snapshot_at"}
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	entry := func(e Entry) *Catalogue {
		e.Doc, e.Words, e.Missing = "d", "w {value}", "m"
		return &Catalogue{Version: catalogueVersion, Entries: []Entry{e}}
	}
	for _, c := range []struct {
		name      string
		binding   Binding
		catalogue *Catalogue
		want      []string // parts of the error
	}{
		{"no table", Binding{}, nil, []string{"sources.features: needs the table"}},
		{"unique", Binding{Table: "own", Unique: true}, nil, []string{"unique and static say nothing here"}},
		{"age", Binding{Table: "own", MaxAgeDays: -1}, nil, []string{"sources.features.max_age_days: -1"}},
		{"canonical column", Binding{Table: "own", Columns: mapped("spend", "spend")}, nil, []string{`sources.features.columns: no column "spend"; there are customer_id, at, ingested_at`}},
		{"table that is not there", Binding{Table: "crm.own"}, nil, []string{"sources.features.table: crm.own cannot be read: Database crm does not exist"}},
		{"wrong mapping", Binding{Table: "own", Columns: map[string]string{"customer_id": "customer", "at": "snapshot_at"}}, nil,
			[]string{"sources.features.columns.customer_id: own has no column customer; own has account (String), snapshot_at (DateTime), loaded (Float64)"}},
		{"no mapping", Binding{Table: "own"}, nil, []string{"sources.features.columns.customer_id: is needed", "sources.features.columns.at: is needed"}},
		{"a clock that is a number", Binding{Table: "own", Columns: mapped("ingested_at", "loaded")}, nil, []string{"sources.features.columns.ingested_at: own.loaded is Float64, a number, not a time"}},
		{"exclude", Binding{Table: "own", Columns: mapped(), Exclude: []string{"label"}}, nil, []string{"sources.features.exclude: own has no column label; own has account (String)"}},
		{"entry of a column that is not there", Binding{Table: "own", Columns: mapped()}, entry(Entry{Name: "seats", Unit: UnitCount, Measure: Measure{Source: OwnFeatures, Form: Attribute, Column: "seats"}}),
			[]string{"seats: own has no column seats; own has Spend (Float64), account (String)"}},
		{"entry of a text as a number", Binding{Table: "own", Columns: mapped()}, entry(Entry{Name: "plan_n", Unit: UnitCount, Measure: Measure{Source: OwnFeatures, Form: Attribute, Column: "plan"}}),
			[]string{"plan_n reads own.plan as a number, and it is String"}},
		{"two of one name", Binding{Table: "own", Columns: mapped(), Exclude: []string{"Spend"}}, entry(Entry{Name: "features_spend", Unit: UnitNumber, Measure: Measure{Form: Tenure}}),
			[]string{"column spend of own and the catalogue's entry features_spend would have the same name"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &Store{DB: s.DB, Sources: Sources{OwnFeatures: c.binding}}
			err := s.Sources.Validate()
			if err == nil {
				if c.catalogue == nil {
					c.catalogue = EmptyCatalogue()
				}
				if err = c.catalogue.settle(func(int) int { return 0 }); err != nil {
					t.Fatal(err)
				}
				_, err = c.catalogue.WithOwn(0).Resolve(t.Context(), s, []time.Time{time.Unix(1e9, 0)})
				if wrong := new(BindingError); err == nil || !errors.As(err, &wrong) {
					t.Fatalf("%v is no BindingError", err)
				}
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("got %v\nwant %s", err, part)
				}
			}
		})
	}

	// Names that read alike in small letters are told apart; a demographic column serves only if an entry names it, in its own words.
	s.Sources = Sources{OwnFeatures: {Table: "own", Columns: mapped()}}
	c, err := EmptyCatalogue().WithOwn(0).Resolve(t.Context(), s, []time.Time{time.Unix(2e9, 0)})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(c.Names(), " "); !strings.HasPrefix(got, "features_loaded features_spend_") || len(c.Entries) != 4 || c.LeftOut[0].Name != "own.age" {
		t.Errorf("%s, left out %v", got, c.LeftOut)
	}
	if c, err = entry(Entry{Name: "years", Unit: UnitCount, Measure: Measure{Source: OwnFeatures, Form: Attribute, Column: "age"}}).WithOwn(0).Resolve(t.Context(), s, []time.Time{time.Unix(2e9, 0)}); err != nil || c.Names()[0] != "years" || len(c.LeftOut) != 0 {
		t.Errorf("%v %v %v", c.Names(), c.LeftOut, err)
	}
	if say := c.Entries[len(c.Entries)-1].Say(math.NaN(), math.NaN(), "pro"); say != "plan is pro" {
		t.Error(say)
	}
}

// A model that reads the table goes on without it, all values missing; one that would misread it does not.
func TestOwnFeaturesGone(t *testing.T) {
	s := &Store{DB: warehousetest.Open(t), Sources: Sources{OwnFeatures: {Table: "own"}}}
	cutoff := time.Date(2024, 1, 2, 0, 0, 0, 0, time.UTC)
	run(t, s, "CREATE TABLE own (customer_id String, at DateTime, n Int8, plan String) ENGINE = Memory", "INSERT INTO own VALUES ('a', '2024-01-01', 5, 'pro')")
	c, err := EmptyCatalogue().WithOwn(0).Resolve(t.Context(), s, []time.Time{cutoff})
	if err != nil {
		t.Fatal(err)
	}
	values := func() (n, plan float32, err error) {
		x, err := s.Snapshot(t.Context(), c, everyone(t, s, cutoff, []string{"a"}))
		if err != nil {
			return 0, 0, err
		}
		return x.X.X[0][0], x.X.X[1][0], nil
	}
	if n, plan, err := values(); n != 5 || plan != 0 || err != nil {
		t.Fatal(n, plan, err)
	}
	if p, err := s.Population(t.Context(), ChurnSpec{Setting: EventSetting, HorizonDays: 30, Event: &EventSpec{Source: Touchpoints, Match: map[string]string{"kind": "cancelled"}}}, cutoff); err != nil {
		t.Error(err)
	} else if got := p.Eligible(); !slices.Equal(got, []string{"a"}) { // who has a row there exists
		t.Error(got)
	} else if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
	run(t, s, "ALTER TABLE own DROP COLUMN n")
	if n, plan, err := values(); n == n || plan != 0 || err != nil {
		t.Error("a column gone:", n, plan, err)
	}
	run(t, s, "DROP TABLE own")
	if n, plan, err := values(); n == n || plan == plan || err != nil {
		t.Error("the table gone:", n, plan, err)
	}
	if rows, err := s.OwnRows(t.Context(), cutoff); rows != "" || err != nil {
		t.Error(rows, err)
	}
	run(t, s, "CREATE TABLE own (customer_id String, at DateTime, n String, plan String) ENGINE = Memory")
	if _, _, err := values(); err == nil || !strings.Contains(err.Error(), "features_n reads own.n as a number, and it is String") {
		t.Error("another type:", err)
	}
	s.Sources = nil
	if n, plan, err := values(); n == n || plan == plan || err != nil {
		t.Error("no binding:", n, plan, err)
	}
}
