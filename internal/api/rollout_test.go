package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// draft makes a draft of the version in force with files over it.
func (d *door) draft(files map[string]string) int {
	d.t.Helper()
	body, err := json.Marshal(map[string]any{"files": files})
	if err != nil {
		d.t.Fatal(err)
	}
	return int(d.want(201, "", "POST", "/v1/strategies", "sk_shop", string(body)).json(d.t)["version"].(float64))
}

// servedBy asks as a person and gives the version and the arm of the answer.
func (d *door) servedBy(person string) (version int, arm any, id string) {
	d.t.Helper()
	a := d.want(200, "", "POST", "/v1/decisions", "sk_shop", fmt.Sprintf(`{"user_id":%q,"enquiry":{"text":"现在有什么优惠活动"}}`, person)).json(d.t)
	s := a["strategy"].(map[string]any)
	return int(s["version"].(float64)), s["arm"], a["id"].(string)
}

func (d *door) state(version int) string {
	d.t.Helper()
	return d.want(200, "", "GET", fmt.Sprintf("/v1/strategies/%d", version), "sk_shop", "").json(d.t)["state"].(string)
}

func TestACanaryServesItsShareAndIsPromotedOrTakenBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d, shut := wholeIn(t, dir)
	d.set(time.Date(2026, 7, 10, 4, 0, 0, 0, time.UTC))
	two := d.draft(map[string]string{"gift/pack.yaml": gift})
	d.want(400, "bad_guardrail", "POST", fmt.Sprintf("/v1/strategies/%d/publish", two), "sk_shop", `{"canary":0.3,"guardrails":[{"metric":"joy","max":1,"after":1}]}`)
	d.want(200, "", "POST", fmt.Sprintf("/v1/strategies/%d/publish", two), "sk_shop", `{"canary":0.3,"note":"try it"}`)
	if s := d.state(two); s != "canary" {
		t.Errorf("it is %s", s)
	}
	arms := map[string]any{}
	canaries := 0
	var one string
	for i := range 60 {
		person := fmt.Sprint("p", i)
		version, arm, id := d.servedBy(person)
		if (version == two) != (arm == "canary") || version != two && arm != "control" {
			t.Fatalf("%s is served version %d as %v", person, version, arm)
		}
		if version == two {
			canaries++
			one = id
		}
		arms[person] = arm
	}
	if canaries < 8 || canaries > 30 {
		t.Errorf("%d of 60 are in a share of 0.3", canaries)
	}
	shut()
	now := d.now()
	d, shut = wholeIn(t, dir)
	defer shut()
	d.set(now.Add(time.Minute))
	for person, was := range arms {
		if _, arm, _ := d.servedBy(person); arm != was {
			t.Errorf("%s was in %v and is in %v after a restart", person, was, arm)
		}
	}
	d.identical(one)
	d.want(200, "", "POST", fmt.Sprintf("/v1/strategies/%d/publish", two), "sk_shop", "")
	for person := range arms {
		if version, arm, _ := d.servedBy(person); version != two || arm != nil {
			t.Fatalf("after the promotion %s is served %d in %v", person, version, arm)
		}
	}
	three := d.draft(map[string]string{"gift/pack.yaml": strings.Replace(gift, "pieces: 2", "pieces: 3", 1)})
	d.want(200, "", "POST", fmt.Sprintf("/v1/strategies/%d/publish", three), "sk_shop", `{"canary":0.9}`)
	d.set(d.now().Add(time.Second))
	d.want(200, "", "POST", fmt.Sprintf("/v1/strategies/%d/rollback", two), "sk_shop", "")
	for person := range arms {
		if version, _, _ := d.servedBy(person); version != two {
			t.Fatalf("after the rollback %s is served %d", person, version)
		}
	}
	if s := d.state(three); s != "superseded" {
		t.Errorf("the canary that was taken back is %s", s)
	}
}

