// Package recipe is part of strategy, where what a company wants is written down: some
// twenty sentences with blanks that become the YAML of a pack, and are read back from
// it.
//
//	r, _ := recipe.Find("repeated_offer")
//	made, faults := r.Make(map[string]string{"name": "two_views", "event": "Product Viewed", …})
//	made.Path, made.YAML, made.Sentence.En
//	recipe.Read(made.Path, made.YAML) // the same recipe with the same blanks
//
// What it never changes: a file that was read as a recipe is made again from its blanks
// to the very byte; a file that somebody has changed otherwise is read as none.
package recipe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rapport-cx/rapport/candidate"
)

// Kind is what a blank takes.
type Kind string

// The kinds of blanks.
const (
	Name   Kind = "name"   // an id: small letters, digits and _
	Text   Kind = "text"   // words, without braces
	Number Kind = "number" // a whole number from Least to Most
	Intent Kind = "intent" // the label of a need: group.intent or group.intent/subintent
	Choice Kind = "choice" // the id of one of Choices
)

// Blank is one place of a sentence that is filled in.
type Blank struct {
	ID      string         `json:"id"`
	Title   candidate.Text `json:"title"`
	Kind    Kind           `json:"kind" enum:"name,text,number,intent,choice"`
	Usual   string         `json:"usual" doc:"Stands there until something else is filled in."`
	Least   int            `json:"least,omitempty"`
	Most    int            `json:"most,omitempty"`
	Choices []Option       `json:"choices,omitempty"`
}

// Option is one of the values of a choice.
type Option struct {
	ID    string         `json:"id"`
	Title candidate.Text `json:"title"`
	yaml  string
}

// Recipe is a sentence with blanks, which stand in brackets.
type Recipe struct {
	ID       string         `json:"recipe"`
	Sentence candidate.Text `json:"sentence"`
	Blanks   []Blank        `json:"blanks"`
	template string
	pattern  *regexp.Regexp
}

// Made is a recipe with its blanks filled.
type Made struct {
	Recipe   string            `json:"recipe"`
	Blanks   map[string]string `json:"blanks"`
	Path     string            `json:"path"`
	YAML     string            `json:"yaml"`
	Sentence candidate.Text    `json:"sentence"`
}

// Fault is what is wrong with one blank.
type Fault struct {
	Blank   string
	Message candidate.Text
}

// All lists the recipes.
func All() []Recipe { return slices.Clone(book()) }

// Find gives a recipe by its id.
func Find(id string) (Recipe, bool) {
	i := slices.IndexFunc(book(), func(r Recipe) bool { return r.ID == id })
	if i < 0 {
		return Recipe{}, false
	}
	return book()[i], true
}

var (
	nameShape   = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)
	intentShape = regexp.MustCompile(`^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*(/[a-z][a-z0-9_]*)?$`)
)

// Make fills the blanks in; what is left out is as usual. With faults nothing is made.
func (r Recipe) Make(blanks map[string]string) (made Made, faults []Fault) {
	made = Made{Recipe: r.ID, Blanks: make(map[string]string, len(r.Blanks))}
	for name := range blanks {
		if !slices.ContainsFunc(r.Blanks, func(b Blank) bool { return b.ID == name }) {
			faults = append(faults, Fault{name, candidate.Text{Zh: "这句话里没有这个空", En: "the sentence has no such blank"}})
		}
	}
	slices.SortFunc(faults, func(a, b Fault) int { return strings.Compare(a.Blank, b.Blank) })
	for i := range r.Blanks {
		b := &r.Blanks[i]
		value, given := blanks[b.ID]
		if !given {
			value = b.Usual
		}
		if wrong := b.check(value); wrong != (candidate.Text{}) {
			faults = append(faults, Fault{b.ID, wrong})
		}
		made.Blanks[b.ID] = value
	}
	if len(faults) > 0 {
		return Made{}, faults
	}
	made.YAML = r.write(made.Blanks)
	made.Path = path(made.Blanks)
	made.Sentence = candidate.Text{
		Zh: r.say(r.Sentence.Zh, made.Blanks, func(t candidate.Text) string { return t.Zh }),
		En: r.say(r.Sentence.En, made.Blanks, func(t candidate.Text) string { return t.En }),
	}
	return made, nil
}

func path(blanks map[string]string) string { return "own/recipe_" + blanks["name"] + ".yaml" }

// check says what is wrong with a value, nothing when it fits.
func (b *Blank) check(v string) candidate.Text {
	switch b.Kind {
	case Name:
		if !nameShape.MatchString(v) {
			return candidate.Text{Zh: "要用小写字母开头，只含小写字母、数字和下划线，最多 40 个", En: "an id is expected: small letters, digits and _, at most 40"}
		}
	case Intent:
		if len(v) > 120 || !intentShape.MatchString(v) {
			return candidate.Text{Zh: "要填诉求的标签，例如 presale.recommend", En: "the label of a need is expected, such as presale.recommend"}
		}
	case Number:
		n, err := strconv.Atoi(v)
		if err != nil || strconv.Itoa(n) != v || n < b.Least || n > b.Most {
			return candidate.Text{Zh: fmt.Sprintf("要填 %d 到 %d 的整数", b.Least, b.Most), En: fmt.Sprintf("a whole number from %d to %d is expected", b.Least, b.Most)}
		}
	case Choice:
		if b.option(v) == nil {
			ids := make([]string, len(b.Choices))
			for i := range b.Choices {
				ids[i] = b.Choices[i].ID
			}
			list := strings.Join(ids, ", ")
			return candidate.Text{Zh: "要从这些里选：" + list, En: "one of these is expected: " + list}
		}
	default:
		wrong := func(c rune) bool {
			return c == '{' || c == '}' || unicode.IsControl(c) || c == '\u2028' || c == '\u2029' || c == '\ufeff'
		}
		if strings.TrimSpace(v) != v || v == "" || utf8.RuneCountInString(v) > 200 || !utf8.ValidString(v) || strings.ContainsFunc(v, wrong) {
			return candidate.Text{Zh: "要填一段不超过 200 字的文字，首尾不留空格，不含花括号和换行", En: "words are expected: at most 200 characters, no blanks around them, no braces, no new lines"}
		}
	}
	return candidate.Text{}
}

