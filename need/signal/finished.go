package signal

import (
	"slices"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/profile"
)

// Finished is a Filter: it passes a report whose repair was carried out. A report
// that names a case is finished when a Repair Completed names the same case or the
// case's status says so; one that names none, when a Repair Completed of the same
// device came after it and before the next report of that device. Cancelled,
// rejected and open ones do not pass.
type Finished struct{}

var finishedStatus = []string{"repaired", "completed", "complete", "done", "finished", "closed", "resolved", "sent_back", "shipped_back", "returned", "delivered"}

// Match implements Filter.
func (Finished) Match(e *event.Event, p *profile.Profile) bool {
	if p == nil {
		return false
	}
	if id := plain(field(e.Body, "case_id")); id != "" {
		if r := caseOf(e, p); r != nil {
			if status := r.Text("status"); status != "" && !slices.Contains(finishedStatus, status) {
				return false
			} else if status != "" {
				return true
			}
		}
		return slices.ContainsFunc(p.History["Repair Completed"], func(c *event.Event) bool {
			return plain(field(c.Body, "case_id")) == id && !before(c, e)
		})
	}
	device := things(e, p)[0].device()
	if device == "" {
		return false
	}
	for _, c := range p.History["Repair Completed"] {
		if before(c, e) || things(c, p)[0].device() != device {
			continue
		}
		return !slices.ContainsFunc(p.History[e.Name], func(next *event.Event) bool {
			return before(e, next) && before(next, c) && things(next, p)[0].device() == device
		})
	}
	return false
}

// All is a Filter: it passes what every one of its filters passes.
type All []Filter

// Match implements Filter.
func (a All) Match(e *event.Event, p *profile.Profile) bool {
	for _, f := range a {
		if f != nil && !f.Match(e, p) {
			return false
		}
	}
	return true
}

// before tells the stable order of events: by time, then by id.
func before(a, b *event.Event) bool {
	if !a.Time.Equal(b.Time) {
		return a.Time.Before(b.Time)
	}
	return string(a.ID[:]) < string(b.ID[:])
}
