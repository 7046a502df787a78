package pack

import (
	"slices"
	"time"

	"github.com/rapport-cx/rapport/outcome"
	"github.com/rapport-cx/rapport/strategy"
)

// metricText is a metric as written.
type metricText struct {
	outcome.Metric
	at    value
	where *value
}

// longestMetric bounds how long one waits for what follows.
const longestMetric = 90 * 24 * time.Hour

// metric reads {id, title, event, where, within, sum, better}. One of the same id in a
// later pack takes the place of the earlier one.
func (c *content) metric(v value) {
	m := metricText{at: v}
	v.object(fields{
		"id":     func(v value) { v.name(&m.ID) },
		"title":  func(v value) { v.text(&m.Title) },
		"event":  func(v value) { v.str(&m.Event) },
		"where":  func(v value) { m.where = &v },
		"within": func(v value) { v.duration(&m.Within) },
		"sum":    func(v value) { v.str(&m.Sum) },
		"better": func(v value) {
			var how string
			v.choice(&how, "higher", "lower")
			m.Lower = how == "lower"
		},
	}, "id", "title", "event", "within")
	switch {
	case m.ID == "":
		return
	case slices.Contains(strategy.Metrics(), m.ID) || slices.Contains(outcome.Rewards(), m.ID):
		v.fault("measured_anyway", m.ID)
	case m.Within > longestMetric:
		v.fault("waits_too_long")
	}
	if i := slices.IndexFunc(c.metrics, func(o metricText) bool { return o.ID == m.ID }); i >= 0 {
		if c.metrics[i].at.file == v.file {
			v.fault("metric_twice", m.ID)
		}
		c.metrics[i] = m
		return
	}
	c.metrics = append(c.metrics, m)
}

func (c *content) compileMetrics() (all []outcome.Metric) {
	for _, m := range c.metrics {
		if m.where != nil {
			if c.pages == nil {
				c.pages = newTopics(c.topics) // all files are read by now
			}
			if f := compileFilter(*m.where, c.pages); f != nil {
				m.Where = f
			}
		}
		all = append(all, m.Metric)
	}
	return all
}
