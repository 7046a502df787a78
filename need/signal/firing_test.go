package signal_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need/signal"
	"github.com/rapport-cx/rapport/profile"
)

// told is an event as the naive evaluator reads it.
type told struct {
	at    int64
	id    event.ID
	name  string
	props map[string]string
	value float64
	valid bool // value is a number
	many  []string
	zone  string // of an identify call: stated
	near  string // and of its device
	key   int    // whose it is before any merge
	raw   *event.Event
}

func after(a, b *told) bool { return a.at > b.at || a.at == b.at && string(a.id[:]) > string(b.id[:]) }

// slow evaluates one definition over a list of events, by trying everything.
type slow struct {
	d     signal.Definition
	where func(*told) bool
	all   []*told // of one person, in order
}

func (s *slow) keys(h *told) (all [][]string) {
	things := h.many
	if h.props["product_id"] != "" || len(things) == 0 {
		things = []string{h.props["product_id"]}
	}
	for _, product := range things {
		var key []string
		for _, by := range s.d.By {
			if by == "product_id" {
				key = append(key, product)
			} else {
				key = append(key, h.props[by])
			}
		}
		all = append(all, key)
	}
	return all
}

func (s *slow) in(h *told, group []string) bool {
	return slices.ContainsFunc(s.keys(h), func(k []string) bool { return slices.Equal(k, group) })
}

func (s *slow) touches(h *told, group []string) bool {
	return slices.ContainsFunc(s.keys(h), func(k []string) bool {
		for i := range k {
			if k[i] != "" && k[i] != group[i] {
				return false
			}
		}
		return true
	})
}

func (s *slow) counts(h *told, group []string) bool {
	return h.name == s.d.Event && s.where(h) && s.in(h, group)
}
func (s *slow) undoes(h *told, group []string) bool {
	return slices.Contains(s.d.Without, h.name) && s.touches(h, group)
}
func (s *slow) ends(h *told, group []string) bool {
	switch s.d.Form {
	case signal.Absent:
		return h.name == s.d.Event && s.where(h) && s.touches(h, group)
	case signal.Sequence:
		return s.d.Unless.Event != "" && h.name == s.d.Unless.Event && s.touches(h, group)
	}
	return false
}
func (s *slow) starts(h *told, group []string) bool {
	return s.d.Form == signal.Absent && h.name == s.d.After.Event && s.in(h, group)
}
func (s *slow) steps(h *told, group []string) bool {
	return slices.ContainsFunc(s.d.Then, func(x signal.Step) bool { return x.Event == h.name && s.in(h, group) })
}
func (s *slow) relevant(h *told, group []string) bool {
	if s.undoes(h, group) || s.ends(h, group) || s.starts(h, group) || s.steps(h, group) {
		return true
	}
	return s.d.Form != signal.Absent && s.counts(h, group) || s.d.Form == signal.Ratio && h.name == s.d.Other.Event && s.in(h, group)
}

func (s *slow) zone(prefix []*told) *time.Location {
	stated, near := "", ""
	for _, h := range prefix {
		if h.zone != "" {
			stated = h.zone
		} else if h.near != "" {
			near = h.near
		}
	}
	if stated == "" {
		stated = near
	}
	at, err := time.LoadLocation(stated)
	if err != nil || stated == "" {
		return time.UTC
	}
	return at
}

func (s *slow) number(at int64, zone *time.Location) int {
	t := time.UnixMilli(at).In(zone)
	switch s.d.Per {
	case signal.Month:
		return t.Year()*12 + int(t.Month())
	case signal.Week:
		monday := time.Date(t.Year(), t.Month(), t.Day()-(int(t.Weekday())+6)%7, 12, 0, 0, 0, time.UTC)
		return int(monday.Unix() / (7 * 86400))
	}
	return int(time.Date(t.Year(), t.Month(), t.Day(), 12, 0, 0, 0, time.UTC).Unix() / 86400)
}

