package signal

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/profile"
)

// A household has no events of its own. Its life is what its members did while they
// were members, in the order of profiles, and each event counts once for every
// household its person was in when it happened. Who is in one follows from the members'
// own events alone, so it is the same in any order of arrival: somebody joins with a
// record of the kind relationship, of the type member_of, to household:ID, and leaves
// when it is deleted, leads elsewhere, or its time is over.

// HouseholdKey is the kind of key that a household has, and its name in a group.
const HouseholdKey = "household"

const memberOf = "member_of"

// HouseholdsAt are the households that a person is in at a time, as their records say.
func HouseholdsAt(p *profile.Profile, at time.Time) (ids []string) {
	return inForce(membership(p), at)
}

// membership are the ties to households, whenever they are in force.
func membership(p *profile.Profile) (ties []profile.Tie) {
	for _, r := range p.RecordsOf(evidence.Relationship) {
		if t, ok := profile.ReadTie(r); ok && t.Type == memberOf && t.To.Kind == HouseholdKey {
			ties = append(ties, t)
		}
	}
	return ties
}

func inForce(ties []profile.Tie, at time.Time) (ids []string) {
	for i := range ties {
		if ties[i].InForce(at) && !slices.Contains(ids, ties[i].To.Value) {
			ids = append(ids, ties[i].To.Value)
		}
	}
	slices.Sort(ids)
	return ids
}

// whileMember are those of a person's events that count for a household. Events must
// be in the order of profiles, the records about membership among them.
func whileMember(events []*event.Event, household string) []*event.Event {
	in, _ := during(events, household)
	return in
}

// during goes through a person's events; left is what it leaves known of the member.
func during(events []*event.Event, household string) (in []*event.Event, left stay) {
	p := profile.New("", nil)
	le.PutUint64(left.last[:], 1<<63) // no time is before
	for i, e := range events {
		if saysWho(e) {
			p.Apply(e, uint64(i+1))
			left.ties = slices.DeleteFunc(membership(p), func(t profile.Tie) bool { return t.To.Value != household })
			record(left.last[:]).ref(0, ms(e.Time), &e.ID)
			continue
		}
		if slices.ContainsFunc(left.ties, func(t profile.Tie) bool { return t.InForce(e.Time) }) {
			in = append(in, e)
		}
	}
	return in, left
}

// saysWho tells that an event is a word about who is related to whom.
func saysWho(e *event.Event) bool {
	return e.Kind == event.Record && e.Name == string(evidence.Relationship)
}

// HouseholdOf puts together what the members of a household did, of everyone who was
// ever said to be one: stories are their events, each in the order of profiles.
func HouseholdOf(id string, stories [][]*event.Event) profile.Household {
	h := profile.Household{ID: id, History: map[string][]*event.Event{}}
	for _, events := range stories {
		for _, e := range whileMember(events, id) {
			h.History[e.Name] = append(h.History[e.Name], e)
		}
	}
	for _, all := range h.History {
		slices.SortFunc(all, profile.Compare)
	}
	return h
}

func inHousehold(group map[string]string, id string) map[string]string {
	if group == nil {
		group = map[string]string{}
	}
	group[HouseholdKey] = id
	return group
}

// HouseholdNames are the events that a household's signal asks for, and the records
// that say who is in one; nil when no definition is a household's.
func HouseholdNames(definitions []Definition) (names []string) {
	for i := range definitions {
		if definitions[i].Household {
			names = append(names, definitions[i].names()...)
		}
	}
	if names == nil {
		return nil
	}
	slices.Sort(names)
	return slices.Compact(append(names, string(evidence.Relationship)))
}

// Homes keep the lives of households up to date as their members' events come. What
// comes in its order is one fold. Whatever else may change one (a late event, a word
// about membership, a merge, an unmerge, an erasure, time) makes it stale: then it, and
// every household that shares somebody with it, is folded anew from the members' events
// ([Homes.Renew]).
type Homes struct {
	rules *Rules
	of    map[uint32]map[string]bool // by person: the households they were ever said to be in
	homes map[string]*home
	due   int64
	said  uint64 // counts what makes anything stale
}

// home is one household.
type home struct {
	life    Life
	members map[uint32]*stay // everyone who was ever said to be in it
	stale   uint64           // when that was said last; 0: it is up to date
}

// stay is what is known of one member of a household.
type stay struct {
	ties []profile.Tie  // to this household
	last [refBytes]byte // their newest word about whom they are related to
}

// HomeFired is a turn of a household's signal.
type HomeFired struct {
	Household string
	Person    uint32 // who did the last of what made it
	Fired
}

// NewHomes is for the rules of households; nil when there are none.
func (s *Rules) NewHomes() *Homes {
	if s.household == nil {
		return nil
	}
	return &Homes{rules: s.household, of: map[uint32]map[string]bool{}, homes: map[string]*home{}, due: never}
}

