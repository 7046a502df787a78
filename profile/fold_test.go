package profile

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
)

var spring = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

var (
	anna     = identity.PersonOf("shop", identity.User("anna"))
	annaKeys = []identity.Key{identity.User("anna"), identity.Anonymous("a1")}
)

func day(n float64) time.Time { return spring.Add(time.Duration(n * 24 * float64(time.Hour))) }

func happened(name string, at time.Time, body string) *event.Event {
	if body == "" {
		body = "{}"
	}
	e := &event.Event{Kind: event.Track, Name: name, UserID: "anna", Time: at, Received: at, Verified: true, Body: json.RawMessage(body)}
	return named(e)
}

func named(e *event.Event) *event.Event {
	h := sha256.Sum256(fmt.Append(nil, e.Kind, e.Name, e.Subject, e.Time, string(e.Body)))
	copy(e.ID[:], h[:])
	return e
}

func identify(at time.Time, traits string) *event.Event {
	return named(&event.Event{Kind: event.Identify, UserID: "anna", Time: at, Received: at, Verified: true, Body: json.RawMessage(traits)})
}

func record(kind, id string, at time.Time, body string) *event.Event {
	return named(&event.Event{Kind: event.Record, Name: kind, Subject: id, UserID: "anna", Time: at, Received: at, Verified: true, Deleted: body == "null", Body: json.RawMessage(body)})
}

func fold(events ...*event.Event) *Profile { return Fold(anna, annaKeys, events, uint64(len(events))) }

// randomHistory makes months of one customer's life out of everything that
// teaches something, and of what does not.
func randomHistory(r *rand.Rand, n int) []*event.Event {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	var events []*event.Event
	for i := range n {
		at := day(float64(r.IntN(60)) + float64(r.IntN(4))/4) // some at the same time
		var e *event.Event
		switch r.IntN(14) {
		case 0:
			e = identify(at, pick(`{"householdSize":4,"tags":["organic","new"]}`, `{"household":[{"relation":"child","age":3},{"relation":"partner"}]}`, `{"household_size":2,"locale":"zh-CN"}`, `{"email":null,"aum":1200000}`, `{"email":"anna@example.com","riskLevel":"C3"}`, `{}`))
		case 1:
			e = happened(pick("Order Completed", "Order Refunded", "Order Cancelled"), at, fmt.Sprintf(`{"order_id":"o%d","total":%d.5,"currency":"%s","products":[{"product_id":"kettle","quantity":2,"price":19.9},{"sku":"cup"}]}`, r.IntN(3), r.IntN(90), pick("CNY", "JPY", "")))
		case 2:
			e = happened("Repair Reported", at, fmt.Sprintf(`{"case_id":"%s","product_id":"phone","asset_id":"SN%d","symptom":"overheat","text":"太烫了"}`, pick("c1", "c2", ""), r.IntN(2)))
		case 3:
			e = happened("Repair Completed", at, fmt.Sprintf(`{"case_id":"%s","asset_id":"SN%d"}`, pick("c1", "c2", ""), r.IntN(2)))
		case 4:
			e = happened("Service Case Updated", at, fmt.Sprintf(`{"case_id":"c%d","kind":"%s","status":"%s","promised_at":"2026-04-0%dT00:00:00Z"}`, r.IntN(3), pick("repair", "return"), pick("received", "waiting", "closed"), 1+r.IntN(9)))
		case 5:
			e = record(pick("order", "asset", "case", "holding"), fmt.Sprint("c", r.IntN(3)), at, pick(`{"status":"delivered","address":"x"}`, `{"status":"open","product_id":"phone","warranty_until":"2026-12-31"}`, `null`, `{"lines":[]}`))
		case 6:
			e = happened("Decision "+pick("Shown", "Opened", "Accepted", "Dismissed", "Resolved"), at, fmt.Sprintf(`{"decision_id":"%s","action":"%s"}`, pick("dec_1", "dec_2", ""), pick("", "replace", "care_plan")))
		case 7:
			e = record("preference", "", at, pick(`{"personalization":"off"}`, `{"personalization":"on"}`, `{"blocked_tags":["new"]}`, `{"consent":{"financial":true}}`, `{"consent":{"financial":false,"marketing":true}}`, `null`))
		case 8:
			e = named(&event.Event{Kind: event.Group, Subject: pick("g1", "g2"), UserID: "anna", Time: at, Received: at, Body: json.RawMessage(`{"name":"Initech","plan":"pro"}`)})
		case 9:
			e = named(&event.Event{Kind: event.Page, Name: "Page Viewed", AnonymousID: "a1", Time: at, Received: at, Body: json.RawMessage(fmt.Sprintf(`{"path":"/p/%d"}`, i)), Context: json.RawMessage(`{"ip":"::1"}`)})
		case 10:
			e = happened(fmt.Sprint("Free Name ", r.IntN(4)), at, "")
		default:
			e = happened(pick("Product Viewed", "Balance Viewed", "Return Requested"), at, fmt.Sprintf(`{"product_id":"p%d","case_id":"c%d","i":%d}`, r.IntN(5), r.IntN(3), i))
		}
		e.Verified = r.IntN(4) > 0
		e.ID[0], e.ID[15] = byte(r.IntN(256)), byte(i)
		events = append(events, e)
	}
	return events
}

