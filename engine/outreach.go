package engine

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/need/predict"
	"github.com/rapport-cx/rapport/outbox"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/scene"
	"github.com/rapport-cx/rapport/strategy"
)

// Proactive is the placement of a decision that nobody asked for.
const Proactive = "proactive"

// Occasion is what made Rapport speak by itself: one turn of a signal, or a need that
// is foreseen.
type Occasion struct {
	Firing   string            `json:"firing"`
	Signal   string            `json:"signal"`
	Group    map[string]string `json:"group,omitempty"`
	Channels []string          `json:"channels,omitempty"` // that it may go through
	Need     string            `json:"need,omitempty"`     // the one foreseen; "": a signal fired
}

// How often the house looks for work that no commit of its own told it of: timers,
// other nodes, letters to be tried again.
const (
	lookEvery = 200 * time.Millisecond
	tidyEvery = 500 * time.Millisecond
	lanes     = 4 // firings of different persons are acted on side by side
	atOnce    = 64
)

// Why a firing was settled without a message.
const (
	reasonNoOccasion = "no_action_serves_it_unasked"
	reasonNobody     = "nobody_to_tell"
	reasonLapsed     = "does_not_hold_any_more"
	reasonNothing    = "nothing_passed"
	reasonQuiet      = "quiet_hours"
	reasonSpoken     = "already_spoken"
)

