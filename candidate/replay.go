package candidate

import (
	"slices"
	"time"

	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/scene"
)

// Replayable is a source whose answers rest on what other people did. A replay
// must not look at them again: they have gone on since.
type Replayable interface {
	Source
	// Recorded is the same source, counting what was counted then: said are its
	// recorded answers, and evidence in without is left out.
	Recorded(said []Answer, without []evidence.Ref) Source
}

// Recorded gives the sources for a replay with something changed.
func Recorded(sources []Source, results []Result, without []evidence.Ref) []Source {
	out := make([]Source, len(sources))
	for i, s := range sources {
		out[i] = s
		r, ok := s.(Replayable)
		if !ok {
			continue
		}
		var said []Answer
		for _, res := range results {
			if res.Source == s.Name() {
				said = res.Answers
			}
		}
		out[i] = r.Recorded(said, without)
	}
	return out
}

// Without is a view of the shelf from which records are missing.
func Without(v View, refs []evidence.Ref) View { return lessened{v, refs} }

type lessened struct {
	View
	refs []evidence.Ref
}

// hidden matches a record whatever revision the ref names: a decision saw one only.
func (l lessened) hidden(kind evidence.Kind, id string) bool {
	return slices.ContainsFunc(l.refs, func(r evidence.Ref) bool {
		other, _ := r.ID()
		return r.Kind() == kind && other == id
	})
}

func (l lessened) items(all []*Item) []*Item {
	return slices.DeleteFunc(all, func(it *Item) bool { return l.hidden(evidence.Item, it.ID) })
}

func (l lessened) related(all []Relation) []Relation {
	return slices.DeleteFunc(all, func(r Relation) bool { return l.hidden(evidence.Relation, r.ID) })
}

func (l lessened) Category(name string, limit int) []*Item {
	return l.items(l.View.Category(name, limit))
}

func (l lessened) Kind(kind string, limit int) []*Item { return l.items(l.View.Kind(kind, limit)) }

func (l lessened) Variants(id string) []*Item { return l.items(l.View.Variants(id)) }

func (l lessened) Search(text string, limit int) []FoundItem {
	return slices.DeleteFunc(l.View.Search(text, limit), func(f FoundItem) bool { return l.hidden(evidence.Item, f.Item.ID) })
}

func (l lessened) Related(from string) []Relation { return l.related(l.View.Related(from)) }

func (l lessened) RelatedTo(to string) []Relation { return l.related(l.View.RelatedTo(to)) }

func (l lessened) Article(id string) (*Article, bool) {
	if l.hidden(evidence.Article, id) {
		return nil, false
	}
	return l.View.Article(id)
}

// Articles asks for as many more as could be missing.
func (l lessened) Articles(text string, lang scene.Locale, at time.Time, limit int) []Found {
	found := slices.DeleteFunc(l.View.Articles(text, lang, at, limit+len(l.refs)), func(f Found) bool { return l.hidden(evidence.Article, f.Article.ID) })
	return found[:min(limit, len(found))]
}

func (l lessened) InForce(at time.Time) []Promotion {
	return slices.DeleteFunc(l.View.InForce(at), func(p Promotion) bool { return l.hidden(evidence.Promotion, p.ID) })
}

func (l lessened) Offers(it *Item, at time.Time) []Promotion {
	return slices.DeleteFunc(l.View.Offers(it, at), func(p Promotion) bool { return l.hidden(evidence.Promotion, p.ID) })
}

func (l lessened) Open(ref evidence.Ref) (data any, title Text, at time.Time, ok bool) {
	if id, _ := ref.ID(); l.hidden(ref.Kind(), id) {
		return nil, title, at, false
	}
	return l.View.Open(ref)
}

func (l lessened) Item(id string) (*Item, bool) {
	if l.hidden(evidence.Item, id) {
		return nil, false
	}
	return l.View.Item(id)
}
