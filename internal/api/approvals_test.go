package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// voucher is a pack with one action of major impact.
const voucher = `
pack: voucher
budgets:
  - {id: purse, title: {zh: 礼券, en: Vouchers}, pieces: 100, per: ever}
actions:
  - id: voucher
    nature: goodwill
    impact: major
    serves: [presale.price_promo]
    title: {zh: 送您一张礼券, en: A voucher for you}
    budgets: [purse]
    reasons: [{text: {zh: 谢谢您, en: Thank you}}]
`

// member makes a key for somebody.
func (d *door) member(maker, name, roles string) (id, key string) {
	d.t.Helper()
	m := d.want(201, "", "POST", "/v1/keys", maker, fmt.Sprintf(`{"name":%q,"roles":[%s]}`, name, roles)).json(d.t)
	return m["id"].(string), m["key"].(string)
}

// guarded asks for two approvers, of whom ann and bob are two.
func (d *door) guarded() (ann, bob string) {
	d.t.Helper()
	d.want(409, "approvers_missing", "PUT", "/v1/settings", "sk_shop", `{"two_approvers":true}`)
	_, ann = d.member("sk_shop", "Ann", `"approver"`)
	_, bob = d.member("sk_shop", "Bob", `"approver"`)
	d.want(200, "", "PUT", "/v1/settings", "sk_shop", `{"two_approvers":true,"note":"from today"}`)
	return ann, bob
}

func (d *door) draftAs(key string, files map[string]string) int {
	d.t.Helper()
	body, err := json.Marshal(map[string]any{"files": files})
	if err != nil {
		d.t.Fatal(err)
	}
	return int(d.want(201, "", "POST", "/v1/strategies", key, string(body)).json(d.t)["version"].(float64))
}

func TestWhatIsOfMajorImpactTakesASecondPerson(t *testing.T) {
	t.Parallel()
	d := whole(t)
	d.set(time.Date(2026, 7, 10, 4, 0, 0, 0, time.UTC))
	d.publish(map[string]string{"own/voucher.yaml": voucher})
	ann, bob := d.guarded()
	at := func(v int, rest string) string { return fmt.Sprintf("/v1/strategies/%d/%s", v, rest) }

	// A change that bears on nothing of major impact waits for nobody.
	harmless := d.draftAs(ann, map[string]string{"own/regulars.yaml": "pack: regulars\ntags:\n  - id: regular\n    title: {zh: 老顾客, en: A regular}\n    rule: orders.count >= 3\n"})
	if a := d.want(200, "", "GET", at(harmless, "approval"), ann, "").json(t); a["needed"] != false || len(a["changes"].([]any)) != 0 {
		t.Errorf("a tag that no rule reads needs approval: %v", a)
	}
	d.want(409, "nothing_to_approve", "POST", at(harmless, "approval"), ann, "")
	d.want(200, "", "POST", at(harmless, "publish"), ann, "")

	big := d.draftAs(ann, map[string]string{"own/voucher.yaml": strings.Replace(voucher, "pieces: 100", "pieces: 5000", 1)})
	for _, body := range []string{"", `{"canary":0.1}`, `{"at":"2026-08-01T00:00:00Z"}`} {
		r := d.want(409, "approval_needed", "POST", at(big, "publish"), ann, body, "Accept-Language: en")
		if !strings.Contains(r.body, "Bob") || !strings.Contains(r.body, "the workspace's first key") || strings.Contains(r.body, "Ann") || !strings.Contains(r.body, "The budget “Vouchers” is changed; it bears on voucher.") {
			t.Errorf("it is not said who may approve what: %s", r.body)
		}
	}
	if zh := d.want(409, "approval_needed", "POST", at(big, "publish"), ann, "", "Accept-Language: zh-CN").body; !strings.Contains(zh, "改动预算「礼券」，关系到 voucher。") {
		t.Error(zh)
	}
	d.want(409, "no_request", "POST", at(big, "approve"), bob, "")
	d.want(200, "", "POST", at(big, "approval"), ann, `{"note":"for the summer"}`)
	d.want(409, "approval_open", "POST", at(big, "publish"), bob, "")
	d.want(403, "same_approver", "POST", at(big, "approve"), ann, "")
	d.want(400, "missing", "POST", at(big, "reject"), bob, "")
	d.want(200, "", "POST", at(big, "reject"), bob, `{"note":"too many"}`)
	d.want(409, "approval_needed", "POST", at(big, "publish"), ann, "")
	d.want(200, "", "POST", at(big, "approval"), ann, `{"note":"agreed with finance"}`)
	if open := d.want(200, "", "GET", "/v1/approvals", bob, "").json(t)["items"].([]any); len(open) != 1 || open[0].(map[string]any)["note"] != "agreed with finance" {
		t.Errorf("bob is asked: %v", open)
	}
	if a := d.want(200, "", "POST", at(big, "approve"), bob, `{"note":"seen"}`).json(t); a["needed"] != false || a["request"].(map[string]any)["state"] != "approved" {
		t.Errorf("it is approved: %v", a)
	}
	d.want(409, "no_request", "POST", at(big, "approve"), "sk_shop", "")
	d.want(200, "", "POST", at(big, "publish"), ann, `{"canary":0.5}`)
	d.want(200, "", "POST", at(big, "publish"), ann, "") // promoting what was approved waits for nobody
	// Nor does going back, nor stopping.
	d.want(200, "", "POST", at(harmless, "rollback"), ann, `{"note":"too dear"}`)
	d.want(200, "", "POST", at(big, "rollback"), ann, "")
	d.want(200, "", "POST", "/v1/actions/voucher/stop", ann, `{"reason":"leaked"}`)

	var told []string
	for _, x := range d.want(200, "", "GET", fmt.Sprintf("/v1/audit?version=%d", big), bob, "").json(t)["items"].([]any) {
		a := x.(map[string]any)
		told = append(told, fmt.Sprint(a["act"], " ", a["by"].(map[string]any)["name"]))
	}
	if got, want := strings.Join(told, ", "), "rolled_back Ann, published Ann, canary Ann, approved Bob, requested Ann, rejected Bob, requested Ann, drafted Ann"; got != want {
		t.Errorf("the history is\n%s, wanted\n%s", got, want)
	}
	if page := d.want(200, "", "GET", "/v1/audit?limit=3", bob, "").json(t); len(page["items"].([]any)) != 3 || page["next_cursor"] == nil {
		t.Error(page)
	}
}

