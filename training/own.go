package training

import "retain/features"

// tellLeftOut says which columns of the own feature table are no features, one line each.
func tellLeftOut(c *features.Catalogue, progress func(string)) {
	for _, d := range c.LeftOut {
		progress(d.Name + " is no feature: " + d.Why)
	}
}
