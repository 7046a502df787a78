package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/conversation"
	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/need/text"
	"github.com/rapport-cx/rapport/outbox"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/scene"
	"github.com/rapport-cx/rapport/treatment"
)

// keepTurns bounds how many earlier messages a need is read with.
const keepTurns = 12

// Message is one message of a customer: who sent it, and under which id.
type Message struct {
	ID       event.ID // zero: a new one is made
	Key      identity.Key
	Verified bool
	Author   conversation.Who // when several people write in one conversation
}

// Talk is who has the word in a conversation.
type Talk struct {
	ID string `json:"id"`
	conversation.State
	Ahead   int `json:"ahead,omitempty"`   // waiting: how many were there before
	Minutes int `json:"minutes,omitempty"` // waiting: how long it has taken lately; 0: not known
}

// Move is what a person of the company does with a conversation.
type Move struct {
	Agent  conversation.Who
	Note   string
	Solved bool // handed back because the matter is solved
}

// Brief is what a person must know who takes a conversation over, so that the
// customer need not say it again.
type Brief struct {
	Summary     string            `json:"summary"`
	Needs       []BriefNeed       `json:"needs"`
	Facts       []BriefFact       `json:"facts"`
	Tried       []string          `json:"tried"` // what was told and offered already
	Filled      map[string]any    `json:"filled,omitempty"`
	Attachments []need.Attachment `json:"attachments,omitempty"`
}

// BriefNeed is one thing the customer wants.
type BriefNeed struct {
	Title  string      `json:"title"`
	Text   string      `json:"text"`
	Intent string      `json:"intent,omitempty"`
	Status need.Status `json:"status"`
	Author string      `json:"author,omitempty"`
}

// BriefFact is one record that was used, and opens by its ref.
type BriefFact struct {
	Summary string `json:"summary"`
	Ref     string `json:"ref"`
}

// dialogue is a conversation as a decision reads it.
type dialogue struct {
	entries []conversation.Entry
	state   conversation.State
}

// dialogueOf reads the conversation of a request from the asker's own events and,
// when it is theirs to hear (shared), from those of the others who speak in it.
func (e *Engine) dialogueOf(ctx context.Context, workspace, id string, who *profile.Profile, mine []identity.Key, shared bool) (dialogue, error) {
	if id == "" {
		return dialogue{}, nil
	}
	lists := listsOf(who)
	if held, ok := e.Desk.Find(workspace, id); ok && shared {
		for _, k := range held.Speakers {
			if slices.Contains(mine, k) {
				continue
			}
			p, err := e.profileOf(ctx, workspace, k)
			if err != nil {
				return dialogue{}, err
			}
			lists = append(lists, listsOf(p)...)
		}
	}
	d := dialogue{entries: conversation.Read(id, lists...)}
	d.state = conversation.StateOf(d.entries)
	return d, nil
}

func (e *Engine) profileOf(ctx context.Context, workspace string, k identity.Key) (*profile.Profile, error) {
	p, _, err := e.Store.Person(ctx, workspace, k)
	if err != nil {
		return nil, fmt.Errorf("person of %s: %w", k, err)
	}
	who, err := e.Profile(ctx, Scope{Workspace: workspace, Person: p.ID, Keys: p.Keys})
	if err != nil {
		return nil, fmt.Errorf("profile of %s: %w", p.ID, err)
	}
	return who, nil
}

func listsOf(who *profile.Profile) (lists [][]*event.Event) {
	for _, name := range conversation.Names {
		if list := who.History[name]; len(list) > 0 {
			lists = append(lists, list)
		}
	}
	return lists
}

