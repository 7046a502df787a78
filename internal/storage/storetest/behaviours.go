package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/ledger"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/strategy"
	"github.com/rapport-cx/rapport/workspace"
)

var ctx = context.Background()

func acceptedEventOpens(t *testing.T, h Home) {
	s := h.Open(t, newShelf())
	sent := []event.Event{
		track("lin", "a-1", "Product Viewed", 1, `{"product_id":"kettle-3","price":129.5}`),
		track("", "a-1", "看了 详情", 2, `{}`),
		track("lin", "", strings.Repeat("a very long name ", 20), 3, `{"note":"第一行\n第二行"}`),
		identify("lin", "a-1", 4, `{"household_size":4}`),
		put("order", "o-1", "lin", 5, `{"status":"paid"}`),
		put("item", "kettle-3", "", 6, `{"kind":"product","title":{"en":"Kettle"}}`),
		put("item", "kettle-4", "", 7, ``),
		track("0", "a-2", "Page Viewed", 8, `{"path":"/"}`),
		track("", "anonymous", "Page Viewed", 9, `{"path":"/"}`),
	}
	sent[1].Context = nil
	sent[2].Verified = false
	sent[3].Time = time.Date(1999, 12, 31, 23, 59, 59, int(7*time.Millisecond), time.UTC)
	r := commit(t, s, sent...)
	if n := accepted(r); n != len(sent) {
		t.Fatalf("%d of %d events were accepted", n, len(sent))
	}
	for _, want := range sent {
		m, keys, ok, err := s.Event(ctx, shop, want.ID)
		if err != nil || !ok {
			t.Fatalf("event %s: %v, found %t", want.ID, err, ok)
		}
		wantEvent(t, m.Event, want)
		if m.Position == 0 || m.Position > r.Position {
			t.Fatalf("position %d is not within the commit that ended at %d", m.Position, r.Position)
		}
		if k := identity.KeyOf(&want); k != (identity.Key{}) && (len(keys) == 0 || keys[0] != k) {
			t.Fatalf("event of %s stands under %v", k, keys)
		}
	}
	if _, _, ok, err := s.Event(ctx, shop, idOf("never sent")); ok || err != nil {
		t.Fatalf("an event that was never sent: found %t, %v", ok, err)
	}
}

func retriesAreDuplicates(t *testing.T, h Home) {
	s := h.Open(t, newShelf())
	a, b := track("lin", "", "Product Viewed", 1, `{}`), track("lin", "", "Product Viewed", 2, `{}`)
	if r := commit(t, s, a, b, a); !slices.Equal(r.Duplicates, []bool{false, false, true}) {
		t.Fatalf("one event twice in a batch: %v", r.Duplicates)
	}
	first := commit(t, s, b)
	if !first.Duplicates[0] {
		t.Fatal("a retry was taken for a new event")
	}
	if second := commit(t, s, a); second.Position != first.Position {
		t.Fatalf("a duplicate moved the log from %d to %d", first.Position, second.Position)
	}
	wantProfile(t, s, scope(t, s, identity.User("lin")), []event.Event{a, b})
}

func oneOfManyIsAccepted(t *testing.T, h Home) {
	s := h.Open(t, newShelf())
	var n atomic.Int64
	var all sync.WaitGroup
	for sender := range 16 {
		all.Go(func() {
			for i := range 20 {
				own := track("", fmt.Sprintf("a-%d", sender), "Page Viewed", i, fmt.Sprintf(`{"from":%d}`, sender))
				shared := track("lin", "", "Order Completed", i, `{}`)
				r, err := s.Commit(ctx, journal.Batch{Workspace: shop, Events: []event.Event{own, shared}})
				if err != nil {
					t.Error(err)
					return
				}
				if r.Duplicates[0] {
					t.Error("an event sent once is a duplicate")
				}
				if !r.Duplicates[1] {
					n.Add(1)
				}
			}
		})
	}
	all.Wait()
	if n.Load() != 20 {
		t.Fatalf("20 events sent by 16 senders each were accepted %d times", n.Load())
	}
	if p := profileOf(t, s, scope(t, s, identity.User("lin"))); p.Events != 20 {
		t.Fatalf("20 events came, %d are in the profile", p.Events)
	}
}

