package predict

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/profile"
)

var start = time.Date(2025, 1, 6, 0, 0, 0, 0, time.UTC) // a Monday

func happened(n int, name string, day float64) *event.Event {
	return &event.Event{ID: event.ID{byte(n >> 8), byte(n)}, Kind: event.Track, Name: name, Time: start.Add(time.Duration(day * float64(24*time.Hour))).Truncate(time.Millisecond), Verified: true, Body: []byte("{}")}
}

func of(events ...*event.Event) *profile.Profile { return profile.Fold("per_x", nil, events, 0) }

func bins(r Reading) map[string]string {
	out := map[string]string{}
	for _, v := range r.Values {
		out[v.Feature] = v.bin()
	}
	return out
}

func TestAReadingTellsCountsRecencyStreaksAgeAndSeason(t *testing.T) {
	t.Parallel()
	p := of(happened(1, "Order Completed", 0), happened(2, "Returns Page Viewed", 30), happened(3, "Returns Page Viewed", 37), happened(4, "Returns Page Viewed", 43.5))
	r := Read(p, start.AddDate(0, 0, 44), nil)
	got := bins(r)
	for feature, want := range map[string]string{
		"Returns Page Viewed in 3 days": "1", "Returns Page Viewed in 30 days": "3", "Returns Page Viewed last": "under 1 days",
		"Returns Page Viewed weeks in a row": "3", "owned": "under 45 days", "known": "under 45 days", "month": "2", "weekday": "3",
	} {
		if got[feature] != want {
			t.Errorf("%s is %q, wanted %q", feature, got[feature], want)
		}
	}
	i := slices.IndexFunc(r.Values, func(v Value) bool { return v.Feature == "Returns Page Viewed in 7 days" })
	if refs := r.Cited(i); len(refs) != 1 || string(refs[0]) != happened(4, "", 0).ID.String() {
		t.Errorf("the count of seven days cites %v", refs)
	}
}

// Nothing that happens after a moment changes what is read of it: training, which
// knows the future, reads what serving read.
func TestNothingLeaksFromTheFuture(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	names := []string{"Order Completed", "Returns Page Viewed", "Repair Reported", "Balance Viewed", "Page Viewed"}
	for world := range 300 {
		var before, all []*event.Event
		at := start.Add(time.Duration(r.IntN(400*24*60)) * time.Minute)
		for i := range 5 + r.IntN(200) {
			e := happened(i+1, names[r.IntN(len(names))], 500*r.Float64())
			if all = append(all, e); !e.Time.After(at) {
				before = append(before, e)
			}
		}
		then, later := Read(of(before...), at, nil), Read(of(all...), at, nil)
		if !reflect.DeepEqual(then.Values, later.Values) {
			t.Fatalf("seed %d, world %d: at the time %v, read later %v", seed, world, then.Values, later.Values)
		}
		for i := range then.Values {
			if !slices.Equal(then.Cited(i), later.Cited(i)) {
				t.Fatalf("seed %d, world %d: %v cites what came later", seed, world, then.Values[i])
			}
		}
	}
}

func TestWhatIsSampledEndsAHorizonBeforeTheLog(t *testing.T) {
	t.Parallel()
	p := of(happened(1, "Order Completed", 0), happened(2, "Repair Reported", 20))
	tr := NewTrainer(Options{Horizon: 14 * day})
	tr.Add(p, []Spoken{{At: start.AddDate(0, 0, 20), Need: "aftersale.repair"}}, time.Time{}, start.AddDate(0, 0, 60), nil)
	var told []string
	for _, r := range tr.rows {
		if r.weekly {
			told = append(told, fmt.Sprintf("%d:%d", (r.at-start.Unix())/86400, len(r.spoken)))
		}
	}
	if got := strings.Join(told, " "); got != "4:0 11:1 18:1 25:0 32:0 39:0 46:0" || tr.Samples() != 7 {
		t.Errorf("samples %s", got)
	}
	if last := tr.rows[len(tr.rows)-1]; last.at != start.AddDate(0, 0, 46).Unix() {
		t.Errorf("the last moment is %s", time.Unix(last.at, 0))
	}
}

// crowd are customers of whom those who look at the returns page mostly return; some
// look in every week of the time.
func crowd(n, days int, honest float64) *Trainer {
	r := rand.New(rand.NewPCG(4, 4))
	tr := NewTrainer(Options{Horizon: 14 * day})
	for i := range n {
		events := []*event.Event{happened(1, "Order Completed", 0)}
		said := []Spoken{}
		if i%2 == 0 {
			first := 10.0
			if days > 60 {
				first = float64(10 + r.IntN(days-20))
			}
			for k := range 3 {
				events = append(events, happened(2+k, "Returns Page Viewed", first+float64(k)))
			}
			if r.Float64() < honest {
				said = append(said, Spoken{At: start.AddDate(0, 0, int(first)+6), Need: "aftersale.return_refund"})
			}
		}
		tr.Add(of(events...), said, start, start.AddDate(0, 0, days), nil)
	}
	return tr
}

