package pipelines

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Identity (contract.md §1): what becomes of a second file, by source.
func TestImportIdentity(t *testing.T) {
	cases := []struct {
		name   string
		source string
		files  []string
		news   []int64 // new rows of each file
		query  string
		want   []string
	}{
		{"equal rows without id both count, once a file", "usage",
			[]string{"customer_id,at\na,2024-01-01\na,2024-01-01\nb,2024-01-01\n", "customer_id,at\na,2024-01-01\na,2024-01-01\na,2024-01-01\n"}, []int64{3, 1},
			"SELECT customer_id, count() FROM usage GROUP BY customer_id ORDER BY customer_id", []string{"('a',3)", "('b',1)"}},
		{"an event_id that stands twice with equal content is one event", "usage",
			[]string{"customer_id,at,event_id\na,2024-01-01,e\na,2024-01-01,e\n"}, []int64{1},
			"SELECT count(), (SELECT count() FROM usage_fixes) FROM usage", []string{"(1,0)"}},
		{"an event_id belongs to its customer", "usage",
			[]string{"customer_id,at,event_id\na,2024-01-01,e\nb,2024-01-01,e\n"}, []int64{2},
			"SELECT uniqExact(event_hash) FROM usage", []string{"(2)"}},
		{"another content is a correction", "usage",
			[]string{"customer_id,at,event_id,errors,ingested_at\na,2024-01-01,e,1,2024-01-02\n", "customer_id,at,event_id,errors,ingested_at\na,2023-12-31,e,2,2024-01-05\n", "customer_id,at,event_id,errors,ingested_at\na,2023-12-31,e,2,2024-01-07\na,2024-01-01,f,2,2024-01-07\n"}, []int64{1, 1, 1},
			"SELECT * FROM (SELECT 'usage', event_id, errors, ingested_at FROM usage UNION ALL SELECT 'usage_fixes', event_id, errors, ingested_at FROM usage_fixes) ORDER BY ALL",
			[]string{"('usage','e',1,'2024-01-02 00:00:00.000')", "('usage','f',2,'2024-01-07 00:00:00.000')", "('usage_fixes','e',1,'2024-01-02 00:00:00.000')", "('usage_fixes','e',2,'2024-01-05 00:00:00.000')"}},
		{"versions inside one file", "usage",
			[]string{"customer_id,at,event_id,errors,ingested_at\na,2024-01-01,e,3,2024-01-04\na,2024-01-01,e,1,2024-01-02\na,2024-01-01,e,1,2024-01-03\n"}, []int64{2},
			"SELECT * FROM (SELECT 'usage', errors, ingested_at FROM usage UNION ALL SELECT 'usage_fixes', errors, ingested_at FROM usage_fixes) ORDER BY ALL",
			[]string{"('usage',1,'2024-01-02 00:00:00.000')", "('usage_fixes',1,'2024-01-02 00:00:00.000')", "('usage_fixes',3,'2024-01-04 00:00:00.000')"}},
		{"back to what it was, later", "usage",
			[]string{"customer_id,at,event_id,errors,ingested_at\na,2024-01-01,e,1,2024-01-02\na,2024-01-01,e,2,2024-01-03\na,2024-01-01,e,1,2024-01-04\n"}, []int64{3},
			"SELECT errors, ingested_at FROM usage_fixes ORDER BY ALL", []string{"(1,'2024-01-02 00:00:00.000')", "(1,'2024-01-04 00:00:00.000')", "(2,'2024-01-03 00:00:00.000')"}},
		{"an order is order_id and product", "purchases",
			[]string{"customer_id,at,order_id,product,amount\na,2024-01-01,o,p,1\na,2024-01-01,o,q,1\n", "customer_id,at,order_id,product,amount\na,2024-01-01,o,p,2\na,2024-01-01,o,r,1\n"}, []int64{2, 2},
			"SELECT * FROM (SELECT product, amount FROM purchases UNION ALL SELECT 'fix ' || product, amount FROM purchases_fixes) ORDER BY ALL",
			[]string{"('fix p',1)", "('fix p',2)", "('p',1)", "('q',1)", "('r',1)"}},
		{"an order_id that repeats in a file identifies nothing", "purchases",
			[]string{"customer_id,at,order_id,amount\na,2024-01-01,o,1\na,2024-01-01,o,1\na,2024-01-01,o,2\nb,2024-01-01,o,1\n", "customer_id,at,order_id,amount\na,2024-01-01,o,1\na,2024-01-01,o,1\na,2024-01-01,o,2\nb,2024-01-01,o,1\n"}, []int64{4, 0},
			"SELECT count(), (SELECT count() FROM purchases_fixes) FROM purchases", []string{"(4,0)"}},
		{"a period is subscription_id and started_at", "subscriptions",
			[]string{"customer_id,subscription_id,started_at,ended_at\na,s,2024-01-01,\na,s,2024-02-01,\n", "customer_id,subscription_id,started_at,ended_at\na,s,2024-02-01,2024-02-10\n"}, []int64{2, 1},
			"SELECT started_at, ended_at FROM subscriptions_fixes ORDER BY ended_at", []string{"('2024-02-01 00:00:00.000','2024-02-10 00:00:00.000')", "('2024-02-01 00:00:00.000',NULL)"}},
		{"customers keep their versions", "customers",
			[]string{"customer_id,plan,x\na,free,1\nb,free,1\n", "customer_id,plan,x\na,pro,1\nb,free,1\n", "customer_id,plan,x\na,pro,1\nb,free,2\n"}, []int64{2, 1, 1},
			"SELECT customer_id, plan, attributes, imported_at FROM customers ORDER BY customer_id, imported_at",
			[]string{"('a','free',{'x':'1'},'2030-01-01 00:00:00.000')", "('a','pro',{'x':'1'},'2030-01-02 00:00:00.000')", "('b','free',{'x':'1'},'2030-01-01 00:00:00.000')", "('b','free',{'x':'2'},'2030-01-03 00:00:00.000')"}},
		{"the order of the columns does not matter", "customers",
			[]string{"customer_id,x,y\na,1,2\n", "y,x,customer_id\n2,1,a\n"}, []int64{1, 0}, "SELECT count() FROM customers", []string{"(1)"}},
		{"missing and empty are one content", "usage",
			[]string{"customer_id,at\na,2024-01-01\n", "customer_id,at,feature,errors\na,2024-01-01,NULL,\n"}, []int64{1, 0}, "SELECT count() FROM usage", []string{"(1)"}},
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
			// The last file again changes nothing.
			if r := im.must("f.csv", c.files[len(c.files)-1], ImportOptions{Source: c.source}); r.New != 0 {
				t.Errorf("the last file again brought %d rows", r.New)
			}
			im.same(c.query, c.want...)
		})
	}
}

