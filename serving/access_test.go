package serving_test

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"retain/serving"
)

// TestAccessTableIsWhole: a route that is missing in the table would be for admins only, and a line without a route a lie.
func TestAccessTableIsWhole(t *testing.T) {
	s := start(t, nil)
	served := map[string]bool{}
	for _, r := range s.Engine().Routes() {
		path := r.Path
		for _, name := range []string{"id", "file"} {
			path = strings.ReplaceAll(path, ":"+name, "{"+name+"}")
		}
		served[r.Method+" "+path] = true
	}
	for _, line := range serving.Access() {
		if !served[line.Method+" "+line.Path] {
			t.Errorf("%s %s stands in the access table and is not served", line.Method, line.Path)
		}
		delete(served, line.Method+" "+line.Path)
	}
	for route := range served {
		t.Errorf("%s is served and missing in the access table", route)
	}
}

func TestAccessMatrix(t *testing.T) {
	s := start(t, func(o *serving.Options) { o.Decisions, o.Stages = decide(t, hamlet()), &fakeStages{} })
	s.runs.set("r1", cutoff, hamlet())
	tokens := map[string]string{"none": "", "malformed": "rk_abc", "not ours": "Xk_abc_def"}
	ids := map[string]string{}
	for _, scope := range serving.Scopes {
		ids[scope], tokens[scope] = s.keys.add(nil, scope)
	}
	ids["revoked"], tokens["revoked"] = s.keys.add(nil, serving.ScopeAdmin)
	_, tokens["expired"] = s.keys.add(new(now), serving.ScopeAdmin) // dead at its instant, which is now
	_, unknown, err := serving.NewKey(serving.KeySpec{Scopes: []string{serving.ScopeAdmin}, CreatedAt: cutoff})
	if err != nil {
		t.Fatal(err)
	}
	tokens["unknown"] = unknown
	// The right id with another secret.
	tokens["another's secret"] = tokens[serving.ScopeAdmin][:16] + tokens[serving.ScopeMetrics][16:]
	s.keys.revoke(ids["revoked"])
	s.refresh()

	for _, line := range serving.Access() {
		address := strings.NewReplacer("{id}", "a", "{file}", "console.css").Replace(line.Path)
		for name, token := range tokens {
			t.Run(line.Method+" "+line.Path+" "+name, func(t *testing.T) {
				w := s.call(line.Method, address, token, nil)
				switch {
				case line.Public:
					if w.Code == http.StatusUnauthorized || w.Code == http.StatusForbidden {
						t.Errorf("a public route answers %d", w.Code)
					}
				case name == line.Scope || name == serving.ScopeAdmin:
					if w.Code == http.StatusUnauthorized || w.Code == http.StatusForbidden || w.Code >= 400 && line.Method == http.MethodGet {
						t.Errorf("answers %d: %s", w.Code, w.Body)
					}
				case ids[name] != "" && name != "revoked":
					p := wantProblem(t, w, http.StatusForbidden)
					if !strings.Contains(p.Detail, line.Scope) {
						t.Errorf("detail %q does not name the scope %s", p.Detail, line.Scope)
					}
				default:
					wantProblem(t, w, http.StatusUnauthorized)
					if !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Bearer") {
						t.Errorf("WWW-Authenticate %q", w.Header().Get("WWW-Authenticate"))
					}
				}
			})
		}
	}
}

func TestOtherSchemesAreRefused(t *testing.T) {
	s := start(t, nil)
	s.refresh()
	for _, header := range []string{"Basic " + s.reader, s.reader, "Bearer", "Bearer ", "bearer x " + s.reader} {
		wantProblem(t, s.call("GET", "/v1/at-risk", "", nil, "Authorization", header), http.StatusUnauthorized)
	}
	if w := s.call("GET", "/v1/at-risk", "", nil, "Authorization", "bearer "+s.reader); w.Code == http.StatusUnauthorized {
		t.Error("the scheme's case matters; RFC 9110 says it must not")
	}
}

func TestRevocationAndExpiryHold(t *testing.T) {
	s := start(t, nil)
	s.runs.set("r1", cutoff, hamlet())
	id, token := s.keys.add(new(now.Add(time.Minute)), serving.ScopeScoresRead)
	s.refresh()
	s.reader = token
	cookie := s.session()
	if w := s.get("/v1/at-risk"); w.Code != http.StatusOK {
		t.Fatal(w.Code)
	}
	s.pass(time.Minute)
	wantProblem(t, s.get("/v1/at-risk"), http.StatusUnauthorized)
	if w := s.page("/", cookie); w.Code != http.StatusSeeOther {
		t.Errorf("a session outlives its key: %d", w.Code)
	}

	s.pass(-time.Minute)
	cookie = s.session()
	s.keys.revoke(id)
	s.refresh() // the poll, every 2 s
	wantProblem(t, s.get("/v1/at-risk"), http.StatusUnauthorized)
	if w := s.page("/", cookie); w.Code != http.StatusSeeOther {
		t.Errorf("a session outlives its key: %d", w.Code)
	}
}

