package main

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// benched is the whole house in process, with a catalogue and people in it.
func benched(b *testing.B) (call func(path string, body []byte)) {
	h, err := openHouse(b.Context(), b.TempDir(), "")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { h.close() })
	w, err := h.engine.AddWorkspace(b.Context(), newWorkspace("bench", "Bench"), []string{"base", "electronics"})
	if err != nil {
		b.Fatal(err)
	}
	call = func(path string, body []byte) {
		r := httptest.NewRequest("POST", path, bytes.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+w.SecretKey)
		answer := httptest.NewRecorder()
		h.handler.ServeHTTP(answer, r)
		if answer.Code != 200 {
			b.Error(answer.Code, answer.Body)
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
	return call
}

// processor is the CPU time of this process, which other work on the machine
// does not lengthen as it does the wall time.
func processor() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func reportProcessor(b *testing.B, since time.Duration) {
	b.ReportMetric(float64((processor()-since).Nanoseconds())/float64(b.N)/1000, "cpu-µs/op")
}

// BenchmarkDecision is the whole of a decision in process: HTTP handler, need
// analysis, ledger, JSON, its own fsync. bench/ measures the same over a socket.
func BenchmarkDecision(b *testing.B) {
	call := benched(b)
	texts := []string{"设备发热严重，上次修过了", "对比p-10和p-11的区别，推荐一款适合家用的", "我的订单到哪了，能改地址吗", "My laptop keeps overheating"}
	b.ReportAllocs()
	since, n := processor(), 0
	for b.Loop() {
		call("/v1/decisions", fmt.Appendf(nil, `{"user_id":"user-%d","enquiry":{"text":%q}}`, n%500, texts[n%len(texts)]))
		n++
	}
	reportProcessor(b, since)
}

// BenchmarkSingle is one durable event a request, 64 at a time.
func BenchmarkSingle(b *testing.B) {
	call := benched(b)
	b.ReportAllocs()
	b.SetParallelism(32) // goroutines a processor
	since, n := processor(), atomic.Int64{}
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			i := n.Add(1)
			call("/v1/track", fmt.Appendf(nil, `{"messageId":"b-%d","userId":"user-%d","event":"Product Viewed","timestamp":"2026-05-02T11:59:58.120Z","properties":{"product_id":"p-%d","category":"laptop","price":129.5,"currency":"CNY"},"context":{"locale":"zh-CN"}}`, i, i%500, i%1000))
		}
	})
	reportProcessor(b, since)
}
