package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/ledger"
)

// Doorman is a watcher that fires at every third visit of a person, and takes it
// back when they complain before the next. Stores of other nodes can be given one, too.
type Doorman struct {
	mu     sync.Mutex
	Visits map[string][]string // events by workspace and person
	Rung   map[string]string   // the last firing
	turns  []journal.Turn
}

// Name implements journal.Follower.
func (d *Doorman) Name() string { return "doorman" }

// Follow implements journal.Follower.
func (d *Doorman) Follow(c journal.Committed) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.Visits == nil {
		d.Visits, d.Rung = map[string][]string{}, map[string]string{}
	}
	who := fmt.Sprint(c.Workspace, "/", c.Person)
	f := journal.Firing{Signal: "third_visit", Member: c.Person, At: c.Event.Time, Found: c.Event.Received, State: journal.FiringOpen}
	switch c.Event.Name {
	case "Shop Visited":
		d.Visits[who] = append(d.Visits[who], c.Event.ID.String())
		if len(d.Visits[who]) < 3 {
			return
		}
		for _, ref := range d.Visits[who] {
			id, _ := event.ParseID(ref)
			f.Events = append(f.Events, id)
		}
		f.Group = map[string]string{"door": "north"}
		f.ID = journal.FiringID(c.Workspace, f.Signal, f.Events[2])
		d.Rung[who] = f.ID
		delete(d.Visits, who)
	case "Complaint Made":
		if d.Rung[who] == "" {
			return
		}
		id := c.Event.ID
		f.ID, f.UndoneBy = d.Rung[who], &id
		delete(d.Rung, who)
	default:
		return
	}
	d.turns = append(d.turns, journal.Turn{Workspace: c.Workspace, Cause: c.Position, Fired: []journal.Firing{f}})
}

// Recount says what all the firings of a person are.
func (d *Doorman) Recount(t journal.Turn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.turns = append(d.turns, t)
}

// Join implements journal.Follower.
func (d *Doorman) Join(workspace string, from, to uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f, t := fmt.Sprint(workspace, "/", from), fmt.Sprint(workspace, "/", to)
	if v := d.Visits[f]; len(v) > 0 {
		d.Visits[t] = append(v, d.Visits[t]...)
		delete(d.Visits, f)
	}
}

// Turned implements journal.Watcher.
func (d *Doorman) Turned() []journal.Turn {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.turns
	d.turns = nil
	return t
}

// Save implements journal.Follower.
func (d *Doorman) Save() ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return json.Marshal(d)
}

// Load implements journal.Follower.
func (d *Doorman) Load(b []byte) error { return json.Unmarshal(b, d) }

func firings(t testing.TB, s Store, q journal.FiringQuery) []journal.Firing {
	t.Helper()
	if q.Workspace == "" {
		q.Workspace = shop
	}
	return must[[]journal.Firing](t)(s.Firings(ctx, q))
}

func visits(user string, from, n int) (all []event.Event) {
	for i := range n {
		all = append(all, track(user, "", "Shop Visited", from+i, `{}`))
	}
	return all
}

func idsOf(events []event.Event) (ids []event.ID) {
	for _, e := range events {
		ids = append(ids, e.ID)
	}
	return ids
}

