package treatment

import (
	"slices"
	"strconv"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/scene"
)

// Course is what a decision went through, as Procedure tells it.
type Course struct {
	Proven   bool
	Personal bool
	Keys     int // identifiers whose records were read
	Events   int // records read
	Decision *decision.Decision
	Results  []candidate.Result
	Strategy int
	Plan     *Plan // for the names of needs
	// Unasked is the signal that made Rapport speak by itself; empty when somebody asked.
	Unasked candidate.Text
	// Foreseen is the need that was foreseen and made Rapport speak by itself.
	Foreseen Foreseen
}

// Foreseen is a need that nobody has spoken yet, by its title.
type Foreseen struct {
	Need   string
	Chance float64
	Model  uint64 // its version
}

// Procedure tells, step by step and in the language of the scene, what was
// actually done to reach a decision.
func Procedure(c Course, at scene.Scene) []string {
	w := wordingOf(at)
	var out []string
	events, keys := strconv.Itoa(c.Events), strconv.Itoa(c.Keys)
	if c.Proven {
		out = append(out, w.say("procedure_identity_proven", "events", events, "keys", keys))
	} else {
		out = append(out, w.say("procedure_identity_claim", "events", events))
	}
	if !c.Personal {
		out = append(out, w.say("procedure_personal_off"))
	}
	if c.Unasked != (candidate.Text{}) {
		out = append(out, w.say("procedure_unasked", "signal", w.in(c.Unasked)))
	}
	if c.Foreseen.Need != "" {
		out = append(out, w.say("procedure_foreseen", "need", c.Foreseen.Need, "chance", strconv.Itoa(int(100*c.Foreseen.Chance)), "model", strconv.FormatUint(c.Foreseen.Model, 10)))
	}
	if names := needNames(c, at); len(names) > 0 {
		out = append(out, w.say("procedure_needs", "needs", w.list(names)))
	}
	var asked, late []string
	for _, r := range c.Results {
		name := r.Source
		if key := "source_" + name; w.has(key) {
			name = w.say(key)
		}
		asked = append(asked, name)
		if r.Degraded != nil {
			late = append(late, name)
		}
	}
	if len(asked) > 0 {
		out = append(out, w.say("procedure_sources", "sources", w.list(asked)))
	}
	if len(late) > 0 {
		out = append(out, w.say("procedure_late", "sources", w.list(late)))
	}
	out = append(out,
		w.say("procedure_candidates", "version", strconv.Itoa(c.Strategy),
			"count", strconv.Itoa(len(c.Decision.Chosen)+len(c.Decision.Rejected)), "rejected", strconv.Itoa(len(c.Decision.Rejected))),
		w.say("procedure_order"))
	switch drawn := len(c.Decision.Draw.Positions); drawn {
	case 0:
		out = append(out, w.say("procedure_not_drawn"))
	case 1:
		out = append(out, w.say("procedure_drawn_single"))
	default:
		out = append(out, w.say("procedure_drawn", "count", w.number(drawn)))
	}
	return append(out, w.say("procedure_shown"))
}

// needNames are the needs by their titles, each once.
func needNames(c Course, at scene.Scene) []string {
	plan := c.Plan
	if plan == nil {
		plan = &Plan{}
	}
	var names []string
	for i := range c.Decision.Needs {
		n := &c.Decision.Needs[i]
		if name := plan.Title(n.Intent, n.Sub(), at.Locale); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
