package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"retain/features"
	"retain/internal/warehouse"
	"retain/models"
	"retain/pipelines"
	"retain/training"
)

// ownWorld writes customers who come every week until they leave. An own feature table tells at each month's end how content they are, which
// nothing else does: the discontent leave in the next month three times out of four, the content one time out of twenty.
func ownWorld(t *testing.T) {
	t.Helper()
	rng := rand.New(rand.NewPCG(5, 6))
	usage := "customer_id,at\n"
	var own []string
	for c := range 500 {
		born := rng.IntN(8)
		for month := born; month < 14; month++ {
			begin := time.Date(2024, time.Month(1+month), 1, 0, 0, 0, 0, time.UTC)
			for week := range 4 {
				usage += fmt.Sprintf("c%03d,%s\n", c, begin.AddDate(0, 0, 7*week+rng.IntN(7)).Format(time.DateTime))
			}
			content, plan, leave := 5+rng.NormFloat64(), "pro", .05
			if rng.IntN(4) == 0 {
				content, plan, leave = 2+rng.NormFloat64(), "basic", .75
			}
			loaded := begin.AddDate(0, 1, 0).Add(-time.Hour)
			own = append(own, fmt.Sprintf("('c%03d', '%s', '%s', %.2f, '%s', 'a@b', [1])", c, loaded.AddDate(0, 0, -1).Format(time.DateTime), loaded.Format(time.DateTime), content, plan))
			if rng.Float64() < leave {
				break
			}
		}
	}
	if got := retain(t, usage, "import", "usage", "-"); got.code != exitDone {
		t.Fatal(got.stderr)
	}
	ownQueries(t, "CREATE DATABASE IF NOT EXISTS analytics",
		"CREATE TABLE analytics.features (account String, snapshot_at DateTime, loaded_at DateTime, contentment Float64, plan LowCardinality(String), email String, tags Array(Int8)) ENGINE = MergeTree ORDER BY account",
		"INSERT INTO analytics.features VALUES "+strings.Join(own, ", "))
}

// ownQueries writes into the embedded warehouse ./w as the user of a server would.
func ownQueries(t *testing.T, queries ...string) {
	t.Helper()
	db, err := warehouse.Open(t.Context(), warehouse.Options{URL: "embedded:./w", Create: true, Command: "test"})
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range queries {
		if err := db.Conn().Exec(t.Context(), q); err != nil {
			t.Error(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestOwnFeaturesAlone trains, scores and explains on nothing but a feature table of the user's own, and goes on with an alarm without it.
func TestOwnFeaturesAlone(t *testing.T) {
	t.Chdir(t.TempDir())
	configure := func(columns, more string) {
		t.Helper()
		text := "warehouse: {url: 'embedded:./w'}\nchurn: {activity: [usage], active_days: 30, horizon_days: 30}\nsnapshots: {from: 2024-02-01}\n" +
			"sources:\n  features: {table: analytics.features, columns: {" + columns + "}" + more + "}\nfeatures: {catalogue: none}\n"
		if err := os.WriteFile("retain.yaml", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const mapped = "customer_id: account, at: snapshot_at, ingested_at: loaded_at"
	configure(mapped, "")
	ownWorld(t)
	ask := func(into any, args ...string) outcome {
		t.Helper()
		got := retain(t, "", append(args, "--json")...)
		if got.code != exitDone {
			t.Fatalf("%v: exit %d: %s", args, got.code, got.stderr)
		}
		if err := json.Unmarshal([]byte(got.stdout), into); err != nil {
			t.Fatal(err)
		}
		return got
	}

	configure("customer_id: who, at: snapshot_at", ", exclude: [mail]")
	if got := retain(t, "", "config", "check"); got.code != exitUsage || !strings.Contains(got.stderr, "sources.features.columns.customer_id: analytics.features has no column who; analytics.features has account (String)") {
		t.Errorf("exit %d: %s", got.code, got.stderr)
	}
	configure(mapped, "")
	if got := retain(t, "", "config", "check"); got.code != exitDone {
		t.Error(got.stderr)
	}

	configure(mapped, ", exclude: [email], max_age_days: 45")
	var trained training.TrainReport
	told := ask(&trained, "train", "churn")
	if !strings.Contains(told.stderr, "analytics.features.tags is no feature: Array(Int8) is neither") || len(trained.Dropped) != 1 {
		t.Errorf("dropped %v; told %s", trained.Dropped, told.stderr)
	}
	best := 0.
	for _, m := range trained.Models {
		best = max(best, float64(m.Pooled.AUC))
	}
	if !trained.Promoted || best < .8 {
		t.Errorf("promoted %v with an AUC of %v: %v", trained.Promoted, best, trained.Verdict)
	}

	var run models.Run
	if got := ask(&run, "score"); strings.Contains(got.stderr, "no customer has a value") || run.Scored == 0 {
		t.Errorf("%d scored: %s", run.Scored, got.stderr)
	}
	var list struct {
		Customers []models.Score `json:"customers"`
	}
	ask(&list, "at-risk", "--limit", "1", "--sort", "churn_probability")
	var why pipelines.Explanation
	ask(&why, "explain", list.Customers[0].CustomerID)
	for _, c := range why.Contributions {
		if c.Feature != "features_contentment" && c.Feature != "features_plan" {
			t.Errorf("a contribution of %s", c.Feature)
		}
	}
	if top := why.Reasons[0].Text; !strings.HasPrefix(top, "contentment is ") && top != "plan is basic" {
		t.Errorf("the first reason is %q", top)
	}

	// A new row is new input; without the table the scores go on, and the user hears of it.
	ownQueries(t, "INSERT INTO analytics.features SELECT account, max(snapshot_at) + 1, max(loaded_at) + 1, 0, 'basic', '', [] FROM analytics.features GROUP BY account")
	var again models.Run
	if ask(&again, "score"); again.ID == run.ID {
		t.Error("new rows of the feature table did not make a new run")
	}
	ownQueries(t, "DROP TABLE analytics.features")
	if got := ask(&again, "score"); !strings.Contains(got.stderr, "no customer has a value of ") || !strings.Contains(got.stderr, "features_contentment") || again.Scored != run.Scored {
		t.Errorf("%d scored: %s", again.Scored, got.stderr)
	}
	if got := retain(t, "", "train", "churn"); got.code != exitUsage || !strings.Contains(got.stderr, "sources."+features.OwnFeatures+".table: analytics.features cannot be read") {
		t.Errorf("exit %d: %s", got.code, got.stderr)
	}
}
