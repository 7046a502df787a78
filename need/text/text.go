// Package text is the doorstep of need, step 4 of the flow: it brings what a customer wrote into one
// plain form, so that the classifier, the splitter and the entity tables meet the same characters
// whatever the keyboard, and remembers where each character came from.
//
//	n := text.Normalise("對比Ａ和B　型號")
//	string(n.Runes)      // "对比a和b 型号"
//	n.Source(0, 2)       // 0, 2: the span of the original that the first two runes stand for
//
// It promises that every rune of the plain form stands for exactly one rune of the original, in the
// original order; runes may be left out (zero-width marks, a second blank), never added. So a span of
// the plain form is always one span of the original.
package text

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Normalised is a text in its plain form. Runes and Origin have the same length; Origin[i] is the
// offset, in runes of the original, of the rune that Runes[i] stands for, and strictly increases.
// Length is the number of runes of the original.
type Normalised struct {
	Runes  []rune
	Origin []int
	Length int
}

// Source gives the half-open span of the original that the half-open span [start, end) of the plain
// form stands for. An empty span gives an empty span.
func (n Normalised) Source(start, end int) (int, int) {
	if start >= end {
		if start < len(n.Origin) {
			return n.Origin[start], n.Origin[start]
		}
		return n.Length, n.Length
	}
	return n.Origin[start], n.Origin[end-1] + 1
}

// Normalise gives the plain form of s: full-width forms become half-width, letters lower case,
// traditional characters simplified, typographic quotes and dashes plain, blanks of all kinds one
// space, and what has no width (joiners, direction marks, variation selectors, controls) is left out.
// A line end stays a line end, for it ends a sentence. Invalid UTF-8 counts one U+FFFD a byte, as a
// conversion to []rune does.
func Normalise(s string) Normalised {
	n := Normalised{Runes: make([]rune, 0, len(s)), Origin: make([]int, 0, len(s))}
	blank := true
	i := 0
	for _, r := range s {
		at := i
		i++
		r = Fold(r)
		if r < 0 {
			continue
		}
		if r == ' ' {
			if blank {
				continue
			}
			blank = true
		} else {
			blank = r == '\n'
			if blank && len(n.Runes) > 0 && n.Runes[len(n.Runes)-1] == ' ' {
				n.Runes, n.Origin = n.Runes[:len(n.Runes)-1], n.Origin[:len(n.Origin)-1]
			}
		}
		n.Runes = append(n.Runes, r)
		n.Origin = append(n.Origin, at)
	}
	if k := len(n.Runes); k > 0 && n.Runes[k-1] == ' ' {
		n.Runes, n.Origin = n.Runes[:k-1], n.Origin[:k-1]
	}
	n.Length = i
	return n
}

// Plain is the plain form of s as a string, for keys and comparisons that need no offsets.
func Plain(s string) string { return string(Normalise(s).Runes) }

// Fold gives the plain form of one rune, or -1 for a rune that is left out.
func Fold(r rune) rune {
	if r < 0x80 {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		case r > ' ' && r < 0x7f || r == ' ' || r == '\n':
			return r
		case r == '\t' || r == '\r' || r == '\v' || r == '\f':
			return ' '
		}
		return -1
	}
	if r >= 0x4e00 && r <= 0x9fff {
		if s := simplified()[r-0x4e00]; s != 0 {
			return rune(s)
		}
		return r
	}
	switch {
	case r == 0xff5e:
		return '~'
	case r >= 0xff01 && r <= 0xff5e:
		return Fold(r - 0xfee0)
	case r == 0x2028 || r == 0x2029 || r == 0x85:
		return '\n'
	case r == '‘' || r == '’' || r == 'ʼ' || r == '′' || r == '`':
		return '\''
	case r == '“' || r == '”' || r == '„' || r == '″':
		return '"'
	case r >= 0x2010 && r <= 0x2015 || r == 0x2212:
		return '-'
	case r == 0x3000 || unicode.Is(unicode.Zs, r):
		return ' '
	case unicode.In(r, unicode.Cf, unicode.Cc, unicode.Variation_Selector):
		return -1
	}
	return unicode.ToLower(r)
}

// Han tells whether r is written without blanks between words: a Chinese character, or kana or
// Hangul, which are cut in the same way.
func Han(r rune) bool {
	if r < 0x2e80 {
		return false
	}
	return r >= 0x4e00 && r <= 0x9fff || unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul)
}

// Letter tells whether r belongs to a word of a script that has blanks between words: a letter, a
// digit or a mark, and no Han.
func Letter(r rune) bool {
	if r < 0x80 {
		return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || 'A' <= r && r <= 'Z'
	}
	return !Han(r) && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r))
}

// Stands tells whether a phrase stands in a text by itself: not inside of a longer word. Between
// Han characters nothing separates words, so there any place counts. Both are compared as they are
// written; an underscore belongs to the word it stands in.
func Stands(s, phrase string) bool {
	if phrase == "" {
		return false
	}
	first, size := utf8.DecodeRuneInString(phrase)
	last, _ := utf8.DecodeLastRuneInString(phrase)
	for from := 0; ; from += size {
		i := strings.Index(s[from:], phrase)
		if i < 0 {
			return false
		}
		from += i
		end := from + len(phrase)
		before, _ := utf8.DecodeLastRuneInString(s[:from])
		after, _ := utf8.DecodeRuneInString(s[end:])
		if (from == 0 || !joins(before) || !joins(first)) && (end == len(s) || !joins(after) || !joins(last)) {
			return true
		}
	}
}

func joins(r rune) bool { return r == '_' || Letter(r) }

// simplified is simplifiedPairs by character, 42 kB, made at first use: an array costs a nanosecond a
// character where a map costs fifteen.
var simplified = sync.OnceValue(func() *[0xa000 - 0x4e00]uint16 {
	runes := []rune(simplifiedPairs)
	table := new([0xa000 - 0x4e00]uint16)
	for i := 0; i+1 < len(runes); i += 2 {
		table[runes[i]-0x4e00] = uint16(runes[i+1])
	}
	return table
})
