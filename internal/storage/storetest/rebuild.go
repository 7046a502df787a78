package storetest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/internal/storage/witness"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/profile/click"
	"github.com/rapport-cx/rapport/profile/topic"
)

// town is a month of n events of some customers in time order, with sign-ins, a merge,
// orders that change, records of the shelf.
func town(r *rand.Rand, people, n int) []event.Event {
	var all []event.Event
	for i := range n {
		minute := i * 30 * 24 * 60 / n
		who := r.IntN(people)
		user, anonymous := fmt.Sprintf("u-%d", who), fmt.Sprintf("a-%d-%d", who, r.IntN(3))
		switch r.IntN(9) {
		case 0:
			all = append(all, track("", anonymous, "Product Viewed", minute, fmt.Sprintf(`{"product_id":"kettle-%d","n":%d}`, r.IntN(9), i)))
		case 1:
			all = append(all, track(user, "", "Order Completed", minute, fmt.Sprintf(`{"order_id":"o-%d","total":%d,"currency":"CNY","products":[{"product_id":"kettle-%d","quantity":1}]}`, r.IntN(n/8+1), i, r.IntN(9))))
		case 2:
			all = append(all, track(user, anonymous, "Repair Reported", minute, fmt.Sprintf(`{"case_id":"c-%d-%d","product_id":"kettle-%d","symptom":"leak"}`, who, r.IntN(4), r.IntN(3))))
		case 3:
			all = append(all, identify(user, anonymous, minute, fmt.Sprintf(`{"household_size":%d,"city":"Chengdu"}`, 1+r.IntN(5))))
		case 4:
			all = append(all, put("order", fmt.Sprintf("p-%d", r.IntN(n/8+1)), user, minute, fmt.Sprintf(`{"status":"step %d","lines":[{"product_id":"kettle-1"}]}`, i)))
		case 5:
			all = append(all, put("item", fmt.Sprintf("kettle-%d", r.IntN(9)), "", minute, fmt.Sprintf(`{"kind":"product","title":{"en":"Kettle %d"}}`, i)))
		case 6:
			for k := range 1 + r.IntN(3) {
				e := track("", anonymous, "Element Clicked", minute, fmt.Sprintf(`{"path":"/kettles","selector":"button.buy","x":%d,"y":80,"width":400,"height":800}`, 10*k))
				e.Time = e.Time.Add(time.Duration(k) * 700 * time.Millisecond)
				all = append(all, e)
			}
			all = append(all, track(user, "", "Social Interaction", minute, fmt.Sprintf(`{"network":"weibo","text":"#kettle-%d# leaks","sentiment":-0.5,"sentiment_label":"negative"}`, r.IntN(3))))
			all = append(all, track("", anonymous, "Field Focused", minute+1, `{"path":"/checkout","field":"phone"}`), track("", anonymous, "Page Viewed", minute+2, `{"path":"/"}`))
		case 7:
			all = append(all, put("preference", "", user, minute, fmt.Sprintf(`{"personalization":"%s","consent":{"marketing":%t}}`, []string{"on", "off"}[r.IntN(2)], r.IntN(2) == 0)))
		default:
			all = append(all, track(user, "", "Decision Shown", minute, fmt.Sprintf(`{"decision_id":"dec_%d","action":"explain"}`, i)))
		}
	}
	return all
}

// astray is the order in which events arrive when some are late by up to a week, some
// come twice, and whole batches come after later ones.
func astray(r *rand.Rand, all []event.Event) []event.Event {
	type arrival struct {
		at time.Time
		e  event.Event
	}
	var arrivals []arrival
	for _, e := range all {
		at := e.Time
		if r.IntN(3) == 0 {
			at = at.Add(time.Duration(r.Int64N(int64(7 * 24 * time.Hour))))
		}
		arrivals = append(arrivals, arrival{at, e})
		if r.IntN(5) == 0 {
			arrivals = append(arrivals, arrival{at.Add(time.Duration(r.Int64N(int64(7 * 24 * time.Hour)))), e})
		}
	}
	slices.SortStableFunc(arrivals, func(a, b arrival) int { return a.at.Compare(b.at) })
	out := make([]event.Event, len(arrivals))
	for i := range arrivals {
		out[i] = arrivals[i].e
	}
	return out
}

