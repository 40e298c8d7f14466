package training

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"retain/features"
	"retain/internal/warehouse"
	"retain/models"
	"retain/models/actions"
	"retain/models/uplift"
	"retain/training/metrics"
)

// letterLine is a row of an experiment: the letter helps those who are new by .25, and harms the others by .1.
func letterLine(i int, rng *rand.Rand) string {
	tenure, arm := rng.IntN(60), []string{"letter", "none", "call"}[rng.IntN(3)]
	p := .3 + .004*float64(tenure)
	if arm == "letter" && tenure < 30 {
		p += .25
	} else if arm == "letter" {
		p -= .1
	}
	bought := "no"
	if rng.Float64() < p {
		bought = "yes"
	}
	return fmt.Sprintf("c%d,%d,%.2f,%s,%s", i, tenure, rng.Float64(), arm, bought)
}

const letterHeader = "Customer,tenure,noise,Arm,bought"

func letterOptions(path string) UpliftOptions {
	return UpliftOptions{Flat: FlatOptions{Path: path, Target: "bought", Positive: "yes", ID: "customer", Folds: 3, Seed: 1}, Treatment: "arm", Treated: "letter", Control: "none"}
}

func TestEvaluateUplift(t *testing.T) {
	path := flatFile(t, 3000, letterLine, letterHeader)
	report, err := EvaluateUplift(t.Context(), letterOptions(path))
	if err != nil {
		t.Fatal(err)
	}
	if report.Rows != report.Treated+report.Control || report.LeftOut+report.Rows != 3000 || report.Features != 2 || len(report.Warnings) != 0 {
		t.Errorf("%d rows, %d + %d, %d left out, %d features, %v", report.Rows, report.Treated, report.Control, report.LeftOut, report.Features, report.Warnings)
	}
	names := ""
	for _, l := range report.Learners {
		names += l.Name + " "
		if l.Name == outcomeOrder {
			continue
		}
		if !(l.Interval[0] > 0) || len(l.Groups) != 4 || len(l.Curve) != len(upliftShares) {
			t.Errorf("%s: Qini %.1f, interval %v, %d groups, %d points", l.Name, float64(l.Qini), l.Interval, len(l.Groups), len(l.Curve))
		}
		near(t, l.Name+": uplift of all", float64(l.Curve[9].Uplift), float64(report.Effect.Uplift), 1e-9)
		near(t, l.Name+": estimate of all", float64(l.Curve[9].Estimated), float64(report.Effect.Uplift), .05)
		customers := 0
		for _, g := range l.Groups {
			customers += g.Customers
			if g.Name == GroupDisturbed && !(g.Uplift < 0) || g.Name == GroupPersuadable && !(g.Uplift > .1) {
				t.Errorf("%s: %s have an uplift of %.3f", l.Name, g.Name, float64(g.Uplift))
			}
		}
		if customers != report.Rows {
			t.Errorf("%s: %d customers in groups", l.Name, customers)
		}
	}
	if names != "t_linear t_boost dr_linear dr_boost outcome_score " || !strings.Contains(strings.Join(report.Verdict, "\n"), report.Best) {
		t.Errorf("learners %sand %q", names, report.Verdict)
	}
}