func TestAVersionIsPublishedByTheClock(t *testing.T) {
	t.Parallel()
	d := whole(t)
	d.set(time.Date(2026, 7, 10, 4, 0, 0, 0, time.UTC))
	two := d.draft(map[string]string{"gift/pack.yaml": gift})
	d.want(200, "", "POST", fmt.Sprintf("/v1/strategies/%d/publish", two), "sk_shop", `{"at":"2026-07-11T00:00:00Z"}`)
	tend := func() {
		t.Helper()
		if err := d.corridor.Tend(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	tend()
	if version, _, _ := d.servedBy("ann"); version == two || d.state(two) != "scheduled" {
		t.Errorf("it is %s before its time", d.state(two))
	}
	d.set(time.Date(2026, 7, 11, 0, 0, 0, 0, time.UTC))
	tend()
	tend()
	if version, _, _ := d.servedBy("ann"); version != two || d.state(two) != "published" {
		t.Errorf("its time has come and it is %s", d.state(two))
	}
}

func TestAGuardrailTakesACanaryBack(t *testing.T) {
	t.Parallel()
	d := whole(t)
	d.set(time.Date(2026, 7, 10, 4, 0, 0, 0, time.UTC))
	two := d.draft(map[string]string{"gift/pack.yaml": strings.Replace(gift, "pieces: 2", "pieces: 50", 1)})
	d.want(200, "", "POST", fmt.Sprintf("/v1/strategies/%d/publish", two), "sk_shop", `{"canary":0.9,"guardrails":[{"metric":"dismiss_rate","max":0.5,"after":5}]}`)
	refused := 0
	for i := range 40 {
		version, _, id := d.servedBy(fmt.Sprint("p", i))
		if version != two {
			continue
		}
		if err := d.corridor.Tend(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := d.state(two); s != "canary" {
			if refused < 5 {
				t.Errorf("it ended after %d looks", refused)
			}
			break
		}
		d.want(200, "", "POST", "/v1/decisions/"+id+"/outcomes", "sk_shop", `{"outcome":"dismissed","action":"thank_you"}`)
		refused++
	}
	v := d.want(200, "", "GET", fmt.Sprintf("/v1/strategies/%d", two), "sk_shop", "").json(t)
	if r := v["rollout"].(map[string]any); v["state"] != "superseded" || r["phase"] != "ended" || !strings.HasPrefix(r["reason"].(string), "guardrail dismiss_rate: 1.0000 of 5") {
		t.Errorf("everybody refuses and the canary goes on: %v", v)
	}
	if version, _, _ := d.servedBy("p0"); version == two {
		t.Error("it is still served")
	}
}

func TestADraftIsComparedWithTheLoggedPast(t *testing.T) {
	t.Parallel()
	d := whole(t)
	d.set(time.Date(2026, 7, 10, 4, 0, 0, 0, time.UTC))
	d.want(200, "", "POST", "/v1/identify", "sk_shop", `{"userId":"p1","messageId":"i1","traits":{"locale":"zh-CN"}}`)
	for i := range 6 {
		d.servedBy(fmt.Sprint("p", i%3))
	}
	d.want(200, "", "POST", "/v1/decisions", "sk_shop", `{"user_id":"p9","enquiry":{"text":"我的快递到哪了"}}`)
	two := d.draft(map[string]string{"gift/pack.yaml": gift})
	s := d.want(200, "", "POST", fmt.Sprintf("/v1/strategies/%d/simulate", two), "sk_shop", "").json(t)
	if s["decisions"] != 7.0 || s["changed"] != 6.0 || s["people"] != 4.0 {
		t.Errorf("seven decisions of four people, six of which would change: %v", s)
	}
	for _, a := range s["actions"].([]any) {
		if x := a.(map[string]any); x["action"] == "thank_you" && (x["gained"] != 6.0 || x["before"] != 0.0) {
			t.Errorf("who asks what is on offer would get the present: %v", x)
		}
	}
	if one := d.want(200, "", "POST", fmt.Sprintf("/v1/strategies/%d/simulate", two), "sk_shop", `{"people":["user:p1"]}`).json(t); one["decisions"] != 2.0 || one["people"] != 1.0 {
		t.Errorf("of one person: %v", one)
	}
	if none := d.want(200, "", "POST", "/v1/strategies/1/simulate", "sk_shop", `{"limit":3}`).json(t); none["decisions"] != 3.0 || none["changed"] != 0.0 {
		t.Errorf("the version that decided changes nothing: %v", none)
	}
	if l := d.want(200, "", "GET", "/v1/decisions", "sk_shop", "").json(t); len(l["items"].([]any)) != 7 {
		t.Error("a simulation has left something in the ledger")
	}
	diff := d.want(200, "", "GET", fmt.Sprintf("/v1/strategies/%d/diff", two), "sk_shop", "").json(t)
	files := diff["files"].([]any)
	if len(files) != 1 || files[0].(map[string]any)["change"] != "added" || !strings.Contains(files[0].(map[string]any)["diff"].(string), "+  - id: thank_you") {
		t.Errorf("the difference: %v", diff)
	}
	if added := diff["actions_added"].([]any); len(added) != 1 || added[0] != "thank_you" {
		t.Error(diff)
	}
}

func TestCoverageSaysWhatIsLeftUnserved(t *testing.T) {
	t.Parallel()
	d := whole(t)
	d.set(time.Date(2026, 7, 10, 4, 0, 0, 0, time.UTC))
	d.publish(map[string]string{"gift/pack.yaml": gift})
	for i := range 4 {
		d.servedBy(fmt.Sprint("p", i))
	}
	for _, courtesy := range []string{"你好", "你是谁", "Thanks a lot!"} {
		d.want(200, "", "POST", "/v1/decisions", "sk_shop", fmt.Sprintf(`{"user_id":"polite","enquiry":{"text":%q}}`, courtesy))
	}
	c := d.want(200, "", "GET", "/v1/coverage", "sk_shop", "").json(t)
	if c["decisions"] != 7.0 || c["people"] != 4.0 || c["nothing"] != 0.0 {
		t.Errorf("seven decisions, of which three to somebody who was only being polite: %v", c)
	}
	for _, x := range c["actions"].([]any) {
		a := x.(map[string]any)
		if a["action"] != "thank_you" {
			continue
		}
		lost := a["lost"].([]any)
		if a["chosen"] != 2.0 || len(lost) != 1 || lost[0].(map[string]any)["rule"] != "presents" || lost[0].(map[string]any)["times"] != 2.0 {
			t.Errorf("two got it and two lost it to the budget: %v", a)
		}
	}
	found := false
	for _, x := range c["needs"].([]any) {
		n := x.(map[string]any)
		found = found || n["intent"] == "presale.price_promo" && n["asked"] == 4.0
		if n["intent"] == "" {
			t.Errorf("a courtesy is no need of the strategy's: %v", n)
		}
	}
	if !found {
		t.Errorf("four asked what is on offer: %v", c["needs"])
	}
	for _, x := range list(c["actions"]) {
		for _, l := range list(dict(x)["lost"]) {
			if why := dict(dict(l)["reason"]); dict(x)["action"] == "thank_you" && (why["zh"] == "" || why["en"] == "") {
				t.Errorf("nobody says why the budget stops it: %v", l)
			}
		}
	}
	d.want(400, "bad_limit", "GET", "/v1/coverage?limit=0", "sk_shop", "")
	d.want(400, "bad_timestamp", "GET", "/v1/coverage?since=yesterday", "sk_shop", "")
}

func TestTheLedgerNamesWhoSaidTheirName(t *testing.T) {
	t.Parallel()
	d := whole(t)
	d.want(200, "", "POST", "/v1/identify", "sk_shop", `{"userId":"ann","messageId":"n1","traits":{"name":"安然"}}`)
	d.servedBy("ann")
	d.servedBy("nobody_knows")
	names := func(query string) map[string]bool {
		out := map[string]bool{}
		for _, x := range list(d.want(200, "", "GET", "/v1/decisions"+query, "sk_shop", "").json(t)["items"]) {
			out[fmt.Sprint(dict(x)["name"])] = true
		}
		return out
	}
	if got := names("?names=true"); len(got) != 2 || !got["安然"] || !got["<nil>"] {
		t.Errorf("one is called by name, of the other nothing is known: %v", got)
	}
	if got := names(""); len(got) != 1 || !got["<nil>"] {
		t.Errorf("nobody asked for names: %v", got)
	}
}

func TestCoverageNamesWhoGetsNothingAndWhereTheyAreLost(t *testing.T) {
	t.Parallel()
	d := whole(t)
	d.set(time.Date(2026, 7, 10, 4, 0, 0, 0, time.UTC))
	d.publish(map[string]string{"own/wedding.yaml": `
pack: wedding
actions:
  - id: rent_the_shop
    nature: service
    serves: [feedback.complaint]
    title: {zh: 借店, en: Rent the shop}
    eligibility: [{id: members, rule: scene.store == 'club', reason: {zh: 只借给会员店的顾客, en: only in the club}}]
    reasons: [{text: {zh: 您是会员, en: You are a member}}]
`})
	d.servedBy("helped")
	d.want(200, "", "POST", "/v1/decisions", "sk_shop", `{"user_id":"cross","enquiry":{"text":"我要投诉，等了一个星期没人管"}}`)
	d.set(d.now().Add(time.Minute))
	asked := d.want(200, "", "POST", "/v1/decisions", "sk_shop", `{"user_id":"bride","enquiry":{"text":"能借你们店拍婚纱照吗"}}`).json(t)
	c := d.want(200, "", "GET", "/v1/coverage", "sk_shop", "").json(t)
	if c["people"] != 3.0 || c["nothing"] != 0.0 || c["handed_over"] != 2.0 {
		t.Errorf("one of three was helped, two got a person: %v %v %v", c["people"], c["nothing"], c["handed_over"])
	}
	if lost := fmt.Sprint(c["lost"]); lost != "[map[people:1 stage:] map[people:1 stage:applicability]]" {
		t.Errorf("for one nothing was a candidate, for the other nothing was applicable: %v", lost)
	}
	left := list(c["left"])
	if len(left) != 2 || dict(left[0])["decision"] != asked["id"] || dict(left[0])["enquiry"] != "能借你们店拍婚纱照吗" || dict(left[0])["handed_over"] != true {
		t.Errorf("they are named, the newest first: %v", left)
	}
	for _, x := range list(c["needs"]) {
		n := dict(x)
		if n["intent"] != "feedback.complaint" {
			continue
		}
		for _, l := range list(n["lost"]) {
			if l := dict(l); l["action"] == "rent_the_shop" && (l["stage"] != "eligibility" || l["rule"] != "members" || dict(l["reason"])["zh"] != "只借给会员店的顾客") {
				t.Errorf("the rule that stops it: %v", l)
			}
		}
		if len(list(n["lost"])) == 0 {
			t.Errorf("nothing stops what serves a complaint: %v", n)
		}
	}
}

func TestADraftIsRehearsedOnAnybodyAndAnyDay(t *testing.T) {
	t.Parallel()
	d := whole(t)
	d.set(time.Date(2026, 7, 10, 4, 0, 0, 0, time.UTC))
	two := d.draft(map[string]string{"gift/pack.yaml": gift + `
  - id: summer_note
    nature: service
    title: {zh: 暑期提醒, en: A note for the summer}
    from: 2026-07-15
    until: 2026-07-20
    value: 1
    reasons: [{text: {zh: 天热了, en: It is hot}}]
`})
	r := d.want(200, "", "POST", fmt.Sprintf("/v1/strategies/%d/rehearse", two), "sk_shop", `{"request":{"user_id":"ann","enquiry":{"text":"现在有什么优惠活动"},"scene":{"zone":"Asia/Shanghai"}},"days":30}`).json(t)
	if !strings.Contains(fmt.Sprint(r["draft"]), "thank_you") || strings.Contains(fmt.Sprint(r["now"]), "thank_you") || len(r["changed"].([]any)) == 0 {
		t.Errorf("the draft gives a present that the live version does not: %v", r)
	}
	var days []string
	for _, x := range r["days"].([]any) {
		day := x.(map[string]any)
		days = append(days, fmt.Sprint(day["day"], day["draft"]))
	}
	if want := "[2026-07-11[] 2026-07-15[summer_note] 2026-07-21[]]"; fmt.Sprint(days) != want {
		t.Errorf("over the next days: %v, wanted %s", days, want)
	}
	if l := d.want(200, "", "GET", "/v1/decisions", "sk_shop", "").json(t); len(l["items"].([]any)) != 0 {
		t.Error("a rehearsal has left something in the ledger")
	}
	if b := d.want(200, "", "GET", "/v1/budgets", "sk_shop", "").json(t); len(b["items"].([]any)) != 0 {
		t.Error("a rehearsal has held something of a budget")
	}
}

func TestTheLinterReadsTheFilesAndThePast(t *testing.T) {
	t.Parallel()
	d := whole(t)
	d.set(time.Date(2026, 7, 10, 4, 0, 0, 0, time.UTC))
	for i := range 31 {
		d.servedBy(fmt.Sprint("p", i))
	}
	two := d.draft(map[string]string{"gift/pack.yaml": gift + `
  - id: never
    nature: goodwill
    serves: [presale.price_promo]
    title: {zh: 永远轮不到, en: Never}
    eligibility: [{id: on_mars, rule: scene.country == 'MARS', reason: {zh: 不在火星, en: not on Mars}}]
    value: 2
    reasons: [{text: {zh: 稳赚不赔, en: You cannot lose}}]
`})
	found := map[string]string{}
	for _, x := range d.want(200, "", "POST", fmt.Sprintf("/v1/strategies/%d/lint", two), "sk_shop", "").json(t)["items"].([]any) {
		f := x.(map[string]any)
		if f["file"] == "gift/pack.yaml" || f["file"] == "" {
			found[f["check"].(string)] += "\n" + f["message"].(map[string]any)["en"].(string)
		}
	}
	if !strings.Contains(found["promise"], "稳赚") && !strings.Contains(found["promise"], "cannot lose") {
		t.Errorf("a promise is not seen: %v", found)
	}
	if !strings.Contains(found["never_meets"], `"never" was considered 31 times`) || !strings.Contains(found["never_meets"], "on_mars") {
		t.Errorf("a rule that nobody ever met is not seen: %v", found)
	}
}
