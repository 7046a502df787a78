package engine

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/ledger"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/need/predict"
	"github.com/rapport-cx/rapport/outbox"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/scene"
)

// Lookout notes to whom something happened, for who looks at what is foreseen of them:
// following the log costs an event one entry of a set. Whoever it has no room for is
// looked at by the next daily round.
type Lookout struct {
	mu      sync.Mutex
	waiting map[string]map[uint32]struct{} // by workspace that is looked at: persons
}

// NewLookout is one that looks at no workspace yet.
func NewLookout() *Lookout { return &Lookout{waiting: map[string]map[uint32]struct{}{}} }

// Bounds of looking at what is foreseen.
const (
	mostWaiting = 10_000         // persons of a workspace that something happened to
	looksAtOnce = 64             // between two looks at firings
	roundEvery  = 24 * time.Hour // everybody is looked at, for time alone raises a chance, too
	notSeen     = 90 * 24 * time.Hour
	// stillForeseen is the chance that a foreseen need must have left when it is acted on:
	// hours may have passed since it was sure, quiet ones for instance.
	stillForeseen = 0.5
)

// Name implements journal.Follower.
func (l *Lookout) Name() string { return "lookout" }

// Save implements journal.Follower: a round after each start finds who was waiting.
func (l *Lookout) Save() ([]byte, error) { return []byte{}, nil }

// Load implements journal.Follower.
func (l *Lookout) Load([]byte) error { return nil }

// Join implements journal.Follower.
func (l *Lookout) Join(workspace string, _, to uint32) { l.happened(workspace, to) }

// Follow implements journal.Follower.
func (l *Lookout) Follow(c journal.Committed) {
	if c.Person != 0 && !profile.ContactEvent(c.Event.Name) {
		l.happened(c.Workspace, c.Person)
	}
}

func (l *Lookout) happened(workspace string, person uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if all := l.waiting[workspace]; all != nil && len(all) < mostWaiting {
		all[person] = struct{}{}
	}
}

// attend says whether a workspace is looked at.
func (l *Lookout) attend(workspace string, is bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !is {
		delete(l.waiting, workspace)
	} else if l.waiting[workspace] == nil {
		l.waiting[workspace] = map[uint32]struct{}{}
	}
}

// take takes out up to so many persons.
func (l *Lookout) take(workspace string, most int) (persons []uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range l.waiting[workspace] {
		if len(persons) == most {
			break
		}
		persons = append(persons, p)
		delete(l.waiting[workspace], p)
	}
	slices.Sort(persons)
	return persons
}

// foreseenSignal is what stands in place of a signal's id in the firing of a foreseen need.
const foreseenSignal = "foreseen:"

// foreseenBy tells which need was foreseen when a firing is not a signal's.
func foreseenBy(signal string) (need string, foreseen bool) {
	if !strings.HasPrefix(signal, foreseenSignal) {
		return "", false
	}
	return signal[len(foreseenSignal):], true
}

// Occasion names what made Rapport speak by itself, in a language: the title of a signal
// of the version in force, or of the need that was foreseen. What the version does not
// know has its own id.
func (e *Engine) Occasion(workspace, signal string, l scene.Locale) (title string, foreseen bool) {
	intent, foreseen := foreseenBy(signal)
	t, err := e.tenant(workspace)
	if err != nil {
		return signal, foreseen
	}
	v := t.current.Load()
	switch {
	case foreseen && v != nil:
		return v.Treatment.Title(intent, "", l), true
	case foreseen:
		return intent, true
	case v != nil:
		if p, ok := v.Decision.Signals[signal]; ok && p.Title.In(l) != "" {
			return p.Title.In(l), false
		}
	}
	return signal, false
}

// lookouts are the daily rounds under way, by workspace.
type lookouts map[string]*round

type round struct {
	began time.Time
	next  uint32 // where to go on; 0: at the newest person
	walks bool
}

// lookOut makes firings of needs that have become sure: of those to whom something
// happened, and, once a day, of everybody. One process at a time does it.
func (e *Engine) lookOut(ctx context.Context, rounds lookouts) error {
	if e.Lookout == nil || e.Options.Watch == nil || e.Models == nil {
		return nil
	}
	for id, t := range *e.tenants.Load() {
		if err := e.lookOutFor(ctx, t, rounds); err != nil {
			return fmt.Errorf("what is foreseen in %s: %w", id, err)
		}
	}
	return nil
}