// Take takes in an event of a person, and gives what it turned.
func (h *Homes) Take(person uint32, e *event.Event) (all []HomeFired) {
	if saysWho(e) {
		if id, ok := strings.CutPrefix(plain(field(e.Body, "to")), HouseholdKey+":"); ok && id != "" {
			h.enter(person, id)
		}
		h.soil(person)
		return nil
	}
	if len(h.of[person]) == 0 {
		return nil
	}
	if flat, _ := h.rules.Concerns(e); !flat {
		return nil
	}
	for _, id := range slices.Sorted(maps.Keys(h.of[person])) {
		x := h.homes[id]
		member := x.members[person]
		if x.stale > 0 || isAfter(member.last[:], ms(e.Time), &e.ID) {
			h.spoil(x)
			continue
		}
		if !slices.ContainsFunc(member.ties, func(t profile.Tie) bool { return t.InForce(e.Time) }) {
			continue
		}
		var fired []Fired
		var ok bool
		x.life, ok = h.rules.Fold(x.life, e, &fired)
		// Whose events made what time alone has turned is not kept: it is looked up.
		if !ok || slices.ContainsFunc(fired, func(f Fired) bool { return f.UndoneBy == nil && f.Events[len(f.Events)-1] != e.ID }) {
			h.spoil(x)
			continue
		}
		h.due = min(h.due, x.life.Due())
		for _, f := range fired {
			all = append(all, HomeFired{id, person, f})
		}
	}
	return all
}

// enter notes that a person was said to be in a household.
func (h *Homes) enter(person uint32, id string) {
	x := h.homes[id]
	if x == nil {
		x = &home{members: map[uint32]*stay{}}
		h.homes[id] = x
	}
	if x.members[person] == nil {
		x.members[person] = &stay{}
	}
	if h.of[person] == nil {
		h.of[person] = map[string]bool{}
	}
	h.of[person][id] = true
	h.spoil(x)
}

// soil makes all households of a person stale.
func (h *Homes) soil(person uint32) {
	for id := range h.of[person] {
		h.spoil(h.homes[id])
	}
}

func (h *Homes) spoil(x *home) {
	h.said++
	x.stale = h.said
}

// Join is told when two persons became one.
func (h *Homes) Join(from, to uint32) {
	for id := range h.of[from] {
		delete(h.homes[id].members, from)
		h.enter(to, id)
	}
	delete(h.of, from)
	h.soil(to)
}

// Part is told when an unmerge took the person from out of the person to: each may be
// the one who was in a household.
func (h *Homes) Part(from, to uint32) {
	for id := range h.of[to] {
		h.enter(from, id)
	}
	for id := range h.of[from] {
		h.enter(to, id)
	}
}

// Forget lets an erased person go.
func (h *Homes) Forget(person uint32) {
	h.soil(person)
	for id := range h.of[person] {
		delete(h.homes[id].members, person)
	}
	delete(h.of, person)
}

// Pass makes stale what time alone has turned by now.
func (h *Homes) Pass(now time.Time) {
	t := ms(now)
	if h.due > t {
		return
	}
	h.due = never
	for _, x := range h.homes {
		if at := x.life.Due(); at > t {
			h.due = min(h.due, at)
		} else if x.stale == 0 {
			h.spoil(x)
		}
	}
}

// Members is everyone who was ever said to be in a household, sorted.
func (h *Homes) Members(id string) []uint32 {
	if h.homes[id] == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(h.homes[id].members))
}

// Said counts what has made anything stale.
func (h *Homes) Said() uint64 { return h.said }

// Family is a stale household with all that share somebody with it.
type Family struct {
	Households []string
	Members    []uint32
	said       uint64
}

// Stale gives every family in which something is stale.
func (h *Homes) Stale() (all []Family) {
	seen := map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(h.homes)) {
		if h.homes[id].stale == 0 || seen[id] {
			continue
		}
		f := Family{Households: []string{id}}
		seen[id] = true
		for i := 0; i < len(f.Households); i++ {
			x := h.homes[f.Households[i]]
			f.said = max(f.said, x.stale)
			for p := range x.members {
				if slices.Contains(f.Members, p) {
					continue
				}
				f.Members = append(f.Members, p)
				for other := range h.of[p] {
					if !seen[other] {
						seen[other] = true
						f.Households = append(f.Households, other)
					}
				}
			}
		}
		slices.Sort(f.Households)
		slices.Sort(f.Members)
		all = append(all, f)
	}
	return all
}

// Renew folds a family anew: stories are all events of its members, in the order of
// profiles. It gives everything that ever fired of it. ok is false when something more
// was said of it meanwhile; then nothing has changed, and it is to be read again.
func (h *Homes) Renew(f Family, stories map[uint32][]*event.Event, now time.Time) (all []HomeFired, ok bool) {
	for _, id := range f.Households {
		if h.homes[id].stale > f.said {
			return nil, false
		}
	}
	for _, id := range f.Households {
		x := h.homes[id]
		var whole []*event.Event
		whose := map[event.ID]uint32{}
		for p, s := range x.members {
			var in []*event.Event
			in, *s = during(stories[p], id)
			for _, e := range in {
				whole, whose[e.ID] = append(whole, e), p
			}
		}
		slices.SortFunc(whole, profile.Compare)
		var fired []Fired
		x.life, fired = h.rules.Whole(whole, now)
		x.stale = 0
		h.due = min(h.due, x.life.Due())
		for _, turn := range fired {
			of := HomeFired{id, 0, turn}
			if n := len(turn.Events); n > 0 {
				of.Person = whose[turn.Events[n-1]]
			}
			all = append(all, of)
		}
	}
	slices.SortStableFunc(all, func(a, b HomeFired) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Household, b.Household)) })
	return all, true
}
