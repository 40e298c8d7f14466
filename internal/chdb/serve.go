package chdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// reply is what becomes an HTTP response.
type reply struct {
	status int
	header http.Header
	body   io.ReadCloser
	err    error // set when there is nobody left to answer: the request or the engine has ended
}

// serve runs one request of ClickHouse's HTTP interface. ctx is r's own or one that ends earlier.
func (e *Engine) serve(ctx context.Context, r *http.Request) *reply {
	parameters := r.URL.Query()
	if err := unsupported(r, parameters); err != nil {
		return failure(ctx, err)
	}
	body := io.Reader(http.NoBody)
	if r.Body != nil {
		body = r.Body
	}
	sql := parameters.Get("query")
	if statement, format, ok := splitInsert(sql); ok {
		return e.insert(ctx, parameters, insertion{statement, format, body})
	}
	rest, err := io.ReadAll(body)
	if err != nil {
		return failure(ctx, err)
	}
	sql += string(rest)
	if strings.TrimSpace(sql) == helloQuery {
		revision, _ := strconv.Atoi(parameters.Get("client_protocol_version")) // absent means revision 0
		b, err := hello(e.version, revision)
		if err != nil {
			return failure(ctx, err)
		}
		return success(io.NopCloser(bytes.NewReader(b)))
	}
	if err := oneStatement(sql); err != nil {
		return failure(ctx, err)
	}
	return e.run(ctx, parameters, sql)
}

// unsupported refuses what clickhouse-go can ask for and this package does not do. Compression would make reads ten
// times slower and saves nothing within one machine.
func unsupported(r *http.Request, parameters url.Values) error {
	switch {
	case parameters.Get("compress") == "1", parameters.Get("decompress") == "1", r.Header.Get("Content-Encoding") != "":
		return &Error{"Code: 344. DB::Exception: The embedded engine does not compress: set Compression to nil. (SUPPORT_IS_DISABLED)"}
	case strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/"):
		return &Error{"Code: 344. DB::Exception: The embedded engine takes no external tables: use a table or a parameter. (SUPPORT_IS_DISABLED)"}
	case !formatName.MatchString(parameters.Get("default_format")):
		return &Error{"Code: 73. DB::Exception: Unknown format " + literal(parameters.Get("default_format")) + ". (UNKNOWN_FORMAT)"}
	}
	return nil
}

var formatName = regexp.MustCompile(`^\w*$`)

// oneStatement sees to it that one statement comes at a time, as a server does, so that nothing hides behind another.
func oneStatement(sql string) error {
	if words := leading(sql, 1); len(words) == 1 && words[0] == "INSERT" {
		return nil // the rows may stand in it, with semicolons of their own
	}
	switch len(Statements(sql)) {
	case 0:
		return &Error{"Code: 62. DB::Exception: Syntax error: the query is empty. (SYNTAX_ERROR)"}
	case 1:
		return nil
	}
	return &Error{"Code: 62. DB::Exception: Syntax error: several statements in one query are not allowed. (SYNTAX_ERROR)"}
}

// run runs any statement but an INSERT whose rows come in the body.
func (e *Engine) run(ctx context.Context, parameters url.Values, sql string) *reply {
	kind := classify(sql)
	if kind == refused {
		return failure(ctx, &Error{"Code: 497. DB::Exception: SYSTEM SHUTDOWN and SYSTEM KILL are not allowed here. (ACCESS_DENIED)"})
	}
	s, err := e.sessions.acquire(ctx)
	if err != nil {
		return failure(ctx, err)
	}
	s.tainted = kind == stateful
	if err := s.prepare(parameters); err != nil {
		e.sessions.release(s)
		return failure(ctx, err)
	}
	q := query{sql: e.killer.tag() + sql, format: parameters.Get("default_format"), params: map[string]string{}}
	if q.format == "" {
		q.format = "TabSeparated" // ClickHouse's default over HTTP
	}
	for name := range parameters {
		if name, ok := strings.CutPrefix(name, "param_"); ok {
			q.params[name] = parameters.Get("param_" + name)
		}
	}
	tag, _, _ := strings.Cut(q.sql, " ")
	gone := make(chan struct{})
	e.killer.watch(ctx, tag, gone)
	finish := func(clean bool) {
		close(gone)
		s.tainted = s.tainted || !clean || ctx.Err() != nil
		e.sessions.release(s)
	}
	if kind == stream {
		if rep := e.runStream(ctx, s, q, finish); rep != nil {
			return rep
		}
	}
	r, err := s.query(q)
	finish(true)
	if err != nil {
		return failure(ctx, err)
	}
	b := bytes.Clone(r.bytes())
	r.free()
	return success(io.NopCloser(bytes.NewReader(b)))
}

