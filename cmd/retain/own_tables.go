package main

import (
	"context"
	"errors"
	"strings"

	"retain/features"
	"retain/internal/warehouse"
)

// checkTables compares the mappings under sources: with the tables they name. Without a warehouse there is nothing to compare with, which is said.
func (a *app) checkTables(ctx context.Context, c Config) (err error) {
	own := false
	for _, b := range c.Sources {
		own = own || b.Table != ""
	}
	if !own {
		return nil
	}
	s, err := a.openWith(ctx, c, "config check", reading)
	if errors.Is(err, warehouse.ErrNoWarehouse) {
		a.say("the tables under sources: are not looked at, as there is no warehouse yet")
		return nil
	}
	if err != nil {
		return err
	}
	defer s.close(&err)
	return bindingProblems(s.store.CheckBindings(ctx))
}

// bindingProblems tells faulty mappings as the other problems of a configuration are told.
func bindingProblems(err error) error {
	var problems []string
	parts := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		parts = joined.Unwrap()
	}
	for _, part := range parts {
		var wrong *features.BindingError
		if !errors.As(part, &wrong) {
			return err // nil, or no fault of the configuration
		}
		problems = append(problems, wrong.Faults...)
	}
	return &usageError{message: strings.Join(problems, "\n"), problems: problems}
}
