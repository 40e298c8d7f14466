package boost

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"retain/features"
)

// cpuTime is what the process has used of the processors.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func readFloats(b *testing.B, dir, name string) []float32 {
	b.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		b.Fatal(err)
	}
	v := make([]float32, len(raw)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return v
}

// BenchmarkPeerContributions explains rows by XGBoost's trees, which testdata/explain.py has left in a directory: see there.
func BenchmarkPeerContributions(b *testing.B) {
	dir := os.Getenv("RETAIN_BENCH_PEER")
	if dir == "" {
		b.Skip("RETAIN_BENCH_PEER is no directory of testdata/explain.py")
	}
	file, err := os.ReadFile(filepath.Join(dir, "model.json"))
	if err != nil {
		b.Fatal(err)
	}
	m, err := ImportXGBoost(file, nil)
	if err != nil {
		b.Fatal(err)
	}
	p := len(m.Schema())
	raw, want := readFloats(b, dir, "rows.f32"), readFloats(b, dir, "contributions.f32")
	x := &features.Matrix{Schema: m.Schema(), X: make([][]float32, p)}
	n := len(raw) / p
	for i, v := range raw {
		x.X[i%p] = append(x.X[i%p], v)
	}
	phi := make([]float64, n*p)
	if _, err := m.Contributions(phi[:p], x.Slice(0, 1)); err != nil { // tabulates
		b.Fatal(err)
	}
	start := cpuTime(b)
	for b.Loop() {
		if _, err := m.Contributions(phi, x); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpuTime(b)-start).Microseconds())/float64(b.N*n), "cpu-µs/row")
	worst := 0.0
	for i, v := range phi {
		worst = max(worst, math.Abs(v-float64(want[i/p*(p+1)+i%p])))
	}
	b.ReportMetric(worst, "worst-difference")
	tables := 0
	for i := range m.plan {
		tables += 8 * len(m.plan[i].tables)
	}
	b.ReportMetric(float64(tables)/1e6, "table-MB")
}

// BenchmarkContributionsOfOneRow is what a reader of one customer's page waits for.
func BenchmarkContributionsOfOneRow(b *testing.B) {
	d := sample(20000, 54)
	m := mustFit(b, Trainer{Trees: 200, Leaves: 63}, d)
	one := d.X.Slice(7, 8)
	phi := make([]float64, one.Cols())
	for b.Loop() {
		if _, err := m.Contributions(phi, one); err != nil {
			b.Fatal(err)
		}
	}
}
