package api

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// dialogue is one customer's conversation with the whole house.
type dialogue struct {
	*door
	id, key, who string // conversation, API key, who speaks, as JSON members
}

// talks opens a conversation. Each turn takes half a minute.
func talks(d *door, key, who string) *dialogue {
	d.t.Helper()
	return &dialogue{d, d.want(201, "", "POST", "/v1/conversations", key, "{"+who+"}").json(d.t)["id"].(string), key, who}
}

func (c *dialogue) say(text string, more ...string) map[string]any {
	c.t.Helper()
	c.set(c.now().Add(30 * time.Second))
	body := fmt.Sprintf(`{%s,"text":%q%s}`, c.who, text, strings.Join(append([]string{""}, more...), ","))
	return c.want(200, "", "POST", "/v1/conversations/"+c.id+"/messages", c.key, body).json(c.t)
}

func (c *dialogue) person(verb, body string) map[string]any {
	c.t.Helper()
	c.set(c.now().Add(30 * time.Second))
	return c.want(200, "", "POST", "/v1/conversations/"+c.id+"/"+verb, "sk_shop", body).json(c.t)
}

func (c *dialogue) queue(state string) []any {
	c.t.Helper()
	return c.want(200, "", "GET", "/v1/handovers?state="+state, "sk_shop", "").json(c.t)["items"].([]any)
}

func list(v any) []any { l, _ := v.([]any); return l }

func dict(v any) map[string]any { m, _ := v.(map[string]any); return m }

// words is everything an answer shows.
func words(answer map[string]any) string {
	var b strings.Builder
	for _, x := range list(answer["blocks"]) {
		block := dict(x)
		fmt.Fprintln(&b, block["title"], block["text"])
		for _, s := range list(block["steps"]) {
			fmt.Fprintln(&b, s)
		}
		for _, o := range list(block["options"]) {
			fmt.Fprintln(&b, dict(o)["label"])
		}
		for _, f := range list(block["fields"]) {
			fmt.Fprintln(&b, dict(f)["label"], dict(f)["value"])
		}
		for _, r := range list(block["rows"]) {
			fmt.Fprintln(&b, dict(r)["label"], dict(r)["cells"])
		}
		for _, k := range list(block["cards"]) {
			fmt.Fprintln(&b, dict(k)["title"], dict(k)["text"])
		}
	}
	return b.String()
}

func blocks(answer map[string]any, kind string) (found []map[string]any) {
	for _, x := range list(answer["blocks"]) {
		if b := dict(x); b["kind"] == kind {
			found = append(found, b)
		}
	}
	return found
}

func phase(answer map[string]any) any { return dict(answer["conversation"])["phase"] }

// transferred are words that say somebody is there, in both languages.
var transferred = []string{"已转接", "已转人工", "已为您转", "来了", "transferred", "is here", "connected you"}

func TestMission_1_7_APersonIsThereOnlyOnceOneHasAccepted(t *testing.T) {
	t.Parallel()
	for _, l := range []struct{ locale, status, person, handback, again, here, gone string }{
		{"zh", "我的订单到哪了", "帮我转人工", "谢谢", "我的订单到哪了", "小林来了", "小林已经处理完"},
		{"en", "Where is my order?", "I want to talk to a human", "thank you", "Where is my order?", "Lin is here", "Lin has finished"},
	} {
		t.Run(l.locale, func(t *testing.T) {
			t.Parallel()
			d := whole(t)
			d.want(200, "", "PUT", "/v1/records/order/1001", "sk_shop", `{"person":"u1","status":"shipped","updated_at":"2026-06-20T08:00:00Z","lines":[{"product_id":"pod-3"}]}`)
			c := talks(d, "sk_shop", `"user_id":"u1"`)
			if a := c.say(l.status); phase(a) != "adviser" || len(blocks(a, "status")) != 1 {
				t.Fatalf("the first answer: %v", a)
			}
			a := c.say(l.person)
			if phase(a) != "waiting" {
				t.Fatalf("asked for a person, and is with the %v", phase(a))
			}
			for _, w := range transferred {
				if strings.Contains(words(a), w) {
					t.Errorf("nobody has accepted, and %q is said: %s", w, words(a))
				}
			}
			q := c.queue("waiting")
			if len(q) != 1 || dict(q[0])["conversation_id"] != c.id {
				t.Fatalf("the queue: %v", q)
			}
			brief := dict(dict(q[0])["brief"])
			if len(list(brief["needs"])) == 0 || !strings.Contains(fmt.Sprint(brief["tried"]), "1001") || !strings.Contains(fmt.Sprint(brief["summary"]), l.person) {
				t.Errorf("the person who comes reads %v", brief)
			}
			// Waiting, the customer goes on being helped, and no second request is made.
			if a := c.say(l.again); phase(a) != "waiting" || len(list(a["blocks"])) == 0 {
				t.Errorf("while waiting: %v", a)
			}
			if c.say(l.person); len(c.queue("waiting")) != 1 {
				t.Error("asked twice, queued twice")
			}
			if talk := c.person("accept", `{"agent":{"id":"e7","name":"小林"}}`); l.locale == "zh" && talk["phase"] != "person" {
				t.Errorf("accepted: %v", talk)
			}
			if l.locale == "en" {
				c.person("return", `{"agent":{"id":"e7"}}`)
				c.person("accept", `{"agent":{"id":"e8","name":"Lin"}}`)
			}
			if len(c.queue("waiting")) != 0 || len(c.queue("person")) != 1 {
				t.Error("who was accepted still waits")
			}
			c.want(409, "conversation_held", "POST", "/v1/conversations/"+c.id+"/accept", "sk_shop", `{"agent":{"id":"e9"}}`)
			// Now nothing is answered automatically.
			if a := c.say(l.status); phase(a) != "person" || len(list(a["blocks"])) != 0 || a["id"] != "" {
				t.Errorf("with a person: %v", a)
			}
			c.want(403, "forbidden", "POST", "/v1/conversations/"+c.id+"/messages", "wk_shop", `{"role":"agent","text":"hello"}`)
			c.set(c.now().Add(time.Second))
			c.want(200, "", "POST", "/v1/conversations/"+c.id+"/messages", "sk_shop", `{"role":"agent","text":"It leaves today.","message_id":"p1"}`)
			c.person("return", `{"note":"called the depot","solved":true}`)
			if a := c.say(l.status); phase(a) != "adviser" || len(list(a["blocks"])) == 0 {
				t.Errorf("handed back: %v", a)
			}
			c.want(409, "conversation_held", "POST", "/v1/conversations/"+c.id+"/return", "sk_shop", "")

			all := c.want(200, "", "GET", "/v1/conversations/"+c.id, "sk_shop", "").body
			for _, said := range []string{l.here, l.gone, "It leaves today.", "called the depot"} {
				if !strings.Contains(all, said) {
					t.Errorf("%q is not in the transcript", said)
				}
			}
		})
	}
}

