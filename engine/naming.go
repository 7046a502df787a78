package engine

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/scene"
	"github.com/rapport-cx/rapport/treatment"
)

// namer gives the evidence of one answer short names in the order of their first
// mention and opens each record once, from what was read for the decision.
type namer struct {
	in     *Inputs
	moment moment
	refs   []evidence.Ref
	names  map[evidence.Ref]evidence.Ref
}

func (n *namer) name(r evidence.Ref) evidence.Ref {
	if s, ok := n.names[r]; ok {
		return s
	}
	if n.names == nil {
		n.names = make(map[evidence.Ref]evidence.Ref)
	}
	n.refs = append(n.refs, r)
	s := evidence.Ref("ev" + strconv.Itoa(len(n.refs)))
	n.names[r] = s
	return s
}

func (n *namer) all(refs []evidence.Ref) []evidence.Ref {
	out := make([]evidence.Ref, len(refs))
	for i, r := range refs {
		out[i] = n.name(r)
	}
	return out
}

func (n *namer) needs(in []need.Need) []need.Need {
	out := make([]need.Need, len(in))
	for i, x := range in {
		x.Evidence = n.all(x.Evidence)
		if x.Entities == nil {
			x.Entities = []need.Entity{}
		}
		if x.RefersTo == nil {
			x.RefersTo = []string{}
		}
		out[i] = x
	}
	return out
}

func (n *namer) reasons(in []treatment.Reason) []treatment.Reason {
	out := make([]treatment.Reason, len(in))
	for i, r := range in {
		r.Evidence = n.all(r.Evidence)
		out[i] = r
	}
	return out
}

func (n *namer) actions(in []treatment.Action) []treatment.Action {
	out := make([]treatment.Action, len(in))
	for i, x := range in {
		x.Reasons = n.reasons(x.Reasons)
		out[i] = x
	}
	return out
}

func (n *namer) blocks(in []treatment.Block) []treatment.Block {
	out := make([]treatment.Block, len(in))
	for i, b := range in {
		if b.Reasons != nil {
			b.Reasons = n.reasons(b.Reasons)
		}
		if b.Ev != nil {
			b.Ev = n.all(b.Ev)
		}
		if b.Cards != nil {
			b.Cards = slices.Clone(b.Cards)
			for j := range b.Cards {
				if b.Cards[j].Reasons != nil {
					b.Cards[j].Reasons = n.reasons(b.Cards[j].Reasons)
				}
			}
		}
		out[i] = b
	}
	return out
}

// table opens every record that was named.
func (n *namer) table() map[string]evidence.Record {
	t := make(map[string]evidence.Record, len(n.refs))
	for i, r := range n.refs {
		f := n.open(r)
		t["ev"+strconv.Itoa(i+1)] = evidence.Record{
			Kind: r.Kind(), Ref: Qualified(r, n.in.owner(r.Kind())), At: f.At, Summary: treatment.Summarise(f, n.in.Scene),
		}
	}
	return t
}

// open finds what a ref says in the fold and on the shelf of the decision.
func (n *namer) open(r evidence.Ref) treatment.Fact {
	id, _ := r.ID()
	f := treatment.Fact{Kind: r.Kind(), Ref: r, At: n.in.Scene.Time, Name: id}
	switch r.Kind() {
	case evidence.Event:
		if ev, ok := n.moment.who.Event(r); ok {
			f.At, f.Name = ev.Time, ev.Name
			if treatment.Tells(ev.Name) {
				f.Fields = ev.Properties()
			}
			break
		}
		// What somebody said of themselves is folded into traits and not kept as an event.
		for _, t := range n.moment.who.Traits {
			if t.Evidence == r {
				f.At, f.Name = t.At, event.Identify.String()
				break
			}
		}
	case evidence.Item:
		if it, ok := n.moment.catalogue.Item(id); ok {
			f.Title = it.Title
		}
	case evidence.Relation:
		f.Title = n.relation(id)
	case evidence.Article:
		if a, ok := n.moment.catalogue.Article(id); ok {
			f.Title = candidate.Text{Zh: a.Title, En: a.Title}
		}
	case evidence.Trait:
		if t, ok := n.moment.who.Traits[id]; ok {
			f.At, f.Fields = t.At, map[string]any{"value": t.Value}
		}
	default:
		if rec, ok := n.moment.who.Records[r.Kind()][id]; ok {
			f.At, f.Fields = rec.UpdatedAt, rec.Fields
			if product := rec.Text("product_id"); product != "" {
				if it, ok := n.moment.catalogue.Item(product); ok {
					f.Title = it.Title
				}
			}
		}
	}
	return f
}

// relation names the two ends of a relation by what they are called.
func (n *namer) relation(id string) candidate.Text {
	parts := strings.Split(id, "|")
	if len(parts) != 3 {
		return candidate.Text{}
	}
	called := func(end string) candidate.Text {
		if plain, err := url.QueryUnescape(end); err == nil {
			end = plain
		}
		_, bare, _ := strings.Cut(end, ":")
		for _, id := range []string{end, bare} {
			if it, ok := n.moment.catalogue.Item(id); ok && it.Title != (candidate.Text{}) {
				return it.Title
			}
		}
		return candidate.Text{Zh: end, En: end}
	}
	from, to := called(parts[0]), called(parts[2])
	return candidate.Text{Zh: from.In(scene.Chinese) + " → " + to.In(scene.Chinese), En: from.In(scene.English) + " → " + to.In(scene.English)}
}

// personal are the kinds of record that belong to a person: their ids mean
// something only together with whose they are.
var personal = []evidence.Kind{
	evidence.Order, evidence.Asset, evidence.Case, evidence.Holding, evidence.Enrolment,
	evidence.Contract, evidence.Relationship, evidence.Trait, evidence.Tag, evidence.Signal, evidence.Preference,
}

// Qualified is a ref as it leaves the house: a personal record's carries its
// person ("order:1001;per_…"), so that it opens by itself.
func Qualified(r evidence.Ref, person string) evidence.Ref {
	if slices.Contains(personal, r.Kind()) && person != "" {
		return r + ";" + evidence.Ref(person)
	}
	return r
}

// Unqualified undoes Qualified.
func Unqualified(r evidence.Ref) (ref evidence.Ref, person string) {
	head, tail, _ := strings.Cut(string(r), ";")
	return evidence.Ref(head), tail
}
