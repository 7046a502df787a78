// Package click is what clicks say, part of profile, step 3 of the flow: a [Watch]
// recognises in the stream of one person's events the clicks that led nowhere, those
// made in anger and the fields that were left unfilled; a [Heat] counts all of them by
// page, so that a shop sees where its pages fail.
//
// Recognition is pure and looks at one event after the other. What it finds are events
// themselves ([Found]), each with the events that prove it, so that signals can count
// them as they count any other.
package click

import (
	"encoding/json"
	"math"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/event"
)

// Names of the events that are read, and of those that are found.
const (
	Clicked = "Element Clicked"

	Dead      = "Dead Click"      // nothing came of it
	Rage      = "Rage Click"      // the third of three quick ones on the same spot
	Abandoned = "Field Abandoned" // a field was begun, and the page left without sending
)

// The rules, in time.
const (
	// Three clicks on one target within so long are made in anger.
	rageWithin = 2 * time.Second
	// Who clicks the same target again after so long, and not much later, while nothing
	// else happened in between, got no answer to the first. A quicker second click is a
	// double click, a later one a new attempt.
	deadAfter  = 500 * time.Millisecond
	deadWithin = 30 * time.Second
	// A field that was touched longer ago than this is not what the person left the page over.
	fieldWithin = 30 * time.Minute
)

// Click is one Element Clicked, or a touch of a field, as it is read.
type Click struct {
	Path     string
	Selector string
	// X and Y are where on the page, as shares of its width and height, 0 to 1;
	// negative when the event does not say.
	X, Y float64
	// Dead: the page itself has seen that nothing followed.
	Dead bool
}

type properties struct {
	Path     string   `json:"path"`
	Selector string   `json:"selector"`
	Field    string   `json:"field"`
	X        *float64 `json:"x"`
	Y        *float64 `json:"y"`
	Width    float64  `json:"width"`
	Height   float64  `json:"height"`
	Dead     bool     `json:"dead"`
}

type surroundings struct {
	UserAgent string `json:"userAgent"`
	Page      struct {
		Path string `json:"path"`
	} `json:"page"`
	Device struct {
		Type string `json:"type"`
	} `json:"device"`
}

// longest bounds paths and selectors: both come from browsers.
const longest = 256

func shorten(s string) string {
	s = strings.TrimSpace(s)
	if len(s) <= longest {
		return s
	}
	return strings.ToValidUTF8(s[:longest], "")
}

// page is a path without what is only said to it: query and fragment are left out.
func page(path string) string {
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path = path[:i]
	}
	return shorten(path)
}

// Read reads an event of a page. What is missing or of the wrong type reads as unknown.
func Read(e *event.Event) Click {
	var p properties
	if json.Unmarshal(e.Body, &p) != nil {
		p = loose(e)
	}
	c := Click{Path: page(p.Path), Selector: shorten(p.Selector), X: -1, Y: -1, Dead: p.Dead}
	if c.Selector == "" {
		c.Selector = shorten(p.Field)
	}
	if c.Path == "" && len(e.Context) > 0 {
		var s surroundings
		_ = json.Unmarshal(e.Context, &s) // what does not fit reads as unknown
		c.Path = page(s.Page.Path)
	}
	if p.X != nil && p.Y != nil && p.Width > 0 && p.Height > 0 {
		c.X, c.Y = within(*p.X/p.Width), within(*p.Y/p.Height)
	}
	return c
}

// loose reads properties of which some have the wrong type.
func loose(e *event.Event) (p properties) {
	m := e.Properties()
	text := func(name string) string { s, _ := m[name].(string); return s }
	number := func(name string) *float64 {
		if n, ok := m[name].(float64); ok {
			return &n
		}
		return nil
	}
	p = properties{Path: text("path"), Selector: text("selector"), Field: text("field"), X: number("x"), Y: number("y")}
	if n := number("width"); n != nil {
		p.Width = *n
	}
	if n := number("height"); n != nil {
		p.Height = *n
	}
	p.Dead, _ = m["dead"].(bool)
	return p
}

