package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rapport-cx/rapport/engine"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/profile"
)

// States puts records again when the words for their states become known: each is a
// record of the log, one millisecond younger than the one it corrects, so that
// whatever its source says next stands above it. Putting one again twice is known.
type States struct {
	Watch  *Watch
	House  corridor
	Log    opener
	Owners owners
	Now    func() time.Time

	mu sync.Mutex // one Mend at a time
}

// corridor is the house as States walks it.
type corridor interface {
	Observe(ctx context.Context, workspace string, events []event.Event) (engine.Receipt, error)
	PersonScope(ctx context.Context, workspace, id string) (engine.Scope, error)
	Profile(ctx context.Context, s engine.Scope) (*profile.Profile, error)
}

// opener opens one event of the log; ok is false when it is not there or was erased.
type opener interface {
	Event(ctx context.Context, workspace string, id event.ID) (m journal.Moment, keys []identity.Key, ok bool, err error)
}

// owners say whose a record is; profile.Registry does.
type owners interface {
	Owner(workspace, kind, id string) (identity.Key, bool)
	List(workspace, kind, after string, limit int) []string
}

// Define puts words into a source's dictionary, each a record of the log; a word
// without a state is taken out. It returns when every record that stands in one of
// those states has been put again, and says how many.
func (s *States) Define(ctx context.Context, workspace, source string, words []Word) (applied int, err error) {
	events := make([]event.Event, 0, len(words))
	now := s.Now()
	for _, w := range words {
		v := Normal(w.Value)
		body, err := json.Marshal(entry{source, w.Kind, v, w.State})
		if err != nil {
			return 0, err
		}
		events = append(events, event.RecordEvent(event.Put{
			Workspace: workspace, Name: recordWord, ID: strings.Join([]string{source, w.Kind, v}, "\x1f"),
			UpdatedAt: now, Received: now, Body: body, Deleted: w.State == "",
		}))
	}
	changed := s.Watch.changing(workspace, source, words)
	if _, err := s.House.Observe(ctx, workspace, events); err != nil {
		return 0, err
	}
	if applied, err = s.Mend(ctx, workspace); err != nil || len(changed) == 0 || s.Owners == nil {
		return applied, err
	}
	n, err := s.search(ctx, workspace, changed)
	return applied + n, err
}

// changing lists the words that have a meaning already: records that do not wait may
// stand in it. The same meaning once more is among them, so that a Define that was
// broken off can be made again.
func (w *Watch) changing(workspace, source string, words []Word) map[word]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[word]bool{}
	if t := w.of[workspace]; t != nil {
		for _, x := range words {
			k := word{source, x.Kind, Normal(x.Value)}
			if _, had := t.translate(w.known, k.Source, k.Kind, k.Value); had {
				all[k] = true
			}
		}
	}
	return all
}

// mendGroup is how many records are put again in one commit.
const mendGroup = 500

// Mend puts again the records whose states have become known, and says how many.
func (s *States) Mend(ctx context.Context, workspace string) (applied int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.check(ctx, workspace); err != nil {
		return 0, err
	}
	due := s.Watch.due(workspace)
	for group := range slices.Chunk(due, mendGroup) {
		n, err := s.again(ctx, workspace, group)
		applied += n
		if err != nil {
			return applied, err
		}
	}
	return applied, nil
}

// fewUnsure are so many that whoever asks for the work list can wait for their check.
const fewUnsure = 2000

// Untranslated lists what waits for a translation; see [Watch.Untranslated].
func (s *States) Untranslated(ctx context.Context, workspace string) ([]Untranslated, error) {
	if n := len(s.Watch.unsure(workspace)); n > 0 && n <= fewUnsure {
		if _, err := s.Mend(ctx, workspace); err != nil {
			return nil, err
		}
	}
	return s.Watch.Untranslated(workspace), nil
}

// unsure lists what waits and was not compared with the person's profile yet.
func (w *Watch) unsure(workspace string) map[subject]wait {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[subject]wait{}
	if t := w.of[workspace]; t != nil {
		for s, x := range t.waits {
			if _, seen := t.verdicts[x.Event]; !seen {
				all[s] = *x
			}
		}
	}
	return all
}

