package serving

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"
)

//go:embed web
var web embed.FS

// console renders the pages. html/template escapes all that comes from data; the pages hold no script.
type console struct {
	pages      map[string]*template.Template // by file name without its ending
	assets     map[string]asset              // by file name
	style      string                        // address of the style sheet, with its hash
	version    string
	currency   string
	staleAfter time.Duration
}

// asset is a file that browsers may keep for good, because its address has its hash.
type asset struct {
	kind string
	body []byte
}

// frame is what every page has around its own content.
type frame struct {
	Title    string
	Style    string
	Version  string
	SignedIn bool   // shows search and sign-out
	Reload   int    // seconds until the page looks again; 0 never
	Search   string // what the search box holds
	RunID    string
	Page     any
}

// parts are the files beside its own that a page is made of.
var parts = map[string][]string{"customer": {"web/next.html", "web/outcomes.html", "web/trends.html", "web/timeline.html"}}

// newConsole reads the embedded templates. Errors: a template that does not parse.
func newConsole(o Options) (*console, error) {
	c := &console{
		pages: map[string]*template.Template{}, assets: map[string]asset{},
		version: o.Version, currency: o.Currency, staleAfter: o.StaleAfter,
	}
	for _, name := range []string{"list", "customer", "lifecycle", "kpis", "search", "signin", "error", "empty"} {
		t, err := template.ParseFS(web, append([]string{"web/frame.html", "web/" + name + ".html"}, parts[name]...)...)
		if err != nil {
			return nil, fmt.Errorf("read page %s: %w", name, err)
		}
		c.pages[name] = t
	}
	for name, kind := range map[string]string{"console.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"} {
		body, err := web.ReadFile("web/" + name)
		if err != nil {
			return nil, fmt.Errorf("read asset %s: %w", name, err)
		}
		c.assets[name] = asset{kind, body}
	}
	sum := sha256.Sum256(c.assets["console.css"].body)
	c.style = "/assets/console.css?v=" + hex.EncodeToString(sum[:6])
	return c, nil
}

func (s *Server) registerConsole(e *gin.Engine) {
	e.GET("/", s.listView)
	e.GET("/customers", s.searchView)
	e.GET("/customers/:id", s.customerView)
	e.GET("/lifecycle", s.lifecycleView)
	e.GET("/lifecycle/kpis", s.kpisView)
	e.POST("/outcomes", s.tellOutcome)
	e.GET("/assets/:file", func(c *gin.Context) { s.asset(c, c.Param("file")) })
	e.GET("/favicon.ico", func(c *gin.Context) { s.asset(c, "icon.svg") })
}

func (s *Server) asset(c *gin.Context, name string) {
	a, ok := s.console.assets[path.Base(name)]
	if !ok {
		s.fail(c, problem(http.StatusNotFound, "there is nothing at this address"))
		return
	}
	c.Header("Cache-Control", "public, max-age=31536000, immutable")
	c.Data(http.StatusOK, a.kind, a.body)
}

// render writes a page whole or not at all: a template that fails is a panic, which becomes the 500 page.
func (s *Server) render(c *gin.Context, status int, name string, f frame) {
	f.Style, f.Version = s.console.style, s.console.version
	_, f.SignedIn = keyOf(c)
	var b bytes.Buffer
	if err := s.console.pages[name].ExecuteTemplate(&b, "frame", f); err != nil {
		panic(err)
	}
	c.Data(status, "text/html; charset=utf-8", b.Bytes())
}

// errorView is what the page of an error shows.
type errorView struct {
	Status        int
	Title, Detail string
	Hint          string // what to do
}

func (s *Server) errorPage(c *gin.Context, p *huma.ErrorModel) {
	v := errorView{Status: p.Status, Title: p.Title, Detail: sentence(p.Detail)}
	switch p.Status {
	case http.StatusForbidden:
		v.Hint = "Sign out and sign in with a key that has the scope, or ask for one: retain keys create."
	case http.StatusGone:
		v.Title, v.Hint = "The list has moved on", "Newer runs have landed since this page was opened. Open the list anew."
	case http.StatusInternalServerError:
		v.Hint = "Request id " + c.Writer.Header().Get("X-Request-Id")
	}
	s.render(c, p.Status, "error", frame{Title: v.Title, Page: v})
}

// sentence gives a problem's detail its capital and full stop.
func sentence(words string) string {
	if words == "" {
		return ""
	}
	return strings.ToUpper(words[:1]) + strings.TrimSuffix(words[1:], ".") + "."
}

// signinView is what the sign-in page shows.
type signinView struct {
	Failure string // "" at first
	Next    string // where to go afterwards
}

func (s *Server) signinPage(c *gin.Context, status int, failure string) {
	next := c.Query("next")
	if c.Request.Method == http.MethodPost {
		next = c.Request.PostForm.Get("next")
	}
	s.render(c, status, "signin", frame{Title: "Sign in", Page: signinView{Failure: failure, Next: localPath(next)}})
}

// emptyView is what a page shows that has nothing to show yet.
type emptyView struct {
	Title, Words string
	Begin        bool // there is no run yet: tell how to begin
}

// pageFailure answers an error of a page; no run yet, and an answer in the making, are no errors but a beginning.
func (s *Server) pageFailure(c *gin.Context, err error) {
	p := problemOf(err)
	if p.Status == http.StatusInternalServerError {
		because(c.Request.Context(), err)
	}
	if p.Status == http.StatusServiceUnavailable && s.wantsPage(c) {
		v := emptyView{Title: "No scores yet", Words: sentence(strings.ReplaceAll(p.Detail, "`", "")), Begin: true}
		if errors.Is(err, errCounting) {
			v = emptyView{Title: "Counting the key figures", Words: "In a large warehouse this takes up to a few minutes, once for each run."}
		}
		c.Header("Retry-After", "5")
		s.render(c, p.Status, "empty", frame{Title: v.Title, Reload: 5, Page: v})
		return
	}
	s.fail(c, p)
}