// version is one row of the naive reference.
type version struct {
	content  int
	ingested int
	file     int
}

// inForce is the version of a log that holds on a day; false if none does.
func inForce(log []version, day int) (version, bool) {
	known := slices.DeleteFunc(slices.Clone(log), func(v version) bool { return v.ingested > day })
	if len(known) == 0 {
		return version{}, false
	}
	return slices.MaxFunc(known, func(a, b version) int {
		return cmp.Or(cmp.Compare(a.ingested, b.ingested), cmp.Compare(a.file, b.file))
	}), true
}

// Random histories against a naive reference: a row counts unless its content was in force at its knowledge time, as far as was known when its file came,
// or was held with that knowledge time. At any instant the version in force of every event is the one that this log gives.
func TestImportHistories(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			im := newImporter(t)
			log := map[string][]version{}
			copies := map[string]int{} // rows without id: the greatest number in one file
			for file := range 4 {
				var text strings.Builder
				text.WriteString("customer_id,at,event_id,errors,ingested_at\n")
				once, given := map[string]bool{}, map[string][]version{}
				inFile := map[string]int{}
				for range 30 {
					customer, ingested, content := string(rune('a'+rng.IntN(3))), 2+rng.IntN(6), rng.IntN(3)
					if rng.IntN(4) == 0 {
						row := fmt.Sprintf("%s,2024-01-01,,%d,", customer, content)
						text.WriteString(row + "\n")
						inFile[row]++
						copies[row] = max(copies[row], inFile[row])
						continue
					}
					event := fmt.Sprintf("%s,e%d", customer, rng.IntN(6))
					if key := fmt.Sprint(event, ingested); once[key] {
						continue // two versions known at one instant have no order in a log
					} else {
						once[key] = true
					}
					fmt.Fprintf(&text, "%s,2024-01-01,%s,%d,2024-01-%02d\n", customer, strings.Split(event, ",")[1], content, ingested)
					given[event] = append(given[event], version{content, ingested, file})
				}
				for event, versions := range given {
					slices.SortFunc(versions, func(a, b version) int { return cmp.Compare(a.ingested, b.ingested) })
					for _, v := range versions {
						last, ok := inForce(log[event], v.ingested)
						held := slices.ContainsFunc(log[event], func(h version) bool { return h.content == v.content && h.ingested == v.ingested })
						if !held && (!ok || last.content != v.content) {
							log[event] = append(log[event], v)
						}
					}
				}
				im.must("f.csv", text.String(), ImportOptions{Source: "usage"})
				if r := im.must("f.csv", text.String(), ImportOptions{Source: "usage"}); r.New != 0 {
					t.Fatalf("file %d twice brought %d rows", file, r.New)
				}
				check(t, im, log, copies)
			}
		})
	}
}

