package api

import (
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/engine"
)

// Calendar is one of the strategy in force: weekends are off, and so are its days off;
// its make-up workdays are worked whatever the weekday.
type Calendar struct {
	ID       string   `json:"id"`
	DaysOff  []string `json:"days_off"`
	Workdays []string `json:"workdays" doc:"Worked to make up for a holiday."`
	// Names says what days are called, where the calendar does.
	Names map[string]string `json:"names"`
}

// CalendarPut is a calendar as other programs export it.
type CalendarPut struct {
	ICS   string   `json:"ics" minLength:"1" maxLength:"1000000" doc:"An iCalendar text (RFC 5545)."`
	Works []string `json:"works,omitempty" maxItems:"20" doc:"Entries whose summary holds one of these words are make-up workdays; 班 and workday when missing."`
}

// CalendarRead is what loading a calendar would put into force, and what of it is new.
type CalendarRead struct {
	Calendar
	New     bool     `json:"new" doc:"No calendar of this id is in force."`
	Added   []string `json:"added" doc:"Days that would be off or made up for, and are not yet, or are the other now."`
	Removed []string `json:"removed" doc:"Days that would be ordinary again."`
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
		v, changed, err := s.Engine.LoadCalendar(c.context(), c.workspace.ID, c.r.PathValue("id"), in.ICS, in.works(), s.actor(c))
		if errors.Is(err, engine.ErrCalendar) {
			return CalendarLoaded{}, badCalendar(err)
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
	add(s, route{
		method: "POST", path: "/v1/calendars/{id}/read", tag: tag, who: secretKey, limit: 2 << 20, summary: "Tell what loading a calendar would change; nothing is changed.",
	}, func(c *call, in *CalendarPut) (CalendarRead, error) {
		d, err := s.Engine.ReadCalendar(c.r.PathValue("id"), in.ICS, in.works())
		if err != nil {
			return CalendarRead{}, badCalendar(err)
		}
		all, err := s.Engine.Calendars(c.workspace.ID)
		if err != nil {
			return CalendarRead{}, err
		}
		var was decision.Calendar
		i := slices.IndexFunc(all, func(o decision.Calendar) bool { return o.ID == d.ID })
		if i >= 0 {
			was = all[i]
		}
		out := CalendarRead{Calendar: calendarOf(&d), New: i < 0, Added: []string{}, Removed: []string{}}
		for _, day := range slices.Concat(out.DaysOff, out.Workdays) {
			if d.Off[day] != was.Off[day] || d.Work[day] != was.Work[day] {
				out.Added = append(out.Added, day)
			}
		}
		for _, day := range slices.Concat(days(was.Off), days(was.Work)) {
			if !d.Off[day] && !d.Work[day] {
				out.Removed = append(out.Removed, day)
			}
		}
		slices.Sort(out.Added)
		slices.Sort(out.Removed)
		return out, nil
	})
}

// works are the words that make an entry a workday.
func (in *CalendarPut) works() []string {
	if in.Works == nil {
		return []string{"班", "workday"}
	}
	return in.Works
}

func badCalendar(err error) error {
	wrong := candidate.Text{Zh: err.Error(), En: err.Error()}
	var said interface{ Said() candidate.Text }
	if errors.As(err, &said) {
		wrong = said.Said()
	}
	return &refusal{status: http.StatusBadRequest, code: "bad_calendar", cause: err,
		faults: []flaw{{pointer: "/ics", code: "bad_calendar", said: &wrong}}}
}

func (s *server) calendars(c *call) ([]Calendar, error) {
	all, err := s.Engine.Calendars(c.workspace.ID)
	if err != nil {
		return nil, err
	}
	out := make([]Calendar, len(all))
	for i := range all {
		out[i] = calendarOf(&all[i])
	}
	return out, nil
}

func calendarOf(d *decision.Calendar) Calendar {
	out := Calendar{ID: d.ID, DaysOff: days(d.Off), Workdays: days(d.Work), Names: maps.Clone(d.Names)}
	if out.Names == nil {
		out.Names = map[string]string{}
	}
	return out
}

func days(all map[string]bool) []string {
	out := slices.Sorted(maps.Keys(all))
	if out == nil {
		out = []string{}
	}
	return out
}
