package serving_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"retain/serving"
)

// service is a Server over fakes, with one key of every kind.
type service struct {
	*serving.Server
	t     *testing.T
	runs  *fakeRuns
	keys  *fakeKeys
	clock *atomic.Pointer[time.Time]
	log   *bytes.Buffer // of JSON lines, requests included

	reader   string // token with scores:read
	readerID string
}

// start makes a service. change may be nil.
func start(t *testing.T, change func(*serving.Options)) *service {
	t.Helper()
	s := &service{t: t, runs: &fakeRuns{}, keys: &fakeKeys{}, clock: &atomic.Pointer[time.Time]{}, log: &bytes.Buffer{}}
	s.clock.Store(&now)
	s.readerID, s.reader = s.keys.add(nil, serving.ScopeScoresRead)
	o := serving.Options{
		Runs: s.runs, Keys: s.keys, Version: "1.2.3", Currency: "EUR",
		Now:    func() time.Time { return *s.clock.Load() },
		Logger: slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&o)
	}
	var err error
	if s.Server, err = serving.New(o); err != nil {
		t.Fatal(err)
	}
	return s
}

// refresh reads keys and run as the polls would.
func (s *service) refresh() {
	s.t.Helper()
	if err := s.Refresh(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

func (s *service) pass(d time.Duration) { s.clock.Store(new(s.clock.Load().Add(d))) }

// call sends a request; headers are pairs of name and value.
func (s *service) call(method, address, token string, body io.Reader, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, address, body)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for k := 0; k < len(headers); k += 2 {
		r.Header.Set(headers[k], headers[k+1])
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

func (s *service) get(address string, headers ...string) *httptest.ResponseRecorder {
	return s.call(http.MethodGet, address, s.reader, nil, headers...)
}

// page gets a page as a browser with a session would.
func (s *service) page(address string, cookie *http.Cookie) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, address, nil)
	r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	if cookie != nil {
		r.AddCookie(cookie)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

// session signs in with the reader's key.
func (s *service) session() *http.Cookie {
	s.t.Helper()
	w := s.call(http.MethodPost, "/signin", "", strings.NewReader("key="+s.reader), "Content-Type", "application/x-www-form-urlencoded")
	if w.Code != http.StatusSeeOther || len(w.Result().Cookies()) != 1 {
		s.t.Fatalf("sign in: %d %s", w.Code, w.Body)
	}
	return w.Result().Cookies()[0]
}

func decode[T any](t *testing.T, w *httptest.ResponseRecorder) T {
	t.Helper()
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	var v T
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	return v
}

// wantProblem checks that the answer is an RFC 9457 problem of the status, and returns it.
func wantProblem(t *testing.T, w *httptest.ResponseRecorder, status int) huma.ErrorModel {
	t.Helper()
	var p huma.ErrorModel
	if w.Code != status {
		t.Fatalf("status %d, want %d: %s", w.Code, status, w.Body)
	}
	if kind := w.Header().Get("Content-Type"); kind != "application/problem+json" {
		t.Errorf("content type %q, want application/problem+json", kind)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	if p.Status != status || p.Title == "" || p.Detail == "" {
		t.Errorf("problem %+v lacks status, title or detail", p)
	}
	if cache := w.Header().Get("Cache-Control"); cache != "no-store" {
		t.Errorf("Cache-Control %q, want no-store", cache)
	}
	return p
}
