package split

import (
	"slices"
	"strings"

	"github.com/rapport-cx/rapport/need/text"
)

// Words are a pack's additions to the closed lists of the grammar, in any language and script.
type Words struct {
	Negation  []string // "不想", "don't"
	Condition []string // words that open a condition: "如果", "if"
	Greeting  []string // words that carry no need: "你好", "thanks"
	Link      []string // words that join two needs: "另外", "also"
}

// Cues are compiled word lists and what the examples of single needs teach about where needs begin.
// They are immutable and safe for concurrent use.
type Cues struct {
	link, weak, filler, tail   list
	strong, soft, address      list
	opener, unless, given      list
	negator, act, actVerb, ask list
	ordinal, speaks, polite    list
	sharer, preposition        list
	vain, vainBeside           list
	wonder, guess, reason, how list
	opening, lead              list
	inquiry, auxiliary         list
	asking, whether            list
	fragment, relative         list
	// begin counts, for the first word (or the first two Han characters) of examples, how many begin
	// with it; within, how many have it anywhere.
	begin, within map[uint64]int32
}

// Compile makes the cues of a strategy. examples are sentences that express one need each.
func Compile(w Words, examples []string) *Cues {
	c := &Cues{
		link:    makeList(linkWords, w.Link),
		weak:    makeList(weakWords),
		strong:  makeList(strongWords),
		soft:    makeList(softWords),
		address: makeList(addressWords),
		filler:  makeList(fillerWords, w.Greeting),
		tail:    makeList(tailWords),
		opener:  makeList(conditionOpeners, w.Condition),
		unless:  makeList(otherwiseWords),
		given:   makeList(givenWords),
		negator: makeList(negators, w.Negation),
		act:     makeList(actCues),
		actVerb: makeList(actVerbs),
		ask:     makeList(questionCues),
		ordinal: makeList(ordinalWords),
		speaks:  makeList(speakerWords),
		polite:  makeList(politeWords),
		sharer:  makeList(sharers), preposition: makeList(prepositions),
		vain:       makeList(vainWords),
		vainBeside: makeList(besideVain),
		wonder:     makeList(wonderWords),
		guess:      makeList(guessWords),
		how:        makeList(howWords),
		reason:     makeList(reasonWords),
		opening:    makeList(openings),
		lead:       makeList(leads),
		asking:     makeList(askings),
		whether:    makeList([]string{"if", "whether", "that"}),
		inquiry:    makeList(inquiries),
		auxiliary:  makeList(auxiliaries),
		fragment:   makeList(fragments),
		relative:   makeList(relatives),
		begin:      map[uint64]int32{},
		within:     map[uint64]int32{},
	}
	seen := map[uint64]bool{}
	for _, e := range examples {
		runes := text.Normalise(e).Runes
		from := c.skip(runes, 0, len(runes))
		clear(seen)
		for i := from; i < len(runes); {
			key, next := unit(runes, i, len(runes))
			if key != 0 && !seen[key] {
				seen[key] = true
				c.within[key]++
				if i == from {
					c.begin[key]++
				}
			}
			i = next
		}
	}
	return c
}

// unit is the key of the word, or of the two Han characters, that begin at i, and where the next unit
// begins. Anything else has key 0.
func unit(runes []rune, i, end int) (key uint64, next int) {
	r := runes[i]
	if text.Letter(r) {
		key = 14695981039346656037
		for i < end && letterAt(runes, i, end) {
			key = (key ^ uint64(runes[i])) * 1099511628211
			i++
		}
		return key, i
	}
	if text.Han(r) && i+1 < end && text.Han(runes[i+1]) {
		return uint64(r)<<32 | uint64(runes[i+1]), i + 1
	}
	return 0, i + 1
}

// letterAt tells whether runes[i] belongs to a word; an apostrophe between letters does.
func letterAt(runes []rune, i, end int) bool {
	return text.Letter(runes[i]) || runes[i] == '\'' && i > 0 && i+1 < end && text.Letter(runes[i-1]) && text.Letter(runes[i+1])
}

// beginning estimates, between 0 and 1, how far what stands at i is a way to begin a need: of the
// examples that have the word, the share that begin with it. A word never seen counts little.
func (c *Cues) beginning(runes []rune, i, end int) float64 {
	if i >= end {
		return 0
	}
	key, _ := unit(runes, i, end)
	if key == 0 {
		return 0
	}
	return float64(c.begin[key]) / float64(c.within[key]+2)
}

