package engine

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/decision/propensity"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/ledger"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/need/predict"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/scene"
	"github.com/rapport-cx/rapport/strategy"
	"github.com/rapport-cx/rapport/treatment"
)

// Inputs are all that a decision rests on. They are stored with it, and a replay
// starts from them.
type Inputs struct {
	Asker        identity.Asker `json:"asker"`
	Conversation string         `json:"conversation,omitempty"`
	Placement    string         `json:"placement,omitempty"`
	Enquiry      need.Enquiry   `json:"enquiry"`
	Scene        scene.Scene    `json:"scene"` // language and time resolved
	Limit        int            `json:"limit"`
	// Dialogue is what was known of the conversation; Converses tells that it was
	// one of ours, and not only named.
	Dialogue  decision.Dialogue `json:"dialogue,omitzero"`
	Converses bool              `json:"converses,omitempty"`
	Seed      uint64            `json:"seed"`
	// Unasked is what made Rapport speak by itself; nil when somebody asked.
	Unasked *Occasion `json:"unasked,omitempty"`

	Person   identity.PersonID  `json:"person"`
	Keys     []identity.Key     `json:"keys"` // whose events were folded
	Position uint64             `json:"position"`
	Profile  string             `json:"profile"` // digest of the fold
	Personal bool               `json:"personal"`
	Stops    []decision.Stop    `json:"stops,omitempty"`
	Balances []decision.Balance `json:"balances,omitempty"` // of the budgets drawn on
	Behalf   *Behalf            `json:"behalf,omitempty"`   // whom they asked for
	Members  []Member           `json:"members,omitempty"`  // of their households

	Catalogue uint64             `json:"catalogue"` // revision
	Strategy  int                `json:"strategy"`
	Arm       string             `json:"arm,omitempty"` // of a canary
	Digest    string             `json:"digest"`        // of the strategy's sources
	Build     string             `json:"build,omitempty"`
	Model     uint64             `json:"model,omitempty"`     // version of what was learned; 0: nothing
	Foresight uint64             `json:"foresight,omitempty"` // and of the model of needs
	Results   []candidate.Result `json:"results"`             // what each source said
	// Counsel is what a second reader said, as it was taken in; nil when none was asked.
	Counsel *Counsel `json:"counsel,omitempty"`
}

// moment is a decision's surroundings, read once: the fold, the shelf, the version.
type moment struct {
	who       *profile.Profile // as known, unmasked; of whom they ask for, the matters that may be asked about
	behalf    *decision.Behalf // by which ties they ask for another, nil: for themselves
	shelf     candidate.View   // the catalogue as it was put
	catalogue candidate.View   // with the attributes that the version brings
	version   *strategy.Version
	sources   []candidate.Source
	model     *propensity.Model // nil: nothing was learned
	foresight *predict.Model    // nil: nothing is foreseen
	talk      dialogue          // what was said before; empty in a replay, which has it in its inputs
}

// walked is what the rooms made of one moment.
type walked struct {
	recognition need.Recognition
	foreseen    []foreseenNeed // of its needs, those that the model brought
	input       decision.Input
	decision    decision.Decision
	solution    treatment.Solution
}

// record is a decision as the ledger keeps it: what it rested on, the digest of
// what the rooms decided, and what was answered.
type record struct {
	Inputs  Inputs          `json:"inputs"`
	Decided string          `json:"decided"` // decision.Digest; a replay decides again and compares
	Answer  json.RawMessage `json:"answer"`
	Learn   []learnt        `json:"learn,omitempty"` // what a later model learns by
}

// recordOf writes a record with the answer's bytes as they are: encoding/json would
// parse them once more.
func recordOf(in *Inputs, d *decision.Decision, answer json.RawMessage) ([]byte, error) {
	return written(func(b *bytes.Buffer) error {
		b.WriteString(`{"decided":"`)
		b.WriteString(d.Digest())
		b.WriteString(`","answer":`)
		b.Write(answer)
		b.WriteString(`,"inputs":`)
		if err := encodeTo(b, in); err != nil {
			return err
		}
		if learn := learnts(d); len(learn) > 0 {
			b.WriteString(`,"learn":`)
			if err := encodeTo(b, learn); err != nil {
				return err
			}
		}
		b.WriteByte('}')
		return nil
	})
}

// encode is JSON as it leaves the house: no escapes for web pages in it.
func encode(v any) ([]byte, error) {
	return written(func(b *bytes.Buffer) error { return encodeTo(b, v) })
}