// runStream runs a SELECT. It answers nil, without having called finish, when libchdb finds that the statement does not
// stream after all (WITH … INSERT).
func (e *Engine) runStream(ctx context.Context, s *session, q query, finish func(clean bool)) *reply {
	st, err := s.stream(q)
	if err != nil {
		if strings.Contains(err.Error(), "Streaming query is not supported") {
			return nil
		}
		finish(true)
		return failure(ctx, err)
	}
	// The first chunk is waited for, so that most exceptions come with a status.
	first, err := st.next()
	if err != nil {
		st.close()
		finish(false)
		return failure(ctx, err)
	}
	tag, _, _ := strings.Cut(q.sql, " ")
	b := &streamBody{
		ctx:    ctx,
		stream: st,
		finish: finish,
		kill:   func(until <-chan struct{}) { e.killer.kill(tag, until) },
	}
	b.start(first)
	rep := success(nil)
	exception := newExceptionBody(b)
	rep.header.Set("X-ClickHouse-Exception-Tag", exception.tag)
	rep.body = exception
	return rep
}

// insertion is an INSERT whose rows come from body.
type insertion struct {
	statement, format string
	body              io.Reader
}

// insertPiece is the size of the pieces in which rows are handed to libchdb.
const insertPiece = 1 << 20

// insert streams an INSERT. Nothing is written unless the body ends well.
func (e *Engine) insert(ctx context.Context, parameters url.Values, i insertion) *reply {
	s, err := e.sessions.acquire(ctx)
	if err != nil {
		return failure(ctx, err)
	}
	defer e.sessions.release(s)
	if err := s.prepare(parameters); err != nil {
		return failure(ctx, err)
	}
	in, err := s.insert(i.statement, i.format)
	if err != nil {
		return failure(ctx, err)
	}
	defer in.free()
	s.tainted = true // until it ended well
	piece := make([]byte, insertPiece)
	empty := true
	for ended := false; !ended; {
		n, readErr := fill(piece, i.body)
		empty = empty && n == 0
		if err := in.write(piece[:n]); err != nil {
			if _, cause := in.done(); cause != nil {
				err = cause
			}
			return failure(ctx, err)
		}
		ended = errors.Is(readErr, io.EOF)
		if readErr == nil || ended {
			readErr = context.Cause(ctx)
		}
		if readErr != nil { // the sender is gone, or has given up
			in.cancel()
			return failure(ctx, readErr)
		}
	}
	if empty && i.format == "Native" {
		// clickhouse-go sends no batch without rows, but an empty body for one that it could not encode, such as columns
		// of unequal length, and then reports success.
		in.cancel()
		return failure(ctx, &Error{"Code: 108. DB::Exception: The INSERT came without rows: were its columns of equal length? (NO_DATA_TO_INSERT)"})
	}
	rows, err := in.done()
	if err != nil {
		return failure(ctx, err)
	}
	s.tainted = false
	rep := success(http.NoBody)
	rep.header.Set("X-ClickHouse-Summary", fmt.Sprintf(`{"written_rows":"%d"}`, rows))
	return rep
}

// fill reads until p is full or r ends. Unlike io.ReadFull it leaves r's io.ErrUnexpectedEOF to mean a sender that died,
// not a last piece that is short.
func fill(p []byte, r io.Reader) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = r.Read(p[n:])
		n += m
	}
	return n, err
}

func success(body io.ReadCloser) *reply {
	h := http.Header{}
	h.Set("Content-Type", "application/octet-stream")
	h.Set("X-ClickHouse-Timezone", "UTC")
	return &reply{status: http.StatusOK, header: h, body: body}
}

var exceptionCode = regexp.MustCompile(`^Code: (\d+)\.`)

// failure answers with err as a server does. Where ctx has ended, that is the cause of whatever went wrong.
func failure(ctx context.Context, err error) *reply {
	if cause := context.Cause(ctx); cause != nil {
		return &reply{err: cause}
	}
	h := http.Header{}
	h.Set("Content-Type", "text/plain; charset=UTF-8")
	status := http.StatusInternalServerError
	var exception *Error
	switch {
	case errors.Is(err, errClosed):
		return &reply{err: errClosed}
	case errors.As(err, &exception):
		if m := exceptionCode.FindStringSubmatch(exception.Message); m != nil {
			h.Set("X-ClickHouse-Exception-Code", m[1])
		}
	}
	return &reply{status: status, header: h, body: io.NopCloser(strings.NewReader(err.Error() + "\n"))}
}