func firingStandsInTheCommit(t *testing.T, h Home) {
	s := h.Open(t, newShelf(), new(Doorman))
	lin := visits("lin", 0, 7)
	for i, e := range lin {
		commit(t, s, e)
		if got := len(firings(t, s, journal.FiringQuery{})); got != (i+1)/3 {
			t.Fatalf("after %d visits %d firings can be read", i+1, got)
		}
	}
	commit(t, s, visits("wang", 0, 3)...)
	var first []journal.Firing
	for start := range 3 {
		all := firings(t, s, journal.FiringQuery{})
		if len(all) != 3 {
			t.Fatalf("start %d: %d firings for nine visits", start, len(all))
		}
		f := all[1]
		person := must[identity.Person](t)(pick(s.Person(ctx, shop, identity.User("lin"))))
		if f.Signal != "third_visit" || f.Person != person.ID || !f.At.Equal(lin[5].Time) || !f.Found.Equal(lin[5].Received) || f.State != journal.FiringOpen ||
			!slices.Equal(f.Events, idsOf(lin[3:6])) || !maps.Equal(f.Group, map[string]string{"door": "north"}) || f.UndoneBy != nil || f.Cause == 0 {
			t.Fatalf("start %d: the second firing reads %+v", start, f)
		}
		if all[0].Number >= all[1].Number || all[1].Number >= all[2].Number {
			t.Fatalf("firings are not in order: %d %d %d", all[0].Number, all[1].Number, all[2].Number)
		}
		if first == nil {
			first = all
		}
		if all[2].Number != first[2].Number || all[2].ID != first[2].ID {
			t.Fatalf("start %d: a firing was written again: %+v, was %+v", start, all[2], first[2])
		}
		if page := firings(t, s, journal.FiringQuery{After: all[0].Number, Limit: 1}); len(page) != 1 || page[0].ID != all[1].ID {
			t.Fatalf("the second page holds %+v", page)
		}
		if own := firings(t, s, journal.FiringQuery{Persons: []identity.PersonID{person.ID}, States: []journal.FiringState{journal.FiringOpen}}); len(own) != 2 {
			t.Fatalf("lin has %d firings", len(own))
		}
		if other := firings(t, s, journal.FiringQuery{Workspace: "market"}); len(other) != 0 {
			t.Fatalf("another workspace sees %+v", other)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = h.Open(t, newShelf(), new(Doorman))
	}
}

// pick drops the second of three results.
func pick[A, B any](a A, _ B, err error) (A, error) { return a, err }

func oneActs(t *testing.T, h Home) {
	s := h.Open(t, newShelf(), new(Doorman))
	commit(t, s, visits("lin", 0, 3)...)
	f := firings(t, s, journal.FiringQuery{})[0]
	var all sync.WaitGroup
	var mu sync.Mutex
	done := map[string]bool{}
	for worker := range 12 {
		all.Go(func() {
			d := decision(fmt.Sprint("dec_", worker), string(f.Person), worker)
			_, err := s.Commit(ctx, journal.Batch{Workspace: shop, Decision: &d, Acts: []journal.Act{{ID: f.ID, State: journal.FiringHandled, Decision: d.ID}}})
			if err != nil && !errors.Is(err, journal.ErrActed) {
				t.Errorf("worker %d: %v", worker, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				done[d.ID] = true
			}
		})
		commit(t, s, track("wang", "", "Page Viewed", worker, `{}`)) // ordinary work goes on beside it
	}
	all.Wait()
	if len(done) != 1 {
		t.Fatalf("%d workers acted on one firing", len(done))
	}
	kept := must[[]ledger.Entry](t)(s.Decisions(ctx, ledger.Query{Workspace: shop}))
	if len(kept) != 1 || !done[kept[0].ID] {
		t.Fatalf("the ledger has %d decisions", len(kept))
	}
	got := firings(t, s, journal.FiringQuery{})[0]
	if got.State != journal.FiringHandled || got.Decision != kept[0].ID {
		t.Fatalf("the firing reads %+v", got)
	}
	if open := firings(t, s, journal.FiringQuery{States: []journal.FiringState{journal.FiringOpen}}); len(open) != 0 {
		t.Fatalf("still open: %+v", open)
	}
	e := track("lin", "", "Page Viewed", 99, `{}`)
	if _, err := s.Commit(ctx, journal.Batch{Workspace: shop, Events: []event.Event{e}, Acts: []journal.Act{{ID: f.ID, State: journal.FiringHandled}}}); !errors.Is(err, journal.ErrActed) {
		t.Fatalf("a settled firing was settled again: %v", err)
	}
	if _, _, ok, _ := s.Event(ctx, shop, e.ID); ok {
		t.Fatal("an event was kept of a batch that came too late")
	}
}

func firingIsUndone(t *testing.T, h Home) {
	s := h.Open(t, newShelf(), new(Doorman))
	commit(t, s, visits("lin", 0, 3)...)
	complaint := track("lin", "", "Complaint Made", 3, `{}`)
	commit(t, s, complaint)
	f := firings(t, s, journal.FiringQuery{})[0]
	if f.State != journal.FiringWithdrawn || f.UndoneBy == nil || *f.UndoneBy != complaint.ID || len(f.Events) != 3 {
		t.Fatalf("undone before anybody acted: %+v", f)
	}
	if _, err := s.Commit(ctx, journal.Batch{Workspace: shop, Acts: []journal.Act{{ID: f.ID, State: journal.FiringHandled}}}); !errors.Is(err, journal.ErrActed) {
		t.Fatalf("a withdrawn firing was acted on: %v", err)
	}
	commit(t, s, visits("lin", 10, 3)...)
	f = firings(t, s, journal.FiringQuery{})[1]
	later := spring.Add(time.Hour)
	if _, err := s.Commit(ctx, journal.Batch{Workspace: shop, Acts: []journal.Act{{ID: f.ID, State: journal.FiringOpen, Due: later, Reason: "it is night"}}}); err != nil {
		t.Fatal(err)
	}
	open := journal.FiringQuery{States: []journal.FiringState{journal.FiringOpen}, DueBy: later.Add(-time.Minute)}
	if early := firings(t, s, open); len(early) != 0 {
		t.Fatalf("put off, and listed before it is due: %+v", early)
	}
	open.DueBy = later
	if due := firings(t, s, open); len(due) != 1 || due[0].Reason != "it is night" || !due[0].Due.Equal(later) {
		t.Fatalf("due and not listed: %+v", due)
	}
	if _, err := s.Commit(ctx, journal.Batch{Workspace: shop, Acts: []journal.Act{{ID: f.ID, State: journal.FiringHandled, Reason: "told at the door"}}}); err != nil {
		t.Fatal(err)
	}
	commit(t, s, track("lin", "", "Complaint Made", 20, `{}`))
	if f = firings(t, s, journal.FiringQuery{})[1]; f.State != journal.FiringSuperseded || f.Reason != "told at the door" {
		t.Fatalf("undone after somebody acted: %+v", f)
	}
}

func firingsAreCountedAnew(t *testing.T, h Home) {
	d := new(Doorman)
	s := h.Open(t, newShelf(), d)
	r := commit(t, s, append(visits("lin", 0, 3), visits("wang", 0, 3)...)...)
	all := firings(t, s, journal.FiringQuery{})
	lin, wang := all[0], all[1]
	other := lin
	other.ID, other.At = "fir_another", lin.At.Add(-time.Minute)
	d.Recount(journal.Turn{Workspace: shop, Cause: r.Position, Fired: []journal.Firing{other}, Whole: []identity.PersonID{lin.Person}, Signals: []string{"third_visit"}})
	commit(t, s) // an empty batch writes down what was found
	got := map[string]journal.FiringState{}
	for _, f := range firings(t, s, journal.FiringQuery{}) {
		got[f.ID] = f.State
	}
	if got[lin.ID] != journal.FiringWithdrawn || got["fir_another"] != journal.FiringOpen || got[wang.ID] != journal.FiringOpen || len(got) != 3 {
		t.Fatalf("after going through lin anew: %v", got)
	}
	d.Recount(journal.Turn{Workspace: shop, Cause: r.Position + 1, Fired: []journal.Firing{lin}, Whole: []identity.PersonID{lin.Person}, Signals: []string{"third_visit"}})
	d.Recount(journal.Turn{Workspace: shop, Cause: r.Position - 1, Whole: []identity.PersonID{wang.Person}, Signals: []string{"third_visit"}})
	commit(t, s)
	for _, f := range firings(t, s, journal.FiringQuery{}) {
		got[f.ID] = f.State
	}
	if got[lin.ID] != journal.FiringOpen || got["fir_another"] != journal.FiringWithdrawn || got[wang.ID] != journal.FiringOpen {
		t.Fatalf("fired again, and what is older than the row changes nothing: %v", got)
	}
}

func logIsTold(t *testing.T, h Home) {
	s := h.Open(t, newShelf())
	life := year("lin", "a-1", 300)
	var middle uint64
	for i := 0; i < len(life); i += 7 {
		r := commit(t, s, life[i:min(i+7, len(life))]...)
		if i == 140 {
			middle = r.Position
		}
	}
	if _, err := s.Commit(ctx, journal.Batch{Workspace: "market", Events: life[:0]}); err != nil {
		t.Fatal(err)
	}
	number := uint32(0)
	for _, c := range []struct {
		after uint64
		want  []event.Event
	}{{0, life}, {middle, life[147:]}} {
		var got []event.Event
		last := c.after
		upTo, err := s.Log(ctx, shop, c.after, func(x journal.Committed) error {
			if x.Position <= last || x.Workspace != shop {
				t.Errorf("position %d of %s came after %d", x.Position, x.Workspace, last)
			}
			last = x.Position
			e := *x.Event
			e.Body, e.Context = slices.Clone(e.Body), slices.Clone(e.Context)
			got = append(got, e)
			number = x.Person
			return nil
		})
		if err != nil || upTo < last {
			t.Fatal(upTo, last, err)
		}
		if len(got) != len(c.want) {
			t.Fatalf("%d events after %d, %d came", len(c.want), c.after, len(got))
		}
		for i := range got {
			wantEvent(t, got[i], c.want[i])
		}
	}
	p, ok, err := s.Member(ctx, shop, number)
	if want, _, _ := s.Person(ctx, shop, identity.User("lin")); err != nil || !ok || p.ID != want.ID || len(p.Keys) != 2 {
		t.Fatalf("number %d stands for %+v, %t, %v", number, p, ok, err)
	}
	stop := errors.New("enough")
	if _, err := s.Log(ctx, shop, 0, func(journal.Committed) error { return stop }); !errors.Is(err, stop) {
		t.Fatalf("told to stop it gave %v", err)
	}
	if _, ok, err := s.Member(ctx, "market", 1); ok || err != nil {
		t.Fatalf("a number of another workspace: %t, %v", ok, err)
	}
}

func erasedFiringsAreGone(t *testing.T, h Home) {
	s := h.Open(t, newShelf(), new(Doorman))
	commit(t, s, append(visits("lin", 0, 3), visits("wang", 0, 3)...)...)
	if _, err := s.Erase(ctx, shop, scope(t, s, identity.User("lin")).Keys); err != nil {
		t.Fatal(err)
	}
	left := firings(t, s, journal.FiringQuery{})
	if wang, _, _ := s.Person(ctx, shop, identity.User("wang")); len(left) != 1 || left[0].Person != wang.ID {
		t.Fatalf("lin is erased, and these are left: %+v", left)
	}
}
