package serving

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
)

// route is one line of the access table.
type route struct {
	method, path string // path as in OpenAPI: /v1/customers/{id}
	scope        string // needed of the key; public needs no key
	page         bool   // of the console: a browser without a session is sent to /signin
}

// public marks the few routes that need no key. They tell nothing about customers.
const public = "public"

// access is every route. One that is served but missing here needs ScopeAdmin; a test holds the two together.
var access = []route{
	{method: http.MethodGet, path: "/healthz", scope: public},
	{method: http.MethodGet, path: "/readyz", scope: public},
	{method: http.MethodGet, path: "/openapi.json", scope: public},
	{method: http.MethodGet, path: "/metrics", scope: ScopeMetrics},
	{method: http.MethodGet, path: "/v1/at-risk", scope: ScopeScoresRead},
	{method: http.MethodGet, path: "/v1/customers/{id}", scope: ScopeScoresRead},
	{method: http.MethodGet, path: "/v1/customers/{id}/score", scope: ScopeScoresRead},
	{method: http.MethodGet, path: "/v1/customers/{id}/next-best-actions", scope: ScopeScoresRead},
	{method: http.MethodPost, path: "/v1/customers/{id}/next-best-actions", scope: ScopeScoresRead},
	{method: http.MethodPost, path: "/v1/actions/plan", scope: ScopeScoresRead},
	{method: http.MethodPost, path: "/v1/decisions/{id}/outcomes", scope: ScopeActionsWrite},
	{method: http.MethodGet, path: "/v1/customers/{id}/timeline", scope: ScopeScoresRead},
	{method: http.MethodGet, path: "/v1/lifecycle/stages", scope: ScopeScoresRead},
	{method: http.MethodGet, path: "/v1/lifecycle/transitions", scope: ScopeScoresRead},
	{method: http.MethodGet, path: "/v1/lifecycle/journey", scope: ScopeScoresRead},
	{method: http.MethodGet, path: "/v1/lifecycle/kpis", scope: ScopeScoresRead},

	{method: http.MethodGet, path: "/", scope: ScopeScoresRead, page: true},
	{method: http.MethodGet, path: "/customers", scope: ScopeScoresRead, page: true},
	{method: http.MethodGet, path: "/lifecycle", scope: ScopeScoresRead, page: true},
	{method: http.MethodGet, path: "/lifecycle/kpis", scope: ScopeScoresRead, page: true},
	{method: http.MethodGet, path: "/customers/{id}", scope: ScopeScoresRead, page: true},
	{method: http.MethodPost, path: "/outcomes", scope: ScopeActionsWrite, page: true},
	{method: http.MethodGet, path: "/signin", scope: public, page: true},
	{method: http.MethodPost, path: "/signin", scope: public, page: true},
	{method: http.MethodPost, path: "/signout", scope: public, page: true},
	{method: http.MethodGet, path: "/assets/{file}", scope: public},
	{method: http.MethodGet, path: "/favicon.ico", scope: public},
}

// templateOf returns the route of a request as in OpenAPI, "" when none matches.
func templateOf(c *gin.Context) string {
	path := c.FullPath()
	if !strings.Contains(path, ":") {
		return path
	}
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if name, ok := strings.CutPrefix(p, ":"); ok {
			parts[i] = "{" + name + "}"
		}
	}
	return strings.Join(parts, "/")
}

// routeOf returns the line of the access table for a matched request; what is missing there is for admins.
func routeOf(method, template string) route {
	for _, r := range access {
		if r.method == method && r.path == template {
			return r
		}
	}
	return route{method: method, path: template, scope: ScopeAdmin}
}
