package main

import "time"

// Beyond these instants the warehouse's times, in nanoseconds since 1970 on their way there, would come back as others.
var (
	firstInstant = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)
	lastInstant  = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)
)

// beyond tells that an instant, which the user wrote as text, lies beyond them; "" if it does not.
func beyond(t time.Time, text string) string {
	if t.Before(firstInstant) || t.After(lastInstant) {
		return text + " does not lie between the years 1900 and 2262"
	}
	return ""
}

// instant parses an instant of the command line: a date is its 00:00 UTC, else RFC 3339.
func instant(flag, text string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339Nano} {
		if t, err := time.Parse(layout, text); err == nil {
			if problem := beyond(t, text); problem != "" {
				return time.Time{}, usagef("--%s: %s", flag, problem)
			}
			return t.UTC(), nil
		}
	}
	return time.Time{}, usagef("--%s: %q is no instant; write 2026-03-01 or 2026-03-01T12:00:00Z", flag, text)
}

// instantIf is instant where the flag was given: "" is the zero instant.
func instantIf(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return instant(flag, text)
}

// instants parses a list of instants.
func instants(flag string, texts []string) ([]time.Time, error) {
	out := make([]time.Time, len(texts))
	for i, text := range texts {
		t, err := instant(flag, text)
		if err != nil {
			return nil, err
		}
		out[i] = t
	}
	return out, nil
}
