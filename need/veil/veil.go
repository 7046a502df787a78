// Package veil stands beside need, step 4 of the flow, at the one door through which
// words may leave the house: it takes out of a text what names a customer before
// somebody outside reads it, and puts it back into what they say.
//
//	v := veil.New([]string{"Lin Mei"})
//	out := v.Hide("Lin Mei, 13800138000: where is it?") // ⟦1⟧, ⟦2⟧: where is it?
//	v.Restore(out)                                      // as it was
//
// It hides the words it is given and what looks like a phone number, an e-mail
// address, a web address, an order, account or identity number, a street with its
// house, or a name somebody gives. It hides rather too much than too little.
package veil

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// Veil hides the same words behind the same marks in all texts of one question. It is
// for one goroutine.
type Veil struct {
	known  []string // longest first
	hidden []string // by mark, from 1
}

// New makes a veil over what looks private, and over known words of two runes and more.
func New(known []string) *Veil {
	v := &Veil{}
	for _, k := range known {
		if k = strings.TrimSpace(k); utf8.RuneCountInString(k) >= 2 {
			v.known = append(v.known, k)
		}
	}
	slices.SortFunc(v.known, func(a, b string) int { return len(b) - len(a) })
	v.known = slices.Compact(v.known)
	return v
}

const (
	opens, closes = "⟦", "⟧"
	digit         = `[0-9０-９]`
)

// looks are what is private by its look. What stands in a group of its own is hidden
// alone; a mark that a customer typed is hidden, too, so that none can be forged.
var looks = sync.OnceValue(func() []*regexp.Regexp {
	return []*regexp.Regexp{
		regexp.MustCompile(`[⟦⟧]+`),
		regexp.MustCompile(`(?i)https?://\S+|www\.\S+`),
		regexp.MustCompile(`[\pL\pN._%+-]+[@＠][\pL\pN-]+(?:[.．][\pL\pN-]+)+`),
		// Numbers of six digits and more, grouped or not: phones, orders, cards, identities.
		regexp.MustCompile(`[+＋]?` + digit + `(?:[ \-—()（）.]{0,2}` + digit + `){5,}[xX]?`),
		// Codes of letters and digits: SO-1234, RMA20260101A.
		regexp.MustCompile(`[A-Za-z]{1,8}[-_#]?` + digit + `{4,}[A-Za-z0-9\-]*`),
		regexp.MustCompile(`[#＃]` + digit + `{3,}`),
		regexp.MustCompile(`\p{Han}{1,8}(?:路|街|大道|巷|弄|胡同)\s*` + digit + `+\s*号?(?:[\p{Han}0-9\-]{0,12}(?:室|单元|栋|楼|层|房))?`),
		regexp.MustCompile(`(?i)\b\d{1,5}\s+(?:[a-z]+\s){1,3}(?:street|st|road|rd|avenue|ave|lane|drive|blvd)\b\.?`),
		regexp.MustCompile(`(?:我叫|我的名字是|姓名[是:：]?\s*|收件人[是:：]?\s*|联系人[是:：]?\s*)(\p{Han}{2,4})`),
		regexp.MustCompile(`(?:(?i:my name is|my name's|this is|i am|i'm))\s+([A-Z][a-z]+(?:\s[A-Z][a-z]+){0,2})`),
	}
})

// Hide puts marks in the place of what is private.
func (v *Veil) Hide(text string) string {
	for i, look := range looks() {
		ours := outsideMarks
		if i == 0 { // no mark in the text is ours yet
			ours = func(text string, change func(string) string) string { return change(text) }
		}
		text = ours(text, func(plain string) string {
			var b strings.Builder
			at := 0
			for _, m := range look.FindAllStringSubmatchIndex(plain, -1) {
				from, to := m[0], m[1]
				if len(m) > 2 && m[2] >= 0 {
					from, to = m[2], m[3]
				}
				b.WriteString(plain[at:from])
				b.WriteString(v.mark(plain[from:to]))
				at = to
			}
			b.WriteString(plain[at:])
			return b.String()
		})
	}
	for _, k := range v.known {
		text = outsideMarks(text, func(plain string) string { return v.replace(plain, k) })
	}
	return text
}

// replace hides a known word, whatever its case; Latin ones only as whole words.
func (v *Veil) replace(plain, word string) string {
	var b strings.Builder
	for {
		at := indexFold(plain, word)
		if at < 0 {
			b.WriteString(plain)
			return b.String()
		}
		end := at + len(word)
		b.WriteString(plain[:at])
		if edge(plain, at) && edge(plain, end) {
			b.WriteString(v.mark(plain[at:end]))
		} else {
			b.WriteString(plain[at:end])
		}
		plain = plain[end:]
	}
}

func indexFold(s, word string) int {
	for at := range s {
		if at+len(word) <= len(s) && strings.EqualFold(s[at:at+len(word)], word) {
			return at
		}
	}
	return -1
}

// edge tells that no Latin word or number goes on over i.
func edge(s string, i int) bool {
	if i == 0 || i == len(s) {
		return true
	}
	return !latin(s[i-1]) || !latin(s[i])
}

func latin(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func (v *Veil) mark(private string) string {
	at := slices.Index(v.hidden, private)
	if at < 0 {
		v.hidden = append(v.hidden, private)
		at = len(v.hidden) - 1
	}
	return opens + strconv.Itoa(at+1) + closes
}

var marks = regexp.MustCompile(opens + `([0-9]{1,4})` + closes)

// outsideMarks changes what stands between marks.
func outsideMarks(text string, change func(string) string) string {
	if !strings.Contains(text, opens) || marks.FindStringIndex(text) == nil {
		return change(text)
	}
	var b strings.Builder
	at := 0
	for _, m := range marks.FindAllStringIndex(text, -1) {
		b.WriteString(change(text[at:m[0]]))
		b.WriteString(text[m[0]:m[1]])
		at = m[1]
	}
	b.WriteString(change(text[at:]))
	return b.String()
}

// Restore puts back what was hidden. A mark that was never given stays as it is.
func (v *Veil) Restore(text string) string {
	return marks.ReplaceAllStringFunc(text, func(m string) string {
		n, err := strconv.Atoi(m[len(opens) : len(m)-len(closes)])
		if err != nil || n < 1 || n > len(v.hidden) {
			return m
		}
		return v.hidden[n-1]
	})
}

// Conceal takes what is private out of a text for good.
func Conceal(text string, known []string) string {
	return strings.TrimSpace(marks.ReplaceAllString(New(known).Hide(text), "…"))
}
