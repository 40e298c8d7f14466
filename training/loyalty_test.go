package training

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"retain/features"
	"retain/models"
)

// loyalWorld is a world in which those who do not churn repeat, and promote the more the higher their amount; of every seventh it is not
// sure that one will know, and of those only of every third who repeats.
type loyalWorld struct{ *world }

func (w loyalWorld) Part(part features.LoyaltyPart) panel { return loyalPart{w, part} }

func (w loyalWorld) Reach(context.Context, features.LoyaltyPart) (features.LoyaltyReach, error) {
	return features.LoyaltyReach{Watermark: w.watermark, Source: "purchases"}, nil
}

func (w loyalWorld) Both(_ context.Context, cutoff, knownBefore time.Time) (*features.LoyaltyLabels, error) {
	if loyal := features.DefaultChurn().Loyalty(); !knownBefore.IsZero() && loyal.Matures(cutoff).After(knownBefore) {
		return nil, features.ErrLabelsUnknown
	}
	s, y := w.rows(cutoff)
	rng := rand.New(rand.NewPCG(w.seed, uint64(cutoff.Unix())+1))
	l := &features.LoyaltyLabels{}
	for i, churned := range y {
		p := models.Sigmoid(-.4 + 1.1*float64(s.X.X[1][i]))
		u, sure := rng.Float64(), i%7 > 0
		promotes := math.NaN()
		if churned == 0 && (sure || i%3 == 0) {
			promotes = 0
			if u < p {
				promotes = 1
			}
		}
		l.Repeat, l.Promotes, l.Sure = append(l.Repeat, 1-churned), append(l.Promotes, promotes), append(l.Sure, sure)
	}
	return l, nil
}

type loyalPart struct {
	loyalWorld
	part features.LoyaltyPart
}

func (p loyalPart) Cutoffs(context.Context) ([]time.Time, error) {
	return knownAt(p.cutoffs, features.DefaultChurn().Loyalty(), p.watermark), nil
}

func (p loyalPart) Labels(ctx context.Context, cutoff, knownBefore time.Time) ([]float64, error) {
	l, err := p.Both(ctx, cutoff, knownBefore)
	if err != nil {
		return nil, err
	}
	return l.Of(p.part), nil
}

func TestTrainLoyalty(t *testing.T) {
	w := newWorld(200, 13)
	o := testOptions(t)
	registry := o.Registry.(*memory)
	report, err := trainLoyalty(t.Context(), loyalWorld{w}, o)
	if err != nil {
		t.Fatal(err)
	}
	if !report.Promoted || report.Model.Name != KindLoyalty || report.Model.Version != 1 || len(registry.challenges) > 0 {
		t.Errorf("%+v, promoted %v", report.Model, report.Promoted)
	}
	for part, r := range map[string]*TrainReport{"repeat": report.Parts.Repeat, "promotes": report.Parts.Promotes} {
		chosen := figuresOf(t, r.Models, r.Model.Family)
		if r.Model.Name != part || r.Model.Version != 1 || chosen.Pooled.AUC < .65 || r.Positives == 0 || r.Rows <= r.Positives {
			t.Errorf("%s: %+v, AUC %.3f, %d of %d rows", part, r.Model, chosen.Pooled.AUC, r.Positives, r.Rows)
		}
	}
	if report.Parts.Promotes.Rows >= report.Parts.Repeat.Positives {
		t.Errorf("%d rows tell who promotes, of %d who repeat", report.Parts.Promotes.Rows, report.Parts.Repeat.Positives)
	}
	p := report.Product
	if p == nil || len(p.Cutoffs) == 0 || p.Weighted || p.Share < .84 || p.Share > .88 { // six of seven are sure
		t.Fatalf("product %+v", p)
	}
	if p.AUC < .65 || p.ObservedExpected < .8 || p.ObservedExpected > 1.25 || p.OEInterval[0] > p.ObservedExpected || p.OEInterval[1] < p.ObservedExpected {
		t.Errorf("product %+v", p)
	}

	row := registry.models[0]
	model, err := models.DecodeLoyalty(row.Blob)
	if err != nil {
		t.Fatal(err)
	}
	if row.Kind != KindLoyalty || row.Family != model.Family() || model.Repeat.Churn.HorizonDays != features.LoyaltyDays || len(model.Product) == 0 {
		t.Errorf("row of %s %s, artifact %+v", row.Kind, row.Family, model.Repeat.Churn)
	}
	for _, part := range features.LoyaltyParts {
		if _, err := model.Part(part).LoadModel(Decoders()); err != nil {
			t.Error(err)
		}
	}

	// The same rows give the same bytes on one thread, and the gate sees that nothing is new.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	again, err := trainLoyalty(t.Context(), loyalWorld{w}, o)
	if err != nil {
		t.Fatal(err)
	}
	if again.Artifact != report.Artifact || again.Promoted || again.Model.Version != 1 || !slices.Contains(again.Verdict, "the same model is the champion already") {
		t.Errorf("again: %s of %s, promoted %v: %q", again.Artifact, report.Artifact, again.Promoted, again.Verdict)
	}

	// Fewer rows give another model. It is no better than the young champion, so the gate names both parts and lets that stay.
	w.cutoffs = w.cutoffs[1:]
	if report, err = trainLoyalty(t.Context(), loyalWorld{w}, o); err != nil {
		t.Fatal(err)
	}
	if report.Promoted || report.Gate.Pass || report.Model.Version != 2 {
		t.Errorf("promoted %v: %q", report.Promoted, report.Verdict)
	}
	said := strings.Join(report.Verdict, "\n")
	for _, want := range []string{"repeat: log loss ", "promotes: log loss ", "on the same folds", "loyalty is registered, and the champion stays"} {
		if !strings.Contains(said, want) {
			t.Errorf("the verdict does not say %q: %s", want, said)
		}
	}
}

