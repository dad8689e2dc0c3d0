// Package web holds the pages that a gateway serves: a chat, and the API's documentation to try calls on. Both are files that
// were built beforehand (sdk/typescript, `make web`) and embedded; they ask nobody but the gateway for anything.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
)

//go:embed chat docs
var built embed.FS

// Pages answers the files of one page. It may be used from any goroutine.
type Pages struct {
	policy string
	files  map[string]*file
}

// file is one file as it is sent.
type file struct {
	content   []byte
	mediaType string
	etag      string
	immutable bool

	squeeze  sync.Once
	squeezed []byte
}

// What a page may do: run and show what came with it, and speak to the gateway it came from. Whatever slips into a message
// can so neither run nor send anything away. The chat shows pictures that it has fetched with its token, as blobs;
// swagger-ui has its arrows in its style sheet, as data.
const (
	chatPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; manifest-src 'self'; " + noFrames
	docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " + noFrames
	noFrames   = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

// Chat is the page to chat on, at /.
func Chat() (*Pages, error) { return newPages("chat", "/", chatPolicy) }

// Docs is the API's documentation, at /docs/.
func Docs() (*Pages, error) { return newPages("docs", "/docs/", docsPolicy) }

// newPages reads a folder of built files; they are answered under root, its index.html at root itself.
func newPages(folder, root, policy string) (*Pages, error) {
	p := &Pages{policy: policy, files: map[string]*file{}}
	err := fs.WalkDir(built, folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := built.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		at := root + strings.TrimPrefix(name, folder+"/")
		p.files[strings.TrimSuffix(at, "index.html")] = &file{
			content:   content,
			mediaType: mediaType(name),
			etag:      `"` + hex.EncodeToString(sum[:12]) + `"`,
			immutable: strings.HasPrefix(at, root+"assets/"), // their names change with their content
		}
		return nil
	})
	if err == nil && p.files[root] == nil {
		err = fmt.Errorf("%s/index.html was not built; make web", folder)
	}
	if err != nil {
		return nil, fmt.Errorf("read the pages: %w", err)
	}
	return p, nil
}

// Paths are those that the page's files are answered at.
func (p *Pages) Paths() []string {
	paths := make([]string, 0, len(p.files))
	for at := range p.files {
		paths = append(paths, at)
	}
	return paths
}

// ServeHTTP answers the file at the request's path, which must be one of Paths.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := p.files[r.URL.Path]
	h := w.Header()
	h.Set("Content-Security-Policy", p.policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Content-Type", f.mediaType)
	h.Set("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "no-cache")
	if f.immutable {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	content, etag := f.content, f.etag
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		if small := f.small(); small != nil {
			content, etag = small, strings.TrimSuffix(etag, `"`)+`-gzip"`
			h.Set("Content-Encoding", "gzip")
		}
	}
	h.Set("ETag", etag)
	if strings.Contains(r.Header.Get("If-None-Match"), etag) {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", fmt.Sprint(len(content)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(content) // the client has gone
	}
}

// small is the file compressed, made when it is first asked for, or nil where that saves nothing.
func (f *file) small() []byte {
	f.squeeze.Do(func() {
		var b bytes.Buffer
		w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
		_, _ = w.Write(f.content)
		_ = w.Close() // a Buffer takes everything
		if b.Len() < len(f.content)*9/10 {
			f.squeezed = b.Bytes()
		}
	})
	return f.squeezed
}

// mediaType is by the name alone: what the operating system knows of types is not the same everywhere.
func mediaType(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".html":
		return "text/html; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".webmanifest":
		return "application/manifest+json"
	}
	return "text/plain; charset=utf-8"
}
