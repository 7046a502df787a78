package identity

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"hash/maphash"
	"iter"
	"slices"

	"github.com/rapport-cx/rapport/event"
)

// MaxLinks is how many anonymous ids (or other loose keys) may be seen with one
// user id. One that is seen with more is a shared login, a test account or a bot:
// by inference nothing joins it.
const MaxLinks = 1000

// Graph knows every key of a workspace and who it belongs to. Keys have dense
// numbers from 1. It is not safe for concurrent use: the store's one writer owns
// it, readers stand behind the store's lock.
//
// A person is a connected component under these rules, all of which speak of sets
// and never of the order of arrival:
//
//	A. Keys that an explicit merge names are one person, until a newer unmerge
//	   (by event time, then event id) parts the same keys, or one of them alone
//	   from everybody.
//	B. Every key that is no user key (anonymous id, e-mail …) is loose. Loose keys
//	   that A makes one are a cluster; most clusters are one key.
//	C. A cluster without a user key that was seen with the user keys of exactly
//	   one person of A belongs to that person. Seen with two, it is demoted: it
//	   stands on its own.
//	D. A user key that was seen with more than MaxLinks loose keys attracts none.
//	E. A pair that an unmerge parts does not count as seen together.
//	F. A workspace adds kinds of keys (see [Rule]). Keys of a kind that joins are
//	   anchors: C holds for them towards user keys first, and then for loose keys
//	   towards both, an anchor standing for the person it belongs to. Other added
//	   kinds are loose. What a rule blocks, or what is over its limit, counts as
//	   not seen together.
//
// By C a cluster never bridges two persons, so two user ids never become one by
// inference. A verified alias call whose previous id is known as a user id is an
// explicit merge; any alias call is a sighting of the previous id as an anonymous one.
type Graph struct {
	workspace string
	seed      maphash.Seed

	kinds    []string
	classes  []class         // by kind
	rules    map[uint8]*rule // what the workspace said of kinds
	ruled    bool            // a rule blocks or limits something
	counts   map[uint64]int  // key<<8|kind → how many of a limited kind a user key or anchor was seen with
	values   []string        // by number; values[0] is unused
	nodes    []node
	prints   []uint32 // by number: the first four bytes of the person id's hash
	byKey    table
	byPerson table

	also  map[uint64]struct{} // loose<<32|user of second and further links
	more  map[uint32][]uint32 // loose → its second and further users
	apart map[uint32][]uint32 // user → loose keys seen with it that another user or a statement may keep from it
	pairs map[pair]statement
	near  map[uint32][]uint32 // explicit neighbours, whatever their newest statement says
	cuts  map[uint32]stamp    // keys that an unmerge parted from everybody

	fresh   uint32 // numbers from here on were made by the running Observe
	joined  []Join
	old     map[uint32]uint32
	touched []uint32
	scratch []uint32

	saved dirt
}

type node struct {
	link   uint32 // loose: the first user it was seen with; user or anchor: how many keys below it was seen with
	next   uint32 // the next key of the person, a ring
	person uint32 // the representative
	kind   uint8
	seen   bool // an event or record named it; false: only an alias call spoke of it as a possible user id
}

type pair struct{ a, b uint32 } // a < b

// stamp orders statements about the same keys; the newest counts.
type stamp struct {
	ms int64
	id event.ID
}

func (s stamp) before(o stamp) bool {
	return s.ms < o.ms || s.ms == o.ms && bytes.Compare(s.id[:], o.id[:]) < 0
}

type statement struct {
	stamp
	one bool // merged; false: parted
}

// Join tells that the person of number From is now part of the person of number
// To; both are the numbers of representatives. With Parted it is the reverse:
// From has left the person To, and is now a person of its own or, if a Join with
// the same From follows, part of another.
type Join struct {
	From, To uint32
	Parted   bool
}

const (
	kindUser = iota
	kindAnon
	kindEmail
	kindPhone
)

// NewGraph is the graph of a workspace that nobody has visited yet.
func NewGraph(workspace string) *Graph {
	return &Graph{
		workspace: workspace,
		seed:      maphash.MakeSeed(),
		kinds:     []string{"user", "anon", "email", "phone"},
		classes:   []class{userClass, looseClass, looseClass, looseClass},
		rules:     map[uint8]*rule{}, counts: map[uint64]int{},
		values: make([]string, 1), nodes: make([]node, 1), prints: make([]uint32, 1),
		also: map[uint64]struct{}{}, more: map[uint32][]uint32{}, apart: map[uint32][]uint32{},
		pairs: map[pair]statement{}, near: map[uint32][]uint32{}, cuts: map[uint32]stamp{}, old: map[uint32]uint32{},
		saved: dirt{keys: 1},
	}
}

