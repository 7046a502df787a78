package conversation_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/conversation"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/journal"
)

var morning = time.Date(2026, 7, 1, 9, 0, 0, 0, time.UTC)

// said makes an event of a conversation, so many minutes into the morning.
func said(who, name string, minute int, b conversation.Body) *event.Event {
	if b.Conversation == "" {
		b.Conversation = "c1"
	}
	body, err := json.Marshal(b)
	if err != nil {
		panic(err)
	}
	return &event.Event{ID: event.MessageID("shop", fmt.Sprint(who, name, minute, b.Conversation)), Kind: event.Track, Name: name, UserID: who, Time: morning.Add(time.Duration(minute) * time.Minute), Body: body}
}

func TestAPersonHasTheWordOnlyAfterAccepting(t *testing.T) {
	t.Parallel()
	steps := []struct {
		name string
		want conversation.Phase
	}{
		{conversation.Sent, conversation.WithAdviser},
		{conversation.Requested, conversation.Waiting},
		{conversation.Received, conversation.Waiting},
		{conversation.Requested, conversation.Waiting},
		{conversation.Accepted, conversation.WithPerson},
		{conversation.Requested, conversation.WithPerson},
		{conversation.Returned, conversation.WithAdviser},
	}
	var events []*event.Event
	for i, s := range steps {
		events = append(events, said("u1", s.name, i, conversation.Body{Agent: conversation.Who{Name: "Lin"}}))
		if got := conversation.StateOf(conversation.Read("c1", events)).Phase; got != s.want {
			t.Errorf("after %s (%d): %s, want %s", s.name, i, got, s.want)
		}
	}
}

