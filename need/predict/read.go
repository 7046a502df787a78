package predict

import (
	"slices"
	"strconv"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/profile"
)

// Scale is what the bins of a feature mean, and which of them are neighbours.
type Scale uint8

const (
	// Count is how many there were, from one on; none at all is no value.
	Count Scale = iota
	// Recency is how long ago the last one was, within 90 days.
	Recency
	// Age is how long something lasts already.
	Age
	// Month of the year; December is January's neighbour.
	Month
	// Weekday, of which none is another's neighbour.
	Weekday
)

// Value is one feature and the bin that its value falls into.
type Value struct {
	Feature string
	Scale   Scale
	Bin     uint8
}

var (
	counts  = []int{1, 2, 3, 4, 6, 9, 15} // the most that a bin takes; the last bin takes all others
	lasts   = []int{1, 2, 3, 5, 7, 10, 14, 21, 30, 45, 60, 90}
	ages    = []int{7, 14, 30, 45, 60, 90, 120, 150, 180, 270, 365, 430, 545, 730, 1095}
	binsOf  = [...]int{Count: len(counts) + 1, Recency: len(lasts), Age: len(ages) + 1, Month: 12, Weekday: 7}
	silent  = map[string]bool{"Decision Shown": true, "Opened": true, "Accepted": true, "Dismissed": true, "Live Chat Message Received": true}
	windows = []int{3, 7, 14, 30, 90} // days that are counted
)

// String is a value in words.
func (v Value) String() string { return v.Feature + "=" + v.bin() }

func (v Value) bin() string {
	n := int(v.Bin)
	switch v.Scale {
	case Count:
		switch {
		case n >= len(counts):
			return "more than " + strconv.Itoa(counts[len(counts)-1])
		case n > 0 && counts[n] > counts[n-1]+1:
			return strconv.Itoa(counts[n-1]+1) + "-" + strconv.Itoa(counts[n])
		}
		return strconv.Itoa(counts[n])
	case Recency:
		return "under " + strconv.Itoa(lasts[n]) + " days"
	case Age:
		if n >= len(ages) {
			return "over " + strconv.Itoa(ages[len(ages)-1]) + " days"
		}
		return "under " + strconv.Itoa(ages[n]) + " days"
	case Month:
		return strconv.Itoa(n + 1)
	}
	return strconv.Itoa(n)
}

func counted(n int) uint8 {
	i := 0
	for i < len(counts) && n > counts[i] {
		i++
	}
	return uint8(i)
}

func under(limits []int, d time.Duration) uint8 {
	i := 0
	for i < len(limits) && d >= time.Duration(limits[i])*day {
		i++
	}
	return uint8(i)
}

// Reading is what is read of a person at a moment, with the events it was read from.
type Reading struct {
	Values []Value
	cited  [][]*event.Event
}

// Cited are the records that the i-th value was read from, oldest first and at most
// citedLimit, the newest.
func (r *Reading) Cited(i int) []evidence.Ref {
	list := r.cited[i]
	list = list[max(0, len(list)-citedLimit):]
	refs := make([]evidence.Ref, len(list))
	for k, e := range list {
		refs[k] = evidence.Ref(e.ID.String())
	}
	return refs
}

const citedLimit = 16

const day = 24 * time.Hour

// longest is how far back a count looks.
const longest = 90 * day

const bought = "Order Completed"

// Read reads a person as known at a moment. What happened after it, or is not
// verified to be theirs by the profile that is handed in, has no part in it. zone is
// the customer's; nil: UTC.
func Read(p *profile.Profile, at time.Time, zone *time.Location) Reading {
	if zone == nil {
		zone = time.UTC
	}
	r := Reading{Values: make([]Value, 0, 64), cited: make([][]*event.Event, 0, 64)}
	add := func(feature string, scale Scale, bin uint8, of []*event.Event) {
		r.Values = append(r.Values, Value{feature, scale, bin})
		r.cited = append(r.cited, of)
	}
	names := make([]string, 0, len(p.History))
	for name := range p.History {
		if !silent[name] && !profile.ContactEvent(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		all := p.Within(name, time.Time{}, at)
		if len(all) == 0 {
			continue
		}
		last := all[len(all)-1]
		since := at.Sub(last.Time)
		for _, w := range windows {
			if d := time.Duration(w) * day; since < d {
				of := p.Within(name, at.Add(-d), at)
				add(name+" in "+strconv.Itoa(w)+" days", Count, counted(len(of)), of)
			}
		}
		if since < longest {
			add(name+" last", Recency, under(lasts, since), all[len(all)-1:])
		}
		if weeks, of := streak(all, at); weeks > 1 {
			add(name+" weeks in a row", Count, counted(weeks), of)
		}
		if name == bought {
			add("owned", Age, under(ages, since), all[len(all)-1:])
		}
	}
	if !p.First.IsZero() && !p.First.After(at) {
		add("known", Age, under(ages, at.Sub(p.First)), nil)
	}
	local := at.In(zone)
	add("month", Month, uint8(local.Month()-1), nil)
	add("weekday", Weekday, uint8(local.Weekday()), nil)
	return r
}

// streak counts the weeks in a row, back from a moment, that have an event each.
func streak(all []*event.Event, at time.Time) (weeks int, of []*event.Event) {
	i := len(all)
	for i > 0 {
		w := int(at.Sub(all[i-1].Time) / (7 * day))
		if w > weeks {
			break
		}
		if w == weeks {
			weeks++
		}
		i--
	}
	return weeks, all[i:]
}
