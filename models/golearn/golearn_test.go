package golearn_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"retain/features"
	"retain/models"
	"retain/models/golearn"
	"retain/models/modelstest"
)

func TestConformance(t *testing.T) {
	for name, c := range map[string]modelstest.Case{
		"cart":             {Trainer: golearn.CART{}, Decode: golearn.DecodeCART},
		"cart of one cut":  {Trainer: golearn.CART{Depth: 1, Bins: 2}, Decode: golearn.DecodeCART},
		"forest":           {Trainer: golearn.Forest{Trees: 5}, Decode: golearn.DecodeForest},
		"bayes":            {Trainer: golearn.Bayes{}, Decode: golearn.DecodeBayes},
		"bayes in two":     {Trainer: golearn.Bayes{Bins: 2}, Decode: golearn.DecodeBayes},
		"cart, few rows":   {Trainer: golearn.CART{}, Decode: golearn.DecodeCART, Rows: 30},
		"forest, few rows": {Trainer: golearn.Forest{Trees: 5}, Decode: golearn.DecodeForest, Rows: 30},
		"bayes, few rows":  {Trainer: golearn.Bayes{}, Decode: golearn.DecodeBayes, Rows: 30},
	} {
		t.Run(name, func(t *testing.T) { modelstest.Check(t, c) })
	}
}

// families are the trainers with their defaults.
var families = map[string]models.Trainer{
	golearn.FamilyCART: golearn.CART{}, golearn.FamilyForest: golearn.Forest{}, golearn.FamilyBayes: golearn.Bayes{},
}

