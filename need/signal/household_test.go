package signal_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/need/signal"
	"github.com/rapport-cx/rapport/profile"
)

// word is a record that somebody is, or is no more, in a household, as the naive
// evaluator reads it.
type word struct {
	id          string
	home        string // "" deleted
	proven      bool
	from, until int64 // 0: open
}

// resident is an event of somebody who may live with others.
type resident struct {
	*told
	word *word
}

func anyWord(r *rand.Rand, n, key int, end time.Time, grain time.Duration) resident {
	at := end.Add(-time.Duration(r.IntN(20)) * grain)
	w := &word{id: fmt.Sprint("rel-", key, "-", r.IntN(2)), home: []string{"north", "south", ""}[r.IntN(3)], proven: r.IntN(8) > 0}
	body := map[string]any{"type": "member_of", "to": "household:" + w.home}
	if r.IntN(4) == 0 {
		from := end.Add(-time.Duration(r.IntN(16)) * grain)
		w.from, body["valid_from"] = from.UnixMilli(), from.Format(time.RFC3339Nano)
	}
	if r.IntN(4) == 0 {
		until := end.Add(-time.Duration(r.IntN(16)) * grain)
		w.until, body["valid_until"] = until.UnixMilli(), until.Format(time.RFC3339Nano)
	}
	text, _ := json.Marshal(body)
	e := event.RecordEvent(event.Put{Workspace: "shop", Name: "relationship", ID: w.id, UserID: fmt.Sprint("u", key), UpdatedAt: at, Received: at, Deleted: w.home == "", Body: text})
	e.Verified = w.proven
	e.ID[15] = byte(n)
	return resident{&told{at: at.UnixMilli(), id: e.ID, name: "relationship", key: key, raw: &e}, w}
}

// lived are the events that count for a household, of persons who are several keys each.
func lived(all []resident, persons [][]int, home string) (in []*told) {
	for _, keys := range persons {
		said := map[string]*word{}
		for _, h := range all { // in order
			if !slices.Contains(keys, h.key) {
				continue
			}
			if h.word != nil {
				said[h.word.id] = h.word
				continue
			}
			for _, w := range said {
				if w.home == home && w.proven && w.from <= h.at && (w.until == 0 || h.at < w.until) {
					in = append(in, h.told)
					break
				}
			}
		}
	}
	slices.SortFunc(in, func(a, b *told) int {
		if after(a, b) {
			return 1
		}
		return -1
	})
	return in
}

// street is a house that keeps households up to date as events arrive.
type street struct {
	rules   *signal.Rules
	homes   *signal.Homes
	stories map[uint32][]*event.Event
	fired   map[string]map[[16]byte]signal.Fired // by household and rule
}

func (s *street) note(all []signal.HomeFired) {
	for _, f := range all {
		at := fmt.Sprint(f.Household, "/", f.Rule)
		if s.fired[at] == nil {
			s.fired[at] = map[[16]byte]signal.Fired{}
		}
		x := f.Fired
		if f.UndoneBy != nil {
			x = s.fired[at][f.Print]
			x.UndoneBy = f.UndoneBy
		}
		s.fired[at][f.Print] = x
	}
}

func (s *street) renew(now int64) {
	s.homes.Pass(time.UnixMilli(now))
	for _, f := range s.homes.Stale() {
		for _, p := range f.Members {
			slices.SortFunc(s.stories[p], profile.Compare)
		}
		all, ok := s.homes.Renew(f, s.stories, time.UnixMilli(now))
		if !ok {
			panic("nothing was said meanwhile")
		}
		maps.DeleteFunc(s.fired, func(at string, _ map[[16]byte]signal.Fired) bool {
			home, _, _ := strings.Cut(at, "/")
			return slices.Contains(f.Households, home)
		})
		s.note(all)
	}
}

