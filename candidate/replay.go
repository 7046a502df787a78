package candidate

import (
	"slices"

	"github.com/rapport-cx/rapport/evidence"
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

func (l lessened) Item(id string) (*Item, bool) {
	if l.hidden(evidence.Item, id) {
		return nil, false
	}
	return l.View.Item(id)
}