func (e *Engine) lookOutFor(ctx context.Context, t *tenant, rounds lookouts) error {
	m, v := t.foresight.current.Load(), t.current.Load()
	_, proven := m.Sure()
	is := proven && v != nil && slices.ContainsFunc(m.Needs(), func(n string) bool { return v.Decision.Occasion(n, "") })
	e.Lookout.attend(t.ID, is)
	if !is {
		delete(rounds, t.ID)
		return nil
	}
	for _, number := range e.Lookout.take(t.ID, looksAtOnce) {
		p, known, err := e.Store.Member(ctx, t.ID, number)
		if err != nil {
			return err
		}
		if known {
			if err := e.lookAt(ctx, t, m, p); err != nil {
				return err
			}
		}
	}
	r, now := rounds[t.ID], e.now()
	if r == nil {
		r = &round{}
		rounds[t.ID] = r
	}
	if !r.walks && now.Sub(r.began) >= roundEvery {
		*r = round{began: now, walks: true}
	}
	if !r.walks {
		return nil
	}
	people, next, err := e.Store.People(ctx, t.ID, r.next, looksAtOnce)
	if err != nil {
		return err
	}
	for _, p := range people {
		if err := e.lookAt(ctx, t, m, p); err != nil {
			return err
		}
	}
	if r.next = next; next == 0 {
		r.walks = false
	}
	return nil
}

// lookAt makes a firing of every need of a person that is foreseen surely enough, which
// an action serves unasked, and of which they were not told within its horizon.
func (e *Engine) lookAt(ctx context.Context, t *tenant, m *predict.Model, p identity.Person) error {
	f := journal.Firing{Workspace: t.ID, Person: p.ID}
	asker, ok, err := e.addressee(ctx, &f)
	if err != nil || !ok {
		return err
	}
	scope, err := e.Who(ctx, t.ID, asker)
	if err != nil {
		return err
	}
	who, err := e.Profile(ctx, scope)
	if err != nil {
		return fmt.Errorf("profile of %s: %w", p.ID, err)
	}
	now := e.now()
	if who.Preferences.PersonalizationOff || now.Sub(newestOf(who)) > notSeen {
		return nil
	}
	v, _, err := e.serving(ctx, t, string(scope.Person))
	if err != nil {
		return err
	}
	masked := who.Masked(profile.Mask{On: true, Fields: v.Decision.Fields})
	sure, _ := m.Sure()
	reading := predict.Read(masked, now, zoneOf(scene.Scene{}, masked))
	chances := m.Chances(&reading, nil)
	if !slices.ContainsFunc(chances, func(c float64) bool { return c >= sure }) {
		return nil
	}
	told, err := e.toldAhead(ctx, t.ID, p, who, now.Add(-m.Horizon()))
	if err != nil {
		return err
	}
	var turn journal.Turn
	for _, x := range m.Foresee(reading) {
		if x.Chance < sure {
			break
		}
		signal := foreseenSignal + x.Need
		if told[signal] || !v.Decision.Occasion(x.Need, "") {
			continue
		}
		if said, err := e.saidSince(ctx, t.ID, p.ID, x.Need, now.Add(-predict.JustSaid)); err != nil || said {
			if err != nil {
				return err
			}
			continue
		}
		f := journal.Firing{Workspace: t.ID, Person: p.ID, Signal: signal, Strategy: v.Number, At: now, Found: now, State: journal.FiringOpen, Cause: who.Position}
		for _, ref := range speaksFor(&x, profile.EvidenceLimit) {
			if id, ok := event.ParseID(string(ref)); ok {
				f.Events = append(f.Events, id)
			}
		}
		// Should two find the same at a time, they find one firing.
		print := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", p.ID, now.UnixMilli()/m.Horizon().Milliseconds()))
		f.ID = journal.FiringID(t.ID, signal, [16]byte(print[:16]))
		turn.Fired = append(turn.Fired, f)
	}
	if len(turn.Fired) == 0 {
		return nil
	}
	turn.Workspace, turn.Cause = t.ID, who.Position
	w := e.Options.Watch
	w.mu.Lock()
	w.turns = append(w.turns, turn)
	w.mu.Unlock()
	return e.flushTurns(ctx, t.ID)
}

