package identity

import "slices"

// Forget takes keys out of the graph for good: their texts, links and statements
// are gone, as if they had never been seen, and their numbers name nobody any
// more. All other numbers stay; a key that comes again later gets a new one. It
// costs a walk over all keys. What was written before by Save or Dirty still holds
// the keys: the next Dirty, or Save, is the whole graph and takes its place. The
// joins tell what it means for those who stay, as Observe does.
func (g *Graph) Forget(numbers []uint32) []Join {
	g.fresh = uint32(len(g.values))
	g.joined = g.joined[:0]
	gone, fewer := map[uint32]bool{}, map[uint32]bool{}
	var touched []uint32
	for _, n := range numbers {
		if n != 0 && n < g.fresh && g.values[n] != "" {
			gone[n] = true
			touched = append(touched, n)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	for n := uint32(1); n < g.fresh; n++ {
		users := slices.Collect(g.above(n))
		if len(users) == 0 {
			continue
		}
		anchor := g.class(n) == anchorClass
		if !gone[n] && !slices.ContainsFunc(users, func(u uint32) bool { return gone[u] }) {
			continue
		}
		touched = append(touched, n)
		delete(g.more, n)
		if !anchor {
			g.nodes[n].link = 0
		}
		for i, u := range users {
			if i > 0 || anchor {
				delete(g.also, uint64(n)<<32|uint64(u))
			}
			switch {
			case gone[n] || gone[u]:
				g.nodes[u].link--
				fewer[u] = true
				g.apart[u] = slices.DeleteFunc(g.apart[u], func(m uint32) bool { return m == n })
				touched = append(touched, u)
			case !anchor && g.nodes[n].link == 0:
				g.nodes[n].link = u
			default:
				g.more[n] = append(g.more[n], u)
				g.also[uint64(n)<<32|uint64(u)] = struct{}{}
			}
		}
	}
	for p := range g.pairs {
		if gone[p.a] || gone[p.b] {
			delete(g.pairs, p)
			g.near[p.a] = slices.DeleteFunc(g.near[p.a], func(m uint32) bool { return m == p.b })
			g.near[p.b] = slices.DeleteFunc(g.near[p.b], func(m uint32) bool { return m == p.a })
			touched = append(touched, p.a, p.b)
		}
	}
	for n := range gone {
		delete(g.cuts, n)
		delete(g.near, n)
		delete(g.apart, n)
		g.nodes[n].seen, g.nodes[n].link = false, 0
	}
	for kind := range g.rules {
		g.recount(kind)
	}
	// Who was over a limit may be under it now, and attract what stood alone.
	for n := uint32(1); n < g.fresh; n++ {
		for u := range g.above(n) {
			if fewer[u] {
				touched = append(touched, n)
			}
		}
	}
	slices.Sort(touched)
	g.settle(slices.Compact(touched)...)
	for n := range gone {
		g.values[n], g.prints[n] = "", 0
	}
	g.saved = g.everything()
	return slices.DeleteFunc(g.joined, func(j Join) bool { return gone[j.From] })
}
