package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/treatment"
)

func block(text string) treatment.Block { return treatment.Block{ID: "b1", Kind: "text", Text: text} }

var noon = time.Date(2026, 5, 2, 12, 0, 0, 0, time.UTC)

func tenant(id string) engine.Workspace {
	return engine.Workspace{ID: id, Name: id, WriteKey: "wk_" + id, SecretKey: "sk_" + id, IdentitySecret: "is_" + id, Created: noon}
}

// testClock is the time as a test sets it; what the house does by itself reads it meanwhile.
type testClock struct{ at atomic.Int64 }

func atNoon() *testClock {
	c := &testClock{}
	c.set(noon)
	return c
}

func (c *testClock) set(now time.Time) { c.at.Store(now.UnixNano()) }
func (c *testClock) now() time.Time    { return time.Unix(0, c.at.Load()).UTC() }

// door is the edge before a house of two shops, with its clock at noon.
type door struct {
	t     testing.TB
	house *house
	*testClock
	logins *Logins
	http.Handler
	corridor *engine.Engine // of a whole house
}

func open2(t *testing.T) *door {
	t.Helper()
	h := newHouse(tenant("shop"), tenant("bank"))
	d := &door{t: t, house: h, testClock: atNoon(), logins: NewLogins()}
	n := byte(0)
	d.Handler = New(Options{
		Engine: h, Clock: d.now, Logins: d.logins,
		Random: func() (b [16]byte) { n++; b[0], b[15] = n, n; return b },
		Shelf:  func(w string) Shelf { return h.shelves.Of(w) },
		Logger: slog.New(slog.DiscardHandler),
		Packs:  func() []Pack { return []Pack{{Name: "base"}} },
	})
	return d
}

type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) json(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(r.body), &v); err != nil {
		t.Fatalf("%d %s: %v", r.status, r.body, err)
	}
	return v
}

// call sends a request; headers are "Name: value".
func (d *door) call(method, path, key, body string, headers ...string) reply {
	d.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return reply{w.Code, w.Header(), w.Body.String()}
}

func (d *door) want(status int, code, method, path, key, body string, headers ...string) reply {
	d.t.Helper()
	r := d.call(method, path, key, body, headers...)
	if r.status != status || code != "" && !strings.Contains(r.body, `"code":"`+code+`"`) {
		d.t.Errorf("%s %s with %q: %d %s; want %d %s", method, path, key, r.status, r.body, status, code)
	}
	return r
}

func pass(w, user string, until time.Time) string {
	t, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": user, "exp": until.Unix()}).SignedString([]byte("is_" + w))
	if err != nil {
		panic(err)
	}
	return t
}

const track = `{"messageId":"m1","userId":"u1","anonymousId":"a1","event":"Repair Reported","properties":{"case_id":"c1"}}`

