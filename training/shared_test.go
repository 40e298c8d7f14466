package training

import (
	"slices"
	"testing"
	"time"
)

// TestEqualRowsAreFittedOnce: an equal training set takes the fits over, for all families or for some, and any other is fitted anew.
func TestEqualRowsAreFittedOnce(t *testing.T) {
	a := newArena(newWorld(150, 6), testOptions(t))
	read := func(flip int) *encoded {
		d, err := stack(t.Context(), a.panel, []time.Time{month(2025, 2), month(2025, 3)}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if flip >= 0 {
			d.Y[flip] = 1 - d.Y[flip]
		}
		e, err := encode(d)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	fit := func(e *encoded, families []Family) map[string]*Fitted {
		fitted, failures, err := a.fit(t.Context(), e.d, families)
		if err != nil || len(failures) > 0 {
			t.Fatal(err, failures)
		}
		out := make(map[string]*Fitted)
		for _, f := range fitted {
			out[f.Family] = f
		}
		return out
	}
	some := slices.DeleteFunc(slices.Clone(Families), func(f Family) bool { return f.Name != familyBaseRate && f.Name != familyLinear })
	linear, _ := familyOf(familyLinear)
	first := fit(read(-1), some)
	for name, again := range map[string]map[string]*Fitted{"all": fit(read(-1), some), "one of them": fit(read(-1), []Family{linear})} {
		if again[familyLinear].Model != first[familyLinear].Model || again[familyLinear].FitSeconds != 0 {
			t.Errorf("%s: fitted again in %v s", name, again[familyLinear].FitSeconds)
		}
	}
	if fit(read(7), some)[familyLinear].Model == first[familyLinear].Model {
		t.Error("another label, the same model")
	}
}
