package api

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// shop puts the goods, articles and orders that the dialogues below are about. u1
// has one order on its way (1001, a Lark 3) and one that came yesterday (1002, a Lark 5).
func shop(t *testing.T) *door {
	t.Helper()
	d := whole(t)
	put := func(path, body string) {
		t.Helper()
		d.want(200, "", "PUT", "/v1/"+path, "sk_shop", body)
	}
	put("items/lark3", `{"kind":"product","title":{"zh":"云雀 3","en":"Lark 3"},"aliases":["云雀3"],"category":"purifier","warranty":{"months":24},"price":{"amount":299900,"currency":"CNY"},"attributes":{"noise":{"value":32,"unit":"dB"},"area":{"value":40,"unit":"m2"},"household_size":"1-2"},"available":true}`)
	put("items/lark3-white", `{"kind":"product","variant_of":"lark3","title":{"zh":"云雀 3 白色","en":"Lark 3 white"},"price":{"amount":299900,"currency":"CNY"},"attributes":{"color":"white"},"available":true}`)
	put("items/lark3-black", `{"kind":"product","variant_of":"lark3","title":{"zh":"云雀 3 黑色","en":"Lark 3 black"},"price":{"amount":309900,"currency":"CNY"},"attributes":{"color":"black"},"available":false}`)
	put("items/lark5", `{"kind":"product","title":{"zh":"云雀 5","en":"Lark 5"},"aliases":["云雀5"],"category":"purifier","warranty":{"months":24},"price":{"amount":399900,"currency":"CNY"},"attributes":{"noise":{"value":28,"unit":"dB"},"area":{"value":60,"unit":"m2"},"household_size":"3-5"},"available":false}`)
	put("articles/noise", `{"title":"净化器声音大怎么办","body":"声音大多半是滤芯堵了，先清理滤网。","lang":"zh"}`)
	put("articles/noise-base", `{"title":"净化器声音大的另一个原因","body":"声音大也可能是底座没放平，垫平后再试。","lang":"zh"}`)
	put("articles/noise-en", `{"title":"The purifier is loud","body":"A loud purifier mostly has a blocked filter: clean the mesh first.","lang":"en"}`)
	put("articles/noise-base-en", `{"title":"Another reason why a purifier is loud","body":"A loud purifier may not stand level: put something under its base.","lang":"en"}`)
	put("records/order/1001", `{"person":"u1","status":"shipped","ordered_at":"2026-04-28T08:00:00Z","updated_at":"2026-04-30T08:00:00Z","lines":[{"product_id":"lark3"}]}`)
	put("records/order/1002", `{"person":"u1","status":"delivered","ordered_at":"2026-05-01T08:00:00Z","delivered_at":"2026-05-01T20:00:00Z","updated_at":"2026-05-01T20:00:00Z","lines":[{"product_id":"lark5","returnable_until":"2026-05-09"}]}`)
	return d
}

func need1(answer map[string]any) map[string]any {
	if all := list(answer["needs"]); len(all) > 0 {
		return dict(all[0])
	}
	return map[string]any{}
}

func offers(answer map[string]any, action string) bool {
	for _, a := range list(answer["actions"]) {
		if dict(a)["action"] == action {
			return true
		}
	}
	return false
}

func TestMission_1_5_TheSameQuestionIsAnsweredDifferentlyThenByAPerson(t *testing.T) {
	t.Parallel()
	for _, l := range []struct{ locale, ask, first, second, third string }{
		{"zh", "净化器声音大怎么办", "滤芯", "底座", "不再重复"},
		{"en", "My purifier is loud, what can I do?", "filter", "base", "won't repeat"},
	} {
		t.Run(l.locale, func(t *testing.T) {
			t.Parallel()
			d := shop(t)
			first := talks(d, "sk_shop", `"user_id":"u7"`).say(l.ask)
			if !strings.Contains(words(first), l.first) {
				t.Fatalf("the first answer: %s", words(first))
			}
			// The next day, in another conversation.
			d.set(d.now().AddDate(0, 0, 1))
			second := talks(d, "sk_shop", `"user_id":"u7"`).say(l.ask)
			if strings.Contains(words(second), words(first)) || !strings.Contains(words(second), l.second) || need1(second)["repeated"] != 1.0 {
				t.Errorf("the second answer: %s %v", words(second), need1(second))
			}
			// A week later, in another channel that keeps its own transcript.
			d.set(d.now().AddDate(0, 0, 7))
			third := d.want(200, "", "POST", "/v1/decisions", "sk_shop", fmt.Sprintf(`{"user_id":"u7","enquiry":{"text":%q},"scene":{"channel":"wechat"}}`, l.ask)).json(t)
			if need1(third)["status"] != "handover" || !strings.Contains(words(third), l.third) || strings.Contains(words(third), l.first) || strings.Contains(words(third), l.second) {
				t.Errorf("the third answer: %s %v", words(third), need1(third))
			}
			if ev := list(need1(third)["evidence"]); len(ev) != 2 {
				t.Errorf("that it was asked twice rests on %v", ev)
			}
			if r := d.want(200, "", "POST", "/v1/decisions/"+third["id"].(string)+"/replay", "sk_shop", "").json(t); r["identical"] != true {
				t.Errorf("a replay differs at %v", r["changed"])
			}
			// Somebody else asks it for the first time.
			if a := talks(d, "sk_shop", `"user_id":"u8"`).say(l.ask); need1(a)["repeated"] != nil || !strings.Contains(words(a), l.first) {
				t.Errorf("another customer is told %s", words(a))
			}
		})
	}
}

