package split

import (
	"strings"

	"github.com/rapport-cx/rapport/need/text"
)

type mark uint8

const (
	markAnd mark = iota // a joining word, nothing else
	markSpace
	markComma
	markHanComma
	markSentence
)

// piece is a stretch of the plain text between two possible cuts. The mark and link tell what stands
// before it; joined forbids the cut there.
type piece struct {
	start, end  int
	mark        mark
	link        bool // a joining word stands after the mark
	soft        bool // one that goes on with the same matter as often: "but", 所以
	strong      bool // one that seldom joins names
	joined      bool
	asks, acts  bool // it asks; it asks or demands, or states what is wrong
	begin       float64
	spaced      bool // it begins with a word of a script with blanks
	bare        bool // it asks how without saying what: "怎么改"
	guess       bool // it may be a guess at the cause of what stands before it
	conditional bool // it begins with a conditional clause, after a mark
	empty       bool // it asks without saying for what: "怎么办", "please check"
	lead        int  // runes of it that only say that something is asked: "I'd like to know if"
	run         bool // neither a mark nor a joining word stands before it
}

func (p *piece) price() float64 {
	cost := 0.0
	switch p.mark {
	case markAnd:
		cost = tune.and
	case markSpace:
		cost = tune.space
	case markComma:
		cost = tune.comma
	case markHanComma:
		if cost = tune.comma; p.asks {
			cost = tune.hanComma
		}
	case markSentence:
		cost = tune.sentence
	}
	if p.conditional {
		cost = min(cost, tune.conditional)
	}
	if p.link && p.mark != markAnd {
		if cost = tune.linked; p.soft {
			cost = tune.soft
		}
	}
	if p.guess {
		cost += tune.guess
	}
	if p.strong && p.mark == markAnd {
		cost -= tune.strong
	}
	if p.run {
		cost += tune.run
	}
	if p.soft && p.spaced && p.mark == markAnd && !p.asks {
		cost += tune.contrast
	}
	if p.mark == markAnd && p.spaced {
		return cost - float64(tune.andBegin*(p.begin-tune.usual))
	}
	return cost - float64(tune.begin*p.begin)
}

// pieces finds the possible cuts.
func (c *Cues) pieces(runes []rune) []piece {
	var all []piece
	end := len(runes)
	current := piece{start: c.skip(runes, 0, end), mark: markSentence}
	for current.start < end && final(runes[current.start]) {
		current.start = c.skip(runes, current.start+1, end)
	}
	said := 0 // where what was skipped before the piece begins
	finish := func(stop int) bool {
		current.end = c.trim(runes, current.start, stop)
		if current.end <= current.start {
			return false
		}
		current.asks = c.asks(runes, current.start, current.end)
		current.acts = current.asks || c.acts(runes, current.start, current.end) || c.requests(runes, said, current.start)
		current.conditional = current.mark >= markComma && max(c.opener.match(runes, current.start, current.end), c.unless.match(runes, current.start, current.end), c.given.match(runes, current.start, current.end), supposes(runes, current.start, current.end)) > 0 ||
			len(all) > 0 && all[len(all)-1].asks && fallsShort(runes, all[len(all)-1].start, current.start, current.end)
		current.spaced = text.Letter(runes[current.start])
		current.guess = current.mark <= markHanComma && c.guess.match(runes, current.start, current.end) > 0
		current.bare = current.end-current.start <= shortHow && c.how.match(runes, current.start, current.end) > 0
		current.empty = c.empty(runes, current.start, current.end)
		if len(all) > 0 && (current.empty || c.wonder.match(runes, current.start, current.end) > 0) || len(all) == 1 && all[0].empty {
			current.joined = true // it asks about what stands before it
		}
		if len(all) > 0 && current.mark != markSentence && (c.adds(runes, current.start, current.end) || c.judges(runes, current.start, current.end)) {
			current.joined = true
		}
		current.begin = c.beginning(runes, current.start, current.end)
		current.lead = c.leadIn(runes, current.start, current.end)
		all = append(all, current)
		said = current.end
		return true
	}
	for i := current.start; i < end; {
		kind, stop := boundary(runes, i, end)
		word := 0
		run := false
		if stop == i {
			if word = c.weakAt(runes, i, current.start, end); word == 0 {
				if run = c.opensQuestion(runes, i, current.start, end); !run {
					i++
					continue
				}
			}
			kind, stop = markAnd, i+word
		}
		if kind == markAnd && (c.bare(runes, current.start, i) || c.shares(runes, stop, end)) {
			i = max(stop, i+1)
			continue
		}
		next := c.skip(runes, stop, end)
		for next < end && final(runes[next]) {
			kind = markSentence
			next = c.skip(runes, next+1, end)
		}
		if next >= end {
			finish(i)
			current.start = end
			break
		}
		if len(all)+1 >= mostPieces {
			i = next
			continue
		}
		linked, strong := word > 0, word > 0 && c.strong.match(runes, i, i+word) == word
		soft := word > 0 && c.soft.match(runes, i, i+word) == word
		for k := stop; k < next && !linked; k++ {
			n := c.linkAt(runes, k, end)
			linked, soft = n > 0, n > 0 && c.soft.match(runes, k, k+n) == n
		}
		joined := c.opens(runes, current.start, i) && kind != markSentence || runes[i] == ' ' && kind == markComma && topic(runes, current.start, i)
		if finish(i) {
			current = piece{start: next, mark: kind, link: linked, soft: soft, strong: strong, joined: joined, run: run}
		} else {
			current.start = next
		}
		i = max(next, i+1)
	}
	if current.start < end {
		finish(end)
	}
	return all
}

