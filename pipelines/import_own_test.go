package pipelines

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"retain/features"
)

// ownWorld imports 18 months of 40 customers in all eight sources, with corrections, rows known late, equal rows and missing values.
func ownWorld(t *testing.T) *importer {
	t.Helper()
	im, rng := newImporter(t), rand.New(rand.NewPCG(3, 4))
	start := time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC)
	const span = 540
	stamp := func() (at, known string) {
		a := start.Add(time.Duration(rng.Int64N(span*24*3600)) * time.Second)
		return a.Format(time.DateTime), a.Add(time.Duration(rng.IntN(5*24)) * time.Hour).Format(time.DateTime)
	}
	maybe := func(format string, v any) string {
		if rng.IntN(4) == 0 {
			return ""
		}
		return fmt.Sprintf(format, v)
	}
	pick := func(words ...string) string { return words[rng.IntN(len(words))] }
	files := map[string]*strings.Builder{}
	line := func(source, header string, cells ...string) {
		b := files[source]
		if b == nil {
			b = &strings.Builder{}
			b.WriteString("customer_id,at,ingested_at," + header + "\n")
			files[source] = b
		}
		b.WriteString(strings.Join(cells, ",") + "\n")
	}
	for c := range 40 {
		id := fmt.Sprint(100 + c)
		joined := start.AddDate(0, 0, rng.IntN(200))
		header := "region,plan,birth_year,consent_mail,opted_out_at,colour"
		for v := range 1 + rng.IntN(2) {
			line("customers", header, id, joined.Format(time.DateOnly), joined.AddDate(0, v*3, 0).Format(time.DateTime), maybe("%s", pick("north", "south")), pick("free", "pro"),
				maybe("%d", 1950+rng.IntN(50)), maybe("%s", pick("1", "0")), "", maybe("%s", pick("red", "blue")))
		}
		for i := range rng.IntN(30) {
			at, known := stamp()
			event := fmt.Sprintf("61f0c404-5cb3-11e7-907b-%06x%06x", c, i)
			for range 1 + rng.IntN(2) {
				line("usage", "event_id,user_id,feature,duration_s,quantity,errors", id, at, known, event, maybe("u%d", rng.IntN(3)), pick("search", "export"), maybe("%.3f", rng.Float64()*600), maybe("%d", rng.IntN(9)), maybe("%d", rng.IntN(3)))
				known = start.AddDate(0, 0, span).Format(time.DateTime)
			}
		}
		for i := range rng.IntN(20) {
			at, known := stamp()
			for range 1 + rng.IntN(2) { // the second is another product of the order
				line("purchases", "order_id,product,quantity,amount,discount,returned", id, at, known, fmt.Sprint("o", i), fmt.Sprint("p", rng.Uint32()), maybe("%d", 1+rng.IntN(4)), fmt.Sprintf("%.2f", rng.Float64()*100), maybe("%.2f", rng.Float64()), maybe("%d", rng.IntN(2)))
			}
		}
		from := joined
		for i := range 1 + rng.IntN(3) {
			until := from.AddDate(0, 0, 30*(1+rng.IntN(6)))
			ended := ""
			if rng.IntN(2) == 0 {
				ended = until.Format(time.DateTime)
			}
			line("subscriptions", "subscription_id,started_at,ends_at,ended_at,cancelled_at,end_reason,mrr,seats,billing_days,auto_renew", id, "", from.Format(time.DateTime), fmt.Sprint("s", i), from.Format(time.DateTime),
				until.Format(time.DateTime), ended, maybe("%s", until.AddDate(0, 0, -3).Format(time.DateTime)), maybe("%s", "price"), fmt.Sprintf("%.2f", 10+rng.Float64()*40), fmt.Sprint(1+rng.IntN(9)), "30", maybe("%d", rng.IntN(2)))
			from = until.AddDate(0, 0, rng.IntN(20))
		}
		for range rng.IntN(6) {
			at, known := stamp()
			cells := []string{id, at, known, pick("nps", "csat"), maybe("%d", rng.IntN(11)), pick("mail", "app")}
			for range 1 + rng.IntN(2) {
				line("surveys", "kind,score,channel", cells...)
			}
		}
		for i := range rng.IntN(8) {
			at, known := stamp()
			opened, _ := time.Parse(time.DateTime, at)
			line("tickets", "ticket_id,topic,priority,first_reply_at,resolved_at,reopened,escalated,satisfaction", id, at, known, fmt.Sprint(1000*c+i), pick("billing", "bug"), pick("low", "high"),
				maybe("%s", opened.Add(time.Hour).Format(time.DateTime)), maybe("%s", opened.Add(30*time.Hour).Format(time.DateTime)), fmt.Sprint(rng.IntN(3)), maybe("%d", rng.IntN(2)), maybe("%d", 1+rng.IntN(5)))
		}
		for i := range rng.IntN(12) {
			at, known := stamp()
			line("contacts", "contact_id,channel,class,action,outcome", id, at, known, fmt.Sprint("k", i), pick("mail", "phone"), pick("marketing", "service"), pick("offer", "call"), pick("ignored", "clicked", ""))
		}
		for range rng.IntN(10) {
			at, known := stamp()
			line("touchpoints", "kind,channel,value", id, at, known, pick("visit", "form", "referral_sent"), pick("web", "app"), maybe("%d", rng.IntN(50)))
		}
	}
	for source, b := range files {
		o := ImportOptions{Source: source}
		switch source {
		case "customers":
			o.Map = map[string]string{"created_at": "at"}
		case "subscriptions":
			o.Map = map[string]string{"started_at": "started_at"}
		}
		if r := im.must(source+".csv", b.String(), o); r.Rejected > 0 {
			t.Fatal(r)
		}
	}
	return im
}

