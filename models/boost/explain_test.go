package boost

import (
	"math"
	"math/bits"
	"strconv"
	"testing"

	"retain/features"
)

// expectation is the mean of tree t for a row of which the features in known are known: elsewhere the row goes both ways in
// the proportion of the training rows (Lundberg et al. 2018, algorithm 1).
func expectation(m *Model, t int, row []float32, known uint) float64 {
	nodes, first := m.tree(t)
	rows := covers(nodes, first)
	var at func(i int32) float64
	at = func(i int32) float64 {
		n := &nodes[i]
		if n.column < 0 {
			return float64(n.cut)
		}
		l, r := i+1, n.right-first
		if known>>n.column&1 == 1 {
			if m.goesLeft(n, row[n.column]) {
				return at(l)
			}
			return at(r)
		}
		return (at(l)*rows[l] + at(r)*rows[r]) / rows[i]
	}
	return at(0)
}

// shapley is the definition: the mean gain of feature j over all orders, summed over all subsets.
func shapley(m *Model, row []float32, j int) float64 {
	p := len(row)
	sum := 0.0
	for s := range uint(1) << p {
		if s>>j&1 == 1 {
			continue
		}
		k := float64(bits.OnesCount(s))
		lg := func(v float64) float64 { g, _ := math.Lgamma(v + 1); return g }
		weight := math.Exp(lg(k) + lg(float64(p)-k-1) - lg(float64(p)))
		for t := range m.roots {
			sum += weight * (expectation(m, t, row, s|1<<j) - expectation(m, t, row, s))
		}
	}
	return sum
}

func TestContributionsAreShapleyValues(t *testing.T) {
	d := sample(1200, 20)
	for _, tr := range []Trainer{
		{Trees: 4, Leaves: 2, MinRows: 3},
		{Trees: 6, Leaves: 8, MinRows: 3},
		{Trees: 3, Leaves: 60, MinRows: 1, MinHessian: 1e-6, LearningRate: 0.5, RowShare: 0.6}, // features come again on a path
	} {
		m := mustFit(t, tr, d)
		few := d.X.Slice(0, 30)
		got := make([]float64, few.Rows()*few.Cols())
		if _, err := m.Contributions(got, few); err != nil {
			t.Fatal(err)
		}
		for i := range few.Rows() {
			row := rowOf(few, i)
			for j := range row {
				if want := shapley(m, row, j); math.Abs(got[i*len(row)+j]-want) > 1e-10 {
					t.Fatalf("%d leaves, row %d, feature %d: %v, by definition %v", tr.Leaves, i, j, got[i*len(row)+j], want)
				}
			}
		}
	}
}

func TestContributionsSumToTheMargin(t *testing.T) {
	d := sample(6000, 21)
	for _, tr := range []Trainer{small, {Trees: 20, Leaves: 1000, MinRows: 1, MinHessian: 1e-9, L2: 0.01, LearningRate: 0.5}} {
		m := mustFit(t, tr, d)
		checkAdditive(t, m, d.X.Slice(0, 2000))
	}
}

// chain is a tree that splits another column at each of k levels: values up to 0 end in a leaf of 0, the last right child is
// worth 1. Of the rows that reach a split, share go right.
func chain(k int, share float64) *Model {
	m := &Model{roots: []int32{0}}
	rows := 1.0
	for j := range k {
		m.schema = append(m.schema, features.Column{Name: "c" + strconv.Itoa(j)})
		m.nodes = append(m.nodes, node{column: int32(j), right: int32(len(m.nodes)) + 2}, node{column: -1, weight: float32(rows * (1 - share))})
		rows *= share
	}
	m.nodes = append(m.nodes, node{column: -1, cut: 1, weight: float32(rows)})
	return m
}

