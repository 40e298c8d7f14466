package training

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
)

// What becomes of a trained model: champion, challenger, shadow, or registered only.
func TestEnrol(t *testing.T) {
	w := warehousetest.Open(t)
	o := testOptions(t)
	o.Registry, o.Who = w, "ann"
	at := month(2026, 1)
	row := func(k int) warehouse.ModelRow {
		return warehouse.ModelRow{Artifact: fmt.Sprintf("sha256:%064d", k), Kind: KindChurn, Name: KindChurn, Family: familyLinear, Report: "{}"}
	}
	none, first := "", row(1).Artifact
	champion := func() uint32 {
		m, err := w.ChampionModel(t.Context(), KindChurn)
		if err != nil {
			t.Fatal(err)
		}
		return m.Version
	}
	alias := func(name string) uint32 {
		r, _ := w.Alias(t.Context(), KindChurn, name, o.Now())
		return r.Version
	}
	for _, c := range []struct {
		name                         string
		model                        int
		verdict                      judgement
		promoted                     bool
		told                         string // in the words
		champion, challenger, shadow uint32
	}{
		{"the first", 1, judgement{Promote: true, Over: &none}, true, "", 1, 0, 0},
		{"one that does not pass", 2, judgement{Verdict: []string{"worse"}, Over: &first}, false, "shadow", 1, 2, 2},
		{"another: the shadow is under way", 3, judgement{Over: &first}, false, "", 1, 3, 2},
		{"the same again", 3, judgement{Over: &first}, false, "", 1, 3, 2},
		{"judged before there was a champion", 4, judgement{Promote: true, Over: &none}, false, "another model became champion", 1, 4, 2},
		{"the champion itself", 1, judgement{Over: &first}, false, "", 1, 4, 2},
		{"one that passes", 5, judgement{Promote: true, Over: &first}, true, "", 5, 4, 2},
	} {
		at = at.AddDate(0, 0, 1)
		o.Now = func() time.Time { return at }
		e, err := enrol(t.Context(), o, c.verdict, row(c.model))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if e.Version != c.model || e.Promoted != c.promoted || !strings.Contains(strings.Join(e.Told, "\n"), c.told) || c.told == "" && len(e.Told) > 0 {
			t.Errorf("%s: %+v", c.name, e)
		}
		if champion() != c.champion || alias(warehouse.AliasChallenger) != c.challenger || alias(warehouse.AliasShadow) != c.shadow {
			t.Errorf("%s: champion %d, challenger %d, shadow %d", c.name, champion(), alias(warehouse.AliasChallenger), alias(warehouse.AliasShadow))
		}
	}
	// What was rolled back by hand, no training brings back.
	if _, _, err := w.RollBack(t.Context(), KindChurn, "bob", "complaints", at.AddDate(0, 0, 1)); err != nil {
		t.Fatal(err)
	}
	at = at.AddDate(0, 0, 2)
	e, err := enrol(t.Context(), o, judgement{Promote: true, Over: &first}, row(5))
	if err != nil || e.Promoted || champion() != 1 || alias(warehouse.AliasChallenger) != 5 || !strings.Contains(e.Told[0], "rolled back") {
		t.Errorf("rolled back, and then %+v, %v, champion %d", e, err, champion())
	}
}
