package training

import (
	"errors"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"retain/features"
	"retain/models"
	"retain/training/metrics"
)

func figuresOf(t *testing.T, list []metrics.ModelFigures, name string) metrics.ModelFigures {
	t.Helper()
	k := slices.IndexFunc(list, func(m metrics.ModelFigures) bool { return m.Name == name })
	if k < 0 {
		t.Fatalf("no row %s", name)
	}
	return list[k]
}

func TestTrainTwice(t *testing.T) {
	w, o := newWorld(400, 8), testOptions(t)
	report, err := train(t.Context(), w, o)
	if err != nil {
		t.Fatal(err)
	}
	r := o.Registry.(*memory)
	if !report.Promoted || report.Model.Version != 1 || len(r.promotions) != 1 || r.promotions[0].Artifact != report.Artifact {
		t.Fatalf("first model: promoted %v, version %d, %d promotions", report.Promoted, report.Model.Version, len(r.promotions))
	}
	if report.Model.Family == familyRecency || report.Model.Family == familyBaseRate {
		t.Errorf("%s wins where the amount matters: %v", report.Model.Family, report.Verdict)
	}
	rule, best := figuresOf(t, report.Models, familyRecency), figuresOf(t, report.Models, report.Model.Family)
	if best.Pooled.AUC < rule.Pooled.AUC+.05 {
		t.Errorf("AUC %.3f, recency rule %.3f", best.Pooled.AUC, rule.Pooled.AUC)
	}
	if len(best.Folds) != testCutoffs || best.Pooled.Rows != 4*(400-5) {
		t.Errorf("%d folds, %d rows", len(best.Folds), best.Pooled.Rows)
	}
	if !best.Pooled.Calibration.Pass {
		t.Errorf("not calibrated: %+v", best.Pooled.Calibration)
	}
	if len(report.Dropped) != 1 || report.Dropped[0].Name != "empty" {
		t.Errorf("dropped %v", report.Dropped)
	}

	artifact, err := models.DecodeArtifact(r.models[0].Blob)
	if err != nil {
		t.Fatal(err)
	}
	model, err := artifact.LoadModel(Decoders())
	if err != nil {
		t.Fatal(err)
	}
	s, y := w.rows(month(2025, 12))
	x, err := artifact.Encoding.Apply(s.X)
	if err != nil {
		t.Fatal(err)
	}
	margin := make([]float64, x.Rows())
	if err := model.Margin(margin, x); err != nil {
		t.Fatal(err)
	}
	var p, seen, labels []float64
	for i, m := range margin {
		if !math.IsNaN(y[i]) {
			p, seen, labels = append(p, artifact.Calibration.Probability(m)), append(seen, m), append(labels, y[i])
		}
	}
	if auc := metrics.AUC(seen, labels, nil); auc < .75 {
		t.Errorf("the artifact scores a later cutoff with AUC %.3f", auc)
	}
	if oe := metrics.Sum(labels) / metrics.Sum(p); oe < .85 || oe > 1.15 {
		t.Errorf("observed/expected of a later cutoff %.3f", oe)
	}
	if want := features.DefaultChurn().Matures(report.Cutoffs[len(report.Cutoffs)-1]); !artifact.TrainedUntil.Equal(want) {
		t.Errorf("trained until %v, want %v", artifact.TrainedUntil, want)
	}
	if artifact.Bands.High <= artifact.Bands.Medium {
		t.Errorf("bands %+v", artifact.Bands)
	}

	// The same again, on one thread: the same bytes, the same version, nothing to promote.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	again, err := train(t.Context(), newWorld(400, 8), o)
	if err != nil {
		t.Fatal(err)
	}
	if again.Artifact != report.Artifact || again.Model.Version != 1 || again.Promoted || len(r.models) != 1 {
		t.Errorf("again: same artifact %v, version %d, promoted %v", again.Artifact == report.Artifact, again.Model.Version, again.Promoted)
	}
	champion := figuresOf(t, again.Models, familyChampion)
	if champion.Pooled.LogLoss != best.Pooled.LogLoss {
		t.Errorf("the champion's recipe has log loss %v, its family %v", champion.Pooled.LogLoss, best.Pooled.LogLoss)
	}
}

