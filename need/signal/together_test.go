package signal_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/need/signal"
)

// TestManySignalsFireAsEachAlone folds the same lives with many signals at once, and with
// each alone: what stands beside a signal in memory changes nothing.
func TestManySignalsFireAsEachAlone(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	names := []string{"A", "B", "C", "D", "E"}
	pick := func() string { return names[r.IntN(len(names))] }
	for range 40 {
		var all []signal.Definition
		for i := range 3 + r.IntN(40) {
			d := signal.Definition{ID: fmt.Sprint("s", i), Form: []signal.Form{signal.Count, signal.Streak, signal.Absent, signal.Sequence, signal.Ratio}[r.IntN(5)], Event: pick(), AtLeast: 1 + r.IntN(4), Within: time.Duration(1+r.IntN(20)) * time.Hour, Per: signal.Day}
			switch d.Form {
			case signal.Absent:
				d.After.Event = pick()
			case signal.Sequence:
				d.Then = []signal.Step{{Event: pick()}}
				if r.IntN(2) == 0 {
					d.Unless.Event, d.For = pick(), time.Hour
				}
			case signal.Ratio:
				d.Other.Event, d.Share = pick(), 1
			}
			if r.IntN(3) == 0 {
				d.By = []string{"product_id"}
			}
			if r.IntN(3) == 0 {
				d.Without, d.SinceFirst = []string{pick()}, r.IntN(2) == 0
			}
			all = append(all, d)
		}
		together := signal.NewRules(all, nil)
		var alone []*signal.Rules
		for i := range all {
			alone = append(alone, signal.NewRules(all[i:i+1], nil))
		}
		var whole signal.Life
		lives := make([]signal.Life, len(all))
		got, want := map[string]int{}, map[string]int{}
		note := func(to map[string]int, fired []signal.Fired, rule int) {
			for _, f := range fired {
				if rule >= 0 {
					f.Rule = rule
				}
				to[fmt.Sprintf("%d %s %d %x %v", f.Rule, f.Group, f.At.UnixMilli(), f.Print, f.UndoneBy)]++
			}
		}
		at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		for i := range 300 {
			at = at.Add(time.Duration(r.IntN(200)) * time.Minute)
			e := event.Event{Kind: event.Track, Name: pick(), Time: at, Body: fmt.Appendf(nil, `{"product_id":"p%d"}`, r.IntN(6))}
			if r.IntN(5) == 0 {
				e.Body = []byte(`{}`)
			}
			binary.BigEndian.PutUint64(e.ID[:], uint64(i))
			var fired []signal.Fired
			if r.IntN(2) == 0 {
				together.Fetch([]signal.Next{{Life: whole, Name: e.Name}})
			}
			var ok bool
			if whole, ok = together.Fold(whole, &e, &fired); !ok {
				t.Fatalf("seed %d: an event in its order is said to be late", seed)
			}
			note(got, fired, -1)
			for k := range alone {
				var fired []signal.Fired
				lives[k], _ = alone[k].Fold(lives[k], &e, &fired)
				note(want, fired, k)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("seed %d: %d signals together fire %d, alone %d", seed, len(all), len(got), len(want))
		}
	}
}
