package signal_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need/signal"
	"github.com/rapport-cx/rapport/profile"
)

var now = time.Date(2026, 6, 1, 10, 0, 0, 0, time.UTC)

const days = 24 * time.Hour

// life builds a profile's history; events are given in any order of days ago.
type life struct {
	p *profile.Profile
	n byte
}

func aLife() *life {
	return &life{p: &profile.Profile{
		History: map[string][]*event.Event{}, Records: map[evidence.Kind]map[string]*profile.Record{},
	}}
}

func (l *life) on(at time.Time, name string, properties map[string]any) *life {
	l.n++
	body, _ := json.Marshal(properties)
	e := &event.Event{ID: event.ID{15: l.n}, Kind: event.Track, Name: name, Time: at, Body: body}
	h := l.p.History[name]
	i := len(h)
	for i > 0 && h[i-1].Time.After(at) {
		i--
	}
	h = append(h, nil)
	copy(h[i+1:], h[i:])
	h[i] = e
	l.p.History[name] = h
	return l
}

func (l *life) ago(d time.Duration, name string, properties map[string]any) *life {
	return l.on(now.Add(-d), name, properties)
}

func (l *life) record(kind evidence.Kind, id string, fields map[string]any) *life {
	if l.p.Records[kind] == nil {
		l.p.Records[kind] = map[string]*profile.Record{}
	}
	l.p.Records[kind][id] = &profile.Record{Kind: kind, ID: id, Fields: fields}
	return l
}

func (l *life) tell(t *testing.T, d signal.Definition) signal.State {
	t.Helper()
	states := signal.Evaluate([]signal.Definition{d}, signal.Moment{Person: l.p, At: now})
	if len(states) == 0 {
		return signal.State{Fault: "never"}
	}
	return states[0]
}

var twice = signal.Definition{ID: "repaired_twice", Form: signal.Count, Event: "Repair Reported", AtLeast: 2, Within: 90 * days, By: []string{"device", "symptom"}}

type props = map[string]any

func TestMission_1_4_TheSameFaultReportedTwiceInThreeMonths(t *testing.T) {
	t.Parallel()
	hot := props{"asset_id": "S1", "product_id": "P", "symptom": "overheat"}
	for _, c := range []struct {
		name  string
		life  *life
		fault string
		count int
	}{
		{"80 and 20 days ago", aLife().ago(80*days, "Repair Reported", hot).ago(20*days, "Repair Reported", hot), "", 2},
		{"only one of them", aLife().ago(20*days, "Repair Reported", hot), "count", 1},
		{"the first 100 days ago", aLife().ago(100*days, "Repair Reported", hot).ago(20*days, "Repair Reported", hot), "within", 1},
		{"exactly 90 days ago is out of the window", aLife().ago(90*days, "Repair Reported", hot).ago(20*days, "Repair Reported", hot), "within", 1},
		{"two different faults", aLife().ago(80*days, "Repair Reported", props{"asset_id": "S1", "symptom": "no_power"}).ago(20*days, "Repair Reported", hot), "same:symptom", 1},
		{"two units of one model", aLife().ago(80*days, "Repair Reported", props{"asset_id": "S2", "product_id": "P", "symptom": "overheat"}).ago(20*days, "Repair Reported", hot), "same:device", 1},
		{"a report in the future does not count", aLife().ago(-days, "Repair Reported", hot).ago(20*days, "Repair Reported", hot), "count", 1},
		{"without serial the product is the device", aLife().ago(80*days, "Repair Reported", props{"product_id": "P", "symptom": "overheat"}).ago(20*days, "Repair Reported", props{"product_id": "P", "symptom": "overheat"}), "", 2},
		{"the only unit of that product", aLife().record(evidence.Asset, "S1", props{"product_id": "P"}).ago(80*days, "Repair Reported", props{"product_id": "P", "symptom": "overheat"}).ago(20*days, "Repair Reported", hot), "", 2},
		{"the case knows the unit", aLife().record(evidence.Case, "c1", props{"asset_id": "S1"}).ago(80*days, "Repair Reported", props{"case_id": "c1", "symptom": "overheat"}).ago(20*days, "Repair Reported", hot), "", 2},
		{"an unknown device is nobody's", aLife().ago(80*days, "Repair Reported", props{"symptom": "overheat"}).ago(20*days, "Repair Reported", props{"symptom": "overheat"}), "never", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := c.life.tell(t, twice)
			if s.Fault != c.fault || s.Count != c.count || s.Holds != (c.fault == "") || len(s.Events) != c.count || len(s.Times) != c.count {
				t.Errorf("got %+v, wanted fault %q, count %d", s, c.fault, c.count)
			}
			if s.Holds && (s.Group["device"] == "" || s.Group["symptom"] != "overheat" || s.Group["product_id"] != "P") {
				t.Errorf("the group is %v", s.Group)
			}
		})
	}
}

