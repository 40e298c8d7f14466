package serving

import "github.com/gin-gonic/gin"

// AccessLine is a line of the access table for tests outside the package.
type AccessLine struct {
	Method, Path, Scope string
	Public              bool
}

// Access returns the access table.
func Access() []AccessLine {
	var lines []AccessLine
	for _, r := range access {
		lines = append(lines, AccessLine{r.method, r.path, r.scope, r.scope == public})
	}
	return lines
}

// Engine is the router, so that tests can see its routes and add one that panics.
func (s *Server) Engine() *gin.Engine { return s.engine }
