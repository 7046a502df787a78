package pack

import (
	"bytes"
	"hash/maphash"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"unicode"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/need/signal"
	"github.com/rapport-cx/rapport/need/text"
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

// topics are all of a source, ready to be asked of many events.
type topics struct {
	all []topic
	// memo holds what pages were found to be about, each in one of two places by what
	// it says of itself: a shop has few pages beside the views of them.
	memo [memoized]atomic.Pointer[page]
	seed maphash.Seed
}

// memoized is how many pages are remembered; a power of two.
const memoized = 1 << 12

// page is what topicFields say of one, as raw JSON, and its topic.
type page struct {
	raw   []byte
	topic string
}

// topicFields are the properties that tell what a page is about.
var topicFields = [...]string{"topic", "name", "title", "path", "url"}

func newTopics(all []topic) *topics { return &topics{all: all, seed: maphash.MakeSeed()} }

// of is what a page is about; "" when nobody can say.
func (t *topics) of(e *event.Event) string {
	var texts [len(topicFields)]string
	for i, name := range topicFields {
		texts[i] = signal.Text(e, name)
	}
	return t.find(texts)
}

// raw is the same of the raw values of topicFields.
func (t *topics) raw(values [len(topicFields)][]byte) string {
	var room [512]byte
	key := room[:0]
	for _, v := range values {
		key = append(append(key, v...), 0) // no JSON has it
	}
	at := maphash.Bytes(t.seed, key) % memoized
	place, beside := &t.memo[at], &t.memo[at^1]
	first := place.Load()
	if first != nil && bytes.Equal(first.raw, key) {
		return first.topic
	}
	if second := beside.Load(); second != nil && bytes.Equal(second.raw, key) {
		return second.topic
	}
	var texts [len(topicFields)]string
	for i, v := range values {
		texts[i] = signal.Plain(v)
	}
	found := t.find(texts)
	if len(key) <= len(room) {
		if first != nil {
			beside.Store(first)
		}
		place.Store(&page{bytes.Clone(key), found})
	}
	return found
}

// find is what a page is about: its own topic when it states one that is known,
// else what its name, title or path speaks of, else the stated one as it stands.
func (t *topics) find(said [len(topicFields)]string) string {
	topics := t.all
	plain := strings.ReplaceAll(plainPhrase(said[0]), " ", "_")
	for i := range topics {
		if topics[i].id == plain {
			return plain
		}
	}
	texts := make([]string, 0, 6)
	for _, s := range said[:3] {
		if s = plainPhrase(s); s != "" {
			texts = append(texts, s)
		}
	}
	path := said[3]
	if path == "" {
		if u, err := url.Parse(said[4]); err == nil {
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
				return slices.ContainsFunc(t.words, func(w string) bool { return text.Stands(s, w) })
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
