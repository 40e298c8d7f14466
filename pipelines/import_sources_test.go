package pipelines

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"retain/internal/warehouse"
)

// Surveys, tickets, contacts and touchpoints (contract.md §1): a file, options, and the rows that stand afterwards, or the error.
func TestImportFeedbackSources(t *testing.T) {
	nps := map[string]string{"kind": "nps"}
	cases := []struct {
		name   string
		source string
		text   string
		o      ImportOptions
		query  string
		want   []string
		err    string // part of it
	}{
		{name: "surveys", source: "surveys",
			text:  "customer_id,at,kind,score,channel,comment\na,2024-01-01,NPS,9,mail,\"good, but slow\"\nb,2024-01-02, Csat ,4.5,,\nc,2024-01-03,ces,,app,\n",
			query: "SELECT customer_id, at, kind, score, channel, comment, ingested_at, ingested_mapped FROM surveys ORDER BY customer_id",
			want: []string{"('a','2024-01-01 00:00:00.000','nps',9,'mail','good, but slow','2024-01-01 00:00:00.000',false)",
				"('b','2024-01-02 00:00:00.000','csat',4.5,'','','2024-01-02 00:00:00.000',false)",
				"('c','2024-01-03 00:00:00.000','ces',NULL,'app','','2024-01-03 00:00:00.000',false)"}},
		{name: "a kind for all rows", source: "surveys", text: "customer_id,at,score\na,2024-01-01,0\n", o: ImportOptions{Set: map[string]string{"kind": "NPS"}},
			query: "SELECT kind, score FROM surveys", want: []string{"('nps',0)"}},
		{name: "no kind", source: "surveys", text: "customer_id,at,score\na,2024-01-01,0\n",
			err: "f.csv has no column kind, which surveys needs: name the one that holds it (--map kind=COLUMN), or give the one value of all rows (--set kind=nps; there are nps, csat, ces); it has customer_id, at, score"},
		{name: "an empty kind", source: "surveys", text: "customer_id,at,kind\na,2024-01-01,\n", err: "f.csv:2: column kind: is empty: every row needs it (nps, csat, ces)"},
		{name: "a kind of blanks", source: "surveys", text: "customer_id,at,kind\na,2024-01-01,  \n", err: "column kind: is empty"},
		{name: "another kind", source: "surveys", text: "customer_id,at,kind\na,2024-01-01,smiley\n", err: `f.csv:2: column kind: "smiley" is none of nps, csat, ces`},
		{name: "another kind for all", source: "surveys", text: "customer_id,at\na,2024-01-01\n", o: ImportOptions{Set: map[string]string{"kind": "smiley"}}, err: "--set kind=smiley: is none of nps, csat, ces"},
		{name: "the ends of the scale", source: "surveys", text: "customer_id,at,score\na,2024-01-01,0\nb,2024-01-01,10\n", o: ImportOptions{Set: nps},
			query: "SELECT score FROM surveys ORDER BY customer_id", want: []string{"(0)", "(10)"}},
		{name: "eleven", source: "surveys", text: "customer_id,at,score\na,2024-01-01,11\n", o: ImportOptions{Set: nps}, err: "f.csv:2: column score: lies outside 0 to 10, the scale of NPS"},
		{name: "below nought", source: "surveys", text: "customer_id,at,Note\na,2024-01-01,-1\n", o: ImportOptions{Set: nps, Map: map[string]string{"score": "note"}}, err: "f.csv:2: column Note (score): lies outside 0 to 10"},
		{name: "other kinds have other scales", source: "surveys", text: "customer_id,at,kind,score\na,2024-01-01,csat,100\n", query: "SELECT score FROM surveys", want: []string{"(100)"}},

		{name: "tickets", source: "tickets",
			text:  "customer_id,at,ticket_id,channel,reply_channel,topic,priority,first_reply_at,resolved_at,reopened,escalated,self_served,satisfaction\na,2024-01-01,t,mail,phone,billing,high,2024-01-01 01:00,2024-01-02,2,yes,no,4\n",
			query: "SELECT * EXCEPT (ingested_at, ingested_mapped, imported_at, event_hash, row_hash) FROM tickets",
			want:  []string{"('a','2024-01-01 00:00:00.000','t','mail','phone','billing','high','2024-01-01 01:00:00.000','2024-01-02 00:00:00.000',2,true,false,4)"}},
		{name: "reopened is a count, or says whether", source: "tickets", text: "customer_id,at,reopened\na,2024-01-01,true\nb,2024-01-01,No\nc,2024-01-01,3\nd,2024-01-01,\ne,2024-01-01,2.0\n",
			query: "SELECT reopened FROM tickets ORDER BY customer_id", want: []string{"(1)", "(0)", "(3)", "(NULL)", "(2)"}},
		{name: "reopened perhaps", source: "tickets", text: "customer_id,at,reopened\na,2024-01-01,maybe\n", err: `f.csv:2: column reopened: "maybe" is neither a number nor a truth value: write how often, or true, false, yes or no`},
		{name: "no count elsewhere", source: "usage", text: "customer_id,at,errors\na,2024-01-01,true\n", err: `"true" is not a number`},

		{name: "contacts", source: "contacts",
			text:  "customer_id,at,contact_id,channel,class,action,campaign,decision_id,outcome,outcome_at\na,2024-01-01,c,mail,Marketing,offer,spring,d,clicked,2024-01-03\nb,2024-01-01,,,,,,,,\n",
			query: "SELECT * EXCEPT (ingested_at, ingested_mapped, imported_at, event_hash, row_hash) FROM contacts ORDER BY customer_id",
			want: []string{"('a','2024-01-01 00:00:00.000','c','mail','marketing','offer','spring','d','clicked','2024-01-03 00:00:00.000')",
				"('b','2024-01-01 00:00:00.000','','','','','','','',NULL)"}},
		{name: "another class", source: "contacts", text: "customer_id,at,class\na,2024-01-01,spam\n", err: `column class: "spam" is none of marketing, service, transactional`},

		{name: "touchpoints", source: "touchpoints", text: "customer_id,at,kind,channel,lead_source,campaign,value\na,2024-01-01,Visit,web,ads,spring,-1.5\n",
			query: "SELECT customer_id, kind, channel, lead_source, campaign, value FROM touchpoints", want: []string{"('a','Visit','web','ads','spring',-1.5)"}},
	}
	shared := newImporter(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			im := &importer{t: t, w: shared.w, dir: t.TempDir()}
			for _, table := range []string{"surveys", "tickets", "contacts", "touchpoints", "usage"} {
				if err := im.w.Conn().Exec(t.Context(), "TRUNCATE TABLE "+table); err != nil {
					t.Fatal(err)
				}
			}
			if err := im.w.Conn().Exec(t.Context(), "TRUNCATE TABLE imports"); err != nil {
				t.Fatal(err)
			}
			c.o.Source = c.source
			_, err := im.do("f.csv", c.text, c.o)
			switch {
			case c.err != "":
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("got error %v\nwant %s", err, c.err)
				}
				im.same("SELECT count() FROM "+c.source, "(0)")
			case err != nil:
				t.Fatal(err)
			default:
				im.same(c.query, c.want...)
				im.day = 9
				if r := im.must("f.csv", c.text, c.o); r.New != 0 {
					t.Errorf("the same file twice brought %d rows", r.New)
				}
				im.same(c.query, c.want...)
			}
			im.same("SELECT name FROM system.tables WHERE database = currentDatabase() AND startsWith(name, 'import_')")
		})
	}
}