type topic string

func (f topic) Match(e *event.Event, _ *profile.Profile) bool {
	return signal.Text(e, "topic") == string(f)
}

func TestMission_3_1_ReturnsPolicyViewedThreeTimesWithoutARequest(t *testing.T) {
	t.Parallel()
	d := signal.Definition{ID: "return_hesitation", Form: signal.Count, Event: "Page Viewed", Where: topic("returns_policy"), AtLeast: 3, Within: 7 * days,
		Without: []string{"Return Requested", "Refund Requested"}, SinceFirst: true}
	page := props{"topic": "returns_policy"}
	views := func(hours ...int) *life {
		l := aLife()
		for _, h := range hours {
			l.ago(time.Duration(h)*time.Hour, "Page Viewed", page)
		}
		return l
	}
	for _, c := range []struct {
		name  string
		life  *life
		fault string
	}{
		{"three views", views(100, 50, 2), ""},
		{"two views", views(50, 2), "count"},
		{"one of another page", views(50, 2).ago(time.Hour, "Page Viewed", props{"topic": "pricing"}), "where"},
		{"a request in between", views(100, 50, 2).ago(30*time.Hour, "Return Requested", nil), "without:Return Requested"},
		{"a request after all", views(100, 50, 2).ago(time.Hour, "Refund Requested", nil), "without:Refund Requested"},
		{"a request before the first view", views(100, 50, 2).ago(120*time.Hour, "Return Requested", nil), ""},
		{"counted anew after the request", views(100, 50, 20, 10, 2).ago(30*time.Hour, "Return Requested", nil), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if s := c.life.tell(t, d); s.Fault != c.fault {
				t.Errorf("got %+v, wanted fault %q", s, c.fault)
			}
		})
	}
}

func TestMission_3_2_BalanceViewedInThreeConsecutiveMonths(t *testing.T) {
	t.Parallel()
	d := signal.Definition{ID: "idle_balance", Form: signal.Streak, Event: "Balance Viewed", AtLeast: 3, Per: signal.Month}
	on := func(dates ...string) *life {
		l := aLife()
		for _, s := range dates {
			at, err := time.Parse(time.RFC3339, s)
			if err != nil {
				t.Fatal(err)
			}
			l.on(at, "Balance Viewed", nil)
		}
		return l
	}
	for _, c := range []struct {
		name  string
		life  *life
		fault string
		count int
	}{
		{"March, April, May; June runs", on("2026-03-31T12:00:00Z", "2026-04-01T12:00:00Z", "2026-05-31T12:00:00Z"), "", 3},
		{"April, May, June", on("2026-04-10T12:00:00Z", "2026-05-10T12:00:00Z", "2026-06-01T09:00:00Z"), "", 3},
		{"April missed", on("2026-03-10T12:00:00Z", "2026-05-10T12:00:00Z", "2026-06-01T09:00:00Z"), "gap:2026-04", 2},
		{"May missed", on("2026-03-10T12:00:00Z", "2026-04-10T12:00:00Z"), "gap:2026-05", 0},
		{"thrice in one month", on("2026-05-10T12:00:00Z", "2026-05-11T12:00:00Z", "2026-05-12T12:00:00Z"), "count", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if s := c.life.tell(t, d); s.Fault != c.fault || s.Count != c.count {
				t.Errorf("got %+v, wanted fault %q, count %d", s, c.fault, c.count)
			}
		})
	}
	t.Run("months are the customer's own", func(t *testing.T) {
		t.Parallel()
		shanghai, err := time.LoadLocation("Asia/Shanghai")
		if err != nil {
			t.Skip("no time zone data on this machine")
		}
		l := on("2026-03-31T18:00:00Z", "2026-04-30T18:00:00Z", "2026-05-31T18:00:00Z")
		s := signal.Evaluate([]signal.Definition{d}, signal.Moment{Person: l.p, At: now, Zone: shanghai})[0]
		if !s.Holds || s.Times[0].Month() != time.March {
			t.Errorf("1 April, 1 May, 1 June in Shanghai: %+v", s)
		}
	})
}

