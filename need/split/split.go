// Package split is the knife of need, step 4 of the flow: it cuts an enquiry that asks for several
// things into one span for each, in Chinese, English and a mixture of both.
//
//	cues := split.Compile(split.Words{}, examples)
//	spans := split.Split(text.Normalise(enquiry), score, cues)
//
// Places where a cut is possible are punctuation, line ends and joining words. Every run of a few
// neighbouring pieces is scored by the classifier; the cuts with the largest sum of clipped margins,
// less the price of each cut, are found by dynamic programming. So nothing is ever learned from
// compound enquiries: the classifier knows single needs, the grammar knows how sentences are joined.
//
// It promises spans in the order of the text that do not overlap, begin and end on something said
// (joining words, greetings and marks belong to no span), the same result for the same arguments, and
// a time that grows in proportion to the length of the text.
package split

import (
	"slices"
	"strings"

	"github.com/rapport-cx/rapport/need/text"
)

// Score tells the best intent of a part of a plain text and its margin: about +1 for a clear yes, −1
// for a clear no. It must be pure.
type Score func(part []rune) (label int, margin float64)

// Ear tells what the parts of one text mean, of which many overlap.
type Ear interface {
	// Begin takes up a plain text. Its pieces begin at starts and end at ends, in order and none before the
	// other has ended; parts have at most so many pieces.
	Begin(runes []rune, starts, ends []int, most int)
	// Best gives what Score gives of runes[starts[first]:ends[last]]. The parts that are asked for end ever
	// later.
	Best(first, last int) (label int, margin float64)
	// Score is a Score.
	Score(part []rune) (label int, margin float64)
	// End lets go of the text.
	End()
}

// each is an ear that hears each part by itself.
type each struct {
	score        Score
	runes        []rune
	starts, ends []int
}

func (e *each) Begin(runes []rune, starts, ends []int, _ int) {
	e.runes, e.starts, e.ends = runes, starts, ends
}
func (e *each) Score(part []rune) (label int, margin float64) { return e.score(part) }
func (e *each) End()                                          {}
func (e *each) Best(first, last int) (label int, margin float64) {
	return e.score(e.runes[e.starts[first]:e.ends[last]])
}

// Range is a half-open range of runes of the original text.
type Range struct{ Start, End int }

// Span is what one need is said with.
type Span struct {
	Range        // in the original text
	Plain  Range // the same, in the plain form
	Core   Range // of Plain, what says which need it is: without "怎么办" and "please check" at its ends
	Label  int   // as Score gave it
	Margin float64
	// Condition is what has to be so before this need counts; nil: nothing.
	Condition *Condition
	// Negated: the customer rules this need out ("不想退", "don't refund it").
	Negated bool
	// Excluded are clauses inside the span that rule something out ("别推荐含酒精的").
	Excluded []Range
}

// Condition makes a need depend on another one's result.
type Condition struct {
	Range     // the clause that states it, in the original text
	On    int // index of the span whose result it speaks of, -1: none of this enquiry's
	// Failing: the need counts when the other one cannot be met ("否则", "otherwise", "改不了就…").
	Failing bool
}

// What a span is worth and what a cut costs, in margins. Chosen by random search on the development
// part of public compound data and on pack examples that were left out of training and joined at
// random; neighbouring values differ by less than the noise.
var tune = struct {
	low, high                                     float64 // a margin counts from low to high
	act                                           float64 // a span that asks or demands something earns it
	begin                                         float64 // so does one that begins as examples begin, at most
	same                                          float64 // price of two neighbours of one intent, unless both ask or the second begins as examples do
	usual                                         float64 // after a bare joining word of a script with blanks, a beginning counts from here
	andBegin                                      float64 // and this much
	and, space, comma, hanComma, sentence, linked float64 // price of a cut; linked: a joining word after a mark
	conditional                                   float64 // price of a cut before a conditional clause
	bothAsk, bothAct                              float64 // off the price of a cut between two pieces that both ask, or both ask or demand
	strong                                        float64 // off the price of a cut at a joining word that seldom joins names ("and also", 顺便)
	soft                                          float64 // price of a cut before a joining word after a mark that goes on with the same matter as often
	bareHow                                       float64 // price, besides, of a cut between a statement and a bare "怎么改"
	guess                                         float64 // price, besides, of a cut before "是不是"
	andSame                                       float64 // price of two neighbours of one intent that a bare "and" joins, however the second begins
	run                                           float64 // price, besides that of "and", of a cut before a question that nothing sets off
	contrast                                      float64 // price, besides, of a cut at a bare "but" that no question follows
}{
	low: -0.6, high: 0.6, act: 0.3, begin: 0.15, same: 0.6, usual: 0.2, andBegin: 0.5,
	and: 0.35, space: 0.1, comma: 0.3, hanComma: 0.12, sentence: -0.15, linked: -0.5, conditional: -0.3,
	bothAsk: 0.45, bothAct: 0, strong: 0.6, andSame: 0.7, guess: 0.5, bareHow: 0.4, soft: 0.5,
	run: 0.3, contrast: 0.7,
}

