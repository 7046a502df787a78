package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func ago(d time.Duration) string { return now.Add(-d).Format(time.RFC3339) }

// texts are all that an answer says.
func texts(answer object) string {
	var all []string
	for _, b := range list(answer, "blocks") {
		all = append(all, fmt.Sprint(b["title"]), fmt.Sprint(b["text"]))
	}
	return strings.Join(all, "\n")
}

func TestMission_3_6_WhoComesBackIsMetWithTheOpenMatterAndItsNews(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.do("PUT", "/v1/items/robot", object{"kind": "product", "title": object{"zh": "小净扫地机器人", "en": "Xiaojing robot vacuum"}, "category": "扫地机器人"})
	repair := func(user, status string, before time.Duration) {
		s.do("POST", "/v1/track", object{"userId": user, "event": "Service Case Updated", "timestamp": ago(before),
			"properties": object{"case_id": "R-" + user, "kind": "repair", "status": status, "product_id": "robot"}})
	}
	lastHere := func(user string, before time.Duration) {
		s.do("POST", "/v1/track", object{"userId": user, "event": "Live Chat Message Sent", "timestamp": ago(before),
			"properties": object{"conversation_id": "old", "message_body": "修好了吗"}})
	}
	const day = 24 * time.Hour
	for _, c := range []struct {
		user, hello, says string
		history           func(user string)
	}{
		{"zhao", "你好", "有新进展", func(u string) {
			repair(u, "received", 6*day)
			lastHere(u, 4*day)
			repair(u, "repaired", day)
		}},
		{"zoe", "Hello", "news about the repair of the Xiaojing robot vacuum", func(u string) {
			repair(u, "received", 6*day)
			lastHere(u, 4*day)
			repair(u, "repaired", day)
		}},
		{"qian", "您好", "还在办", func(u string) {
			repair(u, "received", 6*day)
			lastHere(u, 4*day)
		}},
		{"sun", "在吗", "答应您", func(u string) {
			repair(u, "received", 9*day)
			s.do("POST", "/v1/track", object{"userId": u, "event": "Service Case Updated", "timestamp": ago(8 * day),
				"properties": object{"case_id": "R-" + u, "promised_at": ago(2 * day)}})
		}},
	} {
		c.history(c.user)
		conversation := s.do("POST", "/v1/conversations", object{"user_id": c.user})["id"].(string)
		answer := s.do("POST", "/v1/conversations/"+conversation+"/messages", object{"user_id": c.user, "text": c.hello})
		if !strings.Contains(texts(answer), c.says) {
			t.Errorf("%s hears %q", c.user, texts(answer))
		}
		n := find(list(answer, "needs"), "origin", "predicted")
		if n == nil || n["intent"] != "order.status" || n["subintent"] != "repair_state" || n["matter"] == nil {
			t.Errorf("%s: needs %v", c.user, answer["needs"])
		}
		if find(list(answer, "blocks"), "kind", "status") == nil {
			t.Errorf("%s is not told how it stands: %v", c.user, answer["blocks"])
		}
		again := s.do("POST", "/v1/decisions/"+answer["id"].(string)+"/replay", object{})
		if again["identical"] != true {
			t.Errorf("%s: the replay differs at %v", c.user, again["changed"])
		}
		// Later in the same conversation nobody is told again.
		later := s.do("POST", "/v1/conversations/"+conversation+"/messages", object{"user_id": c.user, "text": "谢谢"})
		if find(list(later, "needs"), "origin", "predicted") != nil {
			t.Errorf("%s is met again in the middle of a conversation: %v", c.user, later["needs"])
		}
		// And a placement that asks what to say to who comes back gets the same matter.
		if p := s.do("POST", "/v1/decisions", object{"user_id": c.user, "placement": "greeting"}); find(list(p, "needs"), "origin", "predicted") == nil {
			t.Errorf("%s: a greeting without words gets %v", c.user, p["needs"])
		}
	}
	t.Run("the conversation can begin with it", func(t *testing.T) {
		opened := s.do("POST", "/v1/conversations", object{"user_id": "qian", "greet": true})
		greeting, _ := opened["greeting"].(object)
		if greeting == nil || !strings.Contains(texts(greeting), "还在办") {
			t.Fatalf("opened with %v", opened)
		}
		read := s.do("GET", "/v1/conversations/"+opened["id"].(string)+"?user_id=qian", nil)
		if said := list(read, "messages"); len(said) != 1 || !strings.Contains(fmt.Sprint(said[0]["text"]), "还在办") {
			t.Errorf("read back: %v", said)
		}
		if again := s.do("POST", "/v1/decisions/"+greeting["id"].(string)+"/replay", object{}); again["identical"] != true {
			t.Errorf("the replay differs at %v", again["changed"])
		}
		if opened := s.do("POST", "/v1/conversations", object{"user_id": "newcomer", "greet": true}); opened["greeting"] != nil {
			t.Errorf("who has nothing open is greeted with %v", opened["greeting"])
		}
	})
	t.Run("who has nothing open is not reminded of anything", func(t *testing.T) {
		repair("li", "received", 30*day)
		repair("li", "completed", 20*day)
		lastHere("li", 4*day)
		answer := s.do("POST", "/v1/decisions", object{"user_id": "li", "enquiry": object{"text": "你好"}})
		if len(list(answer, "needs")) > 0 {
			t.Errorf("needs %v", answer["needs"])
		}
	})
	t.Run("a question is answered, not greeted", func(t *testing.T) {
		answer := s.do("POST", "/v1/decisions", object{"user_id": "qian", "enquiry": object{"text": "发票怎么开"}})
		if find(list(answer, "needs"), "origin", "predicted") != nil {
			t.Errorf("needs %v", answer["needs"])
		}
	})
	t.Run("who has proven nothing hears of no case", func(t *testing.T) {
		_, answer := s.call("POST", "/v1/decisions", s.w.WriteKey, object{"user_id": "qian", "anonymous_id": "browser-9", "enquiry": object{"text": "你好"}})
		if strings.Contains(fmt.Sprint(answer), "R-qian") || len(list(answer, "needs")) > 0 {
			t.Errorf("a claim hears %v", answer)
		}
	})
}

