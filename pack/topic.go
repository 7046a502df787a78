package pack

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/need/signal"
)

// topic is a subject that pages are about. A page is of the first topic that its
// own "topic" names, or that its name, title or path speaks of.
type topic struct {
	id    string
	words []string // phrases, in plain form, that speak of it wherever they stand
	whole []string // phrases that speak of it when they are all of a name, a title or the end of a path
}

func (c *content) topic(v value) {
	t := topic{}
	phrases := func(into *[]string) func(value) {
		return func(v value) {
			for _, list := range byLanguage(v) {
				for _, s := range list {
					*into = append(*into, plainPhrase(s))
				}
			}
			slices.Sort(*into)
		}
	}
	v.object(fields{"id": func(v value) { v.name(&t.id) }, "words": phrases(&t.words), "whole": phrases(&t.whole)}, "id")
	if i := slices.IndexFunc(c.topics, func(o topic) bool { return o.id == t.id }); i >= 0 {
		// A later pack, or the workspace, adds its own pages to a topic.
		c.topics[i].words = union(c.topics[i].words, t.words)
		c.topics[i].whole = union(c.topics[i].whole, t.whole)
		return
	}
	c.topics = append(c.topics, t)
}

// topicOf is what a page is about: its own topic when it states one that is known,
// else what its name, title or path speaks of, else the stated one as it stands.
func topicOf(topics []topic, e *event.Event) string {
	stated := signal.Text(e, "topic")
	plain := strings.ReplaceAll(plainPhrase(stated), " ", "_")
	for i := range topics {
		if topics[i].id == plain {
			return plain
		}
	}
	texts := make([]string, 0, 6)
	for _, name := range [...]string{"topic", "name", "title"} {
		if s := plainPhrase(signal.Text(e, name)); s != "" {
			texts = append(texts, s)
		}
	}
	path := signal.Text(e, "path")
	if path == "" {
		if u, err := url.Parse(signal.Text(e, "url")); err == nil {
			path = u.Path
		}
	}
	if unescaped, err := url.PathUnescape(path); err == nil {
		path = unescaped
	}
	path = strings.TrimRight(path, "/")
	end := path[strings.LastIndexByte(path, '/')+1:]
	if i := strings.LastIndexByte(end, '.'); i > 0 {
		end = end[:i] // returns.html
	}
	whole := append(slices.Clone(texts), plainPhrase(end))
	texts = append(texts, plainPhrase(path))
	for i := range topics {
		t := &topics[i]
		if slices.ContainsFunc(whole, func(s string) bool { return s != "" && slices.Contains(t.whole, s) }) ||
			slices.ContainsFunc(texts, func(s string) bool {
				return slices.ContainsFunc(t.words, func(w string) bool { return speaksOf(s, w) })
			}) {
			return t.id
		}
	}
	return plain
}

// plainPhrase is a text in small letters, its words apart by one blank.
func plainPhrase(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }), " ")
}

// speaksOf finds a phrase in a text, at the borders of words where words have any.
func speaksOf(text, phrase string) bool {
	if phrase == "" {
		return false
	}
	for from := 0; ; {
		i := strings.Index(text[from:], phrase)
		if i < 0 {
			return false
		}
		i += from
		before, _ := utf8.DecodeLastRuneInString(text[:i])
		after, _ := utf8.DecodeRuneInString(text[i+len(phrase):])
		first, size := utf8.DecodeRuneInString(phrase)
		last, _ := utf8.DecodeLastRuneInString(phrase)
		if (i == 0 || !lettered(before) || !lettered(first)) && (i+len(phrase) == len(text) || !lettered(after) || !lettered(last)) {
			return true
		}
		from = i + size
	}
}

// lettered tells a letter or digit of a script that parts words by blanks.
func lettered(r rune) bool {
	return r < 0x2e80 && (unicode.IsLetter(r) || unicode.IsDigit(r))
}
