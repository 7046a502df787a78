package event

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 5, 2, 12, 0, 0, 123456789, time.UTC)

func in() In {
	n := uint64(0)
	return In{Workspace: "shop", Received: noon, NewID: func() (id ID) {
		n++
		binary.BigEndian.PutUint64(id[:], n)
		return id
	}}
}

func one(t *testing.T, kind Kind, body string) Event {
	t.Helper()
	all, faults, err := Decode(nil, kind, []byte(body), in())
	if err != nil || len(all) != 1 || faults != nil {
		t.Fatalf("%s: %d events, faults %v, error %v", body, len(all), faults, err)
	}
	return all[0]
}

func refused(t *testing.T, kind Kind, body string) *Problem {
	t.Helper()
	all, _, err := Decode(nil, kind, []byte(body), in())
	var p *Problem
	if !errors.As(err, &p) || len(all) != 0 {
		t.Fatalf("%s: %d events and error %v, want it refused", body, len(all), err)
	}
	return p
}

func TestATrackCallIsReadInBothSpellings(t *testing.T) {
	t.Parallel()
	camel := one(t, Track, `{"messageId":"m1","userId":"u1","anonymousId":"a1","event":"Repair Reported","properties":{ "case_id" : "c9" , "n":1.5 },"context":{"locale":"zh-CN"},"timestamp":"2026-03-01T08:00:00.25+08:00"}`)
	snake := one(t, Track, `{"message_id":"m1","user_id":"u1","anonymous_id":"a1","event":"Repair Reported","properties":{"case_id":"c9","n":1.5},"context":{"locale":"zh-CN"},"timestamp":"2026-03-01T00:00:00.25Z"}`)
	for _, e := range []Event{camel, snake} {
		if e.Kind != Track || e.Name != "Repair Reported" || e.UserID != "u1" || e.AnonymousID != "a1" ||
			string(e.Body) != `{"case_id":"c9","n":1.5}` || string(e.Context) != `{"locale":"zh-CN"}` ||
			!e.Time.Equal(time.Date(2026, 3, 1, 0, 0, 0, 250e6, time.UTC)) || !e.Received.Equal(noon.Truncate(time.Millisecond)) || e.Time.Location() != time.UTC || e.Verified {
			t.Errorf("%+v", e)
		}
	}
	if camel.ID != snake.ID {
		t.Error("one message id gave two events")
	}
}

func TestACallMayNameItsKindItself(t *testing.T) {
	t.Parallel()
	if e := one(t, Typed, `{"type":"identify","userId":"u1","traits":{"a":1}}`); e.Kind != Identify || e.Kind.String() != "identify" {
		t.Errorf("%+v", e)
	}
	if e := one(t, Typed, `{"userId":"u1","event":"E","messageId":"m"}`); e.Kind != Track || e.ID != MessageID("shop", "m") {
		t.Errorf("%+v", e)
	}
	if p := refused(t, Typed, `{"type":"dance","userId":"u1"}`); p.Code != UnknownType || p.Pointer != "/type" {
		t.Error(p)
	}
	var names []string
	for name, value := range Members([]byte(` { "a" : [1, 2] , "\u0062":{"c":3}}`)) {
		names = append(names, name+"="+string(value))
	}
	if want := []string{"a=[1, 2]", `b={"c":3}`}; !slices.Equal(names, want) {
		t.Error(names)
	}
}