// Own tables of other names and types, and a view, filled with the rows that the import holds.
var ownTables = []struct{ source, ddl, fill string }{
	{"customers", "CREATE TABLE {db}.people (no UInt64, joined Date, area LowCardinality(Nullable(String)), tariff Enum8('free' = 1, 'pro' = 2), born Nullable(Int32), mails Map(String, UInt8), tags Map(LowCardinality(String), String), loaded DateTime64(6, 'Europe/Berlin')) ENGINE = MergeTree ORDER BY no",
		"SELECT toUInt64(customer_id), created_at, nullIf(region, ''), plan, birth_year, consent, attributes, ingested_at FROM {versions}"},
	{"usage", "CREATE TABLE {db}.sessions (account FixedString(3), started DateTime64(9, 'Europe/Berlin'), `session id` UUID, user_id Nullable(String), what LowCardinality(String), seconds Nullable(Float64), n Nullable(Decimal(12, 6)), errors Nullable(Float32), ingested_at DateTime) ENGINE = MergeTree ORDER BY account",
		"SELECT customer_id, at, event_id, nullIf(user_id, ''), feature, duration_s, quantity, errors, ingested_at FROM {versions}"},
	{"purchases", "CREATE TABLE {db}.orders (customer_id String, at DateTime('America/New_York'), order_id String, product String, quantity Nullable(Int16), total Float64, off Nullable(Float32), back Nullable(UInt8), loaded String) ENGINE = MergeTree ORDER BY (customer_id, at)",
		"SELECT customer_id, at, order_id, product, quantity, amount, discount, returned, formatDateTime(ingested_at, '%Y-%m-%dT%H:%i:%SZ') FROM {versions}"},
	{"subscriptions", "CREATE TABLE {db}.contracts (account UInt32, number String, begins DateTime, ends Nullable(DateTime64(0)), gone Nullable(DateTime), quit Nullable(String), why LowCardinality(Nullable(String)), fee Decimal(9, 2), seats Int64, days UInt8, renews Nullable(Bool), ingested_at Nullable(DateTime64(3))) ENGINE = MergeTree ORDER BY account",
		"SELECT customer_id, subscription_id, started_at, ends_at, ended_at, if(isNull(cancelled_at), '', toString(cancelled_at)), nullIf(end_reason, ''), mrr, seats, billing_days, auto_renew, ingested_at FROM {versions}"},
	{"surveys", "CREATE TABLE {db}.answers (who String, answered String, loaded DateTime, kind LowCardinality(String), score Nullable(UInt8), channel String) ENGINE = MergeTree ORDER BY who",
		"SELECT customer_id, toString(at), ingested_at, upper(kind), score, channel FROM {versions}"},
	{"tickets", "CREATE VIEW {db}.cases AS SELECT customer_id AS who, at AS opened, toUInt64(ticket_id) AS no, topic, toFixedString(priority, 5) AS urgency, first_reply_at, toDateTime(resolved_at) AS closed, toInt8(reopened) AS reopened, escalated, toFloat32(satisfaction) AS stars, ingested_at FROM {here}.tickets", ""},
	{"contacts", "CREATE TABLE {db}.mailings (customer_id String, sent DateTime64(3, 'UTC'), contact_id String, channel String, class String, action String, outcome String, ingested_at DateTime64(3, 'UTC')) ENGINE = MergeTree ORDER BY customer_id",
		"SELECT customer_id, at, contact_id, channel, class, action, outcome, ingested_at FROM {versions}"},
	{"touchpoints", "CREATE TABLE {db}.clicks (customer_id String, at DateTime64(6), type String, channel String, worth Nullable(Int32), known Date32) ENGINE = MergeTree ORDER BY customer_id",
		"SELECT customer_id, at, kind, channel, value, toDate32(ingested_at) FROM {versions}"},
}

