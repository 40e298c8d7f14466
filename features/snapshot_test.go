package features

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestSnapshotSQL holds the statement to the golden file: read the difference before accepting it.
func TestSnapshotSQL(t *testing.T) {
	day := func(n int) int64 { return refStart + int64(n)*dayMS }
	w := &refWorld{rows: []refRow{
		{source: Usage, customer: "a", at: day(0), ingested: day(0), hash: 1},
		{source: Usage, customer: "a", at: day(1), ingested: day(2), mapped: true, hash: 2}, // a correction
		{source: Purchases, customer: "a", at: day(10), ingested: day(10), hash: 3},
		{source: Subscriptions, customer: "a", at: day(10), ingested: day(10), hash: 4},
		{source: Customers, customer: "a", at: day(0), ingested: day(0), hash: 5},
	}}
	s := w.store(t)
	c := DefaultCatalogue().Only([]string{
		"usage_minutes_sum_28d", "usage_active_days_28d", "usage_sessions_change_28d", "usage_features_entropy_84d", "usage_features_new_28d",
		"usage_users_per_seat_28d", "purchase_recency_days", "purchase_count_365d", "purchase_interval_sd_days", "purchase_returned_share_365d",
		"subscription_plan_last", "subscription_mrr_renewal_change", "subscription_discount_renewal_difference", "subscription_upgrades_count_180d",
		"subscription_returns_count", "profile_tenure_days", "profile_region",
	})
	cutoff := time.UnixMilli(day(200)).UTC()
	compiler, err := newCompiler(t.Context(), s, cutoff, c.Entries)
	if err != nil {
		t.Fatal(err)
	}
	got, err := compiler.statement(t.Context(), c.Entries, "eligible", keyRange{Low: "a", High: "b'\\"})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "snapshot.sql")
	if *update {
		if err := os.WriteFile(path, []byte(got+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got+"\n" != string(want) {
		t.Errorf("the statement is not that of %s; go test ./features -run %s -update, then read the difference", path, t.Name())
	}
}

func TestSnapshotInRangesIsTheSame(t *testing.T) {
	w := randomHistory(rand.New(rand.NewPCG(9, 9)), cutoffMS())
	s := w.store(t)
	cutoff := formCutoffs[2]
	c, err := DefaultCatalogue().Resolve(t.Context(), s, []time.Time{cutoff})
	if err != nil {
		t.Fatal(err)
	}
	p := everyone(t, s, cutoff, w.eye(milliseconds(cutoff)).customers())
	whole, err := s.Snapshot(t.Context(), c, p)
	if err != nil {
		t.Fatal(err)
	}
	ranges, err := s.snapshot(t.Context(), c, p, 13)
	if err != nil {
		t.Fatal(err)
	}
	sameVectors(t, whole, ranges)
}

// TestLivesOfThePopulation compares what the population keeps of lives with what the sources say.
func TestLivesOfThePopulation(t *testing.T) {
	w := randomHistory(rand.New(rand.NewPCG(10, 9)), cutoffMS())
	s := w.store(t)
	cutoff := formCutoffs[2]
	c, err := DefaultCatalogue().Resolve(t.Context(), s, []time.Time{cutoff})
	if err != nil {
		t.Fatal(err)
	}
	spec := DefaultChurn()
	spec.Activity = []string{Usage, Purchases}
	p, err := s.Population(t.Context(), spec, cutoff)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Eligible()) < 10 {
		t.Fatalf("%d eligible customers", len(p.Eligible()))
	}
	kept, err := s.Snapshot(t.Context(), c, p)
	if err != nil {
		t.Fatal(err)
	}
	p.lives = false
	read, err := s.Snapshot(t.Context(), c, p)
	if err != nil {
		t.Fatal(err)
	}
	sameVectors(t, kept, read)
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestSnapshotErrors(t *testing.T) {
	s := (&refWorld{rows: []refRow{{source: Usage, customer: "a", at: refStart, ingested: refStart, hash: 1}}}).store(t)
	cutoff := time.UnixMilli(refStart).Add(time.Hour)
	p := everyone(t, s, cutoff, []string{"a"})
	if _, err := s.Snapshot(t.Context(), DefaultCatalogue(), p); !errors.Is(err, ErrUnresolved) {
		t.Errorf("a catalogue with families: %v", err)
	}
	c := DefaultCatalogue().Only([]string{"usage_recency_days"})
	for name, eligible := range map[string][]string{"a customer too few": {"a", "b"}, "another customer": {"b"}} {
		p.eligible = eligible
		if _, err := s.Snapshot(t.Context(), c, p); err == nil || !strings.Contains(err.Error(), "eligible customers") {
			t.Errorf("%s: %v", name, err)
		}
	}
	p.eligible = nil
	if x, err := s.Snapshot(t.Context(), c, p); err != nil || x.X.Rows() != 0 || x.X.Cols() != 1 {
		t.Errorf("nobody eligible: %v", err)
	}
}

// TestResolveFindsStaticAttributes tells numbers from texts and leaves demographics and undeclared attributes out.
func TestResolveFindsStaticAttributes(t *testing.T) {
	s := (&refWorld{rows: []refRow{{source: Usage, customer: "a", at: refStart, ingested: refStart, hash: 1}}}).store(t)
	s.Sources = Sources{Customers: {Static: []string{"invited by", "source", "Age", "gender"}}}
	err := s.DB.Conn().Exec(t.Context(), `INSERT INTO customers (customer_id, attributes, ingested_at, event_hash, row_hash) VALUES
		('a', {'invited by': '12.5', 'source': 'web', 'secret': '1', 'Age': '50', 'gender': 'f'}, '2023-01-01 00:00:00', 1, 1),
		('b', {'invited by': '', 'source': '7', 'secret': '2'}, '2023-01-01 00:00:00', 2, 2)`)
	if err != nil {
		t.Fatal(err)
	}
	family, _ := DefaultCatalogue().Entry("profile_{each}")
	cutoff := time.UnixMilli(refStart).Add(time.Hour)
	c, err := (&Catalogue{Version: 1, Entries: []Entry{family}}).Resolve(t.Context(), s, []time.Time{cutoff})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Entries) != 2 || c.Entries[0].Name != "profile_invited_by" || c.Entries[0].Kind() != Numeric || c.Entries[1].Name != "profile_source" || c.Entries[1].Kind() != Categorical {
		t.Fatalf("%+v", c.Entries)
	}
	x, err := s.Snapshot(t.Context(), c, everyone(t, s, cutoff, []string{"a", "b"}))
	if err != nil {
		t.Fatal(err)
	}
	if v := x.X.X[0]; v[0] != 12.5 || v[1] == v[1] {
		t.Errorf("numbers %v", v)
	}
	if l := x.X.Schema[1].Levels; len(l) != 2 || l[0] != "7" || x.X.X[1][0] != 1 {
		t.Errorf("levels %q, codes %v", l, x.X.X[1])
	}
}

// A catalogue of one's own may have many times the entries of the shipped one: its statement is longer than an engine takes unasked.
func TestSnapshotOfManyEntries(t *testing.T) {
	s := (&refWorld{rows: []refRow{{source: Usage, customer: "a", at: refStart, ingested: refStart, hash: 1}}}).store(t)
	cutoff := time.UnixMilli(refStart).Add(time.Hour)
	c := EmptyCatalogue()
	for window := 1; window <= 1000; window++ {
		c.Entries = append(c.Entries, Entry{
			Name: fmt.Sprintf("usage_sessions_count_%dd", window), Unit: UnitCount, Doc: "uses", Words: "{value}", Missing: "none",
			Measure: Measure{Source: Usage, Form: Count, Window: window, Where: map[string][]string{"feature": {"a feature of some length", "another feature of some length", "a third one, which is longer still, and a fourth one"}}},
		})
	}
	x, err := s.Snapshot(t.Context(), c, everyone(t, s, cutoff, []string{"a"}))
	if err != nil {
		t.Fatal(err)
	}
	if x.X.Cols() != 1000 {
		t.Errorf("%d columns", x.X.Cols())
	}
}