// Where only answers tell who promotes, each who repeated and answered stands for as many as repeated: by hand.
func TestProductByAnswersAlone(t *testing.T) {
	nan := math.NaN()
	s := seenCutoff{}
	rows := s.gather(&features.LoyaltyLabels{
		Repeat:   []float64{0, 1, 1, 1, nan, 1},
		Promotes: []float64{nan, 1, nan, 0, nan, nan},
		Sure:     make([]bool, 6),
	}, []string{"a", "b", "c", "d", "e", "f"})
	if !slices.Equal(rows, []int{0, 1, 3}) || !slices.Equal(s.y, []float64{0, 1, 0}) || !slices.Equal(s.w, []float64{1, 2, 2}) || s.all != 5 || !s.weighted {
		t.Errorf("rows %v, y %v, w %v of %d", rows, s.y, s.w, s.all)
	}
	s = seenCutoff{}
	rows = s.gather(&features.LoyaltyLabels{
		Repeat:   []float64{0, 1, 1, 0, nan},
		Promotes: []float64{nan, 1, 0, nan, nan},
		Sure:     []bool{true, true, false, false, true},
	}, []string{"a", "b", "c", "d", "e"})
	if !slices.Equal(rows, []int{0, 1}) || !slices.Equal(s.y, []float64{0, 1}) || !slices.Equal(s.w, []float64{1, 1}) || s.weighted {
		t.Errorf("of those of whom it was sure: rows %v, y %v, w %v", rows, s.y, s.w)
	}
}

func TestJudgeClasses(t *testing.T) {
	for _, c := range []struct {
		part          features.LoyaltyPart
		yes, no, rows int
		want          string // "" = it can be learned
	}{
		{features.PartRepeat, 5, 5, 12, ""},
		{features.PartPromotes, 5, 5, 12, ""},
		{features.PartRepeat, 0, 0, 0, "no customer is eligible"},
		{features.PartRepeat, 0, 0, 12, "bound for longer"},
		{features.PartRepeat, 0, 9, 12, "none of 9 rows repeated"},
		{features.PartRepeat, 9, 0, 12, "all 9 rows repeated"},
		{features.PartPromotes, 0, 0, 12, "Import more surveys"},
		{features.PartPromotes, 0, 9, 12, "none of the 9"},
		{features.PartPromotes, 9, 0, 12, "all 9"},
	} {
		err := judgeClasses(c.part, c.yes, c.no, c.rows)
		var wrong *DataError
		switch {
		case c.want == "":
			if err != nil {
				t.Errorf("%s, %d yes, %d no: %v", c.part, c.yes, c.no, err)
			}
		case !errors.As(err, &wrong) || !strings.Contains(err.Error(), c.want):
			t.Errorf("%s, %d yes, %d no: %v, want %q", c.part, c.yes, c.no, err, c.want)
		}
	}
}

// The whole way over a real store. The shop's customers spend until they leave; no question is asked and no referral sent.
func TestTrainLoyaltyOnStore(t *testing.T) {
	w := shop(t, 150)
	churn := features.DefaultChurn()
	churn.ActiveDays = 180
	o := Options{Store: &features.Store{DB: w}, Churn: churn, Seed: 1, Registry: w}
	report, err := TrainLoyalty(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	row, err := w.ChampionModel(t.Context(), KindLoyalty)
	if err != nil || row.Artifact != report.Artifact || row.Version != 1 {
		t.Errorf("champion %s v%d, %v; trained %s", row.Artifact, row.Version, err, report.Artifact)
	}
	if _, err := w.ChampionModel(t.Context(), KindChurn); err == nil {
		t.Error("loyalty is champion of churn")
	}
	o.Until = month(2024, 6)
	var wrong *DataError
	if _, err := TrainLoyalty(t.Context(), o); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "180 days after the cutoff") {
		t.Errorf("as of June: %v", err)
	}
	if err := w.Conn().Exec(t.Context(), "ALTER TABLE purchases UPDATE amount = NULL WHERE 1 SETTINGS mutations_sync = 1"); err != nil {
		t.Fatal(err)
	}
	o.Until = time.Time{}
	if _, err := TrainLoyalty(t.Context(), o); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "surveys with answered NPS questions") {
		t.Errorf("without amounts: %v", err)
	}
}
