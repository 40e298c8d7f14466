// Package modelstest checks what every model family promises: models.Trainer, models.Model and models.Explainer.
package modelstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"sync"
	"testing"

	"retain/features"
	"retain/models"
)

// Case is a trainer under test.
type Case struct {
	Trainer models.Trainer                                // required
	Decode  models.Decoder                                // required: reads the model's MarshalBinary
	Data    func(seed uint64, rows int) *features.Dataset // nil: Data of this package
	Rows    int                                           // of the training data; 0 = 600
	Order   float64                                       // greatest |difference| of a margin when the training rows come shuffled; 0 = 1e-6
	Seed    uint64                                        // of data and fits
}

const additivity = 1e-6 // the promise of models.Explainer

// Check runs every check as a subtest: deterministic on any number of threads; refitting forgets; the trainer, the data and the
// model share nothing; row order (within Order); a row's margin does not depend on the rows beside it; round trip of the bytes, damaged
// bytes are errors; bad input; additive contributions; concurrent use (run it under -race).
func Check(t *testing.T, c Case) {
	t.Helper()
	if c.Data == nil {
		c.Data = Data
	}
	if c.Rows == 0 {
		c.Rows = 600
	}
	if c.Order == 0 {
		c.Order = 1e-6
	}
	for _, check := range []struct {
		name string
		run  func(*testing.T, Case)
	}{
		{"deterministic", checkDeterministic},
		{"refit forgets", checkRefit},
		{"keeps nothing of the data", checkKeepsNothing},
		{"row order", checkRowOrder},
		{"weights count rows", checkWeights},
		{"subset invariance", checkSubset},
		{"round trip", checkRoundTrip},
		{"damaged bytes", checkDamage},
		{"bad training data", checkBadTraining},
		{"bad input", checkBadInput},
		{"additivity", checkAdditivity},
		{"concurrent use", checkConcurrent},
	} {
		t.Run(check.name, func(t *testing.T) { check.run(t, c) })
	}
}

func (c Case) rng() *rand.Rand { return rand.New(rand.NewPCG(c.Seed, 1)) }

func (c Case) train() *features.Dataset { return c.Data(c.Seed, c.Rows) }

// held is other rows of the same kind.
func (c Case) held() *features.Matrix { return c.Data(c.Seed+1, 100).X }

func (c Case) fit(t *testing.T, d *features.Dataset) models.Model {
	t.Helper()
	m, err := c.Trainer.Fit(t.Context(), d, c.rng())
	if err != nil {
		t.Fatalf("fit: %v", err)
	}
	return m
}

func marshal(t *testing.T, m models.Model) []byte {
	t.Helper()
	b, err := m.MarshalBinary()
	if err != nil {
		t.Fatalf("marshal: %v", err)
	}
	return b
}

func margin(t *testing.T, m models.Model, x *features.Matrix) []float64 {
	t.Helper()
	dst := make([]float64, x.Rows())
	if err := m.Margin(dst, x); err != nil {
		t.Fatalf("margin: %v", err)
	}
	for i, v := range dst {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			t.Fatalf("margin of row %d is %v", i, v)
		}
	}
	return dst
}

func checkDeterministic(t *testing.T, c Case) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var want []byte
	for _, threads := range []int{1, 4, 2} {
		runtime.GOMAXPROCS(threads)
		m := c.fit(t, c.train())
		got := marshal(t, m)
		if want == nil {
			want = got
		}
		if !bytes.Equal(got, want) {
			t.Errorf("the model fitted on %d threads differs", threads)
		}
		if !bytes.Equal(marshal(t, m), got) {
			t.Error("the same model gives other bytes the second time")
		}
	}
}

func checkRefit(t *testing.T, c Case) {
	before := fmt.Sprintf("%#v", c.Trainer)
	want := marshal(t, c.fit(t, c.train()))
	c.fit(t, c.Data(c.Seed+7, c.Rows))
	if !bytes.Equal(marshal(t, c.fit(t, c.train())), want) {
		t.Error("a fit remembers the fit before it")
	}
	if after := fmt.Sprintf("%#v", c.Trainer); after != before {
		t.Errorf("the fit changed its trainer from %s to %s", before, after)
	}
}