func TestAnEventIsTakenOnceAndTold(t *testing.T) {
	t.Parallel()
	d := open2(t)
	if r := d.want(200, "", "POST", "/v1/track", "wk_shop", track); r.body != `{"accepted":1,"duplicates":0,"rejected":[]}`+"\n" {
		t.Error(r.body)
	}
	if r := d.want(200, "", "POST", "/v1/track", "sk_shop", track); r.body != `{"accepted":0,"duplicates":1,"rejected":[]}`+"\n" {
		t.Error(r.body)
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(z, `{"batch":[{"type":"track","userId":"u1","event":"E"},{"type":"track","event":"E"},{"type":"page","anonymousId":"a2"}],"sentAt":"2026-05-02T12:00:00Z"}`)
	_ = z.Close()
	r := d.want(200, "", "POST", "/v1/batch", "wk_shop", zipped.String(), "Content-Encoding: gzip", "Content-Type: application/x-www-form-urlencoded", "Accept-Language: zh-CN")
	if r.body != `{"accepted":2,"duplicates":0,"rejected":[{"index":1,"code":"no_identity","message":"请说明是谁：user id、anonymous id，或两者都给。","pointer":"/batch/1/userId"}]}`+"\n" {
		t.Error(r.body)
	}
}

func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	d := open2(t)
	basic := func(user, password string) string {
		return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	d.want(200, "", "POST", "/v1/track", "", track, basic("wk_shop", ""))
	d.want(200, "", "POST", "/v1/track", "", `{"userId":"u1","event":"E","writeKey":"wk_shop"}`)
	d.want(401, "key_missing", "POST", "/v1/track", "", track)
	d.want(401, "key_missing", "POST", "/v1/track", "", track, basic("wk_shop", "secret"))
	d.want(401, "key_unknown", "POST", "/v1/track", "", track, basic("sk_shop", ""))
	d.want(401, "key_unknown", "POST", "/v1/track", "", `{"userId":"u1","event":"E","writeKey":"sk_shop"}`)
	d.want(401, "key_unknown", "POST", "/v1/track", "wk_nobody", track)
	d.want(401, "key_missing", "GET", "/v1/people/u1", "", "")
	for _, path := range []string{"/v1/people/u1", "/v1/people/u1/timeline", "/v1/people/u1/graph", "/v1/people/u1/export", "/v1/items", "/v1/items/A", "/v1/records/order/1", "/v1/decisions", "/v1/strategies", "/v1/workspaces", "/v1/packs"} {
		d.want(403, "forbidden", "GET", path, "wk_shop", "")
	}
	d.want(403, "forbidden", "PUT", "/v1/items/A", "wk_shop", `{}`)
	d.want(403, "forbidden", "POST", "/v1/import", "wk_shop", "")
	d.want(403, "forbidden", "DELETE", "/v1/people/u1", "wk_shop", "")
	d.want(403, "not_shown_here", "GET", "/v1/me", "sk_shop", "")
	d.want(401, "identity_required", "GET", "/v1/me", "wk_shop", "")
	d.want(404, "not_found", "GET", "/v1/nothing", "sk_shop", "")
	if r := d.want(405, "method_not_allowed", "DELETE", "/v1/track", "sk_shop", ""); r.header.Get("Allow") != "POST" {
		t.Error(r.header)
	}
}

func TestAWorkspaceSeesNothingOfAnother(t *testing.T) {
	t.Parallel()
	d := open2(t)
	d.want(200, "", "POST", "/v1/track", "sk_shop", track)
	d.want(200, "", "PUT", "/v1/items/A", "sk_shop", `{"title":{"en":"Kettle"}}`)
	made := d.want(200, "", "POST", "/v1/decisions", "sk_shop", `{"user_id":"u1","enquiry":{"text":"hello"}}`).json(t)["id"].(string)
	for _, path := range []string{"/v1/people/u1", "/v1/people/u1/timeline", "/v1/people/u1/graph", "/v1/items/A", "/v1/decisions/" + made, "/v1/decisions/" + made + "/explanation"} {
		d.want(200, "", "GET", path, "sk_shop", "")
		d.want(404, "not_found", "GET", path, "sk_bank", "")
	}
	d.want(404, "not_found", "POST", "/v1/decisions/"+made+"/replay", "sk_bank", "")
	d.want(404, "not_found", "POST", "/v1/decisions/"+made+"/outcomes", "sk_bank", `{"outcome":"shown"}`)
	d.want(404, "not_found", "DELETE", "/v1/people/u1", "sk_bank", "")
	if r := d.want(200, "", "GET", "/v1/workspaces", "sk_bank", ""); strings.Contains(r.body, "shop") {
		t.Error(r.body)
	}
	if r := d.want(200, "", "GET", "/v1/decisions?person=u1", "sk_shop", "").json(t); len(r["items"].([]any)) != 1 {
		t.Error(r)
	}
	if r := d.want(200, "", "GET", "/v1/decisions?person=never_seen", "sk_shop", "").json(t); len(r["items"].([]any)) != 0 {
		t.Error(r)
	}
	if r := d.want(200, "", "GET", "/v1/decisions", "sk_bank", ""); r.body != `{"items":[],"next_cursor":null}`+"\n" {
		t.Error(r.body)
	}
}

func TestTheWriteKeyReadsOnlyOneself(t *testing.T) {
	t.Parallel()
	d := open2(t)
	mine := "X-Identity-Token: " + pass("shop", "u1", noon.Add(time.Hour))
	d.want(200, "", "POST", "/v1/track", "sk_shop", track)
	asked := d.want(200, "", "POST", "/v1/decisions", "wk_shop", `{"anonymous_id":"secret-anon","enquiry":{"text":"hello"}}`).json(t)["id"].(string)
	proven := d.want(200, "", "POST", "/v1/decisions", "wk_shop", `{"identity_token":"`+pass("shop", "u1", noon.Add(time.Hour))+`","enquiry":{"text":"hello"}}`).json(t)["id"].(string)

	d.want(404, "not_found", "GET", "/v1/decisions/"+asked, "wk_shop", "")
	d.want(404, "not_found", "GET", "/v1/decisions/"+asked+"?anonymous_id=other", "wk_shop", "")
	d.want(200, "", "GET", "/v1/decisions/"+asked+"?anonymous_id=secret-anon", "wk_shop", "")
	d.want(404, "not_found", "GET", "/v1/decisions/"+proven, "wk_shop", "")
	d.want(200, "", "GET", "/v1/decisions/"+proven, "wk_shop", "", mine)
	d.want(404, "not_found", "GET", "/v1/decisions/"+asked, "wk_shop", "", mine)

	if r := d.want(200, "", "GET", "/v1/decisions/"+proven+"/explanation", "wk_shop", "", mine); strings.Contains(r.body, "margin_over_20") || strings.Contains(r.body, "score") || !strings.Contains(r.body, "counterfactuals") {
		t.Error("the customer's version tells the company's rules: " + r.body)
	}
	d.want(401, "identity_required", "GET", "/v1/decisions/"+asked+"/explanation", "wk_shop", "", "X-Anonymous-Id: secret-anon")
	if r := d.want(200, "", "GET", "/v1/decisions/"+proven+"/explanation", "sk_shop", ""); !strings.Contains(r.body, "margin_over_20") {
		t.Error(r.body)
	}
	if r := d.want(200, "", "GET", "/v1/me", "wk_shop", "", mine); !strings.Contains(r.body, `"user","value":"u1"`) {
		t.Error(r.body)
	}
	d.want(200, "", "GET", "/v1/me/timeline", "wk_shop", "", mine)
	d.want(200, "", "GET", "/v1/me/graph", "wk_shop", "", mine)
	if r := d.want(200, "", "POST", "/v1/decisions", "wk_shop", `{"anonymous_id":"a9","explain":true,"enquiry":{"text":"x"}}`); strings.Contains(r.body, "explanation") {
		t.Error("an explanation went to a browser: " + r.body)
	}
}

func TestAnIdentityTokenIsNeverIgnored(t *testing.T) {
	t.Parallel()
	d := open2(t)
	late, foreign := pass("shop", "u1", noon.Add(-time.Minute)), pass("bank", "u1", noon.Add(time.Hour))
	good := pass("shop", "u1", noon.Add(time.Hour))
	none, _ := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{"sub": "u1", "exp": noon.Add(time.Hour).Unix()}).SignedString(jwt.UnsafeAllowNoneSignatureType)
	endless, _ := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "u1"}).SignedString([]byte("is_shop"))
	for _, bad := range []string{late, foreign, none, endless, "rubbish"} {
		d.want(401, "identity_wrong", "POST", "/v1/decisions", "wk_shop", `{"user_id":"u1","identity_token":"`+bad+`"}`)
		d.want(401, "identity_wrong", "POST", "/v1/track", "wk_shop", `{"userId":"u1","event":"E","identity_token":"`+bad+`"}`)
		d.want(401, "identity_wrong", "GET", "/v1/me", "wk_shop", "", "X-Identity-Token: "+bad)
	}
	d.want(401, "foreign_token", "POST", "/v1/decisions", "wk_shop", `{"user_id":"u2","identity_token":"`+good+`"}`)
	d.want(200, "", "POST", "/v1/track", "wk_shop", `{"userId":"u1","event":"Proven","identity_token":"`+good+`"}`)
	d.want(200, "", "POST", "/v1/track", "wk_shop", `{"userId":"u1","event":"Claimed"}`)
	r := d.want(200, "", "GET", "/v1/people/u1/timeline", "sk_shop", "").json(t)
	for _, item := range r["items"].([]any) {
		e := item.(map[string]any)
		if e["verified"] != (e["event"] == "Proven") {
			t.Errorf("%v", e)
		}
	}
	d.want(200, "", "POST", "/v1/decisions", "wk_shop", `{"user_id":"u1","anonymous_id":"a1","enquiry":{"text":"claim"}}`)
	if last := d.house.asked[len(d.house.asked)-1]; last.Asker.Proven {
		t.Error("a claim was taken for a proof")
	}
}

