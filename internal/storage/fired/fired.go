// Package fired writes the firings of signals (step 4) the way both stores keep them:
// what no question asks for goes into one column.
package fired

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/journal"
)

// body is what one column holds.
type body struct {
	Strategy int               `json:"strategy,omitempty"`
	Group    map[string]string `json:"group,omitempty"`
	Events   []string          `json:"events"`
}

// Body makes the column; nil for a firing that is known by its id alone.
func Body(f *journal.Firing) []byte {
	if len(f.Events) == 0 {
		return nil
	}
	b := body{Strategy: f.Strategy, Group: f.Group}
	for _, e := range f.Events {
		b.Events = append(b.Events, e.String())
	}
	all, _ := json.Marshal(b) // texts and numbers cannot fail
	return all
}

// Read fills in what Body wrote.
func Read(f *journal.Firing, column []byte) error {
	if len(column) == 0 {
		return nil
	}
	var b body
	if err := json.Unmarshal(column, &b); err != nil {
		return fmt.Errorf("firing %s: %w", f.ID, err)
	}
	f.Strategy, f.Group = b.Strategy, b.Group
	for _, ref := range b.Events {
		id, ok := event.ParseID(ref)
		if !ok {
			return fmt.Errorf("firing %s names the event %q", f.ID, ref)
		}
		f.Events = append(f.Events, id)
	}
	return nil
}

// Milliseconds since 1970, as a time stands in a column; 0 for no time.
func Milliseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Time reads what Milliseconds wrote.
func Time(milliseconds int64) time.Time {
	if milliseconds == 0 {
		return time.Time{}
	}
	return time.UnixMilli(milliseconds).UTC()
}

// Limit is how many firings a query without a limit gives.
const Limit = 50

// Begins is the state with which a firing is inserted.
func Begins(f *journal.Firing) journal.FiringState {
	switch {
	case f.UndoneBy != nil:
		return journal.FiringWithdrawn
	case f.State == journal.FiringPast:
		return journal.FiringPast
	}
	return journal.FiringOpen
}

// Upsert is the end of the statement that inserts a firing: what becomes of one that
// is known. Both databases read it alike.
const Upsert = ` ON CONFLICT (id) DO UPDATE SET
	state = CASE
		WHEN excluded.state = 'withdrawn' AND firing.state = 'handled' THEN 'superseded'
		WHEN excluded.state = 'withdrawn' AND firing.state IN ('open', 'past') THEN 'withdrawn'
		WHEN excluded.state <> 'withdrawn' AND firing.state = 'withdrawn' THEN excluded.state
		WHEN excluded.state <> 'withdrawn' AND firing.state = 'superseded' THEN 'handled'
		ELSE firing.state END,
	person = CASE WHEN excluded.person <> '' THEN excluded.person ELSE firing.person END,
	signal = CASE WHEN excluded.signal <> '' THEN excluded.signal ELSE firing.signal END,
	body = CASE WHEN LENGTH(excluded.body) > 0 THEN excluded.body ELSE firing.body END,
	undone = excluded.undone, cause = excluded.cause
	WHERE excluded.cause >= firing.cause`
