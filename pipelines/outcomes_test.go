package pipelines

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"retain/features"
	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
	"retain/models/actions"
)

// outcomeCutoff is that of the decisions of these tests; now is twenty days later, the actions expire after a week.
var (
	outcomeCutoff = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	outcomeNow    = outcomeCutoff.AddDate(0, 0, 20)
)

// logDecisions writes a run in which customers d0, d1 … get call, but those of quiet nothing.
func logDecisions(t *testing.T, w *warehouse.Warehouse, n int) Outcomes {
	t.Helper()
	engine, err := actions.Parse([]byte(shopActions), nil)
	if err != nil {
		t.Fatal(err)
	}
	run := warehouse.DecisionRun{RunID: "run", Cutoff: outcomeCutoff, Policy: "p", Document: string(engine.Catalogue.Document()), Explore: true, Holdout: .1, DecidedAt: outcomeCutoff.Add(time.Hour)}
	err = w.PutDecisions(t.Context(), run, n, func(i int) warehouse.DecisionRow {
		return warehouse.DecisionRow{CustomerID: fmt.Sprint("c", i), DecisionID: fmt.Sprint("d", i), Chosen: "call", Value: 100, Actions: []string{"do_nothing", "call", "offer"},
			Channels: []string{"none", "phone", "email"}, Priorities: []float64{0, 1, 1}, Uplifts: []float64{0, 1, 1}, UpliftSources: []string{"prior", "prior", "prior"},
			Levers: []float64{1, 1, 1}, Fatigues: []float64{0, 0, 0}, ContactCosts: []float64{0, 0, 0}, PAccepts: []float64{0, 0, 0}, Incentives: []float64{0, 0, 0},
			Propensities: []float64{.4, .4, .2}, Moments: []time.Time{{}, outcomeCutoff, outcomeCutoff}, Expiries: []time.Time{{}, outcomeCutoff.AddDate(0, 0, 7), outcomeCutoff.AddDate(0, 0, 7)}}
	})
	if err != nil {
		t.Fatal(err)
	}
	return Outcomes{DB: w, Now: func() time.Time { return outcomeNow }}
}

func told(outcome string, day int) actions.Report {
	return actions.Report{Decision: "d1", Outcome: outcome, At: outcomeCutoff.AddDate(0, 0, day)}
}

