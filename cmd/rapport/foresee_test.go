package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/need/predict"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/workspace"
)

// foresighted gives a shop a model that a night's learning would have made: customers
// who look at the fit guide three times ask for a return within the week.
func foresighted(s *shop, now time.Time) {
	s.t.Helper()
	const people, days = 1500, 200
	r := rand.New(rand.NewPCG(7, 7))
	start := now.AddDate(0, 0, -days)
	tr := predict.NewTrainer(predict.Options{Horizon: 14 * 24 * time.Hour})
	for i := range people {
		var all []*event.Event
		happened := func(name string, day float64) {
			id := event.ID{byte(i >> 8), byte(i), byte(len(all))}
			all = append(all, &event.Event{ID: id, Kind: event.Track, Name: name, Verified: true, Body: []byte("{}"), Time: start.Add(time.Duration(day * 24 * float64(time.Hour)))})
		}
		happened("Order Completed", 0)
		var said []predict.Spoken
		if i%2 == 0 {
			first := float64(10 + r.IntN(days-20))
			for k := range 3 {
				happened("Fit Guide Viewed", first+float64(k))
			}
			said = []predict.Spoken{{At: start.Add(time.Duration((first + 6) * 24 * float64(time.Hour))), Need: "aftersale.return_refund"}}
		}
		tr.Add(profile.Fold("per_x", nil, all, 0), said, start, now, nil)
	}
	m := tr.Train()
	if _, proven := m.Sure(); !proven {
		s.t.Fatalf("the model is not sure: %+v", m.About().HeldOut)
	}
	text, err := m.Marshal()
	if err != nil {
		s.t.Fatal(err)
	}
	note := object{"model": "foresight", "version": 1, "at": now, "about": m.About()}
	body, _ := json.Marshal(object{"foreseen": note, "model": json.RawMessage(text)})
	pointer, _ := json.Marshal(note)
	err = s.h.store.SavePapers(context.Background(), "shop", []workspace.Paper{
		{Kind: "model.foresight", ID: "0000000001", Body: body}, {Kind: "model.foresight", ID: "newest", Body: pointer},
	})
	if err == nil {
		_, err = s.h.engine.LearnNeeds(context.Background(), "shop", s.h.alone)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// lingers lets a customer with an order look at the fit guide, so many times.
func lingers(s *shop, at func(time.Duration) string, user, locale, zone string, times int) {
	s.t.Helper()
	s.do("POST", "/v1/identify", object{"userId": user, "traits": object{"locale": locale, "timezone": zone}, "timestamp": at(31 * 24 * time.Hour)})
	s.do("PUT", "/v1/items/shirt", object{"kind": "product", "title": object{"zh": "亚麻衬衫", "en": "Linen shirt"}})
	s.do("POST", "/v1/track", object{"userId": user, "event": "Order Completed", "timestamp": at(30 * 24 * time.Hour), "properties": object{"order_id": "T-" + user}})
	s.do("PUT", "/v1/records/order/T-"+user, object{"person": "user:" + user, "updated_at": at(96 * time.Hour), "status": "delivered",
		"lines": []object{{"product_id": "shirt", "quantity": 1, "returnable_until": at(-73 * time.Hour)}}})
	for i := range times {
		s.do("POST", "/v1/track", object{"userId": user, "event": "Fit Guide Viewed", "timestamp": at(time.Duration(times-1-i)*24*time.Hour + time.Minute)})
	}
}

func foreseenOf(s *shop, user string) (open, done []object) {
	s.t.Helper()
	for _, f := range list(s.do("GET", "/v1/firings?person=user:"+user, nil), "items") {
		if f["signal"] == "foreseen:aftersale.return_refund" {
			if f["state"] == "open" {
				open = append(open, f)
			} else {
				done = append(done, f)
			}
		}
	}
	return open, done
}

func TestAForeseenNeedIsSpokenOfUnaskedOnce(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, on memory) {
		clock := atTheTime(12, 0)
		noon := clock.now()
		on.clock = clock.now
		s, c := openShopOn(t, on, "base", "retail"), openCompany(t)
		c.hook(s)
		foresighted(s, clock.now())
		conversation := s.do("POST", "/v1/conversations", object{"user_id": "mei"})["id"].(string)
		said := s.listen(conversation, s.w.WriteKey, "X-Identity-Token", s.token("mei"))
		lingers(s, clock.stamp, "li", "zh-CN", "Asia/Shanghai", 0) // never looked
		lingers(s, clock.stamp, "mei", "zh-CN", "Asia/Shanghai", 3)
		if text := fmt.Sprint(hears(t, said)["text"]); !strings.Contains(text, "还有 3 天可以退") {
			t.Errorf("she hears %q", text)
		}
		call := c.next(t)
		if call.parcel["signal"] != "foreseen:aftersale.return_refund" || len(call.parcel["events"].([]any)) < 3 {
			t.Errorf("the company is told %v", call.parcel)
		}
		made := s.decided("mei")
		if len(made) != 1 || !slices.Equal(actionsOf(made[0]), []string{"return_ahead"}) {
			t.Fatalf("decided: %v", made)
		}
		n := find(list(made[0], "needs"), "origin", "predicted")
		table := made[0]["evidence"].(object)
		model, looked, cited := "", 0, []string{}
		for _, name := range n["evidence"].([]any) {
			ref := table[name.(string)].(object)["ref"].(string)
			if strings.HasPrefix(ref, "model:foresight") {
				model = ref
			} else {
				cited = append(cited, ref)
			}
			if opened := s.do("GET", "/v1/refs/"+strings.ReplaceAll(ref, "@", "%40"), nil); strings.Contains(fmt.Sprint(opened), "Fit Guide Viewed") {
				looked++
			}
		}
		if n["intent"] != "aftersale.return_refund" || model == "" || looked < 3 {
			t.Errorf("the need %v cites the model %q and %d looks", n, model, looked)
		}
		why := s.do("GET", "/v1/decisions/"+made[0]["id"].(string)+"/explanation", nil)
		if told := fmt.Sprint(why["procedure"]); !strings.Contains(told, "需求预测模型第 1 版预计") {
			t.Errorf("it says it was made so: %s", told)
		}
		if x := find(list(why, "needs"), "id", n["id"]); x == nil || len(list(x, "parts")) == 0 {
			t.Errorf("the explanation does not tell the parts: %v", why["needs"])
		}

		// English, and quiet hours by the customer's own clock.
		lingers(s, clock.stamp, "kiri", "en", "America/Los_Angeles", 3)  // nine in the evening there
		lingers(s, clock.stamp, "night", "zh-CN", "America/New_York", 3) // midnight there
		lingers(s, clock.stamp, "asks", "zh-CN", "America/New_York", 3)
		s.until("what is foreseen of kiri", func() bool { return len(s.decided("kiri")) > 0 })
		if got := s.decided("kiri"); !strings.Contains(texts(got[0]), "can be returned for 3 more days") {
			t.Errorf("kiri is told %q", texts(got[0]))
		}
		held := func(user string) bool {
			open, _ := foreseenOf(s, user)
			return len(open) == 1 && open[0]["reason"] == "quiet_hours"
		}
		s.until("the quiet of New York", func() bool { return held("night") && held("asks") })
		// asks asks for it in the night: there is nothing left to say in the morning.
		s.ask("asks", "我要退货", object{"scene": object{"time": clock.stamp(0)}})

		// Over a restart, the next morning, and however often they look again: once.
		s.restart()
		clock.set(noon.Add(9 * time.Hour))
		s.until("the morning in New York", func() bool { return len(s.decided("night")) > 0 })
		s.until("asks is let alone", func() bool { _, done := foreseenOf(s, "asks"); return len(done) == 1 })
		for _, user := range []string{"mei", "night", "asks"} {
			s.do("POST", "/v1/track", object{"userId": user, "event": "Fit Guide Viewed", "timestamp": clock.stamp(0)})
		}
		lingers(s, clock.stamp, "last", "zh-CN", "Asia/Shanghai", 3) // who comes after them
		s.until("what is foreseen of the last", func() bool { return len(s.decided("last")) > 0 })
		for user, want := range map[string]int{"mei": 1, "night": 1, "kiri": 1, "asks": 0, "li": 0} {
			if got := s.decided(user); len(got) != want {
				t.Errorf("%s was written to %d times, wanted %d: %v", user, len(got), want, got)
			}
		}
		if _, done := foreseenOf(s, "asks"); len(done) != 1 || done[0]["reason"] != "already_spoken" {
			t.Errorf("asks: %v", done)
		}
		for _, d := range []object{made[0], s.decided("night")[0]} {
			if r := s.do("POST", "/v1/decisions/"+d["id"].(string)+"/replay", object{}); r["identical"] != true {
				t.Errorf("the replay differs at %v", r["changed"])
			}
		}
		without := s.do("POST", "/v1/decisions/"+made[0]["id"].(string)+"/replay", object{"without": cited})
		if d, _ := without["decision"].(object); len(list(d, "needs")) > 0 {
			t.Errorf("without her looks it is foreseen all the same: %v", d["needs"])
		}
	})
}