func checkKeepsNothing(t *testing.T, c Case) {
	d := c.train()
	m := c.fit(t, d)
	if fresh := c.train(); !sameDataset(d, fresh) {
		t.Error("the fit changed its rows")
	}
	x := c.held()
	want := margin(t, m, x)
	for _, column := range d.X.X {
		for i := range column {
			column[i] = 1
		}
	}
	clear(d.Y)
	for i, got := range margin(t, m, x) {
		if got != want[i] {
			t.Fatalf("row %d: the margin moved from %v to %v when the training rows were overwritten", i, want[i], got)
		}
	}
}

func checkRowOrder(t *testing.T, c Case) {
	d := c.train()
	x := c.held()
	want := margin(t, c.fit(t, d), x)
	shuffled := d.Take(rand.New(rand.NewPCG(c.Seed, 2)).Perm(d.Rows()))
	for i, got := range margin(t, c.fit(t, shuffled), x) {
		if math.Abs(got-want[i]) > c.Order {
			t.Fatalf("row %d: margin %v, %v with the training rows shuffled (allowed %g)", i, want[i], got, c.Order)
		}
	}
}

// checkWeights asks that weights of 1 are the same as none.
func checkWeights(t *testing.T, c Case) {
	d := c.train()
	d.Weight = nil
	x := c.held()
	want := margin(t, c.fit(t, d), x)
	d.Weight = make([]float64, d.Rows())
	for i := range d.Weight {
		d.Weight[i] = 1
	}
	for i, got := range margin(t, c.fit(t, d), x) {
		if math.Abs(got-want[i]) > 1e-9 {
			t.Fatalf("row %d: margin %v without weights, %v with weights of 1", i, want[i], got)
		}
	}
}

func checkSubset(t *testing.T, c Case) {
	m := c.fit(t, c.train())
	x := c.held()
	want := margin(t, m, x)
	for i := range x.Rows() {
		if got := margin(t, m, x.Slice(i, i+1))[0]; got != want[i] {
			t.Fatalf("row %d: margin %v among others, %v alone", i, want[i], got)
		}
	}
	if got := margin(t, m, x.Slice(0, 0)); len(got) != 0 {
		t.Errorf("no rows gave %d margins", len(got))
	}
}

func checkRoundTrip(t *testing.T, c Case) {
	m := c.fit(t, c.train())
	b := marshal(t, m)
	back, err := c.Decode(b, m.Schema())
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	if back.Family() != m.Family() || !reflect.DeepEqual(back.Schema(), m.Schema()) {
		t.Errorf("family or schema changed: %s, %s", m.Family(), back.Family())
	}
	if !bytes.Equal(marshal(t, back), b) {
		t.Error("the decoded model gives other bytes")
	}
	x := c.held()
	want := margin(t, m, x)
	for i, got := range margin(t, back, x) {
		if got != want[i] {
			t.Fatalf("row %d: margin %v, %v after the round trip", i, want[i], got)
		}
	}
	other := append(features.Schema{}, m.Schema()...)
	other[0].Name += "_renamed"
	if _, err := c.Decode(b, other); !errors.Is(err, models.ErrFeatureMismatch) {
		t.Errorf("decoding for other features: %v, want ErrFeatureMismatch", err)
	}
}

func checkDamage(t *testing.T, c Case) {
	m := c.fit(t, c.train())
	b := marshal(t, m)
	step := max(1, len(b)/200)
	for k := 0; k < len(b); k += step {
		if _, err := c.Decode(b[:k], m.Schema()); err == nil {
			t.Errorf("the first %d of %d bytes are read as a model", k, len(b))
		}
		bad := bytes.Clone(b)
		bad[k] ^= 0x40
		if _, err := c.Decode(bad, m.Schema()); err == nil {
			t.Errorf("a flipped bit in byte %d of %d goes unnoticed", k, len(b))
		}
	}
	if _, err := c.Decode(append(bytes.Clone(b), 0), m.Schema()); err == nil {
		t.Error("a trailing byte goes unnoticed")
	}
}