// newestOf is when something last happened to a person.
func newestOf(who *profile.Profile) (newest time.Time) {
	for _, list := range who.History {
		if n := len(list); n > 0 && list[n-1].Time.After(newest) {
			newest = list[n-1].Time
		}
	}
	return newest
}

// toldAhead are the signals of foreseen needs that a person was told of, or that were
// settled without a word, since a time: as the log has it, and as the firings do.
func (e *Engine) toldAhead(ctx context.Context, workspace string, p identity.Person, who *profile.Profile, since time.Time) (map[string]bool, error) {
	told := map[string]bool{}
	for _, ev := range who.Within(profile.DecisionSent, since, e.now()) {
		var b outbox.Body
		if json.Unmarshal(ev.Body, &b) == nil {
			told[b.Signal] = true
		}
	}
	q := journal.FiringQuery{Workspace: workspace, Persons: formerly(workspace, p), Limit: looksAtOnce}
	for {
		page, err := e.Store.Firings(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("firings of %s: %w", p.ID, err)
		}
		for i := range page {
			if f := &page[i]; f.At.After(since) {
				told[f.Signal] = true
			}
			q.After = page[i].Number
		}
		if len(page) < q.Limit {
			return told, nil
		}
	}
}

// formerly are the ids that a person has, or had before their keys were found to be one's.
func formerly(workspace string, p identity.Person) []identity.PersonID {
	ids := []identity.PersonID{p.ID}
	for _, k := range p.Keys {
		if id := identity.PersonOf(workspace, k); !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// saidSince tells whether a person spoke a need themselves after a time.
func (e *Engine) saidSince(ctx context.Context, workspace string, person identity.PersonID, intent string, since time.Time) (bool, error) {
	p, known, err := e.Store.PersonByID(ctx, workspace, person)
	if err != nil || !known {
		return false, err
	}
	for _, id := range formerly(workspace, p) {
		q := ledger.Query{Workspace: workspace, Person: string(id), From: since, Limit: looksAtOnce}
		page, err := e.Store.Decisions(ctx, q)
		if err != nil {
			return false, fmt.Errorf("decisions on %s: %w", id, err)
		}
		for i := range page {
			if slices.ContainsFunc(spokenIn(&page[i]), func(s string) bool { return s == intent }) {
				return true, nil
			}
		}
	}
	return false, nil
}

// spokenIn are the needs that a customer spoke in a logged enquiry.
func spokenIn(entry *ledger.Entry) (intents []string) {
	var rec struct {
		Answer answered `json:"answer"`
	}
	if len(entry.Bytes) == 0 || json.Unmarshal(entry.Bytes, &rec) != nil {
		return nil
	}
	for k := range rec.Answer.Needs {
		n := &rec.Answer.Needs[k]
		if n.Origin == need.Spoken && !n.Negated && !n.Outside && len(n.Readings) == 0 && n.Intent != "" {
			intents = append(intents, n.Intent)
		}
	}
	return intents
}

// overtaken tells whether a letter about a foreseen need is of no use any more, and
// nobody should get it who has not: they spoke of the need themselves, or have
// switched personalisation off.
func (e *Engine) overtaken(ctx context.Context, l *outbox.Letter, intent string) (bool, error) {
	p, known, err := e.Store.Person(ctx, l.Workspace, l.To)
	if err != nil || !known {
		return false, err
	}
	scope, err := e.Who(ctx, l.Workspace, identity.Asker{Keys: []identity.Key{l.To}, Proven: l.Proven})
	if err != nil {
		return false, err
	}
	who, err := e.Profile(ctx, scope)
	if err != nil {
		return false, fmt.Errorf("profile of %s: %w", p.ID, err)
	}
	if who.Preferences.PersonalizationOff {
		return true, nil
	}
	return e.saidSince(ctx, l.Workspace, p.ID, intent, l.At)
}