// turns are the newest messages before this one, oldest first. An answer bears the
// author to whom it was given.
func (d *dialogue) turns() []need.Turn {
	var all []need.Turn
	for i := range d.entries {
		en := &d.entries[i]
		switch {
		case en.Text == "":
		case en.Name == conversation.Sent:
			all = append(all, need.Turn{Role: "user", Text: en.Text, Author: authorOf(en)})
		case en.Name == conversation.Received:
			all = append(all, need.Turn{Role: "agent", Text: en.Text, Author: authorOf(en)})
		}
	}
	all = all[max(0, len(all)-keepTurns):]
	if !slices.ContainsFunc(all, func(t need.Turn) bool { return t.Author != all[0].Author }) {
		for i := range all {
			all[i].Author = "" // one person speaks: there is nobody to tell apart
		}
	}
	return all
}

// authorOf names who speaks: as the channel names them, else by whose event it is.
func authorOf(en *conversation.Entry) string { return cmp.Or(en.Author.ID, en.Author.Name, en.Key) }

// standing is what the decision room is told of the dialogue.
func (e *Engine) standing(workspace, id string, d *dialogue) decision.Dialogue {
	if id == "" {
		return decision.Dialogue{}
	}
	turns := len(d.turns())
	k := decision.Dialogue{Waiting: d.state.Phase == conversation.Waiting, Failures: conversation.Failures(d.entries), Turns: turns}
	if k.Waiting {
		k.Since = d.state.Since
	}
	if last := d.asked(); last != nil {
		k.Offered = last.Offered
	}
	ahead, wait := e.Desk.Ahead(workspace, id)
	k.Ahead, k.Minutes = ahead, minutes(wait)
	return k
}

// minutes rounds a wait up, so that the promise is not too short.
func minutes(wait time.Duration) int { return int((wait + time.Minute - 1) / time.Minute) }

// Converse answers a message of a conversation. The message, the decision, the
// answer and the request for a person, if there is one, become durable together.
// While a person has the word the message is only kept and passed on: the answer
// has no id, no blocks, and says with whom the customer is. A message whose id was
// accepted before gets the answer it got then.
func (e *Engine) Converse(ctx context.Context, r Request, m Message) (*Answer, error) {
	t, err := e.tenant(r.Workspace)
	if err != nil {
		return nil, err
	}
	if m.ID == (event.ID{}) {
		m.ID = event.ID(e.Random())
	} else if a, ok, err := e.answeredBefore(ctx, r, m.ID); ok || err != nil {
		return a, err
	}
	r.Shared = true
	r.Enquiry.Author = cmp.Or(m.Author.ID, m.Author.Name, m.Key.String())
	if err := e.confirm(ctx, t, &r, m); err != nil {
		return nil, err
	}
	id, in, mo, err := e.prepare(ctx, t, r)
	if err != nil {
		return nil, err
	}
	sent := m.event(&in, m.ID, conversation.Sent, conversation.Body{Text: r.Enquiry.Text, Author: m.Author, Attachments: attachments(r.Enquiry.Attachments), Locale: string(in.Scene.Locale)}, m.Verified)
	if mo.talk.state.Phase == conversation.WithPerson {
		if _, err := e.Store.Commit(ctx, Batch{Workspace: t.ID, Events: []event.Event{sent}}); err != nil {
			return nil, fmt.Errorf("message of %s: %w", r.Conversation, err)
		}
		return withPerson(&in, mo.talk.state), nil
	}
	a, _, err := e.settle(ctx, t, id, &in, mo, func(a *Answer, w *walked, b *Batch) (err error) {
		b.Events, err = e.said(&in, &mo.talk, &m, sent, a, w, mo.version.Treatment)
		if id := e.declined(t.ID, &in, &mo.talk); err == nil && id != "" {
			b.Events = append(b.Events, letterEvent(m.Key, answerID(m.ID, decisionDismissed), decisionDismissed, in.Scene.Time, outbox.Body{Decision: id}))
		}
		return err
	})
	return a, err
}

