package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/profile"
)

const shop = "shop"

var spring = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)

// track is an event of a person: name, minutes after spring, and properties.
func track(user, anonymous, name string, minute int, properties string) event.Event {
	at := spring.Add(time.Duration(minute) * time.Minute)
	e := event.Event{
		Kind: event.Track, Name: name, UserID: user, AnonymousID: anonymous,
		Time: at, Received: at.Add(time.Second), Verified: true,
		Body:    json.RawMessage(properties),
		Context: json.RawMessage(`{"locale":"zh-CN","page":{"path":"/kettles"}}`),
	}
	e.ID = idOf(fmt.Sprint(user, "|", anonymous, "|", name, "|", minute, "|", properties))
	return e
}

func identify(user, anonymous string, minute int, traits string) event.Event {
	e := track(user, anonymous, "", minute, traits)
	e.Kind = event.Identify
	return e
}

// put is a record of the catalogue, or of a person when user is given.
func put(kind, id, user string, minute int, body string) event.Event {
	return event.RecordEvent(event.Put{
		Workspace: shop, Name: kind, ID: id, UserID: user,
		UpdatedAt: spring.Add(time.Duration(minute) * time.Minute), Received: spring.Add(time.Duration(minute) * time.Minute),
		Body: []byte(body), Deleted: body == "",
	})
}

func idOf(text string) event.ID {
	return event.RecordEvent(event.Put{Workspace: "ids of the suite", Name: text, Body: []byte(`{}`)}).ID
}

// year is a life of n events of one customer in time order: views, purchases, a
// repair, traits.
func year(user, anonymous string, n int) []event.Event {
	var all []event.Event
	for i := range n {
		minute := i * 97
		switch i % 6 {
		case 0:
			all = append(all, track(user, anonymous, "Product Viewed", minute, fmt.Sprintf(`{"product_id":"kettle-%d"}`, i%9)))
		case 1:
			all = append(all, track("", anonymous, "Page Viewed", minute, fmt.Sprintf(`{"path":"/help/%d"}`, i%5)))
		case 2:
			all = append(all, track(user, "", "Order Completed", minute, fmt.Sprintf(`{"order_id":"o-%s-%d","total":%d,"currency":"CNY","products":[{"product_id":"kettle-%d","quantity":1,"price":129}]}`, user, i, 100+i, i%9)))
		case 3:
			all = append(all, track(user, anonymous, "Repair Reported", minute, fmt.Sprintf(`{"case_id":"c-%s-%d","product_id":"kettle-%d","symptom":"leak"}`, user, i, i%9)))
		case 4:
			all = append(all, identify(user, anonymous, minute, fmt.Sprintf(`{"household_size":%d,"city":"Chengdu"}`, 1+i%5)))
		case 5:
			all = append(all, track(user, "", "Product Added", minute, fmt.Sprintf(`{"product_id":"kettle-%d","quantity":2}`, i%9)))
		}
	}
	return all
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func commit(t testing.TB, s Store, events ...event.Event) journal.Receipt {
	t.Helper()
	r, err := s.Commit(context.Background(), journal.Batch{Workspace: shop, Events: events})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Duplicates) != len(events) {
		t.Fatalf("%d events, but the receipt speaks of %d", len(events), len(r.Duplicates))
	}
	return r
}

func accepted(r journal.Receipt) (n int) {
	for _, d := range r.Duplicates {
		if !d {
			n++
		}
	}
	return n
}

// scope is everything of the person behind a key.
func scope(t testing.TB, s Store, k identity.Key) journal.Scope {
	t.Helper()
	p, _, err := s.Person(context.Background(), shop, k)
	if err != nil {
		t.Fatal(err)
	}
	return journal.Scope{Workspace: shop, Person: p.ID, Keys: p.Keys}
}

func profileOf(t testing.TB, s Store, sc journal.Scope) *profile.Profile {
	t.Helper()
	p, err := s.Profile(context.Background(), sc)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// clean is the profile that the events give when they come in order.
func clean(sc journal.Scope, events []event.Event) string {
	var refs []*event.Event
	for i := range events {
		if !slices.Contains(sc.Without, events[i].ID) {
			refs = append(refs, &events[i])
		}
	}
	slices.SortFunc(refs, profile.Compare)
	return string(profile.Fold(sc.Person, sc.Keys, refs, 0).Canonical())
}

func wantProfile(t testing.TB, s Store, sc journal.Scope, events []event.Event) {
	t.Helper()
	if got, want := string(profileOf(t, s, sc).Canonical()), clean(sc, events); got != want {
		t.Fatalf("profile of %s\n got %s\nwant %s", sc.Person, got, want)
	}
}

// wantEvent compares what was sent and what is kept.
func wantEvent(t testing.TB, got, want event.Event) {
	t.Helper()
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Fatalf("event\n got %+v\nwant %+v", got, want)
	}
}

// notebook is a follower that writes down what it is told.
type notebook struct {
	mu    sync.Mutex
	name  string
	Told  []string
	Last  uint64
	fault string
}

func (n *notebook) Name() string { return n.name }

func (n *notebook) Follow(c journal.Committed) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.Position <= n.Last {
		n.fault = fmt.Sprintf("position %d came after %d", c.Position, n.Last)
	}
	n.Last = c.Position
	n.Told = append(n.Told, fmt.Sprintf("%s %s person %d", c.Workspace, c.Event.ID, c.Person))
}

func (n *notebook) Join(workspace string, from, to uint32) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.Told = append(n.Told, fmt.Sprintf("%s join %d into %d", workspace, from, to))
}

type page struct {
	Told []string
	Last uint64
}

func (n *notebook) Save() ([]byte, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return json.Marshal(page{n.Told, n.Last})
}

func (n *notebook) Load(b []byte) error {
	var p page
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	n.Told, n.Last = p.Told, p.Last
	return nil
}

func (n *notebook) read(t testing.TB) []string {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fault != "" {
		t.Fatal(n.fault)
	}
	return slices.Clone(n.Told)
}

func newShelf() Shelf { return new(candidate.Shelves) }

// guestbook is a follower that counts each person's events, and forgets them.
type guestbook struct {
	mu     sync.Mutex
	Counts map[uint32]int
}

func (g *guestbook) Name() string { return "guestbook" }

func (g *guestbook) Follow(c journal.Committed) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.Counts == nil {
		g.Counts = map[uint32]int{}
	}
	g.Counts[c.Person]++
}

func (g *guestbook) Join(workspace string, from, to uint32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n := g.Counts[from]; n > 0 {
		g.Counts[to] += n
		delete(g.Counts, from)
	}
}

func (g *guestbook) Forget(workspace string, person uint32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.Counts, person)
}

func (g *guestbook) Save() ([]byte, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return json.Marshal(g.Counts)
}

func (g *guestbook) Load(b []byte) error { return json.Unmarshal(b, &g.Counts) }

func (g *guestbook) read() map[uint32]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.Counts)
}
