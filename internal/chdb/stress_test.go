package chdb

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// TestStress runs inserts, reads, exceptions and cancels side by side, while the garbage collector, growing stacks and
// recovered faults do what Go needs its signal handlers for. Without rule 1 of libchdb (signals_linux.go) it hangs;
// without tainting, reads come back short.
func TestStress(t *testing.T) {
	const workers, rounds, rows = 8, 20, 1000
	c := open(t)
	table(t, c, "stress", "worker UInt32, x UInt64")
	stop := make(chan struct{})
	var background, work sync.WaitGroup
	background.Go(func() { disturb(stop) })
	for w := range workers {
		work.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 1))
			for i := range rounds {
				switch i % 4 {
				case 0:
					if err := insertRows(t.Context(), c, uint32(w), rows); err != nil {
						t.Error(err)
						return
					}
				case 1:
					if n, err := drainRows(c.Query(t.Context(), "SELECT number, toString(number) FROM numbers(20000)")); n != 20_000 || err != nil {
						t.Errorf("%d of 20000 rows: %v", n, err)
						return
					}
				case 2:
					if err := c.Exec(t.Context(), "SELECT nope"); code(err) != 47 {
						t.Errorf("a foreign error: %v", err)
					}
				case 3:
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rng.IntN(20))*time.Millisecond)
					// Its error depends on when the context ends.
					_, _ = drainRows(c.Query(ctx, "SELECT number FROM numbers(100000000)"))
					cancel()
				}
			}
		})
	}
	work.Wait()
	close(stop)
	background.Wait()
	if n := count(t, c, "SELECT count() FROM stress"); n != workers*rounds/4*rows {
		t.Errorf("%d rows, want %d", n, workers*rounds/4*rows)
	}
	noneLeft(t, c)
}

func insertRows(ctx context.Context, c driver.Conn, worker uint32, rows int) error {
	batch, err := c.PrepareBatch(ctx, "INSERT INTO stress")
	if err != nil {
		return err
	}
	for i := range rows {
		if err := batch.Append(worker, uint64(i)); err != nil {
			return err
		}
	}
	return batch.Send()
}

// disturb collects garbage, grows stacks and faults until stop closes.
func disturb(stop <-chan struct{}) {
	var deep func(n int, p *[256]byte) byte
	deep = func(n int, p *[256]byte) byte {
		var frame [256]byte
		frame[n%256] = p[0]
		if n == 0 {
			return frame[1]
		}
		return deep(n-1, &frame) + frame[0]
	}
	fault := func() {
		defer func() { _ = recover() }()
		var p *int
		_ = *p // a real SIGSEGV, which Go's handler makes a panic
	}
	for {
		select {
		case <-stop:
			return
		default:
		}
		var grow sync.WaitGroup
		for range 4 {
			grow.Go(func() { deep(2000, new([256]byte)) })
		}
		grow.Wait()
		runtime.GC()
		fault()
		time.Sleep(time.Millisecond)
	}
}

func TestStatementsRunInParallel(t *testing.T) {
	c := open(t)
	start := time.Now()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			var x uint8
			if err := c.QueryRow(t.Context(), "SELECT sleep(0.5)").Scan(&x); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("8 statements of 0.5 s took %v", took)
	}
}

// TestReadWithinARead has more streams open than connections are pooled, and asks on: a fixed pool would stand still.
func TestReadWithinARead(t *testing.T) {
	c := open(t)
	var bodies []interface{ Close() error }
	for range 2*cap(engine.sessions.idle) + 1 {
		body, err := c.QueryFormat(t.Context(), "CSV", "SELECT number FROM numbers(1000000000)")
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, body)
	}
	if n := count(t, c, "SELECT toUInt64(1)"); n != 1 {
		t.Error(n)
	}
	for _, b := range bodies {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
	noneLeft(t, c)
}