// said is what a decision in a conversation adds to it: the customer's message, the
// answer's, and the call for a person, if there is one.
func (e *Engine) said(in *Inputs, talk *dialogue, m *Message, sent event.Event, a *Answer, w *walked, titles *treatment.Plan) ([]event.Event, error) {
	asked := matters(a, in.Results, in.Enquiry.Denied)
	all := []event.Event{sent, m.event(in, answerID(m.ID, conversation.Received), conversation.Received, conversation.Body{
		Text: treatment.Plain(a.Blocks), Decision: a.ID, Author: m.Author, About: in.Enquiry.About, Asked: asked, Offered: offers(a.Blocks), Locale: string(in.Scene.Locale),
	}, true)}
	by := callsPerson(w)
	if by == nil || talk.state.Phase != conversation.WithAdviser {
		return all, nil
	}
	brief, err := encode(e.brief(w, a, talk, by, m.Author, in.Enquiry.Attachments, titles))
	if err != nil {
		return nil, fmt.Errorf("brief of %s: %w", in.Conversation, err)
	}
	return append(all, m.event(in, answerID(m.ID, conversation.Requested), conversation.Requested, conversation.Body{
		Decision: a.ID, Reason: by.Action, Brief: brief, Locale: string(in.Scene.Locale), Ahead: in.Dialogue.Ahead, Minutes: in.Dialogue.Minutes,
	}, true)), nil
}

// offers tells whether an answer waits for the customer's yes.
func offers(blocks []treatment.Block) bool {
	return slices.ContainsFunc(blocks, func(b treatment.Block) bool { return b.Action != "" && (b.Kind == "form" || b.Kind == "offer") })
}

// decisionDismissed is the event of a refusal.
const decisionDismissed = "Dismissed"

// declined is the message of ours, the last thing said in a conversation, that this
// one turns down; "" when it does not.
func (e *Engine) declined(workspace string, in *Inputs, talk *dialogue) string {
	if len(talk.entries) == 0 || !treatment.Declines(in.Enquiry.Text) {
		return ""
	}
	last := &talk.entries[len(talk.entries)-1]
	if _, sent := e.Box.Find(workspace, last.Decision); !sent || last.Name != conversation.Received {
		return ""
	}
	return last.Decision
}

// withPerson is the answer while a person has the word: nothing is decided.
func withPerson(in *Inputs, s conversation.State) *Answer {
	return &Answer{
		Person: AnswerPerson{ID: string(in.Person)}, Strategy: AnswerStrategy{Version: in.Strategy}, Locale: in.Scene.Locale, At: in.Scene.Time, Enquiry: in.Enquiry.Text,
		Needs: []AnswerNeed{}, Blocks: []treatment.Block{}, Actions: []treatment.Action{}, Evidence: noEvidence, Degraded: noDegraded,
		Conversation: &Talk{ID: in.Conversation, State: s},
	}
}

// Undecided is the answer to a message that needed no decision: a person's own.
func Undecided(t Talk, at time.Time) *Answer {
	return &Answer{At: at, Needs: []AnswerNeed{}, Blocks: []treatment.Block{}, Actions: []treatment.Action{}, Evidence: noEvidence, Degraded: noDegraded, Conversation: &t}
}

// event makes an event of the conversation under the key of who spoke.
func (m *Message) event(in *Inputs, id event.ID, name string, b conversation.Body, verified bool) event.Event {
	b.Conversation = in.Conversation
	return conversationEvent(m.Key, id, name, in.Scene.Time, b, verified)
}

func conversationEvent(k identity.Key, id event.ID, name string, at time.Time, b conversation.Body, verified bool) event.Event {
	body, err := json.Marshal(b)
	if err != nil {
		panic(err) // texts, and JSON that was encoded before
	}
	ev := event.Event{ID: id, Kind: event.Track, Name: name, Time: at, Received: at, Verified: verified, Body: body}
	if k.Kind == "user" {
		ev.UserID = k.Value
	} else {
		ev.AnonymousID = k.Value
	}
	return ev
}