// What is sent of a foreseen need counts with everything else on its subject: one
// message in two weeks, none after "no thanks", and both are told.
func TestAForeseenNeedKeepsToCapsAndSilence(t *testing.T) {
	t.Parallel()
	clock := atTheTime(12, 0)
	noon, s := clock.now(), openRetail(t, clock)
	foresighted(s, clock.now())
	order := func(user string) {
		s.do("PUT", "/v1/records/order/T-"+user, object{"person": "user:" + user, "updated_at": clock.stamp(time.Hour), "status": "delivered",
			"lines": []object{{"product_id": "shirt", "quantity": 1, "returnable_until": clock.stamp(-60 * 24 * time.Hour)}}})
	}
	sends := func(user string) (sent int) {
		for _, d := range s.decided(user) {
			if len(actionsOf(d)) > 0 {
				sent++
			}
		}
		return sent
	}
	// told gives the stage and rule that stopped the foreseen message of somebody.
	told := func(user string) (rule string) {
		_, done := foreseenOf(s, user)
		for _, f := range done {
			if f["reason"] == "nothing_passed" {
				why := s.do("GET", "/v1/decisions/"+f["decision_id"].(string)+"/explanation", nil)
				if r := find(list(why, "rejected"), "action", "return_ahead"); r != nil {
					rule = fmt.Sprint(r["stage"], " ", r["rule"])
				}
			}
		}
		return rule
	}
	in := func(lang, path string) object {
		_, out := s.call("GET", path, s.w.SecretKey, nil, "Accept-Language", lang)
		return out
	}
	// cap hesitates over the returns page and is written to; then a return is foreseen.
	lingers(s, clock.stamp, "cap", "zh-CN", "Asia/Shanghai", 0)
	order("cap")
	for _, h := range []time.Duration{60, 40, 1} {
		s.do("POST", "/v1/track", object{"userId": "cap", "event": "Page Viewed", "timestamp": clock.stamp(h * time.Hour), "properties": object{"topic": "returns_policy"}})
	}
	s.until("the message over the returns page", func() bool { return sends("cap") == 1 })
	for _, user := range []string{"cap", "no", "yes"} {
		if user != "cap" {
			lingers(s, clock.stamp, user, "zh-CN", "Asia/Shanghai", 0)
			order(user)
		}
		for i := range 3 {
			s.do("POST", "/v1/track", object{"userId": user, "event": "Fit Guide Viewed", "timestamp": clock.stamp(time.Duration(2-i)*24*time.Hour + time.Minute)})
		}
	}
	s.until("what is foreseen of all three", func() bool { return told("cap") != "" && sends("no") == 1 && sends("yes") == 1 })
	if got := told("cap"); got != "contact_policy cap.returns" || sends("cap") != 1 {
		t.Errorf("after one message it was stopped by %q; %d were sent", got, sends("cap"))
	}
	// Its name is one that a person reads, in their language.
	for lang, want := range map[string]string{"zh-CN": "预计会提出的诉求：退货退款", "en": "Foreseen: Return or refund"} {
		f := in(lang, "/v1/firings?person=user:no")
		if got := find(list(f, "items"), "signal", "foreseen:aftersale.return_refund"); got == nil || got["title"] != want {
			t.Errorf("in %s it is called %v", lang, got["title"])
		}
		timeline := in(lang, "/v1/people/user:no/timeline")
		if got := find(list(timeline, "items"), "event", "Decision Sent"); got == nil || got["occasion"] != want {
			t.Errorf("in %s the timeline calls it %v", lang, got["occasion"])
		}
	}
	// no waves it off, yes does not. Three weeks later a return is foreseen again.
	s.do("POST", "/v1/decisions/"+s.decided("no")[0]["id"].(string)+"/outcomes", object{"outcome": "dismissed"})
	clock.set(noon.AddDate(0, 0, 21))
	for _, user := range []string{"no", "yes"} {
		order(user)
		for i := range 3 {
			s.do("POST", "/v1/track", object{"userId": user, "event": "Fit Guide Viewed", "timestamp": clock.stamp(time.Duration(2-i)*24*time.Hour + time.Minute)})
		}
	}
	s.until("what is foreseen three weeks later", func() bool { return told("no") != "" && sends("yes") == 2 })
	if got := told("no"); got != "contact_policy suppressed" || sends("no") != 1 {
		t.Errorf("after \"no thanks\" it was stopped by %q; %d were sent", got, sends("no"))
	}
}