// Len is the highest number in use.
func (g *Graph) Len() int { return len(g.values) - 1 }

// KeyAt is the key of a number; the zero Key for 0 and unknown numbers.
func (g *Graph) KeyAt(number uint32) Key {
	if number == 0 || int(number) >= len(g.values) {
		return Key{}
	}
	return Key{g.kinds[g.nodes[number].kind], g.values[number]}
}

// Number is the number of a key, 0 when it was never seen.
func (g *Graph) Number(k Key) uint32 {
	k = k.normal()
	kind, ok := g.kind(k.Kind)
	if !ok {
		return 0
	}
	n := g.lookup(kind, k.Value)
	if n == 0 || !g.nodes[n].seen {
		return 0
	}
	return n
}

// PersonNumber is the number of the representative of a key's person.
func (g *Graph) PersonNumber(number uint32) uint32 {
	if int(number) >= len(g.nodes) {
		return 0
	}
	return g.nodes[number].person
}

// Members appends the numbers of all keys of the person to which a number
// belongs, in no order that means anything.
func (g *Graph) Members(to []uint32, number uint32) []uint32 {
	if number == 0 || int(number) >= len(g.nodes) {
		return to
	}
	for n := number; ; {
		to = append(to, n)
		if n = g.nodes[n].next; n == number {
			return to
		}
	}
}

// PersonAt is the person to which a number belongs.
func (g *Graph) PersonAt(number uint32) Person {
	if number == 0 || int(number) >= len(g.nodes) {
		return Person{}
	}
	var buf [16]uint32
	members := g.Members(buf[:0], number)
	keys := make([]Key, len(members))
	for i, m := range members {
		keys[i] = g.KeyAt(m)
	}
	slices.SortFunc(keys, Key.Compare)
	return Person{ID: PersonOf(g.workspace, g.KeyAt(g.nodes[number].person)), Keys: keys}
}

// Resolve says who a key belongs to and the number of that person's
// representative. A key never seen is a person of its own, number 0.
func (g *Graph) Resolve(k Key) (p Person, number uint32, known bool) {
	n := g.Number(k)
	if n == 0 {
		k = k.normal()
		return Person{ID: PersonOf(g.workspace, k), Keys: []Key{k}}, 0, false
	}
	return g.PersonAt(n), g.nodes[n].person, true
}

// ByID finds the person whom any of their keys, alone, would have given this id:
// the id that a person had before a merge leads to the merged one.
func (g *Graph) ByID(id PersonID) (p Person, number uint32, known bool) {
	const prefix = "per_"
	if len(id) != len(prefix)+24 || id[:4] != prefix {
		return Person{}, 0, false
	}
	var raw [15]byte
	if _, err := personEncoding.Decode(raw[:], []byte(id[4:])); err != nil {
		return Person{}, 0, false
	}
	n := g.byPerson.find(binary.BigEndian.Uint32(raw[:]), func(n uint32) bool {
		return g.nodes[n].seen && PersonOf(g.workspace, g.KeyAt(n)) == id
	})
	if n == 0 {
		return Person{}, 0, false
	}
	return g.PersonAt(n), g.nodes[n].person, true
}

// Statement is the body of a merge or unmerge record. Keys are "kind:value". A
// merge makes them one person; an unmerge of several parts each pair of them, an
// unmerge of one parts it from everybody. Whoever merges two persons names their
// representatives.
type Statement struct {
	Keys []string `json:"keys"`
}

// Observe takes in what an event says about who is who. It gives the number of
// the key under which the event stays (0: it is nobody's) and what changed; the
// slice is valid until the next call. An event whose keys and link are known
// costs two lookups and no allocation.
func (g *Graph) Observe(e *event.Event) (number uint32, joined []Join) {
	g.fresh = uint32(len(g.values))
	g.joined = g.joined[:0]
	if e.Kind == event.Record {
		switch e.Name {
		case "merge", "unmerge":
			return g.state(e), g.joined
		case "identifier":
			g.define(e)
			return 0, g.joined
		}
	}
	var user, anon uint32
	if !Blocked(e.UserID) {
		user = g.see(kindUser, e.UserID)
	}
	if !Blocked(e.AnonymousID) {
		anon = g.see(kindAnon, e.AnonymousID)
	}
	if user != 0 && anon != 0 {
		g.link(anon, user)
	}
	if len(g.kinds) > builtIn && (user != 0 || anon != 0) {
		g.external(e, user, anon)
	}
	if user != 0 {
		switch {
		case e.Kind == event.Alias && !Blocked(e.Subject):
			g.alias(e, user)
		case e.Verified && (e.Kind == event.Identify || e.Kind == event.Record && e.Name == "person"):
			g.addresses(e, user)
		}
		return user, g.joined
	}
	return anon, g.joined
}

