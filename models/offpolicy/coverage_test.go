package offpolicy

import (
	"math/rand/v2"
	"testing"
)

// coverage is the share of so many logs of the world whose 95 % intervals hold the truth. The mean weight of about one log in 500 is more than
// three standard errors off by chance: those are refused, and told apart.
func coverage(tb testing.TB, logs, rows, each int) (of map[string]float64) {
	truth := world{rand.New(rand.NewPCG(1, 1))}.truth()
	of = map[string]float64{}
	told := 0.
	for seed := range logs {
		l, p := world{rand.New(rand.NewPCG(uint64(seed), 2))}.log(rows, each)
		e, err := Evaluate(tb.Context(), l, p, Options{Seed: uint64(seed), Draws: 400, Folds: 3})
		if Refusals(err) != nil {
			continue
		}
		told++
		if err != nil {
			tb.Fatalf("log %d: %v", seed, err)
		}
		for name, v := range map[string]Interval{"snips": e.SNIPS.Interval, "dr": e.DoublyRobust.Interval, "ips": e.IPS.Interval} {
			if v.Low <= truth && truth <= v.High {
				of[name]++
			}
		}
	}
	for name := range of {
		of[name] /= told
	}
	if told < .98*float64(logs) {
		tb.Errorf("%.0f of %d honest logs are told", told, logs)
	}
	return of
}

// The intervals hold the truth as often as they say. 500 logs: a standard error of .01 around .95.
func TestIntervalsHoldTheTruth(t *testing.T) {
	for name, share := range coverage(t, 500, 800, 1) {
		t.Logf("%s: %.3f", name, share)
		if share < .92 || share > .98 {
			t.Errorf("the intervals of %s hold the truth in %.3f of 500 logs, want .92 to .98", name, share)
		}
	}
}

// BenchmarkCoverage measures larger logs, alone and with ten choices of each customer: `make bench-policy`.
func BenchmarkCoverage(b *testing.B) {
	for _, c := range []struct {
		name       string
		rows, each int
	}{{"customers=2000", 2000, 1}, {"customers=400", 4000, 10}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				for name, share := range coverage(b, 500, c.rows, c.each) {
					b.ReportMetric(share, name+"-coverage")
				}
			}
		})
	}
}
