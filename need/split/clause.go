package split

import (
	"slices"
	"strings"

	"github.com/rapport-cx/rapport/need/text"
)

// Acts tells whether the stretch [start, end) of a plain text asks or demands
// something by itself; a reason or a description does not.
func (c *Cues) Acts(runes []rune, start, end int) bool {
	return c.asks(runes, start, end) || c.acts(runes, start, end)
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