func (g *Graph) alias(e *event.Event, user uint32) {
	g.link(g.see(kindAnon, e.Subject), user)
	if !e.Verified || e.Subject == e.UserID {
		return
	}
	previous := g.lookup(kindUser, e.Subject)
	if previous == 0 {
		previous = g.intern(kindUser, e.Subject)
	}
	g.tell(pair{previous, user}, statement{stamp{e.Time.UnixMilli(), e.ID}, true})
}

// addresses links the e-mail and phone of a verified identify call: whoever may
// look people up can do so by them. An unverified one could name anybody's.
func (g *Graph) addresses(e *event.Event, user uint32) {
	if !bytes.Contains(e.Body, []byte(`"email"`)) && !bytes.Contains(e.Body, []byte(`"phone"`)) {
		return
	}
	var traits struct {
		Email any `json:"email"`
		Phone any `json:"phone"`
	}
	if json.Unmarshal(e.Body, &traits) != nil {
		return
	}
	if v, ok := traits.Email.(string); ok {
		if k := (Key{"email", v}).normal(); !Blocked(k.Value) && len(k.Value) <= 320 {
			g.link(g.see(kindEmail, k.Value), user)
		}
	}
	if v, ok := traits.Phone.(string); ok {
		if k := (Key{"phone", v}).normal(); !Blocked(k.Value) && len(k.Value) <= 32 {
			g.link(g.see(kindPhone, k.Value), user)
		}
	}
}

func (g *Graph) state(e *event.Event) (first uint32) {
	var s Statement
	if e.Deleted || json.Unmarshal(e.Body, &s) != nil {
		return 0
	}
	var named []uint32
	for _, text := range s.Keys {
		k, ok := ParseKey(text)
		if !ok || Blocked(k.Value) {
			continue
		}
		kind, ok := g.addKind(k.Kind)
		if !ok {
			continue
		}
		if n := g.see(kind, k.Value); !slices.Contains(named, n) {
			named = append(named, n)
		}
	}
	if len(named) == 0 {
		return 0
	}
	at := stamp{e.Time.UnixMilli(), e.ID}
	switch {
	case e.Name == "merge":
		for _, n := range named[1:] {
			g.tell(pair{named[0], n}, statement{at, true})
		}
	case len(named) == 1:
		g.cut(named[0], at)
	default:
		for i, a := range named {
			for _, b := range named[:i] {
				g.tell(pair{a, b}, statement{at, false})
			}
		}
	}
	return named[0]
}

func (g *Graph) kind(name string) (uint8, bool) {
	i := slices.Index(g.kinds, name)
	return uint8(i), i >= 0
}

func (g *Graph) addKind(name string) (uint8, bool) {
	if k, ok := g.kind(name); ok {
		return k, true
	}
	if len(g.kinds) == 255 {
		return 0, false
	}
	g.kinds = append(g.kinds, name)
	g.classes = append(g.classes, looseClass)
	return uint8(len(g.kinds) - 1), true
}

func (g *Graph) hash(kind uint8, value string) uint32 {
	h := maphash.String(g.seed, value)
	return uint32(h>>32) ^ uint32(kind)*0x9e3779b9
}

func (g *Graph) lookup(kind uint8, value string) uint32 {
	t, hash := &g.byKey, g.hash(kind, value)
	if len(t.slots) == 0 {
		return 0
	}
	mask := uint32(len(t.slots) - 1)
	for i := hash & mask; t.slots[i] != 0; i = (i + 1) & mask {
		if s := t.slots[i]; uint32(s>>32) == hash {
			if n := uint32(s); g.nodes[n].kind == kind && g.values[n] == value {
				return n
			}
		}
	}
	return 0
}

