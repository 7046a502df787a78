package candidate

import (
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/mozillazg/go-pinyin"

	plain "github.com/rapport-cx/rapport/need/text"
)

// misspellings finds the names that a customer meant and wrote otherwise, where no
// name stands as it is written in the catalogue:
//
//   - one slip of the pen: a letter or a blank too many, missing, wrong, or two of
//     them swapped; of Chinese characters one missing, doubled or swapped, for
//     another character is mostly another thing (床单, 床垫);
//   - characters of the same sound, as an input method offers them, with the pairs
//     that most of China does not tell apart (zh z, ch c, sh s, -ng -n);
//   - the sound in Latin letters, with or without blanks.
//
// Digits are never mended: X-100 is no X-200. Ids are never guessed.
//
// An edit leaves one half of a name as it is (the pigeonhole behind Navarro and
// Baeza-Yates, "A practical q-gram index for text retrieval allowing errors", CLEI
// Electronic Journal 1(2), 1998), so each name is filed under the hash of its first half and
// that of its second, and under the hash of its sounds: five entries a name at most,
// nothing is ever rebuilt, and a text is read with some lookups a character.
type misspellings struct {
	words [][]rune
	known map[string]bool

	first, last, sound, latin shelfmarks
}

// shelfmarks are lists of words by a hash.
type shelfmarks struct {
	head    map[uint64]int32 // 1 + index into cards
	cards   []card
	longest int
	// Most places are left at once, and nearly no key is looked for that is not there: reach is the length
	// of the longest key by the hash of its first three runes, as many as there are cards, and there has a
	// bit by the hash of a key, eight times as many.
	reach []uint8
	there []uint64
}

type card struct {
	word, next int32
	begin, key uint32 // hashes of the first three runes of its key and of the key, as much of them as fits
	runes      uint8  // of the key
}

const (
	fewestHalf    = 3 // runes of a half, and of a name of sounds
	mostOfOneHash = 32
	longestGuess  = 40 // runes of a name that is guessed
)

func (s *shelfmarks) file(key []rune, word int32) {
	if len(key) < fewestHalf {
		return
	}
	if s.head == nil {
		s.head = map[uint64]int32{}
	}
	var h, begin uint64 = hashSeed, 0
	for i, r := range key {
		if h = stirred(h, r); i == fewestHalf-1 {
			begin = h
		}
	}
	s.longest = max(s.longest, len(key))
	s.cards = append(s.cards, card{word, s.head[h], uint32(begin), uint32(h), uint8(min(len(key), math.MaxUint8))})
	s.head[h] = int32(len(s.cards))
	if len(s.cards) <= len(s.reach) {
		s.mark(&s.cards[len(s.cards)-1])
		return
	}
	s.reach = make([]uint8, max(256, 2*len(s.reach)))
	s.there = make([]uint64, len(s.reach)/8)
	for i := range s.cards {
		s.mark(&s.cards[i])
	}
}

func (s *shelfmarks) mark(c *card) {
	at := &s.reach[int(c.begin)&(len(s.reach)-1)]
	*at = max(*at, c.runes)
	s.there[int(c.key>>6)&(len(s.there)-1)] |= 1 << (c.key & 63)
}

// look calls found with every word whose key is what next gives, rune by rune, and
// with how many runes that are. next gives −1 where the text ends for a name.
func (s *shelfmarks) look(next func(i int) rune, found func(word int32, runes int)) {
	if s.head == nil {
		return
	}
	var h uint64 = hashSeed
	for i, longest := 0, s.longest; i < longest; i++ {
		r := next(i)
		if r < 0 {
			return
		}
		h = stirred(h, r)
		if i < fewestHalf-1 {
			continue
		}
		if i == fewestHalf-1 {
			if longest = min(longest, int(s.reach[int(uint32(h))&(len(s.reach)-1)])); longest == 0 {
				return
			}
		}
		if key := uint32(h); s.there[int(key>>6)&(len(s.there)-1)]&(1<<(key&63)) == 0 {
			continue
		}
		for at, n := s.head[h], 0; at > 0 && n < mostOfOneHash; at, n = s.cards[at-1].next, n+1 {
			found(s.cards[at-1].word, i+1)
		}
	}
}

// hashSeed and stirred are FNV-1a on runes, stirred so that its low bits are good.
const hashSeed = 14695981039346656037

func stirred(h uint64, r rune) uint64 {
	h = (h ^ uint64(r)) * 1099511628211
	return h ^ h>>29
}

