package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/strategy"
)

const hesitation = `signals:
  - id: hesitation
    title: {zh: 反复查看退换规则, en: the returns policy again and again}
    counts: {zh: 次查看, en: views}
    event: Page Viewed
    where: event.properties.topic == 'returns'
    at_least: 3
    within: 7d
    undone_by: [Return Requested]
    since_first: true
  - id: left_behind
    title: {zh: 购物车放下未付, en: a cart left behind}
    counts: {zh: 次, en: times}
    form: absent
    event: Order Completed
    after: {event: Cart Viewed}
    within: 20h
`

const mended = `  - id: repaired_again
    title: {zh: 同机再修, en: mended again}
    counts: {zh: 次, en: repairs}
    event: Repair Reported
    by: [device]
    distinct: case_id
    where: case.status == 'completed'
    at_least: 2
    within: 90d
  - id: often
    title: {zh: 常看退换规则, en: often on the returns policy}
    counts: {zh: 次查看, en: views}
    event: Page Viewed
    where: event.properties.topic == 'returns'
    at_least: 2
    within: 30d
`

// watching is a shop whose strategy has signals of its own.
type watching struct {
	*shop
	n int
}

func (s *watching) publish(text string) {
	s.t.Helper()
	ctx := context.Background()
	_, current, err := s.h.engine.Strategies(ctx, "shop")
	if err != nil {
		s.t.Fatal(err)
	}
	d, err := s.h.engine.Draft(ctx, "shop", strategy.Source{Base: current, Files: map[string]string{"own/signals.yaml": text}}, strategy.Actor{})
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.h.engine.Publish(ctx, "shop", d.Number, engine.Publication{Note: "test"}); err != nil {
		s.t.Fatal(err)
	}
	s.settle()
}

func (s *watching) settle() {
	s.t.Helper()
	if err := s.h.engine.WatchOnce(context.Background()); err != nil {
		s.t.Fatal(err)
	}
}

// did commits one event and gives its id.
func (s *watching) did(user, anonymous, name string, ago time.Duration, properties string) event.ID {
	s.t.Helper()
	s.n++
	e := event.RecordEvent(event.Put{Workspace: "firing tests", Name: name, ID: fmt.Sprint(s.n), Body: []byte(properties)})
	e.Kind, e.Subject, e.UserID, e.AnonymousID, e.Verified = event.Track, "", user, anonymous, true
	e.Time = now.Add(-ago)
	e.Received = e.Time
	if _, err := s.h.engine.Observe(context.Background(), "shop", []event.Event{e}); err != nil {
		s.t.Fatal(err)
	}
	return e.ID
}

func (s *watching) firings(signal string) (all []journal.Firing) {
	s.t.Helper()
	list, err := s.h.engine.Firings(context.Background(), journal.FiringQuery{Workspace: "shop", Limit: 1000})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range list {
		if signal == "" || f.Signal == signal {
			all = append(all, f)
		}
	}
	return all
}

const returns = `{"topic":"returns","path":"/help/returns"}`