// ownSources maps them.
func ownSources(db string) features.Sources {
	return features.Sources{
		"customers":     {Table: db + ".people", Columns: map[string]string{"customer_id": "no", "created_at": "joined", "region": "area", "plan": "tariff", "birth_year": "born", "consent": "mails", "attributes": "tags", "ingested_at": "loaded"}},
		"usage":         {Table: db + ".sessions", Columns: map[string]string{"customer_id": "account", "at": "started", "event_id": "session id", "feature": "what", "duration_s": "seconds", "quantity": "n"}},
		"purchases":     {Table: db + ".orders", Columns: map[string]string{"amount": "total", "discount": "off", "returned": "back", "ingested_at": "loaded"}, Unique: true},
		"subscriptions": {Table: db + ".contracts", Columns: map[string]string{"customer_id": "account", "subscription_id": "number", "at": "begins", "ends_at": "ends", "ended_at": "gone", "cancelled_at": "quit", "end_reason": "why", "mrr": "fee", "billing_days": "days", "auto_renew": "renews"}},
		"surveys":       {Table: db + ".answers", Columns: map[string]string{"customer_id": "who", "at": "answered", "ingested_at": "loaded"}},
		"tickets":       {Table: db + ".cases", Columns: map[string]string{"customer_id": "who", "at": "opened", "ticket_id": "no", "priority": "urgency", "resolved_at": "closed", "satisfaction": "stars"}},
		"contacts":      {Table: db + ".mailings", Columns: map[string]string{"at": "sent"}},
		"touchpoints":   {Table: db + ".clicks", Columns: map[string]string{"kind": "type", "value": "worth", "ingested_at": "known"}},
	}
}