// answerID is the id of what follows from a message, so that a message sent again
// makes nothing twice.
func answerID(message event.ID, name string) event.ID {
	h := sha256.New()
	h.Write(message[:])
	h.Write([]byte(name))
	return event.ID(h.Sum(nil)[:16])
}

// answeredBefore finds the answer to a message that came before.
func (e *Engine) answeredBefore(ctx context.Context, r Request, message event.ID) (*Answer, bool, error) {
	if _, _, known, err := e.Store.Event(ctx, r.Workspace, message); !known || err != nil {
		return nil, false, err
	}
	m, _, ok, err := e.Store.Event(ctx, r.Workspace, answerID(message, conversation.Received))
	if err != nil || !ok {
		return nil, false, err
	}
	en, _ := conversation.ReadEvent(&m.Event)
	raw, _, err := e.Decision(ctx, r.Workspace, en.Decision)
	if err != nil {
		return nil, false, err
	}
	a := new(Answer)
	if err := json.Unmarshal(raw, a); err != nil {
		return nil, false, fmt.Errorf("answer %s: %w", en.Decision, err)
	}
	a.encoded = raw
	return a, true, nil
}

// callsPerson is the first chosen action that brings a person.
func callsPerson(w *walked) *decision.Chosen {
	for i := range w.decision.Chosen {
		if w.decision.Chosen[i].Handover {
			return &w.decision.Chosen[i]
		}
	}
	return nil
}

func attachments(all []need.Attachment) json.RawMessage {
	if len(all) == 0 {
		return nil
	}
	raw, err := json.Marshal(all)
	if err != nil {
		panic(err) // texts only
	}
	return raw
}

// matters are the spoken needs of an answer as they were answered.
func matters(a *Answer, results []candidate.Result, denied []string) []conversation.Matter {
	var all []conversation.Matter
	for i := range a.Needs {
		n := &a.Needs[i]
		if n.Origin != need.Spoken {
			continue
		}
		m := conversation.Matter{Intent: n.Intent, Subintent: n.Sub(), About: aboutOf(n), Text: n.Text, Status: string(n.Status), State: substance(results, n.ID)}
		for _, r := range results {
			for _, ans := range r.Answers {
				switch {
				case ans.Need != n.ID:
				case ans.Passage != nil:
					m.Articles = append(m.Articles, ans.Passage.Article)
				case ans.Fit != nil && ans.Fit.Inferred:
					m.Assumed = &conversation.Assumed{Trait: "household_size", Value: ans.Fit.People}
				}
			}
		}
		for _, x := range a.Actions {
			if x.Need == n.ID {
				m.Actions = append(m.Actions, x.Action)
			}
		}
		for _, b := range a.Blocks {
			switch {
			case b.Need != n.ID:
			case b.Kind == "clarify":
				for k, o := range b.Options {
					if k < len(n.Readings) {
						m.Readings = append(m.Readings, conversation.Reading{Intent: n.Readings[k].Intent, Subintent: n.Readings[k].Subintent, Label: o.Label})
					}
				}
			case b.Kind != "handover":
				if title := cmp.Or(b.Title, b.Source); title != "" {
					m.Titles = append(m.Titles, title)
				}
			}
		}
		if m.Assumed == nil && slices.Contains(denied, "household_size") && slices.ContainsFunc(a.Blocks, func(b treatment.Block) bool { return b.Need == n.ID && b.Kind == "clarify" }) {
			m.Assumed = &conversation.Assumed{Trait: "household_size"} // it was asked for
		}
		all = append(all, m)
	}
	return all
}

