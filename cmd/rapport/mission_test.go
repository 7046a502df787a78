package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/rapport-cx/rapport/workspace"
)

// shop is a whole server over a folder of its own, spoken to as any program would.
type shop struct {
	t    *testing.T
	on   memory
	w    workspace.Workspace
	h    *house
	http *httptest.Server
	rest func() // ends what the house does by itself
}

// openShop starts a server with one workspace on the electronics packs, over a folder.
func openShop(t *testing.T) *shop {
	t.Helper()
	return openShopOn(t, memory{dir: t.TempDir()})
}

// openShopWith starts one on other packs.
func openShopWith(t *testing.T, packs ...string) *shop {
	t.Helper()
	return openShopOn(t, memory{dir: t.TempDir()}, packs...)
}

func openShopOn(t *testing.T, on memory, packs ...string) *shop {
	t.Helper()
	if len(packs) == 0 {
		packs = []string{"base", "electronics"}
	}
	s := &shop{t: t, on: on}
	s.start()
	w, err := s.h.engine.AddWorkspace(context.Background(), newWorkspace("shop", "Shop"), packs)
	if err != nil {
		t.Fatal(err)
	}
	s.w = w
	t.Cleanup(s.stop)
	return s
}

func (s *shop) start() {
	s.t.Helper()
	s.open()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.h.engine.Serve(ctx, s.h.alone)
	}()
	s.rest = func() {
		cancel()
		<-done
	}
}

// open opens a server that does nothing by itself.
func (s *shop) open() {
	s.t.Helper()
	h, err := openHouseOn(context.Background(), s.on, "")
	if err != nil {
		s.t.Fatal(err)
	}
	h.open.Store(true)
	s.h, s.http, s.rest = h, httptest.NewServer(h.handler), func() {}
}

func (s *shop) stop() {
	s.http.CloseClientConnections() // streams have no end of their own
	s.http.Close()
	s.rest()
	if err := s.h.close(); err != nil {
		s.t.Error(err)
	}
}

// restart closes the server and opens it again over the same folder.
func (s *shop) restart() {
	s.t.Helper()
	s.stop()
	s.start()
}

type object = map[string]any

func (s *shop) call(method, path, key string, body any, headers ...string) (int, object) {
	s.t.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			s.t.Fatal(err)
		}
		in = bytes.NewReader(text)
	}
	req, err := http.NewRequest(method, s.http.URL+path, in)
	if err != nil {
		s.t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	var out object
	if len(text) > 0 && text[0] == '{' {
		if err := json.Unmarshal(text, &out); err != nil {
			s.t.Fatalf("%s %s: %v in %s", method, path, err, text)
		}
	}
	return res.StatusCode, out
}

func (s *shop) do(method, path string, body any) object {
	s.t.Helper()
	status, out := s.call(method, path, s.w.SecretKey, body)
	if status >= 300 {
		s.t.Fatalf("%s %s: %d %v", method, path, status, out)
	}
	return out
}

// now is the moment all of a test's days are counted back from.
var now = time.Now().UTC().Truncate(time.Second)

func daysAgo(n int) string { return now.AddDate(0, 0, -n).Format(time.RFC3339) }

// repair reports a repair of a device n days ago and gives nothing back: its ref is
// found the way an operator finds it, in the timeline.
func (s *shop) repair(user, asset, symptom string, days int) {
	s.t.Helper()
	s.do("POST", "/v1/track", object{"userId": user, "event": "Repair Reported", "timestamp": daysAgo(days),
		"messageId":  fmt.Sprintf("%s-%s-%s-%d", user, asset, symptom, days),
		"properties": object{"case_id": fmt.Sprintf("case-%s-%d", asset, days), "product_id": "laptop", "asset_id": asset, "symptom": symptom}})
}

func (s *shop) laptop(user, asset, warrantyUntil string) {
	s.t.Helper()
	s.do("PUT", "/v1/items/laptop", object{"kind": "product", "title": object{"zh": "轻羽笔记本", "en": "Featherlight laptop"}, "category": "笔记本"})
	s.do("PUT", "/v1/records/asset/"+asset, object{"person": user, "updated_at": daysAgo(300), "product_id": "laptop", "serial": asset,
		"bought_at": daysAgo(300), "warranty_until": warrantyUntil})
}