// Features, population and labels over own tables alone are those of the import of the same rows, at every cutoff.
func TestOwnTablesAsImport(t *testing.T) {
	im := ownWorld(t)
	ctx := t.Context()
	var here string
	if err := im.w.Conn().QueryRow(ctx, "SELECT currentDatabase()").Scan(&here); err != nil {
		t.Fatal(err)
	}
	db := here + "_crm"
	exec := func(q string) {
		t.Helper()
		if err := im.w.Conn().Exec(ctx, q); err != nil {
			t.Fatal(err)
		}
	}
	// Knowledge times of touchpoints are days in the own table, so they are in the import, too.
	exec("ALTER TABLE touchpoints UPDATE ingested_at = toDateTime64(toDate(ingested_at), 3, 'UTC') WHERE 1 SETTINGS mutations_sync = 2")
	exec("CREATE DATABASE " + db)
	t.Cleanup(func() {
		if err := im.w.Conn().Exec(context.Background(), "DROP DATABASE "+db); err != nil { // the test's context is over by now
			t.Error(err)
		}
	})
	replace := strings.NewReplacer("{db}", db, "{here}", here)
	for _, own := range ownTables {
		exec(replace.Replace(own.ddl))
		if own.fill == "" {
			continue
		}
		versions := own.source
		if own.source != "customers" {
			versions = fmt.Sprintf("(SELECT * FROM %[1]s UNION DISTINCT SELECT * FROM %[1]s_fixes)", own.source)
		}
		insert := "INSERT INTO " + db + "." + strings.Fields(own.ddl)[2][len("{db}."):] + " "
		fill := strings.Replace(own.fill, "{versions}", versions, 1)
		exec(insert + fill)
		if own.source == "usage" { // the same delivery twice: they have an id
			exec(insert + fill)
		}
	}
	canonical := &features.Store{DB: im.w}
	own := &features.Store{DB: im.w, Sources: ownSources(db)}
	if err := errors.Join(own.Sources.Validate(), own.CheckBindings(ctx)); err != nil {
		t.Fatal(err)
	}
	specs := map[string]features.ChurnSpec{
		"non-contractual": {Setting: features.NonContractual, Activity: []string{"purchases", "usage", "tickets"}, ActiveDays: 120, HorizonDays: 60},
		"contractual":     {Setting: features.Contractual, GraceDays: 10, HorizonDays: 60},
	}
	catalogue := features.DefaultCatalogue()
	catalogue.Treatment = true
	for name, spec := range specs {
		for _, cutoff := range []time.Time{time.Date(2023, 11, 15, 12, 30, 0, 0, time.UTC), time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)} {
			want, wantLabels := vectors(t, canonical, catalogue, spec, cutoff)
			got, gotLabels := vectors(t, own, catalogue, spec, cutoff)
			if len(want.Customer) < 5 {
				t.Fatalf("%s at %s: only %d customers", name, cutoff, len(want.Customer))
			}
			if diff := cmp.Diff(want.Customer, got.Customer); diff != "" {
				t.Fatalf("%s at %s: %s", name, cutoff, diff)
			}
			if diff := cmp.Diff(want.X.Schema, got.X.Schema); diff != "" {
				t.Fatalf("%s at %s: %s", name, cutoff, diff)
			}
			if diff := cmp.Diff(wantLabels, gotLabels, cmpopts.EquateNaNs()); diff != "" {
				t.Errorf("%s at %s: labels %s", name, cutoff, diff)
			}
			filled := 0
			for j, c := range want.X.Schema {
				if !slices.EqualFunc(want.X.X[j], got.X.X[j], func(a, b float32) bool { return a == b || a != a && b != b }) {
					t.Errorf("%s at %s: %s\n%v\nwant\n%v", name, cutoff, c.Name, got.X.X[j], want.X.X[j])
				}
				if slices.ContainsFunc(want.X.X[j], func(v float32) bool { return v == v && v != 0 }) {
					filled++
				}
			}
			t.Logf("%s at %s: %d customers, %d of %d features with values", name, cutoff.Format(time.DateOnly), len(want.Customer), filled, len(want.X.Schema))
		}
	}
}

func vectors(t *testing.T, s *features.Store, c *features.Catalogue, spec features.ChurnSpec, cutoff time.Time) (*features.Snapshot, []float64) {
	t.Helper()
	resolved, err := c.Resolve(t.Context(), s, []time.Time{cutoff})
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Population(t.Context(), spec, cutoff)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(t.Context())
	x, err := s.Snapshot(t.Context(), resolved, p)
	if err != nil {
		t.Fatal(err)
	}
	labels, err := s.Labels(t.Context(), spec, p, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return x, labels.Y
}
