package pipelines

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"retain/features"
	"retain/models"
	"retain/models/actions"
	"retain/models/uplift"
)

const discountCatalogue = `version: 1
actions:
  - {id: do_nothing, title: Nothing, channel: none, class: service}
  - {id: discount, title: Discount, channel: email, class: marketing, message: Hi, prior: {mean: 0.02, sd: 0.02}, subgroups: [{name: small, rule: f.subscription_seats_max > 1000}]}
`

// A model is applied with the rules that it was learned with, on features that nothing but its rules may read, whatever the catalogue in force names now.
func TestUpliftModelKeepsItsSubgroups(t *testing.T) {
	known := features.DefaultCatalogue()
	group := uplift.Group{Name: "small", Rule: "f.subscription_seats_max <= 10 && churn_probability < 0.5"}
	rng := rand.New(rand.NewPCG(1, 1))
	raw := &features.Matrix{X: make([][]float32, 2)}
	for _, name := range []string{"profile_tenure_days", "subscription_seats_max"} {
		e, _ := known.Entry(name)
		raw.Schema = append(raw.Schema, features.Column{Name: name, Definition: e.Definition()})
	}
	const n = 3000
	rows := &uplift.Rows{Groups: []uplift.Group{group}}
	risk, share := make([]float64, n), make([]float32, n)
	for i := range n {
		seats := float32(1 + rng.IntN(40))
		raw.X[0], raw.X[1] = append(raw.X[0], float32(rng.IntN(900))), append(raw.X[1], seats)
		risk[i] = .2 + .5*rng.Float64()
		treated, stays := rng.IntN(2) == 0, 1-risk[i]
		if seats <= 10 && risk[i] < .5 {
			share[i] = 1
			if treated {
				stays += .15
			}
		}
		y := 0.
		if rng.Float64() < stays {
			y = 1
		}
		rows.Y, rows.Treated, rows.Propensity = append(rows.Y, y), append(rows.Treated, treated), append(rows.Propensity, .5)
		rows.Baseline, rows.Customer = append(rows.Baseline, 1-risk[i]), append(rows.Customer, strings.Repeat("c", 1+i%7))
	}
	encoding, _ := features.FitEncoding(&features.Matrix{Schema: raw.Schema[:1], X: raw.X[:1]})
	encoded, err := encoding.Apply(raw)
	if err != nil {
		t.Fatal(err)
	}
	rows.X = uplift.WithGroups(encoded, rows.Groups, [][]float32{share})
	m, err := uplift.Trainer{Method: uplift.Beside}.Fit(t.Context(), rows, rng)
	if err != nil {
		t.Fatal(err)
	}
	blob, err := (&uplift.Bundle{Parts: []uplift.Part{{Action: "discount", Events: 200, Model: m}}}).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	a := &models.Artifact{Kind: "uplift", Name: "uplift", Catalogue: known.Only([]string{"profile_tenure_days", "subscription_seats_max"}), Encoding: encoding,
		Schema: encoding.Schema(), Fingerprint: encoding.Schema().Fingerprint(), TrainedUntil: time.Unix(0, 0), Model: blob}
	model, err := NewUpliftModel(a, "sha256:x", 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(model.Entries()) != 2 {
		t.Errorf("it reads %d features", len(model.Entries()))
	}
	engine, err := actions.Parse([]byte(discountCatalogue), nil)
	if err != nil {
		t.Fatal(err)
	}
	learned, err := model.Effects(engine.Catalogue, raw, risk)
	if err != nil {
		t.Fatal(err)
	}
	want, err := m.Estimate(rows.X, rows.Baseline)
	if err != nil {
		t.Fatal(err)
	}
	want.Settle(.02, .02)
	var mean, count [2]float64
	for i, e := range learned.Actions[1] {
		if e.Mean != float32(want.Effect[i]) {
			t.Fatalf("row %d: %v, want %v", i, e.Mean, want.Effect[i])
		}
		mean[int(share[i])] += float64(e.Mean)
		count[int(share[i])]++
	}
	if in, out := mean[1]/count[1], mean[0]/count[0]; !(in > out+.05) {
		t.Errorf("%.3f in the group, %.3f out of it", in, out)
	}
	// A rule that this program cannot read any more is told.
	rows.Groups[0].Rule = "f.feature_of_another_program > 1"
	rows.X = uplift.WithGroups(encoded, rows.Groups, [][]float32{share})
	if m, err = (uplift.Trainer{Method: uplift.Beside}).Fit(t.Context(), rows, rng); err != nil {
		t.Fatal(err)
	}
	if a.Model, err = (&uplift.Bundle{Parts: []uplift.Part{{Action: "discount", Events: 200, Model: m}}}).MarshalBinary(); err != nil {
		t.Fatal(err)
	}
	if _, err := NewUpliftModel(a, "sha256:x", 2); err == nil || !strings.Contains(err.Error(), "uplift v2, action discount: subgroup small: rule") || !strings.Contains(err.Error(), "train uplift again") {
		t.Errorf("%v", err)
	}
}