// observeInOrderOf folds events as they arrive, as a store does: an event that
// comes too late makes the fold anew, and one that is there already was
// deduplicated before.
func observeInOrderOf(arrival []*event.Event) (p *Profile, anew int) {
	p = New(anna, annaKeys)
	var log []*event.Event
	for i, e := range arrival {
		if !slices.ContainsFunc(log, func(o *event.Event) bool { return o.ID == e.ID }) {
			log = append(log, e)
		}
		if !p.Apply(e, uint64(i+1)) {
			anew++
			p = Fold(anna, annaKeys, log, uint64(i+1))
		}
	}
	return p, anew
}

func TestAProfileDoesNotDependOnTheOrderOfArrival(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	for round := range 400 {
		r := rand.New(rand.NewPCG(seed, uint64(round)))
		events := randomHistory(r, 1+r.IntN(60))
		want := fold(events...).Canonical()
		arrival := append(slices.Clone(events), events[:r.IntN(len(events))]...)
		r.Shuffle(len(arrival), func(i, j int) { arrival[i], arrival[j] = arrival[j], arrival[i] })
		p, _ := observeInOrderOf(arrival)
		if got := p.Canonical(); !bytes.Equal(got, want) {
			t.Fatalf("seed %d round %d:\n%s\nin the clean order\n%s", seed, round, got, want)
		}
		if !json.Valid(want) {
			t.Fatalf("seed %d round %d: the canonical form is no JSON: %s", seed, round, want)
		}
	}
}

func TestLateBrowsingIsTakenInWithoutFoldingAnew(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	for round := range 200 {
		r := rand.New(rand.NewPCG(seed, uint64(round)))
		var arrival []*event.Event
		for range 1 + r.IntN(120) {
			body := fmt.Sprintf(`{"n":%d}`, r.IntN(1000))
			arrival = append(arrival, happened(fmt.Sprint("Product Viewed ", r.IntN(3)), day(r.Float64()*60), body))
		}
		p, anew := observeInOrderOf(append(arrival, arrival[:r.IntN(len(arrival))]...))
		if anew != 0 {
			t.Fatalf("seed %d round %d: folded anew %d times", seed, round, anew)
		}
		if want := fold(arrival...).Canonical(); !bytes.Equal(p.Canonical(), want) {
			t.Fatalf("seed %d round %d:\n%s\nwanted\n%s", seed, round, p.Canonical(), want)
		}
	}
}

