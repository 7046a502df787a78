package api

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// gift is a pack of one present for everybody who asks what is on offer: two a month, and only in
// July.
const gift = `
pack: gift
timezone: Asia/Shanghai
budgets:
  - {id: presents, title: {zh: 小礼物, en: Presents}, pieces: 2, per: month, hold: 48h}
actions:
  - id: thank_you
    nature: goodwill
    serves: [presale.price_promo]
    title: {zh: 送您一份小礼物, en: A small present for you}
    from: 2026-07-01
    until: 2026-07-31
    budgets: [presents]
    value: 2
    reasons: [{text: {zh: 谢谢您一直光顾, en: Thank you for coming back}}]
`

func (d *door) publish(files map[string]string) {
	d.t.Helper()
	body, err := json.Marshal(map[string]any{"files": files})
	if err != nil {
		d.t.Fatal(err)
	}
	v := d.want(201, "", "POST", "/v1/strategies", "sk_shop", string(body)).json(d.t)["version"]
	d.want(200, "", "POST", fmt.Sprintf("/v1/strategies/%v/publish", v), "sk_shop", "")
}

// asks gives the decision's id, whether the present is offered, and else what stopped it.
func (d *door) asks(person string) (id string, offered bool, stopped string) {
	d.t.Helper()
	a := d.want(200, "", "POST", "/v1/decisions", "sk_shop", fmt.Sprintf(`{"user_id":%q,"enquiry":{"text":"现在有什么优惠活动"},"scene":{"locale":"zh-CN"},"explain":true}`, person)).json(d.t)
	for _, x := range a["actions"].([]any) {
		if x.(map[string]any)["action"] == "thank_you" {
			return a["id"].(string), true, ""
		}
	}
	for _, x := range a["explanation"].(map[string]any)["rejected"].([]any) {
		if r := x.(map[string]any); r["action"] == "thank_you" {
			return a["id"].(string), false, fmt.Sprint(r["stage"], "/", r["rule"])
		}
	}
	return a["id"].(string), false, ""
}

func (d *door) identical(id string) {
	d.t.Helper()
	if r := d.want(200, "", "POST", "/v1/decisions/"+id+"/replay", "sk_shop", "").json(d.t); r["identical"] != true {
		d.t.Errorf("a replay of %s differs at %v", id, r["changed"])
	}
}

func TestABudgetIsHeldSpentReturnedAndNeverOverdrawn(t *testing.T) {
	t.Parallel()
	d := whole(t)
	d.set(time.Date(2026, 7, 10, 4, 0, 0, 0, time.UTC))
	d.publish(map[string]string{"gift/pack.yaml": gift})
	ann, ok, _ := d.asks("ann")
	ben, also, _ := d.asks("ben")
	if !ok || !also {
		t.Fatal("the first two are offered nothing")
	}
	cat, ok, stopped := d.asks("cat")
	if ok || stopped != "budget/presents" {
		t.Errorf("a third is offered it of two, or stopped by %q", stopped)
	}
	d.want(200, "", "POST", "/v1/decisions/"+ann+"/outcomes", "sk_shop", `{"outcome":"accepted","action":"thank_you"}`)
	d.want(200, "", "POST", "/v1/decisions/"+ben+"/outcomes", "sk_shop", `{"outcome":"dismissed","action":"thank_you"}`)
	left := d.want(200, "", "GET", "/v1/budgets", "sk_shop", "").json(t)["items"].([]any)[0].(map[string]any)
	if left["limit"] != 2.0 || left["spent"] != 1.0 || left["held"] != 0.0 {
		t.Errorf("one taken and one refused: %v", left)
	}
	if _, ok, _ := d.asks("dan"); !ok {
		t.Error("what was refused is not offered again")
	}
	d.set(d.now().Add(49 * time.Hour))
	if _, ok, _ := d.asks("eve"); !ok {
		t.Error("what nobody took in time is not offered again")
	}
	if _, ok, _ := d.asks("fay"); ok {
		t.Error("three are out of two")
	}
	for _, id := range []string{ann, ben, cat} {
		d.identical(id)
	}
	d.set(time.Date(2026, 7, 31, 15, 59, 0, 0, time.UTC))
	if _, ok, _ := d.asks("gus"); !ok {
		t.Error("the last minute of July is not July")
	}
	d.set(d.now().Add(time.Minute))
	if _, ok, stopped := d.asks("hal"); ok || stopped != "eligibility/schedule" {
		t.Errorf("in August it is offered, or stopped by %q", stopped)
	}
}

func TestAnActionIsSwitchedOffAndOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d, shut := wholeIn(t, dir)
	d.set(time.Date(2026, 7, 10, 4, 0, 0, 0, time.UTC))
	d.publish(map[string]string{"gift/pack.yaml": gift})
	d.want(404, "not_found", "POST", "/v1/actions/nothing/stop", "sk_shop", `{"reason":"x"}`)
	d.want(400, "", "POST", "/v1/actions/thank_you/stop", "sk_shop", `{}`)
	d.want(403, "", "POST", "/v1/actions/thank_you/stop", "wk_shop", `{"reason":"x"}`)
	on := d.want(200, "", "POST", "/v1/actions/thank_you/stop", "sk_shop", `{"reason":"供应商缺货","until":"2026-07-12T00:00:00Z"}`).json(t)
	if on["stopped"].(map[string]any)["reason"] != "供应商缺货" {
		t.Error(on)
	}
	off, ok, stopped := d.asks("ann")
	if ok || stopped != "eligibility/stopped" {
		t.Errorf("offered although it is switched off, or stopped by %q", stopped)
	}
	// It is in force after a restart, the log knows who switched it, and it ends by itself.
	shut()
	now := d.now()
	d, shut = wholeIn(t, dir)
	defer shut()
	d.set(now.Add(time.Minute))
	if _, ok, _ := d.asks("ben"); ok {
		t.Error("a restart has switched it on")
	}
	d.want(200, "", "GET", "/v1/refs/"+on["stopped"].(map[string]any)["event"].(string), "sk_shop", "")
	d.set(time.Date(2026, 7, 12, 0, 0, 0, 0, time.UTC))
	if _, ok, stopped := d.asks("cat"); !ok {
		t.Errorf("its time is over and it is still off: %s", stopped)
	}
	d.want(200, "", "POST", "/v1/actions/thank_you/stop", "sk_shop", `{"reason":"again"}`)
	d.set(d.now().Add(time.Second))
	if r := d.want(200, "", "POST", "/v1/actions/thank_you/resume", "sk_shop", "").json(t); r["stopped"] != nil {
		t.Error(r)
	}
	if _, ok, stopped := d.asks("dan"); !ok {
		t.Errorf("it was switched on again: %s", stopped)
	}
	d.identical(off)
}

func TestManyAskAtOnceAndTheBudgetHolds(t *testing.T) {
	t.Parallel()
	d := whole(t)
	d.set(time.Date(2026, 7, 10, 4, 0, 0, 0, time.UTC))
	d.publish(map[string]string{"gift/pack.yaml": gift})
	var offered atomic.Int64
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			if _, ok, stopped := d.asks(fmt.Sprint("u", i)); ok {
				offered.Add(1)
			} else if stopped != "budget/presents" {
				t.Errorf("stopped by %q", stopped)
			}
		})
	}
	wg.Wait()
	if offered.Load() != 2 {
		t.Errorf("%d are out of two", offered.Load())
	}
}
