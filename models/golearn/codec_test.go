package golearn

import (
	"math/rand/v2"
	"testing"

	"retain/features"
	"retain/models"
	"retain/models/internal/wire"
	"retain/models/modelstest"
)

// FuzzDecode reads damaged models; what is read answers for every row of its features.
func FuzzDecode(f *testing.F) {
	d := modelstest.Data(1, 200)
	kinds := []struct {
		trainer models.Trainer
		magic   string
		decode  func([]byte, features.Schema) (models.Model, error)
	}{{CART{}, magicTrees, DecodeCART}, {Forest{Trees: 3}, magicTrees, DecodeForest}, {Bayes{}, magicBayes, DecodeBayes}}
	seal := func(magic string, payload []byte) []byte { return wire.Seal(magic, version, payload) } // a right checksum lets the payload itself be fuzzed
	for k, kind := range kinds {
		m, err := kind.trainer.Fit(f.Context(), d, rand.New(rand.NewPCG(1, 1)))
		if err != nil {
			f.Fatal(err)
		}
		b, err := m.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		payload := b[14 : len(b)-4] // between the head and the checksum of the frame
		if _, err := kind.decode(seal(kind.magic, payload), d.X.Schema); err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(k), payload)
		f.Add(uint8(k), payload[:len(payload)-8])
	}
	f.Fuzz(func(t *testing.T, k uint8, payload []byte) {
		kind := kinds[int(k)%len(kinds)]
		m, err := kind.decode(seal(kind.magic, payload), d.X.Schema)
		if err != nil {
			return
		}
		if err := m.Margin(make([]float64, d.Rows()), d.X); err != nil {
			t.Errorf("a decoded model refuses its features: %v", err)
		}
	})
}
