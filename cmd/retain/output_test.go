package main

import (
	"testing"
	"time"
)

func TestAgo(t *testing.T) {
	now := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	for days, want := range map[int]string{-1: "in the future", 0: "0 hours ago", 1: "24 hours ago", 2: "2 days ago", 729: "729 days ago", 1461: "4 years ago"} {
		if got := ago(now.AddDate(0, 0, -days), now); got != want {
			t.Errorf("%d days: %q, want %q", days, got, want)
		}
	}
}

func TestCounted(t *testing.T) {
	for n, want := range map[int]string{0: "0 rows", 1: "1 row", 2: "2 rows", 1000: "1,000 rows"} {
		if got := counted(n, "row"); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