func TestMission_1_5_WhatWasShownInAnotherChannelCountsAsSaid(t *testing.T) {
	t.Parallel()
	d := shop(t)
	ask := func() map[string]any {
		d.set(d.now().Add(time.Hour))
		return d.want(200, "", "POST", "/v1/decisions", "sk_shop", `{"user_id":"u7","enquiry":{"text":"净化器声音大怎么办"}}`).json(t)
	}
	first := ask()
	if a := ask(); need1(a)["repeated"] != nil {
		t.Errorf("an answer that nobody has seen counts: %v", need1(a))
	}
	// What the sender claims it was asked is not believed.
	d.want(200, "", "POST", "/v1/track", "sk_shop", fmt.Sprintf(`{"userId":"u7","event":"Decision Shown","properties":{"decision_id":%q,"asked":[{"intent":"order.cancel"}]}}`, first["id"]))
	if a := ask(); need1(a)["repeated"] != 1.0 {
		t.Errorf("an answer that was shown does not count: %v", need1(a))
	}
	d.want(200, "", "POST", "/v1/decisions/"+first["id"].(string)+"/outcomes", "sk_shop", `{"outcome":"resolved"}`)
	if a := ask(); need1(a)["repeated"] != nil {
		t.Errorf("a matter that is resolved counts: %v", need1(a))
	}
}

func TestMission_1_5_AStatusThatMovedIsANewAnswer(t *testing.T) {
	t.Parallel()
	d := shop(t)
	c := talks(d, "sk_shop", `"user_id":"u1"`)
	c.say("我的订单到哪了")
	if a := c.say("我的订单到哪了"); need1(a)["repeated"] != 1.0 || !strings.Contains(words(a), "还没有变") {
		t.Errorf("asked again, nothing new: %s", words(a))
	}
	d.want(200, "", "PUT", "/v1/records/order/1001", "sk_shop", `{"person":"u1","status":"out_for_delivery","ordered_at":"2026-04-28T08:00:00Z","updated_at":"2026-05-02T11:00:00Z","lines":[{"product_id":"lark3"}]}`)
	if a := c.say("我的订单到哪了"); need1(a)["repeated"] != nil || !strings.Contains(words(a), "派送中") {
		t.Errorf("asked again, and it has moved: %s", words(a))
	}
}

func TestAGreetingAndThanksAreReturned(t *testing.T) {
	t.Parallel()
	d := shop(t)
	for _, l := range [][]string{
		{"你好", "智能服务顾问", "谢谢", "不客气", "你是机器人吗", "不是真人", "好的", "直接说"},
		{"hello", "AI service adviser", "thanks", "welcome", "Are you a robot?", "not a person", "ok", "anything else"},
	} {
		c := talks(d, "wk_shop", `"anonymous_id":"a1"`)
		for i := 0; i < len(l); i += 2 {
			a := c.say(l[i])
			if len(blocks(a, "text")) != 1 || !strings.Contains(words(a), l[i+1]) || phase(a) != "adviser" || len(list(a["actions"])) > 0 {
				t.Errorf("%q is answered %q, and the customer is with the %v", l[i], words(a), phase(a))
			}
		}
	}
}

func TestAProductThatNobodyKnowsIsNamedAsUnknown(t *testing.T) {
	t.Parallel()
	d := shop(t)
	for text, unknown := range map[string]string{"云雀3和云雀9哪个好": "云雀9", "对比一下云雀 3 跟 X20 Pro 的区别": "X20 Pro", "Compare the Lark 3 and the Lark 9": "Lark 9", "Which is better, Lark 3 or Swift X2?": "Swift X2"} {
		a := talks(d, "wk_shop", `"anonymous_id":"a1"`).say(text)
		if !strings.Contains(words(a), unknown) || phase(a) != "adviser" || !strings.Contains(words(a), "2999") {
			t.Errorf("%q is answered %q", text, words(a))
		}
		if strings.Contains(words(a), "云雀 5") || strings.Contains(words(a), "Lark 5") {
			t.Errorf("%q: another product stands in for the unknown one: %q", text, words(a))
		}
	}
	if a := talks(d, "wk_shop", `"anonymous_id":"a2"`).say("云雀3和云雀5哪个好"); len(blocks(a, "table")) != 1 || strings.Contains(words(a), "没有资料") {
		t.Errorf("two known ones: %q", words(a))
	}
}