func TestTheSendersClockIsCorrected(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body string
		want time.Time
	}{
		"a clock an hour fast":     {`"originalTimestamp":"2026-05-02T12:59:50Z","sentAt":"2026-05-02T13:00:00Z"`, noon.Add(-10 * time.Second)},
		"timestamp with a sentAt":  {`"timestamp":"2026-05-02T12:59:50Z","sent_at":"2026-05-02T13:00:00Z"`, noon.Add(-10 * time.Second)},
		"both and a sentAt":        {`"timestamp":"2020-01-01T00:00:00Z","originalTimestamp":"2026-05-02T12:59:50Z","sentAt":"2026-05-02T13:00:00Z"`, noon.Add(-10 * time.Second)},
		"a time alone":             {`"timestamp":"2026-02-11T00:00:00Z"`, time.Date(2026, 2, 11, 0, 0, 0, 0, time.UTC)},
		"an original time alone":   {`"originalTimestamp":"2026-02-11T00:00:00Z"`, time.Date(2026, 2, 11, 0, 0, 0, 0, time.UTC)},
		"nothing":                  {`"timestamp":null`, noon},
		"sentAt alone":             {`"sentAt":"2026-05-02T13:00:00Z"`, noon},
		"microseconds, no colon":   {`"timestamp":"2026-02-11T08:00:00.123999+0800"`, time.Date(2026, 2, 11, 0, 0, 0, 123e6, time.UTC)},
		"the last day of February": {`"timestamp":"2024-02-29T00:00:00Z"`, time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)},
	} {
		if e := one(t, Track, `{"userId":"u1","event":"E",`+c.body+`}`); !e.Time.Equal(c.want.Truncate(time.Millisecond)) {
			t.Errorf("%s: %v, want %v", name, e.Time, c.want)
		}
	}
	for _, bad := range []string{"2026-02-30T00:00:00Z", "2026-02-11T00:00:00", "yesterday", "2026-02-11", "2026-13-01T00:00:00Z", "2026-02-11T24:00:00Z", "1770768000", "2026-02-11T00:00:00.Z"} {
		if p := refused(t, Track, `{"userId":"u1","event":"E","timestamp":"`+bad+`"}`); p.Code != BadTime || p.Pointer != "/timestamp" {
			t.Errorf("%s: %v", bad, p)
		}
	}
}

func TestTheSameMessageIsTheSameEvent(t *testing.T) {
	t.Parallel()
	id := func(body string) ID { return one(t, Track, body).ID }
	if id(`{"userId":"u1","event":"E","messageId":"m1"}`) != id(`{"userId":"u2","event":"F","messageId":"m\u0031"}`) {
		t.Error("the message id alone names the event")
	}
	timed := `{"userId":"u1","event":"E","timestamp":"2026-02-11T00:00:00Z","properties":{"a":1}`
	if id(timed+`}`) != id(timed+` ,"sentAt":"2026-05-02T12:00:00Z" }`) {
		t.Error("a body with its own time, sent again, is the same event")
	}
	if id(timed+`}`) == id(`{"userId":"u1","event":"E","timestamp":"2026-02-11T00:00:00Z","properties":{"a":2}}`) {
		t.Error("another body is another event")
	}
	all, _, err := Decode(nil, Batch, []byte(`{"batch":[{"type":"track","userId":"u1","event":"E"},{"type":"track","userId":"u1","event":"E"}]}`), in())
	if err != nil || all[0].ID == all[1].ID {
		t.Error("with neither message id nor time every call is new")
	}
	other := in()
	other.Workspace = "bank"
	elsewhere, _, _ := Decode(nil, Track, []byte(`{"userId":"u1","event":"E","messageId":"m1"}`), other)
	if elsewhere[0].ID == id(`{"userId":"u1","event":"E","messageId":"m1"}`) {
		t.Error("another workspace's message is another event")
	}
}

func TestPageAndScreenCallsAreEvents(t *testing.T) {
	t.Parallel()
	page := one(t, Page, `{"anonymousId":"a1","name":"Returns \"policy\"","category":"help","properties":{"path":"/returns"},"context":{"page":{"path":"/other","url":"https://shop.example/returns","title":"退货政策"}}}`)
	var p map[string]any
	if err := json.Unmarshal(page.Body, &p); err != nil {
		t.Fatal(err)
	}
	if page.Name != "Page Viewed" || p["name"] != `Returns "policy"` || p["category"] != "help" || p["path"] != "/returns" || p["url"] != "https://shop.example/returns" || p["title"] != "退货政策" {
		t.Errorf("%s %s", page.Name, page.Body)
	}
	if s := one(t, Screen, `{"userId":7,"name":"Orders"}`); s.Name != "Screen Viewed" || string(s.Body) != `{"name":"Orders"}` || s.UserID != "7" {
		t.Errorf("%+v", s)
	}
}

