package uplift

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"retain/features"
	"retain/models"
	"retain/models/internal/wire"
)

// corner is an experiment of n rows in which the action moves the log-odds of those of the group by effect, and those of no other. The group are rows of low first
// and low second column; the baseline is right.
func corner(n int, seed uint64, effect float64) *Rows {
	rng := rand.New(rand.NewPCG(seed, 9))
	g := Group{Name: "corner", Rule: "f.a < 0 && f.b < 0", Rough: []string{"a"}}
	x := &features.Matrix{Schema: features.Schema{{Name: "a"}, {Name: "b"}, {Name: "c"}}, X: make([][]float32, 3)}
	share := make([]float32, n)
	r := &Rows{Groups: []Group{g}}
	for i := range n {
		for j := range x.X {
			x.X[j] = append(x.X[j], float32(rng.NormFloat64()))
		}
		base := models.Sigmoid(.5*float64(x.X[2][i]) + .3)
		p := base
		treated := rng.IntN(2) == 0
		if x.X[0][i] < 0 && x.X[1][i] < 0 {
			share[i] = 1
			if treated {
				p = models.Sigmoid(logit(base) + effect)
			}
		}
		r.Y = append(r.Y, indicator(rng.Float64() < p))
		r.Treated, r.Baseline, r.Customer = append(r.Treated, treated), append(r.Baseline, base), append(r.Customer, string(rune('a'+i%26))+string(rune('a'+i/26%26))+string(rune('a'+i/676)))
	}
	r.X = WithGroups(x, r.Groups, [][]float32{share})
	return r
}

// difference is the estimated effect on the log-odds of the group's rows over that of the others, both on average, and its standard error from the posterior.
func difference(m *Model, r *Rows) (mean, se float64) {
	b := m.beside
	p := b.columns()
	in, out, z := make([]float64, p), make([]float64, p), make([]float64, p)
	var n [2]float64
	own := r.X.X[len(r.X.X)-1]
	for i := range r.Len() {
		b.fill(z, r.X, i, within(r.Baseline[i]))
		to := out
		if own[i] == 1 {
			to = in
		}
		n[int(own[i])]++
		for j, v := range z {
			to[j] += v
		}
	}
	square := 0.
	for j := range z {
		z[j] = in[j]/n[1] - out[j]/n[0]
	}
	for j, v := range z {
		mean += v * b.coef[j]
		square += v * dot(b.cov[j*p:(j+1)*p], z)
	}
	return mean, math.Sqrt(square)
}

// The measured difference of two group means, by hand, is what the learner gives back: the rows tell enough, so that the prior hardly matters. Without the group
// the same rows tell a third of it.
func TestGroupsAreFound(t *testing.T) {
	r := corner(12_000, 1, .8)
	m, _ := fitWithBaseline(t, r)
	got, se := difference(m, r)
	// By hand: Σ(y - b)/Σv of treated minus left alone, in the group and out of it.
	var moment, weight [2][2]float64
	own := r.X.X[3]
	for i, y := range r.Y {
		g, a := int(own[i]), int(indicator(r.Treated[i]))
		moment[g][a] += y - r.Baseline[i]
		weight[g][a] += r.Baseline[i] * (1 - r.Baseline[i])
	}
	effect := func(g int) float64 { return moment[g][1]/weight[g][1] - moment[g][0]/weight[g][0] }
	want := effect(1) - effect(0)
	if math.Abs(got-want) > .5*se || math.Abs(got-want) > .12 || !(se < .15) {
		t.Errorf("the group differs by %.3f (se %.3f), by hand %.3f", got, se, want)
	}
	plain := *r
	plain.Groups = nil
	plain.X = &features.Matrix{Schema: r.X.Schema[:3], X: r.X.X[:3]}
	truth := make([]float64, r.Len())
	for i, v := range own {
		truth[i] = float64(v) * r.Baseline[i] * (1 - r.Baseline[i])
	}
	_, with := fitWithBaseline(t, r)
	_, without := fitWithBaseline(t, &plain)
	if a, b := gain(with.Effect, truth)/gain(truth, truth), gain(without.Effect, truth)/gain(truth, truth); !(a > .9 && b < a-.1) {
		t.Errorf("%.3f of the gain with the group, %.3f without", a, b)
	}
}

