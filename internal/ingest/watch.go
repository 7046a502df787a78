package ingest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/text/width"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
)

// Watch follows the log for what is counted from it: how much each source sent, how
// late, how fast; which foreign states are translated to what, and which records wait
// for a translation. All of it can be made again from the log. It is safe for
// concurrent use.
type Watch struct {
	known map[string]bool

	mu sync.Mutex
	of map[string]*watched

	// work is told when records wait whose states have become known.
	work chan struct{}
}

// watched is one workspace.
type watched struct {
	flows map[string]*flow
	words map[word]string   // the dictionary: a known state for each foreign one
	waits map[subject]*wait // records whose newest word in the log nobody has translated

	// What is known besides of what the log says, and not saved: whether the record of a
	// waiting event still stands in that state (an old state may have come late), and
	// events that a node put with a dictionary it had not heard the newest word of.
	verdicts map[event.ID]bool
	stale    map[event.ID]correction
}

// word is a foreign state of a source for a kind of record, normalised; kind "*" is any.
type word struct{ Source, Kind, Value string }

// subject is a record that waits.
type subject struct {
	Kind, ID string
	Owner    identity.Key
}

// wait says what it waits for.
type wait struct {
	Source string   `json:"s"`
	Value  string   `json:"v"` // as it was sent
	At     int64    `json:"a"` // ms; the record's time
	First  int64    `json:"f"` // ms; when it was received
	Event  event.ID `json:"e"`
	Person uint32   `json:"p"`
}

// flow is what a source sent.
type flow struct {
	Accepted uint64 `json:"n"`
	Received int64  `json:"r"` // ms, of the newest
	Happened int64  `json:"h"` // ms, the latest
	Lag      int64  `json:"l"` // ms, of the one that came last
	recent   [rateSeconds]struct{ second, n int64 }
}

const rateSeconds = 60

// NewWatch makes a watch; known are the states that the house can tell a customer.
func NewWatch(known []string) *Watch {
	w := &Watch{known: map[string]bool{}, of: map[string]*watched{}, work: make(chan struct{}, 1)}
	for _, s := range known {
		w.known[s] = true
	}
	return w
}

// UnknownState is what a record's status reads as while nobody has translated it.
const UnknownState = "unknown"

// What a translated record says besides.
const (
	fieldStatus  = "status"
	fieldForeign = "foreign_status" // the state as its source wrote it
	fieldSource  = "source"
)

// recordWord is the kind under which a word of a dictionary stands in the log.
const recordWord = "state_word"

// Name is the follower's.
func (w *Watch) Name() string { return "sources" }

func (w *Watch) workspace(id string) *watched {
	t := w.of[id]
	if t == nil {
		t = &watched{flows: map[string]*flow{}, words: map[word]string{}, waits: map[subject]*wait{}, verdicts: map[event.ID]bool{}, stale: map[event.ID]correction{}}
		w.of[id] = t
	}
	return t
}

// Follow counts one event.
func (w *Watch) Follow(c journal.Committed) {
	e := c.Event
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.workspace(c.Workspace)
	if e.Kind == event.Record && e.Name == recordWord {
		w.learn(t, e)
		return
	}
	t.count(sourceOf(e), e)
	if e.Kind == event.Record && !ownedKinds[e.Name] || e.Kind != event.Record && e.Name != caseUpdated {
		return
	}
	w.note(t, c)
}

// marker begins what Stamp writes into an event's context.
var marker = []byte(`"source":{"name":"`)

// Stamp says in an event's context which source it came from.
func Stamp(e *event.Event, source string) {
	quoted, _ := json.Marshal(map[string]string{"name": source}) // texts always have a form
	context := e.Context
	if len(context) == 0 {
		context = []byte("{}")
	}
	out := member([]byte{'{'}, "source", quoted)
	for n, v := range event.Members(context) {
		if n != "source" {
			out = member(out, n, v)
		}
	}
	e.Context = append(out, '}')
}

// sourceOf is the source an event came from. Only what a secret key vouches for may
// name one.
func sourceOf(e *event.Event) []byte {
	if e.Verified {
		if i := bytes.Index(e.Context, marker); i == 1 {
			rest := e.Context[i+len(marker):]
			if j := bytes.IndexByte(rest, '"'); j > 0 {
				return rest[:j]
			}
		}
	}
	if e.Kind == event.Record {
		return ownRecords
	}
	return ownSegment
}

var ownRecords, ownSegment = []byte("records"), []byte("segment")

func (t *watched) count(source []byte, e *event.Event) {
	f := t.flows[string(source)]
	if f == nil {
		f = &flow{}
		t.flows[string(source)] = f
	}
	received, at := e.Received.UnixMilli(), e.Time.UnixMilli()
	f.Accepted++
	f.Lag = max(0, received-at)
	f.Received, f.Happened = max(f.Received, received), max(f.Happened, at)
	r := &f.recent[(received/1000)%rateSeconds]
	if r.second != received/1000 {
		r.second, r.n = received/1000, 0
	}
	r.n++
}