func TestNothingIsSoldBesideAHandOver(t *testing.T) {
	t.Parallel()
	d := shop(t)
	for _, text := range []string{"云雀5多少钱，另外你们的会员日是几号，转人工", "How much is the Lark 5, and get me a human"} {
		a := talks(d, "sk_shop", `"user_id":"u1"`).say(text)
		if phase(a) != "waiting" {
			t.Fatalf("%q: with the %v", text, phase(a))
		}
		for _, x := range list(a["actions"]) {
			if dict(x)["nature"] == "sale" {
				t.Errorf("%q: %v is sold beside a hand-over", text, dict(x)["action"])
			}
		}
	}
}

func TestMission_1_3_WhatIsLeftUnsaidIsTakenFromTheTurnBefore(t *testing.T) {
	t.Parallel()
	d := shop(t)
	for _, l := range [][3]string{
		{"云雀3有货吗", "黑色的呢", "云雀 3 黑色现在没有货"},
		{"云雀3多少钱", "黑色的呢", "¥3099"},
		{"Is the Lark 3 in stock?", "and the black one?", "Lark 3 black is out of stock"},
	} {
		c := talks(d, "wk_shop", `"anonymous_id":"a1"`)
		c.say(l[0])
		if a := c.say(l[1]); !strings.Contains(words(a), l[2]) {
			t.Errorf("%q, then %q is answered %q %v", l[0], l[1], words(a), need1(a))
		}
	}
}

func TestAnAssumptionIsAskedAndWhatTheCustomerSaysIsKept(t *testing.T) {
	t.Parallel()
	for _, l := range []struct{ locale, ask, assumed, yes, no, count, after string }{
		{"zh", "对比云雀3和云雀5，推荐适合家庭用的", "对吗", "对", "不对", "2 口人", "我按家里 2 口人"},
		{"en", "Compare Lark 3 and Lark 5 and recommend one for the family", "Is that right?", "That's right", "No", "2 people", "household of 2"},
	} {
		t.Run(l.locale, func(t *testing.T) {
			t.Parallel()
			d := shop(t)
			c := talks(d, "sk_shop", `"user_id":"u7"`)
			if a := c.say(l.ask); !strings.Contains(words(a), l.assumed) || !strings.Contains(words(a), l.yes) {
				t.Fatalf("nothing is asked: %s", words(a))
			}
			if a := c.say(l.no); len(blocks(a, "clarify")) != 1 || strings.Contains(words(a), l.assumed) {
				t.Errorf("denied: %s", words(a))
			}
			if a := c.say(l.count); !strings.Contains(words(a), l.after) {
				t.Errorf("told how many: %s", words(a))
			}
			person := d.want(200, "", "GET", "/v1/people/u7", "sk_shop", "").json(t)
			if trait := dict(dict(person["traits"])["household_size"]); trait["value"] != 2.0 {
				t.Errorf("the trait is %v", person["traits"])
			}
			// Confirmed, it is the customer's word as well.
			c = talks(d, "sk_shop", `"user_id":"u8"`)
			c.say(l.ask)
			if a := c.say(l.yes); strings.Contains(words(a), l.assumed) || !strings.Contains(words(a), "3") {
				t.Errorf("confirmed: %s", words(a))
			}
			if trait := dict(dict(d.want(200, "", "GET", "/v1/people/u8", "sk_shop", "").json(t)["traits"])["household_size"]); trait["value"] != 3.0 {
				t.Errorf("the trait is %v", trait)
			}
		})
	}
}

func TestAPhotoGoesToAPersonWithTheRest(t *testing.T) {
	t.Parallel()
	d := shop(t)
	for _, l := range []struct{ text, answered, look string }{
		{"我的订单到哪了", "已发出", "看不了"},
		{"Where is my order?", "shipped", "can't open it"},
		{"", "", "看不了"},
	} {
		c := talks(d, "sk_shop", `"user_id":"u1"`)
		a := c.say(l.text, `"attachments":[{"kind":"image","url":"https://files.example/1.jpg","name":"1.jpg"},{"kind":"voice","url":"https://files.example/2.amr"}]`, `"scene":{"locale":"`+map[bool]string{true: "en", false: "zh-CN"}[strings.HasPrefix(l.text, "W")]+`"}`)
		if phase(a) != "waiting" || !strings.Contains(words(a), l.answered) || !strings.Contains(words(a), l.look) {
			t.Errorf("%q with a photo: with the %v: %s", l.text, phase(a), words(a))
		}
		found := false
		for _, q := range c.queue("waiting") {
			if q := dict(q); q["conversation_id"] == c.id {
				found = len(list(dict(q["brief"])["attachments"])) == 2
			}
		}
		if !found {
			t.Errorf("%q: the person does not get the photo", l.text)
		}
	}
}

