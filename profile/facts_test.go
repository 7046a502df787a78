package profile

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
)

func ref(e *event.Event) evidence.Ref { return evidence.Ref(e.ID.String()) }

func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func TestTraitsAreKnownByOneNameAndTheirNewestValue(t *testing.T) {
	t.Parallel()
	old := identify(day(1), `{"householdSize":3,"firstName":"Anna","riskLevel":"C2"}`)
	late := identify(day(5), `{"household_size":4,"HTTPClient":"x","userID":"u9","Favourite Colour":"green"}`)
	p := fold(late, old)
	for name, want := range map[string]any{"household_size": 4.0, "first_name": "Anna", "risk_level": "C2", "http_client": "x", "user_id": "u9", "favourite_colour": "green"} {
		if got := p.Traits[name].Value; got != want {
			t.Errorf("%s is %v, wanted %v", name, got, want)
		}
	}
	if got := p.Traits["household_size"].Evidence; got != ref(late) {
		t.Errorf("the household size rests on %s, wanted the newer call", got)
	}
	if got := p.Traits["first_name"].Evidence; got != ref(old) {
		t.Errorf("the name rests on %s, wanted the only call that stated it", got)
	}
	if p = fold(old, identify(day(6), `{"first_name":null}`)); p.Text("first_name") != "" {
		t.Error("a name taken back is still known")
	}
}

func TestAHouseholdListImpliesItsSize(t *testing.T) {
	t.Parallel()
	for traits, want := range map[string]float64{
		`{"household":[{"relation":"child","age":3},{"relation":"partner","age":30}]}`: 3,
		`{"household":[{"relation":"本人"},{"relation":"child","age":3}]}`:               2,
		`{"household":[]}`: 1,
		`{"household":[{"relation":"child"}],"household_size":5}`: 5,
	} {
		if got, ok := fold(identify(day(1), traits)).Number("household_size"); !ok || got != want {
			t.Errorf("%s: %v people, wanted %v", traits, got, want)
		}
	}
	stated := identify(day(1), `{"household_size":"5"}`)
	listed := identify(day(2), `{"household":[{"relation":"child"}]}`)
	if got, _ := fold(stated, listed).Number("household_size"); got != 5 {
		t.Errorf("a list made %v people of five that were stated", got)
	}
	if _, known := fold(listed, identify(day(3), `{"household":null}`)).Number("household_size"); known {
		t.Error("the list was taken back, the size that followed from it was not")
	}
	p := fold(listed, identify(day(3), `{"household":[]}`))
	if got, _ := p.Number("household_size"); got != 1 || !p.Traits["household_size"].Implied {
		t.Errorf("a new list leaves the size at %v", got)
	}
}

func TestADeviceTellsTheTimeZoneUntilSomebodyStatesIt(t *testing.T) {
	t.Parallel()
	call := identify(day(2), `{"name":"Anna"}`)
	call.Context = json.RawMessage(`{"timezone":"Asia/Shanghai","locale":"zh-CN","ip":"::1"}`)
	p := fold(call)
	if zone := p.Traits["timezone"]; zone.Value != "Asia/Shanghai" || !zone.Implied || zone.Evidence != ref(call) || p.Text("locale") != "zh-CN" {
		t.Errorf("time zone %+v", zone)
	}
	for _, at := range []float64{1, 3} {
		if p := fold(call, identify(day(at), `{"timezone":"Europe/Paris"}`)); p.Text("timezone") != "Europe/Paris" || p.Traits["timezone"].Implied {
			t.Errorf("stated on day %v, and the device still decides: %+v", at, p.Traits["timezone"])
		}
	}
	call.Context = json.RawMessage(`{"timezone":8,"locale":["x"]}`)
	if _, known := fold(call).Traits["timezone"]; known {
		t.Error("a number is no time zone")
	}
}

