package link

import (
	"cmp"
	"slices"
)

// OneToOne takes of the pairs, the likeliest first, those whose records are in no
// pair yet: for two lists of which each holds a person once.
func OneToOne(pairs []Pair) []Pair {
	taken := map[int]bool{}
	var out []Pair
	for _, p := range pairs {
		if !taken[p.A] && !taken[p.B] {
			taken[p.A], taken[p.B] = true, true
			out = append(out, p)
		}
	}
	return out
}

// Groups puts records together that are one person's: the pairs are joined, the
// likeliest first, as long as all that the records of both sides say of one
// another, added up, speaks for it. So one chance likeness does not chain two persons
// together, and two poor copies of one record meet through it. Records that are
// alone are in no group; each group is sorted, and so are the groups.
func (m *Model) Groups() [][]int {
	group := map[int]int{}
	members := map[int][]int{}
	of := func(i int) int {
		if g, ok := group[i]; ok {
			return g
		}
		group[i], members[i] = i, []int{i}
		return i
	}
	order := make([]int32, 0, len(m.pairs))
	scores := map[uint64]float64{}
	for i, c := range m.pairs {
		scores[uint64(c.a)<<32|uint64(c.b)] = c.score
		if c.score > 0 {
			order = append(order, int32(i))
		}
	}
	slices.SortFunc(order, func(x, y int32) int {
		a, b := &m.pairs[x], &m.pairs[y]
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.a, b.a), cmp.Compare(a.b, b.b))
	})
	levels := make([]level, len(m.fields))
	score := func(a, b int) float64 {
		key := uint64(min(a, b))<<32 | uint64(max(a, b))
		s, known := scores[key]
		if !known {
			m.compareRecords(min(a, b), max(a, b), levels)
			s = m.score(&candidate{a: int32(min(a, b)), b: int32(max(a, b)), levels: levels})
			scores[key] = s
		}
		return s
	}
	for _, i := range order {
		x, y := of(int(m.pairs[i].a)), of(int(m.pairs[i].b))
		if x == y {
			continue
		}
		sum := 0.0
		for _, a := range members[x] {
			for _, b := range members[y] {
				sum += score(a, b)
			}
		}
		if sum <= 0 {
			continue
		}
		for _, b := range members[y] {
			group[b] = x
		}
		members[x] = append(members[x], members[y]...)
		delete(members, y)
	}
	var out [][]int
	for _, g := range members {
		if len(g) > 1 {
			slices.Sort(g)
			out = append(out, g)
		}
	}
	slices.SortFunc(out, slices.Compare[[]int])
	return out
}