func TestLaterPromotion(t *testing.T) {
	o := testOptions(t)
	first := newWorld(250, 7)
	if _, err := train(t.Context(), first, o); err != nil {
		t.Fatal(err)
	}
	// One more month: another artifact, the same recipe, and so no better. A young champion stays, an old one yields.
	later := newWorld(250, 8)
	report, err := train(t.Context(), later, o)
	if err != nil {
		t.Fatal(err)
	}
	if report.Promoted || report.Model.Version != 2 {
		t.Errorf("promoted %v, version %d: %v", report.Promoted, report.Model.Version, report.Verdict)
	}
	o.Now = func() time.Time { return month(2026, 3) }
	o.Seed = 2 // other folds: a third artifact
	report, err = train(t.Context(), later, o)
	if err != nil {
		t.Fatal(err)
	}
	if !report.Promoted {
		t.Errorf("an old champion does not yield: %v", report.Verdict)
	}
}

func TestUntil(t *testing.T) {
	w, o := newWorld(300, 9), testOptions(t)
	o.Until = month(2025, 8)
	report, err := train(t.Context(), w, o)
	if err != nil {
		t.Fatal(err)
	}
	if last := report.Cutoffs[len(report.Cutoffs)-1]; !last.Equal(month(2025, 5)) { // May 1 + 90 d = July 30
		t.Errorf("newest training cutoff %v", last)
	}
	for _, k := range w.known {
		if k.IsZero() || k.After(o.Until) {
			t.Fatalf("labels were read as known before %v", k)
		}
	}
}