// asksBack says vague things, each as somebody else, until one of them is asked back.
func asksBack(d *door, who string) (c *dialogue, answer map[string]any, unclear string) {
	d.t.Helper()
	for i, text := range vague {
		c = talks(d, "wk_shop", fmt.Sprintf(`"anonymous_id":"%s%d"`, who, i))
		if answer = c.say(text); len(blocks(answer, "clarify")) == 1 {
			return c, answer, text
		}
	}
	d.t.Fatalf("nothing vague is asked back: %s", words(answer))
	return nil, nil, ""
}

func TestMission_1_5_WhatIsNotUnderstoodIsAskedBackTwiceThenAPersonListens(t *testing.T) {
	t.Parallel()
	d := shop(t)
	c, a, unclear := asksBack(d, "b")
	if len(list(blocks(a, "clarify")[0]["options"])) != 3 {
		t.Fatalf("asked back with other than two readings and neither: %s", words(a))
	}
	chosen := dict(list(blocks(a, "clarify")[0]["options"])[1])
	b := c.say("都不是，我换个说法")
	if len(blocks(b, "clarify")) != 1 || strings.Contains(words(b), fmt.Sprint(chosen["label"])) {
		t.Errorf("turned down, and asked again: %s", words(b))
	}
	last := c.say("都不是")
	if phase(last) != "waiting" || len(blocks(last, "clarify")) != 0 {
		t.Errorf("asked back a third time: %s", words(last))
	}
	// Who presses a button is understood.
	c = talks(d, "wk_shop", `"anonymous_id":"a2"`)
	c.say(unclear)
	if a := c.say(fmt.Sprint(chosen["label"])); need1(a)["intent"] != chosen["intent"] || need1(a)["text"] != unclear || len(blocks(a, "clarify")) != 0 {
		t.Errorf("%v was chosen, and understood is %v", chosen, need1(a))
	}
}

// vague are sentences that could mean several things; which of them a classifier
// finds unclear changes with its training.
var vague = []string{
	"那个帮我弄一下可以吗", "这个怎么算的", "我想改一下", "帮我看看能不能弄好", "东西的事情", "上次那个还能办吗", "能不能给我弄个新的",
	"我的那个怎么样了", "这个可以给我处理吗", "想问下那件事", "这个不太对吧", "收到的和说的不一样要怎么弄", "帮忙改到别的", "我要变更",
}

func TestMission_1_3_WhatDependsOnSomethingWaitsForIt(t *testing.T) {
	t.Parallel()
	d := shop(t)
	for _, x := range []struct {
		text, fact string
		action     string
		offered    bool
	}{
		{"云雀5没货就退款", "云雀 5现在没有货", "return_order", true},
		{"云雀3没货的话就退款", "云雀 3现在有货", "return_order", false},
		{"帮我看看云雀5有没有货，没货的话就退款", "没有货", "return_order", true},
		{"订单1001还没发货的话就取消", "已经发出", "cancel_order", false},
		{"If the Lark 5 is out of stock, refund me", "Lark 5 is out of stock", "return_order", true},
		{"If my order 1001 has not shipped yet, cancel it", "has been sent", "cancel_order", false},
		{"云雀3有货的话帮我下单", "云雀 3现在有货", "place_order", true},
		{"If the Lark 5 is in stock, order one for me", "Lark 5 is out of stock", "place_order", false},
	} {
		a := talks(d, "sk_shop", `"user_id":"u1"`).say(x.text)
		if !strings.Contains(words(a), x.fact) || offers(a, x.action) != x.offered || phase(a) != "adviser" {
			t.Errorf("%q: %s offered is %v; with the %v: %s", x.text, x.action, offers(a, x.action), phase(a), words(a))
		}
		said, acted := -1, -1
		for i, b := range list(a["blocks"]) {
			if said < 0 && strings.Contains(fmt.Sprint(dict(b)["text"]), x.fact) {
				said = i
			}
			if dict(b)["action"] == x.action {
				acted = i
			}
		}
		if x.offered && said > acted {
			t.Errorf("%q: what it depends on is told behind it", x.text)
		}
		if r := d.want(200, "", "POST", "/v1/decisions/"+a["id"].(string)+"/replay", "sk_shop", "").json(t); r["identical"] != true {
			t.Errorf("%q: a replay differs at %v", x.text, r["changed"])
		}
	}
}

