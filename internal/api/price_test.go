package api

import (
	"fmt"
	"strings"
	"testing"
)

// offersOn puts two public offers into the shop.
func offersOn(t *testing.T, d *door) {
	t.Helper()
	for id, body := range map[string]string{
		"p1": `{"title":{"zh":"净化器满 2000 减 100","en":"100 off purifiers over 2,000"},"categories":["purifier"],"valid_from":"2026-04-01T00:00:00Z","valid_until":"2026-06-01T00:00:00Z","updated_at":"2026-04-01T00:00:00Z"}`,
		"p2": `{"title":{"zh":"全场多保一年","en":"One more year of warranty on everything"},"valid_from":"2026-04-01T00:00:00Z","valid_until":"2026-07-01T00:00:00Z","updated_at":"2026-04-01T00:00:00Z"}`,
	} {
		d.want(200, "", "PUT", "/v1/records/promotion/"+id, "sk_shop", body)
	}
}

func needs(answer map[string]any) (all []map[string]any) {
	for _, n := range list(answer["needs"]) {
		all = append(all, dict(n))
	}
	return all
}

// blockOf is the first block that answers a need, as the first or a further one.
func blockOf(answer map[string]any, id any) map[string]any {
	for _, x := range list(answer["blocks"]) {
		b := dict(x)
		if b["need"] == id {
			return b
		}
		for _, also := range list(b["serves"]) {
			if also == id {
				return b
			}
		}
	}
	return nil
}

func TestAPriceWithoutAProductAsksWhichOne(t *testing.T) {
	t.Parallel()
	for _, l := range []struct{ plain, both, looked, send, offer string }{
		{"这件多少钱", "这件多少钱，最近有活动吗", "云雀 5", "云雀 5 多少钱", "满 2000 减 100"},
		{"how much is it", "How much is it? Any deals at the moment?", "Lark 5", "How much is the Lark 5?", "100 off purifiers"},
	} {
		d := shop(t)
		offersOn(t, d)
		ask := func(who, text string) map[string]any {
			return d.want(200, "", "POST", "/v1/decisions", "sk_shop", fmt.Sprintf(`{"user_id":%q,"enquiry":{"text":%q}}`, who, text)).json(t)
		}
		a := ask("u7", l.plain)
		if n := need1(a); n["intent"] != "presale.price_promo" || n["status"] == "answered" || n["status"] == "handover" {
			t.Errorf("%s: %v", l.plain, n)
		}
		if strings.Contains(words(a), l.offer) || !offers(a, "find_product") || len(blocks(a, "handover")) != 0 {
			t.Errorf("%s is answered with %s", l.plain, words(a))
		}
		// Of who looked at goods these days, those are the choices, the newest first.
		for i, p := range []string{"lark3", "lark5"} {
			d.want(200, "", "POST", "/v1/track", "sk_shop", fmt.Sprintf(`{"messageId":"v%d","userId":"u7","event":"Product Viewed","timestamp":"2026-05-01T0%d:00:00Z","properties":{"product_id":%q}}`, i, i, p))
		}
		a = ask("u7", l.plain)
		options := list(blockOf(a, need1(a)["id"])["options"])
		if need1(a)["status"] != "clarify" || len(options) != 2 || dict(options[0])["label"] != l.looked || dict(options[0])["send"] != l.send {
			t.Fatalf("%s: the choices are %v", l.plain, options)
		}
		// Pressing one is answered with its price.
		c := talks(d, "sk_shop", `"user_id":"u7"`)
		c.say(l.plain)
		if a := c.say(l.send); need1(a)["status"] != "answered" || !strings.Contains(words(a), "3999") {
			t.Errorf("%s: %s", l.send, words(a))
		}
		// Naming one is as good, whether there were choices or not.
		for _, who := range []string{"u7", "u8"} {
			c = talks(d, "sk_shop", fmt.Sprintf(`"user_id":%q`, who))
			c.say(l.plain)
			if a := c.say(l.looked); need1(a)["status"] != "answered" || !strings.Contains(words(a), "3999") {
				t.Errorf("%s, after we asked which: %s", l.looked, words(a))
			}
		}
		// Who asks for offers besides is told of the offers, once.
		a = ask("u9", l.both)
		all := needs(a)
		if len(all) != 2 || all[0]["status"] != "partly" || all[1]["status"] != "answered" || strings.Count(words(a), l.offer) != 1 {
			t.Errorf("%s: %v %s", l.both, all, words(a))
		}
		if r := d.want(200, "", "POST", "/v1/decisions/"+a["id"].(string)+"/replay", "sk_shop", "").json(t); r["identical"] != true {
			t.Errorf("a replay differs at %v", r["changed"])
		}
	}
}

func TestWhatAnswersTwoNeedsIsSaidOnce(t *testing.T) {
	t.Parallel()
	for _, l := range []struct{ ask, offer string }{
		{"有优惠券吗，另外最近有什么促销活动", "满 2000 减 100"},
		{"Where can I get a coupon? Also, what offers are on right now?", "100 off purifiers"},
	} {
		d := shop(t)
		offersOn(t, d)
		a := d.want(200, "", "POST", "/v1/decisions", "sk_shop", fmt.Sprintf(`{"user_id":"u7","enquiry":{"text":%q}}`, l.ask)).json(t)
		all := needs(a)
		if len(all) != 2 {
			t.Fatalf("%s: %v", l.ask, all)
		}
		if strings.Count(words(a), l.offer) != 1 {
			t.Errorf("%s: the offers are told %d times: %s", l.ask, strings.Count(words(a), l.offer), words(a))
		}
		first, second := blockOf(a, all[0]["id"]), blockOf(a, all[1]["id"])
		if all[1]["status"] != "answered" || second == nil || first["id"] != second["id"] || first["need"] != all[0]["id"] {
			t.Errorf("%s: the second need (%v) points to %v, the first to %v", l.ask, all[1]["status"], second, first)
		}
	}
}