// TestHouseholdFiringsAreThoseOfANaiveEvaluator lets members of two households do
// things, join, leave, move and be merged and parted, in any order of arrival, and
// compares what fired for each household, and what holds, with a naive reading of the
// clean order.
func TestHouseholdFiringsAreThoseOfANaiveEvaluator(t *testing.T) {
	t.Parallel()
	lives, seed := counted(t, 1500)
	lives = max(lives/10, min(lives, 1500))
	t.Logf("%d streets, RAPPORT_SEED=%d", lives, seed)
	r := rand.New(rand.NewPCG(seed, 11))
	firings, undone, shared, held := 0, 0, 0, 0
	for life := range lives {
		end := moments[r.IntN(len(moments))]
		grain := []time.Duration{time.Hour, 6 * time.Hour, 24 * time.Hour, 9 * 24 * time.Hour}[r.IntN(4)]
		var definitions []signal.Definition
		var wheres []func(*told) bool
		for i := range 1 + r.IntN(3) {
			d, where := anyDefinition(r, grain)
			d.ID, d.Household = fmt.Sprint("s", i), i > 0 || r.IntN(2) == 0
			definitions, wheres = append(definitions, d), append(wheres, where)
		}
		definitions[0].Household = true
		rules := signal.NewRules(definitions, nil)
		var all []resident
		for n := range 4 + r.IntN(26) {
			h := anyEvent(r, n, end, grain, true)
			h.key = r.IntN(4)
			all = append(all, resident{told: h})
		}
		for key := range 4 {
			for range r.IntN(4) {
				all = append(all, anyWord(r, 200+len(all), key, end.Add(-8*grain), grain))
			}
		}
		sort := func() {
			slices.SortFunc(all, func(a, b resident) int { return profile.Compare(a.raw, b.raw) })
		}
		sort()
		sent := slices.Clone(all)
		for i := range sent { // out of order, by so much
			if j := i + r.IntN(4); r.IntN(3) == 0 && j < len(sent) {
				sent[i], sent[j] = sent[j], sent[i]
			}
		}
		s := &street{rules: rules, homes: rules.NewHomes(), stories: map[uint32][]*event.Event{}, fired: map[string]map[[16]byte]signal.Fired{}}
		number := func(key int) uint32 { return uint32(key + 1) }
		merged := false // the keys 0 and 1 are one person, numbered as 0 is
		person := func(key int) uint32 {
			if merged && key == 1 {
				key = 0
			}
			return number(key)
		}
		now := int64(0)
		var arrived []resident
		for _, h := range sent {
			now = max(now, h.at)
			arrived = append(arrived, h)
			s.stories[person(h.key)] = append(s.stories[person(h.key)], h.raw)
			s.note(s.homes.Take(person(h.key), h.raw))
			switch r.IntN(6) {
			case 0:
				s.renew(now)
			case 1:
				if r.IntN(3) > 0 {
					continue
				}
				merged = !merged
				s.stories[number(0)], s.stories[number(1)] = nil, nil
				for _, h := range arrived {
					if h.key < 2 {
						s.stories[person(h.key)] = append(s.stories[person(h.key)], h.raw)
					}
				}
				if merged {
					s.homes.Join(number(1), number(0))
				} else {
					s.homes.Part(number(1), number(0))
				}
			}
		}
		now = max(now, end.UnixMilli()) + int64(r.IntN(9))*grain.Milliseconds()
		s.renew(now)
		persons := [][]int{{0}, {1}, {2}, {3}}
		if merged {
			persons = [][]int{{0, 1}, {2}, {3}}
		}
		for _, home := range []string{"north", "south"} {
			in := lived(all, persons, home)
			keys := map[int]bool{}
			for _, h := range in {
				keys[h.key] = true
			}
			if len(keys) > 1 {
				shared++
			}
			for i, d := range definitions {
				x := slow{d: d, where: wheres[i], all: in}
				var want, got []string
				if d.Household {
					want = x.firings(now)
				}
				for _, f := range s.fired[fmt.Sprint(home, "/", i)] {
					got = append(got, turned(f.Group, f.At.UnixMilli(), f.Events, f.UndoneBy))
					if f.UndoneBy != nil {
						undone++
					}
				}
				slices.Sort(got)
				if !slices.Equal(got, want) {
					t.Fatalf("RAPPORT_SEED=%d, life %d, household %s\n%+v\nuntil %d, merged %t\ngot  %s\nwant %s\nlived %s\nall", seed, life, home, d, now, merged, strings.Join(got, "\n     "), strings.Join(want, "\n     "), list(in))
				}
				firings += len(got)
				if d.Household && life%4 == 0 {
					held += s.compareHolding(t, seed, life, home, &x, now)
				}
			}
		}
	}
	t.Logf("%d firings, %d undone; %d households of several, %d times a signal held", firings, undone, shared, held)
	if lives >= 1000 && (firings < lives/4 || undone < lives/100 || shared < lives/4 || held < lives/50) {
		t.Errorf("the streets prove little")
	}
}

// compareHolding compares what holds of a household now with Evaluate.
func (s *street) compareHolding(t *testing.T, seed uint64, life int, home string, x *slow, now int64) (held int) {
	t.Helper()
	if x.d.Form == signal.Streak && slices.ContainsFunc(x.all, func(h *told) bool { return h.zone != "" || h.near != "" }) {
		return 0 // Evaluate sees all events in the zone of now
	}
	var stories [][]*event.Event
	for _, p := range slices.Sorted(maps.Keys(s.stories)) {
		slices.SortFunc(s.stories[p], profile.Compare)
		stories = append(stories, s.stories[p])
	}
	got := map[string]bool{}
	for _, y := range signal.Evaluate([]signal.Definition{x.d}, signal.Moment{Person: profile.New("", nil).In([]profile.Household{signal.HouseholdOf(home, stories)}), At: time.UnixMilli(now)}) {
		if y.Group[signal.HouseholdKey] != home {
			t.Fatalf("RAPPORT_SEED=%d, life %d: a state of the household %s is of %v", seed, life, home, y.Group)
		}
		if y.Holds {
			held++
			var key []string
			for _, by := range x.d.By {
				key = append(key, y.Group[by])
			}
			got[strings.Join(key, "|")] = true
		}
	}
	seen := map[string]bool{}
	for _, h := range x.all {
		for _, k := range x.keys(h) {
			name := strings.Join(k, "|")
			if slices.Contains(k, "") || seen[name] {
				continue
			}
			seen[name] = true
			if holds := x.holds(x.all, now, k) != nil; holds != got[name] {
				t.Fatalf("RAPPORT_SEED=%d, life %d, household %s\n%+v\ngroup %q holds at %d: %t, Evaluate says %t\n%s", seed, life, home, x.d, k, now, holds, got[name], list(x.all))
			}
		}
	}
	return held
}