func within(share float64) float64 { return math.Max(0, math.Min(share, 1)) }

// Device is the class of the device that sent an event: mobile, tablet or desktop; ""
// when it does not say.
func Device(e *event.Event) string {
	if len(e.Context) == 0 {
		return ""
	}
	var s surroundings
	_ = json.Unmarshal(e.Context, &s)
	switch kind := strings.ToLower(s.Device.Type); kind {
	case "mobile", "tablet", "desktop":
		return kind
	case "ios", "android":
		return "mobile"
	}
	agent := s.UserAgent
	has := func(word string) bool { return strings.Contains(agent, word) }
	switch {
	case agent == "":
		return ""
	case has("iPad"), has("Tablet"), has("Android") && !has("Mobile"):
		return "tablet"
	case has("Mobi"), has("iPhone"):
		return "mobile"
	}
	return "desktop"
}

// Touching are the names of the events in which something may be found: clicks, and
// what says that somebody is at a field of a form. It is not changed.
var Touching = map[string]bool{Clicked: true, "Field Focused": true, "Field Changed": true, "Field Blurred": true}

// Watched tells that an event of this name is one of Touching.
func Watched(name string) bool {
	return name == Clicked || len(name) > 6 && name[:6] == "Field " && Touching[name]
}

// field tells that a selector names something to be filled in, by its last element.
func field(selector string) bool {
	last := selector
	if i := strings.LastIndexAny(last, " >+~"); i >= 0 {
		last = last[i+1:]
	}
	tag := last
	if i := strings.IndexAny(tag, ".#[:"); i >= 0 {
		tag = tag[:i]
	}
	switch strings.ToLower(tag) {
	case "textarea", "select":
		return true
	case "input":
		return !sends(last) && !strings.Contains(last, "button")
	}
	return strings.Contains(last, "[contenteditable")
}

// sends tells that a selector names what sends a form.
func sends(selector string) bool { return strings.Contains(strings.ToLower(selector), "submit") }

// Found is something that was recognised. It bears the id of the event that it is
// about, so that its ref opens onto that event.
type Found struct {
	Name     string
	ID       event.ID
	At       time.Time
	Path     string
	Selector string
	By       []event.ID // the events that prove it, oldest first
}

// Watch follows one person's events. The zero value has seen nothing. It is a plain
// value: a copy goes on by itself.
type Watch struct {
	Clicks [2]Touch // the last two clicks, the newest second; reset by what answers them
	Raged  bool     // the present burst has been told
	Field  Touch    // the field they are at
}

// Touch is one click, or one touch of a field. Target is 0 when there is none.
type Touch struct {
	ID       event.ID
	At       int64 // milliseconds
	Target   uint64
	Path     string // of a field only, as is Selector
	Selector string
}

// Idle tells that nothing seen so far can matter to what comes.
func (w *Watch) Idle() bool { return w.Clicks[1].Target == 0 && w.Field.Target == 0 }

// See takes in the person's next event in the order of time and gives what it shows.
func (w *Watch) See(e *event.Event) []Found {
	switch e.Kind {
	case event.Track, event.Page, event.Screen:
	default:
		return nil // what a person is says nothing of what a page did
	}
	switch {
	case e.Name == Clicked:
		c := Read(e)
		return w.click(e, &c)
	case Watched(e.Name):
		c := Read(e)
		w.Clicks, w.Raged = [2]Touch{}, false
		w.Field = Touch{ID: e.ID, At: e.Time.UnixMilli(), Target: target(c.Path, c.Selector), Path: c.Path, Selector: c.Selector}
	case w.Idle(), strings.HasPrefix(e.Name, "Decision "):
		// what we show by ourselves is no answer of the page
	case e.Kind != event.Track || e.Name == "Page Viewed" || e.Name == "Screen Viewed":
		w.Clicks, w.Raged = [2]Touch{}, false
		return w.leave(e)
	default:
		*w = Watch{} // something came of it
	}
	return nil
}

