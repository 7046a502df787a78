package click_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/profile/click"
)

var morning = time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)

func at(after time.Duration, name, properties string) *event.Event {
	e := &event.Event{Kind: event.Track, Name: name, UserID: "lin", Time: morning.Add(after), Received: morning.Add(after), Body: json.RawMessage(properties)}
	if name == "Page Viewed" {
		e.Kind = event.Page
	}
	e.ID = event.RecordEvent(event.Put{Name: name, ID: fmt.Sprint(after), UpdatedAt: e.Time, Body: e.Body}).ID
	return e
}

const (
	buy   = `{"path":"/kettles","selector":"main > button.buy","x":100,"y":200,"width":400,"height":1000}`
	photo = `{"path":"/kettles","selector":"img.large","x":300,"y":200,"width":400,"height":1000}`
	phone = `{"path":"/checkout","selector":"form input#phone"}`
)

func TestClicksThatFailAreRecognised(t *testing.T) {
	t.Parallel()
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	for _, c := range []struct {
		story string
		life  []*event.Event
		want  string // name @ index of the events that prove it
	}{
		{"one click", []*event.Event{at(0, click.Clicked, buy)}, ""},
		{"a double click is none", []*event.Event{at(0, click.Clicked, buy), at(ms(200), click.Clicked, buy)}, ""},
		{"clicked again after two seconds: the first was dead", []*event.Event{at(0, click.Clicked, buy), at(ms(2000), click.Clicked, buy)}, "Dead Click[0 1]"},
		{"the cart filled in between", []*event.Event{at(0, click.Clicked, buy), at(ms(900), "Product Added", `{}`), at(ms(2000), click.Clicked, buy)}, ""},
		{"what we showed by ourselves is no answer", []*event.Event{at(0, click.Clicked, buy), at(ms(900), "Decision Shown", `{}`), at(ms(2000), click.Clicked, buy)}, "Dead Click[0 2]"},
		{"another target", []*event.Event{at(0, click.Clicked, buy), at(ms(2000), click.Clicked, photo)}, ""},
		{"a minute later it is a new attempt", []*event.Event{at(0, click.Clicked, buy), at(ms(60_000), click.Clicked, buy)}, ""},
		{"the page saw itself that nothing came", []*event.Event{at(0, click.Clicked, `{"path":"/kettles","selector":"a.more","dead":true}`)}, "Dead Click[0]"},
		{"three in a second are rage, told once", []*event.Event{at(0, click.Clicked, buy), at(ms(300), click.Clicked, buy), at(ms(600), click.Clicked, buy), at(ms(900), click.Clicked, buy)}, "Rage Click[0 1 2]"},
		{"three in three seconds are not", []*event.Event{at(0, click.Clicked, photo), at(ms(400), click.Clicked, buy), at(ms(700), click.Clicked, photo), at(ms(1000), click.Clicked, photo)}, ""},
		{"a second burst is told again", []*event.Event{at(0, click.Clicked, buy), at(ms(300), click.Clicked, buy), at(ms(600), click.Clicked, buy), at(ms(60_000), click.Clicked, buy), at(ms(60_300), click.Clicked, buy), at(ms(60_600), click.Clicked, buy)}, "Rage Click[0 1 2] Rage Click[3 4 5]"},
		{"a field begun and left", []*event.Event{at(0, click.Clicked, phone), at(ms(9000), "Page Viewed", `{"path":"/kettles"}`)}, "Field Abandoned[0 1]"},
		{"a field focused and left", []*event.Event{at(0, "Field Focused", `{"path":"/checkout","field":"phone"}`), at(ms(9000), "Page Viewed", `{"path":"/"}`)}, "Field Abandoned[0 1]"},
		{"the form was sent", []*event.Event{at(0, click.Clicked, phone), at(ms(5000), "Form Submitted", `{"path":"/checkout"}`), at(ms(9000), "Page Viewed", `{"path":"/thanks"}`)}, ""},
		{"the same page loaded again, then left", []*event.Event{at(0, click.Clicked, phone), at(ms(5000), "Page Viewed", `{"path":"/checkout?step=2"}`), at(ms(9000), "Page Viewed", `{"path":"/"}`)}, "Field Abandoned[0 2]"},
		{"hours later", []*event.Event{at(0, click.Clicked, phone), at(3*time.Hour, "Page Viewed", `{"path":"/"}`)}, ""},
		{"properties of any type are no harm", []*event.Event{at(0, click.Clicked, `{"path":7,"selector":["a"],"x":"left"}`), at(1, click.Clicked, `null`), at(2, click.Clicked, ``)}, ""},
	} {
		var w click.Watch
		got := ""
		for _, e := range c.life {
			saved := w.Append(nil)
			again, rest, ok := click.ReadWatch(saved)
			if !ok || len(rest) > 0 || again != w {
				t.Fatalf("%s: a watch read back is %+v, was %+v", c.story, again, w)
			}
			for _, f := range again.See(e) {
				var by []int
				for _, id := range f.By {
					for i := range c.life {
						if c.life[i].ID == id {
							by = append(by, i)
						}
					}
				}
				if got != "" {
					got += " "
				}
				got += fmt.Sprint(f.Name, by)
				if behind, ok := click.Behind(f.Event(e)); !ok || len(behind) != len(f.By) {
					t.Errorf("%s: the event found does not lead to what proves it", c.story)
				}
			}
			w = again
		}
		if got != c.want {
			t.Errorf("%s: %q, wanted %q", c.story, got, c.want)
		}
	}
}

