package features

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A Labeller gives what Store.Labels gives, at every cutoff and knowledge time, over worlds with corrections, late rows and ends that become known late.
func TestLabellerAgreesWithLabels(t *testing.T) {
	s := world{}.store(t)
	leave := map[string]string{"channel": "leave"}
	for _, c := range []ChurnSpec{
		{Setting: NonContractual, Activity: []string{Purchases, Usage}, ActiveDays: 120, GapDays: 3, HorizonDays: 20},
		{Setting: Contractual, GraceDays: 5, HorizonDays: 30},
		{Setting: EventSetting, GapDays: 2, HorizonDays: 30, Event: &EventSpec{Source: Usage, Match: leave}},
	} {
		asked, answers := 0, 0
		for seed := range uint64(2) {
			w := lateWorld(rand.New(rand.NewPCG(seed, 9)), c.Setting)
			w.load(t, s.DB)
			l := s.Labeller(c)
			start := utc(t, "2024-01-01")
			for k := range 3 {
				cutoff := start.AddDate(0, 2+k, 0)
				p := populationOf(t, s, c, cutoff)
				for _, known := range []time.Time{{}, c.Matures(cutoff), c.Matures(cutoff).Add(5*day + time.Hour), c.Matures(cutoff).AddDate(0, 1, 0), c.Matures(cutoff).AddDate(0, 3, 0)} {
					got, err := l.Labels(t.Context(), p, known)
					if err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(labelsOf(t, s, c, p, known), got, equalNaNs); diff != "" {
						t.Fatalf("%s, seed %d, cutoff %v, known before %v: %s", c.Setting, seed, cutoff, known, diff)
					}
					answers++
				}
				asked += len(l.kept[milliseconds(cutoff)])
			}
		}
		t.Logf("%s: %d answers from %d questions", c.Setting, answers, asked)
		if asked >= answers || asked == answers/5 {
			t.Errorf("%s: %d answers from %d questions: the world shows nothing", c.Setting, answers, asked)
		}
	}
}

// lateWorld is a year of rows, some late, some corrected; corrections are fewer than cutoffs, so that some labels stay as they are.
func lateWorld(rng *rand.Rand, setting Setting) (w world) {
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func() time.Time { return start.Add(time.Duration(rng.IntN(365*24)) * time.Hour) }
	for c := range 25 {
		id := fmt.Sprintf("c%02d", c)
		for k := range 1 + rng.IntN(6) {
			e := eventRow{source: []string{Usage, Purchases}[rng.IntN(2)], customer: id, id: k, at: at(), channel: []string{"leave", "look"}[rng.IntN(2)]}
			e.ingested = e.at.Add(time.Duration(rng.IntN(3)) * time.Hour)
			w.events = append(w.events, e)
			if rng.IntN(60) == 0 {
				e.ingested, e.at = e.ingested.AddDate(0, rng.IntN(5), 1), at()
				w.events = append(w.events, e)
			}
		}
		if setting != Contractual {
			continue
		}
		begin := at()
		for k := range 1 + rng.IntN(3) {
			end := begin.AddDate(0, 1+rng.IntN(3), 0)
			p := periodRow{customer: id, id: k, started: begin, ends: &end}
			if rng.IntN(20) == 0 {
				ended := end.AddDate(0, rng.IntN(3), 2) // served beyond what was paid
				p.ended = &ended
			}
			if rng.IntN(4) == 0 {
				p.ends, p.ended, p.cancelled = nil, nil, &end
			}
			w.periods = append(w.periods, p)
			begin = end
			if rng.IntN(60) == 0 {
				p.ingested, p.ends, p.cancelled = end.AddDate(0, 3, 0), &begin, nil
				w.periods = append(w.periods, p)
			}
		}
	}
	return w
}
