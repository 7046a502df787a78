package engine

import (
	"slices"
	"time"

	"github.com/rapport-cx/rapport/need"
)

// The two events a conversation consists of, by Segment's names, seen from the customer.
const (
	MessageSent     = "Live Chat Message Sent"
	MessageReceived = "Live Chat Message Received"
)

// keepTurns bounds how many earlier messages a need is read with.
const keepTurns = 12

type stamped struct {
	at   time.Time
	turn need.Turn
}

// inOrder sorts by time, what the customer said before what was answered at the
// same instant, and keeps the newest.
func inOrder(all []stamped, limit int) []need.Turn {
	slices.SortStableFunc(all, func(a, b stamped) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return -compare(a.turn.Role, b.turn.Role) // "user" before "agent"
	})
	if len(all) > limit {
		all = all[len(all)-limit:]
	}
	out := make([]need.Turn, len(all))
	for i, s := range all {
		out[i] = s.turn
	}
	return out
}