func (w *Watch) status(workspace, source string, now time.Time) (s Status) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.of[workspace]
	if t == nil || t.flows[source] == nil {
		return s
	}
	f := t.flows[source]
	s.Accepted, s.Lag = f.Accepted, time.Duration(f.Lag)*time.Millisecond
	s.LastReceived, s.Newest = time.UnixMilli(f.Received).UTC(), time.UnixMilli(f.Happened).UTC()
	n := int64(0)
	for _, r := range f.recent {
		if age := now.Unix() - r.second; age >= 0 && age < rateSeconds {
			n += r.n
		}
	}
	s.Rate = float64(n) / rateSeconds
	return s
}

// ownedKinds are the records that have a state.
var ownedKinds = map[string]bool{"order": true, "asset": true, "case": true, "holding": true, "enrolment": true, "contract": true}

// caseUpdated is the event that states where a case stands.
const caseUpdated = "Service Case Updated"

// stated is what a record or case event says of its state.
type stated struct {
	Status  string `json:"status"`
	Foreign string `json:"foreign_status"`
	Source  string `json:"source"`
	CaseID  string `json:"case_id"`
}

var foreignMarker = []byte(`"` + fieldForeign + `"`)

// note takes a record up among those that wait, or off.
func (w *Watch) note(t *watched, c journal.Committed) {
	e := c.Event
	var s stated
	foreign := !e.Deleted && bytes.Contains(e.Body, foreignMarker) && json.Unmarshal(e.Body, &s) == nil && s.Foreign != ""
	if !foreign && len(t.waits) == 0 {
		return
	}
	key := subject{Kind: e.Name, ID: e.Subject, Owner: ownerOf(e)}
	if e.Kind != event.Record {
		if !foreign {
			return
		}
		key.Kind, key.ID = "case", s.CaseID
	}
	at := e.Time.UnixMilli()
	if was := t.waits[key]; was != nil && was.At > at {
		return // an older state that came late
	}
	if was := t.waits[key]; was != nil {
		delete(t.verdicts, was.Event)
		delete(t.waits, key)
	}
	if !foreign {
		return
	}
	if s.Status != UnknownState {
		if state, _ := t.translate(w.known, s.Source, key.Kind, s.Foreign); state != s.Status && len(t.stale) < mostStale {
			t.stale[e.ID] = correction{e.ID, state}
			w.wake()
		}
		return
	}
	t.waits[key] = &wait{Source: s.Source, Value: s.Foreign, At: at, First: e.Received.UnixMilli(), Event: e.ID, Person: c.Person}
	// To be checked, for it may be an old state of a record that has long moved on; and
	// translated, when it was put by a node that had not heard of the word yet.
	w.wake()
}

// mostStale bounds what one node can be wrong about in the moment before it hears of
// a new word.
const mostStale = 100_000

func ownerOf(e *event.Event) identity.Key {
	if e.UserID != "" {
		return identity.User(e.UserID)
	}
	return identity.Anonymous(e.AnonymousID)
}

func (w *Watch) wake() {
	select {
	case w.work <- struct{}{}:
	default:
	}
}

// Work is told when [States.Mend] has something to do.
func (w *Watch) Work() <-chan struct{} { return w.work }

// entry is a word as the log keeps it.
type entry struct {
	Source string `json:"source"`
	Kind   string `json:"kind"`
	Value  string `json:"value"`
	State  string `json:"state"`
}

func (w *Watch) learn(t *watched, e *event.Event) {
	var x entry
	if e.Deleted {
		source, rest, _ := strings.Cut(e.Subject, "\x1f")
		x.Source = source
		x.Kind, x.Value, _ = strings.Cut(rest, "\x1f")
	} else if json.Unmarshal(e.Body, &x) != nil {
		return
	}
	key := word{x.Source, x.Kind, Normal(x.Value)}
	if e.Deleted {
		delete(t.words, key)
	} else {
		t.words[key] = x.State
	}
	w.wake()
}

// Normal is a foreign state as dictionaries compare it: without outer space, in lower
// case, full-width forms as their usual ones.
func Normal(value string) string {
	return strings.ToLower(strings.TrimSpace(width.Fold.String(value)))
}

func (t *watched) translate(known map[string]bool, source, kind, value string) (string, bool) {
	v := Normal(value)
	if s, ok := t.words[word{source, kind, v}]; ok {
		return s, true
	}
	if s, ok := t.words[word{source, "*", v}]; ok {
		return s, true
	}
	if s := strings.NewReplacer(" ", "_", "-", "_").Replace(v); known[s] {
		return s, true
	}
	return UnknownState, false
}

// Translate gives the known state that a foreign one of a source stands for. A word
// the house knows itself stands for itself unless the dictionary says otherwise.
func (w *Watch) Translate(workspace, source, kind, value string) (state string, known bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.of[workspace]
	if t == nil {
		t = &watched{}
	}
	return t.translate(w.known, source, kind, value)
}

