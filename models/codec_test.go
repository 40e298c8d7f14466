package models_test

import (
	"testing"

	"retain/models"
	"retain/models/internal/wire"
	"retain/models/modelstest"
)

// FuzzDecodeModels gives every decoder of this package the bytes, as they are and as the payload of a frame with a right checksum.
func FuzzDecodeModels(f *testing.F) {
	d := modelstest.Data(1, 60)
	for _, trainer := range []models.Trainer{
		models.RecencyRule{Feature: "recency_days"},
		models.BaseRate{},
		blendTrainer{parts: []models.Trainer{models.BaseRate{}, models.RecencyRule{Feature: "recency_days"}}},
	} {
		m, err := trainer.Fit(f.Context(), d, nil)
		if err != nil {
			f.Fatal(err)
		}
		b, err := m.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[14 : len(b)-4]) // the payload
	}
	all := map[string]models.Decoder{"RREC": models.DecodeRecencyRule, "RBAS": models.DecodeBaseRate, "RBLN": models.DecodeBlend(decoders)}
	f.Fuzz(func(t *testing.T, b []byte) {
		for magic, decode := range all {
			for _, b := range [][]byte{b, wire.Seal(magic, 1, b)} {
				m, err := decode(b, d.X.Schema)
				if err != nil {
					continue
				}
				if err := m.Margin(make([]float64, d.Rows()), d.X); err != nil {
					t.Errorf("a decoded %s refuses its features: %v", m.Family(), err)
				}
			}
		}
	})
}
