package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/internal/ingest"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/workspace"
)

// drawer keeps papers in memory, and no log.
type drawer struct {
	mu     sync.Mutex
	papers map[[3]string]workspace.Paper
}

func (d *drawer) SavePapers(_ context.Context, of string, all []workspace.Paper) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range all {
		if p.Body == nil {
			delete(d.papers, [3]string{of, p.Kind, p.ID})
		} else {
			d.papers[[3]string{of, p.Kind, p.ID}] = p
		}
	}
	return nil
}

func (d *drawer) Papers(_ context.Context, of, kind, after string, limit int) (page []workspace.Paper, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for k, p := range d.papers {
		if k[0] == of && k[1] == kind && p.ID > after {
			page = append(page, p)
		}
	}
	slices.SortFunc(page, func(a, b workspace.Paper) int { return strings.Compare(a.ID, b.ID) })
	return page[:min(limit, len(page))], nil
}

func (d *drawer) Paper(_ context.Context, of, kind, id string) (workspace.Paper, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, ok := d.papers[[3]string{of, kind, id}]
	return p, ok, nil
}

func (d *drawer) CountPapers(ctx context.Context, of, kind string) (n int, size int64, err error) {
	page, _ := d.Papers(ctx, of, kind, "", 1<<30)
	for _, p := range page {
		size += int64(len(p.Body))
	}
	return len(page), size, nil
}

func (d *drawer) Event(context.Context, string, event.ID) (m journal.Moment, keys []identity.Key, ok bool, err error) {
	return m, nil, false, nil
}

// withSources is the edge with sources before a house.
func withSources(h *house) *door {
	return withDrawer(h, &drawer{papers: map[[3]string]workspace.Paper{}})
}

func withDrawer(h *house, d *drawer) *door {
	now := func() time.Time { return noon }
	hub := ingest.NewHub(d, &ingest.States{Watch: ingest.NewWatch([]string{"shipped"}), House: h, Log: d, Now: now})
	return &door{house: h, testClock: atNoon(), Handler: New(Options{
		Engine: h, Clock: now, Sources: hub, Logger: slog.New(slog.DiscardHandler), Shelf: func(w string) Shelf { return h.shelves.Of(w) },
	})}
}

func TestBadInputIsToldWithItsPlaceInBothLanguages(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70)
	good := `{"record":"event","type":"track","userId":"u","event":"E","messageId":"m%d"}` + "\n"
	long := `{"record":"event","type":"track","userId":"u","event":"E","properties":{"x":"` + strings.Repeat("y", 1<<20) + `"}}` + "\n"
	for _, c := range []struct {
		name, path, body string
		status           int
		code             string // of the body, or of the only rejected line
		line, column     int    // of that line
		pointer          string
		accepted         int
	}{
		{name: "a call that is no JSON", path: "/v1/track", body: `{"event":`, status: 400, code: "not_json", pointer: "/event"},
		{name: "a call that is too deep", path: "/v1/track", body: deep, status: 400, code: "too_deep"},
		{name: "a call that is too large", path: "/v1/track", body: `{"x":"` + strings.Repeat("y", 40<<10) + `"}`, status: 413, code: "body_too_large"},
		{name: "a call of a wrong type", path: "/v1/track", body: `{"userId":"u","event":7}`, status: 400, code: "wrong_type", pointer: "/event"},
		{name: "a call of nobody", path: "/v1/track", body: `{"event":"E"}`, status: 400, code: "no_identity"},
		{name: "a line that is no JSON", path: "/v1/import", body: fmt.Sprintf(good, 1) + "{\"record\":\"名\",}\n" + fmt.Sprintf(good, 2), status: 200, code: "not_json", line: 2, column: 15, accepted: 2},
		{name: "a line that is too deep", path: "/v1/import", body: deep + "\n" + fmt.Sprintf(good, 3), status: 200, code: "too_deep", line: 1, column: 321, accepted: 1},
		{name: "a line that is too long", path: "/v1/import", body: fmt.Sprintf(good, 4) + long + fmt.Sprintf(good, 5), status: 200, code: "body_too_large", line: 2, column: 1<<20 + 1, accepted: 2},
		{name: "a line of a wrong type", path: "/v1/import", body: `{"record":"order","id":"o","person":"user:u","lines":[{"product_id":7}]}` + "\n" + fmt.Sprintf(good, 6), status: 200, code: "wrong_type", line: 1, pointer: "/lines/0/product_id", accepted: 1},
		{name: "a line of an unknown kind", path: "/v1/import", body: `{"record":"planet"}` + "\n", status: 200, code: "record_type", line: 1, pointer: "/record"},
		{name: "a delivery that is no JSON", path: "/v1/hooks/shop/tickets", body: "{\n \"a\": nul}", status: 200, code: "not_json", column: 7},
		{name: "a delivery that is too deep", path: "/v1/hooks/shop/tickets", body: deep, status: 200, code: "too_deep", column: 321},
		{name: "a delivery that is too large", path: "/v1/hooks/shop/tickets", body: `"` + strings.Repeat("y", 1<<20) + `"`, status: 413, code: "body_too_large"},
		{name: "a delivery that is no record", path: "/v1/hooks/shop/tickets", body: `[1]`, status: 200, code: "mapping_no_object"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			said := map[string]string{}
			for _, l := range []string{"en", "zh-CN"} {
				for _, gzip := range []bool{false, true} {
					d := withSources(newHouse(tenant("shop")))
					d.t = t
					if r := d.call("PUT", "/v1/sources/tickets", "sk_shop", `{}`); r.status != 200 {
						t.Fatal(r)
					}
					body, headers := c.body, []string{"Accept-Language: " + l}
					if gzip {
						body, headers = zipped(t, body), append(headers, "Content-Encoding: gzip")
					}
					r := d.call("POST", c.path, "sk_shop", body, headers...)
					if r.status != c.status {
						t.Fatalf("%d %s", r.status, r.body)
					}
					var out struct {
						Code, Title string
						Errors      []Fault
						Accepted    int
						Rejected    []RejectedLine
					}
					if err := json.Unmarshal([]byte(r.body), &out); err != nil {
						t.Fatal(err)
					}
					got := RejectedLine{Code: out.Code, Message: out.Title}
					if len(out.Errors) > 0 {
						got = RejectedLine{Code: out.Errors[0].Code, Message: out.Errors[0].Message, Pointer: out.Errors[0].Pointer}
					}
					if c.status == 200 {
						if len(out.Rejected) != 1 || out.Accepted != c.accepted {
							t.Fatalf("%s", r.body)
						}
						got = out.Rejected[0]
						if got.Line != c.line && c.line > 0 || got.Column != c.column {
							t.Errorf("told at line %d, column %d, wanted %d, %d", got.Line, got.Column, c.line, c.column)
						}
					}
					if got.Code != c.code || c.pointer != "" && got.Pointer != c.pointer {
						t.Errorf("%s at %q, wanted %s at %q", got.Code, got.Pointer, c.code, c.pointer)
					}
					said[l] = got.Message
				}
			}
			if said["en"] == "" || said["en"] == said["zh-CN"] || strings.ContainsAny(said["en"]+said["zh-CN"], "{}") {
				t.Errorf("said as %q", said)
			}
		})
	}
}

func zipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// FuzzSources: whatever is delivered, imported for a source or declared is taken or
// told; none fails, and what was kept can be played again.
func FuzzSources(f *testing.F) {
	routes := []string{
		"POST /v1/hooks/shop/tickets", "POST /v1/hooks/shop/forms", "POST /v1/import?source=crm", "POST /v1/import?source=tickets&map=true", "PUT /v1/sources/new", "PUT /v1/sources/crm/states",
		"POST /v1/states/resolve", "POST /v1/sources/tickets/try", "POST /v1/sources/segment/dead-letters/replay", "POST /v1/batch",
	}
	for i := range routes {
		for _, body := range []string{
			`{}`, `[]`, `7`, ``, `{"id":"c1","who":"u","state":"22"}`, `a=1&b=%zz`, `{"map":"{a: .b | c}","signature":{"header":"X","secret":"longenough","signed":"{body}"}}`,
			`{"words":[{"value":"22","state":"shipped"}]}`, `{"source":"crm","value":"22","state":"shipped"}`, `{"body":"{}","definition":{"map":".."}}`, `{"record":"order","id":"o","person":"u","status":22,"source":7}`,
			`{"batch":[{"type":"track"},7]}`, "{\"record\":\"order\"}\n\xff\n",
		} {
			f.Add(uint8(i), []byte(body))
		}
	}
	kept := &drawer{papers: map[[3]string]workspace.Paper{}}
	d := withDrawer(newHouse(tenant("shop")), kept) // one edge: making it costs more than a call
	f.Fuzz(func(t *testing.T, n uint8, body []byte) {
		kept.mu.Lock()
		clear(kept.papers)
		kept.mu.Unlock()
		send := func(route string, body []byte) {
			method, path, _ := strings.Cut(route, " ")
			r := httptest.NewRequest(method, path, bytes.NewReader(body))
			r.Header.Set("Authorization", "Bearer sk_shop")
			w := httptest.NewRecorder()
			d.ServeHTTP(w, r)
			if w.Code >= 500 || !json.Valid(w.Body.Bytes()) {
				t.Fatalf("%s with %q: %d %s", route, body, w.Code, w.Body)
			}
		}
		send("PUT /v1/sources/tickets", []byte(`{"map":"{record: \"case\", id: .id, person: .who, status: .state}"}`))
		send("PUT /v1/sources/forms", []byte(`{"format":"form","map":"{type: \"track\", event: \"Form\", userId: .a}"}`))
		send(routes[int(n)%len(routes)], body)
		for _, source := range []string{"tickets", "forms", "crm", "segment"} {
			send("POST /v1/sources/"+source+"/dead-letters/replay", nil)
			send("GET /v1/sources/"+source+"/dead-letters", nil)
		}
		send("GET /v1/sources", nil)
		send("GET /v1/states/untranslated", nil)
	})
}
