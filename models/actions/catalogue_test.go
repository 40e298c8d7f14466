package actions

import "testing"

func TestShippedCatalogue(t *testing.T) {
	e, err := Default(nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Catalogue.Actions) < 20 {
		t.Errorf("%d actions only", len(e.Catalogue.Actions))
	}
}
