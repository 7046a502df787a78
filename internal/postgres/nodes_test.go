package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/internal/storage/storetest"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/profile"
)

const shop = "shop"

var (
	ctx    = context.Background()
	spring = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
)

// visit is an event of a person, the n-th of all.
func visit(user, anonymous, name string, n int, body string) event.Event {
	e := event.RecordEvent(event.Put{Workspace: "ids of these tests", Name: name, ID: fmt.Sprint(user, "|", anonymous, "|", n), Body: []byte(body)})
	at := spring.Add(time.Duration(n) * time.Minute)
	return event.Event{
		ID: e.ID, Kind: event.Track, Name: name, UserID: user, AnonymousID: anonymous,
		Time: at, Received: at.Add(time.Second), Verified: true, Body: json.RawMessage(body),
	}
}

func put(kind, id string, n int, body string) event.Event {
	at := spring.Add(time.Duration(n) * time.Minute)
	return event.RecordEvent(event.Put{Workspace: shop, Name: kind, ID: id, UpdatedAt: at, Received: at, Body: []byte(body)})
}

func commit(t testing.TB, s *Store, events ...event.Event) journal.Receipt {
	t.Helper()
	r, err := s.Commit(ctx, journal.Batch{Workspace: shop, Events: events})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func personOf(t testing.TB, s *Store, k identity.Key) journal.Scope {
	t.Helper()
	p, _, err := s.Person(ctx, shop, k)
	if err != nil {
		t.Fatal(err)
	}
	return journal.Scope{Workspace: shop, Person: p.ID, Keys: p.Keys}
}

func profileOf(t testing.TB, s *Store, sc journal.Scope) *profile.Profile {
	t.Helper()
	p, err := s.Profile(ctx, sc)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// nodes are stores on one database, each with a shelf of its own.
func nodes(t *testing.T, n int) []*Store {
	address := database(t)
	all := make([]*Store, n)
	for i := range all {
		all[i] = open(t, Options{URL: address, Shelf: new(candidate.Shelves)})
	}
	return all
}

func TestNodesThatStartTogetherMakeOneHouse(t *testing.T) {
	t.Parallel()
	address := database(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			s, err := Open(ctx, Options{URL: address})
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestManyNodesLoseNothingAndTakeNothingTwice(t *testing.T) {
	t.Parallel()
	all := nodes(t, 3)
	const senders, rounds = 8, 25
	var accepted sync.Map
	var work sync.WaitGroup
	for sender := range senders {
		for _, node := range all { // every sender says everything to every node
			work.Go(func() {
				for i := range rounds {
					own := visit(fmt.Sprint("u-", sender), fmt.Sprint("a-", sender), "Product Viewed", i, fmt.Sprintf(`{"n":%d}`, i))
					shared := visit("everybody", "", "Order Completed", i, `{}`)
					r, err := node.Commit(ctx, journal.Batch{Workspace: shop, Events: []event.Event{own, shared}})
					if err != nil {
						t.Error(err)
						return
					}
					for j, e := range []event.Event{own, shared} {
						if r.Duplicates[j] {
							continue
						}
						if _, before := accepted.LoadOrStore(e.ID, true); before {
							t.Errorf("%s was accepted twice", e.ID)
						}
					}
				}
			})
		}
	}
	work.Wait()
	n := 0
	accepted.Range(func(any, any) bool { n++; return true })
	if n != senders*rounds+rounds {
		t.Fatalf("%d of %d events were accepted", n, senders*rounds+rounds)
	}
	var positions []uint64
	rows, err := all[0].pool.Query(ctx, "SELECT position FROM log ORDER BY position")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var p uint64
		if err := rows.Scan(&p); err != nil {
			t.Fatal(err)
		}
		positions = append(positions, p)
	}
	if len(positions) != n || positions[n-1] != uint64(n) {
		t.Fatalf("%d events stand in a log that ends at %d", len(positions), positions[len(positions)-1])
	}
	for sender := range senders {
		k := identity.User(fmt.Sprint("u-", sender))
		want := profileOf(t, all[0], personOf(t, all[0], k))
		if want.Events != rounds {
			t.Fatalf("%s has %d events", k, want.Events)
		}
		for _, node := range all[1:] {
			if got := profileOf(t, node, personOf(t, node, k)); string(got.Canonical()) != string(want.Canonical()) {
				t.Fatalf("%s differs between nodes", k)
			}
		}
	}
}

func TestWhatOneNodeAcknowledgedTheNextQuestionOnAnotherSees(t *testing.T) {
	t.Parallel()
	all := nodes(t, 2)
	for i := range 60 {
		here, there := all[i%2], all[1-i%2]
		user := identity.User(fmt.Sprint("u-", i%7))
		r := commit(t, here,
			visit(user.Value, fmt.Sprint("a-", i), "Product Viewed", i, `{}`),
			put("item", "kettle", i, fmt.Sprintf(`{"kind":"product","title":{"en":"Kettle %d"}}`, i)))
		sc := personOf(t, there, identity.Anonymous(fmt.Sprint("a-", i)))
		if !slices.Contains(sc.Keys, user) {
			t.Fatalf("after %d visits the other node takes the visitor for %v", i, sc.Keys)
		}
		if p := profileOf(t, there, sc); p.Position != r.Position-1 {
			t.Fatalf("the other node's profile stands at %d, the visit at %d", p.Position, r.Position-1)
		}
		view, err := there.Catalogue(ctx, shop, 0)
		if err != nil {
			t.Fatal(err)
		}
		if item, ok := view.Item("kettle"); !ok || item.Title.En != fmt.Sprint("Kettle ", i) {
			t.Fatalf("the other node sells %+v after put %d", item, i)
		}
	}
}

// diary writes down what a node's followers hear.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) Name() string { return "diary" }

func (d *diary) add(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

func (d *diary) Follow(c journal.Committed) {
	d.add(fmt.Sprint(c.Workspace, " ", c.Position, " ", c.Event.ID, " of ", c.Person))
}
func (d *diary) Join(workspace string, from, to uint32) {
	d.add(fmt.Sprint(workspace, " join ", from, " into ", to))
}
func (d *diary) Part(workspace string, from, to uint32) {
	d.add(fmt.Sprint(workspace, " part ", from, " from ", to))
}
func (d *diary) Forget(workspace string, person uint32) {
	d.add(fmt.Sprint(workspace, " forget ", person))
}
func (d *diary) Save() ([]byte, error) { return json.Marshal(d.lines) }
func (d *diary) Load(b []byte) error   { return json.Unmarshal(b, &d.lines) }

func TestEveryNodeHearsTheSameStoryInTheSameOrder(t *testing.T) {
	t.Parallel()
	address := database(t)
	diaries := []*diary{{}, {}, {}}
	var all []*Store
	for _, d := range diaries[:2] {
		all = append(all, open(t, Options{URL: address, Followers: []journal.Follower{d}}))
	}
	var said []event.Event
	var saying sync.Mutex
	var work sync.WaitGroup
	for i, node := range all {
		work.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 5))
			for n := range 60 {
				user, anon := fmt.Sprint("u-", r.IntN(6)), fmt.Sprint("a-", r.IntN(9))
				events := []event.Event{visit("", anon, "Page Viewed", 1000*i+n, `{}`), visit(user, anon, "Product Added", 1000*i+n, `{}`)}
				if n%10 == 9 {
					kind := []string{"merge", "unmerge"}[r.IntN(2)]
					events = append(events, put(kind, fmt.Sprint(kind, i, n), 1000*i+n, fmt.Sprintf(`{"keys":["user:u-%d","user:u-%d"]}`, r.IntN(3), 3+r.IntN(3))))
				}
				if _, err := node.Commit(ctx, journal.Batch{Workspace: shop, Events: events}); err != nil {
					t.Error(err)
				}
				saying.Lock()
				said = append(said, events...)
				saying.Unlock()
			}
		})
	}
	work.Wait()
	// Who is who follows from what was said, whatever the order in which nodes took it.
	plain := identity.NewGraph(shop)
	for _, e := range said {
		plain.Observe(&e)
	}
	for _, s := range all {
		for n := range 9 {
			for _, k := range []identity.Key{identity.User(fmt.Sprint("u-", n)), identity.Anonymous(fmt.Sprint("a-", n))} {
				got, known, err := s.Person(ctx, shop, k)
				want, _, expected := plain.Resolve(k)
				if err != nil || known != expected || fmt.Sprint(got) != fmt.Sprint(want) {
					t.Fatalf("%s is %v, known %t, %v; all that was said makes it %v", k, got, known, err, want)
				}
			}
		}
	}
	if _, err := all[0].Erase(ctx, shop, personOf(t, all[0], identity.User("u-1")).Keys); err != nil {
		t.Fatal(err)
	}
	commit(t, all[1], visit("u-1", "a-1", "Page Viewed", 9999, `{}`))
	graphs := map[string]bool{}
	for _, s := range all {
		if _, err := s.fresh(ctx, shop); err != nil {
			t.Fatal(err)
		}
		var people []string
		for n := range 9 {
			for _, k := range []identity.Key{identity.User(fmt.Sprint("u-", n)), identity.Anonymous(fmt.Sprint("a-", n))} {
				p, known, err := s.Person(ctx, shop, k)
				if err != nil {
					t.Fatal(err)
				}
				people = append(people, fmt.Sprint(k, p, known))
			}
		}
		graphs[fmt.Sprint(people)] = true
	}
	if len(graphs) != 1 {
		t.Fatalf("the nodes disagree about who is who: %v", graphs)
	}
	if !slices.Equal(diaries[0].lines, diaries[1].lines) {
		t.Fatalf("the nodes heard different stories:\n%v\n%v", diaries[0].lines, diaries[1].lines)
	}
	for _, s := range all {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	open(t, Options{URL: address, Followers: []journal.Follower{diaries[2]}})
	if !slices.Equal(diaries[0].lines, diaries[2].lines) {
		t.Fatalf("a node that started later heard\n%v\nthe others\n%v", diaries[2].lines, diaries[0].lines)
	}
}

func TestAPersonErasedOnOneNodeIsForgottenOnAll(t *testing.T) {
	t.Parallel()
	all := nodes(t, 2)
	for i := range 300 { // long enough for a checkpoint
		commit(t, all[0], visit("lin", "", "Product Viewed", i, `{"secret":true}`))
	}
	sc := personOf(t, all[1], identity.User("lin"))
	for _, s := range all {
		if p := profileOf(t, s, sc); p.Events != 300 {
			t.Fatalf("%d events", p.Events)
		}
	}
	receipt, err := all[0].Erase(ctx, shop, sc.Keys)
	if err != nil || receipt.Events != 300 {
		t.Fatalf("erased %+v, %v", receipt, err)
	}
	if p := profileOf(t, all[1], sc); p.Events != 0 {
		t.Fatalf("the other node still knows %d events", p.Events)
	}
	if _, known, err := all[1].Person(ctx, shop, identity.User("lin")); known || err != nil {
		t.Fatalf("the other node knows the person: %t, %v", known, err)
	}
	for _, table := range []string{"log", "checkpoint", "snapshot"} {
		var n int
		if err := all[0].pool.QueryRow(ctx, "SELECT count(*) FROM "+table+" x WHERE position('lin'::bytea IN x."+map[string]string{"log": "event", "checkpoint": "body", "snapshot": "body"}[table]+") > 0").Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			t.Fatalf("table %s still names the person in %d rows", table, n)
		}
	}
	if !commit(t, all[1], visit("lin", "", "Product Viewed", 7, `{"secret":true}`)).Duplicates[0] {
		t.Fatal("a retry brought an erased event back")
	}
}