func TestBoundsDoNotDependOnTheOrderOfArrival(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	for round := range 2 {
		r := rand.New(rand.NewPCG(seed, uint64(round)))
		var events []*event.Event
		for i := range 2 * MaxNames {
			events = append(events, happened(fmt.Sprint("Name ", i), day(r.Float64()*60), ""))
		}
		large := bytes.Repeat([]byte("x"), 9000)
		for range HistoryLimit + 100 {
			body := fmt.Sprintf(`{"n":%d}`, r.IntN(1e9))
			if r.IntN(10) == 0 {
				body = fmt.Sprintf(`{"n":%d,"t":"%s"}`, r.IntN(1e9), large[:r.IntN(len(large))])
			}
			events = append(events, happened("Page Seen", day(r.Float64()*60), body))
		}
		events = append(events, randomHistory(r, 50)...)
		want := fold(events...)
		p := New(anna, annaKeys)
		var log []*event.Event
		// Nearly in order, so that the test is not all refolding.
		slices.SortFunc(events, func(a, b *event.Event) int { return a.Time.Compare(b.Time) })
		for range 20 {
			i := r.IntN(len(events))
			j := min(len(events)-1, i+r.IntN(100))
			events[i], events[j] = events[j], events[i]
		}
		for i, e := range events {
			log = append(log, e)
			if !p.Apply(e, uint64(i+1)) {
				p = Fold(anna, annaKeys, log, uint64(i+1))
			}
		}
		if !bytes.Equal(p.Canonical(), want.Canonical()) {
			t.Fatalf("seed %d round %d: differs from the clean order", seed, round)
		}
		if len(p.History) > MaxNames || len(p.History["Page Seen"]) > HistoryLimit {
			t.Fatalf("%d names, %d events of one", len(p.History), len(p.History["Page Seen"]))
		}
	}
}

func TestAFloodOfNamesLeavesWhatServiceRestsOn(t *testing.T) {
	t.Parallel()
	events := []*event.Event{happened("Repair Reported", day(0), `{"asset_id":"SN1"}`)}
	for i := range 3 * MaxNames {
		events = append(events, happened(fmt.Sprint("noise ", i), day(1+float64(i)/1000), ""))
	}
	for i := range 2 * HistoryLimit {
		events = append(events, happened("Product Viewed", day(3+float64(i)/1000), ""))
	}
	p := fold(events...)
	if len(p.History["Repair Reported"]) != 1 {
		t.Error("the repair was crowded out")
	}
	if n := len(p.History["Product Viewed"]); n != HistoryLimit || p.Total("Product Viewed") != 2*HistoryLimit {
		t.Errorf("%d views kept, %d counted", n, p.Total("Product Viewed"))
	}
}

func TestASnapshotNeverChanges(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	for round := range 150 {
		r := rand.New(rand.NewPCG(seed, uint64(round)))
		events := randomHistory(r, 80)
		slices.SortFunc(events, Compare)
		p := New(anna, annaKeys)
		type shot struct {
			p      *Profile
			digest string
		}
		var shots []shot
		branches := []*Profile{p}
		for i, e := range events {
			if r.IntN(3) == 0 {
				shots = append(shots, shot{p.Snapshot(), p.Digest()})
			}
			if r.IntN(8) == 0 {
				// Somebody folds on from a snapshot, with other events than we do.
				from := p.Clone()
				if len(shots) > 0 && r.IntN(2) == 0 {
					from = shots[len(shots)-1].p.Clone()
				}
				branches = append(branches, from)
			}
			for _, b := range branches[1:] {
				b.Apply(events[r.IntN(len(events))], uint64(i))
				if r.IntN(4) == 0 {
					shots = append(shots, shot{b.Snapshot(), b.Digest()})
				}
			}
			p.Apply(e, uint64(i))
		}
		for i, s := range shots {
			if s.p.Digest() != s.digest {
				t.Fatalf("seed %d round %d: snapshot %d of %d changed", seed, round, i, len(shots))
			}
		}
		if !bytes.Equal(p.Canonical(), fold(events...).Canonical()) {
			t.Fatalf("seed %d round %d: the original was changed through a copy", seed, round)
		}
	}
}

func TestASnapshotIsMadeOnceWhileNothingHappens(t *testing.T) {
	t.Parallel()
	p := fold(happened("Product Viewed", day(1), ""))
	s := p.Snapshot()
	if p.Snapshot() != s || s.Snapshot() != s {
		t.Error("another snapshot though nothing happened")
	}
	p.Apply(happened("Product Viewed", day(2), ""), 2)
	if p.Snapshot() == s {
		t.Error("the snapshot of yesterday")
	}
}

