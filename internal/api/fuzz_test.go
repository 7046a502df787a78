package api

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"
)

// FuzzBodies: whatever a body holds, every route that reads one either takes it or
// says what is wrong with it; none fails.
func FuzzBodies(f *testing.F) {
	routes := []string{
		"POST /v1/track", "POST /v1/batch", "POST /v1/import", "PUT /v1/items/A", "PUT /v1/articles/a", "PUT /v1/attributes/a", "PUT /v1/relations",
		"PUT /v1/records/order/1", "PUT /v1/records/enrolment/1", "PUT /v1/records/promotion/1", "POST /v1/decisions", "POST /v1/conversations", "POST /v1/conversations/c/messages",
		"PUT /v1/people/u1/preferences", "POST /v1/people/merge", "POST /v1/people/unmerge", "POST /v1/strategies", "POST /v1/workspaces",
	}
	for i := range routes {
		for _, body := range []string{
			`{}`, `[]`, `null`, `7`, `"x"`, ``, `{"person":"u1","lines":[{"product_id":"A","quantity":1e30}],"updated_at":"0001-01-01T00:00:00Z"}`,
			`{"batch":[{"type":"track","userId":"u1","event":"E"}]}`, `{"record":"person","id":"u1","traits":{"a":[1]}}`, `[{"from":"a","type":"b","to":"c"}]`,
			`{"ids":["user:u1","anon:a"]}`, `{"enquiry":{"text":"x","messages":[{"role":"user","text":""}]},"scene":{"time":"9999-12-31T23:59:59Z","place":{"lat":-0}}}`, `{"title":{"zh":1},"attributes":{"a":{"min":2,"max":1}}}`,
		} {
			f.Add(uint8(i), []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, body []byte) {
		h := newHouse(tenant("shop"))
		edge := New(Options{Engine: h, Clock: func() time.Time { return noon }, Logger: slog.New(slog.DiscardHandler), Shelf: func(w string) Shelf { return h.shelves.Of(w) }})
		method, path, _ := bytes.Cut([]byte(routes[int(n)%len(routes)]), []byte(" "))
		send := func() *httptest.ResponseRecorder {
			r := httptest.NewRequest(string(method), string(path), bytes.NewReader(body))
			r.Header.Set("Authorization", "Bearer sk_shop")
			w := httptest.NewRecorder()
			edge.ServeHTTP(w, r)
			return w
		}
		for range 2 {
			w := send()
			if w.Code >= 500 {
				t.Fatalf("%s %s with %q: %d %s", method, path, body, w.Code, w.Body)
			}
			if !json.Valid(w.Body.Bytes()) {
				t.Fatalf("%s %s with %q: the answer %q is no JSON", method, path, body, w.Body)
			}
		}
	})
}
