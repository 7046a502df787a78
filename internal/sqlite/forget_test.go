package sqlite

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
)

func TestWhoIsErasedIsCountedNoMore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cohorts := candidate.NewCohorts()
	s := openAt(t, Options{Dir: dir, Followers: []journal.Follower{cohorts}, testOnlyEvery: 3})
	for n := range uint64(6) {
		e := visit(n, numbered("u", int(n)), "")
		e.Name, e.Body = "Product Viewed", json.RawMessage(`{"product_id":"teapot"}`)
		commit(t, s, "shop", e)
	}
	looked := func(c *candidate.Cohorts) int {
		n, _ := c.Of("shop").Choice([]string{"teapot"}, 0)
		return n
	}
	if n := looked(cohorts); n != 6 {
		t.Fatalf("%d people looked at it", n)
	}
	if _, err := s.Erase(context.Background(), "shop", []identity.Key{identity.User(numbered("u", 2))}); err != nil {
		t.Fatal(err)
	}
	if n := looked(cohorts); n != 5 {
		t.Errorf("%d people are counted after the erasure", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := candidate.NewCohorts()
	openAt(t, Options{Dir: dir, Followers: []journal.Follower{again}})
	if n := looked(again); n != 5 {
		t.Errorf("%d people are counted after the restart", n)
	}
}
