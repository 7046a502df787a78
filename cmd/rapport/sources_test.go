package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// items gives the items of a list.
func items(t testing.TB, page object) []object {
	t.Helper()
	list, ok := page["items"].([]any)
	if !ok {
		t.Fatalf("no list: %v", page)
	}
	all := make([]object, len(list))
	for i, x := range list {
		all[i] = x.(object)
	}
	return all
}

// hook sends a signed delivery, as a ticket system or a social network does.
func (s *shop) hook(source, body, secret string, headers ...string) (int, object) {
	s.t.Helper()
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(body))
	return s.call("POST", "/v1/hooks/"+s.w.ID+"/"+source, "", body, append([]string{"X-Hub-Signature-256", "sha256=" + hex.EncodeToString(m.Sum(nil))}, headers...)...)
}

const ticketMap = `
if $headers["x-topic"] == "ticket" then
  { record: "case", id: .ticket.id, person: "user:\(.ticket.customer)", kind: "repair", status: .ticket.state,
    updated_at: .ticket.changed }
elif .message then
  { type: "track", event: "Social Interaction", userId: .message.from, messageId: .message.id, timestamp: .message.at,
    properties: { network: "weibo", kind: "mention", text: .message.text } }
else error("nobody knows what this is") end`

func declareTickets(s *shop) {
	s.t.Helper()
	s.do("PUT", "/v1/sources/tickets", object{"title": "Ticket system", "map": ticketMap,
		"signature": object{"secret": "a secret of ours", "header": "X-Hub-Signature-256", "prefix": "sha256="}})
}

func TestASignedDeliveryIsTakenOnceAndItsFaultsWaitForAMendedMapping(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, on memory) { signedDeliveries(t, openShopOn(t, on)) })
}