// weeks are clicks of many people on some pages, in the order they were received, some
// of them told late.
func weeks(r *rand.Rand, n int) []event.Event {
	var all []event.Event
	for i := range n {
		received := morning.Add(time.Duration(i) * (20 * 24 * time.Hour / time.Duration(n)))
		e := event.Event{Kind: event.Track, Name: click.Clicked, UserID: fmt.Sprintf("u-%d", r.IntN(20)), Received: received, Time: received.Add(-time.Duration(r.Int64N(int64(time.Minute))))}
		if r.IntN(10) == 0 {
			e.Time = received.Add(-time.Duration(r.Int64N(int64(7 * 24 * time.Hour))))
		}
		e.Context = json.RawMessage([]string{`{"userAgent":"Mozilla/5.0 (X11; Linux x86_64)"}`, `{"device":{"type":"mobile"}}`, `{"userAgent":"Mozilla/5.0 (iPad; CPU OS 17_0)"}`}[r.IntN(3)])
		switch r.IntN(8) {
		case 0:
			e.Kind, e.Name, e.Body = event.Identify, "", json.RawMessage(fmt.Sprintf(`{"segment":"segment %d"}`, r.IntN(3)))
		case 1:
			e.Kind, e.Name, e.Body = event.Page, "Page Viewed", json.RawMessage(fmt.Sprintf(`{"path":"/page/%d"}`, r.IntN(5)))
		case 2:
			e.Name, e.Body = "Field Focused", json.RawMessage(`{"path":"/checkout","field":"phone"}`)
		default:
			e.Body = json.RawMessage(fmt.Sprintf(`{"path":"/page/%d","selector":"#e%d","x":%d,"y":%d,"width":1000,"height":5000}`, r.IntN(5), r.IntN(4), r.IntN(1001), r.IntN(5001)))
		}
		all = append(all, e)
	}
	return all
}

func tell(h *click.Heat, events []event.Event) {
	for i := range events {
		h.Follow(journal.Committed{Workspace: "shop", Position: uint64(i + 1), Event: &events[i]})
	}
}