func restartKeepsEverything(t *testing.T, h Home) {
	life := year("lin", "a-1", 60)
	var sent []event.Event
	for round := range 4 {
		s := h.Open(t, newShelf())
		for _, e := range sent {
			if _, _, ok, err := s.Event(ctx, shop, e.ID); !ok || err != nil {
				t.Fatalf("start %d: event %s: found %t, %v", round, e.ID, ok, err)
			}
		}
		if len(sent) > 0 {
			if n := accepted(commit(t, s, sent...)); n != 0 {
				t.Fatalf("start %d: %d retries were accepted", round, n)
			}
			wantProfile(t, s, scope(t, s, identity.Anonymous("a-1")), sent)
		}
		part := life[round*15 : round*15+15]
		before := len(sent)
		sent = append(sent, part...)
		if n := accepted(commit(t, s, part...)); n != len(sent)-before {
			t.Fatalf("start %d: %d of %d new events were accepted", round, n, len(part))
		}
		wantProfile(t, s, scope(t, s, identity.User("lin")), sent)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func profileKnowsNoOrder(t *testing.T, h Home) {
	s := h.Open(t, newShelf())
	life := year("lin", "a-1", 48)
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 7))
		user, anon := fmt.Sprintf("lin-%d", seed), fmt.Sprintf("a-%d", seed)
		mine := year(user, anon, len(life))
		shuffled := slices.Clone(mine)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		for len(shuffled) > 0 {
			n := min(1+r.IntN(9), len(shuffled))
			commit(t, s, shuffled[:n]...)
			shuffled = shuffled[n:]
			if r.IntN(3) == 0 { // somebody asks in between, so the profile is hot
				profileOf(t, s, scope(t, s, identity.User(user)))
			}
		}
		wantProfile(t, s, scope(t, s, identity.User(user)), mine)
	}
}

func profileFollows(t *testing.T, h Home) {
	s := h.Open(t, newShelf())
	life := year("lin", "a-1", 40)
	var handed []*profile.Profile
	var was []string
	for i, e := range life {
		r := commit(t, s, e)
		sc := scope(t, s, identity.KeyOf(&e))
		p := profileOf(t, s, sc)
		if p.Position != r.Position {
			t.Fatalf("after event %d the log is at %d and the profile at %d", i, r.Position, p.Position)
		}
		handed, was = append(handed, p), append(was, string(p.Canonical()))
	}
	for i, p := range handed {
		if string(p.Canonical()) != was[i] {
			t.Fatalf("the profile handed out after event %d has changed since", i)
		}
	}
	nobody := journal.Scope{Workspace: shop, Person: identity.PersonOf(shop, identity.User("nobody")), Keys: []identity.Key{identity.User("nobody")}}
	if p := profileOf(t, s, nobody); p.Events != 0 || p.Person != nobody.Person {
		t.Fatalf("somebody nobody knows has a profile: %+v", p)
	}
	// The same history under the anonymous key alone is all that an unproven asker gets.
	alone := journal.Scope{Workspace: shop, Person: identity.PersonOf(shop, identity.Anonymous("a-1")), Keys: []identity.Key{identity.Anonymous("a-1")}}
	var own []event.Event
	for _, e := range life {
		if e.UserID == "" {
			own = append(own, e)
		}
	}
	wantProfile(t, s, alone, own)
	wantProfile(t, s, scope(t, s, identity.User("lin")), life)
}

func longHistory(t *testing.T, h Home) {
	life := year("lin", "a-1", 1500)
	s := h.Open(t, newShelf())
	for i := 0; i < len(life); i += 100 {
		commit(t, s, life[i:i+100]...)
		profileOf(t, s, scope(t, s, identity.User("lin")))
	}
	wantProfile(t, s, scope(t, s, identity.User("lin")), life)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = h.Open(t, newShelf())
	wantProfile(t, s, scope(t, s, identity.User("lin")), life)
	late := track("lin", "", "Order Completed", 50, `{"order_id":"o-late","total":1}`)
	commit(t, s, late)
	wantProfile(t, s, scope(t, s, identity.User("lin")), append(life, late))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = h.Open(t, newShelf())
	wantProfile(t, s, scope(t, s, identity.User("lin")), append(life, late))
}

