package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/need/signal"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/strategy"
)

// Member is somebody whose doings count for a household that the asker is in, and from
// where in the log they were read.
type Member struct {
	Household string            `json:"household"`
	Person    identity.PersonID `json:"person"`
	Keys      []identity.Key    `json:"keys"`
	Position  uint64            `json:"position"`
}

// mostMembers bounds how many persons of one household a decision looks at.
const mostMembers = 32

// atHome reads what the households of a person did, as far as the version's signals ask
// for it, and tells whose events that were. Who has switched personalisation off counts
// for nobody.
func (e *Engine) atHome(ctx context.Context, workspace string, v *strategy.Version, who *profile.Profile, at time.Time) (*profile.Profile, []Member, error) {
	names := v.Need.HouseholdNames()
	if names == nil || e.Options.Watch == nil {
		return who, nil, nil
	}
	var read []Member
	var homes []profile.Household
	for _, id := range signal.HouseholdsAt(who, at) {
		var stories [][]*event.Event
		for i, number := range e.Options.Watch.household(workspace, id) {
			if i == mostMembers {
				break
			}
			p, known, err := e.Store.Member(ctx, workspace, number)
			if err != nil {
				return nil, nil, fmt.Errorf("household %s: %w", id, err)
			}
			if !known {
				continue
			}
			member := who
			if p.ID != who.Person {
				if member, err = e.Profile(ctx, Scope{Workspace: workspace, Person: p.ID, Keys: p.Keys}); err != nil {
					return nil, nil, fmt.Errorf("household %s: profile of %s: %w", id, p.ID, err)
				}
			}
			if member.Preferences.PersonalizationOff {
				continue
			}
			read = append(read, Member{id, p.ID, p.Keys, member.Position})
			stories = append(stories, story(member, names))
		}
		homes = append(homes, signal.HouseholdOf(id, stories))
	}
	if homes == nil {
		return who, nil, nil
	}
	return who.In(homes), read, nil
}

// homeAgain is atHome as it was read for a decision.
func (e *Engine) homeAgain(ctx context.Context, workspace string, v *strategy.Version, who *profile.Profile, read []Member, without []event.ID) (*profile.Profile, error) {
	names := v.Need.HouseholdNames()
	if len(read) == 0 || names == nil {
		return who, nil
	}
	var ids []string
	stories := map[string][][]*event.Event{}
	for _, m := range read {
		member := who
		if m.Person != who.Person {
			var err error
			s := Scope{Workspace: workspace, Person: m.Person, Keys: m.Keys, UpTo: max(m.Position, 1), Without: without}
			if member, err = e.Store.Profile(ctx, s); err != nil {
				return nil, fmt.Errorf("household %s: profile of %s at %d: %w", m.Household, m.Person, m.Position, err)
			}
		}
		if !slices.Contains(ids, m.Household) {
			ids = append(ids, m.Household)
		}
		stories[m.Household] = append(stories[m.Household], story(member, names))
	}
	var homes []profile.Household
	for _, id := range ids {
		homes = append(homes, signal.HouseholdOf(id, stories[id]))
	}
	return who.In(homes), nil
}

// story is what a profile keeps of some events, in their order.
func story(p *profile.Profile, names []string) (all []*event.Event) {
	for _, name := range names {
		all = append(all, p.History[name]...)
	}
	slices.SortFunc(all, profile.Compare)
	return all
}

// household is everyone who was ever said to be in one.
func (w *Watch) household(workspace, id string) []uint32 {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.rooms[workspace]
	if r == nil || r.now == nil || r.now.homes == nil {
		return nil
	}
	return r.now.homes.Members(id)
}
