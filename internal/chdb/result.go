package chdb

import "unsafe"

// Error is ClickHouse's exception as libchdb tells it: "Code: 60. DB::Exception: … (UNKNOWN_TABLE)".
type Error struct{ Message string }

func (e *Error) Error() string { return e.Message }

// result is a chdb_result: a whole answer, or one chunk of a stream.
type result struct {
	lib *library
	r   uintptr
}

// bytes is a view of C's memory, good until free.
func (r *result) bytes() []byte {
	p, n := call(r.lib.resultBuffer, r.r), call(r.lib.resultLength, r.r)
	if p == 0 || n == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(pointer(p)), int(n))
}

func (r *result) err() error {
	if s := goString(call(r.lib.resultError, r.r)); s != "" {
		return &Error{Message: s}
	}
	return nil
}

func (r *result) free() {
	if r.r != 0 {
		call(r.lib.resultDestroy, r.r)
		r.r = 0
	}
}