func TestMission_1_3_ACorrectionIsTheSameQuestionAboutSomethingElse(t *testing.T) {
	t.Parallel()
	d := shop(t)
	for _, l := range [][3]string{
		{"我的订单到哪了", "不是这个，是昨天那单", "订单 1002"},
		{"Where is my order?", "no, the one from yesterday", "Order 1002"},
		{"云雀3多少钱", "不是，我说的是云雀5", "¥3999"},
		{"How much is the Lark 3?", "No, I meant the Lark 5", "¥3999"},
	} {
		c := talks(d, "sk_shop", `"user_id":"u1"`)
		c.say(l[0])
		if a := c.say(l[1]); !strings.Contains(words(a), l[2]) || len(list(a["needs"])) != 1 {
			t.Errorf("%q, then %q is answered %q %v", l[0], l[1], words(a), need1(a))
		}
	}
	// Who says no and wants something else is not corrected.
	c := talks(d, "sk_shop", `"user_id":"u1"`)
	c.say("我的订单到哪了")
	if a := c.say("不对，我要退货"); need1(a)["intent"] != "aftersale.return_refund" {
		t.Errorf("a new wish is read as %v", need1(a))
	}
}

func TestMission_1_3_WhatIsAtHandIsWhatWasNamedOrLookedAt(t *testing.T) {
	t.Parallel()
	d := shop(t)
	for i, text := range []string{"这两款哪个好", "Which of these two is better?"} {
		who := fmt.Sprintf("v%d", i)
		for k, product := range []string{"lark5", "lark3", "lark5"} {
			d.want(200, "", "POST", "/v1/track", "sk_shop", fmt.Sprintf(`{"userId":%q,"event":"Product Viewed","timestamp":%q,"properties":{"product_id":%q}}`, who, d.now().Add(time.Duration(k)*time.Second).Format(time.RFC3339), product))
		}
		c := talks(d, "sk_shop", fmt.Sprintf(`"user_id":%q`, who))
		if a := c.say(text); len(blocks(a, "table")) != 1 || len(list(blocks(a, "table")[0]["columns"])) != 2 {
			t.Errorf("%q after looking at two: %q", text, words(a))
		}
		// Named before, looked at nothing; and half an hour later nothing is at hand.
		c = talks(d, "sk_shop", fmt.Sprintf(`"user_id":"w%d"`, i))
		c.say("云雀3和云雀5都有货吗")
		if a := c.say(text); len(blocks(a, "table")) != 1 {
			t.Errorf("%q after naming two: %q", text, words(a))
		}
	}
	d.want(200, "", "POST", "/v1/track", "sk_shop", fmt.Sprintf(`{"userId":"v9","event":"Product Viewed","timestamp":%q,"properties":{"product_id":"lark5"}}`, d.now().Format(time.RFC3339)))
	d.set(d.now().Add(time.Hour))
	if a := talks(d, "sk_shop", `"user_id":"v9"`).say("这两款哪个好"); len(blocks(a, "table")) != 0 || !offers(a, "find_product") {
		t.Errorf("an hour later: %q", words(a))
	}
}

func TestATopicIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	d := shop(t)
	for _, l := range [][4]string{
		{"云雀5多少钱", "我的订单1001到哪了", "说回云雀5，有货吗", "云雀 5现在没有货"},
		{"How much is the Lark 5?", "Where is order 1001?", "Back to the Lark 5, is it in stock?", "Lark 5 is out of stock"},
	} {
		c := talks(d, "sk_shop", `"user_id":"u1"`)
		c.say(l[0])
		c.say(l[1])
		if a := c.say(l[2]); !strings.Contains(words(a), l[3]) {
			t.Errorf("%q is answered %q", l[2], words(a))
		}
	}
}

func TestSeveralPeopleAskInOneConversation(t *testing.T) {
	t.Parallel()
	for _, l := range [][4]string{
		{"云雀3有货吗", "云雀5有货吗", "黑色的呢", "云雀 3 黑色"},
		{"Is the Lark 3 in stock?", "Is the Lark 5 in stock?", "and the black one?", "Lark 3 black"},
	} {
		d := shop(t)
		// One login, two authors; then two customers in one conversation of a channel.
		c := talks(d, "sk_shop", `"user_id":"u7"`)
		c.say(l[0], `"author":{"id":"mum","name":"Mum"}`)
		c.say(l[1], `"author":{"id":"dad","name":"Dad"}`)
		if a := c.say(l[2], `"author":{"id":"mum","name":"Mum"}`); !strings.Contains(words(a), l[3]) {
			t.Errorf("what Mum asked about: %q", words(a))
		}
		her := &dialogue{d, "room-9", "sk_shop", `"user_id":"u8"`}
		him := &dialogue{d, "room-9", "sk_shop", `"user_id":"u9"`}
		her.say(l[0])
		him.say(l[1])
		if a := her.say(l[2]); !strings.Contains(words(a), l[3]) {
			t.Errorf("what she asked about: %q", words(a))
		}
		// What he says points to what she said when he has said nothing himself.
		other := &dialogue{d, "room-10", "sk_shop", `"user_id":"u8"`}
		other.say(l[0])
		other.who = `"user_id":"u9"`
		if a := other.say(l[2]); !strings.Contains(words(a), l[3]) {
			t.Errorf("what he asked about after her: %q", words(a))
		}
		all := d.want(200, "", "GET", "/v1/conversations/room-9", "sk_shop", "").json(t)
		if n := len(list(all["messages"])); n != 6 {
			t.Errorf("the transcript has %d messages: %v", n, all)
		}
	}
}

