package pipelines

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const fewUsage = "customer_id, at, event_id, user_id, feature, duration_s, errors, ingested_at, ingested_mapped"

// Each rule of contract.md §2 is a case: a file, options, and the rows that stand afterwards, or the error.
func TestImportRules(t *testing.T) {
	usage := func(o ImportOptions) ImportOptions { o.Source = "usage"; return o }
	cases := []struct {
		name  string
		file  string
		text  string
		o     ImportOptions
		query string
		want  []string
		err   string // part of it
	}{
		{name: "names match without case, blank and - as _", file: "f.csv",
			text: "Customer-ID,AT,Event Id,FEATURE\nc,2024-01-01,e,x\n", o: usage(ImportOptions{}),
			query: "SELECT " + fewUsage + " FROM usage",
			want:  []string{"('c','2024-01-01 00:00:00.000','e','','x',NULL,NULL,'2024-01-01 00:00:00.000',false)"}},
		{name: "a column named in --map serves only there", file: "f.csv",
			text: "user_id,at,customer_id\nu,2024-01-01,c\n", o: usage(ImportOptions{Map: map[string]string{"customer_id": "USER ID"}}),
			query: "SELECT customer_id, user_id FROM usage", want: []string{"('u','')"}},
		{name: "one column may serve two", file: "f.csv",
			text: "who,at\nu,2024-01-01\n", o: usage(ImportOptions{Map: map[string]string{"customer_id": "who", "user_id": "who"}}),
			query: "SELECT customer_id, user_id FROM usage", want: []string{"('u','u')"}},
		{name: "constants win over columns of their name", file: "f.csv",
			text: "customer_id,at,feature\nc,2024-01-01,x\n", o: usage(ImportOptions{Set: map[string]string{"feature": "login", "quantity": "2"}}),
			query: "SELECT feature, quantity FROM usage", want: []string{"('login',2)"}},
		{name: "constant time", file: "f.csv",
			text: "customer_id\nc\n", o: usage(ImportOptions{Set: map[string]string{"at": "2024-01-01"}}),
			query: "SELECT at FROM usage", want: []string{"('2024-01-01 00:00:00.000')"}},
		{name: "map and set", file: "f.csv", text: "customer_id,at,x\nc,2024-01-01,1\n",
			o: usage(ImportOptions{Map: map[string]string{"feature": "x"}, Set: map[string]string{"feature": "y"}}), err: "feature stands both in --map and in --set"},
		{name: "unknown canonical", file: "f.csv", text: "customer_id,at\n", o: usage(ImportOptions{Map: map[string]string{"amount": "at"}}), err: `usage has no column "amount"; it has customer_id, at`},
		{name: "bookkeeping columns cannot be given", file: "f.csv", text: "customer_id,at\n", o: usage(ImportOptions{Set: map[string]string{"event_hash": "1"}}), err: `usage has no column "event_hash"`},
		{name: "unknown column", file: "f.csv", text: "customer_id,at\n", o: usage(ImportOptions{Map: map[string]string{"feature": "nope"}}), err: `has no column "nope"; it has customer_id, at`},
		{name: "constant that is no number", file: "f.csv", text: "customer_id,at\n", o: usage(ImportOptions{Set: map[string]string{"errors": "many"}}), err: "--set errors=many: is not a number"},
		{name: "no columns", file: "f.ndjson", text: "{}\n", o: usage(ImportOptions{}), err: "it has none"},
		{name: "no customer_id", file: "f.csv", text: "account,at\nc,2024-01-01\n", o: usage(ImportOptions{}), err: "f.csv has no column customer_id, which usage needs: name the one that holds it (--map customer_id=COLUMN); it has account, at"},
		{name: "no time", file: "f.csv", text: "customer_id,when\nc,2024-01-01\n", o: usage(ImportOptions{}), err: "has no column at"},
		{name: "empty customer_id", file: "f.csv", text: "customer_id,at\n,2024-01-01\n", o: usage(ImportOptions{}), err: "f.csv:2: column customer_id: is empty: every row needs a customer_id"},
		{name: "empty time", file: "f.csv", text: "customer_id,when\nc,\n", o: usage(ImportOptions{Map: map[string]string{"at": "when"}}), err: "f.csv:2: column when (at): is empty"},
		{name: "unknown source", file: "f.csv", text: "customer_id\n", o: ImportOptions{Source: "sales"}, err: `no source "sales": the sources are customers, usage, purchases, subscriptions`},
		{name: "unknown zone", file: "f.csv", text: "customer_id\n", o: usage(ImportOptions{Timezone: "Mars/Olympus"}), err: "no such time zone"},
		{name: "time format without pattern", file: "f.csv", text: "customer_id\n", o: usage(ImportOptions{TimeFormat: "epoch"}), err: "is neither unix, unix_ms nor a strptime pattern"},

		{name: "ids stay byte for byte", file: "f.csv", text: "customer_id,at,event_id\n0007,2024-01-01,1e3\n 7 ,2024-01-01,\" x\"\n", o: usage(ImportOptions{}),
			query: "SELECT customer_id, event_id FROM usage ORDER BY customer_id", want: []string{"(' 7 ',' x')", "('0007','1e3')"}},
		{name: "NDJSON numbers become decimal text", file: "f.ndjson", text: `{"customer_id":12345678901234567890,"at":"2024-01-01","event_id":1.50,"user_id":1e3,"feature":7.0}`, o: usage(ImportOptions{}),
			query: "SELECT customer_id, event_id, user_id, feature FROM usage", want: []string{"('12345678901234567890','1.50','1000','7')"}},
		{name: "an id of 256 bytes", file: "f.csv", text: "customer_id,at\n" + strings.Repeat("é", 128) + ",2024-01-01\n", o: usage(ImportOptions{}),
			query: "SELECT length(customer_id) FROM usage", want: []string{"(256)"}},
		{name: "an id of 257 bytes", file: "f.csv", text: "customer_id,at\n" + strings.Repeat("x", 257) + ",2024-01-01\n", o: usage(ImportOptions{}), err: "is longer than the 256 bytes of an id"},

		{name: "nulls", file: "f.csv", text: "customer_id,at,feature,duration_s,errors\na,2024-01-01,NULL,NaN,\\N\nb,2024-01-01,-,-,\nc,2024-01-01,null,  ,0\n", o: usage(ImportOptions{Null: []string{"-"}}),
			query: "SELECT customer_id, feature, duration_s, errors FROM usage ORDER BY customer_id", want: []string{"('a','',NULL,NULL)", "('b','',NULL,NULL)", "('c','null',NULL,0)"}},
		{name: "NDJSON null", file: "f.jsonl", text: `{"customer_id":"c","at":"2024-01-01","errors":null,"duration_s":""}`, o: usage(ImportOptions{}),
			query: "SELECT errors, duration_s FROM usage", want: []string{"(NULL,NULL)"}},
		{name: "a null customer_id", file: "f.csv", text: "customer_id,at\nNULL,2024-01-01\n", o: usage(ImportOptions{}), err: "every row needs a customer_id"},

		{name: "numbers", file: "f.csv", text: "customer_id,at,duration_s,quantity,errors\na,2024-01-01,1e3,-0.00005,3.0\nb,2024-01-01,0.0005,+1.5, 4 \n", o: usage(ImportOptions{}),
			query: "SELECT duration_s, quantity, errors FROM usage ORDER BY customer_id", want: []string{"(1000,-0.0001,3)", "(0.001,1.5,4)"}},
		{name: "a text for a number", file: "f.csv", text: "customer_id,at,duration_s\nc,2024-01-01,ten\n", o: usage(ImportOptions{}), err: `f.csv:2: column duration_s: "ten" is not a number`},
		{name: "thousands", file: "f.csv", text: "customer_id,at,duration_s\nc,2024-01-01,\"1,000\"\n", o: usage(ImportOptions{}), err: "write a point before the decimals"},
		{name: "negative time spent", file: "f.csv", text: "customer_id,at,duration_s\nc,2024-01-01,-1\n", o: usage(ImportOptions{}), err: `"-1" is outside the range: it must be 0 or more`},
		{name: "half an error", file: "f.csv", text: "customer_id,at,errors\nc,2024-01-01,1.5\n", o: usage(ImportOptions{}), err: `"1.5" is not a whole number`},
		{name: "too many errors", file: "f.csv", text: "customer_id,at,errors\nc,2024-01-01,4294967296\n", o: usage(ImportOptions{}), err: "it must lie from 0 to 4294967295"},
		{name: "Decimal(18,4) is full", file: "f.csv", text: "customer_id,at,quantity\nc,2024-01-01,99999999999999.9999\n", o: usage(ImportOptions{}),
			query: "SELECT quantity FROM usage", want: []string{"(99999999999999.9999)"}},
		{name: "Decimal(18,4) overflows", file: "f.csv", text: "customer_id,at,quantity\nc,2024-01-01,100000000000000\n", o: usage(ImportOptions{}), err: "is too large"},
		{name: "infinity", file: "f.csv", text: "customer_id,at,quantity\nc,2024-01-01,inf\n", o: usage(ImportOptions{}), err: "is not a number"},
		{name: "truth", file: "f.csv", text: "customer_id,at,returned\na,2024-01-01,TRUE\nb,2024-01-01,0\nc,2024-01-01,\nd,2024-01-01,No\n", o: ImportOptions{Source: "purchases"},
			query: "SELECT returned FROM purchases ORDER BY customer_id", want: []string{"(true)", "(false)", "(NULL)", "(false)"}},
		{name: "no truth", file: "f.csv", text: "customer_id,at,returned\na,2024-01-01,maybe\n", o: ImportOptions{Source: "purchases"}, err: `"maybe" is neither true nor false`},

		{name: "default times", file: "f.csv", text: "customer_id,at\na,2024-02-29\nb,2024-01-01 12:34\nc,2024-01-01 12:34:56\nd,2024-01-01T12:34:56.7899Z\ne,2024-01-01 12:34:56+02:00\nf,2024-01-01T12:34-0530\ng,2024-01-01 00:00:00.001+14\nh,1969-12-31 23:59:59.999 UTC\n", o: usage(ImportOptions{}),
			query: "SELECT at FROM usage ORDER BY customer_id", want: []string{"('2024-02-29 00:00:00.000')", "('2024-01-01 12:34:00.000')", "('2024-01-01 12:34:56.000')", "('2024-01-01 12:34:56.789')", "('2024-01-01 10:34:56.000')", "('2024-01-01 18:04:00.000')", "('2023-12-31 10:00:00.001')", "('1969-12-31 23:59:59.999')"}},
		{name: "zone of times without one", file: "f.csv", text: "customer_id,at\na,2024-07-01\nb,2024-01-01 12:00\nc,2024-07-01 12:00Z\nd,2024-03-31 01:59:59.999\ne,2024-03-31 03:00\n", o: usage(ImportOptions{Timezone: "Europe/Berlin"}),
			query: "SELECT at FROM usage ORDER BY customer_id", want: []string{"('2024-06-30 22:00:00.000')", "('2024-01-01 11:00:00.000')", "('2024-07-01 12:00:00.000')", "('2024-03-31 00:59:59.999')", "('2024-03-31 01:00:00.000')"}},
		{name: "no day", file: "f.csv", text: "customer_id,at\na,2023-02-29\n", o: usage(ImportOptions{}), err: `f.csv:2: column at: "2023-02-29" is no day of the calendar`},
		{name: "no time of day", file: "f.csv", text: "customer_id,at\na,2023-02-28 24:00\n", o: usage(ImportOptions{}), err: "is no time of day"},
		{name: "another form", file: "f.csv", text: "customer_id,at\na,31.12.2023\n", o: usage(ImportOptions{}), err: "give its form with --time-format"},
		{name: "out of range", file: "f.csv", text: "customer_id,at\na,1899-12-31\n", o: usage(ImportOptions{}), err: "lies outside the years 1900 to 2299"},
		{name: "strptime", file: "f.csv", text: "customer_id,at\na,22-04-2014 03:53\n", o: usage(ImportOptions{TimeFormat: "%d-%m-%Y %H:%M", Timezone: "America/New_York"}),
			query: "SELECT at FROM usage", want: []string{"('2014-04-22 07:53:00.000')"}},
		{name: "strptime of a number", file: "f.csv", text: "customer_id,at\na,19970101\n", o: usage(ImportOptions{TimeFormat: "%Y%m%d"}),
			query: "SELECT at FROM usage", want: []string{"('1997-01-01 00:00:00.000')"}},
		{name: "not the strptime form", file: "f.csv", text: "customer_id,at\na,2014-04-22\n", o: usage(ImportOptions{TimeFormat: "%d-%m-%Y"}), err: "is no time of the form %d-%m-%Y"},
		{name: "unix", file: "f.csv", text: "customer_id,at\na,1398138810.0\nb,1398138810.9999\nc,-0.0005\n", o: usage(ImportOptions{TimeFormat: "unix"}),
			query: "SELECT at FROM usage ORDER BY customer_id", want: []string{"('2014-04-22 03:53:30.000')", "('2014-04-22 03:53:30.999')", "('1969-12-31 23:59:59.999')"}},
		{name: "unix_ms", file: "f.jsonl", text: `{"customer_id":"a","at":1541105830796}` + "\n" + `{"customer_id":"b","at":1.541105830796e12}`, o: usage(ImportOptions{TimeFormat: "unix_ms"}),
			query: "SELECT at FROM usage", want: []string{"('2018-11-01 20:57:10.796')", "('2018-11-01 20:57:10.796')"}},
		{name: "milliseconds as unix", file: "f.csv", text: "customer_id,at\na,1541105830796\n", o: usage(ImportOptions{TimeFormat: "unix"}), err: "unix is in seconds, unix_ms in milliseconds"},

		{name: "knowledge time given", file: "f.csv", text: "customer_id,at,ingested_at\na,2024-01-01,2024-01-05\nb,2024-01-01,\n", o: usage(ImportOptions{}),
			query: "SELECT ingested_at, ingested_mapped, imported_at FROM usage ORDER BY customer_id",
			want:  []string{"('2024-01-05 00:00:00.000',true,'2030-01-01 00:00:00.000')", "('2024-01-01 00:00:00.000',false,'2030-01-01 00:00:00.000')"}},
		{name: "knowledge time mapped", file: "f.csv", text: "customer_id,at,loaded\na,2024-01-01,2024-01-05\n", o: usage(ImportOptions{Map: map[string]string{"ingested_at": "loaded"}}),
			query: "SELECT ingested_at, ingested_mapped FROM usage", want: []string{"('2024-01-05 00:00:00.000',true)"}},
		{name: "knowledge time set", file: "f.csv", text: "customer_id,at\na,2024-01-01\n", o: usage(ImportOptions{Set: map[string]string{"ingested_at": "2024-02-01"}}),
			query: "SELECT ingested_at, ingested_mapped FROM usage", want: []string{"('2024-02-01 00:00:00.000',true)"}},

		{name: "customers", file: "f.csv",
			text:  "customer_id,created_at,birth_year,plan,consent_email,consent_sms,Org-ID,note,\na,2024-01-01,1980,pro,yes,,11,,x\nb,,,,,0,,\"two\nlines\",\n",
			o:     ImportOptions{Source: "customers"},
			query: "SELECT customer_id, created_at, birth_year, plan, consent, attributes, ingested_at, ingested_mapped FROM customers ORDER BY customer_id",
			want: []string{"('a','2024-01-01 00:00:00.000',1980,'pro',{'email':true},{'org_id':'11'},'2024-01-01 00:00:00.000',false)",
				"('b',NULL,NULL,'',{'sms':false},{'note':'two\\nlines'},'1970-01-01 00:00:00.000',false)"}},
		{name: "consent and attributes as objects", file: "f.jsonl", text: `{"customer_id":"a","consent":{"email":true,"post":null},"attributes":{"b":"x","a":1.0},"c":[1]}`, o: ImportOptions{Source: "customers"},
			query: "SELECT consent, attributes FROM customers", want: []string{`({'email':true},{'a':'1','b':'x','c':'[1]'})`}},
		{name: "consent mapped and set", file: "f.csv", text: "customer_id,mail\na,1\n", o: ImportOptions{Source: "customers", Map: map[string]string{"consent_email": "mail"}, Set: map[string]string{"consent_post": "no"}},
			query: "SELECT consent, attributes FROM customers", want: []string{"({'email':true,'post':false},{})"}},
		{name: "no consent", file: "f.csv", text: "customer_id,consent_email\na,perhaps\n", o: ImportOptions{Source: "customers"}, err: `f.csv:2: column consent_email: "perhaps" is neither true nor false`},
		{name: "no object", file: "f.csv", text: "customer_id,consent\na,yes\n", o: ImportOptions{Source: "customers"}, err: "is not a JSON object"},
		{name: "birth year", file: "f.csv", text: "customer_id,birth_year\na,80\n", o: ImportOptions{Source: "customers"}, err: "it must lie from 1850 to 2100"},

		{name: "subscriptions", file: "f.csv", text: "customer_id,subscription_id,started_at,ends_at,mrr,billing_days,auto_renew\na,s,2024-01-01,No,50.00,30,True\n", o: ImportOptions{Source: "subscriptions", Null: []string{"No"}},
			query: "SELECT subscription_id, started_at, ends_at, mrr, billing_days, auto_renew, ended_at FROM subscriptions", want: []string{"('s','2024-01-01 00:00:00.000',NULL,50,30,true,NULL)"}},

		{name: "one currency", file: "f.csv", text: "customer_id,at,amount,currency\na,2024-01-01,1,eur\nb,2024-01-01,1,\nc,2024-01-01,1,EUR\n", o: ImportOptions{Source: "purchases", Currency: "EUR"},
			query: "SELECT currency FROM purchases ORDER BY customer_id", want: []string{"('EUR')", "('')", "('EUR')"}},
		{name: "another currency", file: "f.csv", text: "customer_id,at,amount,currency\na,2024-01-01,1,USD\n", o: ImportOptions{Source: "purchases", Currency: "EUR"}, err: `f.csv:2: column currency: "USD" is not EUR, the one currency`},
		{name: "two currencies and none configured", file: "f.csv", text: "customer_id,at,amount,currency\na,2024-01-01,1,EUR\nb,2024-01-01,1,USD\n", o: ImportOptions{Source: "purchases"}, err: `f.csv:3: column currency: "USD" is not EUR`},
		{name: "rates", file: "f.csv", text: "customer_id,at,amount,discount,currency\na,2024-01-01,100,10,usd\nb,2024-01-01,7,,EUR\n", o: ImportOptions{Source: "purchases", Currency: "EUR", Rates: map[string]float64{"USD": 0.92345}},
			query: "SELECT amount, discount, currency FROM purchases ORDER BY customer_id", want: []string{"(92.345,9.2345,'EUR')", "(7,NULL,'EUR')"}},
		{name: "a rate of nothing", file: "f.csv", text: "customer_id,at\n", o: ImportOptions{Source: "purchases", Currency: "EUR", Rates: map[string]float64{"USD": 0}}, err: "the rate of USD is 0"},

		{name: "semicolons and decimal commas", file: "f.csv", text: "\ufeffcustomer_id;at;amount;quantity\r\n007;31.12.2025 14:05;1.234.567,891;-2\r\nb;01.01.2026;-12,5;1.000\r\nc;02.01.2026;7;0,5\r\n",
			o:     ImportOptions{Source: "purchases", Comma: true, TimeFormat: "%d.%m.%Y %H:%M|%d.%m.%Y"},
			query: "SELECT customer_id, at, amount, quantity FROM purchases ORDER BY customer_id",
			want:  []string{"('007','2025-12-31 14:05:00.000',1234567.891,-2)", "('b','2026-01-01 00:00:00.000',-12.5,1000)", "('c','2026-01-02 00:00:00.000',7,0.5)"}},
		{name: "a point among decimal commas", file: "f.csv", text: "customer_id;at;amount\na;2025-01-01;12.5\n", o: ImportOptions{Source: "purchases", Comma: true}, err: `f.csv:2: column amount: "12.5" has a point that parts no thousands`},
		{name: "points behind the comma", file: "f.csv", text: "customer_id;at;amount\na;2025-01-01;1,234.5\n", o: ImportOptions{Source: "purchases", Comma: true}, err: `"1,234.5" has a point behind the comma`},
		{name: "decimal commas of NDJSON", file: "f.jsonl", text: `{"customer_id":"a","at":"2025-01-01","amount":1.5}`, o: ImportOptions{Source: "purchases", Comma: true}, err: "--decimal-comma is about CSV and TSV"},
		{name: "none of two forms", file: "f.csv", text: "customer_id,at\na,2025-01-01\n", o: usage(ImportOptions{TimeFormat: "%d.%m.%Y|unix"}), err: `"2025-01-01" is no time of any of the forms %d.%m.%Y|unix`},
		{name: "an empty form", file: "f.csv", text: "customer_id,at\na,2025-01-01\n", o: usage(ImportOptions{TimeFormat: "%d.%m.%Y|"}), err: "a form is empty beside the bar"},
		{name: "a JSON array", file: "f.jsonl", text: `[{"customer_id":"a","at":"2025-01-01"}]`, o: usage(ImportOptions{}), err: "f.jsonl:1: "},
		{name: "no object can be read", file: "f.jsonl", text: `{"customer_id":"a","customer_id":"b","at":"2025-01-01"}`, o: usage(ImportOptions{}), err: "f.jsonl:1: column customer_id: the key stands twice"},

		{name: "no rows", file: "f.csv", text: "customer_id,at\n", o: usage(ImportOptions{}), query: "SELECT count() FROM usage", want: []string{"(0)"}},
		{name: "ragged", file: "f.csv", text: "customer_id,at\na,2024-01-01\nb\n", o: usage(ImportOptions{}), err: "f.csv:3: has 1 fields, but the header has 2"},
		{name: "gzip", file: "f.tsv.gz", text: "customer_id\tat\na\t2024-01-01\n", o: usage(ImportOptions{}), query: "SELECT customer_id FROM usage", want: []string{"('a')"}},
	}
	im := newImporter(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			im := &importer{t: t, w: im.w, dir: t.TempDir()}
			for _, table := range []string{"customers", "usage", "purchases", "subscriptions"} {
				if err := im.w.Conn().Exec(t.Context(), "TRUNCATE TABLE "+table); err != nil {
					t.Fatal(err)
				}
			}
			if err := im.w.Conn().Exec(t.Context(), "TRUNCATE TABLE imports"); err != nil {
				t.Fatal(err)
			}
			_, err := im.do(c.file, c.text, c.o)
			switch {
			case c.err != "":
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("got error %v\nwant %s", err, c.err)
				}
				im.same("SELECT (SELECT count() FROM customers) + (SELECT count() FROM usage) + (SELECT count() FROM purchases) + (SELECT count() FROM subscriptions)", "(0)")
			case err != nil:
				t.Fatal(err)
			default:
				im.same(c.query, c.want...)
			}
			im.same("SELECT name FROM system.tables WHERE database = currentDatabase() AND startsWith(name, 'import_')")
		})
	}
}