func TestWhatWasApprovedIsTheChangeNotTheNumber(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d, shut := wholeIn(t, dir)
	d.set(time.Date(2026, 7, 10, 4, 0, 0, 0, time.UTC))
	d.publish(map[string]string{"own/voucher.yaml": voucher})
	ann, bob := d.guarded()
	at := func(v int, rest string) string { return fmt.Sprintf("/v1/strategies/%d/%s", v, rest) }
	approve := func(v int) {
		t.Helper()
		d.want(200, "", "POST", at(v, "approval"), ann, "")
		d.want(200, "", "POST", at(v, "approve"), bob, "")
	}
	more := d.draft(map[string]string{"own/voucher.yaml": strings.Replace(voucher, "pieces: 100", "pieces: 200", 1)})
	most := d.draft(map[string]string{"own/voucher.yaml": strings.Replace(voucher, "pieces: 100", "pieces: 900", 1)})
	approve(more)
	approve(most)
	d.want(200, "", "POST", at(most, "publish"), ann, `{"at":"2026-07-11T00:00:00Z"}`)
	d.want(200, "", "POST", at(more, "publish"), ann, "")
	// From 200 to 900 is not the change that was approved.
	d.set(time.Date(2026, 7, 11, 0, 0, 0, 0, time.UTC))
	for range 2 {
		if err := d.corridor.Tend(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	v := d.want(200, "", "GET", fmt.Sprintf("/v1/strategies/%d", most), ann, "").json(t)
	if r := v["rollout"].(map[string]any); v["state"] != "draft" || r["phase"] != "ended" || !strings.Contains(r["reason"].(string), "approval") {
		t.Errorf("its time has come beside another version: %v", v)
	}
	shut()
	now := d.now()
	d, shut = wholeIn(t, dir) // what was approved, and whose keys there are, outlives a restart
	defer shut()
	d.set(now.Add(time.Second))
	d.want(409, "approval_needed", "POST", at(most, "publish"), ann, "")
	approve(most)
	d.want(200, "", "POST", at(most, "publish"), ann, "")
}

func TestNobodyIsTheirOwnSecondPerson(t *testing.T) {
	t.Parallel()
	d := whole(t)
	d.publish(map[string]string{"own/voucher.yaml": voucher})
	ann, bob := d.guarded()
	// Two approvers are left only by two.
	d.want(403, "owner_needed", "PUT", "/v1/settings", ann, `{"two_approvers":false}`)
	if s := d.want(200, "", "PUT", "/v1/settings", "sk_shop", `{"two_approvers":false,"note":"we are too few"}`).json(t); s["two_approvers"] != true || s["request"] == nil {
		t.Errorf("one alone has ended it: %v", s)
	}
	d.want(403, "same_approver", "POST", "/v1/settings/approve", "sk_shop", "")
	// A key that the first key makes for itself now is not a second person …
	id, own := d.member("sk_shop", "Me again", `"approver","owner"`)
	_, second := d.member(own, "And again", `"approver"`)
	d.want(403, "same_approver", "POST", "/v1/settings/approve", own, "")
	d.want(403, "same_approver", "POST", "/v1/settings/approve", second, "")
	// … nor may it approve without the role, or after it was taken away.
	_, reader := d.member("sk_shop", "Reader", ``)
	d.want(403, "approver_needed", "POST", "/v1/settings/approve", reader, "")
	d.want(200, "", "DELETE", "/v1/keys/"+id, "sk_shop", "")
	d.want(401, "key_unknown", "GET", "/v1/settings", own, "")
	d.want(403, "same_approver", "POST", "/v1/settings/approve", second, "")
	d.want(403, "owner_needed", "POST", "/v1/keys", ann, `{"name":"x"}`)
	d.want(403, "owner_needed", "POST", "/v1/workspaces", ann, `{"id":"school"}`)
	if body := d.want(200, "", "GET", "/v1/workspaces", ann, "").body; strings.Contains(body, "sk_shop") {
		t.Errorf("ann is told the first key: %s", body)
	}
	if body := d.want(200, "", "GET", "/v1/keys", ann, "").body; strings.Contains(body, "hash") || strings.Contains(body, "sk_") {
		t.Errorf("a list of keys tells them: %s", body)
	}
	d.want(401, "key_unknown", "GET", "/v1/settings", "sk_nobody", "")
	d.want(404, "not_found", "DELETE", "/v1/keys/first", "sk_shop", "")
	// Bob may, and then one is enough again.
	if s := d.want(200, "", "POST", "/v1/settings/approve", bob, "").json(t); s["two_approvers"] != false {
		t.Errorf("two have ended it: %v", s)
	}
	two := d.draft(map[string]string{"own/voucher.yaml": strings.Replace(voucher, "pieces: 100", "pieces: 200", 1)})
	d.want(200, "", "POST", fmt.Sprintf("/v1/strategies/%d/publish", two), "sk_shop", "")
}

func TestTheConsoleIsOpenedAsOneself(t *testing.T) {
	t.Parallel()
	d := whole(t)
	id, ann := d.member("sk_shop", "Ann", `"approver"`)
	d.want(403, "own_login_only", "POST", "/v1/keys/"+id+"/login", "sk_shop", "")
	link := d.want(201, "", "POST", "/v1/keys/"+id+"/login", ann, "").json(t)["url"].(string)
	r := d.want(303, "", "GET", link, "", "")
	cookies := (&http.Response{Header: r.header}).Cookies()
	if len(cookies) != 1 {
		t.Fatal("no session")
	}
	cookie := "Cookie: " + cookies[0].Name + "=" + cookies[0].Value
	s := d.want(200, "", "GET", "/v1/settings", "", "", cookie, "X-Workspace: shop").json(t)
	if you := s["you"].(map[string]any); you["name"] != "Ann" {
		t.Errorf("the console opens as %v", you)
	}
	d.want(404, "not_found", "GET", "/v1/settings", "", "", cookie, "X-Workspace: bank")
	if all := d.want(200, "", "GET", "/v1/workspaces", "", "", cookie).json(t)["items"].([]any); len(all) != 1 {
		t.Errorf("ann sees %v", all)
	}
	d.want(200, "", "DELETE", "/v1/keys/"+id, "sk_shop", "")
	d.want(401, "session_unknown", "GET", "/v1/settings", "", "", cookie, "X-Workspace: shop")
}
