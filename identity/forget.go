package identity

import "slices"

// Forget takes keys out of the graph for good: their texts, links and statements
// are gone, as if they had never been seen, and their numbers name nobody any
// more. All other numbers stay. It costs a pass over the whole graph. What was
// written before by Save or Dirty still holds the keys: the next Dirty, or Save,
// is the whole graph and takes its place.
func (g *Graph) Forget(numbers []uint32) {
	gone := map[uint32]bool{}
	for _, n := range numbers {
		if n != 0 && int(n) < len(g.nodes) {
			gone[n] = true
		}
	}
	all := g.everything()
	all.links = slices.DeleteFunc(all.links, func(l [2]uint32) bool { return gone[l[0]] || gone[l[1]] })
	all.pairs = slices.DeleteFunc(all.pairs, func(p pair) bool { return gone[p.a] || gone[p.b] })
	all.cuts = slices.DeleteFunc(all.cuts, func(n uint32) bool { return gone[n] })
	for n := range gone {
		g.values[n], g.prints[n], g.nodes[n].seen = "", 0, false
	}
	fresh := NewGraph(g.workspace)
	if err := fresh.load(g.encode(all)); err != nil {
		panic("identity: a graph does not read what it wrote: " + err.Error())
	}
	*g = *fresh
	g.saved = g.everything()
}
