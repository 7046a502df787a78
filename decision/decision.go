// Package decision is step 6 of the flow: what we choose, and why. It is pure:
// (plan, needs, answers, profile, scene, seed) give the chosen and the rejected,
// each with the stage and rule it passed or failed, its score as a sum of named
// terms, and the probability with which it was chosen.
//
// What it never changes: a right is told to whoever is entitled, first, and is
// never drawn, capped, budgeted or tested; nothing is sold in front of an unsolved
// problem; a score equals the sum of its terms to 1e-9.
package decision

import (
	"time"

	"github.com/rapport-cx/rapport/candidate"
	"github.com/rapport-cx/rapport/evidence"
	"github.com/rapport-cx/rapport/need"
	"github.com/rapport-cx/rapport/profile"
	"github.com/rapport-cx/rapport/scene"
)

// Nature is what an action is to the customer; shown in this order.
type Nature string

const (
	Right    Nature = "right"
	Service  Nature = "service"
	Goodwill Nature = "goodwill"
	Sale     Nature = "sale"
)

// Stage is where a candidate was stopped.
type Stage string

const (
	Eligibility   Stage = "eligibility"    // must qualify
	Applicability Stage = "applicability"  // relevant now
	Suitability   Stage = "suitability"    // right for this customer
	ContactPolicy Stage = "contact_policy" // frequency cap, suppression
	Budget        Stage = "budget"
	Consent       Stage = "consent"
	Arbitration   Stage = "arbitration" // another was better, or the draw passed it by
)

// Facts is what a rule reads: person, need, group, scene, records … by name.
// Lookup returns ok=false for a name that is unknown now (no consent, switched
// off, never stated); a rule must then say so, not guess.
type Facts interface {
	Lookup(name string) (value any, ok bool)
}

// Verdict is what a rule says of facts.
type Verdict struct {
	Holds   bool
	Missing []string // inputs the rule asked for and that were unknown
	Fault   string   // an evaluation error; the rule then does not hold
}

// Rule is a compiled condition. Packs compile it (CEL); this room only walks it.
type Rule interface {
	Eval(Facts) Verdict
	Source() string // as written in the pack
}

// Policy is one named rule of an action at one stage.
type Policy struct {
	ID     string
	Stage  Stage
	Rule   Rule
	Reason candidate.Text // why it fails, in words for operators
	// Cites names the facts that prove it: "group", "asset", "order", "traits.household_size" …
	Cites []string
}

// Treatment is one way to show an action.
type Treatment struct {
	ID    string
	When  Rule // nil: always
	Title candidate.Text
	Body  candidate.Text // may use {placeholders} that the reason's arguments fill
}

// Action is something a strategy can offer.
type Action struct {
	ID         string
	Nature     Nature
	Title      candidate.Text
	Needs      []string // intents (or intent/subintent) it serves; empty: any
	Signal     string   // "" or the signal of whose holding groups each makes one candidate
	Safety     bool     // goes before everything else when it applies
	Policies   []Policy // in stage order
	Value      float64  // > 0, unit-free worth to the company and the customer
	Lever      float64  // > 0, the strategist's manual weight
	Prior      Prior    // propensity
	Contexts   []Weight // context weights
	Reason     candidate.Text
	Cites      []string // facts that the reason rests on, as in Policy.Cites
	Treatments []Treatment
	Resolves   bool // an accepted or entitled offer of it answers the need
	Cap        *Cap
	Form       []Field // what accepting it needs; known ones are prefilled
}

// Prior is the additive log-odds of the action being taken: a base and named parts.
type Prior struct {
	Base  float64
	Parts []Weight
}

// Weight adds Value (log scale) when its rule holds.
type Weight struct {
	Name  string
	Rule  Rule
	Value float64
}

// Cap bounds how often an action is shown to one person.
type Cap struct {
	Shown    int
	Within   time.Duration
	Suppress time.Duration // silence after a dismissal
}

// Field is one input an action needs; From names the fact that prefills it.
type Field struct {
	Name  string
	Label candidate.Text
	From  string
}

// Plan is the decision part of a published strategy: immutable.
type Plan struct {
	Actions     []Action
	Temperature float64 // of the draw among goodwill and sales; 0 takes the best
	Floor       float64 // least choice probability of an eligible candidate
}

// Input is all a decision rests on.
type Input struct {
	Needs     []need.Need
	Signals   []need.SignalState
	Results   []candidate.Result
	Person    *profile.Profile // personalisation and consent applied
	Personal  bool             // personalisation is on
	Proven    bool
	Scene     scene.Scene
	Catalogue candidate.View
	Seed      uint64
	Limit     int // most actions; 0 means 3
}

// Reason is a statement with exactly the records that make it true.
type Reason struct {
	Text     candidate.Text `json:"text"`
	Evidence []evidence.Ref `json:"evidence"`
}

// Chosen is an action that is offered.
type Chosen struct {
	Action      string            `json:"action"`
	Nature      Nature            `json:"nature"`
	Need        string            `json:"need"`
	Group       map[string]string `json:"group,omitempty"` // which device, order … it is about
	Treatment   string            `json:"treatment"`
	Title       candidate.Text    `json:"title"`
	Body        candidate.Text    `json:"body,omitzero"`
	Score       float64           `json:"score"`
	Terms       []candidate.Term  `json:"terms"`
	Parts       []candidate.Term  `json:"parts,omitempty"` // log-odds of the propensity
	Propensity  *float64          `json:"propensity"`
	Probability float64           `json:"probability"`
	Position    int               `json:"position"`
	Reasons     []Reason          `json:"reasons"`
	Prefilled   map[string]any    `json:"prefilled,omitempty"`
	Missing     []string          `json:"missing,omitempty"`
}

// Rejected is a candidate that is not offered, with the rule that stopped it.
type Rejected struct {
	Action   string            `json:"action"`
	Need     string            `json:"need,omitempty"`
	Group    map[string]string `json:"group,omitempty"`
	Stage    Stage             `json:"stage"`
	Rule     string            `json:"rule"`
	Reason   candidate.Text    `json:"reason"`
	Missing  []string          `json:"missing,omitempty"`
	Evidence []evidence.Ref    `json:"evidence"`
	Score    float64           `json:"score,omitempty"`
	Terms    []candidate.Term  `json:"terms,omitempty"`
}

// Draw is how the drawn positions were chosen.
type Draw struct {
	Seed          uint64         `json:"seed"`
	Probabilities []Chance       `json:"probabilities"`
	Positions     []DrawPosition `json:"positions,omitempty"`
}

// Chance is one candidate's choice probability.
type Chance struct {
	Action      string            `json:"action"`
	Group       map[string]string `json:"group,omitempty"`
	Probability float64           `json:"probability"`
}

// DrawPosition is one draw without replacement.
type DrawPosition struct {
	Position int      `json:"position"`
	Chances  []Chance `json:"chances"`
	Taken    string   `json:"taken"`
}

// Decision is the outcome of Decide.
type Decision struct {
	Needs    []need.Need        `json:"needs"` // with their status after the decision
	Answers  []candidate.Answer `json:"answers"`
	Chosen   []Chosen           `json:"chosen"`
	Rejected []Rejected         `json:"rejected"`
	Draw     Draw               `json:"draw"`
}