func checkBadTraining(t *testing.T, c Case) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Trainer.Fit(cancelled, c.train(), c.rng()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v, want context.Canceled", err)
	}
	for _, k := range []struct {
		name  string
		spoil func(*features.Dataset)
		want  error // nil: any error
	}{
		{"churners only", func(d *features.Dataset) {
			for i := range d.Y {
				d.Y[i] = 1
			}
		}, models.ErrOneClass},
		{"stayers only", func(d *features.Dataset) { clear(d.Y) }, models.ErrOneClass},
		{"infinite value", func(d *features.Dataset) { d.X.X[0][3] = float32(math.Inf(-1)) }, models.ErrNotFinite},
		{"label missing", func(d *features.Dataset) { d.Y[5] = math.NaN() }, nil},
		{"label of two", func(d *features.Dataset) { d.Y[5] = 2 }, nil},
		{"labels cut", func(d *features.Dataset) { d.Y = d.Y[1:] }, nil},
		{"weights cut", func(d *features.Dataset) { d.Weight = make([]float64, 1) }, nil},
		{"weight of zero", func(d *features.Dataset) { d.Weight = make([]float64, d.Rows()) }, nil},
		{"ragged column", func(d *features.Dataset) { d.X.X[1] = d.X.X[1][1:] }, nil},
		{"no rows", func(d *features.Dataset) { *d = *d.Take([]int{}) }, nil},
	} {
		d := c.train()
		k.spoil(d)
		_, err := c.Trainer.Fit(t.Context(), d, c.rng())
		if err == nil || k.want != nil && !errors.Is(err, k.want) {
			t.Errorf("%s: error %v, want %v", k.name, err, k.want)
		}
	}
}

func checkBadInput(t *testing.T, c Case) {
	m := c.fit(t, c.train())
	x := c.held()
	n, p := x.Rows(), x.Cols()

	blank := x.Take([]int{0})
	for j := range blank.X {
		blank.X[j][0] = float32(math.NaN())
	}
	margin(t, m, blank) // a customer of whom nothing is known still gets a finite margin

	calls := func(dst, all []float64, x *features.Matrix) map[string]error {
		errs := map[string]error{"margin": m.Margin(dst, x)}
		if e, ok := m.(models.Explainer); ok {
			_, errs["contributions"] = e.Contributions(all, x)
		}
		return errs
	}
	for name, err := range calls(make([]float64, n+1), make([]float64, n*p-1), x) {
		if err == nil {
			t.Errorf("%s: dst of the wrong length is accepted", name)
		}
	}
	infinite := x.Take([]int{0, 1})
	infinite.X[p-1][1] = float32(math.Inf(1))
	for name, err := range calls(make([]float64, 2), make([]float64, 2*p), infinite) {
		if !errors.Is(err, models.ErrNotFinite) {
			t.Errorf("%s of an infinite value: %v, want ErrNotFinite", name, err)
		}
	}
	fewer := &features.Matrix{Schema: x.Schema[1:], X: x.X[1:]}
	swapped := &features.Matrix{Schema: append(features.Schema{}, x.Schema...), X: x.X}
	swapped.Schema[0], swapped.Schema[1] = swapped.Schema[1], swapped.Schema[0]
	for _, other := range []*features.Matrix{fewer, swapped} {
		for name, err := range calls(make([]float64, n), make([]float64, n*other.Cols()), other) {
			if !errors.Is(err, models.ErrFeatureMismatch) {
				t.Errorf("%s of other features: %v, want ErrFeatureMismatch", name, err)
			}
		}
	}
}

func checkAdditivity(t *testing.T, c Case) {
	m, ok := c.fit(t, c.train()).(models.Explainer)
	if !ok {
		return // a row of comparison gives no reasons to add up
	}
	x := c.held()
	want := margin(t, m, x)
	p := x.Cols()
	all := make([]float64, x.Rows()*p)
	for i := range all {
		all[i] = math.NaN() // whatever dst held before must not count
	}
	base, err := m.Contributions(all, x)
	if err != nil {
		t.Fatalf("contributions: %v", err)
	}
	for i, margin := range want {
		sum := base
		for _, v := range all[i*p : (i+1)*p] {
			sum += v
		}
		if !(math.Abs(sum-margin) < additivity) {
			t.Fatalf("row %d: base and contributions add up to %v, the margin is %v", i, sum, margin)
		}
	}
}

func checkConcurrent(t *testing.T, c Case) {
	m := c.fit(t, c.train())
	x := c.held()
	want := margin(t, m, x)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			dst := make([]float64, x.Rows())
			if err := m.Margin(dst, x); err != nil {
				t.Errorf("margin: %v", err)
				return
			}
			for i := range dst {
				if dst[i] != want[i] {
					t.Errorf("row %d: margin %v beside others, %v before", i, dst[i], want[i])
					return
				}
			}
			if e, ok := m.(models.Explainer); ok {
				if _, err := e.Contributions(make([]float64, x.Rows()*x.Cols()), x); err != nil {
					t.Errorf("contributions: %v", err)
				}
			}
			if _, err := m.MarshalBinary(); err != nil {
				t.Errorf("marshal: %v", err)
			}
		})
	}
	wg.Wait()
}
