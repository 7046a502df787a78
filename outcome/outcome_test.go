package outcome_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/outcome"
)

func TestAnOutcomeBelongsToItsDecision(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
	track := func(name, body string) *event.Event {
		return &event.Event{ID: event.ID{1}, Kind: event.Track, Name: name, Time: at, Body: json.RawMessage(body)}
	}
	cases := []struct {
		ev   *event.Event
		kind outcome.Kind // "" for none
	}{
		{track("Decision Shown", `{"decision_id":"dec_1"}`), outcome.Impression},
		{track("Accepted", `{"decision_id":"dec_1","action":"replace_device"}`), outcome.Accept},
		{track("Feedback Given", `{"decision_id":"dec_1","rating":4,"text":"很快"}`), outcome.Feedback},
		{track("Accepted", `{"action":"replace_device"}`), ""}, // of no decision
		{track("Product Viewed", `{"decision_id":"dec_1"}`), ""},
		{&event.Event{Kind: event.Record, Name: "Accepted", Body: json.RawMessage(`{"decision_id":"dec_1"}`)}, ""},
	}
	for _, c := range cases {
		o, ok := outcome.Attribute(c.ev)
		if ok != (c.kind != "") {
			t.Errorf("%s %s: attributed %v", c.ev.Name, c.ev.Body, ok)
			continue
		}
		if ok && (o.Kind != c.kind || o.Decision != "dec_1" || !o.At.Equal(at)) {
			t.Errorf("%s: %+v", c.ev.Name, o)
		}
	}
	o, _ := outcome.Attribute(cases[2].ev)
	if o.Rating == nil || *o.Rating != 4 || o.Text != "很快" {
		t.Errorf("feedback %+v", o)
	}
}