func TestTheDemandGraphOpensOntoItsEvents(t *testing.T) {
	t.Parallel()
	d := open2(t)
	d.want(200, "", "POST", "/v1/track", "sk_shop", `{"userId":"u1","event":"Product Viewed","properties":{"product_id":"kettle"}}`)
	g := d.want(200, "", "GET", "/v1/people/user:u1/graph", "sk_shop", "").json(t)
	edges := g["edges"].([]any)
	if len(edges) != 1 || len(g["nodes"].([]any)) != 2 {
		t.Fatalf("%v", g)
	}
	edge := edges[0].(map[string]any)
	if edge["to"] != "product:kettle" || edge["type"] != "viewed" || edge["weight"].(float64) <= 0 || edge["decay"].(float64) <= 0 {
		t.Errorf("%v", edge)
	}
	d.want(200, "", "GET", "/v1/refs/"+edge["events"].([]any)[0].(string), "sk_shop", "")
}

func TestAPlaceholderNamesNobody(t *testing.T) {
	t.Parallel()
	d := open2(t)
	id := d.want(200, "", "POST", "/v1/decisions", "wk_shop", `{"anonymous_id":"undefined","enquiry":{"text":"x"}}`).json(t)["id"].(string)
	d.want(404, "not_found", "GET", "/v1/decisions/"+id+"?anonymous_id=undefined", "wk_shop", "")
	d.want(400, "no_identity", "POST", "/v1/conversations", "wk_shop", `{"anonymous_id":"null"}`)
}

func TestOnlyASecretKeyMovesTheClock(t *testing.T) {
	t.Parallel()
	d := open2(t)
	body := `{"user_id":"u1","scene":{"time":"2026-07-01T00:00:00+08:00","locale":"zh-CN","place":{"lat":23.1,"lon":113.3}}}`
	d.want(200, "", "POST", "/v1/decisions", "wk_shop", body)
	d.want(200, "", "POST", "/v1/decisions", "sk_shop", body)
	if !d.house.asked[0].Scene.Time.IsZero() || !d.house.asked[1].Scene.Time.Equal(time.Date(2026, 6, 30, 16, 0, 0, 0, time.UTC)) || d.house.asked[1].Scene.Locale != "zh-CN" {
		t.Errorf("%+v", d.house.asked)
	}
}

func TestARefusalNamesEveryFaultInBothLanguages(t *testing.T) {
	t.Parallel()
	d := open2(t)
	body := `{"limit":99,"enquiry":{"text":7,"messages":[{"role":"boss","text":"x"},{"role":"user"}]},"scene":{"place":{"lat":91},"time":"soon"}}`
	for lang, sentence := range map[string]string{"zh-CN,zh;q=0.9": "应为文本", "en-GB": "a text is wanted", "fr, zh;q=0.1, en;q=0.5": "a text is wanted", "": "a text is wanted"} {
		r := d.want(400, "body_faulty", "POST", "/v1/decisions", "sk_shop", body, "Accept-Language: "+lang)
		if r.header.Get("Content-Type") != "application/problem+json" || !strings.Contains(r.body, sentence) {
			t.Errorf("%s: %s", lang, r.body)
		}
		for _, pointer := range []string{"/limit", "/enquiry/text", "/enquiry/messages/0/role", "/enquiry/messages/1/text", "/scene/place/lat", "/scene/time"} {
			if !strings.Contains(r.body, `"pointer":"`+pointer+`"`) {
				t.Errorf("%s is not told: %s", pointer, r.body)
			}
		}
	}
	d.want(400, "body_faulty", "POST", "/v1/decisions", "sk_shop", `{"limit":21}`)
	d.want(400, "duplicate_key", "POST", "/v1/decisions", "sk_shop", `{"limit":1,"limit":2}`)
	d.want(400, "invalid_utf8", "POST", "/v1/decisions", "sk_shop", "{\"user_id\":\"\xff\"}")
	d.want(400, "lone_surrogate", "PUT", "/v1/items/A", "sk_shop", `{"title":{"en":"\ud800"}}`)
	d.want(400, "too_deep", "PUT", "/v1/items/A", "sk_shop", strings.Repeat(`{"a":`, 65)+"1"+strings.Repeat("}", 65))
	if r := d.want(400, "not_json", "POST", "/v1/track", "sk_shop", `{"userId":`, "Accept-Language: zh").json(t); r["detail"] != "在请求体的第 10 字节处发现。" || r["errors"].([]any)[0].(map[string]any)["pointer"] != "/userId" {
		t.Error(r)
	}
	d.want(400, "body_missing", "POST", "/v1/decisions", "sk_shop", ``)
	if r := d.want(400, "body_faulty", "PUT", "/v1/items/A", "sk_shop", `{"title":7,"price":{"amount":1.5}}`); !strings.Contains(r.body, `"/title"`) || !strings.Contains(r.body, `"/price`) {
		t.Error(r.body)
	}
	if r := d.want(400, "", "PUT", "/v1/records/order/1", "sk_shop", `{"lines":[{"quantity":"two"}]}`); !strings.Contains(r.body, `"/person"`) || !strings.Contains(r.body, `"/lines/0/quantity"`) || !strings.Contains(r.body, `"/lines/0/product_id"`) {
		t.Error(r.body)
	}
}

