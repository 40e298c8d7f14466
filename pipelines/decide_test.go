package pipelines

import (
	"bytes"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"retain/features"
	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
	"retain/models/actions"
)

// shopActions has an action of every kind for the shop of the night's world.
const shopActions = `version: 1
actions:
  - {id: do_nothing, title: None, channel: none, class: service}
  - {id: answer, title: Answer, channel: ticket, class: service, message: Answer, eligibility: open_tickets > 0, contact_cost: 1, prior: {mean: 0.05}}
  - {id: offer, title: Offer, channel: email, class: marketing, message: Offer, contact_cost: 0.1, prior: {mean: 0.02, sd: 0.02}}
  - {id: call, title: Call, channel: phone, class: service, proactive: true, message: "Call: {reason}", eligibility: churn_probability >= 0, capacity: 5, contact_cost: 2, prior: {mean: 0.05, sd: 0.05}}
  - {id: gold, title: Gold, channel: sms, class: marketing, message: Gold, eligibility: 'attributes["tier"] == "gold"', prior: {mean: 0.01, sd: 0.01}}
  - {id: visits, title: Visits, channel: in_app, class: service, proactive: true, message: Visits, eligibility: f.touchpoint_visits_count_28d >= 2, prior: {mean: 0.03, sd: 0.01}}
`

// shopFacts are rows of the other sources, the cutoff being 2 days after the last.
var shopFacts = map[string]string{
	"customers": `customer_id,timezone,consent,tier,ingested_at
c001,Europe/Berlin,,gold,2024-01-05
c002,Asia/Tokyo,"{""email"":false}",,2024-01-05
`,
	"tickets": `customer_id,at,ticket_id,channel,resolved_at
c003,DAY-3,t1,chat,
c004,DAY-9,t2,phone,DAY-8
c005,DAY-200,t3,phone,
`,
	"contacts": `customer_id,at,contact_id,channel,class,action,outcome,outcome_at
c006,DAY-3,k1,email,marketing,,shown,DAY-3
c007,DAY-20,k2,push,marketing,,ignored,DAY-19
c007,DAY-25,k3,push,marketing,,,
c008,DAY-10,k4,push,marketing,,ignored,DAY+9
c012,DAY-3,k6,Email,Marketing,,shown,DAY-3
`,
	"touchpoints": `customer_id,at,kind
c014,DAY-3,visit
c014,DAY-4,visit
c017,DAY-3,visit
c017,DAY+3,visit
c011,DAY-60,visit
`,
}

// factsAt writes the days of shopFacts relative to a cutoff.
func factsAt(text string, cutoff time.Time) []byte {
	for n := -250; n <= 10; n++ {
		text = strings.ReplaceAll(text, fmt.Sprintf("DAY%+d,", n), cutoff.AddDate(0, 0, n).Format(time.DateOnly)+",")
		text = strings.ReplaceAll(text, fmt.Sprintf("DAY%+d\n", n), cutoff.AddDate(0, 0, n).Format(time.DateOnly)+"\n")
	}
	return []byte(text)
}

// decidedShop scores the shop with shopActions and returns every decision by customer.
func decidedShop(t *testing.T, w *warehouse.Warehouse, o ScoreOptions) (string, map[string]actions.Decision) {
	t.Helper()
	run, err := Score(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]actions.Decision{}
	for d, err := range (Decisions{DB: w}).Of(t.Context(), run.ID) {
		if err != nil {
			t.Fatal(err)
		}
		made[d.CustomerID] = d
	}
	if len(made) != run.Customers {
		t.Fatalf("%d decisions for %d customers", len(made), run.Customers)
	}
	decidedByTheirRisk(t, w, run.ID, o.Cutoff)
	return run.ID, made
}

// decidedByTheirRisk wants the log to tell the risk of each customer, which learning starts from.
func decidedByTheirRisk(t *testing.T, w *warehouse.Warehouse, runID string, cutoff time.Time) {
	t.Helper()
	risk := map[string]float64{}
	for r, err := range w.Scores(t.Context(), runID) {
		if err != nil {
			t.Fatal(err)
		}
		risk[r.CustomerID] = r.Probability
	}
	for r, err := range w.Decisions(t.Context(), warehouse.DecisionRun{RunID: runID, Cutoff: cutoff}) {
		if err != nil {
			t.Fatal(err)
		}
		if p := risk[r.CustomerID]; r.Risk != p && (r.Risk == r.Risk || p == p) {
			t.Errorf("%s was decided about by a risk of %v and scored %v", r.CustomerID, r.Risk, p)
		}
	}
}

