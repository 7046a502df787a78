package main

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"strings"
	"testing"
	"time"
)

// offered finds the offer of an answer whose propensity is told, and its explanation.
func offered(t *testing.T, answer object) (action string, choice object) {
	t.Helper()
	x, _ := answer["explanation"].(object)
	for _, c := range list(x, "chosen") {
		if c["nature"] != "right" && c["propensity"] != nil {
			return c["action"].(string), c
		}
	}
	t.Fatalf("nothing with a propensity is offered: %v", answer)
	return "", nil
}

// What came of the decisions becomes a model; it decides from then on, tells its
// parts, and stays the one that a decision rested on.
func TestWhatCameOfDecisionsIsLearned(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, on memory) {
		s := openShopOn(t, on)
		ctx := context.Background()
		question := "笔记本怎么连打印机"
		scene := func(device string, days int) object {
			return object{"scene": object{"time": daysAgo(days), "device": object{"type": device}}}
		}
		var first object
		for i := range 60 {
			user, device := fmt.Sprintf("lin%d", i), []string{"mobile", "desktop"}[i%2]
			s.laptop(user, fmt.Sprintf("SN-%d", i), daysAgo(-60))
			answer := s.ask(user, question, scene(device, 20))
			if first == nil {
				first = answer
			}
			for _, a := range list(answer, "actions") {
				seen := object{"decision_id": answer["id"], "action": a["action"]}
				s.do("POST", "/v1/track", object{"userId": user, "event": "Decision Shown", "timestamp": daysAgo(20), "properties": seen})
				if device == "mobile" {
					s.do("POST", "/v1/track", object{"userId": user, "event": "Accepted", "timestamp": daysAgo(19), "properties": seen})
				}
			}
		}
		if learned, err := s.h.engine.Learn(ctx, "shop", s.h.alone); err != nil || !learned {
			t.Fatalf("learned: %v, %v", learned, err)
		}
		if again, err := s.h.engine.Learn(ctx, "shop", s.h.alone); err != nil || again {
			t.Errorf("nothing has come since, and something is learned: %v %v", again, err)
		}
		chance := map[string]float64{}
		var decided object
		for _, device := range []string{"mobile", "desktop"} {
			decided = s.ask("lin0", question, scene(device, 0))
			action, c := offered(t, decided)
			chance[device] = c["propensity"].(float64)
			sum, told := 0.0, false
			for _, p := range list(c, "parts") {
				sum += p["value"].(float64)
				told = told || p["name"] == "learned scene.device="+device
			}
			if p := 1 / (1 + math.Exp(-sum)); !told || math.Abs(p-chance[device]) > 1e-9 {
				t.Errorf("%s on a %s: the parts %v make %v, told is %v", action, device, c["parts"], p, chance[device])
			}
		}
		if chance["mobile"] < chance["desktop"]+.1 {
			t.Errorf("those on a phone took it, the others did not; the chances are %v", chance)
		}
		x := decided["explanation"].(object)
		if v := x["inputs"].(object)["model_versions"].(object)["propensity"]; v != "1" {
			t.Errorf("it rests on model %v", v)
		}
		ref := ""
		for _, e := range x["evidence"].(object) {
			if r := e.(object)["ref"].(string); strings.HasPrefix(r, "model:propensity") {
				ref = r
			}
		}
		if ref == "" {
			t.Fatalf("no part cites the model: %v", x["evidence"])
		}
		opened := s.do("GET", "/v1/refs/"+url.PathEscape(ref), nil)
		if about, _ := opened["data"].(object)["about"].(object); about["samples"].(float64) < 60 {
			t.Errorf("%s opens onto %v", ref, opened)
		}
		s.restart()
		for _, d := range []object{first, decided} {
			if r := s.do("POST", "/v1/decisions/"+d["id"].(string)+"/replay", object{}); r["identical"] != true {
				t.Errorf("after the restart a decision comes out otherwise at %v", r["changed"])
			}
		}
		if _, c := offered(t, s.ask("lin0", question, scene("mobile", 0))); math.Abs(c["propensity"].(float64)-chance["mobile"]) > 1e-9 {
			t.Errorf("after the restart the chance is %v, before it was %v", c["propensity"], chance["mobile"])
		}
	})
}

