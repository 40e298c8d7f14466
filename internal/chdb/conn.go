package chdb

import (
	"errors"
	"runtime"
	"sync"
	"unsafe"
)

// conn is one libchdb connection. It runs one statement at a time; several run in parallel.
type conn struct {
	lib    *library
	handle uintptr // chdb_connection *
	c      uintptr // chdb_connection
}

// connecting serialises connects, because each saves and restores the process's signal handlers.
var connecting sync.Mutex

var errConnect = errors.New("the embedded ClickHouse did not start (its reason stands on standard error): directory in use by another process, not writable, or damaged")

// dial opens a connection with ClickHouse's command-line arguments.
func (l *library) dial(arguments []string) (*conn, error) {
	connecting.Lock()
	defer connecting.Unlock()
	var pin runtime.Pinner
	defer pin.Unpin()
	arguments = append([]string{"clickhouse"}, arguments...)
	argv := make([]*byte, len(arguments)+1) // ends in NULL, as main's does
	for i, a := range arguments {
		argv[i] = cString(a, &pin)
	}
	pin.Pin(&argv[0])
	var handle uintptr
	keepSignals(func() {
		handle = call(l.connect, uintptr(len(arguments)), uintptr(unsafe.Pointer(&argv[0])))
	})
	if handle == 0 {
		return nil, errConnect
	}
	return &conn{lib: l, handle: handle, c: *(*uintptr)(pointer(handle))}, nil
}

func (c *conn) close() { call(c.lib.closeConn, c.handle) }

// query is a statement to run.
type query struct {
	sql    string
	format string            // of the result
	params map[string]string // values in ClickHouse's escaped form, as over HTTP
}

// run calls one of the functions that take a statement, a format and, in the second form, parameters.
func (c *conn) run(plain, withParams uintptr, q query) uintptr {
	var pin runtime.Pinner
	defer pin.Unpin()
	arguments := []uintptr{
		c.c,
		uintptr(unsafe.Pointer(cString(q.sql, &pin))), uintptr(len(q.sql)),
		uintptr(unsafe.Pointer(cString(q.format, &pin))), uintptr(len(q.format)),
	}
	if len(q.params) == 0 {
		return call(plain, arguments...)
	}
	var names, values []*byte
	var nameSizes, valueSizes []uintptr
	for name, value := range q.params {
		names, nameSizes = append(names, cString(name, &pin)), append(nameSizes, uintptr(len(name)))
		values, valueSizes = append(values, cString(value, &pin)), append(valueSizes, uintptr(len(value)))
	}
	pin.Pin(&names[0])
	pin.Pin(&nameSizes[0])
	pin.Pin(&values[0])
	pin.Pin(&valueSizes[0])
	return call(withParams, append(arguments,
		uintptr(unsafe.Pointer(&names[0])), uintptr(unsafe.Pointer(&nameSizes[0])),
		uintptr(unsafe.Pointer(&values[0])), uintptr(unsafe.Pointer(&valueSizes[0])),
		uintptr(len(q.params)))...)
}

// query runs a statement to its end and returns its whole result.
func (c *conn) query(q query) (*result, error) {
	r := &result{lib: c.lib, r: c.run(c.lib.query, c.lib.queryParams, q)}
	if r.r == 0 {
		return nil, errors.New("chdb_query_n returned nothing")
	}
	if err := r.err(); err != nil {
		r.free()
		return nil, err
	}
	return r, nil
}

// exec runs a statement for its effect.
func (c *conn) exec(sql string) error {
	r, err := c.query(query{sql: sql, format: "Native"})
	if err != nil {
		return err
	}
	r.free()
	return nil
}

// cString copies s to memory that C may read until pin is unpinned.
func cString(s string, pin *runtime.Pinner) *byte {
	b := append([]byte(s), 0)
	pin.Pin(&b[0])
	return &b[0]
}

// pointer makes a Go pointer of an address in C's memory. The detour satisfies vet: C's memory never moves.
func pointer(address uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&address)) }

// goString copies the NUL-terminated text at address; none at 0.
func goString(address uintptr) string {
	if address == 0 {
		return ""
	}
	start := pointer(address)
	n := 0
	for *(*byte)(unsafe.Add(start, n)) != 0 {
		n++
	}
	return string(unsafe.Slice((*byte)(start), n))
}