func reasonOf(d actions.Decision, action string) string {
	for _, s := range d.Suppressed {
		if s.Action == action {
			return s.Reason
		}
	}
	return ""
}

func TestDecisionsOfARun(t *testing.T) {
	w := warehousetest.Open(t)
	m := openShop(t, w, 200)
	cutoff := worldStart.AddDate(0, 0, 199)
	for source, text := range shopFacts {
		if _, err := Import(t.Context(), ImportOptions{Warehouse: w, Source: source, Path: "-", Stdin: bytes.NewReader(factsAt(text, cutoff))}); err != nil {
			t.Fatalf("%s: %v", source, err)
		}
	}
	usage := "customer_id,at\n" // c015 is there at 16:30 on the last ten days, c016 at times that are not told
	for day := range 10 {
		at := cutoff.AddDate(0, 0, -1-day)
		usage += "c015," + at.Add(16*time.Hour+30*time.Minute).Format(time.RFC3339) + "\nc016," + at.Format(time.RFC3339) + "\n"
	}
	if _, err := Import(t.Context(), ImportOptions{Warehouse: w, Source: "usage", Path: "-", Stdin: strings.NewReader(usage)}); err != nil {
		t.Fatal(err)
	}
	engine, err := actions.Parse([]byte(shopActions), nil)
	if err != nil {
		t.Fatal(err)
	}
	none := 0.0
	o := scoreShop(w, m, cutoff, cutoff)
	o.Decide = DecideOptions{Engine: engine, Holdout: &none}
	runID, made := decidedShop(t, w, o)

	for _, c := range []struct{ customer, action, want string }{ // "" = possible
		{"c001", "gold", ""},
		{"c000", "gold", "rule: something in it is not known"},
		{"c002", "offer", "consent: email is refused"},
		{"c003", "answer", ""},
		{"c003", "offer", "complaint: no marketing while a ticket is open"},
		{"c004", "answer", "rule: it does not hold"}, // solved
		{"c005", "answer", "rule: it does not hold"}, // too long ago to be open
		{"c006", "offer", "cap: at most 1 marketing contact by email in 7 days"},
		{"c012", "offer", "cap: at most 1 marketing contact by email in 7 days"}, // whatever the case
		{"c007", "offer", "hold: ignored 2 contacts in 30 days"},                 // told once, and once no outcome after 7 days
		{"c008", "offer", ""},                                                    // the outcome came after the cutoff, one alone
		{"c014", "visits", ""},                                                   // a feature that the model has not
		{"c017", "visits", "rule: it does not hold"},                             // the second visit is the future
		{"c011", "visits", "rule: it does not hold"},
	} {
		if got := reasonOf(made[c.customer], c.action); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.customer, c.action, got, c.want)
		}
	}
	if d := made["c003"]; d.Chosen != "answer" || d.Options[1].Channel != "chat" || !d.Options[1].Moment.Equal(cutoff) {
		t.Errorf("the open ticket is answered at once on its channel: %+v", d)
	}
	for customer, hour := range map[string]int{"c001": 8, "c002": 1, "c014": 10, "c015": 16, "c016": 10} { // 10:00 in Berlin in summer, Tokyo, UTC; the own hour
		for _, option := range made[customer].Options {
			if option.Action == actions.DoNothing {
				continue
			}
			if got := option.Moment.UTC().Hour(); got != hour {
				t.Errorf("%s: at %v", customer, option.Moment)
			}
		}
	}
	var calls int
	for id, d := range made {
		var sum float64
		for _, option := range d.Options {
			sum += option.Propensity
			if option.Action == d.Chosen && !(option.Propensity > 0) {
				t.Errorf("%s: chosen with propensity %v", id, option.Propensity)
			}
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Errorf("%s: propensities sum to %v", id, sum)
		}
		if len(d.Options)+len(d.Suppressed) != len(engine.Catalogue.Actions) {
			t.Errorf("%s: %d possible and %d not, of %d", id, len(d.Options), len(d.Suppressed), len(engine.Catalogue.Actions))
		}
		if d.Chosen == "call" {
			calls++
		}
	}
	if calls > 5 {
		t.Errorf("%d calls, the capacity is 5", calls)
	}

	// The same again is the same run; in a warehouse where it is not known, the same decisions on any number of threads.
	again, _ := decidedShop(t, w, o)
	if again != runID {
		t.Errorf("the same inputs gave run %s, then %s", runID, again)
	}
	before := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(before)
	for _, threads := range []int{1, 4} {
		runtime.GOMAXPROCS(threads)
		for _, query := range []string{"TRUNCATE TABLE runs", "TRUNCATE TABLE decisions", "TRUNCATE TABLE decision_runs", "TRUNCATE TABLE scores"} {
			if err := w.Conn().Exec(t.Context(), query); err != nil {
				t.Fatal(err)
			}
		}
		fresh := o
		fresh.Now = func() time.Time { return cutoff.Add(time.Duration(threads) * time.Hour) }
		s := prepareShop(t, w, fresh)
		if id := s.runID(); id != runID {
			t.Errorf("%d threads: run %s, want %s", threads, id, runID)
		}
		if err := s.deciding.draw(t.Context(), runID); err != nil {
			t.Fatal(err)
		}
		for i, id := range s.p.Customer {
			got := decisionOf(decisionRow(runID, new(s.deciding.decision(i))))
			if d := cmp.Diff(withoutSD(made[id]), withoutSD(got), cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) })); d != "" {
				t.Fatalf("%d threads, %s:\n%s", threads, id, d)
			}
		}
	}
}

