package engine

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/conversation"
	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/decision/propensity"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/scene"
)

func TestDecisionIDsSortByTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	earlier := decisionID(at, [16]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 255})
	later := decisionID(at.Add(time.Millisecond), [16]byte{})
	if earlier >= later || len(earlier) != len(later) {
		t.Errorf("%s is not before %s", earlier, later)
	}
}

func TestTheLanguageIsTheScenesThenTheEnquirysThenTheCallers(t *testing.T) {
	t.Parallel()
	cases := []struct {
		r    Request
		want scene.Locale
	}{
		{Request{Scene: scene.Scene{Locale: scene.English}, Enquiry: need.Enquiry{Text: "设备发热"}}, scene.English},
		{Request{Enquiry: need.Enquiry{Text: "iPhone 15 怎么退货"}, Fallback: scene.English}, scene.Chinese},
		{Request{Enquiry: need.Enquiry{Text: "where is it"}, Fallback: scene.Chinese}, scene.English},
		{Request{Enquiry: need.Enquiry{Text: "12345"}, Fallback: scene.English}, scene.English},
		{Request{}, scene.Chinese},
	}
	for _, c := range cases {
		if got := language(c.r); got != c.want {
			t.Errorf("%+v: %s, wanted %s", c.r, got, c.want)
		}
	}
}

func TestARefOfAPersonalRecordCarriesItsPerson(t *testing.T) {
	t.Parallel()
	out := Qualified("order:~231001", "per_abc")
	if out != "order:~231001;per_abc" {
		t.Errorf("qualified: %s", out)
	}
	if ref, person := Unqualified(out); ref != "order:~231001" || person != "per_abc" {
		t.Errorf("unqualified: %s, %s", ref, person)
	}
	if id, _ := evidence.Ref("order:~231001").ID(); id != "#1001" {
		t.Errorf("the foreign id is %q", id)
	}
	if Qualified("item:A@3", "per_abc") != "item:A@3" {
		t.Error("a public record needs no person")
	}
}

func TestWhatDiffersIsNamedByItsPlace(t *testing.T) {
	t.Parallel()
	a := []byte(`{"needs":[{"id":"n1"}],"actions":[{"action":"x"},{"action":"y"}],"at":1}`)
	b := []byte(`{"needs":[{"id":"n1"}],"actions":[{"action":"z"}],"at":1,"new":true}`)
	if got := differences(a, b); !slices.Equal(got, []string{"/actions/0/action", "/actions/1", "/new"}) {
		t.Errorf("differences %v", got)
	}
	if got := differences(a, a); got != nil {
		t.Errorf("equal documents differ at %v", got)
	}
}

func TestANeedIsReadWithTheNewestTurnsOnly(t *testing.T) {
	t.Parallel()
	d := dialogue{}
	for i := range 2 * keepTurns {
		name := conversation.Sent
		if i%2 == 1 {
			name = conversation.Received
		}
		d.entries = append(d.entries, conversation.Entry{Name: name, Body: conversation.Body{Text: fmt.Sprint(i)}})
	}
	d.entries = append(d.entries, conversation.Entry{Name: conversation.Requested})
	got := d.turns()
	if len(got) != keepTurns || got[0] != (need.Turn{Role: "user", Text: "12"}) || got[keepTurns-1] != (need.Turn{Role: "agent", Text: "23"}) {
		t.Errorf("turns %v", got)
	}
}

func TestWhoAsksWithoutProofIsTheirAnonymousIDAlone(t *testing.T) {
	t.Parallel()
	e := &Engine{}
	s, err := e.Who(t.Context(), "shop", identity.Asker{Keys: []identity.Key{identity.User("ann"), identity.Anonymous("a1")}})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.Keys, []identity.Key{identity.Anonymous("a1")}) || s.Person != identity.PersonOf("shop", identity.Anonymous("a1")) {
		t.Errorf("scope %+v", s)
	}
	if s, _ := e.Who(t.Context(), "shop", identity.Asker{Keys: []identity.Key{identity.User("ann")}}); len(s.Keys) != 0 {
		t.Errorf("a bare claim reads the events of %v", s.Keys)
	}
}

func TestWhatWasOfferedTogetherIsLearntByAllThatItWasWeighedOver(t *testing.T) {
	t.Parallel()
	chance := .25
	offered := func(action string, context ...propensity.Value) decision.Chosen {
		return decision.Chosen{Action: action, Propensity: &chance, Learn: &decision.Learnable{Offer: propensity.Offer{Action: action}, Context: context}}
	}
	channel, hour, never, twice := propensity.Value{Feature: "scene.channel", Bin: "web"}, propensity.Value{Feature: "scene.hour", Bin: "8-11"}, propensity.Value{Feature: "contact.shown", Bin: "0"}, propensity.Value{Feature: "contact.shown", Bin: "2"}
	d := decision.Decision{Chosen: []decision.Chosen{
		{Action: "exchange"}, // a right: nothing is learnt of it
		offered("cover", channel, hour, never),
		offered("case", channel, hour, twice),
		offered("bag", channel, hour, never),
		offered("cable", hour),
		offered("charger", channel, propensity.Value{Feature: "scene.hour", Bin: "12-15"}, never, twice),
		offered("stand"),
	}}
	written, err := json.Marshal(learnts(&d))
	if err != nil {
		t.Fatal(err)
	}
	var read []learnt
	if err := json.Unmarshal(written, &read); err != nil || len(read) != 6 {
		t.Fatal(err, len(read), string(written))
	}
	for i := range read {
		if want, got := d.Chosen[i+1].Learn.Context, read[i].context(read[0].Context); !slices.Equal(got, want) || read[i].Expected != chance {
			t.Errorf("%s was weighed over %v, and comes back with %v", d.Chosen[i+1].Action, want, got)
		}
	}
	const before = `[{"offer":{"action":"a"},"prior":0,"context":[{"f":"x","b":"1"}],"expected":0.5},{"offer":{"action":"b"},"prior":0,"context":[{"f":"x","b":"1"},{"f":"y","b":"2"}],"expected":0.5}]`
	var old []learnt
	if err := json.Unmarshal([]byte(before), &old); err != nil || len(old[1].context(old[0].Context)) != 2 {
		t.Errorf("what was written in full is read as %v", old)
	}
}