func TestNewKeyWorksBeforeThePoll(t *testing.T) {
	s := start(t, nil)
	s.runs.set("r1", cutoff, hamlet())
	s.refresh() // so that the next read has to wait for its turn
	_, token := s.keys.add(nil, serving.ScopeScoresRead)
	if w := s.call("GET", "/v1/at-risk", token, nil); w.Code != http.StatusOK {
		t.Fatalf("a new key: %d", w.Code)
	}
	before := s.keys.reads
	var strangers sync.WaitGroup
	for range 100 { // they must not be able to hammer the store
		strangers.Go(func() {
			_, stranger, _ := serving.NewKey(serving.KeySpec{Scopes: []string{serving.ScopeAdmin}, CreatedAt: cutoff})
			wantProblem(t, s.call("GET", "/v1/at-risk", stranger, nil), http.StatusUnauthorized)
		})
	}
	strangers.Wait()
	if n := s.keys.reads - before; n > 3 {
		t.Errorf("unknown keys caused %d reads at once, want them to share a few", n)
	}
}

func TestKeysAreKeptWhenTheStoreIsAway(t *testing.T) {
	s := start(t, nil)
	s.runs.set("r1", cutoff, hamlet())
	s.refresh()
	s.keys.err = errors.New("connection refused")
	if err := s.Refresh(t.Context()); err == nil {
		t.Fatal("no error")
	}
	if w := s.get("/v1/at-risk"); w.Code != http.StatusOK {
		t.Errorf("status %d", w.Code)
	}
}

func TestRateLimit(t *testing.T) {
	s := start(t, func(o *serving.Options) { o.Rate = serving.Rate{PerSecond: 0.5, Burst: 3} })
	s.runs.set("r1", cutoff, hamlet())
	_, other := s.keys.add(nil, serving.ScopeScoresRead)
	s.refresh()
	for range 3 {
		if w := s.get("/v1/at-risk"); w.Code != http.StatusOK {
			t.Fatal(w.Code)
		}
	}
	w := s.get("/v1/at-risk")
	wantProblem(t, w, http.StatusTooManyRequests)
	if got := w.Header().Get("Retry-After"); got != "3" { // 2 s, rounded up to be sure
		t.Errorf("Retry-After %q, want 3", got)
	}
	if w := s.call("GET", "/v1/at-risk", other, nil); w.Code != http.StatusOK {
		t.Errorf("another key pays: %d", w.Code)
	}
	s.pass(2 * time.Second)
	if w := s.get("/v1/at-risk"); w.Code != http.StatusOK {
		t.Errorf("after 2 s: %d", w.Code)
	}
	wantProblem(t, s.get("/v1/at-risk"), http.StatusTooManyRequests)
}

// browser posts a form as a page of origin would.
func (s *service) browser(address, form, origin string, cookie *http.Cookie) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, address, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "text/html")
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	if cookie != nil {
		r.AddCookie(cookie)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

func TestSignInAndOut(t *testing.T) {
	s := start(t, nil)
	s.runs.set("r1", cutoff, hamlet())
	s.refresh()
	w := s.page("/customers/a%2Fb", nil)
	if got := w.Header().Get("Location"); w.Code != http.StatusSeeOther || got != "/signin?next=%2Fcustomers%2Fa%252Fb" {
		t.Fatalf("without a session: %d to %q", w.Code, got)
	}
	w = s.page(w.Header().Get("Location"), nil)
	if !strings.Contains(w.Body.String(), `name="next" value="/customers/a%2Fb"`) {
		t.Errorf("the form forgets where to go: %s", w.Body)
	}
	w = s.browser("/signin", "key=rk_wrong&next=/customers/a", "http://example.com", nil)
	if w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "unknown, revoked or expired") || len(w.Result().Cookies()) > 0 {
		t.Fatalf("a wrong key: %d", w.Code)
	}
	w = s.browser("/signin", "key=+"+s.reader+"+&next=/customers/a", "http://example.com", nil)
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/customers/a" {
		t.Fatalf("signed in: %d to %q", w.Code, w.Header().Get("Location"))
	}
	cookie := w.Result().Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Secure || cookie.MaxAge != 12*3600 || cookie.Path != "/" {
		t.Errorf("cookie %v", cookie)
	}
	if strings.Contains(cookie.Value, s.readerID) {
		t.Error("the cookie holds the key")
	}
	if w := s.page("/", cookie); w.Code != http.StatusOK {
		t.Errorf("the list: %d", w.Code)
	}
	if w := s.page("/signin", cookie); w.Code != http.StatusSeeOther {
		t.Errorf("the form for who is in: %d", w.Code)
	}
	w = s.browser("/signout", "", "http://example.com", cookie)
	if w.Code != http.StatusSeeOther || w.Result().Cookies()[0].MaxAge >= 0 {
		t.Errorf("signed out: %d, cookie %v", w.Code, w.Result().Cookies())
	}
	if w := s.page("/", cookie); w.Code != http.StatusSeeOther {
		t.Errorf("after signing out: %d", w.Code)
	}
}

