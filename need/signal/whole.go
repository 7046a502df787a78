package signal

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/profile"
)

// Whole goes through all events of a person: the state it leaves and everything that
// ever fired up to a moment. Events must be in the order of profiles ([profile.Compare])
// and none may come twice; they are kept until it returns.
func (s *Rules) Whole(events []*event.Event, now time.Time) (Life, []Fired) {
	var life Life
	var fired []Fired
	for _, e := range events {
		if flat, _ := s.Concerns(e); flat {
			life, _ = s.Fold(life, e, &fired)
		}
	}
	life = s.Advance(life, now, &fired)
	if len(s.liveNames) > 0 {
		fired = append(fired, s.live(events, now)...)
	}
	return life, fired
}

// LiveDue is when time alone may next turn a signal that reads records, given the
// person's events; ok is false when nothing of the kind is to come.
func (s *Rules) LiveDue(events []*event.Event, now time.Time) (due time.Time, ok bool) {
	for i := range s.rules {
		r := &s.rules[i]
		if !r.live || !r.timed {
			continue
		}
		for _, at := range r.moments(events) {
			if t := time.UnixMilli(at).UTC(); t.After(now) && (!ok || t.Before(due)) {
				due, ok = t, true
			}
		}
	}
	return due, ok
}

// moments are the times at which time alone may turn a rule.
func (r *rule) moments(events []*event.Event) (all []int64) {
	if !r.timed {
		return nil
	}
	names := r.names()
	for _, e := range events {
		if !slices.Contains(names, e.Name) {
			continue
		}
		if r.within > 0 {
			all = append(all, ms(e.Time)+r.within)
		}
		if r.hold > 0 && r.hold != r.within {
			all = append(all, ms(e.Time)+r.hold)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// live folds the signals that read records: they are evaluated at every step on the
// profile as it was then.
func (s *Rules) live(events []*event.Event, now time.Time) (fired []Fired) {
	p := profile.New("", nil)
	walks := make([]*walk, 0, len(s.rules))
	for i := range s.rules {
		if r := &s.rules[i]; r.live {
			walks = append(walks, &walk{r: r, symptom: s.symptom, moments: r.moments(events), before: -1 << 62, firing: map[string]*Fired{}, at: map[string]int64{}})
		}
	}
	for i, e := range events {
		_, concerned := s.Concerns(e)
		if concerned {
			for _, w := range walks {
				w.pass(p, ms(e.Time)-1, &fired)
				w.begin(p, ms(e.Time))
			}
		}
		p.Apply(e, uint64(i+1))
		if concerned {
			for _, w := range walks {
				w.end(p, ms(e.Time), e, &fired)
			}
		}
	}
	for _, w := range walks {
		w.pass(p, ms(now), &fired)
	}
	return fired
}

// walk is one signal on its way through a life.
type walk struct {
	r       *rule
	symptom func(*event.Event) string
	moments []int64
	before  int64            // time of the last step
	held    map[string]State // after it
	left    map[string]State // just before the step in work
	firing  map[string]*Fired
	at      map[string]int64 // when a group fired last
}

func (w *walk) holding(p *profile.Profile, t int64) map[string]State {
	zone := time.UTC
	if name := p.Text("timezone"); name != "" {
		if n, ok := zoneNumber(name); ok {
			zones.RLock()
			zone = zones.of[n]
			zones.RUnlock()
		}
	}
	held := map[string]State{}
	for _, x := range Evaluate([]Definition{*w.r.Definition}, Moment{Person: p, At: time.UnixMilli(t).UTC(), Zone: zone, Symptom: w.symptom}) {
		if !x.Holds {
			continue
		}
		parts := make([]string, len(w.r.By))
		for i, name := range w.r.By {
			parts[i] = x.Group[name]
		}
		held[strings.Join(parts, "\x00")] = x
	}
	return held
}

// pass lets time go on up to and with a moment.
func (w *walk) pass(p *profile.Profile, upTo int64, fired *[]Fired) {
	for len(w.moments) > 0 && w.moments[0] <= upTo {
		t := w.moments[0]
		w.moments = w.moments[1:]
		if t <= w.before {
			continue
		}
		w.begin(p, t)
		w.end(p, t, nil, fired)
	}
}

func (w *walk) begin(p *profile.Profile, t int64) {
	if w.left = w.held; t > w.before {
		w.left = w.holding(p, t-1)
	}
}

func (w *walk) end(p *profile.Profile, t int64, e *event.Event, fired *[]Fired) {
	w.held, w.before = w.holding(p, t), t
	for _, key := range slices.Sorted(maps.Keys(w.held)) {
		if _, before := w.left[key]; !before {
			w.turn(key, t, fired)
		}
	}
	if e == nil {
		return
	}
	for key := range w.left {
		if _, still := w.held[key]; !still && w.firing[key] != nil && w.r.ends(e) {
			x, id := *w.firing[key], e.ID
			x.Events, x.UndoneBy = nil, &id
			*fired = append(*fired, x)
			w.firing[key] = nil
		}
	}
}

func (r *rule) ends(e *event.Event) bool {
	switch {
	case r.Form == Absent && e.Name == r.After.Event:
		return false
	case r.Form == Absent && e.Name == r.Event, r.Form == Sequence && e.Name == r.Unless.Event:
		return true
	}
	return slices.Contains(r.Without, e.Name)
}

func (w *walk) turn(key string, t int64, fired *[]Fired) {
	w.firing[key] = nil
	if at, ever := w.at[key]; ever && w.r.cool > 0 && t < at+w.r.cool {
		return
	}
	w.at[key] = t
	state := w.held[key]
	x := Fired{Rule: int(w.r.index), Group: names([]byte(key), len(w.r.By)), Named: state.Group, At: time.UnixMilli(t).UTC()}
	refs := state.Events
	if w.r.Form == Count || w.r.Form == Streak {
		refs = refs[max(0, len(refs)-w.r.keep):]
	}
	for _, ref := range refs {
		if id, ok := event.ParseID(string(ref)); ok {
			x.Events = append(x.Events, id)
		}
	}
	x.Print = print(x.Group, t, x.Events)
	*fired = append(*fired, x)
	w.firing[key] = &x
}
