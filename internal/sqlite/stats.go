package sqlite

import (
	"sync/atomic"
	"time"
)

// Stats are counts since the store was opened, and sizes now.
type Stats struct {
	Events   uint64 // committed
	Commits  uint64 // groups
	Requests uint64 // that were in them
	// CommitSeconds and GroupEvents are histograms over commits: Counts[i] is how
	// many were at most Bounds[i], the last count is the rest.
	CommitSeconds Histogram
	GroupEvents   Histogram

	HotBytes     int64
	ColdFolds    uint64 // profiles folded because they were not in memory
	Refolds      uint64 // profiles folded again because an event was late
	RowBytes     int64  // of the log, in memory
	KnownIDs     int
	KnownIDBytes int64
	Keys         int
	Queued       int    // requests that wait now
	Unsaved      uint64 // rounds in which a follower could not be saved
	Failed       bool
}

// Histogram has one count more than bounds.
type Histogram struct {
	Bounds []float64
	Counts []uint64
	Sum    float64
}

var (
	commitBounds = [...]float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1}
	groupBounds  = [...]float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000}
)

type counters struct {
	events, commits, requests   atomic.Uint64
	coldFolds, refolds, unsaved atomic.Uint64

	seconds [len(commitBounds) + 1]atomic.Uint64
	groups  [len(groupBounds) + 1]atomic.Uint64
	nanos   atomic.Int64
}

func (c *counters) group(requests, events int, took time.Duration) {
	c.commits.Add(1)
	c.requests.Add(uint64(requests))
	c.events.Add(uint64(events))
	c.nanos.Add(int64(took))
	c.seconds[bucket(commitBounds[:], took.Seconds())].Add(1)
	c.groups[bucket(groupBounds[:], float64(events))].Add(1)
}

func bucket(bounds []float64, v float64) int {
	for i, b := range bounds {
		if v <= b {
			return i
		}
	}
	return len(bounds)
}

func histogram(bounds []float64, counts []atomic.Uint64, sum float64) Histogram {
	h := Histogram{Bounds: bounds, Counts: make([]uint64, len(counts)), Sum: sum}
	for i := range counts {
		h.Counts[i] = counts[i].Load()
	}
	return h
}

// Stats reads the counters; they are not taken at one instant.
func (s *Store) Stats() Stats {
	c := &s.stats
	st := Stats{
		Events: c.events.Load(), Commits: c.commits.Load(), Requests: c.requests.Load(),
		ColdFolds: c.coldFolds.Load(), Refolds: c.refolds.Load(), Unsaved: c.unsaved.Load(),
		CommitSeconds: histogram(commitBounds[:], c.seconds[:], time.Duration(c.nanos.Load()).Seconds()),
		GroupEvents:   histogram(groupBounds[:], c.groups[:], float64(c.events.Load())),
		Queued:        s.queue.Len(),
		Failed:        s.failed.Load() != nil,
	}
	s.mu.RLock()
	st.KnownIDs, st.KnownIDBytes = s.ids.size()
	st.Keys = len(s.words.keys) - 1
	s.mu.RUnlock()
	s.rows.mu.Lock()
	st.RowBytes = s.rows.bytes
	s.rows.mu.Unlock()
	_, st.HotBytes = s.people.Size()
	return st
}