// add files a canonical name that may be guessed.
func (m *misspellings) add(word string) {
	runes := []rune(word)
	n := len(runes)
	if n > longestGuess || m.known[word] {
		return
	}
	if m.known == nil {
		m.known = map[string]bool{}
	}
	m.known[word] = true
	id := int32(len(m.words))
	m.words = append(m.words, runes)
	if mayHoldASlip(runes) {
		half := (n + 1) / 2
		m.first.file(runes[:half], id)
		if half < n {
			m.first.file(append(slices.Clone(runes[:half-1]), runes[half]), id) // a swap between the halves
		}
		m.last.file(reversed(runes[half:]), id)
	}
	han := 0
	for _, r := range runes {
		if sounds().of(r) > 0 {
			han++
		}
	}
	if han >= 2 && n >= 3 {
		m.sound.file(heard(runes), id)
	}
	if han >= 2 && han == n {
		if l := sounds().latin(runes); len(l) >= 6 {
			m.latin.file([]rune(l), id)
		}
	}
}

// mayHoldASlip tells that a name is long enough that another word is hardly one slip
// away: six letters for a single word, eight for several, five Chinese characters.
func mayHoldASlip(runes []rune) bool {
	letters, han, words := 0, 0, 1
	for _, r := range runes {
		switch {
		case r == ' ':
			words++
		case plain.Han(r):
			han++
		case plain.Letter(r) && !digit(r):
			letters++
		}
	}
	switch {
	case han > 0:
		return han+letters >= 5
	case words == 1:
		return letters >= 6
	}
	return letters >= 8
}

func reversed(runes []rune) []rune {
	out := slices.Clone(runes)
	slices.Reverse(out)
	return out
}

// guess is a stretch of a text that is taken for a name.
type guess struct {
	start, end int
	word       string
}

// in finds what could be meant in a text, in the order of the text, the longest first
// at each place. Names that stand there as they are written are not among them. Only
// the words are told: whether one is still in use, its list of names knows.
func (m *misspellings) in(w *writing) (all []guess) {
	if m == nil || len(m.words) == 0 {
		return nil
	}
	runes := w.runes
	at := func(i int) rune {
		if i < 0 || i >= len(runes) || !plain.Han(runes[i]) && !plain.Letter(runes[i]) && runes[i] != ' ' {
			return -1
		}
		return runes[i]
	}
	take := func(start, end int, word []rune) {
		if start < 0 || end > len(runes) || start >= end || runes[start] == ' ' || runes[end-1] == ' ' || !w.begins(start) || !w.ends(start, end) || slices.Equal(runes[start:end], word) {
			return
		}
		all = append(all, guess{start, end, string(word)})
	}
	for i := range runes {
		if at(i) < 0 {
			continue
		}
		if w.begins(i) && runes[i] != ' ' {
			m.first.look(func(k int) rune { return at(i + k) }, func(word int32, half int) {
				name := m.words[word]
				if !slices.Equal(runes[i:i+half], name[:half]) {
					if end := i + len(name); end <= len(runes) && oneSlip(runes[i:end], name, -1) {
						take(i, end, name)
					}
					return
				}
				for end := i + len(name) - 1; end <= min(i+len(name)+1, len(runes)); end++ {
					if end > i+half-1 && oneSlip(runes[i+half:end], name[half:], name[half-1]) {
						take(i, end, name)
					}
				}
			})
			m.sound.look(func(k int) rune {
				if r := at(i + k); r < 0 {
					return r
				} else if s := sounds().of(r); s > 0 {
					return asSound + rune(s)
				} else {
					return r
				}
			}, func(word int32, n int) {
				if name := m.words[word]; len(name) == n && sameBut(runes[i:i+n], name) {
					take(i, i+n, name)
				}
			})
			m.spelt(w, i, take)
		}
		end := i + 1
		m.last.look(func(k int) rune { return at(end - 1 - k) }, func(word int32, half int) {
			name := m.words[word]
			rest := len(name) - half
			for start := max(0, end-len(name)-1); start <= end-len(name)+1; start++ {
				if start < end-half && runes[start] == name[0] && oneSlip(runes[start:end-half], name[:rest], -1) {
					take(start, end, name)
				}
			}
		})
	}
	slices.SortFunc(all, func(a, b guess) int {
		if a.start != b.start {
			return a.start - b.start
		}
		if a.end != b.end {
			return b.end - a.end
		}
		return strings.Compare(a.word, b.word)
	})
	return slices.Compact(all)
}

// spelt finds names written in Latin letters as they sound: "yunshan", "yun shan".
func (m *misspellings) spelt(w *writing, start int, take func(start, end int, word []rune)) {
	if m.latin.head == nil || !latinLetter(w.runes[start]) {
		return
	}
	places := make([]int, 0, m.latin.longest)
	for i := start; i < len(w.runes) && len(places) < m.latin.longest; i++ {
		if latinLetter(w.runes[i]) {
			places = append(places, i)
		} else if w.runes[i] != ' ' {
			break
		}
	}
	m.latin.look(func(k int) rune {
		if k >= len(places) {
			return -1
		}
		return w.runes[places[k]]
	}, func(word int32, letters int) {
		if sounds().latin(m.words[word]) == string(letterAt(w.runes, places[:letters])) {
			take(start, places[letters-1]+1, m.words[word])
		}
	})
}