func TestASignalFiresInTheCommitOfItsEvent(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, on memory) {
		s := &watching{shop: openShopOn(t, on)}
		s.rest() // nobody acts on what fires here
		s.publish(hesitation)
		const hour = time.Hour
		var views []event.ID
		for i := range 3 {
			if n := len(s.firings("hesitation")); n != 0 {
				t.Fatalf("%d views fired %d times", i, n)
			}
			s.did("lin", "", "Page Viewed", 3*hour, `{"topic":"jobs"}`) // which no signal counts
			views = append(views, s.did("lin", "", "Page Viewed", time.Duration(5-i)*hour, returns))
		}
		fired := s.firings("hesitation") // read before any worker could have looked
		if len(fired) != 1 || fired[0].State != journal.FiringOpen || !slices.Equal(fired[0].Events, views) || !fired[0].At.Equal(now.Add(-3*hour)) {
			t.Fatalf("three views: %+v", fired)
		}
		who, _, _ := s.h.store.Person(t.Context(), "shop", identity.User("lin"))
		if fired[0].Person != who.ID {
			t.Fatalf("it is %s's, not %s's", fired[0].Person, who.ID)
		}

		// A request that came late had been made between the views.
		request := s.did("lin", "", "Return Requested", 4*hour+time.Minute, `{}`)
		s.settle()
		if f := s.firings("hesitation"); len(f) != 1 || f[0].State != journal.FiringWithdrawn {
			t.Fatalf("a request in between that came late: %+v", f)
		}
		// It stays withdrawn until enough views came after it.
		s.did("lin", "", "Page Viewed", 2*hour, returns)
		if f := s.firings("hesitation"); len(f) != 1+1 || f[1].State != journal.FiringOpen || len(f[1].Events) != 3 || slices.Contains(f[1].Events, views[0]) {
			t.Fatalf("three views after the request %s: %+v", request, f)
		}
		// A request in its order undoes the open one at once, and names itself.
		last := s.did("lin", "", "Return Requested", hour, `{}`)
		if f := s.firings("hesitation")[1]; f.State != journal.FiringWithdrawn || f.UndoneBy == nil || *f.UndoneBy != last {
			t.Fatalf("undone by a request: %+v", f)
		}

		// Time alone turns an absence; a visitor and a customer who turn out to be one count together.
		s.did("wang", "", "Cart Viewed", 21*hour, `{}`)
		s.did("zhao", "", "Cart Viewed", 21*hour, `{}`)
		s.did("zhao", "", "Order Completed", 20*hour, `{"order_id":"o-1"}`)
		s.did("", "browser-7", "Page Viewed", 3*hour, returns)
		s.did("", "browser-7", "Page Viewed", 2*hour, returns)
		s.did("qian", "", "Page Viewed", hour, returns)
		s.settle()
		left := slices.DeleteFunc(s.firings("left_behind"), func(f journal.Firing) bool {
			return f.State == journal.FiringWithdrawn // the worker may have looked before the order came
		})
		if len(left) != 1 || !left[0].At.Equal(now.Add(-hour)) || left[0].State != journal.FiringOpen {
			t.Fatalf("one of two carts was left behind: %+v", left)
		}
		if n := len(s.firings("hesitation")); n != 2 {
			t.Fatalf("a visitor and a customer, two views and one, fired: %d", n)
		}
		s.did("qian", "browser-7", "Product Viewed", time.Minute, `{}`)
		s.settle()
		merged := s.firings("hesitation")
		if len(merged) != 3 || len(merged[2].Events) != 3 {
			t.Fatalf("one person, three views: %+v", merged)
		}

		// A new signal finds what it would have found had it always been there.
		for i, id := range []string{"c-1", "c-1", "c-2", "c-3"} {
			s.did("sun", "", "Repair Reported", time.Duration(200-i)*hour, fmt.Sprintf(`{"case_id":%q,"product_id":"kettle","asset_id":"sn-9"}`, id))
		}
		done := s.did("sun", "", "Service Case Updated", 190*hour, `{"case_id":"c-1","status":"completed"}`)
		second := s.did("sun", "", "Service Case Updated", 3*hour, `{"case_id":"c-3","status":"completed"}`)
		s.did("zhou", "", "Page Viewed", 80*hour, returns)
		s.did("zhou", "", "Page Viewed", 79*hour, returns)
		s.publish(hesitation + mended)
		zhou, _, _ := s.h.store.Person(t.Context(), "shop", identity.User("zhou"))
		often := slices.DeleteFunc(s.firings("often"), func(f journal.Firing) bool { return f.Person != zhou.ID })
		if len(often) != 1 || often[0].State != journal.FiringPast || !often[0].At.Equal(now.Add(-79*hour)) {
			t.Fatalf("two views of three days ago, found now: %+v", often)
		}
		again := s.firings("repaired_again")
		if len(again) != 1 || !again[0].At.Equal(now.Add(-3*hour)) || again[0].State != journal.FiringOpen || len(again[0].Events) != 2 || again[0].Group["device"] != "sn-9" {
			t.Fatalf("two cases of one unit are done (%s, %s): %+v", done, second, again)
		}
		s.staysAfterARestart()
	})
}

// staysAfterARestart holds the house to it that a restart changes no firing.
func (s *watching) staysAfterARestart() {
	s.t.Helper()
	whole := s.describe()
	s.stop()
	s.open() // and nothing acts on what has fired meanwhile
	s.settle()
	if after := s.describe(); after != whole {
		s.t.Fatalf("after a restart\n%s\nbefore\n%s", after, whole)
	}
}

// describe is every firing as text.
func (s *watching) describe() string {
	var b strings.Builder
	for _, f := range s.firings("") {
		fmt.Fprintln(&b, f.Number, f.ID, f.Signal, f.At, f.State, f.Events, f.UndoneBy)
	}
	return b.String()
}