// holds gives the evidence when a group holds at a time, given the events so far.
func (s *slow) holds(prefix []*told, t int64, group []string) []*told {
	d := &s.d
	window := int64(-1 << 60)
	if d.Within > 0 && d.Form != signal.Periodic && d.Form != signal.Streak {
		window = t - d.Within.Milliseconds()
	}
	var undoing, inWindow *told // the last one, ever and in the window
	for _, h := range prefix {
		if s.undoes(h, group) {
			undoing = h
			if h.at > window {
				inWindow = h
			}
		}
	}
	sinceUndone := func(list []*told) []*told {
		return slices.DeleteFunc(list, func(h *told) bool { return undoing != nil && after(undoing, h) })
	}
	switch d.Form {
	case signal.Count, signal.Trend, signal.Ratio, signal.Periodic:
		if inWindow != nil && !d.SinceFirst && window > -1<<60 {
			return nil
		}
		var list []*told
		var values []string
		for _, h := range prefix {
			is := s.counts(h, group)
			if d.Distinct != "" && is && h.props[d.Distinct] != "" {
				v := h.props[d.Distinct]
				if slices.Contains(values[max(0, len(values)-signal.DistinctValues):], v) {
					continue
				}
				values = append(values, v)
			}
			if d.Form == signal.Trend && !h.valid {
				is = false
			}
			if is || d.Form == signal.Ratio && h.name == d.Other.Event && s.in(h, group) {
				list = append(list, h)
			}
		}
		list = sinceUndone(list)
		list = slices.DeleteFunc(list, func(h *told) bool { return h.at <= window })
		if len(list) < d.AtLeast {
			return nil
		}
		list = list[len(list)-d.AtLeast:]
		of := 0
		for i, h := range list {
			if s.counts(h, group) {
				of++
			}
			if i == 0 {
				continue
			}
			gap := float64(h.at - list[i-1].at)
			every := float64(d.Every.Milliseconds())
			slack := float64(int64(every * d.Tolerance))
			if d.Form == signal.Periodic && (gap < every-slack || gap > every+slack) ||
				d.Form == signal.Trend && (!d.Falling && h.value <= list[i-1].value || d.Falling && h.value >= list[i-1].value) {
				return nil
			}
		}
		if d.Form == signal.Periodic {
			every := float64(d.Every.Milliseconds())
			if float64(t-list[len(list)-1].at) > every+float64(int64(every*d.Tolerance)) {
				return nil
			}
		}
		if d.Form == signal.Ratio && float64(of) < d.Share*float64(len(list)-of) {
			return nil
		}
		return list
	case signal.Streak:
		zone := s.zone(prefix)
		var list []*told
		for _, h := range prefix {
			if s.counts(h, group) {
				list = append(list, h)
			}
		}
		if d.SinceFirst {
			list = sinceUndone(list)
		}
		// The zone that numbers an event's period is the one known when it came.
		var firsts []*told
		var periods []int
		for _, h := range list {
			i := slices.Index(prefix, h)
			n := s.number(h.at, s.zone(prefix[:i]))
			switch {
			case len(periods) > 0 && n <= periods[len(periods)-1]:
			case len(periods) > 0 && n-periods[len(periods)-1]-1 > d.Grace:
				firsts, periods = []*told{h}, []int{n}
			default:
				firsts, periods = append(firsts, h), append(periods, n)
			}
		}
		if len(firsts) < d.AtLeast || s.number(t, zone)-periods[len(periods)-1] > 1+d.Grace {
			return nil
		}
		firsts = firsts[len(firsts)-d.AtLeast:]
		if undoing != nil && !after(firsts[0], undoing) {
			return nil
		}
		return firsts
	case signal.Absent:
		var start *told
		for _, h := range prefix {
			if s.starts(h, group) {
				start = h
			}
		}
		if start == nil || undoing != nil && after(undoing, start) || t-start.at < d.Within.Milliseconds() {
			return nil
		}
		for _, h := range prefix {
			if s.ends(h, group) && after(h, start) {
				return nil
			}
		}
		return []*told{start}
	case signal.Sequence:
		if d.Unless.Event == "" {
			if inWindow != nil && !d.SinceFirst {
				return nil
			}
			return s.best(prefix, window, group, undoing, nil)
		}
		for i := len(prefix) - 1; i >= 0; i-- {
			end := prefix[i]
			if end.name != d.Then[len(d.Then)-1].Event || !s.in(end, group) {
				continue
			}
			opens := end.at - d.Within.Milliseconds()
			var before *told
			for _, h := range prefix[:i+1] {
				if s.undoes(h, group) && h.at > opens {
					before = h
				}
			}
			if before != nil && !d.SinceFirst {
				continue
			}
			found := s.best(prefix[:i+1], opens, group, before, end)
			if found == nil {
				continue
			}
			if undoing != nil && after(undoing, end) || t-end.at < d.For.Milliseconds() {
				return nil
			}
			for _, h := range prefix {
				if s.ends(h, group) && after(h, end) {
					return nil
				}
			}
			return found
		}
	}
	return nil
}