func TestAnAbsenceHoldsOnceItIsLongEnough(t *testing.T) {
	t.Parallel()
	d := signal.Definition{ID: "stalled", Form: signal.Absent, Event: "Lesson Completed", After: signal.Step{Event: "Order Completed"}, Within: 14 * days, By: []string{"product_id"}, Without: []string{"Order Refunded"}}
	bought := props{"products": []any{props{"product_id": "course1"}, props{"product_id": "course2"}}}
	for _, c := range []struct {
		name  string
		life  *life
		fault string
	}{
		{"bought 20 days ago, nothing since", aLife().ago(20*days, "Order Completed", bought), ""},
		{"bought 10 days ago", aLife().ago(10*days, "Order Completed", bought), "early"},
		{"money back", aLife().ago(20*days, "Order Completed", bought).ago(days, "Order Refunded", nil), "without:Order Refunded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if s := c.life.tell(t, d); s.Fault != c.fault {
				t.Errorf("got %+v, wanted fault %q", s, c.fault)
			}
		})
	}
	l := aLife().ago(20*days, "Order Completed", bought).ago(days, "Lesson Completed", props{"product_id": "course1"})
	states := signal.Evaluate([]signal.Definition{d}, signal.Moment{Person: l.p, At: now})
	if len(states) != 2 || states[0].Group["product_id"] != "course2" || !states[0].Holds || states[1].Fault != "without:Lesson Completed" {
		t.Errorf("one course begun, the other not: %+v", states)
	}
}

func TestASequenceNeedsItsOrder(t *testing.T) {
	t.Parallel()
	d := signal.Definition{ID: "abandoned_after_price", Form: signal.Sequence, Event: "Product Added", Then: []signal.Step{{Event: "Page Viewed", Where: topic("pricing")}}, Within: 3 * days, Without: []string{"Order Completed"}, SinceFirst: true}
	for _, c := range []struct {
		name  string
		life  *life
		fault string
	}{
		{"in order", aLife().ago(20*time.Hour, "Product Added", nil).ago(10*time.Hour, "Page Viewed", props{"topic": "pricing"}), ""},
		{"the wrong way round", aLife().ago(10*time.Hour, "Product Added", nil).ago(20*time.Hour, "Page Viewed", props{"topic": "pricing"}), "order"},
		{"bought after all", aLife().ago(20*time.Hour, "Product Added", nil).ago(10*time.Hour, "Page Viewed", props{"topic": "pricing"}).ago(time.Hour, "Order Completed", nil), "without:Order Completed"},
		{"too long ago", aLife().ago(80*time.Hour, "Product Added", nil).ago(10*time.Hour, "Page Viewed", props{"topic": "pricing"}), "within"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if s := c.life.tell(t, d); s.Fault != c.fault {
				t.Errorf("got %+v, wanted fault %q", s, c.fault)
			}
		})
	}
}