// opensQuestion tells whether a question of its own begins at i, after a clause of at least three words that
// nothing separates from it: "add two to my order pls is the offer still on".
func (c *Cues) opensQuestion(runes []rune, i, start, end int) bool {
	if i < start+5 || runes[i-1] != ' ' || !text.Letter(runes[i-2]) || c.opening.match(runes, i, end) == 0 || c.lead.matchBack(runes, start, i-1) > 0 {
		return false
	}
	blanks := 0
	for _, r := range runes[start : i-1] {
		if r == ' ' {
			blanks++
		}
	}
	return blanks >= 2 && (c.inquiry.match(runes, i, end) > 0 || !c.inverts(runes, start, i))
}

// inverts tells whether what stands in [start, i) leads up to the verb that stands at i: "how many points | do
// I have", "what time | is the van coming".
func (c *Cues) inverts(runes []rune, start, i int) bool {
	at, n := c.inquiry.find(runes, start, i)
	if at < 0 {
		return false
	}
	verb, _ := c.auxiliary.find(runes, at+n, i)
	return verb < 0
}

// topic tells whether what stands before " - " is short enough to be what the rest speaks of: "the blue
// one - cancel it".
func topic(runes []rune, from, to int) bool {
	blanks := 0
	for _, r := range runes[from:to] {
		if r == ' ' {
			blanks++
		}
	}
	return blanks < 5
}

// particles end a verb of two words that has no object yet: "look up and find it".
var particles = makeList([]string{"up", "out", "for", "at", "on", "in", "off", "to", "into", "over", "me", "my"})

// bare tells whether what stands before a joining word is a verb without its object, or a question word
// alone ("find and play", "when and where"): then the two share what follows. Only a word that examples
// begin with is taken for such a one: the B of "A and B and …" is none.
func (c *Cues) bare(runes []rune, from, to int) bool {
	if c.beginning(runes, from, to) < tune.usual {
		return false
	}
	for to > from && runes[to-1] == ' ' {
		to--
	}
	if n := c.polite.match(runes, from, to); n > 0 && from+n < to {
		from += n + 1
	}
	words, last := 1, from
	for k := from; k < to; k++ {
		switch {
		case runes[k] == ' ':
			words++
			last = k + 1
		case !letterAt(runes, k, to):
			return false
		}
	}
	return words == 1 || words == 2 && particles.match(runes, last, to) == to-last
}

