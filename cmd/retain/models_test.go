package main

import (
	"strings"
	"testing"

	"retain/internal/warehouse"
)

func TestModelsUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"models", "promote"}, exitUsage, "needs a VERSION"},
		{[]string{"models", "promote", "two", "--reason", "x"}, exitUsage, "is no version"},
		{[]string{"models", "promote", "two", "--reason", "x", "--kind", "loyalty"}, exitUsage, "models list --kind loyalty"},
		{[]string{"models", "promote", "0", "--reason", "x"}, exitUsage, "is no version"},
		{[]string{"models", "promote", "2"}, exitUsage, "--reason: say why"},
		{[]string{"models", "promote", "2", "--reason", " "}, exitUsage, "--reason: say why"},
		{[]string{"models", "promote", "2", "--reason", strings.Repeat("x", maxReason+1)}, exitUsage, "more than 1000"},
		{[]string{"models", "list", "--kind", "weather"}, exitUsage, "none of churn, loyalty"},
		{[]string{"models", "list", "--at", "yesterday"}, exitUsage, "is no instant"},
		{[]string{"models", "history", "--alias", "king"}, exitUsage, "none of champion, challenger, shadow"},
		{[]string{"models", "shadow", "1", "2"}, exitUsage, "unexpected argument"},
		{[]string{"models", "shadow", "1", "--stop"}, exitUsage, "--stop takes no VERSION"},
		{[]string{"models", "rollback", "1"}, exitUsage, "unexpected argument"},
		{[]string{"train", "churn", "--until", "soon"}, exitUsage, "is no instant"}, // a slip is told before a warehouse is opened
		{[]string{"train", "loyalty", "--until", "soon"}, exitUsage, "is no instant"},
		{[]string{"models", "champion"}, exitFailed, "retain demo"}, // there is no warehouse, and none is made
		{[]string{"models", "rollback"}, exitFailed, "retain demo"},
		{[]string{"models", "promote", "2", "--reason", "x"}, exitFailed, "retain demo"},
	} {
		got := retain(t, "", c.args...)
		if got.code != c.code || !strings.Contains(got.stderr, c.want) || got.stdout != "" {
			t.Errorf("%v: exit %d, %q; want %d and %q", c.args, got.code, got.stderr, c.code, c.want)
		}
	}
}

// The gate has its say on every promotion by hand but the first.
func TestAgainstGate(t *testing.T) {
	champion := warehouse.AliasRow{Artifact: "sha256:c", Name: "churn", Version: 1}
	for _, c := range []struct {
		name, report string
		champion     warehouse.AliasRow
		want         string // in the words; "" = agreed
	}{
		{"it passed against this champion", `{"gate":{"pass":true,"over":"sha256:c","verdict":[]}}`, champion, ""},
		{"it failed", `{"gate":{"pass":false,"over":"sha256:c","verdict":["worse by far"]}}`, champion, "worse by far"},
		{"it passed against another one", `{"gate":{"pass":true,"over":"sha256:b","verdict":[]}}`, champion, "another champion than churn v1"},
		{"it passed against none", `{"gate":{"pass":true,"over":"","verdict":[]}}`, champion, "another champion"},
		{"it was not asked whom", `{"gate":{"pass":true,"over":null,"verdict":[]}}`, champion, "another champion"},
		{"a report of before", `{"verdict":["fine"]}`, champion, "before the gate's verdicts were kept"},
		{"no report", ``, champion, "before the gate's verdicts were kept"},
		{"no champion to compare with", `{"gate":{"pass":false,"over":"","verdict":["worse"]}}`, warehouse.AliasRow{}, ""},
	} {
		got := againstGate(warehouse.ModelRow{Kind: "churn", Report: c.report}, c.champion)
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
