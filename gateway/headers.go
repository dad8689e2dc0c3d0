package gateway

import "github.com/labstack/echo/v4"

// harden has browsers make nothing else of an answer than it is. Pages and files set a policy of their own over it. Whether the
// site is to be reached over TLS alone is for who speaks TLS to say.
func (s *Server) harden(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set(echo.HeaderXContentTypeOptions, "nosniff")
		h.Set(echo.HeaderXFrameOptions, "DENY")
		h.Set(echo.HeaderContentSecurityPolicy, "default-src 'none'; frame-ancestors 'none'")
		h.Set(echo.HeaderReferrerPolicy, "no-referrer")
		return next(c)
	}
}
