package api

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// family is a house with a mother, her son and what the shop knows of both.
func family(t *testing.T) *door {
	t.Helper()
	d := whole(t)
	until := noon.AddDate(0, 1, 0).Format(time.RFC3339)
	for path, body := range map[string]string{
		"/v1/records/order/SO-70312": `{"person":"user:son","status":"shipped","lines":[{"product_id":"kite-2","quantity":1}],"delivered_at":""}`,
		"/v1/records/order/SO-11111": `{"person":"user:stranger","status":"placed"}`,
		"/v1/records/enrolment/E-9":  `{"person":"user:son","course_id":"algebra","mastery":[{"skill":"fractions","score":0.4}]}`,
		"/v1/records/order/SO-55555": `{"person":"user:mum","status":"delivered","delivered_at":"2026-04-30T08:00:00Z","lines":[{"product_id":"pod-3","quantity":1}]}`,
	} {
		d.want(200, "", "PUT", path, "sk_shop", body)
	}
	d.want(200, "", "POST", "/v1/identify", "sk_shop", `{"userId":"son","traits":{"first_name":"Tobias","blood_type":"A","tags":["gamer"]}}`)
	d.want(200, "", "PUT", "/v1/records/relationship/r1", "sk_shop", `{"person":"user:mum","to":"user:son","type":"guardian_of","scope":["order"],"called":["儿子","my son"],"valid_until":"`+until+`"}`)
	return d
}

func askFor(who, behalf, text string) string {
	return fmt.Sprintf(`{"user_id":%q,"on_behalf_of":%q,"enquiry":{"text":%q},"scene":{"channel":"web"}}`, who, behalf, text)
}

func TestAGuardianAsksForTheWardWithinTheScope(t *testing.T) {
	t.Parallel()
	d := family(t)
	answer := d.want(200, "", "POST", "/v1/decisions", "sk_shop", askFor("mum", "user:son", "订单到哪里了"))
	son := d.want(200, "", "GET", "/v1/people/user:son", "sk_shop", "").json(t)
	if who := answer.json(t)["person"].(map[string]any); who["on_behalf_of"] != son["id"] {
		t.Errorf("asked for %v, wanted %v", who, son["id"])
	}
	if !strings.Contains(answer.body, "SO-70312") {
		t.Errorf("the son's order is not answered: %s", answer.body)
	}
	for _, other := range []string{"SO-55555", "SO-11111", "algebra", "blood_type", "gamer", "E-9"} {
		if strings.Contains(answer.body, other) {
			t.Errorf("%s is none of what was asked about: %s", other, answer.body)
		}
	}
	// What the answer rests on opens for her, is the son's, and comes out the same again.
	mum := "X-Identity-Token: " + pass("shop", "mum", noon.Add(time.Hour))
	theirs := 0
	for _, e := range answer.json(t)["evidence"].(map[string]any) {
		if ref := e.(map[string]any)["ref"].(string); strings.HasPrefix(ref, "order:") {
			theirs++
			d.want(200, "", "GET", "/v1/refs/"+ref, "wk_shop", "", mum)
			d.want(404, "not_found", "GET", "/v1/refs/"+ref, "wk_shop", "", "X-Identity-Token: "+pass("shop", "stranger", noon.Add(time.Hour)))
		}
	}
	if theirs == 0 {
		t.Error("no order is among the evidence")
	}
	d.want(404, "not_found", "GET", "/v1/refs/enrolment:E-9;"+son["id"].(string), "wk_shop", "", mum)
	id := answer.json(t)["id"].(string)
	if r := d.want(200, "", "POST", "/v1/decisions/"+id+"/replay", "sk_shop", "").json(t); r["identical"] != true {
		t.Errorf("a replay differs at %v", r["changed"])
	}
	// Without the relation there would have been nothing to say of the son.
	ref := d.want(200, "", "GET", "/v1/people/user:mum/relations", "sk_shop", "").json(t)["items"].([]any)[0].(map[string]any)["evidence"].([]any)[0].(string)
	if r := d.want(200, "", "POST", "/v1/decisions/"+id+"/replay", "sk_shop", `{"without":["`+ref+`"]}`); strings.Contains(jsonOf(r.json(t)["decision"].(map[string]any)["blocks"]), "SO-70312") {
		t.Error("without the relation the order is still told")
	}
	// The enrolment is out of scope: not told, however it is asked.
	if r := d.want(200, "", "POST", "/v1/decisions", "sk_shop", askFor("mum", "son", "报了什么课程，学得怎么样 E-9")); strings.Contains(r.body, "algebra") || strings.Contains(r.body, "fractions") {
		t.Errorf("out of scope and told: %s", r.body)
	}
	// For herself she is answered as ever.
	if r := d.want(200, "", "POST", "/v1/decisions", "sk_shop", askFor("mum", "", "我的订单到哪里了")); !strings.Contains(r.body, "SO-55555") || strings.Contains(r.body, "SO-70312") {
		t.Errorf("her own question: %s", r.body)
	}
}

