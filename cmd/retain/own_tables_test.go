package main

import (
	"errors"
	"slices"
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