// Where the action does nothing, the interval of the group's difference holds 0 about as often as it says.
func TestGroupsOfNothing(t *testing.T) {
	held, largest := 0, 0.
	const worlds = 60
	for seed := range uint64(worlds) {
		r := corner(1500, 100+seed, 0)
		m, _ := fitWithBaseline(t, r)
		d, se := difference(m, r)
		if math.Abs(d) <= 1.96*se {
			held++
		}
		largest = max(largest, math.Abs(d))
	}
	if held < 53 || largest > .8 { // of 60 at 95 %: 53 or fewer once in 60
		t.Errorf("%d of %d intervals hold 0; the largest difference is %.2f", held, worlds, largest)
	}
}

// A prior mean is the same as to take what it explains off the rows, and to add it again: coefficients and, but for a constant, marginal likelihoods.
func TestExpectationsAreTakenOffTheRows(t *testing.T) {
	r := corner(400, 5, .6)
	r.Groups[0].Expected = Worse
	b := &beside{terms: besideTerms(r), scale: 1}
	gram, moment := b.gram(r)
	n := len(moment)
	at := func(i, j int) float64 { return gram.Data[min(i, j)*n+max(i, j)] }
	var constant float64
	for k, wrong := range deviations {
		for l, effect := range deviations {
			prior := b.prior(wrong, effect, r.Groups)
			if prior.mean[n-1] != -groupDeviation || prior.mean[n-2] != 0 {
				t.Fatalf("prior means %v", prior.mean)
			}
			got, err := besideOf(gram, moment, prior)
			if err != nil {
				t.Fatal(err)
			}
			rest := slices.Clone(moment)
			for i := range rest {
				for j, m := range prior.mean {
					rest[i] -= at(i, j) * m
				}
			}
			want, err := besideOf(gram, rest, gaussian{make([]float64, n), prior.sd})
			if err != nil {
				t.Fatal(err)
			}
			for j, v := range want.coef {
				if math.Abs(got.coef[j]-v-prior.mean[j]) > 1e-9 {
					t.Errorf("coefficient %d is %v, taken off first %v", j, got.coef[j], v+prior.mean[j])
				}
			}
			if k == 0 && l == 0 {
				constant = got.loss - want.loss
			}
			if math.Abs(got.loss-want.loss-constant) > 1e-7 {
				t.Errorf("deviations %v and %v: the likelihood moves by %v, at first by %v", wrong, effect, got.loss-want.loss, constant)
			}
		}
	}
}

// Few rows leave the expected side standing, many overrule it.
func TestExpectationsGiveWay(t *testing.T) {
	expecting := func(n int, expected string) float64 {
		r := corner(n, 6, .8)
		r.Groups[0].Expected = expected
		m, _ := fitWithBaseline(t, r)
		d, _ := difference(m, r)
		return d
	}
	few, many := expecting(300, Better)-expecting(300, Worse), expecting(24_000, Better)-expecting(24_000, Worse)
	if !(few > .25 && few < 1) || !(many > 0 && many < .05) {
		t.Errorf("what is expected moves 300 rows by %.3f and 24,000 by %.3f", few, many)
	}
	if d := expecting(24_000, Worse); math.Abs(d-.8) > .2 {
		t.Errorf("expected to be worse, the group is found at %.2f, not .8", d)
	}
}

