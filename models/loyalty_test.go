package models_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"retain/models"
)

func loyalty(t testing.TB) *models.Loyalty {
	t.Helper()
	l := &models.Loyalty{Repeat: artifact(t), Promotes: artifact(t), Product: []byte(`{"auc":0.8}`)}
	for part, a := range map[string]*models.Artifact{"repeat": l.Repeat, "promotes": l.Promotes} {
		a.Kind, a.Name = models.KindLoyalty, part
	}
	l.Promotes.Seed = 7
	return l
}

func TestLoyaltyRoundTrip(t *testing.T) {
	l := loyalty(t)
	b, err := l.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := models.DecodeLoyalty(b)
	if err != nil {
		t.Fatal(err)
	}
	again, err := back.Encode()
	if err != nil || !bytes.Equal(again, b) {
		t.Errorf("decoded and encoded again it differs, %v", err)
	}
	if back.Repeat.Seed == back.Promotes.Seed || back.Promotes.Seed != 7 || string(back.Product) != string(l.Product) {
		t.Error("the parts are mixed up")
	}
	if !models.IsLoyalty(b) || models.IsLoyalty(encode(t, l.Repeat)) {
		t.Error("IsLoyalty")
	}
	if _, err := models.DecodeArtifact(b); !errors.Is(err, models.ErrArtifact) {
		t.Errorf("read as one artifact: %v", err)
	}
	l.Product = nil
	if b, err = l.Encode(); err != nil {
		t.Fatal(err)
	}
	if back, err = models.DecodeLoyalty(b); err != nil || back.Product != nil {
		t.Errorf("without figures of the product: %v, %v", back, err)
	}
}

// Both parts are read or none: no byte of an artifact can be changed or be missing.
func TestDamagedLoyalty(t *testing.T) {
	b, err := loyalty(t).Encode()
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		damaged := bytes.Clone(b)
		damaged[rng.IntN(len(b))] ^= byte(1 + rng.IntN(255))
		if _, err := models.DecodeLoyalty(damaged); !errors.Is(err, models.ErrArtifact) {
			t.Fatalf("a changed byte: %v", err)
		}
		if _, err := models.DecodeLoyalty(b[:rng.IntN(len(b))]); !errors.Is(err, models.ErrArtifact) {
			t.Fatalf("bytes are missing: %v", err)
		}
	}
	if _, err := models.DecodeLoyalty(append(bytes.Clone(b), 0)); !errors.Is(err, models.ErrArtifact) {
		t.Errorf("a byte more: %v", err)
	}
}

func TestLoyaltyParts(t *testing.T) {
	swapped := loyalty(t)
	swapped.Repeat, swapped.Promotes = swapped.Promotes, swapped.Repeat
	alien := loyalty(t)
	alien.Repeat = artifact(t)
	half := loyalty(t)
	half.Promotes = nil
	garbled := loyalty(t)
	garbled.Product = []byte("{")
	for name, l := range map[string]*models.Loyalty{"swapped": swapped, "of churn": alien, "half": half, "garbled": garbled} {
		if _, err := l.Encode(); err == nil {
			t.Errorf("%s: it is encoded", name)
		}
	}
}

func TestLoyaltyScore(t *testing.T) {
	for _, c := range []struct {
		repeat, promotes float64
		want             int
	}{{1, 1, 100}, {0, 1, 0}, {1, 0, 0}, {.5, .5, 25}, {.9, .05, 5}, {.5, .01, 1}, {.5, .009, 0}, {.999, .999, 100}} {
		if got := models.LoyaltyScore(c.repeat, c.promotes); got != c.want {
			t.Errorf("%v · %v: %d, want %d", c.repeat, c.promotes, got, c.want)
		}
	}
}