func check(t *testing.T, im *importer, log map[string][]version, copies map[string]int) {
	t.Helper()
	for day := 2; day <= 8; day++ {
		var want []string
		for event, versions := range log {
			last, ok := inForce(versions, day)
			if !ok {
				continue
			}
			customer, id, _ := strings.Cut(event, ",")
			want = append(want, fmt.Sprintf("('%s','%s',%d)", customer, id, last.content))
		}
		slices.Sort(want)
		im.same(fmt.Sprintf(`SELECT * FROM (SELECT customer_id, event_id, errors FROM (
				SELECT customer_id, event_id, errors, ingested_at, imported_at, row_hash, at, event_hash FROM usage WHERE event_hash NOT IN (SELECT event_hash FROM usage_fixes)
				UNION ALL SELECT customer_id, event_id, errors, ingested_at, imported_at, row_hash, at, event_hash FROM usage_fixes)
			WHERE event_id != '' AND ingested_at < '2024-01-%02d'
			ORDER BY ingested_at DESC, imported_at DESC, at DESC, row_hash DESC LIMIT 1 BY customer_id, event_hash) ORDER BY ALL`, day+1), want...)
	}
	rows := 0
	for _, n := range copies {
		rows += n
	}
	im.same("SELECT count() FROM usage WHERE event_id = ''", fmt.Sprintf("(%d)", rows))
	// The table holds each event once, the fixes every version of those with several, the first one included, and each once.
	im.same("SELECT count() - uniqExact(customer_id, event_hash) FROM usage", "(0)")
	im.same("SELECT count() - uniqExact(event_hash, row_hash, ingested_at) FROM usage_fixes", "(0)")
	im.same("SELECT event_hash FROM usage_fixes GROUP BY event_hash HAVING count() < 2")
	im.same("SELECT event_hash FROM usage_fixes WHERE event_hash NOT IN (SELECT event_hash FROM usage)")
	im.same("SELECT event_hash FROM usage WHERE event_hash IN (SELECT event_hash FROM usage_fixes) AND (event_hash, row_hash, ingested_at, imported_at) NOT IN (SELECT event_hash, row_hash, ingested_at, imported_at FROM usage_fixes)")
}

// A file cut in two is the whole file, but for the ordinals of equal rows (there are none here).
func TestImportSplit(t *testing.T) {
	header, lines := "customer_id,at,order_id,amount\n", []string{}
	for i := range 400 {
		lines = append(lines, fmt.Sprintf("c%d,2024-01-%02d,%s,%d.25\n", i%50, 1+i%28, []string{"", fmt.Sprint("o", i)}[i%2], i))
	}
	const query = "SELECT customer_id, at, order_id, amount, event_hash, row_hash FROM purchases ORDER BY ALL"
	whole, halves := newImporter(t), newImporter(t)
	whole.must("f.csv", header+strings.Join(lines, ""), ImportOptions{Source: "purchases"})
	halves.must("f.csv", header+strings.Join(lines[250:], ""), ImportOptions{Source: "purchases"})
	halves.must("f.csv", header+strings.Join(lines[:250], ""), ImportOptions{Source: "purchases"})
	whole.same(query, rows(t, halves.w, query)...)
}

// Several imports of one source at once: each row once, as if one came after the other.
func TestImportConcurrent(t *testing.T) {
	im := newImporter(t)
	var wg sync.WaitGroup
	reports := make([]*ImportReport, 4)
	for i := range reports {
		var text strings.Builder
		text.WriteString("customer_id,at,event_id\n")
		for r := range 300 {
			fmt.Fprintf(&text, "c,2024-01-01,e%d\n", r+100*i) // each shares 200 rows with the next
		}
		wg.Go(func() {
			r, err := Import(t.Context(), ImportOptions{Warehouse: im.w, Source: "usage", Path: "-", Stdin: strings.NewReader(text.String())})
			if err != nil {
				t.Error(err)
			}
			reports[i] = r
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	var n int64
	for _, r := range reports {
		n += r.New
	}
	if n != 600 {
		t.Errorf("%d new rows", n)
	}
	im.same("SELECT count(), uniqExact(event_id), (SELECT count() FROM usage_fixes) FROM usage", "(600,600,0)")
	im.same("SELECT name FROM system.tables WHERE database = currentDatabase() AND startsWith(name, 'import_')")
}

// imported_at grows from import to import even when the clock stands still or goes back.
func TestImportClock(t *testing.T) {
	im := newImporter(t)
	for i, second := range []int{30, 30, 10} {
		now := func() time.Time { return time.Date(2024, 1, 1, 0, 0, second, 0, time.UTC) }
		text := fmt.Sprintf("customer_id,plan\na,p%d\n", i)
		if _, err := Import(t.Context(), ImportOptions{Warehouse: im.w, Source: "customers", Path: "-", Stdin: strings.NewReader(text), Now: now}); err != nil {
			t.Fatal(err)
		}
	}
	im.same("SELECT plan, imported_at FROM customers ORDER BY imported_at", "('p0','2024-01-01 00:00:30.000')", "('p1','2024-01-01 00:00:30.001')", "('p2','2024-01-01 00:00:30.002')")
}