// The column that decided who was treated gives it away, and there is no figure; with the logged probabilities there is.
func TestEvaluateUpliftRefuses(t *testing.T) {
	chosen := flatFile(t, 1500, func(i int, rng *rand.Rand) string {
		tenure := rng.IntN(60)
		p := .2 + .01*float64(tenure)
		arm := "0"
		if rng.Float64() < p {
			arm = "1"
		}
		bought := "no"
		if rng.Float64() < .4 {
			bought = "yes"
		}
		return fmt.Sprintf("c%d,%d,%.3f,%s,%s", i, tenure, p, arm, bought)
	}, "customer,tenure,p,arm,bought")
	o := letterOptions(chosen)
	o.Treated, o.Control = "1", "0"
	var data *DataError
	if _, err := EvaluateUplift(t.Context(), o); !errors.As(err, &data) || !strings.Contains(err.Error(), "no uplift figure") {
		t.Errorf("not randomised: %v", err)
	}
	o.Propensity = "p"
	report, err := EvaluateUplift(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range report.Learners[:4] {
		if l.Interval[0] > 0 {
			t.Errorf("%s finds an order where there is none: %v", l.Name, l.Interval)
		}
	}
	few := letterOptions(flatFile(t, 90, letterLine, letterHeader))
	if _, err := EvaluateUplift(t.Context(), few); !errors.As(err, &data) || !strings.Contains(err.Error(), "no uplift figure") {
		t.Errorf("few rows: %v", err)
	}
	var wrong *UsageError
	for name, change := range map[string]func(*UpliftOptions){
		"no column":  func(o *UpliftOptions) { o.Treatment = "weather" },
		"no value":   func(o *UpliftOptions) { o.Treated = "rain" },
		"same arms":  func(o *UpliftOptions) { o.Treated = o.Control },
		"one fold":   func(o *UpliftOptions) { o.Flat.Folds = 1 },
		"no target":  func(o *UpliftOptions) { o.Flat.Target = "" },
		"propensity": func(o *UpliftOptions) { o.Propensity = "weather" },
		"repeats":    func(o *UpliftOptions) { o.Repeats = -1 },
	} {
		o := letterOptions(chosen)
		o.Treated, o.Control = "1", "0"
		change(&o)
		if _, err := EvaluateUplift(t.Context(), o); !errors.As(err, &wrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGroupsByHand(t *testing.T) {
	for _, c := range []struct {
		effect, control float64
		want            string
	}{{.01, .2, GroupPersuadable}, {-.01, .9, GroupDisturbed}, {.009, .5, GroupSureThing}, {0, .49, GroupLostCause}, {-.0099, .7, GroupSureThing}} {
		if got := groupOf(c.effect, c.control); got != c.want {
			t.Errorf("%v, %v: %s", c.effect, c.control, got)
		}
	}
	// Rates 2/3 and 1/2. The squares of the centred parts: treated (1/9+1/9+4/9)/9, left alone (1/4+1/4)/4.
	trial := metrics.Trial{Y: []float64{1, 1, 0, 1, 0}, Treated: []bool{true, true, true, false, false}, Customer: []string{"a", "b", "c", "d", "e"}}
	e := effectOf(trial, []int{0, 1, 2, 3, 4})
	se := math.Sqrt(6./9/9 + .5/4)
	near(t, "uplift", float64(e.Uplift), 1./6, 1e-12)
	near(t, "high", float64(e.Interval[1]), 1./6+1.96*se, 1e-12)
	// Weights 1/e: 2, 4 and 2 for the treated give (2 + 4)/8.
	trial.Propensity = []float64{.5, .25, .5, .5, .75}
	near(t, "weighted rate", float64(effectOf(trial, []int{0, 1, 2, 3, 4}).Treated), .75, 1e-12)
	near(t, "weighted rate of those left alone", float64(effectOf(trial, []int{0, 1, 2, 3, 4}).Control), 2./6, 1e-12)
}

// diary is a world with a log of decisions: one customer in ten is held out, .3 get help, .2 another action, the rest nothing. Help keeps four of five who would leave
// on the plan pro.
type diary struct {
	*world
	certain bool // help is what everyone gets
	lying   bool // of the propensities
	other   bool // every twentieth customer got something else than was decided
	draws   uint64
}

func (d diary) draw(cutoff time.Time, customer string) (chosen string, held bool) {
	u := float64(features.KeyedHash(uint64(cutoff.Unix())+d.draws, "diary", customer)>>11) / (1 << 53)
	switch {
	case d.certain:
		return "help", false
	case u < .1:
		return actions.DoNothing, true
	case u < .4:
		return "help", false
	case u < .6:
		return "survey", false
	}
	return actions.DoNothing, false
}

func (d diary) DecisionRuns(context.Context) ([]warehouse.DecisionRun, error) {
	var runs []warehouse.DecisionRun
	for _, t := range d.cutoffs {
		runs = append(runs, warehouse.DecisionRun{RunID: day(t), Cutoff: t}, warehouse.DecisionRun{RunID: day(t) + " again", Cutoff: t.AddDate(0, 0, 2)})
	}
	return runs, nil
}

func (d diary) TakenOtherwise(context.Context, warehouse.DecisionRun, time.Time) ([]string, error) {
	var customers []string
	for i := range d.customers {
		if d.other && i%20 == 0 {
			customers = append(customers, fmt.Sprintf("c%05d", i))
		}
	}
	return customers, nil
}

func (d diary) RunsTold(context.Context) ([]string, error) { return nil, nil }

// Treatments are not asked for: the diary draws its control group anew at each run, and its runs tell no share.
func (d diary) Treatments(context.Context, warehouse.TreatmentGroup) ([]warehouse.Treatment, error) {
	return nil, errors.New("the runs of the diary hold nobody out")
}

func (d diary) Decisions(_ context.Context, run warehouse.DecisionRun) iter.Seq2[warehouse.DecisionRow, error] {
	return func(yield func(warehouse.DecisionRow, error) bool) {
		for i := range d.customers {
			r := warehouse.DecisionRow{CustomerID: fmt.Sprintf("c%05d", i), Actions: []string{"help", "survey", actions.DoNothing}, Propensities: []float64{.3, .2, .5}}
			var held bool
			if r.Chosen, held = d.draw(run.Cutoff, r.CustomerID); held {
				r.Actions, r.Propensities = []string{"survey", actions.DoNothing}, []float64{.2, .5}
				r.Withheld, r.WithheldPropensities = []string{"help"}, []float64{.3}
			}
			if d.certain {
				r.Propensities = []float64{1, 0, 0}
			}
			if d.lying {
				r.Propensities[0] = .6
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (d diary) Labels(ctx context.Context, cutoff, knownBefore time.Time) ([]float64, error) {
	y, err := d.world.Labels(ctx, cutoff, knownBefore)
	s, _ := d.rows(cutoff)
	for i, id := range s.Customer {
		if chosen, _ := d.draw(cutoff, id); chosen == "help" && y[i] == 1 && s.X.X[4][i] == 2 && features.KeyedHash(1, "kept", id)%5 != 0 {
			y[i] = 0
		}
	}
	return y, err
}

func TestTrainUplift(t *testing.T) {
	w := diary{world: newWorld(1500, 6)}
	o := Options{Churn: features.DefaultChurn(), Seed: 1, Registry: &memory{}}.filled()
	report, err := trainUplift(t.Context(), w, o, UpliftTraining{Log: w, Actions: []string{"help", "weather"}}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	// Runs two days apart count once: the first of a quarter, and else the later one, since they are counted back from the newest.
	if len(report.Cutoffs) != 6 || !report.Cutoffs[3].Equal(month(2025, 4)) || !report.Cutoffs[4].Equal(month(2025, 5).AddDate(0, 0, 2)) || report.Skipped != 6 || report.Decisions != 6*1500 || !report.Promoted || report.Model.Version != 1 {
		t.Fatalf("cutoffs %v, skipped %d, %d decisions, promoted %v", report.Cutoffs, report.Skipped, report.Decisions, report.Promoted)
	}
	help := report.Actions[0]
	// Horizon and gap are 90 days: of six months each customer counts twice, and in four of five of those help or nothing was drawn; one label in 97 is missing.
	if want := 1500 * 2 * .8 * 96 / 97; math.Abs(float64(help.Rows)-want) > 60 {
		t.Errorf("%d rows, want about %.0f", help.Rows, want)
	}
	if !(help.Interval[0] > 0 && help.Effect.Interval[0] > 0) || !help.Learned || help.Learner == "" {
		t.Errorf("help: %+v", help)
	}
	if report.Actions[1].Learner != "" || report.Actions[1].Why == "" {
		t.Errorf("weather: %+v", report.Actions[1])
	}
	row := o.Registry.(*memory).models[0]
	a, bundle := decodedUplift(t, row.Blob)
	if a.Kind != KindUplift || row.Kind != KindUplift {
		t.Fatalf("an artifact of kind %v in a row of kind %v", a.Kind, row.Kind)
	}
	part, ok := bundle.Of("help")
	if !ok || part.Events != min(help.EventsTreated, help.EventsControl) {
		t.Fatalf("part %+v", part)
	}
	s, _ := w.rows(w.cutoffs[5])
	x, err := a.Encoding.Apply(s.X)
	if err != nil {
		t.Fatal(err)
	}
	e, err := part.Model.Estimate(x, nil)
	if err != nil {
		t.Fatal(err)
	}
	var mean, n [3]float64
	for i, v := range e.Effect {
		mean[int(s.X.X[4][i])] += v
		n[int(s.X.X[4][i])]++
	}
	if pro, basic := mean[2]/n[2], mean[0]/n[0]; pro < .2 || basic > .12 {
		t.Errorf("estimated effect %.3f on pro, %.3f on basic", pro, basic)
	}
	again, err := trainUplift(t.Context(), w, o, UpliftTraining{Log: w, Actions: []string{"help", "weather"}}, nil, nil)
	if err != nil || again.Artifact != report.Artifact || again.Promoted || slices.Contains(again.Verdict, "") {
		t.Errorf("again: %v, artifact %v, %v", err, again.Artifact == report.Artifact, again.Promoted)
	}
}

// Some of the actions are learned anew, with other rows; what the champion knows of the others stays to the byte.
func TestTrainUpliftKeeps(t *testing.T) {
	w := diary{world: newWorld(1500, 6)}
	registry := &memory{}
	o := Options{Churn: features.DefaultChurn(), Seed: 1, Registry: registry}.filled()
	train := func(o Options, actions ...string) (*UpliftTrainReport, error) {
		u := UpliftTraining{Log: w, Actions: actions}
		known, err := readKnownUplift(t.Context(), o, u.Actions)
		if err != nil {
			return nil, err
		}
		return trainUplift(t.Context(), w, o, u, nil, known)
	}
	parts := func() map[string]string {
		row, err := registry.ChampionModel(t.Context(), KindUplift)
		if err != nil {
			t.Fatal(err)
		}
		_, bundle := decodedUplift(t, row.Blob)
		out := map[string]string{}
		for _, p := range bundle.Parts {
			b, err := p.Model.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			out[p.Action] = fmt.Sprint(p.Events, string(b))
		}
		return out
	}
	if _, err := train(o); err != nil {
		t.Fatal(err)
	}
	before := parts()
	if len(before) != 2 {
		t.Fatalf("%d actions are learned", len(before))
	}
	w.draws = 1
	report, err := train(o, "help")
	if err != nil {
		t.Fatal(err)
	}
	after := parts()
	if len(after) != 2 || after["survey"] != before["survey"] || after["help"] == before["help"] || report.Model.Version != 2 || !report.Promoted {
		t.Errorf("version %d has %d actions, survey kept: %v, help anew: %v", report.Model.Version, len(after), after["survey"] == before["survey"], after["help"] != before["help"])
	}
	if help, survey := report.Actions[0], report.Actions[1]; help.KeptFrom != nil || survey.Action != "survey" || survey.KeptFrom == nil || *survey.KeptFrom != 1 || survey.Rows == 0 {
		t.Errorf("told %+v", report.Actions)
	}
	// A third training still tells of where survey comes from, and weather cannot be learned.
	w.draws = 0
	if report, err = train(o, "help", "weather"); err != nil || parts()["help"] != before["help"] || *report.Actions[1].KeptFrom != 1 || report.Actions[2].Why == "" {
		t.Errorf("third: %v, %+v", err, report)
	}
	var usage *UsageError
	o.Churn.HorizonDays++
	if _, err := train(o, "help"); !errors.As(err, &usage) || !strings.Contains(err.Error(), "without --action") {
		t.Errorf("another horizon: %v", err)
	}
	if _, err := train(o, "help", "survey"); err != nil {
		t.Errorf("nothing is kept, and so nothing contradicts: %v", err)
	}
}

// Who got something else than was decided counts as what was drawn, and is told of.
func TestLessonsTakenOtherwise(t *testing.T) {
	w := scoredDiary{diary{world: newWorld(1500, 6)}, func(time.Time) bool { return false }}
	o := Options{Churn: features.DefaultChurn(), Seed: 1, Registry: &memory{}}.filled()
	train := func() *UpliftTrainReport {
		t.Helper()
		report, err := trainUplift(t.Context(), w, o, UpliftTraining{Log: w, Actions: []string{"help"}}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	plain := train()
	w.other = true
	report := train()
	if a, b := plain.Actions[0], report.Actions[0]; a.Rows != b.Rows || a.Effect != b.Effect || a.Qini != b.Qini || a.Interval != b.Interval {
		t.Errorf("what was learned depends on what became of the draw: %+v, %+v", a, b)
	}
	if plain.Otherwise != 0 || report.Otherwise != 6*1500/20 {
		t.Errorf("%d decisions, and %d, were carried out otherwise", plain.Otherwise, report.Otherwise)
	}
	// Every twentieth of the rows, with a label: as many as the draw left alone and treated.
	help := report.Actions[0]
	if n := help.OtherwiseTreated + help.OtherwiseControl; n == 0 || math.Abs(float64(n)-float64(help.Rows)/20) > 40 || math.Abs(float64(help.OtherwiseTreated)-float64(help.Treated)/20) > 25 {
		t.Errorf("%d treated and %d left alone of %d and %d were carried out otherwise", help.OtherwiseTreated, help.OtherwiseControl, help.Treated, help.Rows-help.Treated)
	}
}

func TestTrainUpliftRefuses(t *testing.T) {
	o := Options{Churn: features.DefaultChurn(), Seed: 1, Registry: &memory{}}.filled()
	young := newWorld(50, 2)
	young.watermark = young.cutoffs[0].AddDate(0, 0, 20)
	for name, c := range map[string]struct {
		log  diary
		want string
	}{
		"certain":  {diary{world: newWorld(300, 2), certain: true}, "left to chance"},
		"young":    {diary{world: young}, "no decision has matured"},
		"few":      {diary{world: newWorld(100, 1)}, "too few of the rarer outcome"},
		"lying":    {diary{world: newWorld(1500, 4), lying: true}, "do not fit what was chosen"},
		"no start": {diary{world: newWorld(10, 0)}, "no decision is logged yet"},
	} {
		var data *DataError
		if _, err := trainUplift(t.Context(), c.log, o, UpliftTraining{Log: c.log, Actions: []string{"help"}}, nil, nil); !errors.As(err, &data) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// decodedUplift are a registered artifact and the models in it.
func decodedUplift(t *testing.T, blob []byte) (*models.Artifact, *uplift.Bundle) {
	t.Helper()
	a, err := models.DecodeArtifact(blob)
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := uplift.DecodeBundle(a.Model, a.Schema)
	if err != nil {
		t.Fatal(err)
	}
	return a, bundle
}
