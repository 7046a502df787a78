package need

import (
	"slices"

	"github.com/rapport-cx/rapport/need/text"
)

// vocabulary finds words and phrases in a plain text: a trie whose edges stand in
// one map. It is made when a plan is compiled and only read afterwards.
type vocabulary struct {
	edges   map[uint64]int32
	entries [][]int32 // by node: what ends there
}

func newVocabulary() *vocabulary {
	return &vocabulary{edges: map[uint64]int32{}, entries: make([][]int32, 1)}
}

// add enters a phrase with what it means; blank phrases are left out.
func (v *vocabulary) add(phrase string, meaning int32) {
	runes := text.Normalise(phrase).Runes
	if len(runes) == 0 {
		return
	}
	node := int32(0)
	for _, r := range runes {
		next, ok := v.edges[uint64(node)<<21|uint64(r)]
		if !ok {
			next = int32(len(v.entries))
			v.entries = append(v.entries, nil)
			v.edges[uint64(node)<<21|uint64(r)] = next
		}
		node = next
	}
	if !slices.Contains(v.entries[node], meaning) {
		v.entries[node] = append(v.entries[node], meaning)
	}
}

// find calls yield for every phrase in the text, whole words only where a phrase
// begins or ends with letters.
func (v *vocabulary) find(runes []rune, yield func(start, end int, meaning int32)) {
	for i := range runes {
		if !wordEdge(runes, i) {
			continue
		}
		node := int32(0)
		for j := i; j < len(runes); j++ {
			next, ok := v.edges[uint64(node)<<21|uint64(runes[j])]
			if !ok {
				break
			}
			node = next
			if len(v.entries[node]) > 0 && wordEdge(runes, j+1) {
				for _, m := range v.entries[node] {
					yield(i, j+1, m)
				}
			}
		}
	}
}

// wordEdge tells whether a phrase may begin or end before runes[i]: not inside a
// word of letters, nor inside a number.
func wordEdge(runes []rune, i int) bool {
	if i <= 0 || i >= len(runes) {
		return true
	}
	before, after := runes[i-1], runes[i]
	if !text.Letter(before) || !text.Letter(after) {
		return true
	}
	return digit(before) != digit(after)
}

func digit(r rune) bool { return '0' <= r && r <= '9' }
