package identity

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/rapport-cx/rapport/event"
)

// Rule is what a workspace says of a kind of id: a unionid, an openid, the
// external_userid of a chat tool, a card number. It is a record of the log, of the
// kind identifier with the kind as its id. Ids of an added kind are taken from what
// arrives after its first rule; limit, shared and blocked may change later and then
// hold for the past, too.
type Rule struct {
	Kind string `json:"kind"`
	// Joins: the id names somebody across apps and devices, as a user id does; an
	// anonymous id seen with one belongs to its person. It cannot be changed. Others
	// (an openid) belong to the person they were seen with and join nothing.
	Joins bool `json:"joins"`
	// PerApp: the same text names different people in different apps; an id that
	// comes without its app counts as not seen.
	PerApp bool `json:"per_app"`
	// Claimed: an id that an unproven browser states counts, too. It cannot be changed.
	Claimed bool `json:"claimed"`
	// Shared: one id may be many people's, so it belongs to nobody by inference.
	Shared bool `json:"shared"`
	// Limit is how many ids of the kind one user id may have; one that was seen with
	// more attracts none of them. 0: DefaultLimit for added kinds, MaxLinks for the others.
	Limit int `json:"limit"`
	// Blocked are values that name nobody: the hotline's number, a test account.
	Blocked []string `json:"blocked"`
}

// DefaultLimit is how many ids of an added kind one user id may have.
const DefaultLimit = 10

// MaxKinds is how many kinds of keys one workspace may have, those built in among them.
const MaxKinds = 64

// mostExternal bounds how many ids of added kinds one event may state.
const mostExternal = 16

// class says whom a key can stand for. A lower one is better.
type class uint8

const (
	userClass class = iota
	anchorClass
	looseClass
)

// builtIn is how many kinds every workspace has.
const builtIn = 4

type rule struct {
	Rule
	stamp
	blocked map[string]bool
}

// ReadRule reads the body of an identifier record.
func ReadRule(kind string, body []byte) (r Rule, ok bool) {
	if json.Unmarshal(body, &r) != nil || len(r.Blocked) > 10_000 || r.Limit < 0 {
		return r, false
	}
	r.Kind = kind
	_, ok = ParseKey(kind + ":x")
	return r, ok
}

// Rules are what the workspace said, by kind.
func (g *Graph) Rules() []Rule {
	var out []Rule
	for _, r := range g.rules {
		out = append(out, r.Rule)
	}
	slices.SortFunc(out, func(a, b Rule) int { return strings.Compare(a.Kind, b.Kind) })
	return out
}

func (g *Graph) define(e *event.Event) {
	r, ok := ReadRule(e.Subject, e.Body)
	if e.Deleted || !ok {
		return
	}
	kind, known := g.kind(r.Kind)
	if !known {
		if len(g.kinds) >= MaxKinds {
			return
		}
		kind, _ = g.addKind(r.Kind)
	}
	g.adopt(kind, r, stamp{e.Time.UnixMilli(), e.ID})
}

// adopt takes a rule over, unless a newer one of its kind is in force.
func (g *Graph) adopt(kind uint8, r Rule, at stamp) {
	was := g.rules[kind]
	if was != nil && !was.before(at) {
		return
	}
	switch {
	case was != nil:
		r.Joins, r.Claimed = was.Joins, was.Claimed
	case kind < builtIn:
		r.Joins, r.Claimed, r.PerApp = false, false, false
	case slices.ContainsFunc(g.nodes[1:], func(n node) bool { return n.kind == kind }):
		r.Joins = false // a merge named such keys before: they are loose for good
	case r.Joins:
		g.classes[kind] = anchorClass
	}
	next := &rule{Rule: r, stamp: at, blocked: map[string]bool{}}
	for _, v := range r.Blocked {
		next.blocked[Key{r.Kind, v}.normal().Value] = true
	}
	g.rules[kind] = next
	g.saved.rules = true
	g.ruled = true
	g.recount(kind)
	var touched []uint32
	for n := uint32(1); n < uint32(len(g.nodes)); n++ {
		concerned := g.nodes[n].kind == kind
		for u := range g.above(n) {
			concerned = concerned || g.nodes[u].kind == kind
		}
		if concerned {
			touched = append(touched, n)
		}
	}
	if len(touched) > 0 {
		g.settle(touched...)
	}
}