func replayFoldsThePast(t *testing.T, h Home) {
	s := h.Open(t, newShelf())
	life := year("lin", "a-1", 30)
	slices.Reverse(life[10:20])
	var positions []uint64
	for _, e := range life {
		positions = append(positions, commit(t, s, e).Position)
	}
	sc := scope(t, s, identity.User("lin"))
	for _, n := range []int{1, 12, 29} {
		past := sc
		past.UpTo = positions[n-1]
		wantProfile(t, s, past, life[:n])
		if p := profileOf(t, s, past); p.Position != past.UpTo {
			t.Fatalf("the profile up to %d says it is of %d", past.UpTo, p.Position)
		}
		past.Without = []event.ID{life[0].ID, life[n/2].ID}
		wantProfile(t, s, past, life[:n])
	}
	sc.Without = []event.ID{life[7].ID}
	wantProfile(t, s, sc, life)
	sc.Without = nil
	wantProfile(t, s, sc, life)
}

func timelineIsExact(t *testing.T, h Home) {
	s := h.Open(t, newShelf())
	life := year("lin", "a-1", 90)
	for i := range life {
		if i%5 == 0 { // some share their millisecond
			life[i].Time = life[(i+3)%len(life)].Time
		}
	}
	mixed := slices.Clone(life)
	rand.New(rand.NewPCG(3, 3)).Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
	for i := 0; i < len(mixed); i += 10 {
		commit(t, s, mixed[i:i+10]...)
	}
	slices.SortFunc(life, func(a, b event.Event) int { return profile.Compare(&b, &a) })
	sc := scope(t, s, identity.User("lin"))
	for _, limit := range []int{1, 7, 50, 1000} {
		var got []event.Event
		var before time.Time
		var beforeID event.ID
		for {
			page, err := s.Timeline(ctx, sc, before, beforeID, limit)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range page {
				got = append(got, m.Event)
			}
			if len(page) < limit {
				break
			}
			before, beforeID = page[limit-1].Event.Time, page[limit-1].Event.ID
		}
		if len(got) != len(life) {
			t.Fatalf("pages of %d list %d of %d events", limit, len(got), len(life))
		}
		for i := range got {
			wantEvent(t, got[i], life[i])
		}
	}
}

func visitorSignsIn(t *testing.T, h Home) {
	s := h.Open(t, newShelf())
	view := track("", "a-1", "Product Viewed", 1, `{"product_id":"kettle-1"}`)
	commit(t, s, view)
	before, known, err := s.Person(ctx, shop, identity.Anonymous("a-1"))
	if err != nil || !known {
		t.Fatalf("the visitor is known: %t, %v", known, err)
	}
	if _, known, _ := s.Person(ctx, shop, identity.User("lin")); known {
		t.Fatal("lin is known before she came")
	}
	login := identify("lin", "a-1", 2, `{"household_size":3}`)
	commit(t, s, login)
	for range 2 {
		p, known, err := s.Person(ctx, shop, identity.User("lin"))
		if err != nil || !known || len(p.Keys) != 2 {
			t.Fatalf("lin is %+v, known %t, %v", p, known, err)
		}
		if again, _, _ := s.Person(ctx, shop, identity.Anonymous("a-1")); again.ID != p.ID {
			t.Fatalf("the visitor is %s and lin is %s", again.ID, p.ID)
		}
		if old, known, err := s.PersonByID(ctx, shop, before.ID); !known || old.ID != p.ID || err != nil {
			t.Fatalf("the visitor's old id leads to %s, known %t, %v", old.ID, known, err)
		}
		wantProfile(t, s, scope(t, s, identity.User("lin")), []event.Event{view, login})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = h.Open(t, newShelf())
	}
}

