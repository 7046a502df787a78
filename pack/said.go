package pack

import (
	"embed"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/rapport-cx/rapport/candidate"
)

//go:embed messages/*.json
var messageFiles embed.FS

// sentences are those of each code, in both languages: what is between braces in small
// letters is a blank.
var sentences = func() map[string]candidate.Text {
	read := func(name string) (m map[string]string) {
		text, err := messageFiles.ReadFile("messages/" + name)
		if err == nil {
			err = json.Unmarshal(text, &m)
		}
		if err != nil {
			panic(fmt.Sprintf("%s: %v", name, err)) // embedded: nothing was built
		}
		return m
	}
	all := map[string]candidate.Text{}
	for code, s := range read("en.json") {
		all[code] = candidate.Text{En: s}
	}
	for code, s := range read("zh-CN.json") {
		all[code] = candidate.Text{En: all[code].En, Zh: s}
	}
	return all
}()

var blank = regexp.MustCompile(`\{[a-z]+\}`)

// said is what is wrong: a stable code, what fills the blanks of its sentence, and the
// sentence in both languages.
type said struct {
	code   string
	params map[string]string
	text   candidate.Text
}

// say fills in the sentence of a code. Its blanks are given in the order in which they
// first stand in the English sentence; one that is a sentence itself is filled in by
// language.
func say(code string, args ...any) said {
	s := said{code: code, text: sentences[code]}
	var names []string
	for _, b := range blank.FindAllString(s.text.En, -1) {
		if name := strings.Trim(b, "{}"); len(names) < len(args) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return s
	}
	s.params = make(map[string]string, len(names))
	inner := make(map[string]candidate.Text, len(names))
	for i, name := range names {
		switch v := args[i].(type) {
		case said:
			s.params[name], inner[name] = v.text.En, v.text
		case candidate.Text:
			s.params[name], inner[name] = v.En, v
		default:
			t := fmt.Sprint(v)
			s.params[name], inner[name] = t, candidate.Text{Zh: t, En: t}
		}
	}
	fill := func(sentence string, of func(candidate.Text) string) string {
		return blank.ReplaceAllStringFunc(sentence, func(b string) string {
			t, ok := inner[strings.Trim(b, "{}")]
			if !ok {
				return b
			}
			return of(t)
		})
	}
	s.text.En = fill(s.text.En, func(t candidate.Text) string { return t.En })
	s.text.Zh = fill(s.text.Zh, func(t candidate.Text) string { return t.Zh })
	return s
}

// unfit is an error of a calendar, in both languages.
type unfit struct {
	said
	cause error
}

func (e *unfit) Error() string { return e.text.En }

func (e *unfit) Unwrap() error { return e.cause }

// Said is what is wrong, for the reader.
func (e *unfit) Said() candidate.Text { return e.text }

// wrong is an error with a sentence in both languages.
func wrong(code string, args ...any) error {
	e := &unfit{said: say(code, args...)}
	for _, a := range args {
		if err, ok := a.(error); ok {
			e.cause = err
		}
	}
	return e
}

// told is an error's own sentence, or its words where it has none.
func told(err error) candidate.Text {
	if e, ok := err.(*unfit); ok {
		return e.text
	}
	return candidate.Text{Zh: err.Error(), En: err.Error()}
}