// best tries all chains in a window and gives the one that ends, and then began, last.
func (s *slow) best(prefix []*told, window int64, group []string, undoing, end *told) (best []*told) {
	var try func(chain []*told)
	try = func(chain []*told) {
		if len(chain) == 1+len(s.d.Then) {
			if undoing != nil && after(undoing, chain[0]) || end != nil && chain[len(chain)-1] != end {
				return
			}
			if best != nil {
				for i := len(chain) - 1; i >= 0; i-- {
					if chain[i] != best[i] {
						if !after(chain[i], best[i]) {
							return
						}
						break
					}
				}
			}
			best = slices.Clone(chain)
			return
		}
		for _, h := range prefix {
			if h.at <= window || len(chain) > 0 && !after(h, chain[len(chain)-1]) || !s.in(h, group) {
				continue
			}
			if len(chain) == 0 && s.counts(h, group) || len(chain) > 0 && h.name == s.d.Then[len(chain)-1].Event {
				try(append(chain, h))
			}
		}
	}
	try(nil)
	return best
}

// turned is a firing as text: group, moment, events, what undid it.
func turned(group []string, at int64, events []event.ID, by *event.ID) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q at %d by", group, at)
	for _, id := range events {
		fmt.Fprintf(&b, " %x", id[:2])
	}
	if by != nil {
		fmt.Fprintf(&b, " undone by %x", by[:2])
	}
	return b.String()
}