// written is what write writes, in as many bytes as it takes: it is written where the
// last text was, since who keeps it would keep the spare room beside it, too.
func written(write func(*bytes.Buffer) error) ([]byte, error) {
	b := buffers.Get().(*bytes.Buffer)
	defer func() {
		if b.Cap() <= widestBuffer {
			b.Reset()
			buffers.Put(b)
		}
	}()
	if err := write(b); err != nil {
		return nil, err
	}
	return bytes.Clone(b.Bytes()), nil
}

var buffers = sync.Pool{New: func() any { return bytes.NewBuffer(make([]byte, 0, 16<<10)) }}

// widestBuffer bounds the room that is kept for the next text.
const widestBuffer = 1 << 20

func encodeTo(b *bytes.Buffer, v any) error {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // Encode ends its value with a line feed
	return nil
}

// Answer walks one enquiry through every room. The decision is in the ledger,
// durable, before it returns.
func (e *Engine) Answer(ctx context.Context, r Request) (*Answer, error) {
	t, err := e.tenant(r.Workspace)
	if err != nil {
		return nil, err
	}
	id, in, m, err := e.prepare(ctx, t, r)
	if err != nil {
		return nil, err
	}
	in.Converses = false
	a, w, err := e.settle(ctx, t, id, &in, m, nil)
	if err != nil {
		return nil, err
	}
	if r.Explain {
		x, err := e.explain(&in, m, w, a)
		if err != nil {
			return nil, err
		}
		a.Explanation, a.encoded = x, nil
	}
	return a, nil
}

// settle walks the rooms and makes the decision durable, together with what beside, if
// any, adds to the commit; an error of it leaves nothing behind. When others have meanwhile used up a budget that
// it draws on, it decides again without it.
func (e *Engine) settle(ctx context.Context, t *tenant, id string, in *Inputs, m moment, beside func(*Answer, *walked, *Batch) error) (*Answer, *walked, error) {
	var p patience
	if e.Reader != nil || e.Embedder != nil {
		var stop func()
		p, stop = asking(ctx, cmp.Or(e.CounselBudget, counselBudget))
		defer stop()
	}
	in.Enquiry.Likes = e.likesOf(p, t, in, m)
	for {
		w := e.walk(ctx, in, m)
		if in.Counsel == nil {
			if in.Counsel = e.counselOf(p, in, m, &w); in.Counsel != nil {
				w.show(in, m)
			}
		}
		a := assemble(id, in, m, &w)
		var err error
		if a.encoded, err = encode(a); err != nil {
			return nil, nil, fmt.Errorf("answer %s: %w", id, err)
		}
		kept, err := recordOf(in, &w.decision, a.encoded)
		if err != nil {
			return nil, nil, fmt.Errorf("ledger entry %s: %w", id, err)
		}
		batch := Batch{Workspace: t.ID, At: e.now(), Decision: &ledger.Entry{
			ID: id, Workspace: t.ID, Person: string(in.Person), Asker: askedBy(in.Asker), At: in.Scene.Time,
			Strategy: in.Strategy, Arm: in.Arm, Placement: in.Placement, Actions: chosenActions(&w.decision), Bytes: kept,
		}}
		batch.Reserve = reservations(m.version.Decision.Holds(&w.input, &w.decision), batch.At)
		if beside != nil {
			if err = beside(a, &w, &batch); err != nil {
				return nil, nil, err
			}
		}
		_, err = e.Store.Commit(ctx, batch)
		var short *journal.Exhausted
		if errors.As(err, &short) && in.exhaust(short.Budgets) {
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("ledger of %s: %w", id, err)
		}
		e.learnFrom(ctx, t.ID, id, in, m, &w)
		return a, &w, nil
	}
}