// Identity of the sources about feedback: what becomes of a second file.
func TestImportFeedbackIdentity(t *testing.T) {
	cases := []struct {
		name   string
		source string
		files  []string
		news   []int64
		query  string
		want   []string
	}{
		{"equal answers both count, once a file", "surveys",
			[]string{"customer_id,at,kind,score\na,2024-01-01,nps,9\na,2024-01-01,NPS,9\n", "customer_id,at,kind,score\na,2024-01-01,nps,9.0\na,2024-01-01,nps,9\na,2024-01-01,nps,9\n"}, []int64{2, 1},
			"SELECT count(), uniqExact(event_hash), (SELECT count() FROM surveys_fixes) FROM surveys", []string{"(3,3,0)"}},
		{"another score is another answer", "surveys",
			[]string{"customer_id,at,kind,score\na,2024-01-01,nps,9\n", "customer_id,at,kind,score\na,2024-01-01,nps,8\n"}, []int64{1, 1},
			"SELECT score FROM surveys ORDER BY score", []string{"(8)", "(9)"}},
		{"touchpoints have no identity", "touchpoints",
			[]string{"customer_id,at,kind\na,2024-01-01,visit\na,2024-01-01,visit\n", "customer_id,at,kind\na,2024-01-01,visit\n"}, []int64{2, 0},
			"SELECT count(), uniqExact(event_hash) FROM touchpoints", []string{"(2,2)"}},
		{"a ticket is corrected from its knowledge time on", "tickets",
			[]string{"customer_id,at,ticket_id,resolved_at,ingested_at\na,2024-01-01,t,,2024-01-02\n", "customer_id,at,ticket_id,resolved_at,ingested_at\na,2024-01-01,t,2024-01-04,2024-01-05\nb,2024-01-01,t,,2024-01-05\n"}, []int64{1, 2},
			"SELECT * FROM (SELECT 'held', customer_id, resolved_at, ingested_at FROM tickets UNION ALL SELECT 'fixed', customer_id, resolved_at, ingested_at FROM tickets_fixes) ORDER BY ALL",
			[]string{"('fixed','a','2024-01-04 00:00:00.000','2024-01-05 00:00:00.000')", "('fixed','a',NULL,'2024-01-02 00:00:00.000')",
				"('held','a',NULL,'2024-01-02 00:00:00.000')", "('held','b',NULL,'2024-01-05 00:00:00.000')"}},
		{"the outcome of a contact comes later", "contacts",
			[]string{"customer_id,at,contact_id,outcome\na,2024-01-01,c,\na,2024-01-01,,\na,2024-01-01,,\n", "customer_id,at,contact_id,outcome,ingested_at\na,2024-01-01,c,opened,2024-01-03\n"}, []int64{3, 1},
			"SELECT * FROM (SELECT 'held', contact_id, outcome FROM contacts UNION ALL SELECT 'fixed', contact_id, outcome FROM contacts_fixes) ORDER BY ALL",
			[]string{"('fixed','c','')", "('fixed','c','opened')", "('held','','')", "('held','','')", "('held','c','')"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			im := newImporter(t)
			for i, text := range c.files {
				if r := im.must("f.csv", text, ImportOptions{Source: c.source}); r.New != c.news[i] {
					t.Errorf("file %d brought %d new rows, not %d", i+1, r.New, c.news[i])
				}
			}
			im.same(c.query, c.want...)
			if r := im.must("f.csv", c.files[len(c.files)-1], ImportOptions{Source: c.source}); r.New != 0 {
				t.Errorf("the last file again brought %d rows", r.New)
			}
			im.same(c.query, c.want...)
		})
	}
}

