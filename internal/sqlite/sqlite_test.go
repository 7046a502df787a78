package sqlite

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/internal/storage/storetest"
	"github.com/rapport-cx/rapport/journal"
)

// The corridor declares what it needs of a store; this is one.
var _ engine.Store = (*Store)(nil)

var day0 = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// idOf is an id of our own making: tests need ids, not their derivation.
func idOf(n uint64) event.ID {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], n)
	h := sha256.Sum256(b[:])
	return event.ID(h[:16])
}

// visit is somebody's n-th event.
func visit(n uint64, user, anonymous string) event.Event {
	at := day0.Add(time.Duration(n) * time.Second)
	return event.Event{
		ID: idOf(n), Kind: event.Track, Name: []string{"Product Viewed", "Product Added", "Page Viewed", "Order Completed"}[n%4],
		UserID: user, AnonymousID: anonymous, Time: at, Received: at.Add(time.Second), Verified: n%2 == 0,
		Body:    json.RawMessage(fmt.Sprintf(`{"product_id":"kettle-%d","price":129.5,"currency":"CNY","list":"spring offers","position":%d,"note":"a line of text as shops send it with their events, neither short nor long"}`, n%50, n%7)),
		Context: json.RawMessage(`{"page":{"path":"/kettles","title":"Kettles"},"userAgent":"Mozilla/5.0 (X11; Linux x86_64)","locale":"zh-CN"}`),
	}
}

func numbered(prefix string, n int) string { return prefix + strconv.Itoa(n) }

// crowd makes n events of some people, in batches.
func crowd(seed, n uint64, people int, batch int) [][]event.Event {
	r := rand.New(rand.NewPCG(seed, 1))
	var all [][]event.Event
	for i := uint64(0); i < n; {
		var b []event.Event
		for ; i < n && len(b) < batch; i++ {
			p := r.IntN(people)
			user, anon := numbered("u", p), numbered("a", p)
			switch r.IntN(4) {
			case 0:
				user = ""
			case 1:
				anon = ""
			}
			b = append(b, visit(seed<<32|i, user, anon))
		}
		all = append(all, b)
	}
	return all
}

func openAt(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func commit(t testing.TB, s *Store, workspace string, events ...event.Event) journal.Receipt {
	t.Helper()
	r, err := s.Commit(context.Background(), journal.Batch{Workspace: workspace, Events: events})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// folder is one data folder of the suite.
type folder struct{ dir string }

func (f folder) Open(t testing.TB, shelf storetest.Shelf, followers ...journal.Follower) storetest.Store {
	t.Helper()
	return openAt(t, Options{Dir: f.dir, Shelf: shelf, Followers: followers})
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t testing.TB) storetest.Home { return folder{t.TempDir()} })
}
