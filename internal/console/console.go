// Package console is the house's window for people: it serves the built pages of
// package web beside the API, at /console/ (operators), /demo/ (a shop page with
// the adviser in it) and /widget.js (the adviser as a guest in any page). It knows
// nothing of the house; the pages speak to the public API like any other program.
//
// What it promises: file names are stable and every answer is revalidated by its
// content's hash, so a new build is seen at once and an unchanged one costs a 304;
// an address inside the console that is no file is the console itself; no page may
// run a script, or talk to a server, that is not ours.
package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/rapport-cx/rapport/web"
)

// page is one file, ready to send.
type page struct {
	kind   string
	tag    string
	plain  []byte
	packed func() []byte // gzip, made when first asked for; nil where it would not be smaller
}

type pages map[string]page // by URL path

// server reads the embedded build when a page is first asked for.
type server struct{ pages func() pages }

// New serves the embedded build. It answers GET and HEAD only.
func New() http.Handler { return server{sync.OnceValue(read)} }

func read() pages {
	s := pages{}
	_ = fs.WalkDir(web.Dist, "dist", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := web.Dist.ReadFile(name)
		if err == nil {
			s[strings.TrimPrefix(name, "dist")] = newPage(name, text)
		}
		return err
	})
	delete(s, "/sources.sha256")
	return s
}

func newPage(name string, text []byte) page {
	kind := mime.TypeByExtension(path.Ext(name))
	switch path.Ext(name) { // not what the machine happens to have in its table
	case ".html":
		kind = "text/html; charset=utf-8"
	case ".js":
		kind = "text/javascript; charset=utf-8"
	case ".css":
		kind = "text/css; charset=utf-8"
	}
	sum := sha256.Sum256(text)
	return page{kind: kind, tag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`, plain: text, packed: sync.OnceValue(func() []byte { return packed(text) })}
}

func packed(text []byte) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // a level that exists
	_, _ = z.Write(text)                                  // into memory
	_ = z.Close()
	if b.Len() >= len(text) {
		return nil
	}
	return b.Bytes()
}

// find is the file of a path; inside the console every other address is its own.
func (s pages) find(at string) (p page, moved string, ok bool) {
	switch at {
	case "/console", "/demo":
		return p, at + "/", false
	case "/demo/":
		at = "/demo/index.html"
	}
	if p, ok = s[at]; ok {
		return p, "", true
	}
	if strings.HasPrefix(at, "/console/") && !strings.HasPrefix(at, "/console/assets/") {
		p, ok = s["/console/index.html"]
	}
	return p, "", ok
}

const (
	// Styles of the component library are set by script on elements.
	policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: https:; media-src 'self' https:; " +
		"font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

func (s server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	p, moved, ok := s.pages().find(r.URL.Path)
	if moved != "" {
		if r.URL.RawQuery != "" {
			moved += "?" + r.URL.RawQuery
		}
		http.Redirect(w, r, moved, http.StatusMovedPermanently)
		return
	}
	if !ok {
		http.NotFound(w, r)
		return
	}
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", p.tag)
	h.Set("Vary", "Accept-Encoding")
	h.Set("Content-Type", p.kind)
	if r.URL.Path == "/widget.js" { // a guest in pages of any origin
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	} else {
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
	}
	if matches(r.Header.Get("If-None-Match"), p.tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := p.plain
	if takesGzip(r.Header.Get("Accept-Encoding")) {
		if small := p.packed(); small != nil {
			h.Set("Content-Encoding", "gzip")
			body = small
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodHead {
		return
	}
	_, _ = w.Write(body) // the reader may leave
}

func matches(header, tag string) bool {
	for part := range strings.SplitSeq(header, ",") {
		if part = strings.TrimPrefix(strings.TrimSpace(part), "W/"); part == tag || part == "*" {
			return true
		}
	}
	return false
}

// takesGzip reads Accept-Encoding; a coding with weight 0 is one the reader refuses.
func takesGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		coding, weight, weighted := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(weight), "q="), 64)
		return !weighted || err == nil && q > 0
	}
	return false
}