func TestACheckpointFoldsOnExactly(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	for round := range 300 {
		r := rand.New(rand.NewPCG(seed, uint64(round)))
		events := randomHistory(r, 2+r.IntN(70))
		slices.SortFunc(events, Compare)
		half := r.IntN(len(events))
		p := fold(events[:half]...)
		saved, err := p.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var q Profile
		if err := q.UnmarshalBinary(saved); err != nil {
			t.Fatalf("seed %d round %d: %v", seed, round, err)
		}
		if again, _ := q.MarshalBinary(); !bytes.Equal(again, saved) || q.Position != p.Position {
			t.Fatalf("seed %d round %d: written again it differs", seed, round)
		}
		for name, list := range p.History {
			if !reflect.DeepEqual(list, q.History[name]) {
				t.Fatalf("seed %d round %d: events of %q: %+v, wanted %+v", seed, round, name, q.History[name], list)
			}
		}
		rest := slices.Clone(events[half:])
		r.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
		for i, e := range append(rest, events[:half]...) {
			if a, b := p.Apply(e, uint64(i)), q.Apply(e, uint64(i)); a != b {
				t.Fatalf("seed %d round %d: applies %v, from the checkpoint %v", seed, round, a, b)
			}
		}
		if !bytes.Equal(p.Canonical(), q.Canonical()) {
			t.Fatalf("seed %d round %d:\n%s\nfrom the checkpoint\n%s", seed, round, p.Canonical(), q.Canonical())
		}
	}
}

func TestADamagedCheckpointIsRefusedOrHarmless(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	saved, _ := fold(randomHistory(r, 40)...).MarshalBinary()
	for i := range saved {
		if err := new(Profile).UnmarshalBinary(saved[:i]); err == nil {
			t.Fatalf("cut at byte %d and nobody noticed", i)
		}
	}
}

func TestUnmergeEqualsNeverMerged(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	for round := range 60 {
		r := rand.New(rand.NewPCG(seed, uint64(round)))
		hers, his := randomHistory(r, 30), randomHistory(r, 30)
		before := fold(hers...)
		merged := fold(append(slices.Clone(hers), his...)...)
		if merged.Events <= before.Events {
			t.Fatal("nothing was merged")
		}
		// Events stay with their keys, so taking his keys away is a fold of hers.
		if after := fold(hers...); !bytes.Equal(after.Canonical(), before.Canonical()) {
			t.Fatalf("seed %d round %d: differs from never merged", seed, round)
		}
	}
}

func FuzzApply(f *testing.F) {
	f.Add("Order Completed", byte(1), "o1", []byte(`{"order_id":1,"products":[{"product_id":"a","price":"1e400","quantity":-1}],"total":1e308,"currency":"KWD"}`))
	f.Add("case", byte(7), "c1", []byte(`{"status":{"x":[null,[[]]]},"kind":3}`))
	f.Add("preference", byte(7), "", []byte(`{"consent":{"":null,"x":1},"blocked_tags":[1,"",{}],"personalization":3}`))
	f.Add("", byte(2), "", []byte(`{"householdSize":{},"household":[1,{"relation":2}],"":1,"tags":"a,,b"}`))
	f.Add("Decision Opened", byte(1), "", []byte(`{"decision_id":1e99,"action":-0}`))
	f.Add("Repair Completed", byte(1), "", []byte(`[]`))
	f.Fuzz(func(t *testing.T, name string, kind byte, subject string, body []byte) {
		if !json.Valid(body) {
			return
		}
		base := randomHistory(rand.New(rand.NewPCG(3, 4)), 12)
		e := named(&event.Event{Kind: event.Kind(kind), Name: name, Subject: subject, UserID: "anna", Time: day(70), Body: body})
		p := fold(append(base, e)...)
		if p.Masked(Mask{Off: true}) == nil || !json.Valid(p.Canonical()) {
			t.Errorf("canonical form of %s %q is no JSON", body, name)
		}
		saved, err := p.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var q Profile
		if err := q.UnmarshalBinary(saved); err != nil {
			t.Fatalf("%v after %s", err, body)
		}
		if !bytes.Equal(q.Canonical(), p.Canonical()) {
			t.Errorf("%s comes back from its checkpoint as %s", p.Canonical(), q.Canonical())
		}
		arrived, _ := observeInOrderOf(append([]*event.Event{e}, base...))
		if !bytes.Equal(arrived.Canonical(), p.Canonical()) {
			t.Errorf("%s arriving first gives %s, wanted %s", body, arrived.Canonical(), p.Canonical())
		}
	})
}

