package topic_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/profile/topic"
)

var day = time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)

func said(n int, user, body string) *event.Event {
	e := &event.Event{Kind: event.Track, Name: topic.Interaction, UserID: user, Time: day.AddDate(0, 0, n), Body: json.RawMessage(body)}
	e.ID = event.RecordEvent(event.Put{ID: fmt.Sprint(n, user), Body: e.Body, UpdatedAt: e.Time}).ID
	return e
}

func TestTopicsOfWhatIsSaid(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][]string{
		`{"text":"#开箱# 新水壶到了 #厨房好物#"}`:                       {"开箱", "厨房好物"},
		`{"text":"so quiet #Kettle, love it"}`:               {"kettle"},
		`{"topic":"Spring  Sale","product_id":"kettle-1"}`:   {"spring sale", "product:kettle-1"},
		`{"topics":["a","A","b"],"text":"no tag, 50 # off"}`: {"a", "b"},
		`{"text":"nothing"}`:                                 nil,
		`7`:                                                  nil,
	} {
		if got := topic.Of(said(0, "lin", body)); !slices.Equal(got, want) {
			t.Errorf("%s: %q, wanted %q", body, got, want)
		}
	}
}

func TestTopicsAreCountedByDayAndForgetWhoIsErased(t *testing.T) {
	t.Parallel()
	x := &topic.Topics{}
	tell := func(e *event.Event) { x.Follow(journal.Committed{Workspace: "shop", Position: 1, Event: e}) }
	tell(said(0, "lin", `{"network":"weibo","text":"#水壶# 漏水","sentiment":-0.6,"sentiment_label":"negative"}`))
	tell(said(1, "wang", `{"network":"weibo","text":"#水壶# 很好","sentiment":0.8,"sentiment_label":"positive"}`))
	tell(said(1, "lin", `{"network":"douyin","text":"#水壶#"}`))
	b, err := x.Save()
	if err != nil {
		t.Fatal(err)
	}
	again := &topic.Topics{}
	if err := again.Load(b); err != nil {
		t.Fatal(err)
	}
	if c, _ := again.Save(); !bytes.Equal(b, c) {
		t.Fatalf("saved again it is\n%s\nwas\n%s", c, b)
	}
	s, ok := again.Find("shop", "水壶", time.Time{}, time.Time{})
	if !ok || s.Interactions != 3 || s.Positive != 1 || s.Negative != 1 || s.Sentiment != 0.1 || len(s.Recent) != 3 || s.Networks["weibo"] != 2 || len(s.Days) != 2 {
		t.Fatalf("the topic is %+v", s)
	}
	if s, _ := again.Find("shop", "水壶", day.AddDate(0, 0, 1), time.Time{}); s.Interactions != 2 {
		t.Fatalf("of the second day: %+v", s)
	}
	again.ForgetKeys("shop", []identity.Key{identity.User("lin")})
	if s, _ := again.Find("shop", "水壶", time.Time{}, time.Time{}); len(s.Recent) != 1 || s.Interactions != 3 {
		t.Fatalf("after lin was erased: %+v", s)
	}
	if all := again.All("bank", time.Time{}, time.Time{}); len(all) != 0 {
		t.Fatalf("the bank sees %v", all)
	}
	for i := range 5000 {
		tell(said(2, "lin", fmt.Sprintf(`{"topic":"t%d"}`, i)))
	}
	if all := x.All("shop", time.Time{}, time.Time{}); len(all) > 2049 {
		t.Fatalf("%d topics are kept", len(all))
	}
}