func TestEntriesOfSeveralSpeakersStandInTheOrderOfTime(t *testing.T) {
	t.Parallel()
	hers := []*event.Event{said("u1", conversation.Sent, 1, conversation.Body{Text: "one"}), said("u1", conversation.Sent, 5, conversation.Body{Text: "three"})}
	his := []*event.Event{said("u2", conversation.Sent, 3, conversation.Body{Text: "two"}), said("u2", conversation.Sent, 4, conversation.Body{Text: "elsewhere", Conversation: "c11"})}
	var got string
	for _, en := range conversation.Read("c1", hers, his, hers) {
		got += en.Key + " " + en.Text + "; "
	}
	if want := "user:u1 one; user:u2 two; user:u1 three; "; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestAtOneInstantAPersonAcceptsBeforeSpeaking(t *testing.T) {
	t.Parallel()
	events := []*event.Event{
		said("u1", conversation.Received, 1, conversation.Body{Text: "hello", By: "person"}),
		said("u1", conversation.Accepted, 1, conversation.Body{}),
		said("u1", conversation.Requested, 1, conversation.Body{}),
		said("u1", conversation.Received, 1, conversation.Body{Text: "I ask a colleague"}),
		said("u1", conversation.Sent, 1, conversation.Body{Text: "a person, please"}),
	}
	var got []string
	for _, en := range conversation.Read("c1", events) {
		got = append(got, en.Name+" "+en.Text)
	}
	want := []string{conversation.Sent + " a person, please", conversation.Received + " I ask a colleague", conversation.Requested + " ", conversation.Accepted + " ", conversation.Received + " hello"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestFailuresAreCountedUntilSomethingWasUnderstood(t *testing.T) {
	t.Parallel()
	asksBack := conversation.Body{Asked: []conversation.Matter{{Status: "clarify", Intent: "order.cancel", Readings: []conversation.Reading{{Intent: "order.cancel"}, {Intent: "order.modify"}}}}}
	whichOne := conversation.Body{Asked: []conversation.Matter{{Status: "clarify", Intent: "presale.price_promo"}}}
	understood := conversation.Body{Asked: []conversation.Matter{{Status: "answered", Intent: "order.cancel"}, {Status: "clarify"}}}
	var events []*event.Event
	for i, step := range []struct {
		body conversation.Body
		want int
	}{{asksBack, 1}, {asksBack, 2}, {understood, 0}, {asksBack, 1}, {whichOne, 0}} {
		events = append(events, said("u1", conversation.Sent, 2*i, conversation.Body{Text: "hm"}), said("u1", conversation.Received, 2*i+1, step.body))
		if got := conversation.Failures(conversation.Read("c1", events)); got != step.want {
			t.Errorf("after answer %d: %d, want %d", i, got, step.want)
		}
	}
}

func follow(d *conversation.Desk, person uint32, events ...*event.Event) {
	for _, e := range events {
		d.Follow(journal.Committed{Workspace: "shop", Event: e, Person: person})
	}
}

func TestTheDeskKnowsWhoWaitsAndForHowLong(t *testing.T) {
	t.Parallel()
	d := conversation.NewDesk()
	ask := func(who, id string, minute int) {
		follow(d, uint32(minute), said(who, conversation.Sent, minute, conversation.Body{Conversation: id}), said(who, conversation.Requested, minute, conversation.Body{Conversation: id}))
	}
	ask("u1", "c1", 1)
	ask("u2", "c2", 2)
	ask("u3", "c3", 3)
	if ahead, wait := d.Ahead("shop", "c3"); ahead != 2 || wait != 0 {
		t.Errorf("before anybody was served: %d ahead, %v", ahead, wait)
	}
	follow(d, 1, said("u1", conversation.Accepted, 7, conversation.Body{Conversation: "c1"}))
	if ahead, wait := d.Ahead("shop", "c3"); ahead != 1 || wait != 6*time.Minute {
		t.Errorf("after the first was served: %d ahead, %v", ahead, wait)
	}
	if ahead, _ := d.Ahead("shop", "new"); ahead != 2 {
		t.Errorf("a newcomer has %d ahead", ahead)
	}
	saved, err := d.Save()
	if err != nil {
		t.Fatal(err)
	}
	again := conversation.NewDesk()
	if err := again.Load(saved); err != nil {
		t.Fatal(err)
	}
	if q := again.Queue("shop", conversation.Waiting); len(q) != 2 || q[0].ID != "c2" || q[0].Speakers[0].Value != "u2" {
		t.Errorf("after a restart %+v", q)
	}
	if _, wait := again.Ahead("shop", "c3"); wait != 6*time.Minute {
		t.Errorf("after a restart a wait takes %v", wait)
	}
	again.Forget("shop", 2)
	if q := again.Queue("shop", conversation.Waiting); len(q) != 1 || q[0].ID != "c3" {
		t.Errorf("who is erased still waits: %+v", q)
	}
}

func TestTalkWithoutEndDoesNotFillTheDesk(t *testing.T) {
	t.Parallel()
	d := conversation.NewDesk()
	follow(d, 1, said("u0", conversation.Requested, 0, conversation.Body{Conversation: "waits"}))
	for i := range 10_000 {
		follow(d, 2, said("u1", conversation.Sent, i+1, conversation.Body{Conversation: fmt.Sprint("c", i)}))
	}
	if _, ok := d.Find("shop", "waits"); !ok {
		t.Error("who waits for a person was forgotten")
	}
	if _, ok := d.Find("shop", "c9999"); !ok {
		t.Error("the newest conversation was forgotten")
	}
	if _, ok := d.Find("shop", "c0"); ok {
		t.Error("ten thousand idle conversations are all remembered")
	}
}

func TestWhoListensHearsEveryEntry(t *testing.T) {
	t.Parallel()
	d := conversation.NewDesk()
	heard, leave, ok := d.Listen("shop", "c1")
	if !ok {
		t.Fatal("nobody may listen")
	}
	follow(d, 1, said("u1", conversation.Sent, 1, conversation.Body{Text: "hello"}), said("u1", conversation.Sent, 2, conversation.Body{Text: "other", Conversation: "c2"}))
	if en := <-heard; en.Text != "hello" {
		t.Errorf("%+v", en)
	}
	leave()
	leave()
	follow(d, 1, said("u1", conversation.Sent, 3, conversation.Body{Text: "gone"}))
	if len(heard) != 0 {
		t.Error("who has left hears on")
	}
}