// aboutOf is what a need is about, sorted: items and records by id, the rest (a
// colour, a day, a budget) in the customer's words.
func aboutOf(n *need.Need) []string {
	var about []string
	for i := range n.Entities {
		en := &n.Entities[i]
		switch _, often := en.Value.(need.Quantity); {
		case en.ID != "" && en.Type != "attribute":
			about = append(about, en.ID)
		case !often: // "for the third time" is not what it is about
			about = append(about, en.Type+":"+cmp.Or(en.ID, text.Plain(en.Text)))
		}
	}
	for _, c := range n.Constraints {
		about = append(about, "constraint:"+text.Plain(c))
	}
	if n.Condition != nil {
		about = append(about, "if:"+text.Plain(n.Condition.Text))
	}
	about = append(about, n.RefersTo...)
	slices.Sort(about)
	return slices.Compact(about)
}

// substance tells how the record stands that a need was answered with; the same
// question brings a new answer when it has moved.
func substance(results []candidate.Result, id string) string {
	var s string
	for _, r := range results {
		for _, a := range r.Answers {
			if a.Need == id && a.Status != nil {
				s += string(a.Status.Kind) + " " + a.Status.ID + " " + a.Status.State + " " + a.Status.UpdatedAt.Format(time.RFC3339) + ";"
			}
		}
	}
	return s
}

// mostTried bounds how much of what was tried a brief lists.
const mostTried = 20

// mostAsked bounds how much of what was asked earlier a brief lists.
const mostAsked = 5

// askedBefore are the newest matters of a conversation before this message, the newest
// first: who only says "get me a person" means what they asked before.
func askedBefore(d *dialogue, now []BriefNeed, titles *treatment.Plan, l scene.Locale) (earlier []BriefNeed) {
	for _, en := range slices.Backward(d.entries) {
		if en.Name == conversation.Returned && en.Solved {
			break
		}
		for _, m := range slices.Backward(en.Asked) {
			same := func(n BriefNeed) bool {
				return n.Text == m.Text || n.Intent != "" && n.Intent == m.Intent && n.Intent != "support.troubleshoot"
			}
			if len(earlier) == mostAsked {
				return earlier
			}
			if m.Text == "" || m.Intent == "" || m.Intent == "service.human" || slices.ContainsFunc(now, same) || slices.ContainsFunc(earlier, same) {
				continue
			}
			earlier = append(earlier, BriefNeed{Title: titles.Title(m.Intent, m.Subintent, l), Text: m.Text, Intent: m.Intent, Status: need.Status(m.Status), Author: cmp.Or(en.Author.Name, en.Author.ID)})
		}
	}
	return earlier
}

// brief puts together what a person must know.
func (e *Engine) brief(w *walked, a *Answer, d *dialogue, by *decision.Chosen, author conversation.Who, sent []need.Attachment, titles *treatment.Plan) Brief {
	b := Brief{Needs: []BriefNeed{}, Facts: []BriefFact{}, Tried: []string{}, Filled: by.Prefilled}
	for i := range a.Needs {
		n := &a.Needs[i]
		if n.Origin == need.Spoken {
			b.Needs = append(b.Needs, BriefNeed{Title: n.Title, Text: n.Text, Intent: n.Intent, Status: n.Status, Author: cmp.Or(author.Name, author.ID)})
		}
	}
	b.Needs = append(b.Needs, askedBefore(d, b.Needs, titles, w.input.Scene.Locale)...)
	for i := range d.entries {
		en := &d.entries[i]
		b.Attachments = append(b.Attachments, attached(en)...)
		if en.Name != conversation.Received || en.By == "person" {
			continue
		}
		for _, m := range en.Asked {
			for _, title := range m.Titles {
				if !slices.Contains(b.Tried, title) && len(b.Tried) < mostTried {
					b.Tried = append(b.Tried, title)
				}
			}
		}
	}
	for _, x := range a.Blocks {
		if title := cmp.Or(x.Title, x.Source); x.Need != "" && x.Kind != "handover" && title != "" && !slices.Contains(b.Tried, title) && len(b.Tried) < mostTried {
			b.Tried = append(b.Tried, title)
		}
	}
	b.Attachments = append(b.Attachments, sent...)
	names := make([]string, 0, len(a.Evidence))
	for name := range a.Evidence {
		names = append(names, name)
	}
	slices.SortFunc(names, func(x, y string) int { return cmp.Or(len(x)-len(y), cmp.Compare(x, y)) })
	for _, name := range names {
		if rec := a.Evidence[name]; rec.Summary != "" && rec.Kind != "rule" && rec.Kind != "model" {
			b.Facts = append(b.Facts, BriefFact{Summary: rec.Summary, Ref: string(rec.Ref)})
		}
	}
	lines := treatment.BriefLines{Tried: b.Tried}
	for _, n := range b.Needs {
		lines.Needs = append(lines.Needs, treatment.BriefNeed{Title: n.Title, Text: n.Text})
	}
	for _, f := range b.Facts {
		lines.Facts = append(lines.Facts, f.Summary)
	}
	b.Summary = treatment.SayBrief(lines, w.input.Scene)
	return b
}

