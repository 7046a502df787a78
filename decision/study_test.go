package decision_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/event"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/profile"
)

// school is a course of three lessons, each of which teaches a skill that the next
// builds on.
func school(t *testing.T) candidate.View {
	t.Helper()
	c, n := candidate.NewCatalogue(), uint64(0)
	put := func(id string, fields map[string]any) {
		t.Helper()
		body, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		n++
		if err := c.Put("relation", id, body, false, noon, n); err != nil {
			t.Fatal(err)
		}
	}
	for i := 1; i <= 3; i++ {
		lesson, skill := fmt.Sprint("l", i), fmt.Sprint("s", i)
		put("b"+lesson, map[string]any{"from": "lesson:" + lesson, "type": "belongs_to", "to": "course:c", "weight": i})
		put("t"+lesson, map[string]any{"from": "lesson:" + lesson, "type": "teaches", "to": "skill:" + skill})
		if i > 1 {
			put("p"+lesson, map[string]any{"from": fmt.Sprint("skill:s", i-1), "type": "prerequisite_of", "to": "skill:" + skill})
		}
	}
	return c.At(n)
}

func completed(lesson string) *event.Event {
	return &event.Event{Name: "Lesson Completed", Time: noon.AddDate(0, 0, -1), Body: json.RawMessage(`{"course_id":"c","lesson_id":"` + lesson + `"}`)}
}

// weakPercent is what a rule reads of the weak skill of a learner who is before the
// third lesson and whose mastery of s2 was seen at these many days ago; weak is false
// when nothing is.
func weakPercent(shelf candidate.View, score float64, daysAgo ...float64) (percent int64, weak bool) {
	mastery := []any{map[string]any{"skill": "s1", "score": 1.0, "at": noon.Format(time.RFC3339)}}
	for _, d := range daysAgo {
		at := noon.Add(-time.Duration(d * 24 * float64(time.Hour)))
		mastery = append(mastery, map[string]any{"skill": "skill:s2", "score": score, "at": at.Format(time.RFC3339)})
	}
	enrolled := &profile.Record{Kind: evidence.Enrolment, ID: "E", UpdatedAt: noon, Fields: map[string]any{"course_id": "c", "mastery": mastery}}
	in := input(spoken("presale.recommend"))
	in.Catalogue = shelf
	in.Person = &profile.Profile{
		Records: map[evidence.Kind]map[string]*profile.Record{evidence.Enrolment: {"E": enrolled}},
		History: map[string][]*event.Event{"Lesson Completed": {completed("l1"), completed("l2")}},
	}
	a := offer("revise", decision.Service, 1, "presale.recommend")
	a.Policies = []decision.Policy{{ID: "weak", Stage: decision.Applicability, Rule: when{"study.weak_percent", func(v any) bool { percent = v.(int64); return true }}}}
	weak = len(decision.Decide(&decision.Plan{Actions: []decision.Action{a}}, in).Chosen) == 1
	return percent, weak
}

func TestWhatWasMasteredSlipsByHalfLives(t *testing.T) {
	t.Parallel()
	shelf := school(t)
	for _, c := range []struct {
		score float64
		seen  []float64 // days ago
		want  int64     // percent that is left; below 60 it is weak
	}{
		{1, []float64{7}, 50},      // a week after one success half is left
		{1, []float64{14}, 25},     // after two a quarter
		{0.8, []float64{7}, 40},    // of what there was
		{80, []float64{7}, 40},     // a score of a hundred is one of one
		{1, []float64{28, 14}, 50}, // a second success doubles the half-life
		{1, []float64{56, 42, 28}, 50},
		{0.5, []float64{0}, 50},                               // what was never mastered is weak at once
		{1, []float64{400, 390, 380, 370, 360, 350, 240}, 25}, // half a year's is four months at the most
	} {
		if got, weak := weakPercent(shelf, c.score, c.seen...); !weak || got != c.want {
			t.Errorf("a score of %v seen %v days ago: %d %% (weak: %v), wanted %d", c.score, c.seen, got, weak, c.want)
		}
	}
	for _, seen := range [][]float64{{0}, {5}, {14, 7}, {60, 40, 14}} {
		if got, weak := weakPercent(shelf, 1, seen...); weak {
			t.Errorf("mastered %v days ago, it is called weak at %d %%", seen, got)
		}
	}
}
