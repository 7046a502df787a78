package api

import (
	"testing"
)

// BenchmarkDecideThroughTheWholeHouse walks one enquiry from body to body, the
// ledger's fsync included.
func BenchmarkDecideThroughTheWholeHouse(b *testing.B) {
	d := whole(b)
	d.want(200, "", "PUT", "/v1/items/pod-3", "sk_shop", `{"kind":"product","title":{"zh":"云雀 3","en":"Lark 3"},"aliases":["云雀3"],"warranty":{"months":24}}`)
	d.want(200, "", "POST", "/v1/track", "sk_shop", `{"userId":"u1","event":"Product Viewed","properties":{"product_id":"pod-3"}}`)
	posted(b, d, "/v1/decisions", `{"anonymous_id":"a1","enquiry":{"text":"云雀 3 发热严重，还能保修吗"},"scene":{"channel":"web","device":{"type":"mobile"}}}`)
}