func attached(en *conversation.Entry) (all []need.Attachment) {
	if len(en.Attachments) > 0 {
		_ = json.Unmarshal(en.Attachments, &all) // ours; what is not readable is nothing
	}
	return all
}

// talkOf is what an answer says of the conversation it belongs to: it follows from
// the inputs and the decision alone, so that a replay says the same.
func talkOf(in *Inputs, w *walked) *Talk {
	if in.Conversation == "" || !in.Converses {
		return nil
	}
	t := &Talk{ID: in.Conversation, State: conversation.State{Phase: conversation.WithAdviser}}
	switch {
	case in.Dialogue.Waiting:
		t.State = conversation.State{Phase: conversation.Waiting, Since: in.Dialogue.Since}
	case callsPerson(w) != nil:
		t.State = conversation.State{Phase: conversation.Waiting, Since: in.Scene.Time}
	default:
		return t
	}
	t.Ahead, t.Minutes = in.Dialogue.Ahead, in.Dialogue.Minutes
	return t
}

// Spoken is one entry of a conversation as it is read back and followed.
type Spoken struct {
	conversation.Entry
	// Notice says a change of who has the word in the customer's language; "" for messages.
	Notice string
	// Answer is what an adviser's message was decided by, nil for other entries.
	Answer json.RawMessage
}

// Conversation reads a conversation back: its entries after one that the reader has
// (zero: all), oldest first, and who has the word.
func (e *Engine) Conversation(ctx context.Context, workspace, id string, keys []identity.Key, after event.ID) (Talk, []Spoken, error) {
	d, err := e.dialogueBy(ctx, workspace, id, keys)
	if err != nil {
		return Talk{}, nil, err
	}
	entries := d.entries
	if after != (event.ID{}) {
		if i := slices.IndexFunc(entries, func(en conversation.Entry) bool { return en.Event == after }); i >= 0 {
			entries = entries[i+1:]
		}
	}
	all := make([]Spoken, 0, len(entries))
	for i := range entries {
		s, err := e.Said(ctx, workspace, entries[i])
		if err != nil {
			return Talk{}, nil, err
		}
		all = append(all, s)
	}
	return e.talk(workspace, id, d.state), all, nil
}

// Said opens one entry: the decision behind it, the sentence for a change of hands.
func (e *Engine) Said(ctx context.Context, workspace string, en conversation.Entry) (Spoken, error) {
	s := Spoken{Entry: en}
	l, _ := scene.ParseLocale(en.Locale)
	at := scene.Scene{Locale: l, Time: en.At}
	name := cmp.Or(en.Agent.Name, en.Agent.ID)
	switch en.Name {
	case conversation.Requested:
		s.Notice = treatment.Queue(en.Ahead, en.Minutes, at)
	case conversation.Accepted:
		s.Notice = treatment.PersonHere(name, at)
	case conversation.Returned:
		s.Notice = treatment.PersonGone(name, at)
	case conversation.Received:
		if en.Decision == "" {
			return s, nil
		}
		raw, _, err := e.Decision(ctx, workspace, en.Decision)
		if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrGone) {
			return s, err
		}
		s.Answer = raw
	}
	return s, nil
}

