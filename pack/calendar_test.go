package pack_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/pack"
)

func TestHolidaysAndMakeUpWorkdaysComeFromACalendarFile(t *testing.T) {
	t.Parallel()
	ics := "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20261001\r\nDTEND;VALUE=DATE:20261008\r\nSUMMARY:国庆节 休\r\nEND:VEVENT\r\n" +
		"BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20261010\r\nSUMMARY:国庆节\r\n  补班\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	text, err := pack.Calendar("cn", ics, []string{"补班"})
	if err != nil {
		t.Fatal(err)
	}
	v, faults := compileWith(t, text+action("service", `applicability: [{id: r, rule: "calendar.cn.workday && !calendar.cn.holiday", reason: {zh: 今天休息, en: it is a day off}}]`))
	if faults != nil {
		t.Fatal(faults)
	}
	c := &v.Decision.Calendars[0]
	for day, worked := range map[string]bool{"2026-09-30": true, "2026-10-01": false, "2026-10-07": false, "2026-10-08": true, "2026-10-10": true, "2026-10-11": false} {
		at, _ := time.Parse(time.DateOnly, day)
		if c.Workday(at) != worked {
			t.Errorf("%s: worked %v", day, !worked)
		}
	}
	for day, name := range map[string]string{"2026-10-01": "国庆节 休", "2026-10-07": "国庆节 休", "2026-10-08": "", "2026-10-10": "国庆节 补班"} {
		if c.Names[day] != name {
			t.Errorf("%s is called %q", day, c.Names[day])
		}
	}
	odd := "BEGIN:VEVENT\nDTSTART:20261225\nSUMMARY:Santa's day\\, or: {nearly} #1\nEND:VEVENT\n"
	text, err = pack.Calendar("uk", odd, nil)
	if err != nil {
		t.Fatal(err)
	}
	if v, faults := compileWith(t, text); faults != nil || v.Decision.Calendars[0].Names["2026-12-25"] != "Santa's day, or: {nearly} #1" {
		t.Error(faults, text)
	}
	if _, err := pack.Calendar("cn", strings.Replace(ics, "SUMMARY:国庆节 休", "RRULE:FREQ=YEARLY", 1), nil); err == nil || !strings.Contains(err.Error(), "repeats") {
		t.Error(err)
	}
	if _, faults := compileWith(t, "calendars: [{id: x, title: {zh: 一, en: one}, days_off: [2026-13-01]}]\n"); len(faults) != 1 {
		t.Error(faults)
	}
}
