package decision

import (
	"hash/maphash"
	"strings"
	"sync"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/evidence"
)

// desk is what one decision writes on and nobody keeps: the facts it has looked up
// and the candidates it weighs. It is cleared and used again, so that a decision over
// a thousand rules leaves little behind for the collector, whose helpers would be
// paid by the next decisions. What a Decision holds never lies on it.
type desk struct {
	facts     []known // open addressing, a power of two long, at most half full
	held      int
	proposals [][]proposal
	laid      int      // proposals in use
	read      []string // of the rule that is being walked
	offered   []*proposal
	rejected  []Rejected // a Decision has a copy, as long as it must be
}

// known is a fact of the moment that was looked up already.
type known struct {
	name   string // "": free
	own    bool   // it depends on the need, the group or the action: ask again
	looked bool
	ok     bool
	proven bool // refs are known
	value  any
	refs   []evidence.Ref
}

var desks = sync.Pool{New: func() any { return &desk{facts: make([]known, 64), read: make([]string, 0, 16)} }}

// Bounds of a desk that is kept: one that grew larger is left to the collector.
const (
	widestFacts = 1024
	slab        = 32 // proposals
	mostSlabs   = 64

	mostRejected = 4096
)

// sweep clears the desk for the next decision: nothing of a customer stays on it.
func (d *desk) sweep() {
	clear(d.facts)
	for i := range d.proposals { // the one behind those in use was tried last, and turned down
		for k := range d.proposals[i][:min(slab, max(0, d.laid+1-i*slab))] {
			p := &d.proposals[i][k]
			parts := p.parts[:cap(p.parts)]
			clear(parts)
			*p = proposal{parts: parts[:0]}
		}
	}
	clear(d.read[:cap(d.read)])
	clear(d.offered[:cap(d.offered)])
	clear(d.rejected)
	d.held, d.laid, d.read, d.offered, d.rejected = 0, 0, d.read[:0], d.offered[:0], d.rejected[:0]
	if len(d.facts) <= widestFacts && len(d.proposals) <= mostSlabs && cap(d.rejected) <= mostRejected {
		desks.Put(d)
	}
}

// proposal is the next free one.
func (d *desk) proposal() *proposal {
	if d.laid == len(d.proposals)*slab {
		d.proposals = append(d.proposals, make([]proposal, slab))
	}
	return &d.proposals[d.laid/slab][d.laid%slab]
}

var factSeed = maphash.MakeSeed() // only the places in a desk depend on it

// fact is where a fact stands on the desk; it is valid until the next call.
func (d *desk) fact(name string) *known {
	mask := uint64(len(d.facts) - 1)
	at := maphash.String(factSeed, name) & mask
	for ; d.facts[at].name != ""; at = (at + 1) & mask {
		if d.facts[at].name == name {
			return &d.facts[at]
		}
	}
	if 2*d.held >= len(d.facts) {
		old := d.facts
		d.facts = make([]known, 2*len(old))
		mask = uint64(len(d.facts) - 1)
		for i := range old {
			if old[i].name != "" {
				k := maphash.String(factSeed, old[i].name) & mask
				for d.facts[k].name != "" {
					k = (k + 1) & mask
				}
				d.facts[k] = old[i]
			}
		}
		for at = maphash.String(factSeed, name) & mask; d.facts[at].name != ""; at = (at + 1) & mask {
		}
	}
	d.held++
	k := &d.facts[at]
	k.name, k.own = name, !ofTheMoment(name)
	return k
}

// ofTheMoment tells that a fact is the same for every candidate of a decision.
func ofTheMoment(name string) bool {
	head, _, _ := strings.Cut(name, ".")
	switch head {
	case "now", "person", "scene", "enquiry", "orders", "cases", "assets", "holdings", "contracts", "promotions", "tag", "signal", "calendar", "dialogue", "behalf":
		return true
	}
	return false
}

// recall is a fact of the moment as it was found before, or else now.
func (b *binding) recall(name string) (any, bool) {
	k := b.desk.fact(name)
	switch {
	case k.own:
		return b.fact(name)
	case k.looked:
		return k.value, k.ok
	}
	v, ok := b.fact(name) // it may look up others, and the desk may grow
	k = b.desk.fact(name)
	k.value, k.ok, k.looked = v, ok, true
	return v, ok
}

// proof is cite, remembered for facts of the moment. It is not to be written to.
func (b *binding) proof(name string) []evidence.Ref {
	if b.desk == nil {
		return b.cite(name)
	}
	k := b.desk.fact(name)
	switch {
	case k.own:
		return b.cite(name)
	case k.proven:
		return k.refs
	}
	refs := b.cite(name)
	k = b.desk.fact(name)
	k.refs, k.proven = refs, true
	return refs
}

// page hands out small lists from larger ones that it makes: hundreds of lists of a
// decision are a few pieces of memory. Appending to one leaves its neighbours alone.
type page[T any] struct{ all []T }

const widestPage = 1024

// copy is a list of its own, never nil.
func (p *page[T]) copy(list []T) []T {
	if len(list) == 0 {
		return []T{}
	}
	if cap(p.all)-len(p.all) < len(list) {
		p.all = make([]T, 0, max(len(list), min(2*cap(p.all), widestPage), 16))
	}
	start := len(p.all)
	p.all = append(p.all, list...)
	return p.all[start:len(p.all):len(p.all)]
}

// citeAll names the records that prove facts, each once.
func (b *binding) citeAll(names []string) []evidence.Ref {
	var few [8]evidence.Ref
	refs := few[:0]
	for _, n := range names {
		refs = join(refs, b.proof(n))
	}
	return b.cites.copy(refs)
}

type (
	termPage = page[candidate.Term]
	refPage  = page[evidence.Ref]
)