func (e *Engine) talk(workspace, id string, s conversation.State) Talk {
	t := Talk{ID: id, State: s}
	if s.Phase == conversation.Waiting {
		ahead, wait := e.Desk.Ahead(workspace, id)
		t.Ahead, t.Minutes = ahead, minutes(wait)
	}
	return t
}

// dialogueBy reads a conversation by the keys of who speaks in it and what the desk knows.
func (e *Engine) dialogueBy(ctx context.Context, workspace, id string, keys []identity.Key) (dialogue, error) {
	held, _ := e.Desk.Find(workspace, id)
	var lists [][]*event.Event
	var seen []identity.PersonID
	for _, k := range append(slices.Clone(keys), held.Speakers...) {
		p, _, err := e.Store.Person(ctx, workspace, k)
		if err != nil {
			return dialogue{}, fmt.Errorf("person of %s: %w", k, err)
		}
		if slices.Contains(seen, p.ID) {
			continue
		}
		seen = append(seen, p.ID)
		who, err := e.Profile(ctx, Scope{Workspace: workspace, Person: p.ID, Keys: p.Keys})
		if err != nil {
			return dialogue{}, fmt.Errorf("profile of %s: %w", p.ID, err)
		}
		lists = append(lists, listsOf(who)...)
	}
	d := dialogue{entries: conversation.Read(id, lists...)}
	d.state = conversation.StateOf(d.entries)
	return d, nil
}

// Listen tells of every new entry of a conversation until leave is called; ok is
// false when too many listen.
func (e *Engine) Listen(workspace, id string) (entries <-chan conversation.Entry, leave func(), ok bool) {
	return e.Desk.Listen(workspace, id)
}

// Waiting is a conversation in the queue for people, or with one of them.
type Waiting struct {
	Talk
	Person      identity.PersonID
	RequestedAt time.Time
	Reason      string
	Brief       json.RawMessage
}

// Queue lists the conversations in a phase, the longest there first.
func (e *Engine) Queue(ctx context.Context, workspace string, phase conversation.Phase) ([]Waiting, error) {
	all := []Waiting{}
	for _, h := range e.Desk.Queue(workspace, phase) {
		w := Waiting{Talk: e.talk(workspace, h.ID, conversation.State{Phase: h.Phase, Since: h.Since, Agent: h.Agent})}
		if len(h.Speakers) > 0 {
			p, _, err := e.Store.Person(ctx, workspace, h.Speakers[0])
			if err != nil {
				return nil, fmt.Errorf("person of %s: %w", h.Speakers[0], err)
			}
			w.Person = p.ID
		}
		if id, ok := event.ParseID(h.Request); ok {
			m, _, known, err := e.Store.Event(ctx, workspace, id)
			if err != nil {
				return nil, fmt.Errorf("request for a person in %s: %w", h.ID, err)
			}
			if en, ok := conversation.ReadEvent(&m.Event); known && ok {
				w.RequestedAt, w.Reason, w.Brief = en.At, en.Reason, en.Brief
			}
		}
		all = append(all, w)
	}
	return all, nil
}

// Accept gives a conversation to a person of the company: from now on nothing is
// answered automatically. ErrHeld when another person has it.
func (e *Engine) Accept(ctx context.Context, workspace, id string, m Move) (Talk, error) {
	return e.move(ctx, workspace, id, conversation.Accepted, m, func(s conversation.State) bool {
		return s.Phase != conversation.WithPerson || s.Agent.ID == m.Agent.ID
	})
}