func TestMission_3_6_AQuestionLeftWithoutAnAnswerIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ locale, question, hello, still, title, body, now, says string }{
		{"zh-CN", "海外漫游状态下净水器能联网吗，规则是什么", "你好", "还没有可靠的答案", "净水器海外漫游联网规则", "海外漫游状态下净水器可以联网，规则是先在应用里打开国际联网。", "现在有答案了", "国际联网"},
		{"en", "what is the rule for using the water purifier online while roaming abroad", "Hello", "I still don't have a reliable answer", "Water purifier online while roaming abroad: the rule", "The rule for using the water purifier online while roaming abroad: switch on international roaming in the app first.", "I have the answer now", "international roaming"},
	} {
		t.Run(c.locale, func(t *testing.T) {
			t.Parallel()
			s := openShop(t)
			first := s.do("POST", "/v1/conversations", object{"user_id": "wu"})["id"].(string)
			unanswered := s.do("POST", "/v1/conversations/"+first+"/messages", object{"user_id": "wu", "text": c.question})
			back := func() object {
				next := s.do("POST", "/v1/conversations", object{"user_id": "wu"})["id"].(string)
				return s.do("POST", "/v1/conversations/"+next+"/messages", object{"user_id": "wu", "text": c.hello})
			}
			answer := back()
			n := find(list(answer, "needs"), "origin", "predicted")
			if n == nil {
				t.Fatalf("after %v nothing is taken up: %v", unanswered["needs"], answer["needs"])
			}
			if !strings.Contains(texts(answer), c.still) {
				t.Errorf("it says %q", texts(answer))
			}
			s.do("PUT", "/v1/articles/roaming", object{"title": c.title, "lang": c.locale, "body": c.body})
			if answer := back(); !strings.Contains(texts(answer), c.now) || !strings.Contains(texts(answer), c.says) {
				t.Errorf("once there is an answer it says %q", texts(answer))
			}
		})
	}
}
