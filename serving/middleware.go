package serving

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// headAsGet answers HEAD as GET without the body (RFC 9110 §9.3.2), so that each route is written once.
func headAsGet(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			get := *r
			get.Method = http.MethodGet
			w, r = bodiless{w}, &get
		}
		next.ServeHTTP(w, r)
	})
}

// bodiless drops what is written.
type bodiless struct{ http.ResponseWriter }

func (w bodiless) Write(b []byte) (int, error)       { return len(b), nil }
func (w bodiless) WriteString(s string) (int, error) { return len(s), nil }

// contentPolicy allows the console's own style sheet and forms, and nothing else: no script, no frame, no other origin.
const contentPolicy = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// secure sets the headers that every answer has. Customer data are never to be cached; assets override that.
func secure(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin") // no-referrer would make browsers send Origin: null with our own forms
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
	if c.Request.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// Names under which the middleware leaves things in the gin context.
const (
	inContextKey     = "key"
	inContextSession = "session" // the token, when a session opened the door
)

// causeKey finds in a request's context where the cause of its failure is told.
type causeKey struct{}

// because tells why a request fails: a caller sees only that it does, the log has the rest.
func because(ctx context.Context, err error) {
	if cause, ok := ctx.Value(causeKey{}).(*error); ok {
		*cause = err
	}
}

// observe gives each request an id, counts it and logs it: the route's template and the key's id, nothing of the customer.
func (s *Server) observe(c *gin.Context) {
	begun := time.Now()
	requestID := hex.EncodeToString(randomBytes(8))
	c.Header("X-Request-Id", requestID)
	var cause error
	c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), causeKey{}, &cause))
	s.metrics.inFlight.Inc()
	defer s.metrics.inFlight.Dec()
	defer func() {
		if p := recover(); p != nil {
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			s.panicked(c, p, requestID)
		}
		if cause != nil {
			s.log.ErrorContext(c.Request.Context(), "request failed", "error", cause, "route", templateOf(c), "request_id", requestID)
		}
		s.observed(c, requestID, time.Since(begun))
	}()
	c.Next()
}

func (s *Server) observed(c *gin.Context, requestID string, took time.Duration) {
	template, method, status := templateOf(c), c.Request.Method, c.Writer.Status()
	if template == "" {
		template = "unmatched"
	}
	if !slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, method) {
		method = "other"
	}
	s.metrics.requests.WithLabelValues(template, method, strconv.Itoa(status)).Inc()
	s.metrics.seconds.WithLabelValues(template).Observe(took.Seconds())
	level := slog.LevelInfo
	if template == "/healthz" || template == "/readyz" || template == "/metrics" {
		level = slog.LevelDebug // probes come every few seconds
	}
	keyID := ""
	if k, ok := keyOf(c); ok {
		keyID = k.ID
	}
	s.log.LogAttrs(c.Request.Context(), level, "request",
		slog.String("method", method), slog.String("route", template), slog.Int("status", status),
		slog.Float64("ms", float64(took.Microseconds())/1000), slog.Int("bytes", max(c.Writer.Size(), 0)),
		slog.String("key_id", keyID), slog.String("request_id", requestID))
}

// panicked answers 500. What a panic says may hold customer data, so only the runtime's own words are logged.
func (s *Server) panicked(c *gin.Context, p any, requestID string) {
	s.metrics.panics.Inc()
	words := fmt.Sprintf("%T", p)
	var own runtime.Error
	if err, ok := p.(error); ok && errors.As(err, &own) {
		words = own.Error()
	}
	s.log.ErrorContext(c.Request.Context(), "panic", "panic", words, "route", templateOf(c), "request_id", requestID, "stack", string(debug.Stack()))
	if c.Writer.Written() {
		panic(http.ErrAbortHandler) // half an answer must not look like a whole one
	}
	s.fail(c, problemOf(nil))
}

// limitBody refuses a body that says it is too large, and cuts off one that does not say.
func (s *Server) limitBody(c *gin.Context) {
	if c.Request.ContentLength > maxBodyBytes {
		s.fail(c, problem(http.StatusRequestEntityTooLarge, "the body is larger than "+strconv.Itoa(maxBodyBytes)+" bytes"))
		return
	}
	if c.Request.Body != nil {
		c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, maxBodyBytes)
	}
}

