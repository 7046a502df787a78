package pack

import (
	"bufio"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision"
)

// calendar reads days off and make-up workdays. One of the same id replaces one of an
// earlier pack.
func (c *content) calendar(v value) {
	d := decision.Calendar{Off: map[string]bool{}, Work: map[string]bool{}, Names: map[string]string{}}
	days := func(into map[string]bool) func(value) {
		return func(v value) {
			v.list(func(v value) {
				s, ok := v.scalar()
				if !ok {
					return
				}
				if _, err := time.Parse(time.DateOnly, s); err != nil {
					v.fault("day_expected", s)
					return
				}
				into[s] = true
			})
		}
	}
	v.object(fields{
		"id":       func(v value) { v.name(&d.ID) },
		"title":    func(v value) { var t candidate.Text; v.text(&t) },
		"days_off": days(d.Off),
		"workdays": days(d.Work),
		"names": func(v value) {
			v.entries(func(day, name value) {
				if _, err := time.Parse(time.DateOnly, day.node.Value); err != nil {
					day.fault("day_expected", day.node.Value)
					return
				}
				var s string
				name.str(&s)
				d.Names[day.node.Value] = s
			})
		},
	}, "id", "title")
	for day := range d.Work {
		if d.Off[day] {
			v.fault("both_off_and_work", day)
		}
	}
	if d.ID == "" {
		return
	}
	if i := slices.IndexFunc(c.calendars, func(o decision.Calendar) bool { return o.ID == d.ID }); i >= 0 {
		c.calendars[i] = d
		return
	}
	c.calendars = append(c.calendars, d)
}

// longestHoliday bounds one entry of an imported calendar, in days; longestName the
// name of a day, in runes.
const (
	longestHoliday = 60
	longestName    = 60
)

// Calendar turns an iCalendar text (RFC 5545) into the file of a pack: ReadCalendar, written out.
func Calendar(id, ics string, workWords []string) (string, error) {
	d, err := ReadCalendar(id, ics, workWords)
	if err != nil {
		return "", err
	}
	list := func(days map[string]bool) string { return strings.Join(slices.Sorted(maps.Keys(days)), ", ") }
	var out strings.Builder
	fmt.Fprintf(&out, "calendars:\n  - id: %s\n    title: {zh: 放假与调休, en: Holidays and make-up workdays}\n    days_off: [%s]\n    workdays: [%s]\n", id, list(d.Off), list(d.Work))
	if len(d.Names) > 0 {
		out.WriteString("    names:\n")
	}
	for _, day := range slices.Sorted(maps.Keys(d.Names)) {
		fmt.Fprintf(&out, "      %s: %s\n", day, quoted(d.Names[day]))
	}
	return out.String(), nil
}

// quoted writes a text so that YAML reads it as that text, whatever stands in it.
func quoted(s string) string {
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// ReadCalendar reads an iCalendar text (RFC 5545). Entries whose summary holds one of
// the words are make-up workdays; all others are days off, and each day bears the
// summary of its entry. Entries that repeat are refused: a pack writes its days out.
func ReadCalendar(id, ics string, workWords []string) (decision.Calendar, error) {
	d := decision.Calendar{ID: id, Off: map[string]bool{}, Work: map[string]bool{}, Names: map[string]string{}}
	if !identifier.MatchString(id) {
		return d, wrong("calendar_name", id)
	}
	lines := bufio.NewScanner(strings.NewReader(ics))
	lines.Buffer(nil, 1<<20)
	var entry map[string]string
	take := func(line string, n int) error {
		head, text, _ := strings.Cut(line, ":")
		name, _, _ := strings.Cut(strings.ToUpper(head), ";")
		switch {
		case name == "BEGIN" && strings.EqualFold(text, "VEVENT"):
			entry = map[string]string{}
		case entry == nil:
		case name == "END" && strings.EqualFold(text, "VEVENT"):
			if err := spread(entry, workWords, &d); err != nil {
				return wrong("calendar_entry", id, n, told(err))
			}
			entry = nil
		default:
			entry[name] = text
		}
		return nil
	}
	// A line that begins with a blank goes on with the one before it.
	whole, n := "", 0
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
			whole, n = whole+line[1:], n+1
			continue
		}
		if err := take(whole, n); err != nil {
			return d, err
		}
		whole, n = line, n+1
	}
	if err := take(whole, n); err != nil {
		return d, err
	}
	if err := lines.Err(); err != nil {
		return d, wrong("calendar_read", id, err)
	}
	if len(d.Off)+len(d.Work) == 0 {
		return d, wrong("calendar_empty", id)
	}
	for day := range d.Work {
		delete(d.Off, day)
	}
	return d, nil
}

// Calendar is the package's own, for who knows no more of packs than a compiler.
func (c *Compiler) Calendar(id, ics string, words []string) (string, error) {
	return Calendar(id, ics, words)
}

// ReadCalendar is the package's own, likewise.
func (c *Compiler) ReadCalendar(id, ics string, words []string) (decision.Calendar, error) {
	return ReadCalendar(id, ics, words)
}

// named is the summary of an entry as people read it: on one line, its escapes undone.
func named(summary string) string {
	s := strings.NewReplacer(`\n`, " ", `\N`, " ", `\,`, ",", `\;`, ";", `\\`, `\`).Replace(summary)
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if r := []rune(s); len(r) > longestName {
		return strings.TrimSpace(string(r[:longestName]))
	}
	return s
}

// spread puts every day of an entry where it belongs; its end is the day after.
func spread(entry map[string]string, workWords []string, d *decision.Calendar) error {
	if entry["RRULE"] != "" || entry["RDATE"] != "" {
		return wrong("entry_repeats")
	}
	day := func(s string) (time.Time, error) {
		if len(s) < 8 {
			return time.Time{}, wrong("entry_date", s)
		}
		t, err := time.Parse("20060102", s[:8])
		if err != nil {
			return t, wrong("entry_date", s)
		}
		return t, nil
	}
	from, err := day(entry["DTSTART"])
	if err != nil {
		return err
	}
	until := from.AddDate(0, 0, 1)
	if entry["DTEND"] != "" {
		if until, err = day(entry["DTEND"]); err != nil {
			return err
		}
		if len(entry["DTEND"]) > 8 || !until.After(from) { // an hour of that day
			until = until.AddDate(0, 0, 1)
		}
	}
	if until.Before(from) || until.Sub(from) > longestHoliday*24*time.Hour {
		return wrong("entry_long", from.Format(time.DateOnly), until.Format(time.DateOnly))
	}
	into, works, name := d.Off, false, named(entry["SUMMARY"])
	if slices.ContainsFunc(workWords, func(w string) bool {
		return w != "" && strings.Contains(strings.ToLower(entry["SUMMARY"]), strings.ToLower(w))
	}) {
		into, works = d.Work, true
	}
	for t := from; t.Before(until); t = t.AddDate(0, 0, 1) {
		day := t.Format(time.DateOnly)
		into[day] = true
		// A day that several entries name is called by the first, and one that is worked by what makes it so.
		if name != "" && (d.Names[day] == "" || works) {
			d.Names[day] = name
		}
	}
	return nil
}
