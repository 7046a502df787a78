package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rapport-cx/rapport/packs"
)

// prices are all prices in an answer, wherever they stand, sorted.
func prices(v any) (all []string) {
	switch v := v.(type) {
	case object:
		for key, x := range v {
			if key == "price" {
				text, _ := json.Marshal(x)
				all = append(all, string(text))
			}
			all = append(all, prices(x)...)
		}
	case []any:
		for _, x := range v {
			all = append(all, prices(x)...)
		}
	}
	slices.Sort(all)
	return all
}

// shelve puts two air fryers on the shelf, and two public promotions.
func (s *shop) shelve() {
	s.t.Helper()
	for id, litres := range map[string]int{"fryer-4": 4, "fryer-7": 7} {
		s.do("PUT", "/v1/items/"+id, object{"kind": "product", "title": object{"zh": fmt.Sprintf("空气炸锅 %d 升", litres), "en": fmt.Sprintf("Air fryer %d L", litres)},
			"category": "空气炸锅", "price": object{"amount": 10000 * litres, "currency": "CNY"}, "attributes": object{"capacity": object{"value": litres, "unit": "L"}}, "available": true})
	}
	s.do("PUT", "/v1/records/promotion/P1", object{"title": object{"zh": "全场满 300 减 30", "en": "¥30 off from ¥300"}, "tags": []string{"saving"}})
	s.do("PUT", "/v1/records/promotion/P2", object{"title": object{"zh": "小家电多保一年", "en": "one more year of warranty"}, "tags": []string{"service"}})
}

func (s *shop) bought(user, id string, days int, fields object) {
	s.t.Helper()
	record := object{"person": user, "updated_at": daysAgo(days), "status": "delivered", "lines": []object{{"product_id": "shirt", "quantity": 1}}}
	for k, v := range fields {
		record[k] = v
	}
	s.do("PUT", "/v1/records/order/"+id, record)
}

func (s *shop) viewed(user, topic string, days ...int) {
	s.t.Helper()
	for _, d := range days {
		s.do("POST", "/v1/page", object{"userId": user, "timestamp": daysAgo(d), "messageId": fmt.Sprint(user, topic, d), "properties": object{"topic": topic}})
	}
}