func TestImportIgnoredColumns(t *testing.T) {
	im := newImporter(t)
	r := im.must("f.csv", "customer_id,At,Song Title,,x\na,2024-01-01,1,2,3\n", ImportOptions{Source: "usage", Map: map[string]string{"feature": "x"}})
	if got := strings.Join(r.IgnoredColumns, "|"); got != "Song Title|(column 4, without a name)" {
		t.Error(got)
	}
}

func TestImportSkipBad(t *testing.T) {
	im := newImporter(t)
	const csv = "customer_id,at,errors\na,2024-01-01,1\n,2024-01-02,\nb,2024-01-03,x\nc,2024-01-04\nd,2024-01-05,\n"
	if _, err := im.do("f.csv", csv, ImportOptions{Source: "usage", SkipBad: 2}); err == nil || !strings.Contains(err.Error(), "more than 2 bad rows, nothing is imported") {
		t.Error(err)
	}
	var bad *BadRowError
	if _, err := im.do("f.csv", csv, ImportOptions{Source: "usage"}); !errors.As(err, &bad) || bad.Line != 3 || bad.Column != "customer_id" {
		t.Error(err)
	}
	if names, _ := filepath.Glob(filepath.Join(im.dir, "*")); len(names) != 1 {
		t.Errorf("a refused import left %v", names)
	}
	im.same("SELECT count() FROM usage", "(0)")
	r := im.must("f.csv", csv, ImportOptions{Source: "usage", SkipBad: 3})
	if r.Rows != 5 || r.Imported != 2 || r.New != 2 || r.Rejected != 3 || r.RejectedFile == nil {
		t.Fatalf("%+v", r)
	}
	got, err := os.ReadFile(filepath.Join(im.dir, "f.csv.rejected"))
	if err != nil {
		t.Fatal(err)
	}
	want := "customer_id,at,errors\n" +
		"# line 3: column customer_id: is empty: every row needs a customer_id\n,2024-01-02,\n" +
		"# line 4: column errors: \"x\" is not a number: mend it, or name it as missing with --null\nb,2024-01-03,x\n" +
		"# line 5: has 2 fields, but the header has 3: quote fields that hold a separator, or mend the row\nc,2024-01-04\n"
	if string(got) != want {
		t.Errorf("got\n%s", got)
	}
	im.same("SELECT customer_id FROM usage ORDER BY customer_id", "('a')", "('d')")
}