// firings are all turns of the definition up to a moment.
func (s *slow) firings(now int64) (all []string) {
	groups := map[string][]string{}
	for _, h := range s.all {
		for _, k := range s.keys(h) {
			if !slices.Contains(k, "") {
				groups[strings.Join(k, "|")] = k
			}
		}
	}
	for _, group := range groups {
		type stop struct {
			at int64
			h  *told
			n  int // events in the prefix
		}
		var stops []stop
		busy := map[int64]bool{}
		for i, h := range s.all {
			if s.relevant(h, group) {
				stops = append(stops, stop{h.at, h, i + 1})
				busy[h.at] = true
			}
		}
		for _, x := range stops {
			for _, d := range []time.Duration{s.d.Within, s.d.For} {
				if c := x.at + d.Milliseconds(); d > 0 && !busy[c] && c <= now {
					busy[c] = true
					stops = append(stops, stop{at: c})
				}
			}
		}
		sort.SliceStable(stops, func(i, j int) bool { return stops[i].at < stops[j].at })
		prefix, heldBefore, lastAt := 0, false, int64(-1<<60)
		var fired []struct {
			at     int64
			events []event.ID
			by     *event.ID
		}
		current := -1
		for _, x := range stops {
			left := heldBefore
			before := prefix
			if x.h != nil {
				before = x.n - 1
			} else {
				for before < len(s.all) && s.all[before].at <= x.at {
					before++
				}
			}
			if x.at > lastAt {
				left = s.holds(s.all[:before], x.at-1, group) != nil
			}
			if x.h != nil {
				prefix = x.n
			} else {
				prefix = before
			}
			proof := s.holds(s.all[:prefix], x.at, group)
			switch {
			case proof != nil && !left:
				current = -1
				if n := len(fired); n == 0 || s.d.Cooldown == 0 || x.at >= fired[n-1].at+s.d.Cooldown.Milliseconds() {
					var ids []event.ID
					for _, h := range proof {
						ids = append(ids, h.id)
					}
					fired = append(fired, struct {
						at     int64
						events []event.ID
						by     *event.ID
					}{x.at, ids, nil})
					current = n
				}
			case proof == nil && left && current >= 0 && x.h != nil && (s.undoes(x.h, group) || s.ends(x.h, group)) && !s.starts(x.h, group):
				fired[current].by = &x.h.id
				current = -1
			}
			heldBefore, lastAt = proof != nil, x.at
		}
		for _, f := range fired {
			all = append(all, turned(group, f.at, f.events, f.by))
		}
	}
	slices.Sort(all)
	return all
}

// person is a life as the house keeps it while events arrive.
type person struct {
	events []*told // arrived
	life   signal.Life
	fired  map[int]map[[16]byte]signal.Fired
}

func (p *person) note(all []signal.Fired) {
	for _, f := range all {
		m := p.fired[f.Rule]
		if m == nil {
			m = map[[16]byte]signal.Fired{}
			p.fired[f.Rule] = m
		}
		if f.UndoneBy != nil {
			known := m[f.Print]
			known.UndoneBy = f.UndoneBy
			m[f.Print] = known
			continue
		}
		m[f.Print] = f
	}
}

func (p *person) anew(rules *signal.Rules, now int64) {
	slices.SortFunc(p.events, func(a, b *told) int { return profile.Compare(a.raw, b.raw) })
	var raw []*event.Event
	for _, h := range p.events {
		raw = append(raw, h.raw)
	}
	var all []signal.Fired
	p.fired = map[int]map[[16]byte]signal.Fired{}
	p.life, all = rules.Whole(raw, time.UnixMilli(now))
	p.note(all)
}

func (p *person) take(rules *signal.Rules, h *told, now int64) {
	p.events = append(p.events, h)
	var all []signal.Fired
	var ok bool
	if p.life, ok = rules.Fold(p.life, h.raw, &all); !ok {
		p.anew(rules, now)
		return
	}
	p.note(all)
}

// lightTopic passes events about the rules of the house, without decoding them.
type lightTopic struct{}

func (lightTopic) Match(e *event.Event, _ *profile.Profile) bool {
	return signal.Text(e, "topic") == "rules"
}
func (lightTopic) Fields() []string     { return []string{"topic"} }
func (lightTopic) Pass(v [][]byte) bool { return string(v[0]) == `"rules"` }

