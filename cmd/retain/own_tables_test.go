package main

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"retain/features"
)

func TestBindingProblems(t *testing.T) {
	usage := &features.BindingError{Source: "usage", Faults: []string{"a", "b"}}
	for _, c := range []struct {
		name string
		err  error
		want []string
	}{
		{"none", nil, nil},
		{"one source", errors.Join(usage), []string{"a", "b"}},
		{"two sources", errors.Join(usage, &features.BindingError{Source: "tickets", Faults: []string{"c"}}), []string{"a", "b", "c"}},
		{"another error", errors.New("gone"), nil},
	} {
		err := bindingProblems(c.err)
		var wrong *usageError
		if errors.As(err, &wrong) != (c.want != nil) || c.want != nil && !slices.Equal(wrong.problems, c.want) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestMappingsThatNobodyLookedAt(t *testing.T) {
	path := writeConfig(t, "sources: {usage: {table: analytics.sessions}}\n")
	got := retain(t, "", "config", "check", "--config", path)
	if got.code != exitDone || !strings.Contains(got.stderr, "tables under sources: are not looked at") {
		t.Errorf("exit %d, %s; want 0 and that nothing was compared", got.code, got.stderr)
	}
}
