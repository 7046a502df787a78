package classify

import (
	_ "embed"
	"hash/crc32"
	"slices"
	"strings"
	"sync"

	"github.com/rapport-cx/rapport/need/text"
)

// concepts.txt lists words that customers use for one another in English and Chinese. Each line is one
// concept, a feature that all its words share: so an example in one language teaches the other one, and
// "money back" is understood when only "refund" was taught.
//
//go:embed concepts.txt
var conceptText string

// longestHan is the number of characters of the longest Chinese word of a concept that is looked up.
const longestHan = 6

// thesaurus maps the hash of a word or phrase to the concepts that it belongs to.
type thesaurus struct {
	of    map[uint64][]uint16
	first map[rune]bool // Han characters that some word begins with
}

var concepts = sync.OnceValue(func() *thesaurus {
	t := &thesaurus{of: map[uint64][]uint16{}, first: map[rune]bool{}}
	id := uint16(0)
	for line := range strings.Lines(conceptText) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		id++
		for part := range strings.FieldsFuncSeq(line, func(r rune) bool { return r == ',' || r == '|' }) {
			runes := text.Normalise(part).Runes
			h := uint64(0)
			for i := 0; i < len(runes); {
				if !text.Letter(runes[i]) {
					if text.Han(runes[i]) {
						if h == 0 {
							t.first[runes[i]] = true
						}
						h = hanStep(h, runes[i])
					}
					i++
					continue
				}
				j := wordEnd(runes, i)
				h = wordStep(h, stem(runes[i:j]))
				i = j
			}
			if h != 0 && !slices.Contains(t.of[h], id) {
				t.of[h] = append(t.of[h], id)
			}
		}
	}
	return t
})

// conceptMark tells one list of concepts from another: a stored model is of use with its own only.
var conceptMark = sync.OnceValue(func() uint32 { return crc32.Checksum([]byte(conceptText), castagnoli) })

func hanStep(h uint64, r rune) uint64    { return mix(h+1, r) }
func wordStep(h uint64, s uint64) uint64 { return (h*31 + s) * 0x9e3779b97f4a7c15 }

// han gives the length of the longest word that stands at i and its concepts.
func (t *thesaurus) han(runes []rune, i int) (length int, ids []uint16) {
	if !t.first[runes[i]] {
		return 0, nil
	}
	h := uint64(0)
	for j := i; j < len(runes) && j < i+longestHan && text.Han(runes[j]); j++ {
		h = hanStep(h, runes[j])
		if found := t.of[h]; found != nil {
			length, ids = j+1-i, found
		}
	}
	return length, ids
}

// wordEnd gives the end of the word that begins at i; an apostrophe between letters belongs to it.
func wordEnd(runes []rune, i int) int {
	j := i + 1
	for j < len(runes) && (text.Letter(runes[j]) || runes[j] == '\'' && j+1 < len(runes) && text.Letter(runes[j+1])) {
		j++
	}
	return j
}
