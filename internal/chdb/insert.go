package chdb

import (
	"errors"
	"runtime"
	"unsafe"
)

// insertStream is a running INSERT that takes its rows in pieces. Nothing is visible before done.
type insertStream struct {
	lib *library
	h   uintptr
}

// insert starts INSERT INTO … (without a FORMAT clause); rows follow in format Native, or as format says.
func (c *conn) insert(sql, format string) (*insertStream, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	in := &insertStream{lib: c.lib, h: call(c.lib.insert, c.c,
		uintptr(unsafe.Pointer(cString(sql, &pin))), uintptr(len(sql)),
		uintptr(unsafe.Pointer(cString(format, &pin))), uintptr(len(format)))}
	if in.h == 0 {
		return nil, errors.New("chdb_stream_insert_n returned nothing")
	}
	if s := goString(call(c.lib.insertError, in.h)); s != "" {
		in.free()
		return nil, &Error{Message: s}
	}
	return in, nil
}

// write hands on a piece of the body. On an error, done tells its cause.
func (in *insertStream) write(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&p[0])
	if int32(call(in.lib.insertAppend, in.h, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))) != 0 {
		return errors.New("the embedded ClickHouse refused a piece of an INSERT")
	}
	return nil
}

// done commits and returns the number of rows written.
func (in *insertStream) done() (uint64, error) {
	r := &result{lib: in.lib, r: call(in.lib.insertDone, in.h)}
	if r.r == 0 {
		return 0, errors.New("chdb_stream_done returned nothing")
	}
	defer r.free()
	if err := r.err(); err != nil {
		return 0, err
	}
	return uint64(call(in.lib.rowsWritten, r.r)), nil
}

func (in *insertStream) cancel() { call(in.lib.insertCancel, in.h) }
func (in *insertStream) free()   { call(in.lib.insertDestroy, in.h) }
