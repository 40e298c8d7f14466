package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

// leavers writes 400 subscribers who use the product every few days until they leave, without any sign before, with two things that are written down only
// when they leave: the reason, an attribute of customers, and the end of the subscription.
func leavers() (usage, subscriptions, customers string) {
	rng := rand.New(rand.NewPCG(21, 22))
	usage, subscriptions, customers = "customer_id,at\n", "customer_id,started_at,ends_at\n", "customer_id,size,reason_left\n"
	begin, end := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2024, 11, 1, 0, 0, 0, 0, time.UTC)
	for c := range 400 {
		until, ends, reason := end, "", ""
		if left := begin.AddDate(0, 0, 100+int(rng.ExpFloat64()*300)); left.Before(end) {
			until, ends, reason = left, left.Format(time.DateOnly), []string{"price", "missing feature"}[rng.IntN(2)]
		}
		for at := begin.AddDate(0, 0, rng.IntN(9)); at.Before(until); at = at.AddDate(0, 0, 1+rng.IntN(9)) {
			usage += fmt.Sprintf("c%03d,%s\n", c, at.Format(time.DateOnly))
		}
		subscriptions += fmt.Sprintf("c%03d,%s,%s\n", c, begin.AddDate(0, 0, -rng.IntN(200)).Format(time.DateOnly), ends)
		customers += fmt.Sprintf("c%03d,%d,%s\n", c, 1+rng.IntN(9), reason)
	}
	return usage, subscriptions, customers
}

// TestWhatIsWrittenDownAtTheEndStopsTheTraining: each leak is named with its mend, and without it there is a model.
func TestWhatIsWrittenDownAtTheEndStopsTheTraining(t *testing.T) {
	usage, subscriptions, customers := leavers()
	const untilThen = "churn: {setting: contractual, grace_days: 0, horizon_days: 60, data_until: 2024-11-01}\n"
	for _, k := range []struct {
		name, config, ends string // ends: what the column ends_at is imported as
		stops, mend        string
	}{
		{"the reason", untilThen + "sources: {customers: {static: [reason_left, size]}}\n", "ended_at", "profile_reason_left", "Take the column out of `static:`"},
		{"the reason is left out", untilThen + "sources: {customers: {static: [size]}}\n", "ended_at", "", ""},
		{"the end", untilThen, "ends_at", "subscription_days_to_end", "--map ended_at=COLUMN"},
	} {
		t.Chdir(t.TempDir())
		if err := os.WriteFile("retain.yaml", []byte("warehouse: {url: 'embedded:./w'}\nsnapshots: {from: 2024-07-01}\n"+k.config), 0o600); err != nil {
			t.Fatal(err)
		}
		for source, rows := range map[string]string{"usage": usage, "subscriptions": strings.Replace(subscriptions, "ends_at", k.ends, 1), "customers": customers} {
			if got := retain(t, rows, "import", source, "-"); got.code != exitDone {
				t.Fatal(got.stderr)
			}
		}
		got := retain(t, "", "train", "churn")
		if k.stops == "" {
			if got.code != exitDone {
				t.Errorf("%s: exit %d: %s", k.name, got.code, got.stderr)
			}
			continue
		}
		if got.code != exitFailed || !strings.Contains(got.stderr, k.stops+" ") || !strings.Contains(got.stderr, k.mend) {
			t.Errorf("%s: exit %d: %s", k.name, got.code, got.stderr)
		}
	}
}
