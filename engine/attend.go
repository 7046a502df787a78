package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/rapport-cx/rapport/conversation"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/outbox"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/treatment"
)

// attendance is one customer who has a conversation open before them.
type attendance struct {
	conversation string
	belongs      func(identity.Key) bool
}

// Attend tells that a conversation is open before its customer, until leave is called:
// letters for them are shown in it. belongs tells whether the conversation was opened
// under a key; one that was opened under a user id was opened by who had proven it.
func (e *Engine) Attend(workspace, id string, belongs func(identity.Key) bool) (leave func()) {
	a := &attendance{conversation: id, belongs: belongs}
	e.present.Lock()
	defer e.present.Unlock()
	if e.attended[workspace] == nil {
		e.attended[workspace] = map[*attendance]struct{}{}
	}
	e.attended[workspace][a] = struct{}{}
	select {
	case e.arrived <- struct{}{}:
	default:
	}
	return func() {
		e.present.Lock()
		defer e.present.Unlock()
		delete(e.attended[workspace], a)
	}
}

// attend shows letters in the conversations that are open on this process.
func (e *Engine) attend(ctx context.Context) {
	news := e.Box.News()
	for {
		for _, l := range e.Box.Letters("", func(l *outbox.Letter) bool { return l.Gone == "" && l.Shown == outbox.Pending }) {
			if err := e.show(ctx, &l); err != nil && ctx.Err() == nil {
				e.Report(err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-news:
		case <-e.arrived:
		}
	}
}

// show puts a letter into the customer's open conversation, if there is one here.
// Several nodes may try: what they write has one id.
func (e *Engine) show(ctx context.Context, l *outbox.Letter) error {
	here := e.openFor(l)
	if len(here) == 0 || e.now().Sub(l.At) > fresh {
		return nil
	}
	if undone, err := e.takeBackLetter(ctx, l); undone || err != nil {
		return err
	}
	keys := []identity.Key{l.To}
	if l.Proven {
		p, _, err := e.Store.Person(ctx, l.Workspace, l.To)
		if err != nil {
			return fmt.Errorf("person of %s: %w", l.To, err)
		}
		for _, k := range p.Keys {
			if k.Kind == "user" && k != l.To {
				keys = append(keys, k)
			}
		}
	}
	for _, a := range here {
		i := slices.IndexFunc(keys, a.belongs)
		if i < 0 {
			continue
		}
		if held, ok := e.Desk.Find(l.Workspace, a.conversation); ok && held.Phase == conversation.WithPerson {
			continue // nobody speaks across a person
		}
		return e.showIn(ctx, l, a.conversation, keys[i])
	}
	return nil
}

func (e *Engine) openFor(l *outbox.Letter) []*attendance {
	e.present.Lock()
	defer e.present.Unlock()
	all := make([]*attendance, 0, len(e.attended[l.Workspace]))
	for a := range e.attended[l.Workspace] {
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b *attendance) int { return compare(a.conversation, b.conversation) })
	return all
}

func (e *Engine) showIn(ctx context.Context, l *outbox.Letter, id string, key identity.Key) error {
	raw, entry, err := e.Decision(ctx, l.Workspace, l.Decision)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrGone) || err == nil && entry.Placement != Proactive {
		return nil
	}
	if err != nil {
		return err
	}
	var a Answer
	if err := json.Unmarshal(raw, &a); err != nil {
		return fmt.Errorf("answer %s: %w", l.Decision, err)
	}
	now := e.now()
	events := []event.Event{conversationEvent(key, letterID(l, conversation.Received), conversation.Received, now, conversation.Body{
		Conversation: id, Text: treatment.Plain(a.Blocks), Decision: l.Decision, Locale: string(a.Locale),
	}, true)}
	for _, action := range entry.Actions {
		events = append(events, letterEvent(l.To, letterID(l, profile.DecisionShown+action), profile.DecisionShown, now, outbox.Body{
			Decision: l.Decision, Action: action, Channel: outbox.Conversation,
		}))
	}
	if _, err := e.Store.Commit(ctx, Batch{Workspace: l.Workspace, At: now, Events: events}); err != nil {
		return fmt.Errorf("letter %s in %s: %w", l.Decision, id, err)
	}
	return nil
}