func TestALanguageMayChangeInTheMiddle(t *testing.T) {
	t.Parallel()
	d := shop(t)
	c := talks(d, "sk_shop", `"user_id":"u1"`)
	if a := c.say("帮我check一下order 1001到哪了"); a["locale"] != "zh-CN" || !strings.Contains(words(a), "订单 1001") {
		t.Errorf("mixed: %q", words(a))
	}
	if a := c.say("and how much is the 云雀 5?"); a["locale"] != "en" || !strings.Contains(words(a), "Lark 5 is ¥3999") {
		t.Errorf("English with a Chinese name: %q", words(a))
	}
}

func TestWhatWasTriedIsNotToldAgainAndWhatIsBasicIsSkippedForWhoKnows(t *testing.T) {
	t.Parallel()
	d := shop(t)
	d.want(200, "", "PUT", "/v1/articles/wifi", "sk_shop", `{"title":"净化器连不上无线网","body":"按下面的步骤连接无线网。","lang":"zh","tags":["wifi"],"steps":[{"text":"重启路由器","basic":true},{"text":"长按配网键五秒"},{"text":"在应用里重新添加设备"}]}`)
	d.want(200, "", "PUT", "/v1/articles/wifi-en", "sk_shop", `{"title":"The purifier does not join the wifi","body":"Connect it in these steps.","lang":"en","tags":["wifi"],"steps":[{"text":"Restart the router","basic":true},{"text":"Hold the pairing key for five seconds"},{"text":"Add the device again in the app"}]}`)
	for i, l := range [][4]string{
		{"净化器连不上无线网怎么办", "净化器连不上无线网，路由器已经重启过了", "重启路由器", "长按配网键五秒"},
		{"How do I connect the purifier to the wifi?", "The purifier does not join the wifi, I've already restarted the router", "Restart the router", "Hold the pairing key"},
	} {
		first := talks(d, "sk_shop", fmt.Sprintf(`"user_id":"f%d"`, i)).say(l[0])
		if !strings.Contains(words(first), l[2]) {
			t.Fatalf("a beginner is told %q", words(first))
		}
		tried := talks(d, "sk_shop", fmt.Sprintf(`"user_id":"g%d"`, i)).say(l[1])
		if strings.Contains(words(tried), l[2]) || !strings.Contains(words(tried), l[3]) {
			t.Errorf("who has tried it is told %q", words(tried))
		}
		who := fmt.Sprintf("h%d", i)
		d.want(200, "", "POST", "/v1/track", "sk_shop", fmt.Sprintf(`{"userId":%q,"event":"Task Completed","timestamp":%q,"properties":{"task":"wifi"}}`, who, d.now().Add(-time.Hour).Format(time.RFC3339)))
		if a := talks(d, "sk_shop", fmt.Sprintf(`"user_id":%q`, who)).say(l[0]); strings.Contains(words(a), l[2]) || !strings.Contains(words(a), l[3]) {
			t.Errorf("who has done it before is told %q", words(a))
		}
	}
}

func TestAnArticleAnswersWhileItIsValidAndItsPassageIsMarked(t *testing.T) {
	t.Parallel()
	d := shop(t)
	d.want(200, "", "PUT", "/v1/articles/spring", "sk_shop", `{"title":"春节发货安排","body":"客服照常。春节期间发货时间顺延到初七以后。","lang":"zh","valid_from":"2026-05-01T00:00:00Z","valid_until":"2026-05-04T00:00:00Z"}`)
	ask := func() map[string]any {
		return d.want(200, "", "POST", "/v1/decisions", "sk_shop", `{"anonymous_id":"a1","enquiry":{"text":"春节期间的发货规定是什么"}}`).json(t)
	}
	a := ask()
	text := blocks(a, "text")
	if len(text) == 0 || !strings.Contains(words(a), "初七") || len(list(text[0]["marks"])) == 0 {
		t.Fatalf("%q %v", words(a), text)
	}
	runes, mark := []rune(fmt.Sprint(text[0]["text"])), list(list(text[0]["marks"])[0])
	if got := string(runes[int(mark[0].(float64)):int(mark[1].(float64))]); !strings.Contains("春节期间发货", got) {
		t.Errorf("marked is %q", got)
	}
	d.set(d.now().AddDate(0, 0, 3))
	if a := ask(); strings.Contains(words(a), "初七") {
		t.Errorf("after it has ended: %q", words(a))
	}
}