func FuzzUnmarshal(f *testing.F) {
	saved, _ := fold(randomHistory(rand.New(rand.NewPCG(1, 1)), 30)...).MarshalBinary()
	f.Add(saved)
	f.Fuzz(func(t *testing.T, data []byte) {
		var p Profile
		if p.UnmarshalBinary(data) == nil {
			p.Apply(happened("Order Completed", day(9999), `{"order_id":"o1"}`), 1)
			p.Canonical()
		}
	})
}

func thirty() []*event.Event {
	var events []*event.Event
	for i := range 30 {
		name := []string{"Page Viewed", "Product Viewed", "Product Added", "Balance Viewed", "Live Chat Message Sent"}[i%5]
		events = append(events, happened(name, day(float64(i)), fmt.Sprintf(`{"product_id":"p%d","path":"/products/p%d","title":"Some product"}`, i, i)))
	}
	return events
}

func BenchmarkApplyWithoutFact(b *testing.B) {
	p := fold(append(thirty(), randomHistory(rand.New(rand.NewPCG(1, 1)), 30)...)...)
	events := make([]*event.Event, 4096)
	for i := range events {
		events[i] = happened("Product Viewed", day(100+float64(i)/1000), `{"product_id":"p1"}`)
	}
	b.ReportAllocs()
	b.ResetTimer()
	q := p.Clone()
	for i := range b.N {
		if i%len(events) == 0 {
			q = p.Clone()
		}
		q.Apply(events[i%len(events)], uint64(i))
	}
}

func BenchmarkApplyAfterEachSnapshot(b *testing.B) {
	p := fold(append(thirty(), randomHistory(rand.New(rand.NewPCG(1, 1)), 30)...)...)
	e := happened("Product Viewed", day(100), `{"product_id":"p1"}`)
	b.ReportAllocs()
	for i := range b.N {
		q := p.Clone()
		q.Apply(e, uint64(i))
	}
}

func BenchmarkApplyRepair(b *testing.B) {
	p := fold(thirty()...)
	e := happened("Repair Reported", day(100), `{"case_id":"c1","product_id":"phone","asset_id":"SN1","symptom":"overheat"}`)
	b.ReportAllocs()
	for i := range b.N {
		q := p.Clone()
		q.Apply(e, uint64(i))
	}
}

func BenchmarkFold30(b *testing.B) {
	events := thirty()
	b.ReportAllocs()
	for range b.N {
		fold(events...)
	}
}

func BenchmarkCheckpoint30(b *testing.B) {
	p := fold(thirty()...)
	raw := 0
	for _, e := range thirty() {
		raw += len(e.Body)
	}
	saved, _ := p.MarshalBinary()
	b.ReportMetric(float64(len(saved)-raw), "B/person-beyond-JSON")
	b.ReportAllocs()
	for range b.N {
		var q Profile
		_ = q.UnmarshalBinary(saved)
	}
}

func BenchmarkDigest(b *testing.B) {
	p := fold(append(thirty(), randomHistory(rand.New(rand.NewPCG(1, 1)), 30)...)...)
	b.ReportAllocs()
	for range b.N {
		p.Digest()
	}
}

func TestReadersAreNotDisturbedByTheWriter(t *testing.T) {
	t.Parallel()
	events := randomHistory(rand.New(rand.NewPCG(7, 7)), 300)
	slices.SortFunc(events, Compare)
	p := New(anna, annaKeys)
	var readers sync.WaitGroup
	for i, e := range events {
		p.Apply(e, uint64(i))
		if i%5 == 0 {
			s := p.Snapshot()
			want := s.Digest()
			readers.Go(func() {
				own := s.Clone()
				own.Apply(happened("Order Completed", day(999), `{"order_id":"o1"}`), 1)
				if s.Digest() != want || s.Masked(Mask{Off: true}).Digest() == want {
					t.Error("a snapshot changed under its reader")
				}
			})
		}
	}
	readers.Wait()
}

func BenchmarkMasked(b *testing.B) {
	p := fold(append(thirty(), randomHistory(rand.New(rand.NewPCG(1, 1)), 30)...)...).Snapshot()
	b.ReportAllocs()
	for range b.N {
		p.Masked(Mask{})
	}
}
