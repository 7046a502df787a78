package treatment

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need"
)

// welcome meets who comes back with the first matter that they left open; the rest
// follow as their own blocks.
func (c *composer) welcome() {
	i := slices.IndexFunc(c.d.Needs, func(n need.Need) bool { return n.Matter != nil })
	if i < 0 {
		return
	}
	n := &c.d.Needs[i]
	m := n.Matter
	b := Block{Need: n.ID, Kind: "text", Ev: n.Evidence}
	if m.Kind == "question" {
		key := "welcome_question"
		if slices.ContainsFunc(c.d.Answers, func(a candidate.Answer) bool { return a.Need == n.ID }) {
			key = "welcome_answer"
		}
		b.Text = c.words.say(key, "text", n.Text)
		c.add(b)
		return
	}
	status := c.statusOf(n)
	pairs := []string{"what", c.what(n, status), "since", c.words.date(m.Since), "promised", c.words.date(m.Promised)}
	switch {
	case m.Late:
		b.Text = c.words.say("welcome_late", pairs...)
	case m.News:
		b.Text = c.words.say("welcome_news", pairs...)
	default:
		b.Text = c.words.say("welcome_open", pairs...)
	}
	if status != nil && m.News {
		was, known := c.state(m.Was)
		state, now := c.state(status.State)
		if known && now && was != state {
			b.Text = c.words.sentences(b.Text, c.words.say("welcome_moved", "was", was, "state", state, "date", c.words.date(status.UpdatedAt)))
		}
	}
	b.Text = capital(b.Text)
	c.add(b)
}

func (c *composer) statusOf(n *need.Need) *candidate.Status {
	for i := range c.d.Answers {
		if a := &c.d.Answers[i]; a.Need == n.ID && a.Status != nil {
			return a.Status
		}
	}
	return nil
}

// what names an open matter: what it is about and what is done about it.
func (c *composer) what(n *need.Need, s *candidate.Status) string {
	title := c.title(n.Intent, n.Sub())
	if s == nil {
		return title
	}
	kind, _ := s.Fields["kind"].(string)
	if key := "matter_" + kind; s.Kind == evidence.Case && c.words.has(key) {
		title = c.words.say(key)
	}
	if len(s.Items) == 0 {
		return c.words.say("matter_alone", "matter", title)
	}
	return c.words.say("matter_of", "matter", title, "items", c.words.list(c.itemTitles(s.Items)))
}

// capital begins every English sentence of a welcome with a capital.
func capital(s string) string {
	const hello = "Hello. "
	rest, ok := strings.CutPrefix(s, hello)
	if r, size := utf8.DecodeRuneInString(rest); ok && unicode.IsLower(r) {
		return hello + string(unicode.ToUpper(r)) + rest[size:]
	}
	return s
}