func (s *shop) ask(user, text string, more ...object) object {
	s.t.Helper()
	body := object{"user_id": user, "placement": "chat", "enquiry": object{"text": text}, "explain": true,
		"scene": object{"time": now.Format(time.RFC3339), "device": object{"type": "desktop"}}}
	for _, m := range more {
		for k, v := range m {
			body[k] = v
		}
	}
	return s.do("POST", "/v1/decisions", body)
}

func list(o object, key string) []object {
	all, _ := o[key].([]any)
	out := make([]object, len(all))
	for i, x := range all {
		out[i], _ = x.(object)
	}
	return out
}

func find(all []object, key string, value any) object {
	for _, o := range all {
		if o[key] == value {
			return o
		}
	}
	return nil
}

// replacement is the offered replacement, nil when there is none.
func replacement(answer object) object {
	for _, a := range list(answer, "actions") {
		if strings.HasPrefix(a["action"].(string), "replace_device") {
			return a
		}
	}
	return nil
}

// refs opens the evidence names of an action's reasons into refs.
func refs(answer, action object) (out []string) {
	table, _ := answer["evidence"].(object)
	for _, r := range list(action, "reasons") {
		for _, name := range r["evidence"].([]any) {
			ref := table[name.(string)].(object)["ref"].(string)
			if !slices.Contains(out, ref) {
				out = append(out, ref)
			}
		}
	}
	return out
}

func events(refs []string) (out []string) {
	for _, r := range refs {
		if strings.HasPrefix(r, "evt_") {
			out = append(out, r)
		}
	}
	return out
}

func rejection(answer object, action string) object {
	x, _ := answer["explanation"].(object)
	return find(list(x, "rejected"), "action", action)
}

func TestMission_1_4_RepairedTwiceUnderWarrantyIsReplacedAsARight(t *testing.T) {
	t.Parallel()
	repairedTwiceIsARight(t, openShop(t))
}

func repairedTwiceIsARight(t *testing.T, s *shop) {
	s.laptop("ann", "SN1", daysAgo(-200))
	s.repair("ann", "SN1", "overheat", 80)
	s.repair("ann", "SN1", "overheat", 20)
	for _, text := range []string{"设备发热严重", "My laptop is overheating badly"} {
		answer := s.ask("ann", text)
		offer := replacement(answer)
		if offer == nil {
			t.Fatalf("%s: no replacement in %v", text, answer["actions"])
		}
		if offer["nature"] != "right" || offer["probability"] != 1.0 {
			t.Errorf("%s: nature %v, probability %v", text, offer["nature"], offer["probability"])
		}
		cited := events(refs(answer, offer))
		if len(cited) != 2 {
			t.Fatalf("%s: reasons cite %v, wanted the two reports", text, cited)
		}
		for _, ref := range cited {
			opened := s.do("GET", "/v1/refs/"+ref, nil)
			if data, _ := opened["data"].(object); data["event"] != "Repair Reported" {
				t.Errorf("%s opens onto %v", ref, opened)
			}
		}
		for _, left := range cited {
			again := s.do("POST", "/v1/decisions/"+answer["id"].(string)+"/replay", object{"without": []string{left}})
			if again["identical"] != false {
				t.Errorf("without %s: identical %v", left, again["identical"])
			}
			if d, _ := again["decision"].(object); replacement(d) != nil {
				t.Errorf("without %s the replacement is still offered", left)
			}
		}
	}
}

func TestMission_3_5_TheRightStaysWithPersonalisationOff(t *testing.T) {
	t.Parallel()
	theRightStays(t, openShop(t))
}

func theRightStays(t *testing.T, s *shop) {
	s.laptop("ann", "SN1", daysAgo(-200))
	s.repair("ann", "SN1", "overheat", 80)
	s.repair("ann", "SN1", "overheat", 20)
	s.do("PUT", "/v1/people/ann/preferences", object{"personalization": "off"})
	answer := s.ask("ann", "设备发热严重")
	if p := answer["person"].(object); p["personalized"] != false {
		t.Errorf("personalized %v", p["personalized"])
	}
	offer := replacement(answer)
	if offer == nil || offer["nature"] != "right" || offer["probability"] != 1.0 {
		t.Errorf("the right is gone: %v", answer["actions"])
	}
}