func TestTheHeatMapIsARecountOfTheLog(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	all := weeks(r, 8000)
	whole := &click.Heat{}
	tell(whole, all)
	want, _ := whole.Save()

	parts := &click.Heat{}
	for rest := all; len(rest) > 0; {
		n := min(1+r.IntN(1500), len(rest))
		tell(parts, rest[:n])
		rest = rest[n:]
		saved, err := parts.Save()
		if err != nil {
			t.Fatal(err)
		}
		parts = &click.Heat{}
		if err := parts.Load(saved); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := parts.Save(); !bytes.Equal(got, want) {
		t.Fatalf("seed %d: with restarts %d bytes, in one go %d", seed, len(got), len(want))
	}

	clicks, mobile := uint32(0), uint32(0)
	cell := map[[2]int]uint32{}
	from, to := morning.Add(17*24*time.Hour).Truncate(time.Hour), morning.Add(18*24*time.Hour).Truncate(time.Hour)
	inside := uint32(0)
	for i := range all {
		e := &all[i]
		if e.Name != click.Clicked {
			continue
		}
		c := click.Read(e)
		if c.Path != "/page/3" {
			continue
		}
		clicks++
		if click.Device(e) == "mobile" {
			mobile++
		}
		if !e.Time.Before(from) && e.Time.Before(to) {
			inside++
		}
		cell[[2]int{min(int(c.X*click.Columns), click.Columns-1), min(int(c.Y*click.Rows), click.Rows-1)}]++
	}
	p := parts.Ask("shop", click.Question{Path: "/page/3"})
	if p.Total.Clicks != clicks || len(p.Cells) != len(cell) {
		t.Fatalf("seed %d: %d clicks in %d cells, the log has %d in %d", seed, p.Total.Clicks, len(p.Cells), clicks, len(cell))
	}
	for _, c := range p.Cells {
		if c.Clicks != cell[[2]int{c.Column, c.Row}] {
			t.Fatalf("seed %d: cell %d,%d has %d clicks, the log %d", seed, c.Column, c.Row, c.Clicks, cell[[2]int{c.Column, c.Row}])
		}
	}
	if got := parts.Ask("shop", click.Question{Path: "/page/3", Device: "mobile"}).Total.Clicks; got != mobile {
		t.Fatalf("seed %d: %d mobile clicks, the log has %d", seed, got, mobile)
	}
	if got := parts.Ask("shop", click.Question{Path: "/page/3", From: from, To: to}).Total.Clicks; got != inside {
		t.Fatalf("seed %d: %d clicks of one day, the log has %d", seed, got, inside)
	}
	if other := parts.Ask("bank", click.Question{}); len(other.Pages) != 0 {
		t.Fatal("the bank sees the shop's pages")
	}
	for n := range len(want) {
		if n%1999 == 0 {
			_ = new(click.Heat).Load(want[:n]) // damaged: an error, never a panic
		}
	}
}

func TestTheHeatMapIsBounded(t *testing.T) {
	t.Parallel()
	h := &click.Heat{}
	for i := range 6000 {
		e := at(time.Duration(i)*time.Second, click.Clicked, fmt.Sprintf(`{"path":"/p/%d","selector":"#a%d"}`, i%5000, i))
		h.Follow(journal.Committed{Workspace: "shop", Position: uint64(i + 1), Event: e})
	}
	p := h.Ask("shop", click.Question{})
	if len(p.Pages) > 2049 || p.Total.Clicks != 6000 || p.Pages[0].Name != click.Other {
		t.Fatalf("%d pages, %d clicks, most of them on %q", len(p.Pages), p.Total.Clicks, p.Pages[0].Name)
	}
}

func TestWhoSwitchedOffCountsUnderNoSegment(t *testing.T) {
	t.Parallel()
	h := &click.Heat{}
	say := func(e *event.Event) { h.Follow(journal.Committed{Workspace: "shop", Position: 1, Event: e}) }
	traits := at(0, "", `{"segment":"gold"}`)
	traits.Kind = event.Identify
	off := at(2, "preference", `{"personalization":"off"}`)
	off.Kind = event.Record
	say(traits)
	say(at(1, click.Clicked, buy))
	say(off)
	say(at(3, click.Clicked, photo))
	if n := h.Ask("shop", click.Question{Segment: "gold"}).Total.Clicks; n != 1 {
		t.Fatalf("%d clicks under gold, wanted the one before the switch", n)
	}
}
