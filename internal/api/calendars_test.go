package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// National Day of a made-up year: three days off, and a Saturday to make up for them.
const ics = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20261001\r\nDTEND;VALUE=DATE:20261004\r\nSUMMARY:国庆节 休\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20261010\r\nSUMMARY:国庆节 补班\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"

func TestACalendarIsLoadedOnceAndRulesFollowIt(t *testing.T) {
	t.Parallel()
	d := whole(t)
	d.publish(map[string]string{"own/card.yaml": `
pack: card
actions:
  - id: holiday_card
    nature: goodwill
    serves: [presale.price_promo]
    title: {zh: 假日贺卡, en: A holiday card}
    eligibility:
      - {id: club, rule: scene.store == 'club', reason: {zh: 只在会员店, en: only in the club}}
      - {id: day_off, rule: '!scene.workday', reason: {zh: 今天上班, en: a working day}}
    reasons: [{text: {zh: 假日愉快, en: Enjoy the day}}]
`})
	offered := func(day string) bool {
		t.Helper()
		a := d.want(200, "", "POST", "/v1/decisions", "sk_shop", fmt.Sprintf(`{"user_id":"ann","enquiry":{"text":"现在有什么优惠活动"},"scene":{"store":"club","zone":"Asia/Shanghai","time":"%sT04:00:00Z","place":{"country":"CN"}}}`, day))
		return strings.Contains(a.body, "holiday_card")
	}
	if offered("2026-10-01") || !offered("2026-10-10") {
		t.Error("without a calendar a Thursday is worked and a Saturday is not")
	}
	body, err := json.Marshal(map[string]any{"ics": ics})
	if err != nil {
		t.Fatal(err)
	}
	read := d.want(200, "", "POST", "/v1/calendars/cn/read", "sk_shop", string(body)).json(t)
	if read["new"] != true || fmt.Sprint(read["added"]) != "[2026-10-01 2026-10-02 2026-10-03 2026-10-10]" || dict(read["names"])["2026-10-10"] != "国庆节 补班" {
		t.Errorf("read before it is loaded: %v", read)
	}
	if all := list(d.want(200, "", "GET", "/v1/calendars", "sk_shop", "").json(t)["items"]); len(all) != 0 {
		t.Errorf("reading has loaded %v", all)
	}
	loaded := d.want(200, "", "PUT", "/v1/calendars/cn", "sk_shop", string(body)).json(t)
	if loaded["changed"] != true || len(loaded["days_off"].([]any)) != 3 || fmt.Sprint(loaded["workdays"]) != "[2026-10-10]" {
		t.Errorf("loaded: %v", loaded)
	}
	if again := d.want(200, "", "PUT", "/v1/calendars/cn", "sk_shop", string(body)).json(t); again["changed"] != false || again["version"] != loaded["version"] {
		t.Errorf("sent again: %v", again)
	}
	if !offered("2026-10-01") || offered("2026-10-10") {
		t.Error("the next decision does not follow the calendar")
	}
	if all := d.want(200, "", "GET", "/v1/calendars", "sk_shop", "").json(t)["items"].([]any); len(all) != 1 {
		t.Errorf("the calendars: %v", all)
	}
	moved, _ := json.Marshal(map[string]any{"ics": strings.NewReplacer("20261010", "20261003", "20261004", "20261003").Replace(ics)})
	if read := d.want(200, "", "POST", "/v1/calendars/cn/read", "sk_shop", string(moved)).json(t); read["new"] != false || fmt.Sprint(read["added"], read["removed"]) != "[2026-10-03] [2026-10-10]" {
		t.Errorf("against what is in force: %v", read)
	}
	d.want(400, "bad_calendar", "POST", "/v1/calendars/cn/read", "sk_shop", `{"ics":"hello"}`)
	for _, wrong := range []string{`{"ics":"hello"}`, `{"ics":"BEGIN:VEVENT\nDTSTART:20261001\nRRULE:FREQ=YEARLY\nEND:VEVENT"}`} {
		d.want(400, "bad_calendar", "PUT", "/v1/calendars/cn", "sk_shop", wrong)
	}
	d.want(400, "bad_calendar", "PUT", "/v1/calendars/C-N", "sk_shop", string(body))
	// Where two approvers are asked for and the card is of major impact, the calendar waits for the second.
	d.set(d.now().Add(time.Second))
	d.publish(map[string]string{"own/card.yaml": "pack: card\nactions:\n  - id: holiday_card\n    nature: goodwill\n    impact: major\n    serves: [presale.price_promo]\n    title: {zh: 假日贺卡, en: A holiday card}\n    eligibility: [{id: day_off, rule: \"scene.store == 'club' && !scene.workday\", reason: {zh: 今天上班, en: a working day}}]\n    reasons: [{text: {zh: 假日愉快, en: Enjoy the day}}]\n"})
	ann, bob := d.guarded()
	later, _ := json.Marshal(map[string]any{"ics": strings.Replace(ics, "20261010", "20261011", 1)})
	for range 2 {
		d.want(409, "approval_needed", "PUT", "/v1/calendars/cn", ann, string(later))
	}
	all := d.want(200, "", "GET", "/v1/strategies?limit=1", ann, "").json(t)["items"].([]any)
	version := int(all[0].(map[string]any)["version"].(float64))
	if all[0].(map[string]any)["note"] != "calendar cn" || d.state(version) != "draft" || d.state(version-1) == "draft" {
		t.Errorf("asked twice, one draft waits: %v", all)
	}
	d.want(200, "", "POST", fmt.Sprintf("/v1/strategies/%d/approval", version), ann, "")
	d.want(200, "", "POST", fmt.Sprintf("/v1/strategies/%d/approve", version), bob, "")
	if l := d.want(200, "", "PUT", "/v1/calendars/cn", ann, string(later)).json(t); l["changed"] != true || l["version"] != float64(version) {
		t.Errorf("approved: %v", l)
	}
}

