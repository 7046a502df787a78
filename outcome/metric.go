package outcome

import (
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/profile"
)

// Filter says whether an event counts. A pack compiles it; it must be pure.
type Filter interface {
	Match(e *event.Event, p *profile.Profile) bool
}

// Metric is something that a workspace wants of what it shows, beside what everybody
// counts: that an event of the customer follows within a while, or how much it was about.
type Metric struct {
	ID     string
	Title  candidate.Text
	Event  string
	Where  Filter // nil: every one
	Within time.Duration
	// Sum is the property whose values are added up; "": it counts once that it happened.
	Sum   string
	Lower bool // the less of it, the better
}

// Ripe tells whether a metric can be judged by now of what was shown then.
func (m *Metric) Ripe(shown, now time.Time) bool { return !shown.Add(m.Within).After(now) }

// Of is what followed of something shown then, by the person's events of the metric's
// name: 1 or 0, or the sum.
func (m *Metric) Of(events []*event.Event, p *profile.Profile, shown time.Time) (value float64) {
	for _, e := range events {
		if e.Time.Before(shown) || e.Time.After(shown.Add(m.Within)) || m.Where != nil && !m.Where.Match(e, p) {
			continue
		}
		if m.Sum == "" {
			return 1
		}
		if x, ok := e.Properties()[m.Sum].(float64); ok {
			value += x
		}
	}
	return value
}

// Rewards are what can be asked of a way of choosing beside a pack's metrics: how many
// offers of a decision are accepted, the share of those that are dismissed, and of those
// that are said to have solved it.
func Rewards() []string { return []string{"accepted", "dismissed", "resolved"} }