func fit(t *testing.T, trainer models.Trainer, d *features.Dataset) models.Model {
	t.Helper()
	m, err := trainer.Fit(t.Context(), d, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func margins(t *testing.T, m models.Model, x *features.Matrix) []float64 {
	t.Helper()
	dst := make([]float64, x.Rows())
	if err := m.Margin(dst, x); err != nil {
		t.Fatal(err)
	}
	return dst
}

// auc is the share of pairs of a churner and a stayer in which the churner has the higher margin, ties half.
func auc(margin, y []float64) float64 {
	right, pairs := 0., 0.
	for i := range y {
		for j := range y {
			if y[i] > y[j] {
				pairs++
				switch {
				case margin[i] > margin[j]:
					right++
				case margin[i] == margin[j]:
					right += .5
				}
			}
		}
	}
	return right / pairs
}

func TestNoneMayExplain(t *testing.T) {
	for name, trainer := range families {
		m := fit(t, trainer, modelstest.Data(1, 300))
		if _, ok := m.(models.Explainer); ok {
			t.Errorf("%s is an Explainer and could become champion", name)
		}
		if m.Family() != name {
			t.Errorf("family %s of the trainer of %s", m.Family(), name)
		}
	}
}

// TestQuality holds the families against AUC .768 of the linear family on the same rows.
func TestQuality(t *testing.T) {
	train, held := modelstest.Data(3, 6000), modelstest.Data(4, 2000)
	for name, least := range map[string]float64{golearn.FamilyCART: .70, golearn.FamilyForest: .73, golearn.FamilyBayes: .73} {
		m := fit(t, families[name], train)
		margin := margins(t, m, held.X)
		p, y := 0., 0.
		for i, v := range margin {
			p += models.Sigmoid(v) / float64(len(margin))
			y += held.Y[i] / float64(len(margin))
		}
		got := auc(margin, held.Y)
		t.Logf("%s: AUC %.3f, mean probability %.3f, churned %.3f", name, got, p, y)
		if got < least {
			t.Errorf("%s: AUC %.3f, want at least %.2f", name, got, least)
		}
		if math.Abs(p-y) > .05 {
			t.Errorf("%s: mean probability %.3f where %.3f churned", name, p, y)
		}
	}
}

// TestRareChurn has one churner in fifty, so that the sample must hold more of them than their share and weigh them back.
func TestRareChurn(t *testing.T) {
	d := modelstest.Data(5, 9000)
	rng := rand.New(rand.NewPCG(5, 5))
	var keep []int
	for i, y := range d.Y {
		if y == 0 || rng.Float64() < .04 {
			keep = append(keep, i)
		}
	}
	d = d.Take(keep)
	churned := 0.
	for _, y := range d.Y {
		churned += y / float64(d.Rows())
	}
	for name, trainer := range families {
		m := fit(t, trainer, d)
		margin := margins(t, m, d.X)
		p := 0.
		for _, v := range margin {
			p += models.Sigmoid(v) / float64(len(margin))
		}
		if got := auc(margin, d.Y); got < .7 {
			t.Errorf("%s: AUC %.3f", name, got)
		}
		if name != golearn.FamilyBayes && math.Abs(p-churned) > .01 { // Bayes counts correlated columns twice
			t.Errorf("%s: mean probability %.4f where %.4f churned", name, p, churned)
		}
	}
}

// TestSampleIsSeeded has more rows than the sample: the order of the rows plays no part but at its edge, the seed does.
func TestSampleIsSeeded(t *testing.T) {
	d := modelstest.Data(6, 3000)
	x := modelstest.Data(7, 200).X
	for name, trainer := range families {
		first := margins(t, fit(t, trainer, d), x)
		again := margins(t, fit(t, trainer, d), x)
		other, err := trainer.Fit(t.Context(), d, rand.New(rand.NewPCG(9, 9)))
		if err != nil {
			t.Fatal(err)
		}
		moved := margins(t, other, x)
		differs := false
		for i := range first {
			if first[i] != again[i] {
				t.Fatalf("%s: row %d: %v, then %v of the same seed", name, i, first[i], again[i])
			}
			differs = differs || first[i] != moved[i]
		}
		if !differs {
			t.Errorf("%s: another seed draws the same sample", name)
		}
	}
}

func TestWeightsCountInLeaves(t *testing.T) {
	d := modelstest.Data(8, 600)
	d.Weight = make([]float64, d.Rows())
	for i, y := range d.Y {
		d.Weight[i] = 1 + 9*y
	}
	plain := *d
	plain.Weight = nil
	for name, trainer := range families {
		heavy, light := margins(t, fit(t, trainer, d), d.X), margins(t, fit(t, trainer, &plain), d.X)
		for i := range heavy {
			if heavy[i] <= light[i] {
				t.Fatalf("%s: row %d: margin %v although churners weigh ten times, %v before", name, i, heavy[i], light[i])
			}
		}
	}
}

func TestConstantColumnsGiveTheBaseRate(t *testing.T) {
	d := &features.Dataset{
		X: &features.Matrix{Schema: features.Schema{{Name: "constant"}, {Name: "plan", Kind: features.Categorical, Levels: []string{"a", "b"}}}, X: [][]float32{{3, 3, 3, 3}, {1, 1, 1, 1}}},
		Y: []float64{1, 0, 0, 0},
	}
	for name, trainer := range families {
		for i, v := range margins(t, fit(t, trainer, d), d.X) {
			if math.Abs(v+math.Log(3)) > 1e-12 {
				t.Errorf("%s: row %d: margin %v, want -log 3", name, i, v)
			}
		}
	}
}

func TestChoicesOutOfRange(t *testing.T) {
	d := modelstest.Data(1, 200)
	for _, trainer := range []models.Trainer{
		golearn.CART{Depth: 13}, golearn.CART{Depth: -1}, golearn.CART{Rows: 99}, golearn.CART{Bins: 1}, golearn.Forest{Trees: 501}, golearn.Forest{Rows: 50_001}, golearn.Forest{Bag: 49}, golearn.Forest{Columns: 1001},
		golearn.Bayes{Bins: 65}, golearn.Bayes{Rows: 1},
	} {
		if _, err := trainer.Fit(t.Context(), d, rand.New(rand.NewPCG(1, 2))); err == nil {
			t.Errorf("%#v is fitted", trainer)
		}
	}
}

func TestTooManyColumns(t *testing.T) {
	const p = 2100
	x := &features.Matrix{Schema: make(features.Schema, p), X: make([][]float32, p)}
	for j := range p {
		x.Schema[j].Name = fmt.Sprint("c", j)
		x.X[j] = []float32{0, 1, 2, 3}
	}
	d := &features.Dataset{X: x, Y: []float64{0, 1, 0, 1}}
	for name, trainer := range families {
		_, err := trainer.Fit(t.Context(), d, rand.New(rand.NewPCG(1, 2)))
		if bayes := name == golearn.FamilyBayes; bayes != (err != nil) { // trees take the best of them
			t.Errorf("%s of %d columns: %v", name, p, err)
		}
	}
}
