package main

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"retain/features"
	"retain/internal/warehouse"
	"retain/models"
	"retain/training"
)

// loyalWorld is subscribers by the month, and a quarter of them by the year, who use the product on most days if they are content. The content renew
// more often, answer what we ask each quarter with higher marks.
func loyalWorld(customers int) (usage, subscriptions, surveys string) {
	rng := rand.New(rand.NewPCG(11, 12))
	usage, subscriptions, surveys = "customer_id,at\n", "customer_id,started_at,ends_at,plan,mrr\n", "customer_id,at,kind,score\n"
	begin := time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC)
	const months = 22
	for c := range customers {
		length, plan := 1, "monthly"
		if c%4 == 0 {
			length, plan = 12, "annual"
		}
		content := rng.IntN(2) == 1
		uses, renews, score := 4, .86, 4
		if content {
			uses, renews, score = 7, .97, 7
		}
		until := rng.IntN(8)
		for month := until; month < months; month++ {
			at := begin.AddDate(0, month, 0)
			if month == until {
				if month > 0 && rng.Float64() > math.Pow(renews, float64(length)) {
					break
				}
				until += length
				subscriptions += fmt.Sprintf("c%03d,%s,%s,%s,%d\n", c, at.Format(time.DateOnly), begin.AddDate(0, until, 0).Format(time.DateOnly), plan, 10*length)
			}
			for range uses + rng.IntN(6) {
				usage += fmt.Sprintf("c%03d,%s\n", c, at.Add(time.Duration(rng.IntN(27*24))*time.Hour).Format(time.DateTime))
			}
			if month%3 == c%3 {
				surveys += fmt.Sprintf("c%03d,%s,nps,%d\n", c, at.AddDate(0, 0, 10).Format(time.DateOnly), min(10, score+rng.IntN(6)))
			}
		}
	}
	return usage, subscriptions, surveys
}

// TestLoyaltyFromTheCommandLine trains churn and loyalty on made subscribers, scores, and computes both parts of everyone again from the registry's
// artifact and a snapshot of its own: no part may take a column of churn's that means something else (its label window is shorter).
func TestLoyaltyFromTheCommandLine(t *testing.T) {
	t.Chdir(t.TempDir())
	config := "warehouse: {url: 'embedded:./w'}\nchurn: {setting: contractual, grace_days: 0, horizon_days: 60}\nsnapshots: {from: 2023-08-01}\n"
	if err := os.WriteFile("retain.yaml", []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	ask := func(into any, stdin string, args ...string) {
		t.Helper()
		got := retain(t, stdin, append(args, "--json")...)
		if got.code != exitDone {
			t.Fatalf("%v: exit %d: %s", args, got.code, got.stderr)
		}
		if err := json.Unmarshal([]byte(got.stdout), into); err != nil {
			t.Fatal(err)
		}
	}
	usage, subscriptions, surveys := loyalWorld(260)
	for source, rows := range map[string]string{"usage": usage, "subscriptions": subscriptions, "surveys": surveys} {
		ask(new(map[string]any), rows, "import", source, "-")
	}
	ask(new(training.TrainReport), "", "train", "churn", "--until", "2023-11-01")
	trained := &training.LoyaltyReport{}
	ask(trained, "", "train", "loyalty")
	if !trained.Promoted || trained.Product == nil || !(trained.Product.AUC > .7) || !(trained.Product.Correlation > 0) {
		t.Fatalf("promoted %v, product %+v", trained.Promoted, trained.Product)
	}
	ask(new(map[string]any), "", "score", "--cutoff", "2024-10-01")
	var list struct{ Customers []models.Score }
	ask(&list, "", "at-risk", "--limit", "1000")
	if len(list.Customers) < 80 {
		t.Fatalf("%d customers are scored", len(list.Customers))
	}
	if got := retain(t, "", "customer", list.Customers[0].CustomerID); !strings.Contains(got.stdout, "loyalty ") {
		t.Errorf("the customer's page says nothing of loyalty: %s", got.stdout)
	}

	db, err := warehouse.Open(t.Context(), warehouse.Options{URL: "embedded:./w", Command: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	row, err := db.ChampionModel(t.Context(), training.KindLoyalty)
	if err != nil {
		t.Fatal(err)
	}
	model, err := models.DecodeLoyalty(row.Blob)
	if err != nil {
		t.Fatal(err)
	}
	store := &features.Store{DB: db}
	cutoff := time.Date(2024, 10, 1, 0, 0, 0, 0, time.UTC)
	population, err := store.Population(t.Context(), model.Repeat.Churn, cutoff)
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[features.LoyaltyPart][]float64)
	for _, part := range features.LoyaltyParts {
		a := model.Part(part)
		if e, ok := a.Catalogue.Entry("subscription_paid_beyond"); ok && e.Measure.Window != features.LoyaltyDays {
			t.Errorf("%s looks %d days ahead", part, e.Measure.Window)
		}
		snapshot, err := store.Snapshot(t.Context(), a.Catalogue, population)
		if err != nil {
			t.Fatal(err)
		}
		x, err := a.Encoding.Apply(snapshot.X)
		if err != nil {
			t.Fatal(err)
		}
		m, err := a.LoadModel(training.Decoders())
		if err != nil {
			t.Fatal(err)
		}
		want[part] = make([]float64, x.Rows())
		if err := m.Margin(want[part], x); err != nil {
			t.Fatal(err)
		}
		for i, margin := range want[part] {
			want[part][i] = a.Calibration.Probability(margin)
		}
	}
	if err := population.Close(t.Context()); err != nil {
		t.Error(err)
	}
	for _, s := range list.Customers {
		i := slices.Index(population.Eligible(), s.CustomerID)
		if i < 0 || s.PRepeat == nil || s.PPromotes == nil || s.LoyaltyScore == nil {
			t.Fatalf("%+v", s)
		}
		repeat, promotes := want[features.PartRepeat][i], want[features.PartPromotes][i]
		if math.Abs(*s.PRepeat-repeat) > 1e-12 || math.Abs(*s.PPromotes-promotes) > 1e-12 || *s.LoyaltyScore != int(math.Round(100*repeat*promotes)) {
			t.Errorf("%s: loyalty %d, parts %v and %v, want %v and %v", s.CustomerID, *s.LoyaltyScore, *s.PRepeat, *s.PPromotes, repeat, promotes)
		}
	}
}
