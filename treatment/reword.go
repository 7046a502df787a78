package treatment

import (
	"slices"
	"strings"
	"unicode"

	"github.com/rapport-cx/rapport/scene"
)

// Rewording is a sentence of ours as somebody else, a language model perhaps,
// would rather say it.
type Rewording struct {
	Text   string `json:"text"`   // as the house says it
	Worded string `json:"worded"` // as it is to be said
}

// Wordable lists the sentences of a solution that may be said in other words: what
// the house says itself in plain blocks and questions. What is quoted, offered,
// promised, measured or filled in is said as it is.
func Wordable(s *Solution) (all []string) {
	for i := range s.Blocks {
		if b := &s.Blocks[i]; wordable(b) && !slices.Contains(all, b.Text) {
			all = append(all, b.Text)
		}
	}
	return all
}

func wordable(b *Block) bool {
	return (b.Kind == "text" || b.Kind == "clarify") && b.Source == "" && b.Text != "" && len(b.Marks) == 0 && b.Action == ""
}

// Reword says the sentences of a solution in other words where those are [Faithful]
// to them, and marks each as AI generated. It gives the solution that it was given
// when nothing is.
func Reword(s Solution, words []Rewording, at scene.Scene) Solution {
	if len(words) == 0 {
		return s
	}
	label := wordingOf(at).say("ai_generated")
	blocks := slices.Clone(s.Blocks)
	for i := range blocks {
		b := &blocks[i]
		if !wordable(b) {
			continue
		}
		k := slices.IndexFunc(words, func(w Rewording) bool { return w.Text == b.Text })
		if k >= 0 && words[k].Worded != b.Text && Faithful(b.Text, words[k].Worded) {
			b.Text, b.Generated = words[k].Worded, label
		}
	}
	s.Blocks = blocks
	return s
}

// Courtesies are the words that a rewording may add: they greet, thank, ask and
// link. None of them denies, doubts, limits, agrees or promises. Chinese ones stand
// longest first.
var Courtesies = map[scene.Locale][]string{
	scene.Chinese: {"感谢您的耐心", "谢谢您的耐心", "感谢您告诉我", "谢谢您告诉我", "谢谢您", "感谢您", "麻烦您", "您好", "你好", "谢谢", "感谢", "麻烦", "另外", "此外", "那么", "请", "呢", "哦", "啦", "呀", "啊"},
	scene.English: {"thank you for your patience", "thanks for your patience", "thank you for telling me", "thanks for telling me", "thank you", "thanks", "hello", "hi", "please", "kindly", "and", "also", "so"},
}

// Faithful tells whether a rewording says what the original says and nothing else.
// Apart from marks, blanks and case, and from [Courtesies] that may be added, it must
// be the same words and numbers in the same order: then no fact, condition, denial or
// name can have been added, lost or exchanged. It is meant to refuse much and to
// accept nothing wrong.
func Faithful(original, worded string) bool {
	if strings.TrimSpace(worded) == "" || len(worded) > 2*len(original)+120 {
		return false
	}
	for _, r := range worded {
		if r == '\n' && strings.ContainsRune(original, '\n') {
			continue
		}
		switch {
		case unicode.Is(unicode.C, r), unicode.Is(unicode.M, r), r == unicode.ReplacementChar:
			return false
		case strings.ContainsRune(original, r), unicode.IsLetter(r), unicode.IsSpace(r), strings.ContainsRune("，。！、；：,.!;:'’~～", r):
		default:
			return false // digits, marks and signs of its own: a question mark makes another sentence
		}
	}
	want, said := contentOf(original), contentOf(worded)
	for len(said) > 0 {
		if len(want) > 0 && want[0] == said[0] {
			want, said = want[1:], said[1:]
			continue
		}
		n := courtesyAt(said)
		if n == 0 {
			return false
		}
		said = said[n:]
	}
	return len(want) == 0
}

// courtesies are [Courtesies] as contents.
var courtesies = func() (all [][]string) {
	for _, l := range []scene.Locale{scene.Chinese, scene.English} {
		for _, c := range Courtesies[l] {
			all = append(all, contentOf(c))
		}
	}
	return all
}()

// courtesyAt is how much of a content a courtesy at its beginning takes.
func courtesyAt(content []string) int {
	for _, c := range courtesies {
		if len(c) <= len(content) && slices.Equal(c, content[:len(c)]) {
			return len(c)
		}
	}
	return 0
}

// contentOf is what a sentence says: its words, numbers, Han characters and the signs
// that change a meaning, in their order.
func contentOf(sentence string) (content []string) {
	runes := []rune(strings.ToLower(sentence))
	for i := 0; i < len(runes); i++ {
		switch r := runes[i]; {
		case wordRune(r):
			j := i
			for j < len(runes) && (wordRune(runes[j]) || joins(runes, j)) {
				j++
			}
			content = append(content, string(runes[i:j]))
			i = j - 1
		case unicode.IsSpace(r), strings.ContainsRune("，。！、；：,.!;:~～'’", r):
		default: // a Han character, ? % + …
			content = append(content, string(r))
		}
	}
	return content
}

func wordRune(r rune) bool {
	return (unicode.IsLetter(r) || unicode.IsDigit(r)) && !unicode.Is(unicode.Han, r)
}

// joins tells of a mark inside a word or number: 2,999 3.5 20:00 don't 2026-05-01.
func joins(runes []rune, i int) bool {
	return strings.ContainsRune(".,:'’-/", runes[i]) && i > 0 && i+1 < len(runes) && wordRune(runes[i-1]) && wordRune(runes[i+1])
}
