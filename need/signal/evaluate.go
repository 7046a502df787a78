package signal

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/profile"
)

// Evaluate gives, for every definition in its order, the groups that hold (the one
// with the newest event first) and then the nearest one that does not, if any
// event of it ever came.
func Evaluate(definitions []Definition, m Moment) []State {
	if m.Person == nil {
		return nil
	}
	if m.Zone == nil {
		m.Zone = time.UTC
	}
	var all []State
	for i := range definitions {
		d := &definitions[i]
		if !d.Household {
			v := evaluation{Definition: d, m: &m, need: max(d.AtLeast, 1)}
			all = v.states(all)
			continue
		}
		for _, h := range m.Person.Households {
			home := m
			home.Person = &profile.Profile{History: h.History}
			v := evaluation{Definition: d, m: &home, need: max(d.AtLeast, 1)}
			before := len(all)
			all = v.states(all)
			for j := before; j < len(all); j++ {
				all[j].Group = inHousehold(all[j].Group, h.ID)
			}
		}
	}
	return all
}

// evaluation is one definition at one moment.
type evaluation struct {
	*Definition
	m    *Moment
	need int
}

// group is what one evaluation collects of one group.
type group struct {
	keys    []string
	members []member // of Event (of After, for an absence), in order, up to the moment
	passed  []bool   // by Where, of each member
}

func (v *evaluation) states(all []State) []State {
	name, where := v.Event, v.Where
	if v.Form == Absent {
		name, where = v.After.Event, v.After.Where
	}
	groups := v.groups(name, where)
	var near *verdict
	var held []verdict
	for _, g := range groups {
		var s verdict
		switch v.Form {
		case Streak:
			s = v.streak(g)
		case Absent:
			s = v.absent(g)
		case Sequence:
			if v.Unless.Event != "" {
				s = v.unfinished(g)
			} else {
				s = v.sequence(g)
			}
		case Trend, Periodic, Ratio:
			s = v.newest(g)
		default:
			s = v.count(g, groups)
		}
		s.group = g
		if s.fault == "" {
			held = append(held, s)
		} else if near == nil || nearer(&s, near) {
			near = &s
		}
	}
	slices.SortStableFunc(held, func(a, b verdict) int {
		return cmp.Or(b.newest().Compare(a.newest()), slices.Compare(a.group.keys, b.group.keys))
	})
	for i := range held {
		all = append(all, v.state(&held[i]))
	}
	if near != nil {
		all = append(all, v.state(near))
	}
	return all
}

// verdict is what an evaluation says of one group.
type verdict struct {
	group  *group
	count  int
	needed int
	events []member
	fault  string
}

func (s *verdict) newest() time.Time {
	if len(s.events) == 0 {
		return time.Time{}
	}
	return s.events[len(s.events)-1].event.Time
}

// nearer orders what does not hold: undone is nearer than too few, then the
// larger count, the newer events, the smaller keys.
func nearer(a, b *verdict) bool {
	undone := func(s *verdict) int {
		if strings.HasPrefix(s.fault, "without:") && s.count >= s.needed {
			return 0
		}
		return 1
	}
	last := func(s *verdict) time.Time { return s.group.members[len(s.group.members)-1].event.Time }
	return cmp.Or(
		cmp.Compare(undone(a), undone(b)),
		cmp.Compare(b.count, a.count),
		b.newest().Compare(a.newest()),
		last(b).Compare(last(a)),
		slices.Compare(a.group.keys, b.group.keys)) < 0
}

func (v *evaluation) state(s *verdict) State {
	out := State{Signal: v.ID, Holds: s.fault == "", Count: s.count, Needed: s.needed, Fault: s.fault,
		Events: make([]evidence.Ref, 0, len(s.events)), Times: make([]time.Time, 0, len(s.events))}
	for _, e := range s.events {
		out.Events = append(out.Events, evidence.Ref(e.event.ID.String()))
		out.Times = append(out.Times, e.event.Time)
	}
	if len(v.By) > 0 {
		out.Group = make(map[string]string, len(v.By)+2)
		for i, name := range v.By {
			out.Group[name] = s.group.keys[i]
			if name != "device" {
				continue
			}
			members := s.events
			if len(members) == 0 {
				members = s.group.members
			}
			if t := members[len(members)-1].thing; t.product != "" {
				out.Group["product_id"] = t.product
			}
			if t := members[len(members)-1].thing; t.asset != "" {
				out.Group["asset_id"] = t.asset
			}
		}
	}
	return out
}

