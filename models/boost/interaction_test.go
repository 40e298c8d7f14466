package boost

import (
	"errors"
	"math"
	"math/bits"
	"testing"

	"retain/models"
)

// interaction is the definition: half the mean, over all subsets of the other features, of what j and k add together beyond what
// each adds alone.
func interaction(m *Model, row []float32, j, k int) float64 {
	p := len(row)
	lg := func(v float64) float64 { g, _ := math.Lgamma(v + 1); return g }
	sum := 0.0
	for s := range uint(1) << p {
		if s>>j&1 == 1 || s>>k&1 == 1 {
			continue
		}
		n := float64(bits.OnesCount(s))
		weight := math.Exp(lg(n) + lg(float64(p)-n-2) - lg(float64(p)-1))
		for t := range m.roots {
			sum += weight * (expectation(m, t, row, s|1<<j|1<<k) - expectation(m, t, row, s|1<<j) - expectation(m, t, row, s|1<<k) + expectation(m, t, row, s))
		}
	}
	return sum / 2
}

func TestInteractionsAreTheirDefinition(t *testing.T) {
	d := sample(1200, 80)
	for _, tr := range []Trainer{{Trees: 4, Leaves: 2, MinRows: 3}, {Trees: 4, Leaves: 40, MinRows: 1, MinHessian: 1e-6, LearningRate: 0.5, RowShare: 0.6}} {
		m := mustFit(t, tr, d)
		few := d.X.Slice(0, 70)
		p := few.Cols()
		got, phi := make([]float64, few.Rows()*p*p), make([]float64, few.Rows()*p)
		base, err := m.Interactions(got, few)
		if err != nil {
			t.Fatal(err)
		}
		if want, err := m.Contributions(phi, few); err != nil || base != want {
			t.Fatalf("base %v, want %v (%v)", base, want, err)
		}
		for i := range few.Rows() {
			row := rowOf(few, i)
			for j := range p {
				sum := 0.0
				for k := range p {
					v := got[(i*p+j)*p+k]
					sum += v
					if j == k || i > 12 && i < 64 {
						continue
					}
					if want := interaction(m, row, j, k); math.Abs(v-want) > 1e-10 {
						t.Fatalf("%d leaves, row %d, features %d and %d: %v, by definition %v", tr.Leaves, i, j, k, v, want)
					}
				}
				if math.Abs(sum-phi[i*p+j]) > 1e-12 {
					t.Fatalf("row %d: interactions of feature %d sum to %v, its contribution is %v", i, j, sum, phi[i*p+j])
				}
			}
		}
	}
}

func TestInteractionsOfImportsAreXGBoosts(t *testing.T) {
	for _, name := range []string{"xgboost-numeric", "xgboost-levels"} {
		p, x := readPeer(t, name)
		m, err := ImportXGBoost(mustRead(t, name+".json"), x.Schema)
		if err != nil {
			t.Fatal(err)
		}
		few := x.Slice(0, len(p.Interactions))
		if few.Rows() == 0 {
			t.Fatal("no interactions to compare with")
		}
		c := x.Cols()
		got := make([]float64, few.Rows()*c*c)
		if _, err := m.Interactions(got, few); err != nil {
			t.Fatal(err)
		}
		for i, matrix := range p.Interactions {
			for j, row := range matrix {
				for k, want := range row {
					if v := got[(i*c+j)*c+k]; math.Abs(v-want) > 5e-6 { // float32 differences of float32 sums there
						t.Errorf("%s, row %d, %d and %d: %v, there %v", name, i, j, k, v, want)
					}
				}
			}
		}
	}
}

func TestInteractionsRefuse(t *testing.T) {
	d := sample(300, 81)
	m := mustFit(t, small, d)
	if _, err := m.Interactions(make([]float64, 7), d.X); err == nil {
		t.Error("too little room: no error")
	}
	other := d.X.Slice(0, 2)
	other.Schema = other.Schema[:3]
	if _, err := m.Interactions(make([]float64, 2*5*5), other); !errors.Is(err, models.ErrFeatureMismatch) {
		t.Errorf("other columns: error %v, want ErrFeatureMismatch", err)
	}
	none := m.Truncate(0)
	out := make([]float64, 2*5*5)
	out[3] = 9
	if _, err := none.Interactions(out, d.X.Slice(0, 2)); err != nil || out[3] != 0 {
		t.Errorf("no trees: %v, error %v", out, err)
	}
}