// Every source is imported whole or not at all: a bad last row leaves nothing, and --skip-bad sets it aside.
func TestImportAtomicAllSources(t *testing.T) {
	im := newImporter(t)
	for _, source := range warehouse.ImportSources {
		var header, good, bad []string
		for _, k := range source.Columns {
			v := "x"
			switch {
			case k.Words != nil:
				v = k.Words[0]
			case k.Kind == warehouse.ImportInstant:
				v = "2024-01-01"
			case k.Kind == warehouse.ImportWhole:
				v = fmt.Sprint(max(k.Min, 1))
			case !k.Kind.Textual():
				v = "1"
			case k.Kind == warehouse.ImportTexts || k.Kind == warehouse.ImportFlags:
				continue
			}
			header, good = append(header, k.Name), append(good, v)
			if k.Kind == warehouse.ImportInstant {
				v = "never"
			}
			bad = append(bad, v)
		}
		text := strings.Join(header, ",") + "\n" + strings.Join(good, ",") + "\n" + strings.Join(bad, ",") + "\n"
		var refused *BadRowError
		if _, err := im.do(source.Name+".csv", text, ImportOptions{Source: source.Name}); !errors.As(err, &refused) || refused.Line != 3 {
			t.Errorf("%s: %v", source.Name, err)
		}
		im.same("SELECT count() FROM "+source.Name, "(0)")
		if r := im.must(source.Name+".csv", text, ImportOptions{Source: source.Name, SkipBad: 1}); r.New != 1 || r.Rejected != 1 {
			t.Errorf("%s: %+v", source.Name, r)
		}
		if _, err := os.Stat(filepath.Join(im.dir, source.Name+".csv.rejected")); err != nil {
			t.Error(err)
		}
		im.same("SELECT count() FROM "+source.Name, "(1)")
	}
	im.same("SELECT name FROM system.tables WHERE database = currentDatabase() AND startsWith(name, 'import_')")
}

// A missing number leaves nothing behind that a user's own cast could trip over.
func TestImportMissingCasts(t *testing.T) {
	im := newImporter(t)
	im.must("f.csv", "customer_id,at,quantity,amount\na,2024-01-01,,\nb,2024-01-01,1.5,\n", ImportOptions{Source: "purchases"})
	im.same("SELECT CAST(quantity AS Nullable(Decimal(12, 6))), CAST(amount AS Nullable(Decimal(38, 20))) FROM purchases ORDER BY customer_id", "(NULL,NULL)", "(1.5,NULL)")
}