func TestMission_1_4_OutOfWarrantyTheReplacementIsGoodwill(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.laptop("bob", "SN2", daysAgo(150))
	s.repair("bob", "SN2", "overheat", 80)
	s.repair("bob", "SN2", "overheat", 20)
	answer := s.ask("bob", "设备发热严重")
	offer := replacement(answer)
	if offer == nil || offer["nature"] != "goodwill" {
		t.Fatalf("actions %v", answer["actions"])
	}
	if got := events(refs(answer, offer)); len(got) != 2 {
		t.Errorf("reasons cite %v", got)
	}
	if r := rejection(answer, "replace_device"); r == nil || r["rule"] == "" || r["reason"] == "" {
		t.Errorf("the explanation does not say why it is no right: %v", r)
	}
}

func TestMission_1_4_NearMissesGetNoReplacement(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		history func(*shop)
	}{
		{"a hundred days in place of eighty", func(s *shop) {
			s.repair("cem", "SN3", "overheat", 100)
			s.repair("cem", "SN3", "overheat", 20)
		}},
		{"two different faults", func(s *shop) {
			s.repair("cem", "SN3", "no_sound", 80)
			s.repair("cem", "SN3", "overheat", 20)
		}},
		{"two units of one model", func(s *shop) {
			s.laptop("cem", "SN4", daysAgo(-200))
			s.repair("cem", "SN4", "overheat", 80)
			s.repair("cem", "SN3", "overheat", 20)
		}},
		{"one report", func(s *shop) { s.repair("cem", "SN3", "overheat", 20) }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := openShop(t)
			s.laptop("cem", "SN3", daysAgo(-200))
			c.history(s)
			answer := s.ask("cem", "设备发热严重")
			if offer := replacement(answer); offer != nil {
				t.Fatalf("offered all the same: %v", offer)
			}
			r := rejection(answer, "replace_device")
			if r == nil || r["rule"] == "" || r["reason"] == "" {
				t.Errorf("the explanation does not say which rule failed: %v", r)
			}
		})
	}
}

// twoModels puts A and B on the shelf; B does not state its noise.
func (s *shop) twoModels() {
	s.t.Helper()
	s.do("PUT", "/v1/attributes/rated_people", object{"label": object{"zh": "适用人数", "en": "Household size"}, "fits": "household_size"})
	s.do("PUT", "/v1/attributes/noise", object{"label": object{"zh": "噪音", "en": "Noise"}, "unit": "dB", "better": "lower"})
	s.do("PUT", "/v1/items/A", object{"kind": "product", "title": object{"zh": "净水器 A", "en": "Purifier A"}, "aliases": []string{"A型号", "Model A"}, "category": "净水器",
		"price": object{"amount": 199900, "currency": "CNY"}, "attributes": object{"rated_people": object{"min": 1, "max": 3}, "noise": object{"value": 50, "unit": "dB"}}})
	s.do("PUT", "/v1/items/B", object{"kind": "product", "title": object{"zh": "净水器 B", "en": "Purifier B"}, "aliases": []string{"B型号", "Model B"}, "category": "净水器",
		"price": object{"amount": 259900, "currency": "CNY"}, "attributes": object{"rated_people": "4-6"}})
	for i := range 8 {
		user := fmt.Sprintf("like-%d", i)
		s.do("POST", "/v1/identify", object{"userId": user, "traits": object{"household_size": 4}})
		for _, p := range []string{"A", "B"} {
			s.do("POST", "/v1/track", object{"userId": user, "event": "Product Viewed", "timestamp": daysAgo(40), "properties": object{"product_id": p}})
		}
		bought := "B"
		if i == 7 {
			bought = "A"
		}
		s.do("POST", "/v1/track", object{"userId": user, "event": "Order Completed", "timestamp": daysAgo(39),
			"properties": object{"order_id": user, "products": []object{{"product_id": bought, "quantity": 1}}}})
	}
}

