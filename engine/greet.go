package engine

import (
	"context"
	"fmt"

	"github.com/rapport-cx/rapport/conversation"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/treatment"
)

// Greeting is the placement of what is said to who opens a conversation.
const Greeting = "greeting"

// Greet says the first words of a conversation when there is something to say: what
// the customer left open. Decision and words become durable together; nil when there
// is nothing, and then nothing is kept.
func (e *Engine) Greet(ctx context.Context, r Request, key identity.Key) (*Answer, error) {
	t, err := e.tenant(r.Workspace)
	if err != nil {
		return nil, err
	}
	r.Placement = Greeting
	id, in, m, err := e.prepare(ctx, t, r)
	if err != nil {
		return nil, err
	}
	in.Scene.Locale = spokenTo(m.who, r)
	w := e.walk(ctx, &in, m)
	if len(w.recognition.Needs) == 0 || len(w.solution.Blocks) == 0 {
		return nil, nil
	}
	in.Results = nil // asked again, so that what is kept is of one walk
	a, _, err := e.settle(ctx, t, id, &in, m, func(a *Answer, _ *walked, b *Batch) error {
		b.Events = []event.Event{conversationEvent(key, answerID(event.ID(idBytes(id)), conversation.Received), conversation.Received, in.Scene.Time, conversation.Body{
			Conversation: r.Conversation, Text: treatment.Plain(a.Blocks), Decision: a.ID, Offered: offers(a.Blocks), Locale: string(in.Scene.Locale),
		}, true)}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("greeting in %s: %w", r.Conversation, err)
	}
	return a, nil
}
