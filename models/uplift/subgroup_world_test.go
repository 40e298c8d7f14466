package uplift

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"retain/features"
	"retain/models/actions"
	"retain/simulation"
)

// catalogued are the columns of an experiment by the names that the shipped catalogue of actions knows them by. Features ever used stand for those of the last
// 84 days.
func catalogued(t testing.TB, x *features.Matrix) *features.Matrix {
	t.Helper()
	out := &features.Matrix{}
	for _, c := range []struct{ name, own string }{
		{"profile_tenure_days", "tenure_days"}, {"usage_features_distinct_84d", "usage_features_ever"}, {"usage_sessions_count_28d", "usage_count_28d"},
		{"subscription_billing_days", "subscription_billing_days"}, {"subscription_auto_renew", "subscription_auto_renew"}, {"subscription_seats_max", "subscription_seats"},
		{"subscription_paid_share", "subscription_discount"},
	} {
		j := slices.IndexFunc(x.Schema, func(s features.Column) bool { return s.Name == c.own })
		if j < 0 {
			t.Fatalf("the experiment has no %s", c.own)
		}
		column := slices.Clone(x.X[j])
		if c.own == "subscription_discount" {
			for i, v := range column {
				column[i] = 1 - v
			}
		}
		out.X, out.Schema = append(out.X, column), append(out.Schema, features.Column{Name: c.name})
	}
	return out
}

// shippedAs are the actions of the world by their ids in the shipped catalogue.
var shippedAs = map[string]string{"discount": "discount", "save_call": "save_call", "feature_education": "feature_education", "email": "check_in"}

// anothers are, for each action of the world, one whose subgroups have nothing to do with it.
var anothers = map[string]string{"discount": "save_call", "save_call": "email", "email": "feature_education", "feature_education": "discount"}

// named are the rows with the subgroups of some action of the shipped catalogue. Bounds that the catalogue calls rough are multiplied by a factor; exact tries no
// others beside them.
func named(t testing.TB, r *Rows, world string, factor float64, exact bool) *Rows {
	t.Helper()
	engine, err := actions.Default(nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := catalogued(t, r.X)
	own := engine.Catalogue.Actions[engine.Catalogue.Index(shippedAs[world])].Subgroups
	out := *r
	var shares [][]float32
	for _, g := range own {
		x := &features.Matrix{Schema: seen.Schema, X: slices.Clone(seen.X)}
		for j, c := range x.Schema {
			if factor != 1 && slices.Contains(g.Rough, c.Name) {
				x.X[j] = slices.Clone(x.X[j])
				for i := range x.X[j] {
					x.X[j][i] /= float32(factor)
				}
			}
		}
		if exact {
			g.Rough = nil
		}
		rules, err := actions.CompileSubgroups([]actions.Subgroup{g}, engine.Features)
		if err != nil {
			t.Fatal(err)
		}
		out.Groups = append(out.Groups, Group(g))
		risk := make([]float64, r.Len())
		for i, p := range r.Baseline {
			risk[i] = 1 - p
		}
		shares = append(shares, rules.Shares(x, risk)...)
	}
	out.X = WithGroups(r.X, out.Groups, shares)
	return &out
}

// expecting are rows of whose groups something else is expected.
func expecting(r *Rows, of func(string) string) *Rows {
	out := *r
	out.Groups = slices.Clone(r.Groups)
	for k := range out.Groups {
		out.Groups[k].Expected = of(out.Groups[k].Expected)
	}
	return &out
}

func opposite(expected string) string {
	switch expected {
	case Better:
		return Worse
	case Worse:
		return Better
	}
	return ""
}

// BenchmarkKnownWorldSubgroups prints what the learners reach with the subgroups that the shipped catalogue names, as BenchmarkKnownWorld does without, and how much
// hangs on their being well chosen.
func BenchmarkKnownWorldSubgroups(b *testing.B) {
	worlds := benchWorlds(b)
	n := float64(len(worlds))
	share, covered, over := map[string]float64{}, map[string]cover{}, map[string]float64{}
	for _, seed := range worlds {
		b.Run(fmt.Sprintf("world=%d", seed), func(b *testing.B) {
			for b.Loop() {
				x := newExperiment(b, 40_000, seed, simulation.MixedEffects)
				stays := champion(b, x, 20_000, seed)
				for a, name := range simulation.Actions() {
					if shippedAs[name] == "" {
						continue
					}
					r := x.draw(a, even, seed)
					r.Baseline = stays
					judgeSubgroups(b, x.effects[a], r, name, seed, func(variant string, gain float64, held cover, champion float64) {
						key := name + " " + variant
						share[key] += gain / n
						covered[key] = cover{covered[key].single + held.single/n, covered[key].twentieths + held.twentieths/n}
						over[key] += champion / n
					})
				}
			}
		})
	}
	for _, key := range slices.Sorted(maps.Keys(share)) {
		fmt.Printf("mean of %d worlds: %-45s %.3f of the oracle's gain, the champion %.3f; 95 %% intervals hold %.2f of the true effects, %.2f of the means of twentieths\n", len(worlds), key, share[key], over[key],
			covered[key].single, covered[key].twentieths)
	}
}

// judgeSubgroups tells what is recovered of an action's effects in one world, by variants of what is named beforehand.
func judgeSubgroups(b *testing.B, truth []float64, r *Rows, name string, seed uint64, tell func(variant string, gain float64, held cover, champion float64)) {
	risk := make([]float64, r.Len())
	for i, p := range r.Baseline {
		risk[i] = 1 - p
	}
	shipped := named(b, r, name, 1, false)
	oracle := gain(truth, truth)
	champion := gain(risk, truth) / oracle
	line := fmt.Sprintf("%s: champion %.3f", name, champion)
	for _, v := range []struct {
		name  string
		train Trainer
		rows  *Rows
	}{
		{"beside, none named", Trainer{Method: Beside}, r},
		{"beside, as shipped", Trainer{Method: Beside}, shipped},
		{"beside, nothing expected", Trainer{Method: Beside}, expecting(shipped, func(string) string { return "" })},
		{"beside, the opposite expected", Trainer{Method: Beside}, expecting(shipped, opposite)},
		{"beside, bounds a third lower", Trainer{Method: Beside}, named(b, r, name, 2./3, false)},
		{"beside, bounds a third higher", Trainer{Method: Beside}, named(b, r, name, 4./3, false)},
		{"beside, bounds taken exactly", Trainer{Method: Beside}, named(b, r, name, 1, true)},
		{"beside, another action's", Trainer{Method: Beside}, named(b, r, anothers[name], 1, false)},
		{"dr_linear, as shipped", Trainer{Method: DoublyRobust, Base: Linear}, shipped},
	} {
		e := outOfFold(b, v.train, v.rows, seed)
		own := gain(inOrder(e.Effect), truth) / oracle
		line += fmt.Sprintf(", %s %.3f", v.name, own)
		tell(v.name, own, covers(e, truth), champion)
	}
	b.Log(line)
}
