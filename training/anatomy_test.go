package training

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"retain/features"
	"retain/models"
	"retain/training/metrics"
)

// bent is a model whose margin and contributions are known: 2·tanh(a) + b·[c is "x"] + .1, a missing a counting as -1. It does not read d.
type bent struct{ schema features.Schema }

func (bent) Family() string                 { return "bent" }
func (m bent) Schema() features.Schema      { return m.schema }
func (bent) MarshalBinary() ([]byte, error) { return nil, nil }

func (m bent) terms(x *features.Matrix, i int) [2]float64 {
	a := float64(x.X[0][i])
	if math.IsNaN(a) {
		a = -1
	}
	second := 0.
	if x.X[2][i] == 0 {
		second = float64(x.X[1][i])
	}
	return [2]float64{2 * math.Tanh(a), second}
}

func (m bent) Margin(dst []float64, x *features.Matrix) error {
	for i := range dst {
		t := m.terms(x, i)
		dst[i] = t[0] + t[1] + .1
	}
	return nil
}

func (m bent) Contributions(dst []float64, x *features.Matrix) (float64, error) {
	clear(dst)
	for i := range x.Rows() {
		t := m.terms(x, i)
		dst[i*4], dst[i*4+1] = t[0], t[1]
	}
	return .1, nil
}

// bentRows are rows for it whose labels it generates.
func bentRows(n int) (*specimen, *features.Dataset) {
	schema := features.Schema{{Name: "a"}, {Name: "b"}, {Name: "c", Kind: features.Categorical, Levels: []string{"x", "y", "other"}}, {Name: "d"}}
	s := &specimen{model: bent{schema}, calibration: models.Calibration{Kind: models.CalibrationPlatt, Slope: 1, Rows: 10, Positives: 5}}
	rng := rand.New(rand.NewPCG(5, 5))
	d := &features.Dataset{X: &features.Matrix{Schema: schema, X: make([][]float32, 4)}}
	for i := range n {
		a := float32(rng.NormFloat64())
		if i%10 == 3 {
			a = float32(math.NaN())
		}
		for j, v := range []float32{a, float32(.3 * rng.NormFloat64()), float32(rng.IntN(2)), float32(rng.NormFloat64())} {
			d.X.X[j] = append(d.X.X[j], v)
		}
		d.Customer = append(d.Customer, fmt.Sprintf("c%d", i))
	}
	p, err := s.probabilities(d.X)
	if err != nil {
		panic(err)
	}
	for _, p := range p {
		y := 0.
		if rng.Float64() < p {
			y = 1
		}
		d.Y = append(d.Y, y)
	}
	return s, d
}

func TestDependenceAgainstBruteForce(t *testing.T) {
	s, d := bentRows(400)
	list, err := depend(t.Context(), s, d.X, d.X, []string{"a", "c"})
	if err != nil {
		t.Fatal(err)
	}
	check := func(j int, value float32, got DependencePoint) {
		t.Helper()
		var p []float64
		mean := 0.
		for i := range d.Rows() {
			one := d.X.Take([]int{i})
			one.X[j][0] = value
			m := make([]float64, 1)
			if err := s.model.Margin(m, one); err != nil {
				t.Fatal(err)
			}
			p = append(p, s.calibration.Probability(m[0]))
			mean += p[i] / float64(d.Rows())
		}
		slices.Sort(p)
		want := [3]float64{mean, p[39], p[359]} // of 400 sorted values the ones of rank ⌈.1·400⌉ and ⌈.9·400⌉
		for k, v := range []metrics.Figure{got.Probability, got.Low, got.High} {
			if math.Abs(float64(v)-want[k]) > 1e-12 {
				t.Errorf("column %d at %v: %v, want %v", j, value, v, want[k])
			}
		}
	}
	a, c := list[0], list[1]
	if len(a.Points) != gridPoints || a.Missing == nil || math.Abs(float64(a.Missing.Share)-.1) > 1e-6 || len(a.Deciles) != 11 {
		t.Fatalf("%d points, missing %+v, %d deciles", len(a.Points), a.Missing, len(a.Deciles))
	}
	for _, q := range a.Points {
		check(0, float32(q.Value), q)
	}
	check(0, float32(math.NaN()), *a.Missing)
	if len(c.Points) != 2 || c.Missing != nil || c.Points[0].Share < c.Points[1].Share {
		t.Fatalf("levels %+v", c.Points)
	}
	for _, q := range c.Points {
		check(2, float32(slices.Index([]string{"x", "y"}, q.Level)), q)
	}
	if !slices.IsSortedFunc(a.Points, func(p, q DependencePoint) int { return int(math.Copysign(1, float64(p.Probability-q.Probability))) }) {
		t.Error("the mean does not rise with a, as the model does")
	}
}

