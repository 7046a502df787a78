package api

import (
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/engine"
)

// Calendar is one of the strategy in force: weekends are off, and so are its days off;
// its make-up workdays are worked whatever the weekday.
type Calendar struct {
	ID       string   `json:"id"`
	DaysOff  []string `json:"days_off"`
	Workdays []string `json:"workdays" doc:"Worked to make up for a holiday."`
}

// CalendarPut is a calendar as other programs export it.
type CalendarPut struct {
	ICS   string   `json:"ics" minLength:"1" maxLength:"1000000" doc:"An iCalendar text (RFC 5545)."`
	Works []string `json:"works,omitempty" maxItems:"20" doc:"Entries whose summary holds one of these words are make-up workdays; 班 and workday when missing."`
}

// CalendarLoaded says what became of it.
type CalendarLoaded struct {
	Calendar
	Version int  `json:"version" doc:"Of the strategy, now in force."`
	Changed bool `json:"changed" doc:"False: it was there already, day by day."`
}

func (s *server) calendarRoutes() {
	const tag = "Strategies"
	add(s, route{method: "GET", path: "/v1/calendars", tag: tag, who: secretKey, summary: "List the calendars of the strategy in force."}, func(c *call, _ *none) (Page[Calendar], error) {
		all, err := s.calendars(c)
		if err != nil {
			return Page[Calendar]{}, err
		}
		return paged(all, max(len(all), 1), func(d Calendar) string { return d.ID }), nil
	})
	add(s, route{
		method: "PUT", path: "/v1/calendars/{id}", tag: tag, who: secretKey, limit: 2 << 20, summary: "Load a calendar of days off and make-up workdays, in force at once.",
		details: "It becomes a file of a new version of the strategy; sent again, it changes nothing. Rules read scene.workday, calendar.ID.workday and calendar.ID.holiday.",
	}, func(c *call, in *CalendarPut) (CalendarLoaded, error) {
		if in.Works == nil {
			in.Works = []string{"班", "workday"}
		}
		v, changed, err := s.Engine.LoadCalendar(c.context(), c.workspace.ID, c.r.PathValue("id"), in.ICS, in.Works, s.actor(c))
		if errors.Is(err, engine.ErrCalendar) {
			wrong := candidate.Text{Zh: err.Error(), En: err.Error()}
			var said interface{ Said() candidate.Text }
			if errors.As(err, &said) {
				wrong = said.Said()
			}
			return CalendarLoaded{}, &refusal{status: http.StatusBadRequest, code: "bad_calendar", cause: err,
				faults: []flaw{{pointer: "/ics", code: "bad_calendar", said: &wrong}}}
		}
		if err != nil {
			return CalendarLoaded{}, s.refusedApproval(c, err)
		}
		all, err := s.calendars(c)
		if err != nil {
			return CalendarLoaded{}, err
		}
		out := CalendarLoaded{Version: v.Number, Changed: changed}
		if i := slices.IndexFunc(all, func(d Calendar) bool { return d.ID == c.r.PathValue("id") }); i >= 0 {
			out.Calendar = all[i]
		}
		return out, nil
	})
}

func (s *server) calendars(c *call) ([]Calendar, error) {
	all, err := s.Engine.Calendars(c.workspace.ID)
	if err != nil {
		return nil, err
	}
	out := make([]Calendar, len(all))
	for i := range all {
		out[i] = Calendar{all[i].ID, days(all[i].Off), days(all[i].Work)}
	}
	return out, nil
}

func days(all map[string]bool) []string {
	out := slices.Sorted(maps.Keys(all))
	if out == nil {
		out = []string{}
	}
	return out
}