func TestTheCustomerReadsTheirOwnConversationAndNoNotes(t *testing.T) {
	t.Parallel()
	d := whole(t)
	c := talks(d, "wk_shop", `"anonymous_id":"a1"`)
	c.say("转人工")
	c.person("accept", `{"agent":{"id":"employee-7","name":"小林"},"note":"regular customer"}`)
	mine := d.want(200, "", "GET", "/v1/conversations/"+c.id+"?anonymous_id=a1", "wk_shop", "").body
	if !strings.Contains(mine, "小林来了") || strings.Contains(mine, "regular customer") || strings.Contains(mine, "employee-7") {
		t.Errorf("the customer reads %s", mine)
	}
	d.want(404, "not_found", "GET", "/v1/conversations/"+c.id+"?anonymous_id=a2", "wk_shop", "")
	d.want(404, "not_found", "GET", "/v1/conversations/"+c.id, "sk_bank", "")
	d.want(404, "not_found", "POST", "/v1/conversations/"+c.id+"/accept", "sk_bank", "")
	d.want(403, "forbidden", "GET", "/v1/handovers", "wk_shop", "")
	if q := d.want(200, "", "GET", "/v1/handovers", "sk_bank", "").json(t)["items"].([]any); len(q) != 0 {
		t.Errorf("another workspace sees %v", q)
	}
}

func TestAQueueSurvivesARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d, shut := wholeIn(t, dir)
	c := talks(d, "wk_shop", `"anonymous_id":"a1"`)
	c.say("转人工")
	shut()
	again, shut := wholeIn(t, dir)
	defer shut()
	c.door = again
	if q := c.queue("waiting"); len(q) != 1 || dict(q[0])["conversation_id"] != c.id || dict(q[0])["brief"] == nil {
		t.Fatalf("after a restart: %v", q)
	}
	c.person("accept", `{"agent":{"name":"小林"}}`)
	if a := c.say("在吗"); phase(a) != "person" {
		t.Errorf("after a restart the adviser speaks: %v", a)
	}
}

func TestAMessageSentTwiceIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	d := whole(t)
	c := talks(d, "wk_shop", `"anonymous_id":"a1"`)
	length := func() int {
		return len(list(c.want(200, "", "GET", "/v1/conversations/"+c.id, "sk_shop", "").json(t)["messages"]))
	}
	first := c.say("你们几点上班", `"message_id":"m1"`)
	before := length()
	if second := c.say("你们几点上班", `"message_id":"m1"`); second["id"] != first["id"] {
		t.Errorf("answered by %v and %v", first["id"], second["id"])
	}
	if after := length(); after != before {
		t.Errorf("%d messages became %d", before, after)
	}
}

// follow reads a conversation's stream until so many entries have come.
func follow(t *testing.T, url, last string, want int) (ids, texts []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for len(texts) < want && lines.Scan() {
		if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			ids = append(ids, id)
		}
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			texts = append(texts, data)
		}
	}
	return ids, texts
}

func TestAStreamGoesOnWhereItBrokeOff(t *testing.T) {
	t.Parallel()
	d := whole(t)
	server := httptest.NewServer(d)
	defer server.Close()
	c := talks(d, "wk_shop", `"anonymous_id":"a1"`)
	url := server.URL + "/v1/conversations/" + c.id + "/stream?anonymous_id=a1&write_key=wk_shop"
	c.say("你们几点上班")
	ids, texts := follow(t, url+"&last_event_id=none", "", 2)
	if len(texts) != 2 || !strings.Contains(texts[0], "你们几点上班") || !strings.Contains(texts[1], `"by":"adviser"`) {
		t.Fatalf("from the beginning: %v", texts)
	}
	c.say("转人工")
	c.person("accept", `{"agent":{"name":"小林"}}`)
	_, texts = follow(t, url, ids[1], 4)
	joined := strings.Join(texts, "\n")
	for _, said := range []string{"转人工", `"state":"waiting"`, `"state":"person"`, "小林来了"} {
		if !strings.Contains(joined, said) {
			t.Errorf("%s was missed: %s", said, joined)
		}
	}
	if strings.Contains(joined, "你们几点上班") {
		t.Error("what was heard before is told again")
	}
}