func TestASlipOfThePenInAMembersNameIsTold(t *testing.T) {
	t.Parallel()
	d := open2(t)
	r := d.want(400, "body_faulty", "POST", "/v1/strategies", "sk_shop", `{"packs":["base"],"filez":{"a.yaml":"x"}}`, "Accept-Language: en")
	if f := r.json(t)["errors"].([]any)[0].(map[string]any); f["pointer"] != "/filez" || f["code"] != "misspelt" || !strings.Contains(f["message"].(string), "files") {
		t.Error(r.body)
	}
	for _, c := range []struct{ body, pointer, meant string }{
		{`{"user_id":"u1","enquirie":{"text":"我要退货"}}`, "/enquirie", "enquiry"},
		{`{"user_id":"u1","enquiry":{"txt":"我要退货"}}`, "/enquiry/txt", "text"},
		{`{"user_id":"u1","enquiry":{"text":"我要退货","messages":[{"rol":"user","text":"好"}]}}`, "/enquiry/messages/0/rol", "role"},
		{`{"usr_id":"u1","enquiry":{"text":"我要退货"}}`, "/usr_id", "user_id"},
		{`{"user_id":"u1","scene":{"local":"en"}}`, "/scene/local", "locale"},
	} {
		for _, lang := range []string{"en", "zh-CN"} {
			r := d.want(400, "body_faulty", "POST", "/v1/decisions", "sk_shop", c.body, "Accept-Language: "+lang)
			told := false
			for _, f := range list(r.json(t)["errors"]) {
				told = told || dict(f)["pointer"] == c.pointer && dict(f)["code"] == "misspelt" && strings.Contains(dict(f)["message"].(string), c.meant)
			}
			if !told {
				t.Errorf("%s: %s", c.body, r.body)
			}
		}
	}
	d.want(200, "", "POST", "/v1/decisions", "sk_shop", `{"user_id":"u1","ticket":"OPS-7","scene":{"store_till":4}}`) // what is no slip may be sent along
	d.want(201, "", "POST", "/v1/strategies", "sk_shop", `{"packs":["base"],"ticket":"OPS-7"}`)                       // what is no slip may be sent along
	d.want(200, "", "PUT", "/v1/records/order/o1", "sk_shop", `{"person":"user:u1","line":"a member of the shop's own"}`)
}

func TestEverySentenceStandsInBothLanguages(t *testing.T) {
	t.Parallel()
	en, zh := messages["en"], messages["zh-CN"]
	for code := range en {
		if zh[code] == "" {
			t.Errorf("%s has no Chinese sentence", code)
		}
	}
	for code := range zh {
		if en[code] == "" {
			t.Errorf("%s has no English sentence", code)
		}
	}
}

func TestNoBodyGrowsBeyondItsLimit(t *testing.T) {
	t.Parallel()
	d := open2(t)
	bomb := func(n int) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		zeros := make([]byte, 1<<16)
		for range n >> 16 {
			_, _ = z.Write(zeros)
		}
		_ = z.Close()
		return b.String()
	}
	d.want(413, "body_too_large", "POST", "/v1/track", "wk_shop", bomb(100<<20), "Content-Encoding: gzip")
	d.want(413, "body_too_large", "POST", "/v1/batch", "wk_shop", bomb(100<<20), "Content-Encoding: gzip")
	d.want(413, "body_too_large", "POST", "/v1/decisions", "wk_shop", bomb(100<<20), "Content-Encoding: gzip")
	d.want(413, "body_too_large", "PUT", "/v1/items/A", "sk_shop", `{"title":"`+strings.Repeat("x", 1<<20)+`"}`)
	d.want(413, "body_too_large", "POST", "/v1/track", "wk_shop", `{"userId":"u","event":"`+strings.Repeat("x", 33<<10)+`"}`)
	d.want(400, "encoding_broken", "POST", "/v1/track", "wk_shop", track, "Content-Encoding: gzip")
	d.want(415, "encoding_unsupported", "POST", "/v1/track", "wk_shop", track, "Content-Encoding: br")
	d.want(413, "too_many_events", "POST", "/v1/batch", "wk_shop", `{"batch":[`+strings.Repeat(`{},`, 2500)+`{}]}`)
}

func TestTheSamePostIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	d := open2(t)
	body := `{"user_id":"u1","enquiry":{"text":"hello"}}`
	first := d.want(200, "", "POST", "/v1/decisions", "sk_shop", body, "Idempotency-Key: k1")
	again := d.want(200, "", "POST", "/v1/decisions", "sk_shop", body, "Idempotency-Key: k1")
	if first.body != again.body || len(d.house.asked) != 1 || again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("%s\n%s", first.body, again.body)
	}
	d.want(422, "idempotency_reused", "POST", "/v1/decisions", "sk_shop", `{"user_id":"u2"}`, "Idempotency-Key: k1")
	d.want(200, "", "POST", "/v1/decisions", "sk_bank", `{"user_id":"u2"}`, "Idempotency-Key: k1")
	d.want(400, "idempotency_key_long", "POST", "/v1/decisions", "sk_shop", body, "Idempotency-Key: "+strings.Repeat("k", 256))
	plain := `{"userId":"u1","event":"E"}`
	d.want(200, "", "POST", "/v1/track", "wk_shop", plain, "Idempotency-Key: k2")
	if r := d.want(200, "", "POST", "/v1/track", "wk_shop", plain, "Idempotency-Key: k2"); !strings.Contains(r.body, `"accepted":1`) || len(d.house.logs["shop"].events) != 1 {
		t.Error(r.body)
	}
	d.want(400, "", "POST", "/v1/track", "wk_shop", `{`, "Idempotency-Key: k3")
	d.want(200, "", "POST", "/v1/track", "wk_shop", plain, "Idempotency-Key: k3")
}

func TestAStoreThatFailsIsToldAsSuch(t *testing.T) {
	t.Parallel()
	d := open2(t)
	d.house.broken = errors.New("disk full at /dev/sda1")
	for _, r := range []reply{
		d.want(503, "unavailable", "POST", "/v1/track", "wk_shop", track),
		d.want(503, "unavailable", "POST", "/v1/decisions", "wk_shop", `{"anonymous_id":"a1"}`),
		d.want(503, "unavailable", "PUT", "/v1/items/A", "sk_shop", `{"title":"x"}`),
	} {
		if r.header.Get("Retry-After") == "" || strings.Contains(r.body, "sda1") || !strings.Contains(r.body, "request_id") {
			t.Error(r.body)
		}
	}
	d.want(503, "not_ready", "GET", "/readyz", "", "")
	d.want(200, "", "GET", "/healthz", "", "")
}