// skip moves i over blanks, commas, greetings and linking words that stand at the beginning of a need
// and say nothing of it.
func (c *Cues) skip(runes []rune, i, end int) int {
	for {
		from := i
		for i < end && loose(runes[i]) {
			i++
		}
		if n := listMark(runes, i, end); n > 0 {
			i += n
		} else if n := c.filler.match(runes, i, end); n > 0 && !(c.address.match(runes, i, i+n) == n && i+n < end && text.Han(runes[i+n])) {
			i += n
		} else if n := c.linkAt(runes, i, end); n > 0 {
			i += n
		}
		if i == from {
			return i
		}
	}
}

// linkAt gives the length of a linking word at i, or 0.
func (c *Cues) linkAt(runes []rune, i, end int) int {
	n := c.link.match(runes, i, end)
	if n == 2 && i+n < end && runes[i] == '还' && (strings.ContainsRune(linkNot, runes[i+n]) || asksWhatIsLeft(runes, i+n, end)) {
		return 0
	}
	if n > 0 && c.ordinal.match(runes, i, i+n) == n && c.counts(runes, i+n, end) {
		return 0
	}
	return n
}

// asksWhatIsLeft tells whether 还有 before i is the verb of a question: what follows to the next mark is a
// name without a verb, and a word that asks ("还有周末的名额吗"; not "还有发票能开吗").
func asksWhatIsLeft(runes []rune, i, end int) bool {
	stop := i
	for stop < end && text.Han(runes[stop]) {
		stop++
	}
	if stop-i < 2 || !strings.ContainsRune("吗么没不", runes[stop-1]) {
		return false
	}
	for _, r := range runes[i : stop-1] {
		if strings.ContainsRune(verbal, r) {
			return false
		}
	}
	return true
}

// counts tells whether an ordinal that ends at i counts something ("第三次", "third time") instead of
// numbering what is listed ("第三，…", "third, can I …").
func (c *Cues) counts(runes []rune, i, end int) bool {
	for i < end && runes[i] == ' ' {
		i++
	}
	if i >= end || loose(runes[i]) || final(runes[i]) || runes[i] == ')' {
		return false
	}
	if text.Han(runes[i]) {
		return strings.ContainsRune(measureWords, runes[i])
	}
	return c.speaks.match(runes, i, end) == 0 && c.ask.match(runes, i, end) == 0
}

// trim moves end back over blanks, punctuation and closing words that say nothing.
func (c *Cues) trim(runes []rune, i, end int) int {
	for {
		from := end
		for end > i && (loose(runes[end-1]) || final(runes[end-1])) {
			end--
		}
		if n := c.tail.matchBack(runes, i, end); n > 0 {
			end -= n
		}
		if end == from {
			return end
		}
	}
}

func loose(r rune) bool {
	switch r {
	case ' ', '\n', ',', '、', '-', '~', '·', '…', ':', '—', '"':
		return true
	}
	return false
}

func final(r rune) bool {
	switch r {
	case '。', '!', '?', ';', '.', '؟', '۔', '،', '؛':
		return true
	}
	return false
}

// list is a set of words and phrases in plain form, found by their first rune, longest first.
type list map[rune][][]rune

func makeList(parts ...[]string) list {
	l := list{}
	for _, words := range parts {
		for _, w := range words {
			if r := text.Normalise(w).Runes; len(r) > 0 {
				l[r[0]] = append(l[r[0]], r)
			}
		}
	}
	for _, words := range l {
		slices.SortFunc(words, func(a, b []rune) int {
			if len(a) != len(b) {
				return len(b) - len(a)
			}
			return slices.Compare(a, b)
		})
	}
	return l
}

// match gives the length of the longest entry that stands at i, whole words only, or 0.
func (l list) match(runes []rune, i, end int) int {
	if i >= end {
		return 0
	}
	for _, w := range l[runes[i]] {
		if len(w) > end-i || !slices.Equal(runes[i:i+len(w)], w) {
			continue
		}
		if text.Letter(w[0]) && i > 0 && letterAt(runes, i-1, end) {
			continue
		}
		if stop := i + len(w); text.Letter(w[len(w)-1]) && stop < end && letterAt(runes, stop, end) {
			continue
		}
		return len(w)
	}
	return 0
}

// matchBack gives the length of an entry that ends at end, or 0.
func (l list) matchBack(runes []rune, from, end int) int {
	best := 0
	for i := max(from, end-24); i < end; i++ {
		if n := l.match(runes, i, end); n == end-i && n > best {
			return n
		}
	}
	return best
}

// find gives the first place in runes[from:end] where an entry stands, and its length, or -1.
func (l list) find(runes []rune, from, end int) (at, length int) {
	for i := from; i < end; i++ {
		if n := l.match(runes, i, end); n > 0 {
			return i, n
		}
	}
	return -1, 0
}
