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

// thesaurus maps the hash of a word or phrase to the concepts that it belongs to. It is asked for each
// character and word several times over, so it is a table of its own: open addressing, a quarter full.
type thesaurus struct {
	key   []uint64
	ids   [][]uint16 // nil: the place is free
	mask  uint64
	first [0x20000 / 64]uint64 // a bit for each Han character that some word begins with
}

// of gives the concepts of the word or phrase with this hash.
func (t *thesaurus) of(h uint64) []uint16 {
	for p := h & t.mask; ; p = (p + 1) & t.mask {
		if t.ids[p] == nil || t.key[p] == h {
			return t.ids[p]
		}
	}
}

func (t *thesaurus) begins(r rune) bool {
	return r < 0x20000 && t.first[r/64]&(1<<(r%64)) != 0
}

// lay puts the words into the table.
func (t *thesaurus) lay(words map[uint64][]uint16) {
	room := 16
	for room < 4*len(words) {
		room *= 2
	}
	t.key, t.ids, t.mask = make([]uint64, room), make([][]uint16, room), uint64(room-1)
	for h, ids := range words {
		p := h & t.mask
		for t.ids[p] != nil {
			p = (p + 1) & t.mask
		}
		t.key[p], t.ids[p] = h, ids
	}
}

var concepts = sync.OnceValue(func() *thesaurus {
	t, words := &thesaurus{}, map[uint64][]uint16{}
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
						if r := runes[i]; h == 0 && r < 0x20000 {
							t.first[r/64] |= 1 << (r % 64)
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
			if h != 0 && !slices.Contains(words[h], id) {
				words[h] = append(words[h], id)
			}
		}
	}
	t.lay(words)
	return t
})

// listMark tells one list of concepts and of names from another: a stored model is of use with its own only.
var listMark = sync.OnceValue(func() uint32 {
	return crc32.Update(crc32.Checksum([]byte(conceptText), castagnoli), castagnoli, []byte(nameText))
})

func hanStep(h uint64, r rune) uint64    { return mix(h+1, r) }
func wordStep(h uint64, s uint64) uint64 { return (h*31 + s) * 0x9e3779b97f4a7c15 }

// han gives the length of the longest word that stands at i and its concepts.
func (t *thesaurus) han(runes []rune, i int) (length int, ids []uint16) {
	if !t.begins(runes[i]) {
		return 0, nil
	}
	h := uint64(0)
	for j := i; j < len(runes) && j < i+longestHan && text.Han(runes[j]); j++ {
		h = hanStep(h, runes[j])
		if found := t.of(h); found != nil {
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
