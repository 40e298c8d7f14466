package chdb

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// noneLeft waits until no statement but the question runs.
func noneLeft(t testing.TB, c driver.Conn) {
	t.Helper()
	var n uint64
	for range 200 {
		if n = count(t, c, "SELECT count() FROM system.processes"); n == 1 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d statements still run", n-1)
}

func TestCancel(t *testing.T) {
	bothWays(t, func(t *testing.T, c driver.Conn) {
		for _, q := range []struct{ name, sql string }{
			{"computes", "SELECT count() FROM numbers_mt(100000000000000) WHERE cityHash64(number) = 1"},
			{"streams", "SELECT number FROM numbers(1000000000000)"},
			{"sleeps", "SELECT sleepEachRow(1) FROM numbers(60) SETTINGS max_block_size = 1"},
			{"does not stream", "INSERT INTO FUNCTION null('x UInt64') SELECT number FROM numbers(1000000000000)"},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			start := time.Now()
			_, err := drainRows(c.Query(ctx, q.sql))
			cancel()
			if took := time.Since(start); took > 3*time.Second || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a statement that %s: %v after %v", q.name, err, took)
			}
		}
		noneLeft(t, c)
		for range 4 * cap(engine.sessions.idle) { // every connection answers right again
			if n := count(t, c, "SELECT toUInt64(7)"); n != 7 {
				t.Fatalf("7 came back as %d", n)
			}
		}
	})
}

func TestCancelWhileWaitingForASession(t *testing.T) {
	pool := newSessions(1, 1, func() (*conn, error) { return nil, errors.New("must not dial") })
	pool.open <- struct{}{}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := pool.acquire(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	close(pool.end)
	if _, err := pool.acquire(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("got %v", err)
	}
}

func TestAbandonedStreamIsKilled(t *testing.T) {
	c := open(t)
	body, err := c.QueryFormat(t.Context(), "CSV", "SELECT number FROM numbers(1000000000000)")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := body.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if err := body.Close(); err != nil {
		t.Fatal(err)
	}
	noneLeft(t, c)
}

func TestCancelledInsertWritesNothing(t *testing.T) {
	bothWays(t, func(t *testing.T, c driver.Conn) {
		execute(t, c, "DROP TABLE IF EXISTS cancelled SYNC")
		execute(t, c, "CREATE TABLE cancelled (x UInt64) ENGINE = MergeTree ORDER BY x")
		defer execute(t, c, "DROP TABLE cancelled")
		ctx, cancel := context.WithCancel(t.Context())
		batch, err := c.PrepareBatch(ctx, "INSERT INTO cancelled")
		if err != nil {
			t.Fatal(err)
		}
		if err := batch.Column(0).Append(make([]uint64, 3_000_000)); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := batch.Send(); !errors.Is(err, context.Canceled) {
			t.Errorf("Send: %v", err)
		}
		noneLeft(t, c)
		if n := count(t, c, "SELECT count() FROM cancelled"); n != 0 {
			t.Errorf("%d rows stayed", n)
		}
	})
}