const together = `signals:
  - id: family_hesitates
    title: {zh: 家里反复查看退换规则, en: the family reads the returns policy again and again}
    counts: {zh: 次查看, en: views}
    of: household
    event: Page Viewed
    where: event.properties.topic == 'returns'
    at_least: 3
    within: 7d
    implies: {need: policy.rule/return_window}
`

// lives says that somebody is a member of a household since some time ago, or no more.
func (s *watching) lives(user, household string, ago time.Duration) {
	s.t.Helper()
	p := event.Put{Workspace: "firing tests", Name: "relationship", ID: "home of " + user, UserID: user, UpdatedAt: now.Add(-ago), Received: now, Deleted: household == "",
		Body: fmt.Appendf(nil, `{"type":"member_of","to":"household:%s"}`, household)}
	if _, err := s.h.engine.Observe(context.Background(), "shop", []event.Event{event.RecordEvent(p)}); err != nil {
		s.t.Fatal(err)
	}
}

// TestASignalFiresForAHousehold counts what members of a household do while they are.
func TestASignalFiresForAHousehold(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, on memory) {
		s := &watching{shop: openShopOn(t, on)}
		s.rest()
		s.publish(together)
		const hour = time.Hour
		const day = 24 * hour
		s.lives("lin", "north", 10*day)
		s.lives("wang", "north", 5*day)
		s.lives("zhao", "south", 10*day)
		s.settle()
		s.did("wang", "", "Page Viewed", 6*day, returns) // before she moved in
		s.settle()                                       // what is older than a word of who lives where is gone through
		first := s.did("lin", "", "Page Viewed", 4*day, returns)
		s.did("zhao", "", "Page Viewed", 5*hour, returns)
		second := s.did("wang", "", "Page Viewed", 3*hour, returns)
		if f := s.firings(""); len(f) != 0 {
			t.Fatalf("two views of one household: %+v", f)
		}
		third := s.did("lin", "", "Page Viewed", 2*hour, returns)
		f := s.firings("family_hesitates")
		lin, _, _ := s.h.store.Person(t.Context(), "shop", identity.User("lin"))
		if len(f) != 1 || !slices.Equal(f[0].Events, []event.ID{first, second, third}) || f[0].Group["household"] != "north" || f[0].Person != lin.ID || f[0].State != journal.FiringOpen {
			t.Fatalf("three views of two members: %+v", f)
		}
		// It holds for every member, and for nobody else.
		for user, want := range map[string]bool{"lin": true, "wang": true, "zhao": false} {
			if got := s.holds(user, "family_hesitates"); got != want {
				t.Errorf("for %s it holds: %t", user, got)
			}
		}
		// Her decision rests on what he did, too, and is made again as it was after more has happened.
		decided := s.do("POST", "/v1/decisions", object{"user_id": "wang", "placement": "greeting"})
		if n := find(list(decided, "needs"), "origin", "predicted"); n == nil || n["intent"] != "policy.rule" {
			t.Errorf("what the family hesitates about is no need of hers: %v", decided["needs"])
		}
		defer func() {
			if again := s.do("POST", "/v1/decisions/"+decided["id"].(string)+"/replay", object{}); again["identical"] != true {
				t.Errorf("the replay differs at %v", again["changed"])
			}
		}()
		// She had moved out before her view, as is heard later.
		s.lives("wang", "", 4*hour)
		s.settle()
		if f := s.firings("family_hesitates"); len(f) != 1 || f[0].State != journal.FiringWithdrawn || s.holds("wang", "family_hesitates") || s.holds("lin", "family_hesitates") {
			t.Fatalf("after she moved out: %+v", f)
		}
		// And in again.
		s.lives("wang", "north", hour+30*time.Minute)
		s.settle()
		fourth := s.did("wang", "", "Page Viewed", hour, returns)
		f = s.firings("family_hesitates")
		if len(f) != 2 || !slices.Equal(f[1].Events, []event.ID{first, third, fourth}) || f[1].State != journal.FiringOpen || f[0].State != journal.FiringWithdrawn {
			t.Fatalf("after she moved in again: %+v", f)
		}
		// A visitor who turns out to be one of them had been there before her.
		visit := s.did("", "browser-3", "Page Viewed", 100*time.Minute, returns)
		s.did("lin", "browser-3", "Product Viewed", time.Minute, `{}`)
		s.settle()
		f = s.firings("family_hesitates")
		if len(f) != 3 || !slices.Equal(f[2].Events, []event.ID{first, third, visit}) || f[2].State != journal.FiringOpen || f[1].State != journal.FiringWithdrawn {
			t.Fatalf("after a visitor turned out to be a member: %+v", f)
		}
		s.staysAfterARestart()
	})
}

