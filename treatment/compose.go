package treatment

import (
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/decision"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/scene"
)

// Compose shows a decision in a scene; at.Locale is the language of every sentence.
func Compose(p *Plan, d *decision.Decision, at scene.Scene) Solution {
	return Solution{Locale: string(at.Locale), Needs: d.Needs}
}

// Fact is one record as a summary needs it: what it is called and what it says.
type Fact struct {
	Kind   evidence.Kind
	Ref    evidence.Ref
	At     time.Time
	Name   string // event name, item title, signal id …
	Title  candidate.Text
	Fields map[string]any
}

// Summarise says in one sentence of the language what a record is.
func Summarise(f Fact, at scene.Scene) string { return f.Name }