// anyDefinition draws a signal of any form.
func anyDefinition(r *rand.Rand, grain time.Duration) (signal.Definition, func(*told) bool) {
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	forms := []signal.Form{signal.Count, signal.Count, signal.Streak, signal.Absent, signal.Sequence, signal.Sequence, signal.Trend, signal.Periodic, signal.Ratio}
	d := signal.Definition{ID: "s", Form: forms[r.IntN(len(forms))], Event: "A", AtLeast: 1 + r.IntN(4), Within: time.Duration(1+r.IntN(12)) * grain,
		Per: []signal.Period{signal.Day, signal.Week, signal.Month}[r.IntN(3)], SinceFirst: r.IntN(2) > 0}
	d.By = [][]string{nil, nil, {"product_id"}, {"case_id"}, {"product_id", "case_id"}, {"household_id"}}[r.IntN(6)]
	if r.IntN(2) > 0 {
		d.Without = [][]string{{"B"}, {"B", "C"}}[r.IntN(2)]
	}
	where := func(*told) bool { return true }
	if r.IntN(3) == 0 {
		d.Where, where = lightTopic{}, func(h *told) bool { return h.props["topic"] == "rules" }
	}
	if r.IntN(3) == 0 {
		d.Cooldown = time.Duration(1+r.IntN(9)) * grain
	}
	switch d.Form {
	case signal.Count:
		if r.IntN(3) == 0 {
			d.Distinct = "case_id"
		}
	case signal.Streak:
		d.Grace = r.IntN(3) / 2
	case signal.Absent:
		d.After, d.Event = signal.Step{Event: pick("A", "C")}, pick("B", "A")
		d.Without = nil
		if r.IntN(3) == 0 {
			d.Without = []string{"D"}
		}
	case signal.Sequence:
		d.Then = []signal.Step{{Event: pick("A", "C")}}
		if r.IntN(2) > 0 {
			d.Then = append(d.Then, signal.Step{Event: pick("A", "B", "C")})
		}
		d.Without = nil
		if r.IntN(2) > 0 {
			d.Without = []string{pick("B", "C", "D")}
		}
		if r.IntN(2) > 0 {
			d.Unless, d.For = signal.Step{Event: pick("B", "D")}, time.Duration(1+r.IntN(6))*grain
		}
	case signal.Trend:
		d.AtLeast, d.Value, d.Falling = 2+r.IntN(3), "n", r.IntN(2) > 0
		if r.IntN(2) > 0 {
			d.Within = 0
		}
	case signal.Periodic:
		d.AtLeast, d.Every, d.Tolerance, d.Within = 2+r.IntN(2), time.Duration(1+r.IntN(4))*grain, .5, 0
	case signal.Ratio:
		d.AtLeast, d.Other, d.Share = 2+r.IntN(4), signal.Step{Event: pick("B", "C", "A")}, []float64{.5, 1, 2}[r.IntN(3)]
		if r.IntN(2) > 0 {
			d.Within = 0
		}
	}
	return d, where
}

var moments = []time.Time{
	time.Date(2024, 2, 28, 20, 0, 0, 0, time.UTC), time.Date(2026, 3, 8, 6, 0, 0, 0, time.UTC), time.Date(2026, 11, 1, 5, 0, 0, 0, time.UTC),
	time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC), time.Date(2025, 12, 31, 23, 0, 0, 0, time.UTC), time.Date(2026, 4, 4, 15, 0, 0, 0, time.UTC), time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC),
}

func anyEvent(r *rand.Rand, n int, end time.Time, grain time.Duration, rich bool) *told {
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	h := &told{name: pick("A", "A", "A", "A", "B", "C", "D"), props: map[string]string{}, key: r.IntN(2)}
	at := end.Add(-time.Duration(r.IntN(16)) * grain)
	if r.IntN(4) == 0 {
		at = at.Add(time.Duration(r.IntN(3)-1) * time.Millisecond)
	}
	if at.After(end) {
		at = end
	}
	h.at = at.UnixMilli()
	h.id[0], h.id[1], h.id[15] = byte(r.IntN(256)), byte(n), byte(n)
	e := &event.Event{ID: h.id, Kind: event.Track, Name: h.name, Time: at, Received: at}
	if r.IntN(12) == 0 {
		h.name, e.Name, e.Kind = "", "", event.Identify
		zone := pick("Asia/Shanghai", "America/New_York", "Europe/Paris", "Pacific/Auckland")
		if r.IntN(2) == 0 {
			h.zone = zone
			e.Body = json.RawMessage(`{"timezone":"` + zone + `"}`)
		} else {
			h.near = zone
			e.Context = json.RawMessage(`{"timezone":"` + zone + `"}`)
		}
		h.raw = e
		return h
	}
	body := []byte{'{'}
	put := func(name, value string) {
		h.props[name] = value
		body = fmt.Appendf(body, "%q:%q,", name, value)
	}
	if rich {
		switch r.IntN(9) {
		case 0:
		case 1:
			h.many = []string{"P", "Q"}
			body = append(body, `"products":[{"product_id":"P"},{"product_id":"Q","price":3}],`...)
		default:
			put("product_id", pick("P", "Q"))
		}
		if r.IntN(6) > 0 {
			put("case_id", pick("c1", "c2", "c3"))
		}
		if r.IntN(6) > 0 {
			put("household_id", pick("h1", "h2"))
		}
	}
	if r.IntN(3) > 0 {
		put("topic", pick("rules", "rules", "price"))
	}
	if r.IntN(6) > 0 {
		h.value, h.valid = float64(r.IntN(6)), true
		body = fmt.Appendf(body, `"n":%v,`, h.value)
	} else {
		body = append(body, `"n":"many",`...)
	}
	body = append(body, `"title":"a page"}`...)
	e.Body = body
	h.raw = e
	return h
}

