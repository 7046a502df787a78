package main

import (
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/rapport-cx/rapport/workspace"
)

// The demo's customers live through what their stories tell.
func TestTheStoriesOfTheDemoComeTrue(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := startChildAt(t, dir, "127.0.0.1:0", "--demo")
	defer server.kill(t)
	keys, err := readDemo(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, demo := range []struct {
		workspace string
		sent      map[string][]string
	}{
		{"retail", map[string][]string{
			"he": {"fast_track_refund", "direct_contact"}, "olivia": {"fast_track_refund", "direct_contact"}, "mo": nil, "an": nil,
			"shu": nil, "cheng": nil, "nina": nil, "bai": nil,
		}},
		{"banking", map[string][]string{
			"qian": {"maturity_reminder", "reinvestment_plan"}, "grace": {"maturity_reminder", "reinvestment_plan"}, "noor": nil,
			"hua": nil, "omar": nil,
		}},
		{"education", map[string][]string{"xu": nil, "lan": nil, "dou": nil}},
	} {
		w, ok := keys.workspace(demo.workspace)
		if !ok {
			t.Fatalf("the demo has no %s", demo.workspace)
		}
		s := &shop{t: t, w: workspace.Workspace{SecretKey: w.SecretKey}, http: &httptest.Server{URL: server.url}}
		told, err := readStories(demo.workspace)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range told.Customers {
			wanted, known := demo.sent[c.User]
			if !known || c.Name.Zh == "" || c.Name.En == "" || c.Story.Zh == "" || c.Story.En == "" || len(c.Enquiries.Zh) == 0 || len(c.Enquiries.En) == 0 {
				t.Errorf("the story of %s in %s is not whole", c.User, demo.workspace)
			}
			s.do("GET", "/v1/people/user:"+c.User, nil)
			if len(wanted) == 0 {
				continue
			}
			// Quiet hours hold a customer's message back at night; then it is put off.
			held := func() bool {
				f := find(list(s.do("GET", "/v1/firings?person=user:"+c.User, nil), "items"), "reason", "quiet_hours")
				return f != nil && f["state"] == "open"
			}
			s.until("the message to "+c.User, func() bool { return len(s.decided(c.User)) > 0 || held() })
			if got := s.decided(c.User); len(got) > 0 && !slices.Equal(actionsOf(got[0]), wanted) {
				t.Errorf("%s is sent %v, wanted %v", c.User, actionsOf(got[0]), wanted)
			}
		}
		for user, wanted := range demo.sent {
			if len(wanted) > 0 {
				continue
			}
			for _, d := range s.decided(user) {
				if got := actionsOf(d); len(got) > 0 {
					t.Errorf("%s is sent %v", user, got)
				}
			}
		}
	}
	retail, _ := keys.workspace("retail")
	s := &shop{t: t, w: workspace.Workspace{SecretKey: retail.SecretKey}, http: &httptest.Server{URL: server.url}}
	if answer := s.do("POST", "/v1/decisions", object{"user_id": "an", "enquiry": object{"text": "你好"}}); find(list(answer, "needs"), "intent", "aftersale.exchange") == nil {
		t.Errorf("an is met with %v", answer["needs"])
	}
	for workspace, asks := range map[string][][3]string{
		"retail": {
			{"shu", "推荐一款空气炸锅", "simple_words"}, {"cheng", "推荐一款空气炸锅", "company_desk"},
			{"nina", "What capacity does the Hemu air fryer 7 L have?", "promotion_saving"}, {"bai", "推荐一款空气炸锅", "what_it_is_made_of"},
		},
		"banking":   {{"hua", "我的银行卡丢了", "block_card"}, {"hua", "我的理财什么时候到期", "maturity_answer"}, {"omar", "推荐点低风险的理财产品", "before_advice"}},
		"education": {{"xu", "接下来该学什么", "revise_first"}},
	} {
		w, _ := keys.workspace(workspace)
		at := &shop{t: t, w: workspaceOf(w), http: &httptest.Server{URL: server.url}}
		for _, ask := range asks {
			if answer := at.do("POST", "/v1/decisions", object{"user_id": ask[0], "enquiry": object{"text": ask[1]}}); !offers(answer, ask[2]) && at.drawn(answer, ask[2]) < .9 {
				t.Errorf("%s asks %s and is offered %v, wanted %s", ask[0], ask[1], actionsOf(answer), ask[2])
			}
		}
	}
	if status, out := s.call("GET", "/demo/stories.json?workspace=retail", "", nil); status != 200 || out["write_key"] != retail.WriteKey {
		t.Errorf("stories of retail: %d %v", status, out)
	}
	if status, _ := s.call("GET", "/demo/stories.json?workspace=nowhere", "", nil); status != 404 {
		t.Errorf("stories of nowhere: %d", status)
	}
}

// drawn is the chance that a decision gave an action in its draw: the draw tries what is
// less likely now and then, so what was not taken may still be what was wanted.
func (s *shop) drawn(answer object, action string) float64 {
	s.t.Helper()
	why := s.do("GET", "/v1/decisions/"+answer["id"].(string)+"/explanation", nil)
	draw, _ := why["draw"].(object)
	if c := find(list(draw, "probabilities"), "action", action); c != nil {
		return c["probability"].(float64)
	}
	return 0
}

func workspaceOf(w demoWorkspace) workspace.Workspace {
	return workspace.Workspace{SecretKey: w.SecretKey}
}
