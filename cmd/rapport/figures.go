package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/rapport-cx/rapport/internal/sqlite"
)

// figures tell the operator's Prometheus how the embedded store is doing: how long
// commits take and how many share one, what is kept in memory, and whether it still
// takes writes.
type figures struct{ of func() sqlite.Stats }

var (
	commitSeconds = prometheus.NewDesc("rapport_store_commit_seconds", "Time of a commit, with the flush to stable storage.", nil, nil)
	groupEvents   = prometheus.NewDesc("rapport_store_commit_events", "Events of the requests that shared a commit.", nil, nil)
	storeRequests = prometheus.NewDesc("rapport_store_requests_total", "Requests committed.", nil, nil)
	storeQueue    = prometheus.NewDesc("rapport_store_queue", "Requests that wait for the writer.", nil, nil)
	storeFolds    = prometheus.NewDesc("rapport_store_folds_total", "Profiles folded from the log, because they were not in memory (cold) or an event came late (late).", []string{"why"}, nil)
	storeBytes    = prometheus.NewDesc("rapport_store_memory_bytes", "Memory by what it holds: profiles, rows of the log, ids of events.", []string{"holds"}, nil)
	storeKeys     = prometheus.NewDesc("rapport_store_keys", "Ids of persons known, over all workspaces.", nil, nil)
	storeUnsaved  = prometheus.NewDesc("rapport_store_unsaved_total", "Rounds in which something derived could not be written down; a next start makes it from the log.", nil, nil)
	storeFailed   = prometheus.NewDesc("rapport_store_failed", "1 when a commit has failed: the store takes no more writes until it is started again.", nil, nil)
)

// Describe implements prometheus.Collector.
func (f figures) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(f, to) }

// Collect implements prometheus.Collector.
func (f figures) Collect(to chan<- prometheus.Metric) {
	s := f.of()
	histogram := func(d *prometheus.Desc, h sqlite.Histogram) {
		upTo, n := make(map[float64]uint64, len(h.Bounds)), uint64(0)
		for i, count := range h.Counts {
			n += count
			if i < len(h.Bounds) {
				upTo[h.Bounds[i]] = n
			}
		}
		to <- prometheus.MustNewConstHistogram(d, n, h.Sum, upTo)
	}
	tell := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, label ...string) {
		to <- prometheus.MustNewConstMetric(d, kind, v, label...)
	}
	histogram(commitSeconds, s.CommitSeconds)
	histogram(groupEvents, s.GroupEvents)
	tell(storeRequests, prometheus.CounterValue, float64(s.Requests))
	tell(storeQueue, prometheus.GaugeValue, float64(s.Queued))
	tell(storeFolds, prometheus.CounterValue, float64(s.ColdFolds), "cold")
	tell(storeFolds, prometheus.CounterValue, float64(s.Refolds), "late")
	tell(storeBytes, prometheus.GaugeValue, float64(s.HotBytes), "profiles")
	tell(storeBytes, prometheus.GaugeValue, float64(s.RowBytes), "rows")
	tell(storeBytes, prometheus.GaugeValue, float64(s.KnownIDBytes), "ids")
	tell(storeKeys, prometheus.GaugeValue, float64(s.Keys))
	tell(storeUnsaved, prometheus.CounterValue, float64(s.Unsaved))
	failed := 0.
	if s.Failed {
		failed = 1
	}
	tell(storeFailed, prometheus.GaugeValue, failed)
}
