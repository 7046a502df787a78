package outbox_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/outbox"
	"github.com/rapport-cx/rapport/profile"
)

var noon = time.Date(2026, 7, 10, 4, 0, 0, 0, time.UTC)

// post is a customer's log with a box that follows it.
type post struct {
	t   *testing.T
	box *outbox.Box
	n   byte
}

func (p *post) tell(person uint32, name string, b outbox.Body, change ...func(*event.Event)) {
	p.t.Helper()
	p.n++
	body, err := json.Marshal(b)
	if err != nil {
		p.t.Fatal(err)
	}
	e := event.Event{ID: event.ID{p.n}, Kind: event.Track, Name: name, UserID: "he", Time: noon, Verified: true, Body: body}
	for _, c := range change {
		c(&e)
	}
	p.box.Follow(journal.Committed{Workspace: "shop", Position: uint64(p.n), Event: &e, Person: person})
}

func (p *post) sent(decision string) {
	p.tell(7, profile.DecisionSent, outbox.Body{Decision: decision, Firing: "fir_1", Signal: "s", Actions: []string{"a"}, Channels: []string{outbox.Conversation, outbox.Webhook}, Proven: true})
}

func (p *post) letter(decision string) outbox.Letter {
	p.t.Helper()
	l, ok := p.box.Find("shop", decision)
	if !ok {
		p.t.Fatalf("there is no letter %s", decision)
	}
	return l
}

func TestALetterGoesThroughItsChannels(t *testing.T) {
	t.Parallel()
	p := &post{t: t, box: outbox.NewBox()}
	p.sent("dec_1")
	if l := p.letter("dec_1"); l.Hook != outbox.Pending || l.Shown != outbox.Pending || !l.Open() || l.Reached() || l.To.String() != "user:he" {
		t.Errorf("a fresh letter is %+v", l)
	}
	p.tell(7, profile.DecisionShown, outbox.Body{Decision: "dec_1", Action: "a"})
	p.tell(7, profile.DecisionDelivered, outbox.Body{Decision: "dec_1"})
	if l := p.letter("dec_1"); l.Open() || !l.Reached() {
		t.Errorf("delivered on both it is %+v", l)
	}
	p.tell(7, profile.DecisionSuperseded, outbox.Body{Decision: "dec_1"})
	if l := p.letter("dec_1"); l.Recall != outbox.Pending || !l.Undone || l.Gone != "" {
		t.Errorf("superseded after delivery it is %+v; the company is told", l)
	}
	p.sent("dec_2")
	p.tell(7, profile.DecisionWithdrawn, outbox.Body{Decision: "dec_2", Reason: "superseded"})
	if l := p.letter("dec_2"); l.Open() || l.Gone != "superseded" || l.Recall != "" {
		t.Errorf("withdrawn it is %+v", l)
	}
}

func TestAGivenUpLetterCanBeSentAgain(t *testing.T) {
	t.Parallel()
	p := &post{t: t, box: outbox.NewBox()}
	p.sent("dec_1")
	p.box.Tried("shop", "dec_1", "answered 502", noon.Add(time.Second))
	if l := p.letter("dec_1"); l.Tries != 1 || l.Failure == "" || !l.Next.Equal(noon.Add(time.Second)) {
		t.Errorf("after a failure it is %+v", l)
	}
	p.tell(7, profile.DecisionUndelivered, outbox.Body{Decision: "dec_1", Reason: "answered 410"})
	if l := p.letter("dec_1"); l.Hook != outbox.Dead || l.Failure != "answered 410" {
		t.Errorf("given up it is %+v", l)
	}
	p.tell(7, profile.DecisionSent, outbox.Body{Decision: "dec_1", Firing: "fir_1", Again: 1})
	if l := p.letter("dec_1"); l.Hook != outbox.Pending || l.Tries != 0 {
		t.Errorf("sent again it is %+v", l)
	}
}

// Nobody who merely claims to be somebody sends in the house's name, or takes back
// what it sent.
func TestOnlyVerifiedEventsCount(t *testing.T) {
	t.Parallel()
	p := &post{t: t, box: outbox.NewBox()}
	claimed := func(e *event.Event) { e.Verified = false }
	p.tell(7, profile.DecisionSent, outbox.Body{Decision: "dec_forged", Firing: "f", Channels: []string{outbox.Webhook}}, claimed)
	if _, ok := p.box.Find("shop", "dec_forged"); ok {
		t.Error("a forged letter is sent")
	}
	p.sent("dec_1")
	p.tell(7, profile.DecisionWithdrawn, outbox.Body{Decision: "dec_1"}, claimed)
	if l := p.letter("dec_1"); l.Gone != "" {
		t.Error("a claim takes a letter back")
	}
}

func TestTheBoxIsTheSameAfterARestart(t *testing.T) {
	t.Parallel()
	p := &post{t: t, box: outbox.NewBox()}
	p.sent("dec_1")
	p.sent("dec_2")
	p.tell(7, profile.DecisionDelivered, outbox.Body{Decision: "dec_2"})
	p.box.Tried("shop", "dec_1", "answered 500", noon.Add(time.Minute))
	saved, err := p.box.Save()
	if err != nil {
		t.Fatal(err)
	}
	again := outbox.NewBox()
	if err := again.Load(saved); err != nil {
		t.Fatal(err)
	}
	all := func(b *outbox.Box) (list []string) {
		for _, l := range b.Letters("shop", func(*outbox.Letter) bool { return true }) {
			l.Touched = false
			text, _ := json.Marshal(l)
			list = append(list, string(text))
		}
		return list
	}
	if !slices.Equal(all(p.box), all(again)) {
		t.Errorf("saved %v, loaded %v", all(p.box), all(again))
	}
	if err := again.Load([]byte("{")); err == nil || len(all(again)) != 0 {
		t.Error("a box that cannot be read is not empty")
	}
}

func TestLettersFollowTheirPersonAndAreForgottenWithThem(t *testing.T) {
	t.Parallel()
	p := &post{t: t, box: outbox.NewBox()}
	p.sent("dec_1")
	p.box.Looked("shop", "dec_1")
	p.box.Join("shop", 7, 9)
	p.box.Looked("shop", "dec_1")
	p.tell(9, "Return Requested", outbox.Body{})
	if l := p.letter("dec_1"); !l.Touched {
		t.Error("what happens to the person after a merge is not noticed")
	}
	p.box.Forget("shop", 9)
	if _, ok := p.box.Find("shop", "dec_1"); ok {
		t.Error("the letter of an erased person is kept")
	}
}