// check takes those off the list whose record has long moved on: an old state came late.
func (s *States) check(ctx context.Context, workspace string) error {
	for of, x := range s.Watch.unsure(workspace) {
		scope, err := s.House.PersonScope(ctx, workspace, of.Owner.String())
		if err != nil {
			if errors.Is(err, engine.ErrNotFound) {
				s.Watch.judge(workspace, x.Event, false)
				continue
			}
			return err
		}
		who, err := s.House.Profile(ctx, scope)
		if err != nil {
			return err
		}
		r := who.Record(evidence.Kind(of.Kind), of.ID)
		if r == nil || r.Text(fieldStatus) != UnknownState || r.Text(fieldForeign) != x.Value {
			s.Watch.judge(workspace, x.Event, false)
			continue
		}
		s.Watch.judge(workspace, x.Event, true)
	}
	return nil
}

// Run mends whenever there may be something to mend, until ctx ends.
func (s *States) Run(ctx context.Context, workspaces func() []string) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.Watch.Work():
		}
		for _, id := range workspaces() {
			if _, err := s.Mend(ctx, id); err != nil && ctx.Err() == nil {
				time.AfterFunc(time.Second, s.Watch.wake) // the store is away
			}
		}
	}
}

// correction is one event whose state has to be said anew.
type correction struct {
	event event.ID
	state string
}

// due lists what waits for a word that is known by now, and what was put with an old
// dictionary.
func (w *Watch) due(workspace string) (all []correction) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.of[workspace]
	if t == nil {
		return nil
	}
	for s, x := range t.waits {
		if !t.verdicts[x.Event] {
			continue
		}
		if state, ok := t.translate(w.known, x.Source, s.Kind, x.Value); ok {
			all = append(all, correction{x.Event, state})
		}
	}
	for id, c := range t.stale {
		all = append(all, c)
		delete(t.stale, id)
	}
	return all
}

// again puts the records of some events once more.
func (s *States) again(ctx context.Context, workspace string, all []correction) (int, error) {
	var events []event.Event
	for _, c := range all {
		m, _, ok, err := s.Log.Event(ctx, workspace, c.event)
		if err != nil {
			return 0, fmt.Errorf("put %s again: %w", c.event, err)
		}
		if !ok {
			s.Watch.judge(workspace, c.event, false)
			continue
		}
		e, ok := corrected(workspace, m.Event, c.state, s.Now())
		if ok {
			events = append(events, e)
		}
	}
	if len(events) == 0 {
		return 0, nil
	}
	receipt, err := s.House.Observe(ctx, workspace, events)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, d := range receipt.Duplicates {
		if !d {
			n++
		}
	}
	return n, nil
}

// judge says of an event that waits whether its record still stands in that state.
func (w *Watch) judge(workspace string, id event.ID, waits bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.of[workspace].verdicts[id] = waits
}

// corrected is the event that says the same in another state, a millisecond later.
func corrected(workspace string, was event.Event, state string, now time.Time) (e event.Event, ok bool) {
	var body map[string]json.RawMessage
	if json.Unmarshal(was.Body, &body) != nil {
		return e, false
	}
	quoted, err := json.Marshal(state)
	if err != nil {
		return e, false
	}
	body[fieldStatus] = quoted
	text, err := json.Marshal(body)
	if err != nil {
		return e, false
	}
	at := was.Time.Add(time.Millisecond)
	if was.Kind == event.Record {
		e = event.RecordEvent(event.Put{
			Workspace: workspace, Name: was.Name, ID: was.Subject, UserID: was.UserID, AnonymousID: was.AnonymousID,
			UpdatedAt: at, Received: now, Body: text,
		})
	} else {
		e = was
		e.ID = event.MessageID(workspace, "state/"+was.ID.String()+"/"+state)
		e.Time, e.Received, e.Body = at, now, text
	}
	e.Context = was.Context
	return e, true
}