func signedDeliveries(t *testing.T, s *shop) {
	declareTickets(s)
	mention := `{"message":{"id":"w1","from":"lin","at":"2026-10-01T08:00:00Z","text":"客服一直没回我"}}`
	status, out := s.hook("tickets", mention, "a secret of ours")
	if status != 200 || out["accepted"] != 1.0 {
		t.Fatalf("%d %v", status, out)
	}
	if status, out = s.hook("tickets", mention, "a secret of ours"); out["duplicates"] != 1.0 || out["accepted"] != 0.0 {
		t.Errorf("sent again: %d %v", status, out)
	}
	// Who cannot sign is refused, and learns not even whether there is such a source.
	for _, source := range []string{"tickets", "no-such"} {
		if status, out := s.hook(source, mention, "guessed"); status != 401 || out["code"] != "signature_wrong" {
			t.Errorf("%s: %d %v", source, status, out)
		}
	}
	if status, _ := s.call("POST", "/v1/hooks/shop/tickets", s.w.WriteKey, mention); status != 401 && status != 403 {
		t.Errorf("the public key delivered: %d", status)
	}
	if status, _ := s.call("GET", "/v1/sources", s.w.WriteKey, nil); status != 403 {
		t.Errorf("the public key reads sources: %d", status)
	}
	// What cannot be mapped is kept, and 200 says so.
	status, out = s.hook("tickets", `{"review":{"by":"lin","stars":2}}`, "a secret of ours")
	if rejected := out["rejected"].([]any); status != 200 || len(rejected) != 1 || rejected[0].(object)["code"] != "mapping_failed" {
		t.Fatalf("%d %v", status, out)
	}
	if status, out = s.hook("tickets", `{"review":`, "a secret of ours"); out["rejected"].([]any)[0].(object)["code"] != "not_json" {
		t.Errorf("%d %v", status, out)
	}
	s.restart() // letters and definitions survive
	source := s.do("GET", "/v1/sources/tickets", nil)
	st := source["status"].(object)
	if st["state"] != "failing" || st["dead_letters"] != 2.0 || st["accepted"] != 1.0 || st["last_error"].(object)["code"] != "not_json" {
		t.Errorf("status %v", st)
	}
	if sig := source["signature"].(object); sig["secret"] != nil || sig["algorithm"] != "hmac-sha256" {
		t.Errorf("shown signature %v", sig)
	}
	letters := items(t, s.do("GET", "/v1/sources/tickets/dead-letters", nil))
	if len(letters) != 2 || letters[0]["body"] != `{"review":{"by":"lin","stars":2}}` || letters[1]["column"] == nil {
		t.Fatalf("letters %v", letters)
	}
	_, zh := s.call("GET", "/v1/sources/tickets/dead-letters", s.w.SecretKey, nil, "Accept-Language", "zh-CN")
	if m := items(t, zh)[0]["message"].(string); !strings.HasPrefix(m, "映射处理") {
		t.Errorf("in Chinese: %s", m)
	}
	// Played again as it is, nothing changes; with the mapping mended, it is taken once.
	if out := s.do("POST", "/v1/sources/tickets/dead-letters/replay", nil); out["left"] != 2.0 || out["taken"] != 0.0 {
		t.Errorf("unmended: %v", out)
	}
	mended := strings.Replace(ticketMap, "else error", `elif .review then
  { type: "track", event: "Feedback Given", userId: .review.by, properties: { rating: .review.stars } }
else error`, 1)
	s.do("PUT", "/v1/sources/tickets", object{"title": "Ticket system", "map": mended, "signature": object{"header": "X-Hub-Signature-256", "prefix": "sha256="}})
	if out := s.do("POST", "/v1/sources/tickets/dead-letters/replay", nil); out["left"] != 1.0 || out["taken"] != 1.0 || out["accepted"] != 1.0 {
		t.Errorf("mended: %v", out)
	}
	left := items(t, s.do("GET", "/v1/sources/tickets/dead-letters", nil))
	if len(left) != 1 || left[0]["attempts"] != 2.0 {
		t.Fatalf("left %v", left)
	}
	if status, _ := s.call("DELETE", "/v1/sources/tickets/dead-letters/"+left[0]["id"].(string), s.w.SecretKey, nil); status != 204 {
		t.Errorf("thrown away: %d", status)
	}
	if status, _ := s.hook("tickets", mention, "a secret of ours"); status != 200 {
		t.Errorf("the secret was lost when the source was put without it: %d", status)
	}
	timeline := items(t, s.do("GET", "/v1/people/lin/timeline", nil))
	if len(timeline) != 2 {
		t.Errorf("the timeline has %d entries", len(timeline))
	}
	if st := s.do("GET", "/v1/sources/tickets", nil)["status"].(object); st["state"] != "ok" || st["accepted"] != 2.0 || st["dead_letters"] != 0.0 {
		t.Errorf("at last %v", st)
	}
}

func TestAStateNobodyHasTranslatedWaitsAndIsNeverTold(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, on memory) { untranslated(t, openShopOn(t, on)) })
}

