package lifecycle_test

import (
	"testing"

	"retain/features/lifecycle"
)

func TestPresets(t *testing.T) {
	for _, name := range lifecycle.Presets {
		r, err := lifecycle.Load(name, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if r.Set.Name != name {
			t.Errorf("%s calls itself %s", name, r.Set.Name)
		}
		t.Log(name, r.Version, r.Set.Names(), len(r.Features))
	}
}