// Six groups ask the same. What comes first, the words and the route differ; what it
// costs and what they are entitled to do not.
func TestMission_1_8_SixGroupsGetSixAnswersAtOnePrice(t *testing.T) {
	t.Parallel()
	s := openShopWith(t, "base", "retail")
	s.shelve()
	groups := []struct{ user, tag, first string }{
		{"u-student", "student", "simple_words"},
		{"u-company", "company", "company_desk"},
		{"u-new", "new", "first_order"},
		{"u-returning", "returning", "buy_again"},
		{"u-price", "price_minded", "promotion_saving"},
		{"u-quality", "quality_minded", "what_it_is_made_of"},
	}
	old := func(user string) { s.viewed(user, "home", 200) }
	old("u-student")
	s.do("POST", "/v1/identify", object{"userId": "u-student", "timestamp": daysAgo(100), "messageId": "i1", "traits": object{"account_type": "student"}})
	old("u-company")
	s.do("POST", "/v1/identify", object{"userId": "u-company", "timestamp": daysAgo(100), "messageId": "i2", "traits": object{"account_type": "company", "company_name": "安和物业"}})
	old("u-returning")
	s.bought("u-returning", "old-1", 90, nil)
	s.bought("u-returning", "old-2", 60, nil)
	old("u-price")
	s.viewed("u-price", "promotions", 9, 6, 3)
	old("u-quality")
	s.viewed("u-quality", "quality", 9, 6, 3)
	for _, g := range groups {
		s.bought(g.user, "shirt-of-"+g.user, 3, object{"lines": []object{{"product_id": "shirt", "quantity": 1, "returnable_until": daysAgo(-4)}}})
	}

	var cost, right string
	seen := map[string]bool{}
	for _, g := range groups {
		answer := s.ask(g.user, "推荐一款空气炸锅", object{"limit": 4})
		first := ""
		for _, a := range list(answer, "actions") {
			if first == "" {
				first = a["action"].(string)
			}
		}
		if first != g.first {
			t.Errorf("first of all %s is offered %v, wanted %s", g.user, actionsOf(answer), g.first)
		}
		said := texts(answer)
		if seen[first+said] {
			t.Errorf("%s is answered like another group: %s", g.user, first)
		}
		seen[first+said] = true
		found := prices(answer["blocks"])
		if len(found) == 0 {
			t.Errorf("no price is told to %s", g.user)
		}
		if now := strings.Join(found, " "); cost == "" {
			cost = now
		} else if now != cost {
			t.Errorf("%s is told other prices: %s, others %s", g.user, now, cost)
		}

		back := s.ask(g.user, "衬衫我要退货", object{"scene": object{"locale": "zh-CN", "time": now.Format("2006-01-02T15:04:05Z07:00")}})
		a := find(list(back, "actions"), "action", "return_order")
		if a == nil || a["nature"] != "right" || a["probability"] != 1.0 || a["position"] != 1.0 {
			t.Errorf("the right of %s: %v", g.user, a)
			continue
		}
		reasons, _ := json.Marshal(list(a, "reasons")[0]["text"])
		if is := fmt.Sprint(a["title"], a["treatment"], string(reasons)); right == "" {
			right = is
		} else if is != right {
			t.Errorf("%s is told the right in other words: %s, others %s", g.user, is, right)
		}

		who := s.do("GET", "/v1/people/user:"+g.user, nil)
		tag := find(list(who, "tag_details"), "tag", g.tag)
		if tag == nil || tag["sentence"] == "" || tag["origin"] != "rule" || tag["until"] == nil || len(tag["evidence"].([]any)) == 0 {
			t.Errorf("the tag %s of %s: %v", g.tag, g.user, who["tag_details"])
			continue
		}
		for _, ref := range tag["evidence"].([]any) {
			s.do("GET", "/v1/refs/"+ref.(string), nil)
		}
		if status, me := s.call("GET", "/v1/me", s.w.WriteKey, nil, "X-Identity-Token", s.token(g.user), "Accept-Language", "zh-CN"); status != 200 || find(list(me, "tag_details"), "tag", g.tag) == nil {
			t.Errorf("%s does not read of the tag %s: %d %v", g.user, g.tag, status, me["tag_details"])
		}
	}

	// A tag that is switched off is gone at once; personalisation off takes them all.
	s.do("PUT", "/v1/people/user:u-student/preferences", object{"blocked_tags": []string{"student"}})
	s.do("PUT", "/v1/people/user:u-quality/preferences", object{"personalization": "off"})
	for user, action := range map[string]string{"u-student": "simple_words", "u-quality": "what_it_is_made_of"} {
		if answer := s.ask(user, "推荐一款空气炸锅"); offers(answer, action) {
			t.Errorf("%s is still offered %s", user, action)
		}
	}
	if who := s.do("GET", "/v1/people/user:u-quality", nil); len(list(who, "tag_details")) > 0 {
		t.Errorf("with personalisation off: %v", who["tag_details"])
	}
	if who := s.do("GET", "/v1/people/user:u-student", nil); find(list(who, "tag_details"), "tag", "student") != nil {
		t.Errorf("switched off: %v", who["tag_details"])
	}
}

// edited is a pack's file with one rule of it changed.
func edited(t *testing.T, file, from, to string) object {
	t.Helper()
	text, err := packs.Files.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), from) == 0 {
		t.Fatalf("%s says nothing of %s", file, from)
	}
	return object{file: strings.ReplaceAll(string(text), from, to)}
}

