package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
)

// presents is a pack of three presents: one for so many in all, one for so much money in
// each store, one for those who agreed and at most once to each.
const presents = `
pack: presents
timezone: Asia/Shanghai
budgets:
  - {id: pieces, title: {zh: 小礼物, en: Small presents}, pieces: 40, per: ever}
  - {id: purse, title: {zh: 门店心意, en: Kindness of a store}, money: {amount: 10000, currency: CNY}, per: ever, by: scene.store}
actions:
  - id: small_present
    nature: goodwill
    serves: [presale.price_promo]
    title: {zh: 送您一份小礼物, en: A small present}
    budgets: [pieces]
    reasons: [{text: {zh: 谢谢您, en: Thank you}}]
  - id: store_present
    nature: goodwill
    serves: [presale.price_promo]
    title: {zh: 门店送您一份心意, en: A present of the store}
    budgets: [purse]
    cost: {amount: 700, currency: CNY}
    reasons: [{text: {zh: 谢谢您, en: Thank you}}]
  - id: agreed_present
    nature: goodwill
    serves: [presale.price_promo]
    title: {zh: 会员礼, en: A present for members}
    consent: [gifts]
    cap: {shown: 1, within: 30d}
    reasons: [{text: {zh: 谢谢您, en: Thank you}}]
`

// Many customers ask at once, over the real store; some take what they are offered,
// some refuse it. No budget is ever overdrawn, nobody is offered what they have not
// agreed to, or again what they were shown as often as may be. RAPPORT_PROVE=1 asks
// fifty times as often.
func TestNothingIsOverdrawnHoweverManyAskAtOnce(t *testing.T) {
	t.Parallel()
	rounds := 40
	if os.Getenv("RAPPORT_PROVE") != "" {
		rounds = 2000
	}
	seed := rand.Uint64()
	t.Log("seed", seed)
	s := openShopWith(t, "base")
	made := s.do("POST", "/v1/strategies", object{"files": object{"own/presents.yaml": presents}})
	s.do("POST", fmt.Sprintf("/v1/strategies/%v/publish", made["version"]), object{})
	// gone is never more than what is held or spent: it is added to after an offer is
	// known, and taken from before a refusal is sent.
	gone := map[string]*atomic.Int64{"": {}, "north": {}, "south": {}}
	limits := map[string]int64{"": 40, "north": 10000, "south": 10000}
	var wait sync.WaitGroup
	var offers, decisions atomic.Int64
	for hand := range 8 {
		wait.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(hand)))
			for i := range rounds {
				user, agreed, shown := fmt.Sprintf("u%d-%d", hand, i), r.IntN(2) == 0, false
				if agreed {
					if code, a := s.call("PUT", "/v1/me/preferences", s.w.WriteKey, object{"consent": object{"gifts": true}}, "X-Identity-Token", s.token(user)); code != 200 {
						t.Errorf("consent of %s: %d %v", user, code, a)
						return
					}
				}
				for range 2 {
					store := []string{"north", "south"}[r.IntN(2)]
					code, a := s.call("POST", "/v1/decisions", s.w.SecretKey, object{"user_id": user, "enquiry": object{"text": "现在有什么优惠活动"}, "scene": object{"locale": "zh-CN", "store": store}})
					if code != 200 {
						t.Errorf("a decision for %s: %d %v", user, code, a)
						return
					}
					decisions.Add(1)
					for _, x := range list(a, "actions") {
						action := fmt.Sprint(x["action"])
						amount, key := int64(0), store
						switch action {
						case "small_present":
							amount, key = 1, ""
						case "store_present":
							amount = 700
						case "agreed_present":
							if !agreed || shown {
								t.Errorf("%s, agreed %v, shown before %v, is offered %s", user, agreed, shown, action)
							}
							shown = true
						default:
							continue
						}
						offers.Add(1)
						if total := gone[key].Add(amount); total > limits[key] {
							t.Errorf("%d of %d are gone of %q", total, limits[key], key)
						}
						outcome := []string{"dismissed", "accepted", "shown"}[r.IntN(3)]
						if action == "agreed_present" {
							outcome = "shown"
						}
						if outcome == "dismissed" {
							gone[key].Add(-amount)
						}
						if code, a := s.call("POST", fmt.Sprintf("/v1/decisions/%v/outcomes", a["id"]), s.w.SecretKey, object{"outcome": outcome, "action": action}); code != 200 {
							t.Errorf("outcome of %s: %d %v", user, code, a)
							return
						}
					}
				}
			}
		})
	}
	wait.Wait()
	for _, b := range list(s.do("GET", "/v1/budgets", nil), "items") {
		t.Log(b)
	}
	t.Logf("%d decisions, %d offers; gone of the pieces %d of 40, of the stores %d and %d of 10,000", decisions.Load(), offers.Load(), gone[""].Load(), gone["north"].Load(), gone["south"].Load())
	if gone[""].Load() == 0 || offers.Load() == 0 {
		t.Error("nothing was offered: nothing is shown by this")
	}
}
