package pipelines

import (
	"strings"
	"testing"
	"time"

	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
	"retain/models/actions"
	"retain/simulation"
)

// decideFor logs a run that calls every customer whose index is even, and a lead.
func decideFor(t *testing.T, w *warehouse.Warehouse, cutoff time.Time, ids []string) {
	t.Helper()
	engine, err := actions.Default(nil)
	if err != nil {
		t.Fatal(err)
	}
	run := warehouse.DecisionRun{RunID: "run " + cutoff.Format(time.DateOnly), Cutoff: cutoff, Policy: "p", Document: string(engine.Catalogue.Document()), Explore: true, DecidedAt: cutoff}
	err = w.PutDecisions(t.Context(), run, len(ids), func(i int) warehouse.DecisionRow {
		r := warehouse.DecisionRow{CustomerID: ids[i], DecisionID: "d" + ids[i], Chosen: "do_nothing", Actions: []string{"do_nothing", "save_call"}, Channels: []string{"none", "phone"},
			Priorities: []float64{0, 1}, Uplifts: []float64{0, 1}, UpliftSources: []string{"prior", "prior"}, Levers: []float64{1, 1}, Fatigues: []float64{0, 0},
			ContactCosts: []float64{0, 0}, PAccepts: []float64{0, 0}, Incentives: []float64{0, 0}, Propensities: []float64{.5, .5}, Moments: []time.Time{{}, cutoff}, Expiries: []time.Time{{}, cutoff}}
		if i%2 == 0 {
			r.Chosen = "save_call"
		}
		return r
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A world goes on: its records end where they are asked to, and what the decisions say has been done stands among the contacts with its effect.
func TestCourseCarriesOutTheDecisions(t *testing.T) {
	world := newWorld(t, simulation.Options{Customers: 60, Days: 420, Seed: 5})
	w := warehousetest.Open(t)
	cutoff, until := world.Time(280), world.Time(371)
	label := simulation.Label{HorizonDays: 91}
	simulate := func(to time.Time) []CarriedOut {
		t.Helper()
		course, carried, err := Course(t.Context(), w, world, to, label)
		if err != nil {
			t.Fatal(err)
		}
		report, err := Simulate(t.Context(), SimulateOptions{Warehouse: w, World: course, Churn: simulatedChurn(), Replace: true})
		if err != nil {
			t.Fatal(err)
		}
		if !report.EndAt.Equal(to) {
			t.Errorf("the records end %v, want %v", report.EndAt, to)
		}
		return carried
	}
	count := func(query string) (n uint64) {
		t.Helper()
		if err := w.Conn().QueryRow(t.Context(), query).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if carried := simulate(cutoff); len(carried) != 0 {
		t.Errorf("carried out %+v before anything was decided", carried)
	}
	if n := count("SELECT count() FROM usage WHERE ingested_at >= toDateTime64('" + cutoff.Format(time.DateOnly) + "', 3, 'UTC')"); n != 0 {
		t.Errorf("%d rows of usage are from the future", n)
	}
	all, there := count("SELECT count() FROM usage"), []string{"l0000000-1"}
	one := new(simulation.Customer)
	for i := range world.Customers() {
		world.Live(i, one)
		if world.Fate(one).Scored(280, label) {
			there = append(there, one.ID)
		}
	}
	decideFor(t, w, cutoff, there)
	carried := simulate(until)
	if len(carried) != 1 || carried[0].Decided != len(there)-1 || carried[0].Treated != (len(there)-1)/2 || !(carried[0].Possible >= carried[0].Saved) || carried[0].Possible == 0 {
		t.Errorf("carried out %+v of %d decisions", carried, len(there))
	}
	if n := count("SELECT count() FROM contacts WHERE decision_id LIKE 'dc%' AND action = 'save_call' AND toDate(at) = '" + cutoff.Format(time.DateOnly) + "'"); n == 0 || int(n) > carried[0].Treated {
		t.Errorf("%d contacts of %d calls", n, carried[0].Treated)
	}
	if count("SELECT count() FROM usage") <= all {
		t.Error("the world stood still")
	}

	if _, _, err := Course(t.Context(), w, world, world.Time(250), label); err == nil || !strings.Contains(err.Error(), "until which the world is to go") {
		t.Errorf("a world that goes back: %v", err)
	}
	decideFor(t, w, world.Time(371), []string{"c0000999"})
	if _, _, err := Course(t.Context(), w, world, world.Time(371), label); err == nil || !strings.Contains(err.Error(), "not of this world") {
		t.Errorf("a stranger: %v", err)
	}
}