// arrive commits events in batches of any size, with questions in between.
func arrive(t *testing.T, r *rand.Rand, s Store, events []event.Event) {
	for len(events) > 0 {
		n := min(1+r.IntN(40), len(events))
		commit(t, s, events[:n]...)
		if e := &events[r.IntN(n)]; e.UserID != "" {
			profileOf(t, s, scope(t, s, identity.User(e.UserID)))
		}
		events = events[n:]
	}
}

func cleanOrderAndAnyOther(t *testing.T, h, other Home) {
	rounds, events := 1, 400
	if os.Getenv("RAPPORT_PROVE") != "" {
		rounds, events = 20, 2000
	}
	clean, late := h.Open(t, newShelf()), other.Open(t, newShelf())
	for range rounds {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 1))
		people := 6
		sent := town(r, people, events)
		arrive(t, r, clean, sent)
		arrive(t, r, late, astray(r, sent))
		for who := range people {
			k := identity.User(fmt.Sprintf("u-%d", who))
			a, b := scope(t, clean, k), scope(t, late, k)
			if a.Person != b.Person || !slices.Equal(sortedKeys(a.Keys), sortedKeys(b.Keys)) {
				t.Fatalf("seed %d: %s is %s %v in order, %s %v out of it", seed, k, a.Person, a.Keys, b.Person, b.Keys)
			}
			in, out := profileOf(t, clean, a), profileOf(t, late, b)
			if string(in.Canonical()) != string(out.Canonical()) {
				t.Fatalf("seed %d: %s\n in order %s\nout of it %s", seed, k, in.Canonical(), out.Canonical())
			}
			x, y := must[[]journal.Moment](t)(clean.Timeline(ctx, a, time.Time{}, event.ID{}, 5000)), must[[]journal.Moment](t)(late.Timeline(ctx, b, time.Time{}, event.ID{}, 5000))
			if !slices.EqualFunc(x, y, func(a, b journal.Moment) bool { return a.Event.ID == b.Event.ID }) {
				t.Fatalf("seed %d: the timelines of %s differ", seed, k)
			}
		}
	}
}

func sortedKeys(keys []identity.Key) []identity.Key {
	keys = slices.Clone(keys)
	slices.SortFunc(keys, identity.Key.Compare)
	return keys
}

func storedIsWhatTheLogGives(t *testing.T, h Home) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	sent := astray(r, town(r, 8, 3000))
	kept := func() []journal.Follower {
		return []journal.Follower{&profile.Registry{}, candidate.NewCohorts(), &click.Heat{}, &topic.Topics{}}
	}
	compare := func(s Store, stored []journal.Follower) witness.Report {
		t.Helper()
		log, ok := s.(witness.Log)
		if !ok {
			t.Fatalf("%T lets no witness read its log", s)
		}
		report, err := witness.Compare(ctx, log, stored, kept())
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Differences) > 0 {
			t.Fatalf("seed %d: %q", seed, report.Differences)
		}
		return report
	}
	for i := range 3 {
		followers := kept()
		s := h.Open(t, newShelf(), followers...)
		arrive(t, r, s, sent[i*len(sent)/3:(i+1)*len(sent)/3])
		compare(s, followers)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	followers := kept()
	s := h.Open(t, newShelf(), followers...)
	if report := compare(s, followers); report.Events == 0 || report.Persons == 0 || report.Checkpoints == 0 || report.Followers != 4 {
		t.Fatalf("hardly anything was compared: %+v", report)
	}
	// A store that holds something else is found out.
	wrong := kept()
	wrong[0].Follow(journal.Committed{Workspace: shop, Position: 1, Event: &event.Event{Kind: event.Record, Name: "order", Subject: "never put", UserID: "u-2"}})
	report, err := witness.Compare(ctx, s.(witness.Log), wrong, kept())
	if err != nil || len(report.Differences) != 4 {
		t.Fatalf("a follower that holds a record nobody put, and one that was told nothing: %+v, %v", report, err)
	}
	if _, err := s.Erase(ctx, shop, scope(t, s, identity.User("u-1")).Keys); err != nil {
		t.Fatal(err)
	}
	if report := compare(s, followers); report.Erased == 0 || len(report.Skipped) != 4 {
		t.Fatalf("after an erasure: %+v", report)
	}
}