func TestAnOrderIsOneRecordWhoeverSpeaksOfIt(t *testing.T) {
	t.Parallel()
	placed := happened("Order Completed", day(1), `{"order_id":1001,"total":59.8,"currency":"CNY","products":[{"product_id":"kettle","variant":"red","quantity":2,"price":19.9},{"product_id":"cup","price":20}]}`)
	p := fold(placed)
	r := p.Record(evidence.Order, "1001")
	if r == nil || r.Text("status") != "placed" || !r.Open() || !r.Verified {
		t.Fatalf("order %+v", r)
	}
	want := `[{"paid":{"amount":1990,"currency":"CNY"},"product_id":"kettle","quantity":2,"variant":"red"},{"paid":{"amount":2000,"currency":"CNY"},"product_id":"cup","quantity":1}]`
	if got := asJSON(r.Fields["lines"]); got != want {
		t.Errorf("lines %s\nwanted %s", got, want)
	}
	if got := asJSON(r.Fields["total"]); got != `{"amount":5980,"currency":"CNY"}` {
		t.Errorf("total %s", got)
	}

	delivered := record("order", "1001", day(3), `{"person":"user:anna","updated_at":"x","status":"delivered","delivered_at":"2026-03-04T00:00:00Z"}`)
	r = fold(placed, delivered).Record(evidence.Order, "1001")
	if r.Text("status") != "delivered" || r.Fields["lines"] == nil || r.Fields["person"] != nil {
		t.Errorf("after the shop's own record: %s", asJSON(r.Fields))
	}
	if at, ok := r.Time("delivered_at"); !ok || !at.Equal(day(3).Truncate(24*time.Hour)) {
		t.Errorf("delivered at %v", at)
	}
	if !slices.Equal(r.Evidence, []evidence.Ref{ref(placed), ref(delivered)}) || !r.CreatedAt.Equal(day(1)) || !r.UpdatedAt.Equal(day(3)) {
		t.Errorf("evidence %v, from %v to %v", r.Evidence, r.CreatedAt, r.UpdatedAt)
	}

	partly := happened("Order Refunded", day(5), `{"order_id":"1001","total":20,"currency":"CNY","products":[{"product_id":"cup"}]}`)
	if got := fold(placed, delivered, partly).Record(evidence.Order, "1001").Text("status"); got != "partly_refunded" {
		t.Errorf("one of two lines refunded: %s", got)
	}
	if got := fold(placed, happened("Order Refunded", day(5), `{"order_id":"1001"}`)).Record(evidence.Order, "1001").Text("status"); got != "refunded" {
		t.Errorf("refunded: %s", got)
	}
	if r := fold(placed, happened("Order Cancelled", day(5), `{"orderId":"1001"}`)).Record(evidence.Order, "1001"); r.Text("status") != "cancelled" || r.Open() {
		t.Errorf("cancelled: %s", asJSON(r.Fields))
	}
	if got := asJSON(fold(happened("Order Completed", day(1), `{"order_id":"y","total":500,"currency":"jpy"}`)).Record(evidence.Order, "y").Fields["total"]); got != `{"amount":500,"currency":"JPY"}` {
		t.Errorf("yen have no decimals: %s", got)
	}
	if p := fold(happened("Order Completed", day(1), `{"product_id":"kettle"}`)); len(p.RecordsOf(evidence.Order)) != 1 {
		t.Error("an order without a number did not happen")
	}
}

func TestAnOlderRecordNeverOverwrites(t *testing.T) {
	t.Parallel()
	newer := record("asset", "SN1", day(9), `{"product_id":"phone","state":"repaired","warranty_until":"2026-12-31"}`)
	older := record("asset", "SN1", day(2), `{"product_id":"phone","state":"new","serial":"1"}`)
	for _, order := range [][]*event.Event{{newer, older}, {older, newer}} {
		p, _ := observeInOrderOf(order)
		r := p.Record(evidence.Asset, "SN1")
		if r.Text("state") != "repaired" || r.Fields["serial"] != nil || !slices.Equal(r.Evidence, []evidence.Ref{ref(newer)}) {
			t.Errorf("asset %s by %v", asJSON(r.Fields), r.Evidence)
		}
	}
	deleted := record("asset", "SN1", day(5), "null")
	if p, _ := observeInOrderOf([]*event.Event{deleted, older}); p.Record(evidence.Asset, "SN1") != nil {
		t.Error("what was deleted is back because an older version came late")
	}
	if p, _ := observeInOrderOf([]*event.Event{deleted, newer, older}); p.Record(evidence.Asset, "SN1") == nil {
		t.Error("an older deletion removed a newer record")
	}
}