// What is wrong with a strategy or a calendar is told in the caller's language, with a
// code for programs and the caret where it belongs.
func TestFaultsAreToldInTheCallersLanguage(t *testing.T) {
	t.Parallel()
	d := whole(t)
	v := d.want(201, "", "POST", "/v1/strategies", "sk_shop", `{"files":{"own/a.yaml":"pack: own\nactions:\n  - id: 小礼物\n    nature: goodwill\n"}}`).json(t)["version"]
	at := fmt.Sprintf("/v1/strategies/%v/", v)
	for lang, want := range map[string]struct{ name, missing, calendar string }{
		"zh-CN": {"「小礼物」不能作名称：只用小写字母、数字和下划线，最多 64 个", "缺少「title」", "「soon」不是日期"},
		"en":    {`"小礼物" is not a name: small letters, digits and _ are used, at most 64`, `"title" is missing`, `"soon" is no date`},
	} {
		all := d.want(200, "", "POST", at+"validate", "sk_shop", "", "Accept-Language: "+lang).json(t)
		told := map[string]map[string]any{}
		for _, f := range list(all["faults"]) {
			told[fmt.Sprint(dict(f)["code"])+" "+fmt.Sprint(dict(dict(f)["params"])["name"])] = dict(f)
		}
		name := told["not_a_name <nil>"]
		if name["message"] != want.name || dict(name["params"])["given"] != "小礼物" || name["caret"] != "  - id: 小礼物\n        ^" {
			t.Errorf("%s: %v", lang, name)
		}
		if f := told["missing title"]; f["message"] != want.missing {
			t.Errorf("%s: %v", lang, told)
		}
		refused := d.want(422, "strategy_faulty", "POST", at+"publish", "sk_shop", "", "Accept-Language: "+lang).json(t)
		if !strings.Contains(fmt.Sprint(refused["errors"]), want.name) || !strings.Contains(fmt.Sprint(refused["detail"]), "own/a.yaml:3:9: "+want.name+"\n  - id: 小礼物\n        ^") {
			t.Errorf("%s: %v", lang, refused)
		}
		bad := d.want(400, "bad_calendar", "PUT", "/v1/calendars/cn", "sk_shop", `{"ics":"BEGIN:VEVENT\nDTSTART:soon\nEND:VEVENT\n"}`, "Accept-Language: "+lang).json(t)
		if said := fmt.Sprint(dict(list(bad["errors"])[0])["message"]); !strings.Contains(said, want.calendar) {
			t.Errorf("%s: %s", lang, said)
		}
	}
}