func latinLetter(r rune) bool { return 'a' <= r && r <= 'z' }

func letterAt(runes []rune, places []int) []rune {
	out := make([]rune, len(places))
	for i, p := range places {
		out[i] = runes[p]
	}
	return out
}

// oneSlip tells whether what is written is a name but for one slip that may be
// mended; before is the rune that stands before both, −1 for none.
func oneSlip(written, name []rune, before rune) bool {
	i := 0
	for i < len(written) && i < len(name) && written[i] == name[i] {
		before = written[i]
		i++
	}
	a, b := written[i:], name[i:]
	switch {
	case len(a) == len(b) && len(a) > 0:
		if len(a) > 1 && a[0] == b[1] && a[1] == b[0] && slices.Equal(a[2:], b[2:]) {
			return !digit(a[0]) && !digit(a[1])
		}
		return latinLetter(a[0]) && latinLetter(b[0]) && slices.Equal(a[1:], b[1:])
	case len(a) == len(b)+1: // one too many
		return slices.Equal(a[1:], b) && (latinLetter(a[0]) || a[0] == ' ' || plain.Han(a[0]) && a[0] == before)
	case len(a)+1 == len(b): // one missing
		return slices.Equal(a, b[1:]) && (latinLetter(b[0]) || b[0] == ' ' || plain.Han(b[0]) && len(a) > 0)
	}
	return false
}

// sameBut tells that two texts of one length differ in nothing but Chinese characters
// of one sound, and share such a character where there are few.
func sameBut(written, name []rune) bool {
	same, alike := 0, 0
	for i, r := range written {
		s := sounds().of(r)
		switch {
		case r == name[i] && s > 0:
			same++
		case r == name[i]:
		case s > 0 && s == sounds().of(name[i]):
			alike++
		default:
			return false
		}
	}
	return same > 0 || alike > 3
}

// heard is a name as it sounds: characters by their sound, all else as it is.
func heard(runes []rune) []rune {
	out := make([]rune, len(runes))
	for i, r := range runes {
		if out[i] = r; sounds().of(r) > 0 {
			out[i] = asSound + rune(sounds().of(r))
		}
	}
	return out
}

// asSound lifts the numbers of sounds above all runes.
const asSound = 0x110000

// soundTable knows how Chinese characters are read, each in its commonest reading.
type soundTable struct {
	number [0xa000 - 0x4e00]uint16 // 0: not known; alike: one number
	spelt  [0xa000 - 0x4e00]string
}

func (t *soundTable) of(r rune) uint16 {
	if r < 0x4e00 || r >= 0xa000 {
		return 0
	}
	return t.number[r-0x4e00]
}

// latin is a name in pinyin without tones and blanks; "" when a character is not known.
func (t *soundTable) latin(runes []rune) string {
	var b strings.Builder
	for _, r := range runes {
		if t.of(r) == 0 {
			return ""
		}
		b.WriteString(t.spelt[r-0x4e00])
	}
	return b.String()
}

// sounds is made when the first name is filed: some milliseconds.
var sounds = sync.OnceValue(func() *soundTable {
	t := &soundTable{}
	numbers, known := map[string]uint16{}, map[string]string{}
	for r := rune(0x4e00); r < 0xa000; r++ {
		reading, _, _ := strings.Cut(pinyin.PinyinDict[int(r)], ",")
		if reading == "" {
			continue
		}
		s, ok := known[reading]
		if !ok {
			s = strings.Map(toneless, reading)
			known[reading] = s
		}
		t.spelt[r-0x4e00] = s
		alike := alikeSound(s)
		if numbers[alike] == 0 {
			numbers[alike] = uint16(len(numbers) + 1)
		}
		t.number[r-0x4e00] = numbers[alike]
	}
	return t
})

// toneless is a letter of pinyin as it is typed: without a tone, v for ü.
func toneless(r rune) rune {
	if latinLetter(r) {
		return r
	}
	for plain, toned := range tones {
		if strings.ContainsRune(toned, r) {
			return plain
		}
	}
	return -1 // a tone that stands by itself
}

var tones = map[rune]string{'a': "āáǎà", 'e': "ēéěèêếềẽ", 'i': "īíǐì", 'o': "ōóǒò", 'u': "ūúǔù", 'v': "üǖǘǚǜ", 'n': "ńňǹ", 'm': "ḿ"}

// alikeSound drops from a syllable what input methods let people confuse: the curl
// of the tongue, and the back of a nasal after e and i.
func alikeSound(s string) string {
	if len(s) > 2 && s[1] == 'h' {
		s = s[:1] + s[2:]
	}
	if n := len(s); strings.HasSuffix(s, "eng") || strings.HasSuffix(s, "ing") {
		s = s[:n-1]
	}
	return s
}
