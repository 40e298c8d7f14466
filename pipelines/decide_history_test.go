package pipelines

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"retain/features"
	"retain/models/actions"
)

// What was told of decisions counts as contacts, once: those that a row of contacts carries are not counted again, and responses are theirs.
func TestHistoriesKnowOutcomes(t *testing.T) {
	t.Parallel()
	im := newImporter(t)
	o := logDecisions(t, im.w, 9)
	engine, err := actions.Parse([]byte(shopActions), nil)
	if err != nil {
		t.Fatal(err)
	}
	histories := func(cutoff time.Time) string {
		t.Helper()
		p := &features.Population{Cutoff: cutoff}
		for i := range 9 {
			p.Customer = append(p.Customer, fmt.Sprint("c", i))
		}
		var lines []string
		r := decideReader{store: &features.Store{DB: im.w}, p: p, engine: engine}
		err := r.histories(t.Context(), func(lo, hi int, histories [][]actions.Contact) {
			for i := lo; i < hi; i++ {
				for _, c := range histories[i-lo] {
					line := fmt.Sprintf("%s %s@%d %s/%s", p.Customer[i], c.Action, c.At.YearDay(), c.Channel, c.Class)
					if c.Ignored {
						line += " ignored"
					}
					if c.Answered {
						line += " answered"
					}
					lines = append(lines, line)
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(lines, "\n")
	}
	im.must("contacts.csv", `customer_id,at,contact_id,channel,class,action,decision_id
c0,2026-03-02,k0,phone,service,call,d0
c1,2026-03-02,k1,phone,service,call,d1
c7,2026-03-02,k7,phone,service,call,
c8,2026-03-05,k8,phone,service,call,
c8,2026-03-19,k9,email,marketing,,
`, ImportOptions{Source: "contacts"})
	at := outcomeCutoff.AddDate(0, 0, 21)
	plain := "c0 call@61 phone/service\nc1 call@61 phone/service\nc7 call@61 phone/service\nc8 @78 email/marketing\nc8 call@64 phone/service" // nobody tells outcomes: silence is no answer
	if got := histories(at); got != plain {
		t.Errorf("contacts alone:\n%s", got)
	}
	if _, err := o.JoinContacts(t.Context(), &features.Store{DB: im.w}); err != nil {
		t.Fatal(err)
	}
	if got := histories(at); got != plain {
		t.Errorf("outcomes by contacts:\n%s", got)
	}
	day := func(decision int, outcome string, days int) actions.Report {
		return actions.Report{Decision: fmt.Sprint("d", decision), Outcome: outcome, At: outcomeCutoff.AddDate(0, 0, days)}
	}
	offer := day(5, "shown", 12)
	offer.Action = "offer"
	nothing := day(6, "converted", 3)
	nothing.Action = actions.DoNothing
	if _, err := o.Record(t.Context(), []actions.Report{
		day(0, "shown", 1), day(1, "accepted", 3), // carried by contacts
		day(2, "shown", 4), day(2, "ignored", 9), // two outcomes of one contact
		day(3, "accepted", 16), // nobody answers what was not shown
		day(4, "shown", 16),    // too young to be ignored
		offer,                  // another action than the chosen one, and silence
		nothing,
		day(8, "shown", 4), day(8, "rejected", 5), // a row carries it and does not name the decision
	}, OutcomeFromAPI); err != nil {
		t.Fatal(err)
	}
	want := `c0 call@61 phone/service ignored
c1 call@61 phone/service answered
c2 call@64 phone/service ignored
c3 call@76 phone/service answered
c4 call@76 phone/service
c5 offer@72 email/marketing ignored
c7 call@61 phone/service
c8 @78 email/marketing
c8 call@64 phone/service answered`
	if got := histories(at); got != want {
		t.Errorf("with outcomes:\n%s\nwant\n%s", got, want)
	}
	// As of a cutoff before it was told, nothing of it is known.
	if got := histories(outcomeCutoff.AddDate(0, 0, 20)); got != plain {
		t.Errorf("before outcomes were told:\n%s", got)
	}
}