// recount counts anew how many keys of a kind each key above was seen with.
func (g *Graph) recount(kind uint8) {
	maps.DeleteFunc(g.counts, func(k uint64, _ int) bool { return uint8(k) == kind })
	for n := uint32(1); n < uint32(len(g.nodes)); n++ {
		if g.nodes[n].kind != kind {
			continue
		}
		for u := range g.above(n) {
			g.counts[uint64(u)<<8|uint64(kind)]++
		}
	}
}

// tally counts one more key of a kind seen with a key above; over tells that this
// is the first one over the limit.
func (g *Graph) tally(u uint32, kind uint8) (over bool) {
	r := g.rules[kind]
	if r == nil {
		return false
	}
	at := uint64(u)<<8 | uint64(kind)
	g.counts[at]++
	return g.counts[at] == r.most()+1
}

func (r *rule) most() int {
	switch {
	case r.Limit > 0:
		return r.Limit
	case r.Kind == "user" || r.Kind == "anon" || r.Kind == "email" || r.Kind == "phone":
		return MaxLinks
	}
	return DefaultLimit
}

// blocks tells that by its kind's rule a key belongs to nobody by inference.
func (g *Graph) blocks(n uint32) bool {
	r := g.rules[g.nodes[n].kind]
	if r == nil {
		return false
	}
	v := g.values[n]
	return r.Shared || r.blocked[v] || r.PerApp && (!strings.Contains(v, "/") || r.blocked[v[strings.IndexByte(v, '/')+1:]])
}

// refuses tells that a key attracts none of a kind: it is blocked or was seen with
// too many of them.
func (g *Graph) refuses(u uint32, kind uint8) bool {
	if g.blocks(u) {
		return true
	}
	r := g.rules[kind]
	return r != nil && g.counts[uint64(u)<<8|uint64(kind)] > r.most()
}

// stated is one id as an event states it, in Segment's way: context.externalIds
// [{"type":"unionid","id":"…"}], with "app" for a kind that is each app's own; and
// external_ids in the traits of an identify call or a person record.
type stated struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	App  string `json:"app"`
}

// external takes in the ids of added kinds. They belong to the event's user key;
// where there is none, its anonymous id belongs to those that join.
func (g *Graph) external(e *event.Event, user, anon uint32) {
	var all []stated
	if bytes.Contains(e.Context, []byte(`"externalIds"`)) {
		var c struct {
			IDs []stated `json:"externalIds"`
		}
		if json.Unmarshal(e.Context, &c) == nil {
			all = c.IDs
		}
	}
	if (e.Kind == event.Identify || e.Kind == event.Record && e.Name == "person") && bytes.Contains(e.Body, []byte(`"external_ids"`)) {
		var c struct {
			IDs []stated `json:"external_ids"`
		}
		if json.Unmarshal(e.Body, &c) == nil {
			all = append(all, c.IDs...)
		}
	}
	var keys []uint32
	for _, s := range all[:min(len(all), mostExternal)] {
		kind, known := g.kind(s.Type)
		r := g.rules[kind]
		if !known || kind < builtIn || r == nil || !e.Verified && !r.Claimed || Blocked(s.ID) || len(s.ID)+len(s.App) > 256 || strings.Contains(s.App, "/") {
			continue
		}
		v := Key{s.Type, s.ID}.normal().Value
		if s.App != "" {
			v = s.App + "/" + v
		}
		if n := g.see(kind, v); !slices.Contains(keys, n) {
			keys = append(keys, n)
		}
	}
	for _, n := range keys {
		if user != 0 {
			g.link(n, user)
		}
		if g.class(n) != anchorClass {
			continue
		}
		if anon != 0 {
			g.link(anon, n)
		}
		for _, m := range keys { // an openid belongs to the unionid beside it
			if g.class(m) == looseClass {
				g.link(m, n)
			}
		}
	}
}
