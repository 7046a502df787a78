package postgres

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
)

// mark is a key as the log's index knows it: half of a SHA-256 over workspace, kind
// and value. So a node that has never met a key finds its events without asking for
// a number first, and a new build that numbers keys otherwise finds them, too. At
// 128 bits no two keys of anybody will ever have the same.
type mark = [16]byte

func markOf(workspace string, k identity.Key) (m mark) {
	var buf [256]byte
	b := append(buf[:0], workspace...)
	b = append(append(append(b, 0), k.Kind...), 0)
	h := sha256.Sum256(append(b, k.Value...))
	copy(m[:], h[:])
	return m
}

// marksOf gives the marks of keys, sorted.
func marksOf(workspace string, keys []identity.Key) []mark {
	all := make([]mark, len(keys))
	for i, k := range keys {
		all[i] = markOf(workspace, k)
	}
	slices.SortFunc(all, func(a, b mark) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(all)
}

// keyOf is the key under which an event stays, as the identity graph says it.
func keyOf(workspace string, e *event.Event) identity.Key {
	if e.Kind == event.Record && (e.Name == "merge" || e.Name == "unmerge") {
		g := identity.NewGraph(workspace)
		number, _ := g.Observe(e)
		return g.KeyAt(number)
	}
	return identity.KeyOf(e)
}