func TestNobodyHearsWhatOthersSaidByNamingTheirConversation(t *testing.T) {
	t.Parallel()
	d := shop(t)
	her := &dialogue{d, "room-1", "sk_shop", `"user_id":"u1"`}
	answer := her.say("云雀3有货吗", `"message_id":"m1"`)
	// Another browser names her conversation, her message, her decision.
	other := d.want(200, "", "POST", "/v1/decisions", "wk_shop", `{"anonymous_id":"x1","conversation_id":"room-1","enquiry":{"text":"黑色的呢"}}`).json(t)
	if strings.Contains(fmt.Sprint(other), "lark3") || strings.Contains(words(other), "云雀") {
		t.Errorf("a stranger hears of %s", words(other))
	}
	d.want(404, "not_found", "POST", "/v1/conversations/room-1/messages", "wk_shop", `{"anonymous_id":"x1","text":"黑色的呢"}`)
	d.want(404, "not_found", "GET", "/v1/conversations/room-1?anonymous_id=x1", "wk_shop", "")
	own := talks(d, "wk_shop", `"anonymous_id":"x1"`)
	if a := own.say("你好", `"message_id":"m1"`); a["id"] == answer["id"] || strings.Contains(words(a), "云雀") {
		t.Errorf("with her message id a stranger reads %s", words(a))
	}
	d.want(200, "", "POST", "/v1/track", "wk_shop", fmt.Sprintf(`{"anonymousId":"x1","event":"Decision Shown","messageId":"s1","properties":{"decision_id":%q}}`, answer["id"]))
	if body := d.want(200, "", "GET", "/v1/people/anon:x1/timeline", "sk_shop", "").body; strings.Contains(body, "云雀3有货吗") || strings.Contains(body, "lark3") {
		t.Errorf("with her decision's id a stranger's timeline tells %s", body)
	}
}

func TestAWishIsOfferedItsFormAgainUntilAPersonComes(t *testing.T) {
	t.Parallel()
	d := shop(t)
	for _, l := range [][3]string{{"我要退货", "前面提过", "不再重复"}, {"I want to return it", "asked for this before", "won't repeat"}} {
		d.set(d.now().AddDate(0, 2, 0))
		who := `"user_id":"u5"`
		d.want(200, "", "PUT", "/v1/records/order/1003", "sk_shop", fmt.Sprintf(`{"person":"u5","status":"delivered","ordered_at":%q,"delivered_at":%q,"updated_at":%q,"lines":[{"product_id":"lark3","returnable_until":"2027-05-09"}]}`, d.now().Format(time.RFC3339), d.now().Format(time.RFC3339), d.now().Format(time.RFC3339)))
		c := talks(d, "sk_shop", who)
		if a := c.say(l[0]); !offers(a, "return_order") {
			t.Fatalf("%q: %s", l[0], words(a))
		}
		if a := c.say(l[0]); !offers(a, "return_order") || !strings.Contains(words(a), l[1]) {
			t.Errorf("%q again: %s", l[0], words(a))
		}
		if a := c.say(l[0]); !offers(a, "return_order") || !strings.Contains(words(a), l[2]) || phase(a) != "waiting" {
			t.Errorf("%q for the third time (a right stays, and a person comes): %s", l[0], words(a))
		}
	}
}

func TestAMisspeltNameIsUnderstoodAndSaidSo(t *testing.T) {
	t.Parallel()
	for _, l := range []struct{ ask, said, meant, answer string }{
		{"云却3多少钱", "「云却3」", "「云雀 3」", "2999"},
		{"云雀3黑涩的多少钱", "「云雀3黑涩」", "「云雀 3 黑色」", "3099"},
		{"How much is the Lark 3 blakc?", "“Lark 3 blakc”", "“Lark 3 black”", "3099"},
	} {
		t.Run(l.ask, func(t *testing.T) {
			t.Parallel()
			d := shop(t)
			a := talks(d, "sk_shop", `"user_id":"u7"`).say(l.ask)
			if got := words(a); !strings.Contains(got, l.answer) || !strings.Contains(got, l.said) || !strings.Contains(got, l.meant) {
				t.Errorf("answered %s", got)
			}
			made := d.want(200, "", "POST", "/v1/decisions", "sk_shop", fmt.Sprintf(`{"user_id":"u7","enquiry":{"text":%q}}`, l.ask)).json(t)
			if r := d.want(200, "", "POST", "/v1/decisions/"+made["id"].(string)+"/replay", "sk_shop", "").json(t); r["identical"] != true {
				t.Errorf("a replay differs at %v", r["changed"])
			}
		})
	}
}