func TestImportanceOfAKnownModel(t *testing.T) {
	s, d := bentRows(3000)
	list, err := weigh(s.model, d.X)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]Worth{}
	share := 0.
	for _, w := range list {
		byName[w.Feature] = w
		share += float64(w.Share)
	}
	size := 0.
	for i := range d.Rows() {
		size += math.Abs(s.model.(bent).terms(d.X, i)[0]) / 3000
	}
	if a := byName["a"]; list[0].Feature != "a" || math.Abs(float64(a.Contribution)-size) > 1e-12 || a.Trend < .999 || math.Abs(float64(a.Missing)-.1) > 1e-6 {
		t.Errorf("a is worth %+v, want %v", a, size)
	}
	if w := byName["d"]; w.Contribution != 0 || !math.IsNaN(float64(w.Trend)) || math.Abs(share-1) > 1e-12 {
		t.Errorf("what the model does not read: %+v; shares add up to %v", w, share)
	}
	rises, intervals, err := permutationRises(t.Context(), s, d.X, d.Y, metrics.NewBootstrap(1, d.Customer))
	if err != nil {
		t.Fatal(err)
	}
	if !(rises[0] > 10*math.Abs(rises[1])) || intervals[0][0] <= 0 || intervals[0][0] > metrics.Figure(rises[0]) || intervals[0][1] < metrics.Figure(rises[0]) {
		t.Errorf("rises %v, intervals %v: a has nearly all to say", rises, intervals)
	}
	if rises[3] != 0 || intervals[3] != [2]metrics.Figure{0, 0} {
		t.Errorf("what the model does not read rises by %v in %v, want exactly 0", rises[3], intervals[3])
	}
}

func TestRanksByHand(t *testing.T) {
	if got := middleRanks([]float64{3, 1, 3, 2}); !slices.Equal(got, []float64{2.5, 0, 2.5, 1}) {
		t.Errorf("ranks %v", got)
	}
	// Spearman of (1, 2, 3, 4) and (1, 3, 2, 4): 1 - 6·2/(4·15) = .8.
	if got := rankCorrelation([]float32{1, 2, float32(math.NaN()), 3, 4}, []float64{1, 3, 9, 2, 4}); math.Abs(got-.8) > 1e-12 {
		t.Errorf("rank correlation %v, want .8", got)
	}
	if got := rankCorrelation([]float32{1, 1}, []float64{1, 2}); !math.IsNaN(got) {
		t.Errorf("of a constant: %v", got)
	}
	old, own := make([]float64, 20), make([]float64, 20)
	old[3], old[7], own[7], own[9] = 2, 1, 1, 2
	if got := topTenthInBoth(old, own); got != .5 {
		t.Errorf("one of two is in both tenths: %v", got)
	}
}

func TestSampleIsBoundedAndKeyed(t *testing.T) {
	customers := make([]string, 100)
	for i := range customers {
		customers[i] = fmt.Sprint("c", i)
	}
	small, large := sampleRows(customers, 10, 1), sampleRows(customers, 30, 1)
	if len(small) != 10 || len(large) != 30 || !slices.IsSorted(large) || len(sampleRows(customers, 1000, 1)) != 100 {
		t.Errorf("%d and %d rows", len(small), len(large))
	}
	for _, i := range small {
		if !slices.Contains(large, i) {
			t.Errorf("row %d is in the small sample only", i)
		}
	}
	if slices.Equal(small, sampleRows(customers, 10, 2)) {
		t.Error("another seed gives the same rows")
	}
}

