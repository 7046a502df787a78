package signal_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need/signal"
	"github.com/rapport-cx/rapport/profile"
)

// naive says what holds by trying everything, in no hurry: its own reading of the
// definitions, sharing no code with the package.
type naive struct {
	d    signal.Definition
	p    *profile.Profile
	at   time.Time
	zone *time.Location
}

func (n naive) keys(e *event.Event) []string {
	var m map[string]string
	if err := json.Unmarshal(e.Body, &m); err != nil {
		panic(err)
	}
	var keys []string
	for _, k := range n.d.By {
		if k == "device" {
			if m["asset_id"] != "" {
				keys = append(keys, m["asset_id"])
				continue
			}
			k = "product_id"
		}
		keys = append(keys, m[k])
	}
	return keys
}

// events of a name up to the moment, of one group; loose lets missing keys pass.
func (n naive) events(name string, where signal.Filter, group []string, loose bool) (all []*event.Event) {
	for _, e := range n.p.History[name] {
		if e.Time.After(n.at) || where != nil && !where.Match(e, n.p) {
			continue
		}
		fits := true
		for i, k := range n.keys(e) {
			fits = fits && (k == group[i] || loose && k == "")
		}
		if fits {
			all = append(all, e)
		}
	}
	return all
}

func (n naive) groups(name string) [][]string {
	found := map[string][]string{}
	for _, e := range n.p.History[name] {
		if k := n.keys(e); !slices.Contains(k, "") {
			found[strings.Join(k, "|")] = k
		}
	}
	return slices.Collect(maps.Values(found))
}

func later(a, b *event.Event) bool { // a is later than b
	return a.Time.After(b.Time) || a.Time.Equal(b.Time) && a.ID.String() > b.ID.String()
}

func (n naive) window(all []*event.Event) (in []*event.Event) {
	for _, e := range all {
		if e.Time.After(n.at.Add(-n.d.Within)) {
			in = append(in, e)
		}
	}
	return in
}

func (n naive) undoing(group []string) (all []*event.Event) {
	for _, name := range n.d.Without {
		all = append(all, n.events(name, nil, group, true)...)
	}
	return all
}

// valid drops from the front until nothing undoes what is left.
func (n naive) valid(in, undoing []*event.Event) []*event.Event {
	for len(in) > 0 {
		undone := slices.ContainsFunc(undoing, func(b *event.Event) bool { return !n.d.SinceFirst || later(b, in[0]) })
		if !undone {
			return in
		}
		if !n.d.SinceFirst {
			return nil
		}
		in = in[1:]
	}
	return nil
}

// holds gives the events that make a group hold, nil when it does not.
func (n naive) holds(group []string) []*event.Event {
	switch n.d.Form {
	case signal.Count:
		in := n.valid(n.window(n.events(n.d.Event, n.d.Where, group, false)), n.window(n.undoing(group)))
		if len(in) >= n.d.AtLeast {
			return in
		}
	case signal.Streak:
		all := n.events(n.d.Event, n.d.Where, group, false)
		undoing := n.undoing(group)
		if n.d.SinceFirst {
			all = n.valid(all, undoing)
		}
		var chain []*event.Event
		from := n.startOf(n.at)
		for back := 0; ; back++ {
			to := n.next(from)
			i := slices.IndexFunc(all, func(e *event.Event) bool { return !e.Time.Before(from) && e.Time.Before(to) })
			if i >= 0 {
				chain = append(chain, all[i])
			} else if back > 0 {
				break
			}
			from = n.startOf(from.Add(-time.Hour))
		}
		slices.Reverse(chain)
		if len(chain) < n.d.AtLeast {
			return nil
		}
		if !n.d.SinceFirst && slices.ContainsFunc(undoing, func(b *event.Event) bool { return !later(chain[len(chain)-n.d.AtLeast], b) }) {
			return nil
		}
		return chain
	case signal.Absent:
		after := n.events(n.d.After.Event, n.d.After.Where, group, false)
		if len(after) == 0 {
			return nil
		}
		last := after[len(after)-1]
		for _, e := range append(n.events(n.d.Event, n.d.Where, group, true), n.undoing(group)...) {
			if later(e, last) {
				return nil
			}
		}
		if n.at.Sub(last.Time) >= n.d.Within {
			return []*event.Event{last}
		}
	case signal.Sequence:
		undoing := n.window(n.undoing(group))
		if !n.d.SinceFirst && len(undoing) > 0 {
			return nil
		}
		var best []*event.Event
		var extend func(chain []*event.Event)
		extend = func(chain []*event.Event) {
			if len(chain) == 1+len(n.d.Then) {
				if !slices.ContainsFunc(undoing, func(b *event.Event) bool { return later(b, chain[0]) }) {
					if best == nil || newer(chain, best) {
						best = slices.Clone(chain)
					}
				}
				return
			}
			name, where := n.d.Event, n.d.Where
			if len(chain) > 0 {
				name, where = n.d.Then[len(chain)-1].Event, n.d.Then[len(chain)-1].Where
			}
			for _, e := range n.window(n.events(name, where, group, false)) {
				if len(chain) == 0 || later(e, chain[len(chain)-1]) {
					extend(append(chain, e))
				}
			}
		}
		extend(nil)
		return best
	}
	return nil
}