// until is the part of a history up to the moment.
func (v *evaluation) until(name string) []*event.Event {
	h := v.m.Person.History[name]
	n, _ := slices.BinarySearchFunc(h, v.m.At, func(e *event.Event, at time.Time) int {
		if e.Time.After(at) {
			return 1
		}
		return -1
	})
	return h[:n]
}

func (v *evaluation) groups(name string, where Filter) []*group {
	var order []*group
	byKey := map[string]*group{}
	events := v.until(name)
	var buffer []member
	for _, e := range events {
		passed, asked := false, false
		buffer = keysOf(e, v.By, v.m, buffer[:0])
		for _, mem := range buffer {
			if slices.Contains(mem.keys, "") {
				continue
			}
			if !asked {
				passed, asked = where == nil || where.Match(e, v.m.Person), true
			}
			key := strings.Join(mem.keys, "\x00")
			g := byKey[key]
			if g == nil {
				g = &group{keys: mem.keys}
				if len(v.By) == 0 {
					g.members, g.passed = make([]member, 0, len(events)), make([]bool, 0, len(events))
				}
				byKey[key] = g
				order = append(order, g)
			}
			if n := len(g.members); n > 0 && g.members[n-1].event == e {
				continue // a second line of the same order
			}
			if v.repeats(g, e) {
				continue
			}
			g.members = append(g.members, mem)
			g.passed = append(g.passed, passed)
		}
	}
	return order
}

// repeats tells whether one of the newest values that counted in a group is that of
// this event already.
func (v *evaluation) repeats(g *group, e *event.Event) bool {
	if v.Distinct == "" {
		return false
	}
	value := Text(e, v.Distinct)
	if value == "" {
		return false
	}
	values := 0
	for i, m := range slices.Backward(g.members) {
		if !g.passed[i] {
			continue
		}
		switch Text(m.event, v.Distinct) {
		case value:
			return true
		case "":
			continue
		}
		if values++; values == DistinctValues {
			return false
		}
	}
	return false
}

// undone gives the newest event that undoes a group, among those after from.
func (v *evaluation) undone(keys []string, from time.Time) *event.Event {
	var newest *event.Event
	for _, name := range v.Without {
		if e := v.newestOf(name, nil, keys, from); e != nil && (newest == nil || before(newest, e)) {
			newest = e
		}
	}
	return newest
}

// newestOf is the newest event of a name that may belong to a group, after from.
func (v *evaluation) newestOf(name string, where Filter, keys []string, from time.Time) *event.Event {
	for _, e := range slices.Backward(v.until(name)) {
		if !e.Time.After(from) {
			return nil
		}
		if v.mayBelong(e, keys) && (where == nil || where.Match(e, v.m.Person)) {
			return e
		}
	}
	return nil
}

// opens is when the window begins; what has no window has none from the beginning on.
func (v *evaluation) opens() time.Time {
	if v.Within == 0 {
		return time.Time{}
	}
	return v.m.At.Add(-v.Within)
}

// counted are the members that count: passed, in the window, and not undone.
// undoing is the event that undoes the group.
func (v *evaluation) counted(g *group) (in []member, undoing *event.Event) {
	opens := v.opens()
	undoing = v.undone(g.keys, opens)
	for i, mem := range g.members {
		if !g.passed[i] || !mem.event.Time.After(opens) || v.SinceFirst && undoing != nil && before(mem.event, undoing) {
			continue
		}
		in = append(in, mem)
	}
	return in, undoing
}

func (v *evaluation) count(g *group, groups []*group) verdict {
	in, undoing := v.counted(g)
	s := verdict{count: len(in), needed: v.need, events: in}
	if undoing != nil && (!v.SinceFirst || len(in) < v.need && v.wasCounted(g, undoing)) {
		s.fault = "without:" + undoing.Name
		return s
	}
	if len(in) < v.need {
		s.fault = v.missing(g, groups)
	}
	return s
}

