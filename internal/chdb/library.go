// Package chdb embeds ClickHouse: it loads libchdb without cgo and serves enough of ClickHouse's HTTP interface
// on top of it that an unmodified clickhouse-go works, in this process (Engine is an http.RoundTripper) or through
// a socket (Engine is an http.Handler).
//
// The rules of libchdb that shape it, each learned from a failure:
//
//   - It installs signal handlers at connect; Go's are put back, else a stress run hangs (signals_linux.go).
//   - One connection runs one statement at a time, so connections are pooled (session.go).
//   - A connection whose statement was cancelled, or that ran SET or USE, is closed and never used again.
//   - A statement is cancelled by KILL QUERY from another connection, found by a comment put before it (kill.go).
//   - It opens one directory in a process and one process in a directory.
//   - It writes Native at revision 0, so clickhouse-go's first question is answered by hand (hello.go).
//   - Only SELECT and WITH … SELECT stream; all else is run whole (serve.go).
//   - It reads ./config.xml of the working directory unless told otherwise, so it is told (engine.go).
package chdb

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ebitengine/purego"
)

// libraryName is the file's name on every system: the npm packages for macOS ship an .so as well.
const libraryName = "libchdb.so"

// NotFoundError tells that libchdb.so is in none of the places where it is looked for.
type NotFoundError struct {
	Tried []string // in the order of looking
}

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("the embedded ClickHouse (%s) is not installed; looked for %s; `make engine` installs it, or RETAIN_CHDB_LIB names it",
		libraryName, strings.Join(e.Tried, ", "))
}

// Candidates are the places where libchdb.so is looked for, first found first: RETAIN_CHDB_LIB alone when it is set
// (an explicit choice is never silently replaced); beside the executable, with links resolved and not;
// $XDG_CACHE_HOME/retain (~/.cache/retain); /usr/local/lib; /usr/lib. Never the working directory.
func Candidates() []string {
	if p := os.Getenv("RETAIN_CHDB_LIB"); p != "" {
		return []string{p}
	}
	var places []string
	if exe, err := os.Executable(); err == nil {
		if resolved, err := filepath.EvalSymlinks(exe); err == nil && resolved != exe {
			places = append(places, filepath.Join(filepath.Dir(resolved), libraryName))
		}
		places = append(places, filepath.Join(filepath.Dir(exe), libraryName))
	}
	// Not os.UserCacheDir: on macOS it answers ~/Library/Caches, and the installer writes to ~/.cache everywhere.
	if cache := os.Getenv("XDG_CACHE_HOME"); filepath.IsAbs(cache) {
		places = append(places, filepath.Join(cache, "retain", libraryName))
	} else if home, err := os.UserHomeDir(); err == nil && filepath.IsAbs(home) {
		places = append(places, filepath.Join(home, ".cache", "retain", libraryName))
	}
	return append(places, filepath.Join("/usr/local/lib", libraryName), filepath.Join("/usr/lib", libraryName))
}

// Find returns the path of libchdb.so, or a *NotFoundError.
func Find() (string, error) {
	places := Candidates()
	for _, p := range places {
		if at, err := os.Stat(p); err == nil && at.Mode().IsRegular() {
			return filepath.Abs(p)
		}
	}
	return "", &NotFoundError{Tried: places}
}

// library is libchdb's C interface (chdb.h), as addresses to call. A process has one; it is never unloaded.
type library struct {
	connect, closeConn                           uintptr
	query, queryParams                           uintptr
	streamQuery, streamQueryParams               uintptr
	streamFetch, streamCancel                    uintptr
	insert, insertAppend, insertDone             uintptr
	insertCancel, insertError, insertDestroy     uintptr
	resultBuffer, resultLength, resultError      uintptr
	resultDestroy, rowsWritten, setSignalHandler uintptr
}

// load opens libchdb.so at path and keeps it from installing signal handlers.
func load(path string) (*library, error) {
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
	l := new(library)
	var missing []error
	for _, s := range []struct {
		address *uintptr
		name    string
	}{
		{&l.connect, "chdb_connect"},
		{&l.closeConn, "chdb_close_conn"},
		{&l.query, "chdb_query_n"},
		{&l.queryParams, "chdb_query_with_params_n"},
		{&l.streamQuery, "chdb_stream_query_n"},
		{&l.streamQueryParams, "chdb_stream_query_with_params_n"},
		{&l.streamFetch, "chdb_stream_fetch_result"},
		{&l.streamCancel, "chdb_stream_cancel_query"},
		{&l.insert, "chdb_stream_insert_n"},
		{&l.insertAppend, "chdb_stream_append"},
		{&l.insertDone, "chdb_stream_done"},
		{&l.insertCancel, "chdb_stream_cancel_insert"},
		{&l.insertError, "chdb_stream_insert_error"},
		{&l.insertDestroy, "chdb_destroy_insert_stream"},
		{&l.resultBuffer, "chdb_result_buffer"},
		{&l.resultLength, "chdb_result_length"},
		{&l.resultError, "chdb_result_error"},
		{&l.resultDestroy, "chdb_destroy_query_result"},
		{&l.rowsWritten, "chdb_result_rows_written"},
		{&l.setSignalHandler, "chdb_set_signal_handlers_enabled"},
	} {
		*s.address, err = purego.Dlsym(handle, s.name)
		if err != nil {
			missing = append(missing, fmt.Errorf("%s lacks %s (another version than retain was written for): %w", path, s.name, err))
		}
	}
	if err := errors.Join(missing...); err != nil {
		return nil, err
	}
	keepSignals(func() { call(l.setSignalHandler, 0) })
	return l, nil
}

// call runs the C function at f.
func call(f uintptr, arguments ...uintptr) uintptr {
	r, _, _ := purego.SyscallN(f, arguments...)
	return r
}