func TestWebPagesMayUseTheWriteKeyOnly(t *testing.T) {
	t.Parallel()
	d := open2(t)
	page := "Origin: https://shop.example"
	if r := d.call("OPTIONS", "/v1/decisions", "", "", page, "Access-Control-Request-Method: POST"); r.status != 204 || r.header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(r.header.Get("Access-Control-Allow-Headers"), "X-Identity-Token") {
		t.Errorf("%d %v", r.status, r.header)
	}
	if r := d.call("OPTIONS", "/v1/people/u1", "", "", page); r.header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("a page may read people")
	}
	if r := d.want(200, "", "POST", "/v1/track", "wk_shop", track, page); r.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Error(r.header)
	}
	if r := d.want(200, "", "POST", "/v1/track", "sk_shop", track, page); r.header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("a page may use the secret key")
	}
	if r := d.want(401, "key_unknown", "POST", "/v1/track", "wrong", track, page); r.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Error("a page cannot read why it was refused")
	}
	d.house.tenants[0].Origins = []string{"https://shop.example"}
	d2 := New(Options{Engine: d.house, Logger: slog.New(slog.DiscardHandler)})
	d.Handler = d2
	if r := d.want(200, "", "POST", "/v1/track", "wk_shop", track, page); r.header.Get("Access-Control-Allow-Origin") != "https://shop.example" {
		t.Error(r.header)
	}
	if r := d.want(403, "origin_forbidden", "POST", "/v1/track", "wk_shop", track, "Origin: https://evil.example"); r.header.Get("Access-Control-Allow-Origin") != "" {
		t.Error(r.header)
	}
}

func TestRecordsAreKeptListedAndTakenAway(t *testing.T) {
	t.Parallel()
	d := open2(t)
	for _, id := range []string{"A", "B", "C"} {
		d.want(200, "", "PUT", "/v1/items/"+id, "sk_shop", `{"kind":"product","title":{"zh":"水壶","en":"Kettle"},"price":{"amount":12900,"currency":"CNY"},"color":"red"}`)
	}
	got := d.want(200, "", "GET", "/v1/items/A", "sk_shop", "").json(t)
	if got["id"] != "A" || got["color"] != "red" || got["updated_at"] != "2026-05-02T12:00:00Z" {
		t.Error(got)
	}
	first := d.want(200, "", "GET", "/v1/items?limit=2", "sk_shop", "").json(t)
	if len(first["items"].([]any)) != 2 || first["next_cursor"] == nil {
		t.Fatal(first)
	}
	second := d.want(200, "", "GET", "/v1/items?limit=2&cursor="+first["next_cursor"].(string), "sk_shop", "").json(t)
	if len(second["items"].([]any)) != 1 || second["next_cursor"] != nil {
		t.Error(second)
	}
	d.want(400, "bad_limit", "GET", "/v1/items?limit=1001", "sk_shop", "")
	d.want(400, "bad_cursor", "GET", "/v1/items?cursor=!", "sk_shop", "")
	d.want(200, "", "DELETE", "/v1/items/A", "sk_shop", "")
	d.want(404, "not_found", "GET", "/v1/items/A", "sk_shop", "")
	d.want(404, "not_found", "DELETE", "/v1/items/A", "sk_shop", "")

	d.want(200, "", "PUT", "/v1/relations", "sk_shop", `[{"from":"B","type":"accessory_of","to":"C"},{"from":"B","type":"successor_of","to":"C","weight":0.5}]`)
	if r := d.want(200, "", "GET", "/v1/relations", "sk_shop", "").json(t); len(r["items"].([]any)) != 2 {
		t.Error(r)
	}
	if r := d.want(400, "", "PUT", "/v1/relations", "sk_shop", `[{"from":"B","type":"t","to":"C"},{"from":"B"}]`); !strings.Contains(r.body, `"/1/type"`) {
		t.Error(r.body)
	}
	d.want(200, "", "DELETE", "/v1/relations?from=B&type=accessory_of&to=C", "sk_shop", "")
	d.want(200, "", "PUT", "/v1/attributes/capacity", "sk_shop", `{"label":{"zh":"容量","en":"Capacity"},"unit":"L","better":"higher"}`)
	d.want(200, "", "PUT", "/v1/articles/returns", "sk_shop", `{"title":"退货","body":"七天内可以退货。","lang":"zh-CN"}`)
	d.want(200, "", "PUT", "/v1/records/promotion/p1", "sk_shop", `{"title":{"zh":"满减","en":"Discount"}}`)

	put := d.want(200, "", "PUT", "/v1/records/order/1001", "sk_shop", `{"person":"u1","status":"paid","updated_at":"2026-05-01T00:00:00Z","lines":[{"product_id":"B","quantity":1,"paid":{"amount":12900,"currency":"CNY"}}]}`).json(t)
	if put["ref"] != "order:1001" || put["duplicate"] != false {
		t.Error(put)
	}
	if again := d.want(200, "", "PUT", "/v1/records/order/1001", "sk_shop", `{"person":"u1","status":"paid","updated_at":"2026-05-01T00:00:00Z","lines":[{"product_id":"B","quantity":1,"paid":{"amount":12900,"currency":"CNY"}}]}`).json(t); again["duplicate"] != true || again["event"] != put["event"] {
		t.Error(again)
	}
	if o := d.want(200, "", "GET", "/v1/records/order/1001?person=u1", "sk_shop", "").json(t); o["status"] != "paid" || o["person"] == nil {
		t.Error(o)
	}
	if l := d.want(200, "", "GET", "/v1/records/order?person=user:u1", "sk_shop", "").json(t); len(l["items"].([]any)) != 1 {
		t.Error(l)
	}
	if p := d.want(200, "", "GET", "/v1/people/u1", "sk_shop", "").json(t); len(p["orders"].([]any)) != 1 {
		t.Error(p)
	}
	d.want(200, "", "DELETE", "/v1/records/order/1001?person=u1", "sk_shop", "")
	d.want(404, "not_found", "GET", "/v1/records/order/1001?person=u1", "sk_shop", "")
	d.want(400, "person_unknown", "PUT", "/v1/records/order/2", "sk_shop", `{"person":"per_nobody"}`)
	d.want(400, "person_unknown", "PUT", "/v1/records/order/2", "sk_shop", `{"person":"null"}`)
	d.want(400, "person_unknown", "PUT", "/v1/records/order/2", "sk_shop", `{"person":"anon:undefined"}`)
}