func mergeIsUndone(t *testing.T, h Home) {
	s := h.Open(t, newShelf())
	a, b := track("lin", "", "Product Viewed", 1, `{"n":1}`), track("lin-old", "", "Product Viewed", 2, `{"n":2}`)
	commit(t, s, a, b)
	commit(t, s, put("merge", "m-1", "", 3, `{"keys":["user:lin","user:lin-old"]}`))
	one := scope(t, s, identity.User("lin"))
	if len(one.Keys) != 2 {
		t.Fatalf("after the merge lin is %v", one.Keys)
	}
	if p := profileOf(t, s, one); p.Events < 2 || p.Total("Product Viewed") != 2 {
		t.Fatalf("after the merge the profile holds %d events", p.Events)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = h.Open(t, newShelf())
	commit(t, s, put("unmerge", "m-2", "", 4, `{"keys":["user:lin","user:lin-old"]}`))
	two := scope(t, s, identity.User("lin-old"))
	if len(two.Keys) != 1 {
		t.Fatalf("after the unmerge lin-old is %v", two.Keys)
	}
	if p := profileOf(t, s, two); p.Total("Product Viewed") != 1 {
		t.Fatalf("after the unmerge lin-old has %d views", p.Total("Product Viewed"))
	}
}

func peopleAreListed(t *testing.T, h Home) {
	s := h.Open(t, newShelf())
	commit(t, s, track("ann", "a-1", "Product Viewed", 1, `{}`), track("", "a-2", "Product Viewed", 2, `{}`), track("bob", "", "Product Viewed", 3, `{}`), track("cyd", "", "Product Viewed", 4, `{}`))
	var users []string
	for from := uint32(0); ; {
		people, next, err := s.People(ctx, shop, from, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range people {
			users = append(users, p.Keys[len(p.Keys)-1].Value)
		}
		if from = next; next == 0 {
			break
		}
	}
	if !slices.Equal(users, []string{"cyd", "bob", "ann"}) {
		t.Fatalf("listed: %v", users)
	}
	ann, bob := scope(t, s, identity.User("ann")).Person, scope(t, s, identity.User("bob")).Person
	apart := func() bool { return must[bool](t)(s.Apart(ctx, shop, ann, bob)) }
	if apart() {
		t.Fatal("nobody said anything of ann and bob")
	}
	commit(t, s, put("unmerge", "m-1", "", 5, `{"keys":["user:ann","user:bob"]}`))
	if !apart() {
		t.Fatal("ann and bob were said to be two")
	}
	commit(t, s, put("merge", "m-2", "", 6, `{"keys":["user:ann","user:bob"]}`))
	if apart() {
		t.Fatal("a newer statement says that ann and bob are one")
	}
}

func addedKindsName(t *testing.T, h Home) {
	s := h.Open(t, newShelf())
	kind := put("identifier", "unionid", "", 0, `{"joins":true}`)
	kind.Subject = "unionid"
	commit(t, s, kind)
	for i, visitor := range []string{"a-1", "a-2"} {
		e := track("", visitor, "Product Viewed", 1+i, `{}`)
		e.Context = []byte(`{"externalIds":[{"type":"unionid","id":"U1"}]}`)
		e.Verified = true
		commit(t, s, e)
	}
	for range 2 {
		p, known, err := s.Person(ctx, shop, identity.Key{Kind: "unionid", Value: "U1"})
		if err != nil || !known || len(p.Keys) != 3 {
			t.Fatalf("U1 is %+v, known %t, %v", p, known, err)
		}
		if got := profileOf(t, s, scope(t, s, identity.Anonymous("a-1"))); got.Events != 2 {
			t.Fatalf("they have %d events, wanted those of both visitors", got.Events)
		}
		if rules, err := s.Identifiers(ctx, shop); err != nil || len(rules) != 1 || !rules[0].Joins {
			t.Fatalf("rules %+v, %v", rules, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = h.Open(t, newShelf())
	}
}

func placeholdersNameNobody(t *testing.T, h Home) {
	s := h.Open(t, newShelf())
	commit(t, s,
		track("null", "a-1", "Product Viewed", 1, `{}`),
		track("null", "a-2", "Product Viewed", 2, `{}`),
		track("anonymous", "", "Product Viewed", 3, `{}`))
	if p, _, _ := s.Person(ctx, shop, identity.Anonymous("a-1")); len(p.Keys) != 1 {
		t.Fatalf("two visitors with the user id \"null\" became %v", p.Keys)
	}
	if p := profileOf(t, s, scope(t, s, identity.Anonymous("a-2"))); p.Events != 1 {
		t.Fatalf("a-2 has %d events", p.Events)
	}
}

func workspacesAreApart(t *testing.T, h Home) {
	s := h.Open(t, newShelf())
	e := track("lin", "a-1", "Product Viewed", 1, `{}`)
	commit(t, s, e)
	commit(t, s, put("item", "kettle-1", "", 1, `{"kind":"product","title":{"en":"Kettle"}}`))
	entry := decision("dec_1", "per_lin", 1)
	if _, err := s.Commit(ctx, journal.Batch{Workspace: shop, Decision: &entry}); err != nil {
		t.Fatal(err)
	}
	const bank = "bank"
	other := track("lin", "", "Balance Viewed", 2, `{}`)
	other.ID = idOf("the bank's")
	if _, err := s.Commit(ctx, journal.Batch{Workspace: bank, Events: []event.Event{other}}); err != nil {
		t.Fatal(err)
	}
	if _, _, ok, err := s.Event(ctx, bank, e.ID); ok || err != nil {
		t.Fatalf("the bank opens the shop's event: %t, %v", ok, err)
	}
	if p, _, _ := s.Person(ctx, bank, identity.User("lin")); len(p.Keys) != 1 {
		t.Fatalf("the bank's lin is %v", p.Keys)
	}
	at := journal.Scope{Workspace: bank, Keys: []identity.Key{identity.User("lin"), identity.Anonymous("a-1")}}
	if p := profileOf(t, s, at); p.Events != 1 || len(p.History["Product Viewed"]) != 0 {
		t.Fatalf("the bank's profile of lin holds %v", p.History)
	}
	if list := must[[]journal.Moment](t)(s.Timeline(ctx, at, time.Time{}, event.ID{}, 10)); len(list) != 1 {
		t.Fatalf("the bank's timeline of lin has %d entries", len(list))
	}
	if _, ok, err := s.Decision(ctx, bank, "dec_1"); ok || err != nil {
		t.Fatalf("the bank reads the shop's decision: %t, %v", ok, err)
	}
	if list := must[[]ledger.Entry](t)(s.Decisions(ctx, ledger.Query{Workspace: bank})); len(list) != 0 {
		t.Fatalf("the bank lists %d decisions", len(list))
	}
	view, err := s.Catalogue(ctx, bank, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := view.Item("kettle-1"); ok {
		t.Fatal("the shop's kettle is on the bank's shelf")
	}
}

func decision(id, person string, minute int, actions ...string) ledger.Entry {
	return ledger.Entry{
		ID: id, Workspace: shop, Person: person, Asker: "user:lin", At: spring.Add(time.Duration(minute) * time.Minute),
		Strategy: 1, Arm: "control", Placement: "chat", Actions: actions, Bytes: []byte(`{"of":"` + id + `"}`),
	}
}

func ledgerKeepsDecisions(t *testing.T, h Home) {
	s := h.Open(t, newShelf())
	e := track("lin", "", "Product Viewed", 1, `{}`)
	entry := decision("dec_1", "per_lin", 1, "replace_device", "offer_care_plan")
	if _, err := s.Commit(ctx, journal.Batch{Workspace: shop, Events: []event.Event{e}, Decision: &entry}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got, ok, err := s.Decision(ctx, shop, "dec_1")
		if err != nil || !ok || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", entry) {
			t.Fatalf("the ledger gives %+v, found %t, %v; written was %+v", got, ok, err, entry)
		}
		if _, ok, _ := s.Decision(ctx, shop, "dec_2"); ok {
			t.Fatal("a decision that was never made is in the ledger")
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = h.Open(t, newShelf())
	}
	again := decision("dec_1", "per_wang", 2)
	late := track("lin", "", "Product Viewed", 9, `{}`)
	if _, err := s.Commit(ctx, journal.Batch{Workspace: shop, Events: []event.Event{late}, Decision: &again}); err == nil {
		t.Fatal("a second decision took the id of the first")
	}
	if _, _, ok, _ := s.Event(ctx, shop, late.ID); ok {
		t.Fatal("a refused batch left its event behind")
	}
	if got, _, _ := s.Decision(ctx, shop, "dec_1"); got.Person != "per_lin" {
		t.Fatal("the first decision was overwritten")
	}
}

func ledgerLists(t *testing.T, h Home) {
	s := h.Open(t, newShelf())
	var all []ledger.Entry
	for i := range 40 {
		e := decision(fmt.Sprintf("dec_%02d", (i*7)%40), []string{"per_lin", "per_wang"}[i%2], i/4, []string{"offer_care_plan", "offer_care_plan_gold", "explain"}[i%3])
		e.Strategy = 1 + i%2
		e.Arm = []string{"control", "warm"}[i/20]
		if _, err := s.Commit(ctx, journal.Batch{Workspace: shop, Decision: &e}); err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b ledger.Entry) int {
		if c := b.At.Compare(a.At); c != 0 {
			return c
		}
		return strings.Compare(b.ID, a.ID)
	})
	for _, q := range []ledger.Query{
		{}, {Person: "per_wang"}, {Action: "offer_care_plan"}, {Strategy: 2}, {Arm: "warm"},
		{From: spring.Add(2 * time.Minute), To: spring.Add(5 * time.Minute)},
		{Person: "per_lin", Action: "explain", From: spring.Add(3 * time.Minute)},
	} {
		q.Workspace, q.Limit = shop, 3
		var want, got []string
		for _, e := range all {
			if (q.Person == "" || e.Person == q.Person) && (q.Action == "" || slices.Contains(e.Actions, q.Action)) &&
				(q.Strategy == 0 || e.Strategy == q.Strategy) && (q.Arm == "" || e.Arm == q.Arm) &&
				(q.From.IsZero() || !e.At.Before(q.From)) && (q.To.IsZero() || e.At.Before(q.To)) {
				want = append(want, e.ID)
			}
		}
		for {
			page := must[[]ledger.Entry](t)(s.Decisions(ctx, q))
			for _, e := range page {
				got = append(got, e.ID)
			}
			if len(page) < q.Limit {
				break
			}
			q.Before = page[len(page)-1].ID
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%+v\n got %v\nwant %v", q, got, want)
		}
	}
}

func tenantsAndStrategies(t *testing.T, h Home) {
	s := h.Open(t, newShelf())
	w := workspace.Workspace{ID: shop, Name: "茶具店", WriteKey: "wk", SecretKey: "sk", IdentitySecret: "is", Created: spring, Origins: []string{"https://tea.example"}}
	for _, name := range []string{"first", "茶具店"} {
		w.Name = name
		if err := s.SaveWorkspace(ctx, w); err != nil {
			t.Fatal(err)
		}
	}
	another := w
	another.Created, another.SecretKey = spring.Add(time.Millisecond), "another's"
	if err := s.SaveWorkspace(ctx, another); !errors.Is(err, workspace.ErrTaken) {
		t.Fatalf("another workspace took the id: %v", err)
	}
	if n := must[int](t)(s.CurrentStrategy(ctx, shop)); n != 0 {
		t.Fatalf("strategy %d is in force before any was published", n)
	}
	one := strategy.Source{Number: 1, Packs: []string{"base"}, State: "draft", At: spring}
	two := strategy.Source{Number: 2, Base: 1, Packs: []string{"base", "tea"}, Files: map[string]string{"tea/pack.yaml": "name: tea"}, State: "published", At: spring, Note: "first", Model: []byte{1, 2, 3, 0, 255}}
	for _, v := range []strategy.Source{two, one, two} {
		if err := s.SaveStrategy(ctx, shop, v); err != nil {
			t.Fatal(err)
		}
	}
	taken := strategy.Source{Number: 2, Packs: []string{"other"}, State: strategy.StateDraft, At: spring}
	if err := s.SaveStrategy(ctx, shop, taken); !errors.Is(err, strategy.ErrTaken) {
		t.Fatalf("a draft took the number of another version: %v", err)
	}
	if err := s.SetCurrentStrategy(ctx, shop, 2); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = h.Open(t, newShelf())
	if all := must[[]workspace.Workspace](t)(s.Workspaces(ctx)); fmt.Sprint(all) != fmt.Sprint([]workspace.Workspace{w}) {
		t.Fatalf("workspaces: %+v", all)
	}
	if all := must[[]strategy.Source](t)(s.Strategies(ctx, shop)); fmt.Sprint(all) != fmt.Sprint([]strategy.Source{one, two}) {
		t.Fatalf("strategies: %+v", all)
	}
	if n := must[int](t)(s.CurrentStrategy(ctx, shop)); n != 2 {
		t.Fatalf("strategy %d is in force", n)
	}
	if all := must[[]strategy.Source](t)(s.Strategies(ctx, "bank")); len(all) != 0 {
		t.Fatalf("the bank has strategies: %+v", all)
	}
}

// errands are commits with sign-ins among them, in several batches.
func errands(round int) [][]event.Event {
	var all [][]event.Event
	for i := range 6 {
		user, anon := fmt.Sprintf("u-%d", (i+round)%4), fmt.Sprintf("a-%d-%d", round, i%3)
		all = append(all, []event.Event{
			track("", anon, "Product Viewed", round*100+i, `{"at":"home"}`),
			track(user, anon, "Product Added", round*100+i, `{"at":"cart"}`),
			put("item", fmt.Sprintf("kettle-%d", i), "", round*100+i, `{"kind":"product","title":{"en":"Kettle"}}`),
		})
	}
	return all
}

func followersSeeEverything(t *testing.T, h Home) {
	always := &notebook{name: "always"}
	s := h.Open(t, newShelf(), always)
	for round := range 3 {
		for _, b := range errands(round) {
			commit(t, s, b...)
			commit(t, s, b...) // a retry is not told
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		told := always.read(t)
		always = &notebook{name: "always"}
		s = h.Open(t, newShelf(), always)
		if again := always.read(t); !slices.Equal(again, told) {
			t.Fatalf("after restart %d the follower knows\n%s\nbefore it\n%s", round, strings.Join(again, "\n"), strings.Join(told, "\n"))
		}
	}
	events := 0
	for _, line := range always.read(t) {
		if !strings.Contains(line, "join") {
			events++
		}
	}
	if events != 3*6*3 {
		t.Fatalf("%d events were committed, %d were told", 3*6*3, events)
	}
}

func newFollowerIsTold(t *testing.T, h Home) {
	first := &notebook{name: "first"}
	s := h.Open(t, newShelf(), first)
	for _, b := range errands(0) {
		commit(t, s, b...)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	second := &notebook{name: "second"}
	h.Open(t, newShelf(), second)
	var events, of []string
	for _, line := range first.read(t) {
		if f := strings.Fields(line); f[1] != "join" {
			of = append(of, f[1])
		}
	}
	for _, line := range second.read(t) {
		if f := strings.Fields(line); f[1] != "join" {
			events = append(events, f[1])
		}
	}
	if !slices.Equal(events, of) {
		t.Fatalf("the new follower was told %d events, there are %d", len(events), len(of))
	}
}

func shelfKeepsRevisions(t *testing.T, h Home) {
	s := h.Open(t, newShelf())
	one := commit(t, s, put("item", "kettle-1", "", 1, `{"kind":"product","title":{"en":"Old kettle"}}`)).Position
	commit(t, s, track("lin", "", "Product Viewed", 2, `{}`))
	two := commit(t, s, put("item", "kettle-1", "", 3, `{"kind":"product","title":{"en":"New kettle"}}`)).Position
	for range 2 {
		for revision, want := range map[uint64]string{one: "Old kettle", two: "New kettle", 0: "New kettle"} {
			view, err := s.Catalogue(ctx, shop, revision)
			if err != nil {
				t.Fatal(err)
			}
			item, ok := view.Item("kettle-1")
			if !ok || item.Title.En != want {
				t.Fatalf("at revision %d the shelf holds %+v, wanted %s", revision, item, want)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = h.Open(t, newShelf())
	}
}

func erasedIsGone(t *testing.T, h Home) {
	s := h.Open(t, newShelf())
	life := year("lin-the-first", "a-secret", 20)
	neighbour := year("wang", "a-2", 20)
	for i := range life {
		commit(t, s, life[i], neighbour[i])
	}
	sc := scope(t, s, identity.User("lin-the-first"))
	entry := decision("dec_1", string(sc.Person), 1)
	kept := decision("dec_2", "per_wang", 2)
	kept.Asker = "user:wang"
	for _, d := range []*ledger.Entry{&entry, &kept} {
		if _, err := s.Commit(ctx, journal.Batch{Workspace: shop, Decision: d}); err != nil {
			t.Fatal(err)
		}
	}
	profileOf(t, s, sc)
	receipt, err := s.Erase(ctx, shop, sc.Keys)
	if err != nil {
		t.Fatal(err)
	}
	if receipt.Events != len(life) || receipt.Decisions != 1 {
		t.Fatalf("the receipt says %+v", receipt)
	}
	for range 2 {
		for _, e := range life {
			if m, _, ok, err := s.Event(ctx, shop, e.ID); ok || err != nil {
				t.Fatalf("an erased event opens: %+v, %v", m, err)
			}
		}
		if p := profileOf(t, s, sc); p.Events != 0 {
			t.Fatalf("the erased profile holds %d events", p.Events)
		}
		if _, known, _ := s.Person(ctx, shop, identity.User("lin-the-first")); known {
			t.Fatal("the erased person is known")
		}
		if list := must[[]journal.Moment](t)(s.Timeline(ctx, sc, time.Time{}, event.ID{}, 10)); len(list) != 0 {
			t.Fatalf("the erased timeline has %d entries", len(list))
		}
		if d, ok, err := s.Decision(ctx, shop, "dec_1"); err != nil || ok && len(d.Bytes) > 0 {
			t.Fatalf("the erased person's decision reads %s, %v", d.Bytes, err)
		}
		if d, ok, err := s.Decision(ctx, shop, "dec_2"); err != nil || !ok || len(d.Bytes) == 0 {
			t.Fatalf("the neighbour's decision is gone: %t, %v", ok, err)
		}
		wantProfile(t, s, scope(t, s, identity.User("wang")), neighbour)
		if n := accepted(commit(t, s, life...)); n != 0 {
			t.Fatalf("a retry brought %d erased events back", n)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = h.Open(t, newShelf())
	}
	fresh := track("lin-the-first", "", "Product Viewed", 9000, `{"again":true}`)
	commit(t, s, fresh)
	wantProfile(t, s, scope(t, s, identity.User("lin-the-first")), []event.Event{fresh})
}

func followersForget(t *testing.T, h Home) {
	book := new(guestbook)
	s := h.Open(t, newShelf(), book)
	var lin, wang []event.Event
	for i := range 10 {
		lin = append(lin, track("lin", "a-1", "Product Viewed", i, `{}`))
		wang = append(wang, track("wang", "", "Product Viewed", i, `{}`))
	}
	commit(t, s, lin...)
	commit(t, s, wang[:5]...)
	if len(book.read()) != 2 {
		t.Fatalf("two people came, the guest book has %v", book.read())
	}
	if err := s.Close(); err != nil { // so that a state with both is saved
		t.Fatal(err)
	}
	book = new(guestbook)
	s = h.Open(t, newShelf(), book)
	if _, err := s.Erase(ctx, shop, scope(t, s, identity.User("lin")).Keys); err != nil {
		t.Fatal(err)
	}
	commit(t, s, wang[5:]...)
	for range 2 {
		counts := slices.Collect(maps.Values(book.read()))
		if !slices.Equal(counts, []int{10}) {
			t.Fatalf("wang came ten times and lin is erased, the guest book has %v", book.read())
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		book = new(guestbook)
		s = h.Open(t, newShelf(), book)
	}
}

func batchIsWhole(t *testing.T, h Home) {
	s := h.Open(t, newShelf())
	var large []event.Event
	for i := range 9000 {
		large = append(large, track("", fmt.Sprintf("a-%d", i%700), "Page Viewed", i, fmt.Sprintf(`{"n":%d}`, i)))
	}
	r := commit(t, s, large...)
	if n := accepted(r); n != len(large) {
		t.Fatalf("%d of %d were accepted", n, len(large))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = h.Open(t, newShelf())
	for _, i := range []int{0, 4094, 4095, 4096, 8999} {
		m, _, ok, err := s.Event(ctx, shop, large[i].ID)
		if err != nil || !ok {
			t.Fatalf("event %d of a large batch: found %t, %v", i, ok, err)
		}
		wantEvent(t, m.Event, large[i])
	}
	if r := commit(t, s); r.Position == 0 {
		t.Fatal("an empty batch does not tell where the log stands")
	}
}

func givingUp(t *testing.T, h Home) {
	s := h.Open(t, newShelf())
	gone, cancel := context.WithCancel(ctx)
	cancel()
	e := track("lin", "", "Product Viewed", 1, `{}`)
	if _, err := s.Commit(gone, journal.Batch{Workspace: shop, Events: []event.Event{e}}); !errors.Is(err, context.Canceled) {
		t.Fatalf("a caller who had given up got %v", err)
	}
	if _, _, ok, _ := s.Event(ctx, shop, e.ID); ok {
		t.Fatal("the event of a caller who had given up was kept")
	}
	var all sync.WaitGroup
	for sender := range 8 {
		all.Go(func() {
			for i := range 50 {
				e := track("", fmt.Sprintf("a-%d", sender), "Page Viewed", i, `{}`)
				soon, cancel := context.WithCancel(ctx)
				go cancel()
				_, err := s.Commit(soon, journal.Batch{Workspace: shop, Events: []event.Event{e}})
				if _, _, ok, lookup := s.Event(ctx, shop, e.ID); lookup != nil || ok != (err == nil) {
					t.Errorf("commit said %v, but the event is kept: %t (%v)", err, ok, lookup)
				}
			}
		})
	}
	all.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(ctx, journal.Batch{Workspace: shop, Events: []event.Event{e}}); err == nil {
		t.Fatal("a closed store took an event")
	}
}
