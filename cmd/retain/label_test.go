package main

import (
	"strings"
	"testing"

	"retain/features"
)

// The words do not change from run to run where an event is told by several columns.
func TestDefinitionOfEvent(t *testing.T) {
	churn := features.ChurnSpec{Setting: features.EventSetting, Event: &features.EventSpec{Source: features.Usage, Match: map[string]string{
		"a": "1", "b": "2", "c": "3", "d": "4", "e": "5", "f": "6",
	}}}
	const want = "a row of usage with a = 1 and b = 2 and c = 3 and d = 4 and e = 5 and f = 6 in the 90 days after a cutoff"
	for range 20 {
		if got := definition(&features.Preview{Setting: churn.Setting, HorizonDays: 90}, churn); !strings.HasSuffix(got, want) {
			t.Fatalf("%q does not end in %q", got, want)
		}
	}
}