// intern gives a key its number without saying that anybody was seen under it.
func (g *Graph) intern(kind uint8, value string) uint32 {
	value = string(append([]byte(nil), value...)) // the sender's buffer may be large
	var h [32]byte
	var buf [256]byte
	text := append(append(append(append(append(buf[:0], g.workspace...), 0), g.kinds[kind]...), 0), value...)
	h = sha256.Sum256(text)
	print := binary.BigEndian.Uint32(h[:])
	n := g.add(kind, value, print)
	g.byKey.add(g.hash(kind, value), n)
	g.byPerson.add(print, n)
	return n
}

// add makes the next number; the caller sees to it that it is found.
func (g *Graph) add(kind uint8, value string, print uint32) uint32 {
	n := uint32(len(g.values))
	g.values = append(g.values, value)
	g.nodes = append(g.nodes, node{next: n, person: n, kind: kind})
	g.prints = append(g.prints, print)
	return n
}

// see is the number of a key that an event or record names.
func (g *Graph) see(kind uint8, value string) uint32 {
	n := g.lookup(kind, value)
	if n != 0 && g.nodes[n].seen {
		return n
	}
	if n == 0 {
		n = g.intern(kind, value)
	}
	g.nodes[n].seen = true
	if n < g.saved.keys {
		g.saved.seen = append(g.saved.seen, n)
	}
	if len(g.near[n]) > 0 { // an alias call had spoken of it
		g.settle(append(g.seenNear(n), n)...)
	}
	return n
}

func (g *Graph) seenNear(n uint32) []uint32 {
	return slices.DeleteFunc(slices.Clone(g.near[n]), func(m uint32) bool { return !g.nodes[m].seen })
}

// link notes that a loose key and a user key came in one event, or an anchor and
// a key above or below it.
func (g *Graph) link(loose, user uint32) {
	n := &g.nodes[loose]
	anchor := g.class(loose) == anchorClass
	if !anchor && n.link == user {
		return
	}
	second := anchor || n.link != 0
	if anchor {
		if _, known := g.also[uint64(loose)<<32|uint64(user)]; known {
			return
		}
		g.also[uint64(loose)<<32|uint64(user)] = struct{}{}
		g.more[loose] = append(g.more[loose], user)
	} else if second {
		if _, known := g.also[uint64(loose)<<32|uint64(user)]; known {
			return
		}
		g.also[uint64(loose)<<32|uint64(user)] = struct{}{}
		g.more[loose] = append(g.more[loose], user)
		if len(g.more[loose]) == 1 && len(g.near[loose]) == 0 {
			g.apart[n.link] = append(g.apart[n.link], loose)
		}
	} else {
		n.link = user
	}
	if second || len(g.near[loose]) > 0 {
		g.apart[user] = append(g.apart[user], loose)
	}
	g.saved.links = append(g.saved.links, [2]uint32{loose, user})
	g.nodes[user].link++
	over := g.tally(user, n.kind)
	switch count := g.nodes[user].link; {
	case count == MaxLinks+1, over, anchor:
		g.settle(user, loose)
	case !second && !g.ruled && len(g.near[loose]) == 0 && len(g.pairs) == 0 && len(g.cuts) == 0 && count <= MaxLinks:
		// The usual case: an anonymous id meets its first user.
		was := n.person
		g.ring(loose, user)
		n.person = g.nodes[user].person
		if was < g.fresh && n.person != was {
			g.joined = append(g.joined, Join{From: was, To: n.person})
		}
	case g.rank(g.cluster(loose)) == anchorClass:
		g.settle(user, loose) // what is below its anchors moves with it
	default:
		g.begin()
		g.rehome(loose)
		g.report()
	}
}

// tell notes a merge or unmerge of two keys, unless a newer one is known.
func (g *Graph) tell(p pair, s statement) {
	if p.a > p.b {
		p.a, p.b = p.b, p.a
	}
	known, had := g.pairs[p]
	if had && !known.before(s.stamp) {
		return
	}
	g.pairs[p] = s
	if !had {
		for _, n := range [2]uint32{p.a, p.b} {
			if d := g.nodes[n]; g.class(n) == looseClass && d.link != 0 && len(g.near[n]) == 0 && len(g.more[n]) == 0 {
				g.apart[d.link] = append(g.apart[d.link], n)
			}
		}
		g.near[p.a] = append(g.near[p.a], p.b)
		g.near[p.b] = append(g.near[p.b], p.a)
	}
	g.saved.pairs = append(g.saved.pairs, p)
	g.settle(p.a, p.b)
}