func learnedFrom(n int) *Model { return crowd(n, 28, .8).Train() }

// From which chance on customers are written to is learned from what came of it: who
// keeps their word is taken by it sooner, and of too few nothing is known.
func TestHowSureItMayBeIsLearned(t *testing.T) {
	t.Parallel()
	trusted := crowd(1500, 200, 1).Train()
	sure, proven := trusted.Sure()
	if h := trusted.About().HeldOut; !proven || h == nil || h.Pushes < 50 || float64(h.InVain) > .1*float64(h.Pushes) || sure != h.Sure {
		t.Errorf("of those who return: %v %v %+v", sure, proven, h)
	}
	if sure, proven := crowd(700, 200, .6).Train().Sure(); proven {
		t.Errorf("two in five do not return, and from %v on they are written to", sure)
	}
	if sure, proven := learnedFrom(60).Sure(); proven || sure != carefully {
		t.Errorf("of few customers it is sure at %v", sure)
	}
	text, _ := trusted.Marshal()
	if back, err := Unmarshal(text); err != nil || back.sure != trusted.sure || !reflect.DeepEqual(back.About(), trusted.About()) {
		t.Errorf("stored and read: %v, %v", back, err)
	}
}

// Who is known for longer than anybody was in training is foreseen as those known longest.
func TestWhatWasNeverSeenIsLikeItsNeighbour(t *testing.T) {
	t.Parallel()
	m := crowd(600, 200, .9).Train()
	p := of(happened(1, "Order Completed", 0))
	at := func(days int) float64 {
		r := Read(p, start.AddDate(0, 0, days), nil)
		r.Values = slices.DeleteFunc(r.Values, func(v Value) bool { return v.Scale != Age })
		return m.Chances(&r, nil)[0]
	}
	if longest, beyond := at(180), at(1200); math.Abs(beyond-longest) > .3*longest {
		t.Errorf("after 180 days %.4f, after 1200 %.4f", longest, beyond)
	}
}

func TestABoundIsAboveWhatWasCounted(t *testing.T) {
	t.Parallel()
	if bound(0, 0) != 1 || bound(5, 100) < .1 || bound(50, 1000) > .07 || bound(50, 1000) < .06 {
		t.Errorf("bounds %v %v", bound(5, 100), bound(50, 1000))
	}
}

func TestWhatIsForeseenHasItsReasons(t *testing.T) {
	t.Parallel()
	m := learnedFrom(400)
	looked := of(happened(1, "Order Completed", 0), happened(2, "Returns Page Viewed", 10), happened(3, "Returns Page Viewed", 11), happened(4, "Returns Page Viewed", 12))
	all := m.Foresee(Read(looked, start.AddDate(0, 0, 14), nil))
	if len(all) != 1 || all[0].Need != "aftersale.return_refund" || all[0].Chance < .65 || all[0].Chance > .95 {
		t.Fatalf("foreseen: %+v", all)
	}
	sum, cited := 0.0, false
	for _, p := range all[0].Parts {
		sum += p.Value
		cited = cited || strings.HasPrefix(p.Name, "Returns Page Viewed") && len(p.Evidence) > 0
	}
	if got := 1 / (1 + math.Exp(-sum)); math.Abs(got-all[0].Chance) > 1e-9 || !cited {
		t.Errorf("the parts %+v make %v", all[0].Parts, got)
	}
	if other := m.Foresee(Read(of(happened(1, "Order Completed", 0)), start.AddDate(0, 0, 14), nil)); other[0].Chance > .15 {
		t.Errorf("who only bought returns with %.3f", other[0].Chance)
	}
}

func TestAStoredModelForeseesTheSame(t *testing.T) {
	t.Parallel()
	m := learnedFrom(100)
	text, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := learnedFrom(100).Marshal(); !bytes.Equal(text, again) {
		t.Error("the same samples give another model")
	}
	back, err := Unmarshal(text)
	if err != nil {
		t.Fatal(err)
	}
	r := Read(of(happened(1, "Order Completed", 0), happened(2, "Returns Page Viewed", 10)), start.AddDate(0, 0, 14), nil)
	if a, b := m.Foresee(r), back.Foresee(r); !reflect.DeepEqual(a, b) {
		t.Errorf("%+v became %+v", a, b)
	}
	if _, err := Unmarshal([]byte(`{"format":1,"needs":["x"]}`)); !errors.Is(err, ErrFormat) {
		t.Errorf("a model of an older build is %v", err)
	}
	for _, broken := range []string{"", "{}", `{"format":2,"needs":["x"]}`} {
		if _, err := Unmarshal([]byte(broken)); err == nil {
			t.Errorf("%q is read as a model", broken)
		}
	}
	if (*Model)(nil).Foresee(r) != nil {
		t.Error("no model foresees something")
	}
}