// By hand: if a row passes all k splits of a chain, each is worth the same, (1 - share^k)/k; if it fails f of them, v of a set
// with a failed one is 0, so that φ = -Σ over the sizes s of sets of passed ones, before the first failed, of share^(k-s)·P(s).
func TestContributionsOfDeepTrees(t *testing.T) {
	for _, k := range []int{1, 2, 6, 40, 300} {
		const share = 0.9
		m := chain(k, share)
		if err := m.validate(); err != nil {
			t.Fatal(err)
		}
		x := &features.Matrix{Schema: m.schema, X: make([][]float32, k)}
		for j := range x.X {
			x.X[j] = []float32{1, 1}
		}
		x.X[k/2][1] = -1 // the second row fails there
		phi := make([]float64, 2*k)
		base, err := m.Contributions(phi, x)
		if err != nil {
			t.Fatal(err)
		}
		if want := math.Pow(share, float64(k)); math.Abs(base-want) > 1e-6*want {
			t.Errorf("%d splits: base %v, want %v", k, base, want)
		}
		// The failed feature comes at each of the k places with the same chance; before it, s passed ones are known.
		failed := 0.0
		for s := range k {
			failed -= math.Pow(share, float64(k-s)) / float64(k)
		}
		for j := range k {
			if want := (1 - math.Pow(share, float64(k))) / float64(k); math.Abs(phi[j]-want) > 1e-6*want {
				t.Errorf("%d splits, all passed: feature %d has %v, want %v", k, j, phi[j], want)
			}
			want := failed
			if j != k/2 {
				want = (-base - failed) / float64(k-1)
			}
			if got := phi[k+j]; math.Abs(got-want) > 1e-6*math.Abs(want) {
				t.Errorf("%d splits, one failed: feature %d has %v, want %v", k, j, got, want)
			}
		}
	}
}

// The tables hold what walking the whole tree says, for any number of bits.
func TestContributionsDoNotDependOnTheTables(t *testing.T) {
	d := sample(3000, 23)
	x := d.X.Slice(0, 200)
	var want []float64
	for _, room := range []int{0, 1 << 14, tableBytes} {
		m := mustFit(t, Trainer{Trees: 5, Leaves: 60, MinRows: 2}, d)
		m.plans.Do(func() { m.plan = m.newPlans(room) })
		units := 0
		for i := range m.plan {
			units += len(m.plan[i].units)
		}
		if (units == 0) != (room == 0) {
			t.Fatalf("%d units in %d bytes", units, room)
		}
		phi := make([]float64, x.Rows()*x.Cols())
		if _, err := m.Contributions(phi, x); err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = phi
		}
		for i, v := range phi {
			if math.Abs(v-want[i]) > 1e-12 {
				t.Fatalf("tables of %d bytes: %v, without %v", room, v, want[i])
			}
		}
	}
}

// checkAdditive checks base + Σ contributions = margin.
func checkAdditive(t *testing.T, m *Model, x *features.Matrix) {
	t.Helper()
	p := x.Cols()
	phi := make([]float64, x.Rows()*p)
	base, err := m.Contributions(phi, x)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range mustMargin(t, m, x) {
		sum := base
		for _, v := range phi[i*p : (i+1)*p] {
			sum += v
		}
		if !(math.Abs(sum-want) < 1e-9) {
			t.Fatalf("row %d: base and contributions sum to %v, the margin is %v", i, sum, want)
		}
	}
}

func TestContributionsOfAModelWithoutTrees(t *testing.T) {
	d := sample(100, 22)
	m := mustFit(t, small, d).Truncate(0)
	phi := make([]float64, d.Rows()*d.X.Cols())
	phi[3] = 9
	base, err := m.Contributions(phi, d.X)
	if err != nil || base != m.base {
		t.Fatalf("base %v, error %v; want %v", base, err, m.base)
	}
	for _, v := range phi {
		if v != 0 {
			t.Fatal("contributions without a tree")
		}
	}
}

func TestGaussLegendre(t *testing.T) {
	for n := 1; n <= 40; n++ {
		at, weight := gaussLegendre(n)
		for degree := range 2 * n {
			sum := 0.0
			for q := range at {
				sum += weight[q] * math.Pow(at[q], float64(degree))
			}
			if want := 1 / float64(degree+1); math.Abs(sum-want) > 1e-13 {
				t.Fatalf("%d points: ∫ t^%d = %v, want %v", n, degree, sum, want)
			}
		}
	}
}
