//go:build unix

package training

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"retain/features"
	"retain/models"
	"retain/models/boost"
)

// BenchmarkTournament trains on made-up rows of 60 columns and 12 monthly cutoffs, and compares the CPU seconds with those of one boosted model on all
// rows. It reports the peak of the process's memory too, the rows themselves in it. `make bench-tournament` runs it: a million rows take minutes.
func BenchmarkTournament(b *testing.B) {
	for _, rows := range []int{20_000, 200_000, 1_000_000} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			p := newCrowd(rows, 60)
			// The long budget tries as many choices as ten minutes do, and a busy machine stops nothing.
			o := Options{Churn: features.DefaultChurn(), Seed: 1, TimeBudget: 10 * time.Hour, Registry: &memory{}, Progress: func(line string) { b.Log(line) }}.filled()
			all, err := stack(b.Context(), p, p.cutoffs, time.Time{})
			if err != nil {
				b.Fatal(err)
			}
			e, err := encode(all)
			if err != nil {
				b.Fatal(err)
			}
			s := Shape{Rows: all.Rows(), Positives: sumOf(all.Y), Columns: e.d.X.Cols()}
			begin := cpuSeconds(b)
			if _, err := boost.Defaults(s.Rows, s.Positives, s.Columns).Fit(b.Context(), e.d, rand.New(rand.NewPCG(1, 1))); err != nil {
				b.Fatal(err)
			}
			one := cpuSeconds(b) - begin
			all, e = nil, nil // not to count in the peak
			for b.Loop() {
				begin = cpuSeconds(b)
				report, err := train(b.Context(), p, o)
				if err != nil {
					b.Fatal(err)
				}
				whole := cpuSeconds(b) - begin
				for _, m := range report.Models {
					b.Logf("%-15s log loss %.4f, fit %.1f s, predict %.2f s: %s", m.Name, float64(m.Pooled.LogLoss), m.FitSeconds, m.PredictSeconds, m.Verdict)
				}
				b.Log(report.Tuning)
				b.ReportMetric(whole, "cpu-s/op")
				b.ReportMetric(one, "one-model-cpu-s")
				b.ReportMetric(whole/one, "models/op")
				b.ReportMetric(peakMB(b), "peak-MB")
			}
		})
	}
}

func sumOf(y []float64) int {
	n := 0
	for _, v := range y {
		n += int(v)
	}
	return n
}

func used(b *testing.B) syscall.Rusage {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u
}

func cpuSeconds(b *testing.B) float64 {
	u := used(b)
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// peakMB is the peak of resident memory; Linux counts it in kilobytes.
func peakMB(b *testing.B) float64 { return float64(used(b).Maxrss) / 1024 }

// crowd is a panel of many columns whose snapshots are kept, as those of a warehouse are.
type crowd struct {
	cutoffs []time.Time
	kept    map[int64]*features.Snapshot
	y       map[int64][]float64
}

// newCrowd makes so many stacked rows over 12 cutoffs: skewed, counted, normal and often missing columns, a tenth of them categorical. A sixth churns,
// by recency, an amount, two interactions and a plan.
func newCrowd(rows, columns int) *crowd {
	c := &crowd{kept: make(map[int64]*features.Snapshot), y: make(map[int64][]float64)}
	n := rows / 12
	customers := make([]string, n)
	for i := range customers {
		customers[i] = fmt.Sprintf("customer-%07d", i)
	}
	for k := range 12 {
		t := month(2024, time.Month(1+k))
		rng := rand.New(rand.NewPCG(9, uint64(k)))
		s := &features.Snapshot{Cutoff: t, Customer: customers, X: &features.Matrix{}}
		for j := range columns {
			column := features.Column{Name: fmt.Sprintf("column_%d", j)}
			x := make([]float32, n)
			switch {
			case j == 0:
				column.Name = "purchase_recency_days"
				for i := range x {
					x[i] = float32(rng.IntN(300))
				}
			case j%10 == 9:
				column.Kind = features.Categorical
				column.Levels = []string{"a", "b", "c", "d", "e"}
				for i := range x {
					x[i] = float32(rng.IntN(5))
				}
			case j%3 == 0:
				for i := range x {
					x[i] = float32(math.Floor(3 * rng.ExpFloat64()))
				}
			case j%3 == 1:
				for i := range x {
					x[i] = float32(math.Exp(2 * rng.NormFloat64()))
				}
			default:
				for i := range x {
					x[i] = float32(rng.NormFloat64())
					if rng.IntN(4) == 0 {
						x[i] = float32(math.NaN())
					}
				}
			}
			s.X.Schema = append(s.X.Schema, column)
			s.X.X = append(s.X.X, x)
		}
		y := make([]float64, n)
		for i := range y {
			at := func(j int) float64 {
				if v := float64(s.X.X[j][i]); v == v {
					return v
				}
				return -.5
			}
			m := -3 + .5*(math.Log1p(at(0))-4) - .4*math.Log(at(1)) + .3*at(9) - .1*at(3)
			if at(2) > 0 != (at(5) > 0) {
				m += 1
			}
			if rng.Float64() < models.Sigmoid(m) {
				y[i] = 1
			}
		}
		c.cutoffs = append(c.cutoffs, t)
		c.kept[t.UnixMilli()], c.y[t.UnixMilli()] = s, y
	}
	return c
}

func (c *crowd) Watermark(context.Context) (time.Time, error) { return month(2025, 7), nil }
func (c *crowd) Cutoffs(context.Context) ([]time.Time, error) { return c.cutoffs, nil }
func (c *crowd) Resolve(context.Context, []time.Time) error   { return nil }
func (c *crowd) Catalogue() *features.Catalogue               { return features.DefaultCatalogue() }
func (c *crowd) Snapshot(_ context.Context, t time.Time) (*features.Snapshot, error) {
	return c.kept[t.UnixMilli()], nil
}
func (c *crowd) Labels(_ context.Context, t, _ time.Time) ([]float64, error) {
	return c.y[t.UnixMilli()], nil
}