func TestTheOtherCalls(t *testing.T) {
	t.Parallel()
	if e := one(t, Identify, `{"userId":"u1","traits":{"household_size":4}}`); string(e.Body) != `{"household_size":4}` || e.Name != "" {
		t.Errorf("%+v", e)
	}
	if e := one(t, Group, `{"userId":"u1","groupId":"acme","traits":null}`); e.Subject != "acme" || string(e.Body) != `{}` {
		t.Errorf("%+v", e)
	}
	if e := one(t, Alias, `{"userId":"u1","previousId":"a9"}`); e.Subject != "a9" || e.UserID != "u1" {
		t.Errorf("%+v", e)
	}
}

func TestASingleCallThatIsWrongIsRefusedWithAPointer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind          Kind
		body, pointer string
		code          Code
	}{
		{Track, `{"event":"E"}`, "/userId", NoIdentity},
		{Track, `{"event":"E","userId":"","anonymousId":null}`, "/userId", NoIdentity},
		{Track, `{"userId":"u1"}`, "/event", NoName},
		{Track, `{"userId":"u1","event":7}`, "/event", Mistyped},
		{Track, `{"userId":["u1"],"event":"E"}`, "/userId", Mistyped},
		{Track, `{"userId":1.5,"event":"E"}`, "/userId", Mistyped},
		{Track, `{"userId":"u1","event":"E","properties":[1]}`, "/properties", Mistyped},
		{Track, `{"userId":"u1","user_id":"u2","event":"E"}`, "/user_id", DuplicateKey},
		{Track, `{"userId":"u1","event":"E","properties":{"a":{"b":1,"b":2}}}`, "/properties/a/b", DuplicateKey},
		{Track, `{"userId":"u\u00001","event":"E"}`, "/userId", BadID},
		{Track, `{"userId":"` + strings.Repeat("u", 513) + `","event":"E"}`, "/userId", BadID},
		{Track, `{"userId":"u1","event":"E"} x`, "", NotJSON},
		{Track, `["userId"]`, "", Mistyped},
		{Track, `{"userId":"u1","event":"E","properties":{"n":1e999}}`, "/properties/n", NumberRange},
		{Group, `{"userId":"u1"}`, "/groupId", NoGroup},
		{Alias, `{"userId":"u1"}`, "/previousId", NoPrevious},
		{Track, `{"userId":"u1","event":"` + strings.Repeat("E", MaxCall) + `"}`, "", TooLarge},
		{Batch, `{"messages":[]}`, "/batch", NoBatch},
		{Batch, `{"batch":{}}`, "/batch", Mistyped},
		{Batch, `{"batch":[{"type":"track","userId":"u1","event":"E"},{"type":"track","event":"` + "\xc0" + `"}]}`, "/batch/1/event", InvalidUTF8},
		{Batch, `{"batch":[],"batch":[]}`, "/batch", DuplicateKey},
		{Batch, `{"batch":[{"a":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}]}`, "/batch/0/a" + strings.Repeat("/0", 60), TooDeep},
		{Batch, `{"batch":[` + strings.Repeat(`{},`, 2500) + `{}]}`, "/batch/2500", TooMany},
	} {
		p := refused(t, c.kind, c.body)
		if p.Code != c.code || c.code != TooDeep && p.Pointer != c.pointer {
			t.Errorf("%.80s: %s at %q, want %s at %q", c.body, p.Code, p.Pointer, c.code, c.pointer)
		}
	}
}

