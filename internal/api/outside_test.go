package api

import (
	"fmt"
	"strings"
	"testing"
)

// What is said to a shop and is no matter of a shop, and what is told already.

func asked(d *door, text string) map[string]any {
	d.t.Helper()
	return d.want(200, "", "POST", "/v1/decisions", "sk_shop", fmt.Sprintf(`{"user_id":"u1","enquiry":{"text":%q}}`, text)).json(d.t.(*testing.T))
}

func TestMission_1_5_SmallTalkIsAnsweredHonestlyAndWithNoHelpThatNobodyAskedFor(t *testing.T) {
	t.Parallel()
	d := whole(t)
	d.want(200, "", "PUT", "/v1/items/nb-14", "sk_shop", `{"kind":"product","title":{"zh":"轻羽 14","en":"Feather 14"},"category":"laptop","warranty":{"months":24}}`)
	d.want(200, "", "PUT", "/v1/records/asset/s1", "sk_shop", `{"person":"u1","product_id":"nb-14","serial":"s1","bought_at":"2025-06-01T00:00:00Z"}`)
	d.want(200, "", "PUT", "/v1/articles/hours", "sk_shop", `{"title":"Opening hours","body":"People are here from 9:00 to 21:00 every day.","lang":"en"}`)
	for text, says := range map[string]string{"今天天气真好": "这个帮不上", "讲个笑话吧": "这个帮不上", "what a lovely day": "can't help with this", "tell me a joke": "can't help with this"} {
		a := asked(d, text)
		if len(a["actions"].([]any)) > 0 || len(a["blocks"].([]any)) != 1 || !strings.Contains(fmt.Sprint(a["blocks"]), says) {
			t.Errorf("%s: %v %v", text, a["actions"], a["blocks"])
		}
	}
	for _, text := range []string{"天气真好，我的笔记本发热严重", "lovely day, but my laptop overheats"} {
		if a := asked(d, text); !strings.Contains(fmt.Sprint(a["needs"]), "overheat") || strings.Contains(fmt.Sprint(a["blocks"]), "智能服务顾问") {
			t.Errorf("%s: %v", text, a["needs"])
		}
	}
}

func TestWhatAStatusTellsIsNotOfferedAgain(t *testing.T) {
	t.Parallel()
	d := whole(t)
	d.want(200, "", "PUT", "/v1/records/order/O1", "sk_shop", `{"person":"u1","status":"shipped","lines":[{"product_id":"p1","quantity":1}]}`)
	for _, text := range []string{"我的订单到哪了", "where is my parcel"} {
		a := asked(d, text)
		if s := fmt.Sprint(a["blocks"]); !strings.Contains(s, "kind:status") || len(a["actions"].([]any)) > 0 {
			t.Errorf("%s: %v %v", text, a["actions"], a["blocks"])
		}
	}
}

func TestMission_1_2_AWishForAdviceIsNotHandedOverWhereTheAdviceIsGiven(t *testing.T) {
	t.Parallel()
	d := whole(t)
	for id, price := range map[string]int{"C1": 29900, "C2": 39900} {
		d.want(200, "", "PUT", "/v1/items/"+id, "sk_shop", fmt.Sprintf(`{"kind":"product","title":{"zh":"炸锅 %[1]s","en":"Fryer %[1]s"},"aliases":[%[1]q],"category":"air_fryer","price":{"amount":%[2]d,"currency":"CNY"}}`, id, price))
	}
	a := asked(d, "对比C1和C2的区别，帮我推荐一款")
	if len(a["actions"].([]any)) > 0 || strings.Contains(fmt.Sprint(a["needs"]), "status:handover") || !strings.Contains(fmt.Sprint(a["blocks"]), "我的建议") || !strings.Contains(fmt.Sprint(a["blocks"]), "text:价格更低") {
		t.Errorf("%v %v", a["actions"], a["needs"])
	}
}

func TestAMessageOfNobodyIsToldToNameWhoSpeaks(t *testing.T) {
	t.Parallel()
	d := open2(t)
	id := d.want(201, "", "POST", "/v1/conversations", "sk_shop", `{"user_id":"u1"}`).json(t)["id"].(string)
	if r := d.want(400, "no_identity", "POST", "/v1/conversations/"+id+"/messages", "sk_shop", `{"text":"hello"}`); !strings.Contains(r.body, `"/user_id"`) {
		t.Error(r.body)
	}
}
