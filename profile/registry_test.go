package profile_test

import (
	"slices"
	"testing"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/profile"
)

func TestRegistryKnowsWhoseARecordIs(t *testing.T) {
	t.Parallel()
	var r profile.Registry
	put := func(kind, id, user string, deleted bool) {
		r.Follow(journal.Committed{Workspace: "shop", Event: &event.Event{Kind: event.Record, Name: kind, Subject: id, UserID: user, Deleted: deleted}})
	}
	put("order", "o2", "ann", false)
	put("order", "o1", "bob", false)
	put("order", "o3", "ann", false)
	put("item", "A", "", false) // nobody's: not ours to know
	if got := r.List("shop", "order", "", 2); !slices.Equal(got, []string{"o1", "o2"}) {
		t.Errorf("first page %v", got)
	}
	if got := r.List("shop", "order", "o2", 2); !slices.Equal(got, []string{"o3"}) {
		t.Errorf("second page %v", got)
	}
	put("order", "o2", "ann", true)
	put("order", "o1", "cem", false) // put again under another person
	if _, ok := r.Owner("shop", "order", "o2"); ok {
		t.Error("a deleted order still has an owner")
	}
	if r.List("other", "order", "", 9) != nil && len(r.List("other", "order", "", 9)) > 0 {
		t.Error("another workspace sees records")
	}

	saved, err := r.Save()
	if err != nil {
		t.Fatal(err)
	}
	var again profile.Registry
	if err := again.Load(saved); err != nil {
		t.Fatal(err)
	}
	if k, ok := again.Owner("shop", "order", "o1"); !ok || k != identity.User("cem") {
		t.Errorf("owner of o1 after a restart: %v %v", k, ok)
	}
	if got := again.List("shop", "order", "", 9); !slices.Equal(got, []string{"o1", "o3"}) {
		t.Errorf("list after a restart %v", got)
	}
}
