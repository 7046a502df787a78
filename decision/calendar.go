package decision

import (
	"strings"
	"time"
)

// Calendar tells working days from days off: weekends are off, and so are holidays;
// days that make up for a holiday are worked whatever the weekday.
type Calendar struct {
	ID   string
	Off  map[string]bool // by day, 2026-10-01
	Work map[string]bool // make-up workdays; they win
	// Names says what days are called, where the calendar does; no rule reads it.
	Names map[string]string
}

// Workday tells whether a day, by its own clock, is worked.
func (c *Calendar) Workday(t time.Time) bool {
	day := t.Format(time.DateOnly)
	switch {
	case c.Work[day]:
		return true
	case c.Off[day]:
		return false
	}
	return t.Weekday() != time.Saturday && t.Weekday() != time.Sunday
}

// calendar is the one of a country (its id is the country's code in small letters), else
// the plan's first; without any, Monday to Friday are worked.
func (p *Plan) calendar(country string) *Calendar {
	for i := range p.Calendars {
		if country != "" && strings.EqualFold(p.Calendars[i].ID, country) {
			return &p.Calendars[i]
		}
	}
	if len(p.Calendars) > 0 {
		return &p.Calendars[0]
	}
	return &Calendar{}
}

// calendarFact is calendar.NAME.workday and calendar.NAME.holiday, of the day where the
// customer is.
func (b *binding) calendarFact(name string) (any, bool) {
	id, what, _ := strings.Cut(name, ".")
	for i := range b.plan.Calendars {
		if c := &b.plan.Calendars[i]; c.ID == id && !b.now.IsZero() {
			local := b.now.In(b.zone())
			switch what {
			case "workday":
				return c.Workday(local), true
			case "holiday":
				return c.Off[local.Format(time.DateOnly)] && !c.Workday(local), true
			}
		}
	}
	return nil, false
}
