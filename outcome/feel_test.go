package outcome_test

import (
	"encoding/json"
	"testing"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/outcome"
)

func TestWhatCustomersSayCarriesHowTheyFeel(t *testing.T) {
	t.Parallel()
	said := func(name, body string) event.Event {
		return event.Event{Kind: event.Track, Name: name, Body: json.RawMessage(body)}
	}
	all := []event.Event{
		said("Social Interaction", `{"network":"weibo","kind":"comment","text":"水壶又漏水了，太失望了"}`),
		said("Social Interaction", `{"text":"great kettle","sentiment":0.1}`),
		said("Social Interaction", `{"network":"weibo","kind":"like"}`),
		said("Product Viewed", `{"text":"terrible"}`),
		said("Feedback Given", `{"rating":5,"text":"客服很耐心，谢谢"}`),
		said("Social Interaction", `null`),
	}
	first := all[0].Body
	was := string(first)
	outcome.Feel(all)
	if string(first) != was {
		t.Error("a body was changed in place")
	}
	for i, want := range []string{"negative", "", "", "", "positive", ""} {
		p := all[i].Properties()
		if got, _ := p["sentiment_label"].(string); got != want {
			t.Errorf("event %d: %q, wanted %q: %s", i, got, want, all[i].Body)
		}
	}
	if all[1].Properties()["sentiment"] != 0.1 {
		t.Errorf("what the sender says was overwritten: %s", all[1].Body)
	}
}