func TestAnImportTellsLineByLineAndMayBeSentAgain(t *testing.T) {
	t.Parallel()
	d := open2(t)
	lines := strings.Join([]string{
		`{"record":"item","id":"A","title":{"en":"Kettle"},"updated_at":"2026-05-01T00:00:00Z"}`,
		`{"record":"order","id":"1","person":"u1","status":"paid","updated_at":"2026-05-01T00:00:00Z"}`,
		``,
		`{"record":"event","type":"track","userId":"u1","event":"Product Viewed","messageId":"m1"}`,
		`{"record":"person","id":"u1","traits":{"household_size":4},"updated_at":"2026-05-01T00:00:00Z"}`,
		`{"record":"relation","from":"A","type":"accessory_of","to":"B","updated_at":"2026-05-01T00:00:00Z"}`,
		`{"record":"spaceship","id":"x"}`,
		`{"record":"order","id":"2","status":"paid"}`,
		`{"record":"event","event":"E"}`,
		`not json`,
		`{"record":"case","id":"k","kind":"repair","person":"anon:a7","updated_at":"2026-05-01T00:00:00Z"}`,
	}, "\n")
	got := d.want(200, "", "POST", "/v1/import", "sk_shop", lines).json(t)
	if got["lines"] != 11.0 || got["accepted"] != 6.0 || got["rejected_count"] != 4.0 {
		t.Fatal(got)
	}
	var told []string
	for _, r := range got["rejected"].([]any) {
		m := r.(map[string]any)
		pointer, _ := m["pointer"].(string)
		told = append(told, m["code"].(string)+" "+pointer)
	}
	if want := []string{"record_type /record", "missing /person", "no_identity /userId", "not_json "}; !slices.Equal(told, want) {
		t.Error(told)
	}
	again := d.want(200, "", "POST", "/v1/import", "sk_shop", lines).json(t)
	if again["accepted"] != 0.0 || again["duplicates"] != 6.0 {
		t.Error(again)
	}
	p := d.want(200, "", "GET", "/v1/people/u1", "sk_shop", "").json(t)
	if p["traits"].(map[string]any)["household_size"].(map[string]any)["value"] != 4.0 || len(p["orders"].([]any)) != 1 {
		t.Error(p)
	}
	if p := d.want(200, "", "GET", "/v1/people/anon:a7", "sk_shop", "").json(t); len(p["cases"].([]any)) != 1 {
		t.Error(p)
	}
	var long bytes.Buffer
	long.WriteString(`{"record":"item","id":"L","title":"` + strings.Repeat("x", 2<<20) + `"}` + "\n" + `{"record":"item","id":"M","title":{"en":"M"}}`)
	once := d.want(200, "", "POST", "/v1/import", "sk_shop", lines, "Idempotency-Key: nightly").body
	if twice := d.want(200, "", "POST", "/v1/import", "sk_shop", lines, "Idempotency-Key: nightly"); twice.body != once || twice.header.Get("Idempotent-Replayed") == "" {
		t.Error(twice.body)
	}
	if got := d.want(200, "", "POST", "/v1/import", "sk_shop", long.String()).json(t); got["accepted"] != 1.0 || got["rejected_count"] != 1.0 {
		t.Error(got)
	}
}

func TestPeopleDecideWhatIsUsedAndMayLeave(t *testing.T) {
	t.Parallel()
	d := open2(t)
	mine := "X-Identity-Token: " + pass("shop", "u1", noon.Add(time.Hour))
	d.want(200, "", "POST", "/v1/identify", "sk_shop", `{"userId":"u1","anonymousId":"a1","traits":{"household_size":4,"tags":["saver"]}}`)
	d.want(200, "", "PUT", "/v1/me/preferences", "wk_shop", `{"personalization":"off","consent":{"marketing":true}}`, mine)
	got := d.want(200, "", "PUT", "/v1/people/u1/preferences", "sk_shop", `{"consent":{"location":false}}`).json(t)
	if got["personalization"] != "off" || got["consent"].(map[string]any)["marketing"] != true || got["consent"].(map[string]any)["location"] != false {
		t.Error(got)
	}
	d.want(400, "", "PUT", "/v1/me/preferences", "wk_shop", `{"personalization":"maybe"}`, mine)
	export := d.want(200, "", "GET", "/v1/me/export", "wk_shop", "", mine).json(t)
	if len(export["events"].([]any)) != 3 || export["person"] == nil || export["decisions"] == nil {
		t.Error(export)
	}
	page := d.want(200, "", "GET", "/v1/people/u1/timeline?limit=2", "sk_shop", "").json(t)
	rest := d.want(200, "", "GET", "/v1/people/u1/timeline?limit=2&cursor="+page["next_cursor"].(string), "sk_shop", "").json(t)
	if len(page["items"].([]any)) != 2 || len(rest["items"].([]any)) != 1 || rest["next_cursor"] != nil {
		t.Error(page, rest)
	}
	d.want(200, "", "POST", "/v1/track", "sk_shop", `{"anonymousId":"a8","event":"E"}`)
	joined := d.want(200, "", "POST", "/v1/people/merge", "sk_shop", `{"ids":["user:u1","anon:a8"]}`).json(t)
	if len(joined["ids"].([]any)) != 3 {
		t.Error(joined)
	}
	d.set(d.now().Add(time.Second))
	parted := d.want(200, "", "POST", "/v1/people/unmerge", "sk_shop", `{"ids":["anon:a8"]}`).json(t)
	if len(parted["ids"].([]any)) != 1 {
		t.Error(parted)
	}
	d.want(400, "person_unknown", "POST", "/v1/people/merge", "sk_shop", `{"ids":["user:u1","nobody"]}`)
	ask := `{"user_id":"u1","enquiry":{"text":"x"}}`
	kept := d.want(200, "", "POST", "/v1/decisions", "sk_shop", ask, "Idempotency-Key: k").body
	receipt := d.want(200, "", "DELETE", "/v1/me", "wk_shop", "", mine).json(t)
	if again := d.want(200, "", "POST", "/v1/decisions", "sk_shop", ask, "Idempotency-Key: k").body; again == kept {
		t.Error("the answer to who was erased is still kept")
	}
	if receipt["events"] != 3.0 {
		t.Error(receipt)
	}
}