func TestWhomTheWordsMeanIsAskedFor(t *testing.T) {
	t.Parallel()
	d := family(t)
	for _, text := range []string{"我儿子的订单到哪里了", "has the order of my son been shipped?", "Where is Tobias' order?", "SO-70312 到哪了"} {
		if r := d.want(200, "", "POST", "/v1/decisions", "sk_shop", askFor("mum", "", text)); !strings.Contains(r.body, `"on_behalf_of"`) || !strings.Contains(jsonOf(r.json(t)["blocks"]), "SO-70312") {
			t.Errorf("%s: %s", text, r.body)
		}
	}
	for who, text := range map[string]string{"stranger": "where is SO-70312", "mum": "where is SO-11111"} {
		if r := d.want(200, "", "POST", "/v1/decisions", "sk_shop", askFor(who, "", text)); strings.Contains(r.body, `"on_behalf_of"`) {
			t.Errorf("%s asked %q for somebody else: %s", who, text, r.body)
		}
	}
}

func TestWhoMayNotAskForAnotherLearnsNothing(t *testing.T) {
	t.Parallel()
	d := family(t)
	token := func(user string) string { return pass("shop", user, d.now().Add(time.Hour)) }
	own := func(user, behalf string) string {
		return fmt.Sprintf(`{"user_id":%q,"identity_token":%q,"on_behalf_of":%q,"enquiry":{"text":"订单到哪里了"}}`, user, token(user), behalf)
	}
	d.want(200, "", "POST", "/v1/decisions", "wk_shop", own("mum", "user:son"))
	no := []reply{
		d.want(403, "no_relation", "POST", "/v1/decisions", "wk_shop", own("stranger", "user:son")),
		d.want(403, "no_relation", "POST", "/v1/decisions", "wk_shop", own("stranger", "user:nobody-at-all")),
		d.want(403, "no_relation", "POST", "/v1/decisions", "wk_shop", own("son", "user:mum")), // it goes one way
		d.want(403, "no_relation", "POST", "/v1/decisions", "wk_shop", `{"user_id":"mum","anonymous_id":"a1","on_behalf_of":"user:son","enquiry":{"text":"订单到哪里了"}}`),
		d.want(403, "no_relation", "POST", "/v1/decisions", "sk_bank", askFor("mum", "user:son", "订单到哪里了")),
	}
	for _, r := range no[1:] {
		if r.json(t)["title"] != no[0].json(t)["title"] {
			t.Errorf("a refusal tells who exists: %s", r.body)
		}
	}
	d.set(noon.AddDate(0, 1, 0)) // the very moment of its end
	d.want(403, "no_relation", "POST", "/v1/decisions", "sk_shop", askFor("mum", "user:son", "订单到哪里了"))
	if r := d.want(200, "", "POST", "/v1/decisions", "sk_shop", askFor("mum", "", "我儿子的订单 SO-70312 到哪里了")); strings.Contains(jsonOf(r.json(t)["blocks"]), "shipped") || strings.Contains(r.body, `"on_behalf_of"`) {
		t.Errorf("an expired relation still answers: %s", r.body)
	}
	// A newer statement gives it back; an older one changes nothing; taken away it is over.
	put := func(at time.Time, until string) {
		t.Helper()
		d.want(200, "", "PUT", "/v1/records/relationship/r1", "sk_shop", fmt.Sprintf(`{"person":"user:mum","to":"user:son","type":"guardian_of","scope":["order"],"updated_at":%q,"valid_until":%q}`, at.Format(time.RFC3339), until))
	}
	put(noon.AddDate(0, 1, 0), "2030-01-01T00:00:00Z")
	put(noon.AddDate(-1, 0, 0), "2026-01-01T00:00:00Z")
	d.want(200, "", "POST", "/v1/decisions", "sk_shop", askFor("mum", "user:son", "订单到哪里了"))
	d.set(d.now().Add(time.Minute))
	d.want(200, "", "DELETE", "/v1/records/relationship/r1", "sk_shop", "")
	d.want(403, "no_relation", "POST", "/v1/decisions", "sk_shop", askFor("mum", "user:son", "订单到哪里了"))
}

