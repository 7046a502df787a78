package identity

import (
	"testing"
	"time"

	"github.com/rapport-cx/rapport/event"
)

func TestForgottenKeysNameNobody(t *testing.T) {
	t.Parallel()
	g := NewGraph("shop")
	see := func(n byte, user, anonymous string) {
		g.Observe(&event.Event{ID: event.ID{n}, Kind: event.Track, UserID: user, AnonymousID: anonymous, Time: time.Unix(int64(n), 0)})
	}
	see(1, "lin", "phone")
	see(2, "wang", "tablet")
	see(3, "lin", "shared")
	see(4, "wang", "shared")
	wang := g.Number(User("wang"))
	g.Forget([]uint32{g.Number(User("lin")), g.Number(Anonymous("phone"))})

	again, dirty := NewGraph("shop"), NewGraph("shop")
	if err := again.Load(g.Save()); err != nil {
		t.Fatal(err)
	}
	if err := dirty.Load(g.Dirty()); err != nil {
		t.Fatal(err)
	}
	for _, g := range []*Graph{g, again, dirty} {
		for _, k := range []Key{User("lin"), Anonymous("phone")} {
			if g.Number(k) != 0 {
				t.Errorf("%s is still known", k)
			}
		}
		if _, _, known := g.ByID(PersonOf("shop", User("lin"))); known {
			t.Error("lin is still found by the person id")
		}
		if g.Number(User("wang")) != wang {
			t.Error("wang's number changed")
		}
		if p := g.PersonAt(wang); len(p.Keys) != 3 {
			t.Errorf("with lin gone the shared device is wang's alone, but wang is %v", p.Keys)
		}
	}
	see(5, "lin", "laptop")
	if p, _, known := g.Resolve(User("lin")); !known || len(p.Keys) != 2 {
		t.Errorf("lin comes back as a new person: %v, known %t", p.Keys, known)
	}
}