// TestFiringsAreThoseOfANaiveEvaluator lets random lives arrive out of order and
// twice, at equal times, over month ends, leap days and changes of the clock, merges
// and unmerges persons, lets time pass in between, and compares everything that fired
// with what a naive evaluator finds in the clean order; and what holds in the end.
func TestFiringsAreThoseOfANaiveEvaluator(t *testing.T) {
	t.Parallel()
	lives, seed := counted(t, 20_000)
	t.Logf("%d lives, RAPPORT_SEED=%d", lives, seed)
	firings, undone, late, merged := 0, 0, 0, 0
	forms := map[signal.Form]int{}
	for life := range lives {
		r := rand.New(rand.NewPCG(seed, uint64(life)))
		end := moments[r.IntN(len(moments))]
		grain := []time.Duration{time.Hour, 6 * time.Hour, 24 * time.Hour, 9 * 24 * time.Hour}[r.IntN(4)]
		var definitions []signal.Definition
		var wheres []func(*told) bool
		rich := false
		for range 1 + r.IntN(3) {
			d, where := anyDefinition(r, grain)
			definitions, wheres = append(definitions, d), append(wheres, where)
			rich = rich || len(d.By) > 0 || d.Distinct != ""
		}
		rules := signal.NewRules(definitions, nil)
		var stream []*told
		for i := range 1 + r.IntN(18) {
			stream = append(stream, anyEvent(r, i, end, grain, rich))
		}
		// They arrive about in order, some late, some twice.
		arrival := map[*told]int64{}
		for _, h := range stream {
			arrival[h] = h.at
			if r.IntN(5) == 0 {
				arrival[h] += int64(r.IntN(5)) * grain.Milliseconds()
			}
		}
		sent := slices.Clone(stream)
		for _, h := range stream {
			if r.IntN(8) == 0 {
				sent = append(sent, h)
			}
		}
		sort.SliceStable(sent, func(i, j int) bool { return arrival[sent[i]] < arrival[sent[j]] })
		apart := []*person{{fired: map[int]map[[16]byte]signal.Fired{}}, {fired: map[int]map[[16]byte]signal.Fired{}}}
		var one *person // while the two are merged
		if r.IntN(3) == 0 {
			one = &person{fired: map[int]map[[16]byte]signal.Fired{}}
		}
		now := int64(0)
		seen := map[*told]bool{}
		for _, h := range sent {
			now = max(now, arrival[h])
			if !seen[h] {
				seen[h] = true
				p := apart[h.key]
				if one != nil {
					p = one
				}
				p.take(rules, h, now)
			}
			switch r.IntN(9) {
			case 0:
				for _, p := range append(apart, one) {
					if p != nil {
						var all []signal.Fired
						p.life = rules.Advance(p.life, time.UnixMilli(now), &all)
						p.note(all)
					}
				}
			case 1:
				merged++
				if one == nil {
					one = &person{events: append(slices.Clone(apart[0].events), apart[1].events...)}
					one.anew(rules, now)
					continue
				}
				apart = []*person{{}, {}}
				for _, h := range one.events {
					apart[h.key].events = append(apart[h.key].events, h)
				}
				one = nil
				apart[0].anew(rules, now)
				apart[1].anew(rules, now)
			}
		}
		now = max(now, end.UnixMilli()) + int64(r.IntN(9))*grain.Milliseconds()
		all := apart
		if one != nil {
			all = []*person{one}
		}
		for _, p := range all {
			var more []signal.Fired
			p.life = rules.Advance(p.life, time.UnixMilli(now), &more)
			p.note(more)
			slices.SortFunc(p.events, func(a, b *told) int {
				if after(a, b) {
					return 1
				}
				return -1
			})
			for i, d := range definitions {
				s := slow{d: d, where: wheres[i], all: p.events}
				want := s.firings(now)
				var got []string
				for _, f := range p.fired[i] {
					got = append(got, turned(f.Group, f.At.UnixMilli(), f.Events, f.UndoneBy))
					if f.UndoneBy != nil {
						undone++
					}
				}
				slices.Sort(got)
				if !slices.Equal(got, want) {
					t.Fatalf("RAPPORT_SEED=%d, life %d\n%+v\nuntil %d\ngot  %s\nwant %s\n%s", seed, life, d, now, strings.Join(got, "\n     "), strings.Join(want, "\n     "), list(p.events))
				}
				firings += len(got)
				forms[d.Form] += len(got)
				if life%8 == 0 {
					compareHolding(t, seed, life, &s, now)
				}
			}
		}
		late += len(sent) - len(stream)
	}
	t.Logf("%d firings (%v), %d undone, %d sent twice, %d merges and unmerges", firings, forms, undone, late, merged)
	if lives >= 1000 && (firings < lives/4 || undone < lives/50 || len(forms) < 7) {
		t.Errorf("the lives prove little")
	}
}

