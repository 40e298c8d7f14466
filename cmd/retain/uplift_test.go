package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"retain/training"
)

func TestUpliftUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"uplift", "evaluate"}, exitUsage, "needs a FILE"},
		{[]string{"uplift", "evaluate", "none.csv", "--out", "x.csv"}, exitUsage, "--id"},
		{[]string{"train", "uplift", "--until", "soon"}, exitUsage, "is no instant"},
		{[]string{"train", "uplift"}, exitFailed, "retain demo"}, // there is no warehouse, and none is made
	} {
		got := retain(t, "", c.args...)
		if got.code != c.code || !strings.Contains(got.stderr, c.want) || got.stdout != "" {
			t.Errorf("%v: exit %d, %q; want %d and %q", c.args, got.code, got.stderr, c.code, c.want)
		}
	}
}

// A table goes in, one JSON document comes out, and the estimates of every row stand in the file.
func TestUpliftEvaluate(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	var b strings.Builder
	b.WriteString("id,age,arm,bought\n")
	for i := range 1200 {
		age, arm := i%50, (i*7919)%1000/500 // a coin that does not know the age
		bought := 0
		if (i*104729)%997 < 300+arm*(400-12*age) {
			bought = 1
		}
		b.WriteString(strconv.Itoa(i) + "," + strconv.Itoa(age) + "," + strconv.Itoa(arm) + "," + strconv.Itoa(bought) + "\n")
	}
	if err := os.WriteFile(filepath.Join(dir, "trial.csv"), []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"uplift", "evaluate", "trial.csv", "--treatment", "arm", "--treated", "1", "--control", "0", "--target", "bought", "--positive", "1", "--id", "id", "--folds", "3"}
	got := retain(t, "", append(args, "--json", "--out", "estimates.csv")...)
	var report training.UpliftReport
	if err := json.Unmarshal([]byte(got.stdout), &report); got.code != 0 || err != nil {
		t.Fatalf("exit %d, %v: %s", got.code, err, got.stderr)
	}
	if report.Rows != 1200 || len(report.Learners) != 5 || report.Best == "" || !(report.Learners[0].Qini > 0) {
		t.Errorf("%d rows, %d learners, best %q, Qini %v", report.Rows, len(report.Learners), report.Best, report.Learners[0].Qini)
	}
	written, err := os.ReadFile(filepath.Join(dir, "estimates.csv"))
	if err != nil || strings.Count(string(written), "\n") != 1201 || !strings.HasPrefix(string(written), "customer_id,effect,standard_error,probability_untreated,rank\n0,") {
		t.Errorf("estimates: %v, %d lines", err, strings.Count(string(written), "\n"))
	}
	if got = retain(t, "", args...); got.code != 0 || !strings.Contains(got.stdout, "persuadable") || !strings.Contains(got.stdout, "is the best order") {
		t.Errorf("exit %d: %s", got.code, got.stdout)
	}
}