// HandBack gives a conversation back to the adviser. ErrHeld when no person has it.
func (e *Engine) HandBack(ctx context.Context, workspace, id string, m Move) (Talk, error) {
	return e.move(ctx, workspace, id, conversation.Returned, m, func(s conversation.State) bool { return s.Phase == conversation.WithPerson })
}

func (e *Engine) move(ctx context.Context, workspace, id, name string, m Move, may func(conversation.State) bool) (Talk, error) {
	held, d, err := e.held(ctx, workspace, id)
	if err != nil {
		return Talk{}, err
	}
	if !may(d.state) {
		return Talk{}, fmt.Errorf("conversation %s is with %s: %w", id, d.state.Phase, ErrHeld)
	}
	if name == conversation.Accepted && d.state.Phase == conversation.WithPerson {
		return e.talk(workspace, id, d.state), nil // they have it already
	}
	if name == conversation.Returned && m.Agent == (conversation.Who{}) {
		m.Agent = d.state.Agent
	}
	ev := conversationEvent(held.Speakers[0], event.ID(e.Random()), name, e.now(), conversation.Body{
		Conversation: id, Agent: m.Agent, Note: m.Note, Solved: m.Solved, Locale: d.locale(),
	}, true)
	if _, err := e.Store.Commit(ctx, Batch{Workspace: workspace, Events: []event.Event{ev}}); err != nil {
		return Talk{}, fmt.Errorf("conversation %s: %w", id, err)
	}
	en, _ := conversation.ReadEvent(&ev)
	return e.talk(workspace, id, conversation.StateOf(append(d.entries, en))), nil
}

func (e *Engine) held(ctx context.Context, workspace, id string) (conversation.Held, dialogue, error) {
	held, ok := e.Desk.Find(workspace, id)
	if !ok || len(held.Speakers) == 0 {
		return held, dialogue{}, fmt.Errorf("conversation %q: %w", id, ErrNotFound)
	}
	d, err := e.dialogueBy(ctx, workspace, id, nil)
	return held, d, err
}

// locale is the language the customer was last answered in.
func (d *dialogue) locale() string {
	for _, en := range slices.Backward(d.entries) {
		if en.Locale != "" {
			return en.Locale
		}
	}
	return ""
}

// Reply is what a person of the company says to the customer. Who answers has the
// word: it accepts a conversation that nobody has. ErrHeld when another has it.
func (e *Engine) Reply(ctx context.Context, workspace, id, text string, m Move, message event.ID) (Talk, error) {
	held, d, err := e.held(ctx, workspace, id)
	if err != nil {
		return Talk{}, err
	}
	if s := d.state; s.Phase == conversation.WithPerson && m.Agent.ID != "" && s.Agent.ID != "" && s.Agent.ID != m.Agent.ID {
		return Talk{}, fmt.Errorf("conversation %s is with %s: %w", id, s.Agent.ID, ErrHeld)
	}
	at, l := e.now(), d.locale()
	if message == (event.ID{}) {
		message = event.ID(e.Random())
	}
	var events []event.Event
	if d.state.Phase != conversation.WithPerson {
		events = append(events, conversationEvent(held.Speakers[0], answerID(message, conversation.Accepted), conversation.Accepted, at, conversation.Body{Conversation: id, Agent: m.Agent, Locale: l}, true))
	} else if m.Agent.ID == "" {
		m.Agent = d.state.Agent
	}
	events = append(events, conversationEvent(held.Speakers[0], message, conversation.Received, at, conversation.Body{Conversation: id, Text: text, By: "person", Agent: m.Agent, Locale: l}, true))
	if _, err := e.Store.Commit(ctx, Batch{Workspace: workspace, Events: events}); err != nil {
		return Talk{}, fmt.Errorf("conversation %s: %w", id, err)
	}
	for i := range events {
		if en, ok := conversation.ReadEvent(&events[i]); ok {
			d.entries = append(d.entries, en)
		}
	}
	return e.talk(workspace, id, conversation.StateOf(d.entries)), nil
}
