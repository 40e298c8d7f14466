package kpi

import "strings"

// Mutate changes the statement of a figure until restore is called; ok is false if it does not hold the text.
func Mutate(name, from, to string) (restore func(), held func() bool) {
	for i := range catalogue {
		f := &catalogue[i]
		if f.name != name {
			continue
		}
		whole, found := f.rows, false
		f.rows = func(c *compiler) string {
			text := whole(c)
			found = strings.Contains(text, from)
			return strings.ReplaceAll(text, from, to)
		}
		return func() { f.rows = whole }, func() bool { return found }
	}
	panic("no figure " + name)
}
