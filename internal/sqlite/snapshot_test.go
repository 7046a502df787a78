package sqlite

import (
	"context"
	"encoding/json"
	"maps"
	"sync"
	"testing"

	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
)

// slow counts each person's events; its snapshots are written out when the test
// lets them.
type slow struct {
	mu     sync.Mutex
	counts map[uint32]int
	taken  chan struct{}
	write  chan struct{}
}

func newSlow() *slow {
	return &slow{counts: map[uint32]int{}, taken: make(chan struct{}, 1000), write: make(chan struct{})}
}

func (s *slow) Name() string { return "slow" }
func (s *slow) Follow(c journal.Committed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[c.Person]++
}
func (s *slow) Join(string, uint32, uint32) {}
func (s *slow) Forget(_ string, person uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.counts, person)
}
func (s *slow) now() map[uint32]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.counts)
}
func (s *slow) Save() ([]byte, error) { return json.Marshal(s.now()) }
func (s *slow) Snapshot() func() ([]byte, error) {
	then := s.now()
	s.taken <- struct{}{}
	return func() ([]byte, error) {
		<-s.write
		return json.Marshal(then)
	}
}
func (s *slow) Load(b []byte) error { return json.Unmarshal(b, &s.counts) }

func TestTheStoreGoesOnWhileASnapshotIsWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := newSlow()
	s := openAt(t, Options{Dir: dir, Followers: []journal.Follower{f}, testOnlyEvery: 3})
	n := uint64(0)
	more := func(events int) {
		for range events {
			commit(t, s, "shop", visit(n, numbered("u", int(n%5)), ""))
			n++
		}
	}
	for begun := false; !begun; { // rounds come by events
		more(1)
		select {
		case <-f.taken:
			begun = true
		default:
		}
	}
	more(100) // acknowledged, though the snapshot is still being written
	if _, err := s.Erase(context.Background(), "shop", []identity.Key{identity.User(numbered("u", 2))}); err != nil {
		t.Fatal(err)
	}
	close(f.write) // the first of them still knows who was erased
	more(100)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	want := f.now()

	again := newSlow()
	close(again.write)
	s = openAt(t, Options{Dir: dir, Followers: []journal.Follower{again}})
	if got := again.now(); !maps.Equal(got, want) {
		t.Errorf("after the restart %v, before it %v", got, want)
	}
	s.Close()

	again = newSlow()
	close(again.write)
	openAt(t, Options{Dir: dir, Followers: []journal.Follower{again}})
	if got := again.now(); !maps.Equal(got, want) {
		t.Errorf("after a second restart %v, before it %v", got, want)
	}
}