// Known lists the states the house can tell, sorted.
func (w *Watch) Known() []string {
	all := make([]string, 0, len(w.known))
	for s := range w.known {
		all = append(all, s)
	}
	slices.Sort(all)
	return all
}

// Word is one line of a dictionary.
type Word struct {
	Kind  string `json:"kind,omitempty" doc:"order, case …; * or nothing for every kind."`
	Value string `json:"value" doc:"As the source writes it; case, width and outer space do not count."`
	State string `json:"state"`
}

// Dictionary lists the words of a source, by kind and value.
func (w *Watch) Dictionary(workspace, source string) []Word {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := []Word{}
	if t := w.of[workspace]; t != nil {
		for k, state := range t.words {
			if k.Source == source {
				all = append(all, Word{k.Kind, k.Value, state})
			}
		}
	}
	slices.SortFunc(all, func(a, b Word) int {
		if c := strings.Compare(a.Kind, b.Kind); c != 0 {
			return c
		}
		return strings.Compare(a.Value, b.Value)
	})
	return all
}

// Untranslated is a foreign state that nobody has translated, with the records that
// wait for it.
type Untranslated struct {
	Source   string    `json:"source"`
	Kind     string    `json:"kind"`
	Value    string    `json:"value" doc:"As the source wrote it last."`
	Count    int       `json:"count" doc:"Records that stand in this state now."`
	Examples []string  `json:"examples" doc:"Ids of up to five of them."`
	Since    time.Time `json:"since" doc:"When the first of them came."`
}

// Untranslated lists what waits for a translation, what most records wait for first.
func (w *Watch) Untranslated(workspace string) []Untranslated {
	w.mu.Lock()
	defer w.mu.Unlock()
	groups := map[word]*Untranslated{}
	if t := w.of[workspace]; t != nil {
		for s, x := range t.waits {
			if waits, seen := t.verdicts[x.Event]; seen && !waits {
				continue
			}
			key := word{x.Source, s.Kind, Normal(x.Value)}
			g := groups[key]
			if g == nil {
				g = &Untranslated{Source: x.Source, Kind: s.Kind, Value: x.Value, Since: time.UnixMilli(x.First).UTC()}
				groups[key] = g
			}
			g.Count++
			if at := time.UnixMilli(x.First).UTC(); at.Before(g.Since) {
				g.Since = at
			}
			if i, there := slices.BinarySearch(g.Examples, s.ID); !there && i < 5 {
				g.Examples = slices.Insert(g.Examples, i, s.ID)
				g.Examples = g.Examples[:min(5, len(g.Examples))]
			}
		}
	}
	all := make([]Untranslated, 0, len(groups))
	for _, g := range groups {
		all = append(all, *g)
	}
	slices.SortFunc(all, func(a, b Untranslated) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return strings.Compare(a.Source+"\x1f"+a.Kind+"\x1f"+a.Value, b.Source+"\x1f"+b.Kind+"\x1f"+b.Value)
	})
	return all
}

// Join moves what waits along with its person.
func (w *Watch) Join(workspace string, from, to uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if t := w.of[workspace]; t != nil {
		for _, x := range t.waits {
			if x.Person == from {
				x.Person = to
			}
		}
	}
}

// Forget drops what waits of a person who was erased.
func (w *Watch) Forget(workspace string, person uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if t := w.of[workspace]; t != nil {
		for s, x := range t.waits {
			if x.Person == person {
				delete(t.waits, s)
			}
		}
	}
}

// saved is a workspace as Save writes it.
type saved struct {
	Flows map[string]*flow `json:"flows"`
	Words []savedWord      `json:"words"`
	Waits []savedWait      `json:"waits"`
}

type savedWord struct {
	word
	State string
}

type savedWait struct {
	subject
	wait
}

// Save writes the watch for the next start.
func (w *Watch) Save() ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[string]saved{}
	for id, t := range w.of {
		s := saved{Flows: t.flows}
		for k, state := range t.words {
			s.Words = append(s.Words, savedWord{k, state})
		}
		for k, x := range t.waits {
			s.Waits = append(s.Waits, savedWait{k, *x})
		}
		slices.SortFunc(s.Words, func(a, b savedWord) int {
			return cmp.Or(strings.Compare(a.Source, b.Source), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Value, b.Value))
		})
		slices.SortFunc(s.Waits, func(a, b savedWait) int {
			return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.ID, b.ID), a.Owner.Compare(b.Owner))
		})
		all[id] = s
	}
	return json.Marshal(all)
}

// Load reads what Save wrote.
func (w *Watch) Load(data []byte) error {
	var all map[string]saved
	err := json.Unmarshal(data, &all)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.of = map[string]*watched{}
	if err != nil {
		return err
	}
	for id, s := range all {
		t := w.workspace(id)
		for name, f := range s.Flows {
			t.flows[name] = f
		}
		for _, x := range s.Words {
			t.words[x.word] = x.State
		}
		for _, x := range s.Waits {
			t.waits[x.subject] = &x.wait
		}
	}
	w.wake()
	return nil
}