func TestTrainSaysWhatIsMissing(t *testing.T) {
	zero, one := 0., 1.
	for _, c := range []struct {
		name string
		make func(w *world)
		says string
	}{
		{"nobody churned", func(w *world) { w.only = &zero }, "constant"},
		{"all churned", func(w *world) { w.only = &one }, "constant"},
		{"all labels unknown", func(w *world) { w.watermark = w.cutoffs[0].AddDate(0, 0, 20) }, "no cutoff of the grid has known labels"},
		{"nobody eligible", func(w *world) { w.customers = 0 }, "no customer has a known label"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(100, 6)
			c.make(w)
			_, err := train(t.Context(), w, testOptions(t))
			var lacks *DataError
			if !errors.As(err, &lacks) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestSingleCutoff(t *testing.T) {
	w := newWorld(800, 1)
	report, err := train(t.Context(), w, testOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	if !report.Promoted || !strings.Contains(report.Verdict[0], "across customers") {
		t.Errorf("promoted %v: %v", report.Promoted, report.Verdict)
	}
	if _, err := backtest(t.Context(), w, testOptions(t), nil, nil); err == nil || !strings.Contains(err.Error(), "no cutoff can be tested") {
		t.Errorf("backtest: %v", err)
	}
}

// With few churners only the recency rule may serve, and it does.
func TestFiftyCustomers(t *testing.T) {
	w := newWorld(50, 4)
	w.intercept = -3.5
	report, err := train(t.Context(), w, testOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	if report.Positives >= 30 {
		t.Fatalf("%d positives: not a test of scarcity", report.Positives)
	}
	if report.Model.Family != familyRecency || !report.Promoted {
		t.Errorf("%s, promoted %v: %v", report.Model.Family, report.Promoted, report.Verdict)
	}
}

// One churner among many stands at the end of some column by chance; that stops nothing, and the recency rule is promoted.
func TestFewChurnersAreNoLeak(t *testing.T) {
	w, o := newWorld(100, 4), testOptions(t)
	w.intercept, w.leak = -6, true
	report, err := train(t.Context(), w, o)
	if err != nil {
		t.Fatal(err)
	}
	if report.Positives == 0 || report.Positives >= leastMeasured || report.Model.Family != familyRecency {
		t.Fatalf("%d churners, %s", report.Positives, report.Model.Family)
	}
	k := slices.IndexFunc(report.Leaks, func(l Leak) bool { return l.Feature == "cancellation_reason_code" })
	if k < 0 || report.Leaks[k].Certain || !strings.Contains(report.Leaks[k].String(), "chance") {
		t.Errorf("leaks %v", report.Leaks)
	}
}

// Past rows of the source whose silence is the label may tell it as well as they like: they cannot know it. Nothing else is cleared.
func TestPastActivityIsNoLeak(t *testing.T) {
	churn := features.DefaultChurn()
	churn.Activity = []string{"usage"}
	contractual := churn
	contractual.Setting = features.Contractual
	for _, k := range []struct {
		feature string
		churn   features.ChurnSpec
		want    bool // certain
	}{
		{"usage_sessions_decayed_28d", churn, false},
		{"usage_sessions_change_28d", churn, false},
		{"usage_active_days_rate", churn, false},
		{"usage_minutes_sum_28d", churn, false},
		{"usage_features_distinct_28d", churn, true},
		{"purchase_recency_days", churn, true},
		{"profile_tenure_days", churn, true},
		{"last_session_creation_time", churn, true},
		{"usage_sessions_decayed_28d", contractual, true},
		{"usage_sessions_decayed_28d", features.DefaultChurn(), true}, // purchases are the activity
		{"purchase_count_90d", features.DefaultChurn(), false},        // who buys every other week and has not for 90 days is gone
		{"purchase_amount_sum_90d", features.DefaultChurn(), false},
		{"purchase_amount_change_90d", features.DefaultChurn(), false},
		{"purchase_returned_share_365d", features.DefaultChurn(), true},
		{"purchase_categories_distinct_365d", features.DefaultChurn(), true},
		{"purchase_amount_sum_90d", churn, true}, // usage is the activity
	} {
		leaks := []Leak{{Feature: k.feature, AUC: .98, Certain: true}}
		acquit(leaks, features.DefaultCatalogue(), k.churn)
		if leaks[0].Certain != k.want || (leaks[0].Reason == "") != k.want {
			t.Errorf("%s, %s of %v: %v", k.feature, k.churn.Setting, k.churn.Activity, leaks[0])
		}
	}
}

func TestLeakStopsTraining(t *testing.T) {
	w, o := newWorld(400, 6), testOptions(t)
	w.leak = true
	_, err := train(t.Context(), w, o)
	var leak *LeakError
	if !errors.As(err, &leak) || len(leak.Leaks) != 1 || leak.Leaks[0].Feature != "cancellation_reason_code" || !leak.Leaks[0].Missing || leak.Leaks[0].AUC < .99 {
		t.Fatalf("got %v", err)
	}
	if !strings.Contains(err.Error(), "static") {
		t.Errorf("no mend: %v", err)
	}
	o.Allowed = map[string]string{"cancellation_reason_code": " "}
	if _, err := train(t.Context(), w, o); !errors.As(err, &leak) {
		t.Error("an empty reason allows the leak")
	}
	o.Allowed = map[string]string{"cancellation_reason_code": "a test"}
	report, err := train(t.Context(), w, o)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(report.Leaks, func(l Leak) bool { return l.Reason == "a test" }) {
		t.Errorf("the allowed leak is not told: %v", report.Leaks)
	}
	tested, err := backtest(t.Context(), w, testOptions(t), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(tested.Leaks) == 0 || len(tested.Warnings) == 0 {
		t.Error("a backtest does not warn of the leak")
	}
}

// A column that tells the label through a category, out of fold, and one whose levels are all different, which tells nothing.
// The bar of the linter is the recency rule that can be fitted: of the first source with rows; without any there is no bar.
func TestRecencyColumnHasValues(t *testing.T) {
	nan := float32(math.NaN())
	x := &features.Matrix{
		Schema: features.Schema{{Name: "usage_recency_days"}, {Name: "purchase_recency_days"}},
		X:      [][]float32{{nan, nan}, {nan, 3}},
	}
	contractual := features.ChurnSpec{Setting: features.Contractual}
	if got := rawRecencyColumn(x, contractual); got != "purchase_recency_days" {
		t.Errorf("got %q", got)
	}
	x.X[1][1] = nan
	if got := rawRecencyColumn(x, contractual); got != "" {
		t.Errorf("no row at all: got %q", got)
	}
}

func TestLintCategories(t *testing.T) {
	n := 1000
	d := &features.Dataset{X: &features.Matrix{Schema: features.Schema{
		{Name: "reason", Kind: features.Categorical, Levels: []string{"", "price", "moved"}},
		{Name: "serial", Kind: features.Categorical},
	}, X: [][]float32{make([]float32, n), make([]float32, n)}}}
	for i := range n {
		y := float64(i % 3 / 2)
		d.Y = append(d.Y, y)
		d.X.X[0][i] = float32(y) * float32(1+i%2)
		d.X.Schema[1].Levels = append(d.X.Schema[1].Levels, string(rune('a'+i)))
		d.X.X[1][i] = float32(i)
		d.Customer = append(d.Customer, string(rune('a'+i)))
	}
	leaks, err := lint(t.Context(), d, CustomerFolds(d.Customer, innerFolds, 1), "")
	if err != nil {
		t.Fatal(err)
	}
	if len(leaks) != 1 || leaks[0].Feature != "reason" || leaks[0].AUC < .99 {
		t.Errorf("leaks %v", leaks)
	}
}

// The instant of the last use, read later than the cutoff, tells the label at each cutoff, though not across them.
func TestLintInstants(t *testing.T) {
	d := &features.Dataset{X: &features.Matrix{Schema: features.Schema{{Name: "last_seen"}}, X: make([][]float32, 1)}}
	for k := range 6 {
		for i := range 100 {
			d.Y = append(d.Y, float64(i%2))
			d.X.X[0] = append(d.X.X[0], float32(300*k-200*(i%2)+i/2)) // leavers are last seen long before
			d.Customer = append(d.Customer, string(rune('a'+i)))
			d.Cutoff = append(d.Cutoff, month(2025, time.Month(1+k)))
		}
	}
	if auc := metrics.AUC(toFloats(d.X.X[0]), d.Y, nil); auc < .03 {
		t.Fatalf("across the cutoffs the AUC is %.3f: not a test of anything", auc)
	}
	leaks, err := lint(t.Context(), d, CustomerFolds(d.Customer, innerFolds, 1), "")
	if err != nil {
		t.Fatal(err)
	}
	if len(leaks) != 1 || leaks[0].AUC != 1 {
		t.Errorf("leaks %v", leaks)
	}
}

func toFloats(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

func TestBacktestCutoffs(t *testing.T) {
	w, o := newWorld(400, 9), testOptions(t)
	report, err := backtest(t.Context(), w, o, []time.Time{month(2025, 4), month(2025, 1), month(2025, 3), month(2025, 9)}, []time.Time{month(2025, 7), month(2025, 5)})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Cutoffs) != 2 || !report.Cutoffs[0].Equal(month(2025, 5)) || len(report.Models[0].Folds) != 2 {
		t.Errorf("cutoffs %v", report.Cutoffs)
	}
	for _, c := range []struct {
		name        string
		train, test []time.Time
		says        []string
	}{
		{"train only", []time.Time{month(2025, 2)}, nil, []string{"both"}},
		{"none left", []time.Time{month(2025, 6)}, []time.Time{month(2025, 7)}, []string{"2025-04-02", "2025-06-01"}},
		{"not known", []time.Time{month(2025, 2)}, []time.Time{month(2025, 11)}, []string{"2025-11-01", "2025-10-02"}}, // complete until 2025-12-31
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := backtest(t.Context(), w, o, c.train, c.test)
			var wrong *UsageError
			if !errors.As(err, &wrong) {
				t.Fatalf("got %v", err)
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q does not name %s", err, s)
				}
			}
		})
	}
}

// Equality is allowed: t + 90 d = T.
// A family that the rows of one test cutoff are too few for is in no table, and that is told.
func TestBacktestTellsWhoIsNotMeasured(t *testing.T) {
	w := newWorld(60, 8)
	report, err := backtest(t.Context(), w, testOptions(t), w.cutoffs[:5], []time.Time{w.cutoffs[3], w.cutoffs[7]})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Models) != 2 || len(report.Models[0].Folds) != 2 {
		t.Fatalf("%d families, %d folds", len(report.Models), len(report.Models[0].Folds))
	}
	if !slices.ContainsFunc(report.Warnings, func(l string) bool {
		return strings.HasPrefix(l, "not measured: linear, boost, blend, golearn_cart, golearn_forest, golearn_bayes; at test cutoff 2025-04-01")
	}) {
		t.Errorf("warnings %q", report.Warnings)
	}
}

// Cutoffs that taught nothing, because an outage took their labels, are named: the table would not tell.
func TestTrainTellsCutoffsWithoutLabels(t *testing.T) {
	w := newWorld(200, 7)
	w.unlabelled = []time.Time{month(2025, 2), month(2025, 5)}
	report, err := train(t.Context(), w, testOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	const want = "no label is known at 2 of 7 cutoffs (2025-02-01, 2025-05-01), so nothing was learned from them: retain label preview tells why"
	if len(report.Cutoffs) != 5 || !slices.Contains(report.Warnings, want) {
		t.Errorf("%d cutoffs, warnings %q", len(report.Cutoffs), report.Warnings)
	}
}

// Rows that lie after now make the labels of the newest cutoffs wrong, so a watermark to come is told.
func TestTrainTellsAWatermarkToCome(t *testing.T) {
	w, o := newWorld(200, 7), testOptions(t)
	o.Now = func() time.Time { return month(2025, 9) }
	report, err := train(t.Context(), w, o)
	if err != nil {
		t.Fatal(err)
	}
	told := func(l string) bool { return strings.Contains(l, "complete until 2025-10-31, which is still to come") }
	if !slices.ContainsFunc(report.Warnings, told) {
		t.Errorf("warnings %q", report.Warnings)
	}
	until := w.watermark
	o.Registry, o.Churn.DataUntil = &memory{}, &until
	if report, err = train(t.Context(), w, o); err != nil || slices.ContainsFunc(report.Warnings, told) {
		t.Errorf("data_until is set: %v, %q", err, report.Warnings)
	}
}

// Of the grid's test cutoffs those that cannot be played are passed over and told; of the caller's they are an error.
func TestBacktestPassesOver(t *testing.T) {
	w, o := newWorld(200, 7), testOptions(t)
	w.calm = month(2025, 2)
	report, err := backtest(t.Context(), w, o, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := []time.Time{month(2025, 6), month(2025, 7)}; !slices.EqualFunc(report.Cutoffs, want, time.Time.Equal) {
		t.Errorf("cutoffs %v, want %v", report.Cutoffs, want)
	}
	if n := len(slices.DeleteFunc(report.Warnings, func(l string) bool { return !strings.Contains(l, "passed over") })); n != 2 {
		t.Errorf("%d of 2 are told", n)
	}
	var data *DataError
	if _, err := backtest(t.Context(), w, o, w.cutoffs, []time.Time{month(2025, 4), month(2025, 7)}); !errors.As(err, &data) {
		t.Errorf("a named cutoff without churners before it: %v", err)
	}
	w.calm = month(2026, 1)
	if _, err := backtest(t.Context(), w, o, nil, nil); !errors.As(err, &data) || !strings.Contains(err.Error(), "constant") {
		t.Errorf("no churner at all: %v", err)
	}
}

func TestOriginsPurge(t *testing.T) {
	churn := features.DefaultChurn()
	test := month(2025, 9)
	edge := test.AddDate(0, 0, -90)
	got := rollingOrigins([]time.Time{edge.AddDate(0, 0, -1), edge, edge.Add(time.Millisecond), test}, churn, 4)
	if len(got) != 1 || len(got[0].Train) != 2 || !got[0].Train[1].Equal(edge) {
		t.Errorf("origins %v", got)
	}
}