// What people say between two questions is answered as what it is: nobody is sent for.
func TestSmallWordsSendForNobody(t *testing.T) {
	t.Parallel()
	for _, l := range []struct {
		locale, wish string
		small        []string
	}{
		{"zh", "我要退掉 1002 那单", []string{"我同意", "好的，谢谢", "你们服务真好", "谢谢，没别的事了", "不用了", "🙂", "qwrtpsdf"}},
		{"en", "I want to return order 1002", []string{"yes please", "thanks, that was quick", "great service", "that's all, thank you", "no thanks", "🙂", "lkjsdf"}},
	} {
		t.Run(l.locale, func(t *testing.T) {
			t.Parallel()
			d := shop(t)
			c := talks(d, "sk_shop", `"user_id":"u1"`)
			first := c.say(l.wish)
			if len(list(first["actions"])) == 0 {
				t.Fatalf("nothing is offered: %s", words(first))
			}
			for i, said := range l.small {
				a := c.say(said)
				if len(list(a["actions"])) > 0 || len(list(a["needs"])) > 0 || dict(a["conversation"])["phase"] != "adviser" {
					t.Errorf("%s: %s", said, words(a))
				}
				offered := strings.Contains(words(a), "上面") || strings.Contains(words(a), "above")
				if offered != (i == 0) {
					t.Errorf("%s: what was offered is pointed at: %v: %s", said, offered, words(a))
				}
			}
		})
	}
}

func TestWhatIsNotOverIsAboutWhatWasAskedLast(t *testing.T) {
	t.Parallel()
	d := shop(t)
	d.want(200, "", "PUT", "/v1/articles/heat-en", "sk_shop", `{"title":"When it runs hot and still does not work","body":"If it still doesn't work, let it cool down.","lang":"en"}`)
	c := talks(d, "sk_shop", `"user_id":"u9"`)
	if a := c.say("My purifier is loud, what can I do?"); !strings.Contains(words(a), "filter") {
		t.Fatal(words(a))
	}
	if a := c.say("it still doesn't work"); strings.Contains(words(a), "cool down") || !strings.Contains(words(a), "base") {
		t.Errorf("another matter's advice: %s", words(a))
	}
}

func TestAKindOfThingIsNotTheThingSpokenOfBefore(t *testing.T) {
	t.Parallel()
	d := shop(t)
	d.want(200, "", "PUT", "/v1/items/kettle", "sk_shop", `{"kind":"product","title":{"zh":"云壶水壶","en":"Yun kettle"},"category":"kettle","available":true}`)
	d.want(200, "", "PUT", "/v1/items/washer1", "sk_shop", `{"kind":"product","title":{"zh":"白浪洗衣机","en":"White wave washer"},"category":"洗衣机","available":true}`)
	d.want(200, "", "PUT", "/v1/records/order/2001", "sk_shop", `{"person":"u8","status":"shipped","updated_at":"2026-04-30T08:00:00Z","lines":[{"product_id":"kettle"}]}`)
	d.want(200, "", "PUT", "/v1/records/order/2002", "sk_shop", `{"person":"u8","status":"shipped","updated_at":"2026-04-29T08:00:00Z","lines":[{"product_id":"washer1"}]}`)
	c := talks(d, "sk_shop", `"user_id":"u8"`)
	if a := c.say("云壶水壶现在有货吗"); !strings.Contains(words(a), "云壶水壶") {
		t.Fatal(words(a))
	}
	if a := c.say("我的洗衣机到哪了"); !strings.Contains(words(a), "2002") || strings.Contains(words(a), "2001") {
		t.Errorf("asked where the washer is: %s", words(a))
	}
}

// Who takes a conversation over reads what the customer asked before they asked for a
// person, the newest first.
func TestThePersonWhoComesReadsWhatWasAskedBefore(t *testing.T) {
	t.Parallel()
	d := shop(t)
	c := talks(d, "sk_shop", `"user_id":"u1"`)
	c.say("净化器声音大怎么办")
	c.say("我的订单 1001 到哪了")
	c.say("转人工")
	all := list(d.want(200, "", "GET", "/v1/handovers", "sk_shop", "").json(t)["items"])
	if len(all) != 1 {
		t.Fatalf("%d wait", len(all))
	}
	var asked []string
	for _, n := range list(dict(dict(all[0])["brief"])["needs"]) {
		asked = append(asked, fmt.Sprint(dict(n)["text"]))
	}
	if got := strings.Join(asked, "|"); got != "转人工|我的订单 1001 到哪了|净化器声音大怎么办" {
		t.Errorf("the brief says %s", got)
	}
}
