package main

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"
)

// BenchmarkDecision is the whole of a decision in process: HTTP handler, need
// analysis, ledger, JSON. bench/ measures the same over a socket.
func BenchmarkDecision(b *testing.B) {
	h, err := openHouse(b.Context(), b.TempDir(), "")
	if err != nil {
		b.Fatal(err)
	}
	defer h.close()
	w, err := h.engine.AddWorkspace(b.Context(), newWorkspace("bench", "Bench"), []string{"base", "electronics"})
	if err != nil {
		b.Fatal(err)
	}
	call := func(path string, body []byte) {
		r := httptest.NewRequest("POST", path, bytes.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+w.SecretKey)
		answer := httptest.NewRecorder()
		h.handler.ServeHTTP(answer, r)
		if answer.Code != 200 {
			b.Fatal(answer.Code, answer.Body)
		}
	}
	var lines []byte
	for i := range 1000 {
		lines = fmt.Appendf(lines, `{"record":"item","id":"p-%d","kind":"product","title":{"zh":"型号 p-%d","en":"Model p-%d"},"category":"laptop","price":{"amount":%d,"currency":"CNY"},"attributes":{"weight":{"value":%d,"unit":"g"},"battery":{"value":%d,"unit":"mAh"}},"warranty":{"months":24}}`+"\n", i, i, i, 10000+i, 900+i%700, 3000+i%2500)
	}
	at := time.Now().AddDate(0, 0, -20).UTC().Format(time.RFC3339)
	for i := range 500 {
		lines = fmt.Appendf(lines, `{"record":"event","type":"track","userId":"user-%d","event":"Repair Reported","timestamp":"%s","messageId":"r-%d","properties":{"case_id":"c-%d","product_id":"p-%d","asset_id":"sn-%d","symptom":"overheat"}}`+"\n", i, at, i, i, i, i)
	}
	call("/v1/import", lines)
	texts := []string{"设备发热严重，上次修过了", "对比p-10和p-11的区别，推荐一款适合家用的", "我的订单到哪了，能改地址吗", "My laptop keeps overheating"}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		call("/v1/decisions", fmt.Appendf(nil, `{"user_id":"user-%d","enquiry":{"text":%q}}`, n%500, texts[n%len(texts)]))
		n++
	}
}
