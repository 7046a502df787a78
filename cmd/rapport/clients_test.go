package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// The official clients of the Segment specification deliver unchanged, plain and
// packed: every call arrives, once.
func TestTheOfficialNodeClientsDeliverUnchanged(t *testing.T) {
	t.Parallel()
	dir := nodeClients(t)
	s := openShop(t)
	packed := map[bool]int{} // requests by whether they were
	var mu sync.Mutex
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		packed[r.Header.Get("Content-Encoding") == "gzip"]++
		mu.Unlock()
		s.h.handler.ServeHTTP(w, r)
	}))
	defer front.Close()
	const views = 60
	for _, kind := range []string{"segment", "segment-gzip", "rudder", "rudder-gzip"} {
		t.Run(kind, func(t *testing.T) {
			deliver := func() {
				t.Helper()
				cmd := exec.Command("node", "deliver.mjs", kind, front.URL, s.w.WriteKey, fmt.Sprint(views))
				cmd.Dir = dir
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			mu.Lock()
			clear(packed)
			mu.Unlock()
			deliver()
			mu.Lock()
			if gzip := strings.HasSuffix(kind, "-gzip"); packed[gzip] < 4 || packed[!gzip] != 0 {
				t.Errorf("requests by whether they were packed: %v", packed)
			}
			mu.Unlock()
			seen := map[string]int{}
			for _, e := range wholeTimeline(s, kind) {
				name, _ := e["event"].(string)
				if name == "" {
					name = e["kind"].(string)
				}
				seen[name]++
				if p, _ := e["properties"].(object); name == "Product Viewed" && p["name"] != "扫地机 \U0001F9F9" {
					t.Fatalf("arrived as %v", p)
				}
			}
			for name, want := range map[string]int{"Order Completed": 1, "Page Viewed": 1, "Screen Viewed": 1, "Product Viewed": views, "identify": 1, "group": 1, "alias": 1} {
				if seen[name] != want {
					t.Errorf("%s arrived %d times, wanted %d; all: %v", name, seen[name], want, seen)
				}
			}
			who := s.do("GET", "/v1/people/user:"+kind, nil)
			if email := fmt.Sprint(who["traits"].(object)["email"]); !strings.Contains(email, kind+"@example.com") {
				t.Errorf("traits: %v", who["traits"])
			}
			// The whole once more, as after a lost answer: nothing is there twice.
			deliver()
			if again := len(wholeTimeline(s, kind)); again != views+6 {
				t.Errorf("delivered again there are %d entries of %d", again, views+6)
			}
		})
	}
	if letters := items(t, s.do("GET", "/v1/sources/segment/dead-letters", nil)); len(letters) != 0 {
		t.Errorf("refused: %v", letters)
	}
}

func wholeTimeline(s *shop, user string) (all []object) {
	s.t.Helper()
	cursor := ""
	for {
		page := s.do("GET", "/v1/people/user:"+user+"/timeline?limit=50&cursor="+cursor, nil)
		all = append(all, items(s.t, page)...)
		next, more := page["next_cursor"].(string)
		if !more {
			return all
		}
		cursor = next
	}
}

// nodeClients installs the clients of testdata/clients, as locked, into a folder of
// the test's own.
func nodeClients(t *testing.T) string {
	t.Helper()
	missing := func(what string) {
		t.Helper()
		if os.Getenv("RAPPORT_REQUIRE_NODE") != "" {
			t.Fatal(what)
		}
		t.Skip(what + "; set RAPPORT_REQUIRE_NODE=1 to insist")
	}
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(program + " is not installed, so the official clients are not tried")
		}
	}
	dir := t.TempDir()
	for _, name := range []string{".npmrc", "package.json", "package-lock.json", "deliver.mjs"} {
		text, err := os.ReadFile(filepath.Join("testdata", "clients", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Not npm ci: it insists on optional builds for platforms that some registries do
	// not carry. What the lock names is installed as locked, with its hashes.
	cmd := exec.Command("npm", "install", "--no-save", "--omit=optional", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", "--loglevel=error")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		missing(fmt.Sprintf("the official clients cannot be installed: %v\n%s", err, out))
	}
	return dir
}