// A model of the version before, which knew nothing of expectations, is read as it was written.
func TestGroupsOfTheVersionBefore(t *testing.T) {
	r := corner(2000, 3, .6)
	m, _ := fitWithBaseline(t, r)
	blob, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	g := r.Groups[0]
	var now, before wire.Writer
	writeGroups(&now, r.Groups)
	before.Uint(1)
	before.String(g.Name)
	before.String(g.Rule)
	before.Uint(1)
	before.String(g.Rough[0])
	const head, sum = 14, 4 // of a frame
	behind := blob[head+len(now.Bytes()) : len(blob)-sum]
	back, err := Decode(wire.Seal(magic, groupedVersion, append(before.Bytes(), behind...)), r.X.Schema[:3])
	if err != nil {
		t.Fatal(err)
	}
	if again, err := back.MarshalBinary(); err != nil || !bytes.Equal(again, blob) {
		t.Errorf("the model is another one: %v", err)
	}
}

func TestGroupsAreKept(t *testing.T) {
	r := corner(2000, 3, .6)
	r.Groups[0].Expected = Better
	for _, trainer := range []Trainer{{Method: Beside}, {Method: DoublyRobust, Base: Linear}, {Method: TLearner, Base: Linear}} {
		m, err := trainer.Fit(t.Context(), r, rand.New(rand.NewPCG(1, 1)))
		if err != nil {
			t.Fatal(err)
		}
		blob, err := m.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(blob, r.X.Schema[:3])
		if err != nil {
			t.Fatal(err)
		}
		again, _ := back.MarshalBinary()
		if !bytes.Equal(blob, again) || len(back.Groups()) != 1 || back.Groups()[0].Rule != r.Groups[0].Rule || back.Groups()[0].Rough[0] != "a" || back.Groups()[0].Expected != Better {
			t.Errorf("%s: groups %+v", trainer.Name(), back.Groups())
		}
		a, err := m.Estimate(r.X, r.Baseline)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := back.Estimate(r.X, r.Baseline); err != nil || b.Effect[7] != a.Effect[7] {
			t.Errorf("%s: %v", trainer.Name(), err)
		}
		// Another rule, or none, is another column.
		other := *r.X
		other.Schema = groupedSchema(r.X.Schema[:3], []Group{{Name: "corner", Rule: "f.a < 1", Rough: []string{"a"}}})
		for _, x := range []*features.Matrix{&other, {Schema: r.X.Schema[:3], X: r.X.X[:3]}} {
			if _, err := back.Estimate(x, r.Baseline); !errors.Is(err, models.ErrFeatureMismatch) {
				t.Errorf("%s: rows of another rule: %v", trainer.Name(), err)
			}
		}
		for cut := range len(blob) { // never panics
			if _, err := Decode(blob[:cut], r.X.Schema[:3]); err == nil {
				t.Fatalf("%s: decoded from %d of %d bytes", trainer.Name(), cut, len(blob))
			}
			if cut > 300 {
				break
			}
		}
	}
	// A model without groups is written as before there were any.
	plain := *r
	plain.Groups, plain.X = nil, &features.Matrix{Schema: r.X.Schema[:3], X: r.X.X[:3]}
	m, _ := fitWithBaseline(t, &plain)
	if blob, err := m.MarshalBinary(); err != nil || blob[4] != 1 {
		t.Errorf("format version %d: %v", blob[4], err)
	}
}

func TestGroupsRefused(t *testing.T) {
	for want, change := range map[string]func(*Rows){
		"is \"c\" and not that": func(r *Rows) { r.X = &features.Matrix{Schema: r.X.Schema[:3], X: r.X.X[:3]} },
		"by 1.5":                func(r *Rows) { r.X.X[3][4] = 1.5 },
		"by NaN":                func(r *Rows) { r.X.X[3][4] = float32(math.NaN()) },
		"65 groups":             func(r *Rows) { r.Groups = make([]Group, 65) },
		"\"more\" is expected":  func(r *Rows) { r.Groups[0].Expected = "more" },
	} {
		r := corner(300, 4, 0)
		change(r)
		if _, err := (Trainer{Method: Beside}).Fit(t.Context(), r, rand.New(rand.NewPCG(1, 1))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