func (g *Graph) cut(n uint32, at stamp) {
	if known, had := g.cuts[n]; had && !known.before(at) {
		return
	}
	g.cuts[n] = at
	g.saved.cuts = append(g.saved.cuts, n)
	g.settle(n)
}

// one tells that a merge of two keys is in force.
func (g *Graph) one(a, b uint32) bool {
	if !g.nodes[a].seen || !g.nodes[b].seen {
		return false
	}
	if a > b {
		a, b = b, a
	}
	s, ok := g.pairs[pair{a, b}]
	if !ok || !s.one {
		return false
	}
	for _, n := range [2]uint32{a, b} {
		if at, was := g.cuts[n]; was && s.before(at) {
			return false
		}
	}
	return true
}

// cluster lists the keys that rule A makes one with n, n first.
func (g *Graph) cluster(n uint32) []uint32 {
	all := []uint32{n}
	for i := 0; i < len(all); i++ {
		for _, m := range g.near[all[i]] {
			if g.one(all[i], m) && !slices.Contains(all, m) {
				all = append(all, m)
			}
		}
	}
	return all
}

// class of a key: who it can stand for.
func (g *Graph) class(n uint32) class { return g.classes[g.nodes[n].kind] }

// rank of a cluster is the class of its best key.
func (g *Graph) rank(keys []uint32) class {
	best := looseClass
	for _, n := range keys {
		best = min(best, g.class(n))
	}
	return best
}

// above goes over the keys above a key with which it was seen.
func (g *Graph) above(n uint32) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		if g.class(n) == looseClass {
			if g.nodes[n].link == 0 || !yield(g.nodes[n].link) {
				return
			}
		}
		for _, u := range g.more[n] {
			if !yield(u) {
				return
			}
		}
	}
}

// home is a key of the one person to whom rule C gives a cluster, 0 for none. The
// key is of a better class than any of the cluster's.
func (g *Graph) home(cluster []uint32) uint32 {
	rank := g.rank(cluster)
	var root, user uint32
	for _, loose := range cluster {
		if _, was := g.cuts[loose]; was || g.ruled && g.blocks(loose) {
			continue
		}
		for u := range g.above(loose) {
			if g.class(u) >= rank || g.nodes[u].link > MaxLinks || g.parted(loose, u) || g.ruled && g.refuses(u, g.nodes[loose].kind) {
				continue
			}
			r := g.root(u)
			if root != 0 && r != root {
				return 0
			}
			root, user = r, u
		}
	}
	return user
}

// root is the same number for any two keys, user keys or anchors, of one person.
func (g *Graph) root(u uint32) uint32 {
	cluster := g.cluster(u)
	if g.rank(cluster) == anchorClass {
		if user := g.home(cluster); user != 0 {
			cluster = g.cluster(user)
		}
	}
	return slices.Min(cluster)
}

func (g *Graph) parted(a, b uint32) bool {
	if len(g.pairs) == 0 {
		return false
	}
	if a > b {
		a, b = b, a
	}
	s, ok := g.pairs[pair{a, b}]
	return ok && !s.one
}

// ring makes the rings of two keys of different persons one.
func (g *Graph) ring(a, b uint32) {
	g.nodes[a].next, g.nodes[b].next = g.nodes[b].next, g.nodes[a].next
}

// leave takes the keys out of their ring, each into a ring of its own.
func (g *Graph) leave(keys []uint32) {
	for _, n := range keys {
		before := n
		for g.nodes[before].next != n {
			before = g.nodes[before].next
		}
		g.nodes[before].next = g.nodes[n].next
		g.nodes[n].next = n
	}
}

// name makes the right key of one's ring its representative: the smallest user
// key, else the smallest anchor, else the smallest key.
func (g *Graph) name(n uint32) {
	best := n
	for m := g.nodes[n].next; m != n; m = g.nodes[m].next {
		if c, b := g.class(m), g.class(best); c < b || c == b && g.KeyAt(m).Compare(g.KeyAt(best)) < 0 {
			best = m
		}
	}
	for m := n; ; {
		g.nodes[m].person = best
		if m = g.nodes[m].next; m == n {
			return
		}
	}
}

func (g *Graph) begin() {
	clear(g.old)
	g.touched = g.touched[:0]
}

func (g *Graph) remember(n uint32) {
	if _, known := g.old[n]; !known {
		g.old[n] = g.nodes[n].person
		g.touched = append(g.touched, n)
	}
}