func TestEvidenceOpensForWhoMaySeeIt(t *testing.T) {
	t.Parallel()
	d := open2(t)
	d.want(200, "", "POST", "/v1/track", "sk_shop", `{"messageId":"m1","userId":"u1","event":"Repair Reported"}`)
	d.want(200, "", "POST", "/v1/track", "wk_shop", `{"messageId":"m2","anonymousId":"a9","event":"Product Viewed"}`)
	repair, view := "/v1/refs/"+event.MessageID("shop", "m1").String(), "/v1/refs/"+event.MessageID("shop", "m2").String()
	d.want(200, "", "GET", repair, "sk_shop", "")
	d.want(404, "not_found", "GET", repair, "sk_bank", "")
	d.want(404, "not_found", "GET", repair, "wk_shop", "")
	d.want(404, "not_found", "GET", view, "wk_shop", "")
	d.want(404, "not_found", "GET", view, "wk_shop", "", "X-Identity-Token: "+pass("shop", "u1", noon.Add(time.Hour)))
	d.want(200, "", "GET", repair, "wk_shop", "", "X-Identity-Token: "+pass("shop", "u1", noon.Add(time.Hour)))
	d.want(200, "", "GET", view, "wk_shop", "", "X-Anonymous-Id: a9")
	d.want(404, "not_found", "GET", "/v1/refs/rule:replace_device/repaired_twice", "wk_shop", "", "X-Anonymous-Id: a9")
	id := d.want(200, "", "POST", "/v1/decisions", "wk_shop", `{"enquiry":{"text":"x"}}`).json(t)["id"].(string)
	d.want(404, "not_found", "GET", "/v1/refs/"+id, "wk_shop", "")
}

func TestOutcomesAreFiledUnderWhoAsked(t *testing.T) {
	t.Parallel()
	d := open2(t)
	id := d.want(200, "", "POST", "/v1/decisions", "wk_shop", `{"anonymous_id":"a1","enquiry":{"text":"x"}}`).json(t)["id"].(string)
	d.want(404, "not_found", "POST", "/v1/decisions/"+id+"/outcomes", "wk_shop", `{"outcome":"accepted"}`)
	d.want(200, "", "POST", "/v1/decisions/"+id+"/outcomes", "wk_shop", `{"outcome":"accepted","action":"replace","anonymous_id":"a1","message_id":"m1"}`)
	d.want(200, "", "POST", "/v1/decisions/"+id+"/outcomes", "sk_shop", `{"outcome":"accepted","action":"replace","message_id":"m1"}`)
	items := d.want(200, "", "GET", "/v1/people/anon:a1/timeline", "sk_shop", "").json(t)["items"].([]any)
	if len(items) != 1 || items[0].(map[string]any)["event"] != "Accepted" || items[0].(map[string]any)["decision_id"] != id {
		t.Error(items)
	}
	d.want(400, "body_faulty", "POST", "/v1/decisions/"+id+"/outcomes", "sk_shop", `{"outcome":"liked"}`)
}

func TestAConversationBelongsToWhoOpenedIt(t *testing.T) {
	t.Parallel()
	d := open2(t)
	id := d.want(201, "", "POST", "/v1/conversations", "wk_shop", `{"anonymous_id":"a1"}`).json(t)["id"].(string)
	d.want(400, "no_identity", "POST", "/v1/conversations", "wk_shop", `{"user_id":"u1"}`)
	d.want(404, "not_found", "POST", "/v1/conversations/"+id+"/messages", "wk_shop", `{"anonymous_id":"a2","text":"hello"}`)
	d.want(404, "not_found", "GET", "/v1/conversations/"+id+"/stream?anonymous_id=a2", "wk_shop", "")
	d.want(400, "body_faulty", "POST", "/v1/conversations/"+id+"/messages", "wk_shop", `{"anonymous_id":"a1","text":""}`)
	d.want(404, "not_found", "POST", "/v1/conversations/"+id+"/messages", "wk_bank", `{"anonymous_id":"a1","text":"hello"}`)

	server := httptest.NewServer(d)
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, "GET", server.URL+"/v1/conversations/"+id+"/stream?anonymous_id=a1&write_key=wk_shop", nil)
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	defer resp.Body.Close()
	answer := d.want(200, "", "POST", "/v1/conversations/"+id+"/messages", "wk_shop", `{"anonymous_id":"a1","text":"hello"}`).json(t)
	var heard strings.Builder
	buf := make([]byte, 4096)
	for strings.Count(heard.String(), "data: ") < 2 {
		n, err := resp.Body.Read(buf)
		heard.Write(buf[:n])
		if err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(heard.String(), `"role":"user"`) || !strings.Contains(heard.String(), answer["id"].(string)) {
		t.Error(heard.String())
	}
	if last := d.house.asked[len(d.house.asked)-1]; last.Conversation != id || last.Enquiry.Text != "hello" {
		t.Errorf("%+v", last)
	}
	names := map[string]int{}
	for _, e := range d.house.logs["shop"].events {
		names[e.Name]++
	}
	if names["Live Chat Message Sent"] != 1 || names["Live Chat Message Received"] != 1 {
		t.Error(names)
	}
}