func TestImportStandardInput(t *testing.T) {
	im := newImporter(t)
	t.Chdir(im.dir)
	r, err := Import(t.Context(), ImportOptions{Warehouse: im.w, Source: "usage", Path: "-", Stdin: strings.NewReader("{\"customer_id\":\"a\",\"at\":\"2024-01-01\"}\n{}\n"), SkipBad: 1})
	if err != nil {
		t.Fatal(err)
	}
	if r.RejectedFile == nil || *r.RejectedFile != "usage.rejected" {
		t.Errorf("%+v", r)
	}
	if b, err := os.ReadFile("usage.rejected"); err != nil || string(b) != "# line 2: column customer_id: is empty: every row needs a customer_id\n{}\n" {
		t.Errorf("%q %v", b, err)
	}
}

// A time that stands for none, and one that has not come, are told: one such row moves the cutoffs.
func TestImportWarnsOfOddTimes(t *testing.T) {
	im := newImporter(t)
	now := func() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }
	for _, c := range []struct {
		times string
		want  []string // how warnings begin
	}{
		{"a,2024-01-01\nb,2026-11-24\n", nil},
		{"a,1970-01-01\nb,2026-01-01\n", []string{"the earliest time is 1970-01-01, "}},
		{"a,1969-12-31T23:00:00Z\nb,2099-12-31\n", []string{"the earliest time is 1969-12-31, ", "the newest time is 2099-12-31, "}},
		{"a,1956-03-04\n", nil},
		{"", nil},
	} {
		r, err := im.do("f.csv", "customer_id,at\n"+c.times, ImportOptions{Source: "usage", Now: now})
		if err != nil {
			t.Fatal(err)
		}
		if r.Warnings == nil || len(r.Warnings) != len(c.want) {
			t.Fatalf("%q: %q", c.times, r.Warnings)
		}
		for k, want := range c.want {
			if !strings.HasPrefix(r.Warnings[k], want) {
				t.Errorf("%q, not %q", r.Warnings[k], want)
			}
		}
	}
}

