package gateway

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/xuangate/xuangate/gateway/web"
)

// addPages has e answer the API's documentation, and the chat if it is served. What they are made of is no secret, so they need
// no token; what they call does.
func (s *Server) addPages(e *echo.Echo) error {
	docs, err := web.Docs()
	if err != nil {
		return err
	}
	addPage(e, docs)
	e.GET("/docs", func(c echo.Context) error { return c.Redirect(http.StatusFound, "docs/") })
	if !s.chat {
		return nil
	}
	chat, err := web.Chat()
	if err != nil {
		return err
	}
	addPage(e, chat)
	return nil
}

func addPage(e *echo.Echo, p *web.Pages) {
	for _, path := range p.Paths() {
		e.Match([]string{http.MethodGet, http.MethodHead}, path, echo.WrapHandler(p))
	}
}
