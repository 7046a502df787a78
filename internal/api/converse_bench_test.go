package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// BenchmarkAMessageOfATalkativeCustomer says one thing after another, four messages to a
// conversation, fifty customers in turn: each answer is read again by those that follow.
func BenchmarkAMessageOfATalkativeCustomer(b *testing.B) {
	d := whole(b)
	d.want(200, "", "PUT", "/v1/items/pod-3", "sk_shop", `{"kind":"product","title":{"zh":"云雀 3","en":"Lark 3"},"aliases":["云雀3"],"warranty":{"months":24}}`)
	tale := []rune(strings.Repeat("云雀 3 昨天刚收到，充电的时候发热严重，耳机盒也盖不紧，左边听不见声音，说明书找不到，蓝牙总是断开，", 6))
	asks := []string{"还能保修吗？", "我的订单到哪了？", "怎么退货？", "有没有优惠券？", "发票怎么开？", "可以换一个颜色吗？", "快递什么时候到？"}
	var talk [50]struct{ id, who string }
	say := func(i int) {
		c := &talk[i%len(talk)]
		if i/len(talk)%4 == 0 {
			c.who = fmt.Sprintf(`"user_id":"u%d"`, i%len(talk))
			c.id = d.want(201, "", "POST", "/v1/conversations", "sk_shop", "{"+c.who+"}").json(b)["id"].(string)
		}
		d.set(d.now().Add(time.Second))
		r := httptest.NewRequest("POST", "/v1/conversations/"+c.id+"/messages", strings.NewReader(fmt.Sprintf(`{%s,"text":%q}`, c.who, string(tale[i/len(talk)%60:][:180])+asks[i/len(talk)%len(asks)])))
		r.Header.Set("Authorization", "Bearer sk_shop")
		w := &blank{header: http.Header{}, status: 200}
		d.ServeHTTP(w, r)
		if w.status != 200 {
			b.Fatal(w.status)
		}
	}
	for i := range 1000 {
		say(i)
	}
	b.ReportAllocs()
	i := 1000
	for b.Loop() {
		say(i)
		i++
	}
}
