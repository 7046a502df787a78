package search

import (
	"slices"

	"github.com/rapport-cx/rapport/need/text"
)

// Mark gives the places, in runes, of a passage's words that a question asks for,
// itself or in other words: in order, not touching each other. A single Chinese
// character is marked only as part of a pair.
func Mark(q Question, passage string) [][2]int {
	runes := []rune(passage)
	var marks [][2]int
	mark := func(from, to int) {
		if k := len(marks); k > 0 && marks[k-1][1] >= from {
			marks[k-1][1] = max(marks[k-1][1], to)
			return
		}
		marks = append(marks, [2]int{from, to})
	}
	asked := func(from, to int) bool {
		return slices.ContainsFunc(Terms(nil, string(runes[from:to])), func(k uint64) bool { return !single(k) && slices.Contains(q.keys, k) })
	}
	for i := 0; i < len(runes); {
		r := text.Fold(runes[i])
		switch {
		case r >= 0 && text.Han(r):
			if i+1 < len(runes) && asked(i, i+2) {
				mark(i, i+2)
			}
			i++
		case r >= 0 && text.Letter(r):
			end := i + 1
			for end < len(runes) {
				if f := text.Fold(runes[end]); f < 0 || text.Han(f) || !text.Letter(f) && f != '\'' {
					break
				}
				end++
			}
			if asked(i, end) {
				mark(i, end)
			}
			i = end
		default:
			i++
		}
	}
	return marks
}

// Held is the share of a text's terms that a question holds, 0 for a text without any.
// Chinese is counted in single characters, which "重启过" and "重新启动" share.
func Held(q Question, s string) float64 {
	keys := Terms(nil, s)
	words := slices.DeleteFunc(keys, func(k uint64) bool { return !single(k) && k < 1<<63 })
	if len(words) == 0 {
		return 0
	}
	held := 0
	for _, k := range words {
		if slices.Contains(q.keys, k) {
			held++
		}
	}
	return float64(held) / float64(len(words))
}
