"use strict";

// The page is served beside the API, so everything is relative to it: a gateway behind a path prefix works as well.
const api = new URL("..", location.href);

const ui = SwaggerUIBundle({
  url: new URL("openapi.json", api).href,
  dom_id: "#operations",
  validatorUrl: null, // the validator is somebody else's site
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  requestInterceptor(request) {
    const url = new URL(request.url, location.href);
    // A stream never ends, and the page shows answers once they have.
    if (url.pathname.endsWith("/notify")) url.searchParams.set("protoc", "poll");
    request.url = url.href;
    return request;
  },
  responseInterceptor(response) {
    if (response.ok && new URL(response.url).pathname.endsWith("/login")) {
      ui.preauthorizeApiKey("bearer", response.body.data.Token);
    }
    return response;
  },
});