func TestCasesFollowTheirRepair(t *testing.T) {
	t.Parallel()
	reported := happened("Repair Reported", day(1), `{"case_id":"c1","product_id":"phone","asset_id":"SN1","symptom":"overheat","text":"很烫"}`)
	moved := happened("Service Case Updated", day(2), `{"case_id":"c1","status":"waiting_for_test","promisedAt":"2026-03-06T12:00:00Z"}`)
	completed := happened("Repair Completed", day(4), `{"case_id":"c1","asset_id":"SN1"}`)
	r := fold(reported).Record(evidence.Case, "c1")
	if r.Text("kind") != "repair" || r.Text("status") != "reported" || !r.Open() || r.Text("symptom") != "overheat" {
		t.Errorf("reported: %s", asJSON(r.Fields))
	}
	r = fold(reported, moved).Record(evidence.Case, "c1")
	if at, ok := r.Time("promised_at"); r.Text("status") != "waiting_for_test" || !ok || at.Day() != 6 || r.Text("product_id") != "phone" {
		t.Errorf("on its way: %s", asJSON(r.Fields))
	}
	r = fold(reported, moved, completed).Record(evidence.Case, "c1")
	if r.Open() || r.Text("status") != "completed" || len(r.Evidence) != 3 {
		t.Errorf("completed: %s by %v", asJSON(r.Fields), r.Evidence)
	}

	// Without a case number the device tells which repair is over.
	one := happened("Repair Reported", day(1), `{"asset_id":"SN1"}`)
	other := happened("Repair Reported", day(2), `{"asset_id":"SN2"}`)
	p := fold(one, other, happened("Repair Completed", day(3), `{"asset_id":"SN1"}`))
	if a, b := p.Record(evidence.Case, one.ID.String()), p.Record(evidence.Case, other.ID.String()); a.Open() || !b.Open() {
		t.Errorf("SN1 %s, SN2 %s", a.Text("status"), b.Text("status"))
	}

	asked := happened("Refund Requested", day(1), `{"case_id":"c7","order_id":"1001"}`)
	if r := fold(asked).Record(evidence.Case, "c7"); r == nil || r.Text("kind") != "refund" || r.Text("status") != "requested" {
		t.Errorf("a request that names its case opens it: %+v", r)
	}
}

func TestARecordTellsWhetherAnUnprovenBrowserHadAPartInIt(t *testing.T) {
	t.Parallel()
	claim := happened("Repair Reported", day(1), `{"case_id":"c1"}`)
	claim.Verified = false
	if fold(claim).Record(evidence.Case, "c1").Verified {
		t.Error("a claim passes as proven")
	}
	if fold(claim, record("case", "c1", day(2), `{"status":"open"}`)).Record(evidence.Case, "c1").Verified {
		t.Error("the claimed fields are still in it")
	}
	if !fold(claim, record("case", "c1", day(2), `{"status":"open","kind":"repair"}`)).Record(evidence.Case, "c1").Verified {
		t.Error("everything in it is the company's own, yet it counts as a claim")
	}
}

func TestEvidenceKeepsTheFirstAndTheNewest(t *testing.T) {
	t.Parallel()
	var events []*event.Event
	for i := range 40 {
		events = append(events, happened("Service Case Updated", day(float64(i)), fmt.Sprintf(`{"case_id":"c1","step":%d}`, i)))
	}
	got := fold(events...).Record(evidence.Case, "c1").Evidence
	if len(got) != EvidenceLimit || got[0] != ref(events[0]) || got[EvidenceLimit-1] != ref(events[39]) || got[1] != ref(events[25]) {
		t.Errorf("%d refs from %s to %s", len(got), got[0], got[len(got)-1])
	}
}