func (b *Blank) option(id string) *Option {
	for i := range b.Choices {
		if b.Choices[i].ID == id {
			return &b.Choices[i]
		}
	}
	return nil
}

// say puts the blanks into the sentence, as people read them.
func (r *Recipe) say(sentence string, blanks map[string]string, in func(candidate.Text) string) string {
	return counted.ReplaceAllStringFunc(sentence, func(hole string) string {
		hole, many, _ := strings.Cut(hole, " ")
		b := r.blank(strings.Trim(hole, "[]"))
		if b.Kind == Number && many != "" {
			return candidate.Counted(blanks[b.ID], strings.TrimSuffix(many, "s")+"|"+many)
		}
		if many != "" {
			many = " " + many
		}
		if o := b.option(blanks[b.ID]); o != nil {
			return in(o.Title) + many
		}
		return blanks[b.ID] + many
	})
}

func (r *Recipe) blank(id string) *Blank {
	for i := range r.Blanks {
		if r.Blanks[i].ID == id {
			return &r.Blanks[i]
		}
	}
	return nil
}

// In a sentence a blank stands in [brackets]; in a template «so», and «~so» where the
// text around it is in quotes already.
var (
	inBrackets = regexp.MustCompile(`\[[a-z_]+\]`)
	counted    = regexp.MustCompile(`\[[a-z_]+\](?: [a-z]+s\b)?`) // with a word for many, which one of it changes
	inTemplate = regexp.MustCompile(`«~?[a-z_]+»`)
)

// write fills the template.
func (r *Recipe) write(blanks map[string]string) string {
	return inTemplate.ReplaceAllStringFunc(r.template, func(hole string) string {
		id := strings.Trim(hole, "«»")
		id, within := strings.CutPrefix(id, "~")
		b := r.blank(id)
		v := blanks[id]
		switch {
		case b.Kind == Choice:
			return b.option(v).yaml
		case b.Kind != Text:
			return v
		case within:
			q := quote(v)
			return q[1 : len(q)-1]
		}
		return quote(v)
	})
}

// quote writes a text as both YAML and JSON read it.
func quote(s string) string {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string can always be encoded
	return strings.TrimSuffix(out.String(), "\n")
}

// compile makes the pattern that reads the template back.
func (r *Recipe) compile() {
	var p strings.Builder
	p.WriteString("^")
	at, seen := 0, map[string]bool{}
	for _, hole := range inTemplate.FindAllStringIndex(r.template, -1) {
		p.WriteString(regexp.QuoteMeta(r.template[at:hole[0]]))
		id := strings.Trim(r.template[hole[0]:hole[1]], "«»")
		id, within := strings.CutPrefix(id, "~")
		b := r.blank(id)
		if b == nil {
			panic("recipe " + r.ID + " has no blank " + id)
		}
		shape := `[^\n]*?`
		switch {
		case b.Kind == Choice:
			all := make([]string, len(b.Choices))
			for i := range b.Choices {
				all[i] = regexp.QuoteMeta(b.Choices[i].yaml)
			}
			shape = strings.Join(all, "|")
		case b.Kind == Text && within:
			shape = `(?:[^"\\\n]|\\.)*?`
		case b.Kind == Text:
			shape = `"(?:[^"\\\n]|\\.)*"`
		}
		if !seen[id] {
			// What stands within quotes is read by the letter w, to be unquoted alike.
			kind := map[bool]string{true: "w_", false: "v_"}[within]
			fmt.Fprintf(&p, "(?P<%s%s>%s)", kind, id, shape)
		} else {
			fmt.Fprintf(&p, "(?:%s)", shape)
		}
		seen[id] = true
		at = hole[1]
	}
	p.WriteString(regexp.QuoteMeta(r.template[at:]) + "$")
	r.pattern = regexp.MustCompile(p.String())
}

// Read gives the recipe that a file was made by; ok is false of any other file.
func Read(file, text string) (Made, bool) {
	all := book()
	for i := range all {
		r := &all[i]
		found := r.pattern.FindStringSubmatch(text)
		if found == nil {
			continue
		}
		blanks := map[string]string{}
		for k, group := range r.pattern.SubexpNames() {
			kind, id, ok := strings.Cut(group, "_")
			if !ok {
				continue
			}
			b, v := r.blank(id), found[k]
			switch b.Kind {
			case Choice:
				v = b.Choices[slices.IndexFunc(b.Choices, func(o Option) bool { return o.yaml == found[k] })].ID
			case Text:
				if kind == "w" {
					v = `"` + v + `"`
				}
				if json.Unmarshal([]byte(v), &v) != nil {
					v = ""
				}
			}
			blanks[id] = v
		}
		if made, faults := r.Make(blanks); len(faults) == 0 && made.YAML == text && made.Path == file {
			return made, true
		}
	}
	return Made{}, false
}
