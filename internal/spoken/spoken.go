// Package spoken writes numbers as people read them, in messages of the terminal and of reports.
package spoken

import "fmt"

// Count writes 69659 as 69,659.
func Count[T ~int | ~int64 | ~uint64](n T) string {
	text := fmt.Sprintf("%d", n) // not what a String method of T says
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// Counted writes a number with its noun: 1 row, 25,000 rows.
func Counted[T ~int | ~int64 | ~uint64](n T, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return Count(n) + " " + one + "s"
}