func TestAFaultyEventOfABatchIsToldAndTheRestIsTaken(t *testing.T) {
	t.Parallel()
	body := `{"batch":[
		{"type":"track","userId":"u1","event":"Good 1","timestamp":"2026-05-02T12:59:00Z"},
		{"type":"track","event":"E"},
		{"type":"track","userId":"u1"},
		{"type":"track","userId":"u1","event":"E","properties":{"a":1,"a":2}},
		{"type":"track","userId":"u1","event":"E","timestamp":"soon"},
		{"type":"dance","userId":"u1"},
		"nonsense",
		{"type":"track","userId":"u1","event":"E","properties":{"blob":"` + strings.Repeat("x", MaxCall) + `"}},
		{"type":"track","userId":"u1","event":"E","timestamp":"0001-01-01T00:00:00Z"},
		{"type":"page","anonymousId":"a1","context":{"locale":"en","page":{"path":"/x"}}},
		{"userId":"u1"}
	],"sentAt":"2026-05-02T13:00:00Z","context":{"locale":"zh-CN","app":{"name":"shop"}},"writeKey":"wk_1"}`
	all, faults, err := Decode([]Event{{Name: "before"}}, Batch, []byte(body), in())
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, f := range faults {
		told = append(told, itoa(f.Index)+" "+string(f.Code)+" "+f.Pointer)
	}
	want := []string{
		"1 no_identity /batch/1/userId", "2 event_missing /batch/2/event", "3 duplicate_key /batch/3/properties/a", "4 bad_timestamp /batch/4/timestamp",
		"5 unknown_type /batch/5/type", "6 wrong_type /batch/6", "7 event_too_large /batch/7", "8 bad_timestamp /batch/8/timestamp", "10 unknown_type /batch/10/type",
	}
	if !slices.Equal(told, want) {
		t.Errorf("faults\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
	if len(all) != 3 || all[0].Name != "before" || all[1].Name != "Good 1" || all[2].Name != "Page Viewed" {
		t.Fatalf("%+v", all)
	}
	if want := noon.Add(-time.Minute).Truncate(time.Millisecond); !all[1].Time.Equal(want) {
		t.Errorf("the batch's sentAt corrects the clock: %v, want %v", all[1].Time, want)
	}
	if got := string(all[1].Context); got != `{"locale":"zh-CN","app":{"name":"shop"}}` {
		t.Error(got)
	}
	if got := string(all[2].Context); got != `{"locale":"en","page":{"path":"/x"},"app":{"name":"shop"}}` {
		t.Error(got)
	}
	if got := WriteKey([]byte(body)); got != "wk_1" {
		t.Errorf("write key %q", got)
	}
}

func TestAnIdentityTokenInTheBodyVerifiesItsOwnUser(t *testing.T) {
	t.Parallel()
	i := in()
	i.Prove = func(token string) (string, error) {
		if token != "good" {
			return "", errors.New("token does not verify")
		}
		return "u1", nil
	}
	all, _, err := Decode(nil, Batch, []byte(`{"batch":[{"type":"track","userId":"u1","event":"E"},{"type":"track","userId":"u2","event":"E"},{"type":"track","anonymousId":"a","event":"E"}],"identity_token":"good"}`), i)
	if err != nil || !all[0].Verified || all[1].Verified || all[2].Verified {
		t.Errorf("%+v %v", all, err)
	}
	if all, _, err := Decode(nil, Track, []byte(`{"userId":"u1","event":"E","identityToken":"bad"}`), i); err == nil || len(all) != 0 {
		t.Error("a token that does not verify is never ignored")
	}
	i.Subject = "u2"
	if all, _, _ := Decode(nil, Track, []byte(`{"userId":"u2","event":"E"}`), i); !all[0].Verified {
		t.Error("a user proven by other means is verified")
	}
}

func TestEventsHoldNothingOfTheBody(t *testing.T) {
	t.Parallel()
	body := []byte(`{"userId":"u1","event":"E","properties":{"a":1},"context":{"b":2},"messageId":"m"}`)
	all, _, err := Decode(nil, Track, body, in())
	if err != nil {
		t.Fatal(err)
	}
	for i := range body {
		body[i] = '#'
	}
	if e := all[0]; e.UserID != "u1" || e.Name != "E" || string(e.Body) != `{"a":1}` || string(e.Context) != `{"b":2}` {
		t.Errorf("%+v", e)
	}
	grown := append(all[0].Body, '!')
	if _ = grown; string(all[0].Context) != `{"b":2}` {
		t.Error("appending to the body reaches into the context")
	}
}

func TestTheSameRecordPutAgainIsADuplicate(t *testing.T) {
	t.Parallel()
	put := Put{Workspace: "shop", Name: "order", ID: "1001", UserID: "u1", UpdatedAt: noon, Received: noon, Body: []byte(` {"status": "paid"} `)}
	first := RecordEvent(put)
	if first.Kind != Record || first.Name != "order" || first.Subject != "1001" || string(first.Body) != `{"status":"paid"}` || !first.Verified || !first.Time.Equal(noon.Truncate(time.Millisecond)) {
		t.Errorf("%+v", first)
	}
	again := put
	again.Body, again.Received = []byte(`{"status":"paid"}`), noon.Add(time.Hour)
	if RecordEvent(again).ID != first.ID {
		t.Error("sent again it is the same event")
	}
	for name, change := range map[string]func(*Put){
		"workspace": func(p *Put) { p.Workspace = "bank" }, "kind": func(p *Put) { p.Name = "case" }, "id": func(p *Put) { p.ID = "1002" }, "person": func(p *Put) { p.UserID = "u2" },
		"time": func(p *Put) { p.UpdatedAt = noon.Add(time.Second) }, "body": func(p *Put) { p.Body = []byte(`{}`) }, "deletion": func(p *Put) { p.Deleted = true },
	} {
		other := put
		change(&other)
		if RecordEvent(other).ID == first.ID {
			t.Errorf("another %s gave the same event", name)
		}
	}
	put.Deleted = true
	if e := RecordEvent(put); !e.Deleted || string(e.Body) != "null" {
		t.Errorf("%+v", e)
	}
}

// FuzzDecode: whatever comes in, what goes out is whole, and a body is taken only
// when it is strict JSON.
func FuzzDecode(f *testing.F) {
	f.Add(byte(1), []byte(`{"userId":"u1","event":"E","properties":{"a":1}}`))
	f.Add(byte(3), []byte(`{"anonymousId":"a","name":"\u9000","context":{"page":{"path":"/x","url":null}}}`))
	f.Add(byte(255), []byte(`{"batch":[{"type":"track","userId":"u1","event":"E","timestamp":"2026-05-02T12:59:00Z"},{"type":"alias"}],"sentAt":"2026-05-02T13:00:00Z","context":{"a":1}}`))
	f.Fuzz(func(t *testing.T, kind byte, body []byte) {
		all, faults, err := Decode(nil, Kind(kind), body, in())
		if err != nil {
			if len(all) != 0 || faults != nil {
				t.Fatal("refused and taken at once")
			}
			return
		}
		if Kind(kind) != Batch && !reference(body) {
			t.Fatalf("%q was taken", body)
		}
		for _, e := range all {
			if e.UserID == "" && e.AnonymousID == "" && e.Kind != Alias || e.ID == (ID{}) || e.Time.IsZero() || e.Time.Nanosecond()%1e6 != 0 {
				t.Fatalf("%+v", e)
			}
			for _, part := range []json.RawMessage{e.Body, e.Context} {
				if part == nil {
					continue
				}
				if !reference(part) || part[0] != '{' || string(Compact(nil, part)) != string(part) {
					t.Fatalf("part %q of %q", part, body)
				}
			}
		}
	})
}

var sample = []byte(`{"messageId":"5f1c9a52-7c1e-4c54-9a51-1c9be1a5d0aa","type":"track","userId":"customer-00012345","anonymousId":"b8f1e7a0-0c9b-4d5a-8b7e-2f6f4d3c2b1a","event":"Product Viewed","properties":{"product_id":"kettle-17","category":"kitchen","price":129.5,"currency":"CNY","position":3},"context":{"locale":"zh-CN","page":{"path":"/p/kettle-17","title":"Kettle"}},"timestamp":"2026-05-02T11:59:58.120Z"}`)

func BenchmarkDecode390(b *testing.B) {
	i := in()
	dst := make([]Event, 0, 1)
	b.SetBytes(int64(len(sample)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Decode(dst, Track, sample, i); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheck390(b *testing.B) {
	b.SetBytes(int64(len(sample)))
	b.ReportAllocs()
	for b.Loop() {
		if err := Check(sample, MaxCall); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLooseUnmarshal390(b *testing.B) {
	type loose struct {
		MessageID, Type, UserID, AnonymousID, Event, Timestamp string
		Properties, Context                                    json.RawMessage
	}
	b.SetBytes(int64(len(sample)))
	b.ReportAllocs()
	for b.Loop() {
		var l loose
		if err := json.Unmarshal(sample, &l); err != nil {
			b.Fatal(err)
		}
	}
}