// TestEveryFiringIsMadeOnceAcrossKill9 kills servers that take events in, and looks at
// the end for what signals must have fired: one that counts events, whose firings stand
// in the commit of their events or right behind it, and one that reads records, which is
// found after the commit on both stores.
func TestEveryFiringIsMadeOnceAcrossKill9(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, on memory) {
		s := &watching{shop: openShopOn(t, on)}
		s.publish(hesitation + mended)
		s.stop()
		seed := rand.Uint64()
		t.Log("seed", seed)
		dice := rand.New(rand.NewPCG(seed, 0))
		dir, args := on.dir, []string(nil)
		if on.database != "" {
			dir, args = t.TempDir(), []string{"--database", on.database}
		}
		const people = 40
		steps := []string{ // of everybody, in this order
			`"event":"Page Viewed","properties":{"topic":"returns"}`,
			`"event":"Page Viewed","properties":{"topic":"returns"}`,
			`"event":"Repair Reported","properties":{"case_id":"c-%[1]d-1","product_id":"kettle","asset_id":"sn-%[1]d"}`,
			`"event":"Repair Reported","properties":{"case_id":"c-%[1]d-2","product_id":"kettle","asset_id":"sn-%[1]d"}`,
			`"event":"Service Case Updated","properties":{"case_id":"c-%[1]d-1","status":"completed"}`,
			`"event":"Page Viewed","properties":{"topic":"returns"}`,
			`"event":"Service Case Updated","properties":{"case_id":"c-%[1]d-2","status":"completed"}`,
		}
		took := make([]int, people) // steps that were acknowledged
		for left := true; left; {
			c := startChildAt(t, dir, "127.0.0.1:0", args...)
			sends := 1 + dice.IntN(120)
			left = false
			for range sends {
				user := dice.IntN(people)
				for range people {
					if took[user] < len(steps) {
						break
					}
					user = (user + 1) % people
				}
				if took[user] == len(steps) {
					break
				}
				left = true
				step := took[user]
				text := fmt.Sprintf(`{"batch":[{"type":"track","userId":"u%[1]d","messageId":"m%[1]d-%[2]d","timestamp":%[3]q,`+steps[step]+"}]}", user, step, time.Now().UTC().Add(time.Duration(step-20)*time.Minute).Format(time.RFC3339))
				if !c.post(s.w.SecretKey, text) {
					t.Fatal("a server that nobody has killed refused an event")
				}
				took[user]++
			}
			c.kill(t)
		}
		s.start()
		s.settle()
		for signal, want := range map[string]int{"hesitation": 3, "repaired_again": 2, "often": 2} {
			of := map[identity.PersonID]int{}
			for _, f := range s.firings(signal) {
				if of[f.Person]++; len(f.Events) != want || f.State == journal.FiringWithdrawn || f.State == journal.FiringSuperseded {
					t.Errorf("%s fired as %+v", signal, f)
				}
			}
			for user := range people {
				who, _, err := s.h.store.Person(t.Context(), "shop", identity.User(fmt.Sprint("u", user)))
				if err != nil {
					t.Fatal(err)
				}
				if of[who.ID] != 1 {
					t.Errorf("%s fired %d times for u%d", signal, of[who.ID], user)
				}
			}
		}
	})
}

// post sends one batch.
func (c *child) post(key, text string) bool {
	req, err := http.NewRequest("POST", c.url+"/v1/batch", strings.NewReader(text))
	if err != nil {
		return false
	}
	req.Header.Set("Authorization", "Bearer "+key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode == 200
}

// holds tells whether a signal holds for somebody now.
func (s *watching) holds(user, signal string) bool {
	s.t.Helper()
	ctx := context.Background()
	scope, err := s.h.engine.PersonScope(ctx, "shop", "user:"+user)
	if err != nil {
		s.t.Fatal(err)
	}
	who, err := s.h.engine.Profile(ctx, scope)
	if err != nil {
		s.t.Fatal(err)
	}
	states, err := s.h.engine.Signals(ctx, "shop", who, now)
	if err != nil {
		s.t.Fatal(err)
	}
	return slices.ContainsFunc(states, func(x need.SignalState) bool { return x.Signal == signal && x.Holds })
}