// withoutSD leaves out what is not logged.
func withoutSD(d actions.Decision) actions.Decision {
	for k := range d.Options {
		d.Options[k].Terms.SD = 0
	}
	return d
}

// prepareShop is a scoring run up to its decisions.
func prepareShop(t *testing.T, w *warehouse.Warehouse, o ScoreOptions) *scoring {
	t.Helper()
	store := &features.Store{DB: w}
	in, err := readInput(t.Context(), store, o.Model.Artifact, o.Cutoff)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Population.Close(t.Context()) })
	x, err := o.Model.Artifact.Encoding.Apply(in.X)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newScoring(o, in.Population, x, in.Monthly)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.findStages(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.prepare(t.Context(), store, in.X); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestHoldoutOfARun(t *testing.T) {
	w := warehousetest.Open(t)
	m := openShop(t, w, 200)
	cutoff := worldStart.AddDate(0, 0, 199)
	engine, err := actions.Parse([]byte(shopActions), nil)
	if err != nil {
		t.Fatal(err)
	}
	half := .5
	o := scoreShop(w, m, cutoff, cutoff)
	o.Decide = DecideOptions{Engine: engine, Holdout: &half, Plan: true}
	_, made := decidedShop(t, w, o)
	held := 0
	for id, d := range made {
		if d.Holdout != actions.HeldOut(id, cutoff, half) {
			t.Errorf("%s: held %v", id, d.Holdout)
		}
		if !d.Holdout {
			continue
		}
		held++
		if d.Chosen != actions.DoNothing || len(d.Options) != 1 || !strings.HasPrefix(reasonOf(d, "offer"), "holdout: ") || !strings.HasPrefix(reasonOf(d, "call"), "holdout: ") {
			t.Errorf("%s: %+v", id, d)
		}
		sum := d.Options[0].Propensity
		for _, x := range d.Withheld {
			sum += x.Propensity
		}
		if d.Options[0].Propensity < half || math.Abs(sum-1) > 1e-9 {
			t.Errorf("%s: nothing has %v, with what is withheld %v", id, d.Options[0].Propensity, sum)
		}
	}
	if held < 10 || held > 50 {
		t.Errorf("%d of %d held out", held, len(made))
	}
}

// A refusal of consent is read by its number: none may be lost among the texts of many customers.
func TestLexiconHoldsEveryText(t *testing.T) {
	l := newLexicon()
	for i := range 1 << 17 {
		text := fmt.Sprint("lead from page ", i)
		if code := l.code(text); l.text(code) != text {
			t.Fatalf("%q is read back as %q", text, l.text(code))
		}
	}
}
