package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"retain/models/lifetime"
	"retain/testdata/cdnow"
)

func fitted(t *testing.T, args ...string) lifetimeReport {
	t.Helper()
	got := retain(t, "", append([]string{"lifetime", "fit", "--json"}, args...)...)
	if got.code != exitDone {
		t.Fatalf("exit %d: %s", got.code, got.stderr)
	}
	var r lifetimeReport
	if err := json.Unmarshal([]byte(got.stdout), &r); err != nil {
		t.Fatalf("%v: %s", err, got.stdout)
	}
	return r
}

func checkFigure(t *testing.T, name string, got *float64, want, tolerance float64) {
	t.Helper()
	if got == nil || !(math.Abs(*got-want) <= tolerance) {
		t.Errorf("%s is %s, want %v ± %v", name, figure(got, 6), want, tolerance)
	}
}

// The figures of Fader, Hardie & Lee (2005) and Fader & Hardie (2013), from the log of purchases.
func TestLifetimeOfALog(t *testing.T) {
	sample := filepath.Join(t.TempDir(), "sample.csv.gz")
	if err := os.WriteFile(sample, cdnow.SampleCSVGzip, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Chdir(dir)
	r := fitted(t, sample, "--cutoff", "1997-10-01", "--days", "273")
	if r.Model != lifetime.BGNBD || !r.Converged || r.Customers != 2357 || r.Repeaters != 946 || r.Unit != "weeks" || r.Alive.Model != lifetime.MBGNBD || len(r.Fallbacks) != 0 {
		t.Errorf("report %+v", r)
	}
	checkFigure(t, "r", r.R, .2426, 5e-5)
	checkFigure(t, "alpha", r.Alpha, 4.4136, 5e-5)
	checkFigure(t, "a", r.A, .7929, 5e-5)
	checkFigure(t, "b", r.B, 2.4259, 5e-5)
	checkFigure(t, "log-likelihood", r.LogLikelihood, -9582.43, .005)
	checkFigure(t, "p", r.Spend.P, 6.25, .005)
	checkFigure(t, "q", r.Spend.Q, 3.74, .005)
	checkFigure(t, "gamma", r.Spend.Gamma, 15.44, .005)
	checkFigure(t, "correlation", r.Spend.Correlation, .114, 5e-4)
	all := r.Totals[len(r.Totals)-1]
	if all.Repeats != "all" || all.Customers != 2357 || all.Alive == nil || all.Value == nil {
		t.Errorf("totals %+v", r.Totals)
	}
	var customers int
	var purchases float64
	for _, part := range r.Totals[:len(r.Totals)-1] {
		customers += part.Customers
		purchases += part.Purchases
	}
	if customers != all.Customers || math.Abs(purchases-all.Purchases) > 1e-6 {
		t.Errorf("the parts hold %d customers and %v purchases, the whole %+v", customers, purchases, all)
	}
	if names := listDir(t, dir); len(names) > 0 {
		t.Errorf("the fit left %v behind", names)
	}

	people := retain(t, "", "lifetime", "fit", sample, "--cutoff", "1997-10-01")
	for _, part := range []string{"2,357 customers, 946 of them", "r 0.2426 (0.0126), alpha 4.4136", "a 0.7929", "b 2.4259", "-9582.43", "converged in", "p 6.2", "once only", "0.114", "still there"} {
		if !strings.Contains(people.stdout, part) {
			t.Errorf("the report does not say %q:\n%s", part, people.stdout)
		}
	}
}

// From the warehouse: what is known at the cutoff, and what the same fit would have said before.
func TestLifetimeOfTheWarehouse(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("purchases.csv.gz", cdnow.PurchasesCSVGzip, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := retain(t, "", "import", "purchases", "purchases.csv.gz"); got.code != exitDone {
		t.Fatal(got.stderr)
	}
	r := fitted(t) // by default until all is known
	if r.Customers != 23570 || r.Cutoff.Format("2006-01-02") != "1998-07-01" || !r.Converged || !r.Alive.Converged || !r.Spend.Converged || len(r.Fallbacks) != 0 {
		t.Errorf("report %+v", r)
	}
	// 19,684 purchase days of the 23,570 customers from 1997-10-01 on were counted from the file (awk).
	if b := r.Backtest; b == nil || b.Days != 273 || b.Observed != 19684 || b.Customers != 23570 || b.Ratio == nil || *b.Ratio < .8 || *b.Ratio > 1.25 {
		t.Errorf("backtest %+v", r.Backtest)
	}
	// At the cutoff of the calibration the warehouse and the log say the same, in days or weeks.
	log, days := fitted(t, "purchases.csv.gz", "--cutoff", "1997-10-01"), fitted(t, "--cutoff", "1997-10-01", "--unit", "days")
	checkFigure(t, "r", log.R, *days.R, 1e-6)
	checkFigure(t, "alpha in days", days.Alpha, 7**log.Alpha, 1e-4)
	checkFigure(t, "value", log.Totals[4].Value, *days.Totals[4].Value, 1)
	got := retain(t, "", "lifetime", "fit", "--cutoff", "1990-01-01")
	if got.code != exitFailed || !strings.Contains(got.stderr, "no purchase was known at 1990-01-01") {
		t.Errorf("exit %d, %s", got.code, got.stderr)
	}
}

// customersTable writes the histories of the sample as the table that other programs make of them.
func customersTable(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	w := csv.NewWriter(&text)
	w.Write([]string{"ID", "frequency", "recency", "T", "monetary_value"})
	for i := range 400 {
		x := i % 7
		recency := 0.
		if x > 0 {
			recency = float64(1 + i*7%30)
		}
		w.Write([]string{fmt.Sprint(i), fmt.Sprint(x), fmt.Sprint(recency), fmt.Sprint(31 + i%9), fmt.Sprint(20 + i%13)})
	}
	w.Flush()
	return text.String()
}

func TestLifetimeOfATable(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("customers.csv", []byte(customersTable(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	r := fitted(t, "customers.csv")
	if r.Customers != 400 || r.Cutoff != nil || r.Backtest != nil || r.Spend == nil || r.Spend.Customers != 400-58 {
		t.Errorf("report %+v, spend %+v", r, r.Spend)
	}
	piped := retain(t, customersTable(t), "lifetime", "fit", "-", "--json", "--unit", "months")
	var months lifetimeReport
	if err := json.Unmarshal([]byte(piped.stdout), &months); err != nil {
		t.Fatalf("%v: %s", err, piped.stderr)
	}
	if *months.R != *r.R || *months.Alpha != *r.Alpha || months.Unit != "months" || months.Totals[4].Purchases >= r.Totals[4].Purchases {
		t.Errorf("a year is 12 months and 52 weeks: %+v, %+v", months.Totals[4], r.Totals[4])
	}
	for _, c := range []struct {
		name, text string
		code       int
		want       string
	}{
		{"no rows", "frequency,recency,T\n", exitFailed, "nobody to learn from"},
		{"last purchase after the end", "frequency,recency,T\n0,0,3\n1,5,4\n", exitFailed, "t.csv:3: recency 5 lies after T = 4"},
		{"half a purchase", "frequency,recency,T\n.5,1,4\n", exitFailed, "t.csv:2: column frequency"},
		{"not a number", "frequency,recency,T\n1,NaN,4\n", exitFailed, "t.csv:2: recency NaN"},
		{"no number", "frequency,recency,T\n1,soon,4\n", exitFailed, `column recency: "soon" is no number`},
		{"negative", "frequency,recency,T\n-1,1,4\n", exitFailed, "below 0"},
		{"empty cell", "frequency,recency,T\n1,,4\n", exitFailed, "column recency"},
		{"negative spend", "frequency,recency,T,monetary_value\n1,1,4,-3\n", exitFailed, "mean spend -3"},
		{"a log without times", "customer_id,amount\na,3\n", exitFailed, "no column at"},
		{"an empty log", "customer_id,at\n", exitFailed, "no purchases"},
		{"one customer", "frequency,recency,T\n2,1,4\n", exitDone, "shrunken rates in place of BG/NBD and MBG/NBD: only 1 of 1"},
		{"one purchase", "customer_id,at\na,2026-01-01\n", exitDone, "only 0 of 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile("t.csv", []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got := retain(t, "", "lifetime", "fit", "t.csv")
			if got.code != c.code || !strings.Contains(got.stdout+got.stderr, c.want) {
				t.Errorf("exit %d, want %d and %q:\n%s%s", got.code, c.code, c.want, got.stdout, got.stderr)
			}
		})
	}
}

// A fallback says its name, and what it does not have is null.
func TestLifetimeFallbackJSON(t *testing.T) {
	got := retain(t, "frequency,recency,T,monetary_value\n2,1,4,10\n0,0,4,0\n", "lifetime", "fit", "-", "--json")
	var r map[string]any
	if err := json.Unmarshal([]byte(got.stdout), &r); err != nil {
		t.Fatalf("%v: %s", err, got.stderr)
	}
	for key, want := range map[string]any{"model": "shrunken_rates", "r": nil, "alpha": nil, "a": nil, "b": nil, "log_likelihood": nil, "converged": false, "customers": 2., "at_limit": []any{}} {
		if diff := cmp.Diff(want, r[key]); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
	if len(r["fallbacks"].([]any)) != 2 || r["spend"].(map[string]any)["model"] != "shrunk_mean" {
		t.Errorf("fallbacks %v, spend %v", r["fallbacks"], r["spend"])
	}
	for _, total := range r["totals"].([]any) {
		if row := total.(map[string]any); row["alive"] != nil || row["value"] == nil {
			t.Errorf("total %v", row)
		}
	}
}

func TestLifetimeWrongUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("customers.csv", []byte("frequency,recency,T\n1,2,3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"a.csv", "b.csv"}, "unexpected argument"},
		{[]string{"--unit", "fortnights"}, "--unit"},
		{[]string{"--days", "0"}, "--days"},
		{[]string{"--map", "at=when"}, "--map is about a FILE"},
		{[]string{"customers.csv", "--cutoff", "2026-01-01"}, "--cutoff"},
		{[]string{"customers.csv", "--map", "at=when"}, "log of purchases"},
		{[]string{"customers.csv", "--skip-bad", "-1"}, "--skip-bad"},
	} {
		if got := retain(t, "", append([]string{"lifetime", "fit"}, c.args...)...); got.code != exitUsage || !strings.Contains(got.stderr, c.want) {
			t.Errorf("%v: exit %d, %s; want %d and %q", c.args, got.code, got.stderr, exitUsage, c.want)
		}
	}
	if got := retain(t, "", "lifetime", "fit"); got.code != exitFailed || !strings.Contains(got.stderr, "retain import") {
		t.Errorf("exit %d, %s", got.code, got.stderr)
	}
}
