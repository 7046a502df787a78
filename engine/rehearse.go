package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/rapport-cx/rapport/strategy"
)

// Rehearsal is what a draft would say, beside what the version in force would.
// Nothing of it is stored, sent, learned or counted.
type Rehearsal struct {
	Version int             `json:"version"`
	Live    int             `json:"live"`
	Draft   json.RawMessage `json:"draft"`   // the answer under the draft
	Now     json.RawMessage `json:"now"`     // and under the version in force
	Changed []string        `json:"changed"` // JSON pointers at which they differ
	Days    []RehearsedDay  `json:"days"`    // what would be offered unasked, where it changes
}

// RehearsedDay is a day of the virtual clock on which something changes for the
// customer: what a placement that asks nothing would offer from then on.
type RehearsedDay struct {
	Day   string   `json:"day"` // in the customer's time zone
	Draft []string `json:"draft"`
	Now   []string `json:"now"`
}

// MostDays bounds how far a rehearsal looks ahead.
const MostDays = 366

// rehearsalHour is the local hour at which a rehearsed day is looked at.
const rehearsalHour = 10

// Rehearse answers a request under a version and under the one in force, then goes
// through the next days on a virtual clock in which nothing new happens, and tells
// on which of them the customer would be offered something else.
func (e *Engine) Rehearse(ctx context.Context, r Request, number, days int) (*Rehearsal, error) {
	t, draft, err := e.versionOf(ctx, r.Workspace, number)
	if err != nil {
		return nil, err
	}
	live := t.current.Load()
	if live == nil {
		return nil, fmt.Errorf("workspace %s: %w", t.ID, ErrNoStrategy)
	}
	id, in, m, err := e.prepare(ctx, t, r)
	if err != nil {
		return nil, err
	}
	in.Converses, in.Arm = false, ""
	answer := func(v *strategy.Version) (json.RawMessage, error) {
		in, m := in, m
		in.Strategy, in.Digest, m.version = v.Number, v.Digest, v
		m.catalogue = v.Candidate.Attributes.Over(m.shelf)
		w := e.walk(ctx, &in, m)
		return encode(assemble(id, &in, m, &w))
	}
	out := &Rehearsal{Version: number, Live: live.Number, Changed: []string{}, Days: []RehearsedDay{}}
	if out.Draft, err = answer(draft); err != nil {
		return nil, err
	}
	if out.Now, err = answer(live); err != nil {
		return nil, err
	}
	out.Changed = append(out.Changed, differences(out.Now, out.Draft)...)
	out.Changed = slices.DeleteFunc(out.Changed, func(at string) bool { return at == "/strategy/version" })
	offers := func(v *strategy.Version, at time.Time) []string {
		in, m := in, m
		in.Enquiry.Text, in.Enquiry.Messages, in.Enquiry.Attachments, in.Results = "", nil, nil, nil
		in.Strategy, m.version = v.Number, v
		m.catalogue = v.Candidate.Attributes.Over(m.shelf)
		in.Scene.Time = at
		w := e.walk(ctx, &in, m)
		return chosenActions(&w.decision)
	}
	local := in.Scene.Time.In(in.Scene.Location())
	var before RehearsedDay
	for n := range min(days, MostDays) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		at := time.Date(local.Year(), local.Month(), local.Day()+n+1, rehearsalHour, 0, 0, 0, local.Location())
		day := RehearsedDay{at.Format(time.DateOnly), offers(draft, at), offers(live, at)}
		if n == 0 || !slices.Equal(day.Draft, before.Draft) || !slices.Equal(day.Now, before.Now) {
			out.Days = append(out.Days, day)
		}
		before = day
	}
	return out, nil
}
