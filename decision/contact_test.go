package decision_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/identity"
	"github.com/rapport-cx/rapport/profile"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	l, err := time.LoadLocation(name)
	if err != nil {
		t.Skip("no time zone data on this machine")
	}
	return l
}

func TestMission_3_4_QuietHoursGoByTheCustomersClock(t *testing.T) {
	t.Parallel()
	night := decision.Contact{Quiet: &decision.Hours{From: 22 * 60, Until: 8 * 60}}
	shanghai, london, berlin := zone(t, "Asia/Shanghai"), zone(t, "Europe/London"), zone(t, "Europe/Berlin")
	for _, c := range []struct {
		name, now, opens string
		zone             *time.Location
	}{
		{"before midnight", "2026-07-10T23:30:00+08:00", "2026-07-11T08:00:00+08:00", shanghai},
		{"after midnight", "2026-07-11T03:00:00+08:00", "2026-07-11T08:00:00+08:00", shanghai},
		{"at the stroke of eight", "2026-07-11T08:00:00+08:00", "2026-07-11T08:00:00+08:00", shanghai},
		{"the same moment elsewhere", "2026-07-10T23:30:00+08:00", "2026-07-10T23:30:00+08:00", london},
		{"the night the clocks go forward", "2026-03-28T23:00:00+01:00", "2026-03-29T08:00:00+02:00", berlin},
		{"the night the clocks go back", "2026-10-25T01:30:00+02:00", "2026-10-25T08:00:00+01:00", berlin},
		{"a clock that is not known", "2026-07-10T23:30:00+08:00", "2026-07-10T23:30:00+08:00", nil},
	} {
		now, _ := time.Parse(time.RFC3339, c.now)
		want, _ := time.Parse(time.RFC3339, c.opens)
		if got := night.Opens(now, c.zone); !got.Equal(want) {
			t.Errorf("%s: opens at %v, wanted %v", c.name, got, want)
		}
	}
	late := decision.Contact{Quiet: &decision.Hours{From: 23 * 60, Until: 2*60 + 30}}
	for now, want := range map[string]string{
		"2026-10-24T23:30:00+02:00": "2026-10-25T02:30:00+02:00",
		"2026-10-25T02:10:00+01:00": "2026-10-25T02:30:00+01:00", // the second time that the clock shows it
		"2026-03-28T23:30:00+01:00": "2026-03-29T03:00:00+02:00", // the clock never shows half past two
	} {
		at, _ := time.Parse(time.RFC3339, now)
		opens, _ := time.Parse(time.RFC3339, want)
		if got := late.Opens(at, berlin); !got.Equal(opens) {
			t.Errorf("hours that end within the hour in which clocks change, at %s: they end at %v, wanted %v", now, got, opens)
		}
	}
	noon := decision.Contact{Quiet: &decision.Hours{From: 12 * 60, Until: 14 * 60, Zone: shanghai}}
	now, _ := time.Parse(time.RFC3339, "2026-07-10T13:00:00+08:00")
	if got := noon.Opens(now, nil); got.Sub(now) != time.Hour {
		t.Errorf("the pack's own clock stands in for one that is not known: %v", got)
	}
}

func TestMission_3_4_AChannelHasACapOfItsOwn(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 7, 10, 4, 0, 0, 0, time.UTC)
	policy := decision.Contact{Caps: []decision.ContactCap{
		{ID: "hook", Channel: "webhook", AtMost: 1, Within: 24 * time.Hour},
		{ID: "talk", Channel: "conversation", Topic: "returns", AtMost: 1, Within: 24 * time.Hour},
	}}
	person := func(hours int, topic string, verified bool, name ...string) *profile.Profile {
		body, _ := json.Marshal(map[string]any{"decision_id": "dec_1", "topics": []string{topic}, "channels": []string{"conversation", "webhook"}})
		var events []*event.Event
		for i, n := range append([]string{profile.DecisionSent}, name...) {
			events = append(events, &event.Event{ID: event.ID{byte(i + 1)}, Kind: event.Track, Name: n, UserID: "he", Time: now.Add(-time.Duration(hours) * time.Hour), Verified: verified, Body: body})
		}
		return profile.Fold("per_he", []identity.Key{identity.User("he")}, events, 1)
	}
	for _, c := range []struct {
		name string
		who  *profile.Profile
		open int
	}{
		{"nothing sent yet", profile.New("per_he", nil), 2},
		{"sent an hour ago, of this topic", person(1, "returns", true), 0},
		{"sent an hour ago, of another", person(1, "wealth", true), 1},
		{"sent two days ago", person(48, "returns", true), 2},
		{"taken back before anybody had it", person(1, "returns", true, profile.DecisionWithdrawn), 2},
		{"said by who merely claims to be us", person(1, "returns", false), 2},
	} {
		if got := policy.Open([]string{"conversation", "webhook"}, c.who, now); len(got) != c.open {
			t.Errorf("%s: open are %v", c.name, got)
		}
	}
}
