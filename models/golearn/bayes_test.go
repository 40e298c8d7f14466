package golearn

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/sjwhitworth/golearn/base"

	"retain/models/modelstest"
)

// TestBayesIsGolearns compares the side of zero on which a margin lies with the label that golearn gives.
func TestBayesIsGolearns(t *testing.T) {
	d := modelstest.Data(2, 500)
	s := newSample(d, 500, 1)
	all := scores(s, 5)
	bits := 0
	for _, c := range all {
		bits += len(c.odds)
	}
	g, theirs, err := fitBits(s, all, bits)
	if err != nil {
		t.Fatal(err)
	}
	if err := readOdds(theirs, s, all); err != nil {
		t.Fatal(err)
	}
	said, err := theirs.Predict(g)
	if err != nil {
		t.Fatal(err)
	}
	m := &bayesModel{schema: d.X.Schema, fingerprint: d.X.Schema.Fingerprint(), base: math.Log(s.rate / (1 - s.rate)), scores: all}
	dst := make([]float64, d.Rows())
	if err := m.Margin(dst, d.X); err != nil {
		t.Fatal(err)
	}
	yes := 0
	for k, i := range s.rows {
		label := base.GetClass(said, k)
		if (label == churned) != (dst[i] > 0) {
			t.Fatalf("row %d: golearn says %s, the margin is %v", i, label, dst[i])
		}
		if label == churned {
			yes++
		}
	}
	if yes < 50 || yes > 450 {
		t.Errorf("golearn says churn of %d of 500 rows", yes)
	}
}

// TestOddsByHand: p = (k+1)/(n+1) for each bit and class.
func TestOddsByHand(t *testing.T) {
	d := table([]float32{1, 1, 1, 1, 1}, []float32{0, 0, 1, 1, 1}, []float64{0, 0, 0, 1, 1})
	m, err := Bayes{}.Fit(t.Context(), d, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	// Stayers (3): free 2, paid 1, missing none: (3, 2, 1)/4. Churners (2): free none, paid 2: (1, 3, 1)/3; all have paid, so that 1-p of it is 1/3.
	paid := math.Log(2./3) + math.Log(3./3) - math.Log(2./4) + math.Log(2./3) - math.Log(1./4) + math.Log(2./3) - math.Log(3./4)
	free := math.Log(2./3) + math.Log(1./3) - math.Log(3./4) + math.Log(1./3) - math.Log(2./4) + math.Log(2./3) - math.Log(3./4)
	dst := make([]float64, 2)
	if err := m.Margin(dst, table([]float32{1, 1}, []float32{1, 0}, nil).X); err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{paid, free} {
		if math.Abs(dst[i]-want) > 1e-12 {
			t.Errorf("row %d: margin %v, want %v", i, dst[i], want)
		}
	}
}