func TestRelationsStandInTheViewOfBothSides(t *testing.T) {
	t.Parallel()
	d := family(t)
	d.want(200, "", "PUT", "/v1/records/relationship/r2", "sk_shop", `{"person":"user:mum","to":"company:acme","type":"member_of","role":"buyer"}`)
	d.want(200, "", "POST", "/v1/import", "sk_shop", `{"record":"relationship","id":"r3","person":"user:gran","to":"user:son","type":"pays_for","scope":["order"]}`)
	relations := func(who string) string {
		var all []string
		for _, r := range d.want(200, "", "GET", "/v1/people/"+who, "sk_shop", "").json(t)["relations"].([]any) {
			r := r.(map[string]any)
			all = append(all, fmt.Sprint(r["direction"], " ", r["type"], " ", r["other"].(map[string]any)["key"].(map[string]any)["value"], " ", r["in_force"]))
		}
		return strings.Join(all, "; ")
	}
	if got := relations("mum"); got != "to guardian_of son true; to member_of acme true" {
		t.Error(got)
	}
	if got := relations("son"); got != "from guardian_of mum true; from pays_for gran true" {
		t.Error(got)
	}
	graph := d.want(200, "", "GET", "/v1/people/mum/graph", "sk_shop", "").body
	for _, edge := range []string{`"type":"guardian_of"`, `"type":"member_of"`, `"kind":"company"`} {
		if !strings.Contains(graph, edge) {
			t.Errorf("the graph has no %s: %s", edge, graph)
		}
	}
	d.set(noon.AddDate(1, 0, 0))
	if got := relations("son"); got != "from guardian_of mum false; from pays_for gran true" {
		t.Error(got)
	}
	for pointer, body := range map[string]string{
		"/to":          `{"person":"user:mum","to":"per_nobody","type":"guardian_of"}`,
		"/type":        `{"person":"user:mum","to":"user:son"}`,
		"/scope/0":     `{"person":"user:mum","to":"user:son","type":"x","scope":["everything"]}`,
		"/valid_until": `{"person":"user:mum","to":"user:son","type":"x","valid_until":"soon"}`,
	} {
		if r := d.want(400, "", "PUT", "/v1/records/relationship/bad", "sk_shop", body); !strings.Contains(r.body, `"pointer":"`+pointer+`"`) {
			t.Errorf("%s: %s", pointer, r.body)
		}
	}
}

func TestRulesReadRelationsByName(t *testing.T) {
	t.Parallel()
	d := family(t)
	rules := `actions:
  - id: for_guardians
    nature: service
    title: {zh: 家长办理, en: For guardians}
    serves: [logistics.track, order.status]
    applicability:
      - {id: guardian, rule: "behalf.asked && behalf.type == 'guardian_of' && 'order' in behalf.scope && 'guardian_of' in person.relations", reason: {zh: 不是家长代问, en: no guardian asks}}
    reasons:
      - text: {zh: 您是孩子的监护人, en: You are the guardian}
`
	files := jsonOf(map[string]string{"own/rules.yaml": rules})
	draft := d.want(201, "", "POST", "/v1/strategies", "sk_shop", `{"packs":["base","electronics"],"files":`+files+`}`).json(t)
	d.want(200, "", "POST", fmt.Sprintf("/v1/strategies/%v/publish", draft["version"]), "sk_shop", `{"note":"guardians"}`)
	chosen := func(body string) bool {
		t.Helper()
		return strings.Contains(d.want(200, "", "POST", "/v1/decisions", "sk_shop", body).body, `"action":"for_guardians"`)
	}
	if !chosen(askFor("mum", "user:son", "订单到哪里了")) {
		t.Error("the rule does not see who asks for whom")
	}
	if chosen(askFor("mum", "", "订单到哪里了")) {
		t.Error("the rule holds though she asks for herself")
	}
}
