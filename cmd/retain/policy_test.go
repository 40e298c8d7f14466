package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"retain/pipelines"
)

// policyLog is a log whose policy took a and b evenly, and q of its rows earned by b.
func policyLog(rows int) string {
	var out strings.Builder
	out.WriteString("action,reward,propensity,new,far\n")
	for i := range rows {
		action, reward := "a", "0"
		if i%2 == 1 {
			action = "b"
		}
		if i%4 == 1 || i%20 == 0 {
			reward = "1"
		}
		probability := map[string]string{"a": "0.2", "b": "0.8"}[action]
		out.WriteString(action + "," + reward + ",0.5," + probability + "," + map[bool]string{true: "1", false: "0"}[i < 8] + "\n")
	}
	return out.String()
}

func TestPolicyEvaluate(t *testing.T) {
	t.Chdir(t.TempDir())
	got := retain(t, policyLog(400), "policy", "evaluate", "-", "--map", "probability=new", "--json")
	var r pipelines.PolicyReport
	if err := json.Unmarshal([]byte(got.stdout), &r); got.code != exitDone || err != nil {
		t.Fatalf("%+v, %v", got, err)
	}
	// Of a one in ten earns, of b one in two: .2·.1 + .8·.5.
	if v := float64(r.Estimates[0].Value); v < .4199 || v > .4201 || r.Standing != "better" || len(r.Refused) != 0 || !strings.Contains(got.stdout, `"se": null`) {
		t.Errorf("SNIPS %v, %s, refused %v; doubly robust without probabilities of all actions must be null", v, r.Standing, r.Refused)
	}
	got = retain(t, policyLog(400), "policy", "evaluate", "-", "--map", "probability=new")
	for _, words := range []string{"SNIPS", "effective rows 294", "the new policy is better than the logged one"} {
		if !strings.Contains(got.stdout, words) {
			t.Errorf("%q is missing in:\n%s", words, got.stdout)
		}
	}

	got = retain(t, policyLog(400), "policy", "evaluate", "-", "--map", "probability=far", "--json")
	if err := json.Unmarshal([]byte(got.stdout), &r); got.code != exitFailed || err != nil || len(r.Refused) == 0 || r.Estimates[0].Value.Defined() {
		t.Errorf("a log that cannot tell: %+v, %v", got, err)
	}
	if !strings.Contains(got.stderr, "at least 5 % are needed") {
		t.Errorf("refused as %q", got.stderr)
	}
}

func TestPolicyEvaluateUsage(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	log := filepath.Join(dir, "log.csv")
	if err := os.WriteFile(log, []byte(policyLog(8)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{log}, "say what the new policy is"},
		{[]string{log, "--catalogue", "x.yaml"}, "leave FILE out"},
		{[]string{"--like", log}, "give its FILE"},
		{[]string{log, "--map", "probability=nothing"}, `no column "nothing"`},
		{[]string{log, "--map", "probability=new", "--reward-model", "tree"}, "linear or boost"},
		{[]string{log, log}, "unexpected argument"},
		{[]string{"--catalogue", "nowhere.yaml"}, "nowhere.yaml"},
	} {
		if got := retain(t, "", append([]string{"policy", "evaluate"}, c.args...)...); got.code != exitUsage || !strings.Contains(got.stderr, c.want) {
			t.Errorf("%q: %d %q, want it to say %q", c.args, got.code, got.stderr, c.want)
		}
	}
	if got := retain(t, "", "policy", "evaluate"); got.code != exitFailed || !strings.Contains(got.stderr, "no warehouse") {
		t.Errorf("without a warehouse: %+v", got)
	}
	if _, err := os.Stat("retain-data"); err == nil {
		t.Error("a reading command made a warehouse")
	}
}