const (
	window     = 6   // pieces in one span, at most
	many       = 4   // a span of more pieces than these …
	wordy      = 70  // … has no more runes than these: nobody says one need at such length (no enquiry of ours or theirs is cut otherwise)
	longest    = 600 // runes that are scored of one span
	mostPieces = 4096
	shortHow   = 6 // Han characters of a "how" that has no object of its own, at most
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

// Split cuts a text. It returns nothing for a text that says nothing, and one span for one that holds
// a single need.
func Split(n text.Normalised, score Score, c *Cues) []Span {
	return Heard(n, &each{score: score}, c)
}

// Heard is Split with an ear for the text as a whole.
func Heard(n text.Normalised, ear Ear, c *Cues) []Span {
	pieces := c.pieces(n.Runes)
	if len(pieces) == 0 {
		return nil
	}
	places := make([]int, 2*len(pieces))
	starts, ends := places[:len(pieces)], places[len(pieces):]
	for i := range pieces {
		starts[i], ends[i] = pieces[i].start+pieces[i].lead, pieces[i].end
	}
	ear.Begin(n.Runes, starts, ends, window)
	defer ear.End()
	type step struct {
		value, margin float64
		from, label   int
	}
	best := make([]step, len(pieces)+1)
	for j := 1; j <= len(pieces); j++ {
		best[j].value = -1e18
		act := false
		for i := j - 1; i >= 0 && i >= j-window; i-- {
			first := &pieces[i]
			act = act || first.acts
			if first.joined && i > 0 && j-i < window {
				continue
			}
			part := n.Runes[first.start:pieces[j-1].end]
			if len(part) > longest {
				if i < j-1 {
					break
				}
			}
			if j-i > many && len(part) > wordy {
				break
			}
			before, asked := &pieces[max(i-1, 0)], false
			for k := best[i].from; k < i; k++ {
				asked = asked || pieces[k].asks
			}
			// worth is what the spans up to here come to, with a clipped margin of the last one.
			worth := func(margin float64) float64 {
				value := best[i].value + margin
				if act {
					value += tune.act
				}
				if i == 0 {
					return value
				}
				value -= first.price()
				if first.bare && !before.asks {
					value -= tune.bareHow
				}
				if first.asks && asked && !first.run {
					value += tune.bothAsk
				} else if first.acts && before.acts {
					value += tune.bothAct
				}
				return value
			}
			if worth(tune.high) <= best[j].value {
				continue // whatever it means, it is not the best: half of the spans need no classifier
			}
			from, to := heart(pieces[i:j])
			var label int
			var margin float64
			if from, to := i+from, i+to-1; ends[to]-starts[from] > longest {
				label, margin = ear.Score(n.Runes[starts[from] : starts[from]+longest])
			} else {
				label, margin = ear.Best(from, to)
			}
			value := worth(min(max(margin, tune.low), tune.high))
			// The label of the best way to get here stands for that of all ways: exact search over
			// labels would cost their number times the work and changes next to nothing.
			if i > 0 && label == best[i].label && !(first.asks && asked) {
				if first.mark == markAnd && !first.strong && min(margin, best[i].margin) < tune.high {
					value -= max(tune.andSame, float64(tune.same*(1-first.begin)))
				} else {
					value -= float64(tune.same * (1 - first.begin))
				}
			}
			if value > best[j].value {
				best[j] = step{value: value, margin: margin, from: i, label: label}
			}
		}
	}
	count := 0
	for j := len(pieces); j > 0; j = best[j].from {
		count++
	}
	spans := make([]Span, count)
	for j := len(pieces); j > 0; j = best[j].from {
		count--
		s := &spans[count]
		s.Plain = Range{pieces[best[j].from].start, pieces[j-1].end}
		s.Start, s.End = n.Source(s.Plain.Start, s.Plain.End)
		s.Core = core(pieces[best[j].from:j])
		s.Label, s.Margin = best[j].label, best[j].margin
	}
	for i := range spans {
		c.attach(n, spans, i, ear.Score)
	}
	return spans
}

// core is where what pieces say begins and ends when those at either end that say nothing by themselves
// are left out.
func core(pieces []piece) Range {
	from, to := heart(pieces)
	return Range{pieces[from].start + pieces[from].lead, pieces[to-1].end}
}

func heart(pieces []piece) (from, to int) {
	from, to = 0, len(pieces)
	for to > 1 && pieces[to-1].empty {
		to--
	}
	for from < to-1 && pieces[from].empty {
		from++
	}
	return from, to
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

// adds tells whether a piece after a comma is a few words that only add to the clause before it: "without
// perfume", "in navy".
func (c *Cues) adds(runes []rune, start, end int) bool {
	n := c.fragment.match(runes, start, end)
	if n == 0 || c.given.match(runes, start, end) > 0 || c.opener.match(runes, start, end) > 0 || c.unless.match(runes, start, end) > 0 {
		return false
	}
	blanks := 0
	for _, r := range runes[start:end] {
		if r == ' ' {
			blanks++
		}
	}
	return blanks > 0 && blanks < 5 && !c.asks(runes, start, end) && !c.acts(runes, start+n, end)
}

// judges tells whether a piece is a clause that judges the one before it ("which is unfair") and asks nothing
// ("which is better").
func (c *Cues) judges(runes []rune, start, end int) bool {
	n := c.relative.match(runes, start, end)
	if n == 0 || end < len(runes) && runes[end] == '?' {
		return false
	}
	word := start + n
	for word < end && runes[word] == ' ' {
		word++
	}
	stop := word
	for stop < end && letterAt(runes, stop, end) {
		stop++
	}
	switch w := string(runes[word:stop]); {
	case w == "the", w == "more", w == "less", w == "best", strings.HasSuffix(w, "er"), strings.HasSuffix(w, "est"):
		return false
	}
	return true
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

// asks tells whether a piece is a question.
func (c *Cues) asks(runes []rune, start, end int) bool {
	if end < len(runes) && runes[end] == '?' {
		return true
	}
	for i := start; i < end; i++ {
		if c.ask.match(runes, i, end) == 0 {
			continue
		}
		if !text.Letter(runes[i]) || i == start || c.opening.match(runes, i, end) > 0 || c.inquiry.match(runes, i, end) > 0 {
			return true
		}
	}
	return LeavesOpen(runes, start, end)
}

// leadIn gives the length of the words at the beginning of a piece that only say that something is asked, when
// at least three words follow them.
func (c *Cues) leadIn(runes []rune, start, end int) int {
	n := c.asking.match(runes, start, end)
	if n == 0 {
		return 0
	}
	blanks, i := 0, start+n
	for i < end && runes[i] == ' ' {
		i++
	}
	if k := c.whether.match(runes, i, end); k > 0 {
		i += k + 1
	} else if c.inquiry.match(runes, i, end) == 0 {
		return 0
	}
	for _, r := range runes[min(i, end):end] {
		if r == ' ' {
			blanks++
		}
	}
	if blanks < 2 {
		return 0
	}
	return i - start
}

// requests tells whether a polite word that says nothing of the need stands in [from, to): "please | collect it".
func (c *Cues) requests(runes []rune, from, to int) bool {
	at, _ := c.polite.find(runes, from, to)
	return at >= 0
}

// LeavesOpen tells whether Chinese words of a plain text ask by yes or no without a word for it: they
// end in one ("能退不", "到了没", "修完没有"), or say a verb and its denial ("送不送").
func LeavesOpen(runes []rune, start, end int) bool {
	no := func(r rune) bool { return r == '不' || r == '没' }
	if end-start > 2 && no(runes[end-1]) && text.Han(runes[end-2]) && !no(runes[end-2]) {
		return true
	}
	for i := max(start+1, end-4); i+1 < end; i++ { // "修完没有", "发了没呀"; not "修完没用"
		if runes[i] == '没' && strings.ContainsRune("了完过好到", runes[i-1]) && strings.ContainsRune("有啊呀呢", runes[i+1]) {
			return true
		}
	}
	for i := start + 1; i+1 < end; i++ {
		if no(runes[i]) && runes[i-1] == runes[i+1] && text.Han(runes[i-1]) {
			return true
		}
	}
	return alternatives(runes, start, end)
}

// alternatives tells whether Chinese words leave a choice between two things open: "下一步学这个还是那个". After
// something done 还是 means "still": "修了两次还是漏水", and so it does before a denial.
func alternatives(runes []rune, start, end int) bool {
	chooses := false
	for i := start; i+2 < end; i++ {
		switch r := runes[i]; {
		case r == '了' || r == '过':
			return false
		case strings.ContainsRune(choices, r):
			chooses = true
		case chooses && r == '还' && runes[i+1] == '是':
			return !strings.ContainsRune("不没无老", runes[i+2])
		}
	}
	return false
}

// acts tells whether a piece demands something, or states what is wrong.
func (c *Cues) acts(runes []rune, start, end int) bool {
	at, _ := c.act.find(runes, start, end)
	return at >= 0
}

// opens tells whether a piece is a condition whose consequence is still to come.
func (c *Cues) opens(runes []rune, start, end int) bool {
	if k := max(c.unless.match(runes, start, end), c.given.match(runes, start, end)); k > 0 {
		return start+k >= c.trim(runes, start, end)
	}
	if c.opener.match(runes, start, end) > 0 {
		if text.Han(runes[start]) {
			at, _ := consequence.find(runes, start, end)
			return at < 0
		}
		return true
	}
	if c.reason.match(runes, start, end) > 0 {
		return true
	}
	stop := c.trim(runes, start, end)
	return stop > start+2 && runes[stop-1] == '话' && runes[stop-2] == '的'
}

// empty tells whether a piece asks without saying for what: it is made of nothing but empty words, one of
// which asks or urges.
func (c *Cues) empty(runes []rune, start, end int) bool {
	asks := false
	for i := start; i < end; {
		if n := c.vain.match(runes, i, end); n > 0 {
			asks = true
			i += n
		} else if n := c.vainBeside.match(runes, i, end); n > 0 {
			i += n
		} else if loose(runes[i]) || final(runes[i]) {
			i++
		} else {
			return false
		}
	}
	return asks
}

// supposes gives where the condition ends with which a Chinese clause begins without a word that opens one, in
// runes from its start, or 0: it closes with 的话 ("不来的话给我拍大一码的"), or 就 follows what can or cannot
// be ("有就帮我改过去", "换不了我就不要了").
func supposes(runes []rune, start, end int) int {
	can, near := false, strings.ContainsRune("有能行没", runes[start])
	for i := start; i < min(end, start+9); i++ {
		if loose(runes[i]) || final(runes[i]) {
			return 0
		}
		switch r := runes[i]; {
		case r == '的' && i > start && i+1 < end && runes[i+1] == '话' && (i+2 >= end || runes[i+2] != '费'):
			return i + 2 - start
		case r == '就' && (can || near && i > start && i <= start+2):
			return i - start
		case r == '不' && i > start && i+1 < end && strings.ContainsRune(attained, runes[i+1]), r == '没' && i > start && i+1 < end && runes[i+1] == '了':
			can = true
		}
	}
	return 0
}

// fallsShort tells whether a Chinese clause begins by denying that what the question before it asks for can be
// done: "能截住吗，截不住我再寄一份".
func fallsShort(runes []rune, before, start, end int) bool {
	return start+3 < end && text.Han(runes[start]) && runes[start+1] == '不' && strings.ContainsRune(attained, runes[start+2]) && slices.Contains(runes[before:start], runes[start])
}

// consequence begins the second half of a conditional clause.
var consequence = makeList([]string{"就", "那就", "那么", "则", "才", "then"})

// attach finds what a span depends on and what it rules out.
func (c *Cues) attach(n text.Normalised, spans []Span, i int, score Score) {
	s := &spans[i]
	runes, start, end := n.Runes, s.Plain.Start, s.Plain.End
	if from, to, failing, ok := c.condition(runes, start, end); ok {
		k := &Condition{On: i - 1, Failing: failing}
		k.Start, k.End = n.Source(from, to)
		if label, margin := score(runes[from:to]); margin > 0 {
			for j := i - 1; j >= 0; j-- {
				if spans[j].Label == label {
					k.On = j
					break
				}
			}
		}
		s.Condition = k
	}
	ruledOut, left := 0, 0
	for p := start; p < end; {
		if length := c.actVerb.match(runes, p, end); length > 0 {
			left++
			p += length
			continue
		}
		length := c.negator.match(runes, p, end)
		if length == 0 {
			p++
			continue
		}
		q := p + length
		for q < end && runes[q] == ' ' {
			q++
		}
		verb := c.actVerb.match(runes, q, end)
		if verb == 0 {
			p += length
			continue
		}
		ruledOut++
		from, to := n.Source(p, clauseEnd(runes, q+verb, end))
		s.Excluded = append(s.Excluded, Range{from, to})
		p = q + verb
	}
	if ruledOut > 0 && left == 0 {
		s.Negated = c.onlyExcluded(n, s)
	}
}

// onlyExcluded tells whether a span says little but what it rules out: in "有没有适合妈妈的，别推荐含酒精的"
// the wish stands, in "不想退款了" none does.
func (c *Cues) onlyExcluded(n text.Normalised, s *Span) bool {
	runes := n.Runes
	at, said, excluded := s.Plain.Start, 0, 0
	for _, x := range s.Excluded {
		stop := at
		for stop < s.Plain.End && n.Origin[stop] < x.Start {
			stop++
		}
		if c.asks(runes, at, stop) {
			return false
		}
		said += stop - at
		at = stop
		for at < s.Plain.End && n.Origin[at] < x.End {
			at++
			excluded++
		}
	}
	if c.asks(runes, at, s.Plain.End) {
		return false
	}
	return said+s.Plain.End-at <= excluded
}

// clauseEnd gives the end of the clause that i is in.
func clauseEnd(runes []rune, i, end int) int {
	for i < end {
		if kind, stop := boundary(runes, i, end); stop > i && kind != markSpace {
			return i
		}
		i++
	}
	return end
}

// condition finds the conditional clause of a span.
func (c *Cues) condition(runes []rune, start, end int) (from, to int, failing, ok bool) {
	if k := c.unless.match(runes, start, end); k > 0 {
		return start, start + k, true, true
	}
	if k := c.given.match(runes, start, end); k > 0 {
		return start, start + k, false, true
	}
	if k := c.opener.match(runes, start, end); k > 0 {
		if at, _ := consequence.find(runes, start+k, end); at > 0 {
			if stop := clauseEnd(runes, start, end); stop < at {
				return start, stop, false, true
			}
			return start, c.trim(runes, start, at), false, true
		}
		stop := clauseEnd(runes, start+k, end)
		if stop == end && !text.Han(runes[start]) {
			stop = start + k
		}
		return start, stop, false, true
	}
	for p := start; p < end; p++ {
		if p+1 < end && runes[p] == '的' && runes[p+1] == '话' && (p+2 >= end || runes[p+2] != '费') {
			return start, p + 2, false, true
		}
		if runes[p] == '就' && p-start >= 2 && p-start <= 8 {
			for q := start; q < p; q++ {
				if runes[q] == '不' || runes[q] == '没' || runes[q] == '无' {
					return start, p, true, true
				}
			}
		}
		if p > start && !text.Han(runes[p]) {
			if k := c.opener.match(runes, p, end); k > 0 {
				return p, end, false, true
			}
		}
	}
	return 0, 0, false, false
}
