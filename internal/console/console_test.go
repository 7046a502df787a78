package console

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func get(t *testing.T, path string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	New().ServeHTTP(w, r)
	return w.Result()
}

func text(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPagesAndWidgetAreThere(t *testing.T) {
	t.Parallel()
	for path, kind := range map[string]string{
		"/console/": "text/html", "/demo/": "text/html", "/widget.js": "text/javascript",
		"/console/decisions/dec_1": "text/html", "/console/people/user:lin": "text/html",
	} {
		r := get(t, path)
		if r.StatusCode != 200 || !strings.HasPrefix(r.Header.Get("Content-Type"), kind) {
			t.Errorf("%s: %d %s", path, r.StatusCode, r.Header.Get("Content-Type"))
		}
	}
}

func TestWhatAPageNamesIsServed(t *testing.T) {
	t.Parallel()
	names := regexp.MustCompile(`(?:src|href)="(/[^"]+)"`)
	for _, path := range []string{"/console/", "/demo/"} {
		found := names.FindAllStringSubmatch(text(t, get(t, path).Body), -1)
		if len(found) == 0 {
			t.Errorf("%s names no file", path)
		}
		for _, m := range found {
			if r := get(t, m[1]); r.StatusCode != 200 {
				t.Errorf("%s names %s: %d", path, m[1], r.StatusCode)
			}
		}
	}
}

func TestUnknownFilesAreNotTheConsole(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/console/assets/none.js", "/demo/none", "/sources.sha256", "/console/../../etc/passwd"} {
		if r := get(t, path); path != "/console/../../etc/passwd" && r.StatusCode != 404 || strings.Contains(text(t, r.Body), "root:") {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
	if r := get(t, "/demo?lang=en"); r.StatusCode != 301 || r.Header.Get("Location") != "/demo/?lang=en" {
		t.Errorf("/demo: %d %s", r.StatusCode, r.Header.Get("Location"))
	}
}

func TestAnUnchangedFileIsNotSentAgain(t *testing.T) {
	t.Parallel()
	first := get(t, "/widget.js")
	if first.Header.Get("Cache-Control") != "no-cache" || first.Header.Get("ETag") == "" {
		t.Fatalf("headers: %v", first.Header)
	}
	again := get(t, "/widget.js", "If-None-Match", `"other", W/`+first.Header.Get("ETag"))
	if again.StatusCode != 304 || text(t, again.Body) != "" {
		t.Errorf("again: %d", again.StatusCode)
	}
}

func TestPackedAndPlainAreTheSame(t *testing.T) {
	t.Parallel()
	packed := get(t, "/widget.js", "Accept-Encoding", "br, gzip;q=0.5")
	if packed.Header.Get("Content-Encoding") != "gzip" {
		t.Fatal("not packed")
	}
	z, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	if text(t, z) != text(t, get(t, "/widget.js", "Accept-Encoding", "gzip;q=0").Body) {
		t.Error("packed and plain differ")
	}
}

func TestPagesRunOnlyOurScripts(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/console/", "/demo/", "/console/people/x"} {
		csp := get(t, path).Header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "script-src 'self';") || !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("%s: %q", path, csp)
		}
	}
	if regexp.MustCompile(`<script[^>]*>[^<]|\son\w+=`).MatchString(text(t, get(t, "/demo/").Body)) {
		t.Error("a script stands in the demo page itself")
	}
	if get(t, "/widget.js").Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Error("the widget cannot be fetched by other pages")
	}
}

func TestOnlyReading(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	New().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/console/", nil))
	if w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}