// prepare reads, once, everything a decision rests on, and names it in Inputs.
func (e *Engine) prepare(ctx context.Context, t *tenant, r Request) (id string, in Inputs, m moment, err error) {
	m = moment{sources: t.sources}
	scope, err := e.Who(ctx, t.ID, r.Asker)
	if err != nil {
		return "", in, m, err
	}
	var arm string
	if m.version, arm, err = e.serving(ctx, t, string(scope.Person)); err != nil {
		return "", in, m, err
	}
	if m.who, err = e.Profile(ctx, scope); err != nil {
		return "", in, m, fmt.Errorf("profile of %s: %w", scope.Person, err)
	}
	now := e.now()
	var members []Member
	if m.who, members, err = e.atHome(ctx, t.ID, m.version, m.who, now); err != nil {
		return "", in, m, err
	}
	if m.shelf, err = e.Store.Catalogue(ctx, t.ID, 0); err != nil {
		return "", in, m, fmt.Errorf("catalogue: %w", err)
	}
	m.catalogue = m.version.Candidate.Attributes.Over(m.shelf)
	random := e.Random()
	id = decisionID(now, random)
	if r.Scene.Time.IsZero() {
		r.Scene.Time = now
	}
	r.Scene.Time = r.Scene.Time.UTC().Truncate(time.Millisecond)
	r.Scene.Locale = language(r)
	if r.Scene.Zone == "" {
		if zone, ok := m.who.Traits["timezone"].Value.(string); ok {
			r.Scene.Zone = zone
		}
	}
	if r.Limit <= 0 {
		r.Limit = 3
	}
	if m.talk, err = e.dialogueOf(ctx, t.ID, r.Conversation, m.who, scope.Keys, r.Shared); err != nil {
		return "", in, m, err
	}
	if len(r.Enquiry.Messages) == 0 {
		r.Enquiry.Messages = m.talk.turns()
	}
	m.talk.about(&r.Enquiry, m.catalogue)
	r.Enquiry.Messages = before(r.Enquiry.Messages, r.Enquiry.About)
	in = Inputs{
		Asker: r.Asker, Conversation: r.Conversation, Placement: r.Placement, Enquiry: r.Enquiry,
		Scene: r.Scene, Limit: r.Limit, Seed: binary.LittleEndian.Uint64(random[8:]),
		Person: scope.Person, Keys: scope.Keys, Position: m.who.Position, Profile: m.who.Digest(),
		Personal: !m.who.Preferences.PersonalizationOff,
		Dialogue: e.standing(t.ID, r.Conversation, &m.talk), Converses: true, Members: members,
		Catalogue: m.catalogue.Revision(), Strategy: m.version.Number, Arm: arm, Digest: m.version.Digest, Build: e.Build,
	}
	if in.Behalf, err = e.behalfOf(ctx, &r, &m); err != nil {
		return "", in, m, err
	}
	if e.Switches != nil {
		in.Stops = e.Switches.Stops(t.ID, in.Scene.Time)
	}
	if m.model = t.learning.current.Load(); m.model != nil {
		in.Model = m.model.Version
	}
	if m.foresight = t.foresight.current.Load(); m.foresight != nil {
		in.Foresight = m.foresight.Version
	}
	in.Balances, err = e.balances(ctx, t.ID, m, &in, now)
	return id, in, m, err
}

// walk is the flow from need to treatment. With in.Results set it decides from
// what the sources said then; else it asks them and keeps what they say.
func (e *Engine) walk(ctx context.Context, in *Inputs, m moment) (w walked) {
	who := m.who.Masked(profile.Mask{Off: !in.Personal, On: in.Personal, Fields: m.version.Decision.Fields})
	w.recognition = m.version.Need.Recognise(in.Enquiry, who, in.Scene, m.catalogue)
	if in.Dialogue.Offered && need.FillsIn(&w.recognition, in.Enquiry.Text) {
		w.recognition.Needs, w.recognition.Courtesy = []need.Need{}, need.Assent
	}
	switch {
	case in.Unasked == nil:
	case in.Unasked.Need != "":
		w.recognition.Needs = []need.Need{}
		w.addForeseen(m.foresight, who, in.Scene, stillForeseen, in.Unasked.Need)
	default:
		w.recognition = m.version.Need.Only(w.recognition, in.Unasked.Signal, in.Unasked.Group)
	}
	if in.Personal && in.Unasked == nil && in.Enquiry.Text == "" && len(in.Enquiry.Attachments) == 0 {
		sure, _ := m.foresight.Sure()
		w.addForeseen(m.foresight, who, in.Scene, sure, "")
	}
	recalled := recall(in, m.who, w.recognition.Needs)
	if in.Results == nil {
		in.Results = candidate.Gather(ctx, m.sources, &candidate.Request{
			Needs: w.recognition.Needs, Person: who, Signals: w.recognition.Signals, Scene: in.Scene, Catalogue: m.catalogue, Plan: m.version.Candidate, Told: saidBefore(recalled, w.recognition.Needs), Denied: in.Enquiry.Denied, Said: wordsOf(&in.Enquiry),
		}, e.Deadline)
	}
	recalled.count(w.recognition.Needs, in.Results)
	w.input = decision.Input{
		Needs: w.recognition.Needs, Signals: w.recognition.Signals, Results: in.Results,
		Person: who, Personal: in.Personal, Proven: in.Asker.Proven, Scene: in.Scene,
		Catalogue: m.catalogue, Model: m.model, Seed: in.Seed, Limit: in.Limit, Dialogue: in.Dialogue, Stops: in.Stops, Balances: in.Balances, Behalf: m.behalf, Unasked: in.Unasked != nil,
	}
	w.input.Dialogue.Courtesy = w.recognition.Courtesy
	w.input.Dialogue.Denied = in.Enquiry.Denied
	w.input.Told = saidBefore(recalled, w.recognition.Needs)
	w.decision = decision.Decide(m.version.Decision, w.input)
	w.show(in, m)
	return w
}