func TestContactsAreWhatWasShownAndWhatBecameOfIt(t *testing.T) {
	t.Parallel()
	shown := happened("Decision Shown", day(1), `{"decision_id":"dec_1","action":"care_plan"}`)
	again := happened("Decision Shown", day(2), `{"decision_id":"dec_1","action":"care_plan"}`)
	dismissed := happened("Dismissed", day(3), `{"decision_id":"dec_1","action":"care_plan"}`)
	whole := happened("Decision Shown", day(4), `{"decision_id":"dec_2"}`)
	accepted := happened("Decision Accepted", day(5), `{"decision_id":"dec_2","action":"replace_device"}`)
	unseen := happened("Decision Opened", day(6), `{"decision_id":"dec_3","action":"video"}`)
	p := fold(shown, again, dismissed, whole, accepted, unseen)
	want := []Contact{
		{Decision: "dec_1", Action: "care_plan", Shown: day(1), Dismissed: day(3), Evidence: []evidence.Ref{ref(shown), ref(again), ref(dismissed)}},
		{Decision: "dec_2", Shown: day(4), Evidence: []evidence.Ref{ref(whole)}},
		{Decision: "dec_2", Action: "replace_device", Shown: day(4), Accepted: day(5), Evidence: []evidence.Ref{ref(accepted)}},
		{Decision: "dec_3", Action: "video", Shown: day(6), Opened: day(6), Evidence: []evidence.Ref{ref(unseen)}},
	}
	if !reflect.DeepEqual(p.Contacts, want) {
		t.Errorf("contacts\n%+v\nwanted\n%+v", p.Contacts, want)
	}
}

func TestPreferencesChangeOnlyWhatTheyName(t *testing.T) {
	t.Parallel()
	first := record("preference", "", day(1), `{"personalization":"off","blocked_tags":["price_minded","new"],"consent":{"financial":true,"marketing":false,"pack_own":true}}`)
	second := record("preference", "", day(2), `{"consent":{"marketing":true}}`)
	third := record("preference", "", day(3), `{"personalization":"on"}`)
	p := fold(first, second, third).Preferences
	if p.PersonalizationOff || !slices.Equal(p.BlockedTags, []string{"new", "price_minded"}) ||
		!reflect.DeepEqual(p.Consent, map[string]bool{"financial": true, "marketing": true, "pack_own": true}) {
		t.Errorf("%+v", p)
	}
	if !slices.Equal(p.Evidence, []evidence.Ref{ref(first), ref(second), ref(third)}) {
		t.Errorf("evidence %v", p.Evidence)
	}
	// What a newer one has replaced altogether is no evidence any more.
	p = fold(second, record("preference", "", day(5), `{"consent":{"marketing":false}}`)).Preferences
	if len(p.Evidence) != 1 || p.Consent["marketing"] {
		t.Errorf("%+v", p)
	}
}

func someone(more ...*event.Event) *Profile {
	return fold(append([]*event.Event{
		identify(day(1), `{"email":"anna@example.com","household_size":4,"aum":1200000,"allergies":["nuts"],"tags":["organic","price_minded"],"locale":"zh-CN"}`),
		happened("Product Viewed", day(2), `{"product_id":"kettle"}`),
		happened("Order Completed", day(3), `{"order_id":"o1","products":[{"product_id":"kettle"}]}`),
		happened("Repair Reported", day(4), `{"case_id":"c1","asset_id":"SN1","product_id":"kettle","symptom":"leak"}`),
		record("asset", "SN1", day(4), `{"product_id":"kettle","warranty_until":"2027-01-01"}`),
		record("promotion", "p1", day(4), `{"percent":10}`),
		happened("Return Requested", day(5), `{"order_id":"o1"}`),
		happened("Decision Shown", day(6), `{"decision_id":"dec_1","action":"care_plan"}`),
		happened("Decision Opened", day(6.5), `{"decision_id":"dec_1","action":"care_plan"}`),
	}, more...)...)
}

func TestWhatNeedsConsentIsUnknownWithoutIt(t *testing.T) {
	t.Parallel()
	m := someone().Masked(Mask{})
	for field, why := range map[string]Reason{"aum": "no_consent:financial", "allergies": "no_consent:health"} {
		if _, known := m.Traits[field]; known || m.Hidden[field] != why {
			t.Errorf("%s is read without consent, or nobody says why not: %v", field, m.Hidden)
		}
	}
	if m.Text("email") == "" || len(m.History["Product Viewed"]) != 1 {
		t.Error("more is hidden than needs a consent")
	}
	m = someone(record("preference", "", day(7), `{"consent":{"financial":true},"blocked_tags":["price_minded"]}`)).Masked(Mask{Fields: map[string]Field{"household_size": {Sensitive, "family"}}})
	if n, _ := m.Number("aum"); n != 1200000 {
		t.Error("consent was given and is not heard")
	}
	if m.Hidden["household_size"] != "no_consent:family" {
		t.Errorf("a pack's own purpose is not asked for: %v", m.Hidden)
	}
	if !slices.Equal(m.Tags(), []string{"organic"}) || asJSON(m.Traits["tags"].Value) != `["organic"]` || m.Hidden["tag price_minded"] != BlockedTag {
		t.Errorf("tags %v, raw %s", m.Tags(), asJSON(m.Traits["tags"].Value))
	}
}