// readable refuses a query that does not parse: net/url would drop the part, and the answer would be to another question.
func (s *Server) readable(c *gin.Context) {
	if _, err := url.ParseQuery(c.Request.URL.RawQuery); err != nil {
		s.fail(c, problem(http.StatusUnprocessableEntity, "the query cannot be read: percent-encode % and ;"))
	}
}

// unescape decodes path parameters, slashes included. gin's own decoding would turn a plus into a blank.
func (s *Server) unescape(c *gin.Context) {
	for i, p := range c.Params {
		value, err := url.PathUnescape(p.Value)
		if err != nil {
			s.fail(c, problem(http.StatusBadRequest, "the path is not percent-encoded"))
			return
		}
		c.Params[i].Value = value
	}
}

// authorize lets a request through when its route is public, or its key or session has the route's scope and calls left.
func (s *Server) authorize(c *gin.Context) {
	if c.FullPath() == "" {
		return // 404 or 405, which need no key
	}
	r := routeOf(c.Request.Method, templateOf(c))
	if r.scope == public {
		return
	}
	key, err := s.identify(c)
	if err != nil {
		s.refuse(c, r, err)
		return
	}
	c.Set(inContextKey, key)
	if wait, ok := s.limiter.take(key.ID); !ok {
		c.Header("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
		s.fail(c, problem(http.StatusTooManyRequests, "the key has no calls left; Retry-After says in how many seconds it has"))
		return
	}
	if !key.Allows(r.scope) {
		s.fail(c, problem(http.StatusForbidden, "the key lacks the scope "+r.scope))
	}
}

// identify returns the live key of the Authorization header, else of the session.
func (s *Server) identify(c *gin.Context) (Key, error) {
	ctx := c.Request.Context()
	if header := c.GetHeader("Authorization"); header != "" {
		scheme, token, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return Key{}, errKey
		}
		return s.keyring.byToken(ctx, strings.TrimSpace(token))
	}
	cookie, err := c.Request.Cookie(sessionCookie)
	if err != nil {
		return Key{}, errNoKey
	}
	id, ok := s.sessions.keyOf(cookie.Value)
	if !ok {
		return Key{}, errKey
	}
	key, err := s.keyring.byID(ctx, id)
	if err != nil {
		s.sessions.drop(cookie.Value) // it dies with its key
		return Key{}, err
	}
	if !safe(c.Request) && sameOrigin(c.Request) != nil {
		return Key{}, errKey // another site's page acts with the cookie
	}
	c.Set(inContextSession, cookie.Value)
	return key, nil
}

// errNoKey says that the request has neither key nor session.
var errNoKey = errors.New("serving: no key")

// refuse answers 401, or sends a browser that asks for a page to the sign-in form and back.
func (s *Server) refuse(c *gin.Context, r route, err error) {
	if r.page && s.wantsPage(c) {
		c.Abort()
		to := "/signin"
		if next := c.Request.URL.RequestURI(); next != "/" {
			to += "?next=" + url.QueryEscape(next)
		}
		c.Redirect(http.StatusSeeOther, to)
		return
	}
	challenge, detail := `Bearer realm="retain"`, "send a key: Authorization: Bearer rk_ID_SECRET (`retain keys create` makes one)"
	if !errors.Is(err, errNoKey) {
		challenge, detail = challenge+`, error="invalid_token"`, problemOf(errKey).Detail
	}
	c.Header("WWW-Authenticate", challenge)
	s.fail(c, problem(http.StatusUnauthorized, detail))
}

// keyOf returns the key that authorize let through.
func keyOf(c *gin.Context) (Key, bool) {
	v, ok := c.Get(inContextKey)
	if !ok {
		return Key{}, false
	}
	k, ok := v.(Key)
	return k, ok
}

// safe says whether the method changes nothing.
func safe(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
}

// sameOrigin refuses what another site's page sent (Sec-Fetch-Site, else Origin against Host).
func sameOrigin(r *http.Request) error { return http.NewCrossOriginProtection().Check(r) }

// wantsPage says whether the answer goes to a person: a browser outside the API.
func (s *Server) wantsPage(c *gin.Context) bool {
	path := c.Request.URL.Path
	if path == "/v1" || strings.HasPrefix(path, "/v1/") || strings.HasPrefix(path, "/v2/") {
		return false
	}
	for part := range strings.SplitSeq(c.GetHeader("Accept"), ",") {
		if kind, _, err := mime.ParseMediaType(strings.TrimSpace(part)); err == nil && kind == "text/html" {
			return true
		}
	}
	return false
}
