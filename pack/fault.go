package pack

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/scene"
)

// Fault is one thing wrong in a pack's file. Line and Column count from 1, the
// column in runes; both are 0 when the whole file is meant.
type Fault struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	// Code is the stable name of what is wrong, Params what stands in its sentence.
	Code    string            `json:"code"`
	Params  map[string]string `json:"params,omitempty"`
	Message string            `json:"message"` // the English sentence
	// Text is the sentence in both languages.
	Text candidate.Text `json:"-"`
	// Caret is the source line and, under it, a caret at the column; it is as wide
	// as the text above it, Chinese characters included. Empty without a line.
	Caret string `json:"caret,omitempty"`
}

func (f Fault) String() string { return f.In(scene.English) }

// In tells the fault in a language, with its place before and its line under it.
func (f Fault) In(l scene.Locale) string {
	where := f.File
	if f.Line > 0 {
		where = fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)
	}
	if f.Caret == "" {
		return where + ": " + f.Text.In(l)
	}
	return where + ": " + f.Text.In(l) + "\n" + f.Caret
}

// Faults is all that is wrong in the packs of one source, in the order of files
// and lines.
type Faults []Fault

// Error lists them all.
func (f Faults) Error() string { return f.In(scene.English) }

// In lists them all in a language.
func (f Faults) In(l scene.Locale) string {
	all := make([]string, len(f))
	for i, fault := range f {
		all[i] = fault.In(l)
	}
	return strings.Join(all, "\n")
}

// faulty is a fault without a line.
func faulty(file string, s said) Fault {
	return Fault{File: file, Code: s.code, Params: s.params, Message: s.text.En, Text: s.text}
}

// Each tells the faults one by one, to an edge that may not know this room by name.
func (f Faults) Each(tell func(file string, line, column int, code string, params map[string]string, said candidate.Text, caret string)) {
	for _, x := range f {
		tell(x.File, x.Line, x.Column, x.Code, x.Params, x.Text, x.Caret)
	}
}

func (f Faults) sorted() Faults {
	slices.SortStableFunc(f, func(a, b Fault) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.CompactFunc(f, func(a, b Fault) bool {
		return a.File == b.File && a.Line == b.Line && a.Column == b.Column && a.Text == b.Text
	})
}

// longestCaret keeps a line of a fault readable; what is longer is cut around the caret.
const longestCaret = 160

// caret draws the line with a mark under its column (in runes, from 1). Every
// rune above the mark is answered by a blank of its own width: U+3000 under wide
// ones, so that it stands right in a terminal and in a monospaced text area.
func caret(line string, column int) string {
	runes := []rune(strings.TrimRight(line, "\r\n"))
	at := min(max(column-1, 0), len(runes))
	if from := at - longestCaret/2; from > 0 {
		runes, at = runes[from:], at-from
	}
	if len(runes) > longestCaret {
		runes = runes[:longestCaret]
	}
	var b strings.Builder
	b.WriteString(string(runes))
	b.WriteByte('\n')
	for _, r := range runes[:min(at, len(runes))] {
		switch {
		case r == '\t':
			b.WriteByte('\t')
		case wide(r):
			b.WriteRune('　')
		case unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Cf, r): // takes no place
		default:
			b.WriteByte(' ')
		}
	}
	b.WriteByte('^')
	return b.String()
}

// wide tells whether a rune takes two columns (East Asian Width W or F).
func wide(r rune) bool {
	return r >= 0x1100 && (r <= 0x115f || r >= 0x2e80 && r <= 0x303e || r >= 0x3041 && r <= 0x33ff || r >= 0x3400 && r <= 0x4dbf ||
		r >= 0x4e00 && r <= 0x9fff || r >= 0xa000 && r <= 0xa4cf || r >= 0xac00 && r <= 0xd7a3 || r >= 0xf900 && r <= 0xfaff ||
		r >= 0xfe30 && r <= 0xfe6f || r >= 0xff01 && r <= 0xff60 || r >= 0xffe0 && r <= 0xffe6 || r >= 0x1f300 && r <= 0x1f64f ||
		r >= 0x1f900 && r <= 0x1f9ff || r >= 0x20000 && r <= 0x3fffd)
}