// TestAnatomy trains twice on one thread and on many: the first model has no champion before it, the second, of later cutoffs too, has.
func TestAnatomy(t *testing.T) {
	var anatomies [2][]byte
	for k, threads := range []int{1, max(2, runtime.NumCPU())} {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
		o := testOptions(t)
		w := newWorld(300, 7)
		first, err := train(t.Context(), w, o)
		if err != nil {
			t.Fatal(err)
		}
		w = newWorld(300, 8)
		second, err := train(t.Context(), w, o)
		if err != nil {
			t.Fatal(err)
		}
		if first.Anatomy.Change != nil {
			t.Error("the first model changed something")
		}
		checkAnatomy(t, second)
		row := o.Registry.(*memory).models[second.Model.Version-1]
		var kept TrainReport
		if err := json.Unmarshal([]byte(row.Report), &kept); err != nil {
			t.Fatal(err)
		}
		ours, err := json.Marshal(second.Anatomy)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := json.Marshal(kept.Anatomy)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(ours, theirs) {
			t.Error("the registry keeps another anatomy than was told")
		}
		if bytes.Contains(row.Blob, []byte("dependence")) || bytes.Contains(row.Blob, []byte("gains")) {
			t.Error("the artifact holds the anatomy: its bytes must not depend on what a report tells")
		}
		anatomies[k] = ours
	}
	if !bytes.Equal(anatomies[0], anatomies[1]) {
		t.Error("the anatomy depends on the number of threads")
	}
}

func checkAnatomy(t *testing.T, r *TrainReport) {
	t.Helper()
	a := r.Anatomy
	rows := 0
	for _, c := range a.Cutoffs {
		rows += c.Rows
	}
	if rows != r.Rows || len(a.Cutoffs) != len(r.Cutoffs) || a.Customers < rows/len(a.Cutoffs) {
		t.Errorf("%d rows of %d customers at %d cutoffs, want %d rows", rows, a.Customers, len(a.Cutoffs), r.Rows)
	}
	if len(a.Features) != len(r.Features) || len(a.Dependence) == 0 || len(a.Dependence) > dependentFeatures || a.Dependence[0].Feature != a.Features[0].Feature {
		t.Errorf("%d features of %d, %d dependences", len(a.Features), len(r.Features), len(a.Dependence))
	}
	if a.PermutedAt == nil || !a.PermutedAt.Equal(r.Models[0].Folds[len(r.Models[0].Folds)-1].Cutoff) || a.Features[0].Rise <= 0 {
		t.Errorf("permuted at %v, the first feature rises by %v", a.PermutedAt, a.Features[0].Rise)
	}
	if k := slices.IndexFunc(a.Curves, func(c Curves) bool { return c.Family == r.Model.Family }); k < 0 || len(a.Curves[k].Reliability) == 0 || len(a.Curves[k].Gains) == 0 || a.Curves[k].Profit == nil {
		t.Errorf("curves %+v", a.Curves)
	}
	c := a.Change
	if c == nil {
		t.Fatal("there was a champion, and nothing is told of the change")
	}
	in := 0
	for _, line := range c.Bands {
		for _, n := range line {
			in += n
		}
	}
	if c.Champion.Version != 1 || c.Rows == 0 || in != c.Rows || len(c.Pairs) != min(toldPoints, c.Rows) || !(c.Correlation > .5 && c.Correlation <= 1) || math.IsNaN(float64(c.Gain)) {
		t.Errorf("change %+v", c)
	}
	if len(c.Added)+len(c.Removed) > 0 {
		t.Errorf("added %v, removed %v", c.Added, c.Removed)
	}
}