func TestAStrategyPutInForceIsToldToEveryNode(t *testing.T) {
	t.Parallel()
	all := nodes(t, 2)
	if err := all[0].SetCurrentStrategy(ctx, shop, 7); err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if n := <-s.Notices(); n.Workspace != shop {
			t.Fatalf("told of %q", n.Workspace)
		}
		if number, err := s.CurrentStrategy(ctx, shop); number != 7 || err != nil {
			t.Fatalf("strategy %d is in force, %v", number, err)
		}
	}
}

func TestAJobIsDoneByOneNodeAtATime(t *testing.T) {
	t.Parallel()
	all := nodes(t, 3)
	var mu sync.Mutex
	var work sync.WaitGroup
	for _, s := range all {
		for range 5 {
			work.Go(func() {
				err := s.Alone(ctx, "count", func(context.Context) error {
					if !mu.TryLock() {
						t.Error("two nodes do the job at once")
						return nil
					}
					mu.Unlock()
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	work.Wait()
}

func TestANodeOutlivesABrokenLine(t *testing.T) {
	t.Parallel()
	address := database(t)
	other := open(t, Options{URL: address})
	s := open(t, Options{URL: address + "&application_name=broken"})
	commit(t, s, visit("lin", "", "Product Viewed", 1, `{}`))
	// The server ends every line of this node, as its restart would.
	if _, err := other.pool.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'broken'`); err != nil {
		t.Fatal(err)
	}
	commit(t, s, visit("lin", "", "Product Viewed", 2, `{}`))
	if p := profileOf(t, other, personOf(t, other, identity.User("lin"))); p.Events != 2 {
		t.Fatalf("%d events", p.Events)
	}
	if n := <-s.Notices(); n.Workspace != "" {
		t.Fatalf("told of %q after the break", n.Workspace)
	}
	if err := s.SetCurrentStrategy(ctx, shop, 3); err != nil {
		t.Fatal(err)
	}
	if n := <-s.Notices(); n.Workspace != shop {
		t.Fatalf("told of %q", n.Workspace)
	}
}

func TestARebuiltHouseAnswersAsBefore(t *testing.T) {
	t.Parallel()
	address := database(t)
	before := &diary{}
	s := open(t, Options{URL: address, Followers: []journal.Follower{before}})
	for i := range 30 {
		for k := range 12 {
			commit(t, s, visit(fmt.Sprint("u-", i%3), fmt.Sprint("a-", i), "Product Viewed", 1000-12*i-k, `{"product_id":"kettle"}`))
		}
	}
	commit(t, s, put("merge", "m", 1, `{"keys":["user:u-0","user:u-1"]}`))
	sc := personOf(t, s, identity.User("u-1"))
	want := string(profileOf(t, s, sc).Canonical())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	after := &diary{}
	if err := Rebuild(ctx, Options{URL: address, Followers: []journal.Follower{after}}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(before.lines, after.lines) {
		t.Fatal("the followers hear another story from the log")
	}
	again := open(t, Options{URL: address, Followers: []journal.Follower{&diary{}}})
	if got := personOf(t, again, identity.User("u-1")); fmt.Sprint(got) != fmt.Sprint(sc) {
		t.Fatalf("rebuilt, u-1 is %v, was %v", got, sc)
	}
	if got := string(profileOf(t, again, sc).Canonical()); got != want {
		t.Fatalf("rebuilt, the profile is\n%s\nwas\n%s", got, want)
	}
}

func TestAFiringIsWrittenOnceByWhicheverNode(t *testing.T) {
	t.Parallel()
	address := database(t)
	watching := func() *Store {
		return open(t, Options{URL: address, Followers: []journal.Follower{new(storetest.Doorman)}})
	}
	here, there := watching(), watching()
	silent := open(t, Options{URL: address}) // stands for a node that ends between the events and their firings
	for i := range 30 {
		commit(t, []*Store{here, there, silent}[i%3], visit(fmt.Sprint("u-", i%5), "", "Shop Visited", i, `{}`))
	}
	read := func(s *Store, states ...journal.FiringState) []journal.Firing {
		all, err := s.Firings(ctx, journal.FiringQuery{Workspace: shop, States: states})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	if a, b := read(here), read(there); len(a) != 10 || fmt.Sprint(a) != fmt.Sprint(b) {
		t.Fatalf("30 visits of five people, every third rings: one node reads %d, the other %d", len(a), len(b))
	}
	var settled atomic.Int32
	var work sync.WaitGroup
	for _, s := range []*Store{here, there, silent} {
		for _, f := range read(s) {
			work.Go(func() {
				_, err := s.Commit(ctx, journal.Batch{Workspace: shop, Acts: []journal.Act{{ID: f.ID, State: journal.FiringHandled}}})
				if err == nil {
					settled.Add(1)
				} else if !errors.Is(err, journal.ErrActed) {
					t.Error(err)
				}
			})
		}
	}
	work.Wait()
	if open := read(there, journal.FiringOpen); settled.Load() != 10 || len(open) != 0 {
		t.Fatalf("ten firings were acted on %d times, %d are open", settled.Load(), len(open))
	}
	complain := visit("u-1", "", "Complaint Made", 50, `{}`)
	commit(t, silent, complain)
	if gone := read(here, journal.FiringSuperseded); len(gone) != 1 || *gone[0].UndoneBy != complain.ID {
		t.Fatalf("a delivered firing was undone by another node's event: %+v", gone)
	}
}