// Serve does what nobody waits for until ctx ends: it decides on what signals have
// fired and delivers what was decided. alone runs a job that no other process on the
// same store runs meanwhile.
func (e *Engine) Serve(ctx context.Context, alone func(ctx context.Context, job string, do func(ctx context.Context) error) error) {
	work, ctx := errgroup.WithContext(ctx)
	work.Go(func() error {
		e.attend(ctx)
		return nil
	})
	work.Go(func() error {
		for ctx.Err() == nil {
			err := alone(ctx, "outreach", func(ctx context.Context) error {
				e.reachOut(ctx)
				return nil
			})
			if err != nil && ctx.Err() == nil {
				e.Report(fmt.Errorf("outreach: %w", err))
				pause(ctx, time.Second)
			}
		}
		return nil
	})
	_ = work.Wait() // neither gives an error
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// nudge tells that signals may have fired.
func (e *Engine) nudge() {
	select {
	case e.nudged <- struct{}{}:
	default:
	}
}

// breath is the least time between two looks at what has fired.
const breath = 50 * time.Millisecond

// reachOut acts on firings and sends letters to webhooks.
func (e *Engine) reachOut(ctx context.Context) {
	news, sends := e.Box.News(), newSender(e)
	look, tidy := time.NewTicker(lookEvery), time.NewTicker(tidyEvery)
	defer look.Stop()
	defer tidy.Stop()
	defer sends.wait()
	letters, after := true, uint64(0)
	looks := lookouts{}
	for {
		if err := e.lookOut(ctx, looks); err != nil && ctx.Err() == nil {
			e.Report(err)
			pause(ctx, time.Second)
		}
		var err error
		if after, err = e.actOnFirings(ctx, after); err != nil && ctx.Err() == nil {
			e.Report(err)
			pause(ctx, time.Second)
		}
		if letters || after > 0 {
			if err := e.recallLetters(ctx, sends); err != nil && ctx.Err() == nil {
				e.Report(err)
			}
			sends.due(ctx)
		}
		letters = false
		if after > 0 && ctx.Err() == nil {
			continue // what was decided leaves before more is decided
		}
		select {
		case <-ctx.Done():
			return
		case <-e.nudged:
			pause(ctx, breath) // under load every request nudges; one look serves them all
		case <-look.C:
		case <-news:
			letters = true
		case <-sends.freed:
			letters = true
		case <-tidy.C:
			letters = true
		}
	}
}

// actOnFirings acts on the next firings after a number that are open and due, persons
// side by side, those of one person in their order. It gives the number to go on after,
// 0 when none was left.
func (e *Engine) actOnFirings(ctx context.Context, after uint64) (last uint64, err error) {
	all, err := e.Store.Firings(ctx, journal.FiringQuery{States: []journal.FiringState{journal.FiringOpen}, DueBy: e.now(), After: after, Limit: atOnce})
	if err != nil {
		return 0, fmt.Errorf("open firings: %w", err)
	}
	if len(all) == 0 {
		return 0, nil
	}
	work, ctx := errgroup.WithContext(ctx)
	for lane := range uint32(lanes) {
		work.Go(func() error {
			for i := range all {
				h := fnv.New32a()
				h.Write([]byte(all[i].Workspace + "\x00" + string(all[i].Person)))
				if h.Sum32()%lanes != lane {
					continue
				}
				if err := e.actOn(ctx, &all[i]); err != nil {
					return fmt.Errorf("firing %s of %s: %w", all[i].ID, all[i].Signal, err)
				}
			}
			return nil
		})
	}
	if err := work.Wait(); err != nil {
		return 0, err
	}
	return all[len(all)-1].Number, nil
}

// actOn decides what to say about one firing and makes the decision, the message and
// the end of the firing durable together, so that it happens once whatever dies in
// between and whoever else tries.
func (e *Engine) actOn(ctx context.Context, f *journal.Firing) error {
	t, err := e.tenant(f.Workspace)
	if err != nil {
		return nil // another process has made the workspace just now; it is here soon
	}
	v := t.current.Load()
	if v == nil {
		return nil
	}
	finish := func(reason string) error {
		return e.act(ctx, f, journal.Act{ID: f.ID, State: journal.FiringHandled, Reason: reason})
	}
	asker, foretold, reason, err := e.occasion(ctx, v, f)
	if err != nil {
		return err
	}
	if reason != "" {
		return finish(reason)
	}
	channels, err := e.channels(ctx, t.ID)
	if err != nil {
		return err
	}
	_, in, m, err := e.prepare(ctx, t, Request{Workspace: t.ID, Asker: asker, Placement: Proactive})
	if err != nil {
		return err
	}
	contact := &m.version.Decision.Contact
	in.Scene.Locale = spokenTo(m.who, Request{})
	in.Scene.Channel = Proactive
	in.Unasked = &Occasion{Firing: f.ID, Signal: f.Signal, Group: f.Group, Need: foretold, Channels: contact.Open(channels, m.who, in.Scene.Time)}
	in.Converses = false
	id := proactiveID(t, f, in.Scene.Time)
	var zone *time.Location
	if in.Scene.Zone != "" {
		zone = in.Scene.Location()
	}
	var opens time.Time
	_, _, err = e.settle(ctx, t, id, &in, m, func(a *Answer, w *walked, b *Batch) error {
		if len(w.recognition.Needs) == 0 {
			return errLapsed
		}
		var waits bool
		if opens, waits = contact.Waits(&w.decision, in.Scene.Time, zone); waits {
			return errQuiet
		}
		act := journal.Act{ID: f.ID, State: journal.FiringHandled, Decision: id}
		if len(a.Actions) == 0 || len(in.Unasked.Channels) == 0 {
			act.Reason = reasonNothing
		} else {
			b.Events = []event.Event{letterEvent(asker.Keys[0], answerID(event.ID(idBytes(id)), profile.DecisionSent), profile.DecisionSent, in.Scene.Time, outbox.Body{
				Decision: id, Firing: f.ID, Signal: f.Signal, Group: f.Group, Action: a.Actions[0].Action, Actions: chosenActions(&w.decision),
				Topics: topicsOf(m.version.Decision, &w.decision), Channels: in.Unasked.Channels, Proven: asker.Proven, Urgent: w.decision.Urgent(),
			})}
		}
		b.Acts = []journal.Act{act}
		return nil
	})
	switch {
	case errors.Is(err, errLapsed):
		return finish(reasonLapsed)
	case errors.Is(err, errQuiet):
		return e.act(ctx, f, journal.Act{ID: f.ID, State: journal.FiringOpen, Due: opens, Reason: reasonQuiet})
	case errors.Is(err, journal.ErrActed):
		return nil // another has, or it was undone just now
	}
	return err
}

// occasion tells whom a firing is about and, when it was foreseen, which need. A reason
// says why there is nothing to decide.
func (e *Engine) occasion(ctx context.Context, v *strategy.Version, f *journal.Firing) (asker identity.Asker, foretold, reason string, err error) {
	foretold, foreseen := foreseenBy(f.Signal)
	intent, sub := foretold, ""
	if !foreseen {
		intent, sub = v.Need.Implies(f.Signal)
	}
	if intent == "" || !v.Decision.Occasion(intent, sub) {
		return asker, foretold, reasonNoOccasion, nil
	}
	asker, ok, err := e.addressee(ctx, f)
	if err != nil {
		return asker, foretold, "", err
	}
	if !ok {
		return asker, foretold, reasonNobody, nil
	}
	if foreseen {
		said, err := e.saidSince(ctx, f.Workspace, f.Person, foretold, f.At.Add(-predict.JustSaid))
		if err != nil {
			return asker, foretold, "", err
		}
		if said {
			return asker, foretold, reasonSpoken, nil
		}
	}
	return asker, foretold, "", nil
}

// Why a decision on a firing is not made now.
var (
	errLapsed = errors.New("the signal does not hold any more")
	errQuiet  = errors.New("the customer has quiet hours")
)

func (e *Engine) act(ctx context.Context, f *journal.Firing, act journal.Act) error {
	_, err := e.Store.Commit(ctx, Batch{Workspace: f.Workspace, At: e.now(), Acts: []journal.Act{act}})
	if errors.Is(err, journal.ErrActed) {
		return nil
	}
	return err
}

// addressee is whom a firing concerns: a person who is known by a user id, or else an
// anonymous id, of whom nothing may be used but what happened under it.
func (e *Engine) addressee(ctx context.Context, f *journal.Firing) (a identity.Asker, ok bool, err error) {
	p, known, err := e.Store.PersonByID(ctx, f.Workspace, f.Person)
	if err != nil {
		return a, false, fmt.Errorf("person %s: %w", f.Person, err)
	}
	if !known {
		return a, false, nil
	}
	for _, kind := range [...]string{"user", "anon"} {
		for _, k := range p.Keys {
			if k.Kind == kind {
				return identity.Asker{Keys: []identity.Key{k}, Proven: kind == "user"}, true, nil
			}
		}
	}
	return a, false, nil
}

// channels are those that a workspace's letters can go through.
func (e *Engine) channels(ctx context.Context, workspace string) ([]string, error) {
	all := []string{outbox.Conversation}
	if e.Courier != nil {
		ready, err := e.Courier.Ready(ctx, workspace)
		if err != nil {
			return nil, fmt.Errorf("webhook of %s: %w", workspace, err)
		}
		if ready {
			all = append(all, outbox.Webhook)
		}
	}
	return all, nil
}

// spokenTo is the language that a person is spoken to in who has said nothing yet: that
// of the scene, their own as they stated it, that of their last conversation, what
// the caller accepts, else Chinese.
func spokenTo(who *profile.Profile, r Request) scene.Locale {
	if r.Scene.Locale != "" {
		return r.Scene.Locale
	}
	if l, ok := scene.ParseLocale(who.Text("locale")); ok {
		return l
	}
	if l, ok := scene.ParseLocale(who.Text("language")); ok {
		return l
	}
	if said := who.History[MessageSent]; len(said) > 0 {
		text, _ := said[len(said)-1].Properties()["message_body"].(string)
		if l, ok := scene.LocaleOf(text); ok {
			return l
		}
	}
	if r.Fallback != "" {
		return r.Fallback
	}
	return scene.Chinese
}

// MessageSent is the event of a customer's words in a conversation.
const MessageSent = "Live Chat Message Sent"

func topicsOf(p *decision.Plan, d *decision.Decision) []string {
	var topics []string
	for _, c := range d.Chosen {
		i := slices.IndexFunc(p.Actions, func(a decision.Action) bool { return a.ID == c.Action })
		if i >= 0 && p.Actions[i].Unasked != nil && !slices.Contains(topics, p.Actions[i].Unasked.Topic) {
			topics = append(topics, p.Actions[i].Unasked.Topic)
		}
	}
	return topics
}

// proactiveID is the id of the decision on a firing. It follows from the firing and
// the workspace's secret, so that no second decision on it can get into the ledger
// and nobody outside can guess it.
func proactiveID(t *tenant, f *journal.Firing, now time.Time) string {
	m := hmac.New(sha256.New, []byte("proactive\x00"+t.SecretKey))
	m.Write([]byte(f.ID))
	var random [16]byte
	copy(random[:], m.Sum(nil))
	at := f.Found
	if at.IsZero() || at.After(now) {
		at = f.At
	}
	return decisionID(at, random)
}

func idBytes(id string) (b [16]byte) {
	h := sha256.Sum256([]byte(id))
	copy(b[:], h[:])
	return b
}

// letterEvent is an event of a letter, in the log of whom it is for.
func letterEvent(to identity.Key, id event.ID, name string, at time.Time, b outbox.Body) event.Event {
	body, err := json.Marshal(b)
	if err != nil {
		panic(err) // texts only
	}
	ev := event.Event{ID: id, Kind: event.Track, Name: name, Time: at, Received: at, Verified: true, Body: body}
	if to.Kind == "user" {
		ev.UserID = to.Value
	} else {
		ev.AnonymousID = to.Value
	}
	return ev
}

// letterID makes the id of an event of a letter: it follows from the letter and what
// happened, so that two who note the same note it once.
func letterID(l *outbox.Letter, what string) event.ID {
	h := sha256.New()
	h.Write([]byte(l.Decision + "\x00" + what))
	return event.ID(h.Sum(nil)[:16])
}

// note writes down what became of a letter.
func (e *Engine) note(ctx context.Context, l *outbox.Letter, name, what string, b outbox.Body) error {
	b.Decision = l.Decision
	_, err := e.Store.Commit(ctx, Batch{Workspace: l.Workspace, At: e.now(), Events: []event.Event{letterEvent(l.To, letterID(l, name+what), name, e.now(), b)}})
	if err != nil {
		return fmt.Errorf("%s of %s: %w", name, l.Decision, err)
	}
	return nil
}

// fresh is how long a letter may wait for a conversation: what it says is of the day
// on which it was written.
const fresh = 12 * time.Hour

// recallLetters looks at the letters of customers to whom something happened, and at those
// that nobody came for: what was superseded before it was delivered is withdrawn,
// what was delivered is marked and the company's system told.
//
// A delivery that is under way has first to end one way or the other.
func (e *Engine) recallLetters(ctx context.Context, sends *sender) error {
	now := e.now()
	stale := func(l *outbox.Letter) bool {
		return l.Shown == outbox.Pending && l.Hook != outbox.Pending && l.Hook != outbox.Delivered && now.Sub(l.At) > fresh
	}
	for _, l := range e.Box.Letters("", func(l *outbox.Letter) bool { return l.Gone == "" && (l.Touched && !l.Undone || stale(l)) }) {
		if sends.busy(&l) {
			continue
		}
		if l.Touched && !l.Undone {
			e.Box.Looked(l.Workspace, l.Decision) // before looking: what comes meanwhile is looked at again
			undone, err := e.takeBackLetter(ctx, &l)
			if err != nil {
				return err
			}
			if undone {
				continue
			}
		}
		if !stale(&l) {
			continue
		}
		if err := e.note(ctx, &l, profile.DecisionWithdrawn, "expired", outbox.Body{Reason: "expired"}); err != nil {
			return err
		}
	}
	return nil
}

// undone tells whether the firing behind a letter was undone, and by which event; a
// need that was foreseen, whether they have spoken of it themselves since, or do not
// want to be foreseen any more.
func (e *Engine) undone(ctx context.Context, l *outbox.Letter) (by string, undone bool, err error) {
	if foretold, foreseen := foreseenBy(l.Signal); foreseen {
		if l.Shown != outbox.Pending && l.Hook != outbox.Pending {
			return "", false, nil // it has come before them, and what they asked then is what came of it
		}
		undone, err := e.overtaken(ctx, l, foretold)
		return "", undone, err
	}
	all, err := e.Store.Firings(ctx, journal.FiringQuery{Workspace: l.Workspace, ID: l.Firing, Limit: 1})
	if err != nil {
		return "", false, fmt.Errorf("firing %s: %w", l.Firing, err)
	}
	if len(all) == 0 || all[0].State != journal.FiringSuperseded && all[0].State != journal.FiringWithdrawn {
		return "", false, nil
	}
	if all[0].UndoneBy != nil {
		by = all[0].UndoneBy.String()
	}
	return by, true, nil
}

// takeBackLetter withdraws a letter whose firing was undone, or marks it when somebody
// has it.
func (e *Engine) takeBackLetter(ctx context.Context, l *outbox.Letter) (undone bool, err error) {
	by, undone, err := e.undone(ctx, l)
	switch {
	case err != nil || !undone:
		return undone, err
	case l.Reached():
		return true, e.note(ctx, l, profile.DecisionSuperseded, "", outbox.Body{Reason: by})
	}
	return true, e.note(ctx, l, profile.DecisionWithdrawn, "superseded", outbox.Body{Reason: "superseded"})
}

// Letters lists what was sent unasked and is under way or ended lately, the oldest first.
func (e *Engine) Letters(workspace string) []outbox.Letter {
	return e.Box.Letters(workspace, func(l *outbox.Letter) bool { return l.Workspace == workspace })
}

// Letter is what was sent by one decision.
func (e *Engine) Letter(workspace, decision string) (outbox.Letter, bool) {
	return e.Box.Find(workspace, decision)
}

// SendAgain tries a letter again that was given up.
func (e *Engine) SendAgain(ctx context.Context, l *outbox.Letter) error {
	random := e.Random()
	return e.note(ctx, l, profile.DecisionSent, fmt.Sprintf("again %x", random), outbox.Body{Firing: l.Firing, Signal: l.Signal, Group: l.Group, Proven: l.Proven, Again: 1})
}

// Firings lists what signals have fired, the first found first.
func (e *Engine) Firings(ctx context.Context, q journal.FiringQuery) ([]journal.Firing, error) {
	return e.Store.Firings(ctx, q)
}
