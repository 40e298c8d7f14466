package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"retain/pipelines"
)

// twenty subscriptions of two plans; each fourth is over after two months, and one comes back.
func subscriptionsCSV() string {
	var b strings.Builder
	b.WriteString("customer_id,subscription_id,started_at,ended_at,plan,mrr\n")
	for i := range 20 {
		ended := ""
		if i%4 == 0 {
			ended = fmt.Sprintf("2025-%02d-15", 3+i/8)
		}
		fmt.Fprintf(&b, "c%02d,s,2025-%02d-10,%s,%s,%d\n", i, 1+i/8, ended, []string{"small", "large"}[i%2], 10+i)
	}
	b.WriteString("c00,s,2025-07-01,,small,30\nlate,s,2025-09-30,,small,1\n")
	return b.String()
}

func TestRevenueCommands(t *testing.T) {
	t.Chdir(t.TempDir())
	config := "warehouse: {url: 'embedded:./w'}\ncurrency: EUR\nchurn: {setting: contractual, grace_days: 10, horizon_days: 30}\n"
	for name, text := range map[string]string{"retain.yaml": config, "subscriptions.csv": subscriptionsCSV()} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := retain(t, "", "mrr"); got.code != exitFailed || !strings.Contains(got.stderr, "retain demo") {
		t.Errorf("without a warehouse: %+v", got)
	}
	if got := retain(t, "", "import", "subscriptions", "subscriptions.csv"); got.code != exitDone {
		t.Fatal(got.stderr)
	}
	decode := func(into any, args ...string) {
		t.Helper()
		got := retain(t, "", append(args, "--json")...)
		if got.code != exitDone {
			t.Fatalf("%v: exit %d: %s", args, got.code, got.stderr)
		}
		if err := json.Unmarshal([]byte(got.stdout), into); err != nil {
			t.Fatalf("%v: %v: %s", args, err, got.stdout)
		}
	}
	var mrr struct {
		Currency string
		pipelines.MRRReport
	}
	decode(&mrr, "mrr")
	// January: c00 to c07 begin with 10 … 17. March: c00 and c04 end with 10 and 14. July: c00 is back with 30.
	january, march, july := mrr.Months[0], mrr.Months[2], mrr.Months[6]
	if mrr.Currency != "EUR" || len(mrr.Months) != 9 || january.New != 108 || january.End != 108 || march.Churn != 24 || march.Customers.Churn != 2 || july.Reactivation != 30 {
		t.Errorf("mrr %+v", mrr)
	}
	var cohorts pipelines.CohortReport
	decode(&cohorts, "retention")
	if first := cohorts.Cohorts[0]; len(cohorts.Cohorts) != 4 || first.Customers != 8 || first.Cells[2].Customers != 6 || first.Cells[6].Customers != 7 || *first.Revenue != 108 {
		t.Errorf("cohorts %+v", cohorts)
	}
	var tenure pipelines.TenureReport
	decode(&tenure, "survival", "--by", "plan", "--out", "s.svg")
	if tenure.Customers != 20 || tenure.Left != 5 || len(tenure.Curves) != 3 || tenure.Curves[0].From == nil || tenure.LogRank == nil {
		t.Errorf("tenure %+v", tenure)
	}
	if chart, err := os.ReadFile("s.svg"); err != nil || !strings.Contains(string(chart), "<svg") || !strings.Contains(string(chart), "small (10)") {
		t.Errorf("the chart: %v", err)
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{"Monthly recurring revenue in EUR", []string{"mrr"}},
		{"2025-01²  8          100 %  100 %  75 %", []string{"retention", "--months", "3"}},
		{"2025-01²  8          108      100 %", []string{"retention", "--revenue"}},
		{"half have left after", []string{"survival"}},
	} {
		if got := retain(t, "", c.args...); got.code != exitDone || !strings.Contains(got.stdout, c.want) {
			t.Errorf("%v: exit %d, %s\n%s", c.args, got.code, got.stderr, got.stdout)
		}
	}
	for _, c := range []struct {
		name, want string
		args       []string
		code       int
	}{
		{"nothing is scored", "retain train churn", []string{"forecast"}, exitFailed},
		{"no months", "--months", []string{"forecast", "--months", "0"}, exitUsage},
		{"no columns", "--months", []string{"retention", "--months", "0"}, exitUsage},
		{"no such group", "neither plan nor segment", []string{"survival", "--by", "owner"}, exitUsage},
		{"no step", "--step", []string{"survival", "--step", "0"}, exitUsage},
		{"no instant", "--as-known", []string{"mrr", "--as-known", "then"}, exitUsage},
		{"before the records", "no complete month", []string{"mrr", "--as-known", "2025-01-20"}, exitFailed},
		{"after the records", "nobody was under observation", []string{"survival", "--since", "2026-01-01"}, exitFailed},
	} {
		if got := retain(t, "", c.args...); got.code != c.code || !strings.Contains(got.stderr, c.want) {
			t.Errorf("%s: exit %d, %s", c.name, got.code, got.stderr)
		}
	}
}
