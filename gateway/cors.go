package gateway

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/xuangate/xuangate/gen/model"
)

// cors lets pages of the configured origins read our answers; by default no page of another origin can. /inner is not for
// browsers at all.
func (s *Server) cors(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r, h := c.Request(), c.Response().Header()
		origin := r.Header.Get(echo.HeaderOrigin)
		if origin == "" || strings.HasPrefix(r.URL.Path, "/inner/") {
			return next(c)
		}
		h.Add(echo.HeaderVary, echo.HeaderOrigin)
		preflight := r.Method == http.MethodOptions && r.Header.Get(echo.HeaderAccessControlRequestMethod) != ""
		if !slices.Contains(s.rules.Load().origins, origin) {
			if preflight {
				return refuse(model.NotAllowed, "pages of this origin may not call us; it is not among the configured origins")
			}
			return next(c)
		}
		h.Set(echo.HeaderAccessControlAllowOrigin, origin)
		if !preflight {
			h.Set(echo.HeaderAccessControlExposeHeaders, "X-Request-Id, Retry-After, Content-Disposition, Content-Range, ETag")
			return next(c)
		}
		h.Set(echo.HeaderAccessControlAllowMethods, "GET, HEAD, POST")
		h.Set(echo.HeaderAccessControlAllowHeaders, "Authorization, Content-Type, If-None-Match, If-Range, Last-Event-ID, Range, X-Request-Id")
		h.Set(echo.HeaderAccessControlMaxAge, "600")
		return c.NoContent(http.StatusNoContent)
	}
}

// allowedOrigin says whether a WebSocket may be opened: by what is no browser, by pages of our own origin, and by those
// of the configured ones. Browsers ask nobody before they open one, so this check is all there is.
func (s *Server) allowedOrigin(r *http.Request) bool {
	origin := r.Header.Get(echo.HeaderOrigin)
	if origin == "" || slices.Contains(s.rules.Load().origins, origin) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && strings.EqualFold(u.Host, r.Host)
}
