package profile

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/profile/topic"
)

// HalfLife is the age at which what happened weighs half in the demand graph.
const HalfLife = 90 * 24 * time.Hour

// Graph is the demand graph of one person at one time: what they deal with and
// how strongly, every edge with the events it comes from.
type Graph struct {
	At       time.Time `json:"at"`
	HalfLife float64   `json:"half_life_days"`
	Nodes    []Node    `json:"nodes"` // by id
	Edges    []Edge    `json:"edges"` // the heaviest first
}

// Node is a person, a member of the household, a product, order, case, need, issue or topic. Its id is "kind:name"; that of
// a record is its ref.
type Node struct {
	ID   string `json:"id"`
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// Edge is how one node leans on another. Each of its events adds
//
//	strength(type) · 2^(−age / HalfLife)
//
// to its weight, the age counted from the event to the time of the graph. Decay is
// the weight's share of what the events weighed when they happened.
type Edge struct {
	From   string         `json:"from"`
	To     string         `json:"to"`
	Type   string         `json:"type"`
	Weight float64        `json:"weight"`
	Decay  float64        `json:"decay"`
	First  time.Time      `json:"first"`
	Last   time.Time      `json:"last"`
	Events []evidence.Ref `json:"events"` // oldest first
}

// strengths rank what one event says about a demand: looking is little, paying is
// much, and trouble is most.
var strengths = map[string]float64{
	"viewed": 1, "read": 1, "added": 3, "placed": 5, "bought": 5, "contains": 5, "owns": 5, "holds": 5, "takes": 5,
	"returns": 6, "signed": 5, "lives_with": 2, "speaks_of": 2, "needs": 6, "may_need": 4, "has": 8, "about": 8, "suffers": 8,
	"guardian_of": 5, "pays_for": 5, "acts_for": 5, "member_of": 5, "related_to": 5,
}

// Wish is a need that was found at some time: spoken or implied in a decision, or
// predicted.
type Wish struct {
	Name      string // of the need: intent, or intent.subintent
	Predicted bool
	At        time.Time
	// From are the records it was found in: the decision, and the events that the
	// decision read it from.
	From []evidence.Ref
}

// Graph is the person's demand graph at a time; events and wishes after it do not count.
func (p *Profile) Graph(at time.Time, wishes ...Wish) Graph {
	g := weaving{at: at, nodes: map[string]Node{}, edges: map[[3]string]*Edge{}, times: map[evidence.Ref]time.Time{}}
	me := g.node("person", string(p.Person))
	for _, name := range sortedKeys(p.History) {
		for _, e := range p.History[name] {
			g.times[evidence.Ref(e.ID.String())] = e.Time
		}
	}
	for _, e := range p.History["Product Viewed"] {
		g.products(e, me, "viewed")
	}
	for _, e := range p.History["Product Added"] {
		g.products(e, me, "added")
	}
	for _, name := range []string{"Return Requested", "Refund Requested"} {
		for _, e := range p.History[name] {
			g.products(e, me, "returns")
		}
	}
	for _, e := range p.History["Page Viewed"] {
		if topic := fields(e.Properties()).id("topic"); topic != "" {
			g.edge(me, g.node("topic", topic), "read", e.Time, evidence.Ref(e.ID.String()))
		}
	}
	for _, r := range p.RecordsOf(evidence.Order) {
		order := g.node("order", r.ID)
		g.proven(me, order, "placed", r)
		for _, product := range products(r.Fields["lines"]) {
			node := g.node("product", product)
			g.proven(order, node, "contains", r)
			g.proven(me, node, "bought", r)
		}
	}
	for _, r := range p.RecordsOf(evidence.Case) {
		c := g.node("case", r.ID)
		g.proven(me, c, "has", r)
		f := fields(r.Fields)
		if product := f.id("product_id"); product != "" {
			g.proven(c, g.node("product", product), "about", r)
		}
		if symptom := f.id("symptom"); symptom != "" {
			g.proven(c, g.node("issue", symptom), "suffers", r)
		}
		if order := f.id("order_id"); order != "" {
			g.proven(c, g.node("order", order), "about", r)
		}
	}
	for _, t := range p.Ties(at) {
		kind := t.Type
		if strengths[kind] == 0 {
			kind = "related_to"
		}
		other := "person"
		if t.To.Kind == "company" {
			other = t.To.Kind
		}
		if r := p.Record(evidence.Relationship, t.ID); r != nil {
			g.proven(me, g.node(other, t.To.String()), kind, r)
		}
	}
	for kind, tie := range map[evidence.Kind][2]string{evidence.Asset: {"product_id", "owns"}, evidence.Holding: {"product_id", "holds"}, evidence.Enrolment: {"course_id", "takes"}} {
		for _, r := range p.RecordsOf(kind) {
			if product := fields(r.Fields).id(tie[0]); product != "" {
				g.proven(me, g.node("product", product), tie[1], r)
			}
		}
	}
	for _, r := range p.RecordsOf(evidence.Contract) {
		if product := fields(r.Fields).id("product_id"); product != "" {
			g.proven(me, g.node("product", product), "signed", r)
		}
	}
	g.household(p, me)
	for _, e := range p.History[topic.Interaction] {
		for _, name := range topic.Of(e) {
			if product, is := strings.CutPrefix(name, "product:"); is {
				g.edge(me, g.node("product", product), "speaks_of", e.Time, evidence.Ref(e.ID.String()))
				continue
			}
			g.edge(me, g.node("topic", name), "speaks_of", e.Time, evidence.Ref(e.ID.String()))
		}
	}
	for _, w := range wishes {
		kind := "needs"
		if w.Predicted {
			kind = "may_need"
		}
		node := g.node("need", w.Name)
		for _, ref := range w.From {
			if _, known := g.times[ref]; !known {
				g.times[ref] = w.At
			}
			g.edge(me, node, kind, w.At, ref)
		}
	}
	return g.done()
}

// household are the people they live with, as the trait says: each a node by relation,
// and age where two would be the same.
func (g *weaving) household(p *Profile, me string) {
	t, ok := p.Traits["household"]
	list, _ := t.Value.([]any)
	if !ok {
		return
	}
	g.times[t.Evidence] = t.At
	seen := map[string]int{}
	for i, m := range list {
		if i == 32 {
			break
		}
		f, _ := m.(map[string]any)
		relation := strings.ToLower(fields(f).id("relation"))
		if relation == "" || isSelf(relation) {
			continue
		}
		name := relation
		if age, ok := fields(f).number("age"); ok {
			name += " " + strconv.FormatFloat(age, 'f', -1, 64)
		}
		if seen[name]++; seen[name] > 1 {
			name += " (" + strconv.Itoa(seen[name]) + ")"
		}
		g.edge(me, g.node("member", name), "lives_with", t.At, t.Evidence)
	}
}

type weaving struct {
	at    time.Time
	nodes map[string]Node
	edges map[[3]string]*Edge
	times map[evidence.Ref]time.Time
}

func (g *weaving) node(kind, name string) string {
	id := string(evidence.Make(evidence.Kind(kind), name, 0))
	g.nodes[id] = Node{ID: id, Kind: kind, Name: name}
	return id
}

func (g *weaving) products(e *event.Event, from, kind string) {
	f := fields(e.Properties())
	ids := products(f["products"])
	if len(ids) == 0 {
		if id := f.id("product_id"); id != "" {
			ids = []string{id}
		}
	}
	for _, id := range ids {
		g.edge(from, g.node("product", id), kind, e.Time, evidence.Ref(e.ID.String()))
	}
}

// products lists the product ids of order lines or of an event's products, each once.
func products(list any) []string {
	lines, _ := list.([]any)
	var ids []string
	for _, l := range lines {
		l, _ := l.(map[string]any)
		if id := fields(l).id("product_id"); id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// proven adds the events of a record. One whose own time is no longer in the
// history counts as of the record's last change.
func (g *weaving) proven(from, to, kind string, r *Record) {
	for _, ref := range r.Evidence {
		at, known := g.times[ref]
		if !known {
			at = r.UpdatedAt
			g.times[ref] = at
		}
		g.edge(from, to, kind, at, ref)
	}
}

func (g *weaving) edge(from, to, kind string, at time.Time, ref evidence.Ref) {
	if at.After(g.at) {
		return
	}
	key := [3]string{from, to, kind}
	e := g.edges[key]
	if e == nil {
		e = &Edge{From: from, To: to, Type: kind, First: at, Last: at}
		g.edges[key] = e
	}
	if slices.Contains(e.Events, ref) {
		return
	}
	age := float64(g.at.Sub(at)) / float64(HalfLife)
	e.Weight += float64(strengths[kind] * math.Exp2(-age))
	e.Events = append(e.Events, ref)
	if at.Before(e.First) {
		e.First = at
	}
	if at.After(e.Last) {
		e.Last = at
	}
}

func (g *weaving) done() Graph {
	out := Graph{At: g.at, HalfLife: HalfLife.Hours() / 24, Nodes: []Node{}, Edges: []Edge{}}
	used := map[string]bool{}
	for _, e := range g.edges {
		slices.SortStableFunc(e.Events, func(a, b evidence.Ref) int { return g.times[a].Compare(g.times[b]) })
		e.Decay = e.Weight / float64(strengths[e.Type]*float64(len(e.Events)))
		out.Edges = append(out.Edges, *e)
		used[e.From], used[e.To] = true, true
	}
	for id, n := range g.nodes {
		if used[id] || n.Kind == "person" {
			out.Nodes = append(out.Nodes, n)
		}
	}
	slices.SortFunc(out.Nodes, func(a, b Node) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(out.Edges, func(a, b Edge) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Type, b.Type))
	})
	return out
}