func untranslated(t *testing.T, s *shop) {
	declareTickets(s)
	s.do("PUT", "/v1/sources/erp/states", object{"words": []object{{"kind": "order", "value": "21", "state": "shipped"}, {"value": "已完结", "state": "completed"}}})
	lines := []string{
		`{"record":"order","id":"o1","person":"user:lin","updated_at":"2026-10-01T08:00:00Z","status":"21","lines":[{"product_id":"laptop"}]}`,
		`{"record":"order","id":"o2","person":"user:lin","updated_at":"2026-10-01T08:00:00Z","status":22,"lines":[{"product_id":"phone"}]}`,
		`{"record":"order","id":"o3","person":"user:wang","updated_at":"2026-10-01T08:00:00Z","status":"22"}`,
		`{"record":"case","id":"c1","person":"user:lin","updated_at":"2026-10-01T08:00:00Z","kind":"repair","status":"已质检(二)"}`,
		`{"record":"event","type":"track","userId":"wang","event":"Service Case Updated","messageId":"k1","timestamp":"2026-10-01T08:00:00Z","properties":{"case_id":"c2","kind":"repair","status":"已质检（二）"}}`,
		`{"record":"order","id":"o4","person":"user:wang","updated_at":"2026-10-01T08:00:00Z","status":"delivered"}`,
	}
	if out := s.do("POST", "/v1/import?source=erp", strings.Join(lines, "\n")); out["accepted"] != 6.0 || out["rejected_count"] != 0.0 {
		t.Fatalf("import: %v", out)
	}
	order := func(id string) object { s.t.Helper(); return s.do("GET", "/v1/records/order/"+id, nil) }
	if o := order("o1"); o["status"] != "shipped" || o["foreign_status"] != "21" || o["source"] != "erp" {
		t.Errorf("o1 %v", o)
	}
	if o := order("o2"); o["status"] != "unknown" || o["foreign_status"] != "22" {
		t.Errorf("o2 %v", o)
	}
	if o := order("o4"); o["status"] != "delivered" {
		t.Errorf("o4 %v", o)
	}
	// The work list says how many wait, and which.
	list := items(t, s.do("GET", "/v1/states/untranslated", nil))
	if len(list) != 2 || list[0]["count"] != 2.0 || list[1]["count"] != 2.0 {
		t.Fatalf("work list %v", list)
	}
	for _, u := range list {
		if u["value"] == "22" && (u["kind"] != "order" || fmt.Sprint(u["examples"]) != "[o2 o3]") {
			t.Errorf("22: %v", u)
		}
	}
	// The customer is told of the order and never the foreign word.
	ask := func() string {
		s.t.Helper()
		text, err := json.Marshal(s.do("POST", "/v1/decisions", object{"user_id": "lin", "placement": "chat", "enquiry": object{"text": "我的订单 o2 现在到哪一步了？"}, "scene": object{"locale": "zh-CN"}}))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	said := ask()
	if strings.Contains(said, "状态：22") || strings.Contains(said, `"value":"22"`) || strings.Contains(said, "unknown") && strings.Contains(said, `"value":"unknown"`) {
		t.Errorf("the customer reads a foreign state: %s", said)
	}
	s.restart()
	if got := items(t, s.do("GET", "/v1/states/untranslated", nil)); len(got) != 2 {
		t.Errorf("after a restart the work list is %v", got)
	}
	// A state the house cannot tell is refused with its place.
	status, out := s.call("POST", "/v1/states/resolve", s.w.SecretKey, object{"source": "erp", "value": "22", "state": "teleported"})
	if status != 400 || !strings.Contains(fmt.Sprint(out["errors"]), "/state") {
		t.Errorf("%d %v", status, out)
	}
	// Somebody says what it means: records already taken follow, in the log.
	if out := s.do("POST", "/v1/states/resolve", object{"source": "erp", "kind": "order", "value": "22", "state": "in_transit"}); out["applied"] != 2.0 {
		t.Errorf("22: %v", out)
	}
	if o := order("o3"); o["status"] != "in_transit" || o["foreign_status"] != "22" {
		t.Errorf("o3 %v", o)
	}
	if !strings.Contains(ask(), "运输中") {
		t.Errorf("the order's state is not told: %s", ask())
	}
	if out := s.do("POST", "/v1/states/resolve", object{"source": "erp", "kind": "case", "value": "已质检（二）", "state": "inspecting"}); out["applied"] != 2.0 {
		t.Errorf("已质检: %v", out)
	}
	if c := s.do("GET", "/v1/people/wang", nil); !strings.Contains(fmt.Sprint(c["cases"]), "inspecting") {
		t.Errorf("the case of an event still waits: %v", c["cases"])
	}
	if got := items(t, s.do("GET", "/v1/states/untranslated", nil)); len(got) != 0 {
		t.Errorf("the work list still holds %v", got)
	}
	// A word that meant something else is corrected in what was taken, too.
	if out := s.do("POST", "/v1/states/resolve", object{"source": "erp", "kind": "order", "value": "21", "state": "paid"}); out["applied"] != 1.0 {
		t.Errorf("21 anew: %v", out)
	}
	if o := order("o1"); o["status"] != "paid" {
		t.Errorf("o1 anew %v", o)
	}
	// The source's next word stands above the correction, however close it comes.
	s.do("POST", "/v1/import?source=erp", `{"record":"order","id":"o3","person":"user:wang","updated_at":"2026-10-01T08:00:01Z","status":"已完结"}`)
	if o := order("o3"); o["status"] != "completed" {
		t.Errorf("o3 at last %v", o)
	}
	// An older one does not.
	s.do("POST", "/v1/import?source=erp", `{"record":"order","id":"o3","person":"user:wang","updated_at":"2026-09-01T08:00:01Z","status":"99"}`)
	if o := order("o3"); o["status"] != "completed" {
		t.Errorf("o3 after an older word %v", o)
	}
	if got := items(t, s.do("GET", "/v1/states/untranslated", nil)); len(got) != 0 {
		t.Errorf("an older state waits: %v", got)
	}
	// All of it stands in the log: made again from there it is the same.
	s.stop()
	args := []string{"rebuild", "--verify", "--data", s.on.dir}
	if s.on.database != "" {
		args = []string{"rebuild", "--verify", "--database", s.on.database}
	}
	var told, errs bytes.Buffer
	if run(t.Context(), args, &told, &errs) != 0 {
		t.Errorf("%s%s", told.String(), errs.String())
	}
	s.start()
}

// What one server is told a word means, another on the same database knows.
func TestAWordIsKnownOnEveryServer(t *testing.T) {
	t.Parallel()
	one := openShopOn(t, sharedDatabases(t)())
	other := one.beside(t)
	line := func(id, status string, minute int) string {
		return fmt.Sprintf(`{"record":"order","id":%q,"person":"user:lin","updated_at":"2026-10-01T08:%02d:00Z","status":%q}`, id, minute, status)
	}
	other.do("POST", "/v1/import?source=erp", line("o1", "31", 0))
	if out := one.do("POST", "/v1/states/resolve", object{"source": "erp", "value": "31", "state": "shipped"}); out["applied"] != 1.0 {
		t.Errorf("told: %v", out)
	}
	if o := other.do("GET", "/v1/records/order/o1", nil); o["status"] != "shipped" {
		t.Errorf("on the other: %v", o)
	}
	other.do("POST", "/v1/import?source=erp", line("o2", "31", 1))
	if o := one.do("GET", "/v1/records/order/o2", nil); o["status"] != "shipped" {
		t.Errorf("put on the other: %v", o)
	}
	// Letters of one are read and played on the other.
	declareTickets(one)
	if status, _ := other.hook("tickets", `{"odd":1}`, "a secret of ours"); status != 200 {
		t.Errorf("a source declared on one refuses on the other: %d", status)
	}
	if st := one.do("GET", "/v1/sources/tickets", nil)["status"].(object); st["state"] != "failing" || st["dead_letters"] != 1.0 {
		t.Errorf("seen from the first: %v", st)
	}
}

func TestFaultyRecordsOfEverySourceAreToldAndKept(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	// The Segment way in: a faulty call of a batch is kept, and the rest is taken.
	batch := `{"batch":[{"type":"track","userId":"u1","event":"Product Viewed","messageId":"b1"},{"type":"track","event":"Nobody","messageId":"b2"}]}`
	status, out := s.call("POST", "/v1/batch", s.w.WriteKey, batch)
	if status != 200 || out["accepted"] != 1.0 || len(out["rejected"].([]any)) != 1 {
		t.Fatalf("%d %v", status, out)
	}
	letters := items(t, s.do("GET", "/v1/sources/segment/dead-letters", nil))
	if len(letters) != 1 || letters[0]["code"] != "no_identity" || letters[0]["form"] != "call" {
		t.Errorf("segment's letters %v", letters)
	}
	// Lines of an import are told by line, column and pointer in both languages.
	lines := "{\"record\":\"order\",\"id\":\"o1\",\"person\":\"user:a\",\"lines\":\"many\"}\n{\"record\":\"order\",\n{\"record\":\"planet\"}\n{\"record\":\"order\",\"id\":\"o2\",\"person\":\"user:a\"}\n"
	for _, l := range []string{"en", "zh-CN"} {
		_, out = s.call("POST", "/v1/import?source=crm", s.w.SecretKey, lines, "Accept-Language", l)
		rejected := out["rejected"].([]any)
		if len(rejected) != 3 {
			t.Fatalf("%v", out)
		}
		a, b, c := rejected[0].(object), rejected[1].(object), rejected[2].(object)
		if a["line"] != 1.0 || a["pointer"] != "/lines" || b["line"] != 2.0 || b["column"] == nil || c["line"] != 3.0 || c["pointer"] != "/record" {
			t.Errorf("%s: %v", l, rejected)
		}
		if zh := strings.ContainsFunc(fmt.Sprint(a["message"], b["message"], c["message"]), func(r rune) bool { return r > 0x4e00 }); zh != (l == "zh-CN") {
			t.Errorf("%s: %v", l, rejected)
		}
	}
	if n := len(items(t, s.do("GET", "/v1/sources/crm/dead-letters", nil))); n != 6 {
		t.Errorf("%d letters of 6", n)
	}
	// A dry run tells the same and takes nothing.
	out = s.do("POST", "/v1/import?dry_run=true", `{"record":"order","id":"dry","person":"user:a"}`)
	if status, _ := s.call("GET", "/v1/records/order/dry", s.w.SecretKey, nil); out["accepted"] != 1.0 || status != 404 {
		t.Errorf("dry: %v, then %d", out, status)
	}
	// Erasing a person takes what names them out of the letters.
	s.do("POST", "/v1/import?source=crm", `{"record":"event","type":"track","userId":"zhang-3344","event":"X","messageId":"z1"}`+"\n"+`{"record":"order","id":"z","person":"user:zhang-3344","lines":7}`)
	s.do("DELETE", "/v1/people/user:zhang-3344", nil)
	for _, l := range items(t, s.do("GET", "/v1/sources/crm/dead-letters", nil)) {
		if strings.Contains(l["body"].(string), "zhang-3344") {
			t.Errorf("an erased person is still in %v", l)
		}
	}
}

func TestADefinitionsFaultsComeAllAtOnceWithTheirPlaces(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	status, out := s.call("PUT", "/v1/sources/Bad", s.w.SecretKey, object{
		"map":       "{ record: \"event\",\n  event: .a | nothing_like_it }",
		"signature": object{"header": "", "secret": "short", "signed": "{timestamp}.{body}", "algorithm": "md5", "encoding": "hex"},
	}, "Accept-Language", "zh-CN")
	faults := map[string]object{}
	for _, f := range out["errors"].([]any) {
		faults[f.(object)["pointer"].(string)] = f.(object)
	}
	for _, pointer := range []string{"/name", "/map", "/signature/algorithm", "/signature/header", "/signature/secret", "/signature/timestamp_header"} {
		if faults[pointer] == nil {
			t.Errorf("%d: nothing is said of %s in %v", status, pointer, out)
		}
	}
	if m := faults["/map"]; m["line"] != 2.0 || m["column"] != 15.0 {
		t.Errorf("the mapping's fault is told at %v", m)
	}
	tried := s.do("POST", "/v1/sources/new/try", object{"body": `{"n":1}`, "headers": object{"X-Topic": "t"},
		"definition": object{"map": `{type: "track", event: "E", userId: "u", properties: {n, topic: $headers["x-topic"]}}`}})
	if r := fmt.Sprint(tried["records"]); !strings.Contains(r, "topic:t") || len(tried["faults"].([]any)) != 0 {
		t.Errorf("tried: %v", tried)
	}
}

func TestSendersSignAsTheyDo(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	sum := func(text string) []byte {
		m := hmac.New(sha256.New, []byte("shared secret"))
		m.Write([]byte(text))
		return m.Sum(nil)
	}
	body := `{"type":"track","event":"E","userId":"u"}`
	at := fmt.Sprint(time.Now().Unix())
	old := fmt.Sprint(time.Now().Add(-time.Hour).Unix())
	for i, c := range []struct {
		name      string
		signature object
		good, bad []string
	}{
		{"in hex with a prefix", object{"header": "X-Hub-Signature-256", "prefix": "sha256="},
			[]string{"X-Hub-Signature-256", "sha256=" + hex.EncodeToString(sum(body))}, []string{"X-Hub-Signature-256", hex.EncodeToString(sum(body))}},
		{"in base64", object{"header": "X-Shop-Hmac-Sha256", "encoding": "base64"},
			[]string{"X-Shop-Hmac-Sha256", base64.StdEncoding.EncodeToString(sum(body))}, []string{"X-Shop-Hmac-Sha256", hex.EncodeToString(sum(body))}},
		{"with its time, in one header", object{"header": "Pay-Signature", "field": "v1", "timestamp_header": "Pay-Signature", "timestamp_field": "t", "signed": "{timestamp}.{body}"},
			[]string{"Pay-Signature", "t=" + at + ",v1=" + hex.EncodeToString(sum(at+"."+body))}, []string{"Pay-Signature", "t=" + old + ",v1=" + hex.EncodeToString(sum(old+"."+body))}},
		{"with its time, in two headers", object{"header": "X-Chat-Signature", "prefix": "v0=", "timestamp_header": "X-Chat-Timestamp", "signed": "v0:{timestamp}:{body}"},
			[]string{"X-Chat-Signature", "v0=" + hex.EncodeToString(sum("v0:"+at+":"+body)), "X-Chat-Timestamp", at},
			[]string{"X-Chat-Signature", "v0=" + hex.EncodeToString(sum("v0:"+at+":"+body)), "X-Chat-Timestamp", old}},
	} {
		name := fmt.Sprint("sender", i)
		c.signature["secret"] = "shared secret"
		s.do("PUT", "/v1/sources/"+name, object{"signature": c.signature})
		if status, out := s.call("POST", "/v1/hooks/shop/"+name, "", body, c.good...); status != 200 || out["accepted"] != 1.0 {
			t.Errorf("%s: %d %v", c.name, status, out)
		}
		if status, _ := s.call("POST", "/v1/hooks/shop/"+name, "", body, c.bad...); status != 401 {
			t.Errorf("%s, wrongly: %d", c.name, status)
		}
		if status, _ := s.call("POST", "/v1/hooks/shop/"+name, "", body+" ", c.good...); status != 401 {
			t.Errorf("%s, changed: %d", c.name, status)
		}
		if status, _ := s.call("POST", "/v1/hooks/shop/"+name, "", body); status != 401 {
			t.Errorf("%s, unsigned: %d", c.name, status)
		}
	}
}

// The examples' mappings are programs that the tests run.
func TestTheExampleMappingsCompile(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("..", "..", "examples", "import", "*.yaml"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%v %v", files, err)
	}
	for _, f := range files {
		if _, err := readMapping(f, ""); err != nil {
			t.Error(err)
		}
	}
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("files:\n  - path: a\n    map: |\n      {\n        a: .b | gone\n      }\n  - path: b\n    format: xls\n    map: '.'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = readMapping(bad, "")
	if err == nil || !strings.Contains(err.Error(), "bad.yaml:5:17") || !strings.Contains(err.Error(), "xls") {
		t.Errorf("the faults are told as %v", err)
	}
}