// shares tells whether what stands after a joining word is a pronoun that shares the clause before it
// ("a table for my mum and me at eight"): a preposition, another joining word or nothing follows it.
func (c *Cues) shares(runes []rune, from, end int) bool {
	for from < end && runes[from] == ' ' {
		from++
	}
	n := c.sharer.match(runes, from, end)
	if n == 0 {
		return false
	}
	after := from + n
	if after == end || runes[after] != ' ' {
		return true
	}
	return c.preposition.match(runes, after+1, end) > 0 || c.weak.match(runes, after+1, end) > 0
}

// boundary tells whether a mark begins at i that may separate two needs, and where the marks end.
func boundary(runes []rune, i, end int) (mark, int) {
	r := runes[i]
	switch {
	case r == '\n' || r == '。' || r == '!' || r == '?' || r == ';' || r == '؟' || r == '۔' || r == '؛':
		return markSentence, i + 1
	case r == '.':
		if i+1 == end || runes[i+1] == ' ' || runes[i+1] == '\n' || text.Han(runes[i+1]) {
			return markSentence, i + 1
		}
	case r == '…' || r == '~':
		return markComma, i + 1
	case r == ',' || r == '،':
		if i > 0 && i+1 < end && digit(runes[i-1]) && digit(runes[i+1]) {
			return 0, i
		}
		if i > 0 && text.Han(runes[i-1]) || i+1 < end && text.Han(runes[i+1]) {
			return markHanComma, i + 1
		}
		return markComma, i + 1
	case r == ' ' && i+1 < end && listMark(runes, i+1, end) > 0:
		return markSentence, i + 1
	case r == ' ':
		if i > 0 && i+1 < end && (text.Han(runes[i-1]) && text.Han(runes[i+1])) {
			return markSpace, i + 1
		}
		if i+2 < end && runes[i+1] == '-' && runes[i+2] == ' ' {
			return markComma, i + 3
		}
	}
	return 0, i
}

// listMark gives the length of the number of a list at i, as in "1. … 2. …", or 0.
func listMark(runes []rune, i, end int) int {
	if i+1 >= end || !digit(runes[i]) || i > 0 && runes[i-1] != ' ' && runes[i-1] != '\n' || i+2 < end && digit(runes[i+2]) {
		return 0
	}
	switch runes[i+1] {
	case '.', '、', ')':
		return 2
	}
	return 0
}

func digit(r rune) bool { return '0' <= r && r <= '9' }

// weakAt gives the length of a joining word at i that may separate two needs although no mark stands
// before it.
func (c *Cues) weakAt(runes []rune, i, start, end int) int {
	if i <= start {
		return 0
	}
	n := c.weak.match(runes, i, end)
	if n == 0 && runes[i] == 'o' {
		n = c.orAsks(runes, i, end)
	}
	if n == 0 || i+n >= end || n == 2 && runes[i] == '还' && strings.ContainsRune(linkNot, runes[i+n]) {
		return 0
	}
	if !text.Han(runes[i]) {
		return n
	}
	before, after := runes[i-1], runes[i+n]
	if runes[i] == '另' && strings.ContainsRune(apart, before) {
		return 0 // "挂墙要另外收费吗" asks what is charged besides
	}
	if n == 1 {
		switch runes[i] {
		case '并':
			if before == '合' || before == '一' || after == '不' || after == '没' || after == '非' || after == '发' || after == '列' || after == '排' {
				return 0
			}
		case '再':
			if before == '不' || before == '别' || before == '先' || before == '能' || before == '会' || before == '一' || before == '想' || before == '天' || before == '后' || before == '时' || before == '周' || before == '月' || before == '点' || before == '要' || after == '见' || after == '说' || after == '次' || after == '也' {
				return 0
			}
		}
	}
	return n
}

// orAsks gives the length of an "or" at i that a question of its own follows ("is it covered or how much is a
// new one"), or 0. A question by yes or no after "or" is the other answer ("is it covered or do I pay").
func (c *Cues) orAsks(runes []rune, i, end int) int {
	if n := orWord.match(runes, i, end); n > 0 && c.opening.match(runes, i+n+1, end) > 0 && c.inquiry.match(runes, i+n+1, end) > 0 {
		return n
	}
	return 0
}

var orWord = makeList([]string{"or"})
