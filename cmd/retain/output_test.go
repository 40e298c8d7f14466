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
	if got := ago(now.AddDate(0, 0, -3), now.Add(23*time.Hour)); got != "3 days ago" {
		t.Errorf("3 days and 23 hours: %q, want 3 days ago", got)
	}
}
