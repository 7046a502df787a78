package pack

import (
	"slices"
	"strings"

	"github.com/rapport-cx/rapport/decision"
)

// tagText is a group of customers as written.
type tagText struct {
	decision.Tag
	at       value
	sentence value
	rule     *value
	cites    []labelled
	said     bool
}

// tag reads {id, title, rule, cites, valid, sentence}. One of the same id in a later
// pack takes the place of the earlier one.
func (c *content) tag(v value) {
	t := tagText{at: v}
	v.object(fields{
		"id":       func(v value) { v.name(&t.ID) },
		"title":    func(v value) { v.text(&t.Title) },
		"rule":     func(v value) { t.rule = &v },
		"cites":    func(v value) { t.cites = labels(v) },
		"valid":    func(v value) { v.duration(&t.Valid) },
		"sentence": func(v value) { t.sentence, t.said = v, true; v.text(&t.Sentence) },
	}, "id", "title", "rule")
	if t.ID == "" {
		return
	}
	if i := slices.IndexFunc(c.tags, func(o tagText) bool { return o.ID == t.ID }); i >= 0 {
		if c.tags[i].at.file == v.file {
			v.fault("tag_twice", t.ID)
		}
		c.tags[i] = t
		return
	}
	c.tags = append(c.tags, t)
}

// ofPerson are the beginnings of facts that a tag may rest on: what is known of the
// person, and nothing of the moment.
var ofPerson = []string{"person.", "orders.", "cases.", "assets.", "holdings.", "contract.", "contracts.", "promotions.", "signal.", "study."}

// compileTag turns a tag into one that decisions evaluate.
func (c *content) compileTag(l *language, t *tagText) decision.Tag {
	out := t.Tag
	if t.rule != nil {
		if r := l.compile(*t.rule); r != nil {
			out.Rule = r
			for _, name := range r.reads {
				switch {
				case name == "person.tags", strings.HasPrefix(name, "tag."):
					t.rule.fault("tag_on_tags")
				case !slices.ContainsFunc(ofPerson, func(p string) bool { return strings.HasPrefix(name, p) }):
					t.rule.fault("tag_on_moment", name)
				}
			}
		}
	}
	out.Cites = l.cited(t.cites)
	if t.said {
		l.placeholders(t.sentence, t.Sentence, nil)
	}
	return out
}
