package serving

import (
	"errors"
	"mime"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
)

// registerSignin mounts the browser's door: a key, or a one-time link, is traded for a session.
func (s *Server) registerSignin(e *gin.Engine) {
	e.GET("/signin", s.showSignin)
	e.POST("/signin", s.signin)
	e.POST("/signout", s.signout)
}

// showSignin shows the form, or redeems a one-time link.
func (s *Server) showSignin(c *gin.Context) {
	token, linked := c.GetQuery("once")
	if !linked {
		if _, err := s.identify(c); err == nil {
			c.Redirect(http.StatusSeeOther, localPath(c.Query("next")))
			return
		}
		s.signinPage(c, http.StatusOK, "")
		return
	}
	id, ok := s.links.take(token)
	if ok {
		if _, err := s.keyring.byID(c.Request.Context(), id); err == nil {
			s.openSession(c, id, "/")
			return
		}
	}
	s.signinFailed(c, http.StatusUnauthorized, "This link was used already or has expired. Sign in with a key.")
}

// signin trades the form's key for a session.
func (s *Server) signin(c *gin.Context) {
	if sameOrigin(c.Request) != nil {
		s.fail(c, problem(http.StatusForbidden, "the form was sent from another site"))
		return
	}
	if kind, _, err := mime.ParseMediaType(c.GetHeader("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		s.fail(c, problem(http.StatusUnsupportedMediaType, "send the form as application/x-www-form-urlencoded"))
		return
	}
	if err := c.Request.ParseForm(); err != nil {
		if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
			s.fail(c, problem(http.StatusRequestEntityTooLarge, "the form is too large"))
			return
		}
		s.fail(c, problem(http.StatusUnprocessableEntity, "the form cannot be read"))
		return
	}
	key, err := s.keyring.byToken(c.Request.Context(), strings.TrimSpace(c.Request.PostForm.Get("key")))
	if err != nil {
		s.signinFailed(c, http.StatusUnauthorized, "This key is unknown, revoked or expired.")
		return
	}
	s.openSession(c, key.ID, c.Request.PostForm.Get("next"))
}

// signout ends the session.
func (s *Server) signout(c *gin.Context) {
	if sameOrigin(c.Request) != nil {
		s.fail(c, problem(http.StatusForbidden, "the form was sent from another site"))
		return
	}
	if cookie, err := c.Request.Cookie(sessionCookie); err == nil {
		s.sessions.drop(cookie.Value)
	}
	s.setCookie(c, "", -1)
	c.Redirect(http.StatusSeeOther, "/signin")
}

func (s *Server) openSession(c *gin.Context, keyID, next string) {
	s.setCookie(c, s.sessions.issue(keyID), int(s.options.SessionLength.Seconds()))
	c.Redirect(http.StatusSeeOther, localPath(next))
}

func (s *Server) setCookie(c *gin.Context, value string, maxAge int) {
	http.SetCookie(c.Writer, &http.Cookie{
		Name: sessionCookie, Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
		// Behind a proxy that ends TLS it is the proxy who knows. A client that lies here only loses its own cookie.
		Secure: c.Request.TLS != nil || c.GetHeader("X-Forwarded-Proto") == "https",
	})
}

// signinFailed shows the form again to a browser, a problem to all others.
func (s *Server) signinFailed(c *gin.Context, status int, words string) {
	if s.wantsPage(c) {
		s.signinPage(c, status, words)
		return
	}
	s.fail(c, problem(status, words))
}

// localPath returns next when it is a path of this site, else "/": a sign-in must not lead elsewhere.
func localPath(next string) string {
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") ||
		strings.HasPrefix(next, "/signin") {
		return "/"
	}
	return next
}