// newer compares chains from their ends.
func newer(a, b []*event.Event) bool {
	for i := len(a) - 1; i >= 0; i-- {
		if a[i] != b[i] {
			return later(a[i], b[i])
		}
	}
	return false
}

func (n naive) startOf(t time.Time) time.Time {
	t = t.In(n.zone)
	switch n.d.Per {
	case signal.Month:
		return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, n.zone)
	case signal.Week:
		for t.Weekday() != time.Monday {
			t = t.AddDate(0, 0, -1)
		}
	}
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, n.zone)
}

func (n naive) next(t time.Time) time.Time {
	switch n.d.Per {
	case signal.Month:
		return t.AddDate(0, 1, 0)
	case signal.Week:
		return t.AddDate(0, 0, 7)
	}
	return t.AddDate(0, 0, 1)
}

// counted is how many lives a test tries, and its seed.
func counted(t *testing.T, usual int) (lives int, seed uint64) {
	lives = usual
	if s := os.Getenv("RAPPORT_PROVE"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal("RAPPORT_PROVE:", err)
		}
		if lives = n; n == 1 {
			lives = 1_000_000
		}
	}
	seed = rand.Uint64()
	if s := os.Getenv("RAPPORT_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	return lives, seed
}

// TestAgainstANaiveEvaluator compares on random lives: equal times, month ends, a
// leap day, clocks put forward and back, missing properties. RAPPORT_PROVE=1 tries
// a million lives, another number so many.
func TestAgainstANaiveEvaluator(t *testing.T) {
	t.Parallel()
	lives, seed := counted(t, 5000)
	t.Logf("%d lives, RAPPORT_SEED=%d", lives, seed)
	zones := []*time.Location{time.UTC}
	for _, name := range []string{"Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "Pacific/Auckland"} {
		if z, err := time.LoadLocation(name); err == nil {
			zones = append(zones, z)
		}
	}
	starts := []time.Time{time.Date(2024, 2, 28, 20, 0, 0, 0, time.UTC), time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC), time.Date(2026, 10, 30, 0, 0, 0, 0, time.UTC), time.Date(2025, 12, 31, 23, 0, 0, 0, time.UTC)}
	r := rand.New(rand.NewPCG(seed, 1))
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	held := 0
	for range lives {
		end := starts[r.IntN(len(starts))]
		grain := []time.Duration{time.Hour, 6 * time.Hour, 24 * time.Hour, 9 * 24 * time.Hour}[r.IntN(4)]
		p := &profile.Profile{History: map[string][]*event.Event{}, Records: map[evidence.Kind]map[string]*profile.Record{}}
		for i := range r.IntN(30) {
			body := map[string]string{}
			if r.IntN(8) > 0 {
				body["product_id"] = pick("P", "Q")
			}
			if r.IntN(2) > 0 {
				body["asset_id"] = pick("S1", "S2")
			}
			if r.IntN(8) > 0 {
				body["symptom"] = pick("hot", "dead")
			}
			if r.IntN(2) > 0 {
				body["topic"] = pick("rules", "price")
			}
			raw, _ := json.Marshal(body)
			name := pick("A", "A", "A", "B", "C")
			var id event.ID
			id[0], id[15] = byte(r.IntN(256)), byte(i)
			p.History[name] = append(p.History[name], &event.Event{ID: id, Name: name, Time: end.Add(-time.Duration(r.IntN(20)-2) * grain), Body: raw})
		}
		for _, h := range p.History {
			slices.SortFunc(h, func(a, b *event.Event) int {
				if later(a, b) {
					return 1
				}
				return -1
			})
		}
		d := signal.Definition{ID: "s", Form: []signal.Form{signal.Count, signal.Streak, signal.Absent, signal.Sequence}[r.IntN(4)], Event: "A",
			AtLeast: 1 + r.IntN(4), Within: time.Duration(1+r.IntN(15)) * grain, Per: []signal.Period{signal.Day, signal.Week, signal.Month}[r.IntN(3)], SinceFirst: r.IntN(2) > 0}
		d.By = [][]string{nil, {"device"}, {"device", "symptom"}, {"symptom"}, {"product_id"}}[r.IntN(5)]
		if r.IntN(2) > 0 {
			d.Without = [][]string{{"B"}, {"B", "C"}}[r.IntN(2)]
		}
		if r.IntN(3) == 0 {
			d.Where = topic("rules")
		}
		first := d.Event
		switch d.Form {
		case signal.Absent:
			d.After, d.Event, d.Without = signal.Step{Event: "A"}, "B", d.Without[min(1, len(d.Without)):]
			first = "A"
		case signal.Sequence:
			d.Then = []signal.Step{{Event: pick("A", "C")}}
			if r.IntN(2) > 0 {
				d.Then = append(d.Then, signal.Step{Event: pick("A", "B"), Where: topic("price")})
			}
			d.Without = nil
			if r.IntN(2) > 0 {
				d.Without = []string{pick("B", "C")}
			}
		}
		m := signal.Moment{Person: p, At: end, Zone: zones[r.IntN(len(zones))]}
		got := map[string]string{}
		near := 0
		for _, s := range signal.Evaluate([]signal.Definition{d}, m) {
			var keys []string
			for _, k := range d.By {
				keys = append(keys, s.Group[k])
			}
			if s.Holds != (s.Fault == "") || len(s.Events) != len(s.Times) {
				t.Fatalf("a state that contradicts itself: %+v", s)
			}
			if !s.Holds {
				near++
				continue
			}
			got[strings.Join(keys, "|")] = fmt.Sprint(s.Events)
		}
		n := naive{d, p, end, m.Zone}
		want := map[string]string{}
		for _, g := range n.groups(first) {
			if events := n.holds(g); events != nil {
				var refs []evidence.Ref
				for _, e := range events {
					refs = append(refs, evidence.Ref(e.ID.String()))
				}
				want[strings.Join(g, "|")] = fmt.Sprint(refs)
				held++
			}
		}
		if near > 1 || !maps.Equal(got, want) {
			t.Fatalf("seed %d\n%+v\nin %v at %v\ngot  %v\nwant %v\nhistory %v", seed, d, m.Zone, end, got, want, show(p))
		}
	}
	if held < lives/20 {
		t.Errorf("only %d groups held in %d lives: the lives prove little", held, lives)
	}
}

func show(p *profile.Profile) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(p.History)) {
		for _, e := range p.History[name] {
			fmt.Fprintf(&b, "\n%s %s %s %s", name, e.Time.Format(time.RFC3339), e.ID.String()[:10], e.Body)
		}
	}
	return b.String()
}

func BenchmarkEvaluate(b *testing.B) {
	l := aLife()
	for i := range 60 {
		l.ago(time.Duration(i)*days, "Page Viewed", props{"topic": "returns_policy", "path": "/help/returns", "title": "Returns"})
		if i%20 == 0 {
			l.ago(time.Duration(i)*days, "Repair Reported", props{"asset_id": "S1", "product_id": "P", "symptom": "overheat", "text": "it gets hot"})
		}
	}
	definitions := []signal.Definition{twice, {ID: "hesitation", Form: signal.Count, Event: "Page Viewed", Where: topic("returns_policy"), AtLeast: 3, Within: 7 * days, Without: []string{"Return Requested"}, SinceFirst: true}, {ID: "streak", Form: signal.Streak, Event: "Page Viewed", AtLeast: 3, Per: signal.Month}}
	b.ReportAllocs()
	for b.Loop() {
		signal.Evaluate(definitions, signal.Moment{Person: l.p, At: now})
	}
}
