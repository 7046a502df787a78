package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// engraving is what a shop is asked that no pack speaks of.
var engraving = []string{"杯身能激光雕字不", "想雕字送闺蜜", "雕字深不深", "你们雕字吗", "想在壶盖上雕字", "壶身雕字可以么", "弄个雕字", "来个雕字纪念款"}

func TestWhatIsAskedAgainAndAgainBecomesAnIntent(t *testing.T) {
	t.Parallel()
	d := whole(t)
	says := func(who, text string) map[string]any {
		return d.want(200, "", "POST", "/v1/decisions", "sk_shop", fmt.Sprintf(`{"user_id":%q,"enquiry":{"text":%q}}`, who, text)).json(t)
	}
	missed := func(a map[string]any) bool {
		return slices.ContainsFunc(a["needs"].([]any), func(n any) bool {
			need := n.(map[string]any)
			return need["intent"] == "" || need["readings"] != nil
		})
	}
	d.want(200, "", "POST", "/v1/identify", "sk_shop", `{"userId":"c0","traits":{"name":"林小满"}}`)
	not := 0
	for i, text := range engraving {
		who := fmt.Sprint("c", i)
		if i == 0 {
			text += "，林小满 13800138000"
		}
		if missed(says(who, text)) {
			not++
		}
		says(who, text) // who asks twice is one person
		says(who, "发票怎么开")
		says(who, "你好")
	}
	if not < 4 {
		t.Fatalf("only %d of %d are not understood: choose others", not, len(engraving))
	}
	path := "/v1/intent-suggestions?since=" + noon.Add(-time.Hour).Format(time.RFC3339)
	reply := d.want(200, "", "GET", path, "sk_shop", "")
	found := reply.json(t)
	items := found["items"].([]any)
	if len(items) != 1 || found["decisions"].(float64) != float64(4*len(engraving)) {
		t.Fatalf("%s", reply.body)
	}
	one := items[0].(map[string]any)
	if !strings.Contains(one["name"].(string), "雕字") || one["people"].(float64) < 4 || one["count"] != one["people"] {
		t.Errorf("%v", one)
	}
	for _, private := range []string{"林小满", "13800138000", "发票"} {
		if strings.Contains(reply.body, private) {
			t.Errorf("%s is shown: %s", private, reply.body)
		}
	}
	if x := d.want(200, "", "GET", "/v1/intent-suggestions", "sk_bank", "").json(t); len(x["items"].([]any)) > 0 {
		t.Errorf("another shop's: %v", x)
	}
	if x := d.want(200, "", "GET", "/v1/intent-suggestions?since="+noon.Add(time.Hour).Format(time.RFC3339), "sk_shop", "").json(t); x["decisions"] != 0.0 {
		t.Errorf("of a later time: %v", x)
	}
	d.want(400, "bad_timestamp", "GET", "/v1/intent-suggestions?since=lately", "sk_shop", "")
	again := d.want(200, "", "GET", path, "sk_shop", "")
	if again.body != reply.body {
		t.Errorf("the same past gives another answer:\n%s\n%s", again.body, reply.body)
	}

	id := one["id"].(string)
	become := "/v1/intent-suggestions/" + id
	d.want(400, "", "POST", become, "sk_shop", `{"intent":"Engraving","title":{"zh":"雕字","en":"Engraving"}}`)
	d.want(409, "", "POST", become, "sk_shop", `{"intent":"payment.invoice","title":{"zh":"发票","en":"Invoice"}}`)
	d.want(404, "not_found", "POST", "/v1/intent-suggestions/si_0", "sk_shop", `{"intent":"service.engraving","title":{"zh":"雕字","en":"Engraving"}}`)
	v := d.want(201, "", "POST", become, "sk_shop", `{"intent":"service.engraving","title":{"zh":"雕字","en":"Engraving"}}`).json(t)
	d.want(200, "", "POST", fmt.Sprintf("/v1/strategies/%v/publish", v["version"]), "sk_shop", "")
	n := says("c9", "雕字贵不贵")["needs"].([]any)[0].(map[string]any)
	if n["intent"] != "service.engraving" || n["title"] != "雕字" {
		t.Errorf("the new intent is not told: %v", n)
	}
	// What is understood by now is not suggested any more.
	if left := d.want(200, "", "GET", path, "sk_shop", "").json(t); len(left["items"].([]any)) > 0 {
		t.Errorf("still suggested: %v", left["items"])
	}
}
