package hot

import (
	"fmt"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/profile"
)

func TestWhoHasNotAskedForLongestIsLetGo(t *testing.T) {
	t.Parallel()
	p := New(10 * ProfileBytes)
	ask := func(who string) *Entry {
		e := p.Find([]byte(who))
		if e.Profile == nil {
			e.Begin(profile.New("per_x", nil), 1, 0)
		}
		p.Account(e)
		return e
	}
	regular := ask("regular")
	for i := range 30 {
		ask(fmt.Sprint("visitor ", i))
		if again := ask("regular"); again != regular {
			t.Fatalf("the regular was let go at visitor %d", i)
		}
	}
	if n, bytes := p.Size(); n != 10 || bytes != 10*ProfileBytes {
		t.Fatalf("%d profiles of %d bytes are hot", n, bytes)
	}
	if p.Find([]byte("visitor 0")).Profile != nil {
		t.Fatal("the first visitor is still hot")
	}
}

func TestWhoIsForgottenIsColdAgain(t *testing.T) {
	t.Parallel()
	p := New(1 << 20)
	for _, who := range []string{"lin", "wang"} {
		e := p.Find([]byte(who))
		e.Begin(profile.New("per_x", nil), 1, 0)
		p.Account(e)
	}
	p.Forget(func(name []byte) bool { return string(name) == "lin" })
	if p.Find([]byte("lin")).Profile != nil || p.Find([]byte("wang")).Profile == nil {
		t.Fatal("the wrong one was forgotten")
	}
}

func TestCheckpointsAreDueAsAHistoryGrows(t *testing.T) {
	t.Parallel()
	scope := journal.Scope{Person: "per_lin", Keys: []identity.Key{identity.User("lin")}}
	var e Entry
	e.Begin(profile.New(scope.Person, scope.Keys), 0, 0)
	checkpoints := 0
	for n := range 20_000 {
		at := time.UnixMilli(int64(n)).UTC()
		visit := []Told{{&event.Event{Kind: event.Track, Name: "Page Viewed", UserID: "lin", Time: at, ID: event.ID{byte(n), byte(n >> 8)}}, uint64(n + 1)}}
		if !e.Apply(visit) {
			t.Fatal("a newer event was refused")
		}
		if e.Due(4096) {
			checkpoints++
			e.Kept = e.Profile.Events
		}
	}
	if checkpoints < 10 || checkpoints > 14 {
		t.Fatalf("%d checkpoints of 20,000 events", checkpoints)
	}
	if p := e.Hand(scope); p.Events != 20_000 {
		t.Fatalf("%d events were handed out", p.Events)
	}
}