// wasCounted tells whether the group had enough events before it was undone.
func (v *evaluation) wasCounted(g *group, undoing *event.Event) bool {
	n := 0
	for i, mem := range g.members {
		if g.passed[i] && mem.event.Time.After(v.opens()) && before(mem.event, undoing) {
			n++
		}
	}
	return n > 0
}

// missing names the one condition without which a group would have had enough:
// the filter, one key of the group, the window; "count" when none alone would do.
func (v *evaluation) missing(g *group, groups []*group) string {
	inWindow, ever := 0, 0
	for i, mem := range g.members {
		if mem.event.Time.After(v.opens()) {
			inWindow++
		}
		if g.passed[i] {
			ever++
		}
	}
	if inWindow >= v.need {
		return "where"
	}
	for k, name := range v.By {
		n := 0
		for _, other := range groups {
			differs := false
			for i := range v.By {
				differs = differs || i != k && other.keys[i] != g.keys[i]
			}
			if differs {
				continue
			}
			for i, mem := range other.members {
				if other.passed[i] && mem.event.Time.After(v.opens()) {
					n++
				}
			}
		}
		if n >= v.need {
			return "same:" + name
		}
	}
	if ever >= v.need {
		return "within"
	}
	return "count"
}

func (v *evaluation) streak(g *group) verdict {
	first := map[int]member{}
	undoing := v.undone(g.keys, time.Time{})
	for i, mem := range g.members {
		if !g.passed[i] || v.SinceFirst && undoing != nil && before(mem.event, undoing) {
			continue
		}
		p := period(mem.event.Time.In(v.m.Zone), v.Per)
		if _, seen := first[p]; !seen {
			first[p] = mem
		}
	}
	last := period(v.m.At.In(v.m.Zone), v.Per)
	if _, seen := first[last]; !seen {
		last--
	}
	s := verdict{needed: v.need}
	oldest := last + 1
	for p := last; oldest-p-1 <= v.Grace; p-- {
		if mem, seen := first[p]; seen {
			s.events = append(s.events, mem)
			s.count++
			oldest = p
		}
	}
	slices.Reverse(s.events)
	switch {
	case !v.SinceFirst && undoing != nil && s.count > 0 && !before(undoing, s.events[max(0, s.count-v.need)].event):
		s.fault = "without:" + undoing.Name
	case s.count >= v.need:
	case v.SinceFirst && undoing != nil:
		s.fault = "without:" + undoing.Name
	default:
		s.fault = "count"
		for p := range first {
			if p < oldest {
				s.fault = "gap:" + periodName(oldest-1, v.Per)
			}
		}
	}
	return s
}

func (v *evaluation) absent(g *group) verdict {
	s := verdict{needed: 1}
	for i, mem := range slices.Backward(g.members) {
		if g.passed[i] {
			s.count, s.events = 1, []member{mem}
			break
		}
	}
	if s.count == 0 {
		s.fault = "where"
		return s
	}
	start := s.events[0].event
	s.fault = v.broken(g, start, v.newestOf(v.Event, v.Where, g.keys, start.Time.Add(-1)), v.Within)
	return s
}

// broken says why a silence since an event does not hold: something that ended it came,
// this one or what undoes the signal, or it has not lasted long enough; "" when it holds.
func (v *evaluation) broken(g *group, since, ended *event.Event, lasting time.Duration) string {
	if ended != nil && before(since, ended) {
		return "without:" + ended.Name
	}
	if e := v.undone(g.keys, since.Time.Add(-1)); e != nil && before(since, e) {
		return "without:" + e.Name
	}
	if v.m.At.Sub(since.Time) < lasting {
		return "early"
	}
	return ""
}