func (w *Watch) click(e *event.Event, c *Click) (found []Found) {
	now := Touch{ID: e.ID, At: e.Time.UnixMilli(), Target: target(c.Path, c.Selector)}
	switch {
	case c.Selector != "":
	case c.X < 0: // somewhere
		w.Clicks, w.Raged = [2]Touch{}, false
		return nil
	default: // without a name the spot must do: a 24th of the page each way
		now.Target = target(c.Path, string([]byte{0, byte(int(c.X*24) + 1), byte(int(c.Y*24) + 1)}))
	}
	before, last := &w.Clicks[0], &w.Clicks[1]
	again := last.Target == now.Target
	gap := time.Duration(now.At-last.At) * time.Millisecond
	at := time.UnixMilli(now.At).UTC()
	switch {
	case c.Dead:
		found = append(found, Found{Dead, e.ID, at, c.Path, c.Selector, []event.ID{e.ID}})
	case again && gap >= deadAfter && gap <= deadWithin && !field(c.Selector):
		found = append(found, Found{Dead, last.ID, at, c.Path, c.Selector, []event.ID{last.ID, e.ID}})
	}
	if !again || gap > rageWithin {
		w.Raged = false
	}
	if again && before.Target == now.Target && !w.Raged && time.Duration(now.At-before.At)*time.Millisecond <= rageWithin {
		found = append(found, Found{Rage, e.ID, at, c.Path, c.Selector, []event.ID{before.ID, last.ID, e.ID}})
		w.Raged = true
	}
	*before, *last = *last, now
	switch {
	case field(c.Selector):
		w.Field = Touch{ID: e.ID, At: now.At, Target: now.Target, Path: c.Path, Selector: c.Selector}
	case sends(c.Selector):
		w.Field = Touch{}
	}
	return found
}

// leave takes in another page.
func (w *Watch) leave(e *event.Event) []Found {
	f := w.Field
	if f.Target == 0 {
		return nil
	}
	if c := Read(e); c.Path == f.Path {
		return nil // the same page, loaded again
	}
	w.Field = Touch{}
	if e.Time.UnixMilli()-f.At > fieldWithin.Milliseconds() {
		return nil
	}
	return []Found{{Abandoned, f.ID, e.Time, f.Path, f.Selector, []event.ID{f.ID, e.ID}}}
}

// Event is what was found as an event of the person whose event showed it.
func (f *Found) Event(by *event.Event) *event.Event {
	clicks := make([]string, len(f.By))
	for i, id := range f.By {
		clicks[i] = id.String()
	}
	body, _ := json.Marshal(struct { // texts only: never fails
		Path     string   `json:"path"`
		Selector string   `json:"selector"`
		Events   []string `json:"events"`
	}{f.Path, f.Selector, clicks})
	return &event.Event{
		ID: f.ID, Kind: event.Track, Name: f.Name, UserID: by.UserID, AnonymousID: by.AnonymousID,
		Time: f.At, Received: by.Received, Verified: by.Verified, Body: body,
	}
}

// Behind are the events that prove what was found, oldest first; ok is false for an
// event that somebody sent.
func Behind(e *event.Event) (by []event.ID, ok bool) {
	if e.Name != Dead && e.Name != Rage && e.Name != Abandoned {
		return nil, false
	}
	var body struct {
		Events []string `json:"events"`
	}
	if json.Unmarshal(e.Body, &body) != nil || len(body.Events) == 0 {
		return nil, false
	}
	for _, ref := range body.Events {
		id, ok := event.ParseID(ref)
		if !ok {
			return nil, false
		}
		by = append(by, id)
	}
	return by, true
}

// target names an element of a page by a number that is saved with a profile.
func target(path, selector string) uint64 {
	// FNV-1a, 64 bits; see http://www.isthe.com/chongo/tech/comp/fnv
	h := uint64(14695981039346656037)
	for _, s := range [2]string{path, selector} {
		for i := 0; i < len(s); i++ {
			h = (h ^ uint64(s[i])) * 1099511628211
		}
		h = (h ^ 0xff) * 1099511628211
	}
	return max(h, 1)
}
