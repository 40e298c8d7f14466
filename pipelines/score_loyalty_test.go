package pipelines

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

// The identity of a run covers the loyalty model and what it says; without one it is what it was before there was any.
func TestLoyaltyInTheRunsIdentity(t *testing.T) {
	digest := func(model *LoyaltyModel, p ...[]float64) string {
		s := &scoring{o: ScoreOptions{Loyalty: model}}
		copy(s.loyalty[:], p)
		h := sha256.New()
		s.hashLoyalty(h)
		return hex.EncodeToString(h.Sum(nil))
	}
	if digest(nil) != hex.EncodeToString(sha256.New().Sum(nil)) {
		t.Error("a run without loyalty has another identity than before")
	}
	one := &LoyaltyModel{Address: "sha256:1", Version: 1}
	seen := map[string]string{}
	for name, d := range map[string]string{
		"none":             digest(nil),
		"a model":          digest(one, []float64{.5}, []float64{.25}),
		"another artifact": digest(&LoyaltyModel{Address: "sha256:2", Version: 1}, []float64{.5}, []float64{.25}),
		"another version":  digest(&LoyaltyModel{Address: "sha256:1", Version: 2}, []float64{.5}, []float64{.25}),
		"another repeat":   digest(one, []float64{.75}, []float64{.25}),
		"another promotes": digest(one, []float64{.5}, []float64{.125}),
		"parts exchanged":  digest(one, []float64{.25}, []float64{.5}),
	} {
		if other, ok := seen[d]; ok {
			t.Errorf("%s and %s are one run", name, other)
		}
		seen[d] = name
	}
}