// Customers who keep looking at the fit guide ask about a return soon after; of the
// next one who does, that is foreseen before they ask, with what it was read from.
func TestTheNextNeedIsForeseen(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := openShop(t)
	bought := func(user string, days int) {
		s.do("POST", "/v1/track", object{"userId": user, "event": "Order Completed", "timestamp": daysAgo(days), "properties": object{"order_id": "O" + user}})
	}
	looks := func(user string, upTo int) {
		for _, d := range []int{21, 18, 14, 11, 7, 4, 0} {
			s.do("POST", "/v1/track", object{"userId": user, "event": "Fit Guide Viewed", "timestamp": daysAgo(upTo + d)})
		}
	}
	for i := range 140 {
		user, asked := fmt.Sprintf("mei%d", i), 40+i*7%360 // in every season
		bought(user, asked+90+i%11)
		if i%2 == 0 {
			looks(user, asked+10)
			s.ask(user, "我要退货", object{"scene": object{"time": daysAgo(asked)}})
		} else {
			s.ask(user, "怎么开发票", object{"scene": object{"time": daysAgo(asked + 70)}})
		}
	}
	meet := func(user string) object {
		return s.do("POST", "/v1/decisions", object{"user_id": user, "placement": "home", "explain": true, "scene": object{"time": now.Format(time.RFC3339)}})
	}
	bought("new", 90)
	looks("new", 0)
	bought("other", 90)
	before := meet("new")
	if got := list(before, "needs"); len(got) > 0 {
		t.Fatalf("nothing is learned, and foreseen are %v", got)
	}
	if learned, err := s.h.engine.LearnNeeds(ctx, "shop", s.h.alone); err != nil || !learned {
		t.Fatalf("learned: %v, %v", learned, err)
	}
	if again, err := s.h.engine.LearnNeeds(ctx, "shop", s.h.alone); err != nil || again {
		t.Errorf("learned anew on the same day: %v, %v", again, err)
	}
	answer := meet("new")
	x := answer["explanation"].(object)
	if v := x["inputs"].(object)["model_versions"].(object)["foresight"]; v != "1" {
		t.Errorf("it rests on model %v", v)
	}
	foreseen := find(list(answer, "needs"), "intent", "aftersale.return_refund")
	if foreseen == nil || foreseen["origin"] != "predicted" {
		t.Fatalf("foreseen are %v", answer["needs"])
	}
	table := answer["evidence"].(object)
	events, model := 0, ""
	for _, name := range foreseen["evidence"].([]any) {
		ref := table[name.(string)].(object)["ref"].(string)
		opened := s.do("GET", "/v1/refs/"+url.PathEscape(ref), nil)
		if strings.HasPrefix(ref, "model:foresight") {
			model = ref
			if about, _ := opened["data"].(object)["about"].(object); about["samples"].(float64) < 500 {
				t.Errorf("%s opens onto %v", ref, opened)
			}
		} else if strings.HasPrefix(ref, "evt_") {
			events++
		}
	}
	if model == "" || events < 7 {
		t.Errorf("the need cites the model %q and %d events, wanted the seven looks", model, events)
	}
	why := find(list(x, "needs"), "id", foreseen["id"])
	sum, told := 0.0, false
	for _, p := range list(why, "parts") {
		sum += p["value"].(float64)
		told = told || strings.HasPrefix(p["name"].(string), "Fit Guide Viewed") && len(p["evidence"].([]any)) > 0
	}
	chance, _ := why["chance"].(float64)
	if p := 1 / (1 + math.Exp(-sum)); chance < .9 || math.Abs(p-chance) > 1e-9 || !told {
		t.Errorf("the parts %v make %v; told is %v", why["parts"], p, why["chance"])
	}
	if got := list(meet("other"), "needs"); len(got) > 0 {
		t.Errorf("of who never looked is foreseen %v", got)
	}
	if got := s.ask("new", "怎么开发票"); find(list(got, "needs"), "origin", "predicted") != nil {
		t.Errorf("who asks for something is answered that: %v", got["needs"])
	}
	s.restart()
	for _, d := range []object{before, answer} {
		if r := s.do("POST", "/v1/decisions/"+d["id"].(string)+"/replay", object{}); r["identical"] != true {
			t.Errorf("after the restart a decision comes out otherwise at %v", r["changed"])
		}
	}
	if again := find(list(meet("new"), "needs"), "intent", "aftersale.return_refund"); again == nil || again["confidence"] != foreseen["confidence"] {
		t.Errorf("after the restart foreseen is %v, before it was %v", again, foreseen)
	}
	s.do("PUT", "/v1/people/new/preferences", object{"personalization": "off"})
	if got := list(meet("new"), "needs"); len(got) > 0 {
		t.Errorf("personalisation is off, and foreseen are %v", got)
	}
}