func TestSessionExpires(t *testing.T) {
	s := start(t, func(o *serving.Options) { o.SessionLength = time.Hour })
	s.runs.set("r1", cutoff, hamlet())
	s.refresh()
	cookie := s.session()
	s.pass(time.Hour - 1)
	if w := s.page("/", cookie); w.Code != http.StatusOK {
		t.Errorf("just before its end: %d", w.Code)
	}
	s.pass(1)
	if w := s.page("/", cookie); w.Code != http.StatusSeeOther {
		t.Errorf("at its end: %d", w.Code)
	}
}

func TestCookieIsSecureUnderTLS(t *testing.T) {
	s := start(t, nil)
	s.refresh()
	r := httptest.NewRequest(http.MethodPost, "https://example.com/signin", strings.NewReader("key="+s.reader))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.TLS = &tls.ConnectionState{}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	if !w.Result().Cookies()[0].Secure || w.Header().Get("Strict-Transport-Security") == "" {
		t.Errorf("cookie %v, HSTS %q", w.Result().Cookies()[0], w.Header().Get("Strict-Transport-Security"))
	}
}

func TestOtherSitesCannotAct(t *testing.T) {
	s := start(t, nil)
	s.refresh()
	cookie := s.session()
	for _, address := range []string{"/signin", "/signout"} {
		if w := s.browser(address, "key="+s.reader, "http://evil.example", cookie); w.Code != http.StatusForbidden || len(w.Result().Cookies()) > 0 {
			t.Errorf("%s from another site: %d", address, w.Code)
		}
	}
}

func TestNextStaysHere(t *testing.T) {
	s := start(t, nil)
	s.refresh()
	for next, want := range map[string]string{
		"/customers/a": "/customers/a", "//evil.example": "/", "https://evil.example": "/", `/\evil.example`: "/", "/\t/evil.example": "/",
		"javascript:alert(1)": "/", "/signin?next=/": "/", "": "/",
	} {
		w := s.browser("/signin", "key="+s.reader+"&next="+strings.ReplaceAll(next, "?", "%3F"), "", nil)
		if got := w.Header().Get("Location"); got != want {
			t.Errorf("next %q leads to %q, want %q", next, got, want)
		}
	}
}

func TestOneTimeLink(t *testing.T) {
	s := start(t, nil)
	s.runs.set("r1", cutoff, hamlet())
	s.refresh()
	link := s.OneTimeLink(s.readerID)
	w := s.page(link, nil)
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/" || len(w.Result().Cookies()) != 1 {
		t.Fatalf("the link: %d to %q", w.Code, w.Header().Get("Location"))
	}
	if w := s.page("/", w.Result().Cookies()[0]); w.Code != http.StatusOK {
		t.Errorf("its session: %d", w.Code)
	}
	for name, link := range map[string]string{"used": link, "made up": "/signin?once=abc", "empty": "/signin?once="} {
		if w := s.page(link, nil); w.Code != http.StatusUnauthorized || len(w.Result().Cookies()) > 0 {
			t.Errorf("a link that is %s: %d", name, w.Code)
		}
	}
	wantProblem(t, s.call("GET", link, "", nil), http.StatusUnauthorized)
	late := s.OneTimeLink(s.readerID)
	s.pass(15 * time.Minute)
	if w := s.page(late, nil); w.Code != http.StatusUnauthorized {
		t.Errorf("after 15 minutes: %d", w.Code)
	}
	dead := s.OneTimeLink(s.readerID)
	s.keys.revoke(s.readerID)
	s.refresh()
	if w := s.page(dead, nil); w.Code != http.StatusUnauthorized {
		t.Errorf("of a revoked key: %d", w.Code)
	}
}

func TestSessionOfAnotherScope(t *testing.T) {
	s := start(t, nil)
	_, s.reader = s.keys.add(nil, serving.ScopeMetrics)
	s.refresh()
	w := s.page("/", s.session())
	if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "scores:read") || !strings.Contains(w.Body.String(), "Sign out") {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
}
