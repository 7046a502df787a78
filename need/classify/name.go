package classify

import (
	_ "embed"
	"strings"
	"sync"

	"github.com/rapport-cx/rapport/need/text"
)

// names.txt lists names that everybody knows by what they name: cities, dishes, ailments, singers, websites.
// No set of examples is large enough to teach them, and without them a text about a name that no example
// has is taken for whatever has the most names.
//
//go:embed names.txt
var nameText string

// longestName is the number of words and characters of the longest name that is looked up.
const longestName = 10

// mostKinds is how many kinds of things one name may name: a novel is filmed and sung about.
const mostKinds = 3

// register maps the hash of a name to the kinds of things that it names, numbered from 1: open addressing,
// at most half full. It is filled at first use and costs nothing where nothing is told apart.
type register struct {
	entry []struct {
		key   uint64 // 0: the place is free
		kinds [mostKinds]uint8
	}
	mask  uint64
	first [0x20000 / 64]uint64 // a bit for each Han character that some name begins with
}

func (g *register) of(h uint64) *[mostKinds]uint8 {
	for p := h & g.mask; ; p = (p + 1) & g.mask {
		if e := &g.entry[p]; e.key == h {
			return &e.kinds
		} else if e.key == 0 {
			return nil
		}
	}
}

func (g *register) add(h uint64, kind uint8) {
	p := h & g.mask
	for g.entry[p].key != 0 && g.entry[p].key != h {
		p = (p + 1) & g.mask
	}
	e := &g.entry[p]
	e.key = h
	for k := range e.kinds {
		if e.kinds[k] == 0 || e.kinds[k] == kind {
			e.kinds[k] = kind
			return
		}
	}
}

var names = sync.OnceValue(func() *register {
	room := 16
	for room < 2*(strings.Count(nameText, ",")+2*strings.Count(nameText, "\n")) {
		room *= 2
	}
	g := &register{mask: uint64(room - 1)}
	g.entry = make([]struct {
		key   uint64
		kinds [mostKinds]uint8
	}, room)
	kind := uint8(0)
	for line := range strings.Lines(nameText) {
		_, list, ok := strings.Cut(line, ":")
		if strings.HasPrefix(line, "#") || !ok {
			continue
		}
		kind++
		for name := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ',' || r == '|' }) {
			runes := text.Normalise(name).Runes
			h := uint64(0)
			for i := 0; i < len(runes); {
				if !text.Letter(runes[i]) && !text.Han(runes[i]) {
					i++
					continue
				}
				if h == 0 && text.Han(runes[i]) && runes[i] < 0x20000 {
					g.first[runes[i]/64] |= 1 << (runes[i] % 64)
				}
				i, h = token(runes, i, h)
			}
			if h != 0 {
				g.add(h, kind)
			}
		}
	}
	return g
})

// token adds the character or the word that begins at i to the hash h of what stood before it in a name, and
// gives the place after it.
func token(runes []rune, i int, h uint64) (int, uint64) {
	if text.Han(runes[i]) {
		return i + 1, hanStep(h, runes[i])
	}
	j := wordEnd(runes, i)
	w := uint64(0)
	for _, r := range runes[i:j] {
		w = mix(w+1, r)
	}
	return j, wordStep(h, w)
}

// namesIn finds what kinds of things a plain text names, and next to which character or word:
// "the singer that is asked for by 来一首". The longest name counts that begins at a place.
func (r *reading) namesIn(runes []rune) {
	known := names()
	before, beforeAt := uint64(0), 0
	for i := 0; i < len(runes); {
		c := runes[i]
		han := text.Han(c)
		if !han && !text.Letter(c) {
			if c != ' ' {
				before = 0
			}
			i++
			continue
		}
		next, h := token(runes, i, 0)
		first := h
		end, found := i, (*[mostKinds]uint8)(nil)
		if !han || c < 0x20000 && known.first[c/64]&(1<<(c%64)) != 0 {
			for j, n := next, 1; ; n++ {
				if kinds := known.of(h); kinds != nil {
					end, found = j, kinds
				}
				if j < len(runes) && runes[j] == ' ' {
					j++
				}
				if n == longestName || j >= len(runes) || !text.Han(runes[j]) && !text.Letter(runes[j]) {
					break
				}
				j, h = token(runes, j, h)
			}
		}
		if found == nil {
			before, beforeAt, i = first, i, next
			continue
		}
		after, at, whole := uint64(0), end, stretch{int32(i), int32(end)}
		if at < len(runes) && runes[at] == ' ' {
			at++
		}
		if at < len(runes) && (text.Han(runes[at]) || text.Letter(runes[at])) {
			at, after = token(runes, at, 0)
			whole.to = int32(at)
		}
		if before != 0 {
			whole.from = int32(beforeAt)
		}
		r.whole = append(r.whole, whole)
		for _, kind := range found {
			if kind == 0 {
				break
			}
			s := mix(seed(kindName), rune(kind))
			r.note(tag(kindName, s), i, end)
			s = mix(seed(kindNameNear), rune(kind))
			r.note(tag(kindNameNear, mix(s^before, 1)), i, end)
			r.note(tag(kindNameNear, mix(s^after, 2)), i, end)
		}
		before, i = 0, end
	}
}