// A rule is changed, published and taken back while the server runs: the next decision
// follows.
func TestMission_4_3_RulesOfEducationAndRetailAreEditedLive(t *testing.T) {
	t.Parallel()
	t.Run("folder", func(t *testing.T) {
		t.Parallel()
		editedLive(t, openShopWith(t, "base", "retail"), nil, usesPromotions)
	})
	t.Run("education", func(t *testing.T) {
		t.Parallel()
		editedLive(t, openShopWith(t, "base", "education"), nil, struggles)
	})
	t.Run("shared database", func(t *testing.T) {
		t.Parallel()
		s := openShopOn(t, sharedDatabases(t)(), "base", "retail")
		editedLive(t, s, s.beside(t), usesPromotions)
	})
}

// edit is a change to one rule of an industry, and a customer to whom it matters.
type edit struct {
	pack, file, from, to string
	prepare              func(s *shop)
	user, asks, action   string
	before               bool // it is offered before the change, and not after; else the other way round
}

var usesPromotions = edit{
	pack: "retail", file: "retail/pack.yaml", from: "orders.promoted_percent >= 60", to: "orders.promoted_percent >= 70",
	user: "dan", asks: "推荐一款空气炸锅", action: "promotion_saving", before: true,
	prepare: func(s *shop) {
		s.shelve()
		s.viewed("dan", "home", 200)
		for i := range 5 {
			fields := object{}
			if i < 3 {
				fields["coupon"] = "SUMMER"
			}
			s.bought("dan", fmt.Sprint("D", i), 90-i, fields)
		}
	},
}

var struggles = edit{
	pack: "education", file: "education/pack.yaml", from: "at_least: 2\n    within: 14d", to: "at_least: 2\n    within: 16d",
	user: "kai", asks: "方程老是做不出来怎么办", action: "teacher_call",
	prepare: func(s *shop) {
		s.do("PUT", "/v1/records/enrolment/E1", object{"person": "kai", "updated_at": daysAgo(40), "course_id": "maths"})
		for i, d := range []int{15, 2} {
			s.do("POST", "/v1/track", object{"userId": "kai", "event": "Quiz Graded", "timestamp": daysAgo(d), "messageId": fmt.Sprint("q", i),
				"properties": object{"skill": "equations", "score": 50}})
		}
	},
}

func editedLive(t *testing.T, s, other *shop, e edit) {
	e.prepare(s)
	follows := func(version any, offered bool) {
		t.Helper()
		answer := s.ask(e.user, e.asks)
		if in, _ := answer["strategy"].(object); in["version"] != version || offers(answer, e.action) != offered {
			t.Errorf("version %v: %v is offered by %v, wanted %s: %v", version, actionsOf(answer), in, e.action, offered)
		}
		if other == nil {
			return
		}
		waitFor(t, other, version)
		if answer := other.ask(e.user, e.asks); offers(answer, e.action) != offered {
			t.Errorf("version %v on the other server: %v", version, actionsOf(answer))
		}
	}
	first := s.ask(e.user, e.asks)["strategy"].(object)["version"]
	follows(first, e.before)
	draft := s.do("POST", "/v1/strategies", object{"packs": []string{"base", e.pack}, "files": edited(t, e.file, e.from, e.to)})
	follows(first, e.before) // a draft changes nothing
	s.do("POST", fmt.Sprintf("/v1/strategies/%v/publish", draft["version"]), object{"note": "another threshold"})
	follows(draft["version"], !e.before)
	s.do("POST", fmt.Sprintf("/v1/strategies/%v/rollback", first), nil)
	follows(first, e.before)

	// A change that its own cases contradict is refused, with the place.
	broken := s.do("POST", "/v1/strategies", object{"packs": []string{"base", e.pack}, "files": object{"shop/rules.yaml": "without: [" + e.action + "]\n"}})
	if status, out := s.call("POST", fmt.Sprintf("/v1/strategies/%v/publish", broken["version"]), s.w.SecretKey, object{}); status < 400 {
		t.Errorf("a rule whose cases fail was published: %v", out)
	}
	follows(first, e.before)
}