func TestWhatIsKnownOfChildrenNeedsTheirGuardiansConsent(t *testing.T) {
	t.Parallel()
	family := identify(day(1), `{"household":[{"relation":"child","age":6,"name":"Mei"},{"relation":"parent","age":70}],"child_school":"No. 2","city":"Chengdu"}`)
	m := fold(family).Masked(Mask{})
	if got := asJSON(m.Traits["household"].Value); got != `[{"relation":"child"},{"age":70,"relation":"parent"}]` {
		t.Errorf("the household without consent reads %s", got)
	}
	if n, _ := m.Number("household_size"); n != 3 || m.Text("child_school") != "" || m.Text("city") != "Chengdu" {
		t.Errorf("%+v", m.Traits)
	}
	if m.Hidden["child_school"] != "no_consent:minors" || m.Hidden["household of minors"] != "no_consent:minors" {
		t.Errorf("nobody says why: %v", m.Hidden)
	}
	agreed := record("preference", "", day(2), `{"consent":{"minors":true}}`)
	if m = fold(family, agreed).Masked(Mask{}); m.Text("child_school") != "No. 2" || asJSON(m.Traits["household"].Value) != asJSON(fold(family).Traits["household"].Value) {
		t.Errorf("consent was given and is not heard: %+v", m.Traits)
	}
	pupil := identify(day(1), `{"age":12,"favourite":"maths","locale":"zh-CN"}`)
	if m = fold(pupil).Masked(Mask{}); m.Text("favourite") != "" || m.Hidden["favourite"] != "no_consent:minors" || m.Text("locale") != "zh-CN" {
		t.Errorf("a child of twelve: %+v, %v", m.Traits, m.Hidden)
	}
	if m = fold(pupil, agreed).Masked(Mask{}); m.Text("favourite") != "maths" {
		t.Errorf("their guardian agreed: %+v", m.Traits)
	}
}

func TestMission_3_5_RightsOutliveTheSwitch(t *testing.T) {
	t.Parallel()
	whole := someone()
	before := whole.Digest()
	for name, m := range map[string]*Profile{
		"asked for by a replay":       whole.Masked(Mask{Off: true}),
		"switched off by the person":  someone(record("preference", "", day(7), `{"personalization":"off"}`)).Masked(Mask{}),
		"switched off and on for one": someone(record("preference", "", day(7), `{"personalization":"off","consent":{"financial":true}}`)).Masked(Mask{}),
	} {
		for _, trait := range []string{"household_size", "aum", "tags", "allergies"} {
			if _, known := m.Traits[trait]; known || m.Hidden[trait] != PersonalizationOff {
				t.Errorf("%s: %s is still read", name, trait)
			}
		}
		if len(m.Tags()) != 0 || m.History["Product Viewed"] != nil || m.Hidden["history"] != PersonalizationOff || m.Record(evidence.Promotion, "p1") != nil {
			t.Errorf("%s: behaviour is still read", name)
		}
		if m.Text("email") == "" || m.Text("locale") == "" {
			t.Errorf("%s: nobody can be reached", name)
		}
		if m.Record(evidence.Order, "o1") == nil || m.Record(evidence.Case, "c1") == nil || m.Record(evidence.Asset, "SN1") == nil ||
			len(m.History["Repair Reported"]) != 1 || len(m.History["Return Requested"]) != 1 {
			t.Errorf("%s: what a right rests on is gone", name)
		}
		if len(m.Contacts) != 1 || !m.Contacts[0].Opened.IsZero() || m.Contacts[0].Shown.IsZero() {
			t.Errorf("%s: contacts %+v", name, m.Contacts)
		}
	}
	if whole.Digest() != before {
		t.Error("masking changed the profile")
	}
}

