// Package witness makes everything that is derived from the log (steps 2 and 3 of the
// flow: persons, profiles, what followers keep) once more beside a store, from nothing
// but the log, and says where the store holds something else. Both stores are compared
// by it, so "rebuilt to the same bytes" means the same of each.
package witness

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/journal"
	"github.com/rapport-cx/rapport/profile"
)

// Log is what a store lets the witness read. All of it is as of the moment at which
// the store was opened; nobody may commit meanwhile.
type Log interface {
	// Each gives every event of the log that was not erased, in the order of followers,
	// good until take returns, and then tells how many were erased.
	Each(ctx context.Context, take func(workspace string, position uint64, e *event.Event) error) (erased int, err error)
	// Identities gives the store's persons, each workspace's as identity.Graph saves them.
	Identities() map[string][]byte
	// Checkpoints gives every profile that is kept, with the workspace it is of.
	Checkpoints(ctx context.Context, each func(workspace string, body []byte) error) error
	// Profile folds a scope from the log alone when UpTo is set.
	Profile(ctx context.Context, s journal.Scope) (*profile.Profile, error)
	// Check compares what only this store keeps (chains, postings, known ids).
	Check(ctx context.Context) error
}

// Report is what was compared and what differs.
type Report struct {
	Events      int `json:"events"`
	Erased      int `json:"erased"`
	Persons     int `json:"persons"`
	Followers   int `json:"followers"`
	Checkpoints int `json:"checkpoints"`
	// Differences name what is not as the log gives it, each in one sentence; at most mostTold.
	Differences []string `json:"differences"`
	// Skipped names what cannot be compared, and why.
	Skipped []string `json:"skipped,omitempty"`
}

const mostTold = 100

func (r *Report) tell(format string, args ...any) {
	switch len(r.Differences) {
	case mostTold:
	case mostTold - 1:
		r.Differences = append(r.Differences, "and more")
	default:
		r.Differences = append(r.Differences, fmt.Sprintf(format, args...))
	}
}

// Compare reads the whole log once and compares everything derived. stored are the
// followers as the store has loaded them; fresh are others of the same kinds, in the
// same order, to which nothing was told yet.
func Compare(ctx context.Context, log Log, stored, fresh []journal.Follower) (Report, error) {
	r := Report{Differences: []string{}}
	if err := log.Check(ctx); err != nil {
		r.tell("%v", err)
	}
	persons := map[string]*identity.Graph{}
	var err error
	r.Erased, err = log.Each(ctx, func(workspace string, position uint64, e *event.Event) error {
		if r.Events++; r.Events%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		g := persons[workspace]
		if g == nil {
			g = identity.NewGraph(workspace)
			persons[workspace] = g
		}
		number, joined := g.Observe(e)
		c := journal.Committed{Workspace: workspace, Position: position, Event: e, Person: g.PersonNumber(number)}
		for _, f := range fresh {
			for _, j := range joined {
				journal.TellJoin(f, workspace, j)
			}
			f.Follow(c)
		}
		return nil
	})
	if err != nil {
		return r, fmt.Errorf("read the log: %w", err)
	}
	identities := log.Identities()
	for workspace, g := range persons {
		if err := r.persons(workspace, identities[workspace], g); err != nil {
			return r, err
		}
	}
	for i, f := range stored {
		if err := r.follower(f, fresh[i]); err != nil {
			return r, err
		}
	}
	err = log.Checkpoints(ctx, func(workspace string, body []byte) error { return r.checkpoint(ctx, log, workspace, body) })
	if err != nil {
		return r, fmt.Errorf("read the checkpoints: %w", err)
	}
	return r, nil
}

// persons compares who is who: every key's person, its id and its keys. The numbers of
// keys are the store's own and are not compared.
func (r *Report) persons(workspace string, saved []byte, rebuilt *identity.Graph) error {
	g := identity.NewGraph(workspace)
	if err := g.Load(saved); err != nil {
		r.tell("the persons of %s cannot be read: %v", workspace, err)
		return nil
	}
	have, want := listed(g), listed(rebuilt)
	r.Persons += len(want)
	for key, p := range want {
		if have[key] != p {
			r.tell("%s belongs to %s in the store of %s, to %s by the log", key, or(have[key], "nobody"), workspace, p)
		}
	}
	for key, p := range have {
		if _, known := want[key]; !known {
			r.tell("%s belongs to %s in the store of %s, the log does not know it", key, p, workspace)
		}
	}
	return nil
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// listed says of every key that was seen whose it is.
func listed(g *identity.Graph) map[identity.Key]string {
	all := make(map[identity.Key]string, g.Len())
	for n := uint32(1); n <= uint32(g.Len()); n++ {
		k := g.KeyAt(n)
		if k.Value == "" || g.Number(k) != n {
			continue
		}
		p := g.PersonAt(n)
		keys := make([]string, len(p.Keys))
		for i, k := range p.Keys {
			keys[i] = k.String()
		}
		slices.Sort(keys)
		all[k] = string(p.ID) + " [" + strings.Join(keys, " ") + "]"
	}
	return all
}

// follower compares what Save gives. What one that knows persons holds after it has
// forgotten some need not be what the remaining log gives: their numbers stay empty, a
// record that was theirs last does not go back to who had it before.
func (r *Report) follower(stored, fresh journal.Follower) error {
	if r.Erased > 0 && journal.Forgets(stored) {
		r.Skipped = append(r.Skipped, fmt.Sprintf("%s: %d events were erased; what they counted for is no longer in the log", stored.Name(), r.Erased))
		return nil
	}
	r.Followers++
	have, err := stored.Save()
	if err != nil {
		return fmt.Errorf("state of %s: %w", stored.Name(), err)
	}
	want, err := fresh.Save()
	if err != nil {
		return fmt.Errorf("state of %s: %w", fresh.Name(), err)
	}
	if !bytes.Equal(have, want) {
		r.tell("%s holds %d bytes (%.8x), the log gives %d (%.8x); they part at byte %d", stored.Name(), len(have), sha256.Sum256(have), len(want), sha256.Sum256(want), parting(have, want))
	}
	return nil
}

func parting(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// checkpoint folds a kept profile anew and compares the bytes.
func (r *Report) checkpoint(ctx context.Context, log Log, workspace string, body []byte) error {
	p := new(profile.Profile)
	if p.UnmarshalBinary(body) != nil {
		r.Skipped = append(r.Skipped, "a checkpoint in the form of an older build (it is not read any more)")
		return nil
	}
	r.Checkpoints++
	anew, err := log.Profile(ctx, journal.Scope{Workspace: workspace, Person: p.Person, Keys: p.Keys, UpTo: p.Position})
	if err != nil {
		return err
	}
	want, err := anew.MarshalBinary()
	if err != nil {
		return err
	}
	if !bytes.Equal(body, want) {
		r.tell("the kept profile of %s in %s, up to position %d, holds %d bytes, the log gives %d; they part at byte %d", p.Person, workspace, p.Position, len(body), len(want), parting(body, want))
	}
	return nil
}