// shortly writes the outcomes of a decision as outcome@day, with ! when late.
func shortly(t *testing.T, o Outcomes, decision string) string {
	t.Helper()
	list, err := o.Of(t.Context(), decision)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, x := range list {
		word := fmt.Sprintf("%s@%.0f", x.Outcome, x.At.Sub(outcomeCutoff).Hours()/24)
		if x.Late {
			word += "!"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func TestOutcomesAreRecordedOnce(t *testing.T) {
	t.Parallel()
	w := warehousetest.Open(t)
	o := logDecisions(t, w, 3)
	record := func(recorded int, reports ...actions.Report) {
		t.Helper()
		at := o.now().Add(time.Second) // the clock goes on
		o.Now = func() time.Time { return at }
		all, err := o.Record(t.Context(), reports, OutcomeFromAPI)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, r := range all {
			if !r.Duplicate {
				n++
			}
		}
		if n != recorded {
			t.Errorf("%d of %d are new, want %d", n, len(all), recorded)
		}
	}
	record(2, told("shown", 1), told("accepted", 2))
	record(0, told("shown", 1), told("accepted", 2))                             // the same request again
	record(0, actions.Report{Decision: "d1", Outcome: "accepted"})               // without a time it is what was told
	record(1, told("ignored", 3), told("ignored", 3))                            // twice in one request
	record(1, told("accepted", 8))                                               // a correction, and late
	record(1, told("accepted", 2))                                               // back again: a version of its own
	record(0, told("accepted", 2))                                               //
	record(1, actions.Report{Decision: "d2", Outcome: "saved", Action: "offer"}) // of an action that was proposed and not chosen
	if got := shortly(t, o, "d1"); got != "shown@1 accepted@2 ignored@3" {
		t.Errorf("outcomes %s", got)
	}
	run, err := w.DecisionRun(t.Context(), "run")
	if err != nil {
		t.Fatal(err)
	}
	if other, err := w.TakenOtherwise(t.Context(), run, time.Time{}); err != nil || fmt.Sprint(other) != "[c2]" {
		t.Errorf("taken otherwise by %v, %v", other, err)
	}
	if other, err := w.TakenOtherwise(t.Context(), run, outcomeNow); err != nil || len(other) > 0 {
		t.Errorf("taken otherwise by %v, %v, before anything was told", other, err)
	}
	if n := rows(t, w, "SELECT toString(count()) FROM outcomes WHERE decision_id = 'd1'"); n[0] != "('5')" {
		t.Errorf("%s versions, want 5: all of them stay", n)
	}
	_, err = o.Record(t.Context(), []actions.Report{told("converted", 4), {Decision: "nosuch", Outcome: "shown"}}, OutcomeFromAPI)
	if !errors.Is(err, actions.ErrUnknownDecision) {
		t.Errorf("an unknown decision: %v", err)
	}
	for _, id := range []string{"' OR 1=1 --", `d1\`, "d1'", "d\n1\t", "d1\x00", "['d1']", ""} {
		if _, err := o.Record(t.Context(), []actions.Report{{Decision: id, Outcome: "shown"}}, OutcomeFromAPI); !errors.Is(err, actions.ErrUnknownDecision) {
			t.Errorf("decision %q: %v", id, err)
		}
	}
	var contradiction *actions.ContradictionError
	if _, err = o.Record(t.Context(), []actions.Report{told("converted", 4), told("accepted", -1)}, OutcomeFromAPI); !errors.As(err, &contradiction) || contradiction.Index != 1 {
		t.Errorf("before the decision: %v", err)
	}
	if got := shortly(t, o, "d1"); strings.Contains(got, "converted") {
		t.Errorf("half of a wrong request is recorded: %s", got)
	}
	counts, err := o.Counts(t.Context(), warehouse.Window{From: outcomeCutoff, To: outcomeCutoff.AddDate(0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	want := "[{call 3 1 1 0 1 0 0 0 0.5} {offer 0 0 0 0 0 0 1 1 -}]"
	var lines []string
	for _, a := range counts.Actions {
		share := "-"
		if a.AcceptShare != nil {
			share = fmt.Sprint(*a.AcceptShare)
		}
		lines = append(lines, fmt.Sprintf("{%s %d %d %d %d %d %d %d %d %s}", a.Action, a.Decisions, a.Shown, a.Accepted, a.Rejected, a.Ignored, a.Converted, a.Saved, a.Late, share))
	}
	if got := fmt.Sprint(lines); got != want {
		t.Errorf("counts %s, want %s", got, want)
	}
	if empty, err := o.Counts(t.Context(), warehouse.Window{From: outcomeCutoff.AddDate(0, 0, 1)}); err != nil || len(empty.Actions) != 0 {
		t.Errorf("beyond the window: %+v, %v", empty, err)
	}
}

// Two services that get the same request at once record it once.
func TestOutcomesAtOnce(t *testing.T) {
	t.Parallel()
	w := warehousetest.Open(t)
	o := logDecisions(t, w, 2)
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			if _, err := o.Record(t.Context(), []actions.Report{told("accepted", 2)}, OutcomeFromAPI); err != nil {
				t.Error(err)
			}
		})
	}
	work.Wait()
	if n := rows(t, w, "SELECT toString(count()) FROM outcomes"); n[0] != "('1')" {
		t.Errorf("%s rows", n)
	}
}

func TestImportOutcomes(t *testing.T) {
	t.Parallel()
	w := warehousetest.Open(t)
	o := logDecisions(t, w, 6)
	path := filepath.Join(t.TempDir(), "calls.csv")
	read := func(text string, skip int) (*OutcomeImport, error) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return ImportOutcomes(t.Context(), ImportOptions{Warehouse: w, Source: OutcomesSource, Path: path, SkipBad: skip, Now: o.Now, Map: map[string]string{"outcome": "disposition"}})
	}
	good := "decision_id,disposition,at,agent\nd1,Shown,2026-03-02,x\nd1,accepted,2026-03-03 10:00,x\nd2,rejected,2026-03-08,x\nd2,rejected,2026-03-08,x\n"
	bad := good + "nosuch,shown,2026-03-02,x\nd3,shown,2026-02-02,x\nd3,sold,2026-03-02,x\n,shown,2026-03-02,x\n\"d4\",shown,2026-03-02\n"
	if _, err := read(bad, 0); err == nil || !strings.Contains(err.Error(), `calls.csv:6: column decision_id: "nosuch" is not in the log of decisions`) {
		t.Errorf("a row of an unknown decision: %v", err)
	}
	if _, err := read(bad, 3); err == nil || !strings.Contains(err.Error(), "more than 3 bad rows") {
		t.Errorf("four bad rows: %v", err)
	}
	if n := rows(t, w, "SELECT toString(count()) FROM outcomes"); n[0] != "('0')" {
		t.Errorf("%s rows of refused files", n)
	}
	if _, err := os.Stat(path + ".rejected"); err == nil {
		t.Error("a refused file leaves rejected rows")
	}
	r, err := read(bad, 5)
	if err != nil {
		t.Fatal(err)
	}
	if r.Rows != 9 || r.Imported != 4 || r.New != 3 || r.Rejected != 5 || r.Duplicates != 1 || r.Late != 2 || r.Unknown != 1 || r.Contradicting != 1 || fmt.Sprint(r.IgnoredColumns) != "[agent]" {
		t.Errorf("%+v", r)
	}
	rejected, err := os.ReadFile(path + ".rejected")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"decision_id,disposition,at,agent\n# line 6: column decision_id: \"nosuch\" is not", "\nnosuch,shown,2026-03-02,x\n", "# line 7: 2026-02-02T00:00:00Z is before the decision", "\nd3,sold,", "# line 9: column decision_id: is empty", "# line 10: has 3 fields"} {
		if !strings.Contains(string(rejected), want) {
			t.Errorf("rejected rows lack %q:\n%s", want, rejected)
		}
	}
	if again, err := read(good, 0); err != nil || again.New != 0 || again.Duplicates != 4 {
		t.Errorf("the same file again: %+v, %v", again, err)
	}
	if got := shortly(t, o, "d2"); got != "rejected@7!" {
		t.Errorf("d2: %s", got)
	}
}

// Contacts that name decisions count as shown, with their outcome, once.
func TestContactsJoin(t *testing.T) {
	t.Parallel()
	im := newImporter(t)
	o := logDecisions(t, im.w, 4)
	im.must("contacts.csv", `customer_id,at,contact_id,channel,class,action,decision_id,outcome,outcome_at
c1,2026-03-02,k1,phone,service,call,d1,Accepted,2026-03-04
c2,2026-03-02,k2,phone,service,,d2,,
c3,2026-03-02,k3,phone,service,gift,d3,accepted,2026-03-04
c9,2026-03-02,k4,phone,service,call,d2,accepted,2026-03-04
c1,2026-03-02,k5,phone,service,call,nosuch,,
c1,2026-03-09,k6,phone,service,call,,accepted,2026-03-09
`, ImportOptions{Source: "contacts"})
	store := &features.Store{DB: im.w}
	c, err := o.JoinContacts(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	if c.Recorded != 3 || c.Unknown != 1 || c.Contradicting != 2 || c.Contacts != 5 {
		t.Errorf("%+v", c)
	}
	if got := shortly(t, o, "d1") + ", " + shortly(t, o, "d2") + ", " + shortly(t, o, "d3"); got != "shown@1 accepted@3, shown@1, " {
		t.Errorf("outcomes %s", got)
	}
	if c, err = o.JoinContacts(t.Context(), store); err != nil || c.Recorded != 0 || c.Contacts != 3 {
		t.Errorf("a second time: %+v, %v", c, err)
	}
}

// TestReportByHand works out the effect of a call on twelve customers of a quarter who bought, with those who had no first day left out.
func TestReportByHand(t *testing.T) {
	t.Parallel()
	im := newImporter(t)
	w := im.w
	engine, err := actions.Parse([]byte(shopActions), nil)
	if err != nil {
		t.Fatal(err)
	}
	cutoffs := []time.Time{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)}
	type decided struct {
		chosen string
		held   bool
		p      float64 // of call
		bought bool    // within the horizon
		later  string  // chosen on the second day
	}
	// The share held out is .2: the weights of the control are P/.2.
	customers := []decided{
		{"call", false, .4, true, "call"}, {"call", false, .8, true, "do_nothing"}, {"call", false, .8, false, "call"}, {"call", false, .4, true, "call"},
		{"do_nothing", false, .4, true, "call"}, // what was assigned later does not count
		{"do_nothing", false, .8, false, "call"},
		{"do_nothing", true, .4, true, "do_nothing"}, {"do_nothing", true, .8, false, "do_nothing"}, {"do_nothing", true, .8, true, "do_nothing"},
		{"answer", false, 0, true, "call"}, // first eligible on the second day
	}
	var purchases strings.Builder
	purchases.WriteString("customer_id,at,order_id,amount\n")
	for i, c := range customers {
		fmt.Fprintf(&purchases, "c%02d,2025-12-01,a%d,10\nc%02d,2026-06-20,z%d,10\n", i, i, i, i)
		if c.bought {
			fmt.Fprintf(&purchases, "c%02d,2026-02-01,b%d,10\n", i, i)
		}
	}
	im.must("purchases.csv", purchases.String(), ImportOptions{Source: "purchases"})
	for k, cutoff := range cutoffs {
		run := warehouse.DecisionRun{RunID: fmt.Sprint("r", k), Cutoff: cutoff, Policy: "p", Document: string(engine.Catalogue.Document()), Explore: true, Holdout: .2, DecidedAt: cutoff.Add(time.Hour)}
		err := w.PutDecisions(t.Context(), run, len(customers), func(i int) warehouse.DecisionRow {
			c := customers[i]
			row := warehouse.DecisionRow{CustomerID: fmt.Sprintf("c%02d", i), DecisionID: fmt.Sprint(run.RunID, i), Chosen: c.chosen, Holdout: c.held, Value: 100,
				Actions: []string{"do_nothing"}, Propensities: []float64{1 - c.p}}
			p := c.p
			if k > 0 {
				row.Chosen, p = c.later, .5
			}
			switch {
			case c.held:
				row.Withheld, row.WithheldPropensities = []string{"call"}, []float64{p}
			case p > 0:
				row.Actions, row.Propensities = append(row.Actions, "call"), append(row.Propensities, p)
			default:
				row.Actions, row.Propensities = append(row.Actions, "answer", "call"), append(row.Propensities, 1, 0)
			}
			return row
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	spec := features.DefaultChurn()
	r, err := ReportActions(t.Context(), ActionReportOptions{Store: &features.Store{DB: w}, Spec: spec})
	if err != nil {
		t.Fatal(err)
	}
	// In the first quarter: four get the call on their first day and c09 on the second, four of the five stay. The control has weights 2, 4
	// and 4, and 6 of 10 stay. In the second quarter all are pending: their labels are known at the end of July.
	if len(r.Actions) != 1 || r.Customers != 20 || r.HeldOut != 6 {
		t.Fatalf("%+v", r)
	}
	call := r.Actions[0]
	if call.Action != "call" || call.Matured != 5 || call.Control != 3 || call.Assigned != 5+6 || call.Pending != 6 {
		t.Errorf("call: %+v", call)
	}
	for name, x := range map[string][2]float64{"stay": {float64(call.Stay), .8}, "control": {float64(call.ControlStay), .6}, "effect": {float64(call.Effect), .2},
		"cost": {float64(call.Cost), 10}, "saved": {float64(call.ValueSaved), .2 * 500}, "programme": {float64(r.Programme.Effect), 5./7 - 2./3}} {
		if math.Abs(x[0]-x[1]) > 1e-9 {
			t.Errorf("%s %v, want %v", name, x[0], x[1])
		}
	}
	if call.Low.Defined() || !strings.HasPrefix(call.Verdict, "too few yet: 5 assigned") || call.MaturesUntil == nil || !call.MaturesUntil.Equal(spec.Matures(cutoffs[2])) {
		t.Errorf("call: %s, %v", call.Verdict, call.MaturesUntil)
	}
	// A window that begins on the second day holds the first one, too: on the second, who is still there to be decided about depends on the first.
	part, err := ReportActions(t.Context(), ActionReportOptions{Store: &features.Store{DB: w}, Spec: spec, In: warehouse.Window{From: cutoffs[1]}})
	if err != nil || part.Runs != 3 || part.Actions[0].Effect != call.Effect || part.Actions[0].Assigned != call.Assigned {
		t.Errorf("from the second day on: %+v, %v", part, err)
	}
	if _, err := ReportActions(t.Context(), ActionReportOptions{Store: &features.Store{DB: w}, Spec: spec, In: warehouse.Window{To: cutoffs[0]}}); !errors.Is(err, ErrNoDecisions) {
		t.Errorf("an empty window: %v", err)
	}
}

// Who left in the gap between a decision and the label window of training counts as having left: who was called and left at once must not be passed over.
func TestReportCountsWhoLeftInTheGap(t *testing.T) {
	t.Parallel()
	im := newImporter(t)
	engine, err := actions.Parse([]byte(shopActions), nil)
	if err != nil {
		t.Fatal(err)
	}
	cutoff := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	im.must("subscriptions.csv", `customer_id,subscription_id,started_at,ended_at
c0,s0,2025-10-01,2026-01-05
c1,s1,2025-10-01,
c2,s2,2025-10-01,2026-02-20
c3,s3,2025-10-01,
new,s4,2027-01-01,
`, ImportOptions{Source: "subscriptions"})
	run := warehouse.DecisionRun{RunID: "run", Cutoff: cutoff, Policy: "p", Document: string(engine.Catalogue.Document()), Explore: true, Holdout: .5, DecidedAt: cutoff}
	decide := func(i int) warehouse.DecisionRow {
		row := warehouse.DecisionRow{CustomerID: fmt.Sprint("c", i), DecisionID: fmt.Sprint("d", i), Chosen: "call", Value: 100, Actions: []string{"do_nothing", "call"}, Propensities: []float64{.5, .5}}
		if i > 1 {
			row.Chosen, row.Holdout, row.Withheld, row.WithheldPropensities = "do_nothing", true, []string{"call"}, []float64{.5}
		}
		return row
	}
	if err := im.w.PutDecisions(t.Context(), run, 4, decide); err != nil {
		t.Fatal(err)
	}
	spec := features.ChurnSpec{Setting: features.Contractual, GraceDays: 30, GapDays: 10, HorizonDays: 60}
	r, err := ReportActions(t.Context(), ActionReportOptions{Store: &features.Store{DB: im.w}, Spec: spec})
	if err != nil {
		t.Fatal(err)
	}
	if call := r.Actions[0]; call.Matured != 2 || float64(call.Stay) != .5 || float64(call.ControlStay) != .5 || r.Unlabelled != 0 || r.HorizonDays != 70 || r.MatureDays != 100 {
		t.Errorf("%+v of %+v", call, r)
	}
	run.RunID, run.Cutoff, run.Holdout = "all", cutoff.AddDate(0, 3, 0), 0
	if err := im.w.PutDecisions(t.Context(), run, 2, decide); err != nil {
		t.Fatal(err)
	}
	r, err = ReportActions(t.Context(), ActionReportOptions{Store: &features.Store{DB: im.w}, Spec: spec, In: warehouse.Window{From: run.Cutoff}})
	if err != nil || !strings.Contains(r.Actions[0].Verdict, "nobody was held out") || !strings.Contains(r.Programme.Verdict, "nobody was held out") {
		t.Errorf("without a control group: %+v, %v", r, err)
	}
}

func TestEnrolDays(t *testing.T) {
	ten := 10
	for name, x := range map[string]struct {
		e    enrolment
		want float64
	}{
		"enough today":                      {enrolment{needed: 100, now: 100, share: .5}, 0},
		"a few come every day":              {enrolment{needed: 101, now: 50, fresh: 10, known: true, share: .5}, 6},
		"nobody comes":                      {enrolment{needed: 101, now: 50, known: true, share: .5}, math.NaN()},
		"who comes is not known":            {enrolment{needed: 101, now: 50, share: .5}, math.NaN()},
		"five days of ten, the first today": {enrolment{needed: 100, now: 100, share: .5, capacity: &ten}, 4},
		"an effect of nothing":              {enrolment{needed: math.NaN(), now: 50, share: .5}, math.NaN()},
	} {
		if got := enrolDays(x.e); got != x.want && !(math.IsNaN(got) && math.IsNaN(x.want)) {
			t.Errorf("%s: %v days, want %v", name, got, x.want)
		}
	}
}
