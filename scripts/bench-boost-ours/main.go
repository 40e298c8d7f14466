// Command bench-boost-ours trains models/boost on a table of scripts/bench-boost-gen.py and measures it as
// scripts/bench-boost-peer.py measures the peers: one line of JSON.
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"syscall"
	"time"

	"retain/features"
	"retain/models/boost"
)

type measured struct {
	Library   string  `json:"library"`
	Version   string  `json:"version"`
	Leaves    string  `json:"leaves"`
	WallS     float64 `json:"wall_s"`
	CPUS      float64 `json:"cpu_s"`
	PeakMB    float64 `json:"peak_mb"`
	RowsPerS  float64 `json:"rows_per_s"`
	OneRowUS  float64 `json:"one_row_us"`
	SHAPUS    float64 `json:"shap_us"`
	AUC       float64 `json:"auc"`
	LogLoss   float64 `json:"log_loss"`
	TreesSize int     `json:"model_bytes"`
}

func main() {
	train, test := flag.String("train", "", "prefix of the training table"), flag.String("test", "", "prefix of the test table")
	leaves := flag.String("leaves", "63", "63, or depth6")
	trees, threads := flag.Int("trees", 200, "trees"), flag.Int("threads", 2, "threads")
	library := flag.String("library", "retain", "what the line calls it")
	profile := flag.String("profile", "", "file for a CPU profile of the training")
	flag.Parse()
	runtime.GOMAXPROCS(*threads)
	if err := run(*library, *train, *test, *leaves, *trees, *profile); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(library, train, test, leaves string, trees int, profile string) error {
	t := boost.Trainer{Trees: trees, LearningRate: 0.1, L2: 1}
	if leaves == "depth6" {
		t.Depth, t.Leaves = 6, 64
	} else {
		n, err := strconv.Atoi(leaves)
		if err != nil {
			return fmt.Errorf("leaves: %w", err)
		}
		t.Leaves = n
	}
	d, err := load(train)
	if err != nil {
		return err
	}
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
	}
	out := measured{Library: library, Version: runtime.Version(), Leaves: leaves}
	wall, cpu := time.Now(), cpuSeconds()
	fitted, err := t.Fit(context.Background(), d, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		return err
	}
	out.WallS, out.CPUS, out.PeakMB = time.Since(wall).Seconds(), cpuSeconds()-cpu, peakMB()
	pprof.StopCPUProfile()
	m := fitted.(*boost.Model)
	runtime.GC() // d is of no more use
	if d, err = load(test); err != nil {
		return err
	}
	if err := measure(m, d, &out); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

// measure fills in what is measured after training: speed of scoring and quality on the test table.
func measure(m *boost.Model, d *features.Dataset, out *measured) error {
	margin := make([]float64, d.Rows())
	best := math.Inf(1)
	for range 4 {
		wall := time.Now()
		if err := m.Margin(margin, d.X); err != nil {
			return err
		}
		best = min(best, time.Since(wall).Seconds())
	}
	out.RowsPerS = float64(d.Rows()) / best
	var err error
	if out.OneRowUS, err = oneRow(m, d); err != nil {
		return err
	}
	some := d.X.Take(firstRows(min(1000, d.Rows())))
	phi := make([]float64, some.Rows()*some.Cols())
	best = math.Inf(1)
	for range 3 {
		wall := time.Now()
		if _, err := m.Contributions(phi, some); err != nil {
			return err
		}
		best = min(best, time.Since(wall).Seconds())
	}
	out.SHAPUS = best / float64(some.Rows()) * 1e6
	out.AUC, out.LogLoss = quality(margin, d.Y)
	b, err := m.MarshalBinary()
	out.TreesSize = len(b)
	return err
}

// oneRow is the median time of a row scored alone, in µs.
func oneRow(m *boost.Model, d *features.Dataset) (float64, error) {
	var each []float64
	row := make([]float32, d.X.Cols())
	for i := range min(2000, d.Rows()) {
		for j := range row {
			row[j] = d.X.X[j][i]
		}
		wall := time.Now()
		if _, err := m.MarginOf(row); err != nil {
			return 0, err
		}
		each = append(each, float64(time.Since(wall).Nanoseconds())/1e3)
	}
	slices.Sort(each)
	return each[len(each)/2], nil
}

func firstRows(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// load reads a table column by column, without a second copy of it in memory.
func load(prefix string) (*features.Dataset, error) {
	about, err := os.ReadFile(prefix + ".json")
	if err != nil {
		return nil, err
	}
	var shape struct{ Rows, Columns int }
	if err := json.Unmarshal(about, &shape); err != nil {
		return nil, fmt.Errorf("%s.json: %w", prefix, err)
	}
	x := &features.Matrix{}
	for j := range shape.Columns {
		x.Schema = append(x.Schema, features.Column{Name: fmt.Sprintf("x%d", j)})
		x.X = append(x.X, make([]float32, shape.Rows))
	}
	f, err := os.Open(prefix + ".x.f32")
	if err != nil {
		return nil, err
	}
	const block = 4096
	room := make([]byte, 4*shape.Columns*block)
	for lo := 0; lo < shape.Rows; lo += block {
		n := min(block, shape.Rows-lo)
		if _, err := f.ReadAt(room[:4*shape.Columns*n], int64(4*shape.Columns*lo)); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		for j, col := range x.X {
			for i := range n {
				col[lo+i] = math.Float32frombits(binary.LittleEndian.Uint32(room[4*(i*shape.Columns+j):]))
			}
		}
	}
	labels, err := os.ReadFile(prefix + ".y.u8")
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	d := &features.Dataset{X: x, Y: make([]float64, shape.Rows)}
	for i, v := range labels {
		d.Y[i] = float64(v)
	}
	return d, nil
}

// quality is the area under the ROC curve (ties count half) and the mean log loss.
func quality(margin, y []float64) (auc, loss float64) {
	order := firstRows(len(y))
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case margin[a] < margin[b]:
			return -1
		case margin[a] > margin[b]:
			return 1
		}
		return 0
	})
	var ranks, ones float64
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && margin[order[j]] == margin[order[i]] {
			j++
		}
		for _, r := range order[i:j] {
			ranks += y[r] * float64(i+j+1) / 2
			ones += y[r]
		}
		i = j
	}
	for i, m := range margin {
		if y[i] == 1 {
			m = -m
		}
		loss += math.Max(m, 0) + math.Log1p(math.Exp(-math.Abs(m)))
	}
	n := float64(len(y))
	return (ranks - ones*(ones+1)/2) / (ones * (n - ones)), loss / n
}

func cpuSeconds() float64 {
	r := usage()
	return float64(r.Utime.Sec+r.Stime.Sec) + float64(r.Utime.Usec+r.Stime.Usec)/1e6
}

func peakMB() float64 { return float64(usage().Maxrss) / 1024 }

func usage() syscall.Rusage {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r) // fails only for an unknown `who`
	return r
}
