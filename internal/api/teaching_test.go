package api

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestAWorkspaceLearnsFromItsOwnConversations(t *testing.T) {
	t.Parallel()
	d := shop(t)
	c, asked, unclear := asksBack(d, "t")
	// Who is asked back and presses a button says what their words meant.
	chosen := dict(list(blocks(asked, "clarify")[0]["options"])[1])
	pressed := c.say(fmt.Sprint(chosen["label"]))
	items := list(d.want(200, "", "GET", "/v1/training-candidates", "sk_shop", "").json(t)["items"])
	if len(items) != 1 {
		t.Fatalf("training candidates: %v", items)
	}
	waits := dict(items[0])
	if waits["text"] != unclear || waits["proposed"] != chosen["intent"] || waits["by"] != "customer" || waits["decision"] != pressed["id"] {
		t.Errorf("%v waits, pressed was %v", waits, chosen)
	}
	d.want(200, "", "POST", fmt.Sprintf("/v1/training-candidates/%v", waits["id"]), "sk_shop", fmt.Sprintf(`{"intent":%q}`, chosen["intent"]))

	// Who reads a decision and sees a need that was taken for something else says what it was.
	const said = "把上回那张补给我 13812345678"
	wrong := d.want(200, "", "POST", "/v1/decisions", "sk_shop", fmt.Sprintf(`{"user_id":"w1","enquiry":{"text":%q}}`, said)).json(t)
	label := fmt.Sprintf("/v1/decisions/%v/labels", wrong["id"])
	if kept := d.want(200, "", "POST", label, "sk_shop", `{"need":"n1","intent":"payment.invoice"}`).json(t); kept["examples"] != 2.0 {
		t.Errorf("kept %v", kept)
	}
	d.want(404, "not_found", "POST", label, "sk_shop", `{"need":"n9","intent":"payment.invoice"}`)
	d.want(409, "", "POST", label, "sk_shop", `{"need":"n1","intent":"payment.nobody"}`)
	d.want(404, "not_found", "POST", label, "sk_bank", `{"need":"n1","intent":"payment.invoice"}`)

	began := time.Now()
	v := d.want(201, "", "POST", "/v1/classifier", "sk_shop", "").json(t)
	t.Logf("learned and in force after %s", time.Since(began))
	next := talks(d, "wk_shop", `"anonymous_id":"t99"`)
	if a := next.say(unclear); need1(a)["intent"] != chosen["intent"] || len(blocks(a, "clarify")) != 0 || dict(a["strategy"])["version"] != v["version"] {
		t.Errorf("the next who says it is answered %v", need1(a))
	}
	if a := next.say("把上回那张补给我"); need1(a)["intent"] != "payment.invoice" {
		t.Errorf("the label taught nothing: %v", need1(a))
	}
	// What was decided before is decided again as it was, under what was known then.
	for _, a := range []map[string]any{asked, pressed, wrong} {
		d.identical(a["id"].(string))
	}
	source := d.want(200, "", "GET", fmt.Sprintf("/v1/strategies/%v", v["version"]), "sk_shop", "")
	if strings.Contains(source.body, "13812345678") || !strings.Contains(source.body, "把上回那张补给我") {
		t.Errorf("what was learned from: %s", source.body)
	}
	// It is a version like any other: it can be taken back.
	d.want(200, "", "POST", fmt.Sprintf("/v1/strategies/%v/rollback", dict(asked["strategy"])["version"]), "sk_shop", "")
	if a := talks(d, "wk_shop", `"anonymous_id":"t100"`).say(unclear); len(blocks(a, "clarify")) != 1 {
		t.Errorf("taken back, and still learned: %v", need1(a))
	}
}
