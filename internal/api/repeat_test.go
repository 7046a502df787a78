package api

import (
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestMission_1_4_OneCaseReportedTwiceIsOneRepair(t *testing.T) {
	t.Parallel()
	d := whole(t)
	d.want(200, "", "PUT", "/v1/records/asset/w1", "sk_shop", `{"person":"u1","product_id":"washer","serial":"w1","warranty_until":"2027-06-01T00:00:00Z"}`)
	report := func(id, kase string, days int) {
		d.want(200, "", "POST", "/v1/track", "sk_shop", fmt.Sprintf(
			`{"messageId":%q,"userId":"u1","event":"Repair Reported","timestamp":%q,"properties":{"case_id":%q,"asset_id":"w1","product_id":"washer","symptom":"leak"}}`,
			id, noon.AddDate(0, 0, -days).Format(time.RFC3339), kase))
	}
	report("m1", "R1", 21)
	report("m2", "R1", 20) // the front desk sends its case again
	if a := replacement(asked(d, "洗衣机漏水了")); a != nil {
		t.Fatalf("one repair brought %v", a)
	}
	report("m3", "R2", 5)
	answer := asked(d, "洗衣机漏水了")
	a := replacement(answer)
	if a == nil || a["nature"] != "right" || len(reasonEvents(answer, a)) != 2 {
		t.Fatalf("two repairs brought %v", a)
	}
}

func TestWhoSendsTooMuchLivesToReadWhy(t *testing.T) {
	t.Parallel()
	d := open2(t)
	body := strings.NewReader(`{"batch":[` + strings.Repeat(" ", 700<<10) + `]}`)
	r := httptest.NewRequest("POST", "/v1/batch", body)
	r.Header.Set("Authorization", "Bearer wk_shop")
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	if rest, _ := io.ReadAll(body); w.Code != 413 || len(rest) > 0 {
		t.Errorf("%d, and %d bytes were left unread", w.Code, len(rest))
	}
}