func TestADeviceIsKnownByItsRecordAndItsRepairs(t *testing.T) {
	t.Parallel()
	first := happened("Repair Reported", day(1), `{"asset_id":"SN1","product_id":"phone"}`)
	second := happened("Repair Reported", day(3), `{"asset_id":"SN1"}`)
	other := happened("Repair Reported", day(2), `{"asset_id":"SN2","product_id":"phone"}`)
	done := happened("Repair Completed", day(2), `{"asset_id":"SN1"}`)
	d, ok := fold(first, second, other, done).Device("SN1")
	if !ok || d.ProductID != "phone" || len(d.Reports) != 2 || len(d.Repairs) != 1 || d.Record != nil || !slices.Equal(d.Evidence, []evidence.Ref{ref(first)}) {
		t.Errorf("%+v", d)
	}
	p := fold(first, record("asset", "SN1", day(1), `{"product_id":"phone-pro"}`))
	if d, _ := p.Device("SN1"); d.ProductID != "phone-pro" || d.Evidence[0] != "asset:SN1" {
		t.Errorf("the company's record says more than a report: %+v", d)
	}
	if _, ok := p.Device("SN9"); ok {
		t.Error("a device nobody spoke of")
	}
}

func TestWindowsAreHalfOpen(t *testing.T) {
	t.Parallel()
	p := fold(happened("Visit", day(1), ""), happened("Visit", day(2), ""), happened("Visit", day(3), ""))
	if got := p.Within("Visit", day(1), day(3)); len(got) != 2 || !got[0].Time.Equal(day(2)) {
		t.Errorf("%d visits in (1, 3]", len(got))
	}
	if got := p.Within("Visit", day(3), day(1)); len(got) != 0 {
		t.Errorf("%d visits in no time at all", len(got))
	}
	if got := p.Within("Never", day(0), day(9)); len(got) != 0 {
		t.Error("visits that never were")
	}
}

func TestMission_4_1_TheDemandGraphFadesAndOpensOntoEvents(t *testing.T) {
	t.Parallel()
	early := happened("Product Viewed", day(0), `{"product_id":"kettle"}`)
	late := happened("Product Viewed", day(90), `{"product_id":"kettle"}`)
	after := happened("Product Viewed", day(91), `{"product_id":"kettle"}`)
	rules := named(&event.Event{Kind: event.Page, Name: "Page Viewed", UserID: "anna", Time: day(90), Body: json.RawMessage(`{"topic":"returns_policy"}`)})
	order := happened("Order Completed", day(90), `{"order_id":"o1","products":[{"product_id":"cup"}]}`)
	trouble := happened("Repair Reported", day(90), `{"case_id":"c1","product_id":"cup","symptom":"leak"}`)
	g := fold(early, late, after, rules, order, trouble).Graph(day(90))
	edge := func(from, to, kind string) Edge {
		for _, e := range g.Edges {
			if e.From == from && e.To == to && e.Type == kind {
				return e
			}
		}
		t.Fatalf("no edge %s -%s-> %s in %s", from, kind, to, asJSON(g.Edges))
		return Edge{}
	}
	me := "person:" + string(anna)
	if e := edge(me, "product:kettle", "viewed"); e.Weight != 1.5 || e.Decay != 0.75 || !slices.Equal(e.Events, []evidence.Ref{ref(early), ref(late)}) || !e.First.Equal(day(0)) || !e.Last.Equal(day(90)) {
		t.Errorf("two looks, one half faded, one of tomorrow: %s", asJSON(e))
	}
	edge(me, "topic:returns_policy", "read")
	edge(me, "order:o1", "placed")
	edge(me, "product:cup", "bought")
	edge("order:o1", "product:cup", "contains")
	edge(me, "case:c1", "has")
	edge("case:c1", "product:cup", "about")
	if e := edge("case:c1", "issue:leak", "suffers"); e.Weight != 8 {
		t.Errorf("trouble weighs %v", e.Weight)
	}
	known := map[string]bool{}
	for _, n := range g.Nodes {
		known[n.ID] = true
	}
	for _, e := range g.Edges {
		if !known[e.From] || !known[e.To] || len(e.Events) == 0 {
			t.Errorf("edge %s hangs in the air", asJSON(e))
		}
	}
}