// show composes what was decided. A second reader's counsel can change the order of
// what is asked back and the wording, and comes too late to change anything else.
func (w *walked) show(in *Inputs, m moment) {
	d := w.decision
	if in.Counsel != nil {
		d.Needs = need.Asked(d.Needs, in.Counsel.Views)
	}
	w.solution = treatment.Compose(m.version.Treatment, &d, in.Scene)
	if in.Counsel != nil {
		w.solution = treatment.Reword(w.solution, in.Counsel.Wordings, in.Scene)
	}
}

// wordsOf are the customer's own words, those of earlier turns first.
func wordsOf(e *need.Enquiry) string {
	var b strings.Builder
	for _, t := range e.Messages {
		if t.Role == "user" {
			b.WriteString(t.Text)
			b.WriteByte('\n')
		}
	}
	b.WriteString(e.Text)
	return b.String()
}

// assemble makes the outer form: evidence named ev1, ev2 … and opened once.
func assemble(id string, in *Inputs, m moment, w *walked) *Answer {
	n := namer{in: in, moment: m}
	behalf := ""
	if in.Behalf != nil {
		behalf = string(in.Behalf.Person)
	}
	a := &Answer{
		ID:       id,
		Person:   AnswerPerson{ID: string(in.Person), Personalized: in.Personal && len(in.Keys) > 0, Behalf: behalf},
		Strategy: AnswerStrategy{Version: in.Strategy, Arm: in.Arm},
		Locale:   in.Scene.Locale, At: in.Scene.Time, Enquiry: in.Enquiry.Text,
		Needs:    n.needs(w.solution.Needs),
		Blocks:   n.blocks(w.solution.Blocks),
		Actions:  n.actions(w.solution.Actions),
		Degraded: []candidate.Degraded{},
	}
	for _, r := range in.Results {
		if r.Degraded != nil {
			a.Degraded = append(a.Degraded, *r.Degraded)
		}
	}
	if in.Enquiry.Likes != nil && in.Enquiry.Likes.Degraded != "" {
		a.Degraded = append(a.Degraded, candidate.Degraded{Source: "embeddings", Reason: in.Enquiry.Likes.Degraded})
	}
	if in.Counsel != nil && in.Counsel.Degraded != "" {
		a.Degraded = append(a.Degraded, candidate.Degraded{Source: "llm", Reason: in.Counsel.Degraded})
	}
	a.Conversation = talkOf(in, w)
	a.Evidence = n.table()
	return a
}

var (
	noEvidence = map[string]evidence.Record{}
	noDegraded = []candidate.Degraded{}
)

// language is scene.locale, else the enquiry's, else what the caller accepts, else Chinese.
func language(r Request) scene.Locale {
	if r.Scene.Locale != "" {
		return r.Scene.Locale
	}
	if l, ok := scene.LocaleOf(r.Enquiry.Text); ok {
		return l
	}
	if r.Fallback != "" {
		return r.Fallback
	}
	return scene.Chinese
}

func askedBy(a identity.Asker) string {
	if !a.Proven {
		for _, k := range a.Keys {
			if k.Kind == "anon" {
				return k.String()
			}
		}
		return "" // a user id that is only claimed reads nothing back
	}
	if len(a.Keys) == 0 {
		return ""
	}
	return a.Keys[0].String()
}

func chosenActions(d *decision.Decision) []string {
	ids := make([]string, len(d.Chosen))
	for i, c := range d.Chosen {
		ids[i] = c.Action
	}
	return ids
}