func TestMission_1_1_CompareAndRecommendIsOneSolution(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.twoModels()
	s.do("POST", "/v1/identify", object{"userId": "wang", "traits": object{"household_size": 4}})
	for _, text := range []string{"对比A和B型号的功能差异并推荐适合家庭使用的版本", "Compare Model A and Model B and tell me which suits a family"} {
		answer := s.ask("wang", text)
		needs := list(answer, "needs")
		compare, recommend := find(needs, "intent", "presale.compare"), find(needs, "intent", "presale.recommend")
		implied := find(needs, "origin", "implied")
		if compare == nil || compare["origin"] != "spoken" || recommend == nil || recommend["origin"] != "spoken" {
			t.Fatalf("%s: needs %v", text, needs)
		}
		if implied == nil || implied["intent"] != "presale.recommend" || implied["subintent"] != "decide" {
			t.Errorf("%s: implied %v", text, implied)
		}
		table := find(list(answer, "blocks"), "kind", "table")
		if table == nil {
			t.Fatalf("%s: no table in %v", text, answer["blocks"])
		}
		noise := find(list(table, "rows"), "attribute", "noise")
		if noise == nil {
			t.Fatalf("%s: rows %v", text, table["rows"])
		}
		cells := list(noise, "cells")
		if len(cells) != 2 || cells[1]["stated"] != false || cells[1]["text"] == "" {
			t.Errorf("%s: an unstated attribute does not say so: %v", text, cells)
		}
		if cells[0]["best"] == true {
			t.Errorf("%s: the unstated attribute lost", text)
		}
		cards := find(list(answer, "blocks"), "kind", "cards")
		if cards == nil {
			t.Fatalf("%s: no recommendation in %v", text, answer["blocks"])
		}
		card := list(cards, "cards")[0]
		if card["id"] != "B" {
			t.Errorf("%s: recommended %v", text, card["id"])
		}
		kinds := map[string]bool{}
		evidence := answer["evidence"].(object)
		for _, r := range list(card, "reasons") {
			for _, name := range r["evidence"].([]any) {
				kinds[evidence[name.(string)].(object)["kind"].(string)] = true
			}
		}
		if !kinds["cohort"] {
			t.Errorf("%s: the recommendation does not rest on similar customers: %v", text, kinds)
		}
	}
}

func TestMission_2_1_PhoneAndDesktopShowOneDecisionDifferently(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.twoModels()
	s.do("PUT", "/v1/items/A", object{"kind": "product", "title": object{"zh": "净水器 A"}, "aliases": []string{"A型号"}, "category": "净水器", "price": object{"amount": 199900, "currency": "CNY"},
		"attributes": object{"noise": 50, "width": 38, "height": 40, "depth": 12, "flow": 1, "rated_people": "1-3"}})
	s.do("PUT", "/v1/items/B", object{"kind": "product", "title": object{"zh": "净水器 B"}, "aliases": []string{"B型号"}, "category": "净水器", "price": object{"amount": 259900, "currency": "CNY"},
		"attributes": object{"noise": 45, "width": 42, "height": 44, "depth": 15, "flow": 2, "rated_people": "4-6"}})
	on := func(device string) object {
		return s.ask("wang", "对比A和B型号的功能差异", object{"scene": object{"time": now.Format(time.RFC3339), "device": object{"type": device}}})
	}
	desktop, phone := on("desktop"), on("mobile")
	rows := func(a object) int { return len(list(find(list(a, "blocks"), "kind", "table"), "rows")) }
	if rows(phone) >= rows(desktop) || rows(phone) == 0 {
		t.Errorf("rows on the phone %d, on the desktop %d", rows(phone), rows(desktop))
	}
	if p, d := fmt.Sprint(phone["needs"]), fmt.Sprint(desktop["needs"]); p != d {
		t.Errorf("not the same decision:\n%s\n%s", p, d)
	}
}

