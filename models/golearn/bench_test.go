package golearn_test

import (
	"math/rand/v2"
	"testing"

	"retain/features"
	"retain/models/modelstest"
)

// wide is rows of four times the columns of modelstest.Data, as many as a catalogue has.
func wide(rows int) *features.Dataset {
	d := modelstest.Data(1, rows)
	for k := range uint64(3) {
		more := modelstest.Data(k+2, rows)
		for j, c := range more.X.Schema {
			c.Name += string(rune('b' + k))
			d.X.Schema = append(d.X.Schema, c)
			d.X.X = append(d.X.X, more.X.X[j])
		}
	}
	return d
}

// BenchmarkFit fits each family with its defaults on 32 columns of 30,000 rows.
func BenchmarkFit(b *testing.B) {
	d := wide(30_000)
	for name, trainer := range families {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := trainer.Fit(b.Context(), d, rand.New(rand.NewPCG(1, 2))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
