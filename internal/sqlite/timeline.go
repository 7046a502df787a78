package sqlite

import (
	"bytes"
	"container/heap"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/journal"
)

// Timeline lists a scope's events newest first by event time and id; see
// engine.Store. Chains go by arrival: a walk stops as soon as everything behind it
// is known to be older than what has been found.
func (s *Store) Timeline(ctx context.Context, scope journal.Scope, before time.Time, beforeID event.ID, limit int) ([]journal.Moment, error) {
	if limit <= 0 {
		return nil, nil
	}
	bound := instant{time: never}
	if !before.IsZero() {
		bound = instant{time: before.UnixMilli(), id: beforeID}
	}
	var found newest
	for _, k := range scope.Keys {
		_, h := s.head(scope.Workspace, k)
		err := s.walk(ctx, h.last, func(position uint64, f frame) bool {
			at := instant{time: f.time(), id: f.id()}
			if f.flags()&flagErased == 0 && (scope.UpTo == 0 || position <= scope.UpTo) &&
				(before.IsZero() || at.less(bound)) && !slices.Contains(scope.Without, at.id) {
				switch {
				case len(found) < limit:
					heap.Push(&found, spot{at, position, f})
				case found[0].less(at):
					found[0] = spot{at, position, f}
					heap.Fix(&found, 0)
				}
			}
			return len(found) == limit && f.newest() < found[0].time
		})
		if err != nil {
			return nil, fmt.Errorf("timeline of %s in %s: %w", k, scope.Workspace, err)
		}
	}
	moments := make([]journal.Moment, len(found))
	for i := len(found) - 1; i >= 0; i-- {
		at := heap.Pop(&found).(spot)
		moments[i] = journal.Moment{Position: at.position, Event: s.open(at.frame)}
	}
	return moments, nil
}

// instant is an event's place in the order of a profile: event time in
// milliseconds, then id.
type instant struct {
	time int64
	id   event.ID
}

func (p instant) less(o instant) bool {
	return p.time < o.time || p.time == o.time && bytes.Compare(p.id[:], o.id[:]) < 0
}

type spot struct {
	instant
	position uint64
	frame    frame
}

// newest is a heap of the newest places, the oldest of them on top.
type newest []spot

func (n newest) Len() int           { return len(n) }
func (n newest) Less(i, j int) bool { return n[i].less(n[j].instant) }
func (n newest) Swap(i, j int)      { n[i], n[j] = n[j], n[i] }
func (n *newest) Push(x any)        { *n = append(*n, x.(spot)) }
func (n *newest) Pop() any {
	last := len(*n) - 1
	x := (*n)[last]
	*n = (*n)[:last]
	return x
}
