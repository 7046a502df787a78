package pack_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/pack"
	"github.com/rapport-cx/rapport/packs"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/scene"
	"github.com/rapport-cx/rapport/strategy"
)

// The shipped packs on the busiest enquiry of the mission: a fault reported twice,
// rules of all natures, reasons and forms included.
func BenchmarkDecide(b *testing.B) {
	c := &pack.Compiler{FS: packs.Files}
	v, _, err := c.Compile(b.Context(), strategy.Source{Packs: []string{"electronics"}})
	if err != nil {
		b.Fatal(err)
	}
	now := time.Date(2026, 7, 10, 2, 0, 0, 0, time.UTC)
	sub := "overheat"
	in := decision.Input{
		Needs: []need.Need{{ID: "n1", Origin: need.Spoken, Intent: "support.troubleshoot", Subintent: &sub, Confidence: 1}},
		Signals: []need.SignalState{
			{Signal: "repeat_repair", Group: map[string]string{"device": "NB-1", "asset_id": "NB-1", "symptom": "overheat"}, Holds: true, Count: 2, Events: []evidence.Ref{"evt_a", "evt_b"}, Times: []time.Time{now.AddDate(0, 0, -80), now.AddDate(0, 0, -20)}},
			{Signal: "repeat_report", Group: map[string]string{"device": "NB-1", "asset_id": "NB-1", "symptom": "overheat"}, Holds: true, Count: 2, Events: []evidence.Ref{"evt_a", "evt_b"}, Times: []time.Time{now.AddDate(0, 0, -80), now.AddDate(0, 0, -20)}},
		},
		Person: &profile.Profile{Records: map[evidence.Kind]map[string]*profile.Record{evidence.Asset: {
			"NB-1": {Kind: evidence.Asset, ID: "NB-1", Fields: map[string]any{"product_id": "nb14", "bought_at": "2026-01-10", "warranty_until": "2027-01-10"}},
		}}},
		Personal: true, Proven: true, Scene: scene.Scene{Time: now, Zone: "Asia/Shanghai", Locale: scene.Chinese}, Seed: 1,
	}
	if d := decision.Decide(v.Decision, in); len(d.Chosen) == 0 || d.Chosen[0].Action != "replace_device" {
		b.Fatalf("chosen %+v", d.Chosen)
	}
	b.ReportAllocs()
	b.ReportMetric(float64(len(v.Decision.Actions)), "actions")
	before := cpu(b)
	for b.Loop() {
		decision.Decide(v.Decision, in)
	}
	b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
}

// cpu is the processor time of this process, which neighbours do not disturb.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A cold compile of the base and electronics with a trained classifier at hand, as
// a server makes it once when it starts.
func BenchmarkCompile(b *testing.B) {
	_, trained, err := shipped().Compile(b.Context(), strategy.Source{Packs: []string{"electronics"}})
	if err != nil {
		b.Fatal(err)
	}
	before := cpu(b)
	for b.Loop() {
		c := &pack.Compiler{FS: packs.Files}
		if _, _, err := c.Compile(b.Context(), trained); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
}