// compareHolding compares what holds now with Evaluate on the profile.
func compareHolding(t *testing.T, seed uint64, life int, s *slow, now int64) {
	t.Helper()
	if s.d.Form == signal.Streak && slices.ContainsFunc(s.all, func(h *told) bool { return h.zone != "" || h.near != "" }) {
		return // Evaluate sees all events in the zone of now
	}
	p := profile.New("", nil)
	p.Records = map[evidence.Kind]map[string]*profile.Record{}
	for i, h := range s.all {
		p.Apply(h.raw, uint64(i+1))
	}
	got := map[string]bool{}
	for _, x := range signal.Evaluate([]signal.Definition{s.d}, signal.Moment{Person: p, At: time.UnixMilli(now)}) {
		if x.Holds {
			var key []string
			for _, by := range s.d.By {
				key = append(key, x.Group[by])
			}
			got[strings.Join(key, "|")] = true
		}
	}
	seen := map[string]bool{}
	for _, h := range s.all {
		for _, k := range s.keys(h) {
			name := strings.Join(k, "|")
			if slices.Contains(k, "") || seen[name] {
				continue
			}
			seen[name] = true
			if holds := s.holds(s.all, now, k) != nil; holds != got[name] {
				t.Fatalf("RAPPORT_SEED=%d, life %d\n%+v\ngroup %q holds at %d: %t, Evaluate says %t\n%s", seed, life, s.d, k, now, holds, got[name], list(s.all))
			}
		}
	}
}

func list(all []*told) string {
	var b strings.Builder
	for _, h := range all {
		fmt.Fprintf(&b, "%x %d %q zone %q %q %s\n", h.id[:2], h.at, h.name, h.zone, h.near, h.raw.Body)
	}
	return b.String()
}
