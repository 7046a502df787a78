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

func (e *each) End() {}

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
	and, space, comma, hanComma, sentence, linked float64 // price of a cut; hanComma: of one before a question after a Chinese comma; linked: a joining word after a mark
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
