//go:build native

package warehouse_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"retain/internal/warehouse"
)

// nativeServer starts Debian's clickhouse-server (18.16, of 2018) on a free port, with everything it writes in a
// temporary directory, and returns its address.
func nativeServer(t *testing.T) string {
	t.Helper()
	binary, err := exec.LookPath("clickhouse-server")
	if err != nil {
		t.Fatal("clickhouse-server is not installed: apt-get install clickhouse-server")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := fmt.Sprintf(`<yandex>
	<logger><level>error</level><log>%[2]s/log</log></logger>
	<listen_host>127.0.0.1</listen_host><tcp_port>%[1]s</tcp_port>
	<path>%[2]s/</path><tmp_path>%[2]s/tmp/</tmp_path><users_config>users.xml</users_config>
	<mark_cache_size>10485760</mark_cache_size><default_profile>default</default_profile><default_database>default</default_database>
</yandex>`, port, dir)
	const users = `<yandex>
	<profiles><default></default></profiles><quotas><default></default></quotas>
	<users><default><password></password><profile>default</profile><quota>default</quota><networks><ip>127.0.0.1</ip></networks></default></users>
</yandex>`
	for name, text := range map[string]string{"config.xml": config, "users.xml": users} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server := exec.Command(binary, "--config-file="+filepath.Join(dir, "config.xml"))
	server.Dir = dir
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	for range 200 {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return address
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("clickhouse-server does not answer")
	return ""
}

// TestNative does over clickhouse:// what so old a server can do: a toy table. Our schema needs a current one.
func TestNative(t *testing.T) {
	ctx := t.Context()
	w, err := warehouse.Open(ctx, warehouse.Options{URL: "clickhouse://default@" + nativeServer(t) + "/default", Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if w.Embedded() || w.Database() != "default" {
		t.Errorf("embedded %v, database %q", w.Embedded(), w.Database())
	}
	conn := w.Conn()
	if err := conn.Exec(ctx, "CREATE TABLE toy (id String, x Float64, n Nullable(Int32), at DateTime) ENGINE = MergeTree ORDER BY id"); err != nil {
		t.Fatal(err)
	}
	batch, err := conn.PrepareBatch(ctx, "INSERT INTO toy (id, x, n, at)")
	if err != nil {
		t.Fatal(err)
	}
	const rows = 100_000
	for i := range rows {
		var n *int32
		if i%2 == 0 {
			x := int32(i)
			n = &x
		}
		if err := batch.Append(fmt.Sprintf("%06d", i), float64(i)/2, n, time.Unix(int64(i), 0)); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
	if err := conn.Exec(ctx, "INSERT INTO toy (id, x, at) SELECT concat(id, 'b'), x, at FROM toy WHERE x = ?", 7.5); err != nil {
		t.Error(err)
	}
	if n, err := count(ctx, w, "SELECT count() FROM toy"); err != nil || n != rows+1 {
		t.Errorf("%d rows: %v", n, err)
	}

	i := 0
	for b, err := range w.Blocks(ctx, "SELECT id, x, n, at FROM toy WHERE NOT endsWith(id, 'b') ORDER BY id", nil) {
		if err != nil {
			t.Fatal(err)
		}
		id, x, n, null, at := b.Strings("id"), b.Float64s("x"), b.Int64s("n"), b.Nulls("n"), b.Times("at")
		for k := range b.Rows() {
			if id[k] != fmt.Sprintf("%06d", i) || x[k] != float64(i)/2 || null[k] != (i%2 == 1) || !null[k] && n[k] != int64(i) || at[k].Unix() != int64(i) {
				t.Fatalf("row %d came back otherwise", i)
			}
			i++
		}
	}
	if i != rows {
		t.Errorf("%d rows in blocks", i)
	}

	var exception *clickhouse.Exception
	for _, err := range w.Blocks(ctx, "SELECT nope FROM toy", nil) {
		if !errors.As(err, &exception) || exception.Code != 47 {
			t.Errorf("an exception: %v", err)
		}
	}
	cancelled, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	next, stop := iter.Pull2(w.Blocks(cancelled, "SELECT count() FROM system.numbers WHERE cityHash64(number) = 1", nil))
	defer stop()
	if _, err, _ := next(); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 5*time.Second {
		t.Errorf("a cancelled statement: %v after %v", err, time.Since(start))
	}
	if err := conn.Ping(ctx); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	if _, err := warehouse.Open(ctx, warehouse.Options{URL: "clickhouse://default@127.0.0.1:1/default?dial_timeout=200ms"}); err == nil {
		t.Error("a server that does not answer was opened")
	}
}