func TestStrategiesAreDraftedPublishedAndRolledBack(t *testing.T) {
	t.Parallel()
	d := open2(t)
	d.want(201, "", "POST", "/v1/strategies", "sk_shop", `{"packs":["base"]}`)
	d.want(201, "", "POST", "/v1/strategies", "sk_shop", `{"packs":["base"],"files":{"a.yaml":"x"},"base":1}`)
	d.want(200, "", "POST", "/v1/strategies/1/publish", "sk_shop", `{"note":"first"}`)
	if r := d.want(200, "", "POST", "/v1/strategies/2/publish", "sk_shop", ``).json(t); r["current"] != true {
		t.Error(r)
	}
	d.want(409, "strategy_state", "POST", "/v1/strategies/2/publish", "sk_shop", ``)
	if r := d.want(200, "", "POST", "/v1/strategies/1/rollback", "sk_shop", ``).json(t); r["current"] != true || r["version"] != 1.0 {
		t.Error(r)
	}
	if r := d.want(200, "", "GET", "/v1/strategies?limit=1", "sk_shop", "").json(t); r["items"].([]any)[0].(map[string]any)["version"] != 2.0 || r["next_cursor"] == nil {
		t.Error(r)
	}
	d.want(404, "not_found", "GET", "/v1/strategies/9", "sk_shop", "")
	d.want(404, "not_found", "GET", "/v1/strategies/1", "sk_bank", "")
	if r := d.want(200, "", "POST", "/v1/strategies/1/validate", "sk_shop", "").json(t); r["valid"] != true {
		t.Error(r)
	}
	d.want(200, "", "GET", "/v1/packs", "sk_shop", "")
}

func TestANewWorkspaceHasItsOwnKeysAtOnce(t *testing.T) {
	t.Parallel()
	d := open2(t)
	w := d.want(201, "", "POST", "/v1/workspaces", "sk_shop", `{"id":"school","name":"学校"}`).json(t)
	d.want(200, "", "POST", "/v1/track", w["write_key"].(string), track)
	d.want(200, "", "GET", "/v1/people/u1", w["secret_key"].(string), "")
	d.want(409, "name_taken", "POST", "/v1/workspaces", "sk_shop", `{"id":"school"}`)
	d.want(400, "", "POST", "/v1/workspaces", "sk_shop", `{"id":"Bad Name"}`)
}

func TestALoginLinkOpensTheConsoleOnce(t *testing.T) {
	t.Parallel()
	d := open2(t)
	link := "/console/login?token=" + d.logins.Token(noon)
	d.call("HEAD", link, "", "")
	r := d.call("GET", link, "", "")
	cookie := r.header.Get("Set-Cookie")
	if r.status != 303 || !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Lax") {
		t.Fatal(r.status, cookie)
	}
	d.want(401, "session_unknown", "GET", link, "", "")
	session, _, _ := strings.Cut(cookie, ";")
	with := "Cookie: " + session
	d.want(200, "", "GET", "/v1/strategies", "", "", with, "X-Workspace: bank")
	d.want(400, "workspace_missing", "POST", "/v1/strategies", "", `{}`, with)
	d.want(400, "workspace_missing", "POST", "/v1/strategies?workspace=bank", "", `{}`, with)
	d.want(404, "not_found", "GET", "/v1/strategies", "", "", with, "X-Workspace: nowhere")
	if r := d.want(200, "", "GET", "/v1/workspaces", "", "", with).json(t); len(r["items"].([]any)) != 2 {
		t.Error(r)
	}
	d.want(204, "", "POST", "/console/logout", "", "", with)
	d.want(401, "session_unknown", "GET", "/v1/strategies", "", "", with, "X-Workspace: bank")
}

func TestTheDocumentDescribesEveryRoute(t *testing.T) {
	t.Parallel()
	d := open2(t)
	doc := d.want(200, "", "GET", "/openapi.json", "", "").json(t)
	if doc["openapi"] != "3.1.0" {
		t.Error(doc["openapi"])
	}
	paths := doc["paths"].(map[string]any)
	for _, path := range []string{
		"/v1/track", "/v1/batch", "/v1/import", "/v1/items/{id}", "/v1/relations", "/v1/attributes/{id}", "/v1/articles/{id}", "/v1/records/order/{id}", "/v1/records/promotion/{id}",
		"/v1/decisions", "/v1/decisions/{id}/explanation", "/v1/decisions/{id}/replay", "/v1/decisions/{id}/outcomes", "/v1/conversations/{id}/messages", "/v1/people/{id}", "/v1/me/preferences",
		"/v1/strategies/{v}/publish", "/v1/packs", "/v1/workspaces", "/healthz", "/readyz",
	} {
		if paths[path] == nil {
			t.Errorf("%s is not in the document", path)
		}
	}
	schemas := doc["components"].(map[string]any)["schemas"].(map[string]any)
	if schemas["DecisionRequest"] == nil || schemas["Answer"] == nil || schemas["Problem"] == nil {
		t.Error("a type is missing")
	}
	var refs func(v any)
	refs = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok && schemas[strings.TrimPrefix(ref, "#/components/schemas/")] == nil {
				t.Errorf("%s opens onto nothing", ref)
			}
			for _, x := range v {
				refs(x)
			}
		case []any:
			for _, x := range v {
				refs(x)
			}
		}
	}
	refs(doc)
}

func TestTheOperatorSeesWhatHappens(t *testing.T) {
	t.Parallel()
	d := open2(t)
	d.want(200, "", "POST", "/v1/track", "wk_shop", track)
	d.want(200, "", "POST", "/v1/decisions", "wk_shop", `{"anonymous_id":"a1"}`)
	m := d.want(200, "", "GET", "/metrics", "", "").body
	for _, line := range []string{`rapport_events_total{outcome="accepted"} 1`, `rapport_http_requests_total{route="POST /v1/track",status="200"} 1`, `rapport_sources_degraded_total{reason="unconfigured",source="llm"} 1`} {
		if !strings.Contains(m, line) {
			t.Errorf("%s is not in the metrics", line)
		}
	}
	if p := d.want(200, "", "GET", "/problems", "", "").body; !strings.Contains(p, `id="duplicate_key"`) {
		t.Error("the page of problems does not explain")
	}
}
