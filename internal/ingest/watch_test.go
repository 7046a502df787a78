package ingest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/journal"
)

var noon = time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)

func committed(e event.Event, n int) journal.Committed {
	return journal.Committed{Workspace: "shop", Position: uint64(n + 1), Event: &e, Person: uint32(n%7 + 1)}
}

func orderPut(id, user, source, status string, at time.Time, w *Watch) event.Event {
	body := w.Translated("shop", source, "order", fmt.Appendf(nil, `{"status":%q}`, status))
	e := event.RecordEvent(event.Put{Workspace: "shop", Name: "order", ID: id, UserID: user, UpdatedAt: at, Received: at.Add(time.Second), Body: body})
	Stamp(&e, source)
	return e
}

// What a watch holds is what the log says: the same in one go, and saved and loaded anywhere.
func TestAWatchIsAFoldOfTheLog(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	live := NewWatch([]string{"shipped", "paid"})
	var log []journal.Committed
	for n := range 400 {
		var e event.Event
		if dice.IntN(12) == 0 {
			e = event.RecordEvent(event.Put{Workspace: "shop", Name: recordWord, ID: fmt.Sprintf("erp\x1forder\x1f%d", dice.IntN(6)), UpdatedAt: noon, Received: noon,
				Body: fmt.Appendf(nil, `{"source":"erp","kind":"order","value":"%d","state":"shipped"}`, dice.IntN(6))})
		} else {
			e = orderPut(fmt.Sprint("o", dice.IntN(40)), fmt.Sprint("u", dice.IntN(5)), "erp", fmt.Sprint(dice.IntN(9)), noon.Add(time.Duration(dice.IntN(100))*time.Minute), live)
		}
		c := committed(e, n)
		live.Follow(c)
		log = append(log, c)
	}
	want, err := live.Save()
	if err != nil {
		t.Fatal(err)
	}
	for _, stop := range []int{0, 1, 100, 399} {
		again := NewWatch([]string{"shipped", "paid"})
		for n, c := range log {
			if n == stop {
				state, err := again.Save()
				if err != nil {
					t.Fatal(err)
				}
				again = NewWatch([]string{"shipped", "paid"})
				if err := again.Load(state); err != nil {
					t.Fatal(err)
				}
			}
			again.Follow(c)
		}
		if got, _ := again.Save(); !bytes.Equal(got, want) {
			t.Errorf("saved before event %d it becomes another", stop)
		}
	}
	if s := live.status("shop", "erp", noon); s.Accepted == 0 || s.Lag != time.Second {
		t.Errorf("counted %+v", s)
	}
}

// A record read back and put again says the same; a state that somebody writes over it counts.
func TestTranslatingIsSafeToRepeat(t *testing.T) {
	t.Parallel()
	w := NewWatch([]string{"shipped", "paid"})
	e := event.RecordEvent(event.Put{Workspace: "shop", Name: recordWord, ID: "erp\x1f*\x1f21", UpdatedAt: noon, Received: noon, Body: []byte(`{"source":"erp","kind":"*","value":"21","state":"shipped"}`)})
	w.Follow(committed(e, 0))
	for _, c := range []struct{ name, in, want string }{
		{"a code as text", `{"status":"21"}`, `{"status":"shipped","foreign_status":"21","source":"erp"}`},
		{"a code as a number", `{"status":21}`, `{"status":"shipped","foreign_status":"21","source":"erp"}`},
		{"in other letters", `{"status":" ２１ "}`, `{"status":"shipped","foreign_status":" ２１ ","source":"erp"}`},
		{"a word that stands for itself", `{"status":"Paid"}`, `{"status":"paid","foreign_status":"Paid","source":"erp"}`},
		{"a word nobody knows", `{"status":"已质检(二)"}`, `{"status":"unknown","foreign_status":"已质检(二)","source":"erp"}`},
		{"no state", `{"x":1}`, `{"x":1,"source":"erp"}`},
		{"an empty one", `{"status":""}`, `{"status":"","source":"erp"}`},
		{"of a wrong type", `{"status":{"a":1}}`, `{"status":{"a":1},"source":"erp"}`},
		{"read back", `{"status":"unknown","foreign_status":"21","source":"erp"}`, `{"status":"shipped","foreign_status":"21","source":"erp"}`},
		{"written over", `{"status":"paid","foreign_status":"21","source":"erp"}`, `{"status":"paid","foreign_status":"paid","source":"erp"}`},
	} {
		got := w.Translated("shop", "erp", "order", []byte(c.in))
		if string(got) != c.want {
			t.Errorf("%s: %s\nwanted %s", c.name, got, c.want)
		}
		if again := w.Translated("shop", "erp", "order", got); !bytes.Equal(again, got) {
			t.Errorf("%s, once more: %s", c.name, again)
		}
	}
}

// Who has only the public key cannot speak for a source.
func TestASourceIsNamedByWhoMay(t *testing.T) {
	t.Parallel()
	e := event.Event{Kind: event.Track, Name: "X", Context: []byte(`{"library":{"name":"a"}}`)}
	Stamp(&e, "crm")
	if string(e.Context) != `{"source":{"name":"crm"},"library":{"name":"a"}}` {
		t.Errorf("stamped %s", e.Context)
	}
	if got := string(sourceOf(&e)); got != "segment" {
		t.Errorf("unverified, it counts for %s", got)
	}
	e.Verified = true
	if got := string(sourceOf(&e)); got != "crm" {
		t.Errorf("verified, it counts for %s", got)
	}
}

func BenchmarkFollow(b *testing.B) {
	w := NewWatch(nil)
	e := event.Event{Kind: event.Track, Name: "Product Viewed", Time: noon, Received: noon, Verified: true, Context: []byte(`{"library":{"name":"analytics-node","version":"3.1.0"}}`), Body: []byte(`{"product_id":"p1"}`)}
	c := committed(e, 1)
	b.ReportAllocs()
	for b.Loop() {
		w.Follow(c)
	}
}
