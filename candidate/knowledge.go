package candidate

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/rapport-cx/rapport/candidate/search"
	"github.com/rapport-cx/rapport/need"
	plain "github.com/rapport-cx/rapport/need/text"
	"github.com/rapport-cx/rapport/scene"
)

// Knowledge answers from the workspace's articles: the best passage, its steps and
// its recordings.
type Knowledge struct{}

// Name is "knowledge".
func (Knowledge) Name() string { return KnowledgeSource }

const (
	mostRead     = 8    // articles looked at for one need
	leastCovered = 0.25 // of the question's information; below it an article is an accident of words
	tagged       = 1.5  // an article that bears the need's own label
	aboutItem    = 1.3  // an article about the item in focus
	nearlyAsGood = 0.4  // share of the best score with which another article may follow one that was told
)

// Propose finds one article for each need; a need that nothing covers gets none.
func (Knowledge) Propose(_ context.Context, r *Request) ([]Answer, error) {
	var answers []Answer
	for i := range r.Needs {
		n := &r.Needs[i]
		if n.Negated || !r.serves(KnowledgeSource, n) {
			continue
		}
		if p := r.passage(n); p != nil {
			answers = append(answers, Answer{Need: n.ID, Passage: p})
		}
	}
	return answers, nil
}

func (r *Request) passage(n *need.Need) *Passage {
	if n.Text == "" {
		return nil
	}
	words := cmp.Or(n.Said, n.Text)
	lang := r.Scene.Locale
	if lang == "" {
		lang, _ = scene.LocaleOf(words)
	}
	items := r.focus(n)
	var best, again *Found
	var top, topAgain float64
	var instead []string
	told := r.told(n)
	found := r.Catalogue.Articles(words, lang, r.Scene.Time, mostRead)
	for i := range found {
		f := &found[i]
		score, least := f.Score, leastCovered
		if label(f.Article, n) {
			score, least = score*tagged, least/2
		}
		if about(r.Catalogue, f.Article, items) {
			score, least = score*aboutItem, least/2
		}
		switch {
		case f.Coverage < least:
		case slices.Contains(told, f.Article.ID):
			instead = append(instead, f.Article.ID)
			if score > topAgain {
				again, topAgain = f, score
			}
		case score > top:
			best, top = f, score
		}
	}
	// What was told and did not help is told again only when there is nothing else
	// of nearly the same fit.
	if best == nil || top < topAgain*nearlyAsGood {
		best, top = again, topAgain
	}
	if best == nil {
		return nil
	}
	a := best.Article
	p := &Passage{
		Article: a.ID, Title: a.Title, Text: best.Passage, Lang: a.Lang, Steps: r.untried(a.Steps),
		Marks: search.Mark(search.Ask(words), best.Passage),
		Score: top, Ref: a.Ref(), UpdateAt: a.UpdatedAt.UTC(), Experienced: r.hasDone(a),
	}
	if len(instead) > 0 {
		p.Instead = instead
	}
	if a.Media != nil {
		p.Voice, p.Video = a.Media.Voice, a.Media.Video
	}
	return p
}

// triedWords stand in a clause that tells what the customer has done already.
var triedWords = []string{"过了", "已经", "试过", "试了", "都试", "过还是", "了还是", "还是不行", "already", "tried", "i've", "i have", "did that", "still"}

// untried marks the steps that the customer says to have done: they are not told
// again. A step was done when a clause that says so holds most of what it says.
func (r *Request) untried(steps []Step) []Step {
	if len(steps) == 0 || r.Said == "" {
		return steps
	}
	var done []search.Question
	for _, clause := range strings.FieldsFunc(plain.Plain(r.Said), func(c rune) bool { return strings.ContainsRune(",，。.!！?？;；\n", c) }) {
		if slices.ContainsFunc(triedWords, func(w string) bool { return strings.Contains(clause, w) }) {
			done = append(done, search.Ask(clause))
		}
	}
	if len(done) == 0 {
		return steps
	}
	steps = slices.Clone(steps)
	for i := range steps {
		steps[i].Tried = slices.ContainsFunc(done, func(q search.Question) bool { return search.Held(q, steps[i].Text) >= triedShare })
	}
	return steps
}

// triedShare is how much of a step's own terms a clause must hold to speak of it.
const triedShare = 0.5

// hasDone tells whether the customer has completed the task that an article
// explains: one named like the article or one of its tags.
func (r *Request) hasDone(a *Article) bool {
	if r.Person == nil {
		return false
	}
	for _, e := range r.Person.History["Task Completed"] {
		task, _ := e.Properties()["task"].(string)
		if task != "" && !e.Time.After(r.Scene.Time) && (task == a.ID || slices.Contains(a.Tags, task)) {
			return true
		}
	}
	return false
}

// label tells whether an article's tags name the need: its intent or its finer meaning.
func label(a *Article, n *need.Need) bool {
	return slices.ContainsFunc(a.Tags, func(tag string) bool {
		return strings.EqualFold(tag, n.Intent) || n.Sub() != "" && strings.EqualFold(tag, n.Sub())
	})
}

// about tells whether an article belongs to one of the items: a tag names the item
// or its category, or a relation leads from the article to it.
func about(v View, a *Article, items []*Item) bool {
	for _, it := range items {
		for _, tag := range a.Tags {
			if strings.EqualFold(tag, it.ID) || it.Category != "" && strings.EqualFold(tag, it.Category) {
				return true
			}
		}
		for _, rel := range v.Related("article:" + a.ID) {
			if bare(rel.To) == it.ID {
				return true
			}
		}
	}
	return false
}
