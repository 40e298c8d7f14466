package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"retain/models/actions"
)

func TestActionsUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"actions"}, exitUsage, "needs a customer ID, or --catalogue"},
		{[]string{"actions", "1", "2"}, exitUsage, "unexpected argument"},
		{[]string{"actions", "1", "--max", "0"}, exitUsage, "--max"},
		{[]string{"actions", "1", "--max", "26"}, exitUsage, "--max"},
		{[]string{"actions", "--catalogue", "1"}, exitUsage, "unexpected argument"},
		{[]string{"actions", "plan", "2"}, exitUsage, "retain actions plan: unexpected argument"},
		{[]string{"actions", "--", "plan", "2"}, exitUsage, "retain actions: unexpected argument"}, // a customer of that name
		{[]string{"actions", "1"}, exitFailed, "retain demo"},                                      // there is no warehouse, and none is made
	} {
		got := retain(t, "", c.args...)
		if got.code != c.code || !strings.Contains(got.stderr, c.want) || got.stdout != "" {
			t.Errorf("%v: exit %d, %q; want %d and %q", c.args, got.code, got.stderr, c.code, c.want)
		}
	}
}

func TestActionsCatalogue(t *testing.T) {
	t.Chdir(t.TempDir())
	var shipped actions.Catalogue
	got := retain(t, "", "actions", "--catalogue", "--json")
	if err := json.Unmarshal([]byte(got.stdout), &shipped); err != nil || got.code != exitDone || shipped.Index(actions.DoNothing) < 0 {
		t.Fatalf("exit %d, %v: %s", got.code, err, got.stderr)
	}
	if got := retain(t, "", "actions", "--catalogue"); !strings.Contains(got.stdout, "cap: at most 1 marketing contact by email in 7 days") {
		t.Errorf("the contact policy is not told:\n%s", got.stdout)
	} else if !strings.Contains(got.stdout, "check_in is thought to work otherwise for renews_by_itself: f.subscription_auto_renew == 1.0\n"+
		"check_in is thought to work worse for sleeping: f.subscription_auto_renew == 1.0 && f.usage_sessions_count_28d < 10\n") {
		t.Errorf("subgroups are not told:\n%s", got.stdout)
	}

	// A catalogue of one's own stands beside the configuration; all that is wrong with it is told at once, with its lines.
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir("conf", 0o700); err != nil {
		t.Fatal(err)
	}
	write("conf/retain.yaml", "actions: {catalogue: mine.yaml}\n")
	write("conf/mine.yaml", "version: 1\nactions:\n  - {id: do_nothing, title: None, channel: none, class: service}\n  - {id: a, title: A, channel: email, class: marketing, message: Hi, lever: 9}\n  - {id: b, title: B, channel: email, class: marketing, message: Hi, eligibility: f.none > 1}\n")
	for _, args := range [][]string{{"actions", "--catalogue", "--config", "conf/retain.yaml"}, {"config", "check", "--config", "conf/retain.yaml"}} {
		got := retain(t, "", args...)
		if got.code != exitUsage || !strings.Contains(got.stderr, "conf/mine.yaml") || !strings.Contains(got.stderr, "line 4, action a: lever: 9") || !strings.Contains(got.stderr, "line 5, action b: eligibility: column 2: no feature none") {
			t.Errorf("%v: exit %d\n%s", args, got.code, got.stderr)
		}
	}
	if got := retain(t, "", "config", "check", "--config", "conf/retain.yaml", "--json"); strings.Count(got.stdout, "actions line") != 2 {
		t.Errorf("both problems in JSON: %s", got.stdout)
	}
	write("conf/mine.yaml", "version: 1\nactions:\n  - {id: do_nothing, title: None, channel: none, class: service}\n")
	if got := retain(t, "", "config", "check", "--config", "conf/retain.yaml"); got.code != exitDone {
		t.Errorf("exit %d: %s", got.code, got.stderr)
	}
}