func TestImportProgress(t *testing.T) {
	im := newImporter(t)
	var last ImportProgress
	im.must("f.csv", "customer_id,at\n"+strings.Repeat("a,2024-01-01\n", 20_000), ImportOptions{Source: "usage", Progress: func(p ImportProgress) {
		if p.Rows < last.Rows || p.Bytes < last.Bytes || p.Bytes > p.Size {
			t.Errorf("%+v after %+v", p, last)
		}
		last = p
	}})
	if last.Rows != 20_000 || last.Bytes != last.Size || !last.Finished {
		t.Errorf("%+v", last)
	}
}

// decimal against exact arithmetic by hand at the edges.
func TestFixed(t *testing.T) {
	for _, c := range []struct {
		in   string
		want int64
		bad  bool
	}{
		{"0", 0, false}, {"-0", 0, false}, {"1", 10000, false}, {".5", 5000, false}, {"5.", 50000, false},
		{"0.00004999999999999999999999", 0, false}, {"0.00005", 1, false}, {"-0.00005", -1, false},
		{"0.00000000000000000000000000000001", 0, false},
		{"1e-4", 1, false}, {"1E+2", 1000000, false}, {"1e-400", 0, false}, {"0e999999999999", 0, false},
		{"99999999999999.99994", maxScaled, false}, {"99999999999999.99995", 0, true}, {"1e14", 0, true}, {"1e400", 0, true},
		{"12345678901234567890123e-10", 12345678901234568, false},
		{"00000000000000000000000000001.5", 15000, false},
		{"", 0, true}, {"-", 0, true}, {".", 0, true}, {"1e", 0, true}, {"1.2.3", 0, true}, {"0x10", 0, true}, {"1_0", 0, true}, {"--1", 0, true}, {"1 2", 0, true},
	} {
		got, fault := fixed([]byte(c.in), 4)
		if (fault != "") != c.bad || !c.bad && got != c.want {
			t.Errorf("%q: %d %q", c.in, got, fault)
		}
	}
}

// The calendar against package time, over all days of the range.
func TestDays(t *testing.T) {
	for d := time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC); d.Year() < 2300; d = d.AddDate(0, 0, 1) {
		y, m, day := d.Date()
		if got := daysSince1970(y, int(m), day); int64(got)*86400 != d.Unix() {
			t.Fatalf("%s: %d", d, got)
		}
		if last := d.AddDate(0, 0, 1).Day() == 1; last != (day == daysIn(y, int(m))) {
			t.Fatalf("%s: %d days", d, daysIn(y, int(m)))
		}
	}
}