func (v *evaluation) sequence(g *group) verdict {
	in, undoing := v.counted(g)
	s := verdict{needed: 1 + len(v.Then)}
	if len(in) == 0 {
		s.fault = "within"
		if undoing != nil && v.SinceFirst {
			s.fault = "without:" + undoing.Name
		}
		return s
	}
	steps := [][]member{in}
	for _, step := range v.Then {
		var next []member
		for _, e := range v.until(step.Event) {
			if !e.Time.After(v.opens()) || step.Where != nil && !step.Where.Match(e, v.m.Person) {
				continue
			}
			for _, mem := range keysOf(e, v.By, v.m, nil) {
				if slices.Equal(mem.keys, g.keys) {
					next = append(next, mem)
					break
				}
			}
		}
		steps = append(steps, next)
	}
	// From the front: how far it came. Taking the earliest of each step finds a
	// whole sequence whenever there is one.
	for _, step := range steps {
		i := slices.IndexFunc(step, func(mem member) bool {
			return len(s.events) == 0 || before(s.events[len(s.events)-1].event, mem.event)
		})
		if i < 0 {
			break
		}
		s.events = append(s.events, step[i])
	}
	s.count = len(s.events)
	switch {
	case s.count < s.needed:
		s.fault = "order"
	case undoing != nil && !v.SinceFirst:
		s.fault = "without:" + undoing.Name
	default:
		// From the back: of several whole sequences the newest is the evidence.
		for k := len(steps) - 1; k >= 0; k-- {
			for _, mem := range slices.Backward(steps[k]) {
				if k == len(steps)-1 || before(mem.event, s.events[k+1].event) {
					s.events[k] = mem
					break
				}
			}
		}
	}
	return s
}

// newest looks at the newest events that count: a trend, a period, a ratio.
func (v *evaluation) newest(g *group) verdict {
	opens := v.opens()
	if v.Form == Periodic {
		opens = time.Time{}
	}
	undoing := v.undone(g.keys, opens)
	// Without a window nothing is undone for good: it begins anew.
	anew := v.SinceFirst || opens.IsZero()
	var all, passed []member
	for i, mem := range g.members {
		if !g.passed[i] {
			continue
		}
		if v.Form == Trend {
			if _, ok := number(field(mem.event.Body, v.Value)); !ok {
				continue
			}
		}
		all = append(all, mem)
	}
	if v.Form == Ratio {
		passed, all = all, v.beside(g, all)
	}
	in := all[:0:0]
	for _, mem := range all {
		if mem.event.Time.After(opens) && !(anew && undoing != nil && before(mem.event, undoing)) {
			in = append(in, mem)
		}
	}
	s := verdict{needed: v.need, count: min(len(in), v.need), events: in[max(0, len(in)-v.need):]}
	switch {
	case undoing != nil && (!anew || len(in) < v.need && len(all) >= v.need):
		s.fault = "without:" + undoing.Name
	case len(in) < v.need && len(all) >= v.need && !opens.IsZero():
		s.fault = "within"
	case len(in) < v.need:
		s.fault = "count"
	case v.Form == Trend:
		for i := 1; i < len(s.events) && s.fault == ""; i++ {
			a, _ := number(field(s.events[i-1].event.Body, v.Value))
			b, _ := number(field(s.events[i].event.Body, v.Value))
			if v.Falling && b >= a || !v.Falling && b <= a {
				s.fault = "trend"
			}
		}
	case v.Form == Periodic:
		slack := time.Duration(float64(v.Every.Milliseconds())*v.Tolerance) * time.Millisecond
		for i := 1; i < len(s.events) && s.fault == ""; i++ {
			if d := s.events[i].event.Time.Sub(s.events[i-1].event.Time); d < v.Every-slack || d > v.Every+slack {
				s.fault = "period"
			}
		}
		if s.fault == "" && v.m.At.Sub(s.events[len(s.events)-1].event.Time) > v.Every+slack {
			s.fault = "late"
		}
	case v.Form == Ratio:
		of := 0
		for _, mem := range s.events {
			if slices.ContainsFunc(passed, func(o member) bool { return o.event == mem.event }) {
				of++
			}
		}
		if float64(of) < v.Share*float64(len(s.events)-of) {
			s.fault = "ratio"
		}
	}
	return s
}