// rehome places the cluster of a loose key anew by rule C.
func (g *Graph) rehome(loose uint32) {
	cluster := g.cluster(loose)
	if g.rank(cluster) == userClass {
		return
	}
	for _, n := range cluster {
		g.remember(n)
	}
	g.leave(cluster)
	for _, n := range cluster[1:] {
		g.ring(cluster[0], n)
	}
	if user := g.home(cluster); user != 0 {
		g.ring(cluster[0], user)
		for _, n := range cluster {
			g.nodes[n].person = g.nodes[user].person
		}
		return
	}
	g.name(cluster[0])
}

// settle builds the persons of the touched keys anew after an explicit statement.
// What it can change: those persons themselves, the clusters that were seen with
// one of their user keys and with another's, and the persons of anchors of which
// that is true, with all that hangs on them.
func (g *Graph) settle(touched ...uint32) {
	g.begin()
	g.scratch = g.scratch[:0]
	include := func(t uint32) {
		if _, known := g.old[t]; known {
			return
		}
		from := len(g.scratch)
		g.scratch = g.Members(g.scratch, t)
		for _, n := range g.scratch[from:] {
			g.remember(n)
		}
	}
	for _, t := range touched {
		include(t)
	}
	var loose []uint32
	for i := 0; i < len(g.scratch); i++ { // it grows
		n := g.scratch[i]
		if g.class(n) == looseClass {
			continue
		}
		loose = append(loose, g.apart[n]...)
		for _, m := range g.apart[n] {
			if len(g.kinds) > builtIn && g.rank(g.cluster(m)) == anchorClass {
				include(m)
			}
		}
	}
	all := slices.Clone(g.scratch)
	for _, n := range all {
		g.nodes[n].next, g.nodes[n].person = n, n
	}
	placed := make(map[uint32]bool, len(all))
	for _, n := range all {
		if placed[n] {
			continue
		}
		cluster := g.cluster(n)
		for _, m := range cluster {
			placed[m] = true
			if m != n {
				g.ring(n, m)
			}
		}
		g.name(n)
		if g.rank(cluster) != userClass {
			loose = append(loose, n)
		}
	}
	if len(g.kinds) > builtIn { // anchors first: what is loose follows them
		slices.SortStableFunc(loose, func(a, b uint32) int { return int(g.rank(g.cluster(a))) - int(g.rank(g.cluster(b))) })
	}
	for _, n := range loose {
		g.rehome(n)
	}
	g.report()
}

// report turns the difference between g.old and now into joins.
func (g *Graph) report() {
	type move struct{ from, to uint32 }
	var told []move
	for _, n := range g.touched {
		was, is := g.old[n], g.nodes[n].person
		if was == is || n >= g.fresh {
			continue
		}
		if was == n { // the person n was is now part of another
			g.joined = append(g.joined, Join{From: n, To: is})
			continue
		}
		if now, touched := g.old[was]; touched && now == was && g.nodes[was].person == is {
			continue // it moved along with its representative
		}
		if slices.Contains(told, move{was, is}) {
			continue
		}
		told = append(told, move{was, is})
		from := n
		if before, touched := g.old[is]; touched && before == was {
			from = is
		}
		g.joined = append(g.joined, Join{From: from, To: was, Parted: true})
		if from != is {
			g.joined = append(g.joined, Join{From: from, To: is})
		}
	}
}

// People lists persons who have a user id or an anchor, those whose
// representative came last first: the ones numbered below before (0: all), at most
// limit of them. next is where to go on, 0 at the end.
func (g *Graph) People(before uint32, limit int) (people []Person, next uint32) {
	n := uint32(len(g.values))
	if before != 0 && before < n {
		n = before
	}
	for n--; n > 0 && n < uint32(len(g.values)); n-- {
		if g.nodes[n].person != n || !g.nodes[n].seen || g.class(n) == looseClass {
			continue // visitors, and addresses of nobody
		}
		if people = append(people, g.PersonAt(n)); len(people) == limit {
			return people, n
		}
	}
	return people, 0
}

// Apart tells that somebody said of two persons, by the numbers of any of their
// keys, that they are not one: an unmerge between their keys is in force.
func (g *Graph) Apart(a, b uint32) bool {
	if len(g.pairs) == 0 {
		return false
	}
	person := g.PersonNumber(b)
	for _, n := range g.Members(nil, a) {
		for _, m := range g.near[n] {
			if g.PersonNumber(m) == person && g.parted(n, m) {
				return true
			}
		}
	}
	return false
}