func TestADecisionIsMadeAgainBitForBit(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.twoModels()
	s.laptop("ann", "SN1", daysAgo(-200))
	s.repair("ann", "SN1", "overheat", 80)
	s.repair("ann", "SN1", "overheat", 20)
	var made []string
	for _, text := range []string{"设备发热严重", "对比A和B型号的功能差异并推荐适合家庭使用的版本", "where is my order", ""} {
		body := object{"user_id": "ann", "scene": object{"locale": "zh-CN"}}
		if text != "" {
			body["enquiry"] = object{"text": text}
		}
		made = append(made, s.do("POST", "/v1/decisions", body)["id"].(string))
	}
	identical := func(when string) {
		t.Helper()
		for _, id := range made {
			again := s.do("POST", "/v1/decisions/"+id+"/replay", object{})
			if again["identical"] != true {
				t.Errorf("%s: %s is not identical: %v", when, id, again["changed"])
			}
			if d, _ := again["decision"].(object); d["id"] != id {
				t.Errorf("%s: the replay of %s carries no decision", when, id)
			}
		}
	}
	identical("at once")
	s.do("PUT", "/v1/items/A", object{"kind": "product", "title": object{"zh": "改名后的 A"}, "attributes": object{"noise": 99}})
	s.do("DELETE", "/v1/items/B", nil)
	s.repair("ann", "SN1", "overheat", 1)
	identical("after the items and the history went on")
	s.restart()
	identical("after a restart")
}

func TestMission_3_4_AnUnprovenClaimSeesNothingOfThePerson(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.laptop("ann", "SN1", daysAgo(-200))
	s.repair("ann", "SN1", "overheat", 80)
	s.repair("ann", "SN1", "overheat", 20)
	body := object{"user_id": "ann", "anonymous_id": "browser-1", "enquiry": object{"text": "设备发热严重"}, "scene": object{"device": object{"type": "mobile"}}}
	status, answer := s.call("POST", "/v1/decisions", s.w.WriteKey, body)
	if status != 200 || replacement(answer) != nil || strings.Contains(fmt.Sprint(answer), "SN1") {
		t.Errorf("status %d: a claim sees %v", status, answer["actions"])
	}
	body["identity_token"] = "not.a.token"
	if status, _ := s.call("POST", "/v1/decisions", s.w.WriteKey, body); status != 401 {
		t.Errorf("a token that does not verify: %d", status)
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "ann", "exp": time.Now().Add(time.Hour).Unix()}).SignedString([]byte(s.w.IdentitySecret))
	if err != nil {
		t.Fatal(err)
	}
	body["identity_token"] = token
	status, proven := s.call("POST", "/v1/decisions", s.w.WriteKey, body)
	if status != 200 {
		t.Fatalf("proven: %d %v", status, proven)
	}
	if replacement(proven) == nil {
		t.Errorf("proven, yet nothing of the person: %v", proven["actions"])
	}
}

func TestSafetyComesBeforeAnythingElse(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	for _, text := range []string{"充电宝鼓包了还能充吗，顺便问下有优惠吗", "there is smoke coming out of my laptop, and is there a discount"} {
		answer := s.ask("dan", text)
		actions := list(answer, "actions")
		if len(actions) == 0 {
			t.Fatalf("%s: nothing is done", text)
		}
		first := list(answer, "blocks")[0]
		if first["action"] != actions[0]["action"] {
			t.Errorf("%s: the first block is %v, the first action %v", text, first, actions[0]["action"])
		}
		for _, a := range actions {
			if a["nature"] == "sale" {
				t.Errorf("%s: something is sold in front of a danger: %v", text, a)
			}
		}
	}
}

func TestMission_2_3_AnOpenRepairIsToldBeforeAnOrderThatArrived(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	s.do("PUT", "/v1/items/robot", object{"kind": "product", "title": object{"zh": "小净扫地机器人", "en": "Xiaojing robot vacuum"}, "category": "扫地机器人"})
	s.do("PUT", "/v1/records/order/O1", object{"person": "zhao", "updated_at": daysAgo(90), "status": "delivered", "lines": []object{{"product_id": "robot", "quantity": 1}}})
	s.do("PUT", "/v1/records/case/R1", object{"person": "zhao", "updated_at": daysAgo(1), "kind": "repair", "status": "waiting_result", "product_id": "robot"})
	for text, said := range map[string]string{"我寄修的扫地机器人检测完了吗": "等检测结果", "Has the test on my robot vacuum finished?": "waiting for the test result"} {
		answer := s.ask("zhao", text)
		status := find(list(answer, "blocks"), "kind", "status")
		if status == nil || !strings.Contains(fmt.Sprint(status["text"]), said) {
			t.Errorf("%s: told of %v", text, status)
		}
	}
}
