package chdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/ClickHouse/ch-go/proto"
)

// Options say how Open starts the engine.
type Options struct {
	Dir         string // required: the directory that libchdb keeps its files in; created (0700) when missing
	MarkCache   int64  // bytes of MergeTree marks kept in memory; 0 means 64 MiB
	MemoryLimit int64  // bytes that all statements together may take, beyond which they fail with code 241; 0 means ClickHouse's own, nine tenths of the machine
}

// Engine is an embedded ClickHouse. It is safe for concurrent use: as an http.RoundTripper within this process, as an
// http.Handler for others. Close must be called.
type Engine struct {
	version  string
	sessions *sessions
	killer   *killer
	stopping context.Context // ends when statements that still run must stop
	stop     context.CancelFunc
}

const defaultMarkCache = 64 << 20 // ClickHouse's own 5 GiB is meant for a server with a machine of its own

// limit on sessions in use at once. Above the pool's two per core, because a caller may hold a stream while it asks
// something else; a connection costs 0.6 ms.
const maxSessions = 64

// process is the part of libchdb's state that cannot be had twice: the library, and the one directory it has open.
var process struct {
	sync.Mutex
	lib *library
	dir string
}

// Open loads libchdb (once in a process; *NotFoundError when it is not installed) and opens o.Dir. A process can hold
// one directory at a time, and a directory only one process: the caller must see to the latter by a lock of its own.
func Open(o Options) (*Engine, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	process.Lock()
	defer process.Unlock()
	if process.dir != "" {
		return nil, fmt.Errorf("open %s: this process has %s open already, and libchdb holds one directory at a time", dir, process.dir)
	}
	if process.lib == nil {
		path, err := Find()
		if err != nil {
			return nil, err
		}
		if process.lib, err = load(path); err != nil {
			return nil, err
		}
	}
	arguments, err := prepareDir(dir, o)
	if err != nil {
		return nil, err
	}
	lib := process.lib
	dial := func() (*conn, error) { return lib.dial(arguments) }
	admin, err := dial()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	version, err := admin.version()
	if err != nil {
		admin.close()
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	process.dir = dir
	stopping, stop := context.WithCancel(context.Background())
	return &Engine{
		version:  version,
		sessions: newSessions(2*runtime.GOMAXPROCS(0), maxSessions, dial),
		killer:   &killer{nonce: time.Now().UnixNano(), c: admin},
		stopping: stopping,
		stop:     stop,
	}, nil
}

// prepareDir creates dir with an empty configuration and returns ClickHouse's command line. Without a configuration of
// its own the engine would read ./config.xml, whoever wrote it.
func prepareDir(dir string, o Options) ([]string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "config.xml")
	if err := os.WriteFile(config, []byte("<clickhouse></clickhouse>\n"), 0o600); err != nil {
		return nil, err
	}
	marks := o.MarkCache
	if marks == 0 {
		marks = defaultMarkCache
	}
	arguments := []string{"--path=" + dir, "--config-file=" + config, fmt.Sprintf("--mark_cache_size=%d", marks)}
	if o.MemoryLimit > 0 {
		arguments = append(arguments, fmt.Sprintf("--max_server_memory_usage=%d", o.MemoryLimit))
	}
	return arguments, nil
}

// Version is ClickHouse's version, such as "26.7.2.1".
func (e *Engine) Version() string { return e.version }

// Close refuses new statements, waits for those that run until ctx ends, stops the rest, and closes the directory.
// The library stays loaded, so that another directory can be opened.
func (e *Engine) Close(ctx context.Context) error {
	stopLate := context.AfterFunc(ctx, e.stop)
	e.sessions.shut()
	stopLate()
	e.stop()
	e.killer.close()
	process.Lock()
	defer process.Unlock()
	process.dir = ""
	// chdb_shutdown is not called: it forbids opening again, and after MergeTree use it reports 1 for no fault of ours.
	return nil
}

var errClosed = errors.New("the embedded ClickHouse is closed")

// version asks the engine for its version.
func (c *conn) version() (string, error) {
	r, err := c.query(query{sql: "SELECT version()", format: "Native"})
	if err != nil {
		return "", err
	}
	defer r.free()
	var version proto.ColStr
	var block proto.Block
	if err := block.DecodeRawBlock(proto.NewReader(bytes.NewReader(r.bytes())), 0, proto.Results{{Data: &version}}); err != nil {
		return "", fmt.Errorf("ask for its version: %w", err)
	}
	return version.First(), nil
}

var (
	_ http.RoundTripper = (*Engine)(nil)
	_ http.Handler      = (*Engine)(nil)
)
