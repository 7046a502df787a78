package sqlite

import (
	"fmt"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
)

// words gives numbers to workspaces, keys and event names. Numbers begin at 1, are
// given in the order of the log and never change. The texts of keys are held once,
// by the identity graphs; a log key is only a place in one of them.
//
// The writer changes words under the store's lock, and reads them without; anyone
// else reads under it.
type words struct {
	tenants []*tenant // by number; [0] is nil
	byID    map[string]*tenant
	names   map[string]uint16
	nameOf  []string   // by number; [0] is ""
	keys    []keyPlace // by log key; [0] is unused
	// strays are keys that the graph of this build does not know by the name under
	// which the log defines them (an earlier build blocked fewer placeholders).
	strays map[uint32]identity.Key
}

// tenant is a workspace as the log knows it.
type tenant struct {
	id     string
	number uint32
	graph  *identity.Graph
	mine   []uint32 // the log's key by the graph's number
}

// keyPlace is where a log key's text stands.
type keyPlace struct {
	workspace uint32
	number    uint32 // the graph's; 0: it is a stray, or erased
}

// nameLimit bounds how many event names are numbered; senders may invent names
// without end. Others are written out in their frames.
const nameLimit = 1 << 14

func newWords() *words {
	return &words{
		tenants: make([]*tenant, 1), byID: map[string]*tenant{},
		names: map[string]uint16{}, nameOf: make([]string, 1),
		keys: make([]keyPlace, 1), strays: map[uint32]identity.Key{},
	}
}

// key is the text of a log key, the zero Key when it was erased.
func (d *words) key(n uint32) identity.Key {
	if n == 0 || int(n) >= len(d.keys) {
		return identity.Key{}
	}
	p := d.keys[n]
	if p.number == 0 {
		return d.strays[n]
	}
	return d.tenants[p.workspace].graph.KeyAt(p.number)
}

// number gives the log's number of a key; 0: no event ever came under it.
func (d *words) number(workspace string, k identity.Key) uint32 {
	t := d.byID[workspace]
	if t == nil {
		return 0
	}
	if g := t.graph.Number(k); int(g) < len(t.mine) {
		return t.mine[g]
	}
	return 0
}

func (t *tenant) setMine(number, key uint32) {
	for int(number) >= len(t.mine) {
		t.mine = append(t.mine, 0)
	}
	t.mine[number] = key
}

func (d *words) addTenant(id string) *tenant {
	t := &tenant{id: id, number: uint32(len(d.tenants)), graph: identity.NewGraph(id)}
	d.tenants = append(d.tenants, t)
	d.byID[id] = t
	return t
}

func (d *words) addName(name string) uint16 {
	n := uint16(len(d.nameOf))
	d.nameOf = append(d.nameOf, name)
	d.names[name] = n
	return n
}

// define takes in a definition of a workspace or a name that was read back. The
// same one again changes nothing.
func (d *words) define(x definition) error {
	n := int(x.number)
	switch {
	case x.kind == defineWorkspace && n == len(d.tenants):
		d.addTenant(string(x.value))
	case x.kind == defineName && n == len(d.nameOf):
		d.addName(string(x.value))
	case x.kind == defineWorkspace && n > 0 && n < len(d.tenants), x.kind == defineName && n > 0 && n < len(d.nameOf):
	default:
		return fmt.Errorf("definition of kind %d, number %d is out of order: %w", x.kind, n, errDamaged)
	}
	return nil
}

// The writer's side, under the lock: what has no number yet gets one, and its
// definition goes into the row in work and to what is written behind.

func (w *writer) tenant(id string) *tenant {
	if t := w.s.words.byID[id]; t != nil {
		return t
	}
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	t := w.s.words.addTenant(id)
	w.define(defineWorkspace, t.number, 0, "", id)
	return t
}

func (w *writer) name(name string) uint16 {
	d := w.s.words
	if n, ok := d.names[name]; ok {
		return n
	}
	if len(d.nameOf) >= nameLimit || len(name) > 128 {
		return 0
	}
	n := d.addName(name)
	w.define(defineName, uint32(n), 0, "", name)
	return n
}

// key gives the log's number of a key that the graph knows.
func (w *writer) key(t *tenant, number uint32) uint32 {
	if number == 0 {
		return 0
	}
	if int(number) < len(t.mine) && t.mine[number] != 0 {
		return t.mine[number]
	}
	d := w.s.words
	n := uint32(len(d.keys))
	d.keys = append(d.keys, keyPlace{t.number, number})
	t.setMine(number, n)
	k := t.graph.KeyAt(number)
	w.define(defineKey, n, t.number, k.Kind, k.Value)
	return n
}

func (w *writer) define(kind byte, number, workspace uint32, keyKind, value string) {
	w.row.definitions = appendDefinition(w.row.definitions, kind, number, workspace, keyKind, value)
	if kind != defineKey {
		w.behind.words = appendDefinition(w.behind.words, kind, number, 0, "", value)
	}
}

// who says how a frame tells the ids of its event.
func (w *writer) who(t *tenant, e *event.Event, l *link) {
	key := identity.Key{}
	if l.key != 0 {
		key = w.s.words.key(l.key)
	}
	switch {
	case e.UserID == "":
	case key.Kind == "user" && key.Value == e.UserID:
		l.who |= userIsKey
	default:
		l.who |= userInline
	}
	switch {
	case e.AnonymousID == "":
	case key.Kind == "anon" && key.Value == e.AnonymousID:
		l.who |= anonIsKey
	default:
		if l.beside = w.key(t, t.graph.Number(identity.Anonymous(e.AnonymousID))); l.beside != 0 {
			l.who |= anonBeside
		} else {
			l.who |= anonInline
		}
	}
}
