package serving_test

import (
	"context"
	"encoding/json"
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"retain/models"
	"retain/serving"
)

var update = flag.Bool("update", false, "write the golden files anew")

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// eventually waits until ok, a few seconds at most.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("within 5 s not %s", what)
		}
		time.Sleep(5 * time.Millisecond) // the server polls by the wall clock, so the test must wait by it
	}
}

func TestRunPollsAndStops(t *testing.T) {
	s := start(t, func(o *serving.Options) { o.PollEvery = 10 * time.Millisecond; o.Now = nil; o.Logger = nil })
	release, inside := make(chan struct{}), make(chan struct{})
	s.Engine().GET("/v1/slow", func(c *gin.Context) {
		close(inside)
		<-release
		c.String(http.StatusOK, "done")
	})
	_, admin := s.keys.add(nil, serving.ScopeAdmin)
	l := listen(t)
	base := "http://" + l.Addr().String()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, l) }()

	get := func(path, token string) int {
		r, err := http.NewRequest(http.MethodGet, base+path, nil)
		if err != nil {
			t.Error(err)
			return 0
		}
		r.Header.Set("Authorization", "Bearer "+token)
		w, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0
		}
		defer w.Body.Close()
		_, _ = io.Copy(io.Discard, w.Body)
		return w.StatusCode
	}
	eventually(t, "alive without a run", func() bool { return get("/healthz", "") == http.StatusOK })
	if got := get("/readyz", ""); got != http.StatusServiceUnavailable {
		t.Errorf("ready without a run: %d", got)
	}
	s.runs.set("r1", cutoff, hamlet())
	eventually(t, "ready", func() bool { return get("/readyz", "") == http.StatusOK })
	if got := get("/v1/customers/a%2Fb", s.reader); got != http.StatusNotFound {
		t.Errorf("an unknown id: %d", got)
	}
	s.runs.set("r2", cutoff.AddDate(0, 0, 1), []models.Score{scored("a/b", .5, 1)})
	eventually(t, "on the new run", func() bool { return get("/v1/customers/a%2Fb", s.reader) == http.StatusOK })
	s.keys.revoke(s.readerID)
	eventually(t, "revoked", func() bool { return get("/v1/at-risk", s.reader) == http.StatusUnauthorized })

	slow := make(chan int, 1)
	go func() { slow <- get("/v1/slow", admin) }()
	<-inside
	stop()
	eventually(t, "closed to new requests", func() bool { return get("/healthz", "") == 0 })
	close(release)
	if got := <-slow; got != http.StatusOK {
		t.Errorf("the open request ended with %d, want 200", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestRunCutsOffWhatDoesNotEnd(t *testing.T) {
	s := start(t, func(o *serving.Options) { o.DrainFor = 20 * time.Millisecond; o.Now = nil; o.Logger = nil })
	release, inside := make(chan struct{}), make(chan struct{})
	s.Engine().GET("/v1/stuck", func(*gin.Context) { close(inside); <-release })
	_, admin := s.keys.add(nil, serving.ScopeAdmin)
	s.refresh()
	l := listen(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, l) }()
	go func() {
		r, _ := http.NewRequest(http.MethodGet, "http://"+l.Addr().String()+"/v1/stuck", nil)
		r.Header.Set("Authorization", "Bearer "+admin)
		if w, err := http.DefaultClient.Do(r); err == nil {
			_ = w.Body.Close()
		}
	}()
	<-inside
	stop()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("Run waits for a request that does not end")
	}
	close(release)
}

func TestLargeHeadersAreRefused(t *testing.T) {
	s := start(t, func(o *serving.Options) { o.Now = nil; o.Logger = nil })
	l := listen(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, l) }()
	r, _ := http.NewRequest(http.MethodGet, "http://"+l.Addr().String()+"/healthz", nil)
	r.Header.Set("X-Large", strings.Repeat("x", 64<<10))
	w, err := http.DefaultClient.Do(r)
	if err != nil || w.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%v %v, want 431", w, err)
	}
	stop()
	<-ended
}

func TestNewNeedsItsReaders(t *testing.T) {
	if _, err := serving.New(serving.Options{Runs: &fakeRuns{}}); err == nil {
		t.Error("no error without keys")
	}
	if _, err := serving.New(serving.Options{Keys: &fakeKeys{}}); err == nil {
		t.Error("no error without runs")
	}
}

func TestOpenAPI(t *testing.T) {
	s := start(t, nil)
	w := s.call("GET", "/openapi.json", "", nil)
	golden := filepath.Join("testdata", "openapi.json")
	got := append(w.Body.Bytes(), '\n')
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != string(got) {
		t.Error("openapi.json differs from its golden file; run go test ./serving -run OpenAPI -update and read the diff")
	}
	var api struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]map[string]struct {
			Security  []map[string][]string      `json:"security"`
			Responses map[string]json.RawMessage `json:"responses"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(got, &api); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(api.OpenAPI, "3.1") {
		t.Errorf("OpenAPI %s, want 3.1", api.OpenAPI)
	}
	for _, line := range serving.Access() {
		op, ok := api.Paths[line.Path]["get"]
		if !ok {
			continue // pages are for people
		}
		if (len(op.Security) == 0) != line.Public {
			t.Errorf("%s: security %v", line.Path, op.Security)
		}
		if _, ok := op.Responses["401"]; ok == line.Public {
			t.Errorf("%s: 401 documented: %v", line.Path, ok)
		}
	}
	for _, path := range []string{"/v1/at-risk", "/v1/customers/{id}", "/v1/customers/{id}/score", "/healthz", "/readyz", "/metrics"} {
		if _, ok := api.Paths[path]["get"]; !ok {
			t.Errorf("%s is not documented", path)
		}
	}
}

func BenchmarkScore(b *testing.B) {
	runs, keys := &fakeRuns{}, &fakeKeys{}
	runs.set("r1", cutoff, town(100_000, 1))
	_, token := keys.add(nil, serving.ScopeScoresRead)
	s, err := serving.New(serving.Options{Runs: runs, Keys: keys, Rate: serving.Rate{PerSecond: 1e9, Burst: 1e9}})
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Refresh(b.Context()); err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct{ name, address string }{{"score", "/v1/customers/C-450007/score"}, {"at-risk-20", "/v1/at-risk"}} {
		b.Run(c.name, func(b *testing.B) {
			r, err := http.NewRequest(http.MethodGet, c.address, nil)
			if err != nil {
				b.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+token)
			h := s.Handler()
			b.ReportAllocs()
			for b.Loop() {
				w := &discard{header: http.Header{}}
				h.ServeHTTP(w, r)
				if w.status != http.StatusOK {
					b.Fatal(w.status)
				}
			}
		})
	}
}

// discard is a ResponseWriter that keeps the status only.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