// search goes through the records of a workspace for those in states whose words
// have changed. It happens when a dictionary is corrected, and takes a read of the
// owner's profile for each record.
func (s *States) search(ctx context.Context, workspace string, changed map[word]bool) (applied int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []correction
	for kind := range ownedKinds {
		after := ""
		for {
			ids := s.Owners.List(workspace, kind, after, 1000)
			for _, id := range ids {
				after = id
				c, ok, err := s.changed(ctx, workspace, kind, id, changed)
				if err != nil {
					return applied, err
				}
				if ok {
					all = append(all, c)
				}
			}
			if len(ids) < 1000 {
				break
			}
		}
	}
	for group := range slices.Chunk(all, mendGroup) {
		n, err := s.again(ctx, workspace, group)
		applied += n
		if err != nil {
			return applied, err
		}
	}
	return applied, nil
}

// changed tells whether a record stands in another state than its source's word means
// now, and which event put it.
func (s *States) changed(ctx context.Context, workspace, kind, id string, words map[word]bool) (c correction, ok bool, err error) {
	owner, ok := s.Owners.Owner(workspace, kind, id)
	if !ok {
		return c, false, nil
	}
	scope, err := s.House.PersonScope(ctx, workspace, owner.String())
	if err != nil {
		return c, false, nil // erased since the registry named them
	}
	who, err := s.House.Profile(ctx, scope)
	if err != nil {
		return c, false, err
	}
	r := who.Record(evidence.Kind(kind), id)
	if r == nil {
		return c, false, nil
	}
	source, foreign := r.Text(fieldSource), r.Text(fieldForeign)
	if foreign == "" || !words[word{source, kind, Normal(foreign)}] && !words[word{source, "*", Normal(foreign)}] {
		return c, false, nil
	}
	state, _ := s.Watch.Translate(workspace, source, kind, foreign)
	if state == r.Text(fieldStatus) {
		return c, false, nil
	}
	for _, ref := range slices.Backward(r.Evidence) {
		eid, isEvent := event.ParseID(string(ref))
		if !isEvent {
			continue
		}
		m, _, found, err := s.Log.Event(ctx, workspace, eid)
		if err != nil {
			return c, false, err
		}
		if found && bytesHave(m.Event.Body, foreign) {
			return correction{eid, state}, true, nil
		}
	}
	return c, false, nil
}

// bytesHave tells that an event is the one that stated a foreign state.
func bytesHave(body json.RawMessage, foreign string) bool {
	var s stated
	return json.Unmarshal(body, &s) == nil && s.Foreign == foreign
}

// Translated gives a record's or case event's fields with its state translated: the
// known one, or unknown, beside the foreign one and its source. Fields that were
// translated before are translated anew, unless somebody has said another state since.
func (w *Watch) Translated(workspace, source, kind string, body []byte) []byte {
	status, stated := textOf(body, fieldStatus)
	foreign, had := textOf(body, fieldForeign)
	state := ""
	if had && foreign != "" {
		was, _ := w.Translate(workspace, source, kind, foreign)
		if had = !stated || status == UnknownState || status == was; had {
			state, stated = was, true
		}
	}
	if !had || foreign == "" {
		foreign = status
		if stated = stated && strings.TrimSpace(status) != ""; stated {
			state, _ = w.Translate(workspace, source, kind, foreign)
		}
	}
	out := append(make([]byte, 0, len(body)+96), '{')
	for n, v := range event.Members(body) {
		if n == fieldSource || n == fieldForeign || stated && n == fieldStatus {
			continue
		}
		out = member(out, n, v)
	}
	if stated {
		out = member(member(out, fieldStatus, quote(state)), fieldForeign, quote(foreign))
	}
	return append(member(out, fieldSource, quote(source)), '}')
}

func quote(s string) []byte {
	q, _ := json.Marshal(s) // a string always has a form
	return q
}

// textOf is a member as text, a number or truth value as it is written.
func textOf(object []byte, name string) (text string, ok bool) {
	for n, v := range event.Members(object) {
		if n != name || len(v) == 0 {
			continue
		}
		switch {
		case v[0] == '"':
			ok = json.Unmarshal(v, &text) == nil
		case v[0] == '-', v[0] >= '0' && v[0] <= '9', v[0] == 't', v[0] == 'f':
			text, ok = string(v), true
		}
	}
	return text, ok
}
