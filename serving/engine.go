package serving

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
)

// quietGin keeps gin from printing its routes to standard output, which belongs to the command.
var quietGin = sync.OnceFunc(func() { gin.SetMode(gin.ReleaseMode) })

// bearer is the name of the security scheme in OpenAPI.
const bearer = "key"

// build makes the routes. Their access is the table's; OpenAPI says the same because it is made from it.
func (s *Server) build() error {
	quietGin()
	e := gin.New()
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash = false
	e.UseEscapedPath = true // so that %2F is part of an id; unescape does the decoding
	e.UnescapePathValues = false
	e.Use(secure, s.observe, s.limitBody, s.authorize, s.readable, s.unescape)
	e.NoRoute(func(c *gin.Context) {
		s.fail(c, problem(http.StatusNotFound, "there is nothing at this address"))
	})
	e.NoMethod(func(c *gin.Context) {
		allow := strings.Split(c.Writer.Header().Get("Allow"), ", ")
		if slices.Contains(allow, http.MethodGet) {
			allow = append(allow, http.MethodHead)
		}
		slices.Sort(allow)
		c.Header("Allow", strings.Join(allow, ", "))
		s.fail(c, problem(http.StatusMethodNotAllowed, "use "+strings.Join(allow, " or ")+" here"))
	})
	s.engine = e

	api := humagin.New(e, apiConfig(s.options.Version))
	s.registerHealth(api)
	s.registerAtRisk(api)
	s.registerCustomers(api)
	s.registerTimeline(api)
	s.registerLifecycle(api)
	s.registerLifecycleKPIs(api)
	s.registerActions(api)
	s.registerOutcomes(api)
	s.registerPlan(api)
	document(api.OpenAPI())
	var err error
	if s.openapi, err = json.MarshalIndent(api.OpenAPI(), "", "  "); err != nil {
		return fmt.Errorf("write openapi.json: %w", err)
	}
	e.GET("/openapi.json", func(c *gin.Context) {
		c.Header("Cache-Control", "public, max-age=300")
		c.Data(http.StatusOK, "application/json", s.openapi)
	})
	e.GET("/metrics", gin.WrapH(metricsHandler(s.options.Gatherer)))
	s.registerSignin(e)
	s.registerConsole(e)
	return nil
}

// apiConfig is huma's without what we do not serve: documentation pages, schema links, formats other than JSON.
func apiConfig(version string) huma.Config {
	c := huma.DefaultConfig("retain", version)
	c.Info.Description = "Churn scores with their reasons, from the run in force. Instants are UTC (RFC 3339), undefined figures are null, " +
		"errors are problem+json (RFC 9457). Make a key with `retain keys create`."
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", ""
	c.CreateHooks = nil
	c.RejectUnknownQueryParameters = true // a misspelt filter must not pass for no filter
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		bearer: {Type: "http", Scheme: "bearer", BearerFormat: "rk_ID_SECRET", Description: "An API key with the scopes that an operation names."},
	}
	return c
}

// operation completes what the access table knows: the scope, and the errors that come from it.
func operation(op huma.Operation) huma.Operation {
	scope := routeOf(op.Method, op.Path).scope
	if scope == public {
		op.Security = []map[string][]string{} // overrides nothing, says: none
		return op
	}
	op.Security = []map[string][]string{{bearer: {scope}}}
	op.Errors = append(op.Errors, http.StatusUnauthorized, http.StatusForbidden, http.StatusUnprocessableEntity,
		http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable)
	slices.Sort(op.Errors)
	op.Errors = slices.Compact(op.Errors)
	return op
}

// refusal is problemOf for huma's handlers, with the header that a 503 has.
func refusal(ctx context.Context, err error) error {
	p := problemOf(err)
	if p.Status == http.StatusInternalServerError {
		because(ctx, err)
	}
	if p.Status == http.StatusServiceUnavailable {
		return huma.ErrorWithHeaders(p, http.Header{"Retry-After": {strconv.Itoa(2)}})
	}
	return p
}