// beside puts the events that a ratio compares with among those that count.
func (v *evaluation) beside(g *group, all []member) []member {
	counts := all
	for _, e := range v.until(v.Other.Event) {
		if v.Other.Where != nil && !v.Other.Where.Match(e, v.m.Person) || slices.ContainsFunc(counts, func(mem member) bool { return mem.event == e }) {
			continue
		}
		for _, mem := range keysOf(e, v.By, v.m, nil) {
			if slices.Equal(mem.keys, g.keys) {
				all = append(all[:len(all):len(all)], mem)
				break
			}
		}
	}
	slices.SortStableFunc(all, func(a, b member) int {
		if before(a.event, b.event) {
			return -1
		}
		return 1
	})
	return all
}

// unfinished is a sequence after which something did not come: like an absence that
// is counted from the newest whole sequence.
func (v *evaluation) unfinished(g *group) verdict {
	s := verdict{needed: 1 + len(v.Then)}
	last := v.Then[len(v.Then)-1]
	ends := v.until(last.Event)
	for _, e := range slices.Backward(ends) {
		at := *v.m
		at.At = e.Time
		then := evaluation{Definition: v.Definition, m: &at, need: v.need}
		whole := then.sequenceUpTo(g, e)
		if whole.fault != "" {
			if s.count < whole.count {
				s.count, s.events = whole.count, whole.events
			}
			continue
		}
		s.count, s.events = whole.count, whole.events
		s.fault = v.broken(g, e, v.newestOf(v.Unless.Event, v.Unless.Where, g.keys, e.Time.Add(-1)), v.For)
		return s
	}
	s.fault = "order"
	return s
}

// sequenceUpTo is the newest whole sequence that ends with one event, among those
// that came before it.
func (v *evaluation) sequenceUpTo(g *group, end *event.Event) verdict {
	s := verdict{needed: 1 + len(v.Then), fault: "order"}
	// What undid the window as it was then.
	var undoing *event.Event
	for _, name := range v.Without {
		for _, e := range v.m.Person.History[name] {
			if e.Time.After(v.opens()) && !before(end, e) && (undoing == nil || before(undoing, e)) && v.mayBelong(e, g.keys) {
				undoing = e
			}
		}
	}
	if undoing != nil && !v.SinceFirst {
		s.fault = "without:" + undoing.Name
		return s
	}
	next := end
	for k := len(v.Then); k >= 0; k-- {
		name, where := v.Event, v.Where
		if k > 0 {
			name, where = v.Then[k-1].Event, v.Then[k-1].Where
		}
		var found *member
		for _, e := range slices.Backward(v.until(name)) {
			if k == len(v.Then) && e != end || k < len(v.Then) && !before(e, next) || where != nil && !where.Match(e, v.m.Person) {
				continue
			}
			for _, mem := range keysOf(e, v.By, v.m, nil) {
				if slices.Equal(mem.keys, g.keys) {
					found = &mem
					break
				}
			}
			if found != nil {
				break
			}
		}
		if found == nil || !found.event.Time.After(v.opens()) {
			return s
		}
		s.count++
		s.events = append([]member{*found}, s.events...)
		next = found.event
	}
	if undoing != nil && before(next, undoing) {
		s.fault = "without:" + undoing.Name
		return s
	}
	s.fault = ""
	return s
}

func (v *evaluation) mayBelong(e *event.Event, keys []string) bool {
	return slices.ContainsFunc(keysOf(e, v.By, v.m, nil), func(mem member) bool {
		for i, k := range mem.keys {
			if k != "" && k != keys[i] {
				return false
			}
		}
		return true
	})
}

// period numbers calendar periods of a local time: consecutive periods have
// consecutive numbers.
func period(local time.Time, per Period) int {
	y, mo, d := local.Date()
	day := int(time.Date(y, mo, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
	switch per {
	case Month:
		return y*12 + int(mo) - 1
	case Week:
		return floorDiv(day+3, 7) // 1 January 1970 was a Thursday
	}
	return day
}

func periodName(p int, per Period) string {
	switch per {
	case Month:
		return fmt.Sprintf("%04d-%02d", p/12, p%12+1)
	case Week:
		y, w := time.Unix(int64(p*7-3)*86400, 0).UTC().ISOWeek()
		return fmt.Sprintf("%04d-W%02d", y, w)
	}
	return time.Unix(int64(p)*86400, 0).UTC().Format(time.DateOnly)
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
